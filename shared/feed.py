"""Reading topics: partitions are assigned by lease, offsets come from PostgreSQL, those in Kafka are for lag tools.

aiokafka can hang when the broker is away, so every await is bounded; what does not answer raises and the engine starts over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from shared.ending import ended
from shared.settings import Settings

log = structlog.get_logger(__name__)

START_TIMEOUT_S = 20.0
NOTE_TIMEOUT_S = 1.0
"""Far below a lease: figures for lag tools must never cost a partition."""
FETCH_BYTES_MAX = 8 * 1024 * 1024
"""Per partition and fetch: bounds what a burst can put into memory."""
TOLD_AT_ONCE = 2_000
"""Messages taken in at once when a database is older than its topics: one transaction."""
TAIL_LOOK_BACK = 500
"""Records read at once when looking for our own last message on a topic others write too."""


TAIL_LOOK_BACK_MAX = 32_000
"""Steps grow to this when a writer is not found soon: a tenth of a second's reading."""


class Feed:
    """One consumer for all topics that a service hears, at the partitions that this instance holds."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._group = settings.topic(service)
        self._consumer: AIOKafkaConsumer | None = None
        self._fetching: asyncio.Task[Any] | None = None

    @property
    def _open(self) -> AIOKafkaConsumer:
        assert self._consumer is not None, "start the feed first"
        return self._consumer

    async def start(self) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            fetch_max_wait_ms=200,
        )
        async with asyncio.timeout(START_TIMEOUT_S):
            await self._consumer.start()

    def assign(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Read exactly these (topic, partition) from these offsets on."""
        self._open.assign([self._at(topic, partition) for topic, partition in offsets])
        for (topic, partition), offset in offsets.items():
            self._open.seek(self._at(topic, partition), offset)

    def seek(self, topic: str, partition: int, offset: int) -> None:
        self._open.seek(self._at(topic, partition), offset)

    def hold(self, topic: str, partition: int, *, on: bool) -> None:
        (self._open.pause if on else self._open.resume)(self._at(topic, partition))

    def end_of(self, topic: str, partition: int) -> int:
        """The next offset that will be written, as the last fetch told it; 0 before the first."""
        return int(self._open.highwater(self._at(topic, partition)) or 0)

    async def start_of(self, topic: str, partition: int) -> int:
        at = self._at(topic, partition)
        async with asyncio.timeout(START_TIMEOUT_S):
            return int((await self._open.beginning_offsets([at]))[at])

    async def fetch(self, most: int, wait_ms: int) -> dict[tuple[str, int], list[Any]]:
        """At most `most` records, as (topic, partition) → records in offset order."""
        try:
            records = await self._open.getmany(timeout_ms=wait_ms, max_records=most)
        except OffsetOutOfRangeError as error:
            await self._rewind(error.args[0])
            return {}
        skip = len(self._settings.namespace)
        return {(at.topic[skip:], at.partition): batch for at, batch in records.items()}

    async def _rewind(self, offsets: Mapping[TopicPartition, int]) -> None:
        """The topic is shorter than our position: another generation. Read it from its start; the sequences tell what is new."""
        for at in offsets:
            log.warning("topic has another generation; reading it from its start", topic=at.topic, partition=at.partition)
            self._open.seek(at, (await self._open.beginning_offsets([at]))[at])

    async def note_offsets(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """For lag tools only; a failure costs nothing but their figures."""
        try:
            async with asyncio.timeout(NOTE_TIMEOUT_S):
                await self._open.commit({self._at(topic, p): offset for (topic, p), offset in offsets.items()})
        except (KafkaError, TimeoutError) as error:
            log.warning("offsets not committed to Kafka (lag tools only)", error=str(error))

    def _at(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.topic(topic), partition)

    async def stop(self) -> None:
        if self._consumer is not None:
            await ended("consumer", self._consumer.stop())


async def _nothing() -> None:
    return


async def tails(
    settings: Settings, places: Iterable[tuple[str, int, str]], renew: Callable[[], Awaitable[None]] = _nothing
) -> dict[tuple[str, int, str], tuple[int, str]]:
    """The last (sequence, id) that each writer published: (topic, partition, source) → highest found, absent if none.

    Topics are read backwards in steps, because others may write to the same commands topic; `renew` keeps leases meanwhile.
    """
    wanted = list(places)
    found: dict[tuple[str, int, str], tuple[int, str]] = {}
    async with _looking(settings) as consumer:
        ends = await _ends(consumer, {TopicPartition(settings.topic(topic), partition) for topic, partition, _ in wanted})
        for topic, partition, source in wanted:
            at = TopicPartition(settings.topic(topic), partition)
            last = await _last_of(consumer, at, source, *ends[at], renew)
            if last is not None:
                found[topic, partition, source] = last
    return found


@asynccontextmanager
async def _looking(settings: Settings) -> AsyncIterator[AIOKafkaConsumer]:
    # A fetch at the end waits so long, and the next one behind it: half a second a partition by default.
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False, fetch_max_wait_ms=10)
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await consumer.start()
        yield consumer
    finally:
        await ended("consumer that looks at topics", consumer.stop())


