"""A lease that ran out and that nobody took: its holder goes on. One that was taken is lost."""

from __future__ import annotations

import asyncpg

from shared import lease
from tests.kit.stage import Stage, homes, order

RUN_OUT = "update lease set until = now() - interval '1 minute'"


async def test_a_holder_alone_goes_on_when_its_lease_has_run_out_meanwhile(stage: Stage) -> None:
    """Loading may take longer than a lease; were it lost to nobody, the holder would load again, and so for ever."""
    home, _ = homes()
    await stage.say(home, order(1, home))
    async with stage.running() as engine:
        await stage.decided(1)
        await stage.value(RUN_OUT)
        await stage.equals(2, "select count(*) from lease where until > now()")
        await stage.say(home, order(2, home))
        await stage.decided(2)
        assert engine.metrics.restarts._value.get() == 0


async def test_new_epochs_are_given_for_all_that_nobody_else_took(stage: Stage) -> None:
    connection: asyncpg.Connection = stage.connection
    await lease.enrol(connection, 2, stage.settings.lease_s)
    assert await lease.take(connection, "a", 2, 10) == {0: 1, 1: 1}
    await connection.execute(f"{RUN_OUT} where partition = 1")
    assert await lease.take(connection, "b", 2, 10) == {1: 2}
    await connection.execute(RUN_OUT)
    assert await lease.beat(connection, "a", 10) == {0}
    assert await lease.renew_epochs(connection, "a") == {0: 2}
