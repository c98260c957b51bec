"""How every own fact changes the rows: the fold of the ledger's journal. Nothing here decides anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from contracts import payments as said
from contracts.message import Message
from contracts.payments import AskedLine, Posting
from services.payments import statements, twins
from services.payments.ledger import RECEIVABLES
from services.payments.matching.lookup import key_of
from services.payments.matching.payer import plain
from services.payments.state import (
    ANSWERED,
    APPROVED,
    CARRIED_OUT,
    CLOSED,
    DECLINED,
    DONE,
    DROPPED,
    FILED,
    GONE,
    ON_ACCOUNT,
    PAID,
    PENDING,
    RECEIPT,
    RECOGNISED,
    REFERRED,
    REQUESTED,
    REVERSED,
    SET_ASIDE,
    STOPPED,
    TAKEN_BACK,
    UNRECOGNISED,
    Account,
    Advice,
    Alias,
    Asked,
    BankDetails,
    Card,
    Intent,
    Item,
    Known,
    Landed,
    Line,
    Match,
    Outgoing,
    PaymentFile,
    Payout,
    Period,
    Posted,
    Receipt,
    State,
    Statement,
    alike_of,
    card_of,
    content_of,
    outcome_of,
    place,
)


def _account(state: State, name: str) -> Account:
    return state.accounts.get(name) or Account(account=name)


def _with_account(state: State, account: Account) -> State:
    return replace(state, accounts={**state.accounts, account.account: account})


def _with_item(state: State, item: Item) -> State:
    return replace(state, items={**state.items, item.item: item})


# --- accounts, items, entries ---------------------------------------------------------------------------------------


def _noted(state: State, fact: said.LedgerNoted, at: dt.datetime) -> State:
    told: dict[str, Any] = {name: value for name in _NOTED if (value := getattr(fact, name)) is not None}
    if fact.name is not None:
        told["words_of_name"] = plain(fact.name)
    before = _account(state, fact.account)
    return _with_account(state, statements.anchored(before, replace(before, **told), at.date()))


_NOTED = (
    "home", "parent", "name", "currency", "payment_days", "po_required", "portfolio", "status", "legal_entity",
    "statement_cadence",
)  # fmt: skip


def _posted(state: State, fact: said.ItemPosted, at: dt.datetime) -> State:
    base = fact.base_minor if fact.base_minor is not None else fact.amount_minor
    account = _account(state, fact.account)
    item = Item(
        item=fact.item,
        account=fact.account,
        home=account.home or fact.home or fact.account,
        kind=fact.kind,
        currency=fact.currency,
        amount_minor=fact.amount_minor,
        open_minor=fact.amount_minor,
        base_minor=base,
        open_base_minor=base,
        document_on=fact.document_on,
        due_on=fact.due_on,
        ref_key=key_of(fact.item) if fact.kind != RECEIPT else "",
        order=fact.order,
        po_number=fact.po_number,
        reference=fact.reference,
        discounts=fact.discounts,
    )
    return _with_item(_with_account(state, replace(account, open_items=account.open_items + 1)), item)


def _settled(state: State, fact: said.ItemSettled, at: dt.datetime) -> State:
    item = state.items.get(fact.item)
    assert item is not None, "only an item that was entered is settled"
    after = replace(
        item,
        open_minor=item.open_minor - fact.settled_minor,
        open_base_minor=item.open_base_minor - (fact.base_minor or 0),
        paid_by=fact.by or "",
    )
    account = _account(state, fact.account)
    opened = (after.open_minor != 0) - (item.open_minor != 0)
    return _with_account(_with_item(state, after), replace(account, open_items=account.open_items + opened))


def _entry(state: State, fact: said.EntryPosted, at: dt.datetime) -> State:
    lines = {f"{fact.entry}/{n}": _line(fact, n, line, at) for n, line in enumerate(fact.lines, start=1)}
    after = replace(state, ledger={**state.ledger, **lines})
    moved = [line.base_minor for line in fact.lines if line.ledger == RECEIVABLES]
    if not moved:
        return after
    before = _account(state, fact.account)
    account = statements.moved(before, max(fact.effective_on, at.date()))
    if sum(moved):
        account = replace(account, balance_minor=account.balance_minor + sum(moved))
    return after if account is before else _with_account(after, account)


def _statement_issued(state: State, fact: said.StatementIssued, at: dt.datetime) -> State:
    return _with_account(state, statements.issued(_account(state, fact.account), fact))


def _line(fact: said.EntryPosted, n: int, line: Posting, at: dt.datetime) -> Line:
    return Line(
        line=f"{fact.entry}/{n}",
        entry=fact.entry,
        account=fact.account,
        kind=fact.kind,
        ledger=line.ledger,
        effective_on=fact.effective_on,
        known_at=at,
        amount_minor=line.amount_minor,
        currency=line.currency,
        base_minor=line.base_minor,
        item=line.item,
    )


def _period_closed(state: State, fact: said.PeriodClosed, at: dt.datetime) -> State:
    return replace(state, period=Period(str(fact.partition), fact.until_on))


# --- from the bank --------------------------------------------------------------------------------------------------


def _statement_taken(state: State, fact: said.StatementTaken, at: dt.datetime) -> State:
    key = place(fact.bank_account, fact.statement)
    parts = (*(state.statement.parts if state.statement is not None else ()), fact.part)
    statement = Statement(
        key=key,
        bank_account=fact.bank_account,
        digest=fact.digest,
        parts=parts,
        of=fact.parts,
        is_provisional=fact.is_provisional,
        closed_on=None if fact.is_provisional or len(parts) < fact.parts else fact.closed_on,
    )
    landed = dict(state.landed)
    known = dict(state.known)
    for entry in fact.landed:
        at_key = place(fact.bank_account, entry.entry)
        landed[at_key] = Landed(key=at_key, bank_account=fact.bank_account, entry=entry, is_provisional=fact.is_provisional)
        alike = content_of(fact.bank_account, entry)
        before = known.get(alike) or Known(key=alike, bank_account=fact.bank_account)
        known[alike] = twins.brought(before, entry, fact.is_provisional)
    for name in fact.confirms:
        row = known[alike_of(name)]
        assert row is not None, "only an entry that is known is confirmed"
        known[row.key] = twins.confirmed(row, int(name.rpartition("/")[2]))
    return replace(state, statement=statement, landed=landed, known=known)


def _entries_confirmed(state: State, fact: said.EntriesConfirmed, at: dt.datetime) -> State:
    for name in fact.entries:
        state = _with_entry(state, fact.bank_account, name, is_provisional=False)
    return state


def _with_entry(state: State, bank_account: str, entry: str, /, **changed: Any) -> State:
    key = place(bank_account, entry)
    landed = state.landed[key]
    assert landed is not None, "only an entry that has landed changes"
    return replace(state, landed={**state.landed, key: replace(landed, **changed)})


def _cash_recognised(state: State, fact: said.CashRecognised, at: dt.datetime) -> State:
    changed = {"account": fact.payer_of, "account_home": fact.payer_home, "receipt": fact.receipt}
    return _with_entry(state, fact.bank_account, fact.entry, state=RECOGNISED, **changed)


def _cash_unrecognised(state: State, fact: said.CashUnrecognised, at: dt.datetime) -> State:
    return _with_entry(state, fact.bank_account, fact.entry, state=UNRECOGNISED)


def _set_aside(state: State, fact: said.EntrySetAside, at: dt.datetime) -> State:
    return _with_entry(state, fact.bank_account, fact.entry, state=SET_ASIDE, aside=fact.ledger)


def _entry_taken(state: State, fact: said.EntryTaken, at: dt.datetime) -> State:
    return _with_entry(state, fact.bank_account, fact.entry, owner=fact.owner)


def _dropped(state: State, fact: said.EntryDropped, at: dt.datetime) -> State:
    known = state.known[alike_of(fact.content)]
    assert known is not None, "only an intraday entry is dropped"
    after = replace(state, known={**state.known, known.key: twins.dropped(known, fact.entry)})
    return _with_entry(after, fact.bank_account, fact.entry, state=DROPPED)


def _taken_back(state: State, fact: said.CashTakenBack, at: dt.datetime) -> State:
    landed = state.landed[place(fact.bank_account, fact.entry)]
    assert landed is not None
    changed = {"account": "", "account_home": "", "receipt": "", "rounds": landed.rounds + 1}
    return _with_entry(state, fact.bank_account, fact.entry, state=UNRECOGNISED, **changed)


# --- cash on an account ---------------------------------------------------------------------------------------------


def _received(state: State, fact: said.CashReceived, at: dt.datetime) -> State:
    account = _account(state, fact.account)
    receipt = Receipt(
        receipt=fact.receipt,
        account=fact.account,
        home=account.home or fact.account,
        amount_minor=fact.amount_minor,
        unallocated_minor=fact.amount_minor,
        currency=fact.currency,
        received_on=fact.received_on,
        bank_account=fact.bank_account,
        bank_entry=fact.bank_entry,
        payer=fact.payer,
        payer_account=fact.payer_account,
        reference=fact.reference,
        end_to_end=fact.end_to_end,
        text=fact.text,
        lines=fact.lines,
        charges_minor=fact.charges_minor,
        is_provisional=fact.is_provisional,
    )
    return _with_account(replace(state, receipt=receipt), replace(account, receipts=account.receipts + 1))


def _confirmed(state: State, fact: said.CashConfirmed, at: dt.datetime) -> State:
    assert state.receipt is not None, "only a receipt that is known is confirmed"
    return replace(state, receipt=replace(state.receipt, is_provisional=False))


def _with_receipt(state: State, /, **changed: Any) -> State:
    assert state.receipt is not None, "only a receipt that is known changes"
    return replace(state, receipt=replace(state.receipt, version=state.receipt.version + 1, **changed))


def _allocated(state: State, fact: said.CashAllocated, at: dt.datetime) -> State:
    receipt = state.receipt
    assert receipt is not None, "only a receipt that is known is allocated"
    match = Match(
        match=fact.match,
        account=fact.account,
        receipt=fact.receipt,
        lines=fact.lines,
        allocated_minor=fact.allocated_minor,
        base_minor=fact.base_minor,
        advice=fact.advice,
    )
    advice = replace(state.advice, receipt=fact.receipt) if state.advice is not None else None
    return _with_receipt(
        replace(_given(state, fact.lines, 1), matches={**state.matches, fact.match: match}, advice=advice),
        unallocated_minor=fact.unallocated_minor,
        matches=receipt.matches + 1,
        standing=(*receipt.standing, fact.match),
        state=REFERRED if fact.unallocated_minor else DONE,
    )


def _unallocated(state: State, fact: said.CashUnallocated, at: dt.datetime) -> State:
    assert state.match is not None and state.receipt is not None, "only a match that is known is taken back"
    standing = tuple(match for match in state.receipt.standing if match != fact.match)
    changed = {"unallocated_minor": fact.unallocated_minor, "standing": standing, "state": REFERRED}
    advice = replace(state.advice, receipt="") if state.advice is not None else None
    after = replace(_given(state, fact.lines, -1), match=replace(state.match, taken_back=True), advice=advice)
    return _with_receipt(after, **changed)


def _given(state: State, lines: Sequence[said.Settle | AskedLine], sign: int) -> State:
    """What of its items a match gave away; `sign` -1: it is taken back."""
    items = dict(state.items)
    for line in [line for line in lines if line.discount_minor or line.difference_minor]:
        item = items[line.item]
        assert item is not None, "only an item that was entered is settled"
        discounted = item.discounted_minor + sign * line.discount_minor
        tolerated = item.tolerated_minor + sign * abs(line.difference_minor)
        items[line.item] = replace(item, discounted_minor=discounted, tolerated_minor=tolerated)
    return replace(state, items=items)


def _referred(state: State, fact: said.CashReferred, at: dt.datetime) -> State:
    return _with_receipt(state, state=REFERRED)


def _retried(state: State, fact: said.CashRetried, at: dt.datetime) -> State:
    return _with_receipt(state, state=PENDING)


def _kept(state: State, fact: said.CashKeptOnAccount, at: dt.datetime) -> State:
    return _with_receipt(state, state=ON_ACCOUNT)


def _taken(state: State, fact: said.CashTaken, at: dt.datetime) -> State:
    assert state.receipt is not None
    return replace(state, receipt=replace(state.receipt, owner=fact.owner))


def _gone(state: State, fact: said.CashGivenBack | said.CashWithdrawn, at: dt.datetime) -> State:
    return _with_receipt(state, state=GONE, unallocated_minor=0)


def _learned(state: State, fact: said.PayerLearned, at: dt.datetime) -> State:
    home = _account(state, fact.account).home or fact.account
    receipt = replace(state.receipt, taught=fact.alias) if state.receipt is not None and fact.receipt else state.receipt
    alias = Alias(alias=fact.alias, account=fact.account, home=home, kind=fact.kind, value=fact.value)
    return replace(state, alias=alias, receipt=receipt)


def _forgotten(state: State, fact: said.PayerForgotten, at: dt.datetime) -> State:
    return replace(state, alias=None)


def _advised(state: State, fact: said.AdviceTaken, at: dt.datetime) -> State:
    account = _account(state, fact.account)
    advice = Advice(
        advice=fact.advice,
        account=fact.account,
        home=account.home or fact.account,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        lines=fact.lines,
        payment_reference=fact.payment_reference,
        paid_on=fact.paid_on,
    )
    return replace(state, advice=advice)


# --- money out, given up, set off -------------------------------------------------------------------------------------


def _details_noted(state: State, fact: said.BankDetailsNoted, at: dt.datetime) -> State:
    bank = BankDetails(iban=fact.iban, holder=fact.holder, by=fact.by)
    return _with_account(state, replace(_account(state, fact.account), bank=bank))


def _details_confirmed(state: State, fact: said.BankDetailsConfirmed, at: dt.datetime) -> State:
    account = _account(state, fact.account)
    assert account.bank is not None, "only details that are noted are confirmed"
    return _with_account(state, replace(account, bank=replace(account.bank, confirmed_by=fact.by)))


def _proposed(state: State, fact: said.PayoutProposed, at: dt.datetime) -> State:
    payout = Payout(
        request=fact.request,
        account=fact.account,
        kind=fact.kind,
        item=fact.item,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        reason=fact.reason,
        by=fact.by,
        payment=fact.payment or "",
    )
    after = replace(state, payout=payout)
    return _with_receipt(after) if state.receipt is not None else after


def _with_payout(state: State, /, **changed: Any) -> State:
    assert state.payout is not None, "only a request that is known changes"
    return replace(state, payout=replace(state.payout, **changed))


def _approved(state: State, fact: said.PayoutApproved, at: dt.datetime) -> State:
    return _with_payout(state, state=APPROVED, approved_by=fact.by)


def _declined(state: State, fact: said.PayoutDeclined, at: dt.datetime) -> State:
    return _with_payout(state, state=DECLINED)


def _ordered(state: State, fact: said.RefundOrdered, at: dt.datetime) -> State:
    after = _with_payout(state, state=CARRIED_OUT, base_minor=fact.base_minor, bank_account=fact.bank_account)
    return _less(after, fact.amount_minor)


def _written_off(state: State, fact: said.WrittenOff, at: dt.datetime) -> State:
    return _less(_with_payout(state, state=CARRIED_OUT, base_minor=fact.base_minor, run=fact.run), fact.amount_minor)


def _less(state: State, amount_minor: int) -> State:
    """Where the item is a receipt, so much less of it is unallocated (negative: more, and it waits again)."""
    receipt = state.receipt
    if receipt is None:
        return state
    left = receipt.unallocated_minor - amount_minor
    stands = DONE if not left else REFERRED if receipt.state == DONE else receipt.state
    return _with_receipt(state, unallocated_minor=left, state=stands)


def _back(state: State, fact: said.WriteOffReversed | said.RefundReturned, at: dt.datetime) -> State:
    return _less(_with_payout(state, state=REVERSED), -fact.amount_minor)


def _refund_paid(state: State, fact: said.RefundPaid, at: dt.datetime) -> State:
    return _with_payout(state, state=PAID)


def _queued(state: State, fact: said.RefundQueued, at: dt.datetime) -> State:
    row = Outgoing(
        request=fact.transfer.request,
        bank_account=fact.bank_account,
        of_account=fact.of_account,
        of_home=fact.of_home,
        of_item=fact.of_item,
        transfer=fact.transfer,
        file_at=fact.file_at,
    )
    return replace(state, outgoing={**state.outgoing, row.request: row})


def _with_outgoing(state: State, request: str, /, **changed: Any) -> State:
    row = state.outgoing[request]
    assert row is not None, "only a refund that came here changes"
    return replace(state, outgoing={**state.outgoing, request: replace(row, **changed)})


def _file_made(state: State, fact: said.PaymentFileMade, at: dt.datetime) -> State:
    for each in fact.refunds:
        state = _with_outgoing(state, each.request, state=FILED, file=fact.file)
    requests = tuple(each.request for each in fact.refunds)
    key = place(fact.bank_account, fact.file)
    return replace(state, payment_file=PaymentFile(key=key, digest=fact.digest, refunds=requests))


def _paid_out(state: State, fact: said.PaidOutConfirmed, at: dt.datetime) -> State:
    return _with_outgoing(_with_entry(state, fact.bank_account, fact.entry, state=PAID), fact.request, state=PAID)


def _reopened(state: State, fact: said.PaidOutReopened, at: dt.datetime) -> State:
    return _with_outgoing(state, fact.request, state=FILED)


def _stopped(state: State, fact: said.RefundStopped, at: dt.datetime) -> State:
    return _with_outgoing(state, fact.request, state=STOPPED)


def _offset(state: State, fact: said.ItemsOffset, at: dt.datetime) -> State:
    match = Match(
        match=fact.offset,
        account=fact.account,
        receipt=fact.credit,
        lines=fact.lines,
        allocated_minor=fact.amount_minor,
        base_minor=fact.base_minor,
    )
    after = _less(replace(state, matches={**state.matches, fact.offset: match}), fact.amount_minor)
    if after.receipt is None:
        return after
    return replace(after, receipt=replace(after.receipt, standing=(*after.receipt.standing, fact.offset)))


def _offset_undone(state: State, fact: said.OffsetUndone, at: dt.datetime) -> State:
    assert state.match is not None, "only an offset that is known is taken back"
    after = _less(replace(state, match=replace(state.match, taken_back=True)), -fact.amount_minor)
    if after.receipt is None:
        return after
    standing = tuple(match for match in after.receipt.standing if match != fact.offset)
    return replace(after, receipt=replace(after.receipt, standing=standing))


# --- cards ------------------------------------------------------------------------------------------------------------


def _intended(state: State, fact: said.CardIntended, at: dt.datetime) -> State:
    intent = Intent(
        key=fact.key,
        action=fact.action,
        amount_minor=fact.amount_minor,
        token=fact.token,
        request=fact.request or "",
        item=fact.item or "",
    )
    card = state.card or _card(state, fact)
    after = replace(state, card=replace(card, intents=(*card.intents, intent), asking=fact.key))
    if fact.request is None:
        return after
    return _less(_with_payout(after, state=CARRIED_OUT, base_minor=fact.base_minor), fact.amount_minor)


def _card(state: State, fact: said.CardIntended) -> Card:
    return Card(
        card=card_of(fact.account, fact.payment),
        payment=fact.payment,
        account=fact.account,
        home=_account(state, fact.account).home or fact.account,
        amount_minor=fact.amount_minor,
        currency=fact.currency,
        items=fact.items,
    )


def _card_told(state: State, fact: said.CardOutcomeNoted, at: dt.datetime) -> State:
    card = state.card
    assert card is not None, "only a card payment that is known has an outcome"
    counted = (*card.outcomes, outcome_of(fact.key, fact.outcome))
    asking = "" if fact.key == card.asking else card.asking
    return replace(state, card=replace(card, outcomes=counted, asking=asking, **_card_change(card, fact)))


def _card_change(card: Card, fact: said.CardOutcomeNoted) -> dict[str, Any]:
    """Only money that moved changes how a payment stands; a refund that was declined changes nothing."""
    match fact.outcome:
        case "captured":
            return {"state": fact.outcome, "captured_minor": fact.amount_minor}
        case "refunded":
            return {"refunded_minor": card.refunded_minor + fact.amount_minor}
        case "charged_back":
            return {"state": fact.outcome, "charged_back_minor": card.charged_back_minor + fact.amount_minor}
        case "declined":
            return {"state": fact.outcome}
    return {}


def _card_taken(state: State, fact: said.CardChargedBack, at: dt.datetime) -> State:
    assert state.card is not None, "only a card payment that is known is charged back"
    counted = (*state.card.outcomes, outcome_of(fact.key, TAKEN_BACK))
    after = replace(state, card=replace(state.card, outcomes=counted))
    return _less(after, fact.taken_minor) if fact.taken_minor else after


# --- the ERP's ledger -------------------------------------------------------------------------------------------------


def _requested(state: State, fact: said.PostingRequested, at: dt.datetime) -> State:
    """What would be settled is in hand until it is answered; what would be open again is not there before it is."""
    asked = Asked(
        request=fact.request,
        account=fact.account,
        kind=fact.kind,
        answer_by=fact.answer_by,
        lines=fact.lines,
        receipt=fact.receipt or "",
        payout=fact.payout or "",
        reverses=fact.reverses or "",
        base_minor=fact.base_minor or 0,
        run=fact.run or "",
        advice=fact.advice or "",
    )
    after = _held(replace(state, requests={**state.requests, asked.request: asked}), fact.lines, 1)
    after = _with_asks(_explains(_given(after, fact.lines, 1), fact, fact.receipt or ""), fact, asks=True)
    if fact.payout is not None and after.payout is not None:
        after = _with_payout(after, state=REQUESTED)
    return _asked_back(after, fact.reverses, fact.request, fact.by, at)


def _explains(state: State, fact: said.PostingRequested | said.RequestClosed, receipt: str) -> State:
    """The advice of an allocation is used up by what is asked, as it would be by the match."""
    if fact.advice is None or state.advice is None:
        return state
    return replace(state, advice=replace(state.advice, receipt=receipt))


def _with_asks(state: State, fact: said.PostingRequested | said.RequestClosed, *, asks: bool) -> State:
    """Requests that have money of the receipt in hand, by name. What they hold counts in its version (`_held`), once."""
    receipt = state.receipt
    if receipt is None or receipt.receipt not in {line.item for line in fact.lines}:
        return state
    others = tuple(each for each in receipt.asks if each != fact.request)
    return replace(state, receipt=replace(receipt, asks=(*others, fact.request) if asks else others))


def _held(state: State, lines: tuple[AskedLine, ...], sign: int) -> State:
    for line in lines:
        item = state.items.get(line.item)
        assert item is not None, "only items that are known are asked for"
        if (line.settled_minor > 0) is (item.amount_minor > 0):
            state = _with_item(state, replace(item, requested_minor=item.requested_minor + sign * line.settled_minor))
            state = _held_of_receipt(state, line, sign)
    return state


def _held_of_receipt(state: State, line: AskedLine, sign: int) -> State:
    receipt = state.receipt
    if receipt is None or receipt.receipt != line.item:
        return state
    requested = receipt.requested_minor - sign * line.settled_minor
    return _with_receipt(state, requested_minor=requested, state=_stands(replace(receipt, requested_minor=requested)))


def _stands(receipt: Receipt) -> str:
    """Where money of it is free a person looks, unless somebody said what of it is to be."""
    if receipt.state in (GONE, ON_ACCOUNT) and receipt.free_minor:
        return receipt.state
    if receipt.free_minor:
        return REFERRED
    return REQUESTED if receipt.unallocated_minor else GONE if receipt.state == GONE else DONE


def _asked_back(state: State, posting: str | None, request: str, by: str = "", at: dt.datetime | None = None) -> State:
    """Without a request nobody asks for it any more."""
    posted = state.postings.get(posting) if posting is not None else None
    if posted is None:
        return state
    return replace(
        state, postings={**state.postings, posted.posting: replace(posted, asked_back=request, asked_by=by, asked_at=at)}
    )


def _posting_taken(state: State, fact: said.PostingTaken, at: dt.datetime) -> State:
    """Its items have facts of their own; receipts among them have so much less, or more, that is unallocated."""
    posted = Posted(
        posting=fact.posting,
        account=fact.account,
        document=fact.document,
        digest=fact.digest,
        opens=() if fact.reverses else fact.opens,
        clears=() if fact.reverses else fact.clears,
        gave=() if fact.reverses else fact.gave,
    )
    postings = {**state.postings, fact.posting: posted}
    if fact.reverses is not None and (before := state.postings.get(fact.reverses)) is not None:
        postings[fact.reverses] = replace(before, reversed_by=fact.document)
    receipts = {**state.receipts, **_cleared(state, fact)}
    after = replace(state, postings=postings, receipts=receipts)
    if fact.reverses is not None:
        after = _given(after, fact.gave, -1)
    if fact.answers is None or after.request is None:
        return after
    return replace(after, request=replace(after.request, state=ANSWERED, posting=fact.posting))


def _cleared(state: State, fact: said.PostingTaken) -> dict[str, Receipt]:
    found = {}
    for line in fact.clears:
        if (receipt := state.receipts.get(line.item)) is not None:
            by = -line.settled_minor if fact.reverses else line.settled_minor
            left = replace(receipt, unallocated_minor=receipt.unallocated_minor + by, version=receipt.version + 1)
            found[line.item] = replace(left, state=_stands(left))
    return found


def _request_closed(state: State, fact: said.RequestClosed, at: dt.datetime) -> State:
    assert state.request is not None, "only a request that is known ends"
    ended = CLOSED if fact.outcome == ANSWERED else DECLINED
    after = _with_asks(_held(replace(state, request=replace(state.request, state=ended)), fact.lines, -1), fact, asks=False)
    if ended == DECLINED:
        after = _explains(_given(after, fact.lines, -1), fact, "")
    if fact.payout is not None and after.payout is not None:
        after = _payout_answered(after, fact, at)
    return _asked_back(after, fact.reverses, "") if ended == DECLINED else after


def _payout_answered(state: State, fact: said.RequestClosed, at: dt.datetime) -> State:
    """Carried out, or taken back, by the ERP; or as it was before it was asked."""
    assert state.payout is not None, "a request that carries one out names it"
    if fact.kind == f"{state.payout.kind}_back":
        return _with_payout(state, state=REVERSED if fact.outcome == ANSWERED else CARRIED_OUT)
    if fact.outcome == ANSWERED:
        return _with_payout(state, state=CARRIED_OUT, base_minor=fact.base_minor or 0, run=fact.run or "")
    return _with_payout(state, state=DECLINED)


def _unchanged(state: State, fact: Message, at: dt.datetime) -> State:
    return state


FOLDS: Mapping[type[Message], Callable[[State, Any, dt.datetime], State]] = {
    said.LedgerNoted: _noted,
    said.StatementIssued: _statement_issued,
    said.ItemPosted: _posted,
    said.ItemSettled: _settled,
    said.EntryPosted: _entry,
    said.BillingErrorFound: _unchanged,
    said.PeriodClosed: _period_closed,
    said.CommandRefused: _unchanged,
    said.CommandUnneeded: _unchanged,
    said.StatementTaken: _statement_taken,
    said.EntriesConfirmed: _entries_confirmed,
    said.StatementRepeated: _unchanged,
    said.StatementRefused: _unchanged,
    said.CashRecognised: _cash_recognised,
    said.CashUnrecognised: _cash_unrecognised,
    said.EntrySetAside: _set_aside,
    said.EntryTaken: _entry_taken,
    said.EntryDropped: _dropped,
    said.CashTakenBack: _taken_back,
    said.CashReceived: _received,
    said.CashConfirmed: _confirmed,
    said.CashAllocated: _allocated,
    said.CashUnallocated: _unallocated,
    said.CashReferred: _referred,
    said.CashRetried: _retried,
    said.CashKeptOnAccount: _kept,
    said.CashTaken: _taken,
    said.CashGivenBack: _gone,
    said.CashWithdrawn: _gone,
    said.ShortPaid: _unchanged,
    said.PayerLearned: _learned,
    said.PayerForgotten: _forgotten,
    said.AdviceTaken: _advised,
    said.BankDetailsNoted: _details_noted,
    said.BankDetailsConfirmed: _details_confirmed,
    said.PayoutProposed: _proposed,
    said.PayoutApproved: _approved,
    said.PayoutDeclined: _declined,
    said.RefundOrdered: _ordered,
    said.WrittenOff: _written_off,
    said.WriteOffReversed: _back,
    said.RefundPaid: _refund_paid,
    said.RefundReturned: _back,
    said.RefundQueued: _queued,
    said.PaymentFileMade: _file_made,
    said.PaidOutConfirmed: _paid_out,
    said.PaidOutReopened: _reopened,
    said.RefundStopped: _stopped,
    said.ItemsOffset: _offset,
    said.OffsetUndone: _offset_undone,
    said.CardIntended: _intended,
    said.CardOutcomeNoted: _card_told,
    said.CardChargedBack: _card_taken,
    said.PostingRequested: _requested,
    said.PostingTaken: _posting_taken,
    said.RequestClosed: _request_closed,
}
"""Every own fact, literally: one that is missing here cannot be said."""


def evolve(state: State, fact: Message, at: dt.datetime) -> State:
    return FOLDS[type(fact)](state, fact, at)
