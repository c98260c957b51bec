"""A stored row is a cache: every one equals the fold of the journal, and a check finds the one that does not."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts.orders import CancelOrder, OpenRecheck
from shared.refold import JournalGap, differences
from tests.kit.ledger_service import RAISES
from tests.kit.stage import BEGAN, Stage, homes, order


async def _trade(stage: Stage) -> None:
    for home in homes(each=2):
        await stage.say(home, *[order(f"{home}-{n}", home, days=n if n < 3 else None) for n in range(6)])
        await stage.say(home, CancelOrder(order=f"web/{home}-5", account=home, reason=""), OpenRecheck(home=home))
        await stage.say(home, order(f"{home}-late", home), at=BEGAN + dt.timedelta(days=2))
    await stage.say(homes()[0], order("bad", homes()[0], po=RAISES))
    async with stage.running():
        await stage.equals(4, "select count(*) from orders where key like '%-late'")
        await stage.equals(1, "select count(*) from parked")


async def test_every_row_equals_the_fold_of_the_journal(stage: Stage) -> None:
    await _trade(stage)
    for partition in range(2):
        count, found = await differences(stage.connection, stage.service, partition)
        assert count > 4 and found == []


async def test_a_row_that_was_changed_by_hand_is_found(stage: Stage) -> None:
    await _trade(stage)
    home, _ = homes()
    await stage.connection.execute("""update account set body = '{"account": "x"}' where key = $1""", home)
    _, (found,) = await differences(stage.connection, stage.service, 0)
    assert (found.table, found.key) == ("account", home)
    await stage.connection.execute("delete from journal where partition = 1 and lane = '' and sequence = 3")
    with pytest.raises(JournalGap, match="fact 3 is missing"):
        await differences(stage.connection, stage.service, 1)


async def test_a_row_that_vanished_from_its_table_is_noticed_by_the_next_change(stage: Stage) -> None:
    """Written nowhere, the change would be lost with the memory; so the message parks, and the fold says what is missing."""
    home, _ = homes()
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        await stage.connection.execute("delete from account where key = $1", home)
        await stage.say(home, order(2, home))
        await stage.equals(1, "select count(*) from parked")
    assert len(await stage.facts()) == 1
    _, (missing,) = await differences(stage.connection, stage.service, 0)
    assert (missing.table, missing.stored) == ("account", None)
