"""The people at the release desk, played at human pace: who works which order, how long it takes them, and what they do. Pure.

They see what the desk's facts say and nothing else, take the worst clock first, and never what another one has in hand. All of
it follows from the seed, so a day that is played again is the same day. Nothing here decides about credit: their wishes go
through the gateway under their own names, and the order desk may refuse them.
"""

from __future__ import annotations

import datetime as dt
import heapq
import random
from collections.abc import Collection, Iterable
from zoneinfo import ZoneInfo

import msgspec

from contracts.message import Message
from contracts.orders import (
    AskCustomer,
    Clock,
    NoteOrder,
    OrderAsked,
    OrderCancelled,
    OrderDespatched,
    OrderHeld,
    OrderReferred,
    OrderRejected,
    OrderReleased,
    ReferOrder,
    RejectOrder,
    ReleaseOrder,
)
from quittance.trade import Act
from shared.credit.clocks import Desk, hours_of
from shared.working_time import add, is_open

STEP = dt.timedelta(minutes=3)
"""The longest stretch of time in which nobody sees what the others did; a person looks up about as often."""
LONDON = ZoneInfo("Europe/London")
HOURS = hours_of(Desk(), LONDON)
"""The desk's standard working time; it is not read from the policy, because people come to work when they come to work."""
TAKES_S = (55, 260)
"""How long one look at an order takes: seconds, at the least and at the most."""
ANSWERED_AFTER = dt.timedelta(minutes=22)
"""When the customer who was asked has called back, or somebody stops waiting."""
FINAL_CHECKS = frozenset({"account_open", "not_on_stop"})
"""Against these nobody releases: the cause goes, or the order does."""
REFERRED_SHARE, ASKED_SHARE, NOTED_SHARE, REJECTED_SHARE = 0.06, 0.14, 0.10, 0.09


TEAM = "home"


class Clerk(msgspec.Struct, frozen=True):
    """`level` as in the policy's authority."""

    name: str
    role: str
    level: int


LEVELS = {"controller": 1, "team_leader": 2, "operations_manager": 3, "financial_controller": 3, "director": 4}
CONTROLLERS = ("amy.shaw", "ben.okoro", "cara.lindt", "gil.novak", "hana.reid", "ines.duarte", "jo.blake", "kim.astor")
SENIORS = (
    Clerk("dev.patel", "team_leader", 2),
    Clerk("erin.walsh", "operations_manager", 3),
    Clerk("fay.morgan", "director", 4),
)


def staff(size: int = 1) -> tuple[Clerk, ...]:
    """The desk of one house, or of one so many times as large."""
    juniors = [Clerk(f"{name}{n or ''}", "controller", 1) for n in range(size) for name in CONTROLLERS]
    seniors = [msgspec.structs.replace(one, name=f"{one.name}{n or ''}") for n in range(size) for one in SENIORS]
    return (*juniors, *seniors)


class Case(msgspec.Struct):
    """An order that waits, as a clerk sees it. `since`: not before then; `level`: who may release it."""

    order: str
    account: str
    clock: Clock
    checks: frozenset[str]
    since: dt.datetime
    level: int = 1
    asked: bool = False
    noted: bool = False
    taken: bool = False
    looks: int = 0


