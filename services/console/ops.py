"""The ops page: is everything running, is anything late, do the counts agree (V5, O6).

Two clocks meet here. What the trade did is told by the installation's clock (on event time a day of the past); how machines do
is always told by the wall. Every figure says which by where it stands.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import (
    auditing,
    clock,
    counting,
    drift,
    guarding,
    notices,
    pages,
    policies,
    probing,
    publishing,
    queue,
    tallying,
)  # fmt: skip
from services.console.people import Person
from services.console.queue import Filter
from services.console.tallying import (
    AGAIN,
    AT_ONCE,
    BREACHED,
    BY,
    BY_PERSON,
    CAME_BACK,
    CANCELLED,
    DECIDED,
    DECIDED_MS,
    ESCALATED,
    HELD,
    LATER,
    MET,
    MET_LATE,
    MISSED,
    RECEIVED,
    REFERRED,
    REJECTED,
    SETTLED,
    SETTLED_MIN,
    histogram,
    percentile,
)
from shared.credit.rulebook import book_at

MAY_MEND = ("operations_manager", "director", "ops")
"""Who may have the windows folded anew."""
SPAN = dt.timedelta(minutes=90)
STEP = dt.timedelta(minutes=1)
"""Charts of machines; their rows are kept for hours, these are shown."""
DAY_HOURS_MAX = 24
DECISION_BUDGET_MS = 50.0
"""Received → decided, 99 of 100 (the house's aim); beyond LATE_MS the floor is missed as well."""
LATE_MS = 250.0
OLDEST_S, OLDEST_LATE_S = 1.0, 10.0
"""An undecided input is amber after the one and red after the other ("well under a second", O6)."""
LAG_SOON, LAG_NOW = 1_000, 5_000
OUTBOX_S, OUTBOX_LATE_S = 1.0, 10.0
TIMERS_S, TIMERS_LATE_S = 5.0, 60.0
REASONS_SHOWN = 4
WIDTHS = (15, 60)


class Figures(dict[str, float]):
    """What is not known is nothing: an instance that just started has no rates yet."""

    def __missing__(self, word: str) -> float:
        return 0.0


class Row(NamedTuple):
    """A service, or one of its instances: `figures` summed or the worst of them, `state` one word, `tone` its colour."""

    name: str
    figures: Figures
    state: str
    tone: str
    seen_at: dt.datetime | None
    problem: str = ""
    ready: int = 0
    instances: tuple[Row, ...] = ()


class Window(NamedTuple):
    """A portfolio's sliding window, as the worker that counts streams has it."""

    portfolio: str
    minutes: int
    received: int
    at_once: float | None
    decided_p99_ms: float | None
    settled_p50: float | None
    settled_p99: float | None
    in_time: float | None
    reasons: list[tuple[str, int]]
    until: dt.datetime


# --- services -------------------------------------------------------------------------------------------------------

ADDED = ("handled_s", "facts_s", "backlog", "lag", "outbox", "parked_groups", "parked", "quarantine", "withheld", "partitions",
         "timers_late", "restarts", "gaps")  # fmt: skip
"""Figures of instances that add up to the service's; of all others the worst counts."""


def services(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Every service with its instances, in the order in which the rows come."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        figures = Figures(msgspec.json.decode(row["figures"], type=dict[str, float]))
        state, tone = state_of(figures, bool(row["ready"]), bool(row["silent"]))
        instance = Row(row["instance"], figures, state, tone, row["seen_at"], row["problem"], int(row["ready"]))
        found.setdefault(row["service"], []).append(instance)
    return [_service(name, instances) for name, instances in found.items()]


def state_of(figures: Mapping[str, float], ready: bool, silent: bool) -> tuple[str, str]:
    """What somebody must know first of an instance: (word, tone)."""
    if silent:
        return "silent", "bad"
    if not ready:
        return "not ready", "bad"
    for word, (soon, now) in BOUNDS.items():
        if figures.get(word, 0) >= now:
            return SAYS[word], "bad"
        if figures.get(word, 0) >= soon:
            return SAYS[word], "warn"
    if figures.get("parked") or figures.get("quarantine") or figures.get("withheld"):
        return "look", "warn"
    return "running", "ok"


BOUNDS: dict[str, tuple[float, float]] = {
    "oldest_s": (OLDEST_S, OLDEST_LATE_S),
    "outbox_s": (OUTBOX_S, OUTBOX_LATE_S),
    "timers_late_s": (TIMERS_S, TIMERS_LATE_S),
    "lag": (LAG_SOON, LAG_NOW),
}
"""Figure → from where on it is amber, and red. The same bounds stand in the alert rules (tests/deploy)."""
SAYS = {"oldest_s": "behind", "outbox_s": "not published", "timers_late_s": "timers late", "lag": "behind"}


def _service(name: str, instances: Sequence[Row]) -> Row:
    speaking = [each for each in instances if each.state != "silent"]
    words = {word for each in speaking for word in each.figures}
    figures = Figures({word: (sum if word in ADDED else max)(each.figures.get(word, 0.0) for each in speaking) for word in words})
    worst = max(instances, key=lambda each: TONES.index(each.tone))
    seen = [each.seen_at for each in instances if each.seen_at is not None]
    ready = sum(each.ready for each in instances)
    state = worst.state if worst.tone != "bad" or ready == 0 or len(instances) == 1 else f"{len(instances) - ready} {worst.state}"
    return Row(name, figures, state, worst.tone, max(seen, default=None), worst.problem, ready, tuple(instances))


TONES = ("ok", "warn", "bad")


def tone(word: str, value: float | None) -> str:
    """The colour of one figure: nothing, amber or red."""
    soon, now = BOUNDS[word]
    return "" if value is None or value < soon else "bad" if value >= now else "warn"


def decision_tone(p99_ms: float | None) -> str:
    return "" if p99_ms is None or p99_ms <= DECISION_BUDGET_MS else "bad" if p99_ms > LATE_MS else "warn"


# --- windows --------------------------------------------------------------------------------------------------------


async def windows(pool: asyncpg.Pool | asyncpg.Connection, portfolios: Sequence[str]) -> list[Window]:
    """Sliding windows of all partitions together, per portfolio and width; quiet portfolios too."""
    rows = await pool.fetch(
        """
        select portfolio, minutes, each.key as what, sum(each.value::bigint)::bigint as n, max(until) as until
        from window_sliding left join lateral jsonb_each_text(counts) as each on true
        where portfolio <> '' and ($1::text[] = '{}' or portfolio = any($1))
        group by portfolio, minutes, each.key order by portfolio, minutes
        """,
        list(portfolios),
    )
    sums: dict[tuple[str, int], dict[str, int]] = {}
    for row in rows:
        counts = sums.setdefault((row["portfolio"], row["minutes"]), {})
        if row["what"] is not None:
            counts[row["what"]] = row["n"]
    until = max((row["until"] for row in rows), default=dt.datetime.min.replace(tzinfo=dt.UTC))
    return [window_of(portfolio, width, counts, until) for (portfolio, width), counts in sums.items()]


def window_of(portfolio: str, width: int, counts: Mapping[str, int], until: dt.datetime) -> Window:
    settled = histogram(counts, SETTLED, SETTLED_MIN)
    return Window(
        portfolio=portfolio,
        minutes=width,
        received=counts.get(RECEIVED, 0),
        at_once=share(counts, (AT_ONCE,), (RECEIVED,)),
        decided_p99_ms=percentile(histogram(counts, DECIDED, DECIDED_MS), 0.99),
        settled_p50=percentile(settled, 0.5),
        settled_p99=percentile(settled, 0.99),
        in_time=share(counts, (MET, MET_LATE), (MET, MET_LATE, MISSED)),
        reasons=reasons(counts)[:REASONS_SHOWN],
        until=until,
    )


def share(counts: Mapping[str, int], of: tuple[str, ...], among: tuple[str, ...]) -> float | None:
    whole = sum(counts.get(word, 0) for word in among)
    return sum(counts.get(word, 0) for word in of) / whole if whole else None


def reasons(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Why orders were held, the most frequent first."""
    prefix = f"{BY}:"
    found = [(what.removeprefix(prefix), n) for what, n in counts.items() if what.startswith(prefix)]
    return sorted(found, key=lambda each: (-each[1], each[0]))


# --- the page -------------------------------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    return pages.render(request, "ops.html", **await _overview(request))


async def _overview(request: Request) -> dict[str, Any]:
    who = guarding.require(request, *guarding.LOOKING)
    pool, now = request.app.state.pool, pages.now(request)
    today = day_of(now, who)
    found = services(await probing.instances(pool))
    hours = await counting.by_step(pool, today, hour_after(now), dt.timedelta(hours=1), who.portfolios)
    sums = sum_of(hours.values())
    return {
        "services": found,
        "desk": next((row.figures for row in found if row.name == "orders"), Figures()),
        "silent": [row for row in found if row.tone == "bad"],
        "parked": [row for row in found if row.figures.get("parked_groups")],
        "asked": bool(request.app.state.settings.instances),
        "sums": sums,
        "ahead": await ahead(pool, who.portfolios, now),
        "in_time": share(sums, (MET, MET_LATE), (MET, MET_LATE, MISSED)),
        "hours": [(at, counts) for at, counts in hours.items() if any(counts.values())],
        "why": reasons(sums),
        "last_hour": (await counting.sums(pool, *_last_hour(now), who.portfolios))[RECEIVED],
        "windows": await windows(pool, who.portfolios),
        "worker": await drift.lag(pool),
        "compared": await drift.last(pool),
        "may_mend": who.role in MAY_MEND,
        "done": notices.taken(request),
        "tone": tone,
        "decision_tone": decision_tone,
        "budget_ms": DECISION_BUDGET_MS,
        "counted": [(shown, word) for shown, word in COUNTED.items() if sums.get(word)],
    }


class Ahead(NamedTuple):
    """Of the orders that wait now: past their escalation, over their time, and further ones that the desk will not reach in time
    at its `pace` (O6)."""

    waiting: int
    risky: int
    late: int
    predicted: int
    pace: clock.Pace


async def ahead(pool: asyncpg.Pool | asyncpg.Connection, portfolios: Sequence[str], now: dt.datetime) -> Ahead:
    """What the release desk says of the same orders, from the same queries."""
    openings = clock.openings(book_at(await policies.adopted(pool), now))
    pace = await clock.pace(pool, portfolios, now, openings)
    risk = await clock.risk(pool, portfolios, now, openings, pace)
    totals = await queue.totals(pool, Filter(seen=tuple(portfolios)), now)
    return Ahead(risk.waiting, sum(each.risky for each in totals), risk.late, risk.predicted, pace)


def day_of(now: dt.datetime, who: Person) -> dt.datetime:
    """The beginning of the day in the person's zone, at most DAY_HOURS_MAX back."""
    here = now.astimezone(ZoneInfo(who.zone))
    begin = here.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(dt.UTC)
    return max(begin, hour_after(now) - dt.timedelta(hours=DAY_HOURS_MAX))


def _last_hour(now: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
    """Sixty minutes, the running one with them: as the windows count."""
    until = tallying.minute_of(now) + STEP
    return until - dt.timedelta(hours=1), until


def hour_after(now: dt.datetime) -> dt.datetime:
    return now.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)


def sum_of(each: Iterable[Mapping[str, int]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for counts in each:
        sums.update(counts)
    return sums


COUNTED = {
    "received": RECEIVED, "came back (recalled, changed)": CAME_BACK, "released at once": AT_ONCE, "released later": LATER,
    "released by people": BY_PERSON, "released again": AGAIN, "rejected": REJECTED, "cancelled": CANCELLED, "held": HELD,
    "referred": REFERRED, "escalated": ESCALATED, "breached": BREACHED,
}  # fmt: skip
"""Words of the day's table → what is counted."""


async def mend(request: Request) -> Response:
    """Throw the windows away by hand; the worker folds them anew from the topic's beginning."""
    who = guarding.require(request, *MAY_MEND)
    async with request.app.state.pool.acquire() as connection:
        number = await publishing.throw_away(connection)
        await drift.note(connection, await drift.compare(connection), rebuilt=True)
    await auditing.note(request, "windows thrown away", who, f"generation {number}")
    return notices.go(request, "/ops", "The windows are thrown away and counted from the first fact again.")


# --- charts ---------------------------------------------------------------------------------------------------------


async def charts(request: Request) -> Response:
    """What the charts draw, each with its budget: `{name: {at: […], lines: {name: […]}, budget: …}}`, times in milliseconds."""
    who = guarding.require(request, *guarding.LOOKING)
    pool, now = request.app.state.pool, pages.now(request)
    found = {
        "received": await _received(pool, now, who),
        "decided": await _decided(pool),
        "clock": await _clock(pool, now, who),
        "lag": await _lag(pool, [row.name for row in services(await probing.instances(pool))]),
    }
    return Response(msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _received(pool: asyncpg.Pool, now: dt.datetime, who: Person) -> dict[str, Any]:
    until = tallying.minute_of(now) + STEP
    steps = await counting.by_step(pool, until - SPAN, until, STEP, who.portfolios)
    lines = {
        "received": [counts[RECEIVED] for counts in steps.values()],
        "held or referred": [counts[HELD] + counts[REFERRED] for counts in steps.values()],
    }
    return {"at": [_ms(at) for at in steps], "lines": lines}


async def _decided(pool: asyncpg.Pool) -> dict[str, Any]:
    points = await probing.series(pool, "orders", ["decided_p50_ms", "decided_p99_ms"], SPAN, STEP)
    lines = {word: [point.get(f"decided_{word}_ms") for _, point in points] for word in ("p50", "p99")}
    return {"at": [_ms(at) for at, _ in points], "lines": lines, "budget": DECISION_BUDGET_MS}


async def _clock(pool: asyncpg.Pool, now: dt.datetime, who: Person) -> dict[str, Any]:
    hours = await counting.by_step(pool, day_of(now, who), hour_after(now), dt.timedelta(hours=1), who.portfolios)
    busy = [at for at, counts in hours.items() if any(counts[word] for word in CLOCK_LINES.values())]
    shown = {at: counts for at, counts in hours.items() if busy and at >= busy[0]}
    lines = {name: [counts[word] for counts in shown.values()] for name, word in CLOCK_LINES.items()}
    return {"at": [_ms(at) for at in shown], "lines": lines}


CLOCK_LINES = {"met": MET, "met after escalation": MET_LATE, "breached": BREACHED}
"""A clock counts in the hour in which it ended, a breach in the hour in which it happened."""


async def _lag(pool: asyncpg.Pool, names: Iterable[str]) -> dict[str, Any]:
    lines: dict[str, dict[dt.datetime, float]] = {}
    for name in names:  # a handful: one query for each service that there is
        lines[name] = {at: point.get("lag", 0.0) for at, point in await probing.series(pool, name, ["lag"], SPAN, STEP)}
    moments = sorted({at for line in lines.values() for at in line})
    return {
        "at": [_ms(at) for at in moments],
        "lines": {name: [line.get(at) for at in moments] for name, line in lines.items()},
        "budget": LAG_NOW,
    }


def _ms(at: dt.datetime) -> int:
    return int(at.timestamp() * 1000)


ROUTES = [
    Route("/ops", show),
    Route("/ops/charts.json", charts),
    Route("/ops/windows", mend, methods=["POST"]),
]
