"""Do the windows say what SQL says? Compared every half minute, shown on the ops page, and thrown away when they do not.

Only what both have finished is compared: a partition's clock never goes back, so a minute before both clocks gets no more
facts, and where both stand at the same number everything is finished. What differs then is a loss or a repetition.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any, NamedTuple

import asyncpg
import structlog

from services.console import counting, publishing
from services.console.probing import WORD
from services.console.telling import tell
from services.console.windows import KEPT
from shared.database import UNAVAILABLE

log = structlog.get_logger(__name__)

COMPARE_EVERY_S = 30.0
STALE_S = 15.0
"""A worker that has not published for so long is dead or stands still: the page says since when."""
STANDS_S = 60.0
"""A living worker that has not moved for so long, with facts to fold, will not move by itself (partitions stall)."""
REBUILD_EVERY = dt.timedelta(minutes=5)
"""A difference that a rebuild did not mend needs a person, not a hundred more rebuilds."""
KEPT_COMPARISONS = dt.timedelta(days=2)
ONE_COMPARES = 7_417_002
"""Advisory lock: of several consoles one compares."""


class Drift(NamedTuple):
    """`compared` sums, of which `differing` are not the same, by `difference` in all; `example` names one of them."""

    compared: int
    differing: int
    difference: int
    example: str


class Lag(NamedTuple):
    """Where the worker stands: since when it is silent, how many messages it has not folded, lanes that miss a number."""

    beat_at: dt.datetime | None
    behind: int
    gaps: int
    generation: int
    folded: int
    at: dt.datetime

    @property
    def is_stale(self) -> bool:
        return self.beat_at is None or (self.at - self.beat_at).total_seconds() > STALE_S


COMPARED = """
    with lane as (
        select tally_lane.partition,
            date_trunc('minute', window_lane.clock) - $1::interval + interval '1 minute' as since,
            case when window_lane.seen = (reading.seen ->> ('/orders/' || tally_lane.partition))::bigint then 'infinity'
                 else date_trunc('minute', least(tally_lane.clock, window_lane.clock)) end as until
        from tally_lane join window_lane using (partition)
        join reading on reading.partition = tally_lane.partition and reading.topic = 'orders'
    ), counted as (
        select partition, minute, portfolio, what, n from tally join lane using (partition)
        where minute >= since and minute < until
    ), folded as (
        select partition, minute, portfolio, each.key as what, each.value::bigint as n
        from window_minute join lane using (partition), jsonb_each_text(counts) as each
        where minute >= since and minute < until
    )
    select partition, minute, portfolio, what, coalesce(counted.n, 0) as counted, coalesce(folded.n, 0) as folded
    from counted full join folded using (partition, minute, portfolio, what)
