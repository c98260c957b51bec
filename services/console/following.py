"""How every account and order stands after each fact that the order desk said: pure, one row of each at a time.

The order desk is the one writer of an account's exposure, and all that it says of an account comes in one sequence; so a fact
whose sequence the account's row has seen changes nothing. An order's share in its account follows from the order's row alone,
as it does at the desk: what stands here before a decision equals that decision's own inputs (tests/console).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts import orders
from contracts.accounts import Terms
from contracts.envelope import Envelope, encode_value
from contracts.message import Message
from contracts.orders import Clock, Decision, Placed
from shared.credit.rulebook import book_at

WAITING = ("held", "referred")
UNPLACED = "unplaced"
"""Status of an order that only its despatch or invoice has told of."""
UNDECIDED = "undecided"
UNRANKED = 10**9
"""Rank of an order that the desk has not ranked: after all that it has."""
BROKEN_DAYS = 90
BROKEN_MAX = 50
ALLOWANCE = dt.timedelta(hours=2)
"""O6, in plain time: for an order without a clock, whose receipt no calendar reaches."""
WARN, ESCALATE, BREACH = "warn", "escalate", "breach"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk knows of an account, the parts of its exposure (F1), and what of it waits. `sequence`: its newest fact."""

    account: str
    home: str = ""
    parent: str | None = None
    name: str = ""
    currency: str = ""
    status: str = "unknown"
    portfolio: str = "main"
    terms: bytes = b"{}"
    limit_minor: int = 0
    limit_expires_on: dt.date | None = None
    insured_minor: int = 0
    insured_until: dt.date | None = None
    review_due_on: dt.date | None = None
    dunning_level: int = 0
    broken: tuple[dt.date, ...] = ()
    stock_shipped: int = 0
    stock_unconnected: int = 0
    open_minor: int = 0
    unbilled_minor: int = 0
    reserved_minor: int = 0
    deals_minor: int = 0
    soft_credits_minor: int = 0
    disputed_minor: int = 0
    waiting: int = 0
    waiting_minor: int = 0
    sequence: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it stands. `waiting_minor` is what of it is to be decided; `decision` and `placed` are the newest, as
    canonical JSON, while it waits. `mark` is the last one its clock came to, `told` the level that was told at it."""

    order: str
    account: str
    home: str
    reference: str
    status: str = UNPLACED
    recalled: bool = False
    currency: str = ""
    portfolio: str = "main"
    received_at: dt.datetime | None = None
    since: dt.datetime | None = None
    total_minor: int = 0
    waiting_minor: int = 0
    reserved_minor: int = 0
    unbilled_minor: int = 0
    billed_minor: int = 0
    despatched_minor: int = 0
    from_at: dt.datetime | None = None
    warn_at: dt.datetime | None = None
    escalate_at: dt.datetime | None = None
    due_at: dt.datetime | None = None
    cut_off_at: dt.datetime | None = None
    calendar: str = ""
    mark: str = ""
    told: str = ""
    level: str = ""
    owner: str = ""
    rank: int = UNRANKED
    asked_at: dt.datetime | None = None
    checks: tuple[str, ...] = ()
    exposure_minor: int = 0
    limit_minor: int = 0
    po_number: str = ""
    decision: bytes | None = None
    placed: bytes | None = None
    decided_at: dt.datetime | None = None
    decided_by: str = ""
    sequence: int = 0

    @property
    def waits(self) -> bool:
        return self.status in WAITING

    @property
    def undecided_minor(self) -> int:
        """What of it has neither left, nor been billed, nor is it reserved."""
        return max(self.total_minor - self.despatched_minor - self.billed_minor - self.reserved_minor, 0)


class Day(msgspec.Struct):
    """What the desk did on one day for one portfolio, counted once each; `cleared` are held orders released by policy."""

    received: int = 0
    at_once: int = 0
    cleared: int = 0
    by_people: int = 0
    rejected: int = 0
    breached: int = 0


class View:
    """The rows that a batch of facts concerns, as they were; `follow` moves them on."""

    def __init__(self, accounts: Mapping[str, Account], known: Mapping[str, Order]) -> None:
        self.accounts = dict(accounts)
        self.orders = dict(known)
        self.debts: defaultdict[tuple[str, dt.date], list[int]] = defaultdict(lambda: [0, 0])
        self.days: defaultdict[tuple[dt.date, str], Day] = defaultdict(Day)
        self.moved: dict[str, None] = {}
        self.changed: dict[str, None] = {}

    def put_account(self, row: Account) -> None:
        self.accounts[row.account] = row
        self.moved[row.account] = None

    def put_order(self, after: Order) -> None:
        """The order in place of the one before, and its account's totals moved by the difference."""
        before = self.orders.get(after.order) or _no_order(after)
        self.orders[after.order] = after
        self.changed[after.order] = None
        account = self.accounts[after.account]
        self.put_account(
            replace(
                account,
                reserved_minor=account.reserved_minor + after.reserved_minor - before.reserved_minor,
                unbilled_minor=account.unbilled_minor + after.unbilled_minor - before.unbilled_minor,
                waiting=account.waiting + after.waits - before.waits,
                waiting_minor=account.waiting_minor + _waiting_minor(after) - _waiting_minor(before),
            )
        )

    def owe(self, account: str, open_minor: int, disputed_minor: int, soft_minor: int, due_on: dt.date | None) -> None:
        row = self.accounts[account]
        self.put_account(
            replace(
                row,
                open_minor=row.open_minor + open_minor,
                disputed_minor=row.disputed_minor + disputed_minor,
                soft_credits_minor=row.soft_credits_minor + soft_minor,
            )
        )
        if due_on is not None:
            debt = self.debts[account, due_on]
            debt[0] += open_minor
            debt[1] += disputed_minor


