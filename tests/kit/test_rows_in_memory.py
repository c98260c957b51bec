"""Rows in memory and what a batch notes of them: never a row lost that is not stored, never two words for one key."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.batch import TableChanges
from shared.rows import sql_type
from shared.slot import Rows


def test_a_row_in_memory_is_not_loaded_again() -> None:
    rows = Rows(kept=10)
    rows.hot["a"] = 1
    assert rows.missing(["a", "b"]) == ["b"]


def test_a_key_known_to_have_no_row_is_not_asked_for_again() -> None:
    rows = Rows(kept=10)
    rows.hot["a"] = None
    assert rows.missing(["a"]) == []


def test_a_row_used_lives_on_and_an_unused_one_goes_after_two_generations() -> None:
    rows = Rows(kept=1)
    rows.hot |= {"used": 1, "unused": 2}
    rows.rotate()
    assert rows.missing(["used"]) == [] and rows.hot == {"used": 1}
    rows.hot["new"] = 3
    rows.rotate()
    assert rows.missing(["used", "unused"]) == ["unused"]


def test_a_small_memory_is_kept() -> None:
    rows = Rows(kept=10)
    rows.hot["a"] = 1
    rows.rotate()
    assert rows.hot == {"a": 1}


@given(st.lists(st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.integers()))), st.sets(st.sampled_from("ab")))
def test_the_changes_of_a_batch_turn_the_stored_rows_into_those_in_memory(
    changes: list[tuple[str, int | None]], stored: set[str]
) -> None:
    memory: dict[str, int | None] = {key: -1 if key in stored else None for key in "ab"}
    table: dict[str, int | None] = dict.fromkeys(stored, -1)
    noted = TableChanges()
    for key, row in changes:
        if memory[key] is None and row is None:
            continue
        noted.note(key, 0, memory[key], row)
        memory[key] = row
    _apply(noted, table)
    assert table == {key: row for key, row in memory.items() if row is not None}


def _apply(noted: TableChanges, table: dict[str, int | None]) -> None:
    """In the order of a batch: delete, then insert, then update; each as strict as the database."""
    for key in noted.removed:
        table.pop(key, None)
    for key, (_, row) in noted.new.items():
        assert key not in table, "a unique violation"
        table[key] = row
    for key, (_, row) in noted.changed.items():
        assert key in table, "an update of no row"
        table[key] = row


class Row(msgspec.Struct, frozen=True):
    name: str
    due_on: dt.date | None = None

    @property
    def open(self) -> bool:
        return True


@pytest.mark.parametrize(("column", "kind"), [("name", "text"), ("due_on", "date"), ("open", "boolean")])
def test_a_column_has_the_type_of_its_attribute_or_property(column: str, kind: str) -> None:
    assert sql_type(Row, column) == kind
