"""The journal's ranges: tables of so many sequence numbers each, made before a lane needs them.

A range is attached without stopping anybody who reads or writes. Taking old ones out is `shared.archive`.
"""

from __future__ import annotations

import asyncpg

RANGE_ROWS = 1_000_000
"""Numbers of one range: at a thousand orders a second on four partitions an hour's work and about 4 GB, small enough to copy
away, large enough that a year has some thousand of them at most."""
ROLL_LOCK = 7_417_002
"""Advisory lock for whoever changes the set of ranges, so that instances do it one by one."""

_END = """
    select max((regexp_match(pg_get_expr(relpartbound, pg_class.oid), 'TO \\(''(\\d+)''\\)'))[1]::bigint)
    from pg_inherits join pg_class on pg_class.oid = inhrelid where inhparent = 'journal'::regclass
"""


async def reach(connection: asyncpg.Connection, highest: int) -> int:
    """Make ranges until a whole one lies ahead of this number; returns the first number that has no range yet."""
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", ROLL_LOCK)
        end = int(await connection.fetchval(_END))
        while end <= highest + RANGE_ROWS:
            await _make(connection, end, end + RANGE_ROWS)
            end += RANGE_ROWS
    return end


def near(end: int, highest: int) -> bool:
    """Is it time to make the next one?"""
    return highest + RANGE_ROWS // 2 >= end


async def _make(connection: asyncpg.Connection, first: int, end: int) -> None:
    # Made alone and attached then: `create table … partition of` would wait for every reader, and every writer for it.
    await connection.execute(f"create table journal_{first} (like journal including all)")
    await connection.execute(f"alter table journal attach partition journal_{first} for values from ({first}) to ({end})")


async def bounds(connection: asyncpg.Connection) -> list[tuple[str, int, int]]:
    """(table, first number, first number behind it) of every range, in order; the lowest begins at 0."""
    rows = await connection.fetch(
        """
        with found as (
            select relname, pg_get_expr(relpartbound, pg_class.oid) as bound
            from pg_inherits join pg_class on pg_class.oid = inhrelid where inhparent = 'journal'::regclass)
        select relname, coalesce((regexp_match(bound, 'FROM \\(''(\\d+)''\\)'))[1]::bigint, 0) as first,
            (regexp_match(bound, 'TO \\(''(\\d+)''\\)'))[1]::bigint as before
        from found order by 2
        """
    )
    return [(row["relname"], row["first"], row["before"]) for row in rows]
