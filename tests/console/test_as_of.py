"""What a past day's pages show equals what the pages of that day showed: whatever was said since changes nothing of it (V7)."""

from __future__ import annotations

import asyncio
import datetime as dt
from itertools import groupby
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.accounts import (
    LimitChanged,
    RequestApproved,
    StopAssigned,
    StopScheduled,
    TakenOffStop,
)
from contracts.envelope import Envelope
from services.console import app, as_of, book, deals, past, queue
from services.console.account import ageing
from services.console.app import SERVICE
from shared.testing import Servers, fresh_database
from tests.console.desk_facts import NINE, minutes
from tests.console.test_book import ALL, ASKED, CHANGED, DAY, OPENED, STOPPED, TODAY, House, busy_day
from tests.models.test_console_following import facts_of
from tests.models.test_orders_properties import ACCOUNTS, group, play, steps

pytestmark = pytest.mark.stack

Shown = dict[str, Any]
TABLES = "orders, accounts, account_days, debts, items, entries, said, deals, deal_uses"


async def of_now(console: asyncpg.Connection) -> Shown:
    shown: Shown = {"deals": [(each.deal, each.uses) for each in await deals.open_ones(console, ALL)]}
    for name in ACCOUNTS:
        names = [row["order"] for row in await book.open_orders(console, name)]
        shown[name] = {
            "account": (await queue.accounts_of(console, [name])).get(name),
            "debts": await queue.debts(console, name),
            "items": [_item(row) for row in await book.items(console, name)],
            "orders": await queue.ORDERS.load(console, names),
        }
    return shown


async def of_then(console: asyncpg.Connection, day: dt.date) -> Shown:
    shown: Shown = {"deals": [(each.deal, each.uses) for each in await as_of.open_deals(console, ALL, day)]}
    stood = await past.of_accounts(console, ACCOUNTS, day)
    for name in ACCOUNTS:
        orders = await as_of.open_orders(console, stood[name], day) if name in stood else []
        shown[name] = {
            "account": stood.get(name),
            "debts": await as_of.debts(console, name, day),
            "items": [_item(row) for row in await as_of.items(console, name, day)],
            "orders": {each.order: each for each in orders},
        }
    return shown


def _item(row: asyncpg.Record) -> tuple[str, int, int]:
    return row["item"], row["open_minor"], row["disputed_minor"]


def by_day(facts: list[Envelope]) -> list[tuple[dt.date, list[Envelope]]]:
    return [(day, list(of)) for day, of in groupby(facts, key=lambda fact: fact.time.date())]


def test_every_past_day_is_shown_as_it_was_shown_on_it(stack: Servers) -> None:  # V7
    async def told(console: asyncpg.Connection, story: list[Any]) -> None:
        desk = group()
        play(desk, story)
        await console.execute(f"truncate {TABLES}")
        shown: dict[dt.date, Shown] = {}
        for day, facts in by_day(facts_of(desk)):
            async with console.transaction():
                await app.project(console, facts)
            shown[day] = await of_now(console)
        for day, then in shown.items():
            assert await of_then(console, day) == then
            await adds_up(console, day)

    with asyncio.Runner() as runner:
        house = fresh_database(stack.postgres)
        console = runner.run(asyncpg.connect(runner.run(house.__aenter__())))
        runner.run(console.execute(SERVICE.schema.read_text()))

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(steps, max_size=25))
        def holds(story: list[Any]) -> None:
            runner.run(told(console, story))

        try:
            holds()
        finally:
            runner.run(console.close())
            runner.run(house.__aexit__(None, None, None))


async def adds_up(console: asyncpg.Connection, day: dt.date) -> None:
    """Ageing and items are the open items of exposure; open orders are what is reserved and not invoiced."""
    for name, row in (await past.of_accounts(console, ACCOUNTS, day)).items():
        debts = await as_of.debts(console, name, day)
        assert sum(each.minor for each in ageing(debts, [row], name, day)) == row.open_minor
        assert sum(item["open_minor"] for item in await as_of.items(console, name, day)) == row.open_minor
        open_orders = await as_of.open_orders(console, row, day)
        assert sum(each.reserved_minor for each in open_orders) == row.reserved_minor
        assert sum(each.unbilled_minor for each in open_orders) == row.unbilled_minor


