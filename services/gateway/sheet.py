"""The first sheet of an XLSX file to the same rows that a CSV gives. Bounded, because a workbook is read whole."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Iterator
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from contracts.forms import Fault
from services.gateway.framing import Row

SIGNATURE = b"PK\x03\x04"
XLSX_BYTES_MAX = 50 * 1024 * 1024
UNPACKED_BYTES_MAX = 500 * 1024 * 1024
"""A workbook that unpacks to more is an attack or a database; send it as CSV."""


class NoSheet(ValueError):
    """The bytes are no workbook that can be read: why, and what to send instead."""


def rows(data: bytes) -> Iterator[Row]:
    """Every row that is not empty. `line` is the sheet's own row number; `raw` its cells as CSV."""
    check_unpacked(data)
    try:
        cells = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError, ValueError) as error:
        raise NoSheet(f"the workbook cannot be read: {error}; save it again as XLSX, or send CSV") from error
    for line, row in enumerate(cells, start=1):
        texts = [_text(cell) for cell in row]
        if any(texts):
            raw = _as_csv(texts)
            yield Row(line, line, 1, raw, texts, _faults(texts))


def of_width(found: Iterator[Row], width: int) -> Iterator[Row]:
    """Rows cut to the header's width; text beyond it is a fault."""
    for row in found:
        beyond = [text for text in row.cells[width:] if text]
        cells = (row.cells + [""] * width)[:width]
        faults = (
            (*row.faults, Fault("row", f"text beyond the header's columns: {beyond[0][:40]!r}", "remove it"))
            if beyond
            else row.faults
        )
        yield row._replace(cells=cells, faults=faults)


def check_unpacked(data: bytes) -> None:
    if len(data) > XLSX_BYTES_MAX:
        raise NoSheet(f"the workbook has {len(data)} bytes, at most {XLSX_BYTES_MAX} are read; send it as CSV")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise NoSheet(f"the file begins like a workbook but is none: {error}") from error
    if unpacked > UNPACKED_BYTES_MAX:
        raise NoSheet(f"the workbook unpacks to {unpacked} bytes, at most {UNPACKED_BYTES_MAX} are read; send it as CSV")


def _text(cell: Any) -> str:
    """A cell as a person would write it: 250, not 250.0; days and times in ISO form."""
    match cell:
        case bool():
            return "yes" if cell else "no"
        case float():
            return str(int(cell)) if cell.is_integer() and abs(cell) < 10**15 else repr(cell)
        case dt.datetime() if cell.time() == dt.time.min:
            return cell.date().isoformat()
        case dt.datetime() | dt.date():
            return cell.isoformat()
        case _:
            return str(cell).strip()


def _as_csv(texts: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(texts)
    return out.getvalue().encode(errors="replace")


def _faults(texts: list[str]) -> tuple[Fault, ...]:
    return (Fault("row", "holds the NUL character", "remove it"),) if any("\0" in text for text in texts) else ()
