"""Folding a service's journal again, for checks: state is the fold of the own facts, and nothing else.

It begins at the first fact, or where that is archived at the snapshot that was kept then. Every stored row is a cache of
this fold; `differences` says where the two have parted. Reads only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import asyncpg
import msgspec

from contracts.envelope import Envelope, encode_value, read
from shared import journal
from shared.journal import OWN
from shared.rows import Key, field_of, moved
from shared.service import Service

Rows = dict[str, dict[str, Any]]
"""Table → key → row."""
Visit = Callable[[Any, Envelope], None]
"""Called with the state before a fact, and the fact."""


class Difference(msgspec.Struct, frozen=True):
    """A row where table and fold disagree; what is missing is None. `stored` and `folded` are JSON."""

    table: str
    key: str
    partition: int
    stored: str | None
    folded: str | None


class Gap(NamedTuple):
    """The journal's numbers jump: what stood between is lost."""

    partition: int
    expected: int
    found: int


class JournalGap(LookupError):
    """Own facts are numbered without gaps; here one is missing."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(
            f"partition {gap.partition}: fact {gap.expected} is missing, {gap.found} follows; restore it from the topic"
        )
        self.gap = gap


async def own_facts(connection: asyncpg.Connection, partition: int, behind: int = 0) -> AsyncIterator[Envelope]:
    """Every own fact of a partition behind this number, in order. Raises `JournalGap`."""
    last = behind
    while entries := await journal.after(connection, partition, OWN, last):
        for entry in entries:
            if entry.sequence != last + 1:
                raise JournalGap(Gap(partition, last + 1, entry.sequence))
            last = entry.sequence
            yield read(entry.body)


async def fold(
    connection: asyncpg.Connection,
    service: Service,
    partition: int,
    visit: Visit | None = None,
    cut: tuple[int, Rows] | None = None,
) -> Rows:
    """The rows that follow from the journal of one partition. `cut`: a sequence, and where the rows at that moment go."""
    last, rows = await beginning(connection, service, partition)
    if cut is not None and cut[0] == last:
        cut[1].update(_copied(rows))
    await fold_on(connection, service, partition, last, rows, visit, cut)
    return rows


async def fold_on(
    connection: asyncpg.Connection,
    service: Service,
    partition: int,
    last: int,
    rows: Rows,
    visit: Visit | None = None,
    cut: tuple[int, Rows] | None = None,
) -> int:
    """Fold what is behind this fact into the rows; returns the last fact that was."""
    tables = [rows[service.tables[field].name] for field in service.state.__struct_fields__]
    async for envelope in own_facts(connection, partition, last):
        keys = service.rows(envelope.data, envelope.partitionkey, partition)
        before = [field_of(key, table) for table, key in zip(tables, keys, strict=True)]
        state = service.state(*before)
        if visit is not None:
            visit(state, envelope)
        _keep(before, service.evolve(state, envelope.data, envelope.time), keys, tables)
        last = int(envelope.sequence)
        if cut is not None and cut[0] == last:
            cut[1].update(_copied(rows))
    return last


def _copied(rows: Rows) -> Rows:
    return {name: dict(table) for name, table in rows.items()}


async def beginning(connection: asyncpg.Connection, service: Service, partition: int) -> tuple[int, Rows]:
    """(last fact already folded, rows): nothing, or the snapshot where the journal no longer begins at 1."""
    rows: Rows = {name: {} for name in service.distinct_tables()}
    first = await connection.fetchval("select min(sequence) from journal where partition = $1 and lane = $2", partition, OWN)
    last = await connection.fetchval("select sequence from snapshot where partition = $1", partition)
    if first is None or first == 1 or last is None or last < first - 1:
        return 0, rows
    tables = service.distinct_tables()
    for row in await connection.fetch("select name, key, body from snapshot_row where partition = $1", partition):
        rows[row["name"]][row["key"]] = tables[row["name"]].decode(row["body"])
    return last, rows


def _keep(before: list[Any], after: Any, keys: tuple[Key, ...], tables: list[dict[str, Any]]) -> None:
    for field, was, key, table in zip(after.__struct_fields__, before, keys, tables, strict=True):
        for each, _, row in moved(key, was, getattr(after, field)):
            if row is not None:
                table[each] = row
            else:
                table.pop(each, None)


async def differences(connection: asyncpg.Connection, service: Service, partition: int) -> tuple[int, list[Difference]]:
    """(rows compared, rows that are not equal) of one partition. The service should rest, or its newest rows may differ."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await compared(connection, service, partition, await fold(connection, service, partition))


async def compared(
    connection: asyncpg.Connection, service: Service, partition: int, folded: Rows
) -> tuple[int, list[Difference]]:
    """(rows compared, rows that are not equal) of the stored rows and a fold."""
    found: list[Difference] = []
    count = 0
    for name, table in service.distinct_tables().items():
        stored = await table.all_of(connection, partition)
        keys = stored.keys() | folded[name].keys()
        count += len(keys)
        found += [
            Difference(name, key, partition, _text(stored.get(key)), _text(folded[name].get(key)))
            for key in sorted(keys)
            if stored.get(key) != folded[name].get(key)
        ]
    return count, found


def _text(row: Any) -> str | None:
    return None if row is None else encode_value(row).decode()
