"""The order desk's queries on a real PostgreSQL: what its timers find, in which order, in steps, and by which index."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts import orders
from services.orders import deadlines, store
from services.orders.state import RANK_LAST, Order
from shared.service import Step, Timer
from tests.explaining import Explaining

pytestmark = pytest.mark.stack

SCHEMA = Path(store.__file__).with_name("schema.sql")
NOW = dt.datetime(2011, 1, 15, tzinfo=dt.UTC)
DAY = dt.date(2011, 1, 10)


def released(name: str, account: str = "acme", day: dt.date = DAY) -> Order:
    return Order(order=name, account=account, home="acme", status="released", reserved_minor=1, lapses_on=day)


def held(name: str, turn: int, rank: int = RANK_LAST, home: str = "acme") -> Order:
    return Order(order=name, account=home, home=home, status="held", turn=turn, rank=rank)


@pytest.fixture
async def desk(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(SCHEMA.read_text())
        yield connection
    finally:
        await connection.close()


async def stored(connection: asyncpg.Connection, *rows: Order, partition: int = 0) -> None:
    await store.ORDERS.insert(connection, {row.order: (partition, row) for row in rows})


async def played(connection: asyncpg.Connection, kind: str, key: str, limit: int = 100) -> list[Step]:
    """All steps of one timer, each from where the one before ended."""
    timer, steps = Timer(kind, key, NOW, "acme"), []
    while True:
        step = await store.FIRES[kind](connection, 0, timer, NOW, limit)
        steps.append(step)
        if step.cursor is None:
            return steps
        timer = Timer(kind, key, NOW, "acme", step.cursor)


def named(steps: list[Step]) -> list[str]:
    return [getattr(command, "order", "end") for step in steps for _, command in step.commands]


async def test_a_recheck_takes_waiting_orders_by_rank_then_by_turn(desk: asyncpg.Connection) -> None:  # O7
    await stored(
        desk, held("w/1", 1), held("w/2", 2), held("w/3", 3, rank=2), held("w/4", 4, rank=1), held("n/1", 1, home="north")
    )
    await stored(desk, released("r/1"))
    assert named(await played(desk, deadlines.RECHECK, "acme")) == ["w/4", "w/3", "w/1", "w/2", "end"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
async def test_a_recheck_in_steps_of_two_misses_none_and_ends_once(desk: asyncpg.Connection, count: int) -> None:
    await stored(desk, *(held(f"w/{n}", n) for n in range(count)))
    assert named(await played(desk, deadlines.RECHECK, "acme", limit=2)) == [*(f"w/{n}" for n in range(count)), "end"]


async def test_a_recheck_takes_a_hundred_orders_a_step_at_most(desk: asyncpg.Connection) -> None:  # Storms
    await stored(desk, *(held(f"w/{n}", n) for n in range(250)))
    steps = await played(desk, deadlines.RECHECK, "acme", limit=1000)
    assert [len(step.commands) for step in steps] == [100, 100, 51]


async def test_a_lapse_takes_all_that_reserve_until_that_day_in_this_partition(desk: asyncpg.Connection) -> None:  # F2
    await stored(desk, released("b"), released("a", "zoo"), released("c", day=DAY - dt.timedelta(days=1)), held("h", 1))
    await stored(desk, released("later", day=DAY + dt.timedelta(days=1)))
    await stored(desk, released("elsewhere"), partition=1)
    steps = await played(desk, deadlines.LAPSE, DAY.isoformat(), limit=2)
    assert named(steps) == ["c", "b", "a"]
    assert {home for step in steps for home, _ in step.commands} == {"acme"}


async def test_a_recall_takes_what_one_account_reserves_whatever_the_day(desk: asyncpg.Connection) -> None:  # O4
    rows = [released(f"a/{n}", day=DAY + dt.timedelta(days=n % 3)) for n in range(7)]
    await stored(desk, *rows, released("x", "other"), held("h", 1))
    steps = await played(desk, deadlines.RECALL, "acme", limit=3)
    assert named(steps) == ["a/0", "a/3", "a/6", "a/1", "a/4", "a/2", "a/5"]
    assert all(isinstance(command, orders.RecallOrder) for step in steps for _, command in step.commands)


async def test_a_sweep_opens_a_recheck_of_every_group_that_waits(desk: asyncpg.Connection) -> None:
    await stored(desk, held("a", 1), held("b", 2), held("c", 1, home="north"), held("d", 1, home="west"), released("r"))
    steps = await played(desk, deadlines.SWEEP, "v2", limit=2)
    assert [home for step in steps for home, _ in step.commands] == ["acme", "north", "west"]


async def test_an_order_that_changes_columns_is_found_by_them(desk: asyncpg.Connection) -> None:
    await stored(desk, held("w/1", 1))
    await store.ORDERS.update(desk, {"w/1": (0, released("w/1"))})
    assert named(await played(desk, deadlines.RECHECK, "acme")) == ["end"]
    assert named(await played(desk, deadlines.LAPSE, DAY.isoformat())) == ["w/1"]


QUERIES: list[tuple[str, Any]] = [
    ("orders_queue", lambda c: store.waiting_after(c, "acme", -1, -1, 100)),
    ("orders_reserving", lambda c: store.lapsing_after(c, 0, DAY, (dt.date.min, "", ""), 100)),
    ("orders_reserving", lambda c: store.reserving_after(c, 0, "a7", (dt.date.min, ""), 100)),
    ("orders_queue", lambda c: store.groups_waiting_after(c, 0, "", 100)),
]


@pytest.mark.parametrize(("index", "query"), QUERIES)
async def test_each_query_of_a_timer_reads_its_index_and_not_the_table(desk: asyncpg.Connection, index: str, query: Any) -> None:
    days = [DAY + dt.timedelta(days=n) for n in range(30)]
    await stored(desk, *(released(f"r/{n}", f"a{n % 500}", days[n // 700]) for n in range(20_000)))
    await stored(desk, *(held(f"h/{n}", n, home=f"a{n % 50}") for n in range(200)))
    await desk.execute("analyze orders")
    explaining = Explaining(desk)
    await query(explaining)
    assert index in explaining.plan
    assert "Seq Scan" not in explaining.plan
