"""Signing in and out in a real browser, and what must not work: wrong passwords, planted sessions, forged forms."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.office import PASSWORD, Office, sign_in

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]


def cookie_of(page: Page) -> dict[str, object]:
    (found,) = [dict(each) for each in page.context.cookies() if "-session-" in each["name"]]
    return found


def path_of(page: Page) -> str:
    return urlsplit(page.url).path


def audited(office: Office, what: str) -> list[str]:
    return [row["person"] for row in office.ask("select person from audit where what = $1 order by n", what)]


def test_somebody_signs_in_where_they_wanted_to_go_and_out_again(office: Office) -> None:
    page = office.stranger()
    sign_in(page, "dora", "/audit?person=dora")
    assert page.url == f"{office.url}/audit?person=dora"
    expect(page.get_by_text("Dora Whitlock")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    assert path_of(page) == "/sign-in"
    page.goto("/audit")
    assert path_of(page) == "/sign-in"


def test_a_name_is_found_however_it_is_typed(office: Office) -> None:
    page = office.stranger()
    sign_in(page, " Dora ")
    assert path_of(page) != "/sign-in"


@pytest.mark.parametrize("name", ["rose", "nobody"])
def test_a_wrong_password_and_an_unknown_name_are_told_alike(office: Office, name: str) -> None:
    page = office.stranger()
    page.goto("/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill("not the password")
    with page.expect_response("**/sign-in") as answer:
        page.get_by_role("button", name="Sign in").click()
    assert answer.value.status == 401
    expect(page.get_by_role("alert")).to_have_text("Name and password do not match, or this person may no longer sign in.")
    assert not [each for each in page.context.cookies() if "-session-" in each["name"]]
    assert name in audited(office, "sign-in failed")


def test_a_session_that_was_planted_before_is_not_the_one_signed_in(office: Office) -> None:
    page = office.stranger()
    planted = {"name": f"quittance-session-{urlsplit(office.url).port}", "value": "planted-by-somebody", "url": office.url}
    page.context.add_cookies([planted])
    sign_in(page, "dora")
    mine = cookie_of(page)
    assert mine["value"] != "planted-by-somebody"
    other = office.stranger()
    other.context.add_cookies([planted])
    other.goto("/audit")
    assert path_of(other) == "/sign-in"


def test_every_sign_in_has_a_session_of_its_own_and_ends_the_one_before(office: Office) -> None:
    page = office.visit("dora", "/audit")
    first = cookie_of(page)
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "dora", "/audit")
    assert cookie_of(page)["value"] != first["value"]
    thief = office.stranger()
    thief.context.add_cookies([{"name": str(first["name"]), "value": str(first["value"]), "url": office.url}])
    thief.goto("/audit")
    assert path_of(thief) == "/sign-in"


def test_no_script_reads_the_session_and_no_other_site_sends_it(office: Office) -> None:
    page = office.visit("dora", "/audit")
    mine = cookie_of(page)
    assert (mine["httpOnly"], mine["sameSite"], mine["path"]) == (True, "Lax", "/")
    assert page.evaluate("document.cookie") == ""


def test_only_the_hash_of_a_session_is_kept(office: Office) -> None:
    page = office.visit("dora", "/audit")
    token = str(cookie_of(page)["value"])
    kept = {bytes(row["id"]) for row in office.ask("select id from session")}
    assert hashlib.sha256(token.encode()).digest() in kept
    assert token.encode() not in kept


@pytest.mark.parametrize(
    "to",
    ["//evil.example/x", "https://evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", "/%0d%0aX: y"],
)
def test_nobody_is_sent_to_another_site_after_sign_in(office: Office, to: str) -> None:
    page = office.stranger()
    page.goto("/sign-in")
    page.locator("input[name=next]").evaluate("(field, to) => { field.value = to }", to)
    page.get_by_label("Name").fill("dora")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: urlsplit(url).path != "/sign-in")
    assert page.url.startswith(office.url)


def test_whoever_lacks_the_role_gets_403_and_an_audit_entry(office: Office) -> None:
    page = office.visit("rose")
    answer = page.goto("/audit")
    assert answer is not None and answer.status == 403
    expect(page.get_by_role("alert")).to_contain_text("This is not for your role")
    entry = office.ask("select person, role, path, detail from audit where what = 'role refused' order by n desc limit 1")[0]
    assert tuple(entry) == ("rose", "controller", "/audit", "only director, audit")


def test_a_disabled_person_is_out_with_the_next_click(office: Office) -> None:
    page = office.visit("ada", "/audit")
    office.ask("update person set disabled_at = now() where name = 'ada'")
    try:
        page.goto("/audit")
        assert path_of(page) == "/sign-in"
    finally:
        office.ask("update person set disabled_at = null where name = 'ada'")


# --- forms that are not ours ------------------------------------------------------------------------------------------


def forms_of(office: Office, page: Page) -> httpx.Client:
    """A client that has everything of the page's browser but its good manners."""
    cookies = {str(each["name"]): str(each["value"]) for each in page.context.cookies()}
    return httpx.Client(base_url=office.url, cookies=cookies)


def token_of(page: Page) -> str:
    return str(page.locator("form[action='/sign-out'] input[name=csrf]").input_value())


def is_signed_in(page: Page) -> bool:
    page.goto("/audit")
    return path_of(page) == "/audit"


def test_a_form_without_its_token_or_with_somebody_elses_changes_nothing(office: Office) -> None:
    page, other = office.visit("dora", "/audit"), office.visit("ada", "/audit")
    with forms_of(office, page) as client:
        for token in ("", "x", token_of(other), token_of(page)[:-4] + "AAAA"):
            answer = client.post("/sign-out", data={"csrf": token}, headers={"Origin": office.url})
            assert answer.status_code == 403
    assert is_signed_in(page)
    assert "dora" in audited(office, "form refused")


@pytest.mark.parametrize(
    "said",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "none"},
        {},
    ],
)
def test_a_form_from_elsewhere_changes_nothing_even_with_the_right_token(office: Office, said: dict[str, str]) -> None:
    page = office.visit("dora", "/audit")
    with forms_of(office, page) as client:
        assert client.post("/sign-out", data={"csrf": token_of(page)}, headers=said).status_code == 403
    assert is_signed_in(page)


def test_the_right_form_from_our_own_page_works(office: Office) -> None:
    page = office.visit("dora", "/audit")
    with forms_of(office, page) as client:
        assert client.post("/sign-out", data={"csrf": token_of(page)}, headers={"Origin": office.url}).status_code == 303
    assert not is_signed_in(page)


def test_nobody_is_signed_in_by_a_form_of_another_site(office: Office) -> None:
    form = {"name": "dora", "password": PASSWORD, "next": "/"}
    answer = httpx.post(f"{office.url}/sign-in", data=form, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert "set-cookie" not in {name for name in answer.headers if "session" in answer.headers[name]}


def test_a_form_that_is_too_large_is_not_read(office: Office) -> None:
    page = office.visit("dora", "/audit")
    with forms_of(office, page) as client:
        form = {"csrf": token_of(page), "x": "x" * 300_000}
        assert client.post("/sign-out", data=form, headers={"Origin": office.url}).status_code == 413
    assert is_signed_in(page)
