"""Rows of a service's read tables: a frozen Struct in memory, a JSON body and a few extracted columns in PostgreSQL.

The body holds the whole row; a column is extracted only where a query needs it, because every column costs on every write.
All writes are set-based; new rows go in by COPY, changed ones by one UPDATE.
"""

from __future__ import annotations

import datetime as dt
import inspect
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeAlias

import asyncpg
import msgspec

from contracts.envelope import encode_value

KEPT_ROWS = 20_000
"""Rows a partition's owner keeps in memory per table and generation, where the table does not say otherwise: some 20 MB."""
SQL_TYPES = {int: "bigint", str: "text", bool: "boolean", dt.date: "date", dt.datetime: "timestamptz"}

Key: TypeAlias = str | tuple[str, ...] | None
"""What a state field is read from: one row, several of one table (the field is then a dict: key -> row or None), or nothing.

An empty tuple: rows that are only ever added (a ledger's lines). None is read, and what the dict holds afterwards is new.
"""


@dataclass(frozen=True)
class Table:
    """SQL: `key text primary key, partition smallint, <columns>, body bytea`. `key` and `columns` are attributes of `row`.

    `kept`: rows in memory per partition and generation (`shared.slot.Rows`).
    """

    name: str
    row: type[msgspec.Struct]
    key: str
    columns: tuple[str, ...] = ()
    kept: int = KEPT_ROWS

    @cached_property
    def decode(self) -> Any:
        return msgspec.json.Decoder(self.row).decode

    @cached_property
    def _extract(self) -> Any:
        return attrgetter("__class__", *self.columns) if self.columns else None

    @cached_property
    def _update_sql(self) -> str:
        names = ("key", *self.columns, "body")
        kinds = ("text", *(sql_type(self.row, column) for column in self.columns), "bytea")
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(kinds, start=1))
        sets = ", ".join(f"{name} = changed.{name}" for name in names[1:])
        return (
            f"update {self.name} as stored set {sets} from unnest({arrays}) as changed({', '.join(names)}) "
            f"where stored.key = changed.key"
        )

    def _values(self, row: msgspec.Struct) -> tuple[Any, ...]:
        extract = self._extract
        return extract(row)[1:] if extract else ()

    async def load(self, connection: asyncpg.Connection, keys: list[str]) -> dict[str, Any]:
        """The stored rows of these keys; a key without a row is absent."""
        found = await connection.fetch(f"select key, body from {self.name} where key = any($1::text[])", keys)
        decode = self.decode
        return {key: decode(body) for key, body in found}

    async def insert(self, connection: asyncpg.Connection, rows: Mapping[str, tuple[int, msgspec.Struct]]) -> None:
        """`rows`: key → (partition, row), none of them stored yet."""
        values = self._values
        records = [(key, partition, *values(row), encode_value(row)) for key, (partition, row) in rows.items()]
        await connection.copy_records_to_table(self.name, records=records, columns=("key", "partition", *self.columns, "body"))

    async def update(self, connection: asyncpg.Connection, rows: Mapping[str, tuple[int, msgspec.Struct]]) -> None:
        """`rows`: key → (partition, row), all of them stored. Raises if one is not: memory and table would have parted."""
        values = self._values
        records = [(key, *values(row), encode_value(row)) for key, (_, row) in rows.items()]
        tag = await connection.execute(self._update_sql, *map(list, zip(*records, strict=True)))
        if tag != f"UPDATE {len(records)}":
            raise LookupError(f"{self.name}: {tag} for {len(records)} changed rows; a row in memory is not in the table")

    async def delete(self, connection: asyncpg.Connection, keys: Iterable[str]) -> None:
        await connection.execute(f"delete from {self.name} where key = any($1::text[])", list(keys))

    async def all_of(self, connection: asyncpg.Connection, partition: int) -> dict[str, Any]:
        """Every row of one partition, for comparing with the fold of the journal."""
        found = await connection.fetch(f"select key, body from {self.name} where partition = $1", partition)
        return {key: self.decode(body) for key, body in found}


def sql_type(row: type[msgspec.Struct], column: str) -> str:
    """The PostgreSQL type of a row's attribute or property."""
    member = inspect.getattr_static(row, column, None)
    annotation = (
        typing.get_type_hints(member.fget)["return"] if isinstance(member, property) else typing.get_type_hints(row)[column]
    )
    return SQL_TYPES[_bare(annotation)]


def _bare(annotation: Any) -> Any:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    return typing.get_args(annotation)[0] if typing.get_origin(annotation) is typing.Annotated else annotation


def keys_of(key: Key) -> tuple[str, ...]:
    return () if key is None else (key,) if isinstance(key, str) else key


def field_of(key: Key, rows: Mapping[str, Any]) -> Any:
    """What a state field holds. `rows` maps a key without a row to None, or lacks it."""
    if key is None:
        return None
    return rows.get(key) if isinstance(key, str) else {each: rows.get(each) for each in key}


def moved(key: Key, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """(key, row before, row after) of what changed of one field."""
    if after is before:
        return
    if not isinstance(key, tuple):
        if key is None:
            raise LookupError("a field changed for which rows() named no key")
        yield key, before, after
        return
    if not key:
        yield from ((each, None, row) for each, row in after.items())
        return
    if len(after) > len(key):
        raise LookupError(f"rows() named no key for {sorted(after.keys() - set(key))[:3]}")
    for each in key:
        if after[each] is not before[each]:
            yield each, before[each], after[each]
