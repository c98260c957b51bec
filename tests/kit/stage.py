"""A stage for one test: a namespace with its own topics and database, on which instances of the ledger run and are watched.

Everything is real: what is said goes through Kafka, what is decided is read back from PostgreSQL and from the topics.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.envelope import ENVELOPES, SEQUENCE_DIGITS, SPECVERSION, Envelope, derived_id, encode, read, traceparent
from contracts.message import Message, topic_of
from contracts.orders import Placed, PlaceOrder
from shared import database, topics
from shared.engine import Engine
from shared.service import Service
from shared.settings import Settings
from shared.testing import Servers
from shared.topics import create_topics, partition_of
from tests.kit.ledger_service import SERVICE, TOPICS
from tests.patience import patient

BEGAN = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
PATIENCE_S = patient(60.0)
POLL_S = 0.02
LEASE_S = 2.0
PARTITIONS = 2


@dataclass(frozen=True)
class Said:
    """One record as it was sent, so that a test can send it again."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@dataclass(eq=False)
class Instance:
    engine: Engine
    task: asyncio.Task[None]

    async def stop(self) -> None:
        self.engine.stop()
        await asyncio.wait_for(self.task, PATIENCE_S)

    async def crash(self) -> None:
        """End it at once: nothing more is committed or published, no lease is handed back."""
        self.task.cancel()
        await asyncio.wait({self.task})


