"""Guarantee 3, in the database: the fence locks what it proves, in one order, and an epoch that is gone never comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from shared import lease
from shared.batch import Batch
from shared.lease import Fenced
from tests.kit.stage import LEASE_S, Stage, homes, order

Locks = Callable[[asyncpg.Connection, dict[int, int]], Coroutine[Any, Any, Any]]
WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


async def _taken(stage: Stage) -> dict[int, int]:
    """Both partitions held by `owner`; the row of the first stands behind that of the second in the table."""
    for table in ("lease", "progress"):
        await stage.connection.execute(f"insert into {table} (partition) values (0), (1)")
    epochs = await lease.take(stage.connection, "owner", 2, LEASE_S)
    await stage.connection.execute("update lease set until = now() + interval '1 h'")
    await stage.connection.execute("update lease set until = now() + interval '2 h' where partition = 0")
    return {number: epochs[number] for number in (1, 0)}


async def test_a_lease_is_taken_when_it_has_run_out_and_not_before(stage: Stage) -> None:
    epochs = await _taken(stage)
    assert await lease.take(stage.connection, "another", 2, LEASE_S) == {}
    await stage.connection.execute("update lease set until = now() - interval '1 s' where partition = 1")
    assert await lease.take(stage.connection, "another", 2, LEASE_S) == {1: epochs[1] + 1}


async def test_a_takeover_waits_for_the_batch_that_is_committing(stage: Stage) -> None:
    epochs = await _taken(stage)
    await stage.connection.execute("update lease set until = now() - interval '1 s'")
    successor = await asyncpg.connect(stage.settings.database("orders"))
    async with stage.connection.transaction():
        await lease.fence(stage.connection, epochs)
        assert await lease.take(successor, "successor", 2, LEASE_S) == {}
    assert set(await lease.take(successor, "successor", 2, LEASE_S)) == {0, 1}
    await successor.close()


@pytest.mark.parametrize(
    "locks",
    [lease.fence, lambda connection, _: lease.beat(connection, "owner", LEASE_S)],
    ids=["fence", "heartbeat"],
)
async def test_leases_are_locked_in_partition_order(stage: Stage, locks: Locks) -> None:
    """Two that lock in different orders may wait for each other; whoever waits for the first holds none behind it."""
    epochs = await _taken(stage)
    url = stage.settings.database("orders")
    first, second = await asyncpg.connect(url), await asyncpg.connect(url)
    holds = first.transaction()
    await holds.start()
    await first.execute("select from lease where partition = 0 for update")
    waiting = asyncio.create_task(locks(second, epochs))
    await stage.equals(1, WAITING)
    await stage.connection.execute("select from lease where partition = 1 for update nowait")
    await holds.rollback()
    await waiting
    await first.close()
    await second.close()


async def test_a_batch_that_was_given_up_cannot_commit_later(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its instance lives on and decides anew; what it gave up may still be on its way to the server."""
    home, _ = homes()
    commit = Batch.commit
    given_up: list[Batch] = []

    async def give_up(batch: Batch, *more: Any) -> None:
        if batch.entries and not given_up:
            given_up.append(batch)
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        await commit(batch, *more)

    monkeypatch.setattr(Batch, "commit", give_up)
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        with pytest.raises(Fenced):
            await commit(given_up[0], stage.connection, None)
    assert await stage.balance(home) == 100
