"""The rows the ledger keeps, and the view of them that one message needs. Nothing here decides anything.

A view holds the items, accounts and entries that its message names, never all of an account: the cost of one message does not
grow with how much the account already has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from contracts import accounts as master
from contracts import claims
from contracts import payments as said
from contracts.envelope import derived_id
from contracts.message import Message
from contracts.payments import AdviceLine, AskedLine, BankEntry, Clears, Discount, Opens, Settle, Transfer, posting_of
from contracts.payments import home_of_bank as home_of_bank
from shared.rows import Key

INVOICE, DEBIT_NOTE, CREDIT_NOTE, RECEIPT = "invoice", "debit_note", "credit_note", "receipt"
DEBTS, CREDITS = (INVOICE, DEBIT_NOTE), (CREDIT_NOTE, RECEIPT)
DEBITS_AND_CREDITS = (INVOICE, DEBIT_NOTE, CREDIT_NOTE)
"""What is billed; a receipt comes from the bank only."""
PENDING, REFERRED, ON_ACCOUNT, DONE, GONE = "pending", "referred", "on_account", "done", "gone"
"""How a receipt stands: to be matched, at the cash desk, kept on account, allocated whole, given back or withdrawn."""
NEW, RECOGNISED, UNRECOGNISED, SET_ASIDE, DROPPED = "new", "recognised", "unrecognised", "set_aside", "dropped"
"""How a bank entry stands in suspense."""
ASKED, APPROVED, CARRIED_OUT, DECLINED, REVERSED, PAID = "asked", "approved", "carried_out", "declined", "reversed", "paid"
"""How a payout stands; a card payment begins as asked as well."""
REFUND, WRITE_OFF, WRITE_BACK, CARD_REFUND = "refund", "write_off", "write_back", "card_refund"
QUEUED, FILED, STOPPED = "queued", "filed", "stopped"
"""How a refund stands at our bank account: to be put into a file, in one, stopped; at last paid."""
OPEN, ANSWERED, CLOSED = "open", "answered", "closed"
"""How a request to the ERP stands: to be answered, answered, over; it may be declined as well."""
REQUESTED = "requested"
"""How a receipt or payout stands of which all is asked of the ERP."""
REFERENCE_MAX = 64


class BankDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an account wants to be paid; nothing is paid there before somebody else has called back (P10)."""

    iban: str
    holder: str
    by: str
    confirmed_by: str = ""


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`balance_minor` is the sum of all its items in base currency; `open_items` counts what is not settled.

    `statements` counts those issued, `stated_on` is the day of the last one. `statement_from`: the first day of which the next
    has something to tell, None while there is nothing; `moved_on`: the last day on which something moved.
    """

    account: str
    home: str = ""
    parent: str | None = None
    name: str = ""
    words_of_name: str = ""
    currency: str = ""
    payment_days: int | None = None
    po_required: bool = False
    portfolio: str = ""
    status: str = ""
    legal_entity: str = "main"
    statement_cadence: str = "standard"
    balance_minor: int = 0
    open_items: int = 0
    receipts: int = 0
    bank: BankDetails | None = None
    statements: int = 0
    stated_on: dt.date | None = None
    statement_from: dt.date | None = None
    moved_on: dt.date | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Debts positive, credits and receipts negative. `ref_key` is its number as it is looked up (`matching.lookup`).

    `discounted_minor` and `tolerated_minor` are what the matches that stand took of it as discount and, whether up or down,
    as difference.
    """

    item: str
    account: str
    home: str
    kind: str
    currency: str
    amount_minor: int
    open_minor: int
    base_minor: int
    open_base_minor: int
    document_on: dt.date
    due_on: dt.date
    ref_key: str = ""
    order: str | None = None
    po_number: str = ""
    reference: str = ""
    discounts: tuple[Discount, ...] = ()
    disputed_minor: int = 0
    paid_by: str = ""
    discounted_minor: int = 0
    tolerated_minor: int = 0
    requested_minor: int = 0

    @property
    def free_minor(self) -> int:
        """What is open and not asked of the ERP already, with the item's sign."""
        left = self.open_minor - self.requested_minor
        return max(left, 0) if self.amount_minor > 0 else min(left, 0)

    @property
    def open_home(self) -> str | None:
        """Set while it is open: the index of what may still be matched holds nothing else."""
        return self.home if self.open_minor else None


