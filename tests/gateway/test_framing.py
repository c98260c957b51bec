"""Bytes to rows: chunks of any size give the same rows, and a broken line costs itself only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.framing import LINE_BYTES_MAX, Dialect, Framer, Row


def rows_of(data: bytes, step: int = 7, dialect: Dialect | None = None, width: int | None = 3) -> list[Row]:
    framer = Framer(dialect or Dialect())
    framer.width = width
    found = [row for start in range(0, len(data), step) for row in framer.feed(data[start : start + step])]
    return [*found, *framer.end()]


def test_a_plain_file_gives_its_cells_lines_and_places() -> None:
    first, second = rows_of(b"a,b,c\r\n1,2,3\n")
    assert (first.cells, first.line, first.offset, first.size) == (["a", "b", "c"], 1, 0, 7)
    assert (second.cells, second.line, second.offset, second.size) == (["1", "2", "3"], 2, 7, 6)


def test_a_quoted_cell_may_hold_the_delimiter_and_quotes() -> None:
    (row,) = rows_of(b'1,"5"" pipe, blue",3\n')
    assert row.cells == ["1", '5" pipe, blue', "3"]


def test_a_quoted_cell_runs_over_lines_as_far_as_the_mapping_allows() -> None:
    (row,) = rows_of(b'1,"two\nlines",3\n', dialect=Dialect(quoted_lines_max=3))
    assert row.cells == ["1", "two\nlines", "3"]
    assert row.raw == b'1,"two\nlines",3'


@pytest.mark.parametrize("lines_max", [1, 3])
def test_a_broken_quote_costs_its_own_line_and_not_the_rest_of_the_file(lines_max: int) -> None:
    data = b'1,"broken,3\n4,5,6\n7,8,9\n10,11,12\n'
    rows = rows_of(data, dialect=Dialect(quoted_lines_max=lines_max))
    assert [bool(row.faults) for row in rows] == [True, False, False, False]
    assert "quote" in rows[0].faults[0].problem
    assert rows[3].cells == ["10", "11", "12"]


def test_a_broken_quote_does_not_join_with_a_quote_in_the_next_line() -> None:
    rows = rows_of(b'1,"broken,3\n4,"fine",6\n', dialect=Dialect(quoted_lines_max=5))
    assert [row.cells for row in rows] == [[], ["4", "fine", "6"]]


def test_bytes_that_are_not_utf8_are_told_with_their_place_and_a_guess() -> None:
    bad, good = rows_of("1,caf\xe9,3\n4,5,6\n".encode("latin-1"))
    assert "byte 6 of the row (0xe9)" in bad.faults[0].problem
    assert "encoding: latin-1" in bad.faults[0].mend
    assert not good.faults


def test_latin_1_with_a_broken_quote_is_read_under_a_mapping_that_says_so() -> None:
    data = '1,caf\xe9,3\n4,"br\xfbl\xe9,6\n7,8,9\n'.encode("latin-1")
    rows = rows_of(data, dialect=Dialect(encoding="latin-1"))
    assert [row.cells for row in rows] == [["1", "café", "3"], [], ["7", "8", "9"]]


def test_a_row_with_too_few_cells_says_how_many_it_has() -> None:
    (row,) = rows_of(b"1,2\n")
    assert row.faults[0].problem == "the row has 2 cells, the header names 3"


def test_an_endless_line_is_one_faulty_row_and_costs_no_memory() -> None:
    data = b"x" * (3 * LINE_BYTES_MAX) + b"\n1,2,3\n"
    endless, good = rows_of(data, step=10_000)
    assert "at most" in endless.faults[0].problem
    assert len(endless.raw) == LINE_BYTES_MAX
    assert (endless.size, good.offset) == (3 * LINE_BYTES_MAX + 1, 3 * LINE_BYTES_MAX + 1)


def test_nul_is_a_fault_of_its_row() -> None:
    (row,) = rows_of(b"1,\0,3\n")
    assert "NUL" in row.faults[0].problem


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 50), st.integers(1, 4))
def test_chunks_of_any_size_give_the_same_rows(data: bytes, one: int, other: int, lines_max: int) -> None:
    dialect = Dialect(quoted_lines_max=lines_max)
    assert rows_of(data, one, dialect) == rows_of(data, other, dialect)


@given(st.lists(st.sampled_from([b"1,2,3", b'1,"2,3', b'"a","b","c"', b"\xff,2,3", b"", b'"', b"1,2"])), st.integers(1, 4))
def test_every_line_that_is_not_blank_is_in_exactly_one_row(lines: list[bytes], lines_max: int) -> None:
    rows = rows_of(b"\n".join(lines), dialect=Dialect(quoted_lines_max=lines_max))
    told = [line for row in rows for line in row.raw.split(b"\n") if line]
    assert told == [line for line in lines if line]


@given(st.binary(max_size=300), st.integers(1, 4))
def test_reading_on_from_behind_a_row_gives_the_rows_that_follow(data: bytes, lines_max: int) -> None:
    dialect = Dialect(quoted_lines_max=lines_max)
    rows = rows_of(data, dialect=dialect)
    for n, row in enumerate(rows):
        framer = Framer(dialect, row.offset, row.line)
        framer.width = 3
        assert [*framer.feed(data[row.offset :]), *framer.end()] == rows[n:]
