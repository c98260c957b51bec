"""Guarantee 6: timers are state. Due ones fire once, in order, before later messages, whoever owns the partition by then."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from contracts.orders import CancelOrder, ChangeOrder, OpenRecheck
from shared import engine, timers
from shared.service import Step, Timer
from shared.testing import Servers
from tests.kit import ledger_service
from tests.kit.stage import BEGAN, Stage, homes, order, placed, stage_on

DAY = dt.timedelta(days=1)
LAPSED = "ReservationLapsed"


@pytest.fixture(params=["asks its tables", "is one command"])
async def stage(stack: Servers, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Both kinds of timers keep the same promises."""
    service = ledger_service.SERVICE
    if request.param == "is one command":
        fires = {"recheck": ledger_service.fire_recheck}
        service = replace(service, fires=fires, becomes={"lapse": ledger_service.lapsed})
    async with stage_on(stack, service) as found:
        yield found


async def _said(stage: Stage) -> list[tuple[str, str, dt.datetime]]:
    return [(type(fact.data).__name__, getattr(fact.data, "order", ""), fact.time) for fact in await stage.facts()]


async def test_due_timers_fire_in_order_before_the_next_message_and_at_their_own_time(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order("c", home, days=2), order("b", home, days=1), order("a", home, days=1))
    await stage.say(home, order("late", home), at=BEGAN + 9 * DAY)
    async with stage.running():
        await stage.decided(7)
    assert (await _said(stage))[3:] == [
        (LAPSED, "web/a", BEGAN + DAY), (LAPSED, "web/b", BEGAN + DAY), (LAPSED, "web/c", BEGAN + 2 * DAY),
        ("OrderReleased", "web/late", BEGAN + 9 * DAY),
    ]  # fmt: skip
    assert await stage.value("select count(*) from timer") == 0


async def test_a_timer_moves_with_its_state_and_goes_with_it(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order("a", home, days=1), order("b", home, days=1))
    await stage.say(home, ChangeOrder(order="web/a", account=home, placed=placed(100, 5)))
    await stage.say(home, CancelOrder(order="web/b", account=home, reason=""))
    await stage.say(home, order("on-3", home), at=BEGAN + 3 * DAY)
    await stage.say(home, order("on-9", home), at=BEGAN + 9 * DAY)
    async with stage.running():
        await stage.decided(7)
    assert (await _said(stage))[4:] == [
        ("OrderReleased", "web/on-3", BEGAN + 3 * DAY), (LAPSED, "web/a", BEGAN + 5 * DAY),
        ("OrderReleased", "web/on-9", BEGAN + 9 * DAY),
    ]  # fmt: skip


async def test_a_timer_outlives_its_owner_and_fires_once(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, *[order(n, home, days=1) for n in range(5)])
    owner = stage.start()
    await stage.decided(5)
    await owner.crash()
    await stage.say(home, order("late", home), at=BEGAN + 2 * DAY)
    async with stage.running():
        await stage.decided(11)
        await stage.say(home, order("later", home), at=BEGAN + 3 * DAY)
        await stage.decided(12)
    async with stage.running():
        await stage.say(home, order("last", home), at=BEGAN + 4 * DAY)
        await stage.decided(13)
    assert [name for name, *_ in await _said(stage)].count(LAPSED) == 5


async def test_a_late_message_gets_the_clock_of_its_partition_over_a_restart_too(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order("first", home), at=BEGAN + 2 * DAY)
    async with stage.running():
        await stage.decided(1)
    await stage.say(home, order("late", home), at=BEGAN)
    await stage.say(home, order("late too", home), at=BEGAN + DAY)
    async with stage.running():
        await stage.decided(3)
    assert [at for *_, at in await _said(stage)] == [BEGAN + 2 * DAY] * 3


async def test_on_wall_time_a_timer_fires_without_any_message(stack: Servers) -> None:
    started = dt.datetime.now(dt.UTC)
    home, _ = homes()
    async with stage_on(stack, clock="wall") as stage:
        await stage.say(home, order(1, home, days=0))
        async with stage.running():
            await stage.decided(2)
        assert [name for name, *_ in await _said(stage)] == ["OrderReleased", LAPSED]
        assert all(at >= started for *_, at in await _said(stage)), "decided at the time of the message"


