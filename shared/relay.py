"""Publishing behind the commit: entries leave in journal order, or the whole relay stops and the owner starts over.

One relay per instance, one producer per relay. At the first failed or unanswered send the producer is dropped: `failed`
is set, the engine takes new epochs and republishes from the journal. Nothing is ever retried from memory out of order.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections import deque
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

from shared.ending import ended
from shared.journal import OWN, Entry, place_of
from shared.settings import Settings

STRUCTURED = b"application/cloudevents+json"
"""Kafka protocol binding for CloudEvents 1.0, 3.3: the header that says the body is the whole event."""
SEND_TIMEOUT_S = 20.0
"""An unanswered send counts as failed after this; the idempotent producer itself would wait for ever (aiokafka #1101)."""
BATCH_BYTES = 900_000
"""Just under the broker's 1 MiB limit for one record batch."""
INPUT_BYTES = 100_000
"""Room left in a batch for the rest of what one input caused, so that it is published whole or not at all."""
RECORD_BYTES = 250
"""Key, headers and framing of a record, about."""
QUEUE_ENTRIES_MAX = 50_000
"""Committed but unpublished entries kept in memory before the next commit waits: about 50 MB."""


class Relay:
    """Publishes committed entries. `published` is (partition, lane) → last sequence acknowledged by the broker."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._settings = settings
        self._service = service
        self._queue: deque[list[Entry]] = deque()
        self._put_at: deque[float] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._producer: AIOKafkaProducer | None = None
        self._task: asyncio.Task[None] | None = None
        self.published: dict[tuple[int, str], int] = {}

    async def start(self) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka,
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=int(SEND_TIMEOUT_S * 1000),
        )
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await self._producer.start()
        self._task = asyncio.create_task(self._run(), name="relay")

    def failure(self) -> BaseException | None:
        """Why the relay stopped, if it did."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    async def put(self, entries: list[Entry]) -> None:
        """Hand over committed entries; waits while too many are unpublished. Raises what stopped the relay."""
        await self._room.wait()
        if error := self.failure():
            raise error
        self._queue.append(entries)
        self._put_at.append(time.monotonic())
        self._queued += len(entries)
        if self._queued > QUEUE_ENTRIES_MAX:
            self._room.clear()
        self._wake.set()

    @property
    def waiting(self) -> int:
        return self._queued

    def age(self) -> float:
        """Seconds since the oldest entry that is not acknowledged yet was committed; 0 when all are."""
        return time.monotonic() - self._put_at[0] if self._put_at else 0.0

    async def drained(self) -> None:
        """Return when all that was handed over is published. Raises what stopped the relay."""
        while self._queued:
            if error := self.failure():
                raise error
            await asyncio.sleep(0.002)

    async def _run(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    taken = self._take()
                    entries = [entry for work in taken for entry in work]
                    await self._publish(entries)
                    for _ in taken:
                        self._put_at.popleft()
                    self._queued -= len(entries)
                    if self._queued <= QUEUE_ENTRIES_MAX:
                        self._room.set()
        finally:
            self._room.set()  # whoever waits for room must see the failure instead

    def _take(self) -> list[list[Entry]]:
        taken = list(self._queue)
        self._queue.clear()
        return taken

    async def _publish(self, entries: Iterable[Entry]) -> None:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            lanes: dict[tuple[int, str], list[Entry]] = {}
            for entry in entries:
                lanes.setdefault((entry.partition, entry.lane), []).append(entry)
            # Inside a lane a batch is only sent when the one before it is acknowledged. Commands go before facts: whoever finds a
            # fact on its topic after a loss knows that all that was said with it is on the topics as well (ahead.py).
            own = [lane for lane in lanes if lane[1] == OWN]
            for step in (lanes.keys() - own, own):
                await asyncio.gather(*(self._publish_lane(lane, lanes[lane]) for lane in step))

    async def _publish_lane(self, lane: tuple[int, str], entries: list[Entry]) -> None:
        declared, partition, source = place_of(self._service, *lane)
        topic = self._settings.topic(declared)
        assert self._producer is not None
        rest = deque(entries)
        while rest:
            batch = self._producer.create_batch()
            last = ordinal = 0
            room = BATCH_BYTES - INPUT_BYTES
            while rest and (room > 0 or rest[0].ordinal == ordinal) and _append(batch, rest[0], source):
                entry = rest.popleft()
                last, ordinal, room = entry.sequence, entry.ordinal, room - len(entry.body) - RECORD_BYTES
            assert last, f"one message of {topic} is larger than a batch; contracts.envelope.BYTES_MAX bounds it"
            await (await self._producer.send_batch(batch, topic, partition=partition))
            self.published[lane] = last

    async def stop(self) -> None:
        """Drop the producer. Bounded: what could not be sent is in the journal."""
        if self._task is not None:
            self._task.cancel()
        if self._producer is not None:
            await ended("producer", self._producer.stop())


def _append(batch: object, entry: Entry, source: str) -> bool:
    at: dt.datetime = entry.at  # type: ignore[assignment]
    headers = [
        ("content-type", STRUCTURED),
        ("ce_source", source.encode()),
        ("ce_sequence", b"%d" % entry.sequence),
        ("ce_id", _id_of(entry.body)),
    ]
    # Never ahead of now: the broker refuses a record from more than an hour in the future, for good, and event time may be
    # anywhere. What counts is the time in the body.
    stamp_ms = int(min(at.timestamp(), time.time()) * 1000)
    appended = batch.append(  # type: ignore[attr-defined]
        timestamp=stamp_ms, key=entry.home.encode(), value=entry.body, headers=headers
    )
    return appended is not None


def _id_of(body: bytes) -> bytes:
    """The id from an encoded envelope, whose fields come in declared order: type, specversion, id."""
    start = body.index(b'"id":"') + 6
    return body[start : body.index(b'"', start)]