class Receipt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Cash of one account: what the bank told of it, and how far it is allocated. `version` counts what was done with it;
    `standing` are its matches that were not taken back; `taught` is the alias that was learned by recognising it."""

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
    standing: tuple[str, ...] = ()
    payer: str = ""
    payer_account: str = ""
    reference: str = ""
    end_to_end: str = ""
    text: str = ""
    lines: tuple[AdviceLine, ...] = ()
    charges_minor: int = 0
    is_provisional: bool = False
    owner: str = ""
    taught: str = ""
    requested_minor: int = 0
    asks: tuple[str, ...] = ()

    @property
    def free_minor(self) -> int:
        """What is unallocated and not asked of the ERP already."""
        return max(self.unallocated_minor - self.requested_minor, 0)

    @property
    def pending_home(self) -> str | None:
        return self.home if self.state == PENDING else None

    @property
    def waiting_home(self) -> str | None:
        """Set while money of it is unallocated and nobody said that it stays so."""
        return self.home if self.state == REFERRED else None


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one allocation did, so that it can be taken back exactly."""

    match: str
    account: str
    receipt: str
    lines: tuple[Settle, ...]
    allocated_minor: int
    base_minor: int
    taken_back: bool = False
    advice: str | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bank statement as far as it is in: `parts` taken, and the digest of its whole content."""

    key: str
    bank_account: str
    digest: str
    parts: tuple[int, ...]
    of: int
    is_provisional: bool = False
    closed_on: dt.date | None = None


class Landed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A bank entry: in suspense until it has an account or is set `aside`. `key`: `<bank account>/<entry>`."""

    key: str
    bank_account: str
    entry: BankEntry
    state: str = NEW
    is_provisional: bool = False
    account: str = ""
    account_home: str = ""
    receipt: str = ""
    rounds: int = 0
    aside: str = ""
    owner: str = ""

    @property
    def new_at(self) -> str | None:
        return self.bank_account if self.state == NEW else None


class Reported(msgspec.Struct, frozen=True, omit_defaults=True):
    """An entry of an intraday report: `confirmed` by its statement, or `dropped` because that does not have it."""

    entry: str
    booked_on: dt.date
    confirmed: bool = False
    dropped: bool = False

    @property
    def is_open(self) -> bool:
        return not (self.confirmed or self.dropped)


