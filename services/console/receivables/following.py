"""How each receipt and each bank entry stands after every fact of the ledger: pure, one row at a time (P3, P5–P7).

A receipt's `version` is counted as the ledger counts it: a wish carries it, and the ledger refuses one that was looked at
before somebody else worked on it. A fact whose sequence the row has seen changes nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts import payments as said
from contracts.envelope import Envelope, encode_value
from contracts.message import Message
from contracts.payments import AdviceLine, BankEntry, Candidate, Proposal

PENDING, REFERRED, ON_ACCOUNT, DONE, GONE = "pending", "referred", "on_account", "done", "gone"
"""A receipt: to be matched by the service, at the desk, kept on account, allocated whole, given back or withdrawn."""
REQUESTED = "requested"
"""All that is left of a receipt is asked of the ERP that keeps its book (P1)."""
NEW, UNRECOGNISED, RECOGNISED, SET_ASIDE, DROPPED = "new", "unrecognised", "recognised", "set_aside", "dropped"
"""A bank entry: to be recognised by the service, in suspense for a person, an account's, nobody's payment, never was."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`proposals` and `lines` are canonical JSON. `since`: since when it waits as it does; `why`: what a person reads of that."""

    receipt: str
    account: str
    home: str
    amount_minor: int
    unallocated_minor: int
    currency: str
    received_on: dt.date
    bank_account: str
    bank_entry: str
    state: str = PENDING
    version: int = 0
    matches: int = 0
    owner: str = ""
    note: str = ""
    why: str = ""
    gave_up: bool = False
    proposals: bytes = b"[]"
    payer: str = ""
    payer_account: str = ""
    reference: str = ""
    end_to_end: str = ""
    text: str = ""
    lines: bytes = b"[]"
    charges_minor: int = 0
    is_provisional: bool = False
    found_by: str = ""
    requested_minor: int = 0
    since: dt.datetime
    changed_by: str = ""
    changed_at: dt.datetime | None = None
    sequence: int = 0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: `<bank account>/<entry>`. `candidates` and `lines` are canonical JSON; `may_be` are the candidates' accounts alone,
    by which it is known who sees it. `version` counts how often it came back, as the ledger does."""

    key: str
    bank_account: str
    entry: str
    statement: str
    amount_minor: int
    currency: str
    booked_on: dt.date
    value_on: dt.date
    state: str = NEW
    why: str = ""
    candidates: bytes = b"[]"
    may_be: tuple[str, ...] = ()
    payer: str = ""
    payer_account: str = ""
    payer_bank: str = ""
    reference: str = ""
    end_to_end: str = ""
    servicer_reference: str = ""
    text: str = ""
    lines: bytes = b"[]"
    code: str = ""
    is_reversal: bool = False
    is_charge: bool = False
    is_provisional: bool = False
    account: str = ""
    receipt: str = ""
    owner: str = ""
    note: str = ""
    version: int = 0
    since: dt.datetime
    changed_by: str = ""
    changed_at: dt.datetime | None = None
    sequence: int = 0


def proposals_of(receipt: Receipt) -> list[Proposal]:
    return msgspec.json.decode(receipt.proposals, type=list[Proposal])


def candidates_of(entry: Entry) -> list[Candidate]:
    return msgspec.json.decode(entry.candidates, type=list[Candidate])


def advised(lines: bytes) -> list[AdviceLine]:
    return msgspec.json.decode(lines, type=list[AdviceLine])


def place(bank_account: str, entry: str) -> str:
    return f"{bank_account}/{entry}"


def receipt_in(data: Any) -> str:
    """The receipt that a fact is about; of a payout or an offset the item that it takes, which may be none."""
    match data:
        case said.ItemsOffset() | said.OffsetUndone():
            return str(data.credit)
        case said.PayoutProposed() | said.RefundOrdered() | said.RefundReturned() | said.WrittenOff() | said.WriteOffReversed():
            return str(data.item)
        case said.CardIntended():
            return data.item or ""
        case _:
            return data.receipt or ""


def receipts_named(fact: Envelope) -> tuple[str, ...]:
    """The receipts that a fact may be about; of an ERP's document all that it clears."""
    if isinstance(fact.data, said.PostingTaken):
        return tuple(line.item for line in fact.data.clears)
    return (name,) if (name := receipt_in(fact.data)) else ()


