"""Pages of accounts, stops, approvals and covers as each role is shown them, over a real database (A3, A6, V2, V7, V8)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from starlette.applications import Starlette

import shared
from contracts.accounts import DeputyAppointed, LimitChanged, StopActionAdded, StopProgressMissed
from services.console import cover, notices, people, serving, sessions
from services.console.app import SERVICE
from services.console.notices import Notice
from services.console.people import Person
from shared.engine import Engine
from shared.settings import Settings
from tests.console.facts import told
from tests.console.test_book import CHANGED, DAY, TODAY, busy_day

pytestmark = pytest.mark.stack

PEOPLE = (
    Person("con", "Con", "controller", "credit"),
    Person("tia", "Tia", "team_leader", "credit"),
    Person("sal", "Sal", "sales", "sales"),
    Person("nia", "Nia", "controller", "credit", ("south",)),
)
PASSWORD = "a password of tests only"


class Office:
    """The console's pages over one database, without its loop; `get` is somebody signed in who opens an address."""

    def __init__(self, app: Starlette, pool: asyncpg.Pool) -> None:
        self.app, self.pool = app, pool

    async def sign_in(self, name: str) -> dict[str, str]:
        return {f"quittance-session-{self.app.state.settings.port}": await sessions.begin(self.pool, name, "127.0.0.1")}

    async def get(self, name: str, path: str, cookies: dict[str, str] | None = None) -> httpx.Response:
        cookies = cookies or await self.sign_in(name)
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies) as client:
            return await client.get(path, headers={"Accept": "text/html"})

    async def read(self, name: str, path: str) -> str:
        answer = await self.get(name, path)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
async def office(database: str, tmp_path: Path) -> AsyncIterator[Office]:
    settings = Settings(home=tmp_path)
    app = serving.application(Engine(SERVICE, settings), settings)
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        async with pool.acquire() as connection:
            await connection.execute(Path(shared.__path__[0], "schema.sql").read_text())
            await connection.execute(SERVICE.schema.read_text())
            for person in PEOPLE:
                await people.add(connection, person, PASSWORD)
            house = busy_day(connection)
            house.say(StopActionAdded(account="A1", action="a1", text="see him", due_on=TODAY, owner="tia", by="tia"))
            house.say(StopProgressMissed(account="A1", due_on=TODAY + 7 * DAY, next_due_on=TODAY + 14 * DAY))
            await house.project()
        app.state.pool = pool
        yield Office(app, pool)


async def test_an_account_is_shown_with_its_exposure_its_stop_and_its_timeline(office: Office) -> None:
    page = await office.read("con", "/accounts/A1")
    for shown in (
        "Acme Ltd", "Exposure 3.00 of 10.00 GBP", "cheque, returned", "see him", "1 weekly note missed", "INV-2",
        "nobody works on it", "rang, nobody there", "Take off stop", "Change limit", "/parts/open_minor/A1",
    ):  # fmt: skip
        assert shown in page, shown
    assert "Put on stop" not in page


async def test_sales_reads_and_changes_nothing(office: Office) -> None:  # V8
    page = await office.read("sal", "/accounts/A1")
    assert "Exposure 3.00" in page
    assert 'name="what"' not in page
    assert (await office.get("sal", "/approvals")).status_code == 403
    assert (await office.get("sal", "/covers")).status_code == 403


@pytest.mark.parametrize("path", ["/accounts/A1", "/parts/open_minor/A1", "/accounts/nobody", "/parts/nothing/A1"])
async def test_what_a_person_does_not_see_is_not_there(office: Office, path: str) -> None:
    assert (await office.get("nia", path)).status_code == 404


async def test_two_calendars_are_named_where_they_stand_side_by_side(office: Office) -> None:  # V7
    page = await office.read("con", "/accounts/A1")
    assert "trade's day" not in page  # one clock needs no name
    assert re.search(r"as of <time [^>]*>[^<]*</time> (GMT|BST)", page)
    office.app.state.settings = office.app.state.settings.model_copy(update={"clock": "event"})
    page = await office.read("con", "/accounts/A1")
    assert re.search(r"trade&#39;s day, as of <time [^>]*>[^<]*</time> (GMT|BST)", page)
    ops = await office.read("con", "/ops")
    assert "orders by the trade's day, machines by the wall clock" in ops
    assert ops.count("by the wall clock") > 1


