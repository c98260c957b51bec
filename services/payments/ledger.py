"""Entries of the ledger: which accounts of the chart a thing that happens moves, always summing to zero (P1). Pure.

Debit is positive. Receivables carry the item on every line, so the balance of an account is the sum of its items.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from contracts.payments import EntryPosted, Posting

RECEIVABLES, BANK, SUSPENSE, TRANSIT = "receivables", "bank", "suspense", "transit"
SALES, RETURNS, DISCOUNTS, DIFFERENCES, EXCHANGE = "sales", "returns", "discounts", "differences", "exchange"
BAD_DEBT, WRITE_BACKS, REFUNDS, GROUP, CARDS, CHARGES = "bad_debt", "write_backs", "refunds", "group", "cards", "bank_charges"
ERP = "erp"
CHART = (
    RECEIVABLES, BANK, SUSPENSE, TRANSIT, SALES, RETURNS, DISCOUNTS, DIFFERENCES, EXCHANGE,
    BAD_DEBT, WRITE_BACKS, REFUNDS, GROUP, CARDS, CHARGES, ERP,
)  # fmt: skip
"""The chart of accounts of the sub-ledger. `transit` is money between two streams; `group` what one account paid for another;
`erp` the other side of what the ERP posted, which it keeps by its own chart."""


class Unbalanced(ValueError):
    """An entry whose lines do not sum to zero: never posted, whoever asked for it."""


def entry(
    account: str,
    name: str,
    kind: str,
    on: dt.date,
    lines: Iterable[Posting],
    *,
    reverses: str | None = None,
    text: str = "",
) -> EntryPosted:
    """An entry of these lines, those of nothing left out. Raises `Unbalanced`."""
    kept = tuple(line for line in lines if line.amount_minor or line.base_minor)
    if left := sum(line.base_minor for line in kept):
        raise Unbalanced(f"{kind} {name} of {account}: its lines sum to {left}, not to zero")
    return EntryPosted(account=account, entry=name, kind=kind, effective_on=on, lines=kept, reverses=reverses, text=text)


def pair(debit: str, credit: str, amount_minor: int, currency: str, base_minor: int, item: str | None = None) -> list[Posting]:
    """Two lines; `item` goes to whichever of them is receivables."""
    return [
        Posting(
            ledger=ledger,
            amount_minor=sign * amount_minor,
            currency=currency,
            base_minor=sign * base_minor,
            item=item if ledger == RECEIVABLES else None,
        )
        for ledger, sign in ((debit, 1), (credit, -1))
    ]


def reversed_lines(lines: Sequence[Posting]) -> list[Posting]:
    return [
        Posting(
            ledger=line.ledger,
            amount_minor=-line.amount_minor,
            currency=line.currency,
            base_minor=-line.base_minor,
            item=line.item,
        )
        for line in lines
    ]


def share(base_minor: int, part_minor: int, whole_minor: int) -> int:
    """What of an item's base amount goes with a part of it; all of it with the last part, so that nothing is left behind."""
    if part_minor == whole_minor or not whole_minor:
        return base_minor
    size, rest = divmod(abs(base_minor * part_minor), abs(whole_minor))
    size += 2 * rest >= abs(whole_minor)
    negative = (base_minor < 0) ^ (part_minor < 0) ^ (whole_minor < 0)
    return -size if negative else size
