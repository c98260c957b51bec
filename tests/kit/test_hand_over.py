"""A partition changes hands when all that was decided on it is committed and published."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import asyncpg
import pytest

from shared import lease
from shared.journal import Entry
from shared.relay import Relay
from tests.kit.stage import Instance, Stage, homes, order

HELD = "select count(*) from lease where holder = $1 and until > now()"


async def test_a_partition_is_handed_over_only_when_all_it_decided_is_published(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that answers slowly: what was committed and not sent yet would leave after its successor's messages."""
    publish, release = Relay._publish, lease.release
    waiting: list[int] = []

    async def slowly(relay: Relay, entries: Iterable[Entry]) -> None:
        await asyncio.sleep(0.4)
        await publish(relay, entries)

    async def noted(connection: asyncpg.Connection, instance: str, partitions: list[int]) -> None:
        waiting.append(first.engine._relay.waiting + len(first.engine._in_flight()))
        await release(connection, instance, partitions)

    monkeypatch.setattr(Relay, "_publish", slowly)
    monkeypatch.setattr(lease, "release", noted)
    first, hush = stage.start(), asyncio.Event()
    await _holds(stage, first, 2)
    talking = asyncio.create_task(_talk(stage, hush))
    await stage.until("it publishes", lambda: first.engine._relay.waiting)
    second = stage.start()
    await _holds(stage, second, 1)
    hush.set()
    await stage.decided(await talking)
    await stage.all_published()
    assert waiting == [0]
    assert first.engine.metrics.restarts._value.get() == 0, "it went on deciding what it had handed over"
    await first.stop()
    await second.stop()


async def _talk(stage: Stage, hush: asyncio.Event) -> int:
    """Orders on every partition until told to stop; returns how many."""
    said = 0
    while not hush.is_set():
        for home in homes():
            await stage.say(home, order(said, home))
            said += 1
        await asyncio.sleep(0.03)
    return said


async def _holds(stage: Stage, instance: Instance, count: int) -> None:
    await stage.equals(count, HELD, instance.engine.instance)
