"""The page of what waits to be mended: asked of every service, with the command that mends it, by who may see it (V5, G2, A6)."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from typer.main import get_command

from quittance.cli import app as command_line
from services.console import people, probing
from services.console.parked import Told, ask_all, of_group, of_kept, seen_by
from services.console.people import Person
from services.console.probing import Place
from shared.stuck import Group, Kept, Stuck
from shared.testing import Servers
from tests.console.desk_facts import NINE
from tests.console.door_stage import PASSWORD, Door, door, token_in

GROUP = Group("acme", "KeyError: 'acme'", NINE, False, 3, 7, "orders.commands", "c0ffee", "PlaceOrder")
FACT = Group("bolt", "AssertionError", NINE, False, 1, 8, "payments", "c0ffef", "ItemPosted")
ON_TOPIC = Kept("ab" * 16, "orders.commands 0 @ 17", "malformed", NINE, "/gateway/0")
ROW = Kept("12", "line 3 of orders, file F", "account: unknown", NINE, "team web/1")
STUCK = Stuck((GROUP, FACT), 2, (ON_TOPIC,), 1)


# --- what mends it --------------------------------------------------------------------------------------------------


def test_a_parked_command_is_repaired_and_a_fact_only_replayed() -> None:
    assert of_group("orders", GROUP) == [
        "quittance parked show acme", "quittance parked repair orders 7 FILE", "quittance parked replay acme",
    ]  # fmt: skip
    assert of_group("orders", FACT) == ["quittance parked show bolt", "quittance parked replay bolt"]


def test_a_name_cannot_become_another_command() -> None:
    [show, replay] = of_group("orders", msgspec.structs.replace(FACT, home="a; rm -rf /"))
    assert shlex.split(show)[-1] == shlex.split(replay)[-1] == "a; rm -rf /"
    assert shlex.split(of_group("orders", msgspec.structs.replace(FACT, home="--help"))[0])[-2:] == ["--", "--help"]


@pytest.mark.parametrize(
    "command",
    [*of_group("orders", GROUP), *of_group("orders", msgspec.structs.replace(FACT, home="--json")), *of_kept("gateway", ROW)]
    + [f"{each} --reason why" if "discard" in each else each for each in of_kept("orders", ON_TOPIC)],
)
def test_every_command_shown_is_one_that_the_command_line_takes(command: str, tmp_path: Path) -> None:
    (tmp_path / "FILE").write_text("{}")
    words = [str(tmp_path / "FILE") if word == "FILE" else word for word in shlex.split(command)]
    group: Any = get_command(command_line)
    assert words[0] == "quittance"
    group.commands[words[1]].commands[words[2]].make_context(words[2], words[3:])  # raises for a word too many or too few


# --- who sees what --------------------------------------------------------------------------------------------------


def test_who_sees_some_portfolios_sees_their_groups_and_how_many_there_are_besides() -> None:  # V1
    shown = seen_by(Told("orders", STUCK), {"acme"}, None, may_mend=True)
    assert [group.home for group, _ in shown.groups] == ["acme"]
    assert (shown.kept, shown.hidden, shown.is_empty) == ([], 2, False)


def test_who_may_not_mend_sees_what_waits_and_no_command() -> None:
    shown = seen_by(Told("orders", STUCK), None, None, may_mend=False)
    assert [mend for _, mend in (*shown.groups, *shown.kept)] == [[], [], []]


def test_what_was_not_told_is_counted() -> None:
    shown = seen_by(Told("orders", Stuck((GROUP,), 400, (), 0)), None, None, may_mend=True)
    assert shown.cut == 399


def test_lines_that_wait_for_another_of_their_document_are_counted_with_it() -> None:
    first = msgspec.structs.replace(ROW, more=57)
    shown = seen_by(Told("gateway", Stuck((), 0, (first, ROW), 60)), None, None, may_mend=True)
    assert (shown.kept_count, shown.cut) == (59, 1)
    assert seen_by(Told("gateway", Stuck((), 0, (first, ROW), 60)), {"acme"}, None, may_mend=True).hidden == 59


# --- asking ---------------------------------------------------------------------------------------------------------

Page = Callable[[str, Mapping[str, str]], tuple[int, bytes]]


@asynccontextmanager
async def answering(service: str, page: Page) -> AsyncIterator[Place]:
    """A small server that answers as a service would; `page` is given path and headers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        status, body = page(first.split()[1], headers)
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Place(service, "127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()


def telling(found: Stuck) -> Page:
    return lambda _path, _headers: (200, msgspec.json.encode(found))


async def asked(*wanted: Place) -> list[Told]:
    async with probing.client() as client:
        return await ask_all(client, wanted, "qt_secret", {"Quittance-Actor": "otto"})


async def test_only_the_gateway_is_shown_the_consoles_credential() -> None:  # G1
    shown: dict[str, str] = {}

    def note(name: str) -> Page:
        def page(_: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
            shown[name] = headers.get("authorization", "")
            return 200, b"{}"

        return page

    async with answering("gateway", note("gateway")) as gateway, answering("orders", note("orders")) as orders:
        await asked(gateway, orders)
    assert shown == {"gateway": "Bearer qt_secret", "orders": ""}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((503, b"away"), "answered 503"),
        ((200, b"}{"), "cannot be read"),
        ((200, b" " * 1_000_001), "answered 200, 1000001 bytes"),
    ],
)
async def test_an_answer_that_tells_nothing_is_a_problem_and_no_crash(answer: tuple[int, bytes], said: str) -> None:
    async with answering("orders", lambda _path, _headers: answer) as place:
        [told] = await asked(place)
    assert said in told.problem
    assert told.found == Stuck()


