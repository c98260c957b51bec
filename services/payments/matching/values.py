"""What matching reads and what it answers: frozen values, amounts in minor units, days without a clock (P5, P6).

A settlement here is a proposal with its proof. Posting it, and asking a person where proof is missing, is the service's work.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from contracts.payments import AdviceLine as AdviceLine
from contracts.payments import Discount as Discount

CREDITS = ("credit_note", "receipt")
"""Kinds whose open amount is negative."""


PREFIXES = ("INV", "INVOICE", "RE", "RG", "RECHNUNG", "FA", "FACT", "FACTURE", "FACTURA", "FACTUUR", "SI", "BILL", "CN")
"""Words that people put before the number of a document of ours."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """Money in. `reference` is the structured creditor reference, `charges_minor` what banks say they kept of it."""

    receipt: str
    amount_minor: int
    currency: str
    received_on: dt.date
    text: str = ""
    reference: str = ""
    end_to_end: str = ""
    payer: str = ""
    payer_account: str = ""
    mandate: str = ""
    lines: tuple[AdviceLine, ...] = ()
    charges_minor: int = 0

    def __post_init__(self) -> None:
        if self.amount_minor <= 0 or self.charges_minor < 0:
            raise ValueError(
                f"receipt {self.receipt}: {self.amount_minor} less {self.charges_minor} is no money in; pass positive amounts"
            )


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """An open item. Credits and receipts are negative, what the customer owes is positive."""

    item: str
    account: str
    kind: str
    open_minor: int
    amount_minor: int
    currency: str
    document_on: dt.date
    due_on: dt.date
    reference: str = ""
    order: str = ""
    po_number: str = ""
    discounts: tuple[Discount, ...] = ()
    disputed_minor: int = 0

    def __post_init__(self) -> None:
        if self.open_minor == 0 or (self.open_minor < 0) != (self.kind in CREDITS):
            raise ValueError(
                f"item {self.item}: a {self.kind} cannot be open with {self.open_minor}; pass open items, credits negative"
            )


class Settled(msgspec.Struct, frozen=True):
    """An item that is open no more: what a second payment of it looks like."""

    amount_minor: int
    currency: str
    account: str = ""
    reference: str = ""


class Reason(msgspec.Struct, frozen=True):
    """Where a deduction goes: `residual` leaves it open for a claim `cause` (C1), `difference` posts it, `discount` grants it."""

    cause: str
    posts_to: str = "residual"


class Deduction(msgspec.Struct, frozen=True):
    """What was agreed with an account: it takes so much off every invoice, for this reason."""

    reason: str
    basis_points: int


class Effort(msgspec.Struct, frozen=True):
    """How hard to look for an exact subset. Counted work, never time, so that the same input always ends the same way."""

    halves_items: int = 32  # meet in the middle: 2 x 2^16 sums, about 90 ms
    bytes_touched: int = 1_500_000_000  # table of reachable sums, about 0.3 s
    bytes_kept: int = 64_000_000  # tables kept to name the items of a solution
    solver_deterministic_s: float = 0.1  # CP-SAT's own unit of work
    shown: int = 5  # solutions listed for a person


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Policy of one account (P6); the defaults are those of the trade."""

    tolerance_minor: int = 500
    tolerance_basis_points: int = 50
    account_limit_minor: int | None = None
    limit_minor: int = 500  # the clerk's, or the automatic one
    fee_minor: int = 5_000  # what banks on the way may keep without saying so; stays open on the invoice
    discount_grace_days: int = 0
    oldest_first: bool = False
    parts_among_neighbours: bool = True  # False: who pays a number in part while one at one edit is open goes to a person
    reasons: Mapping[str, Reason] = MappingProxyType({})
    known_deductions: tuple[Deduction, ...] = ()
    name_score: int = 88
    name_margin: int = 6
    prefixes: tuple[str, ...] = (
        "INV",
        "INVOICE",
        "RE",
        "RG",
        "RECHNUNG",
        "FA",
        "FACT",
        "FACTURE",
        "FACTURA",
        "FACTUUR",
        "SI",
        "BILL",
        "CN",
    )
    chance: float = 0.01  # largest expected number of accidental fits an amount may have and still be proof
    effort: Effort = Effort()


class Settle(msgspec.Struct, frozen=True, kw_only=True):
    """`settled = paid + discount + difference` closes on the item, with its sign; `residual` is left open as a claim."""

    item: str
    settled_minor: int
    paid_minor: int
    discount_minor: int = 0
    difference_minor: int = 0
    residual_minor: int = 0
    reason: str = ""


class Alternative(msgspec.Struct, frozen=True):
    """What else could have been meant, and why it was not taken."""

    items: tuple[str, ...]
    why: str


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """Proved: post it. `proof` is the letter of P6 in words, `score` 0 to 100."""

    lines: tuple[Settle, ...]
    proof: str
    score: int
    evidence: tuple[str, ...]
    rejected: tuple[Alternative, ...] = ()
    unallocated_minor: int = 0


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is offered, best first."""

    lines: tuple[Settle, ...]
    score: int
    reasons: tuple[str, ...]
    unallocated_minor: int = 0


class Ambiguous(msgspec.Struct, frozen=True):
    """There is evidence, and it does not decide: a person does."""

    proposals: tuple[Proposal, ...]
    why: str
    gave_up: bool = False


class NoMatch(msgspec.Struct, frozen=True):
    """Nothing proves anything. `gave_up` says that the search ended before it had looked at everything."""

    why: str
    proposals: tuple[Proposal, ...] = ()
    gave_up: bool = False


Outcome = Match | Ambiguous | NoMatch
