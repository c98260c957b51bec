"""A small broker in memory: partitions of records, consumers and producers with the calls and errors of aiokafka.

It keeps what Kafka promises (one order per partition, nothing acknowledged is lost) and nothing more: a send may arrive late,
twice, unanswered, or after its sender has died.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, OffsetOutOfRangeError

from tests.faults.simulation.clockwork import PROCESS, Clockwork, Process
from tests.faults.simulation.trouble import Troubles

DELAYS_S = (0.0002, 0.003)
"""One way between a process and the broker."""
LATE_S = (0.3, 6.0)
"""How long a request may linger in the network after its sender was told that it failed."""
FETCHED_MAX = 500


class Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int


class Broker:
    def __init__(self, loop: Clockwork, troubles: Troubles) -> None:
        self.loop, self.troubles = loop, troubles
        self.logs: dict[TopicPartition, list[Record]] = {}
        self.up = True
        self._readers: list[Consumer] = []
        self._back: list[asyncio.Future[None]] = []

    def log(self, at: TopicPartition) -> list[Record]:
        return self.logs.setdefault(at, [])

    def append(self, at: TopicPartition, records: Iterable[tuple[Any, ...]]) -> None:
        log = self.log(at)
        log += [Record(offset, *record) for offset, record in enumerate(records, start=len(log))]
        self.loop.note(f"{at.topic}/{at.partition} ends at {len(log)}")
        for reader in self._readers:
            reader.stir(at)

    def delay(self) -> float:
        return self.loop.dice.uniform(*DELAYS_S)

    async def reached(self) -> None:
        """Return when the broker answers; hang while it is away."""
        await asyncio.sleep(self.delay())
        while not self.up:
            future = self.loop.create_future()
            self._back.append(future)
            await future

    def go_away(self) -> None:
        self.up = False

    def come_back(self) -> None:
        self.up = True
        waiting, self._back = self._back, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        for reader in self._readers:
            reader.stir(None)

    # --- in the place of aiokafka's classes ---------------------------------------------------------------------------

    def consumer(self, **_: Any) -> Consumer:
        consumer = Consumer(self)
        self._readers = [reader for reader in self._readers if not reader.gone]
        self._readers.append(consumer)
        return consumer

    def producer(self, *, max_batch_size: int, **_: Any) -> Producer:
        return Producer(self, max_batch_size)


class Consumer:
    """As much of AIOKafkaConsumer as the kit calls, with `assign` and `auto_offset_reset="none"`."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._process = broker, PROCESS.get()
        self._positions: dict[TopicPartition, int] = {}
        self._held: set[TopicPartition] = set()
        self._news = asyncio.Event()
        self._stopped = False

    @property
    def gone(self) -> bool:
        return self._stopped or self._process.dead

    def stir(self, at: TopicPartition | None) -> None:
        if at is None or at in self._positions:
            self._news.set()

    async def start(self) -> None:
        await asyncio.sleep(self._broker.delay())
        if not self._broker.up:
            raise KafkaConnectionError("the broker does not answer")

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.sleep(self._broker.delay())

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self._positions = {at: self._positions.get(at, 0) for at in places}
        self._held &= self._positions.keys()

    def seek(self, at: TopicPartition, offset: int) -> None:
        assert at in self._positions, f"{at} is not assigned"
        self._positions[at] = offset
        self._news.set()

    def highwater(self, at: TopicPartition) -> int:
        return len(self._broker.log(at))

    def pause(self, *places: TopicPartition) -> None:
        self._held.update(places)

    def resume(self, *places: TopicPartition) -> None:
        self._held.difference_update(places)
        self._news.set()

    async def beginning_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._broker.reached()
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._broker.reached()
        return {at: len(self._broker.log(at)) for at in places}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._broker.reached()

    async def getmany(
        self, *places: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> dict[TopicPartition, list[Record]]:
        broker = self._broker
        until = broker.loop.now_s + timeout_ms / 1000
        trouble = broker.troubles.take(self._process, "fetch", _service_of(self._process))
        await asyncio.sleep(broker.delay() + (trouble.seconds if trouble and trouble.kind == "fetch hangs" else 0))
        if trouble and trouble.kind == "fetch fails":
            raise KafkaConnectionError("the connection to the broker was lost")
        while True:
            self._news.clear()
            if broker.up and (found := self._ready(places or tuple(self._positions), max_records or FETCHED_MAX)):
                return found
            if broker.loop.now_s >= until:
                return {}
            await self._stirred(until - broker.loop.now_s)

    async def _stirred(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    def _ready(self, places: Iterable[TopicPartition], most: int) -> dict[TopicPartition, list[Record]]:
        """A chance share of what is there, partitions in a chance order, each in its own order."""
        dice = self._broker.loop.dice
        order = [at for at in places if at in self._positions and at not in self._held]
        dice.shuffle(order)
        found: dict[TopicPartition, list[Record]] = {}
        for at in order:
            log, position = self._broker.log(at), self._positions[at]
            if position > len(log):
                raise OffsetOutOfRangeError({at: position})
            if position < len(log) and most > 0:
                records = log[position : position + dice.randint(1, most)]
                found[at], most = records, most - len(records)
                self._positions[at] = records[-1].offset + 1
        return found


class Batch:
    """A record batch as a producer builds it."""

    def __init__(self, bytes_max: int) -> None:
        self.records: list[tuple[Any, ...]] = []
        self._room = bytes_max

    def append(self, *, timestamp: int, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> bool | None:
        size = len(value) + len(key) + sum(len(name) + len(content) for name, content in headers) + 20
        if size > self._room:
            return None
        self._room -= size
        self.records.append((key, value, tuple(headers), timestamp))
        return True


class Producer:
    """As much of AIOKafkaProducer as the relay calls."""

    def __init__(self, broker: Broker, bytes_max: int) -> None:
        self._broker, self._bytes_max, self._process = broker, bytes_max, PROCESS.get()

    async def start(self) -> None:
        await asyncio.sleep(self._broker.delay())
        if not self._broker.up:
            raise KafkaConnectionError("the broker does not answer")

    async def stop(self) -> None:
        await asyncio.sleep(self._broker.delay())

    def create_batch(self) -> Batch:
        return Batch(self._bytes_max)

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        broker = self._broker
        trouble = broker.troubles.take(self._process, "send", _service_of(self._process))
        await asyncio.sleep(0)
        answer: asyncio.Future[None] = broker.loop.create_future()
        at = TopicPartition(topic, partition)
        broker.loop.outside(broker.delay(), self._deliver, at, batch.records, answer, trouble.kind if trouble else "")
        return answer

    def _deliver(self, at: TopicPartition, records: list[tuple[Any, ...]], answer: asyncio.Future[None], kind: str) -> None:
        broker = self._broker
        if not broker.up:
            if not self._process.dead:  # the client tries again for as long as it lives
                broker.loop.outside(0.1, self._deliver, at, records, answer, kind)
            return
        if kind in ("", "send applied but reported lost", "send applied and never answered", "send applied twice"):
            broker.append(at, records)
        if kind == "send applied twice":
            broker.append(at, records)
        if kind == "send applied late":
            broker.loop.outside(broker.loop.dice.uniform(*LATE_S), broker.append, at, records)
        if kind not in ("send lost and never answered", "send applied and never answered"):
            broker.loop.outside(broker.delay(), _answer, answer, kind)


def _answer(answer: asyncio.Future[None], kind: str) -> None:
    if answer.done():
        return
    if kind in ("", "send applied twice"):
        answer.set_result(None)
    else:
        answer.set_exception(KafkaConnectionError(f"{kind}: the connection to the broker was lost"))


def _service_of(process: Process) -> str:
    return process.name.partition("#")[0]
