"""One payment being matched: what every proof may look at, and how answers are put together (P6).

It holds values only, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from services.payments.matching.agreeing import Agreed, agreed
from services.payments.matching.ledger_index import LedgerIndex, Positions
from services.payments.matching.values import Alternative, Ambiguous, Match, Open, Payment, Proposal, Rules, Settle

PROPOSALS_MAX = 5
"""A person reads five; the rest is what search is for."""
REJECTED_MAX = 5


class Case(msgspec.Struct, frozen=True):
    """`accounts` are those the payer pays for: None when all items are the payer's, empty when the payer is unknown."""

    payment: Payment
    index: LedgerIndex
    rules: Rules
    accounts: frozenset[str] | None = None

    @property
    def payer_is_known(self) -> bool:
        return self.accounts is None or bool(self.accounts)

    def items(self, positions: Iterable[int]) -> list[Open]:
        return [self.index.items[at] for at in positions]

    def is_payers(self, item: Open) -> bool:
        """May this payer settle it? Nothing speaks against an unknown one; but its amounts alone decide nothing (`match`)."""
        return not self.accounts or item.account in self.accounts

    def in_currency(self, positions: Iterable[int]) -> Positions:
        return tuple(at for at in positions if self.index.items[at].currency == self.payment.currency)

    def agreed(self, positions: Iterable[int]) -> Agreed | None:
        """Do these items, all of the payment's currency, explain all of its cash?"""
        items = self.items(positions)
        return agreed(items, self.payment, self.rules) if items else None

    def of_amount(self, amount_minor: int) -> Positions:
        """The payer's items open with exactly so much. Receipts are our own unsorted cash and prove nothing."""
        hits = self.index.by_amount.get((self.payment.currency, amount_minor), ())
        return tuple(at for at in hits if self.is_payers(self.index.items[at]) and self.index.items[at].kind != "receipt")


def names_of(case: Case, positions: Iterable[int]) -> str:
    return ", ".join(case.index.names[at] for at in positions)


def match_of(found: Agreed, proof: str, score: int, evidence: Sequence[str], rejected: Sequence[Alternative] = ()) -> Match:
    return Match(
        lines=found.lines,
        proof=proof,
        score=score,
        evidence=(*evidence, found.how),
        rejected=tuple(rejected)[:REJECTED_MAX],
        unallocated_minor=found.unallocated_minor,
    )


def proposal_of(found: Agreed, score: int, reasons: Sequence[str]) -> Proposal:
    return Proposal(lines=found.lines, score=score, reasons=(*reasons, found.how), unallocated_minor=found.unallocated_minor)


def ranked(proposals: Iterable[Proposal]) -> tuple[Proposal, ...]:
    """Best first; of the same score the fewer items, then by name. The same lines are offered once."""
    best: dict[tuple[Settle, ...], Proposal] = {}
    for one in sorted(proposals, key=lambda one: (-one.score, len(one.lines), [line.item for line in one.lines], one.reasons)):
        best.setdefault(one.lines, one)
    return tuple(best.values())[:PROPOSALS_MAX]


def ambiguous(why: str, proposals: Iterable[Proposal], gave_up: bool = False) -> Ambiguous:
    return Ambiguous(ranked(proposals), why, gave_up)
