"""Guarantee 1: a batch is one transaction. Whichever of its writes fails, nothing of it stays; then all of it comes, once."""

from __future__ import annotations

import pytest

from shared import mailbox
from shared.mailbox import Sender
from tests.kit.ledger_service import RAISES
from tests.kit.stage import BEGAN, PARTITIONS, Said, Stage, homes, order

WRITTEN = ("journal", "account", "orders", "reading", "timer", "parked_home", "parked", "quarantine")
REFUSE = """
create function refuse() returns trigger language plpgsql as
$$ begin raise exception 'not now' using errcode = 'query_canceled'; end $$
"""
"""As an administrator may cancel any statement: the error passes by itself, so nothing is condemned for it."""


@pytest.mark.parametrize("table", [*WRITTEN, "progress", "mailbox"])
async def test_a_batch_is_written_whole_or_not_at_all(stage: Stage, table: str) -> None:
    home, other = homes()
    await _say_something_for_every_table(stage, home, other)
    await stage.connection.execute(REFUSE)
    await stage.connection.execute(
        f"create trigger refuse before insert or update or delete on {table} for each row execute function refuse()"
    )
    async with stage.running() as engine:
        await stage.until("the batch failed twice", lambda: engine.metrics.restarts._value.get() >= 2)
        assert await _stands(stage) == dict.fromkeys(WRITTEN, 0) | {"ordinal": 0, "mailbox": 1}
        await stage.connection.execute(f"drop trigger refuse on {table}")
        await stage.decided(2)
        await stage.equals(1, "select count(*) from parked")
    assert (await stage.balance(home), await stage.balance(other)) == (100, 0)
    assert await _stands(stage) == dict.fromkeys(WRITTEN, 1) | {"journal": 2, "orders": 2, "account": 2, "reading": 1} | {
        "ordinal": 2, "mailbox": 0,
    }  # fmt: skip


async def _say_something_for_every_table(stage: Stage, home: str, other: str) -> None:
    neighbour = homes(each=2)[1]
    wish = order("by-mail", neighbour)
    letter = Sender(id="0" * 32, flow="0" * 32, at=BEGAN, actor="ann", role="clerk", team="t1")
    await mailbox.post(stage.connection, [mailbox.mail_of(PARTITIONS, neighbour, wish, letter)])
    await stage.send([Said("orders.commands", 0, None, b"garbage", [])])
    await stage.say(home, order(1, home, days=30))
    await stage.say(homes(each=3)[2], order(2, homes(each=3)[2], po=RAISES))


async def _stands(stage: Stage) -> dict[str, int]:
    """How many rows of every table are there."""
    counts = {name: int(await stage.value(f"select count(*) from {name}")) for name in (*WRITTEN, "mailbox")}
    return counts | {"ordinal": int(await stage.value("select coalesce(sum(ordinal), 0) from progress"))}
