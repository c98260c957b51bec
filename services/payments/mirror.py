"""Accounts whose book the ERP keeps (P1): what our side wishes goes out as a request, and waits for the ERP's posting. Pure.

A wish is decided by the rules of the house against what is free; where it would post, it is asked instead. What the bank did
(cash landed, taken back) is no wish: it counts here at once and is asked as well. Nothing here posts (`posted.py` does).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from contracts.message import Fact, Message
from contracts.payments import (
    AllocateCash,
    AskedEntry,
    AskedLine,
    CloseRequest,
    DeclinePosting,
    EntryPosted,
    GiveBackCash,
    ItemSettled,
    PostingRequested,
    ReferCash,
    RefundOrdered,
    RequestClosed,
    Settle,
    ShortPaid,
    UnallocateCash,
    WithdrawCash,
    WrittenOff,
)
from services.payments import cash, ledger
from services.payments.items import item_of
from services.payments.policies import MIRROR, Entity, in_force
from services.payments.refusal import Refusal, not_reasoned, unneeded
from services.payments.state import (
    ANSWERED,
    DEBTS,
    OPEN,
    RECEIPT,
    Asked,
    Item,
    Posted,
    State,
    request_of,
    request_of_receipt,
)
from shared.days import written
from shared.service import Decide, Moment, To

UNALLOCATION = "unallocation"
DECLINED = "declined"
MAIN = "main"


def entity_of(state: State, account: str, on: dt.date) -> Entity | None:
    """The legal entity of an account whose book the ERP keeps; None where it is kept here."""
    found = in_force(on).entity(_name_of(state, account))
    return found if found.book == MIRROR else None


def _name_of(state: State, account: str) -> str:
    row = state.accounts.get(account)
    return row.legal_entity if row is not None else MAIN


# --- what our side wishes -------------------------------------------------------------------------------------------


def asks(decide: Decide) -> Decide:
    """The same decision, asked of the ERP where that keeps the book of an account that it names."""

    def decided(state: State, wish: Any, moment: Moment) -> Iterable[Message | To]:
        if not _any_mirrored(state, moment.at.date()):
            return decide(state, wish, moment)
        if len({_name_of(state, account) for account in state.accounts}) > 1:
            return _apart(state, wish, moment)
        return _instead(state, wish, list(decide(free_of(state), wish, moment)), moment)

    return decided


def _apart(state: State, wish: Any, moment: Moment) -> Iterable[Message]:
    """Accounts of several legal entities: a person is told no; what the service itself found, a person decides."""
    detail = "these accounts are of different legal entities, and an ERP keeps the book of one; settle each in its own"
    if moment.actor == cash.OURSELVES and isinstance(wish, AllocateCash):
        return cash.refer(state, ReferCash(account=wish.account, receipt=wish.receipt, why=detail), moment)
    return Refusal("other_entity", detail).of(wish.account)


def _any_mirrored(state: State, on: dt.date) -> bool:
    policy = in_force(on)
    return bool(policy.entities) and any(
        row is not None and policy.entity(row.legal_entity).book == MIRROR for row in state.accounts.values()
    )


def free_of(state: State) -> State:
    """The rows as if all that is asked were done already: nothing is asked twice."""
    items = {name: _free(item) if item is not None else None for name, item in state.items.items()}
    receipt = replace(state.receipt, unallocated_minor=state.receipt.free_minor) if state.receipt is not None else None
    return replace(state, items=items, receipt=receipt)


def _free(item: Item) -> Item:
    free = item.free_minor
    return replace(item, open_minor=free, open_base_minor=ledger.share(item.open_base_minor, free, item.open_minor))


def _instead(state: State, wish: Any, said: Sequence[Message | To], moment: Moment) -> list[Message | To]:
    """One request for all that would be posted; a no, a referral or a second step stays what it is. What the payer held back is
    told when it is posted: a request that is declined leaves no claim."""
    if not any(isinstance(each, EntryPosted) for each in said):
        return list(said)
    return [_request(state, wish, said, moment)]


def _request(state: State, wish: Any, said: Sequence[Message | To], moment: Moment) -> PostingRequested:
    entries = [each for each in said if isinstance(each, EntryPosted)]
    match = wish if isinstance(wish, AllocateCash) else None
    given = {line.item: line for line in match.lines} if match is not None else {}
    lines = tuple(_line(state, each, given.get(each.item)) for each in said if isinstance(each, ItemSettled))
    payout = state.payout
    moved = next((each for each in said if isinstance(each, RefundOrdered | WrittenOff)), None)
    return _requested(
        state,
        moment,
        account=wish.account,
        request=request_of(moment.cause),
        kind=entries[0].kind,
        on=entries[0].effective_on,
        lines=lines,
        entries=tuple(
            AskedEntry(account=each.account, kind=each.kind, effective_on=each.effective_on, lines=each.lines) for each in entries
        ),
        receipt=state.receipt.receipt if state.receipt is not None else None,
        payout=payout.request if payout is not None else None,
        base_minor=moved.base_minor if moved is not None else None,
        run=moved.run if isinstance(moved, WrittenOff) else None,
        proof=match.proof if match is not None else None,
        score=match.score if match is not None else None,
        evidence=match.evidence if match is not None else (),
        rejected=match.rejected if match is not None else (),
        advice=match.advice if match is not None else None,
        reason=wish.reason if getattr(wish, "reason", "") else payout.reason if payout is not None else "",
    )


def _requested(state: State, moment: Moment, /, **fields: Any) -> PostingRequested:
    today = moment.at.date()
    name = _name_of(state, fields["account"])
    entity = in_force(today).entity(name)
    return PostingRequested(
        legal_entity=name,
        company_code=entity.company_code,
        answer_by=today + dt.timedelta(days=entity.answer_days),
        by=moment.actor,
        **fields,
    )


def _line(state: State, fact: ItemSettled, given: Settle | None) -> AskedLine:
    item = state.items[fact.item]
    assert item is not None, "only items that are known are settled"
    line = AskedLine(account=fact.account, item=fact.item, settled_minor=fact.settled_minor, currency=item.currency)
    if given is None:
        return line
    return replace(
        line,
        discount_minor=given.discount_minor,
        difference_minor=given.difference_minor,
        residual_minor=given.residual_minor,
        reason=given.reason,
    )


def unallocate(state: State, wish: UnallocateCash, moment: Moment) -> Iterable[Message | To]:
    """A clearing of the ERP is taken back by the ERP; a match of our own as ever."""
    posted = state.postings.get(wish.match)
    if posted is None or posted.account != wish.account or not posted.clears:
        return cash.unallocate(state, wish, moment)
    if posted.reversed_by:
        return unneeded(wish.account, wish.match)
    if posted.asked_back:
        return _asked_already(posted, wish, moment)
    if refusal := not_reasoned(wish.reason):
        return refusal.of(wish.account, wish.match)
    return [_back(state, posted, wish, moment)]


def _asked_already(posted: Posted, wish: UnallocateCash, moment: Moment) -> Iterable[Message]:
    """Who asked first wished it already; of two clerks the second is told."""
    if moment.actor == posted.asked_by or posted.asked_at is None:
        return unneeded(wish.account, wish.match)
    who, when = posted.asked_by or "somebody", f"{written(posted.asked_at)}, {posted.asked_at:%H:%M} UTC"
    detail = f"{who} asked the ERP for {posted.document} back on {when} (request {posted.asked_back}); it waits for the answer"
    return Refusal("changed_meanwhile", detail).of(wish.account, wish.match)


def _back(state: State, posted: Posted, wish: UnallocateCash, moment: Moment) -> PostingRequested:
    return _requested(
        state,
        moment,
        account=wish.account,
        request=request_of(moment.cause),
        kind=UNALLOCATION,
        on=moment.at.date(),
        reverses=posted.posting,
        document=posted.document,
        reason=wish.reason,
    )


# --- what the bank did ----------------------------------------------------------------------------------------------


def lands(decide: Decide) -> Decide:
    """The same decision, posted here at once, and asked of the ERP where that keeps the book."""

    def decided(state: State, wish: Any, moment: Moment) -> Iterable[Message | To]:
        said = list(decide(state, wish, moment))
        mirrored = entity_of(state, wish.account, moment.at.date()) is not None
        if not mirrored or not any(isinstance(each, EntryPosted) for each in said):
            return said
        return [*said, _landed(state, wish, said, moment)]

    return decided


def _landed(state: State, wish: Any, said: Sequence[Message | To], moment: Moment) -> PostingRequested:
    """Nothing waits for the answer, so it has nothing in hand; a receipt's request is found again from its name."""
    asked = _request(state, wish, said, moment)
    request = request_of_receipt(wish.receipt) if asked.kind == RECEIPT else asked.request
    return replace(asked, request=request, receipt=wish.receipt, lines=())


