"""Where a case of overload takes place: an installation of its own with accounts opened, a pen that writes commands, and ears."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.message import Message
from shared.settings import Settings
from shared.testing import Servers
from tests.bench.feed_in import Writer, account_name, accounts, order
from tests.faults.load.premises import Premises, installation_on
from tests.faults.load.readings import Readings
from tests.faults.load.report import say
from tests.faults.load.trade import DECIDED

ACCOUNTS = 2_000
WIDE_LIMIT_MINOR = 10**13
MEMORY_MB_MAX = 700
"""Bound on every service's process, whatever waits: rows kept (some 150 MB), fetched records (8 MB a topic and partition),
committed and unpublished entries (50 MB), requests (64 of 1 MiB)."""
WATCH_S = 0.5
SLICE = 5_000
POLL_S = 0.05
SAY_EVERY_S = 60.0
PATIENCE_S = 600.0


class Body(msgspec.Struct):
    order: str = ""
    account: str = ""
    first: str = ""


class Fact(msgspec.Struct):
    type: str
    data: Body


_fact = msgspec.json.Decoder(Fact).decode


class Decisions:
    """Hears the first decision about every order, when it became readable, and in which order."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, fetch_max_wait_ms=50)
        self._known: set[str] = set()
        self.decided: Counter[str] = Counter()
        self.doubled: Counter[str] = Counter()
        self.heard_at: dict[str, float] = {}
        self.sampled: dict[str, float] = {}
        self.followed = ""
        self.sequence: list[str] = []

    async def __aenter__(self) -> Decisions:
        await self._consumer.start()
        places = [TopicPartition(self._settings.topic("orders"), number) for number in range(self._settings.partitions)]
        self._consumer.assign(places)
        await self._consumer.seek_to_beginning(*places)
        self._task = asyncio.create_task(self._listen(), name="decisions")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await self._consumer.stop()

    async def _listen(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=200, max_records=SLICE)).values():
                for record in records:
                    self._hear(_fact(record.value))

    def _hear(self, fact: Fact) -> None:
        name = fact.data.order
        if fact.type not in DECIDED or not fact.data.first:
            return
        (self.doubled if name in self._known else self.decided)[name.partition("/")[0]] += 1
        self._known.add(name)
        if name in self.sampled:
            self.heard_at[name] = time.perf_counter()
        if fact.data.account == self.followed:
            self.sequence.append(name)

    def raise_what_ended(self) -> None:
        if self._task.done() and (error := self._task.exception()):
            raise error

    def latencies_ms(self, prefix: str) -> dict[str, float]:
        """p50 and p99 of sampled orders whose name begins so."""
        seen = [
            self.heard_at[name] - at for name, at in self.sampled.items() if name.startswith(prefix) and name in self.heard_at
        ]
        if len(seen) < 2:
            return {}
        cut = statistics.quantiles(seen, n=100)
        return {"p50_ms": round(cut[49] * 1e3, 1), "p99_ms": round(cut[98] * 1e3, 1), "max_ms": round(max(seen) * 1e3, 1)}


