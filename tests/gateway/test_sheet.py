"""Workbooks give the same rows as CSV, and bytes that are none are refused with a reason."""

import datetime as dt
import io
import zipfile

import pytest
import xlsxwriter

from services.gateway.sheet import NoSheet, of_width, rows


def workbook(*lines: list[object]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for n, cells in enumerate(lines):
            for column, cell in enumerate(cells):
                (sheet.write_datetime(n, column, cell, day) if isinstance(cell, dt.date) else sheet.write(n, column, cell))
    return out.getvalue()


def test_cells_are_text_as_a_person_would_write_it() -> None:
    header, row = rows(workbook(["account", "limit", "until", "po"], [17850, 999.95, dt.date(2026, 11, 30), True]))
    assert header.cells == ["account", "limit", "until", "po"]
    assert row.cells == ["17850", "999.95", "2026-11-30", "yes"]
    assert (row.line, row.raw) == (2, b"17850,999.95,2026-11-30,yes")


def test_empty_rows_are_no_rows_and_keep_the_numbers_of_the_others() -> None:
    assert [row.line for row in rows(workbook(["a"], [None], ["b"]))] == [1, 3]


def test_text_beyond_the_header_is_a_fault() -> None:
    (row,) = of_width(rows(workbook(["a", "b", "stray"])), 2)
    assert row.faults[0].problem == "text beyond the header's columns: 'stray'"


@pytest.mark.parametrize("data", [b"PK\x03\x04rubbish", b"", b"a,b\n"])
def test_bytes_that_are_no_workbook_are_refused(data: bytes) -> None:
    with pytest.raises(NoSheet):
        list(rows(data))


def test_a_zip_that_is_no_workbook_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("hello.txt", "hello")
    with pytest.raises(NoSheet, match="cannot be read"):
        list(rows(out.getvalue()))