@dataclass(eq=False)
class Stage:
    settings: Settings
    connection: asyncpg.Connection
    producer: AIOKafkaProducer
    service: Service = SERVICE
    sequences: dict[tuple[str, int, str], int] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    # --- saying -----------------------------------------------------------------------------------------------------

    async def say(
        self, home: str, *messages: Message, at: dt.datetime = BEGAN, partition: int | None = None, role: str = ""
    ) -> list[Said]:
        """Publish messages as their service would, with the next sequences of the partition of `home`."""
        return await self.send(self.wrap(home, message, at, partition, role) for message in messages)

    def wrap(self, home: str, message: Message, at: dt.datetime = BEGAN, partition: int | None = None, role: str = "") -> Said:
        """The record of a message, under the next sequence, not sent yet."""
        topic = topic_of(type(message))
        number = partition_of(home, self.settings.partitions) if partition is None else partition
        source, sequence = self.take_sequence(topic, number)
        name = derived_id("stage", source, topic, str(sequence))
        envelope = ENVELOPES[type(message)](
            specversion=SPECVERSION, id=name, source=source, time=at, subject=home, partitionkey=home,
            sequence=str(sequence).zfill(SEQUENCE_DIGITS), correlationid=name, traceparent=traceparent(name, name),
            actorid="ann", actorrole=role, data=message,
        )  # fmt: skip
        return Said(topic, number, home.encode(), encode(envelope), placed_by(source, sequence, name))

    def take_sequence(self, topic: str, partition: int) -> tuple[str, int]:
        source = f"/{'gateway' if topic.endswith('.commands') else topic}/{partition}"
        self.sequences[topic, partition, source] = sequence = self.sequences.get((topic, partition, source), 0) + 1
        return source, sequence

    async def send(self, records: Iterable[Said]) -> list[Said]:
        sent = list(records)
        for each in sent:
            await self.producer.send(
                self.settings.topic(each.topic), each.value, key=each.key, partition=each.partition, headers=each.headers
            )
        await self.producer.flush()
        self.said += sent
        return sent

    # --- running ----------------------------------------------------------------------------------------------------

    def start(self, **changes: Any) -> Instance:
        engine = Engine(self.service, self.settings.model_copy(update=changes))
        instance = Instance(engine, asyncio.create_task(engine.run()))
        self.instances.append(instance)
        return instance

    @asynccontextmanager
    async def running(self, **changes: Any) -> AsyncIterator[Engine]:
        instance = self.start(**changes)
        try:
            yield instance.engine
        finally:
            await instance.stop()

    # --- watching ---------------------------------------------------------------------------------------------------

    async def value(self, query: str, *arguments: Any) -> Any:
        return await self.connection.fetchval(query, *arguments)

    async def end_connection(self, pid: int) -> None:
        """By the server, as an administrator would; on a connection of its own, because the test's may be waiting."""
        own = await asyncpg.connect(self.settings.postgres)
        await own.fetchval("select pg_terminate_backend($1, 5000)", pid)
        await own.close()

    async def end_other_connections(self) -> None:
        """All of the instances' connections, as a restart of the database does."""
        mine = "datname = current_database() and pid <> pg_backend_pid()"
        await self.value(f"select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where {mine}")

    async def rows(self, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.connection.fetch(query, *arguments)]

    async def until(self, what: str, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
        """Wait until it holds; the failure says what was waited for and what stopped an instance meanwhile."""
        # No asyncio.timeout: aiokafka's stop swallows the cancellation by which it works.
        deadline = time.monotonic() + patience_s
        while not (await found if inspect.isawaitable(found := holds()) else found):
            self._raise_what_ended()
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {patience_s:.0f} s in vain: {what}")
            await asyncio.sleep(POLL_S)

    def _raise_what_ended(self) -> None:
        for instance in self.instances:
            if instance.task.done() and not instance.task.cancelled() and (error := instance.task.exception()):
                raise error

    async def lose_topic(self, topic: str) -> None:
        """As if the broker had lost it; it is made again, empty."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.settings.kafka)
        await admin.start()
        await admin.delete_topics([self.settings.topic(topic)])
        while self.settings.topic(topic) in await admin.list_topics():
            await asyncio.sleep(POLL_S)
        await admin.close()
        await create_topics(self.settings)

    async def refill_commands(self) -> None:
        """What others said, said again as it was, because their topics were written anew as well."""
        await self.send(list(self.said))

    async def back_up(self) -> str:
        """A copy of the database as it is now; nobody may be connected. Returns its name."""
        await self._as_administrator(lambda name: [f'create database "{name}_backup" template "{name}"'])
        return f"{self.settings.database_name(self.service.name)}_backup"

    async def restore(self) -> None:
        """The database is again what it was when it was backed up, under its own name."""
        await self._as_administrator(
            lambda name: [f'drop database "{name}" with (force)', f'alter database "{name}_backup" rename to "{name}"']
        )

    async def _as_administrator(self, statements: Callable[[str], list[str]]) -> None:
        await self.connection.close()
        server = await asyncpg.connect(self.settings.postgres)
        for statement in statements(self.settings.database_name(self.service.name)):
            await server.execute(statement)
        await server.close()
        self.connection = await asyncpg.connect(self.settings.database(self.service.name))

    async def equals(self, wanted: Any, query: str, *arguments: Any, patience_s: float = PATIENCE_S) -> None:
        """Wait until a query gives this value."""
        found: list[Any] = [None]

        async def holds() -> bool:
            found[0] = await self.value(query, *arguments)
            return bool(found[0] == wanted)

        try:
            await self.until(query, holds, patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found[0]!r} and not {wanted!r}") from None

    async def decided(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until the journal holds so many own facts."""
        await self.equals(count, "select count(*) from journal where lane = ''", patience_s=patience_s)

    async def balance(self, account: str) -> int:
        return int(await self.value("select coalesce((select balance from account where key = $1), 0)", account))

    async def journal(self, lane: str = "") -> list[tuple[int, int, bytes]]:
        """(partition, sequence, body) of every entry of a lane."""
        return await self.rows("select partition, sequence, body from journal where lane = $1 order by partition, sequence", lane)

    async def facts(self) -> list[Envelope]:
        return [read(body) for _, _, body in await self.journal()]

    async def published(self, topic: str = "orders") -> list[tuple[int, int, bytes]]:
        """(partition, sequence, body) of every record of a topic, in the order of each partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.settings.kafka, enable_auto_commit=False, fetch_max_wait_ms=10)
        await consumer.start()
        try:
            places = [TopicPartition(self.settings.topic(topic), n) for n in range(self.settings.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            for at in places:
                consumer.seek(at, 0)
            found: dict[int, list[tuple[int, int, bytes]]] = {at.partition: [] for at in places}
            while sum(map(len, found.values())) < sum(ends.values()):
                for at, records in (await consumer.getmany(timeout_ms=500)).items():
                    found[at.partition] += [(at.partition, int(read(record.value).sequence), record.value) for record in records]
        finally:
            await consumer.stop()
        return [entry for number in sorted(found) for entry in found[number]]

    async def all_published(self, patience_s: float = PATIENCE_S, repeats: bool = False) -> None:
        """Wait until the facts topic holds the journal, each entry once, in order.

        With `repeats`: once for its readers. A broker that was killed before it answered may keep a batch twice.
        """
        numbers: list[list[tuple[int, int]]] = [[], []]

        async def same() -> bool:
            published = await self.published()
            found = as_taken(published) if repeats else published, await self.journal()
            numbers[:] = [[(partition, sequence) for partition, sequence, _ in entries] for entries in found]
            return found[0] == found[1]

        try:
            await self.until("the facts topic equals the journal", same, patience_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: published {numbers[0]}, journaled {numbers[1]}") from None


def as_taken(published: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """What a reader takes of a topic: the next sequence, and nothing twice."""
    taken: dict[tuple[int, int], bytes] = {}
    for partition, sequence, body in published:
        assert sequence == 1 or (partition, sequence - 1) in taken, f"a gap before {sequence} of partition {partition}"
        assert taken.setdefault((partition, sequence), body) == body, f"{sequence} of partition {partition} has two meanings"
    return [(partition, sequence, body) for (partition, sequence), body in taken.items()]


def placed_by(source: str, sequence: int, name: str) -> list[tuple[str, bytes]]:
    """The headers that place a message whose body cannot be read."""
    return [("ce_source", source.encode()), ("ce_sequence", b"%d" % sequence), ("ce_id", name.encode())]


def order(number: int | str, account: str, minor: int = 100, days: int | None = None, po: str | None = None) -> PlaceOrder:
    """A wish to place an order; `days` until it lapses, `po` to make the ledger misbehave."""
    return PlaceOrder(order=f"web/{number}", account=account, placed=placed(minor, days, po))


def placed(minor: int = 100, days: int | None = None, po: str | None = None) -> Placed:
    return Placed(currency="GBP", total_minor=minor, received_at=BEGAN, payment_days=days, po_number=po)


def homes(partitions: int = PARTITIONS, each: int = 1) -> list[str]:
    """Accounts on every partition, `each` per partition, in the order of the partitions."""
    found: dict[int, list[str]] = {number: [] for number in range(partitions)}
    for n in range(1000):
        mine = found[partition_of(f"A{n}", partitions)]
        if len(mine) < each:
            mine.append(f"A{n}")
    return [home for number in range(partitions) for home in found[number]]


@asynccontextmanager
async def stage_on(servers: Servers, service: Service = SERVICE, **changes: Any) -> AsyncIterator[Stage]:
    """A fresh stage; afterwards its instances are stopped and its topics and database are gone."""
    values: dict[str, Any] = {"partitions": PARTITIONS, "lease_s": LEASE_S, "clock": "event"} | changes
    settings = Settings(kafka=servers.kafka, postgres=servers.postgres, namespace=f"t{uuid4().hex[:8]}_", port=0, **values)
    await create_topics(settings)
    await database.prepare(settings, service.name, service.schema)
    connection = await asyncpg.connect(settings.database(service.name))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    stage = Stage(settings, connection, producer, service)
    try:
        yield stage
    finally:
        for instance in stage.instances:
            await instance.crash()
        await stage.producer.stop()
        await stage.connection.close()
        await _sweep(settings, service)


async def _sweep(settings: Settings, service: Service) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_topics([settings.topic(name) for name in TOPICS])
    await admin.close()
    server = await asyncpg.connect(settings.postgres)
    await server.execute(f'drop database if exists "{settings.database_name(service.name)}" with (force)')
    await server.close()


def only_own_topics() -> None:
    """Create the ledger's topics alone: fifty partitions per test would take longer than the tests."""
    topics.TOPICS = TOPICS  # type: ignore[attr-defined]
