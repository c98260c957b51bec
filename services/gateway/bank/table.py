"""CSV, tab text and workbooks to rows with their line: what banks, customers and SAP export as a list."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator, Sequence
from decimal import Context, Decimal
from typing import Any, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook

from services.gateway import sheet
from services.gateway.bank import decoding
from services.gateway.bank.limits import ENTRIES_MAX
from services.gateway.bank.statement import Broken

HEADER_ROWS_MAX = 40
"""Banks and SAP write account, period and totals above the header; further down it is no header."""
_EXCEL = Context(prec=15)
"""A spreadsheet keeps 15 digits; what stands behind them is binary noise that nobody typed."""


class Row(NamedTuple):
    """Cells as text. `numbers`: places of cells that were numbers; their decimal sign is the point, whatever a mapping says."""

    line: int
    cells: tuple[str, ...]
    numbers: frozenset[int] = frozenset()


def of_text(text: str, delimiter: str) -> list[Row]:
    """Rows of delimited text. Raises `Broken` for a quote that is not closed."""
    decoding.lines_of(text)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    rows: list[Row] = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(Row(reader.line_num, tuple(cell.strip() for cell in cells)))
    except csv.Error as error:
        raise Broken(f"line {reader.line_num}", f"the row cannot be read: {error}", "close its quotes") from error
    return _of_length(rows)


def of_workbook(data: bytes) -> list[Row]:
    """Rows of the first sheet."""
    if b"[Content_Types].xml" not in data:
        raise Broken("file", "an archive (ZIP), no workbook", "send the files in it, each by itself")
    try:
        sheet.check_unpacked(data)
        cells = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, sheet.NoSheet, IndexError, OSError, ValueError) as error:
        raise Broken("file", f"the workbook cannot be read: {error}", "save it again as XLSX, or send CSV") from error
    return _of_length(list(_sheet_rows(cells)))


def _sheet_rows(cells: Sequence[Sequence[Any]]) -> Iterator[Row]:
    for line, row in enumerate(cells, start=1):
        texts = tuple(_text(cell) for cell in row)
        if any(texts):
            numbers = frozenset(at for at, cell in enumerate(row) if isinstance(cell, int | float) and not isinstance(cell, bool))
            yield Row(line, texts, numbers)


def _of_length(rows: list[Row]) -> list[Row]:
    if len(rows) > ENTRIES_MAX:
        raise Broken("file", f"{len(rows)} rows, at most {ENTRIES_MAX} are read", "send it in several files")
    return rows


def _text(cell: Any) -> str:
    match cell:
        case bool():
            return "yes" if cell else "no"
        case float():
            return f"{_EXCEL.create_decimal(Decimal(cell)).normalize():f}"
        case dt.datetime():
            return cell.date().isoformat()
        case dt.date():
            return cell.isoformat()
        case _:
            return str(cell).strip()
