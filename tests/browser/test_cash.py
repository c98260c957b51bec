"""The cash desk in a real browser: by keyboard, alive without reloads, by two people at once, without JavaScript, on a phone.

The house needs the payments service among its services (`office.SERVICES`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.office import PHONE, Office, sign_in, until

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

BANK = "GB29NWBK60161331926819"
OPEN = (("A", 400_00), ("B", 300_00), ("C", 200_00), ("D", 100_00), ("E", 100_00))
"""F5: a payment of 600 against these is ambiguous, so that a person decides."""
_numbers = count(1)
ARROW_PX = 24
"""What Chromium keeps of a select for its arrow."""
CUT_OFF = f"""() => {{
  const pen = document.createElement("canvas").getContext("2d");
  const wide = (each, text) => {{ pen.font = getComputedStyle(each).font; return pen.measureText(text).width; }};
  const room = each => {{
    const style = getComputedStyle(each);
    return each.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  }};
  const selects = [...document.querySelectorAll(".filter select")].map(each => [each, each.selectedOptions[0].text, {ARROW_PX}]);
  const searches = [...document.querySelectorAll(".filter input[placeholder]")].map(each => [each, each.placeholder, 0]);
  return [...selects, ...searches].filter(([each, text, less]) => wide(each, text) > room(each) - less).map(([, text]) => text);
}}"""
"""What the filters of a page say and do not show in full."""


def today() -> dt.date:
    return dt.datetime.now(dt.UTC).date()


@pytest.fixture
def account(office: Office) -> Iterator[str]:
    """An account of its own with five open invoices, so that each test has its own part of the desk."""
    name = f"CASH{next(_numbers)}"
    office.open_accounts(f"account,name,currency,limit,portfolio\n{name},{name} Phones,GBP,100000.00,south\n")
    for letter, minor in OPEN:
        document = (today() - dt.timedelta(days=40)).isoformat()
        fields = {"kind": "invoice", "amount_minor": minor, "currency": "GBP", "document_on": document}
        office.wish("payments.post_item.v1", {"account": name, "item": f"{name}-{letter}", **fields})
    yield name


def pays(office: Office, account: str, *amounts: int) -> list[str]:
    """Payments of a stranger, which a person recognises as this account's; their receipts, once they wait at the desk."""
    entries = [
        {
            "entry": f"{account}-{n}", "amount_minor": minor, "currency": "GBP", "booked_on": today().isoformat(),
            "value_on": today().isoformat(), "payer": f"{account} PAYER", "text": "with thanks",
        }
        for n, minor in enumerate(amounts, start=1)
    ]  # fmt: skip
    statement = {"bank_account": BANK, "statement": f"S-{account}", "part": 1, "parts": 1, "currency": "GBP", "entries": entries}
    office.wish("payments.take_statement.v1", statement | {"digest": f"digest of {account}", "closed_on": today().isoformat()})
    until(lambda: len(in_suspense(office, account)) == len(amounts))
    for key in in_suspense(office, account):
        named = {"bank_account": BANK, "entry": key.removeprefix(f"{BANK}/"), "account": account}
        office.wish("payments.recognise_cash.v1", named, "rose")
    until(lambda: len(waiting(office, account)) == len(amounts))
    return waiting(office, account)


def in_suspense(office: Office, account: str) -> list[str]:
    sql = "select key from bank_entries where state = 'unrecognised' and payer = $1 order by key"
    return [row["key"] for row in office.ask(sql, f"{account} PAYER")]


def waiting(office: Office, account: str) -> list[str]:
    sql = "select receipt from receipts where state = 'referred' and account = $1 order by received_on, receipt"
    return [row["receipt"] for row in office.ask(sql, account)]


def queue(page: Page) -> Locator:
    return page.locator("#queue tr[data-on]")


def hand(page: Page) -> Locator:
    return page.locator("#hand")


def told(page: Page) -> Locator:
    return page.locator(".outcome")


# --- by keyboard ----------------------------------------------------------------------------------------------------


