"""Reading topics: partitions are assigned by lease, offsets come from PostgreSQL, those in Kafka are for lag tools.

aiokafka can hang when the broker is away, so every await is bounded; what does not answer raises and the engine starts over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

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
TAIL_LOOK_BACK = 500
"""Records read at once when looking for our own last message on a topic others write too."""


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


async def tails(settings: Settings, places: Iterable[tuple[str, int, str]]) -> dict[tuple[str, int, str], tuple[int, str]]:
    """The last (sequence, id) that each writer published: (topic, partition, source) → highest found, absent if none.

    Topics are read backwards in steps, because others may write to the same commands topic.
    """
    # A fetch at the end waits so long, and the next one behind it: half a second a partition by default.
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False, fetch_max_wait_ms=10)
    found: dict[tuple[str, int, str], tuple[int, str]] = {}
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await consumer.start()
        for topic, partition, source in places:
            last = await _last_of(consumer, TopicPartition(settings.topic(topic), partition), source)
            if last is not None:
                found[topic, partition, source] = last
    finally:
        await ended("consumer of tails", consumer.stop())
    return found


async def _last_of(consumer: AIOKafkaConsumer, at: TopicPartition, source: str) -> tuple[int, str] | None:
    consumer.assign([at])
    async with asyncio.timeout(START_TIMEOUT_S):
        first, end = (await consumer.beginning_offsets([at]))[at], (await consumer.end_offsets([at]))[at]
    high = end
    while high > first:
        low = max(first, high - TAIL_LOOK_BACK)
        best = await _highest(consumer, at, source, low, high)
        if best is not None:
            return best
        high = low
    return None


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
