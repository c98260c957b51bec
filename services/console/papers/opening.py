"""Opens a customer's workbook: a process that reads the first sheet from stdin and writes its rows to stdout.

A workbook of five kilobytes whose last cell is XFD1048576 asks its reader for all memory there is; that ends this process only.
"""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import msgspec
from python_calamine import CalamineWorkbook

from services.console.papers.apart import answer

MEMORY_BYTES_MAX = 1024**3
CPU_SECONDS_MAX = 30


def opened(data: bytes) -> bytes:
    """The cells of the first sheet as JSON: numbers as numbers, all else as text, days in ISO form."""
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0)
    return msgspec.json.encode([[_cell(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)])


def _cell(cell: Any) -> str | int | float:
    match cell:
        case bool():
            return "yes" if cell else "no"
        case int() | float() | str():
            return cell
        case dt.datetime() if cell.time() == dt.time.min:
            return cell.date().isoformat()
        case _:
            return str(cell)


if __name__ == "__main__":
    answer(opened, memory_bytes_max=MEMORY_BYTES_MAX, cpu_seconds_max=CPU_SECONDS_MAX)
