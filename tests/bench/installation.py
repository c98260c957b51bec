"""A throw-away installation for measurements: its own topics and databases on the running stack, removed afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts.catalogue import TOPICS
from shared.settings import Settings, settings
from shared.topics import create_topics

READY_S_MAX = 60.0
POLL_S = 0.02


class Worker:
    """One instance of a service as a process of its own; the order desk's where no other is named."""

    def __init__(self, config: Settings, service: str = "orders") -> None:
        self._config, self._service = config, service
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Worker:
        environment = os.environ | {
            "QUITTANCE_NAMESPACE": self._config.namespace,
            "QUITTANCE_KAFKA": self._config.kafka,
            "QUITTANCE_POSTGRES": self._config.postgres,
            "QUITTANCE_LOG_LEVEL": "warning",
        }
        log = Path("build/bench") / f"{self._config.namespace}{self._service}.log"
        with log.open("ab") as out:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"services.{self._service}", env=environment, stdout=out, stderr=out
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    def cpu_s(self) -> float:
        assert self._process is not None
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def memory_mb(self) -> float:
        assert self._process is not None
        return round(psutil.Process(self._process.pid).memory_info().rss / 2**20, 1)


@contextlib.asynccontextmanager
async def installation() -> AsyncIterator[Settings]:
    """Fresh topics and databases under a name of their own."""
    config = settings().model_copy(update={"namespace": f"bench{time.time_ns() // 1000}_"})
    await create_topics(config)
    try:
        yield config
    finally:
        await _remove(config)


async def _remove(config: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka)
    await admin.start()
    await admin.delete_topics([config.topic(name) for name in TOPICS])
    await admin.close()
    database = await asyncpg.connect(config.postgres)
    for service in ("orders", "payments"):
        await database.execute(f'drop database if exists "{config.database_name(service)}" with (force)')
    await database.close()


class Ends:
    """How many messages a topic holds, all partitions together."""

    def __init__(self, config: Settings, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka)
        self._places = [TopicPartition(config.topic(topic), partition) for partition in range(config.partitions)]

    async def __aenter__(self) -> Ends:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def count(self) -> int:
        return sum((await self._consumer.end_offsets(self._places)).values())

    async def reach(self, count: int, within_s: float) -> float:
        """Wait until the topic holds `count` messages; returns when (perf_counter)."""
        deadline = time.perf_counter() + within_s
        while (held := await self.count()) < count:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{self._places[0].topic} holds {held} of {count} messages after {within_s:.0f} s")
            await asyncio.sleep(POLL_S)
        return time.perf_counter()


async def database_bytes(config: Settings) -> int:
    database = await asyncpg.connect(config.postgres)
    size: int = await database.fetchval("select pg_database_size($1)", config.database_name("orders"))
    await database.close()
    return size
