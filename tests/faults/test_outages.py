"""Broker or database away: the ledger waits with back-off and goes on where it was, without being started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local import kafka, postgres
from deploy.local import stack as local_stack
from deploy.local.settings import Settings, from_environment
from shared.engine import Engine
from shared.testing import Servers, own_settings
from tests.kit.stage import Stage, homes, order, stage_on
from tests.patience import patient

pytestmark = pytest.mark.slow
PATIENCE_S = patient(60.0)


@pytest.fixture(scope="module")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A stack that these tests may break. Local on purpose, whatever the environment says."""
    local = replace(from_environment(), kafka=None, postgres=None)
    own = own_settings(local, tmp_path_factory.mktemp("home"))
    local_stack.up(own)
    yield own
    local_stack.erase(own)


@pytest.fixture
async def stage(breakable: Settings) -> AsyncIterator[Stage]:
    running = local_stack.up(breakable)
    assert running.kafka.url and running.postgres.url
    async with stage_on(Servers(running.kafka.url, running.postgres.url)) as fresh:
        yield fresh


async def _killed(pid: int | None) -> None:
    """Gone for good, or a start that follows would take it for running."""
    process = psutil.Process(pid)
    process.kill()
    await asyncio.to_thread(process.wait, 10)


async def _back(stage: Stage) -> None:
    """The test's own clients, after an outage."""
    await stage.connection.close(timeout=1)
    stage.connection = await asyncpg.connect(stage.settings.database(stage.service.name))


async def _goes_on(stage: Stage, engine: Engine, before: int) -> None:
    home, other = homes()
    await stage.say(home, *[order(f"again-{n}", home) for n in range(5)])
    await stage.say(other, *[order(f"again-{n}-o", other) for n in range(5)])
    await stage.decided(before + 10, patience_s=PATIENCE_S)
    await stage.all_published(patience_s=PATIENCE_S, repeats=True)
    assert await stage.value("select sum(balance) from account") == 100 * (before + 10)
    assert await stage.value("select count(*) from parked") == 0


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
async def test_a_database_that_went_away_is_waited_for(stage: Stage, breakable: Settings, clean: bool) -> None:
    home, _ = homes()
    await stage.say(home, *[order(n, home) for n in range(5)])
    async with stage.running() as engine:
        await stage.decided(5)
        if clean:
            await asyncio.to_thread(postgres.stop, breakable)
        else:
            await _killed(postgres.running_pid(breakable))
        await stage.say(home, order("meanwhile", home))
        await asyncio.to_thread(local_stack.up, breakable)
        await _back(stage)
        await _goes_on(stage, engine, 6)


@pytest.mark.parametrize("clean", [True, False], ids=["stopped", "killed"])
async def test_a_broker_that_went_away_is_waited_for(stage: Stage, breakable: Settings, clean: bool) -> None:
    home, _ = homes()
    await stage.say(home, *[order(n, home) for n in range(5)])
    async with stage.running() as engine:
        await stage.decided(5)
        await stage.producer.stop()
        if clean:
            await asyncio.to_thread(kafka.stop, breakable)
        else:
            await _killed(kafka.running_pid(breakable))
        await asyncio.to_thread(local_stack.up, breakable)
        stage.producer = AIOKafkaProducer(bootstrap_servers=stage.settings.kafka, acks="all", enable_idempotence=True)
        await stage.producer.start()
        await _goes_on(stage, engine, 5)
