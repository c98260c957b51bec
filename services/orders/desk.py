"""What a person does with a waiting order (O5), each with who, when and why, and within the authority of their role (A6).

Who a person is comes with the message from the credential; nothing here reads it from a body.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.message import Message
from contracts.orders import (
    AskCustomer,
    AssignOrder,
    CommandRefused,
    NoteOrder,
    OrderAsked,
    OrderAssigned,
    OrderNoted,
    OrderRanked,
    OrderReferred,
    OrderRejected,
    OrderSplit,
    RankOrder,
    ReferOrder,
    RejectOrder,
    ReleaseOrder,
    SplitOrder,
)
from services.orders.deal import drawn
from services.orders.exposure import asked_of
from services.orders.judge import Judged, judge
from services.orders.known import actor, known_order, refusal, waiting_order
from services.orders.place import instruction, lapse_day, released
from services.orders.rules import rules_for
from services.orders.state import Order, State
from shared.credit.rulebook import Authority, Rules, authority_of, level_needed
from shared.service import Moment


def release(state: State, command: ReleaseOrder, moment: Moment) -> Iterable[Message]:
    """A person releases, also above the limit; what they released against stands in the decision (O3)."""
    order = _releasable(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    judged = judge(state, order.order, asked_of(order), moment.at, by_person=True)
    refused = _not_allowed(judged, order, command, moment, order.undecided_minor)
    if refused is not None:
        return (refused,)
    reserved = order.undecided_minor
    return released(state, judged, order.order, order.account, order, reserved, by=actor(moment), reason=command.reason)


def _releasable(state: State, command: ReleaseOrder) -> Order | CommandRefused:
    """A lapsed order may be released again by a person as well as by a new decision."""
    order = known_order(state, command)
    if isinstance(order, CommandRefused) or order.status == "lapsed":
        return order
    return waiting_order(state, command)


def split(state: State, command: SplitOrder, moment: Moment) -> Iterable[Message]:
    """Release a part now; the rest waits on."""
    order = waiting_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    part = command.release_minor
    if not 0 < part < order.undecided_minor:
        detail = (
            f"A part is more than 0 and less than the {order.undecided_minor} minor units that wait; to release all, release it."
        )
        return (refusal(command, "not_a_part", detail),)
    ask = asked_of(order).of(part)
    judged = judge(state, order.order, ask, moment.at, by_person=True)
    refused = _not_allowed(judged, order, command, moment, part)
    return (refused,) if refused is not None else _parted(state, judged, order, part, command, moment)


def _parted(state: State, judged: Judged, order: Order, part: int, command: SplitOrder, moment: Moment) -> tuple[Message, ...]:
    parted = OrderSplit(
        order=order.order,
        account=order.account,
        released_minor=part,
        held_minor=order.undecided_minor - part,
        lapses_on=lapse_day(judged),
        instruction=instruction(order.order, order),
        by=actor(moment),
        reason=command.reason,
        decision=judged.decision,
    )
    return (parted,) if judged.deal is None else drawn(state, judged, judged.deal, parted)


def _not_allowed(
    judged: Judged, order: Order, command: ReleaseOrder | SplitOrder, moment: Moment, value_minor: int
) -> CommandRefused | None:
    """Why this person may not release this value; None when they may."""
    rules, authority = judged.rules, authority_of(judged.rules, moment.role)
    if authority is None:
        return _without_authority(command, moment, rules)
    if judged.final:
        detail = (
            f"No one releases against: {', '.join(judged.final)}. Clear the cause; the order is then decided again by itself."
        )
        return refusal(command, "not_overridable", detail)
    needed = level_needed(rules, value_minor)
    asked = authority_of(rules, order.level) if order.level else None
    needed = asked if asked is not None and asked.level > needed.level else needed
    if not authority.covers(value_minor) or (asked is not None and authority.level < asked.level):
        detail = (
            f"{moment.role} may not release {value_minor} minor units of {order.order}: it needs {needed.role} or above. "
            "Refer it up."
        )
        return refusal(command, "beyond_authority", detail)
    return None


def _without_authority(command: ReleaseOrder | SplitOrder | RejectOrder, moment: Moment, rules: Rules) -> CommandRefused:
    roles = ", ".join(each.role for each in rules.authority)
    detail = f"The role {moment.role or 'none'!r} of {actor(moment)} has no authority over orders; these have: {roles}."
    return refusal(command, "no_authority", detail)


def refer(state: State, command: ReferOrder, moment: Moment) -> Iterable[Message]:
    """Up to the level named, else to the next one that is above both the order's level and the person's."""
    order = waiting_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    rules = _rules(state, order, moment)
    levels = [each.level for role in (order.level, moment.role) if (each := authority_of(rules, role)) is not None]
    level = _level_above(rules, order, max(levels, default=0), command.level)
    if level is None:
        detail = f"{command.level or 'The next level'} is not above where {order.order} is. Levels: {_levels(rules)}."
        return (refusal(command, "no_higher_level", detail),)
    by, reason = actor(moment), command.reason
    return (OrderReferred(order=order.order, account=order.account, level=level.role, by=by, reason=reason, clock=order.clock),)


def _level_above(rules: Rules, order: Order, level: int, role: str | None) -> Authority | None:
    above = [each for each in rules.authority if each.level > level]
    if role is not None:
        return next((each for each in above if each.role == role), None)
    return next((each for each in above if each.covers(order.undecided_minor)), None)


def _levels(rules: Rules) -> str:
    return " < ".join(each.role for each in rules.authority)


def _rules(state: State, order: Order, moment: Moment) -> Rules:
    standing = state.account
    assert standing is not None, "an order waits only when its account is known"
    return rules_for(state.policies, moment.at, standing, order.order)


def reject(state: State, command: RejectOrder, moment: Moment) -> Iterable[Message]:
    order = waiting_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    rules = _rules(state, order, moment)
    if authority_of(rules, moment.role) is None:
        return (_without_authority(command, moment, rules),)
    return (OrderRejected(order=order.order, account=order.account, by=actor(moment), reason=command.reason),)


def ask(state: State, command: AskCustomer, moment: Moment) -> Iterable[Message]:
    order = waiting_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    return (OrderAsked(order=order.order, account=order.account, question=command.question, by=actor(moment)),)


def assign(state: State, command: AssignOrder, moment: Moment) -> Iterable[Message]:
    order = waiting_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    return (
        OrderAssigned(order=order.order, account=order.account, owner=command.owner, by=actor(moment), reason=command.reason),
    )


def note(state: State, command: NoteOrder, moment: Moment) -> Iterable[Message]:
    """Any order that was placed may be noted, whatever became of it."""
    order = known_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    return (OrderNoted(order=order.order, account=order.account, note=command.note, by=actor(moment)),)


def rank(state: State, command: RankOrder, moment: Moment) -> Iterable[Message]:
    """Rank 1 goes first; rank 0 takes the rank away, and the order is back in order of receipt."""
    order = waiting_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    return (OrderRanked(order=order.order, account=order.account, rank=command.rank, by=actor(moment)),)
