"""Puts accounts and orders on the topics as their owners would: accounts' facts, and the gateway's commands."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from aiokafka import AIOKafkaProducer

from contracts.accounts import AccountOpened
from contracts.envelope import ENVELOPES, SEQUENCE_DIGITS, SPECVERSION, derived_id, encode, traceparent
from contracts.message import Message, topic_of
from contracts.orders import Line, Placed, PlaceOrder
from shared.settings import Settings
from shared.topics import partition_of

BATCH_BYTES = 900_000
TOTAL_MINOR = 99_995
FEW_LIMIT_MINOR = TOTAL_MINOR * 25
"""With 20 orders an account on average, about one in ten is held: a desk that has work, a stream that mostly flows."""


class Writer:
    """Writes one service's messages, numbered densely per topic and partition like the kit does."""

    def __init__(self, settings: Settings, service: str, role: str = "") -> None:
        self._settings, self._service, self._role = settings, service, role
        self._last: Counter[tuple[str, int]] = Counter()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
        )

    async def __aenter__(self) -> Writer:
        await self._producer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    def envelope(self, home: str, message: Message, name: str, at: dt.datetime) -> tuple[int, int, bytes]:
        """(partition, sequence, body) of the next message."""
        partition = partition_of(home, self._settings.partitions)
        lane = topic_of(type(message)), partition  # sequences are dense per topic and partition
        self._last[lane] = sequence = self._last[lane] + 1
        flow = derived_id(self._service, name)
        body = encode(
            ENVELOPES[type(message)](
                specversion=SPECVERSION, id=flow, source=f"/{self._service}/{partition}", time=at, subject=name,
                partitionkey=home, sequence=str(sequence).zfill(SEQUENCE_DIGITS), correlationid=flow,
                traceparent=traceparent(flow, flow), actorrole=self._role, data=message,
            )
        )  # fmt: skip
        return partition, sequence, body

    async def write(self, messages: Iterable[tuple[str, Message, str]], at: dt.datetime) -> int:
        """Write (home, message, name) in bulk; returns how many."""
        batches: dict[int, object] = {}
        count, topic = 0, ""
        for home, message, name in messages:
            topic = self._settings.topic(topic_of(type(message)))
            partition, sequence, body = self.envelope(home, message, name, at)
            await self._append(batches, topic, partition, sequence, home, body)
            count += 1
        for partition, batch in batches.items():
            await self._send(batch, topic, partition)
        return count

    def prepare(self, messages: Iterable[tuple[str, Message, str]], at: dt.datetime) -> Iterator[tuple[str, int, object]]:
        """(topic, partition, batch) to send later with `send_prepared`, so that encoding does not slow a burst down."""
        batches: dict[int, object] = {}
        topic = ""
        for home, message, name in messages:
            topic = self._settings.topic(topic_of(type(message)))
            partition, sequence, body = self.envelope(home, message, name, at)
            headers = [("ce_source", f"/{self._service}/{partition}".encode()), ("ce_sequence", b"%d" % sequence)]
            batch = batches.setdefault(partition, self._producer.create_batch())
            while batch.append(timestamp=None, key=home.encode(), value=body, headers=headers) is None:  # type: ignore[attr-defined]
                yield topic, partition, batch
                batch = batches[partition] = self._producer.create_batch()
        yield from ((topic, partition, batch) for partition, batch in batches.items())

    async def send_prepared(self, topic: str, partition: int, batch: object) -> None:
        await self._send(batch, topic, partition)

    async def _append(
        self, batches: dict[int, object], topic: str, partition: int, sequence: int, home: str, body: bytes
    ) -> None:
        while True:
            batch = batches.setdefault(partition, self._producer.create_batch())
            headers = [("ce_source", f"/{self._service}/{partition}".encode()), ("ce_sequence", b"%d" % sequence)]
            if batch.append(timestamp=None, key=home.encode(), value=body, headers=headers) is not None:  # type: ignore[attr-defined]
                return
            await self._send(batches.pop(partition), topic, partition)

    async def _send(self, batch: object, topic: str, partition: int) -> None:
        await (await self._producer.send_batch(batch, topic, partition=partition))

    async def send_now(self, home: str, message: Message, name: str, at: dt.datetime) -> None:
        """Send one message at once, without waiting for its acknowledgement."""
        partition, sequence, body = self.envelope(home, message, name, at)
        headers = [("ce_source", f"/{self._service}/{partition}".encode()), ("ce_sequence", b"%d" % sequence)]
        topic = self._settings.topic(topic_of(type(message)))
        await self._producer.send(topic, body, key=home.encode(), partition=partition, headers=headers)


def account_name(n: int) -> str:
    return f"A{n:07d}"


def accounts(first: int, last: int, limit_minor: int) -> Iterator[tuple[str, Message, str]]:
    for n in range(first, last):
        name = account_name(n)
        yield name, AccountOpened(account=name, home=name, name=name, currency="GBP", limit_minor=limit_minor), name


def order(name: str, account: str, at: dt.datetime) -> PlaceOrder:
    line = Line(sku="SKU-1", quantity=5, unit_price=Decimal("199.99"), amount_minor=TOTAL_MINOR)
    placed = Placed(currency="GBP", total_minor=TOTAL_MINOR, received_at=at, po_number=name[-8:], lines=(line,))
    return PlaceOrder(order=name, account=account, placed=placed)


def orders(feed: str, count: int, among: int, at: dt.datetime, seed: int = 1) -> Iterator[tuple[str, Message, str]]:
    """`count` orders over accounts 0 … `among` - 1, at random."""
    rnd = random.Random(seed)
    for n in range(count):
        account = account_name(rnd.randrange(among))
        name = f"{feed}/{n:08d}"
        yield account, order(name, account, at), name