class Clerks:
    """`orders`: those of this run; nobody else's are worked on."""

    def __init__(self, seed: int, orders: Collection[str] | None = None, people: tuple[Clerk, ...] = ()) -> None:
        self._seed, self._orders = seed, orders
        self.people = people or staff()
        self._free: list[tuple[dt.datetime, int]] = [(dt.datetime.min.replace(tzinfo=dt.UTC), n) for n in range(len(self.people))]
        self._in_hand: list[tuple[dt.datetime, str, int]] = []
        self.cases: dict[str, Case] = {}

    # --- what they hear -----------------------------------------------------------------------------------------------

    def take(self, said: Message, at: dt.datetime) -> None:
        match said:
            case OrderHeld() | OrderReferred() if self._orders is None or said.order in self._orders:
                self._waits(said, at)
            case OrderReleased() | OrderRejected() | OrderCancelled() | OrderDespatched(last=True):
                self.cases.pop(said.order, None)
            case OrderAsked() if said.order in self.cases:
                case = self.cases[said.order]
                case.asked, case.since = True, max(case.since, at + ANSWERED_AFTER)

    def _waits(self, said: OrderHeld | OrderReferred, at: dt.datetime) -> None:
        level = LEVELS[said.level] if isinstance(said, OrderReferred) else 1
        known = self.cases.get(said.order)
        checks = frozenset(f.check for f in said.decision.held_by) if said.decision is not None else known and known.checks
        if known is not None:
            known.level, known.checks, known.clock = level, checks or known.checks, said.clock or known.clock
        elif said.clock is not None:
            self.cases[said.order] = Case(said.order, said.account, said.clock, checks or frozenset(), at, level)

    # --- what they do -------------------------------------------------------------------------------------------------

    def next_due(self, after: dt.datetime) -> dt.datetime | None:
        """The next moment at which somebody is done, or may begin; None when nobody has anything to do."""
        done = [self._in_hand[0][0]] if self._in_hand else []
        begun = [max(case.since, after) for case in self.cases.values() if not case.taken]
        if begun:
            at = min(begun)
            done.append(at if is_open(HOURS.calendar, at) else _opening(at))
        return min(done, default=None)

    def due(self, start: dt.datetime, before: dt.datetime) -> list[Act]:
        """What is done in this stretch of time, in order. Work that ends later stays in hand."""
        self._begin(start, before)
        acts: list[Act] = []
        while self._in_hand and self._in_hand[0][0] < before:
            at, name, n = heapq.heappop(self._in_hand)
            case = self.cases.get(name)
            if case is None or not case.taken:
                continue
            case.taken = False
            acts += self._deed(case, self.people[n], at)
        return acts

    def _begin(self, start: dt.datetime, before: dt.datetime) -> None:
        """Everybody who is free takes the worst clock that waits for them."""
        free = (case for case in self.cases.values() if not case.taken)
        waiting = sorted(free, key=lambda case: (case.clock.due_at, case.order))
        heapq.heapify(self._free)
        idle: list[tuple[dt.datetime, int]] = []
        while self._free and self._free[0][0] < before:
            free_at, n = heapq.heappop(self._free)
            at = max(free_at, start)
            case = self._pick(waiting, self.people[n], at, before) if is_open(HOURS.calendar, at) else None
            if case is None:
                idle.append((at, n))
                continue
            waiting.remove(case)
            done = max(at, case.since) + self._takes(case)
            case.taken, case.looks = True, case.looks + 1
            heapq.heappush(self._in_hand, (done, case.order, n))
            heapq.heappush(self._free, (done, n))
        for each in idle:
            heapq.heappush(self._free, each)

    def _pick(self, waiting: list[Case], clerk: Clerk, at: dt.datetime, before: dt.datetime) -> Case | None:
        """The worst clock of their own level; a senior helps below once half of the time is used up."""
        free = [case for case in waiting if case.since < before and case.level <= clerk.level and not self._pointless(case, at)]
        own = next((case for case in free if case.level == clerk.level), None)
        return own or next((case for case in free if case.clock.warn_at <= at), None)

    def _pointless(self, case: Case, at: dt.datetime) -> bool:
        """Nobody can release it, the customer has been told, and its cause may still go: until half way to the escalation."""
        warned, escalated = case.clock.warn_at, case.clock.escalate_at
        return bool(case.checks & FINAL_CHECKS) and case.asked and at < warned + (escalated - warned) / 2

    def _takes(self, case: Case) -> dt.timedelta:
        return dt.timedelta(seconds=self._dice(case, "takes").randint(*TAKES_S))

    def _dice(self, case: Case, what: str) -> random.Random:
        return random.Random(f"{self._seed}/{what}/{case.order}/{case.looks}")  # noqa: S311 - a game, not a secret

    def _deed(self, case: Case, clerk: Clerk, at: dt.datetime) -> Iterable[Act]:
        hurried = at + ANSWERED_AFTER > case.clock.escalate_at
        wish = self._final(case, hurried) if case.checks & FINAL_CHECKS else self._ordinary(case, clerk, hurried)
        case.noted |= isinstance(wish, NoteOrder)
        yield Act(at, f"desk/{case.order}/{at:%Y%m%dT%H%M%S}", case.account, wish, by=clerk.name)

    def _final(self, case: Case, hurried: bool) -> Message:
        name, account = case.order, case.account
        if not case.asked and not hurried:
            question = "Your account is on stop. When will you pay what is due?"
            return AskCustomer(order=name, account=account, question=question)
        return RejectOrder(order=name, account=account, reason="account still on stop; please order again once it is paid")

    def _ordinary(self, case: Case, clerk: Clerk, hurried: bool) -> Message:
        """Who has no time left neither asks nor refers: the order is decided."""
        name, account, chance = case.order, case.account, self._dice(case, "deed").random()
        if not hurried and not case.asked and (chance := chance - ASKED_SHARE) < 0:
            return AskCustomer(order=name, account=account, question="Can you pay the oldest invoice today?")
        if not hurried and not case.noted and (chance := chance - NOTED_SHARE) < 0:
            return NoteOrder(order=name, account=account, note="Called accounts payable; they look for the payment.")
        if not hurried and clerk.level < 3 and (chance := chance - REFERRED_SHARE) < 0:
            return ReferOrder(order=name, account=account, reason="would like a second pair of eyes on this customer")
        if chance < REJECTED_SHARE:
            return RejectOrder(order=name, account=account, reason="too much is overdue; no promise was given")
        return ReleaseOrder(order=name, account=account, reason="good payer; paid before, promised the rest")


def _opening(at: dt.datetime) -> dt.datetime:
    """When the desk opens next."""
    return add(HOURS.calendar, at, dt.timedelta(microseconds=1)).replace(microsecond=0)
