"""Held orders are decided again when a cause clears (O7): in order of rank, then of receipt, without button or batch run.

One recheck of a group is open at a time. A cause that clears meanwhile asks for another one after it, because orders that
it has already passed may fit now. Orders that come meanwhile join the tail, which the recheck reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from contracts import orders
from contracts.message import Fact, Message
from contracts.orders import EndRecheck, OpenRecheck, QueueBlocked, RecheckClosed, RecheckOpened, RedecideOrder
from services.orders.exposure import asked_of, inputs_of, overdue
from services.orders.fold import evolve
from services.orders.judge import Judged, blocks, judge, local_day
from services.orders.place import verdict
from services.orders.rules import rules_for
from services.orders.state import AGAIN, Order, Position, State, queue_owner, worth_another
from shared.credit.checks import BEHIND_QUEUE, overdue_share
from shared.service import Moment, To

Decide = Callable[[State, Any, Moment], Iterable[Message | To]]


def redecide(state: State, command: RedecideOrder, moment: Moment) -> Iterable[Message]:
    """Look at a held order again. Quiet when it still waits for the same reasons, or waits no more."""
    order = state.order
    if order is None or not (order.waiting or order.status == "lapsed"):
        return
    judged = judge(state, order.order, asked_of(order), moment.at)
    if not judged.decision.held_by or judged.rejecting:
        yield from verdict(state, judged, order.order, order.account, order)
        return
    if set(judged.held_by) != set(order.held_by) or not order.waiting:
        yield from verdict(state, judged, order.order, order.account, order)
    if _is_new_blocker(state, order, judged):
        yield QueueBlocked(order=order.order, account=order.account)


def _is_new_blocker(state: State, order: Order, judged: Judged) -> bool:
    """It waits on its own account, none may pass it, and no other blocks the queue before it."""
    owner = queue_owner(state)
    if owner is None or not order.waiting or BEHIND_QUEUE in judged.held_by or not blocks(order.rank, judged.rules):
        return False
    return owner.blocker is None or owner.blocker.order != order.order


def open_recheck(state: State, command: OpenRecheck, moment: Moment) -> Iterable[Message]:
    owner = queue_owner(state)
    return (RecheckOpened(home=moment.home),) if owner is not None and worth_another(owner) else ()


def end_recheck(state: State, command: EndRecheck, moment: Moment) -> Iterable[Message]:
    owner = queue_owner(state)
    if owner is None or not owner.recheck:
        return
    yield RecheckClosed(home=moment.home)
    if owner.recheck == AGAIN and owner.waiting:
        yield RecheckOpened(home=moment.home)


# --- causes ---------------------------------------------------------------------------------------------------------


def clearing(decide: Decide) -> Decide:
    """The same decision, followed by a recheck of the group when it cleared something and orders wait."""

    def decide_and_recheck(state: State, message: Any, moment: Moment) -> Iterable[Message | To]:
        owner = queue_owner(state)
        said = decide(state, message, moment)
        if owner is None or not owner.waiting:
            yield from said
            return
        after, cleared = state, False
        for each in said:
            yield each
            if isinstance(each, Fact):
                before, after = after, evolve(after, each, moment.at)
                cleared = cleared or _clears(before, each, after, moment)
        owner = queue_owner(after)
        if owner is not None and worth_another(owner) and (cleared or _queue_moved(state, after)):
            yield RecheckOpened(home=moment.home)

    return decide_and_recheck


def _clears(before: State, fact: Message, after: State, moment: Moment) -> bool:
    """Can this fact have improved a check of any order of the group? In doubt yes: a recheck too many changes nothing."""
    match fact:
        case orders.StandingNoted():
            return not _only_worse(before, fact)
        case orders.PositionMoved():
            relieved = fact.open_minor < 0 or fact.disputed_minor != 0 or fact.soft_credits_minor > 0
            return relieved or _share_fell(before, after, moment)
        case orders.OrderBilled():
            return _share_fell(before, after, moment)
        case orders.OrderDespatched() | orders.OrderCancelled() | orders.ReservationLapsed():
            return fact.freed_minor > 0
        case orders.DealWithdrawn() | orders.DealExpired():
            return fact.freed_minor > 0
        case orders.DealApproved():
            return True  # the order that it covers may wait already
        case orders.RecallAnswered():
            return fact.stopped
        case orders.OrderChanged() | orders.OrderRanked():
            return True
        case _:
            return False


def _only_worse(before: State, fact: orders.StandingNoted) -> bool:
    was = before.account
    if was is None or fact.terms is not None or fact.insured_minor is not None or fact.stock_shipped is not None:
        return was is None
    return not (
        (fact.status is not None and fact.status not in ("on_stop", "terminated"))
        or (
            fact.limit_minor is not None and (fact.limit_minor > was.limit_minor or fact.limit_expires_on != was.limit_expires_on)
        )
        or (fact.dunning_level is not None and fact.dunning_level < was.dunning_level)
        or (fact.review_due_on is not None and (was.review_due_on is None or fact.review_due_on > was.review_due_on))
        or fact.stock_unconnected is not None
    )


def _share_fell(before: State, after: State, moment: Moment) -> bool:
    """New debt makes the overdue share of the balance smaller: did it fall below its threshold (O2.7)?"""
    standing = after.account
    if standing is None or before.ageing is None:
        return False
    rules = rules_for(after.policies, moment.at, standing, "")
    on = local_day(moment.at, rules.zone)
    if not overdue(before.ageing, on).minor:
        return False
    was, now = (
        overdue_share(inputs_of(state, standing, _NO_ASK, rules, on, False), rules.checks.overdue_share, rules.exposure)
        for state in (before, after)
    )
    return now[0] and not was[0]


_NO_ASK = asked_of(Order(order="", account="", home="", status=""))


def _queue_moved(before: State, after: State) -> bool:
    """Someone whom later orders may not have been allowed to pass left the queue."""
    was, now = queue_owner(before), queue_owner(after)
    if was is None or now is None:
        return False
    return (was.blocker is not None and now.blocker is None) or _head_left(was, now, after)


def _head_left(was: Position, now: Position, after: State) -> bool:
    """Where none may pass (`passing: false`), whoever leaves may have been the first."""
    return now.waiting < was.waiting and after.order is not None and BEHIND_QUEUE not in after.order.held_by