def withdraw(state: State, wish: WithdrawCash, moment: Moment) -> Iterable[Message | To]:
    """The ERP keeps what the receipt settled: what it has no more is owed at once, as a debit note. What is only asked ends."""
    receipt = state.receipt
    if receipt is None or entity_of(state, wish.account, moment.at.date()) is None:
        return cash.withdraw(state, wish, moment)
    reason = wish.reason or "the bank took the cash back"
    ends = [DeclinePosting(account=wish.account, request=each, reason=reason) for each in receipt.asks]
    state = replace(state, receipt=replace(receipt, standing=()))
    return [*cash.withdraw(state, wish, moment), *ends]


def give_back(state: State, wish: GiveBackCash, moment: Moment) -> Iterable[Message | To]:
    receipt = cash.mine(state, wish)
    mirrored = entity_of(state, wish.account, moment.at.date()) is not None
    if mirrored and receipt is not None and receipt.requested_minor:
        detail = "part of it is asked of the ERP; have that declined, or answered and taken back, then give it back whole"
        return Refusal("allocated", detail).of(wish.account, wish.receipt)
    return cash.give_back(state, wish, moment)


def no_cards(decide: Decide) -> Decide:
    """Card money would have to be posted as the acquirer answers, and the ERP posts here."""

    def decided(state: State, wish: Any, moment: Moment) -> Iterable[Message | To]:
        if entity_of(state, wish.account, moment.at.date()) is None:
            return decide(state, wish, moment)
        return Refusal("book_elsewhere", "the ERP keeps this account's book; take card payments there").of(wish.account)

    return decided


