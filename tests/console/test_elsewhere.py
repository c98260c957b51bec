"""Signing in at an identity provider, and every answer of it that lets nobody in."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from pydantic import SecretStr

from services.console.elsewhere import NotLetIn, checked_claims, person_of
from shared.settings import Settings
from shared.testing import Servers
from tests.console.door_stage import Door, door
from tests.console.provider import CLIENT, SECRET, Provider, provider

pytestmark = pytest.mark.stack

ROLES = {"credit-heads": "financial_controller", "credit": "controller"}


@pytest.fixture
async def issuer() -> AsyncIterator[Provider]:
    async with provider() as found:
        yield found


@pytest.fixture
async def here(stack: Servers, tmp_path: Path, issuer: Provider) -> AsyncIterator[Door]:
    setting = {"oidc_issuer": issuer.url, "oidc_client": CLIENT, "oidc_secret": SecretStr(SECRET), "oidc_roles": ROLES}
    async with door(stack, tmp_path, **setting) as found:
        yield found


async def come_back(browser: httpx.AsyncClient, issuer: Provider, to: str = "/audit") -> httpx.Response:
    """Out to the provider, yes there, and back."""
    sent = await browser.get("/sign-in/elsewhere", params={"next": to})
    assert sent.status_code == 303, sent.text
    return await browser.get("/sign-in/back", params=issuer.ask(sent.headers["location"]))


async def test_somebody_whom_the_provider_knows_is_signed_in_with_the_role_of_their_group(here: Door, issuer: Provider) -> None:
    async with here.browser() as browser:
        answer = await come_back(browser, issuer)
        assert (answer.status_code, answer.headers["location"]) == (303, "/audit")
        assert (await browser.get("/audit")).status_code == 403  # signed in, as a controller
    row = await here.pool.fetchrow("select shown, role, password, subject from person where name = 'nora'")
    assert tuple(row) == ("Nora Quist", "controller", None, "u-1")
    assert ("signed in", "nora") in await here.audited()


async def test_the_sign_in_page_offers_it_only_where_it_is_set(here: Door, stack: Servers, tmp_path: Path) -> None:
    async with here.browser() as browser:
        assert "your organisation" in (await browser.get("/sign-in")).text
    async with door(stack, tmp_path) as without, without.browser() as browser:
        assert "your organisation" not in (await browser.get("/sign-in")).text
        assert (await browser.get("/sign-in/elsewhere")).status_code == 404


async def test_a_way_back_works_once_and_only_in_the_browser_it_was_made_for(here: Door, issuer: Provider) -> None:
    async with here.browser() as mine, here.browser() as theirs:
        sent = await mine.get("/sign-in/elsewhere")
        brought = issuer.ask(sent.headers["location"])
        assert (await theirs.get("/sign-in/back", params=brought)).status_code == 403
        assert (await mine.get("/sign-in/back", params=brought)).status_code == 303
        assert (await mine.get("/sign-in/back", params=brought)).status_code == 403
        assert (await mine.get("/sign-in/back", params={"code": "x", "state": "guessed"})).status_code == 403


async def test_a_way_that_took_too_long_is_closed(here: Door, issuer: Provider) -> None:
    async with here.browser() as browser:
        brought = issuer.ask((await browser.get("/sign-in/elsewhere")).headers["location"])
        await here.pool.execute("update way_out set made_at = made_at - interval '11 minutes'")
        assert (await browser.get("/sign-in/back", params=brought)).status_code == 403


async def test_whoever_has_no_group_with_a_role_is_not_let_in(here: Door, issuer: Provider) -> None:
    issuer.claims["groups"] = ["canteen"]
    async with here.browser() as browser:
        answer = await come_back(browser, issuer)
        assert answer.status_code == 403
        assert "None of your groups has a role here" in answer.text
    assert ("sign-in refused", "") in await here.audited()


async def test_a_provider_does_not_take_over_a_name_that_is_kept_here(here: Door, issuer: Provider) -> None:
    issuer.claims["preferred_username"] = "dora"
    async with here.browser() as browser:
        assert (await come_back(browser, issuer)).status_code == 403
    assert await here.pool.fetchval("select issuer is null and role = 'director' from person where name = 'dora'")


async def test_a_person_disabled_here_stays_out(here: Door, issuer: Provider) -> None:
    async with here.browser() as browser:
        assert (await come_back(browser, issuer)).status_code == 303
        await here.pool.execute("update person set disabled_at = now() where name = 'nora'")
        assert (await come_back(browser, issuer)).status_code == 403


async def test_nobody_is_sent_to_another_site_afterwards(here: Door, issuer: Provider) -> None:
    async with here.browser() as browser:
        assert (await come_back(browser, issuer, "//evil.example")).headers["location"] == "/"


# --- what a token must be -------------------------------------------------------------------------------------------

SETTINGS = Settings(oidc_issuer="https://id.example", oidc_client=CLIENT, oidc_roles=ROLES)
ISSUER = Provider("https://id.example")
KEYS = KeySet([ISSUER.key])
ASKED = {"nonce": "n-1"}


def claims_of(token: str) -> dict:
    return checked_claims(token, KEYS, SETTINGS, "n-1", dt.datetime.now(dt.UTC))


def test_a_token_made_for_us_is_read() -> None:
    assert claims_of(ISSUER.token(ASKED))["sub"] == "u-1"


@pytest.mark.parametrize(
    "change",
    [{"iss": "https://evil.example"}, {"aud": "another"}, {"nonce": "n-2"}, {"nonce": None}, {"exp": 1}, {"sub": None}],
)
def test_a_token_of_another_issuer_application_way_or_time_lets_nobody_in(change: dict) -> None:
    with pytest.raises(JoseError):
        claims_of(ISSUER.token(ASKED, **change))


def test_a_token_signed_by_somebody_else_lets_nobody_in() -> None:
    other = Provider("https://id.example")
    other.key = ECKey.generate_key("P-256", {"kid": "1"})
    with pytest.raises(JoseError):
        claims_of(other.token(ASKED))


def test_a_token_without_signature_lets_nobody_in() -> None:
    _, body, _ = ISSUER.token(ASKED).split(".")
    with pytest.raises((JoseError, ValueError)):
        claims_of(f"eyJhbGciOiJub25lIn0.{body}.")


def test_a_token_for_many_says_that_it_was_asked_for_by_us() -> None:
    with pytest.raises(NotLetIn):
        claims_of(ISSUER.token(ASKED, aud=[CLIENT, "another"], azp="another"))


def test_the_first_mapping_decides_the_role() -> None:
    claims = {"sub": "u", "preferred_username": "Nora Quist", "groups": ["credit", "credit-heads"]}
    assert (person_of(claims, SETTINGS).role, person_of(claims, SETTINGS).name) == ("financial_controller", "noraquist")
