"""One run: stream, break, mend, let it rest, audit."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections import defaultdict

import msgspec

from tests.faults.chaos.audit import COUNTS, Findings, audit, lines_of
from tests.faults.chaos.faults import Kind, kinds, missing, schedule
from tests.faults.chaos.feed import Feed
from tests.faults.chaos.links import NotRecovered, Recovered, recovery, rest
from tests.faults.chaos.site import Site, site
from tests.faults.chaos.trade import Trade

ACCOUNTS = 300
EVENTS_PER_FAULT = 4_000
RATE_MAX = 400.0
"""Events a second: some tenth of what the services do without faults, on two cores that run everything."""
TRICKLE = 30.0
"""Events a second while a fault takes longer than its part of the stream: enough to see every service decide."""
SECONDS_PER_FAULT = 8.0
"""What a fault and its recovery usually take; the stream is slowed down so that it lasts as long as the faults do."""
QUIET_S = 1.0
"""Between a recovery and the next fault."""


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """`only`: names of kinds; empty: all. `accounts`: how many trade. `minutes`: then it is enough, whatever is left to send."""

    events: int
    seed: int
    only: tuple[str, ...] = ()
    accounts: int = ACCOUNTS
    minutes: float = float("inf")


class Fault(msgspec.Struct, frozen=True):
    """One fault as it happened: seconds since the stream began."""

    kind: str
    target: str
    at_s: float
    lasted_s: float
    recovered: Recovered | None = None
    failure: str = ""


class Spread(msgspec.Struct, frozen=True):
    """Seconds."""

    min: float
    median: float
    max: float


class Report(msgspec.Struct, kw_only=True):
    """`events` were answered, `asked` were asked for."""

    events: int
    asked: int
    seed: int
    seconds: float
    stream_seconds: float
    lost: int
    doubled: int
    stuck: int
    disordered: int
    different: int
    unbalanced: int
    faults: dict[str, int]
    not_run: dict[str, str]
    decided_again_s: dict[str, Spread]
    caught_up_s: dict[str, Spread]
    absorbed: dict[str, int]
    journal_rows: int
    topic_records: int
    releases: int
    instances: int
    exits_unasked: list[dict[str, str | int]]
    findings: list[str]
    history: list[Fault]

    @property
    def clean(self) -> bool:
        return not self.findings


async def perform(wish: Wish, keep: list[str]) -> Report:
    """Run it. `keep` gets a reason when the run's home should stay."""
    async with site(keep) as here:
        report = await _on(here, wish)
        if not report.clean:
            keep.append(f"{len(report.findings)} findings")
        return report


async def _on(here: Site, wish: Wish) -> Report:
    began = time.monotonic()
    await here.fleet.start_all()
    watching = asyncio.create_task(here.fleet.watch())
    planned, not_run = _planned(here, wish)
    run = Run(here, wish, planned)
    try:
        seconds = await run.stream()
        told(f"{run.feed.told.events:,} events and {len(run.history)} faults in {seconds:.0f} s; now it comes to rest")
        still = await rest(here)
    finally:
        watching.cancel()
        await run.feed.close()
    told("at rest; reading journals and topics")
    findings = await audit(here, run.feed.told)
    for what in (*still, *(fault.failure for fault in run.history if fault.failure)):
        findings.add("stuck", what)
    for refused in run.feed.told.refused:
        findings.add("lost", f"refused by the gateway: {refused}")
    return _report(here, wish, run, findings, not_run, seconds, time.monotonic() - began)


