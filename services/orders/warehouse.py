"""What the warehouse and the trade tell of an order: despatched, delivered, billed, returned, recalled, lapsed (O4, O9, F1, F2).

Goods that have left are recorded whatever the desk had decided: refusing the news would not bring them back, and exposure
must know. Every part of an order is counted once, in one place: reserved, unbilled, or open.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.message import Message
from contracts.orders import (
    AnswerRecall,
    BillOrder,
    CommandRefused,
    LapseReservation,
    OrderBilled,
    OrderDelivered,
    OrderDespatched,
    OrderRecalled,
    OrderRepeated,
    PositionMoved,
    RecallAnswered,
    RecallOrder,
    RecordDelivery,
    RecordDespatch,
    RecordReturn,
    ReservationLapsed,
    ReturnRecorded,
)
from services.orders.exposure import asked_of
from services.orders.fold import evolve, return_digest
from services.orders.judge import judge, local_day
from services.orders.known import known_order, refusal, wrong_account
from services.orders.place import sum_of, verdict
from services.orders.state import Order, State
from shared.credit.rulebook import book_at
from shared.service import Moment


def despatch(state: State, command: RecordDespatch, moment: Moment) -> Iterable[Message]:
    """Goods left. Those already billed are open items already; the rest is unbilled now, reserved or not."""
    order = state.order
    if order is not None and order.account != command.account:
        return (wrong_account(order, command),)
    if order is not None and command.despatch in order.despatches:
        return (OrderRepeated(order=order.order, account=order.account, outcome=order.outcome, first=order.first or "unknown"),)
    return (_despatched(order, command),)


def _despatched(order: Order | None, command: RecordDespatch) -> OrderDespatched:
    reserved, ahead = (order.reserved_minor, order.billed_minor) if order is not None else (0, 0)
    billed = min(command.amount_minor, ahead)
    unbilled = command.amount_minor - billed
    covered = min(unbilled, reserved)
    return OrderDespatched(
        order=command.order,
        account=command.account,
        despatch=command.despatch,
        amount_minor=command.amount_minor,
        billed_minor=billed,
        beyond_minor=unbilled - covered,
        freed_minor=reserved - covered if command.last else 0,
        last=command.last,
    )


def deliver(state: State, command: RecordDelivery, moment: Moment) -> Iterable[Message]:
    """A delivery is on record even where its order is not: it is evidence (POD), and moves no money."""
    order = state.order
    if order is not None and order.account != command.account:
        return (wrong_account(order, command),)
    if order is not None and order.status == "delivered" and command.pod is None:
        return (OrderRepeated(order=order.order, account=order.account, outcome="delivered", first=order.first or "unknown"),)
    return (OrderDelivered(order=command.order, account=command.account, despatch=command.despatch, pod=command.pod),)


def bill(state: State, command: BillOrder, moment: Moment) -> Iterable[Message]:
    """A part of an invoice becomes debt, and what it bills leaves unbilled deliveries, then the reservation (F1)."""
    order = state.order
    if order is not None and order.account != command.account:
        return _billed_elsewhere(order, command)
    unbilled = min(command.amount_minor, order.unbilled_minor) if order is not None else 0
    reserved = min(command.amount_minor - unbilled, order.reserved_minor) if order is not None else 0
    return (
        OrderBilled(
            order=command.order,
            account=command.account,
            item=command.item,
            amount_minor=command.amount_minor,
            due_on=command.due_on,
            unbilled_minor=unbilled,
            reserved_minor=reserved,
            payer=command.payer,
        ),
    )


def _billed_elsewhere(order: Order, command: BillOrder) -> Iterable[Message]:
    """Another account of the group pays. One message moves one account, so the debt is counted first, and for one step both
    are: too much for a moment rather than too little."""
    due_on, amount = command.due_on, command.amount_minor
    return (
        PositionMoved(account=command.account, open_minor=amount, due_on=due_on, item=command.item),
        BillOrder(
            order=order.order,
            account=order.account,
            item=command.item,
            amount_minor=amount,
            due_on=due_on,
            payer=command.account,
        ),
    )


def record_return(state: State, command: RecordReturn, moment: Moment) -> Iterable[Message]:
    """A return is recorded, never decided, and moves no exposure: its credit note will (payments)."""
    known, standing = state.order, state.account
    if known is not None:
        return (_returned_again(known, command),)
    if standing is None or not standing.known:
        detail = f"No account {command.account} is open. Open it (or mend the account number), then send the return again."
        return (_refused(command, "unknown_account", detail),)
    if command.currency != standing.currency:
        detail = (
            f"{command.account} trades in {standing.currency}, the return is in {command.currency}. Mend it and send it again."
        )
        return (_refused(command, "wrong_currency", detail),)
    total = abs(sum_of(command.lines))
    if command.lines and total != command.total_minor:
        detail = f"The lines add up to {total} minor units, the total says {command.total_minor}. Mend it and send it again."
        return (_refused(command, "total_mismatch", detail),)
    return (
        ReturnRecorded(
            document=command.document,
            account=command.account,
            currency=command.currency,
            total_minor=command.total_minor,
            returned_at=command.returned_at,
            lines=command.lines,
        ),
    )


def _returned_again(known: Order, command: RecordReturn) -> Message:
    if known.account == command.account and known.digest == return_digest(command):
        return OrderRepeated(order=known.order, account=known.account, outcome=known.outcome, first=known.first or "unknown")
    detail = f"{command.document} is known with other content ({known.outcome}, {known.account}). Send it under another name."
    return _refused(command, "conflicting_duplicate", detail)


def _refused(command: RecordReturn, reason: str, detail: str) -> CommandRefused:
    return CommandRefused(order=command.document, account=command.account, reason=reason, detail=detail)


def lapse(state: State, command: LapseReservation, moment: Moment) -> Iterable[Message]:
    """The last day of the reservation is over. Quiet when the order has moved on since the timer was set."""
    order = state.order
    if order is None or order.lapses_on is None:
        return ()
    if order.lapses_on >= local_day(moment.at, book_at(state.policies, moment.at).zone):
        return ()
    return (ReservationLapsed(order=order.order, account=order.account, freed_minor=order.reserved_minor),)


def recall(state: State, command: RecallOrder, moment: Moment) -> Iterable[Message]:
    """Call back what was released before the account went on stop. The reservation stays until the warehouse answers."""
    order, standing = state.order, state.account
    if order is None or standing is None or standing.status != "on_stop" or order.recalled or not order.reserved_minor:
        return ()
    return (
        OrderRecalled(
            order=order.order,
            account=order.account,
            instruction=f"{order.order}/{order.releases}",
            reason="the account is on stop",
        ),
    )


def answer_recall(state: State, command: AnswerRecall, moment: Moment) -> Iterable[Message]:
    """Stopped: nothing is reserved any more, and the order is decided again. Gone: its despatch will be recorded."""
    order = known_order(state, command)
    if isinstance(order, CommandRefused):
        return (order,)
    if not order.recalled:
        if not command.stopped:
            return (OrderRepeated(order=order.order, account=order.account, outcome=order.outcome, first=order.first),)
        return (refusal(command, "not_recalled", f"{order.order} is {order.outcome}; no recall of it waits for an answer."),)
    return _answered(state, order, command, moment)


def _answered(state: State, order: Order, command: AnswerRecall, moment: Moment) -> Iterable[Message]:
    freed = order.reserved_minor if command.stopped else 0
    answered = RecallAnswered(order=order.order, account=order.account, stopped=command.stopped, freed_minor=freed)
    yield answered
    if command.stopped:
        after = evolve(state, answered, moment.at)
        assert after.order is not None, "an answered recall is of a known order"
        judged = judge(after, order.order, asked_of(after.order), moment.at)
        yield from verdict(after, judged, order.order, order.account, after.order)
