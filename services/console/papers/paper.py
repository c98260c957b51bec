"""What a paper is made of: a head, blocks of text, tables of typed cells. One value, printed, written as a workbook and as CSV.

Builders (`statement.py`, `trial_balance.py`, `reconciling.py`) make it; it knows nothing of what it says.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal, NamedTuple

import msgspec

from services.console.pages import MINUS, money_text

ROWS_MAX = 100_000
"""Rows of all tables of a paper together. A ledger with more is cut by portfolio: a workbook is built in memory."""
SHARE_PLACES = 2


class TooLarge(ValueError):
    """The paper has more rows than are made: how many, and how to get it smaller."""


class Amount(NamedTuple):
    minor: int
    currency: str


class Share(NamedTuple):
    """Basis points."""

    bp: int


Cell = str | dt.date | int | Amount | Share | None
Kind = Literal["text", "day", "count", "amount", "share"]


class Column(NamedTuple):
    """`share` is the relative width on paper, `width` that of a sheet in characters; both only for texts: figures take what they
    need."""

    name: str
    kind: Kind = "text"
    share: int = 0
    width: int = 14


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """`total` is a row like the others, set apart. An empty table says `empty` instead of rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None
    empty: str = "None."
    note: str = ""


class Prose(msgspec.Struct, frozen=True, kw_only=True):
    """Lines under a title; a pair is a name and its value."""

    title: str
    lines: tuple[tuple[str, str], ...]


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """`sender` and `addressee`: lines of a letter, the first one the name. `facts`: what stands beside them. `flat`: all rows of
    the paper as one table, for CSV; without it the tables follow each other."""

    title: str
    sender: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    blocks: tuple[Table | Prose, ...]
    made_at: dt.datetime
    addressee: tuple[str, ...] = ()
    footer: str = ""
    wide: bool = False
    flat: Table | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(block for block in self.blocks if isinstance(block, Table))


def bounded(paper: Paper) -> None:
    """Raises `TooLarge`; a paper is refused whole and never cut."""
    rows = sum(len(table.rows) for table in paper.tables)
    if rows > ROWS_MAX:
        raise TooLarge(f"{paper.title} has {rows:,} rows, at most {ROWS_MAX:,} are made; ask for fewer accounts at once")


def printed(cell: Cell) -> str:
    """A cell as people read it: `1,234.50`, `27 Nov 2026`, `12.34 %`."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case Amount():
            return money_text(cell.minor, cell.currency)
        case Share():
            sign, whole = (MINUS if cell.bp < 0 else ""), abs(cell.bp)
            return f"{sign}{whole // 100:,}.{whole % 100:0{SHARE_PLACES}d} %"
        case dt.date():
            return day(cell)
        case int():
            return f"{MINUS if cell < 0 else ''}{abs(cell):,}"


def day(on: dt.date) -> str:
    """`27 Nov 2026`, the same in every locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{on.day} {months[on.month - 1]} {on.year}"