def _planned(here: Site, wish: Wish) -> tuple[list[Kind], dict[str, str]]:
    wanted = [kind for kind in kinds() if not wish.only or kind.name in wish.only]
    not_run = {kind.label: why for kind in wanted if (why := missing(here, kind))}
    able = [kind for kind in wanted if kind.label not in not_run]
    return schedule(wish.seed, max(wish.events // EVENTS_PER_FAULT, 1), able), not_run


class Run:
    def __init__(self, here: Site, wish: Wish, planned: list[Kind]) -> None:
        self._here, self._wish, self._planned = here, wish, planned
        self.kinds = {kind.name for kind in planned}
        self._done = 0
        self._ends_at = float("inf")
        self._rate = min(RATE_MAX, wish.events / (SECONDS_PER_FAULT * len(planned)))
        trade = Trade(wish.seed, wish.accounts, dt.datetime.now(dt.UTC).replace(microsecond=0))
        self.feed = Feed(here, trade, self._pace, wish.seed)
        self.history: list[Fault] = []

    def _pace(self, drawn: int) -> float | None:
        """The stream lasts as long as the faults: where it is ahead of them it trickles, and it ends after the last."""
        allowed = self._wish.events * (self._done + 1) // (len(self._planned) + 1)
        if drawn < allowed and time.monotonic() < self._ends_at:
            return self._rate
        return TRICKLE if self._done < len(self._planned) else None

    async def stream(self) -> float:
        await self.feed.begin()
        told(f"{self._wish.accounts} accounts are open; {len(self._planned)} faults are planned")
        began = time.monotonic()
        self._ends_at = began + self._wish.minutes * 60
        streaming = asyncio.create_task(self.feed.run())
        dice = random.Random(f"faults/{self._wish.seed}")
        for kind in self._planned:
            if time.monotonic() > self._ends_at:
                self._planned = self._planned[: self._done]
                break
            self.history.append(await self._strike(kind, dice, began))
            self._done += 1
            await asyncio.sleep(dice.uniform(0, QUIET_S))
        await streaming
        return time.monotonic() - began

    async def _strike(self, kind: Kind, dice: random.Random, began: float) -> Fault:
        at = time.monotonic()
        lifted = await kind.inject(self._here, kind.target, dice)
        what = (kind.name, kind.target, round(at - began, 1), round(lifted - at, 1))
        try:
            recovered = await recovery(self._here, kind.affects, lifted)
        except NotRecovered as error:
            told(f"{kind.label}: {error}")
            return Fault(*what, failure=f"{kind.label}: {error}")
        told(f"{len(self.history) + 1:>3} {kind.label:<28} {recovered.decided_s:>6.2f} s {recovered.caught_up_s:>6.2f} s "
             f"  {self.feed.told.events:,} events")  # fmt: skip
        return Fault(*what, recovered)


def _report(
    here: Site, wish: Wish, run: Run, findings: Findings, not_run: dict[str, str], stream_s: float, seconds: float
) -> Report:
    fleet, said = here.fleet, run.feed.told
    struck = {fault.kind for fault in run.history}
    late = dict.fromkeys(sorted(run.kinds - struck), "the time was over before its turn")
    counted = {name: findings.counts[name] for name in COUNTS}
    by_kind: defaultdict[str, list[Recovered]] = defaultdict(list)
    for fault in run.history:
        if fault.recovered is not None:
            by_kind[fault.kind].append(fault.recovered)
    return Report(
        events=said.events,
        asked=wish.events,
        seed=wish.seed,
        seconds=round(seconds, 1),
        stream_seconds=round(stream_s, 1),
        **counted,
        faults={kind: sum(1 for fault in run.history if fault.kind == kind) for kind in sorted({f.kind for f in run.history})},
        not_run=not_run | late,
        decided_again_s={kind: spread([each.decided_s for each in all_]) for kind, all_ in sorted(by_kind.items())},
        caught_up_s={kind: spread([each.caught_up_s for each in all_]) for kind, all_ in sorted(by_kind.items())},
        absorbed={
            "on topics, sent twice by a publisher": findings.absorbed,
            "by readers, as far as they lived to tell": fleet.figure("duplicates_dropped"),
            "by the gateway, sent twice by the feed": said.repeats,
        },
        journal_rows=findings.rows,
        topic_records=findings.records,
        releases=1 + sum(1 for _ in here.home.glob("release-*")),
        instances=fleet.started,
        exits_unasked=[{"service": gone.service, "code": gone.code, "log": gone.log} for gone in fleet.exits],
        findings=list(lines_of(findings)),
        history=run.history,
    )


def spread(values: list[float]) -> Spread:
    ordered = sorted(values)
    return Spread(ordered[0], ordered[len(ordered) // 2], ordered[-1])


def told(text: str) -> None:
    print(text, flush=True)