def _waiting_minor(order: Order) -> int:
    return order.waiting_minor if order.waits else 0


def _no_order(like: Order) -> Order:
    return Order(order=like.order, account=like.account, home=like.home, reference=like.reference)


def named(data: Any) -> str | None:
    """The order that a fact is about, if it is about one."""
    name = getattr(data, "order", None) or getattr(data, "document", None)
    return name if isinstance(name, str) else None


def follow(view: View, fact: Envelope) -> None:
    """Move the rows on by one fact. A fact that the account's row has seen already changes nothing."""
    data, sequence = fact.data, int(fact.sequence)
    account = view.accounts.get(data.account) or Account(account=data.account, home=fact.partitionkey)
    if sequence <= account.sequence:
        return
    view.put_account(replace(account, sequence=sequence))
    _FOLLOWS[type(data)](view, data, fact)


# --- orders ---------------------------------------------------------------------------------------------------------


def _order(view: View, fact: Envelope) -> Order:
    name = named(fact.data)
    assert name is not None, f"{type(fact.data).__name__} names no order"
    account = view.accounts[fact.data.account]
    known = view.orders.get(name) or Order(
        order=name,
        account=account.account,
        home=fact.partitionkey,
        reference=name.rpartition("/")[2],
        currency=account.currency,
        portfolio=account.portfolio,
    )
    return replace(known, sequence=int(fact.sequence))


def _content(order: Order, placed: Placed) -> Order:
    return replace(
        order,
        received_at=placed.received_at,
        total_minor=placed.total_minor,
        currency=placed.currency,
        po_number=placed.po_number or "",
        placed=encode_value(placed),
    )


def _first(view: View, order: Order, data: Any, fact: Envelope) -> Order:
    """A first decision brings the order with it."""
    if data.placed is None:
        return order
    _day(view, fact, order.portfolio).received += 1
    return _content(order, data.placed)


