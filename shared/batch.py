"""One batch: everything that was decided together, and the one transaction that makes it true.

Fence, journal, rows, positions, timers, parked and quarantined messages: all of it or nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

import asyncpg

from contracts.envelope import Envelope
from shared import journal, lease, timers
from shared.journal import Entry, Mark
from shared.rows import Table
from shared.service import Project, Timer
from shared.slot import Slot


class Quarantined(NamedTuple):
    """Bytes that are no message: kept with the reason until somebody repairs or discards them."""

    id: str
    partition: int
    topic: str
    offset: int
    source: str
    sequence: int | None
    reason: str
    body: bytes


class Parked(NamedTuple):
    """A message that its group must wait for; order of arrival is the order of the rows."""

    partition: int
    home: str
    topic: str
    message_id: str
    type: str
    reason: str
    body: bytes


class TableChanges:
    """Rows of one table: new, changed and removed; key → (partition, row)."""

    __slots__ = ("changed", "new", "removed")

    def __init__(self) -> None:
        self.new: dict[str, tuple[int, Any]] = {}
        self.changed: dict[str, tuple[int, Any]] = {}
        self.removed: set[str] = set()

    def note(self, key: str, partition: int, before: Any, after: Any) -> None:
        if after is None:
            self._remove(key)
        elif before is None or key in self.new:
            self.new[key] = (partition, after)  # removed rows are deleted before new ones are inserted
        else:
            self.changed[key] = (partition, after)

    def _remove(self, key: str) -> None:
        if self.new.pop(key, None) is None:
            self.changed.pop(key, None)
            self.removed.add(key)


class Batch:
    def __init__(self, tables: Mapping[str, Table]) -> None:
        self.tables = tables
        self.rows = {name: TableChanges() for name in tables}
        self.entries: list[Entry] = []
        self.epochs: dict[int, int] = {}
        self.read: set[tuple[int, str]] = set()
        self.positions: dict[tuple[int, str], tuple[int, dict[str, int], dict[str, Mark]]] = {}
        self.progress: dict[int, tuple[int, dt.datetime]] = {}
        self.timers: dict[tuple[int, str, str], Timer] = {}
        self.quarantined: list[Quarantined] = []
        self.parked: list[Parked] = []
        self.unparked: list[int] = []
        self.cleared_homes: list[str] = []
        self.mail: list[int] = []
        self.passed: list[str] = []
        self.heard: list[Envelope] = []
        self.mail_of: dict[int, int] = {}
        self.waits: list[tuple[float, int]] = []
        self.handled = 0
        self.last_input = ""

    def seal(self, slots: Mapping[int, Slot], touched: set[int]) -> None:
        """Take a copy of every counter as it is now: the next batch moves on while this one commits."""
        self.epochs = {number: slots[number].epoch for number in sorted(touched)}
        self.progress = {number: (slots[number].ordinal, slots[number].clock) for number in self.epochs}
        for number, topic in self.read:
            position = slots[number].positions[topic]
            self.positions[number, topic] = (position.next_offset, dict(position.seen), dict(position.marks))

    async def commit(self, connection: asyncpg.Connection, projects: Project | None) -> None:
        """Write it all in one transaction. Raises Fenced when another instance owns one of its partitions."""
        async with connection.transaction():
            await lease.fence(connection, self.epochs)
            if self.entries:
                await journal.append(connection, self.entries)
            for name, changes in self.rows.items():
                await self._write_rows(connection, self.tables[name], changes)
            if projects is not None and self.heard:
                await projects(connection, self.heard)
            await self._write_progress(connection)
            if self.timers:
                await timers.save(connection, self.timers)
            if self.parked or self.unparked or self.cleared_homes:
                await self._write_parked(connection)
            if self.quarantined:
                await self._write_quarantined(connection)
            if self.passed:
                await connection.execute("delete from handled where id = any($1::text[])", self.passed)
            if self.mail:
                await connection.execute("delete from mailbox where n = any($1::bigint[])", self.mail)

    async def _write_rows(self, connection: asyncpg.Connection, table: Table, changes: TableChanges) -> None:
        if changes.removed:
            await table.delete(connection, changes.removed)
        if changes.new:
            await table.insert(connection, changes.new)
        if changes.changed:
            await table.update(connection, changes.changed)

    async def _write_progress(self, connection: asyncpg.Connection) -> None:
        if self.positions:
            rows = [(p, topic, *reached) for (p, topic), reached in self.positions.items()]
            await journal.save_positions(connection, rows)
        if self.progress:
            await connection.execute(
                """
                update progress set ordinal = now_at.ordinal, clock = now_at.clock
                from unnest($1::smallint[], $2::bigint[], $3::timestamptz[]) as now_at (partition, ordinal, clock)
                where progress.partition = now_at.partition
                """,
                list(self.progress),
                [ordinal for ordinal, _ in self.progress.values()],
                [clock for _, clock in self.progress.values()],
            )

    async def _write_parked(self, connection: asyncpg.Connection) -> None:
        await connection.executemany(
            "insert into parked_home (home, partition, reason) values ($1, $2, $3) on conflict (home) do nothing",
            [(row.home, row.partition, row.reason) for row in self.parked],
        )
        await connection.executemany(
            "insert into parked (partition, home, topic, message_id, type, reason, body) values ($1, $2, $3, $4, $5, $6, $7)",
            self.parked,
        )
        await connection.execute("delete from parked where n = any($1::bigint[])", self.unparked)
        await connection.execute(
            "delete from parked_home where home = any($1::text[]) "
            "and not exists (select from parked where parked.home = parked_home.home)",
            self.cleared_homes,
        )

    async def _write_quarantined(self, connection: asyncpg.Connection) -> None:
        await connection.executemany(
            """
            insert into quarantine (id, partition, topic, "offset", source, sequence, reason, body)
            values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing
            """,
            self.quarantined,
        )
