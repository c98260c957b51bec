"""Messages of the receivables ledger (P): items, cash from the bank, what it was matched to, and the entries behind it all.

Cash lives first in the stream of the bank account that it came to (home `bank/<account>`), until its payer is recognised; then
a command carries it to the account's own stream. Amounts are minor units of the item's currency; `base` is the ledger's own.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

from contracts.message import Command, Fact
from contracts.words import Amount, Count, Currency, Day, Instant, Minor, Percent, Reference, Text, Word

BANK_HOME = "bank/"
"""Prefix of the home of a bank account's stream."""
HOME_MAX = 64
"""Longest home: a `Reference`."""
LEDGER = "ledger"
"""Stands for an account where a wish is about the whole ledger."""
ENTRIES_MAX = 200
"""Bank entries of one part of a statement: with all their text they fit one message."""
LINES_MAX = 2_000
"""Lines of one advice or one match: what a large key account pays at once, and fits one message."""
PROPOSALS_MAX = 8
"""Answers shown to a person for one receipt: more are no help."""
BankText = Annotated[str, Meta(max_length=2_000)]
"""What a bank passes on of a payment; a newline stands where a line of it ended."""
Name = Annotated[str, Meta(max_length=140)]
"""A party as a bank names it."""
Code = Annotated[str, Meta(max_length=140)]
"""What others number or code their things with; may be empty."""
Notes = Annotated[tuple[Text, ...], Meta(max_length=40)]
"""Short statements of what something rests on, to be read by a person."""


def home_of_bank(bank_account: str) -> str:
    """The home of a bank account's stream, where its entries wait until they have an account."""
    return f"{BANK_HOME}{bank_account}"[:HOME_MAX]


def posting_of(company_code: str, document: str, account: str) -> str:
    """The name of an ERP's document in an account's book, its identity for ever; a digest where that would be too long."""
    whole = f"{company_code}/{document}/{account}"
    return whole if len(whole) <= HOME_MAX else hashlib.sha256(whole.encode()).hexdigest()


