"""Soak: ordinary work for long. Nothing may grow that has no reason to, and tables must vacuum.

python -m tests.faults.load soak --minutes 60 [--rate MESSAGES_A_SECOND]
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.load.capacity import FLOOR, measured_limit
from tests.faults.load.premises import Premises, free_bytes, on_interrupt, open_premises, used_bytes
from tests.faults.load.readings import Readings, TableState
from tests.faults.load.report import Report, say
from tests.faults.load.trade import Trade, accounts_for, open_accounts
from tests.faults.load.trend import Allowed, Point, judged, thin

SERVICES = ("accounts", "orders", "gateway")
SAMPLE_S = 10.0
SAY_EVERY_S = 60.0
JUDGED_MINUTES_MIN = 20.0
"""A shorter run is measured and not judged: caches and pools still fill up in its second half."""
BYTES_A_MESSAGE = 3_000
"""Disk one message costs for good: topics, journals, rows. Stated before the start; measured besides."""
BYTES_ANYWAY = 2 * 2**30
"""Write-ahead log and preallocated files, whatever the rate."""
DISK_LEFT_MIN = 3 * 2**30
"""The run refuses to start, and ends early, rather than leave the machine less."""
SHOWN_POINTS = 60
OPENED_S_MAX = 180.0
DRAIN_S_MAX = 120.0

MEMORY = Allowed(share=0.05, amount=8.0)
"""Growth an hour: 5 % or 8 MB. An allocator breathes by some MB; a leak of one small object a message is 100 MB an hour."""
COUNTS = Allowed(share=0.0, amount=2.0)
"""Handles, sockets, connections, series: two more an hour may be chance, one a minute is not."""
LAG_S = 2.0
"""Lag may grow by the input of so many seconds in an hour."""
SMALL_TABLE = Allowed(share=0.10, amount=1.0)
"""MB an hour, of tables that hold what is open now and not what ever was."""
KIT_TABLES = ("instance", "lease", "progress", "reading", "mailbox", "parked", "parked_home", "timer")
SMALL_TABLES = frozenset((*KIT_TABLES, "positions", "ageings", "forwards", "held"))
VACUUM_S = 120.0
"""Dead rows may stand as long as autovacuum lets them (its threshold) and this long besides: naps of 15 s, and its work."""
VACUUM_THRESHOLD, VACUUM_SHARE = 50, 0.05
"""As deploy/local/postgres.py and PostgreSQL set them; a table of ours may set less, never more."""
JUDGED = {
    "rss_mb": MEMORY, "handles": COUNTS, "sockets": COUNTS, "threads": COUNTS, "series": COUNTS, "connections": COUNTS,
    "instances": COUNTS, "unpublished": None, "backlog": None, "lag": None, "mail": None,
}  # fmt: skip
"""None: lag, allowed by LAG_S."""
MUST_STAY_ZERO = ("restarts", "parked", "parked_messages", "quarantined")


class Series:
    """All readings of a run by name."""

    def __init__(self) -> None:
        self.points: dict[str, list[Point]] = {}

    def add(self, at_s: float, found: Mapping[str, float]) -> None:
        for name, value in found.items():
            self.points.setdefault(name, []).append((at_s, value))

    def last(self, name: str) -> float:
        return self.points[name][-1][1] if self.points.get(name) else 0.0

    def condensed(self) -> dict[str, list[list[float]]]:
        return {
            name: [[round(at), round(value, 2)] for at, value in thin(points, SHOWN_POINTS)]
            for name, points in self.points.items()
        }


def findings(series: Series, rate: float, services: Sequence[str] = SERVICES) -> dict[str, dict[str, Any]]:
    """Every judged series with its trend; `grows` is the verdict."""
    found: dict[str, dict[str, Any]] = {}
    for name, points in sorted(series.points.items()):
        owner, _, kind = name.partition(".")
        if owner not in services:
            continue
        if kind in MUST_STAY_ZERO:
            most = max(value for _, value in points)
            found[name] = {"most": most, "grows": most > 0}
        elif kind in JUDGED:
            trend = judged(points, JUDGED[kind] or Allowed(0.0, LAG_S * rate))
            found[name] = {"median": round(trend.median, 1), "per_hour": round(trend.per_hour, 2),
                           "allowed_per_hour": round(trend.allowed_per_hour, 2), "grows": trend.grows}  # fmt: skip
        elif kind.startswith("table."):
            trend = judged(points, SMALL_TABLE)
            found[name] = {"median_mb": round(trend.median, 2), "per_hour_mb": round(trend.per_hour, 2), "grows": trend.grows}
    return found


def dead_allowed(table: TableState, changed_per_s: float) -> float:
    return VACUUM_THRESHOLD + VACUUM_SHARE * table.live + VACUUM_S * changed_per_s


def unvacuumed(before: Mapping[str, TableState], after: Mapping[str, TableState], seconds: float) -> dict[str, dict[str, Any]]:
    """Tables that changed, with dead rows against what autovacuum may leave."""
    found = {}
    for name, now in sorted(after.items()):
        was = before.get(name)
        changed = now.changed - (was.changed if was else 0)
        if changed <= 0:
            continue
        allowed = dead_allowed(now, changed / max(seconds, 1.0))
        found[name] = {"changed": changed, "live": now.live, "dead": now.dead, "dead_allowed": round(allowed),
                       "vacuums": now.vacuums, "last_vacuum_s_ago": now.last_vacuum_s_ago,
                       "table_mb": now.table_mb, "index_mb": now.index_mb, "grows": now.dead > allowed}  # fmt: skip
    return found


class Soak:
    def __init__(self, premises: Premises, trade: Trade, readings: Readings, report: Report) -> None:
        self._premises, self._trade, self._readings, self._report = premises, trade, readings, report
        self.series = Series()
        self.vacuum: dict[str, dict[str, Any]] = {}
        self._first: dict[str, dict[str, TableState]] = {}

    async def run(self, seconds: float, interrupted: asyncio.Event) -> str:
        """Sample until the time is over; returns why it ended."""
        began = time.monotonic()
        say_at = began + SAY_EVERY_S
        self._first = {service: await self._readings.tables(service) for service in self._readings.services()}
        while (passed := time.monotonic() - began) < seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(interrupted.wait(), min(SAMPLE_S, seconds - passed))
            if interrupted.is_set():
                return "interrupted"
            await self._sample(time.monotonic() - began)
            if dead := [one.name for one in self._premises.instances.values() if not one.alive]:
                return f"{', '.join(dead)} ended by itself"
            if free_bytes(self._premises.settings.home) < DISK_LEFT_MIN:
                return "the disk is nearly full"
            if time.monotonic() >= say_at:
                say_at += SAY_EVERY_S
                say(self._progress(seconds))
        return ""

    async def _sample(self, at_s: float) -> None:
        found = await self._readings.take()
        found |= {f"trade.{name}": value for name, value in self._trade.latency_ms().items()}
        found |= {f"trade.{name}": float(count) for name, count in self._trade.counts.items()}
        found["trade.undecided"] = float(len(self._trade.undecided))
        for service in self._readings.services():
            tables = await self._readings.tables(service)
            found |= {
                f"{service}.table.{name}": one.table_mb + one.index_mb for name, one in tables.items() if name in SMALL_TABLES
            }
            self.vacuum[service] = unvacuumed(self._first[service], tables, at_s)
        self.series.add(at_s, found)
        self._report.note(
            sampled_s=round(at_s), trade=dict(self._trade.counts), tables=self.vacuum, series=self.series.condensed()
        )

    def _progress(self, seconds: float) -> str:
        at = self.series.points["trade.undecided"][-1][0]
        memory = " ".join(f"{name} {self.series.last(f'{name}.rss_mb'):.0f}" for name in self._premises.instances)
        lag = " ".join(f"{name} {self.series.last(f'{name}.lag'):.0f}" for name in SERVICES)
        counts = self._trade.counts
        return (
            f"{at / 60:.1f} of {seconds / 60:.0f} min: {counts['written']:,} messages, {counts['placed']:,} orders, "
            f"{counts['held']:,} held; p99 {self.series.last('trade.p99_ms'):.0f} ms; memory MB: {memory}; lag: {lag}"
        )


async def soak(minutes: float, rate: float | None) -> int:
    """Returns the exit code: 0 no growth, 1 growth or loss, 2 not started."""
    report = Report("soak", minutes=minutes, rate=rate)
    interrupted = asyncio.Event()
    on_interrupt(asyncio.current_task())
    async with open_premises() as premises:
        limit = await measured_limit(premises.settings)
        # A limit measured beside other work is low; so is what the services can do beside it.
        rate = rate or round(FLOOR * limit / 2)
        report.note(limit_orders_per_s=round(limit), messages_per_s=rate)
        if short := _too_little_disk(premises, rate, minutes):
            report.end(short)
            return 2
        for service in SERVICES:
            premises.start(service)
        await premises.ready()
        await open_accounts(premises.settings, accounts_for(rate))
        async with Readings(premises) as readings:
            await _opened(readings, accounts_for(rate))
            async with Trade(premises.settings, rate) as trade:
                return await _soaked(Soak(premises, trade, readings, report), trade, readings, report, minutes, interrupted)


def _too_little_disk(premises: Premises, rate: float, minutes: float) -> str:
    needed, free = BYTES_ANYWAY + int(rate * minutes * 60 * BYTES_A_MESSAGE), free_bytes(premises.settings.home)
    say(f"{rate:,.0f} messages/s for {minutes:g} min need some {needed / 2**30:.1f} GB of disk; {free / 2**30:.1f} GB are free")
    if free - needed < DISK_LEFT_MIN:
        disk = f"{needed / 2**30:.1f} GB needed, {free / 2**30:.1f} GB free"
        return f"not started: {disk}; lower RATE or MINUTES, or set QUITTANCE_HOME to a larger disk"
    return ""


async def _opened(readings: Readings, count: int) -> None:
    """The desk knows every account."""
    desk = await readings.database("orders")
    deadline = time.monotonic() + OPENED_S_MAX
    while (known := await desk.fetchval("select count(*) from standings")) < count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the desk knows {known} of {count} accounts after {OPENED_S_MAX:.0f} s")
        await asyncio.sleep(0.2)


async def _soaked(
    soak: Soak, trade: Trade, readings: Readings, report: Report, minutes: float, interrupted: asyncio.Event
) -> int:
    home = trade.settings.home.parent
    disk = used_bytes(home)
    on_interrupt(interrupted)
    writing = asyncio.create_task(trade.run(), name="trade")
    ended = await soak.run(minutes * 60, interrupted)
    trade.stop.set()
    await writing
    lost = await trade.drained(DRAIN_S_MAX if not ended else 10.0)
    used = used_bytes(home) - disk
    seconds = soak.series.points["trade.undecided"][-1][0] if soak.series.points else 1.0
    held_rate = trade.counts["written"] / max(seconds, 1.0)
    judged_by = findings(soak.series, trade.rate)
    report.note(
        findings=judged_by, undecided_at_the_end=lost, written_per_s=round(held_rate), trade=dict(trade.counts),
        disk_bytes_a_message=round(used / max(trade.counts["written"], 1)),
    )  # fmt: skip
    return _verdict(report, judged_by, soak.vacuum, lost, ended, minutes)


def _verdict(
    report: Report, judged_by: Mapping[str, dict[str, Any]], vacuum: Mapping[str, Any], lost: int, ended: str, minutes: float
) -> int:
    growing = [name for name, found in judged_by.items() if found["grows"]]
    growing += [
        f"{service}.{name} dead rows" for service, tables in vacuum.items() for name, one in tables.items() if one["grows"]
    ]
    report.note(growing=growing)
    if lost and ended != "interrupted":
        report.end(f"{lost} orders were never decided")
        return 1
    if ended:
        report.end(f"ended early: {ended}; growing so far: {', '.join(growing) or 'nothing'}")
        return 1
    if minutes < JUDGED_MINUTES_MIN:
        report.end(
            f"not judged: shorter than {JUDGED_MINUTES_MIN:g} min; would be called growing: {', '.join(growing) or 'nothing'}"
        )
        return 0
    report.end(f"grows: {', '.join(growing)}" if growing else "no growth")
    return 1 if growing else 0
