"""axe finds nothing serious on any page, in both themes; nothing scrolls sideways at 1280 or 390 pixels; the policy holds."""

from __future__ import annotations

from itertools import product

import pytest

from services.console.door import HEADERS
from services.console.pages import NAVIGATION
from services.console.serving import paths
from tests.browser.looks import LOOKS, OF_COLOURS, RULES, SIZES, THEMES, Look, grave_faults, opened, scrolls_sideways, turned
from tests.browser.office import PHONE, Office

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

TOUCH_PX = 24
"""The least height of what a finger is to meet (WCAG 2.2, 2.5.8)."""
every_page = pytest.mark.parametrize("look", LOOKS, ids=[look.name for look in LOOKS])


@every_page
def test_everybody_can_read_it_and_nothing_scrolls_sideways(office: Office, look: Look) -> None:
    page = opened(office, look)
    found = {}
    for theme, size in product(THEMES, SIZES):
        turned(page, theme, size)
        rules = RULES if theme == THEMES[0] else OF_COLOURS
        found[theme, size] = (grave_faults(page, rules), scrolls_sideways(page))
    assert found == dict.fromkeys(product(THEMES, SIZES), ([], 0))


@pytest.mark.parametrize("theme", THEMES)
def test_on_a_phone_all_pages_are_behind_one_button_and_no_script_is_needed(office: Office, theme: str) -> None:
    page = office.visit("dora", "/stops", PHONE, theme)
    page.route("**/*.js", lambda route: route.abort())
    page.reload()
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert links.count() == 1
    page.get_by_role("button", name="Menu").click()
    shown = [name for _, name, path, roles in NAVIGATION if "director" in roles and path in paths()]
    assert links.all_inner_texts()[1:] == shown
    boxes = [link.bounding_box() for link in links.all()[1:]]
    assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= PHONE[0] and box["height"] >= TOUCH_PX for box in boxes)
    assert page.get_by_role("button", name="Sign out").is_visible()
    page.get_by_role("link", name="Deals").click()
    page.wait_for_url("**/deals")


@pytest.mark.parametrize("theme", THEMES)
def test_everybody_can_read_the_menu_of_a_phone(office: Office, theme: str) -> None:
    page = opened(office, Look("stops", "dora", "/stops"), theme, "phone")
    page.get_by_role("button", name="Menu").click()
    assert grave_faults(page) == []
    assert scrolls_sideways(page) == 0
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Deals").is_visible()


@every_page
def test_its_headers_are_strict_and_nothing_of_it_is_kept(office: Office, look: Look) -> None:
    headers = office.headers(look.who, look.path)
    assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert "no-store" in headers["cache-control"]


def test_a_script_in_a_page_does_not_run(office: Office) -> None:
    """The policy in the header, not the lack of such a script, is what stops it."""
    page = office.stranger()
    page.goto("/sign-in")
    ran = page.evaluate(
        "() => new Promise(done => {"
        "  const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script);"
        "  setTimeout(() => done(window.ran === 1), 100) })"
    )
    office.faults.clear()
    assert ran is False


def test_nothing_is_fetched_from_another_place(office: Office) -> None:
    page = office.stranger()
    page.goto("/sign-in")
    blocked = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'fetched', error => error.message)")
    assert "fetch" in blocked
    refused = [fault for fault in office.faults if "Content Security Policy" in fault]
    office.faults.clear()
    assert refused


def test_files_are_kept_for_ever_under_their_content_s_name(office: Office) -> None:
    page = office.stranger()
    page.goto("/sign-in")
    address = page.locator("link[rel=stylesheet]").get_attribute("href")
    answer = page.request.get(f"{office.url}{address}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert page.request.get(f"{office.url}/assets/console.000000000000.css").status == 404


def test_the_look_is_chosen_by_a_person_and_stays(office: Office) -> None:
    page = office.visit("dora", "/audit")
    page.get_by_role("button", name="Dark").click()
    page.wait_for_url("**/audit")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.goto("/audit")
    assert page.get_by_role("button", name="Dark").get_attribute("aria-pressed") == "true"


def test_the_console_has_one_name(office: Office) -> None:
    page = office.stranger()
    assert page.request.get(f"{office.url}/sign-in", headers={"Host": "evil.example"}).status == 421