async def test_each_word_of_the_machines_is_explained_where_it_stands(office: Office) -> None:
    ops = await office.read("con", "/ops")
    for word in ("Fold anew", "Lanes at a gap", "Facts not folded", "Outbox", "Waited, half", ">Generation<"):
        assert word not in ops
    for label in (
        "Partitions that miss a fact",
        "Facts not counted yet",
        "Last counted anew",
        "Begun from nothing",
        "Window drift",
    ):
        assert re.search(rf'<dt title="[^"]+">{label}</dt>', ops), label


@pytest.mark.parametrize("name", ["A1", "A404"])
async def test_what_is_unknown_and_what_is_another_portfolios_are_told_alike(office: Office, name: str) -> None:  # V8
    answer = await office.get("nia", f"/accounts/{name}")
    assert (answer.status_code, f"No account {name} in the portfolios you see (south)" in answer.text) == (404, True)
    answer = await office.get("nia", f"/orders/home/{name}")
    assert (answer.status_code, f"No order home/{name} in the portfolios you see (south)" in answer.text) == (404, True)
    answer = await office.get("nia", f"/deals?deal={name}")
    assert (answer.status_code, "No such deal in the portfolios you see (south)" in answer.text) == (404, True)
    assert "only south" in await office.read("nia", "/desk")
    assert "No account A404 is known here" in (await office.get("tia", "/accounts/A404")).text


async def test_an_address_claims_nothing_and_a_notice_is_read_once_by_the_doer(office: Office) -> None:  # V8
    cookies = await office.sign_in("con")
    port = office.app.state.settings.port
    key = await office.pool.fetchval("select form_key from session where person = 'con' order by made_at desc limit 1")
    signed = notices.sign(key, Notice("/accounts/A1", "A1 is on stop."))
    told = await office.get("con", "/accounts/A1", {**cookies, f"quittance-notice-{port}": signed})
    assert "A1 is on stop." in told.text
    assert f'quittance-notice-{port}=""' in told.headers["set-cookie"]
    elsewhere = await office.get("con", "/accounts/A2", {**cookies, f"quittance-notice-{port}": signed})
    assert "A1 is on stop." not in elsewhere.text
    other = await office.sign_in("tia")
    assert "A1 is on stop." not in (await office.get("tia", "/accounts/A1", {**other, f"quittance-notice-{port}": signed})).text
    for path in ("/accounts/A1?done=unchanged", "/approvals?done=sent", "/deals?said=approved"):
        assert 'class="notice' not in (await office.get("tia", path, other)).text.replace('class="notice warn', "")


async def test_a_past_day_is_shown_as_it_ended_and_nothing_can_be_done_on_it(office: Office) -> None:  # V7
    page = await office.read("con", f"/accounts/A1?as_of={TODAY - DAY}")
    assert "Exposure 7.00 of 10.00" in page
    assert ">open<" in page
    assert 'name="what"' not in page
    assert "INV-1" in page
    assert "INV-2" not in page
    assert "of 10.00 GBP" in page
    assert f"/parts/open_minor/A1?as_of={TODAY - DAY}" in page
    before = await office.read("con", f"/accounts/A1?as_of={TODAY - 2 * DAY}")
    assert "did not know this account yet" in before
    assert "cheque, returned" not in before
    assert "INV-1" not in before


