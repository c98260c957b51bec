"""Accounts and approvals as people work them: on stop and off, a raised limit that somebody else approves (A3, A6, A7, V2)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.office import PHONE, Office, until

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

ACCOUNTS = (
    "account,name,currency,limit,parent,portfolio\n"
    "C0,Castle Group,GBP,100000.00,,north\n"
    "C1,Castle Mobile,GBP,60000.00,C0,north\n"
    "B7,Brook Telecom,GBP,20000.00,,south\n"
    "S5,Stour Parts,GBP,1000.00,,north\n"
    "W2,Wharf Audio,GBP,5000.00,,south\n"
)


@pytest.fixture(scope="module")
def open_house(building: Office) -> Office:
    building.open_accounts(ACCOUNTS)
    return building


@pytest.fixture
def desk(open_house: Office, office: Office) -> Iterator[Office]:
    """The office with the accounts of these tests; its browsers are closed afterwards."""
    yield office


def statuses(office: Office, account: str) -> list[str]:
    """How the orders of an account stand, for the order desk as the console heard it."""
    rows = office.ask('select status from orders where account = $1 and total_minor > 100 order by "order"', account)
    return [row["status"] for row in rows]


def fill(page: Page, form: str, **fields: str) -> None:
    """Open a form of the account page, fill it in, send it."""
    box = page.locator(f"details[data-form={form}]")
    if box.get_attribute("open") is None:
        box.locator("summary").click()
    for name, text in fields.items():
        box.locator(f"[name={name}]").fill(text)
    box.locator("button.main").click()
    page.wait_for_load_state()


def test_an_account_on_stop_holds_every_order_that_is_not_released_and_off_stop_they_are_decided_again(desk: Office) -> None:
    assert desk.order("stop-1", "S5", "900.00")["outcome"] == "released"
    assert desk.order("stop-2", "S5", "400.00")["outcome"] in ("held", "referred")
    page = desk.visit("tom", "/accounts/S5")
    page.keyboard.press("p")
    page.keyboard.type("two cheques returned")
    page.locator("details[data-form=stop] button.main").click()
    told = "S5 is on stop. 1 waiting order stays held, 2 released orders are being recalled."
    expect(page.get_by_role("status").filter(has_text=told)).to_be_visible()
    expect(page.locator("#standing")).to_contain_text("on stop")
    expect(page.locator("#stop")).to_contain_text("two cheques returned")
    expect(page.locator("#entries")).to_contain_text("On stop: two cheques returned · tom")
    assert desk.order("stop-3", "S5", "2.00")["outcome"] in ("held", "referred")
    until(lambda: not any(status == "released" for status in statuses(desk, "S5")[1:]))
    expect(page.locator("#orders")).to_contain_text("recalled")  # O4: what was released and has not left
    fill(page, "off", reason="paid by transfer")
    expect(page.locator("#standing")).to_contain_text("open")
    until(lambda: statuses(desk, "S5")[2] == "released")  # O7: what fits goes, by itself


def test_a_stop_is_announced_worked_on_and_called_off(desk: Office) -> None:
    page = desk.visit("tom", "/accounts/W2")
    day = (dt.datetime.now(dt.UTC) + dt.timedelta(days=4)).date()
    fill(page, "announce", day=day.isoformat(), reason="60 days overdue")
    expect(page.locator("#stop")).to_contain_text("60 days overdue")
    page.goto("/stops")
    expect(page.get_by_role("row", name="Wharf Audio")).to_contain_text("60 days overdue")
    page.goto("/accounts/W2")
    fill(page, "call_off", reason="paid")
    expect(page.locator("#entries")).to_contain_text("called off: paid")
    page.goto("/stops")
    expect(page.get_by_role("row", name="Wharf Audio")).to_have_count(0)


def test_the_work_on_a_stop_has_an_owner_actions_and_notes(desk: Office) -> None:
    desk.wish("accounts.put_on_stop.v1", {"account": "C1", "reason": "bank letter missing"})
    page = desk.visit("rose", "/accounts/C1")
    expect(page.locator("#stop")).to_contain_text("nobody works on it")
    page.get_by_text("Say who works on it").click()
    page.locator("#assign-owner").fill("rose")
    page.get_by_role("button", name="Assign").click()
    expect(page.locator("#stop")).to_contain_text("rose works on it")
    page.get_by_text("Add an action").click()
    page.locator("#action-text").fill("ask for the bank letter")
    page.locator("#action-due_on").fill(dt.datetime.now(dt.UTC).date().isoformat())
    page.get_by_role("button", name="Add", exact=True).first.click()
    expect(page.locator(".todo")).to_contain_text("ask for the bank letter")
    page.wait_for_load_state()  # a page that came of a form: its words stand before its keys do
    page.keyboard.press("w")
    page.keyboard.type("spoke to their director")
    page.get_by_role("button", name="Note", exact=True).click()
    expect(page.locator("#stop")).to_contain_text("spoke to their director")
    page.goto("/stops")
    expect(page.get_by_role("row", name="Castle Mobile")).to_contain_text("spoke to their director")
    expect(page.get_by_role("row", name="Castle Mobile")).to_contain_text("Castle Mobile C1")  # there may be two of one name
    page.goto("/accounts/C1")
    expect(page.locator("#exposure dt").filter(has_text="Castle Mobile")).to_have_text("Castle Mobile C1")


def test_a_raised_limit_waits_for_a_second_person_and_nobody_approves_their_own(desk: Office) -> None:  # A6
    assert desk.order("raise-1", "B7", "25000.00")["outcome"] in ("held", "referred")
    asks = desk.visit("finn", "/accounts/B7")
    fill(asks, "limit", limit="45,000", reason="pays early since May")
    expect(asks.get_by_text("it waits in the approvals inbox")).to_be_visible()
    expect(asks.locator("#terms")).to_contain_text("20,000.00")
    asks.goto("/approvals")
    mine = asks.locator("article", has_text="Brook Telecom")
    expect(mine).to_contain_text("yours: nobody answers their own")
    expect(mine.locator("summary", has_text="Approve")).to_have_count(0)
    request = mine.get_attribute("data-request")
    own = desk.wish("accounts.approve_request.v1", {"account": "B7", "request": request, "reason": "mine"}, who="finn")
    assert own["outcome"] == "refused"
    assert own["fact"]["data"]["reason"] == "own_request"
    low = desk.visit("tom", "/approvals")
    expect(low.locator("article", has_text="Brook Telecom")).to_contain_text("waits for operations manager or above")
    refused = desk.wish("accounts.approve_request.v1", {"account": "B7", "request": request, "reason": "fine"}, who="tom")
    assert refused["fact"]["data"]["reason"] == "beyond_authority"
    other = desk.visit("maya", "/approvals")
    other.keyboard.press("a")
    other.keyboard.type("seen their accounts")
    other.get_by_role("button", name="Approve").click()
    expect(other.get_by_role("row", name="Brook Telecom")).to_contain_text("approved")
    asks.goto("/accounts/B7")
    expect(asks.locator("#terms")).to_contain_text("45,000.00")
    until(lambda: statuses(desk, "B7") == ["released"])  # O7


def test_what_sales_and_finance_think_is_asked_for_on_key_accounts_alone(desk: Office) -> None:  # A6
    rows = "K1,Key Phones,GBP,5000.00,south,key\nK2,Small Phones,GBP,5000.00,south,standard\n"
    desk.open_accounts(f"account,name,currency,limit,portfolio,tier\n{rows}")
    for account in ("K1", "K2"):
        desk.wish("accounts.change_limit.v1", {"account": account, "limit_minor": 900_000, "reason": "new shop"}, who="rose")
    page = desk.visit("tom", "/approvals")
    for account, views in (("K1", 1), ("K2", 0)):
        card = page.locator("article", has=page.get_by_text(account, exact=True))
        card.locator("summary", has_text="Approve").click()
        expect(card.get_by_label("Why", exact=True)).to_be_visible()
        for view in ("What sales thinks", "What finance thinks"):
            expect(card.get_by_label(view)).to_have_count(views)


def test_a_request_is_declined_with_its_reason(desk: Office) -> None:
    desk.wish("accounts.change_limit.v1", {"account": "W2", "limit_minor": 900_000, "reason": "new shop"}, who="rose")
    page = desk.visit("tom", "/approvals")
    card = page.locator("article", has_text="Wharf Audio")
    card.locator("summary", has_text="Decline").click()
    card.locator("details[open] input[name=reason]").fill("too soon")
    card.get_by_role("button", name="Decline").click()
    expect(page.get_by_role("row", name="Wharf Audio")).to_contain_text("too soon")
    expect(page.locator(".notice.told")).to_contain_text("The request for W2 is declined.")


def test_a_refusal_is_shown_in_words_with_what_was_typed(desk: Office) -> None:
    page = desk.visit("tom", "/accounts/W2")
    fill(page, "limit", limit="12,5x", reason="a slip")
    expect(page.get_by_role("alert")).to_contain_text("Not done")
    expect(page.locator("#limit-reason")).to_have_value("a slip")


def test_a_note_is_added_to_the_timeline_and_seen_by_who_looks_at_the_account(desk: Office) -> None:  # A7, V2
    looks = desk.visit("sal", "/accounts/B7")
    expect(looks.locator("#live")).to_have_text("live")
    expect(looks.get_by_text("Put on stop")).to_have_count(0)  # V8: sales reads
    page = desk.visit("rose", "/accounts/B7", size=(1280, 400))
    page.keyboard.press("n")
    page.keyboard.type("asked for a copy invoice")
    before = page.evaluate("scrollY")
    page.keyboard.press("Enter")
    expect(page.locator("#entries")).to_contain_text("asked for a copy invoice · rose")
    notice = page.locator(".notice.told")
    expect(notice).to_have_text("The note is kept in the timeline of B7.")
    expect(notice).to_be_in_viewport()  # though the page stays where the note was written
    assert before > 0 and abs(page.evaluate("scrollY") - before) < 100
    page.reload()
    expect(notice).to_have_count(0)  # told once
    expect(looks.locator("#entries")).to_contain_text("asked for a copy invoice")


def test_who_may_not_act_is_answered_403_and_it_is_noted(desk: Office) -> None:
    page = desk.visit("sal", "/accounts/B7")
    assert page.goto("/approvals").status == 403  # type: ignore[union-attr]
    until(lambda: desk.ask("select 1 from audit where what = 'role refused' and person = 'sal' and path = '/approvals'"))


def test_an_account_of_another_portfolio_is_not_there(desk: Office) -> None:
    page = desk.visit("nell", "/accounts")
    expect(page.get_by_role("row", name="Castle Group")).to_be_visible()
    expect(page.get_by_role("row", name="Brook Telecom")).to_have_count(0)
    assert page.goto("/accounts/B7").status == 404  # type: ignore[union-attr]


def test_an_account_is_found_and_its_exposure_opened_down_to_its_facts(desk: Office) -> None:
    desk.order("part-1", "W2", "150.00")
    page = desk.visit("rose", "/accounts")
    page.keyboard.press("/")
    page.keyboard.type("wharf")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="W2").click()
    page.get_by_role("link", name="Released, not despatched").click()
    expect(page.get_by_role("row", name="home/part-1")).to_contain_text("+150.00")


def test_an_account_is_looked_at_as_of_a_past_day(desk: Office) -> None:  # V7
    yesterday = (dt.datetime.now(dt.UTC) - dt.timedelta(days=1)).date()
    page = desk.visit("rose", f"/accounts/W2?as_of={yesterday}")
    expect(page.get_by_role("status").first).to_contain_text("how the account stood at the end of")
    expect(page.locator("#exposure")).to_contain_text("did not know this account yet")
    expect(page.get_by_text("Change limit")).to_have_count(0)


@pytest.mark.parametrize("path", ["/accounts", "/accounts/C1", "/approvals", "/stops"])
def test_on_a_phone_nothing_scrolls_sideways(desk: Office, path: str) -> None:
    page = desk.visit("rose", path, size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_deputy_acts_for_whom_they_cover_and_is_no_second_pair_of_eyes(desk: Office) -> None:  # A6
    today = dt.datetime.now(dt.UTC).date()
    tom = desk.visit("tom", "/covers")
    tom.locator("#cover-deputy").fill("rose")
    tom.locator("#cover-until").fill(today.isoformat())
    tom.locator("#cover-reason").fill("at the dentist")
    tom.get_by_role("button", name="Appoint").click()
    expect(tom.get_by_role("row", name="at the dentist")).to_contain_text("rose")
    own = desk.wish("accounts.change_limit.v1", {"account": "C1", "limit_minor": 7_000_000, "reason": "asked by Tom"}, who="tom")
    rose = desk.visit("rose", "/covers")
    rose.get_by_role("button", name="Act for tom").click()
    expect(rose.locator(".who")).to_contain_text("for tom")
    rose.goto("/accounts/W2")
    fill(rose, "limit", limit="20,000", reason="asked for Tom")
    rose.goto("/approvals")
    expect(rose.locator("article", has_text="asked for Tom")).to_contain_text("yours: nobody answers their own")
    expect(rose.locator("article", has_text="asked for Tom")).to_contain_text("rose for tom")
    expect(rose.locator("article", has_text="asked by Tom")).to_contain_text("yours: nobody answers their own")
    assert own["outcome"] == "approval requested"
    rose.goto("/covers")
    rose.get_by_role("button", name="Act for yourself again").click()
    expect(rose.locator(".who")).not_to_contain_text("for tom")
    tom.get_by_text("End", exact=True).click()
    tom.get_by_label("Why").last.fill("back")
    tom.get_by_role("button", name="End it").click()
    expect(tom.get_by_role("row", name="at the dentist")).to_have_count(0)