# --- receipts -------------------------------------------------------------------------------------------------------


def follow_receipt(receipt: Receipt | None, fact: Envelope) -> Receipt | None:
    """The receipt after this fact; None when nothing of it changed, or nothing is known of it yet."""
    data = fact.data
    if isinstance(data, said.CashReceived):
        return _received(data, fact) if receipt is None else None
    if receipt is None or int(fact.sequence) <= receipt.sequence:
        return None  # the ERP's facts are of other items, too
    return replace(_RECEIPTS[type(data)](receipt, data, fact), sequence=int(fact.sequence))


def _received(data: said.CashReceived, fact: Envelope) -> Receipt:
    return Receipt(
        receipt=data.receipt,
        account=data.account,
        home=fact.partitionkey,
        amount_minor=data.amount_minor,
        unallocated_minor=data.amount_minor,
        currency=data.currency,
        received_on=data.received_on,
        bank_account=data.bank_account,
        bank_entry=data.bank_entry,
        payer=data.payer,
        payer_account=data.payer_account,
        reference=data.reference,
        end_to_end=data.end_to_end,
        text=data.text,
        lines=encode_value(data.lines),
        charges_minor=data.charges_minor,
        is_provisional=data.is_provisional,
        found_by=data.by,
        since=fact.time,
        sequence=int(fact.sequence),
    )


def _worked(receipt: Receipt, fact: Envelope, **changed: Any) -> Receipt:
    """It was worked on, and waits from now on, if it does."""
    return replace(_touched(receipt, fact), since=fact.time, **changed)


def _touched(receipt: Receipt, fact: Envelope, **changed: Any) -> Receipt:
    """Something was done with it, which is what its version counts."""
    by = getattr(fact.data, "by", "") or fact.actorid
    return replace(receipt, version=receipt.version + 1, changed_by=by, changed_at=fact.time, **changed)


def _final(receipt: Receipt, data: said.CashConfirmed, fact: Envelope) -> Receipt:
    """Its statement has it: nothing of what it may be for changes, so its version stays."""
    return replace(receipt, is_provisional=False)


def _allocated(receipt: Receipt, data: said.CashAllocated, fact: Envelope) -> Receipt:
    left = data.unallocated_minor
    return _worked(
        receipt,
        fact,
        state=REFERRED if left else DONE,
        unallocated_minor=left,
        matches=receipt.matches + 1,
        why="a part of it is allocated; the rest waits" if left else "",
        proposals=b"[]",
        gave_up=False,
    )


def _unallocated(receipt: Receipt, data: said.CashUnallocated, fact: Envelope) -> Receipt:
    why = f"a match was taken back: {data.reason}"
    return _worked(receipt, fact, state=REFERRED, unallocated_minor=data.unallocated_minor, why=why, proposals=b"[]")


def _referred(receipt: Receipt, data: said.CashReferred, fact: Envelope) -> Receipt:
    told = {"why": data.why, "proposals": encode_value(data.proposals), "gave_up": data.gave_up}
    return _worked(receipt, fact, state=REFERRED, unallocated_minor=data.unallocated_minor, **told)


def _retried(receipt: Receipt, data: said.CashRetried, fact: Envelope) -> Receipt:
    return _worked(receipt, fact, state=PENDING, why="it is matched once more", proposals=b"[]")


def _kept(receipt: Receipt, data: said.CashKeptOnAccount, fact: Envelope) -> Receipt:
    return _worked(receipt, fact, state=ON_ACCOUNT, why=data.reason, proposals=b"[]")


def _taken(receipt: Receipt, data: said.CashTaken, fact: Envelope) -> Receipt:
    """Whose it is changes nothing of what it may be for: its version stays."""
    return replace(receipt, owner=data.owner, note=data.note or receipt.note)


def _gone(receipt: Receipt, data: said.CashGivenBack | said.CashWithdrawn, fact: Envelope) -> Receipt:
    return _worked(receipt, fact, state=GONE, unallocated_minor=0, why=data.reason, proposals=b"[]")