class Known(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Entries alike, by the bank's own reference, else by content: those of intraday reports in the order in which they came, and
    how many a statement brought itself (`stated`). `key`: `content_of`."""

    key: str
    bank_account: str
    reported: tuple[Reported, ...] = ()
    stated: int = 0

    @property
    def provisional_at(self) -> str | None:
        return self.bank_account if any(each.is_open for each in self.reported) else None

    @property
    def booked_on(self) -> dt.date:
        """The first day of one that no statement has had yet."""
        return min((each.booked_on for each in self.reported if each.is_open), default=dt.date.max)


class Advice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer's advice that waits for its payment; `receipt` is the one it explained."""

    advice: str
    account: str
    home: str
    amount_minor: int
    currency: str
    lines: tuple[AdviceLine, ...]
    payment_reference: str = ""
    paid_on: dt.date | None = None
    receipt: str = ""

    @property
    def open_account(self) -> str | None:
        return None if self.receipt else self.account


class Payout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refund, write-off or write-back that waits or was carried out. `base_minor` is what of the item's base amount it took."""

    request: str
    account: str
    kind: str
    item: str
    amount_minor: int
    currency: str
    reason: str
    by: str
    state: str = ASKED
    approved_by: str = ""
    base_minor: int = 0
    payment: str = ""
    bank_account: str = ""
    run: str = ""


class Outgoing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refund at the bank account that pays it: in one payment file at most, whatever is asked how often."""

    request: str
    bank_account: str
    of_account: str
    of_home: str
    of_item: str
    transfer: Transfer
    state: str = QUEUED
    file: str = ""
    file_at: dt.datetime | None = None

    @property
    def queued_at(self) -> str | None:
        return self.bank_account if self.state == QUEUED else None


class PaymentFile(msgspec.Struct, frozen=True, kw_only=True):
    """A payment file by its name: the same name never means other payments."""

    key: str
    digest: str
    refunds: tuple[str, ...]


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who pays for an account, as a person has taught (P6)."""

    alias: str
    account: str
    home: str
    kind: str
    value: str


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the acquirer is asked, under a key that it deduplicates by; a refund names the payout it carries out."""

    key: str
    action: str
    amount_minor: int
    token: str = ""
    request: str = ""
    item: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card payment: one question to the acquirer at a time (`asking`), and each of its answers counts once."""

    card: str
    payment: str
    account: str
    home: str
    amount_minor: int
    currency: str
    items: tuple[str, ...] = ()
    state: str = ASKED
    captured_minor: int = 0
    refunded_minor: int = 0
    charged_back_minor: int = 0
    intents: tuple[Intent, ...] = ()
    asking: str = ""
    outcomes: tuple[str, ...] = ()

    @property
    def asking_key(self) -> str | None:
        """Set while the acquirer's answer is not known: the executor asks for what is here."""
        return self.asking or None

    def intent(self, key: str) -> Intent | None:
        return next((each for each in self.intents if each.key == key), None)


class Period(msgspec.Struct, frozen=True):
    """The last day that takes no posting any more, of one partition."""

    partition: str
    closed_until: dt.date


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an entry, as it was posted; never changed."""

    line: str
    entry: str
    account: str
    kind: str
    ledger: str
    effective_on: dt.date
    known_at: dt.datetime
    amount_minor: int
    currency: str
    base_minor: int
    item: str | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to the ERP: what it has in hand until it is answered, and the posting that answered it."""

    request: str
    account: str
    kind: str
    answer_by: dt.date
    lines: tuple[AskedLine, ...] = ()
    receipt: str = ""
    payout: str = ""
    reverses: str = ""
    state: str = OPEN
    posting: str = ""
    base_minor: int = 0
    run: str = ""
    advice: str = ""


class Posted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A document of the ERP as it was taken: what it opened and cleared here, and what the request that it answers gave away.
    `asked_back`: the request to reverse it, by whom and when."""

    posting: str
    account: str
    document: str
    digest: str
    opens: tuple[Opens, ...] = ()
    clears: tuple[Clears, ...] = ()
    gave: tuple[AskedLine, ...] = ()
    reversed_by: str = ""
    asked_back: str = ""
    asked_by: str = ""
    asked_at: dt.datetime | None = None


class State(msgspec.Struct, frozen=True):
    """What one message needs; every dict maps the keys that the message names to rows. `matches`, `requests` and `ledger` only
    grow."""

    accounts: Mapping[str, Account | None] = {}
    items: Mapping[str, Item | None] = {}
    receipt: Receipt | None = None
    match: Match | None = None
    matches: Mapping[str, Match] = {}
    statement: Statement | None = None
    landed: Mapping[str, Landed | None] = {}
    known: Mapping[str, Known | None] = {}
    advice: Advice | None = None
    payout: Payout | None = None
    alias: Alias | None = None
    card: Card | None = None
    period: Period | None = None
    ledger: Mapping[str, Line] = {}
    outgoing: Mapping[str, Outgoing | None] = {}
    payment_file: PaymentFile | None = None
    request: Asked | None = None
    requests: Mapping[str, Asked] = {}
    postings: Mapping[str, Posted | None] = {}
    receipts: Mapping[str, Receipt | None] = {}


# --- names ----------------------------------------------------------------------------------------------------------


def short(*parts: str) -> str:
    """A reference made of others, or of their hash where that would be too long."""
    whole = "/".join(parts)
    return whole if len(whole) <= REFERENCE_MAX else derived_id(*parts)


def receipt_of(bank_account: str, entry: str, rounds: int = 0) -> str:
    """Short enough to be read out on the telephone; `rounds` counts how often it went back to suspense."""
    return f"RC-{derived_id('receipt', bank_account, entry, str(rounds))[:16].upper()}"


def payout_of(account: str, kind: str, key: str) -> str:
    """A request's name: of the bank's character set, and short enough (35) to be the end-to-end id of its payment."""
    return f"PO-{derived_id('payout', account, kind, key)[:16].upper()}"


def card_of(account: str, payment: str) -> str:
    return f"{account}/{payment}"


TAKEN_BACK = "taken_back"
"""Counted among a payment's outcomes when a chargeback has left the account, so that it leaves once."""


def outcome_of(key: str, outcome: str) -> str:
    """How one answer of the acquirer is counted once."""
    return f"{key}:{outcome}"


def receipt_of_card(account: str, payment: str) -> str:
    """The item that a card payment's money is."""
    return f"CP-{derived_id('card', account, payment)[:16].upper()}"


def place(bank_account: str, entry: str) -> str:
    return f"{bank_account}/{entry}"


def named(statement: str, entry: BankEntry) -> str:
    """An entry's name within its bank account."""
    return short(statement, entry.entry)


def alias_of(account: str, kind: str, value: str) -> str:
    return derived_id("alias", account, kind, value)


def content_of(bank_account: str, entry: BankEntry) -> str:
    """What an intraday report and its statement call the same entry: the bank's reference, else its content.

    Where a text's lines end says nothing of it: one format keeps them, another does not.
    """
    content = short(entry.servicer_reference) or derived_id(
        entry.value_on.isoformat(), str(entry.amount_minor), entry.payer_account, " ".join(entry.text.split())
    )
    return f"{bank_account}/{content}"


def alike_of(name: str) -> str:
    """The row of one of several entries alike, which is named `<row>/<its place>`."""
    return name.rpartition("/")[0]


# --- which rows a message needs ---------------------------------------------------------------------------------------

Keys = tuple[Key, ...]
FIELDS = State.__struct_fields__
_AT = {field: at for at, field in enumerate(FIELDS)}
_SEVERAL = ("accounts", "items", "matches", "landed", "known", "ledger", "outgoing", "requests", "postings", "receipts")
_NOTHING: tuple[Key, ...] = tuple(() if field in _SEVERAL else None for field in FIELDS)


def rows(message: Message, home: str, partition: int) -> Keys:
    """The key of every field of `State` for any message heard and any own fact. It depends on nothing else."""
    keys: list[Key] = list(_NOTHING)
    for field, key in _NEEDS[type(message)](message).items():
        keys[_AT[field]] = key
    keys[_AT["period"]] = str(partition)
    return tuple(keys)


Needs = Mapping[str, Key]


def _account(message: Any) -> Needs:
    return {"accounts": (message.account,)}


def _item(message: Any) -> Needs:
    return {"accounts": (message.account,), "items": (message.item,)}


def _lines(message: Any) -> Needs:
    """Accounts and items of a match; the receipt is an item as well."""
    items = dict.fromkeys((message.receipt, *(line.item for line in message.lines)))
    owners = dict.fromkeys((message.account, *(line.account or message.account for line in message.lines)))
    return {"accounts": tuple(owners), "items": tuple(items), "receipt": message.receipt}


def _allocated(message: Any) -> Needs:
    return {**_lines(message), "advice": message.advice}


def _match(message: said.UnallocateCash) -> Needs:
    """A match, or a posting of the ERP that cleared the account's items."""
    return {**_account(message), "match": message.match, "postings": (message.match,)}


def _withdrawn(message: said.WithdrawCash) -> Needs:
    names = (message.receipt, withdrawn_note_of(message.receipt))
    return {**_receipt(message), "items": names, "match": message.match}


def withdrawn_note_of(receipt: str) -> str:
    """What a receipt that the bank took back no longer had, as a debit note."""
    return short("RN", receipt)


def _taken_back(message: said.UndoMatch | said.CashUnallocated) -> Needs:
    return {**_allocated(message), "match": message.match}


def _received(message: said.ReceiveCash) -> Needs:
    return {**_receipt(message), "alias": alias_of(message.account, *taught(message.payer_account, message.payer))}


def taught(payer_account: str, payer: str) -> tuple[str, str]:
    """(kind, value) of what a person's choice teaches of a payer: the bank account, else the name (P6)."""
    return ("bank_account", payer_account) if payer_account else ("name", payer)


def _alias(message: Any) -> Needs:
    return {"accounts": (message.account,), "alias": message.alias}


def _learned(message: said.PayerLearned) -> Needs:
    return {**_alias(message), "receipt": message.receipt}


def _advice(message: Any) -> Needs:
    return {"accounts": (message.account,), "advice": message.advice}


def _receipt(message: Any) -> Needs:
    return {"accounts": (message.account,), "items": (message.receipt,), "receipt": message.receipt}


def _statement(message: said.TakeStatement) -> Needs:
    keys = tuple(dict.fromkeys(place(message.bank_account, named(message.statement, entry)) for entry in message.entries))
    known = tuple(dict.fromkeys(content_of(message.bank_account, entry) for entry in message.entries))
    return {"statement": place(message.bank_account, message.statement), "landed": keys, "known": known}


def _taken(message: said.StatementTaken) -> Needs:
    landed = tuple(place(message.bank_account, entry.entry) for entry in message.landed)
    contents = (content_of(message.bank_account, entry) for entry in message.landed)
    known = dict.fromkeys((*contents, *(alike_of(name) for name in message.confirms)))
    return {"statement": place(message.bank_account, message.statement), "landed": landed, "known": tuple(known)}


def _entry(message: Any) -> Needs:
    return {"landed": (place(message.bank_account, message.entry),)}


def _entries(message: said.ConfirmEntries | said.EntriesConfirmed) -> Needs:
    return {"landed": tuple(dict.fromkeys(place(message.bank_account, name) for name in message.entries))}


def _intraday(message: said.DropEntry | said.EntryDropped) -> Needs:
    return {**_entry(message), "known": (alike_of(message.content),)}


def _request(message: Any) -> Needs:
    return {"accounts": (message.account,), "payout": message.request}


def _payout(message: Any) -> Needs:
    """A request with its item, which may be a receipt as well."""
    return {**_request(message), "items": (message.item,), "receipt": message.item}


def _proposed(kind: str) -> Callable[[Any], Needs]:
    def needs(message: Any) -> Needs:
        name = payout_of(message.account, kind, message.key)
        return {"accounts": (message.account,), "items": (message.item,), "receipt": message.item, "payout": name}

    return needs


def _card_refund(message: said.RefundCardPayment) -> Needs:
    item = message.credit or receipt_of_card(message.account, message.payment)
    name = payout_of(message.account, CARD_REFUND, message.key)
    return {**_card(message), "items": (item,), "receipt": item, "payout": name}


def _card(message: Any) -> Needs:
    return {"accounts": (message.account,), "card": card_of(message.account, message.payment)}


def _intended(message: said.CardIntended) -> Needs:
    return _card(message) if message.request is None else _with_payout(message)


def _outcome(message: Any) -> Needs:
    receipt = receipt_of_card(message.account, message.payment)
    return {**_card(message), "items": (receipt,), "receipt": receipt}


def _by_card(message: said.SettleByCard) -> Needs:
    return {"accounts": (message.account,), "items": (message.receipt, *message.items), "receipt": message.receipt}


def _with_payout(message: Any) -> Needs:
    return {**_card(message), **_payout(message)}


def _charged_back(message: said.TakeBackCard) -> Needs:
    names = (message.receipt, debit_note_of(message.key))
    return {**_card(message), "items": names, "receipt": message.receipt, "match": message.match}


def _card_taken(message: said.CardChargedBack) -> Needs:
    return {**_card(message), "receipt": message.receipt}


def debit_note_of(key: str) -> str:
    """What a chargeback claims beyond what its receipt still has."""
    return short("CB", key)


def _offset(message: Any) -> Needs:
    """The credit and the debts; the credit may be a receipt."""
    names = dict.fromkeys((message.credit, *(line.item for line in message.lines)))
    return {"accounts": (message.account,), "items": tuple(names), "receipt": message.credit}


def _offset_named(message: said.UndoOffset) -> Needs:
    return {"match": message.offset}


def _offset_back(message: Any) -> Needs:
    return {**_offset(message), "match": message.offset}


def _queued(message: Any) -> Needs:
    return {"outgoing": (message.transfer.request,)}


def _out(message: Any) -> Needs:
    return {"outgoing": (message.request,)}


def _file(message: Any) -> Needs:
    refunds = (each.request if isinstance(each, Transfer) else each for each in message.refunds)
    return {"outgoing": tuple(dict.fromkeys(refunds)), "payment_file": place(message.bank_account, message.file)}


def _paid_out(message: Any) -> Needs:
    return {**_entry(message), **_out(message)}


# --- the ERP's ledger -------------------------------------------------------------------------------------------------


def names_of(line: Opens | Clears) -> tuple[str, ...]:
    """What an item of the ERP may be called here: by its number; a receipt of ours by the id of its request."""
    found = dict.fromkeys((line.item, *((line.reference, f"RC-{line.reference}") if line.reference else ())))
    return tuple(name for name in found if len(name) <= REFERENCE_MAX)


def request_of_receipt(receipt: str) -> str:
    """Of 16 characters, and found again from it (`names_of`)."""
    return receipt.removeprefix("RC-")


def request_of(*parts: str) -> str:
    """16 characters: SAP's reference field has no more."""
    return derived_id("request", *parts)[:16].upper()


def _of_erp(message: Any) -> Needs:
    """The document's items under all their names, its own earlier coming, and the document that it reverses."""
    lines = (*message.opens, *message.clears)
    names = tuple(dict.fromkeys(name for line in lines for name in names_of(line)))
    owners = dict.fromkeys((message.account, *(line.account or message.account for line in lines)))
    own = posting_of(message.company_code, message.document, message.account)
    return {"accounts": tuple(owners), "items": names, "receipts": names, "postings": (own,), "request": message.answers}


def _posting(message: said.TakePosting) -> Needs:
    own = posting_of(message.company_code, message.document, message.account)
    other = posting_of(message.company_code, message.reverses, message.account) if message.reverses else own
    return {**_of_erp(message), "postings": tuple(dict.fromkeys((own, other)))}


def _posting_back(message: said.TakeBackPosting | said.PostingTaken) -> Needs:
    """A receipt that the bank took back meanwhile is stood for by its debit note."""
    own = posting_of(message.company_code, message.document, message.account)
    needs = dict(_of_erp(message))
    if message.reverses:
        notes = (withdrawn_note_of(line.item) for line in message.clears)
        given = (line.item for line in message.gave)
        needs["items"] = tuple(dict.fromkeys((*needs["items"], *notes, *given)))  # type: ignore[misc]
        needs["postings"] = (own, message.reverses)
    return needs


def _asked(message: said.PostingRequested | said.RequestClosed | said.CloseRequest) -> Needs:
    owners = dict.fromkeys((message.account, *(line.account for line in message.lines)))
    return {
        "accounts": tuple(owners),
        "items": tuple(dict.fromkeys(line.item for line in message.lines)),
        "receipt": message.receipt,
        "payout": message.payout,
        "advice": message.advice,
        "postings": (message.reverses,) if message.reverses else (),
    }


def _ending(message: said.RequestClosed | said.CloseRequest) -> Needs:
    return {**_asked(message), "request": message.request}


def _answered(message: said.DeclinePosting) -> Needs:
    return {"accounts": (message.account,), "request": message.request}


def _nothing(message: Any) -> Needs:
    return {}


_NEEDS: dict[type[Message], Callable[[Any], Needs]] = {
    master.AccountOpened: _account,
    master.TermsChanged: _account,
    master.AccountRenamed: _account,
    master.StatusChanged: _account,
    master.PlacedOnStop: _account,
    master.TakenOffStop: _account,
    master.AccountTerminated: _account,
    claims.ClaimOpened: _nothing,
    claims.ClaimSettled: _nothing,
    said.LedgerNoted: _account,
    said.IssueStatement: _account,
    said.StatementIssued: _account,
    said.PostItem: _item,
    said.ItemPosted: _item,
    said.ItemSettled: _item,
    said.BillingErrorFound: _nothing,
    said.EntryPosted: _account,
    said.ClosePeriod: _nothing,
    said.PeriodClosed: _nothing,
    said.CommandRefused: _nothing,
    said.CommandUnneeded: _nothing,
    said.TakeStatement: _statement,
    said.StatementTaken: _taken,
    said.ConfirmEntries: _entries,
    said.EntriesConfirmed: _entries,
    said.StatementRepeated: _nothing,
    said.StatementRefused: _nothing,
    said.RecogniseCash: _entry,
    said.CashRecognised: _entry,
    said.CashUnrecognised: _entry,
    said.SetAsideEntry: _entry,
    said.EntrySetAside: _entry,
    said.TakeEntry: _entry,
    said.EntryTaken: _entry,
    said.DropEntry: _intraday,
    said.EntryDropped: _intraday,
    said.TakeBackCash: _entry,
    said.CashTakenBack: _entry,
    said.ReceiveCash: _received,
    said.CashReceived: _receipt,
    said.ConfirmCash: _receipt,
    said.CashConfirmed: _receipt,
    said.AllocateCash: _allocated,
    said.CashAllocated: _allocated,
    said.ReferCash: _receipt,
    said.CashReferred: _receipt,
    said.KeepOnAccount: _receipt,
    said.CashKeptOnAccount: _receipt,
    said.TakeCash: _receipt,
    said.CashTaken: _receipt,
    said.RetryCash: _receipt,
    said.CashRetried: _receipt,
    said.GiveBackCash: _receipt,
    said.CashGivenBack: _receipt,
    said.WithdrawCash: _withdrawn,
    said.CashWithdrawn: _receipt,
    said.UnallocateCash: _match,
    said.UndoMatch: _taken_back,
    said.CashUnallocated: _taken_back,
    said.ShortPaid: _nothing,
    said.ForgetPayer: _alias,
    said.PayerLearned: _learned,
    said.PayerForgotten: _alias,
    said.TakeAdvice: _advice,
    said.AdviceTaken: _advice,
    said.NoteBankDetails: _account,
    said.BankDetailsNoted: _account,
    said.ConfirmBankDetails: _account,
    said.BankDetailsConfirmed: _account,
    said.ProposeRefund: _proposed(REFUND),
    said.ProposeWriteOff: _proposed(WRITE_OFF),
    said.SweepBalance: _proposed(WRITE_OFF),
    said.PayoutProposed: _payout,
    said.ApprovePayout: _request,
    said.PayoutApproved: _request,
    said.DeclinePayout: _request,
    said.PayoutDeclined: _request,
    said.CarryOutPayout: _payout,
    said.CarryOutCardRefund: _with_payout,
    said.RefundOrdered: _payout,
    said.WrittenOff: _payout,
    said.ReverseWriteOff: _request,
    said.TakeBackPayout: _payout,
    said.WriteOffReversed: _payout,
    said.NoteRefundPaid: _request,
    said.RefundPaid: _request,
    said.ReturnRefund: _payout,
    said.RefundReturned: _payout,
    said.QueueRefund: _queued,
    said.RefundQueued: _queued,
    said.MakePaymentFile: _file,
    said.GatherRefunds: _file,
    said.PaymentFileMade: _file,
    said.ConfirmPaidOut: _paid_out,
    said.PaidOutConfirmed: _paid_out,
    said.ReopenPaidOut: _paid_out,
    said.PaidOutReopened: _out,
    said.StopRefund: _out,
    said.RefundStopped: _out,
    said.OffsetItems: _offset,
    said.ItemsOffset: _offset,
    said.UndoOffset: _offset_named,
    said.TakeBackOffset: _offset_back,
    said.OffsetUndone: _offset_back,
    said.TakeCardPayment: _card,
    said.RefundCardPayment: _card_refund,
    said.CardIntended: _intended,
    said.NoteCardOutcome: _outcome,
    said.CardOutcomeNoted: _card,
    said.SettleByCard: _by_card,
    said.ReturnCardRefund: _with_payout,
    said.TakeBackCard: _charged_back,
    said.CardChargedBack: _card_taken,
    said.PostingRequested: _asked,
    said.TakePosting: _posting,
    said.TakeBackPosting: _posting_back,
    said.PostingTaken: _posting_back,
    said.DeclinePosting: _answered,
    said.CloseRequest: _ending,
    said.RequestClosed: _ending,
}
"""Every message heard and every own fact, literally."""
