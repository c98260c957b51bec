"""Reading facts from topics as any reader does: in order, each writer's next sequence only."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import Envelope, address, read
from quittance.installation import Unusable
from shared.settings import Settings

START_S_MAX = 20.0
READ_MS = 50
FETCH_RECORDS_MAX = 5_000


class Place(NamedTuple):
    topic: str
    partition: int


class Said(NamedTuple):
    """A message as it stands on a topic; `envelope` is decoded when somebody asks."""

    place: Place
    key: bytes
    body: bytes

    @property
    def envelope(self) -> Envelope:
        return read(self.body)


class Reader:
    """All partitions of some topics, from their first message on. What was taken already is dropped by its sequence."""

    def __init__(self, settings: Settings, consumer: AIOKafkaConsumer) -> None:
        self._skip = len(settings.namespace)
        self._consumer = consumer
        self.seen: dict[tuple[Place, str], int] = {}
        self.repeated: dict[Place, int] = {}

    async def next(self, wait_ms: int = READ_MS) -> list[Said]:
        """What came, in order within each partition; empty when nothing came in time."""
        records = await self._consumer.getmany(timeout_ms=wait_ms, max_records=FETCH_RECORDS_MAX)
        return [said for at, batch in records.items() for said in self._new(at, batch)]

    def _new(self, at: TopicPartition, batch: Iterable[Any]) -> Iterable[Said]:
        place = Place(at.topic[self._skip :], at.partition)
        for record in batch:
            body = record.value or b""
            where = address(body)
            sequence = int(where.sequence)
            if sequence <= self.seen.get((place, where.source), 0):
                self.repeated[place] = self.repeated.get(place, 0) + 1
                continue
            self.seen[place, where.source] = sequence
            yield Said(place, record.key or b"", body)

    async def ends(self) -> dict[TopicPartition, int]:
        return dict(await self._consumer.end_offsets(list(self._consumer.assignment())))

    async def passed(self, ends: dict[TopicPartition, int]) -> bool:
        """Whether everything up to these offsets was taken."""
        return all([await self._consumer.position(at) >= end for at, end in ends.items()])

    async def until(self, ends: dict[TopicPartition, int]) -> AsyncIterator[Said]:
        """Everything up to these offsets."""
        while not await self.passed(ends):
            for said in await self.next():
                yield said


@asynccontextmanager
async def reading(settings: Settings, topics: Iterable[str]) -> AsyncIterator[Reader]:
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False, fetch_max_wait_ms=READ_MS)
    try:
        async with asyncio.timeout(START_S_MAX):
            await consumer.start()
    except Exception as error:
        await consumer.stop()
        raise Unusable(f"Kafka at {settings.kafka} does not answer; start it with `quittance up`") from error
    try:
        places = [TopicPartition(settings.topic(topic), p) for topic in topics for p in range(settings.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        yield Reader(settings, consumer)
    finally:
        await consumer.stop()


async def all_said(settings: Settings, topics: Iterable[str]) -> AsyncIterator[Said]:
    """Everything that stands on these topics now, in order within each partition."""
    async with reading(settings, topics) as reader:
        async for said in reader.until(await reader.ends()):
            yield said


class Digest(msgspec.Struct, frozen=True):
    """One topic partition in one figure: SHA-256 over key and value of every message, in order."""

    topic: str
    partition: int
    messages: int
    sha256: str


async def digests(settings: Settings, topics: Iterable[str]) -> list[Digest]:
    wanted = list(topics)
    hashes = {Place(topic, p): hashlib.sha256() for topic in wanted for p in range(settings.partitions)}
    counts = dict.fromkeys(hashes, 0)
    async for said in all_said(settings, wanted):
        for part in (said.key, said.body):
            hashes[said.place].update(len(part).to_bytes(8, "big") + part)
        counts[said.place] += 1
    return [Digest(*place, counts[place], hashes[place].hexdigest()) for place in hashes]
