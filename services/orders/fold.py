"""How the desk's own facts change its rows: state is the fold of these functions over the journal, and nothing else.

An order's share in its account's and group's totals follows from the order's row alone (`booked`), so totals are always the
sums of the orders and items they are made of.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from contracts import orders
from contracts.envelope import encode_value
from contracts.message import Message
from contracts.orders import Clock, Placed
from services.orders.state import (
    RANK_LAST,
    Ageing,
    Blocker,
    Deal,
    Debt,
    Forward,
    Order,
    Position,
    Standing,
    State,
    group_of,
    queue_owner,
)
from shared.credit.clocks import MARKS, reached_by
from shared.credit.rulebook import Adopted, Policies

BROKEN_DAYS = 90
"""How long a broken promise is remembered (O2.14)."""
BROKEN_MAX = 50
DESPATCHES_MAX = 100
"""Partial despatches whose references are remembered, so that one told twice counts once."""
UNDECIDED = "undecided"
"""Status of an order between what took its release back and the decision that follows in the same step."""
UNPLACED = "unplaced"
"""Status of an order that only its invoice has told of."""
DIGEST_LENGTH = 16
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NO_ORDER = Order(order="", account="", home="", status="")


def digest_of(placed: Placed) -> str:
    """A hash of what was ordered. When it was received is not part of it: a retry is the same order."""
    return hashlib.sha1(encode_value(replace(placed, received_at=_EPOCH)), usedforsecurity=False).hexdigest()[:DIGEST_LENGTH]


# --- totals ---------------------------------------------------------------------------------------------------------


def booked(state: State, after: Order, at: dt.datetime) -> State:
    """The view with this order in place of the one before, and the totals moved by the difference."""
    before = state.order or _NO_ORDER
    position, group = _moved(state.position or Position(owner=after.account), before, after), state.group
    if group is None:
        position = _queue_kept(position, before, after)
    elif joined(state):
        group = _queue_kept(_moved(group, before, after), before, after)
    moved = replace(state, position=position, group=group, order=after)
    return moved if after.wanted_on is before.wanted_on is None else _forwarded(moved, before, after, at)


def _moved(position: Position, before: Order, after: Order) -> Position:
    reserved = position.reserved_minor + after.reserved_minor - before.reserved_minor
    unbilled = position.unbilled_minor + after.unbilled_minor - before.unbilled_minor
    if not (before.waiting or after.waiting):
        return replace(position, reserved_minor=reserved, unbilled_minor=unbilled)
    return replace(
        position,
        reserved_minor=reserved,
        unbilled_minor=unbilled,
        waiting=position.waiting + after.waiting - before.waiting,
        waiting_minor=position.waiting_minor + after.waiting_minor - before.waiting_minor,
        ranked=position.ranked + _ranked(after) - _ranked(before),
    )


def _ranked(order: Order) -> int:
    return 1 if order.rank < RANK_LAST and order.waiting else 0


def _queue_kept(owner: Position, before: Order, after: Order) -> Position:
    """The owner of the queue counts who joined it, and forgets a blocker that left or was moved."""
    blocker = owner.blocker
    if blocker is not None and blocker.order == after.order and (not after.waiting or after.rank != before.rank):
        owner = replace(owner, blocker=None)
    return replace(owner, turns=after.turn) if after.turn > owner.turns else owner


def joined(state: State) -> bool:
    """An account counts in its group from its opening on."""
    return state.account is not None and state.account.known


def _forwarded(state: State, before: Order, after: Order, at: dt.datetime) -> State:
    today, account = at.date(), after.account
    home = state.account.home if state.account is not None else account
    own, group = state.forward, state.group_forward
    for day, minor in ((before.wanted_on, -before.reserved_minor), (after.wanted_on, after.reserved_minor)):
        if day is not None and minor:
            own = _shifted(own, account, day, minor, today)
            group = _shifted(group, group_of(home), day, minor, today)
    return replace(state, forward=own, group_forward=group)


def _shifted(forward: Forward | None, owner: str, day: dt.date, minor: int, today: dt.date) -> Forward | None:
    """Days that are past count for no horizon any more: they are neither added nor kept."""
    days = dict(forward.days) if forward is not None else {}
    days[day] = max(days.get(day, 0) + minor, 0)  # an order placed for a day already past was never added
    kept = tuple(sorted((each, amount) for each, amount in days.items() if amount and each >= today))
    return Forward(owner, kept) if kept else None


def _owed(
    state: State, account: str, open_minor: int, disputed_minor: int, soft_credits_minor: int, due_on: dt.date | None
) -> State:
    """Open items, disputes and soft credits move: in the account's totals, its group's, and, for a debt, its ageing."""

    def move(position: Position) -> Position:
        return replace(
            position,
            open_minor=position.open_minor + open_minor,
            disputed_minor=position.disputed_minor + disputed_minor,
            soft_credits_minor=position.soft_credits_minor + soft_credits_minor,
        )

    group = state.group
    if group is not None and joined(state):
        group = move(group)
    ageing = _aged(state.ageing, account, due_on, open_minor, disputed_minor) if due_on is not None else state.ageing
    return replace(state, position=move(state.position or Position(owner=account)), group=group, ageing=ageing)


def _aged(ageing: Ageing | None, account: str, due_on: dt.date, open_minor: int, disputed_minor: int) -> Ageing | None:
    debts = ageing.debts if ageing is not None else ()
    was = next((debt for debt in debts if debt.due_on == due_on), Debt(due_on, 0, 0))
    now = Debt(due_on, was.open_minor + open_minor, was.disputed_minor + disputed_minor)
    others = [debt for debt in debts if debt.due_on != due_on]
    kept = [*others, now] if now.open_minor or now.disputed_minor else others
    return Ageing(account, tuple(sorted(kept, key=lambda debt: debt.due_on))) if kept else None


# --- orders ---------------------------------------------------------------------------------------------------------


def _placed(state: State, fact: Any, placed: Placed, status: str) -> Order:
    """The row of an order that is decided for the first time; its despatch or invoice may have come before it."""
    standing = state.account
    order = state.order or Order(
        order=fact.order, account=fact.account, home=standing.home if standing is not None else "", status=status
    )
    order = replace(
        order,
        status=status,
        received_at=placed.received_at,
        digest=digest_of(placed),
        first=fact.first or "",
        total_minor=placed.total_minor,
    )
    return replace(order, **_terms_of(state, placed)) if _has_terms(placed) else order


def _has_terms(placed: Placed) -> bool:
    return bool(
        placed.po_number is not None
        or placed.wanted_on is not None
        or placed.payment_days is not None
        or placed.cash_on_delivery
        or placed.prepaid_minor
        or placed.deal is not None
    )


def _terms_of(state: State, placed: Placed) -> dict[str, Any]:
    """What a later decision about the order needs of its content."""
    return {
        "wanted_on": placed.wanted_on,
        "payment_days": placed.payment_days,
        "po_number": placed.po_number is not None,
        "cash_on_delivery": placed.cash_on_delivery,
        "prepaid_minor": placed.prepaid_minor,
        "deal": _quoted(state, placed),
    }


def _quoted(state: State, placed: Placed) -> str:
    """The deal that the order names, or whose name it has as its PO number (O8)."""
    if placed.deal is not None:
        return placed.deal
    standing, number = state.account, placed.po_number
    return number if number and standing is not None and standing.deals and standing.deal(number) is not None else ""


def _home_of(state: State) -> str:
    return state.account.home if state.account is not None else ""


def _known(state: State) -> Order:
    assert state.order is not None, "a fact about an order that the journal does not have: it was folded out of order"
    return state.order


def _order_of(state: State, fact: Any) -> Order:
    """The order, or the beginnings of its row, when its despatch or invoice comes first."""
    return state.order or Order(order=fact.order, account=fact.account, home=_home_of(state), status=UNPLACED)


def _released(state: State, fact: orders.OrderReleased, at: dt.datetime) -> State:
    placed = fact.placed
    order = _left_queue(_known(state)) if placed is None else _placed(state, fact, placed, "released")
    reserved = order.reserved_minor + fact.reserved_minor
    after = replace(
        order,
        status="released",
        reserved_minor=reserved,
        approved_minor=order.total_minor,
        released_on=fact.decision.inputs.on,
        lapses_on=fact.lapses_on if reserved else None,
        releases=order.releases + 1,
    )
    return _drawn(booked(state, after, at), fact)


def _left_queue(order: Order) -> Order:
    return replace(order, waiting_minor=0, level="", held_by=(), clock=None, reached=0, told="", asked=False)


def _held(state: State, fact: orders.OrderHeld, at: dt.datetime) -> State:
    return _queued(state, fact, fact.decision, "held", "", at)


def _referred(state: State, fact: orders.OrderReferred, at: dt.datetime) -> State:
    if fact.decision is None:
        return booked(state, replace(_known(state), status="referred", level=fact.level), at)
    return _queued(state, fact, fact.decision, "referred", fact.level, at)


def _queued(state: State, fact: Any, decision: orders.Decision, status: str, level: str, at: dt.datetime) -> State:
    """The order waits; one that waited already keeps its place."""
    was, owner = state.order, queue_owner(state)
    turn = was.turn if was is not None and was.waiting else (owner.turns if owner is not None else 0) + 1
    order = _known(state) if fact.placed is None else _placed(state, fact, fact.placed, status)
    after = replace(
        order,
        status=status,
        level=level,
        turn=turn,
        waiting_minor=decision.inputs.value_minor,
        held_by=tuple(finding.check for finding in decision.held_by),
    )
    return booked(state, _clocked(after, fact.clock, at), at)


def _clocked(order: Order, clock: Clock | None, at: dt.datetime) -> Order:
    """With this clock; a decision that leaves it as it was leaves its marks alone."""
    if clock is None or clock == order.clock:
        return order
    return replace(order, clock=clock, reached=reached_by(clock, at, order.reached))


def _rejected(state: State, fact: orders.OrderRejected, at: dt.datetime) -> State:
    order = _known(state) if fact.placed is None else _placed(state, fact, fact.placed, "rejected")
    return booked(state, replace(_left_queue(order), status="rejected"), at)


def _cancelled(state: State, fact: orders.OrderCancelled, at: dt.datetime) -> State:
    return booked(state, replace(_freed(_left_queue(_known(state))), status="cancelled"), at)


def _freed(order: Order) -> Order:
    return replace(order, reserved_minor=0, lapses_on=None, recalled=False)


def _taken_back(order: Order, status: str) -> Order:
    """Nothing is reserved any more; a part that was released joins what waits, if any does."""
    freed = _freed(order)
    return replace(freed, waiting_minor=freed.undecided_minor) if freed.waiting else replace(freed, status=status)


def _changed(state: State, fact: orders.OrderChanged, at: dt.datetime) -> State:
    placed, order = fact.placed, _known(state)
    content = {"total_minor": placed.total_minor, "latest": digest_of(placed), "asked": False, **_terms_of(state, placed)}
    after = replace(order, reserved_minor=fact.reserved_minor, **content)
    if after.waiting:
        after = replace(after, waiting_minor=after.undecided_minor)
    elif after.undecided_minor or order.status != "released":
        after = replace(after, status=UNDECIDED)
    return booked(state, after if after.reserved_minor else replace(after, lapses_on=None), at)


def _lapsed(state: State, fact: orders.ReservationLapsed, at: dt.datetime) -> State:
    return booked(state, _taken_back(_known(state), "lapsed"), at)


def _recalled(state: State, fact: orders.OrderRecalled, at: dt.datetime) -> State:
    return booked(state, replace(_known(state), recalled=True), at)


def _recall_answered(state: State, fact: orders.RecallAnswered, at: dt.datetime) -> State:
    order = _known(state)
    return booked(state, _taken_back(order, UNDECIDED) if fact.stopped else replace(order, recalled=False), at)


def _despatched(state: State, fact: orders.OrderDespatched, at: dt.datetime) -> State:
    order = _order_of(state, fact)
    reserved = order.reserved_minor - (fact.amount_minor - fact.billed_minor - fact.beyond_minor + fact.freed_minor)
    after = replace(
        order,
        reserved_minor=reserved,
        unbilled_minor=order.unbilled_minor + fact.amount_minor - fact.billed_minor,
        billed_minor=order.billed_minor - fact.billed_minor,
        despatched_minor=order.despatched_minor + fact.amount_minor,
        despatches=(*order.despatches, fact.despatch)[-DESPATCHES_MAX:],
        lapses_on=order.lapses_on if reserved else None,
    )
    if fact.last or not after.placed:
        return booked(state, replace(_left_queue(after), status="despatched", recalled=False), at)
    return booked(state, replace(after, waiting_minor=after.undecided_minor) if after.waiting else after, at)


def _billed(state: State, fact: orders.OrderBilled, at: dt.datetime) -> State:
    order = _order_of(state, fact)
    reserved = order.reserved_minor - fact.reserved_minor
    after = replace(
        order,
        reserved_minor=reserved,
        unbilled_minor=order.unbilled_minor - fact.unbilled_minor,
        billed_minor=order.billed_minor + fact.amount_minor - fact.unbilled_minor,
        lapses_on=order.lapses_on if reserved else None,
    )
    after = replace(after, waiting_minor=after.undecided_minor) if after.waiting else after
    booked_state = booked(state, after, at)
    if fact.payer is not None:
        return booked_state  # the debt is another account's, and was counted there
    return _owed(booked_state, fact.account, fact.amount_minor, 0, 0, fact.due_on)


def _delivered(state: State, fact: orders.OrderDelivered, at: dt.datetime) -> State:
    order = state.order
    return replace(state, order=replace(order, status="delivered")) if order and order.status == "despatched" else state


def _asked(state: State, fact: orders.OrderAsked, at: dt.datetime) -> State:
    return replace(state, order=replace(_known(state), asked=True))


def _warned(state: State, fact: orders.OrderWarned, at: dt.datetime) -> State:
    return _reached(state, "warn")


def _escalated(state: State, fact: orders.OrderEscalated, at: dt.datetime) -> State:
    told = replace(state, order=replace(_known(state), told=fact.level))
    return _reached(told, fact.mark)


def _breached(state: State, fact: orders.OrderBreached, at: dt.datetime) -> State:
    return _reached(state, "breach")


def _reached(state: State, mark: str) -> State:
    return replace(state, order=replace(_known(state), reached=MARKS.index(mark) + 1))


def _assigned(state: State, fact: orders.OrderAssigned, at: dt.datetime) -> State:
    return replace(state, order=replace(_known(state), owner=fact.owner))


def _split(state: State, fact: orders.OrderSplit, at: dt.datetime) -> State:
    order = _known(state)
    after = replace(
        order,
        reserved_minor=order.reserved_minor + fact.released_minor,
        waiting_minor=fact.held_minor,
        lapses_on=fact.lapses_on,
        released_on=fact.decision.inputs.on,
        releases=order.releases + 1,
    )
    return _drawn(booked(state, after, at), fact)


def _ranked_anew(state: State, fact: orders.OrderRanked, at: dt.datetime) -> State:
    return booked(state, replace(_known(state), rank=fact.rank or RANK_LAST), at)


def _returned(state: State, fact: orders.ReturnRecorded, at: dt.datetime) -> State:
    order = Order(
        order=fact.document,
        account=fact.account,
        home=_home_of(state),
        status="returned",
        received_at=fact.returned_at,
        digest=return_digest(fact),
        total_minor=fact.total_minor,
    )
    return replace(state, order=order)


def return_digest(document: orders.RecordReturn | orders.ReturnRecorded) -> str:
    content = [document.currency, document.total_minor, document.lines]
    return hashlib.sha1(encode_value(content), usedforsecurity=False).hexdigest()[:DIGEST_LENGTH]


def _unchanged(state: State, fact: Message, at: dt.datetime) -> State:
    return state


# --- deals ----------------------------------------------------------------------------------------------------------


def _with_deals(state: State, deals: tuple[Deal, ...]) -> State:
    """The view with these open deals, and the totals moved by the difference of what they reserve."""
    standing, group = state.account, state.group
    assert standing is not None, "a deal is registered only for an account that is known"
    moved = _promised(deals) - _promised(standing.deals)
    position = state.position or Position(owner=standing.account)
    return replace(
        state,
        account=replace(standing, deals=deals),
        position=replace(position, deals_minor=position.deals_minor + moved),
        group=replace(group, deals_minor=group.deals_minor + moved) if group is not None else None,
    )


def _promised(deals: tuple[Deal, ...]) -> int:
    return sum(deal.reserved_minor for deal in deals)


def _reserving(state: State, name: str, reserved_minor: int) -> State:
    """This deal reserves so much, and the others as before."""
    deals = state.account.deals if state.account is not None else ()
    return _with_deals(
        state, tuple(replace(deal, reserved_minor=reserved_minor) if deal.deal == name else deal for deal in deals)
    )


def _ended(state: State, name: str) -> State:
    return _with_deals(state, tuple(deal for deal in state.account.deals if deal.deal != name) if state.account else ())


def _drawn(state: State, fact: orders.OrderReleased | orders.OrderSplit) -> State:
    """What a release takes over from its deal is reserved by the order now, and by the deal no more (F1)."""
    if fact.deal is None:
        return state
    deal = state.account.deal(fact.deal) if state.account is not None else None
    assert deal is not None, "a release draws only on a deal that is open"
    return _reserving(state, fact.deal, deal.reserved_minor - fact.deal_minor)


def _deal_registered(state: State, fact: orders.DealRegistered, at: dt.datetime) -> State:
    new = Deal(deal=fact.deal, value_minor=fact.value_minor, from_on=fact.from_on, until_on=fact.until_on, by=fact.by)
    return _with_deals(state, (*(state.account.deals if state.account is not None else ()), new))


def _deal_approved(state: State, fact: orders.DealApproved, at: dt.datetime) -> State:
    return _reserving(state, fact.deal, fact.value_minor)


def _deal_matched(state: State, fact: orders.DealMatched, at: dt.datetime) -> State:
    return _reserving(state, fact.deal, fact.left_minor) if fact.left_minor else _ended(state, fact.deal)


def _deal_ended(state: State, fact: orders.DealDeclined | orders.DealWithdrawn | orders.DealExpired, at: dt.datetime) -> State:
    return _ended(state, fact.deal)


# --- accounts, money, queue, policy ---------------------------------------------------------------------------------


def _standing_noted(state: State, fact: orders.StandingNoted, at: dt.datetime) -> State:
    was = state.account or Standing(account=fact.account)
    changed: dict[str, Any] = {name: value for name in _NOTED if (value := getattr(fact, name)) is not None}
    if fact.limit_minor is not None:
        changed["limit_expires_on"] = fact.limit_expires_on
    if fact.insured_minor is not None:
        changed["insured_until"] = fact.insured_until
    if fact.broken_on is not None:
        since = at.date() - dt.timedelta(days=BROKEN_DAYS)
        days = (day for day in (*was.broken, fact.broken_on) if day >= since)
        changed["broken"] = tuple(sorted(days))[-BROKEN_MAX:]
    noted = replace(state, account=replace(was, **changed))
    return _in_group(noted) if fact.opened else noted


_NOTED = (
    "home", "parent", "name", "currency", "status", "terms", "limit_minor", "insured_minor", "review_due_on",
    "dunning_level", "stock_shipped", "stock_unconnected",
)  # fmt: skip


def _in_group(state: State) -> State:
    """An account joins its group with what it has. The group's totals come into being with its second account."""
    account = state.account
    assert account is not None, "an account is noted before it joins its group"
    own, group = state.position, state.group
    if account.account == account.home:
        return replace(state, group=_together(group, own)) if group is not None else state
    if group is None:
        root = state.root_position if state.root is not None and state.root.known else None
        group = replace(root or _NO_POSITION, owner=group_of(account.home))
    return replace(state, group=_together(group, own))