# --- how requests end -----------------------------------------------------------------------------------------------


def decline(state: State, wish: DeclinePosting, moment: Moment) -> Iterable[Message]:
    """The ERP's no; two steps, because the second must name the items."""
    asked = state.request
    if asked is None or asked.account != wish.account:
        return Refusal("unknown_request", f"{wish.account} has no request {wish.request!r}").of(wish.account, wish.request)
    if asked.state != OPEN:
        return unneeded(wish.account, wish.request)
    if refusal := not_reasoned(wish.reason):
        return refusal.of(wish.account, wish.request)
    return [closing(asked, DECLINED, wish.reason)]


def closing(asked: Asked, outcome: str, reason: str = "") -> CloseRequest:
    return CloseRequest(
        account=asked.account,
        request=asked.request,
        outcome=outcome,
        lines=asked.lines,
        receipt=asked.receipt or None,
        payout=asked.payout or None,
        reverses=asked.reverses or None,
        advice=asked.advice or None,
        reason=reason,
    )


def close(state: State, wish: CloseRequest, moment: Moment) -> Iterable[Fact]:
    """Once: an answer that came first stands, and a no behind it says nothing. What was held back of an item that is posted short
    becomes a claim now (C1)."""
    asked = state.request
    ends = {ANSWERED: ANSWERED, DECLINED: OPEN}.get(wish.outcome)
    if asked is None or asked.state != ends or asked.lines != wish.lines:
        return unneeded(wish.account, wish.request)
    return [
        RequestClosed(
            account=wish.account,
            request=wish.request,
            kind=asked.kind,
            outcome=wish.outcome,
            lines=asked.lines,
            receipt=wish.receipt,
            payout=wish.payout,
            reverses=wish.reverses,
            posting=asked.posting or None,
            base_minor=asked.base_minor or None,
            run=asked.run or None,
            advice=asked.advice or None,
            reason=wish.reason,
            by=moment.actor,
        ),
        *(_short(state, asked, line, moment) for line in asked.lines if wish.outcome == ANSWERED and _is_short(state, line)),
    ]


def _is_short(state: State, line: AskedLine) -> bool:
    item = state.items[line.item]
    return item is not None and item.kind in DEBTS and 0 < line.residual_minor <= item.open_minor


def _short(state: State, asked: Asked, line: AskedLine, moment: Moment) -> ShortPaid:
    item = item_of(state, line.item)
    return ShortPaid(
        account=item.account,
        item=item.item,
        receipt=asked.receipt,
        match=asked.request,
        short_minor=line.residual_minor,
        open_minor=item.open_minor,
        currency=item.currency,
        due_on=item.due_on,
        reason=line.reason,
        cause=cash.cause_of(line.reason, in_force(moment.at.date())),
    )
