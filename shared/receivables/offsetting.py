"""Which debts a credit would be set against: earliest due first, disputed ones left out, none that is due too late (P8).

One rule for the ledger and for the page that offers it. Pure: whether anything is set off is decided by the ledger.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple


class Debt(NamedTuple):
    """What is open of a debt of the credit's own account and currency."""

    item: str
    due_on: dt.date
    open_minor: int
    disputed_minor: int = 0


class Line(NamedTuple):
    item: str
    minor: int


def by_due_date(credit_minor: int, debts: Iterable[Debt], last_due_on: dt.date) -> tuple[Line, ...]:
    """`credit_minor`: what is open of the credit, above nothing. The lines take no more than it, and of a debt no more than is
    open; debts due behind `last_due_on` are left to their day."""
    left, lines = credit_minor, list[Line]()
    for debt in sorted(debts, key=lambda each: (each.due_on, each.item)):
        if left <= 0:
            break
        if debt.open_minor > 0 and not debt.disputed_minor and debt.due_on <= last_due_on:
            lines.append(Line(debt.item, min(left, debt.open_minor)))
            left -= lines[-1].minor
    return tuple(lines)
