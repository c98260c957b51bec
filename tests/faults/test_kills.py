"""Processes that are killed, stopped or kill themselves: nothing lost, nothing doubled, nobody innocent parked."""

from __future__ import annotations

import asyncio
import signal

import pytest

from tests.faults.processes import Process, end, processes, started
from tests.kit.ledger_service import KILLS
from tests.kit.stage import Stage, homes, order
from tests.patience import patient

pytestmark = pytest.mark.slow
DIED = 9
"""Exit code of the ledger when a message tells it to end the process."""
KILLED = 3
RUN = 400
"""Orders per account between two kills: several batches of `batch_max`."""
PATIENCE_S = patient(120.0)
OWNED = "select count(*) from lease where holder is not null and until > now()"


async def test_a_killed_owner_loses_and_doubles_nothing(stage: Stage) -> None:
    home, other = homes()
    stage.settings = stage.settings.model_copy(update={"batch_max": 50})
    decided = 0
    with processes(stage) as running:
        for run in range(1, KILLED + 1):
            await stage.send(stage.wrap(at, order(f"{at}-{run}-{n}", at)) for n in range(RUN) for at in (home, other))
            while await stage.value("select count(*) from journal") == decided:
                await asyncio.sleep(0.002)
            end(running[-1])
            decided = await stage.value("select count(*) from journal")
            running.append(started(stage))
        await stage.decided(2 * RUN * KILLED, patience_s=PATIENCE_S)
        await stage.all_published(repeats=True)
    assert await stage.value("select sum(balance) from account") == 100 * 2 * RUN * KILLED


async def test_a_stopped_owner_that_wakes_up_changes_nothing(stage: Stage) -> None:
    home, other = homes()
    with processes(stage) as running:
        await stage.say(home, *[order(n, home) for n in range(20)])
        await stage.decided(20)
        running[0].send_signal(signal.SIGSTOP)
        await stage.say(home, *[order(n, home) for n in range(20, 40)])
        running.append(started(stage))
        await stage.decided(40)
        running[0].send_signal(signal.SIGCONT)
        await stage.say(other, *[order(f"o{n}", other) for n in range(20)])
        await stage.decided(60)
        await stage.all_published(repeats=True)
        await stage.equals(2, "select count(distinct holder) from lease where until > now()")
    assert (await stage.balance(home), await stage.balance(other)) == (4000, 2000)


async def test_a_message_that_kills_every_owner_is_named_and_parked_and_the_rest_goes_on(stage: Stage) -> None:
    other, _, home, quiet = homes(each=2)  # the deadly one on the later partition: the other's are decided before it dies
    await stage.say(quiet, order("before", quiet))
    await stage.say(home, order("deadly", home, po=KILLS), order("behind", home))
    await stage.say(quiet, order("after", quiet))
    await stage.say(other, *[order(n, other) for n in range(10)])
    deaths = 0
    with processes(stage) as running:
        while not await _parked_or_dead(stage, running[-1]):
            deaths += 1
            assert running[-1].wait() == DIED and deaths < 9
            running.append(started(stage))
        await stage.decided(12, patience_s=PATIENCE_S)
        await stage.equals(2, "select count(*) from parked")
    assert 3 <= deaths <= 6
    assert await stage.rows("select home, message_id is not null from parked order by n") == [(home, True), (home, True)]
    assert (await stage.balance(quiet), await stage.balance(other)) == (200, 1000)


async def _parked_or_dead(stage: Stage, process: Process) -> bool:
    """Wait until something is parked, or the process ended itself; True when parked."""
    found: list[bool] = []

    async def holds() -> bool:
        found[:] = [await stage.value("select count(*) > 0 from parked"), process.poll() is not None]
        return any(found)

    await stage.until("a message is parked or its owner died", holds, 40)
    return found[0]


async def test_killing_an_idle_instance_again_and_again_parks_nothing(stage: Stage) -> None:
    home, other = homes()
    await stage.say(home, order(1, home))
    with processes(stage) as running:
        await stage.decided(1)
        for _ in range(4):
            end(running[-1])
            await stage.equals(0, OWNED)
            running.append(started(stage))
            await stage.equals(2, OWNED)
        assert await stage.value("select min(deaths) from lease") >= 3
        await stage.say(home, *[order(n, home) for n in range(2, 12)])
        await stage.say(other, *[order(f"o{n}", other) for n in range(10)])
        await stage.decided(21)
    assert await stage.value("select count(*) from parked") == 0
