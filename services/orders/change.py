"""The customer changes or cancels an order (O4): within the agreed deviation it stays released, else it is decided again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from contracts.message import Message
from contracts.orders import (
    CancelOrder,
    ChangeOrder,
    CommandRefused,
    OrderCancelled,
    OrderChanged,
    OrderRepeated,
    Placed,
)
from services.orders.clock import set_anew
from services.orders.deal import named_late
from services.orders.exposure import asked_of
from services.orders.fold import digest_of, evolve
from services.orders.judge import judge, local_day
from services.orders.known import known_order, refusal
from services.orders.place import refused_content, verdict
from services.orders.rules import rules_for
from services.orders.state import Order, State
from shared.credit.rulebook import Reservation
from shared.service import Moment

CLOSED = ("rejected", "cancelled", "despatched", "delivered", "returned")


def change(state: State, command: ChangeOrder, moment: Moment) -> Iterable[Message]:
    """The order as it now is. What was refused leaves the order as it was."""
    order = known_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    refused = _refused(order, command) or refused_content(state, command.order, command.account, command.placed)
    if refused is not None:
        return (refused,)
    if digest_of(command.placed) == (order.latest or order.digest):
        return (OrderRepeated(order=order.order, account=order.account, outcome=order.outcome, first=order.first),)
    if order.status == "released" and _within(state, order, command.placed, moment):
        return _stays_released(state, order, command, moment)
    return _decided_again(state, order, command, moment)


def _refused(order: Order, command: ChangeOrder) -> CommandRefused | None:
    if order.status in CLOSED:
        return refusal(command, "not_open", f"{order.order} is {order.status} and cannot change. Place a new order.")
    if order.recalled:
        return refusal(
            command,
            "recalled",
            f"{order.order} was recalled from the warehouse. Answer the recall first, then change it.",
        )
    return None


def _within(state: State, order: Order, placed: Placed, moment: Moment) -> bool:
    """O4: value and date within what the policy lets a released order move."""
    standing = state.account
    if standing is None:
        return False
    rules = rules_for(state.policies, moment.at, standing, order.order)
    ships_on = placed.wanted_on or local_day(moment.at, rules.zone)
    return within_deviation(placed.total_minor, order, ships_on, rules.reservation)


def within_deviation(total_minor: int, order: Order, ships_on: dt.date, rule: Reservation) -> bool:
    grown = total_minor * 100 <= order.approved_minor * (100 + rule.deviation_percent)
    released_on = order.released_on
    return grown and released_on is not None and ships_on <= released_on + dt.timedelta(days=rule.ship_within_days)


def _stays_released(state: State, order: Order, command: ChangeOrder, moment: Moment) -> Iterable[Message]:
    changed = _changed(command, _remaining(order, command.placed))
    yield changed
    if state.account is not None and state.account.deals:
        rules = rules_for(state.policies, moment.at, state.account, order.order)
        yield from named_late(evolve(state, changed, moment.at), order, rules)


def _remaining(order: Order, placed: Placed) -> int:
    return max(placed.total_minor - order.despatched_minor - order.billed_minor, 0)


def _changed(command: ChangeOrder, reserved_minor: int) -> OrderChanged:
    return OrderChanged(
        order=command.order,
        account=command.account,
        placed=command.placed,
        reserved_minor=reserved_minor,
        reason=command.reason,
    )


def _decided_again(state: State, order: Order, command: ChangeOrder, moment: Moment) -> Iterable[Message]:
    """A released order loses its release first; the part of a split order that was released keeps its own."""
    kept = min(order.reserved_minor, _remaining(order, command.placed)) if order.waiting else 0
    changed = _changed(command, kept)
    after = evolve(state, changed, moment.at)
    known = after.order
    yield changed
    if known is not None and known.status != "released":
        judged = judge(after, known.order, asked_of(known), moment.at)
        yield from verdict(after, judged, known.order, known.account, set_anew(order, known, judged))


def cancel(state: State, command: CancelOrder, moment: Moment) -> Iterable[Message]:
    """The customer no longer wants what has not left yet."""
    order = known_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    match order.status:
        case "cancelled" | "rejected":
            return (OrderRepeated(order=order.order, account=order.account, outcome=order.outcome, first=order.first),)
        case "despatched" | "delivered" | "returned":
            detail = f"{order.order} is {order.status}: there is nothing left to cancel. Record a return when it comes back."
            return (refusal(command, "not_open", detail),)
        case _:
            return (
                OrderCancelled(order=order.order, account=order.account, reason=command.reason, freed_minor=order.reserved_minor),
            )