def test_a_proposal_is_taken_by_its_number_and_the_next_receipt_is_in_hand(office: Office, account: str) -> None:  # V3, P6, F5
    first, second = pays(office, account, 600_00, 600_00)
    page = office.visit("rose", f"/cash?q={account}")
    expect(queue(page)).to_have_count(2)
    expect(hand(page).locator("h2")).to_contain_text("600.00 GBP")
    expect(hand(page).locator(".offer")).not_to_have_count(0)
    page.keyboard.press("j")
    expect(hand(page)).to_have_attribute("data-on", f"receipt~{second}")
    page.keyboard.press("k")
    expect(hand(page)).to_have_attribute("data-on", f"receipt~{first}")
    page.keyboard.press("1")
    expect(page.get_by_role("button", name="Allocate so")).to_be_focused()
    page.keyboard.press("Enter")
    expect(told(page)).to_contain_text(f"{first} is allocated.")
    expect(hand(page)).to_have_attribute("data-on", f"receipt~{second}")
    expect(queue(page)).to_have_count(1)


def test_it_is_allocated_by_hand_from_the_keyboard_alone(office: Office, account: str) -> None:  # P6, C1
    (receipt,) = pays(office, account, 600_00)
    page = office.visit("rose", f"/cash?q={account}")
    page.keyboard.press("h")
    expect(page.locator("#items-q")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#grid input[name='pay.1']")).to_have_value("400.00")
    expect(page.locator("#rest")).to_have_text("200.00")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#grid input[name='pay.2']")).to_have_value("200.00")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("damage")
    page.keyboard.press("Control+Enter")
    expect(told(page)).to_contain_text(f"{receipt} is allocated.")
    page.goto(f"/cash/{receipt}")
    expect(page.locator("#course")).to_contain_text(f"{account}-B short paid by 100.00 GBP")


def test_the_grid_is_narrowed_and_keeps_what_was_filled_in(office: Office, account: str) -> None:
    pays(office, account, 600_00)
    page = office.visit("rose", f"/cash?q={account}")
    page.keyboard.press("h")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.locator("#items-q").fill(f"{account}-E")
    expect(page.locator("#items tr[data-item]")).to_have_count(2)
    expect(page.locator("#items tr.on")).to_contain_text(f"{account}-A")
    expect(page.locator("#rest")).to_have_text("200.00")


def test_an_entry_in_suspense_is_recognised_by_a_part_of_a_name(office: Office, account: str) -> None:  # P5
    entry = {
        "entry": f"{account}-lost", "amount_minor": 75_00, "currency": "GBP", "booked_on": today().isoformat(),
        "value_on": today().isoformat(), "payer": "NOBODY KNOWS",
    }  # fmt: skip
    named = {"bank_account": BANK, "statement": f"L-{account}", "part": 1, "parts": 1, "currency": "GBP", "digest": account}
    office.wish("payments.take_statement.v1", named | {"entries": [entry], "closed_on": today().isoformat()})
    page = office.visit("rose", f"/cash?kind=suspense&q={account}-lost")
    expect(queue(page)).to_have_count(1)
    page.keyboard.press("r")
    page.keyboard.type(account)
    expect(page.locator("#account-options option")).to_have_count(1)
    page.get_by_role("button", name="It is theirs").click()
    expect(told(page)).to_contain_text(f"is {account}'s.")
    expect(queue(page)).to_have_count(0)


# --- alive, and two at once -----------------------------------------------------------------------------------------


def test_of_two_clerks_the_second_is_told_who_was_first(office: Office, account: str) -> None:  # P6
    (receipt,) = pays(office, account, 600_00)
    rose, tom = (office.visit(name, f"/cash?q={account}&on=receipt~{receipt}") for name in ("rose", "tom"))
    expect(hand(tom)).to_contain_text("Rose Osei has it open since")
    tom.keyboard.press("o")
    tom.keyboard.type("theirs to say")
    rose.keyboard.press("1")
    rose.keyboard.press("Enter")
    expect(told(rose)).to_contain_text("is allocated.")
    expect(hand(tom)).to_contain_text("Allocated whole")
    expect(tom.locator("#keep-text")).to_have_value("theirs to say")  # nothing typed is taken away
    tom.keyboard.press("Enter")
    expect(told(tom)).to_have_class("notice bad outcome")


def test_cash_comes_and_goes_without_a_reload(office: Office, account: str) -> None:
    page = office.visit("rose", f"/cash?q={account}")
    expect(page.locator("#queue")).to_contain_text("No cash of this waits.")
    page.evaluate("window.stayed = true")
    (receipt,) = pays(office, account, 600_00)
    expect(queue(page)).to_have_count(1)
    office.wish("payments.keep_on_account.v1", {"account": account, "receipt": receipt, "reason": "prepaid"})
    expect(queue(page)).to_have_count(0)
    assert page.evaluate("window.stayed")


def test_a_match_is_taken_back_on_the_page_of_its_receipt(office: Office, account: str) -> None:  # P7
    (receipt,) = pays(office, account, 600_00)
    page = office.visit("rose", f"/cash?q={account}")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(told(page)).to_contain_text("is allocated.")
    page.goto(f"/cash/{receipt}")
    expect(page.locator("#matches")).to_contain_text("by Rose Osei")
    page.keyboard.press("u")
    page.keyboard.type("wrong invoices")
    page.keyboard.press("Enter")
    expect(page.locator("#matches")).to_contain_text("wrong invoices")
    expect(page.locator("#standing")).to_contain_text("at the desk")


# --- for whom -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("desk", ["/cash", "/desk"])
@pytest.mark.parametrize("width", [390, 1280, 1440, 1920])
def test_what_the_filters_of_a_desk_say_is_not_cut_off(office: Office, desk: str, width: int) -> None:
    page = office.visit("rose", desk, (width, 900))
    assert page.evaluate(CUT_OFF) == []


def test_a_figure_alone_in_a_card_stands_under_its_heading_without_a_line(office: Office, account: str) -> None:  # F3
    page = office.visit("rose", "/receivables/dso")
    figure, heading = page.locator(".card .kpi").first, page.locator(".card h2").first
    assert figure.evaluate("each => each.firstElementChild.getBoundingClientRect().x") == heading.evaluate(
        "each => each.firstElementChild.getBoundingClientRect().x"
    )
    assert figure.evaluate("each => getComputedStyle(each).borderRightWidth") == "0px"


def test_sales_looks_and_does_nothing(office: Office, account: str) -> None:  # V8
    pays(office, account, 600_00)
    page = office.visit("sal", f"/cash?q={account}")
    expect(queue(page)).to_have_count(1)
    expect(page.locator("[data-part=acts], #hand form")).to_have_count(0)


def test_the_cash_desk_works_without_javascript(office: Office, account: str) -> None:
    (receipt,) = pays(office, account, 600_00)
    context = office.browser.new_context(base_url=office.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "rose", "/cash")
    page.goto(f"/cash?q={account}")
    page.get_by_role("link", name=receipt).first.click()
    page.locator("#by-hand summary").click()
    page.locator(f"tr[data-item='{account}/{account}-A'] input[name^='pay']").fill("400")
    page.locator("#grid button").click()
    expect(told(page)).to_contain_text("200.00 GBP of it is left.")
    context.close()


def test_on_a_phone_the_desk_is_cards_and_a_receipt_a_page(office: Office, account: str) -> None:
    pays(office, account, 600_00)
    page = office.visit("rose", f"/cash?q={account}", size=PHONE)
    expect(hand(page)).to_be_hidden()
    queue(page).first.tap()
    expect(hand(page).locator("h2")).to_contain_text("600.00 GBP")
    page.locator("#by-hand summary").tap()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_account_s_ledger_shows_what_the_desk_did(office: Office, account: str) -> None:  # P12
    pays(office, account, 600_00)
    page = office.visit("rose", f"/cash?q={account}")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(told(page)).to_contain_text("is allocated.")
    page.goto(f"/ledger/{account}")
    expect(page.locator("#ageing")).to_contain_text("500.00")
    expect(page.locator("#lines")).to_contain_text("allocation")
    page.goto(f"/receivables?q={account}")
    expect(page.locator("#balance tbody tr")).to_have_count(1)
