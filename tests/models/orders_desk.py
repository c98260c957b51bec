"""An order desk in memory: the same rows, facts, own commands and timers as under the kit, without any of its servers.

`Desk.say` handles one message; `Desk.settle` plays the desk's own commands and due timers to their end, in order.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import deque
from typing import Any

import msgspec

from contracts import accounts, orders, payments
from contracts.envelope import encode_value
from contracts.message import Fact, Message
from services.orders import deadlines
from services.orders.app import SERVICE
from services.orders.judge import recompute
from services.orders.state import Deal, Order, Position, Standing, State, group_of, rows
from shared.credit.clocks import MARKS, mark_at
from shared.credit.rulebook import Policies
from shared.service import Moment, Timer
from tests.models.readable import read_back

START = dt.datetime(2010, 12, 1, 9, 0, tzinfo=dt.UTC)
TODAY = START.date()
STEPS_MAX = 100_000


class Desk:
    def __init__(self, at: dt.datetime = START) -> None:
        self.at = at
        self.tables: dict[str, dict[str, Any]] = {table.name: {} for table in SERVICE.tables.values()}
        self.journal: list[tuple[dt.datetime, str, Message]] = []
        self.commands: deque[tuple[str, Message]] = deque()
        self.timers: dict[tuple[str, str], Timer] = {}
        self._names = itertools.count(1)

    # --- as the kit does it

    def view(self, message: Message, home: str) -> State:
        keys = rows(message, home, 0)
        return State(*(self._row(field, key) for field, key in zip(State.__struct_fields__, keys, strict=True)))

    def _row(self, field: str, key: str | None) -> Any:
        return None if key is None else self.tables[SERVICE.tables[field].name].get(key)

    def say(self, message: Message, home: str = "", role: str = "", actor: str = "anna") -> list[Any]:
        """Facts said in answer; commands of its own wait in `commands`."""
        home = home or self._home_of(message)
        cause = f"{next(self._names):032x}"
        moment = Moment(self.at, home, 0, cause, cause, actor if role else "", role, "")
        before = state = self.view(message, home)
        facts: list[Any] = []
        for said in SERVICE.hears[type(message)](before, message, moment):
            assert isinstance(said, Message)
            said = read_back(said)
            if isinstance(said, Fact):
                state = SERVICE.evolve(state, said, self.at)
                self.journal.append((self.at, home, said))
                facts.append(said)
            else:
                self.commands.append((home, said))
        self._keep(message, home, before, state)
        for timer in SERVICE.deadlines(before, state, moment):
            self.timers[timer.kind, timer.key] = timer
        return facts

    def _keep(self, message: Message, home: str, before: State, after: State) -> None:
        for field, key in zip(State.__struct_fields__, rows(message, home, 0), strict=True):
            was, now = getattr(before, field), getattr(after, field)
            if was is now:
                continue
            assert key is not None, f"{field} changed, but rows() named no key for it"
            table = self.tables[SERVICE.tables[field].name]
            if now is None:
                del table[key]
            else:
                table[key] = read_back(now)  # what is stored is what comes back

    def _home_of(self, message: Message) -> str:
        if home := getattr(message, "home", ""):
            return str(home)
        account = getattr(message, "account", "")
        standing = self.tables["standings"].get(account)
        return standing.home if standing is not None and standing.home else account

    def settle(self) -> list[Any]:
        """Own commands first, then due timers, until nothing is left; returns the facts."""
        facts = []
        for _ in range(STEPS_MAX):
            if self.commands:
                home, command = self.commands.popleft()
                facts += self.say(command, home)
            elif not self.step():
                return facts
        raise AssertionError("the desk does not come to rest")

    def do(self, message: Message, **who: str) -> list[Any]:
        return [*self.say(message, **who), *self.settle()]

    def step(self, limit: int = 100) -> bool:
        """One step of the first timer that is due; False when none is."""
        due = sorted((t.due, t.kind, t.key) for t in self.timers.values() if t.due is not None and t.due <= self.at)
        if not due:
            return False
        timer = self.timers.pop((due[0][1], due[0][2]))
        cursor = self._fire(timer, limit)
        if cursor:
            self.timers[timer.kind, timer.key] = msgspec.structs.replace(timer, cursor=cursor)
        return True

    def _fire(self, timer: Timer, limit: int) -> str:
        """What store.py asks of PostgreSQL, asked of the rows in memory."""
        match timer.kind:
            case deadlines.RECHECK:
                found = sorted((o.queue_rank, o.queue_turn, o.order) for o in self.orders() if o.queue_home == timer.key)
                return self._emit(timer, found, limit, lambda o: orders.RedecideOrder(order=o.order, account=o.account))
            case deadlines.LAPSE:
                day = dt.date.fromisoformat(timer.key)
                found = sorted(
                    (o.lapses_on.isoformat(), o.account, o.order) for o in self.orders() if o.lapses_on and o.lapses_on <= day
                )
                return self._emit(timer, found, limit, lambda o: orders.LapseReservation(order=o.order, account=o.account))
            case deadlines.RECALL:
                found = sorted(
                    (o.lapses_on.isoformat(), o.order)
                    for o in self.orders()
                    if o.lapses_on is not None and o.account == timer.key
                )
                return self._emit(timer, found, limit, lambda o: orders.RecallOrder(order=o.order, account=o.account))
            case deadlines.MEND:
                self.commands.append((timer.home, orders.OpenRecheck(home=timer.home)))
                return ""
            case deadlines.DEAL:
                account, deal = msgspec.json.decode(timer.key)
                self.commands.append((timer.home, orders.ExpireDeal(deal=deal, account=account)))
                return ""
            case deadlines.SWEEP:
                for home in sorted({o.queue_home for o in self.orders() if o.queue_home}):
                    self.commands.append((home, orders.OpenRecheck(home=home)))
                return ""
            case deadlines.WARN | deadlines.ESCALATE | deadlines.BREACH as mark:
                self.commands.append(SERVICE.becomes[mark](timer))
                return ""
        raise AssertionError(f"no timer of kind {timer.kind}")

    def _emit(self, timer: Timer, found: list[Any], limit: int, command_of: Any) -> str:
        after = tuple(msgspec.json.decode(timer.cursor)) if timer.cursor else ()
        rest = [place for place in found if place > after][:limit]
        for place in rest:
            order = self.tables["orders"][place[-1]]
            self.commands.append((order.home, command_of(order)))
        if len(rest) == limit:
            return msgspec.json.encode(rest[-1]).decode()
        if timer.kind == deadlines.RECHECK:
            self.commands.append((timer.key, orders.EndRecheck(home=timer.key)))
        return ""

    def later(self, **span: int) -> list[Any]:
        """Let time pass; what falls due happens at its own time."""
        until = self.at + dt.timedelta(**span)
        facts = []
        while due := min((t.due for t in self.timers.values() if t.due is not None and t.due <= until), default=None):
            self.at = max(self.at, due)
            facts += self.settle()
        self.at = until
        return facts

    # --- looking

    def orders(self) -> list[Order]:
        return list(self.tables["orders"].values())

    def order(self, name: str) -> Order:
        found: Order = self.tables["orders"][name]
        return found

    def position(self, owner: str = "acme") -> Position:
        found: Position = self.tables["positions"].get(owner) or Position(owner=owner)
        return found

    def group(self, home: str = "acme") -> Position:
        return self.position(group_of(home))

    def standing(self, account: str = "acme") -> Standing:
        found: Standing = self.tables["standings"][account]
        return found

    def deals(self, account: str = "acme") -> tuple[Deal, ...]:
        """The open ones."""
        standing = self.tables["standings"].get(account)
        return standing.deals if standing is not None else ()

    def policies(self) -> Policies | None:
        return self.tables["policies"].get("0")

    def said(self, kind: type[Any]) -> list[Any]:
        return [fact for _, _, fact in self.journal if isinstance(fact, kind)]


# --- things people say ----------------------------------------------------------------------------------------------


def opened(account: str = "acme", limit_minor: int = 100_000, **more: Any) -> accounts.AccountOpened:
    home = more.pop("home", None) or more.get("parent") or account
    return accounts.AccountOpened(
        account=account, home=home, name=account.title(), currency="GBP", limit_minor=limit_minor, **more
    )


def placed(value_minor: int = 10_000, received_at: dt.datetime = START, **more: Any) -> orders.Placed:
    return orders.Placed(**{"currency": "GBP", "total_minor": value_minor, "received_at": received_at, **more})


def order(name: str = "web/1", value_minor: int = 10_000, account: str = "acme", **more: Any) -> orders.PlaceOrder:
    return orders.PlaceOrder(order=name, account=account, placed=placed(value_minor, **more))


def change(name: str, value_minor: int, account: str = "acme", **more: Any) -> orders.ChangeOrder:
    return orders.ChangeOrder(order=name, account=account, placed=placed(value_minor, **more))


def release(name: str = "web/1", account: str = "acme") -> orders.ReleaseOrder:
    return orders.ReleaseOrder(order=name, account=account, reason="known customer")


def deal(
    name: str = "D1",
    value_minor: int = 50_000,
    account: str = "acme",
    from_on: dt.date = TODAY,
    until_on: dt.date = TODAY + dt.timedelta(days=14),
    currency: str = "GBP",
) -> orders.RegisterDeal:
    return orders.RegisterDeal(
        deal=name,
        account=account,
        currency=currency,
        value_minor=value_minor,
        from_on=from_on,
        until_on=until_on,
        evidence="mail of the buyer",
    )


def approve(name: str = "D1", account: str = "acme") -> orders.ApproveDeal:
    return orders.ApproveDeal(deal=name, account=account, reason="launch of the spring handsets")


def withdraw(name: str = "D1", account: str = "acme") -> orders.WithdrawDeal:
    return orders.WithdrawDeal(deal=name, account=account, reason="lost to another")


def approved(desk: Desk, name: str = "D1", value_minor: int = 50_000, **more: Any) -> None:
    """A deal that a controller registered and a director approved."""
    desk.do(deal(name, value_minor, **more), role="controller", actor="sam")
    fact, *_ = desk.do(approve(name, more.get("account", "acme")), role="director")
    assert isinstance(fact, orders.DealApproved), fact


def despatch(name: str, amount_minor: int, account: str = "acme", ref: str = "d1", last: bool = True) -> orders.RecordDespatch:
    return orders.RecordDespatch(order=name, account=account, despatch=ref, amount_minor=amount_minor, last=last)


def invoice(item: str, amount_minor: int, account: str = "acme", covers: Any = (), **more: Any) -> payments.ItemPosted:
    """An invoice; `covers` names orders with their amounts."""
    fields = {"document_on": TODAY, "due_on": TODAY + dt.timedelta(days=30), "currency": "GBP", "kind": "invoice", **more}
    parts = tuple(payments.Covers(order=name, amount_minor=part) for name, part in covers)
    return payments.ItemPosted(account=account, item=item, amount_minor=amount_minor, covers=parts, **fields)


def overdue_invoice(item: str, amount_minor: int, days: int, account: str = "acme") -> payments.ItemPosted:
    return invoice(item, amount_minor, account, due_on=TODAY - dt.timedelta(days=days))


def paid(item: str, amount_minor: int, account: str = "acme", due_on: dt.date | None = None) -> payments.ItemSettled:
    return payments.ItemSettled(
        account=account,
        item=item,
        kind="invoice",
        settled_minor=amount_minor,
        open_minor=0,
        due_on=due_on or TODAY + dt.timedelta(days=30),
    )


def desk_with(*messages: Message) -> Desk:
    desk = Desk()
    for message in messages or (opened(),):
        desk.do(message)
    return desk


# --- what always holds ----------------------------------------------------------------------------------------------


def audit(desk: Desk) -> None:
    """Totals are the sums of what they are made of; the rows are the fold of the journal; decisions recompute to the byte."""
    for account in {o.account for o in desk.orders()} | {p for p in desk.tables["positions"] if not p.startswith("group/")}:
        _audit_account(desk, account)
    for owner in [owner for owner in desk.tables["positions"] if owner.startswith("group/")]:
        _audit_group(desk, owner)
    refold(desk)


def _audit_account(desk: Desk, account: str) -> None:
    own, total = [o for o in desk.orders() if o.account == account], desk.position(account)
    assert total.reserved_minor == sum(o.reserved_minor for o in own)
    assert total.unbilled_minor == sum(o.unbilled_minor for o in own)
    assert total.waiting == sum(1 for o in own if o.waiting)
    assert total.waiting_minor == sum(o.waiting_minor for o in own)
    for each in own:
        assert min(each.reserved_minor, each.unbilled_minor, each.billed_minor, each.waiting_minor) >= 0
        assert (each.lapses_on is not None) == (each.reserved_minor > 0)
        assert each.status != "undecided"
        assert each.waiting or not each.waiting_minor
        assert each.waiting == (each.clock is not None), "what waits has a clock, and nothing else"
    set_ = {(t.kind, t.key, t.due) for t in desk.timers.values() if t.kind in MARKS and t.due is not None}
    marks = {(o.next_mark, deadlines.key_of(o), mark_at(o.clock, o.next_mark)) for o in own if o.clock and o.next_mark}
    assert marks <= set_, "the next mark of each clock is a timer"
    deals = desk.deals(account)
    assert total.deals_minor == sum(each.reserved_minor for each in deals)
    for promised in deals:
        assert 0 <= promised.reserved_minor <= promised.value_minor
    forward = desk.tables["forwards"].get(account)
    for day, minor in forward.days if forward is not None else ():
        if day > desk.at.date():
            assert minor == sum(o.reserved_minor for o in own if o.wanted_on == day)


PARTS = (
    "open_minor", "unbilled_minor", "reserved_minor", "deals_minor", "soft_credits_minor", "disputed_minor",
    "waiting", "waiting_minor",
)  # fmt: skip


def _audit_group(desk: Desk, owner: str) -> None:
    home = owner.removeprefix("group/")
    members = [s.account for s in desk.tables["standings"].values() if s.home == home and s.known]
    for part in PARTS:
        assert getattr(desk.position(owner), part) == sum(getattr(desk.position(each), part) for each in members), part


def refold(desk: Desk) -> None:
    again = Desk()
    for at, home, fact in desk.journal:
        again.at = at
        before = again.view(fact, home)
        decision = getattr(fact, "decision", None)
        if decision is not None:
            assert encode_value(recompute(before, fact, at)) == encode_value(decision)
        again._keep(fact, home, before, SERVICE.evolve(before, fact, at))
    assert again.tables == desk.tables