def _day(view: View, fact: Envelope, portfolio: str) -> Day:
    """The count of the fact's local day: whose day it is, the policy says."""
    decision = getattr(fact.data, "decision", None)
    on = decision.inputs.on if decision is not None else fact.time.astimezone(book_at(None, fact.time).zone).date()
    return view.days[on, portfolio]


def _released(view: View, data: orders.OrderReleased, fact: Envelope) -> None:
    before = _order(view, fact)
    order = _first(view, before, data, fact)
    day = _day(view, fact, order.portfolio)
    if data.by != "policy":
        day.by_people += 1
    elif before.waits:
        day.cleared += 1
    else:
        day.at_once += 1
    released = replace(order, status="released", reserved_minor=order.reserved_minor + data.reserved_minor)
    view.put_order(_decided(released, data.by, fact))
    _deals_moved(view, data.account, -data.deal_minor)


def _decided(order: Order, by: str, fact: Envelope) -> Order:
    """It waits no more; what only a waiting order needs is dropped."""
    return replace(order, waiting_minor=0, level="", checks=(), decision=None, placed=None, decided_at=fact.time, decided_by=by)


def _held(view: View, data: orders.OrderHeld, fact: Envelope) -> None:
    order = _first(view, _order(view, fact), data, fact)
    view.put_order(_queued(order, "held", "", data.decision, data.clock, fact))


def _referred(view: View, data: orders.OrderReferred, fact: Envelope) -> None:
    order = _first(view, _order(view, fact), data, fact)
    view.put_order(_queued(order, "referred", data.level, data.decision, data.clock, fact))


def _queued(order: Order, status: str, level: str, decision: Decision | None, clock: Clock | None, fact: Envelope) -> Order:
    """The order waits; one that waited already keeps since when, and its clock where none is given anew."""
    was = order.waits
    order = replace(order, status=status, level=level, since=order.since if was else fact.time)
    order = _timed(order, clock, was)
    if decision is None:
        return order
    return replace(
        order,
        waiting_minor=decision.inputs.value_minor,
        checks=tuple(finding.check for finding in decision.held_by),
        exposure_minor=decision.inputs.exposure_minor,
        limit_minor=decision.inputs.limit_minor,
        decision=encode_value(decision),
        decided_at=fact.time,
        decided_by="policy",
    )


def _timed(order: Order, clock: Clock | None, was: bool) -> Order:
    if clock is None and (was or order.due_at is not None):
        return order
    clock = clock or _plain_clock(order)
    same = order.due_at == clock.due_at
    return replace(
        order,
        from_at=clock.from_at,
        warn_at=clock.warn_at,
        escalate_at=clock.escalate_at,
        due_at=clock.due_at,
        cut_off_at=clock.cut_off_at,
        calendar=clock.calendar,
        mark=order.mark if same else "",
        told=order.told if same else "",
    )


def _plain_clock(order: Order) -> Clock:
    begins = order.received_at or order.since
    assert begins is not None, "an order that waits has a time from which it waits"
    return Clock(
        from_at=begins,
        warn_at=begins + ALLOWANCE / 2,
        escalate_at=begins + ALLOWANCE * 3 / 4,
        due_at=begins + ALLOWANCE,
        calendar="plain",
    )


def _rejected(view: View, data: orders.OrderRejected, fact: Envelope) -> None:
    order = _first(view, _order(view, fact), data, fact)
    _day(view, fact, order.portfolio).rejected += 1
    view.put_order(replace(_decided(order, data.by, fact), status="rejected"))


def _cancelled(view: View, data: orders.OrderCancelled, fact: Envelope) -> None:
    order = _decided(_order(view, fact), "customer", fact)
    view.put_order(replace(order, status="cancelled", reserved_minor=0, recalled=False))


def _changed(view: View, data: orders.OrderChanged, fact: Envelope) -> None:
    before = _order(view, fact)
    order = _content(before, data.placed)
    order = replace(order, received_at=before.received_at, reserved_minor=data.reserved_minor, asked_at=None)
    if order.waits:
        order = replace(order, waiting_minor=order.undecided_minor)
    elif order.undecided_minor or before.status != "released":
        order = replace(order, status=UNDECIDED)
    view.put_order(order if order.waits else replace(order, placed=None))


