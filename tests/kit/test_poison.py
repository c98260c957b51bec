"""Poison: a message that the database refuses for good is found by bisection and parked; all others are handled."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from contracts.orders import OrderNoted
from shared import parking
from shared.batch import Batch
from shared.testing import Servers
from tests.kit.ledger_service import UNLUCKY_MINOR
from tests.kit.stage import Stage, homes, order, stage_on


async def test_the_one_message_that_the_database_refuses_is_parked_and_all_others_are_handled(stage: Stage) -> None:
    unlucky, *others = homes(each=4)
    for n in range(24):
        home = others[n % len(others)]
        await stage.say(home, order(n, home))
        if n == 13:
            await stage.say(unlucky, order("bad", unlucky, UNLUCKY_MINOR))
    async with stage.running() as engine:
        await stage.decided(24)
        await stage.equals(1, "select count(*) from parked")
        await stage.all_published()
        restarts = engine.metrics.restarts._value.get()
        await stage.say(unlucky, order("next", unlucky))
        await stage.equals(2, "select count(*) from parked")
        assert engine.metrics.restarts._value.get() == restarts <= 7
    assert await stage.rows("select home, messages from (select home, count(*) as messages from parked group by home)") == [
        (unlucky, 2)
    ]
    assert await stage.value("select sum(balance) from account") == 2400


async def test_a_poisonous_message_that_is_replayed_stays_parked(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order("bad", home, UNLUCKY_MINOR))
    async with stage.running():
        await stage.equals(1, "select count(*) from parked")
        await parking.replay(stage.connection, home)
        await stage.equals(False, "select replay from parked_home")
        await stage.equals(1, "select count(*) from parked")


async def test_what_the_database_refused_once_is_tried_again_when_its_replay_is_asked_for(stage: Stage) -> None:
    """By the very owner that condemned it: the cause was mended meanwhile."""
    home, _ = homes()
    await stage.say(home, order("bad", home, UNLUCKY_MINOR), order("behind", home))
    async with stage.running() as engine:
        await stage.equals(2, "select count(*) from parked")
        restarts = engine.metrics.restarts._value.get()
        await stage.connection.execute("alter table orders drop constraint orders_amount_check")
        await parking.replay(stage.connection, home)
        await stage.decided(2)
        await stage.equals(0, "select count(*) from parked_home")
        assert engine.metrics.restarts._value.get() == restarts
    assert await stage.balance(home) == UNLUCKY_MINOR + 100


WAITS = "insert into timer values ($1, 'recheck', $2, now(), $2, '')"
REFUSES_A_LOOK = """alter table orders add constraint unlucky_look
    check (key <> 'web/bad' or convert_from(body, 'utf8') not like '%"looks":1%')"""


async def test_what_timers_became_in_one_batch_is_parted_until_the_one_command_that_is_refused(stack: Servers) -> None:
    """Two groups of two partitions are looked at again in one batch, larger than a step of one of them."""
    unlucky, other = homes()
    names = {unlucky: ["bad", *(f"c{n}" for n in range(110))], other: [f"d{n}" for n in range(110)]}
    async with stage_on(stack, clock="wall") as stage:
        for home, of_home in names.items():
            await stage.say(home, *(order(name, home) for name in of_home))
        async with stage.running():
            await stage.decided(221)
        await stage.connection.execute(REFUSES_A_LOOK)
        await stage.connection.executemany(WAITS, [(0, unlucky), (1, other)])
        async with stage.running() as engine:
            await stage.equals(unlucky, "select min(home) from parked_home")
            await stage.equals(0, "select count(*) from timer")
            assert engine.metrics.restarts._value.get() <= 9
        looked = [fact.data.order for fact in await stage.facts() if isinstance(fact.data, OrderNoted)]
        assert await stage.rows("select home from parked_home") == [(unlucky,)]
    assert sorted(name for name in looked if name.startswith("web/d")) == sorted(f"web/{name}" for name in names[other])


async def test_a_passing_database_error_parks_nothing(stage: Stage) -> None:
    """The server ends every connection while the ledger is idle, as a restart does."""
    home, _ = homes()
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        await stage.end_other_connections()
        await stage.say(home, order(2, home))
        await stage.decided(2)
    assert await stage.value("select count(*) from parked") == 0


async def test_a_message_tried_with_care_is_not_parked_for_a_passing_error(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Owners died here before, so each message is named first; but an instance that lives on was not killed by it."""
    home, _ = homes()
    async with stage.running() as engine:
        await stage.until("leases exist", lambda: engine.ready)
    await stage.value("update lease set holder = 'dead', until = now() - interval '1 s', deaths = 4, attempt = 'an older one'")
    commit = Batch.commit
    cuts: list[str] = []

    async def cut_off(batch: Batch, *more: Any) -> None:
        if not cuts:
            cuts.append(batch.last_input)
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        await commit(batch, *more)

    monkeypatch.setattr(Batch, "commit", cut_off)
    await stage.say(home, order(1, home), order(2, home))
    async with stage.running(lease_s=20):  # a lease that ran out meanwhile would have forgotten the name as well
        await stage.decided(2)
    assert cuts == ["/gateway/0:1"]
    assert await stage.value("select count(*) from parked") == 0
