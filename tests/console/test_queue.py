"""The desk's tables on a real PostgreSQL: kept by facts, asked by pages, by which index (V1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from contracts import orders
from contracts.accounts import Terms
from contracts.message import Message
from services.console import app, queue, said
from services.console.queue import DESK, NOBODY, Filter, Place
from tests.console.facts import START, held, in_order, noted, referred, released, told
from tests.explaining import Explaining

pytestmark = pytest.mark.stack

SCHEMA = Path(app.__file__).with_name("schema.sql")
LATER = START + dt.timedelta(days=1)


@pytest.fixture
def desk(console: asyncpg.Connection) -> asyncpg.Connection:
    return console


async def hears(desk: asyncpg.Connection, messages: Sequence[Message], at: dt.datetime = START) -> None:
    for n, message in enumerate(messages, start=1):
        await app.project(desk, [told(message, n, at, getattr(message, "account", "acme"))])


async def names(desk: asyncpg.Connection, after: Place = queue.BEFORE_ALL, rows: int = 100, **wanted: Any) -> list[str]:
    return [row["order"] for row in await queue.window(desk, Filter(**wanted), after, rows)]


def in_minutes(minutes: int) -> dt.datetime:
    return START + dt.timedelta(minutes=minutes)


async def test_the_worst_clock_comes_first(desk: asyncpg.Connection) -> None:  # V1
    await hears(desk, [noted(), *(held(f"web/{n}", due_at=in_minutes(n)) for n in (40, 10, 30, 20))])
    assert await names(desk) == ["web/10", "web/20", "web/30", "web/40"]


async def test_windows_follow_each_other_both_ways_and_miss_none(desk: asyncpg.Connection) -> None:
    await hears(desk, [noted(), *(held(f"web/{n}", due_at=in_minutes(n // 3)) for n in range(10, 20))])
    whole = await names(desk)
    first = await queue.window(desk, Filter(), rows=4)
    second = await queue.window(desk, Filter(), Place(first[-1]["due_at"], first[-1]["order"]), 4)
    assert [row["order"] for row in (*first, *second)] == whole[:8]
    back = await queue.window_before(desk, Filter(), Place(second[0]["due_at"], second[0]["order"]), 4)
    assert [row["order"] for row in back] == whole[:4]


async def test_an_order_leaves_the_queue_when_it_is_decided(desk: asyncpg.Connection) -> None:
    ends = [
        released("web/1", at_once=False),
        orders.OrderRejected(order="web/2", account="acme", by="rita", reason="no"),
        orders.OrderCancelled(order="web/3", account="acme", reason="changed their mind"),
    ]
    await hears(desk, [noted(), *(held(f"web/{n}") for n in range(1, 5)), *ends])
    assert await names(desk) == ["web/4"]
    row = await queue.one(desk, (), "web/1")
    assert (row["status"], row["decision"], row["placed"]) == ("released", None, None)


async def test_the_queue_is_filtered_by_portfolio_reason_level_owner_and_words(desk: asyncpg.Connection) -> None:  # V1
    await hears(
        desk,
        [
            noted(),
            noted("north", "north", name="North Star (100 %)"),
            held("web/1", checks=("static_limit", "dynamic_limit")),
            held("web/2", checks=("po_number",)),
            held("web/3", "north", checks=("po_number",)),
            referred("web/2", "director"),
            orders.OrderAssigned(order="web/1", account="acme", owner="rita", by="rita"),
        ],
    )
    assert await names(desk, portfolio="north") == ["web/3"]
    assert await names(desk, reason="dynamic_limit") == ["web/1"]
    assert await names(desk, level="director") == ["web/2"]
    assert await names(desk, level=DESK) == ["web/1", "web/3"]
    assert await names(desk, owner="rita") == ["web/1"]
    assert await names(desk, owner=NOBODY) == ["web/2", "web/3"]
    assert await names(desk, text="star (100 %") == ["web/3"]
    assert await names(desk, text="%") == ["web/3"]
    assert await names(desk, text="WEB/2") == ["web/2"]
    found = {(facet.kind, facet.value): facet.count for facet in await queue.facets(desk, ())}
    assert found[("reason", "po_number")] == 2
    assert found[("portfolio", "north")] == 1
    assert found[("level", DESK)] == 2
    assert found[("owner", NOBODY)] == 2


async def test_a_person_sees_only_their_portfolios(desk: asyncpg.Connection) -> None:  # V8
    await hears(desk, [noted(), noted("north", "north"), held("web/1"), held("web/2", "north"), released("web/3", "north")])
    assert await names(desk, seen=("north",)) == ["web/2"]
    assert await names(desk, seen=("main", "north")) == ["web/1", "web/2"]
    assert [total.count for total in await queue.totals(desk, Filter(seen=("north",)), LATER)] == [1]
    assert {facet.value for facet in await queue.facets(desk, ("north",)) if facet.kind == "portfolio"} == {"north"}
    assert await queue.one(desk, ("main",), "web/2") is None
    assert [row["order"] for row in await queue.search(desk, ("main",), "web/3")] == []
    assert (await queue.day(desk, ("north",), START.date())).received == 2


async def test_an_account_that_moves_to_another_portfolio_takes_its_orders_along(desk: asyncpg.Connection) -> None:
    moved = orders.StandingNoted(account="acme", terms=Terms(portfolio="south"))
    await hears(desk, [noted(), held("web/1"), released("web/2"), moved])
    assert await names(desk, seen=("south",)) == ["web/1"]
    assert await queue.one(desk, ("south",), "web/2") is not None


async def test_totals_tell_what_waits_what_is_at_risk_and_what_is_late(desk: asyncpg.Connection) -> None:  # O6
    await hears(desk, [noted(), *(held(f"web/{n}", value_minor=200_000, due_at=in_minutes(n)) for n in (10, 35, 120))])
    [total] = await queue.totals(desk, Filter(), in_minutes(10))
    assert (total.count, total.waiting_minor, total.risky, total.late) == (3, 600_000, 1, 1)


async def test_projecting_the_same_facts_again_changes_nothing(desk: asyncpg.Connection) -> None:
    debt = orders.PositionMoved(account="acme", open_minor=700, due_on=START.date())
    messages = [noted(), held("web/1"), released("web/2"), debt]
    await app.project(desk, in_order(messages))
    before = await everything(desk)
    await app.project(desk, in_order(messages))
    await app.project(desk, in_order(messages)[1:3])
    assert await everything(desk) == before


async def everything(desk: asyncpg.Connection) -> dict[str, list[Any]]:
    tables = ("orders", "accounts", "debts", "desk_days", "said")
    return {table: sorted(map(repr, await desk.fetch(f"select * from {table}"))) for table in tables}


async def test_any_order_is_found_by_reference_name_account_or_po_number(desk: asyncpg.Connection) -> None:
    po = orders.OrderChanged(
        order="web/1002",
        account="acme",
        placed=orders.Placed(currency="GBP", total_minor=1_000, received_at=START, po_number="PO-7"),
        reserved_minor=1_000,
    )
    await hears(desk, [noted(), released("web/1001"), released("web/1002"), held("edi/1003"), po])

    async def found(text: str) -> list[str]:
        return sorted(row["order"] for row in await queue.search(desk, (), text))

    assert await found("100") == ["edi/1003", "web/1001", "web/1002"]
    assert await found("web/1001") == ["web/1001"]
    assert await found("acme") == ["edi/1003", "web/1001", "web/1002"]
    assert await found("PO-7") == ["web/1002"]
    assert await found("10%") == []


async def test_all_that_was_said_of_an_order_is_read_back_in_order_and_as_of_a_moment(desk: asyncpg.Connection) -> None:  # V7
    await app.project(desk, [told(noted(), 1), told(held("web/1"), 2, in_minutes(1), actorid="feed", actorrole="feed")])
    await app.project(desk, [told(released("web/1", at_once=False, by="rita"), 3, in_minutes(2), causationid="c")])
    facts = await said.of_order(desk, "web/1")
    assert [(fact.words, fact.at, fact.actor) for fact in facts] == [
        ("order held", in_minutes(1), "feed"),
        ("order released", in_minutes(2), ""),
    ]
    assert facts[1].data.by == "rita"
    assert [fact.words for fact in await said.of_order(desk, "web/1", in_minutes(1))] == ["order held"]
    assert len(await said.of_account(desk, "acme")) == 3


# --- what it costs --------------------------------------------------------------------------------------------------

ORDERS, WAITING = 100_000, 5_000


async def crowded(desk: asyncpg.Connection) -> None:
    """A hundred thousand orders of two thousand accounts, five thousand of them waiting."""
    accounts = [noted(f"a{n}", f"p{n % 4}") for n in range(2_000)]
    await app.project(desk, in_order(list(accounts)))
    await queue.project(desk, in_order([held("web/w0", "a0"), released("web/r0", "a0")], first=3_000))
    columns = [name for name in queue.ORDERS.kinds if name not in ("order", "account", "reference", "due_at", "portfolio")]
    for kind, count in (("w", WAITING), ("r", ORDERS)):
        await desk.execute(
            f"""
            insert into orders ("order", account, reference, portfolio, due_at, {", ".join(columns)})
            select 'web/{kind}' || n, 'a' || n % 2000, '{kind}' || n, 'p' || n % 4, due_at + n * interval '1 second',
                {", ".join(columns)}
            from orders, generate_series(1, {count - 1}) n where "order" = 'web/{kind}0'
            """
        )
    await desk.execute("analyze orders; analyze accounts")


async def test_each_query_of_the_desk_reads_an_index_however_many_orders_there_are(desk: asyncpg.Connection) -> None:
    await crowded(desk)
    place = Place(LATER, "web/w7")
    queries = [
        ("orders_clock", lambda c: queue.window(c, Filter())),
        ("orders_clock", lambda c: queue.window(c, Filter(seen=("p1",), reason="static_limit", text="a7"), place)),
        ("orders_clock", lambda c: queue.window_before(c, Filter(portfolio="p1"), place)),
        ("orders_clock", lambda c: queue.totals(c, Filter(), LATER)),
        ("orders_clock", lambda c: queue.facets(c, ())),
        ("orders_pkey", lambda c: queue.one(c, (), "web/r7")),
        ("orders_reference", lambda c: queue.search(c, (), "r77")),
    ]
    for index, query in queries:
        explaining = Explaining(desk)
        await query(explaining)
        assert index in explaining.plan
        assert "Seq Scan on orders" not in explaining.plan, explaining.plan