"""


async def compare(connection: asyncpg.Connection) -> Drift:
    """Every sum that both have finished."""
    row = await connection.fetchrow(
        f"""
        with pair as ({COMPARED})
        select count(*) as compared, count(*) filter (where counted <> folded) as differing,
            coalesce(sum(abs(counted - folded)), 0)::bigint as difference,
            min(format('partition %s, %s, %s, %s: %s counted, %s folded', partition, minute, portfolio, what, counted, folded))
                filter (where counted <> folded) as example
        from pair
        """,
        KEPT,
    )
    assert row is not None
    return Drift(row["compared"], row["differing"], row["difference"], row["example"] or "")


async def lag(connection: asyncpg.Connection | asyncpg.Pool) -> Lag:
    row = await connection.fetchrow(
        """
        select nullif(beat_at, '-infinity') as beat_at, generation, folded, now() as at,
            (select count(*) from window_lane where gap_at is not null) as gaps,
            (select coalesce(sum(greatest((reading.seen ->> ('/orders/' || partition))::bigint - coalesce(window_lane.seen, 0),
                0)), 0) from reading left join window_lane using (partition) where topic = 'orders')::bigint as behind
        from window_worker
        """
    )
    assert row is not None
    return Lag(row["beat_at"], row["behind"], row["gaps"], row["generation"], row["folded"], row["at"])


async def note(connection: asyncpg.Connection, drift: Drift, rebuilt: bool) -> None:
    await connection.execute(
        "insert into drift (at, compared, differing, difference, example, rebuilt) values (now(), $1, $2, $3, $4, $5)",
        *drift,
        rebuilt,
    )
    await connection.execute("delete from drift where at < now() - $1::interval", KEPT_COMPARISONS)


async def last(connection: asyncpg.Connection | asyncpg.Pool) -> asyncpg.Record | None:
    """The newest comparison, and when something was last rebuilt."""
    return await connection.fetchrow(
        """
        select at, compared, differing, difference, example, rebuilt,
            (select max(at) from drift where rebuilt) as rebuilt_at
        from drift order by at desc limit 1
        """
    )


# --- mending --------------------------------------------------------------------------------------------------------


class Watch:
    """Compares again and again; what differs, or does not move, is thrown away and folded anew."""

    def __init__(self) -> None:
        self._stood: tuple[int, float] | None = None
        self._differed = False

    async def look(self, connection: asyncpg.Connection, at_s: float) -> Drift:
        """One comparison at `at_s` of a monotonic clock."""
        found, stands = await compare(connection), await lag(connection)
        why = self._why(found, stands, at_s)
        if why and await _may_rebuild(connection):
            number = await publishing.throw_away(connection)
            log.error("windows thrown away", reason=why, generation=number)
            await note(connection, found, rebuilt=True)
            self._stood, self._differed = None, False
        else:
            await note(connection, found, rebuilt=False)
        return found

    def _why(self, found: Drift, stands: Lag, at_s: float) -> str:
        """Why the windows must be folded anew; empty when they need not, or when their worker is just not there."""
        differs, self._differed = self._differed and bool(found.differing), bool(found.differing)
        if differs:
            return f"{found.differing} sums differ: {found.example}"
        if not stands.behind or stands.is_stale:
            self._stood = None
            return ""
        moved = self._stood is None or self._stood[0] != stands.behind
        if moved:
            self._stood = (stands.behind, at_s)
            return ""
        assert self._stood is not None
        if at_s - self._stood[1] < STANDS_S:
            return ""
        return f"{stands.behind} facts behind and not moving, {stands.gaps} lanes at a gap"


async def _may_rebuild(connection: asyncpg.Connection) -> bool:
    """Not again and again; and not while a group of the console is parked, whose facts SQL itself has not counted."""
    allowed: bool = await connection.fetchval(
        "select not exists (select from drift where rebuilt and at > now() - $1::interval) "
        "and not exists (select from parked_home)",
        REBUILD_EVERY,
    )
    return allowed


async def _show(app: Any, connection: asyncpg.Connection, found: Drift) -> None:
    """The same in the console's metrics, for alerts; the clocks by the installation's own time."""
    stands = await lag(connection)
    age_s = (stands.at - stands.beat_at).total_seconds() if stands.beat_at is not None else float("inf")
    app.state.gauges.compared(found.difference, age_s, stands.behind, stands.gaps)
    now = max((lane["clock"] for lane in (await counting.lanes(connection)).values()), default=stands.at)
    if app.state.settings.clock == "wall":
        now = stands.at
    app.state.gauges.clocks(await counting.sums(connection, now - dt.timedelta(hours=1), now + dt.timedelta(minutes=1)))
    await tell(connection, [WORD])


async def beside(app: Any) -> None:
    """As long as the console runs: compare, on a connection whose lock says that it is the one that does."""
    watch, loop = Watch(), asyncio.get_running_loop()
    while True:
        await asyncio.sleep(COMPARE_EVERY_S)
        try:
            async with app.state.pool.acquire() as connection:
                if await connection.fetchval("select pg_try_advisory_lock($1)", ONE_COMPARES):
                    try:
                        await _show(app, connection, await watch.look(connection, loop.time()))
                    finally:
                        await connection.execute("select pg_advisory_unlock($1)", ONE_COMPARES)
        except UNAVAILABLE as error:
            log.warning("windows not compared", error=f"{type(error).__name__}: {error}")
