"""The loss of a read model, and of all topics: both come back from the journals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contracts.orders import CancelOrder
from quittance import refill as refilling
from quittance.installation import Unusable
from shared import archive, ranges, rebuild
from shared.rebuild import RowsLost
from shared.refold import differences
from tests.kit.stage import Stage, homes, order

RESTING = "select count(*) from lease where holder is not null and until > now()"


async def _trade(stage: Stage, name: str, count: int) -> None:
    for home in homes():
        await stage.send([stage.wrap(home, order(f"{name}-{home}-{n}", home)) for n in range(count)])


async def _equal_to_the_fold(stage: Stage) -> None:
    for partition in range(2):
        assert (await differences(stage.connection, stage.service, partition))[1] == []


async def test_rows_are_made_what_the_facts_say_while_orders_come_in(stage: Stage) -> None:
    await _trade(stage, "before", 20)
    async with stage.running() as engine:
        await stage.decided(40)
        await stage.connection.execute("delete from orders where partition = 0")
        wrong = """update orders set body = replace(convert_from(body, 'utf8'), '100', '7')::bytea where partition = 1"""
        await stage.connection.execute(wrong)
        talking = asyncio.create_task(_talk(stage))
        mended = [await rebuild.rebuild(stage.connection, stage.service, partition) for partition in range(2)]
        assert mended == [20, 20]
        said = await talking
        await stage.decided(40 + said)
        await stage.all_published()
        assert engine.metrics.gaps._metrics == {}
    await _equal_to_the_fold(stage)
    assert await stage.value("select sum(balance) from account") == 100 * (40 + said)
    assert await stage.value("select count(*) from parked") == 0


async def _talk(stage: Stage) -> int:
    for n in range(10):
        await _trade(stage, f"during-{n}", 1)
        await asyncio.sleep(0.02)
    return 20


async def test_a_table_that_was_dropped_is_not_decided_on_until_it_is_rebuilt(stage: Stage) -> None:
    await _trade(stage, "before", 5)
    async with stage.running():
        await stage.decided(10)
    await stage.connection.execute("drop table account")
    await _trade(stage, "meanwhile", 5)
    with pytest.raises(RowsLost, match=r"the table account of orders was dropped and made anew: .* `quittance rebuild orders`"):
        await asyncio.wait_for(stage.start().task, 20)
    stage.instances.clear()
    assert await stage.value("select count(*) from journal") == 10
    for partition in range(2):
        await rebuild.rebuild(stage.connection, stage.service, partition)
    await rebuild.note_rows(stage.connection, stage.service)
    async with stage.running():
        await stage.decided(20)
    await _equal_to_the_fold(stage)
    assert await stage.value("select sum(balance) from account") == 2000


async def test_topics_that_were_lost_are_written_anew_from_the_journals_and_their_readers_go_on(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archived rows come from their files; the bytes are those that were there before."""
    monkeypatch.setattr(ranges, "RANGE_ROWS", 20)
    await stage.connection.execute("alter table journal detach partition journal_first")
    await stage.connection.execute("drop table journal_first")
    await stage.connection.execute("create table journal_first partition of journal for values from (minvalue) to (21)")
    home, _ = homes()
    await _trade(stage, "before", 60)
    await stage.say(home, *[CancelOrder(order="web/unknown", account=home, reason="stop") for _ in range(3)])
    async with stage.running():
        await stage.decided(120)
        await stage.equals(3, "select count(*) from journal where lane <> ''")
        await stage.all_published()
        assert await archive.archive(stage.connection, stage.service, stage.settings, tmp_path)
        with pytest.raises(Unusable, match="orders still runs"):
            await refilling.refill(stage.settings, ["orders"])
    before = await stage.published(), await stage.published("accounts.commands")
    assert await stage.value(RESTING) == 0
    for topic in ("orders", "accounts.commands"):
        await stage.lose_topic(topic)
    done = await refilling.refill(stage.settings, ["orders", "accounts"])
    assert done.topics == {"orders": 120, "accounts.commands": 3}
    assert (await stage.published(), await stage.published("accounts.commands")) == before
    await stage.refill_commands()
    async with stage.running():
        await _trade(stage, "after", 2)
        await stage.equals(124, "select sum(balance) / 100 from account")
    await _equal_to_the_fold(stage)
