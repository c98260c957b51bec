"""Announced deals on a real database: what becomes of each, who sees it, and which orders used it (O8)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import asyncpg
import pytest

from contracts import orders
from contracts.message import Message
from services.console import deals, queue
from services.console.dealing import left
from tests.console.facts import START, in_order, noted, told

pytestmark = pytest.mark.stack

ALL: tuple[str, ...] = ()
TODAY = START.date()
DAY = dt.timedelta(days=1)
APPROVED = orders.DealApproved(
    deal="D1", account="acme", value_minor=50_000, until_on=TODAY + 14 * DAY, by="dora", reason="launch",
    held_by=(orders.Finding(check="oldest_overdue", measured=45, threshold=30),),
)  # fmt: skip
WITHDRAWN = orders.DealWithdrawn(deal="D1", account="acme", freed_minor=50_000, by="sam", reason="lost")
EXPIRED = orders.DealExpired(deal="D1", account="acme", freed_minor=50_000)


def registered(deal: str = "D1", account: str = "acme", value_minor: int = 50_000, **more: Any) -> orders.DealRegistered:
    window = {"from_on": TODAY, "until_on": TODAY + 14 * DAY, **more}
    return orders.DealRegistered(
        deal=deal,
        account=account,
        currency="GBP",
        value_minor=value_minor,
        evidence="mail",
        level="team_leader",
        by="sam",
        **window,
    )


def matched(order: str, used: int, left_minor: int = 0) -> orders.DealMatched:
    return orders.DealMatched(deal="D1", account="acme", order=order, used_minor=used, left_minor=left_minor)


async def heard(console: asyncpg.Connection, *messages: Message, size: int = 100) -> None:
    """The order desk says these; the console hears them in batches of this size."""
    facts = in_order(list(messages))
    for first in range(0, len(facts), size):
        batch = facts[first : first + size]
        for projection in (queue, deals):
            if asked := [fact for fact in batch if type(fact.data) in projection.HEARS]:
                await projection.project(console, asked)


async def states(console: asyncpg.Connection) -> list[tuple[str, str, int, int]]:
    rows = await console.fetch("select deal, state, reserved_minor, used_minor from deals order by sequence")
    return [tuple(row) for row in rows]


STORIES: list[tuple[list[Message], tuple[str, int, int]]] = [
    ([], ("registered", 0, 0)),
    ([APPROVED], ("approved", 50_000, 0)),
    ([APPROVED, matched("web/1", 20_000, 30_000)], ("approved", 30_000, 20_000)),
    ([APPROVED, matched("web/1", 20_000, 30_000), matched("web/2", 30_000)], ("used", 0, 50_000)),
    ([orders.DealDeclined(deal="D1", account="acme", by="dora", reason="no")], ("declined", 0, 0)),
    ([APPROVED, WITHDRAWN], ("withdrawn", 0, 0)),
    ([APPROVED, EXPIRED], ("expired", 0, 0)),
]


@pytest.mark.parametrize("size", [1, 2, 100])
@pytest.mark.parametrize(("story", "end"), STORIES, ids=[" ".join(str(part) for part in end) for _, end in STORIES])
async def test_a_deal_stands_as_its_facts_say_in_batches_of_any_size(
    console: asyncpg.Connection, story: list[Message], end: tuple[str, int, int], size: int
) -> None:  # O8
    await heard(console, noted(), registered(), *story, size=size)
    assert await states(console) == [("D1", *end)]


async def test_facts_told_again_change_nothing(console: asyncpg.Connection) -> None:
    story = [noted(), registered(), APPROVED, matched("web/1", 50_000)]
    await heard(console, *story)
    await heard(console, *story, size=1)
    assert await states(console) == [("D1", "used", 0, 50_000)]
    assert await console.fetchval("select count(*) from deal_uses") == 1


async def test_a_name_that_comes_again_is_another_announcement(console: asyncpg.Connection) -> None:
    await heard(console, noted(), registered(), APPROVED, EXPIRED, registered(value_minor=7))
    assert await states(console) == [("D1", "expired", 0, 0), ("D1", "registered", 0, 0)]
    (shown,) = await deals.open_ones(console, ALL)
    assert shown.deal.value_minor == 7


async def test_what_waits_for_an_approval_comes_first_then_what_ends_soonest(console: asyncpg.Connection) -> None:
    more = [registered("D2", until_on=TODAY + DAY), registered("D3", until_on=TODAY + 9 * DAY)]
    second = orders.DealApproved(deal="D2", account="acme", value_minor=9, until_on=TODAY + DAY, by="dora", reason="")
    await heard(console, noted(), registered(), *more, APPROVED, second)
    assert [shown.deal.deal for shown in await deals.open_ones(console, ALL)] == ["D3", "D2", "D1"]


async def test_a_person_sees_the_deals_of_their_portfolios_only(console: asyncpg.Connection) -> None:  # V1
    await heard(console, noted(), noted("north", "uk"), registered(), registered("N1", "north"))
    assert [shown.deal.deal for shown in await deals.open_ones(console, ("uk",))] == ["N1"]
    hidden = await console.fetchval("select id from deals where deal = 'D1'")
    assert await deals.one(console, ("uk",), hidden) is None
    assert await deals.one(console, ALL, hidden) is not None


async def test_deals_are_found_by_account_name_and_deal(console: asyncpg.Connection) -> None:
    await heard(console, noted(), noted("north"), registered(), registered("LAUNCH", "north"))
    for text in ("launch", "NORTH", "aun"):
        assert [shown.deal.deal for shown in await deals.open_ones(console, ALL, text)] == ["LAUNCH"]
    assert await deals.open_ones(console, ALL, "%") == []


async def test_the_orders_that_used_a_deal_stand_with_it(console: asyncpg.Connection) -> None:
    await heard(console, noted(), registered(), APPROVED, matched("web/1,2", 20_000, 30_000), matched("web/3", 30_000))
    (shown,) = await deals.ended_ones(console, ALL)
    assert [(order, minor) for order, minor, _ in shown.uses] == [("web/1,2", 20_000), ("web/3", 30_000)]
    assert shown.deal.findings == list(APPROVED.held_by)


async def test_the_figures_add_up_what_is_open(console: asyncpg.Connection) -> None:
    await heard(console, noted(), registered(), APPROVED, registered("D2", value_minor=7, until_on=TODAY + 6 * DAY))
    assert await deals.sums(console, ALL, TODAY) == [deals.Sum("GBP", 1, 7, 1, 50_000, 1)]


@pytest.mark.parametrize(
    ("days", "text", "used", "tone"),
    [
        (-2, "begins in 2 d", 0, ""),
        (0, "9 d", 0, ""),
        (7, "2 d", 70, "warn"),
        (9, "last day", 90, "bad"),
        (10, "over", 100, "bad"),
    ],
)
def test_the_days_left_of_a_window(days: int, text: str, used: int, tone: str) -> None:
    fact = told(registered(from_on=TODAY, until_on=TODAY + 9 * DAY), 1)
    deal = deals.registered(fact.data, fact)
    assert left(deal, TODAY + days * DAY) == (text, used, tone)