def _proposed(receipt: Receipt, data: said.PayoutProposed, fact: Envelope) -> Receipt:
    return _touched(receipt, fact)


def _paid_back(
    receipt: Receipt, data: said.RefundOrdered | said.WrittenOff | said.CardIntended | said.ItemsOffset, fact: Envelope
) -> Receipt:
    return _less(receipt, fact, data.amount_minor)


def _came_back(
    receipt: Receipt, data: said.RefundReturned | said.WriteOffReversed | said.OffsetUndone, fact: Envelope
) -> Receipt:
    return _less(receipt, fact, -data.amount_minor)


def _charged_back(receipt: Receipt, data: said.CardChargedBack, fact: Envelope) -> Receipt:
    return _less(receipt, fact, data.taken_minor) if data.taken_minor else receipt


def _less(receipt: Receipt, fact: Envelope, minor: int) -> Receipt:
    """So much less of it is unallocated; what was done waits again when some of it comes back."""
    left = receipt.unallocated_minor - minor
    stands = DONE if not left else REFERRED if receipt.state == DONE else receipt.state
    return _touched(receipt, fact, unallocated_minor=left, state=stands)


def _in_hand(receipt: Receipt, lines: Sequence[said.AskedLine]) -> int:
    """What a request would take of it."""
    return -sum(line.settled_minor for line in lines if line.item == receipt.receipt and line.settled_minor < 0)


def _requested(receipt: Receipt, data: said.PostingRequested, fact: Envelope) -> Receipt:
    asked = _in_hand(receipt, data.lines)
    return _stands(receipt, fact, asked, 0, f"{data.kind} is asked of the ERP ({data.request})") if asked else receipt


def _closed(receipt: Receipt, data: said.RequestClosed, fact: Envelope) -> Receipt:
    asked = _in_hand(receipt, data.lines)
    why = f"the ERP declined {data.kind}: {data.reason}" if data.outcome == "declined" else "the ERP has answered"
    return _stands(receipt, fact, -asked, 0, why) if asked else receipt


def _posted(receipt: Receipt, data: said.PostingTaken, fact: Envelope) -> Receipt:
    moved = sum(line.settled_minor for line in data.clears if line.item == receipt.receipt)
    why = f"the ERP posted {data.document}"
    return _stands(receipt, fact, 0, -moved if data.reverses else moved, why)


def _stands(receipt: Receipt, fact: Envelope, asked: int, moved: int, why: str) -> Receipt:
    """As the ledger has it: a person looks where money of it is free, unless somebody said what of it is to be."""
    left, requested = receipt.unallocated_minor + moved, receipt.requested_minor + asked
    if left > requested:
        state = receipt.state if receipt.state in (GONE, ON_ACCOUNT) else REFERRED
    else:
        state = REQUESTED if left else GONE if receipt.state == GONE else DONE
    told = {"why": why, "proposals": b"[]", "gave_up": False}
    return _worked(receipt, fact, state=state, unallocated_minor=left, requested_minor=requested, **told)


_RECEIPTS: Mapping[type[Message], Callable[[Receipt, Any, Envelope], Receipt]] = {
    said.CashConfirmed: _final,
    said.CashAllocated: _allocated,
    said.CashUnallocated: _unallocated,
    said.CashReferred: _referred,
    said.CashRetried: _retried,
    said.CashKeptOnAccount: _kept,
    said.CashTaken: _taken,
    said.CashGivenBack: _gone,
    said.CashWithdrawn: _gone,
    said.PayoutProposed: _proposed,
    said.RefundOrdered: _paid_back,
    said.WrittenOff: _paid_back,
    said.CardIntended: _paid_back,
    said.ItemsOffset: _paid_back,
    said.RefundReturned: _came_back,
    said.WriteOffReversed: _came_back,
    said.OffsetUndone: _came_back,
    said.CardChargedBack: _charged_back,
    said.PostingRequested: _requested,
    said.RequestClosed: _closed,
    said.PostingTaken: _posted,
}
OF_RECEIPTS: tuple[type[Message], ...] = (said.CashReceived, *_RECEIPTS)


# --- bank entries ---------------------------------------------------------------------------------------------------


def landed_in(fact: Envelope) -> list[Entry]:
    """The entries that a part of a statement brings."""
    data = fact.data
    return [_landed(data, entry, fact) for entry in data.landed]


