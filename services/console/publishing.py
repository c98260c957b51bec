"""Where the worker that counts streams puts its windows: rows of the console's database, which the ops page and `drift` read.

Rows carry the last fact in them, so a row never goes back; and a worker of an old generation of tables writes nothing any more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from services.console.windows import KEPT, Lane, Minute, Sliding


class Outdated(Exception):
    """Another generation of tables is wanted: this one was thrown away."""


async def generation(connection: asyncpg.Connection) -> int:
    """The generation of tables that is wanted."""
    wanted: int = await connection.fetchval("select generation from window_worker")
    return wanted


async def begin(connection: asyncpg.Connection, number: int) -> None:
    """The first time that this generation is folded, nothing of an earlier one stays."""
    async with connection.transaction():
        await _check(connection, number)
        if await connection.fetchval("select folded from window_worker") != number:
            await connection.execute("delete from window_minute")
            await connection.execute("delete from window_sliding")
            await connection.execute("delete from window_lane")
            await connection.execute("update window_worker set folded = $1, beat_at = '-infinity'", number)


async def publish(
    connection: asyncpg.Connection,
    number: int,
    lanes: Mapping[int, Lane],
    minutes: Sequence[Minute],
    windows: Sequence[Sliding],
) -> None:
    """One state of the fold: minutes and windows at the same number of every lane; no lanes while some minutes are to come."""
    async with connection.transaction():
        await _check(connection, number)
        if minutes:
            await _write_minutes(connection, minutes)
        if windows:
            await _write_windows(connection, windows)
        if lanes:
            await _write_lanes(connection, lanes)
        await connection.execute("update window_worker set beat_at = now()")


async def sweep(connection: asyncpg.Connection) -> None:
    """Minutes that the worker has let go of."""
    await connection.execute(
        "delete from window_minute using window_lane "
        "where window_minute.partition = window_lane.partition and minute < date_trunc('minute', clock) - $1::interval",
        KEPT,
    )


async def throw_away(connection: asyncpg.Connection) -> int:
    """Ask for new tables, folded from the topic's beginning; what is published goes at once. Returns their generation."""
    async with connection.transaction():
        number: int = await connection.fetchval("update window_worker set generation = generation + 1 returning generation")
        await connection.execute("delete from window_minute")
        await connection.execute("delete from window_sliding")
        await connection.execute("delete from window_lane")
    return number


async def _check(connection: asyncpg.Connection, number: int) -> None:
    wanted = await connection.fetchval("select generation from window_worker for update")
    if wanted != number:
        raise Outdated(f"generation {wanted} of the windows is wanted, this worker folds {number}")


async def _write_minutes(connection: asyncpg.Connection, minutes: Iterable[Minute]) -> None:
    rows = [(row.partition, row.minute, row.portfolio, row.upto, _json(row.counts)) for row in minutes]
    await connection.execute(
        """
        insert into window_minute (partition, minute, portfolio, upto, counts)
        select * from unnest($1::smallint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::jsonb[])
        on conflict (minute, portfolio, partition) do update set upto = excluded.upto, counts = excluded.counts
            where excluded.upto > window_minute.upto
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def _write_windows(connection: asyncpg.Connection, windows: Iterable[Sliding]) -> None:
    rows = [(row.partition, row.portfolio, row.minutes, row.until, _json(row.counts)) for row in windows]
    await connection.execute(
        """
        insert into window_sliding (partition, portfolio, minutes, until, counts)
        select * from unnest($1::smallint[], $2::text[], $3::smallint[], $4::timestamptz[], $5::jsonb[])
        on conflict (minutes, portfolio, partition) do update set until = excluded.until, counts = excluded.counts
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def _write_lanes(connection: asyncpg.Connection, lanes: Mapping[int, Lane]) -> None:
    rows = [(number, lane.seen, lane.clock or BEGINNING, lane.since or BEGINNING, lane.gap_at) for number, lane in lanes.items()]
    await connection.execute(
        """
        insert into window_lane (partition, seen, clock, since, gap_at)
        select * from unnest($1::smallint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
        on conflict (partition) do update set seen = excluded.seen, clock = excluded.clock, since = excluded.since,
            gap_at = excluded.gap_at
        """,
        *map(list, zip(*rows, strict=True)),
    )


BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""The clock of a lane that has not come to a fact that counts."""


def _json(counts: Mapping[str, int]) -> str:
    return msgspec.json.encode(counts).decode()