def weeks_of_stops(console: asyncpg.Connection, size: int = 100) -> House:
    """A1 is opened, announced, stopped and taken off, a day each; a request waits over the stop."""
    house = House(console, size)
    house.say(OPENED, NINE)
    house.say(StopScheduled(account="A1", on=TODAY + 2 * DAY, reason="late", by="ada"), NINE + DAY)
    house.say(STOPPED, NINE + 2 * DAY)
    house.say(ASKED, NINE + 2 * DAY, actor="con", role="controller")
    house.say(StopAssigned(account="A1", owner="tia", by="tia"), NINE + 3 * DAY)
    house.say(LimitChanged(account="A1", limit_minor=1, was_minor=1000, reason="risk", effective_from=TODAY), NINE + 3 * DAY)
    house.say(RequestApproved(account="A1", request="r1", by="tia", role="team_leader", reason="seen"), NINE + 4 * DAY)
    house.say(CHANGED, NINE + 4 * DAY)
    house.say(TakenOffStop(account="A1", reason="paid"), NINE + 5 * DAY)
    return house


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_stops_are_listed_as_they_were_with_the_work_on_them(console: asyncpg.Connection, size: int) -> None:  # A3, V7
    house = weeks_of_stops(console, size)
    await house.project()
    await house.project()
    assert await console.fetchval("select count(*) from stop_turns") == 2
    assert await as_of.stops(console, ALL, TODAY) == []
    found = {n: (await as_of.stops(console, ALL, TODAY + n * DAY))[0].page for n in (1, 2, 3, 4)}
    assert [(page.status, page.owner) for page in found.values()] == [
        ("open", ""),
        ("on_stop", ""),
        ("on_stop", "tia"),
        ("on_stop", "tia"),
    ]
    assert (found[1].stops_on, found[2].stopped_at) == (TODAY + 2 * DAY, NINE + 2 * DAY)
    assert await as_of.stops(console, ALL, TODAY + 5 * DAY) == []
    assert await as_of.stops(console, ["south"], TODAY + 2 * DAY) == []


async def test_a_request_waits_on_the_days_on_which_it_waited(console: asyncpg.Connection) -> None:  # A6, V7
    await weeks_of_stops(console).project()
    assert await as_of.requests(console, ALL, TODAY + DAY) == []
    for day, fits in ((2, True), (3, False)):
        [waiting] = await as_of.requests(console, ALL, TODAY + day * DAY)
        assert (waiting.request.state, waiting.request.answered_by, waiting.fits) == ("open", "", fits)
        assert await as_of.answered(console, ALL, TODAY + day * DAY) == []
    assert await as_of.requests(console, ALL, TODAY + 4 * DAY) == []
    [answered] = await as_of.answered(console, ALL, TODAY + 4 * DAY)
    assert (answered.request.state, answered.request.answered_by) == ("approved", "tia")


async def test_the_page_of_an_account_is_folded_as_it_was_kept(console: asyncpg.Connection) -> None:  # V7
    """The facts of the credit master all stand in the timeline, so that a trader's page costs no more than a newcomer's."""
    await busy_day(console).project()
    kept = await book.PAGES.load(console, ["A1"])
    view = await as_of.booked(console, ["A1"], TODAY)
    assert view.pages == kept
    assert (await as_of.booked(console, ["A1"], TODAY - DAY)).pages["A1"].status == "open"
    assert (await as_of.booked(console, ["A1"], TODAY - 2 * DAY)).pages == {}


async def test_an_account_with_many_facts_is_asked_by_its_index(console: asyncpg.Connection) -> None:  # V7
    await busy_day(console).project()
    await console.execute("set enable_seqscan = off")
    plan = await console.fetch(f"explain {as_of._MOVED}", "A1", NINE + minutes(9), as_of._MONEY)
    assert "said_of_account" in "".join(row[0] for row in plan)