class Covers(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an invoice that bills one order: it leaves unbilled deliveries as it enters open items (F1)."""

    order: Reference
    amount_minor: Amount


class Discount(msgspec.Struct, frozen=True):
    """Of an invoice paid by this day so many basis points (hundredths of a percent) may be deducted."""

    until_on: Day
    basis_points: Annotated[int, Meta(ge=0, le=10_000)]


class ItemPosted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An open item: invoice or debit note positive; credit note or receipt (unallocated cash) negative.

    `home`: the credit group, told where the account was not known yet when it was billed. `posting`: the ERP's document that
    opened it.
    """

    account: Reference
    item: Reference
    kind: Word
    amount_minor: Minor
    currency: Currency
    document_on: Day
    due_on: Day
    covers: tuple[Covers, ...] = ()
    base_minor: Minor | None = None
    order: Reference | None = None
    po_number: Code = ""
    reference: Code = ""
    discounts: tuple[Discount, ...] = ()
    entry: Reference | None = None
    home: Reference | None = None
    posting: Reference | None = None


class ItemSettled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`settled_minor` has the item's sign, and the other one where a settlement is taken back; `due_on` repeats the item's due
    date, so that no reader must keep the item. `by` is the match, write-off, refund or offset that did it."""

    account: Reference
    item: Reference
    kind: Word
    settled_minor: Minor
    open_minor: Minor
    due_on: Day
    by: Reference | None = None
    base_minor: Minor | None = None


class SoftCreditConfirmed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A provisional credit that counts against exposure until its credit note is posted (M10, F1)."""

    account: Reference
    credit: Reference
    amount_minor: Amount


class SoftCreditEnded(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Posted as a credit note, or reversed: it counts no more."""

    account: Reference
    credit: Reference
    amount_minor: Amount


# --- the ledger -----------------------------------------------------------------------------------------------------


class Posting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of an entry: debit positive. `ledger` is a ledger account of the chart; `item` on lines of receivables only."""

    ledger: Word
    amount_minor: Minor
    currency: Currency
    base_minor: Minor
    item: Reference | None = None


class EntryPosted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A double entry of one account's sub-ledger: its lines sum to zero in base currency. `reverses` is an earlier entry."""

    account: Reference
    entry: Reference
    kind: Word
    effective_on: Day
    lines: tuple[Posting, ...]
    reverses: Reference | None = None
    text: Text = ""


class PostItem(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Enter an invoice, debit note or credit note (P2). `amount_minor` is never negative: the kind says what it does.

    `due_on` left out: by the account's terms. `base_minor` left out: by the policy's rate of the document's day.
    """

    account: Reference
    item: Reference
    kind: Word
    amount_minor: Amount
    currency: Currency
    document_on: Day
    due_on: Day | None = None
    covers: tuple[Covers, ...] = ()
    base_minor: Amount | None = None
    order: Reference | None = None
    po_number: Code = ""
    reference: Code = ""
    discounts: tuple[Discount, ...] = ()
    text: Text = ""


class BillingErrorFound(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice does not fit how its account is set up: counted by `cause` (P2). `posted`: it was entered all the same."""

    account: Reference
    item: Reference
    cause: Word
    detail: Text
    posted: bool


class LedgerNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What the ledger has learned of an account from the credit master; only what was told is set."""

    account: Reference
    home: Reference | None = None
    parent: Reference | None = None
    name: Text | None = None
    currency: Currency | None = None
    payment_days: Count | None = None
    po_required: bool | None = None
    portfolio: Reference | None = None
    status: Word | None = None
    legal_entity: Reference | None = None
    statement_cadence: Word | None = None


class IssueStatement(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own word at the account's timer: its statement is due (P13). Which one follows from the account's row."""

    account: Reference


class StatementIssued(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An account's statement of this day, `as_of`, the last of its month or week (P13). `number` counts per account.

    `since`: the day of the one before, None for the first; the period is what lies behind it. It names the paper: the figures are
    those of the ledger as of that day, as it was known then.
    """

    account: Reference
    number: Count
    cadence: Word
    as_of: Day
    since: Day | None = None


class ClosePeriod(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing is posted into this month (its first day) or an earlier one any more, in this partition of the ledger (P14).

    Wished once, of `LEDGER`; the gateway tells every partition.
    """

    account: Reference
    month: Day
    partition: Count = 0


class PeriodClosed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`until_on` is the last day that takes no posting."""

    account: Reference
    month: Day
    until_on: Day
    partition: Count = 0
    by: Text = ""


class CommandRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A wish that cannot be met: `reason` is a word a program can test, `detail` says what, where and how to mend it.

    `item` names the receipt, item, match or request it was about.
    """

    account: Reference
    reason: Word
    detail: Text
    item: Reference | None = None


class CommandUnneeded(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """It is so already; nothing changed."""

    account: Reference
    item: Reference | None = None


# --- from the bank --------------------------------------------------------------------------------------------------


class AdviceLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a payer's advice: this document, so much paid, so much deducted by the payer and why."""

    reference: Code
    amount_minor: Minor
    taken_minor: Minor = 0
    discount_minor: Minor = 0
    reason: Code = ""
    document_on: Day | None = None


class BankEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of a bank statement: money in positive. `entry` names it within its statement (P3).

    `reference` is a structured creditor reference; `instructed_minor` what the payer sent, where charges or a change of currency
    made it another amount.
    """

    entry: Reference
    amount_minor: Minor
    currency: Currency
    booked_on: Day
    value_on: Day
    code: Code = ""
    is_reversal: bool = False
    is_charge: bool = False
    payer: Name = ""
    payer_account: Code = ""
    payer_bank: Code = ""
    reference: Code = ""
    end_to_end: Code = ""
    servicer_reference: Code = ""
    text: BankText = ""
    lines: Annotated[tuple[AdviceLine, ...], Meta(max_length=LINES_MAX)] = ()
    instructed_minor: Amount = 0
    instructed_currency: Code = ""
    charges_minor: Amount = 0


class TakeStatement(Command, frozen=True, kw_only=True, omit_defaults=True):
    """One part of a bank statement whose sums were found right as a whole (P3). Home: `bank/<bank_account>`.

    `is_provisional`: an intraday report, until the day's statement replaces it. `digest` is of the whole statement's content.
    """

    bank_account: Reference
    statement: Reference
    part: Count
    parts: Count
    currency: Currency
    digest: Reference
    entries: Annotated[tuple[BankEntry, ...], Meta(max_length=ENTRIES_MAX)]
    opening_minor: Minor | None = None
    closing_minor: Minor | None = None
    opened_on: Day | None = None
    closed_on: Day | None = None
    is_provisional: bool = False
    format: Word = "statement"


class StatementTaken(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """One part of a statement is in the books: `landed` are new, `confirmed` were known from an intraday report.

    `confirms` names those by their content and their place among entries alike. `contents` is not said any more: what an intraday
    report landed, by content.
    """

    bank_account: Reference
    statement: Reference
    part: Count
    parts: Count
    currency: Currency
    digest: Reference
    landed: tuple[BankEntry, ...] = ()
    confirmed: tuple[Reference, ...] = ()
    confirms: tuple[Name, ...] = ()
    contents: tuple[Name, ...] = ()
    opening_minor: Minor | None = None
    closing_minor: Minor | None = None
    closed_on: Day | None = None
    is_provisional: bool = False
    format: Word = "statement"


class ConfirmEntries(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of a statement: these entries of intraday reports are in it, and so are final."""

    bank_account: Reference
    entries: Annotated[tuple[Reference, ...], Meta(max_length=ENTRIES_MAX)]


class EntriesConfirmed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """They are provisional no more, wherever their money is by now."""

    bank_account: Reference
    entries: tuple[Reference, ...]


class StatementRepeated(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The same part of the same statement came again; nothing changed."""

    bank_account: Reference
    statement: Reference
    part: Count


class StatementRefused(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A statement of this name is known with other content; nothing of this one is booked."""

    bank_account: Reference
    statement: Reference
    part: Count
    reason: Word
    detail: Text


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account that may have paid, and why."""

    account: Reference
    home: Reference
    why: Text


class RecogniseCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The account that this entry is from (P5): found by the service itself, or said by a person (`learn`: for the future too).

    `account` left out: nobody could be found; `candidates` may have paid. `version` is of the entry, as the sender saw it: how
    often it has come back to suspense; another one by now is refused.
    """

    bank_account: Reference
    entry: Reference
    account: Reference | None = None
    account_home: Reference | None = None
    by: Word = "person"
    evidence: Notes = ()
    candidates: Annotated[tuple[Candidate, ...], Meta(max_length=PROPOSALS_MAX)] = ()
    learn: bool = False
    reason: Text = ""
    version: Count | None = None


class CashRecognised(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An entry has its account; its money is in transit to that account's stream."""

    bank_account: Reference
    entry: Reference
    receipt: Reference
    payer_of: Reference
    payer_home: Reference
    amount_minor: Minor
    currency: Currency
    by: Word
    evidence: Notes = ()
    who: Text = ""


class CashUnrecognised(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Nobody knows yet whose money this is: it waits in suspense for a person."""

    bank_account: Reference
    entry: Reference
    amount_minor: Minor
    currency: Currency
    booked_on: Day
    why: Text
    payer: Name = ""
    text: BankText = ""
    candidates: tuple[Candidate, ...] = ()


class SetAsideEntry(Command, frozen=True, kw_only=True, omit_defaults=True):
    """This entry is nobody's payment: a charge, interest, a transfer between our own accounts."""

    bank_account: Reference
    entry: Reference
    ledger: Word
    reason: Text


class EntrySetAside(Fact, frozen=True, kw_only=True, omit_defaults=True):
    bank_account: Reference
    entry: Reference
    ledger: Word
    amount_minor: Minor
    currency: Currency
    reason: Text
    by: Text = ""


class TakeEntry(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody owns this entry in suspense, and finds out whose it is (P7)."""

    bank_account: Reference
    entry: Reference
    owner: Reference
    note: Text = ""


class EntryTaken(Fact, frozen=True, kw_only=True, omit_defaults=True):
    bank_account: Reference
    entry: Reference
    owner: Reference
    note: Text = ""
    by: Text = ""


# --- cash on an account ---------------------------------------------------------------------------------------------


class ReceiveCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Cash arrives at the stream of the account that paid it."""

    account: Reference
    receipt: Reference
    amount_minor: Amount
    currency: Currency
    received_on: Day
    bank_account: Reference
    bank_entry: Reference
    payer: Name = ""
    payer_account: Code = ""
    reference: Code = ""
    end_to_end: Code = ""
    text: BankText = ""
    lines: Annotated[tuple[AdviceLine, ...], Meta(max_length=LINES_MAX)] = ()
    charges_minor: Amount = 0
    is_provisional: bool = False
    learned: bool = False
    by: Word = "person"


class CashReceived(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A receipt stands on the account, unallocated: an item of kind `receipt` with a negative amount says so to others."""

    account: Reference
    receipt: Reference
    amount_minor: Amount
    currency: Currency
    received_on: Day
    bank_account: Reference
    bank_entry: Reference
    payer: Name = ""
    payer_account: Code = ""
    reference: Code = ""
    end_to_end: Code = ""
    text: BankText = ""
    lines: Annotated[tuple[AdviceLine, ...], Meta(max_length=LINES_MAX)] = ()
    charges_minor: Amount = 0
    is_provisional: bool = False
    by: Word = "person"


class ConfirmCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own, from the bank account's stream: the statement has what this receipt is."""

    account: Reference
    receipt: Reference


class CashConfirmed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An intraday report brought this receipt, and its statement has it: it is provisional no more."""

    account: Reference
    receipt: Reference


class Settle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a match does to one item. `settled = paid + discount + difference`, all with the item's sign.

    `residual_minor` stays open as short paid, with the payer's `reason`. `account`: another one of the group, where it is not
    the receipt's own. `base_minor`: what of the item's base amount it closes; left out by the sender, filled in by the ledger.
    """

    item: Reference
    settled_minor: Minor
    paid_minor: Minor
    discount_minor: Minor = 0
    difference_minor: Minor = 0
    residual_minor: Minor = 0
    reason: Code = ""
    account: Reference | None = None
    base_minor: Minor | None = None


class Alternative(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Another answer that was looked at: which items, and why not."""

    items: tuple[Reference, ...]
    why: Text


class Proposal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer for a person to choose, best first: what it would settle, and what speaks for it."""

    lines: tuple[Settle, ...]
    proof: Word
    score: Percent
    why: Notes = ()


class AllocateCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Settle these items with this receipt (P6): found by the service itself, or chosen by a person.

    `version`: of the receipt, as the sender saw it; another one by now is refused, so that of two clerks the second is told.
    """

    account: Reference
    receipt: Reference
    lines: Annotated[tuple[Settle, ...], Meta(max_length=LINES_MAX)]
    proof: Word = "person"
    score: Percent = 100
    evidence: Notes = ()
    rejected: Annotated[tuple[Alternative, ...], Meta(max_length=PROPOSALS_MAX)] = ()
    version: Count | None = None
    reason: Text = ""
    advice: Reference | None = None


class ReferCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service itself found no single answer for this receipt: a person decides among these."""

    account: Reference
    receipt: Reference
    why: Text
    proposals: Annotated[tuple[Proposal, ...], Meta(max_length=PROPOSALS_MAX)] = ()
    gave_up: bool = False


class CashAllocated(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A match with its evidence and the alternatives that were rejected; each item's own fact follows."""

    account: Reference
    receipt: Reference
    match: Reference
    lines: tuple[Settle, ...]
    proof: Word
    score: Percent
    allocated_minor: Amount
    unallocated_minor: Amount
    effective_on: Day
    base_minor: Minor = 0
    evidence: Notes = ()
    rejected: tuple[Alternative, ...] = ()
    by: Text = ""
    reason: Text = ""
    advice: Reference | None = None


class CashReferred(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """This receipt waits at the cash desk, with what could be meant."""

    account: Reference
    receipt: Reference
    why: Text
    unallocated_minor: Amount
    proposals: tuple[Proposal, ...] = ()
    gave_up: bool = False


class UnallocateCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Take a match back: new entries restore what was so before it. `version`: of its receipt, as the sender saw it."""

    account: Reference
    match: Reference
    reason: Text
    version: Count | None = None


class UndoMatch(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of taking a match back: it names the items. `withdraw`: the receipt goes as well."""

    account: Reference
    receipt: Reference
    match: Reference
    lines: tuple[Settle, ...]
    reason: Text
    withdraw: bool = False
    advice: Reference | None = None
    version: Count | None = None


class CashUnallocated(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The match is taken back: its items are open again, its receipt has its money, its `advice` waits for a payment again."""

    account: Reference
    receipt: Reference
    match: Reference
    lines: tuple[Settle, ...]
    unallocated_minor: Amount
    effective_on: Day
    reason: Text
    by: Text = ""
    advice: Reference | None = None


class KeepOnAccount(Command, frozen=True, kw_only=True, omit_defaults=True):
    """This receipt stays as it is, as the payer's money on account; nothing is proposed for it any more (P7)."""

    account: Reference
    receipt: Reference
    reason: Text
    version: Count | None = None


class CashKeptOnAccount(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    receipt: Reference
    unallocated_minor: Amount
    reason: Text
    by: Text = ""


class TakeCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody owns this unallocated receipt and chases it (P7)."""

    account: Reference
    receipt: Reference
    owner: Reference
    note: Text = ""


class CashTaken(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    receipt: Reference
    owner: Reference
    note: Text = ""
    by: Text = ""


class RetryCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: something came that may explain receipts that wait (an advice, an invoice), or their group
    was parked when it was their turn."""

    account: Reference
    receipt: Reference


class CashRetried(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The receipt is matched once more."""

    account: Reference
    receipt: Reference


class GiveBackCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """This receipt is not this account's: all of it goes back to suspense, and what it taught of its payer is forgotten.

    `version`: of the receipt, as the sender saw it.
    """

    account: Reference
    receipt: Reference
    reason: Text
    version: Count | None = None


class CashGivenBack(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    receipt: Reference
    amount_minor: Amount
    currency: Currency
    bank_account: Reference
    bank_entry: Reference
    reason: Text
    by: Text = ""


class TakeBackCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A receipt comes back to the suspense stream of its bank account; `reason` says why it was not that account's."""

    bank_account: Reference
    entry: Reference
    receipt: Reference
    from_account: Reference
    reason: Text


class CashTakenBack(Fact, frozen=True, kw_only=True, omit_defaults=True):
    bank_account: Reference
    entry: Reference
    receipt: Reference
    from_account: Reference
    amount_minor: Minor
    currency: Currency
    reason: Text


class ShortPaid(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An invoice was paid below what is open, and the payer says or shows why: the rest stays open, and becomes a claim (C1)."""

    account: Reference
    item: Reference
    receipt: Reference
    match: Reference
    short_minor: Amount
    open_minor: Amount
    currency: Currency
    due_on: Day
    reason: Code = ""
    cause: Word = "other"


class WithdrawCash(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The bank took this receipt back (returned, or only ever in an intraday report): what it settled is open again.

    `match`: the service's own next step, which takes this one of its matches back first.
    """

    account: Reference
    receipt: Reference
    reason: Text
    match: Reference | None = None


class CashWithdrawn(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    receipt: Reference
    amount_minor: Amount
    currency: Currency
    reason: Text


class DropEntry(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: the statement of its day is in and does not have this intraday entry.

    `content` names it as `StatementTaken.confirms` does.
    """

    bank_account: Reference
    entry: Reference
    content: Name
    reason: Text


class EntryDropped(Fact, frozen=True, kw_only=True, omit_defaults=True):
    bank_account: Reference
    entry: Reference
    content: Name
    amount_minor: Minor
    currency: Currency
    reason: Text


class PayerLearned(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A person's choice teaches (P6): this bank account or name pays for this account from now on. `receipt` taught it."""

    account: Reference
    alias: Reference
    kind: Word
    value: Name
    by: Text = ""
    receipt: Reference | None = None


class ForgetPayer(Command, frozen=True, kw_only=True, omit_defaults=True):
    """What was learned was wrong: said by a person, or the service's own step of giving back the cash that taught it."""

    account: Reference
    alias: Reference
    reason: Text


class PayerForgotten(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    alias: Reference
    reason: Text
    by: Text = ""


# --- advices --------------------------------------------------------------------------------------------------------


class TakeAdvice(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A customer says what a payment is for (P4), before or after it comes."""

    account: Reference
    advice: Reference
    amount_minor: Amount
    currency: Currency
    lines: Annotated[tuple[AdviceLine, ...], Meta(max_length=LINES_MAX)]
    paid_on: Day | None = None
    payment_reference: Code = ""
    payer: Name = ""
    format: Word = "advice"


class AdviceTaken(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    advice: Reference
    amount_minor: Amount
    currency: Currency
    lines: Annotated[tuple[AdviceLine, ...], Meta(max_length=LINES_MAX)]
    paid_on: Day | None = None
    payment_reference: Code = ""
    payer: Name = ""
    format: Word = "advice"


# --- money out, given up, set off -----------------------------------------------------------------------------------

FILE_REFUNDS_MAX = 200
"""Refunds of one payment file: with their names and bank details they fit one message."""


class NoteBankDetails(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Where this account wants to be paid. New details pay nothing before a call-back has confirmed them (P10)."""

    account: Reference
    iban: Code
    holder: Name
    reason: Text


class BankDetailsNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """They pay nothing yet: somebody else calls the customer back on a number known before. `levels` may confirm them then,
    lowest first (A6); none were told before November 2026."""

    account: Reference
    iban: Code
    holder: Name
    reason: Text
    by: Text = ""
    levels: tuple[Word, ...] = ()


class ConfirmBankDetails(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody else called the customer back on a number known before, and these details are right."""

    account: Reference
    iban: Code
    called: Name
    reason: Text


class BankDetailsConfirmed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    iban: Code
    called: Name
    by: Text = ""


class ProposeRefund(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Pay this receipt or credit note back, whole or in part (P7, P10). `key` is the sender's own: said twice, it counts once.

    `version`: of the receipt, as the sender saw it.
    """

    account: Reference
    key: Reference
    item: Reference
    amount_minor: Amount
    reason: Text
    evidence: Text = ""
    version: Count | None = None


class ProposeWriteOff(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Take an open amount to profit and loss: a debt is written off, an unclaimed credit written back (P11)."""

    account: Reference
    key: Reference
    item: Reference
    amount_minor: Amount
    reason: Text
    evidence: Text = ""


class SweepBalance(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: what is open of this item is small and old (P11). Checked again by the policy of the day."""

    account: Reference
    item: Reference
    key: Reference


class PayoutProposed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A refund, write-off or write-back waits for somebody else: `levels` may approve it, lowest first (A6).

    `payment`: the card payment that a card refund goes back to.
    """

    account: Reference
    request: Reference
    kind: Word
    item: Reference
    amount_minor: Amount
    currency: Currency
    reason: Text
    levels: tuple[Word, ...]
    evidence: Text = ""
    by: Text = ""
    payment: Reference | None = None


class ApprovePayout(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Let it happen, within the approver's authority; nobody approves their own (A6)."""

    account: Reference
    request: Reference
    reason: Text = ""


class PayoutApproved(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """It is carried out next. `by` a person, or the version of the policy that approves small balances."""

    account: Reference
    request: Reference
    by: Text
    role: Text = ""
    reason: Text = ""


class CarryOutPayout(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of an approval: it names the item. Does nothing for a request that is not approved."""

    account: Reference
    request: Reference
    item: Reference


class CarryOutCardRefund(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The same for a refund that goes back to a card: it names the card payment as well."""

    account: Reference
    request: Reference
    item: Reference
    payment: Reference


class DeclinePayout(Command, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    request: Reference
    reason: Text


class PayoutDeclined(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Declined by a person, or approved and not to be carried out any more: `reason` says which."""

    account: Reference
    request: Reference
    kind: Word
    item: Reference
    reason: Text
    by: Text = ""


class RefundOrdered(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An approved refund, for a payment file of `bank_account`; its id is the end-to-end id that the bank deduplicates by."""

    account: Reference
    request: Reference
    item: Reference
    amount_minor: Amount
    currency: Currency
    iban: Code
    holder: Name
    bank_account: Reference
    base_minor: Minor = 0
    by: Text = ""


class WrittenOff(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`kind` write_off or write_back; `run` is the monthly run that lists it: 2026-03."""

    account: Reference
    request: Reference
    kind: Word
    item: Reference
    amount_minor: Amount
    currency: Currency
    reason: Text
    run: Word
    base_minor: Minor = 0
    by: Text = ""


class ReverseWriteOff(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The customer pays after all, or the credit is claimed: the item is open again."""

    account: Reference
    request: Reference
    reason: Text


class TakeBackPayout(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of a reversal or a returned refund: it names the item."""

    account: Reference
    request: Reference
    item: Reference
    reason: Text


class WriteOffReversed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    request: Reference
    item: Reference
    amount_minor: Amount
    currency: Currency
    reason: Text
    by: Text = ""


class RefundPaid(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The bank's statement shows it."""

    account: Reference
    request: Reference
    paid_on: Day


class RefundReturned(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """Stopped before it left, rejected or sent back by the bank: the credit is open again."""

    account: Reference
    request: Reference
    item: Reference
    amount_minor: Amount
    currency: Currency
    reason: Text
    by: Text = ""


# --- money out, at our own bank account (home: bank/<bank_account>) ---------------------------------------------------


class Transfer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment of a file: the request is its end-to-end id."""

    request: Reference
    amount_minor: Amount
    currency: Currency
    iban: Code
    holder: Name


class QueueRefund(Command, frozen=True, kw_only=True, omit_defaults=True):
    """An ordered refund comes to the stream of the bank account that will pay it."""

    bank_account: Reference
    transfer: Transfer
    of_account: Reference
    of_home: Reference
    of_item: Reference


class RefundQueued(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """It waits for a payment file: for the one at `file_at`, the policy's cut-off, or for one that a person makes before."""

    bank_account: Reference
    transfer: Transfer
    of_account: Reference
    of_home: Reference
    of_item: Reference
    file_at: Instant | None = None


class MakePaymentFile(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Gather these waiting refunds into one file, to be executed on this day (P10)."""

    bank_account: Reference
    file: Reference
    on: Day
    refunds: Annotated[tuple[Reference, ...], Meta(max_length=FILE_REFUNDS_MAX)]


class GatherRefunds(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A timer of the service itself: the policy's cut-off has come, and these refunds wait (P10)."""

    bank_account: Reference
    file: Reference
    on: Day
    refunds: Annotated[tuple[Reference, ...], Meta(max_length=FILE_REFUNDS_MAX)]


class PaymentFileMade(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The intent to pay: its bytes follow from this fact, `digest` (SHA-256) proves them. A refund is in one file at most.

    `our_iban`, `our_name`, `our_bic`: who pays. `by` a person, or the version of the policy whose cut-off it was.
    """

    bank_account: Reference
    file: Reference
    on: Day
    digest: Reference
    refunds: tuple[Transfer, ...]
    total_minor: Amount
    currency: Currency
    by: Text = ""
    our_iban: Code = ""
    our_name: Name = ""
    our_bic: Code = ""


class ConfirmPaidOut(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: this debit of the statement carries the end-to-end id of a refund."""

    bank_account: Reference
    entry: Reference
    request: Reference


class PaidOutConfirmed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The debit leaves suspense: it paid this refund."""

    bank_account: Reference
    entry: Reference
    request: Reference
    of_account: Reference
    amount_minor: Amount
    currency: Currency
    paid_on: Day


class ReopenPaidOut(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own: the debit that confirmed this refund was in an intraday report only; its statement does not have it."""

    bank_account: Reference
    entry: Reference
    request: Reference


class PaidOutReopened(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The refund waits for the bank's debit again; its payment file stands."""

    bank_account: Reference
    entry: Reference
    request: Reference


class NoteRefundPaid(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own, back to the account whose refund it was."""

    account: Reference
    request: Reference
    paid_on: Day


class StopRefund(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Do not pay it. What is in a file already is stopped only by the bank's own word (`by_bank`: rejected or returned)."""

    bank_account: Reference
    request: Reference
    reason: Text
    by_bank: bool = False


class RefundStopped(Fact, frozen=True, kw_only=True, omit_defaults=True):
    bank_account: Reference
    request: Reference
    of_account: Reference
    reason: Text
    by_bank: bool = False
    by: Text = ""


class ReturnRefund(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own, back to the account whose refund was stopped."""

    account: Reference
    request: Reference
    item: Reference
    reason: Text


# --- set off --------------------------------------------------------------------------------------------------------


class OffsetItems(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Set a credit (credit note, unallocated receipt, commission) against debts of the same account (P8).

    `agreement` names what allows it: the policy may demand one.
    """

    account: Reference
    credit: Reference
    lines: Annotated[tuple[Settle, ...], Meta(max_length=LINES_MAX)]
    reason: Text
    agreement: Code = ""


class ItemsOffset(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The statement of an offset: which debts, how much of each; each item's own fact follows."""

    account: Reference
    credit: Reference
    offset: Reference
    lines: tuple[Settle, ...]
    amount_minor: Amount
    effective_on: Day
    reason: Text
    agreement: Code = ""
    base_minor: Minor = 0
    by: Text = ""


class UndoOffset(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Take an offset back: new entries restore what was so before it."""

    account: Reference
    offset: Reference
    reason: Text


class TakeBackOffset(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step: it names the items."""

    account: Reference
    credit: Reference
    offset: Reference
    lines: Annotated[tuple[Settle, ...], Meta(max_length=LINES_MAX)]
    reason: Text


class OffsetUndone(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    credit: Reference
    offset: Reference
    lines: tuple[Settle, ...]
    amount_minor: Amount
    effective_on: Day
    reason: Text
    by: Text = ""


# --- cards ----------------------------------------------------------------------------------------------------------


class TakeCardPayment(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Take money from a card (P9). `payment` is the caller's own key; `token` stands for a card that only the acquirer knows."""

    account: Reference
    payment: Reference
    amount_minor: Amount
    currency: Currency
    token: Code
    items: Annotated[tuple[Reference, ...], Meta(max_length=LINES_MAX)] = ()


class RefundCardPayment(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Pay back to the card: what is unallocated of its receipt, or this `credit` of the account. Proposed, then approved (A6)."""

    account: Reference
    payment: Reference
    key: Reference
    amount_minor: Amount
    reason: Text
    credit: Reference | None = None


class CardIntended(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The acquirer is asked, under this key, which it deduplicates by: `action` capture or refund.

    A refund names the `request` it carries out and the `item` whose money it is.
    """

    account: Reference
    payment: Reference
    key: Reference
    action: Word
    amount_minor: Amount
    currency: Currency
    token: Code = ""
    items: tuple[Reference, ...] = ()
    request: Reference | None = None
    item: Reference | None = None
    base_minor: Minor = 0
    by: Text = ""


class NoteCardOutcome(Command, frozen=True, kw_only=True, omit_defaults=True):
    """What the acquirer said, at once or by a late callback.

    `outcome`: captured, declined, refunded, refund_declined or charged_back.
    """

    account: Reference
    payment: Reference
    key: Reference
    outcome: Word
    amount_minor: Amount
    told_at: Instant
    detail: Text = ""


class CardOutcomeNoted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`captured` is what the customer's receipt is written from. `receipt`: the money's own item on the account."""

    account: Reference
    payment: Reference
    key: Reference
    outcome: Word
    amount_minor: Amount
    currency: Currency
    detail: Text = ""
    receipt: Reference | None = None


class SettleByCard(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of a capture: the items that the payer named, in their order, as far as the money goes."""

    account: Reference
    receipt: Reference
    items: Annotated[tuple[Reference, ...], Meta(max_length=LINES_MAX)]


class ReturnCardRefund(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of a refund that the acquirer declined: its credit is open again."""

    account: Reference
    payment: Reference
    request: Reference
    item: Reference
    reason: Text


class TakeBackCard(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own next step of a chargeback: what the money settled is opened first, match by match."""

    account: Reference
    payment: Reference
    receipt: Reference
    key: Reference
    amount_minor: Amount
    reason: Text
    match: Reference | None = None


class CardChargedBack(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The acquirer took the money back: `taken_minor` from its receipt, and what that no longer has as a debit note."""

    account: Reference
    payment: Reference
    receipt: Reference
    key: Reference
    amount_minor: Amount
    taken_minor: Amount
    currency: Currency
    reason: Text
    debit_note: Reference | None = None


# --- the ERP's ledger, where it is the book of record (P1) ------------------------------------------------------------


class AskedLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a request would do to one item: `settled_minor` has the item's sign, and the other one where it opens it again. Of an
    allocation, `discount_minor` and `difference_minor` are what is given away of it, and `residual_minor` what is held back of it
    for this `reason`, as of `Settle`.
    """

    account: Reference
    item: Reference
    settled_minor: Minor
    currency: Currency
    discount_minor: Minor = 0
    difference_minor: Minor = 0
    residual_minor: Minor = 0
    reason: Code = ""


class AskedEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The double entry that we would have posted, for the ERP to post by its own chart."""

    account: Reference
    kind: Word
    effective_on: Day
    lines: tuple[Posting, ...]


class PostingRequested(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """What our side wishes of an account whose book the ERP keeps. `request` (16 characters) is the ERP's idempotency key, and
    the reference by which its posting answers.

    `kind`: allocation, unallocation, write_off, write_back, write_off_back, write_back_back, refund, offset, offset_back: nothing
    of ours changes before the ERP's posting comes; receipt, withdrawn, given_back: what the bank did, which counts here at once.
    `reverses` is the posting to be taken back, the ERP's `document`. `answer_by`: after this day it is overdue. Of a payout,
    `base_minor` is what it takes of its item in base currency, with the item's sign, and `run` the monthly run that it is of.
    Of an allocation, `proof` to `advice` are those of `AllocateCash` (P6).
    """

    account: Reference
    request: Reference
    kind: Word
    legal_entity: Reference
    company_code: Word
    on: Day
    answer_by: Day
    lines: tuple[AskedLine, ...] = ()
    entries: tuple[AskedEntry, ...] = ()
    receipt: Reference | None = None
    payout: Reference | None = None
    reverses: Reference | None = None
    document: Word | None = None
    base_minor: Minor | None = None
    run: Word | None = None
    proof: Word | None = None
    score: Percent | None = None
    evidence: Notes = ()
    rejected: tuple[Alternative, ...] = ()
    advice: Reference | None = None
    reason: Text = ""
    by: Text = ""


class Opens(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An item that the ERP's document opens: `amount_minor` debts positive, credits negative. `kind` as of `ItemPosted`."""

    item: Reference
    kind: Word
    amount_minor: Minor
    currency: Currency
    document_on: Day
    due_on: Day | None = None
    reference: Code = ""
    account: Reference | None = None
    base_minor: Minor | None = None


class Clears(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """So much of an item is cleared by the ERP's document: `settled_minor` has the item's sign. The item is found by its number,
    else by `reference` (a receipt of ours bears the id of its request there). `base_minor` is filled in by the ledger."""

    item: Reference
    settled_minor: Minor
    currency: Currency
    reference: Code = ""
    account: Reference | None = None
    base_minor: Minor | None = None


class TakePosting(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A document of the ERP's ledger: it opens items, clears items (then it is the clearing document), or `reverses` a document.

    Once for ever by company code, document (its year behind a slash) and account. `account`: another one of its credit group
    stands on its own line. `answers`: the request, where the ERP's reference names one; a name that is no request answers none.
    """

    account: Reference
    company_code: Word
    document: Word
    posted_on: Day
    opens: Annotated[tuple[Opens, ...], Meta(max_length=LINES_MAX)] = ()
    clears: Annotated[tuple[Clears, ...], Meta(max_length=LINES_MAX)] = ()
    reverses: Word | None = None
    answers: Reference | None = None
    text: Text = ""


class PostingTaken(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """The ERP's document is in our book as the ERP has it; each item's own fact follows.

    `opens` and `clears` name our items and are what was changed here: a receipt of ours that the ERP posts too opens nothing.
    `reverses` is the posting taken back, and `opens`, `clears` and `gave` are what is taken back of it. `gave`: lines of the
    request that it answers by which a discount or difference was given away; once taken back, it may be given again.
    """

    account: Reference
    posting: Reference
    company_code: Word
    document: Word
    posted_on: Day
    digest: Reference
    opens: tuple[Opens, ...] = ()
    clears: tuple[Clears, ...] = ()
    reverses: Reference | None = None
    answers: Reference | None = None
    gave: tuple[AskedLine, ...] = ()
    text: Text = ""


class TakeBackPosting(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of a document that reverses another one: it names the items."""

    account: Reference
    company_code: Word
    document: Word
    posted_on: Day
    digest: Reference
    reverses: Reference
    opens: tuple[Opens, ...] = ()
    clears: tuple[Clears, ...] = ()
    answers: Reference | None = None
    gave: tuple[AskedLine, ...] = ()
    text: Text = ""


class DeclinePosting(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The ERP will not post this request: what it had in hand is free again."""

    account: Reference
    request: Reference
    reason: Text


class CloseRequest(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The service's own second step of an answer: it names the items. `outcome`: answered or declined."""

    account: Reference
    request: Reference
    outcome: Word
    lines: tuple[AskedLine, ...] = ()
    receipt: Reference | None = None
    payout: Reference | None = None
    reverses: Reference | None = None
    advice: Reference | None = None
    reason: Text = ""


class RequestClosed(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """A request is over. `posting`: the document that answered it. `base_minor`, `run`: as they were asked for."""

    account: Reference
    request: Reference
    kind: Word
    outcome: Word
    lines: tuple[AskedLine, ...] = ()
    receipt: Reference | None = None
    payout: Reference | None = None
    reverses: Reference | None = None
    posting: Reference | None = None
    base_minor: Minor | None = None
    run: Word | None = None
    advice: Reference | None = None
    reason: Text = ""
    by: Text = ""
