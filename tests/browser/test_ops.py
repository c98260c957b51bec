"""The ops page in a real browser: services by their own word, charts with their tables, windows with their age (V5)."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.office import Office, until

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

SLOW_MS = 60_000
"""The console looks every five seconds; a busy machine takes its time."""


def service(page: Page, name: str) -> Locator:
    return page.locator("#services tbody tr").filter(has=page.get_by_role("cell", name=name, exact=True))


def test_every_service_is_seen_running_without_a_reload(office: Office) -> None:
    page = office.visit("otto", "/ops")
    page.evaluate("window.never_reloaded = true")
    for name in ("accounts", "gateway", "orders", "console"):
        expect(service(page, name)).to_contain_text("running", timeout=SLOW_MS)
    assert page.evaluate("window.never_reloaded")


def test_an_order_is_counted_and_drawn_with_its_table(office: Office) -> None:
    office.open_accounts("account,name,currency,limit\nops-1,Ops One,GBP,1000.00\n")
    office.order("counted", "ops-1", "10.00")
    until(lambda: office.ask("select 1 from tally where what = 'received'"))
    page = office.visit("otto", "/ops")
    expect(page.locator("[data-chart=received] canvas")).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("[data-chart=received]")).to_have_attribute("aria-label", re.compile("Orders received per minute: last "))
    page.locator("section:has([data-chart=received]) summary").click()
    expect(page.locator("[data-table=received] tbody tr").first).to_be_visible()
    expect(page.locator("#today")).to_contain_text("received")


def test_windows_say_since_when_they_are_stale(office: Office) -> None:
    office.ask(
        "insert into window_sliding values (0, 'north', 60, now(), '{\"received\": 7, \"released_at_once\": 6}') "
        "on conflict do nothing returning 1"
    )
    office.ask("update window_worker set beat_at = '2026-03-10 14:02:00Z' returning 1")
    page = office.visit("otto", "/ops")
    expect(page.locator("#portfolios .notice")).to_contain_text("Stale since 14:02:00")
    expect(page.locator("#portfolios")).to_contain_text("85.7 %")
    expect(page.locator("#kpis")).to_contain_text("stale since 14:02")


def test_who_runs_the_house_has_the_windows_folded_anew_and_others_are_refused(office: Office) -> None:
    [before] = office.ask("select generation from window_worker")
    seller = office.visit("sal", "/ops")
    expect(seller.get_by_role("button", name="Count the windows anew")).to_have_count(0)
    page = office.visit("otto", "/ops")
    page.get_by_role("button", name="Count the windows anew").click()
    expect(page.locator("#worker")).to_contain_text(f"{before['generation'] + 1} times, counting begins")
    assert office.ask("select 1 from audit where what = 'windows thrown away' and person = 'otto'")


def test_a_role_that_may_not_mend_gets_403_and_an_audit_entry(office: Office) -> None:
    page = office.visit("sal", "/ops")
    token = page.locator("form[action='/sign-out'] input[name=csrf]").get_attribute("value")
    answer = page.request.post("/ops/windows", form={"csrf": token or ""}, headers={"Origin": office.url})
    assert answer.status == 403
    assert office.ask("select 1 from audit where person = 'sal' and path = '/ops/windows'")
