"""Messages of the receivables ledger that others decide on: items appear and are settled (P1, P6)."""

from __future__ import annotations

import msgspec

from contracts.message import Fact
from contracts.words import Amount, Currency, Day, Minor, Reference, Word


class Covers(msgspec.Struct, frozen=True, kw_only=True):
    """The part of an invoice that bills one order: it leaves unbilled deliveries as it enters open items (F1)."""

    order: Reference
    amount_minor: Amount


class ItemPosted(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """An open item: invoice or debit note positive; credit note or receipt (unallocated cash) negative."""

    account: Reference
    item: Reference
    kind: Word
    amount_minor: Minor
    currency: Currency
    document_on: Day
    due_on: Day
    covers: tuple[Covers, ...] = ()


class ItemSettled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`settled_minor` has the item's sign; `due_on` repeats the item's due date, so that no reader must keep the item."""

    account: Reference
    item: Reference
    kind: Word
    settled_minor: Minor
    open_minor: Minor
    due_on: Day
    by: Reference | None = None


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
