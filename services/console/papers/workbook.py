"""A paper as XLSX (V6): a sheet per table, numbers as numbers, texts as texts and never as formulas or links."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import xlsxwriter

from services.console.papers.paper import Amount, Cell, Column, Paper, Prose, Share, Table, bounded, printed
from shared import money

TEXT_MAX = 32_767
"""Units of UTF-16 that a cell holds; the rest would be lost without a word."""
DIGITS_MAX = 15
"""Digits that a number of Excel holds exactly. A longer amount stands as text, right to the penny."""
SHEET_NAME_MAX = 31
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
_NO_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot hold; Excel would call the file damaged."""

SAFE = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
_Formats = dict[str, Any]


def as_xlsx(paper: Paper) -> bytes:
    """The tables, each with its header frozen and its total under it, and a last sheet with the head of the paper."""
    bounded(paper)
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, SAFE) as book:
        book.set_properties({"title": _clean(paper.title), "created": paper.made_at.astimezone(dt.UTC).replace(tzinfo=None)})
        formats, names = _formats(book), set[str]()
        for table in paper.tables:
            _fill(book.add_worksheet(_named(table.title, names)), table, formats, wide=paper.wide)
        _about(book.add_worksheet(_named("About", names)), paper, formats)
    return out.getvalue()


def _fill(sheet: Any, table: Table, formats: _Formats, *, wide: bool) -> None:
    for at, column in enumerate(table.columns):
        _put(sheet, 0, at, column.name, formats, "head" if column.kind == "text" else "head_right")
        sheet.set_column(at, at, _width(table, at, column))
    for line, row in enumerate(table.rows, start=1):
        _put_row(sheet, line, row, formats, "")
    if table.total is not None:
        _put_row(sheet, len(table.rows) + 1, table.total, formats, "total_")
    if not table.rows:
        _put(sheet, 1, 0, table.empty, formats, "text")
    _arrange(sheet, table, wide=wide)


def _arrange(sheet: Any, table: Table, *, wide: bool) -> None:
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.fit_to_pages(1, 0)
    sheet.set_paper(9)  # A4
    sheet.set_footer("&L&A&R&P / &N")
    if wide:
        sheet.set_landscape()
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)


def _width(table: Table, at: int, column: Column) -> int:
    """Wide enough for its figures; a text has the width its column asks for and wraps."""
    if column.kind == "text":
        return column.width
    cells = [row[at] for row in (*table.rows, *([table.total] if table.total else []))]
    return max([len(column.name), *(len(printed(cell)) for cell in cells)]) + 3


def _put_row(sheet: Any, line: int, row: Iterable[Cell], formats: _Formats, style: str) -> None:
    for at, cell in enumerate(row):
        _put(sheet, line, at, cell, formats, style + _kind(cell))


def _put(sheet: Any, line: int, at: int, cell: Cell, formats: _Formats, style: str) -> None:
    look = formats[style]
    match cell:
        case None | "":
            done = sheet.write_blank(line, at, None, look)
        case str():
            done = sheet.write_string(line, at, _clean(cell), look)
        case Amount() if len(str(abs(cell.minor))) > DIGITS_MAX:
            done = sheet.write_string(line, at, money.as_text(cell.minor, cell.currency), look)
        case Amount():
            done = sheet.write_number(line, at, Decimal(cell.minor).scaleb(-money.exponent(cell.currency)), look)
        case Share():
            done = sheet.write_number(line, at, Decimal(cell.bp).scaleb(-4), look)
        case dt.date():
            done = sheet.write_datetime(line, at, dt.datetime.combine(cell, dt.time()), look)
        case int():
            done = sheet.write_number(line, at, cell, look)
    assert done == 0, f"cell {line}, {at} was not written ({done})"


def _kind(cell: Cell) -> str:
    match cell:
        case Amount():
            return f"amount{money.exponent(cell.currency)}"
        case Share():
            return "share"
        case dt.date():
            return "day"
        case int():
            return "count"
        case _:
            return "text"


def _formats(book: Any) -> _Formats:
    plain: dict[str, dict[str, Any]] = {
        "text": {"text_wrap": True, "valign": "top"},
        "day": {"num_format": "d mmm yyyy", "align": "right", "valign": "top"},
        "count": {"num_format": "#,##0", "valign": "top"},
        "share": {"num_format": "0.00%", "valign": "top"},
    }
    for places in sorted(set(money.EXPONENTS.values())):
        whole = "#,##0" + ("." + "0" * places if places else "")
        plain[f"amount{places}"] = {"num_format": whole, "valign": "top"}
    total = {"bold": True, "top": 1}
    found = {name: book.add_format(look) for name, look in plain.items()}
    found |= {f"total_{name}": book.add_format(look | total) for name, look in plain.items()}
    head = {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}
    return found | {"head": book.add_format(head), "head_right": book.add_format(head | {"align": "right"})}


def _about(sheet: Any, paper: Paper, formats: _Formats) -> None:
    """What stands around the tables on paper."""
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 60)
    notes = ((table.title, table.note) for table in paper.tables if table.note)
    prose = (line for block in paper.blocks if isinstance(block, Prose) for line in ((block.title, ""), *block.lines))
    people = (("From", ", ".join(paper.sender)), ("To", ", ".join(paper.addressee)))
    lines = ((paper.title, ""), *people, *paper.facts, *notes, *prose, ("", paper.footer))
    for line, (name, text) in enumerate(lines):
        _put(sheet, line, 0, name, formats, "text")
        _put(sheet, line, 1, text, formats, "text")


def _named(title: str, taken: set[str]) -> str:
    """A name that Excel takes, and of its own: it knows no case, no apostrophe at an end and no `History`."""
    bare = _NOT_IN_NAMES.sub(" ", _clean(title)).strip(" '")
    bare = _cut(bare, SHEET_NAME_MAX).strip(" '")
    name = bare if bare and bare.lower() != "history" else "Sheet"
    number, wanted = 1, name
    while name.lower() in taken:
        number += 1
        name = f"{_cut(wanted, SHEET_NAME_MAX - len(str(number)) - 1)} {number}"
    taken.add(name.lower())
    return name


def _clean(text: str) -> str:
    text = _NO_CHARACTERS.sub("\ufffd", text)
    return text if (cut := _cut(text, TEXT_MAX)) == text else _cut(cut, TEXT_MAX - 1) + "…"


def _cut(text: str, units: int) -> str:
    """So much of it as Excel counts: in units of UTF-16, of which rare characters take two."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", errors="ignore")
