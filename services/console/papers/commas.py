"""A paper's rows as CSV (V6): amounts as plain numbers, and no text that a spreadsheet would take for a formula."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Protocol

from services.console.papers.paper import Amount, Cell, Paper, Share, Table, bounded
from shared import money

FORMULA_SIGNS = frozenset("=+-@\t\r\n＝＋－＠")
"""What a spreadsheet may begin a formula with (OWASP, CSV injection), the wide forms of the signs too."""
MARK = "\ufeff"
"""Excel reads UTF-8 only behind a byte order mark."""


class _Writer(Protocol):
    def writerow(self, row: Iterable[Any], /) -> Any: ...

    def writerows(self, rows: Iterable[Iterable[Any]], /) -> None: ...


def as_csv(paper: Paper) -> bytes:
    """Header and rows of the flat table, or of all tables one after the other, each under its title. Totals stay out: a reader
    adds up."""
    bounded(paper)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for table in (paper.flat,) if paper.flat else paper.tables:
        _write(writer, table, titled=paper.flat is None and len(paper.tables) > 1)
    return (MARK + out.getvalue()).encode(errors="replace")


def _write(writer: _Writer, table: Table, *, titled: bool) -> None:
    if titled:
        writer.writerow([harmless(table.title)])
    writer.writerow([harmless(column.name) for column in table.columns])
    writer.writerows([_text(cell) for cell in row] for row in table.rows)


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return harmless(cell)
        case Amount():
            return money.as_text(cell.minor, cell.currency)
        case Share():
            return f"{Decimal(cell.bp).scaleb(-2):f}"
        case dt.date():
            return cell.isoformat()
        case int():
            return str(cell)


def harmless(text: str) -> str:
    """A text that could begin a formula gets an apostrophe, behind blanks too: some programs strip them first."""
    start = text.lstrip(" \u00a0\u3000")[:1] or text[:1]
    return f"'{text}" if start in FORMULA_SIGNS else text
