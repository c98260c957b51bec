"""Counts per minute against the facts they were made from, on a real database."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence

import asyncpg
import pytest

from contracts.envelope import Envelope
from services.console import counting
from tests.console.desk_facts import (
    NINE,
    Writer,
    breached,
    escalated,
    held,
    minutes,
    released,
    warned,
)

pytestmark = pytest.mark.stack


def morning(partition: int, portfolio: str) -> list[Envelope]:
    """Two orders at nine, one released at once; the other is released by a person after it was escalated."""
    writer = Writer(partition)
    writer.say(released("w/1" + portfolio, first=True, portfolio=portfolio), NINE)
    writer.say(held("w/2" + portfolio, "static_limit", "on_stop", portfolio=portfolio), NINE)
    writer.say(warned("w/2" + portfolio), NINE + minutes(60))
    writer.say(escalated("w/2" + portfolio), NINE + minutes(90))
    writer.say(released("w/2" + portfolio, by="anna", portfolio=portfolio), NINE + minutes(100))
    return writer.said


async def in_batches(connection: asyncpg.Connection, facts: Sequence[Envelope], size: int) -> None:
    for start in range(0, len(facts), size):
        async with connection.transaction():
            await counting.project(connection, facts[start : start + size])


NIGHT = (NINE - minutes(600), NINE + minutes(1_000))


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_counts_are_the_same_whatever_the_batches(console: asyncpg.Connection, size: int) -> None:
    await in_batches(console, morning(0, "north") + morning(1, "south"), size)
    sums = await counting.sums(console, *NIGHT)
    assert sums == Counter(
        {
            "received": 4, "released_at_once": 2, "held": 2, "by:static_limit": 2, "by:on_stop": 2, "decided:5": 4, "warned": 2,
            "escalated": 2, "released_by_person": 2, "met_escalated": 2, "settled:105": 2,
        }
    )  # fmt: skip
    assert not await console.fetchval("select count(*) from tally_waiting")


async def test_each_person_sees_the_sums_of_their_portfolios(console: asyncpg.Connection) -> None:
    await in_batches(console, morning(0, "north") + morning(1, "south"), 100)
    assert (await counting.sums(console, *NIGHT, ["south"]))["received"] == 2
    assert set(await counting.by_portfolio(console, *NIGHT)) == {"north", "south"}


async def test_hours_add_up_their_minutes_and_a_quiet_one_is_there(console: asyncpg.Connection) -> None:
    await in_batches(console, morning(0, "north"), 100)
    hours = await counting.by_step(console, NINE, NINE + minutes(180), dt.timedelta(hours=1))
    assert [(hour.hour, sums["received"], sums["escalated"]) for hour, sums in hours.items()] == [
        (9, 2, 0),
        (10, 0, 1),
        (11, 0, 0),
    ]


async def test_an_order_that_comes_back_in_one_batch_waits_as_what_it_is_now(console: asyncpg.Connection) -> None:
    writer = Writer(0)
    await in_batches(console, [writer.say(held("w/1")), writer.say(breached("w/1"), NINE + minutes(120))], 2)
    later = NINE + minutes(130)
    await in_batches(
        console, [writer.say(released("w/1"), later), writer.say(held("w/1", first=False, portfolio="south"), later)], 2
    )
    assert [tuple(row) for row in await console.fetch("select portfolio, received_at, breached from tally_waiting")] == [
        ("south", None, False)
    ]


async def test_a_lane_says_how_far_it_is_counted(console: asyncpg.Connection) -> None:
    await in_batches(console, morning(3, "north"), 2)
    lanes = await counting.lanes(console)
    assert {number: tuple(lane) for number, lane in lanes.items()} == {3: (3, 5, NINE + minutes(100))}


async def test_a_days_sums_are_read_by_the_index(console: asyncpg.Connection) -> None:
    await console.execute(
        """
        insert into tally select p, $1::timestamptz + make_interval(mins => m), 'north', 'received', 1
        from generate_series(0, 3) p, generate_series(0, 20000) m
        """,
        NINE,
    )
    await console.execute("analyze tally")
    plan = await console.fetch(
        "explain select what, sum(n) from tally where minute >= $1 and minute < $2 group by what", NINE, NINE + minutes(60)
    )
    assert "Index" in "\n".join(row[0] for row in plan)
