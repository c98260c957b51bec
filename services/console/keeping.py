"""Whole rows of a read table: a frozen Struct in memory, a column per field in PostgreSQL. Every read and write is set-based.

Unlike the kit's rows (`shared.rows`) nothing is decided on these; pages ask them by any column.
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import asyncpg
import msgspec

SQL_TYPES: dict[Any, str] = {
    int: "bigint",
    str: "text",
    bool: "boolean",
    bytes: "bytea",
    dt.date: "date",
    dt.datetime: "timestamptz",
}
LIST_TYPES: dict[Any, str] = {tuple[str, ...]: "text[]", tuple[dt.date, ...]: "date[]"}
"""Kept as arrays; on their way in they travel as one text each, because `unnest` would flatten an array of arrays."""


@dataclass(frozen=True)
class Kept:
    """`newest`: the column by which a stored row wins against an older one."""

    name: str
    row: type[msgspec.Struct]
    key: str
    newest: str = "sequence"

    @cached_property
    def kinds(self) -> dict[str, Any]:
        hints = typing.get_type_hints(self.row)
        return {field: _bare(hints[field]) for field in self.row.__struct_fields__}

    @cached_property
    def columns(self) -> str:
        return ", ".join(f'"{name}"' for name in self.kinds)

    @cached_property
    def _lists(self) -> tuple[str, ...]:
        return tuple(name for name, kind in self.kinds.items() if kind in LIST_TYPES)

    @cached_property
    def _save_sql(self) -> str:
        arrays = ", ".join(
            f"${n}::{'text' if kind in LIST_TYPES else SQL_TYPES[kind]}[]" for n, kind in enumerate(self.kinds.values(), 1)
        )
        given = ", ".join(
            f"string_to_array(\"{name}\", ',')::{LIST_TYPES[kind]}" if kind in LIST_TYPES else f'"{name}"'
            for name, kind in self.kinds.items()
        )
        sets = ", ".join(f'"{name}" = excluded."{name}"' for name in self.kinds if name != self.key)
        return (
            f"insert into {self.name} ({self.columns}) select {given} from unnest({arrays}) as given ({self.columns}) "
            f'on conflict ("{self.key}") do update set {sets} where {self.name}.{self.newest} < excluded.{self.newest}'
        )

    async def load(self, connection: asyncpg.Connection, keys: Iterable[str]) -> dict[str, Any]:
        """The stored rows of these keys; a key without a row is absent."""
        wanted = list(keys)
        if not wanted:
            return {}
        found = await connection.fetch(f'select {self.columns} from {self.name} where "{self.key}" = any($1::text[])', wanted)
        return {record[self.key]: self.of(record) for record in found}

    async def save(self, connection: asyncpg.Connection, rows: Sequence[msgspec.Struct]) -> None:
        if rows:
            await connection.execute(self._save_sql, *(self._column(rows, name) for name in self.kinds))

    def _column(self, rows: Sequence[msgspec.Struct], name: str) -> list[Any]:
        values = [getattr(row, name) for row in rows]
        return [",".join(map(str, value)) for value in values] if name in self._lists else values

    def of(self, record: asyncpg.Record) -> Any:
        """The row in a record that has all of its columns, and may have more."""
        values = {name: record[name] for name in self.kinds}
        for name in self._lists:
            values[name] = tuple(values[name])
        return self.row(**values)


def _bare(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation
