"""Deadlines of one partition: rows in PostgreSQL, the earliest of them in memory.

A timer follows from state and is set again whenever that state changes; setting it to the same moment costs nothing.
Due timers fire in the order (due, kind, key), before any later message, as ordinary commands.
"""

from __future__ import annotations

import datetime as dt
import heapq

import asyncpg

from shared.service import Timer

WINDOW = 10_000
"""Earliest timers kept in memory per partition; the rest wait in the table until the window is empty."""

Name = tuple[str, str]


class Timers:
    def __init__(self) -> None:
        self._heap: list[tuple[dt.datetime, str, str]] = []
        self._timers: dict[Name, Timer] = {}
        self._horizon: tuple[dt.datetime, str, str] | None = None
        self._beyond: dict[Name, Timer] = {}

    def fill(self, timers: list[Timer]) -> None:
        """Take the earliest stored timers; with a full window, later ones are known only to the table."""
        self._timers = {(timer.kind, timer.key): timer for timer in timers}
        self._heap = [(timer.due, timer.kind, timer.key) for timer in timers if timer.due]
        self._horizon = self._heap[-1] if len(timers) >= WINDOW else None
        self._beyond.clear()
        heapq.heapify(self._heap)

    def first(self) -> Timer | None:
        while self._heap:
            due, kind, key = self._heap[0]
            timer = self._timers.get((kind, key))
            if timer is not None and timer.due == due:
                return timer
            heapq.heappop(self._heap)  # cleared or moved since it was pushed
        return None

    def due(self, at: dt.datetime) -> bool:
        first = self.first()
        return first is not None and first.due is not None and first.due <= at

    def late(self, at: dt.datetime) -> tuple[int, float]:
        """How many of the timers in memory are due and have not fired, and by how many seconds the first of them is late."""
        if not self.due(at):
            return 0, 0.0
        dues = [timer.due for timer in self._timers.values() if timer.due is not None and timer.due <= at]
        return len(dues), (at - min(dues)).total_seconds()

    @property
    def exhausted(self) -> bool:
        """The window is empty but the table may hold more."""
        return self._horizon is not None and self.first() is None

    def set(self, timer: Timer) -> bool:
        """Remember a timer; False when it already stands exactly so and nothing must be written."""
        name = (timer.kind, timer.key)
        if self._timers.get(name) == timer or self._beyond.get(name) == timer:
            return False
        self._timers.pop(name, None)
        self._beyond.pop(name, None)
        if timer.due is None:
            return True
        place = (timer.due, timer.kind, timer.key)
        if self._horizon is None or place <= self._horizon:  # among equal dues the table may hold earlier keys
            self._timers[name] = timer
            heapq.heappush(self._heap, place)
        elif len(self._beyond) < WINDOW:
            self._beyond[name] = timer
        return True


async def load(connection: asyncpg.Connection, partition: int) -> list[Timer]:
    rows = await connection.fetch(
        "select kind, key, due, home, cursor from timer where partition = $1 order by due, kind, key limit $2", partition, WINDOW
    )
    return [Timer(*row) for row in rows]


async def save(connection: asyncpg.Connection, timers: dict[tuple[int, str, str], Timer]) -> None:
    cleared = [name for name, timer in timers.items() if timer.due is None]
    if cleared:
        await connection.executemany("delete from timer where partition = $1 and kind = $2 and key = $3", cleared)
    set_ = [(p, kind, key, timer.due, timer.home, timer.cursor) for (p, kind, key), timer in timers.items() if timer.due]
    if set_:
        await connection.execute(
            """
            insert into timer
            select * from unnest($1::smallint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[])
            on conflict (partition, kind, key) do update set due = excluded.due, home = excluded.home, cursor = excluded.cursor
            """,
            *map(list, zip(*set_, strict=True)),
        )
