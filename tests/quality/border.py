"""What crosses between the generator, a matcher and the judge: plain values, amounts in minor units, dates as dates.

Nothing here computes. A matcher is given `Payment` and reads a `Ledger`; it gives back an `Answer`. `Truth` it never sees.
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class Account(NamedTuple):
    """A customer; `parent` is the root of its group, None when it is one itself or stands alone."""

    id: str
    name: str
    town: str
    country: str
    entity: str
    currency: str
    parent: str | None


class Payer(NamedTuple):
    """Who is known to pay for an account: its name in the ledger and the bank accounts seen so far."""

    account: str
    name: str
    ibans: tuple[str, ...]


class Item(NamedTuple):
    """An invoice (`open_minor` above zero) or a credit note (below zero); zero when settled.

    `discount_bp`: early-payment discount in hundredths of a percent, until `discount_until`.
    """

    id: str
    number: str
    account: str
    kind: str
    currency: str
    original_minor: int
    open_minor: int
    issued_on: date
    due_on: date
    po: str
    order: str
    reference: str | None
    discount_until: date | None
    discount_bp: int
    disputed: bool


class AdviceLine(NamedTuple):
    """One line of a customer's advice: gross − discount − deduction = paid. A credit note's line is negative."""

    number: str
    gross_minor: int
    discount_minor: int
    deduction_minor: int
    paid_minor: int
    reason: str | None


class Payment(NamedTuple):
    """As the bank reports it and the customer advises it. `text` comes in the bank's pieces, cut wherever they were full."""

    id: str
    amount_minor: int
    currency: str
    received_on: date
    payer_name: str
    payer_iban: str | None
    text: tuple[str, ...]
    reference: str | None
    advice: tuple[AdviceLine, ...]


class Answer(NamedTuple):
    """A matcher's decision: whose money it is (None: nobody can tell) and (item id, cash in minor units) for each item."""

    account: str | None
    lines: tuple[tuple[str, int], ...] = ()


class Paid(NamedTuple):
    """What truly happened to one item; `open before = cash + discount + deduction + what stays open`."""

    item: str
    cash_minor: int
    discount_minor: int = 0
    deduction_minor: int = 0
    reason: str | None = None
    decidable: bool = True


class Truth(NamedTuple):
    """`account`: whose money it is; `accepts`: every account that names it rightly, several where a
    parent pays for its children.

    `decidable` is False where the evidence fits another answer as well: there the right answer is a person.
    """

    account: str | None
    accepts: tuple[str, ...]
    lines: tuple[Paid, ...]
    unallocated_minor: int
    decidable: bool


class Case(NamedTuple):
    """One payment with its truth; `mess` is its class, `kind` the variety within it."""

    mess: str
    kind: str
    payment: Payment
    truth: Truth
