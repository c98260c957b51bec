"""What changed reaches every page that wants it, once, however slow it is and whatever breaks (V1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from services.console import app, live, queue
from services.console.live import Ear, Hub
from services.console.telling import WORDS_MAX, bounded, concerns, tell
from shared.database import KIT_SCHEMA
from tests.console.facts import held, in_order, noted, released

WAIT_S = 10.0


async def heard(ear: Ear) -> list[str]:
    return await ear.next(0)


async def test_a_page_hears_what_it_wants_and_nothing_else() -> None:
    hub = Hub()
    ear = hub.join(["desk", "account/acme"], "")
    hub.publish(["desk", "day", "account/north"])
    assert await heard(ear) == ["desk"]
    assert await heard(ear) == []


async def test_a_slow_page_hears_much_as_one() -> None:
    hub = Hub()
    ear = hub.join(["desk", "day"], "")
    for _ in range(10_000):
        hub.publish(["desk"])
    hub.publish(["day"])
    assert await heard(ear) == ["day", "desk"]


def test_a_kind_with_too_many_words_is_told_as_a_whole() -> None:
    many = [f"account/{n}" for n in range(WORDS_MAX + 1)]
    assert bounded([*many, "desk"]) == [["account/*"], ["desk"]]
    assert concerns("account/*", "account/7") and concerns("*", "desk") and not concerns("account/*", "desk")
    assert all(len(str(said)) < 8_000 for said in bounded([f"account/{'x' * 64}{n}" for n in range(WORDS_MAX)]))


async def test_a_page_that_comes_back_hears_what_it_missed() -> None:
    hub = Hub()
    first = hub.join(["desk", "day"], "")
    hub.publish(["day"])
    seen = hub.id_of(first)
    hub.leave(first)
    assert await heard(hub.join(["desk", "day"], seen)) == []
    hub.publish(["desk"])
    assert await heard(hub.join(["desk", "day"], seen)) == ["desk"]


@pytest.mark.parametrize("last", ["another-7", "7", "no-id", "-", "hub-x"])
async def test_a_page_that_comes_from_elsewhere_asks_for_everything_again(last: str) -> None:
    hub = Hub()
    hub.publish(["account/x"])
    assert await heard(hub.join(["desk", "day"], last)) == ["day", "desk"]


async def test_a_page_that_was_away_too_long_asks_for_everything_again() -> None:
    hub = Hub()
    seen = hub.id_of(hub.join(["desk"], ""))
    for _ in range(live.REMEMBERED + 1):
        hub.publish(["day"])
    assert await heard(hub.join(["desk"], seen)) == ["desk"]


def test_tables_that_nobody_brings_up_to_date_are_not_fresh() -> None:
    now = [100.0]
    hub = Hub(lambda: now[0])
    assert not hub.fresh
    hub.seen_fresh()
    assert hub.fresh
    now[0] += 2 * live.LOOK_S
    assert not hub.fresh


# --- over PostgreSQL ------------------------------------------------------------------------------------------------


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not true():
            await asyncio.sleep(0.01)


@pytest.fixture
async def listening(database: str) -> Any:
    connection = await asyncpg.connect(database)
    await connection.execute(KIT_SCHEMA.read_text())
    await connection.execute(app.SERVICE.schema.read_text())
    await connection.execute("insert into lease (partition, holder, until) values (0, 'me', now() + interval '1 hour')")
    hub, dialled = Hub(), []

    async def dial() -> asyncpg.Connection:
        dialled.append(await asyncpg.connect(database))
        return dialled[-1]

    task = asyncio.create_task(live.listen(hub, dial))
    await until(lambda: hub.fresh)
    try:
        yield hub, connection, dialled
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await connection.close()


@pytest.mark.stack
async def test_what_is_told_is_heard_when_it_is_committed_and_not_before(listening: Any) -> None:
    hub, connection, _ = listening
    ear = hub.join(["desk"], "")
    async with connection.transaction():
        await tell(connection, ["desk"])
        assert await ear.next(0.2) == []
    assert await ear.next(WAIT_S) == ["desk"]
    with pytest.raises(ZeroDivisionError):
        async with connection.transaction():
            await tell(connection, ["desk"])
            raise ZeroDivisionError
    assert await ear.next(0.2) == []


@pytest.mark.stack
async def test_the_desk_is_told_of_what_waits_and_not_of_every_release(listening: Any) -> None:
    hub, connection, _ = listening
    await queue.project(connection, in_order([noted()]))
    ear = hub.join(["desk", "day", "account/acme"], "")
    async with connection.transaction():
        await queue.project(connection, in_order([released("web/1")], first=2))
    assert await ear.next(WAIT_S) == ["account/acme", "day"]
    async with connection.transaction():
        await queue.project(connection, in_order([held("web/2")], first=3))
    assert "desk" in await ear.next(WAIT_S)
    async with connection.transaction():  # now the account has an order that waits, whose bar moves
        await queue.project(connection, in_order([released("web/3")], first=4))
    assert "desk" in await ear.next(WAIT_S)


@pytest.mark.stack
async def test_after_a_break_everything_may_have_changed(listening: Any) -> None:
    hub, connection, dialled = listening
    ear = hub.join(["desk"], "")
    await connection.execute("select pg_terminate_backend($1)", dialled[0].get_server_pid())
    assert await ear.next(WAIT_S) == ["desk"]
    await tell(connection, ["desk"])
    assert await ear.next(WAIT_S) == ["desk"]


@pytest.mark.stack
async def test_a_lease_that_ran_out_makes_pages_stale(listening: Any) -> None:
    hub, connection, _ = listening
    await connection.execute("update lease set until = now() - interval '1 minute'")
    await until(lambda: not hub.fresh)
