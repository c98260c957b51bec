"""An order comes in (O1-O3): it is never refused for credit; it is released, held, referred, or rejected by policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from contracts.message import Message
from contracts.orders import (
    CommandRefused,
    Line,
    OrderHeld,
    OrderReferred,
    OrderRejected,
    OrderReleased,
    OrderRepeated,
    Placed,
    PlaceOrder,
)
from services.orders.clock import clock_of
from services.orders.deal import drawn
from services.orders.exposure import asked_by
from services.orders.fold import digest_of
from services.orders.judge import Judged, judge, newly_asked_minor
from services.orders.state import Order, State
from shared.credit.rulebook import Authority, authority_of, level_needed
from shared.service import Moment


def place(state: State, command: PlaceOrder, moment: Moment) -> Iterable[Message]:
    """Decide a new order. The same order again gives its first answer, other content under its name is refused (O1)."""
    order, placed = state.order, command.placed
    if order is not None and (order.placed or order.account != command.account):
        return (_again(order, command),)
    refusal = refused_content(state, command.order, command.account, placed)
    if refusal is not None:
        return (refusal,)
    ask = asked_by(placed, newly_asked_minor(order, placed.total_minor))
    judged = judge(state, command.order, ask, moment.at)
    return verdict(state, judged, command.order, command.account, order, placed, moment.cause)


def _again(order: Order, command: PlaceOrder) -> Message:
    if order.account == command.account and digest_of(command.placed) in (order.digest, order.latest):
        return OrderRepeated(order=order.order, account=order.account, outcome=order.outcome, first=order.first or "unknown")
    return CommandRefused(
        order=command.order,
        account=command.account,
        reason="conflicting_duplicate",
        detail=f"{command.order} is known with other content (account {order.account}, total {order.total_minor} minor units, "
        f"{order.outcome}). Nothing changed. Send a new order under a new reference, or change this one with ChangeOrder.",
    )


def refused_content(state: State, order: str, account: str, placed: Placed) -> CommandRefused | None:
    """Why this cannot be an order of this account; None when it can. A refused order leaves nothing behind."""
    standing = state.account
    if standing is None or not standing.known:
        return _refused(order, account, "unknown_account", f"No account {account} is open. Open it (or mend the account "
                        "number), then send the order again under the same reference.")  # fmt: skip
    if placed.currency != standing.currency:
        return _refused(order, account, "wrong_currency", f"{account} trades in {standing.currency}, the order is in "
                        f"{placed.currency}. Send it again in {standing.currency}, or under an account that trades in "
                        f"{placed.currency}.")  # fmt: skip
    total = sum_of(placed.lines)
    if placed.lines and total != placed.total_minor:
        return _refused(order, account, "total_mismatch", f"The lines add up to {total} minor units, the total says "
                        f"{placed.total_minor}. Mend the lines or the total and send the order again.")  # fmt: skip
    return None


def _refused(order: str, account: str, reason: str, detail: str) -> CommandRefused:
    return CommandRefused(order=order, account=account, reason=reason, detail=detail)


def sum_of(lines: tuple[Line, ...]) -> int:
    return sum([line.amount_minor for line in lines])


def verdict(
    state: State,
    judged: Judged,
    order: str,
    account: str,
    was: Order | None,
    placed: Placed | None = None,
    first: str | None = None,
) -> tuple[Message, ...]:
    """What follows from a decision by policy. `was` is the order as it stood, `placed` and `first` go with a first decision."""
    decision = judged.decision
    if not decision.held_by:
        return released(state, judged, order, account, was, decision.inputs.value_minor, placed=placed, first=first)
    if judged.rejecting:
        reason = "by policy: " + ", ".join(judged.rejecting)
        return (
            OrderRejected(
                order=order, account=account, by="policy", reason=reason, decision=decision, placed=placed, first=first
            ),
        )
    level = _level(judged, was)
    clock = clock_of(was, placed, judged)
    if level is None:
        return (OrderHeld(order=order, account=account, decision=decision, placed=placed, first=first, clock=clock),)
    return (
        OrderReferred(order=order, account=account, level=level.role, decision=decision, placed=placed, first=first, clock=clock),
    )


def _level(judged: Judged, was: Order | None) -> Authority | None:
    """The authority it needs beyond the desk's own: for its value (A6), or what a person has already asked for."""
    rules = judged.rules
    needed = level_needed(rules, judged.decision.inputs.value_minor)
    asked = authority_of(rules, was.level) if was is not None and was.waiting and was.level else None
    if asked is not None and asked.level > needed.level:
        needed = asked
    return None if needed.level == rules.authority[0].level else needed


def released(
    state: State,
    judged: Judged,
    order: str,
    account: str,
    was: Order | None,
    reserved_minor: int,
    placed: Placed | None = None,
    first: str | None = None,
    by: str = "policy",
    reason: str = "",
) -> tuple[Message, ...]:
    """The release, and with it the one instruction to the warehouse (O9): a later release of the order has another.

    What it takes over from a deal moves in the same step (O8, F1).
    """
    release = OrderReleased(
        order=order,
        account=account,
        reserved_minor=reserved_minor,
        lapses_on=lapse_day(judged),
        instruction=instruction(order, was),
        decision=judged.decision,
        placed=placed,
        first=first,
        by=by,
        reason=reason,
    )
    return (release,) if judged.deal is None else drawn(state, judged, judged.deal, release)


def lapse_day(judged: Judged) -> dt.date:
    """The last day of the reservation (F2)."""
    return judged.decision.inputs.on + dt.timedelta(days=judged.rules.reservation.validity_days)


def instruction(order: str, was: Order | None) -> str:
    return f"{order}/{was.releases + 1 if was is not None else 1}"
