"""Guarantee 3: a partition has one writer. Instances share by lease, and whoever lost one cannot write any more."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.batch import Batch
from shared.lease import FORGOTTEN_LEASES, Fenced
from tests.kit.stage import LEASE_S, Instance, Stage, homes, order

HELD = "select count(*) from lease where holder = $1 and until > now()"


async def test_instances_that_come_and_go_share_the_partitions_and_lose_nothing(stage: Stage) -> None:
    first = stage.start()
    hush = asyncio.Event()
    talking = asyncio.create_task(_talk(stage, hush))
    await _holds(stage, first, 2)
    second = stage.start()
    await _holds(stage, first, 1)
    await _holds(stage, second, 1)
    third = stage.start()
    await first.stop()
    await _holds(stage, third, 1)
    await second.stop()
    await _holds(stage, third, 2)
    hush.set()
    said = await talking
    await stage.decided(said)
    await stage.all_published()
    await _each_order_was_released_once(stage, said)
    await third.stop()


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


async def _each_order_was_released_once(stage: Stage, count: int) -> None:
    orders = [fact.data.order for fact in await stage.facts()]
    assert len(orders) == len(set(orders)) == count
    assert await stage.value("select sum(balance) from account") == 100 * count


async def test_no_partition_ever_has_two_holders(stage: Stage) -> None:
    pair = [stage.start(), stage.start()]
    for instance in pair:
        await _holds(stage, instance, 1)
    assert not set(pair[0].engine.slots) & set(pair[1].engine.slots)
    for instance in pair:
        await instance.stop()


async def test_an_owner_that_was_paused_cannot_write_after_a_takeover(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    home, _ = homes()
    paused, wake = stage.start(), asyncio.Event()
    await _holds(stage, paused, 2)
    fate = _stall(paused, wake, monkeypatch)
    await stage.say(home, order(1, home))
    await asyncio.wait_for(fate["stalled"].wait(), 10)
    successor = stage.start()
    await stage.decided(1)
    wake.set()
    await asyncio.wait_for(fate["woke"].wait(), 10)
    assert isinstance(fate["error"], Fenced)
    await stage.say(home, order(2, home))
    await stage.decided(2)
    await stage.all_published()
    await _each_order_was_released_once(stage, 2)
    await paused.stop()
    await successor.stop()


def _stall(instance: Instance, wake: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Hold this instance's next commit, as a stopped process would, until `wake`; say what became of it."""
    fate: dict[str, Any] = {"stalled": asyncio.Event(), "woke": asyncio.Event(), "error": None}
    commit = Batch.commit

    async def stalling(batch: Batch, connection: asyncpg.Connection, *more: Any) -> None:
        if connection is not instance.engine._writer or fate["stalled"].is_set():
            return await commit(batch, connection, *more)
        fate["stalled"].set()
        await wake.wait()
        try:
            return await commit(batch, connection, *more)
        except Exception as error:
            fate["error"] = error
            raise
        finally:
            fate["woke"].set()

    monkeypatch.setattr(Batch, "commit", stalling)
    return fate


async def test_an_instance_that_lost_its_leases_drops_its_partitions(stage: Stage) -> None:
    async with stage.running() as engine:
        await stage.until("it holds both", lambda: len(engine.slots) == 2)
        await stage.value("update lease set holder = 'another', epoch = epoch + 1, until = now() + interval '3 s'")
        await stage.until("it dropped both", lambda: not engine.slots)
        assert not engine.ready
        await stage.until("it holds both again", lambda: len(engine.slots) == 2)


async def test_work_that_takes_longer_than_a_lease_keeps_it(stage: Stage) -> None:
    """Replays of many groups in one turn must not cost the instance its partitions."""
    groups = homes(each=8)[:8]
    async with stage.running() as engine:
        await stage.until("it holds both", lambda: len(engine.slots) == 2)
        commit = Batch.commit

        async def slowly(batch: Batch, *more: Any) -> None:
            await asyncio.sleep(0.4)
            await commit(batch, *more)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Batch, "commit", slowly)
            engine.slots[0].parked |= set(groups)
            await _park(stage, groups)
            await stage.decided(len(groups))
            assert await stage.value("select until > now() from lease where partition = 0")
        assert engine.metrics.restarts._value.get() == 0


async def _park(stage: Stage, groups: list[str]) -> None:
    """An order of each group on partition 0, parked, all asked for replay at once."""
    await stage.connection.executemany(
        "insert into parked (partition, home, topic, message_id, type, reason, body) values (0, $1, '', '', '', '', $2)",
        [(home, stage.wrap(home, order(home, home)).value) for home in groups],
    )
    async with stage.connection.transaction():
        asked = "insert into parked_home (home, partition, reason, replay) values ($1, 0, '', true)"
        await stage.connection.executemany(asked, [(home,) for home in groups])


async def test_instances_long_dead_are_forgotten_and_those_that_may_live_are_not(stage: Stage) -> None:
    long_s, short_s = LEASE_S * (FORGOTTEN_LEASES + 5), LEASE_S * 5
    gone = "insert into instance values ($1, now() - make_interval(secs => $2))"
    for name, seconds in (("long dead", long_s), ("silent", short_s)):
        await stage.connection.execute(gone, name, seconds)
    async with stage.running() as engine:
        await stage.until("it holds partitions", lambda: engine.ready)
        assert {name for (name,) in await stage.rows("select id from instance")} == {"silent", engine.instance}