_NO_POSITION = Position(owner="")
_SUMMED = (
    "open_minor", "unbilled_minor", "reserved_minor", "deals_minor", "soft_credits_minor", "disputed_minor",
    "waiting", "waiting_minor", "ranked",
)  # fmt: skip


def _together(group: Position, own: Position | None) -> Position:
    if own is None:
        return group
    return replace(group, **{name: getattr(group, name) + getattr(own, name) for name in _SUMMED})


def _position_moved(state: State, fact: orders.PositionMoved, at: dt.datetime) -> State:
    return _owed(state, fact.account, fact.open_minor, fact.disputed_minor, fact.soft_credits_minor, fact.due_on)


def _with_owner(state: State, **changed: Any) -> State:
    if state.group is not None:
        return replace(state, group=replace(state.group, **changed))
    assert state.position is not None, "only a group with waiting orders has a queue"
    return replace(state, position=replace(state.position, **changed))


def _recheck_opened(state: State, fact: orders.RecheckOpened, at: dt.datetime) -> State:
    owner = queue_owner(state)
    return _with_owner(state, recheck=2 if owner is not None and owner.recheck else 1)


def _recheck_closed(state: State, fact: orders.RecheckClosed, at: dt.datetime) -> State:
    return _with_owner(state, recheck=0)