class Memory:
    """Highest memory of every service while a case runs."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self.peak_mb: dict[str, float] = {}

    async def watch(self) -> None:
        while True:
            for name, instance in list(self._premises.instances.items()):
                if instance.alive:
                    self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), round(instance.rss_mb, 1))
            await asyncio.sleep(WATCH_S)

    @property
    def bounded(self) -> bool:
        return all(mb <= MEMORY_MB_MAX for mb in self.peak_mb.values())


class Field:
    def __init__(self, premises: Premises, pen: Writer, decisions: Decisions, readings: Readings, memory: Memory) -> None:
        self.premises, self.pen, self.decisions, self.readings, self.memory = premises, pen, decisions, readings, memory
        self.settings = premises.settings
        self.accounts = ACCOUNTS
        self.spare = ""
        self.sent: dict[str, int] = {}

    # --- writing ------------------------------------------------------------------------------------------------------

    async def write(self, feed: str, count: int, per_s: float = 0.0, at: dt.datetime | None = None, account: str = "") -> float:
        """Write orders `<feed>/<n>` to all accounts or to one, at most `per_s` (0: as fast as it goes); orders a second."""
        began, done, say_at = time.perf_counter(), 0, time.perf_counter() + SAY_EVERY_S
        step = min(SLICE, max(int(per_s / 50), 1)) if per_s else SLICE
        while done < count:
            ahead = began + done / per_s - time.perf_counter() if per_s else 0
            if ahead > 0:
                await asyncio.sleep(ahead)
            size = min(step, count - done)
            await self.slice(feed, done, size, at or dt.datetime.now(dt.UTC), account)
            done += size
            self.decisions.raise_what_ended()
            if time.perf_counter() > say_at:
                say_at += SAY_EVERY_S
                say(f"  {feed}: {done:,} of {count:,} orders written, {self.decided(feed):,} decided")
        return count / (time.perf_counter() - began)

    async def burst(self, feed: str, count: int, per_s: float) -> float:
        """Write so many orders, encoded beforehand, at most `per_s`; returns orders a second. Latency counts from its begin."""
        letters = (self.letter(feed, number, OPENED_AT) for number in range(count))
        waiting: dict[int, list[tuple[str, object]]] = {}
        for n, (topic, partition, batch) in enumerate(self.pen.prepare(letters, OPENED_AT)):
            waiting.setdefault(partition, []).append((topic, batch))
            if n % 20 == 0:
                await asyncio.sleep(0)
        self.sent[feed] = count
        self.decisions.sampled |= dict.fromkeys((f"{feed}/{n:08d}" for n in range(0, count, SLICE // 10)), time.perf_counter())
        began = time.perf_counter()
        await asyncio.gather(*(self._burst_of(partition, batches, count / per_s) for partition, batches in waiting.items()))
        return count / (time.perf_counter() - began)

    async def _burst_of(self, partition: int, batches: list[tuple[str, object]], within_s: float) -> None:
        """One partition's batches, evenly over this time."""
        began = time.perf_counter()
        for n, (topic, batch) in enumerate(batches):
            await asyncio.sleep(max(began + within_s * n / len(batches) - time.perf_counter(), 0))
            await self.pen.send_prepared(topic, partition, batch)

    async def slice(self, feed: str, first: int, size: int, at: dt.datetime, account: str) -> None:
        letters = [self.letter(feed, number, at, account) for number in range(first, first + size)]
        self.decisions.sampled[letters[0][2]] = time.perf_counter()
        await self.pen.write(letters, at)
        self.sent[feed] = self.sent.get(feed, 0) + size

    def letter(self, feed: str, number: int, at: dt.datetime, account: str = "") -> tuple[str, Message, str]:
        home, name = account or account_name(number % self.accounts), f"{feed}/{number:08d}"
        return home, order(name, home, at), name

    # --- watching -----------------------------------------------------------------------------------------------------

    def decided(self, feed: str) -> int:
        return self.decisions.decided[feed]

    async def all_decided(self, feed: str, patience_s: float = PATIENCE_S) -> float:
        """Wait until every order of the feed was decided; returns when (perf_counter). The patience starts over with progress."""
        deadline, seen, say_at = time.monotonic() + patience_s, -1, time.monotonic() + SAY_EVERY_S
        while (now := self.decided(feed)) < self.sent[feed]:
            self.decisions.raise_what_ended()
            if now > seen:
                seen, deadline = now, time.monotonic() + patience_s
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.sent[feed] - now} of {self.sent[feed]} orders of {feed} were not decided")
            if time.monotonic() > say_at:
                say_at += SAY_EVERY_S
                say(f"  {feed}: {now:,} of {self.sent[feed]:,} orders decided")
            await asyncio.sleep(POLL_S)
        return time.perf_counter()

    def account_of_all(self, feed: str) -> dict[str, int]:
        """Nothing lost, nothing doubled: of what was written under this name."""
        lost = self.sent[feed] - self.decided(feed)
        return {"written": self.sent[feed], "lost": lost, "doubled": self.decisions.doubled[feed]}

    async def rate(self, feed: str, count: int) -> float:
        """Orders a second from the first written to the last decided."""
        began = time.perf_counter()
        await self.write(feed, count)
        return count / (await self.all_decided(feed) - began)

    async def calm(self, feed: str, seconds: float, per_s: float) -> dict[str, float]:
        """Latency at an easy pace."""
        await self.write(feed, int(seconds * per_s), per_s)
        await self.all_decided(feed)
        return self.decisions.latencies_ms(f"{feed}/")

    async def database(self, service: str = "orders") -> asyncpg.Connection:
        return await self.readings.database(service)


@contextlib.asynccontextmanager
async def field_on(
    servers: Servers, home: Any, services: Sequence[str] = ("orders",), count: int = ACCOUNTS, **changes: object
) -> AsyncIterator[Field]:
    """Accounts are opened by writing the credit master's facts, so that a case runs only what it is about.

    One more than `count` is opened: `spare`, which no stream of orders touches.
    """
    async with installation_on(servers, home, None, **changes) as premises:
        for service in services:
            premises.start(service)
        await premises.ready()
        memory = Memory(premises)
        async with (
            Writer(premises.settings, "feeder") as pen,
            Writer(premises.settings, "accounts") as master,
            Decisions(premises.settings) as decisions,
            Readings(premises) as readings,
        ):
            watching = asyncio.create_task(memory.watch(), name="memory")
            field = Field(premises, pen, decisions, readings, memory)
            field.accounts, field.spare = count, account_name(count)
            try:
                await _open(field, master, accounts(0, count + 1, WIDE_LIMIT_MINOR))
                yield field
            finally:
                watching.cancel()


OPENED_AT = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)


async def _open(field: Field, master: Writer, opened: Iterable[tuple[str, Message, str]]) -> None:
    await master.write(opened, OPENED_AT)
    desk = await field.database()
    deadline = time.monotonic() + PATIENCE_S
    while (known := await desk.fetchval("select count(*) from standings")) <= field.accounts:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the desk knows {known} of {field.accounts} accounts")
        await asyncio.sleep(POLL_S)