def _landed(data: said.StatementTaken, entry: BankEntry, fact: Envelope) -> Entry:
    return Entry(
        key=place(data.bank_account, entry.entry),
        bank_account=data.bank_account,
        entry=entry.entry,
        statement=data.statement,
        amount_minor=entry.amount_minor,
        currency=entry.currency,
        booked_on=entry.booked_on,
        value_on=entry.value_on,
        payer=entry.payer,
        payer_account=entry.payer_account,
        payer_bank=entry.payer_bank,
        reference=entry.reference,
        end_to_end=entry.end_to_end,
        servicer_reference=entry.servicer_reference,
        text=entry.text,
        lines=encode_value(entry.lines),
        code=entry.code,
        is_reversal=entry.is_reversal,
        is_charge=entry.is_charge,
        is_provisional=data.is_provisional,
        since=fact.time,
        sequence=int(fact.sequence),
    )


def names_of(fact: Envelope) -> Sequence[str]:
    """The bank entries that a fact is about, by their keys."""
    data = fact.data
    if isinstance(data, said.StatementTaken):
        return [place(data.bank_account, name) for name in (*(entry.entry for entry in data.landed), *data.confirmed)]
    return [place(data.bank_account, data.entry)]


def follow_entry(entry: Entry | None, fact: Envelope) -> Entry | None:
    """The bank entry after this fact; None when nothing of it changed. What a statement brings is `landed_in`."""
    if entry is None or int(fact.sequence) <= entry.sequence:
        return None
    return replace(_ENTRIES[type(fact.data)](entry, fact.data, fact), sequence=int(fact.sequence))


def _moved(entry: Entry, fact: Envelope, **changed: Any) -> Entry:
    by = getattr(fact.data, "by", "") or getattr(fact.data, "who", "") or fact.actorid
    return replace(entry, changed_by=by, changed_at=fact.time, since=fact.time, **changed)


def _confirmed(entry: Entry, data: said.StatementTaken, fact: Envelope) -> Entry:
    return replace(entry, is_provisional=False)


def _unrecognised(entry: Entry, data: said.CashUnrecognised, fact: Envelope) -> Entry:
    may_be = tuple(dict.fromkeys(each.account for each in data.candidates))
    return _moved(entry, fact, state=UNRECOGNISED, why=data.why, candidates=encode_value(data.candidates), may_be=may_be)


def _recognised(entry: Entry, data: said.CashRecognised, fact: Envelope) -> Entry:
    moved = _moved(entry, fact, state=RECOGNISED, account=data.payer_of, receipt=data.receipt, why="; ".join(data.evidence))
    return replace(moved, changed_by=data.who)


def _set_aside(entry: Entry, data: said.EntrySetAside, fact: Envelope) -> Entry:
    return _moved(entry, fact, state=SET_ASIDE, why=data.reason)


def _entry_taken(entry: Entry, data: said.EntryTaken, fact: Envelope) -> Entry:
    return replace(entry, owner=data.owner, note=data.note or entry.note)


def _dropped(entry: Entry, data: said.EntryDropped, fact: Envelope) -> Entry:
    return _moved(entry, fact, state=DROPPED, why=data.reason)


def _taken_back(entry: Entry, data: said.CashTakenBack, fact: Envelope) -> Entry:
    """Back in suspense. The account that gave it back stays named: it is the one that it is not from."""
    why = f"given back by {data.from_account}: {data.reason}"
    back = {"account": "", "receipt": "", "version": entry.version + 1}
    return _moved(entry, fact, state=UNRECOGNISED, **back, why=why, candidates=b"[]", may_be=(data.from_account,))


_ENTRIES: Mapping[type[Message], Callable[[Entry, Any, Envelope], Entry]] = {
    said.StatementTaken: _confirmed,
    said.CashUnrecognised: _unrecognised,
    said.CashRecognised: _recognised,
    said.EntrySetAside: _set_aside,
    said.EntryTaken: _entry_taken,
    said.EntryDropped: _dropped,
    said.CashTakenBack: _taken_back,
}
OF_ENTRIES: tuple[type[Message], ...] = tuple(_ENTRIES)
