"""A page that keeps itself fresh says of which moment it is: the pill in its heading moves with what is fetched again."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.office import Office

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

LIVE = (
    ("rose", "/desk"),
    ("rose", "/cash"),
    ("rose", "/cards"),
    ("rose", "/payouts"),
    ("dora", "/approvals"),
    ("rose", "/stops"),
    ("rose", "/deals"),
    ("rose", "/covers"),
    ("rose", "/receivables"),
    ("rose", "/accounts/CASTLE"),
    ("rose", "/ledger/CASTLE"),
    ("rose", "/orders/home/big-1"),
    ("otto", "/ops"),
    ("otto", "/ops/parked"),
)


def moment(page: Page) -> str:
    return page.locator("#as-of time").get_attribute("datetime") or ""


@pytest.mark.parametrize(("who", "path"), LIVE)
def test_the_moment_in_the_heading_moves_with_what_is_fetched_again(office: Office, who: str, path: str) -> None:  # V1
    page = office.visit(who, path)
    expect(page.locator("#live")).to_have_text("live")
    was = moment(page)
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:again'))")
    expect(page.locator("#as-of time")).not_to_have_attribute("datetime", was)
    assert moment(page) > was
    assert page.locator("#as-of").count() == 1
