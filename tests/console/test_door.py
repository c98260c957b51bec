"""The door of the console on a real database: who fails waits, sessions end, cookies fit the transport, logs keep no secret."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console import people
from services.console.door import InTheClear, check_public
from services.console.guarding import form_token, is_form_token, safe_path
from services.console.live import MELT_S
from services.console.people import NotAPerson, Person
from services.console.serving import PAGES
from services.console.slowing import ACCOUNT, ADDRESS, wait_s
from shared import logs
from shared.settings import Settings
from shared.testing import Servers
from tests.console.door_stage import DORA, PASSWORD, Door, door, token_in

pytestmark = pytest.mark.stack

SECONDS = dt.timedelta(seconds=1)


@pytest.fixture
async def here(stack: Servers, tmp_path: Path) -> AsyncIterator[Door]:
    async with door(stack, tmp_path) as found:
        yield found


# --- failing ----------------------------------------------------------------------------------------------------------


async def test_whoever_fails_often_waits_whatever_the_address_and_is_not_asked_for_the_password(here: Door) -> None:
    await here.pool.execute("insert into failure values ('account dora', $1, now())", ACCOUNT.free - 1)
    async with here.browser("192.0.2.1") as browser:
        assert (await here.sign_in(browser, "dora", "wrong")).status_code == 401
    assert await here.pool.fetchval("select times from failure where key = 'account dora'") == ACCOUNT.free
    await here.pool.execute("update failure set times = times + 9, last_at = now() where key = 'account dora'")
    async with here.browser("192.0.2.2") as browser:
        answer = await here.sign_in(browser, "dora", PASSWORD)
        assert (answer.status_code, 0 < int(answer.headers["retry-after"]) <= ACCOUNT.longest_s) == (429, True)
        assert "Too many tries. Wait" in answer.text
        await here.pool.execute("update failure set last_at = last_at - interval '2 minutes'")
        assert (await here.sign_in(browser, "dora", PASSWORD)).status_code == 303
    assert await here.pool.fetchval("select count(*) from failure where key = 'account dora'") == 0


async def test_an_address_that_tries_many_names_waits(here: Door) -> None:
    await here.pool.execute("insert into failure values ('address 192.0.2.7', $1, now())", ADDRESS.free + 3)
    async with here.browser() as browser:
        assert (await here.sign_in(browser, "dora")).status_code == 429
    async with here.browser("192.0.2.8") as browser:
        assert (await here.sign_in(browser, "dora")).status_code == 303


@pytest.mark.parametrize(("times", "since_s", "wait"), [(3, 0, 0), (4, 0, 1), (5, 0, 2), (7, 3, 5), (50, 0, 60), (50, 61, 0)])
def test_the_wait_doubles_up_to_its_longest(times: int, since_s: int, wait: float) -> None:
    assert wait_s(times, since_s * SECONDS, ACCOUNT) == wait


# --- sessions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("aged", ["seen_at = now() - interval '61 minutes'", "made_at = now() - interval '12 hours 1 minute'"])
async def test_a_session_ends_by_idleness_and_by_shift(here: Door, aged: str) -> None:
    async with here.browser() as browser:
        await here.sign_in(browser, "dora")
        assert (await browser.get("/audit")).status_code == 200
        await here.pool.execute(f"update session set {aged}")
        assert (await browser.get("/audit")).headers["location"] == "/sign-in?next=%2Faudit"


async def test_work_keeps_a_session_awake_and_a_page_that_refreshes_itself_does_not(here: Door) -> None:
    async with here.browser() as browser:
        await here.sign_in(browser, "dora")
        await here.pool.execute("update session set seen_at = now() - interval '30 minutes'")
        await browser.get("/audit", headers={"Quittance-Live": "1"})
        assert await here.pool.fetchval("select bool_and(seen_at < now() - interval '29 minutes') from session")
        await browser.get("/audit")
        assert await here.pool.fetchval("select bool_and(seen_at > now() - interval '1 minute') from session")


async def test_a_new_password_signs_everybody_out_who_used_the_old_one(here: Door) -> None:
    async with here.browser() as browser:
        await here.sign_in(browser, "dora")
        async with here.pool.acquire() as connection:
            await people.add(connection, DORA, "another password of tests")
        assert (await browser.get("/audit")).status_code == 303


async def test_a_fragment_of_somebody_signed_out_sends_its_page_to_sign_in(here: Door) -> None:
    async with here.browser() as browser:
        shown = {"HX-Request": "true", "HX-Current-URL": f"{here.url}/audit?person=dora"}
        answer = await browser.get("/audit", headers=shown)
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in?next=%2Faudit%3Fperson%3Ddora")
        answer = await browser.get("/audit", headers={"Accept": "text/event-stream"})
        assert answer.status_code == 401


# --- cookies and transport ----------------------------------------------------------------------------------------------


async def test_behind_tls_cookies_are_bound_to_the_host_and_the_browser_is_told_to_stay(stack: Servers, tmp_path: Path) -> None:
    async with door(stack, tmp_path, public_url="https://desk.example") as found, found.browser() as browser:
        answer = await found.sign_in(browser, "dora")
        cookie = next(line for line in answer.headers.get_list("set-cookie") if "session" in line)
        assert cookie.startswith("__Host-quittance-session=")
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= {part.strip().lower() for part in cookie.split(";")}
        assert "domain" not in cookie.lower()
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("setting", [{"public_url": "http://desk.example"}, {"host": "192.0.2.1"}])
def test_a_console_that_would_take_passwords_in_the_clear_does_not_start(setting: dict[str, str]) -> None:
    with pytest.raises(InTheClear, match="QUITTANCE_PUBLIC_URL"):
        check_public(Settings(**setting))


@pytest.mark.parametrize("public", ["https://desk.example", "http://localhost:8084", "http://127.0.0.1:8084"])
def test_tls_or_this_machine_is_enough(public: str) -> None:
    check_public(Settings(host="192.0.2.1", public_url=public))


# --- forms and ways on ------------------------------------------------------------------------------------------------


def test_a_form_token_is_good_for_its_session_only_and_never_the_same() -> None:
    mine, yours = b"k" * 32, b"j" * 32
    token = form_token(mine)
    assert is_form_token(mine, token)
    assert not is_form_token(yours, token)
    assert form_token(mine) != token


@given(st.text(max_size=80))
def test_no_text_is_a_form_token_by_chance(text: str) -> None:
    assert not is_form_token(b"k" * 32, text)


STARTS = st.sampled_from(["/", "//", "/\\", "http:", "\\", "/\t/"])


@given(st.one_of(st.text(max_size=40), st.builds("{}{}".format, STARTS, st.text(max_size=20))))
def test_a_way_on_is_always_a_path_of_this_console(text: str) -> None:
    path = safe_path(text)
    assert path.startswith("/")
    assert path[1:2] not in ("/", "\\")
    assert path.isprintable()


def test_a_path_with_its_question_is_kept() -> None:
    assert safe_path("/desk?portfolio=north&reason=static_limit") == "/desk?portfolio=north&reason=static_limit"


# --- people -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "person",
    [Person("a b", "x", "director", "home"), Person("x", "x", "king", "home"), Person("x", "x", "ops", "home", (), "Mars/Base")],
)
def test_a_person_has_a_name_to_type_a_role_and_a_zone_that_exist(person: Person) -> None:
    with pytest.raises(NotAPerson):
        people.checked(person)


async def test_a_password_is_kept_as_an_argon2id_hash_only(here: Door) -> None:
    kept = await here.pool.fetchval("select password from person where name = 'dora'")
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


# --- what logs and audit keep ---------------------------------------------------------------------------------------------


async def test_no_secret_stands_in_a_log_line_or_the_audit(here: Door, capfd: pytest.CaptureFixture[str]) -> None:
    logs.configure(here.settings, "console")
    secrets = [PASSWORD, "wrong password of tests"]
    async with here.browser() as browser:
        await here.sign_in(browser, "dora", secrets[1])
        await here.sign_in(browser, "dora")
        page = await browser.get("/audit")
        secrets += [*browser.cookies.values(), token_in(page)]
        await browser.post("/sign-out", data={"csrf": "forged"})
        await browser.post("/sign-out", data={"csrf": token_in(page)})
    written = "".join(capfd.readouterr()) + str(await here.pool.fetch("select * from audit"))
    assert "signed out" in written
    assert [secret for secret in secrets if secret in written] == []


# --- live -------------------------------------------------------------------------------------------------------------


async def test_a_path_that_no_name_can_be_is_no_page_and_no_mishap(here: Door) -> None:
    async with here.browser() as browser:
        await here.sign_in(browser, "dora")
        for path in ("/payouts/file/%00", "/accounts/A%001", "/ledger/%00"):
            assert (await browser.get(path)).status_code == 404


async def test_what_changes_between_a_page_and_its_stream_is_told_to_the_stream(here: Door) -> None:  # V1
    async with here.browser() as browser:
        await here.sign_in(browser, "dora")
        page = await browser.get("/stops")
        heard = re.search(r'data-heard="([^"]+)"', page.text)
        assert heard, page.text
        here.app.state.hub.publish(["stops", "desk"])
        streaming = asyncio.create_task(browser.get("/live", params={"on": "stops", "since": heard[1]}))
        await asyncio.sleep(3 * MELT_S)
        here.app.state.engine.stop()
        assert 'event: changed\r\ndata: ["stops"]' in (await streaming).text


# --- who only reads -----------------------------------------------------------------------------------------------------


async def test_sales_sends_no_form_of_any_page_and_each_attempt_is_noted(here: Door) -> None:  # V8
    async with here.pool.acquire() as connection:
        await people.add(connection, Person("sal", "Sal", "sales", "home"), PASSWORD)
    forms = sorted({route.path for module in PAGES for route in module.ROUTES if "POST" in (route.methods or ())})
    assert {"/deals/register", "/desk/act", "/ops/windows", "/ops/parked/replay"} <= set(forms)
    async with here.browser() as browser:
        page = await browser.get((await here.sign_in(browser, "sal", to="/deals?new=1")).headers["location"])
        assert "/deals/register" not in page.text
        for path in forms:
            form = {"csrf": token_in(page), "what": "note", "reason": "let me", "deal": "X"}
            answer = await browser.post(re.sub(r"{\w+(:\w+)?}", "1", path), data=form)
            assert answer.status_code == 403, path
    assert (await here.audited()).count(("role refused", "sal")) == len(forms)
