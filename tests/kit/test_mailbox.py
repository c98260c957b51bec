"""The mailbox: what a transaction posts is handled once, in order, if and only if the transaction commits."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from contracts.envelope import derived_id
from contracts.orders import PlaceOrder
from shared import mailbox
from shared.batch import Batch
from shared.mailbox import Sender
from tests.kit.stage import BEGAN, PARTITIONS, Stage, homes, order


def _letter(home: str, message: PlaceOrder) -> tuple[int, bytes]:
    name = derived_id("letter", message.order)
    return mailbox.mail_of(PARTITIONS, home, message, Sender(id=name, flow=name, at=BEGAN, actor="ann", role="clerk", team="t1"))


async def test_mail_is_handled_in_the_order_of_posting_and_leaves_the_box(stage: Stage) -> None:
    home, other = homes()
    await mailbox.post(stage.connection, [_letter(home, order(n, home)) for n in range(10)])
    await mailbox.post(stage.connection, [_letter(other, order("other", other))])
    async with stage.running():
        await stage.decided(11)
    facts = await stage.facts()
    assert [fact.data.order for fact in facts[:10]] == [f"web/{n}" for n in range(10)]
    assert {(fact.actorid, fact.actorrole, fact.teamid) for fact in facts} == {("ann", "clerk", "t1")}
    assert await stage.value("select count(*) from mailbox") == 0


async def test_mail_of_a_transaction_that_rolls_back_never_was(stage: Stage) -> None:
    home, _ = homes()
    async with stage.running():
        with pytest.raises(ZeroDivisionError):
            async with stage.connection.transaction():
                await mailbox.post(stage.connection, [_letter(home, order(1, home))])
                raise ZeroDivisionError
        await mailbox.post(stage.connection, [_letter(home, order(2, home))])
        await stage.decided(1)
    assert [fact.data.order for fact in await stage.facts()] == ["web/2"]


async def test_mail_is_handled_once_though_its_owner_dies_around_the_commit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = homes()
    committed, commit = asyncio.Event(), Batch.commit

    async def and_die(batch: Batch, connection: asyncpg.Connection, *more: Any) -> None:
        await commit(batch, connection, *more)
        if batch.mail:
            committed.set()
            await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(Batch, "commit", and_die)
        owner = stage.start()
        await mailbox.post(stage.connection, [_letter(home, order(n, home)) for n in range(5)])
        await asyncio.wait_for(committed.wait(), 10)
        await owner.crash()
    async with stage.running():
        await mailbox.post(stage.connection, [_letter(home, order(5, home))])
        await stage.decided(6)
    assert await stage.balance(home) == 600


async def test_mail_whose_commit_is_on_its_way_is_not_taken_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    home, _ = homes()
    commit = Batch.commit

    async def slowly(batch: Batch, *more: Any) -> None:
        await asyncio.sleep(0.5)  # many turns of the loop, each of which could look into the box
        await commit(batch, *more)

    monkeypatch.setattr(Batch, "commit", slowly)
    await mailbox.post(stage.connection, [_letter(home, order(n, home)) for n in range(3)])
    async with stage.running():
        await stage.decided(3)
        await stage.equals(0, "select count(*) from mailbox")
    assert [type(fact.data).__name__ for fact in await stage.facts()] == ["OrderReleased"] * 3


async def test_a_post_wakes_its_owner(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engine.IDLE_WAIT_MS", 5000)  # so that no poll finds it first
    monkeypatch.setattr("shared.engine.FETCH_WAIT_S_MAX", 5.0)
    home, _ = homes()
    async with stage.running(lease_s=20) as engine:
        await stage.until("it is ready", lambda: engine.ready)
        await asyncio.sleep(0.3)
        await mailbox.post(stage.connection, [_letter(home, order(1, home))])
        await stage.decided(1, patience_s=1.0)


async def test_mail_that_cannot_be_read_is_quarantined_and_the_rest_is_handled(stage: Stage) -> None:
    home, _ = homes()
    for garbage in (b"garbage", b"more garbage"):
        await stage.connection.execute("insert into mailbox (partition, body) values (0, $1)", garbage)
    await mailbox.post(stage.connection, [_letter(home, order(1, home))])
    async with stage.running():
        await stage.decided(1)
    assert await stage.rows("select topic, body from quarantine order by 2") == [
        ("mailbox", b"garbage"),
        ("mailbox", b"more garbage"),
    ]
    assert await stage.value("select count(*) from mailbox") == 0
