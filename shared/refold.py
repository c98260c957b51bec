"""Folding a service's journal again from its first row, for checks: state is the fold of the own facts, and nothing else.

Every stored row is a cache of this fold; `differences` says where the two have parted. Reads only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import asyncpg
import msgspec

from contracts.envelope import Envelope, encode_value, read
from shared import journal
from shared.journal import OWN
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


async def own_facts(connection: asyncpg.Connection, partition: int) -> AsyncIterator[Envelope]:
    """Every own fact of a partition, in order. Raises `JournalGap`."""
    last = 0
    while entries := await journal.after(connection, partition, OWN, last):
        for entry in entries:
            if entry.sequence != last + 1:
                raise JournalGap(Gap(partition, last + 1, entry.sequence))
            last = entry.sequence
            yield read(entry.body)


async def fold(connection: asyncpg.Connection, service: Service, partition: int, visit: Visit | None = None) -> Rows:
    """The rows that follow from the journal of one partition."""
    rows: Rows = {name: {} for name in service.distinct_tables()}
    tables = [rows[service.tables[field].name] for field in service.state.__struct_fields__]
    async for envelope in own_facts(connection, partition):
        keys = service.rows(envelope.data, envelope.partitionkey, partition)
        before = [table.get(key) if key is not None else None for table, key in zip(tables, keys, strict=True)]
        state = service.state(*before)
        if visit is not None:
            visit(state, envelope)
        _keep(service.evolve(state, envelope.data, envelope.time), keys, tables)
    return rows


def _keep(after: Any, keys: tuple[str | None, ...], tables: list[dict[str, Any]]) -> None:
    for field, key, table in zip(after.__struct_fields__, keys, tables, strict=True):
        row = getattr(after, field)
        if row is not None:
            if key is None:
                raise LookupError(f"{field} changed, but rows() named no key for it")
            table[key] = row
        elif key is not None:
            table.pop(key, None)


async def differences(connection: asyncpg.Connection, service: Service, partition: int) -> tuple[int, list[Difference]]:
    """(rows compared, rows that are not equal) of one partition. The service should rest, or its newest rows may differ."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        folded = await fold(connection, service, partition)
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
