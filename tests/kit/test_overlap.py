"""While one batch commits the next is decided: it waits for that commit, and never lends it what it knows already."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.batch import Batch
from tests.kit.stage import Stage, homes, order


async def test_no_batch_opens_its_transaction_before_the_one_before_is_known(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = homes()
    commit = Batch.commit
    open_now: list[Batch] = []
    most: list[int] = []

    async def watched(batch: Batch, *more: Any) -> None:
        open_now.append(batch)
        most.append(len(open_now))
        await asyncio.sleep(0.05)
        await commit(batch, *more)
        open_now.remove(batch)

    monkeypatch.setattr(Batch, "commit", watched)
    await stage.say(home, *[order(n, home) for n in range(8)])
    async with stage.running(batch_max=1) as engine:
        await stage.decided(8)
        assert engine.metrics.restarts._value.get() == 0
    assert set(most) == {1}


async def test_a_batch_commits_its_own_end_though_the_next_one_is_decided(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner dies between the two commits: the second message must still be to come."""
    home, _ = homes()
    commit, committed = Batch.commit, asyncio.Event()
    await stage.say(home, order(1, home), order(2, home))
    with monkeypatch.context() as patched:
        owner = stage.start(batch_max=1)

        def second_is_decided() -> bool:
            slot = owner.engine.slots.get(0)
            return slot is not None and slot.position("orders.commands").seen.get("/gateway/0") == 2

        async def after_the_next(batch: Batch, *more: Any) -> None:
            if committed.is_set() or not batch.entries:
                await asyncio.Event().wait()
            await stage.until("the second is decided", second_is_decided)
            await commit(batch, *more)
            committed.set()
            await asyncio.Event().wait()

        patched.setattr(Batch, "commit", after_the_next)
        await asyncio.wait_for(committed.wait(), 20)
        await owner.crash()
    assert await stage.value("select count(*) from journal") == 1
    async with stage.running():
        await stage.decided(2)
    assert await stage.balance(home) == 200
