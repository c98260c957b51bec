"""Guarantee 1: whatever comes twice, or commits without our knowing, has its effect once."""

from __future__ import annotations

import asyncpg
import pytest

from contracts.payments import ItemPosted
from shared.batch import Batch
from tests.kit.stage import BEGAN, Stage, homes, order


async def test_a_record_that_comes_again_changes_nothing(stage: Stage) -> None:
    home, _ = homes()
    first = await stage.say(home, order(1, home), order(2, home))
    async with stage.running() as engine:
        await stage.decided(2)
        await stage.send(first)
        await stage.say(home, order(3, home))
        await stage.decided(3)
        assert engine._arrivals.duplicates >= 2
    assert await stage.balance(home) == 300


async def test_a_record_that_came_before_a_restart_changes_nothing(stage: Stage) -> None:
    home, _ = homes()
    first = await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
    await stage.send(first)
    await stage.say(home, order(2, home))
    async with stage.running():
        await stage.decided(2)
    assert await stage.balance(home) == 200


async def test_the_same_command_under_a_new_sequence_is_answered_and_not_done_again(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order(1, home), order(1, home))
    async with stage.running():
        await stage.decided(2)
        await stage.all_published()
    assert [type(fact.data).__name__ for fact in await stage.facts()] == ["OrderReleased", "OrderRepeated"]
    assert await stage.balance(home) == 100


async def test_a_late_message_of_a_former_writer_is_dropped(stage: Stage) -> None:
    """A paused writer that wakes up publishes numbers that its successor has published before."""
    home, _ = homes()
    debt = ItemPosted(
        account=home, item="INV1", kind="invoice", amount_minor=7, currency="GBP", document_on=BEGAN.date(), due_on=BEGAN.date()
    )
    late, *_ = await stage.say(home, debt, debt)
    async with stage.running():
        await stage.decided(2)
        await stage.send([late])
        await stage.say(home, debt)
        await stage.decided(3)
    assert await stage.value("select convert_from(body, 'utf8')::jsonb ->> 'debt' from account") == "21"


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_an_unknown_commit_is_neither_lost_nor_doubled(stage: Stage, monkeypatch: pytest.MonkeyPatch, cut: str) -> None:
    """The server ends the connection around COMMIT, and the client is told neither yes nor no."""
    home, other = homes()
    commit = Batch.commit
    cuts: list[int] = []

    async def cut_off(batch: Batch, connection: asyncpg.Connection, *more: object) -> None:
        if cuts or not batch.entries:
            return await commit(batch, connection, *more)  # type: ignore[arg-type]
        cuts.append(batch.handled)
        if cut == "after":
            await commit(batch, connection, *more)  # type: ignore[arg-type]
        await stage.end_connection(connection.get_server_pid())
        if cut == "before":
            await commit(batch, connection, *more)  # type: ignore[arg-type]
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    monkeypatch.setattr(Batch, "commit", cut_off)
    await stage.say(home, order("alone", home))
    async with stage.running() as engine:
        await stage.until("the connection is cut", lambda: cuts)
        await stage.say(home, *[order(n, home) for n in range(19)])
        await stage.say(other, *[order(f"o{n}", other) for n in range(20)])
        await stage.decided(40)
        await stage.all_published()
        assert cuts == [1] and engine.metrics.restarts._value.get() == 1
    assert (await stage.balance(home), await stage.balance(other)) == (2000, 2000)
    assert await stage.value("select count(*) from parked") == 0