def _lapsed(view: View, data: orders.ReservationLapsed, fact: Envelope) -> None:
    view.put_order(_taken_back(_order(view, fact), "lapsed"))


def _taken_back(order: Order, status: str) -> Order:
    freed = replace(order, reserved_minor=0, recalled=False)
    return replace(freed, waiting_minor=freed.undecided_minor) if freed.waits else replace(freed, status=status)


def _recalled(view: View, data: orders.OrderRecalled, fact: Envelope) -> None:
    view.put_order(replace(_order(view, fact), recalled=True))


def _recall_answered(view: View, data: orders.RecallAnswered, fact: Envelope) -> None:
    order = _order(view, fact)
    view.put_order(_taken_back(order, UNDECIDED) if data.stopped else replace(order, recalled=False))


def _despatched(view: View, data: orders.OrderDespatched, fact: Envelope) -> None:
    order = _order(view, fact)
    reserved = data.amount_minor - data.billed_minor - data.beyond_minor + data.freed_minor
    order = replace(
        order,
        reserved_minor=order.reserved_minor - reserved,
        unbilled_minor=order.unbilled_minor + data.amount_minor - data.billed_minor,
        billed_minor=order.billed_minor - data.billed_minor,
        despatched_minor=order.despatched_minor + data.amount_minor,
    )
    if data.last or order.received_at is None:
        left = _decided(order, "warehouse", fact) if order.waits else order
        order = replace(left, status="despatched", recalled=False)
    elif order.waits:
        order = replace(order, waiting_minor=order.undecided_minor)
    view.put_order(order)


def _billed(view: View, data: orders.OrderBilled, fact: Envelope) -> None:
    order = _order(view, fact)
    order = replace(
        order,
        reserved_minor=order.reserved_minor - data.reserved_minor,
        unbilled_minor=order.unbilled_minor - data.unbilled_minor,
        billed_minor=order.billed_minor + data.amount_minor - data.unbilled_minor,
    )
    view.put_order(replace(order, waiting_minor=order.undecided_minor) if order.waits else order)
    if data.payer is None:
        view.owe(data.account, data.amount_minor, 0, 0, data.due_on)


def _delivered(view: View, data: orders.OrderDelivered, fact: Envelope) -> None:
    order = view.orders.get(data.order)
    if order is not None and order.status == "despatched":
        view.put_order(replace(_order(view, fact), status="delivered"))


def _split(view: View, data: orders.OrderSplit, fact: Envelope) -> None:
    order = _order(view, fact)
    view.put_order(replace(order, reserved_minor=order.reserved_minor + data.released_minor, waiting_minor=data.held_minor))
    _deals_moved(view, data.account, -data.deal_minor)


def _assigned(view: View, data: orders.OrderAssigned, fact: Envelope) -> None:
    view.put_order(replace(_order(view, fact), owner=data.owner))


def _ranked(view: View, data: orders.OrderRanked, fact: Envelope) -> None:
    view.put_order(replace(_order(view, fact), rank=data.rank or UNRANKED))


def _asked(view: View, data: orders.OrderAsked, fact: Envelope) -> None:
    view.put_order(replace(_order(view, fact), asked_at=fact.time))


def _noted(view: View, data: orders.OrderNoted, fact: Envelope) -> None:
    view.put_order(_order(view, fact))


def _warned(view: View, data: orders.OrderWarned, fact: Envelope) -> None:
    view.put_order(replace(_order(view, fact), mark=WARN))


def _escalated(view: View, data: orders.OrderEscalated, fact: Envelope) -> None:
    view.put_order(replace(_order(view, fact), mark=data.mark, told=data.level))