async def _ends(consumer: AIOKafkaConsumer, places: set[TopicPartition]) -> dict[TopicPartition, tuple[int, int]]:
    """First and next offset of every partition, asked at once: most are empty and need no further look."""
    wanted = sorted(places)
    async with asyncio.timeout(START_TIMEOUT_S):
        first, end = await consumer.beginning_offsets(wanted), await consumer.end_offsets(wanted)
    return {at: (first[at], end[at]) for at in wanted}


async def _last_of(
    consumer: AIOKafkaConsumer, at: TopicPartition, source: str, first: int, end: int, renew: Callable[[], Awaitable[None]]
) -> tuple[int, str] | None:
    consumer.assign([at])
    high, step = end, TAIL_LOOK_BACK
    while high > first:
        low = max(first, high - step)
        best = await _highest(consumer, at, source, low, high)
        if best is not None:
            return best
        await renew()
        high, step = low, min(step * 4, TAIL_LOOK_BACK_MAX)
    return None


class Told(NamedTuple):
    sequence: int
    offset: int
    id: str
    body: bytes


async def told_since(settings: Settings, place: tuple[str, int, str], sequence: int) -> AsyncIterator[list[Told]]:
    """What a writer said on (topic, partition, source) from this sequence on, or from its first later one, as it lies there."""
    topic, partition, source = place
    at = TopicPartition(settings.topic(topic), partition)
    async with _looking(settings) as consumer:
        ((first, end),) = (await _ends(consumer, {at})).values()
        consumer.assign([at])
        position = end
        while position > first:
            end_of_step, position = position, max(first, position - TAIL_LOOK_BACK)
            best = await _highest(consumer, at, source, position, end_of_step)
            if best is not None and best[0] <= sequence:
                break
        consumer.seek(at, position)
        while position < end:
            async with asyncio.timeout(START_TIMEOUT_S):
                records = (await consumer.getmany(at, timeout_ms=500, max_records=TOLD_AT_ONCE)).get(at, ())
            said = [_told(record) for record in records if dict(record.headers).get("ce_source") == source.encode()]
            if records:
                position = records[-1].offset + 1
            yield [each for each in said if each.sequence >= sequence]


def _told(record: Any) -> Told:
    headers = dict(record.headers)
    return Told(int(headers["ce_sequence"]), record.offset, headers["ce_id"].decode(), record.value)


async def _highest(consumer: AIOKafkaConsumer, at: TopicPartition, source: str, low: int, high: int) -> tuple[int, str] | None:
    consumer.seek(at, low)
    best: tuple[int, str] | None = None
    position = low
    async with asyncio.timeout(START_TIMEOUT_S):
        while position < high:
            for record in (await consumer.getmany(at, timeout_ms=500)).get(at, ()):
                position = record.offset + 1
                headers = dict(record.headers)
                if record.offset < high and headers.get("ce_source") == source.encode():
                    sequence = int(headers["ce_sequence"])
                    best = max(best or (0, ""), (sequence, headers["ce_id"].decode()))
    return best
