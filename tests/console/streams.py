"""The order desk's topic as its writers fill it, the console's SQL beside it, and the worker that counts as a process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from contracts.envelope import Envelope, encode
from services.console.app import SERVICE
from services.console.counting import project
from services.console.tallying import HEARS, partition_of
from shared.database import prepare
from shared.settings import Settings
from shared.testing import Servers
from shared.topics import create_topics
from tests.console.desk_facts import AFTERWARDS, NINE, Writer, held, minutes, released
from tests.patience import patient

REPOSITORY = Path(__file__).parents[2]
PARTITIONS = 2
PATIENCE_S = patient(90.0)
STOP_S_MAX = 20.0


@dataclass
class Streams:
    settings: Settings
    connection: asyncpg.Connection
    producer: AIOKafkaProducer
    worker: subprocess.Popen[bytes] | None = None
    sent: dict[int, int] = field(default_factory=dict)

    async def publish(self, facts: Iterable[Envelope]) -> None:
        """To the topic only: what the worker sees."""
        for fact in facts:
            headers = [
                ("ce_source", fact.source.encode()),
                ("ce_sequence", str(int(fact.sequence)).encode()),
                ("ce_id", fact.id.encode()),
            ]
            await self.producer.send(
                self.settings.topic("orders"), encode(fact), key=b"home", partition=partition_of(fact), headers=headers
            )
        await self.producer.flush()

    async def count(self, facts: Sequence[Envelope]) -> None:
        """Into SQL, as the kit's transaction does: the counts and the position behind them."""
        async with self.connection.transaction():
            await project(self.connection, [fact for fact in facts if type(fact.data) in HEARS])
            for fact in facts:
                self.sent[partition_of(fact)] = int(fact.sequence)
            await self._note_read()

    async def _note_read(self) -> None:
        await self.connection.execute(
            """
            insert into reading (partition, topic, next_offset, seen)
            select number, 'orders', 0, jsonb_build_object('/orders/' || number, sequence)
            from unnest($1::int[], $2::bigint[]) as sent (number, sequence)
            on conflict (partition, topic) do update set seen = excluded.seen
            """,
            list(self.sent),
            list(self.sent.values()),
        )

    async def say(self, facts: Sequence[Envelope]) -> None:
        await self.publish(facts)
        await self.count(facts)

    def start(self) -> None:
        fixed = {"KAFKA": self.settings.kafka, "POSTGRES": self.settings.postgres, "NAMESPACE": self.settings.namespace,
                 "HOME": str(self.settings.home), "PARTITIONS": str(PARTITIONS), "CLOCK": self.settings.clock}  # fmt: skip
        ours = {f"QUITTANCE_{name}": value for name, value in fixed.items()}
        with (self.settings.home / "windows.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "services.console.worker"], cwd=REPOSITORY, stdout=log, stderr=log,
                env={**os.environ, **ours, "PYTHONPATH": str(REPOSITORY)},
            )  # fmt: skip

    def kill(self) -> None:
        assert self.worker is not None
        self.worker.kill()
        self.worker.wait()
        self.worker = None

    def stop(self) -> int:
        assert self.worker is not None
        self.worker.terminate()
        try:
            return self.worker.wait(STOP_S_MAX)
        finally:
            if self.worker.poll() is None:
                self.kill()
            self.worker = None

    async def until(self, what: str, holds: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> None:
        """Wait until it holds, with the worker started again when it ended by itself: what a supervisor does."""
        deadline = time.monotonic() + patience_s
        while not await holds():
            if self.worker is not None and self.worker.poll() is not None:
                self.start()
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {patience_s:.0f} s in vain: {what}\n{self.log()}")
            await asyncio.sleep(0.2)

    def log(self) -> str:
        return (self.settings.home / "windows.log").read_text()[-6000:]

    async def windows(self) -> dict[tuple[Any, ...], int]:
        return {tuple(row[:-1]): row["n"] for row in await self.connection.fetch(
            "select partition, minute, portfolio, each.key, each.value::bigint as n "
            "from window_minute, jsonb_each_text(counts) as each"
        )}  # fmt: skip

    async def counted(self) -> dict[tuple[Any, ...], int]:
        return {
            tuple(row[:-1]): row["n"]
            for row in await self.connection.fetch("select partition, minute, portfolio, what, n from tally")
        }


@contextlib.asynccontextmanager
async def streams(servers: Servers, home: Path) -> AsyncIterator[Streams]:
    settings = Settings(
        kafka=servers.kafka,
        postgres=servers.postgres,
        namespace=f"t{uuid4().hex[:8]}_",
        partitions=PARTITIONS,
        home=home,
        clock="event",
    )
    await create_topics(settings)
    await prepare(settings, SERVICE.name, SERVICE.schema)
    connection = await asyncpg.connect(settings.database(SERVICE.name))
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    made = Streams(settings, connection, producer)
    try:
        yield made
    finally:
        if made.worker is not None:
            made.kill()
        await producer.stop()
        await connection.close()


def a_day(orders: int, seed: int = 1, partitions: int = PARTITIONS) -> list[Envelope]:
    """Orders of a working day on every partition, and what became of them, in the order of their times."""
    chance = random.Random(seed)
    said: list[Envelope] = []
    for number in range(partitions):
        writer, open_orders = Writer(number), []
        for n in range(orders):
            at = NINE + minutes(540 * n / orders)
            portfolio, order = chance.choice(("north", "south", "east")), f"w/{number}-{n}"
            if chance.random() < 0.7:
                writer.say(released(order, first=True, portfolio=portfolio, received_at=at), at)
            else:
                writer.say(held(order, portfolio=portfolio, received_at=at), at)
                open_orders.append(order)
            if open_orders and chance.random() < 0.6:
                writer.say(chance.choice(AFTERWARDS)(chance.choice(open_orders)), at)
        said += writer.said
    return sorted(said, key=lambda fact: fact.time)
