"""A paper as PDF (P13, V6), printed by a child process: it ends when it takes too long or too much memory, and nothing else does.

The template is a file of ours; what it prints is JSON that it reads as data, so no name is ever read as markup. The same
paper gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from services.console.papers.apart import Ended, apart
from services.console.papers.paper import Cell, Column, Paper, Prose, Table, TooLarge, printed

CELLS_MAX = 40_000
"""The trial balance of 3,300 accounts, 130 pages. Setting it takes 13 s of a processor and 0.9 GB; nobody reads more on paper."""
TAGGED_CELLS_MAX = 5_000
"""Up to here a PDF tells a screen reader what its tables are; for a thousand rows that would be 1.9 of 2 MB."""
SECONDS_MAX = 120
"""Of the wall: on a busy machine the largest paper waits for its processor. The press itself stops after half of it at work."""
TEXT_MAX = 2_000
"""Characters of one cell on paper; a longer one would be pages of its own."""
UPRIGHT_EMS, WIDE_EMS = 54, 92
"""Widths of A4 between its margins in the letters of the template (9 and 8 points)."""
SIGN_EMS, GAP_EMS, TEXT_EMS, LABEL_EMS = 0.49, 1.0, 8, 5
"""A bold figure of the template's font, the room around it, and the least that a text or a label wraps in."""
PART_SIGNS = 12
_LONG_WORD = re.compile(rf"\S{{{2 * PART_SIGNS + 1},}}")
PRESS = "services.console.papers.press"


class NotPrinted(RuntimeError):
    """The press did not give a PDF: what it said. The paper itself is whole, and can be had as XLSX."""


def as_pdf(paper: Paper) -> bytes:
    """Blocks for as long as the press works; call it beside an event loop, not in it. Raises `TooLarge`, `NotPrinted`."""
    return _pressed(paper.title, order_of(paper, "pdf"))


def as_png(paper: Paper, page: int) -> bytes:
    """One page, counted from 1, as a picture: for a preview."""
    return _pressed(paper.title, order_of(paper, "png", page))


def order_of(paper: Paper, form: Literal["pdf", "png"], page: int = 1) -> bytes:
    """What the press is told, as JSON: texts and numbers only. Raises `TooLarge`."""
    cells = sum(len(table.rows) * len(table.columns) for table in paper.tables)
    if cells > CELLS_MAX:
        raise TooLarge(f"{paper.title} has {cells:,} cells, at most {CELLS_MAX:,} are printed; take it as XLSX, or ask for less")
    made_at = int(paper.made_at.timestamp())
    return msgspec.json.encode(
        {"form": form, "page": page, "made_at": made_at, "tags": cells <= TAGGED_CELLS_MAX, "data": _data(paper)}
    )


def _pressed(title: str, order: bytes) -> bytes:
    try:
        return apart(PRESS, order, SECONDS_MAX)
    except Ended as ended:
        raise NotPrinted(f"{title} was not printed: {ended}; take it as XLSX, or ask for less") from ended


def _data(paper: Paper) -> dict[str, Any]:
    """The paper as the template reads it: texts only."""
    return {
        "title": _clipped(paper.title),
        "sender": [_clipped(line) for line in paper.sender],
        "addressee": [_clipped(line) for line in paper.addressee],
        "facts": [[_clipped(text) for text in fact] for fact in paper.facts],
        "footer": _clipped(paper.footer),
        "wide": paper.wide,
        "made": paper.made_at.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "blocks": [_table(block, paper.wide) if isinstance(block, Table) else _prose(block) for block in paper.blocks],
    }


def _table(table: Table, wide: bool) -> dict[str, Any]:
    rows = [[_text(cell) for cell in row] for row in table.rows]
    total = [_text(cell) for cell in table.total] if table.total is not None else None
    return {
        "kind": "table",
        "title": _clipped(table.title),
        "columns": [
            {"name": _clipped(column.name), "right": column.kind != "text", "share": _share(column)} for column in table.columns
        ],
        "rows": rows,
        "total": total,
        "scale": _scale(table.columns, [*rows, *([total] if total else [])], WIDE_EMS if wide else UPRIGHT_EMS),
        "empty": _clipped(table.empty),
        "note": _clipped(table.note),
    }


def _prose(prose: Prose) -> dict[str, Any]:
    lines = [[_clipped(text) for text in line] for line in prose.lines]
    return {"kind": "prose", "title": _clipped(prose.title), "lines": lines}


def _scale(columns: Sequence[Column], rows: Sequence[Sequence[str]], room_ems: int) -> float:
    """How much smaller a table is set so that its longest figures stay on the page; texts wrap in what is left."""
    figures = [at for at, column in enumerate(columns) if column.kind != "text"]
    texts = sum(TEXT_EMS if column.share > 1 else LABEL_EMS for column in columns if column.kind == "text")
    signs = sum(max(len(columns[at].name) + 1, *(len(row[at]) for row in rows), 0) for at in figures)
    wanted = signs * SIGN_EMS + len(figures) * GAP_EMS + texts
    return min(1.0, round(room_ems / wanted, 3)) if wanted else 1.0


def _share(column: Column) -> int:
    return column.share or 1


def _text(cell: Cell) -> str:
    """A figure or a day never breaks at its blanks."""
    return _clipped(cell) if isinstance(cell, str) else printed(cell).replace(" ", "\u00a0")


def _clipped(text: str) -> str:
    """Without what has no glyph (control characters, lone surrogates), and with places to break inside words that never end."""
    if not text.isprintable():
        text = "".join(sign if sign.isprintable() else " " for sign in text)
    text = text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "…"
    return _LONG_WORD.sub(_parted, text)


def _parted(word: re.Match[str]) -> str:
    return "\u200b".join(word[0][at : at + PART_SIGNS] for at in range(0, len(word[0]), PART_SIGNS))
