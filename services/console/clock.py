"""Clock figures of the release desk: how fast it decides, which waiting orders it will not reach in time at that pace, and how
the day's clocks ended, hour by hour (O6, V1, V5). It asks tables that other projections keep; nothing is decided on it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from services.console import counting, tallying
from shared.credit.clocks import Hours
from shared.credit.rulebook import Rulebook
from shared.working_time import NoWorkingTime, add, between

PACE_MIN = 12.0
"""Final decisions an hour that a desk is always trusted with: one person, five minutes an order. A desk that has just opened, or
had nothing to do, would seem to need for ever."""
LOOKED_AT = dt.timedelta(hours=1)
SEARCHED = dt.timedelta(days=31)
"""How far back a working hour is looked for: longer than any desk is closed."""
NEAREST = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
NEVER = dt.datetime(2199, 1, 1, tzinfo=dt.UTC)

_VISIBLE = "($1::text[] = '{}' or portfolio = any($1))"
_BY_PEOPLE = "decided_by not in ('', 'policy', 'customer', 'warehouse')"
"""As in the index `orders_decided` (schema.sql)."""


class Openings(msgspec.Struct, frozen=True):
    """When orders are worked on: in general, and in those portfolios whose hours the policy sets apart."""

    general: Hours
    own: Mapping[str, Hours] = {}

    def of(self, portfolio: str) -> Hours:
        return self.own.get(portfolio, self.general)


class Pace(msgspec.Struct, frozen=True):
    """`decided` final decisions by people in the last working hour; `per_hour` is reckoned with, and never below PACE_MIN."""

    decided: int

    @property
    def per_hour(self) -> float:
        return max(float(self.decided), PACE_MIN)

    @property
    def each(self) -> dt.timedelta:
        return HOUR / self.per_hour


class Forecast(msgspec.Struct, frozen=True):
    """`ahead` orders have a worse clock; at its pace the desk decides this one at `decided_at`."""

    ahead: int
    due_at: dt.datetime
    decided_at: dt.datetime

    @property
    def breaches(self) -> bool:
        return self.decided_at > self.due_at


class Risk(msgspec.Struct, frozen=True):
    """Of the orders that wait: how many are late, and how many more the desk will not reach in time at its pace."""

    waiting: int
    late: int
    predicted: int


class Hour(msgspec.Struct, frozen=True):
    """Clocks that ended in this hour: in time, in time after an escalation, after their breach; and what was told meanwhile."""

    at: dt.datetime
    met: int
    met_escalated: int
    missed: int
    warned: int
    escalated: int
    breached: int

    @property
    def ended(self) -> int:
        return self.met + self.met_escalated + self.missed


def openings(book: Rulebook) -> Openings:
    """The working times of a policy: no more of them than it names portfolios."""
    general = book.rules("", "", "", "").hours
    found = {portfolio: book.rules("", "", portfolio, "").hours for portfolio in sorted(book.portfolios)}
    return Openings(general, {portfolio: hours for portfolio, hours in found.items() if hours.calendar != general.calendar})


# --- pace and forecast ----------------------------------------------------------------------------------------------


async def pace(
    connection: asyncpg.Connection | asyncpg.Pool, seen: Collection[str], now: dt.datetime, openings: Openings
) -> Pace:
    """Final decisions by people in the last working hour, each portfolio's own, which may have been yesterday's last.

    Index: orders_decided, from the earliest of these hours on; it holds what people decided, and SEARCHED bounds how far back.
    """
    general = hour_before(openings.general, now)
    own = {portfolio: hour_before(hours, now) for portfolio, hours in openings.own.items()}
    decided = await connection.fetchval(
        f"""
        select count(*) from orders left join unnest($5::text[], $6::timestamptz[]) as own (portfolio, since) using (portfolio)
        where {_VISIBLE} and {_BY_PEOPLE} and decided_at > $2 and decided_at <= $3 and decided_at > coalesce(own.since, $4)
        """,
        list(seen),
        min([general, *own.values()]),
        now,
        general,
        list(own),
        list(own.values()),
    )
    return Pace(decided)


def hour_before(hours: Hours, now: dt.datetime) -> dt.datetime:
    """The latest moment since which the desk has worked an hour, to the second."""
    early, late = now - SEARCHED, now - LOOKED_AT
    if between(hours.calendar, early, now) < LOOKED_AT:
        return early
    if between(hours.calendar, late, now) >= LOOKED_AT:
        return late
    while late - early > NEAREST:
        middle = early + (late - early) / 2
        early, late = (middle, late) if between(hours.calendar, middle, now) >= LOOKED_AT else (early, middle)
    return early


async def forecasts(
    connection: asyncpg.Connection | asyncpg.Pool,
    seen: Collection[str],
    now: dt.datetime,
    openings: Openings,
    pace: Pace,
    orders: Sequence[str],
) -> dict[str, Forecast]:
    """What is to be expected of these waiting orders: queue ahead × desk pace, in each one's own working time.

    Index: orders_clock.
    """
    rows = await connection.fetch(
        f"""
        select "order", ahead, due_at, portfolio from (
            select "order", due_at, portfolio, row_number() over (order by due_at, "order") - 1 as ahead
            from orders where waits and due_at is not null and {_VISIBLE}
        ) queue where "order" = any($2::text[])
        """,
        list(seen),
        list(orders),
    )
    return {
        row["order"]: Forecast(row["ahead"], row["due_at"], _done(openings.of(row["portfolio"]), now, pace, row["ahead"] + 1))
        for row in rows
    }


def _done(hours: Hours, now: dt.datetime, pace: Pace, count: int) -> dt.datetime:
    """When the desk has decided so many; far away where no calendar reaches."""
    try:
        return add(hours.calendar, now, pace.each * count)
    except NoWorkingTime:
        return NEVER


async def risk(
    connection: asyncpg.Connection | asyncpg.Pool, seen: Collection[str], now: dt.datetime, openings: Openings, pace: Pace
) -> Risk:
    """How the whole queue stands. Deadlines lie close together, so a minute of them is reckoned at once, for each working time.

    Index: orders_clock.
    """
    rows = await connection.fetch(
        f"""
        select date_trunc('minute', due_at) as minute, case when portfolio = any($3::text[]) then portfolio else '' end as own,
            count(*) as count, count(*) filter (where due_at <= $2) as late
        from orders where waits and due_at is not null and {_VISIBLE} group by 1, 2 order by 1, 2
        """,
        list(seen),
        now,
        list(openings.own),
    )
    waiting, late, predicted = 0, 0, 0
    for minute, own, count, past in rows:
        reached = int(between(openings.of(own).calendar, now, max(minute, now)) / pace.each)
        waiting, late = waiting + count, late + past
        predicted += min(max(waiting - reached, 0), count - past)
    return Risk(waiting, late, predicted)


# --- the day --------------------------------------------------------------------------------------------------------


async def day_by_hour(connection: asyncpg.Connection, seen: Sequence[str], on: dt.date, zone: ZoneInfo) -> list[Hour]:
    """Every hour of this day in the person's zone, 23 to 25 of them; an hour in which nothing ended is there, with zeros."""
    begins, ends = (_midnight(day, zone) for day in (on, on + dt.timedelta(days=1)))
    steps = await counting.by_step(connection, begins, ends, HOUR, seen)
    words = (tallying.MET, tallying.MET_LATE, tallying.MISSED, tallying.WARNED, tallying.ESCALATED, tallying.BREACHED)
    return [Hour(at, *(counts[word] for word in words)) for at, counts in sorted(steps.items())]


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC)


def kept(hours: Sequence[Hour]) -> float | None:
    """The share of clocks that ended in time; None where none ended."""
    ended = sum(hour.ended for hour in hours)
    return None if not ended else (ended - sum(hour.missed for hour in hours)) / ended
