"""What waits in a service for somebody to mend it, told to who shows it: parked groups and what stands in quarantine.

Names, reasons and times only, never a body, and never more than SHOWN_MAX of each: the whole is counted beside them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import asyncpg
import msgspec

from shared.parking import COUNTED_MAX

SHOWN_MAX = 100
"""Of each kind, the oldest first: who has more to mend begins there."""
REASON_MAX = 500
"""Characters of a reason; the command line shows all of it."""


class Group(msgspec.Struct, frozen=True):
    """A parked credit group; `first_*` is the message that it waits behind, none when its queue was emptied by hand."""

    home: str
    reason: str
    since: dt.datetime
    replaying: bool
    messages: int
    first_n: int | None = None
    first_topic: str = ""
    first_id: str = ""
    first_type: str = ""


class Kept(msgspec.Struct, frozen=True):
    """Something in quarantine. `at` is where it stands in words: `orders.commands 0 @ 17`, `line 12 of orders`; `more`: how many
    lines of the same document wait for nothing but it."""

    id: str
    at: str
    reason: str
    since: dt.datetime
    about: str = ""
    mend: str = ""
    more: int = 0


class Stuck(msgspec.Struct, frozen=True):
    """The oldest of each, and how many there are in all (neither above COUNTED_MAX)."""

    groups: tuple[Group, ...] = ()
    groups_total: int = 0
    kept: tuple[Kept, ...] = ()
    kept_total: int = 0


async def stuck(connection: asyncpg.Connection | asyncpg.Pool) -> Stuck:
    """Of all partitions: whoever asks one instance hears of the whole service."""
    groups, kept = await _groups(connection), await _kept(connection)
    return Stuck(
        groups=tuple(Group(*row) for row in groups),
        groups_total=await _count(connection, "from parked_home", len(groups)),
        kept=tuple(Kept(*row) for row in kept),
        kept_total=await _count(connection, "from quarantine where status = 'waiting'", len(kept)),
    )


async def _groups(connection: asyncpg.Connection | asyncpg.Pool) -> Sequence[asyncpg.Record]:
    """Index: parked_of_home."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        """
        select g.home, left(g.reason, $2), g.since, g.replay,
            (select count(*) from (select from parked where home = g.home limit $3) as counted),
            first.n, coalesce(first.topic, ''), coalesce(first.message_id, ''), coalesce(first.type, '')
        from (select * from parked_home order by since, home limit $1) as g
            left join lateral (select * from parked where home = g.home order by n limit 1) as first on true
        order by g.since, g.home
        """,
        SHOWN_MAX,
        REASON_MAX,
        COUNTED_MAX,
    )
    return rows


async def _kept(connection: asyncpg.Connection | asyncpg.Pool) -> Sequence[asyncpg.Record]:
    """Index: quarantine_waiting."""
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        """
        select id, topic || ' ' || partition || ' @ ' || "offset", left(reason, $2), at, source
        from quarantine where status = 'waiting' order by at, id limit $1
        """,
        SHOWN_MAX,
        REASON_MAX,
    )
    return rows


async def _count(connection: asyncpg.Connection | asyncpg.Pool, what: str, shown: int) -> int:
    if shown < SHOWN_MAX:
        return shown
    count: int = await connection.fetchval(f"select count(*) from (select {what} limit $1) as counted", COUNTED_MAX)
    return count