async def test_a_part_of_exposure_is_shown_down_to_its_facts_of_then(office: Office) -> None:  # V7
    page = await office.read("con", f"/parts/open_minor/A1?as_of={TODAY - DAY}")
    assert "INV-1" in page
    assert "−7.00" not in page
    assert "<dd>7.00</dd>" in page


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/stops", "These were the stops and the work on them at the end of"),
        ("/approvals", "These waited for an approval at the end of"),
        ("/deals", "These were the announced orders at the end of"),
        ("/deals?show=over", "These were the announced orders at the end of"),
        ("/desk", "The queue of a past day is not kept"),
        ("/accounts", "This page is kept only as it is now"),
        ("/orders", "This page is kept only as it is now"),
        ("/covers", "This page is kept only as it is now"),
    ],
)
async def test_a_page_of_a_past_day_shows_that_day_or_says_that_it_cannot(office: Office, path: str, words: str) -> None:  # V7
    page = await office.read("con", f"{path}{'&' if '?' in path else '?'}as_of={TODAY - DAY}")
    assert words in page
    assert "cheque, returned" not in page
    assert f'href="/stops?as_of={TODAY - DAY}"' in page
    assert words not in await office.read("con", path)


async def test_a_part_of_exposure_is_shown_down_to_its_facts(office: Office) -> None:
    page = await office.read("con", "/parts/open_minor/A1")
    for shown in ("+7.00", "−7.00", "+3.00", "INV-1", "INV-2"):
        assert shown in page, shown


@pytest.mark.parametrize(
    ("kind", "there", "gone"), [("note", "rang", "On stop"), ("status", "On stop", "rang"), ("", "rang", "xyz")]
)
async def test_the_timeline_is_read_by_kind(office: Office, kind: str, there: str, gone: str) -> None:  # A7
    entries = (await office.read("con", f"/accounts/A1?kind={kind}")).partition('id="entries"')[2]
    assert there in entries
    assert gone not in entries


async def test_accounts_are_searched_and_stops_listed(office: Office) -> None:
    assert "Acme Ltd" in await office.read("con", "/accounts?text=acm&status=on_stop")
    assert "No account fits" in await office.read("con", "/accounts?text=acm&status=open")
    assert "No account was opened yet" in await office.read("nia", "/accounts")
    page = await office.read("con", "/stops")
    assert "cheque, returned" in page
    assert "1 missed" in page
    assert "No account is on stop" in await office.read("nia", "/stops")


async def test_the_inbox_offers_an_answer_to_who_may_give_one_and_to_nobody_else(office: Office) -> None:  # A6
    theirs = await office.read("tia", "/approvals")
    assert 'value="approve"' in theirs
    assert "10.00" in theirs
    assert "50.00" in theirs
    own = await office.read("con", "/approvals")
    assert "nobody answers their own" in own
    assert 'value="approve"' not in own
    assert 'value="withdraw"' in own
    assert "Nothing waits for an approval" in await office.read("nia", "/approvals")


async def test_a_request_that_no_longer_fits_can_only_be_declined(office: Office) -> None:
    async with office.pool.acquire() as connection:
        house = busy_day(connection)
        house.say(LimitChanged(account="A1", limit_minor=1, was_minor=1000, reason="risk", effective_from=TODAY))
        house.said = house.said[-1:]
        house.said[0] = told(CHANGED, 99, home="A1")
        await house.project()
    page = await office.read("tia", "/approvals")
    assert "The account has changed since" in page
    assert 'value="approve"' not in page
    assert 'value="decline"' in page


async def test_a_deputy_sees_what_whom_they_cover_may_answer_on_these_days_only(office: Office) -> None:  # A6
    today = dt.datetime.now(dt.UTC).date()
    cookies = await office.sign_in("nia")
    fields = {"person": "tia", "deputy": "nia", "role": "team_leader", "reason": "leave", "by": "tia"}
    async with office.pool.acquire() as connection:
        await cover.project(connection, [told(DeputyAppointed(**fields, from_on=today, until_on=today + DAY), 1)])
        await connection.execute("update person set portfolios = '{}' where name = 'nia'")
        await connection.execute("update session set acting_for = 'tia' where person = 'nia'")
    assert "Act for yourself again" in (await office.get("nia", "/covers", cookies)).text
    assert 'value="approve"' in (await office.get("nia", "/approvals", cookies)).text
    async with office.pool.acquire() as connection:
        await connection.execute("update covers set from_on = $1, until_on = $1", today - DAY)
    assert 'value="approve"' not in (await office.get("nia", "/approvals", cookies)).text
    assert "yourself, as credit controller" in (await office.get("nia", "/covers", cookies)).text
