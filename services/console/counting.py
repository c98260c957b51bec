"""Counts per minute, portfolio and partition, by the facts' own times: what came, what was decided how, how clocks ended.

Each fact counts once, because its counts, the kit's position behind it and what is remembered of its order are one
transaction. Sums are kept per partition, so that they can be compared with the windows lane by lane (`drift.py`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from contracts.envelope import Envelope
from services.console import tallying
from services.console.tallying import Waiting, minute_of, partition_of, tally

HEARS = tallying.HEARS

Counts = Counter[tuple[int, dt.datetime, str, str]]
"""(partition, minute, portfolio, what) → how many."""


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    before = await _waiting(connection, {fact.data.order for fact in facts})
    counts, after = count(before, facts)
    await _add(connection, counts)
    await _keep(connection, before, after, {fact.data.order: partition_of(fact) for fact in facts})
    await _note_lanes(connection, facts)


def count(before: Mapping[str, Waiting], facts: Iterable[Envelope]) -> tuple[Counts, dict[str, Waiting]]:
    """What these facts add, and the orders that wait after them."""
    counts: Counts = Counter()
    waiting = dict(before)
    for fact in facts:
        order = fact.data.order
        told = tally(waiting.get(order), fact)
        for what in told.counts:
            counts[partition_of(fact), minute_of(fact.time), told.portfolio, what] += 1
        if told.waiting is None:
            waiting.pop(order, None)
        else:
            waiting[order] = told.waiting
    return counts, waiting


# --- writing --------------------------------------------------------------------------------------------------------


async def _waiting(connection: asyncpg.Connection, orders: Iterable[str]) -> dict[str, Waiting]:
    rows = await connection.fetch(
        'select "order", portfolio, received_at, escalated, breached from tally_waiting where "order" = any($1::text[])',
        list(orders),
    )
    return {row["order"]: Waiting(*row[1:]) for row in rows}


async def _add(connection: asyncpg.Connection, counts: Counts) -> None:
    if not counts:
        return
    rows = [(*key, n) for key, n in sorted(counts.items())]  # in one order, so that two writers never wait for each other
    await connection.execute(
        """
        insert into tally (partition, minute, portfolio, what, n)
        select * from unnest($1::smallint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[])
        on conflict (minute, portfolio, what, partition) do update set n = tally.n + excluded.n
        """,
        *map(list, zip(*rows, strict=True)),
    )


async def _keep(
    connection: asyncpg.Connection, before: Mapping[str, Waiting], after: Mapping[str, Waiting], places: Mapping[str, int]
) -> None:
    if gone := before.keys() - after.keys():
        await connection.execute('delete from tally_waiting where "order" = any($1::text[])', list(gone))
    if changed := [(order, row) for order, row in after.items() if before.get(order) != row]:
        rows = [(order, places[order], row.portfolio, row.received_at, row.escalated, row.breached) for order, row in changed]
        await connection.execute(
            """
            insert into tally_waiting ("order", partition, portfolio, received_at, escalated, breached)
            select * from unnest($1::text[], $2::smallint[], $3::text[], $4::timestamptz[], $5::boolean[], $6::boolean[])
            on conflict ("order") do update set portfolio = excluded.portfolio, received_at = excluded.received_at,
                escalated = excluded.escalated, breached = excluded.breached
            """,
            *map(list, zip(*rows, strict=True)),
        )


async def _note_lanes(connection: asyncpg.Connection, facts: Iterable[Envelope]) -> None:
    """How far each partition is counted: the last fact's number, and the latest time of any."""
    reached: dict[int, tuple[int, dt.datetime]] = {}
    for fact in facts:
        seen, clock = reached.get(partition_of(fact), (0, fact.time))
        reached[partition_of(fact)] = (max(seen, int(fact.sequence)), max(clock, fact.time))
    await connection.execute(
        """
        insert into tally_lane (partition, seen, clock) select * from unnest($1::smallint[], $2::bigint[], $3::timestamptz[])
        on conflict (partition) do update set seen = greatest(tally_lane.seen, excluded.seen),
            clock = greatest(tally_lane.clock, excluded.clock)
        """,
        list(reached),
        [seen for seen, _ in reached.values()],
        [clock for _, clock in reached.values()],
    )


# --- asking ---------------------------------------------------------------------------------------------------------


async def sums(
    connection: asyncpg.Connection, since: dt.datetime, until: dt.datetime, portfolios: Sequence[str] = ()
) -> Counter[str]:
    """What was counted from `since` until before `until`, over these portfolios (none: all)."""
    rows = await connection.fetch(
        """
        select what, sum(n)::bigint as n from tally
        where minute >= $1 and minute < $2 and ($3::text[] = '{}' or portfolio = any($3)) group by what
        """,
        since,
        until,
        list(portfolios),
    )
    return Counter({row["what"]: row["n"] for row in rows})


async def by_step(
    connection: asyncpg.Connection, since: dt.datetime, until: dt.datetime, step: dt.timedelta, portfolios: Sequence[str] = ()
) -> dict[dt.datetime, Counter[str]]:
    """The same in steps from `since` on: minutes, hours. A step without facts is there and empty."""
    rows = await connection.fetch(
        """
        select date_bin($4, minute, $1) as step, what, sum(n)::bigint as n from tally
        where minute >= $1 and minute < $2 and ($3::text[] = '{}' or portfolio = any($3)) group by step, what
        """,
        since,
        until,
        list(portfolios),
        step,
    )
    steps: dict[dt.datetime, Counter[str]] = {since + step * n: Counter() for n in range(-(-(until - since) // step))}
    for row in rows:
        steps[row["step"]][row["what"]] = row["n"]
    return steps


async def by_portfolio(
    connection: asyncpg.Connection, since: dt.datetime, until: dt.datetime, portfolios: Sequence[str] = ()
) -> dict[str, Counter[str]]:
    rows = await connection.fetch(
        """
        select portfolio, what, sum(n)::bigint as n from tally
        where minute >= $1 and minute < $2 and ($3::text[] = '{}' or portfolio = any($3)) group by portfolio, what
        """,
        since,
        until,
        list(portfolios),
    )
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row["portfolio"], Counter())[row["what"]] = row["n"]
    return found


async def lanes(connection: asyncpg.Connection) -> dict[int, asyncpg.Record]:
    return {row["partition"]: row for row in await connection.fetch("select partition, seen, clock from tally_lane")}
