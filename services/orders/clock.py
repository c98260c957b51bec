"""The two hours in which a waiting order is to be finally decided (O6): when its clock begins, and what happens at its marks.

A clock runs from receipt, or from the moment an order came back that had been decided, until the order waits no more. Nothing
stops it: not the customer who was asked, not a referral, not an escalation, and no new decision with the same end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from msgspec.structs import replace

from contracts.message import Message
from contracts.orders import Clock, OrderBreached, OrderEscalated, OrderWarned, Placed, ReachMark
from services.orders.judge import Judged
from services.orders.rules import rules_for
from services.orders.state import Order, State
from shared.credit.clocks import EARLIEST, clock_from, mark_at
from shared.credit.rulebook import Authority, Rules, authority_of
from shared.service import Moment


def clock_of(order: Order | None, placed: Placed | None, judged: Judged) -> Clock | None:
    """The clock of an order that this decision makes wait; one that waits already keeps its own. `placed`: it is new."""
    if order is not None and order.waiting and order.clock is not None:
        return order.clock
    wanted_on = placed.wanted_on if placed is not None else order.wanted_on if order is not None else None
    return clock_from(_begins(order, placed, judged.at), wanted_on, judged.rules.hours)


def _begins(order: Order | None, placed: Placed | None, at: dt.datetime) -> dt.datetime:
    """Its receipt, as far as that can be: not in the future, and no date that somebody made up."""
    received = placed.received_at if placed is not None else None
    if received is None and order is not None and order.waiting:  # it waits since before there were clocks
        received = order.received_at
    return received if received is not None and EARLIEST <= received <= at else at


def set_anew(before: Order, after: Order, judged: Judged) -> Order:
    """A waiting order that changed: another delivery date has another cut-off. It still begins with its receipt."""
    clock = after.clock
    if clock is None or not after.waiting or after.wanted_on == before.wanted_on:
        return after
    return replace(after, clock=clock_from(clock.from_at, after.wanted_on, judged.rules.hours))


# --- marks ----------------------------------------------------------------------------------------------------------


def reach(state: State, command: ReachMark, moment: Moment) -> Iterable[Message]:
    """Quiet when the order waits no more, was told of this mark, or has a later clock by now."""
    order, standing = state.order, state.account
    if order is None or order.clock is None or standing is None:
        return ()
    if order.next_mark != command.mark or mark_at(order.clock, command.mark) > moment.at:
        return ()
    return _told(order, order.clock, command.mark, rules_for(state.policies, moment.at, standing, order.order))


def _told(order: Order, clock: Clock, mark: str, rules: Rules) -> Iterable[Message]:
    name, account, due = order.order, order.account, clock.due_at
    if mark == "warn":
        return (OrderWarned(order=name, account=account, due_at=due),)
    told = OrderEscalated(order=name, account=account, level=next_told(order, rules).role, mark=mark, due_at=due)
    if mark == "escalate":
        return (told,)
    return OrderBreached(order=name, account=account, due_at=due, asked=order.asked), told


def next_told(order: Order, rules: Rules) -> Authority:
    """The level above the one told last and the one it waits for; the highest is told again."""
    known = [each.level for role in (order.level, order.told) if (each := authority_of(rules, role)) is not None]
    level = max(known, default=rules.authority[0].level)
    return next((each for each in rules.authority if each.level > level), rules.authority[-1])