def _breached(view: View, data: orders.OrderBreached, fact: Envelope) -> None:
    order = replace(_order(view, fact), mark=BREACH)
    _day(view, fact, order.portfolio).breached += 1
    view.put_order(order)


def _returned(view: View, data: orders.ReturnRecorded, fact: Envelope) -> None:
    order = replace(_order(view, fact), status="returned", received_at=data.returned_at, total_minor=data.total_minor)
    view.put_order(replace(order, currency=data.currency))


# --- accounts -------------------------------------------------------------------------------------------------------

_COPIED = (
    "home", "parent", "name", "currency", "status", "limit_minor", "insured_minor", "review_due_on",
    "dunning_level", "stock_shipped", "stock_unconnected",
)  # fmt: skip


def _standing_noted(view: View, data: orders.StandingNoted, fact: Envelope) -> None:
    """Only what changed is set; a day goes with its amount."""
    account = view.accounts[data.account]
    changed: dict[str, Any] = {name: value for name in _COPIED if (value := getattr(data, name)) is not None}
    if data.terms is not None:
        changed |= {"terms": encode_value(data.terms), "portfolio": data.terms.portfolio}
    if data.limit_minor is not None:
        changed["limit_expires_on"] = data.limit_expires_on
    if data.insured_minor is not None:
        changed["insured_until"] = data.insured_until
    if data.broken_on is not None:
        since = fact.time.date() - dt.timedelta(days=BROKEN_DAYS)
        changed["broken"] = tuple(sorted(day for day in (*account.broken, data.broken_on) if day >= since))[-BROKEN_MAX:]
    view.put_account(replace(account, **changed))


def terms_of(account: Account) -> Terms:
    return msgspec.json.decode(account.terms, type=Terms)


def _position_moved(view: View, data: orders.PositionMoved, fact: Envelope) -> None:
    view.owe(data.account, data.open_minor, data.disputed_minor, data.soft_credits_minor, data.due_on)


def _deals_moved(view: View, account: str, by_minor: int) -> None:
    """What a release takes over from a deal, its order reserves from then on (O8)."""
    row = view.accounts[account]
    view.put_account(replace(row, deals_minor=row.deals_minor + by_minor))


def _deal_approved(view: View, data: orders.DealApproved, fact: Envelope) -> None:
    _deals_moved(view, data.account, data.value_minor)


def _deal_gave_back(view: View, data: orders.DealMatched | orders.DealWithdrawn | orders.DealExpired, fact: Envelope) -> None:
    _deals_moved(view, data.account, -data.freed_minor)


_FOLLOWS: Mapping[type[Message], Callable[[View, Any, Envelope], None]] = {
    orders.OrderReleased: _released,
    orders.OrderHeld: _held,
    orders.OrderReferred: _referred,
    orders.OrderRejected: _rejected,
    orders.OrderCancelled: _cancelled,
    orders.OrderChanged: _changed,
    orders.ReservationLapsed: _lapsed,
    orders.OrderRecalled: _recalled,
    orders.RecallAnswered: _recall_answered,
    orders.OrderDespatched: _despatched,
    orders.OrderBilled: _billed,
    orders.OrderDelivered: _delivered,
    orders.OrderAsked: _asked,
    orders.OrderAssigned: _assigned,
    orders.OrderNoted: _noted,
    orders.OrderSplit: _split,
    orders.OrderRanked: _ranked,
    orders.OrderWarned: _warned,
    orders.OrderEscalated: _escalated,
    orders.OrderBreached: _breached,
    orders.ReturnRecorded: _returned,
    orders.StandingNoted: _standing_noted,
    orders.PositionMoved: _position_moved,
    orders.DealApproved: _deal_approved,
    orders.DealMatched: _deal_gave_back,
    orders.DealWithdrawn: _deal_gave_back,
    orders.DealExpired: _deal_gave_back,
}
FOLLOWED: tuple[type[Message], ...] = tuple(_FOLLOWS)