async def test_of_two_instances_the_one_that_answers_speaks_for_the_service() -> None:
    async with answering("orders", telling(STUCK)) as place:
        [told] = await asked(Place("orders", "127.0.0.1", 1), place)
    assert told == Told("orders", STUCK)


# --- the page -------------------------------------------------------------------------------------------------------

PEOPLE = (
    Person("otto", "Otto", "ops", "home"),
    Person("sal", "Sal", "sales", "home"),
    Person("nell", "Nell", "controller", "home", ("north",)),
)


@asynccontextmanager
async def desk(stack: Servers, tmp_path: Path, *places: Place) -> AsyncIterator[Door]:
    instances = ",".join(f"{place.service}={place.host}:{place.port}" for place in places)
    async with door(stack, tmp_path, instances=instances) as found, probing.client() as client:
        found.app.state.probes = client
        async with found.pool.acquire() as connection:
            for person in PEOPLE:
                await people.add(connection, person, PASSWORD)
        yield found


async def seen(found: Door, name: str) -> tuple[httpx.AsyncClient, httpx.Response]:
    browser = found.browser()
    await found.sign_in(browser, name)
    answer = await browser.get("/ops/parked")
    assert answer.status_code == 200, answer.text
    return browser, answer


@pytest.mark.stack
async def test_the_page_lists_what_waits_and_one_that_does_not_answer_with_its_last_figures(
    stack: Servers, tmp_path: Path
) -> None:
    async with (
        answering("orders", telling(STUCK)) as orders,
        desk(stack, tmp_path, orders, Place("accounts", "127.0.0.1", 1)) as found,
    ):
        await found.pool.execute(
            "insert into health_instance (service, instance, asked_at, seen_at, ready, problem, figures) "
            "values ('accounts', 'a:1', $1, $1, false, '', '{\"parked_groups\": 2, \"quarantine\": 5}')",
            NINE,
        )
        _, page = await seen(found, "otto")
    for text in (
        "KeyError: &#39;acme&#39;",
        "PlaceOrder",
        "c0ffee",
        "quittance parked repair orders 7 FILE",
        "orders.commands 0 @ 17",
    ):
        assert text in page.text, text
    assert "accounts is unreachable" in page.text
    assert "it counted 2 parked and 5 in quarantine" in page.text
    assert "Nothing waits" not in page.text


@pytest.mark.stack
async def test_a_house_in_which_nothing_waits_says_so_and_one_that_names_no_services_what_to_set(
    stack: Servers, tmp_path: Path
) -> None:
    async with answering("orders", telling(Stuck())) as orders, desk(stack, tmp_path, orders) as found:
        assert "Nothing waits to be mended." in (await seen(found, "otto"))[1].text
    async with desk(stack, tmp_path) as found:
        assert "QUITTANCE_INSTANCES names no services" in (await seen(found, "otto"))[1].text


@pytest.mark.stack
async def test_sales_sees_what_waits_and_nothing_to_mend_it_with(stack: Servers, tmp_path: Path) -> None:  # V8
    async with answering("orders", telling(STUCK)) as orders, desk(stack, tmp_path, orders) as found:
        browser, page = await seen(found, "sal")
        assert "KeyError" in page.text
        assert "quittance parked" not in page.text
        refused = await browser.post("/ops/parked/replay", data={"home": "acme", "csrf": token_in(page)})
        assert refused.status_code == 403
        assert ("role refused", "sal") in await found.audited()


@pytest.mark.stack
async def test_a_person_of_one_portfolio_sees_its_accounts_only(stack: Servers, tmp_path: Path) -> None:  # V1
    async with answering("orders", telling(STUCK)) as orders, desk(stack, tmp_path, orders) as found:
        _, page = await seen(found, "nell")
    assert "acme" not in page.text
    assert "3 more are shown to people who see all portfolios." in page.text


@pytest.mark.stack
async def test_a_group_of_the_console_itself_is_tried_again_by_a_button_and_it_is_noted(stack: Servers, tmp_path: Path) -> None:
    async with desk(stack, tmp_path) as found:
        await found.pool.execute("insert into parked_home (home, partition, reason) values ('acme', 0, 'ValueError')")
        browser, page = await seen(found, "otto")
        assert "ValueError" in page.text
        answer = await browser.post("/ops/parked/replay", data={"home": "acme", "csrf": token_in(page)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/ops/parked#console")
        assert await found.pool.fetchval("select replay from parked_home where home = 'acme'")
        assert ("group replayed", "otto") in await found.audited()
