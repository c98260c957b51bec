"""The rest of the trade, played: what warehouse, billing and customers do about a released order, and when. Pure.

Every answer follows from the seed and the release alone, so the same release always ships, bills and is paid the same way,
however often a run is repeated. Nothing here decides about credit.
"""

from __future__ import annotations

import datetime as dt
import heapq
import random
from collections.abc import Iterable

import msgspec

from contracts.envelope import derived_id
from contracts.message import Message
from contracts.orders import OrderDelivered, OrderDespatched, RecordDelivery, RecordDespatch
from contracts.payments import Covers, ItemPosted, PostItem, StatementTaken
from quittance import bank
from shared.working_time import Calendar, is_working_day, opening_hours

LEAVES, BILLED, ARRIVES, STATEMENT = dt.time(16), dt.time(18), dt.time(7), dt.time(6)
"""The hours (UTC) in which lorries leave, invoices are written, goods are delivered, and the bank's statement is read."""
CUT_OFF = dt.time(15)
"""What is released later leaves on the next working day."""
PHASES = tuple(dt.time(hour) for hour in (0, 6, 7, 8, 16, 17, 18, 19))
"""A day cut so that nothing answers a release within its own stretch: all of a stretch can be sent at once."""
PARTIAL_SHARE = 0.12
SHORT_SHARE = 0.06
REST_PAID_AFTER = dt.timedelta(days=21)
REFERENCE_LENGTH = 64
"""Of `contracts.words.Reference`."""

DAY = dt.timedelta(days=1)
_WEEK = (opening_hours("08:00-18:00"),) * 5 + ((), ())
WAREHOUSE = Calendar(zone="Europe/London", hours=_WEEK, region="GB-ENG")


class Released(msgspec.Struct, frozen=True):
    """As much of a release as the trade needs. `name`, `currency` and `payment_days` are the account's."""

    order: str
    account: str
    name: str
    instruction: str
    amount_minor: int
    currency: str
    payment_days: int
    at: dt.datetime


class Act(msgspec.Struct, frozen=True):
    """Something that happens at `due`: a command.

    `key` names it for ever, and is found again in the fact that follows (`done_by`).
    `of` is the shipment it belongs to, `<instruction>/<n>`; empty for what is not about a shipment.
    `by` is the person who does it.
    """

    due: dt.datetime
    key: str
    account: str
    message: Message
    of: str = ""
    by: str = ""


class Habits(msgspec.Struct, frozen=True):
    """How an account pays: so many days after the due date (negative: before it), and how often too little."""

    days_late: int
    short_share: float


def habits(seed: int, account: str) -> Habits:
    dice = random.Random(f"{seed}/habits/{account}")  # noqa: S311 - a game, not a secret
    days = dice.choices((-12, -4, 0, 6, 18, 40), weights=(15, 25, 30, 18, 9, 3))[0]
    return Habits(days + dice.randint(-3, 3), SHORT_SHARE * dice.choice((0, 1, 1, 3)))


def answers(seed: int, release: Released) -> list[Act]:
    """All that follows from a release, in order of time."""
    dice = random.Random(f"{seed}/trade/{release.instruction}")  # noqa: S311
    acts: list[Act] = []
    leaves_on = release.at.date() if release.at.time() < CUT_OFF else release.at.date() + DAY
    parts = _parts(release.amount_minor, dice)
    for n, amount in enumerate(parts, start=1):
        leaves = _during(LEAVES, _working_day(leaves_on), dice)
        acts += _shipment(seed, release, n, amount, n == len(parts), leaves, dice)
        leaves_on = leaves.date() + dice.randint(1, 3) * DAY
    return sorted(acts, key=lambda act: (act.due, act.key))


def _working_day(day: dt.date) -> dt.date:
    """This day, or the next one on which the warehouse works."""
    while not is_working_day(WAREHOUSE, day):
        day += DAY
    return day


def _during(hour: dt.time, day: dt.date, dice: random.Random) -> dt.datetime:
    return dt.datetime.combine(day, hour, tzinfo=dt.UTC) + dt.timedelta(minutes=dice.randint(0, 59))