async def test_a_timer_with_many_steps_goes_on_at_its_cursor_after_a_crash(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STEP_MAX", 4)
    home, _ = homes()
    cursors: list[str] = []
    stuck = asyncio.Event()

    async def fire(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
        cursors.append(timer.cursor)
        if len(cursors) == 2:
            stuck.set()
            await asyncio.Event().wait()
        return await ledger_service.fire_recheck(connection, partition, timer, now, limit)

    stage.service = replace(stage.service, fires={"recheck": fire})
    await stage.say(home, *[order(n, home) for n in range(10)], OpenRecheck(home=home), order("after", home))
    owner = stage.start()
    await asyncio.wait_for(stuck.wait(), 10)
    await owner.crash()
    assert await stage.value("select cursor from timer") == "web/3"
    async with stage.running():
        await stage.decided(23)
    assert cursors == ["", "web/3", "web/3", "web/7"]
    looks = "select distinct convert_from(body, 'utf8')::jsonb ->> 'looks' from orders where key <> 'web/after'"
    assert await stage.rows(looks) == [("1",)]
    assert [name for name, *_ in await _said(stage)][11:] == ["OrderNoted"] * 10 + ["RecheckClosed", "OrderReleased"]


@pytest.mark.parametrize("batch_max", [1, 2000])
async def test_more_timers_than_memory_holds_fire_in_order_all_the_same(
    stack: Servers, monkeypatch: pytest.MonkeyPatch, batch_max: int
) -> None:
    monkeypatch.setattr(timers, "WINDOW", 3)
    home, _ = homes()
    days = [5, 3, 9, 1, 7, 2, 8, 4, 6, 2, 2, 2]
    async with stage_on(stack, batch_max=batch_max) as stage:
        await stage.say(home, *[order(n, home, days=day) for n, day in enumerate(days)])
        async with stage.running():
            await stage.decided(len(days))
        await stage.say(home, CancelOrder(order="web/3", account=home, reason=""))
        await stage.say(home, order("last", home), at=BEGAN + 20 * DAY)
        async with stage.running():
            await stage.decided(2 * len(days) + 1)
        fired = [(at, name) for kind, name, at in await _said(stage) if kind == LAPSED]
        assert fired == sorted((BEGAN + day * DAY, f"web/{n}") for n, day in enumerate(days) if n != 3)


async def test_cancelling_all_timers_in_memory_brings_up_those_behind_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window runs empty in the middle of a batch; the next timer stands in the table alone."""
    monkeypatch.setattr(timers, "WINDOW", 2)
    home, _ = homes()
    await stage.say(home, *[order(n, home, days=1 + n) for n in range(4)])
    async with stage.running():
        await stage.decided(4)
    for n in (0, 1):
        await stage.say(home, CancelOrder(order=f"web/{n}", account=home, reason=""))
    await stage.say(home, order("last", home), at=BEGAN + 20 * DAY)
    async with stage.running():
        await stage.decided(9)
    assert [name for _, name, _ in (await _said(stage))[6:]] == ["web/2", "web/3", "web/last"]


async def test_a_timer_that_is_set_again_to_the_moment_it_fired_at_says_other_messages(stage: Stage) -> None:
    """On a clock that stands: a recheck asked for while the one before it has just ended."""
    home, _ = homes()
    async with stage.running():
        for _ in range(3):
            await stage.say(home, OpenRecheck(home=home))
        await stage.decided(6)
        said = await stage.facts()
    assert [type(fact.data).__name__ for fact in said] == ["RecheckOpened", "RecheckClosed"] * 3
    assert len({fact.id for fact in said}) == len(said)


async def test_a_timer_whose_command_changes_nothing_is_gone_as_well(stack: Servers) -> None:
    def quiet(timer: Timer) -> tuple[str, ChangeOrder]:
        return timer.home, ChangeOrder(order="nobody's", account=timer.home, placed=placed(1))

    home, _ = homes()
    fires = {"recheck": ledger_service.fire_recheck}
    async with stage_on(stack, replace(ledger_service.SERVICE, fires=fires, becomes={"lapse": quiet})) as stage:
        await stage.say(home, order("first", home, days=1))
        await stage.say(home, order("then", home), at=BEGAN + 2 * DAY)
        async with stage.running():
            await stage.decided(2)
        assert [name for _, name, _ in await _said(stage)] == ["web/first", "web/then"]
        assert await stage.value("select count(*) from timer") == 0


async def test_timers_that_are_one_command_are_decided_among_the_messages(stack: Servers) -> None:
    """Each at its own time, between the messages before and after it."""
    fires = {"recheck": ledger_service.fire_recheck}
    service = replace(ledger_service.SERVICE, fires=fires, becomes={"lapse": ledger_service.lapsed})
    home, _ = homes()
    async with stage_on(stack, service) as stage:
        await stage.say(home, *[order(n, home, days=1 + n) for n in range(50)])
        for n in range(50):
            await stage.say(home, order(f"then {n}", home), at=BEGAN + (1 + n) * DAY + DAY / 2)
        async with stage.running():
            await stage.decided(150)
        said = [(kind, name, at) for kind, name, at in await _said(stage)][50:]
        assert said == [
            fact
            for n in range(50)
            for fact in (
                (LAPSED, f"web/{n}", BEGAN + (1 + n) * DAY),
                ("OrderReleased", f"web/then {n}", BEGAN + (1 + n) * DAY + DAY / 2),
            )
        ]
        assert await stage.value("select count(*) from timer") == 0


async def test_steps_of_many_groups_share_a_transaction(stack: Servers) -> None:
    """Cash that frees forty groups is not forty commits, which a desk that stood still for a while would never catch up with."""
    many = homes(each=40)[:40]
    async with stage_on(stack) as stage:
        for home in many:
            await stage.say(home, order(home, home, days=1))
        await stage.say(many[0], order("late", many[0]), at=BEGAN + 2 * DAY)
        async with stage.running():
            await stage.decided(81)
        assert (await _said(stage))[40:80] == [(LAPSED, f"web/{home}", BEGAN + DAY) for home in sorted(many)]
        steps = "select count(distinct xmin::text) from journal where position($1::bytea in body) > 0"
        assert await stage.value(steps, b"reservation_lapsed") == 2


async def test_a_step_sees_what_the_one_before_it_did_to_the_same_group(stack: Servers) -> None:
    seen: list[int] = []

    async def looking(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
        seen.append(await connection.fetchval("select count(*) from orders where home = $1", timer.home))
        return Step([ledger_service.lapsed(timer)])

    home, _ = homes()
    service = replace(ledger_service.SERVICE, fires={**ledger_service.SERVICE.fires, "lapse": looking})
    async with stage_on(stack, service) as stage:
        await stage.say(home, *[order(n, home, days=1) for n in range(3)])
        await stage.say(home, order("late", home), at=BEGAN + 2 * DAY)
        async with stage.running():
            await stage.decided(7)
    assert seen == [3, 2, 1]
