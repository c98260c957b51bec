"""The book of accounts on a real database: pages, requests, open items, timeline, days of the past (A3, A6, A7, V2, V7)."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from contracts.accounts import (
    AccountNoted,
    AccountOpened,
    ApprovalRequested,
    LimitChanged,
    PlacedOnStop,
    RequestApproved,
    StopScheduled,
    TakenOffStop,
    Terms,
)
from contracts.envelope import ENVELOPES, SPECVERSION, Envelope, derived_id
from contracts.message import Message
from contracts.orders import OrderBilled, OrderNoted, PositionMoved, StandingNoted
from services.console import book, past, queue, said
from tests.console.desk_facts import NINE, minutes, released

pytestmark = pytest.mark.stack

DAY = dt.timedelta(days=1)
TODAY = NINE.date()
ALL: tuple[str, ...] = ()
OPENED = AccountOpened(account="A1", home="A1", name="Acme Ltd", currency="GBP", limit_minor=1000, terms=Terms(portfolio="north"))
STOPPED = PlacedOnStop(account="A1", reason="cheque, returned", progress_due_on=TODAY + 7 * DAY)
ASKED = ApprovalRequested(
    account="A1", request="r1", kind="limit", amount_minor=5000, currency="GBP", levels=("team_leader", "director"),
    reason="good payer", by="con", effective_from=TODAY, limit_minor=5000,
)  # fmt: skip
CHANGED = LimitChanged(account="A1", limit_minor=5000, was_minor=1000, reason="good payer", effective_from=TODAY, by="con")


class House:
    """Two writers, each with its own numbers; what they say is projected in batches of this size."""

    def __init__(self, connection: asyncpg.Connection, size: int = 100) -> None:
        self.connection, self.size = connection, size
        self.said: list[Envelope] = []

    def say(self, message: Message, at: dt.datetime = NINE, actor: str = "ada", role: str = "director") -> Envelope:
        service = message.__class__.__module__.rsplit(".", 1)[-1]
        sequence = sum(each.source == f"/{service}/0" for each in self.said) + 1
        name = derived_id("test", service, str(sequence))
        envelope = ENVELOPES[type(message)](
            specversion=SPECVERSION, id=name, source=f"/{service}/0", time=at, subject="s", partitionkey="A1",
            sequence=f"{sequence:016}", correlationid=name, actorid=actor, actorrole=role, data=message,
        )  # fmt: skip
        self.said.append(envelope)
        return envelope

    async def project(self) -> None:
        for start in range(0, len(self.said), self.size):
            facts = self.said[start : start + self.size]
            async with self.connection.transaction():
                for one in (queue, book, said):
                    await one.project(self.connection, [fact for fact in facts if type(fact.data) in one.HEARS])


def busy_day(connection: asyncpg.Connection, size: int = 100) -> House:
    house = House(connection, size)
    house.say(OPENED, NINE - DAY)
    house.say(StandingNoted(account="A1", home="A1", opened=True, name="Acme Ltd", status="open", limit_minor=1000), NINE - DAY)
    house.say(PositionMoved(account="A1", open_minor=700, due_on=TODAY, item="INV-1"), NINE - DAY)
    house.say(STOPPED, NINE)
    house.say(StandingNoted(account="A1", status="on_stop"), NINE)
    house.say(AccountNoted(account="A1", channel="call", text="rang, nobody there", by="ada"), NINE + minutes(5))
    house.say(ASKED, NINE + minutes(6), actor="con", role="controller")
    house.say(PositionMoved(account="A1", open_minor=-700, due_on=TODAY, item="INV-1"), NINE + minutes(7))
    house.say(OrderBilled(order="w/1", account="A1", item="INV-2", amount_minor=300, due_on=TODAY + DAY), NINE + minutes(8))
    return house


@pytest.mark.parametrize("size", [1, 2, 100])
async def test_an_account_and_its_stop_are_read_with_what_it_could_cost(console: asyncpg.Connection, size: int) -> None:
    await busy_day(console, size).project()
    found = await book.account(console, ALL, "A1")
    assert found is not None
    assert (found.page.status, found.page.limit_minor, found.page.stopped_at) == ("on_stop", 1000, NINE)
    assert (found.position["open_minor"], found.page.progress_due_on) == (300, TODAY + 7 * DAY)
    assert [each.page.account for each in await book.stops(console, ALL)] == ["A1"]


@pytest.mark.parametrize("size", [1, 100])
async def test_a_settled_item_is_gone_and_an_open_one_stays(console: asyncpg.Connection, size: int) -> None:
    await busy_day(console, size).project()
    assert [(row["item"], row["open_minor"], row["due_on"]) for row in await book.items(console, "A1")] == [
        ("INV-2", 300, TODAY + DAY)
    ]


@pytest.mark.parametrize("size", [1, 100])
async def test_a_request_waits_until_it_is_answered(console: asyncpg.Connection, size: int) -> None:
    house = busy_day(console, size)
    await house.project()
    [waiting] = await book.requests(console, ALL)
    assert (waiting.request.request, waiting.request.was_minor, waiting.name, waiting.fits) == ("r1", 1000, "Acme Ltd", True)
    later = House(console, size)
    later.said = list(house.said)
    later.say(RequestApproved(account="A1", request="r1", by="tia", role="team_leader", reason="seen"), NINE + minutes(9))
    later.say(CHANGED, NINE + minutes(9))
    later.said = later.said[len(house.said) :]
    await later.project()
    assert await book.requests(console, ALL) == []
    [answered] = await book.requests(console, ALL, state="")
    assert (answered.request.state, answered.request.answered_by, answered.request.answer) == ("approved", "tia", "seen")


async def test_a_request_that_the_account_left_behind_says_so(console: asyncpg.Connection) -> None:
    house = busy_day(console)
    house.say(LimitChanged(account="A1", limit_minor=1, was_minor=1000, reason="risk", effective_from=TODAY))
    await house.project()
    [waiting] = await book.requests(console, ALL)
    assert not waiting.fits


async def test_the_timeline_grows_newest_first_and_is_read_by_kind(console: asyncpg.Connection) -> None:  # A7
    house = busy_day(console)
    house.say(OrderNoted(order="w/1", account="A1", note="call before noon", by="ada"), NINE + minutes(10))
    house.say(released("w/2"), NINE + minutes(11))
    await house.project()
    entries = await book.timeline(console, "A1")
    assert [entry.said.words for entry in entries] == [
        "order noted", "approval requested", "account noted", "placed on stop", "account opened",
    ]  # fmt: skip
    assert [(entry.kind, entry.said.actor) for entry in await book.timeline(console, "A1", book.REQUEST)] == [("request", "con")]
    last = entries[1].said
    assert len(await book.timeline(console, "A1", before=(last.at, last.id))) == 3


async def test_within_one_moment_what_was_done_last_stands_on_top(console: asyncpg.Connection) -> None:  # A7
    house = House(console)
    for n in range(4):
        house.say(OrderNoted(order="w/1", account="A1", note=f"order {n}", by="ada"))
        house.say(AccountNoted(account="A1", channel="call", text=f"account {n}", by="ada"))
    await house.project()
    told = [getattr(entry.said.data, "text", "") or entry.said.data.note for entry in await book.timeline(console, "A1")]
    assert told == [f"{what} {n}" for what in ("account", "order") for n in (3, 2, 1, 0)]


@pytest.mark.parametrize("shown", [1, 2, 3, 7])
async def test_a_timeline_is_read_window_by_window_also_through_one_moment(
    console: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, shown: int
) -> None:  # A7
    house = House(console)
    for n in range(12):
        at = NINE + minutes(n // 6)
        house.say(OrderNoted(order="w/1", account="A1", note=str(n), by="ada"), at)
        house.say(AccountNoted(account="A1", channel="call", text=str(n), by="ada"), at)
    await house.project()
    whole = [entry.said.id for entry in await book.timeline(console, "A1")]
    assert set(whole) == {fact.id for fact in house.said}
    monkeypatch.setattr(book, "SHOWN", shown)
    found, window = list[str](), await book.timeline(console, "A1")
    while window:
        found += [entry.said.id for entry in window]
        last = window[-1].said
        window = await book.timeline(console, "A1", before=(last.at, last.id))
    assert found == whole


async def test_what_the_policy_decides_about_orders_is_no_entry_and_what_a_person_does_is(console: asyncpg.Connection) -> None:
    house = House(console)
    assert not book.is_entry(house.say(released("w/1")))
    assert book.is_entry(house.say(released("w/1", by="anna")))


async def test_an_account_off_stop_or_announced_moves_in_the_list_of_stops(console: asyncpg.Connection) -> None:
    house = busy_day(console)
    house.say(TakenOffStop(account="A1", reason="paid"), NINE + minutes(20))
    await house.project()
    assert await book.stops(console, ALL) == []
    again = House(console)
    again.said = list(house.said)
    again.say(StopScheduled(account="A1", on=TODAY + DAY, reason="overdue", by="ada"), NINE + minutes(30))
    again.said = again.said[-1:]
    await again.project()
    assert [found.page.stops_on for found in await book.stops(console, ALL)] == [TODAY + DAY]


async def test_a_person_sees_the_accounts_of_their_portfolios(console: asyncpg.Connection) -> None:
    await busy_day(console).project()
    assert await book.account(console, ["south"], "A1") is None
    assert await book.requests(console, ["south"]) == []
    assert await book.stops(console, ["south"]) == []
    assert [found.page.account for found in await book.search(console, ["north"], "acme")] == ["A1"]
    assert await book.search(console, ["south"], "acme") == []


@pytest.mark.parametrize(("text", "found"), [("A1", 1), ("cme", 1), ("%", 0), ("_", 0), ("", 1), ("B", 0)])
async def test_accounts_are_found_by_number_or_name(console: asyncpg.Connection, text: str, found: int) -> None:
    await busy_day(console).project()
    assert len(await book.search(console, ALL, text)) == found


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_the_past_is_read_as_it_was_when_the_day_ended(console: asyncpg.Connection, size: int) -> None:  # V7
    await busy_day(console, size).project()
    assert await past.as_of(console, "A1", TODAY - 2 * DAY) == []
    [then] = await past.as_of(console, "A1", TODAY - DAY)
    assert (then.status, then.open_minor, then.limit_minor) == ("open", 700, 1000)
    [now] = await past.as_of(console, "A1", TODAY + 30 * DAY)
    assert (now.status, now.open_minor) == ("on_stop", 300)