def _queue_blocked(state: State, fact: orders.QueueBlocked, at: dt.datetime) -> State:
    order = _known(state)
    return _with_owner(state, blocker=Blocker(order.rank, order.turn, order.order))


def _policy_adopted(state: State, fact: orders.PolicyAdopted, at: dt.datetime) -> State:
    new = Adopted(version=fact.version, effective_from=fact.effective_from, digest=fact.digest, policy=fact.policy)
    was = state.policies
    adopted = (*(was.adopted if was is not None else ()), new)
    # sorted() keeps the order of adoption within a day, so the last one adopted for a day counts.
    ordered = tuple(sorted(adopted, key=lambda each: each.effective_from))
    return replace(state, policies=Policies(str(fact.partition), ordered))


_FOLDS: dict[type[Message], Callable[[State, Any, dt.datetime], State]] = {
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
    orders.OrderWarned: _warned,
    orders.OrderEscalated: _escalated,
    orders.OrderBreached: _breached,
    orders.OrderAssigned: _assigned,
    orders.OrderNoted: _unchanged,
    orders.OrderSplit: _split,
    orders.OrderRanked: _ranked_anew,
    orders.ReturnRecorded: _returned,
    orders.OrderRepeated: _unchanged,
    orders.CommandRefused: _unchanged,
    orders.DealRegistered: _deal_registered,
    orders.DealApproved: _deal_approved,
    orders.DealDeclined: _deal_ended,
    orders.DealWithdrawn: _deal_ended,
    orders.DealMatched: _deal_matched,
    orders.DealExpired: _deal_ended,
    orders.DealRefused: _unchanged,
    orders.PolicyAdopted: _policy_adopted,
    orders.PolicyRefused: _unchanged,
    orders.StandingNoted: _standing_noted,
    orders.PositionMoved: _position_moved,
    orders.ItemNotCounted: _unchanged,
    orders.QueueBlocked: _queue_blocked,
    orders.RecheckOpened: _recheck_opened,
    orders.RecheckClosed: _recheck_closed,
}
"""Every own fact, literally: one that is missing here cannot be said."""


def evolve(state: State, fact: Message, at: dt.datetime) -> State:
    return _FOLDS[type(fact)](state, fact, at)