def _parts(amount_minor: int, dice: random.Random) -> tuple[int, ...]:
    if amount_minor < 2 or dice.random() > PARTIAL_SHARE:
        return (amount_minor,)
    first = max(amount_minor * dice.randint(40, 80) // 100, 1)
    return first, amount_minor - first


def _shipment(
    seed: int, release: Released, n: int, amount: int, last: bool, leaves: dt.datetime, dice: random.Random
) -> Iterable[Act]:
    """One lorry: despatch, invoice, delivery on a later working day, payment."""
    shipment = f"{release.instruction}/{n}"
    name = reference("", shipment)
    order, account = release.order, release.account
    gone = RecordDespatch(order=order, account=account, despatch=name, amount_minor=amount, last=last)
    yield Act(leaves, f"despatch/{name}", account, gone, shipment)
    arrives = _during(ARRIVES, _working_day(leaves.date() + DAY), dice)
    there = RecordDelivery(order=order, account=account, despatch=name, pod=reference("POD-", name))
    yield Act(arrives, f"delivery/{name}", account, there, shipment)
    if amount:
        yield from _billing(seed, release, shipment, amount, _during(BILLED, leaves.date(), dice), dice)


def _billing(seed: int, release: Released, shipment: str, amount: int, at: dt.datetime, dice: random.Random) -> Iterable[Act]:
    invoice, due_on = bank.number("INV-", shipment), at.date() + dt.timedelta(days=release.payment_days)
    posted = PostItem(
        account=release.account,
        item=invoice,
        kind="invoice",
        amount_minor=amount,
        currency=release.currency,
        document_on=at.date(),
        due_on=due_on,
        covers=(Covers(order=release.order, amount_minor=amount),),
        order=release.order,
    )
    yield Act(at, f"item/{invoice}", release.account, posted, shipment)
    yield from payments(seed, release, invoice, amount, due_on, at, dice)


def payments(
    seed: int, release: Released, item: str, amount: int, due_on: dt.date, after: dt.datetime, dice: random.Random
) -> Iterable[Act]:
    """How an account pays an item: in the morning some days around its due date, now and then too little."""
    habit = habits(seed, release.account)
    day = max(due_on + (habit.days_late + dice.randint(-2, 2)) * DAY, after.date() + DAY)
    at = _during(STATEMENT, _working_day(day), dice)
    paid = amount if dice.random() > habit.short_share else amount * dice.randint(90, 99) // 100
    for n, (due, part) in enumerate(((at, paid), (at + REST_PAID_AFTER, amount - paid)), start=1):
        if part:
            yield receipt(release.account, release.name, item, part, release.currency, f"REC-{n}-{item}", due)


def receipt(account: str, name: str, item: str, part_minor: int, currency: str, receipt: str, at: dt.datetime) -> Act:
    """Money against an invoice, as the bank tells of it."""
    return Act(at, f"receipt/{receipt}", account, bank.paid(account, name, item, part_minor, currency, receipt, at))


def reference(prefix: str, name: str) -> str:
    """A reference made of another one; where that would be too long, of its hash."""
    whole = f"{prefix}{name}"
    return whole if len(whole) <= REFERENCE_LENGTH else f"{prefix}{derived_id(name)}"


def instruction_of(act: Act) -> str:
    """`<order>/<n>`: the release that this act follows from; empty when it follows from none."""
    return act.of.rpartition("/")[0]


def done_by(fact: Message) -> str | None:
    """The key of the act that this fact is the answer to."""
    match fact:
        case OrderDespatched():
            return f"despatch/{fact.despatch}"
        case OrderDelivered():
            return f"delivery/{fact.despatch}"
        case ItemPosted():
            return f"item/{fact.item}"
        case StatementTaken():
            return f"receipt/{fact.statement}"
        case _:
            return None


class Diary:
    """Acts to come, by time, each once. Shipments of a recalled instruction that have not left are taken back."""

    def __init__(self) -> None:
        self._heap: list[tuple[dt.datetime, str, Act]] = []
        self._known: set[str] = set()
        self._left: set[str] = set()
        self._void: set[str] = set()

    def done(self, key: str) -> None:
        """It happened, in this run or an earlier one: never again."""
        self._known.add(key)
        if key.startswith("despatch/"):
            self._left.add(key.removeprefix("despatch/"))

    def add(self, acts: Iterable[Act]) -> None:
        for act in acts:
            heapq.heappush(self._heap, (act.due, act.key, act))

    def take_back(self, instruction: str) -> None:
        self._void.add(instruction)

    def take_back_order(self, order: str) -> None:
        """Every shipment of this order that has not left, under whichever instruction."""
        instructions = {instruction_of(act) for _, _, act in self._heap}
        self._void |= {instruction for instruction in instructions if instruction.rpartition("/")[0] == order}

    def next_due(self) -> dt.datetime | None:
        while self._heap and self._is_off(self._heap[0][2]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, before: dt.datetime) -> list[Act]:
        """Everything due before this moment, in order of time."""
        found = []
        while (first := self.next_due()) is not None and first < before:
            act = heapq.heappop(self._heap)[2]
            self.done(act.key)
            found.append(act)
        return found

    def _is_off(self, act: Act) -> bool:
        if act.key in self._known:
            return True
        return instruction_of(act) in self._void and reference("", act.of) not in self._left

    def __len__(self) -> int:
        return len(self._heap)
