"""The neutral values every bank format and every advice becomes, and the refusal of a file that cannot become them (P3, P4).

Amounts are integer minor units, credit to us positive. Frozen values only: nothing here reads, books or decides.
"""

from __future__ import annotations

import datetime as dt

import msgspec


class AdviceLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a payer says one amount pays: `amount_minor` is paid; with `taken_minor` and `discount_minor` it is the document.

    A credit note that the payer sets off has a negative amount. `reason`: the customer's own code or text for what was taken.
    """

    reference: str
    amount_minor: int
    taken_minor: int = 0
    discount_minor: int = 0
    reason: str = ""
    document_on: dt.date | None = None


class BankEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One booked movement. `entry` is its number in its statement, `3/2` the second transaction of the third entry."""

    entry: str
    amount_minor: int
    currency: str
    booked_on: dt.date
    value_on: dt.date | None
    code: str = ""
    is_reversal: bool = False
    is_charge: bool = False
    payer: str = ""
    payer_account: str = ""
    payer_bank: str = ""
    reference: str = ""
    end_to_end: str = ""
    servicer_reference: str = ""
    text: str = ""
    lines: tuple[AdviceLine, ...] = ()
    instructed_minor: int = 0
    instructed_currency: str = ""
    charges_minor: int = 0


class Statement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One statement of one account. `statement` is the bank's own number, the same in every delivery of the same statement.

    `notes` tell what a person should know and what does not make the money doubtful.
    """

    bank_account: str
    statement: str
    currency: str
    opening_minor: int | None
    closing_minor: int | None
    opened_on: dt.date | None
    closed_on: dt.date | None
    entries: tuple[BankEntry, ...]
    is_provisional: bool
    format: str
    notes: tuple[str, ...] = ()


class Advice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer's payment advice: its lines add up to `amount_minor`."""

    advice: str
    payer: str
    payer_account: str
    paid_on: dt.date | None
    amount_minor: int
    currency: str
    payment_reference: str
    lines: tuple[AdviceLine, ...]
    format: str
    notes: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is quarantined whole: where it breaks (line and field), why, how to mend it."""

    where: str
    reason: str
    mend: str


class Broken(ValueError):
    """This file cannot be read: where, why, how to mend it."""

    def __init__(self, where: str, reason: str, mend: str) -> None:
        super().__init__(f"{where}: {reason}; {mend}")
        self.where, self.reason, self.mend = where, reason, mend

    @property
    def refused(self) -> Refused:
        return Refused(where=self.where, reason=self.reason, mend=self.mend)
