"""The release desk in a real browser: by keyboard, alive without reloads, by two people at once, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.office import DESKTOP, PHONE, Office, sign_in

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

LIMIT = "1000.01"
"""A penny more than it looks: the order that shows that the desk knows the account takes it."""
ROW_PX = 38
"""A line of the queue: some fifteen of them fit under the figures of an ordinary screen."""
_numbers = count(1)


@pytest.fixture
def account(office: Office) -> Iterator[str]:
    """An account of its own, so that each test has its own part of the queue."""
    name = f"DESK{next(_numbers)}"
    office.open_accounts(f"account,name,currency,limit,portfolio\n{name},{name} Phones,GBP,{LIMIT},south\n")
    yield name


def held(office: Office, account: str, *totals: float) -> list[str]:
    """Orders above the limit; returns their references, in the order of their clocks."""
    references = [f"{account.lower()}-{n}" for n in range(1, len(totals) + 1)]
    for reference, total in zip(references, totals, strict=True):
        told = office.order(reference, account, f"{total:.2f}")
        assert told["outcome"] in ("held", "referred"), told
    return references


def queue(page: Page) -> Locator:
    return page.locator("#queue tr[data-order]")


def selected(page: Page) -> Locator:
    return page.locator("#queue tr[aria-selected=true]")


def hand(page: Page) -> Locator:
    return page.locator("#hand")


def act(page: Page, key: str, text: str) -> None:
    """Press an action's key, say why, and send it: no mouse."""
    page.keyboard.press(key)
    page.keyboard.type(text)
    page.keyboard.press("Enter")


# --- by keyboard ----------------------------------------------------------------------------------------------------


def test_the_queue_is_worked_by_keyboard_alone(office: Office, account: str) -> None:  # V1, O5
    first, second, third = held(office, account, 2_000, 3_000, 4_000)
    page = office.visit("rose", f"/desk?q={account}")
    expect(queue(page)).to_have_count(3)
    expect(hand(page)).to_contain_text(first)
    expect(hand(page)).to_contain_text("1,000.00 paid or credited, or a limit of 2,010.00")
    page.keyboard.press("j")
    expect(selected(page)).to_contain_text(second)
    expect(hand(page).locator("h2")).to_contain_text(second)
    act(page, "r", "They pay on Friday")
    expect(page.locator(".outcome")).to_contain_text(f"{second} is released.")
    expect(hand(page).locator("h2")).to_contain_text(third)  # the next one is in hand
    expect(queue(page)).to_have_count(2)
    page.keyboard.press("k")
    expect(hand(page).locator("h2")).to_contain_text(first)
    act(page, "n", "Rang them")
    expect(hand(page)).to_contain_text("Note by Rose Osei: Rang them")
    page.keyboard.press("t")
    expect(hand(page)).to_contain_text("Yours.")
    act(page, "x", "Nobody answers")
    expect(page.locator(".outcome")).to_contain_text(f"{first} is rejected.")
    expect(queue(page)).to_have_count(1)
    [row] = office.ask('select status, decided_by from orders where "order" = $1', f"home/{second}")
    assert (row["status"], row["decided_by"]) == ("released", "rose")


def test_a_part_is_released_a_customer_asked_and_an_order_referred(office: Office, account: str) -> None:  # O5
    [reference] = held(office, account, 5_000)
    page = office.visit("rose", f"/desk?q={account}")
    page.keyboard.press("s")
    page.keyboard.type("900")
    page.keyboard.press("Tab")
    page.keyboard.type("What fits into the limit")
    page.keyboard.press("Enter")
    expect(page.locator(".outcome")).to_contain_text("A part of")
    expect(hand(page)).to_contain_text("of which 4,100.00 waits")
    act(page, "a", "Can you pay 4,000 today?")
    expect(hand(page)).to_contain_text("Customer asked by Rose Osei: Can you pay 4,000 today?")
    act(page, "u", "A large one for them")
    expect(page.locator(".outcome")).to_contain_text(f"{reference} is referred: it waits for the team leader.")
    expect(hand(page)).to_contain_text("Referred to the team leader by Rose Osei: A large one for them")


def test_who_has_not_the_authority_is_refused_and_somebody_above_may(office: Office, account: str) -> None:  # A6, O3
    [reference] = held(office, account, 20_000)
    page = office.visit("rose", f"/desk?q={account}")
    expect(hand(page)).to_contain_text("Waits for the team leader.")
    expect(hand(page).get_by_role("button", name="Release", exact=True)).to_be_disabled()
    expect(hand(page).locator("#why-not")).to_have_text("Needs a team leader.")
    expect(hand(page).get_by_text("Release part")).to_have_count(0)  # it was referred: no part of it is a controller's either
    page.evaluate("document.querySelector('#hand form:has(#note-text) input[name=do]').value = 'release'")
    act(page, "n", "I know them well")  # whoever sends it nevertheless is refused by the order desk
    refused = f"{reference}: 20,000.00 GBP is beyond a credit controller; it takes a team leader or above."
    expect(page.locator(".outcome.bad")).to_have_text(refused)
    expect(queue(page)).to_have_count(1)
    above = office.visit("tom", f"/desk?q={account}")
    expect(hand(above).locator(".act.main summary")).to_contain_text("Release")
    act(above, "r", "Covered by their parent's letter")
    expect(above.locator(".outcome.ok")).to_contain_text(f"{reference} is released.")
    expect(queue(page)).to_have_count(0)  # and it left the other desk by itself


def test_nobody_is_offered_a_release_while_the_account_is_on_stop(office: Office, account: str) -> None:  # O2.2
    held(office, account, 2_000)
    office.wish("accounts.put_on_stop.v1", {"account": account, "reason": "a returned cheque"})
    page = office.visit("rose", f"/desk?q={account}")
    expect(hand(page).locator("#why-not")).to_have_text("Nobody releases while the account is on stop.")
    expect(hand(page).get_by_role("button", name="Release", exact=True)).to_be_disabled()
    expect(hand(page).locator(".act.main")).to_have_count(0)  # to refer it is possible, and nothing to be pressed for
    expect(hand(page).locator("summary", has_text="Refer to Team leader")).to_be_visible()


def test_a_reason_is_asked_for_before_anything_is_sent(office: Office, account: str) -> None:
    held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}")
    page.keyboard.press("r")
    expect(page.locator("#release-text")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#release-text")).to_be_focused()  # the browser says that it is required
    page.keyboard.press("Escape")
    expect(page.locator("#release-text")).to_be_hidden()
    expect(queue(page)).to_have_count(1)


def test_the_keys_of_the_page_are_told(office: Office, account: str) -> None:
    held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_contain_text("next order")
    expect(page.locator("#keys")).to_contain_text("Ask customer")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


def test_a_key_is_told_by_the_whole_words_of_its_button(office: Office, account: str) -> None:
    held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}")
    page.keyboard.press("?")
    told = page.locator("#keys dd").all_text_contents()
    assert {"Release", "Release part", "Put in order", "Take", "Give to"} <= set(told)


# --- at a glance ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 1440, 1920])
def test_an_order_is_one_line_and_its_number_is_never_broken(office: Office, account: str, width: int) -> None:  # V1
    name = "Wolverhampton Telecommunications Wholesale Ltd"
    office.open_accounts(f"account,name,currency,limit,portfolio\n{account}W,{name},GBP,{LIMIT},south\n")
    office.wish("accounts.put_on_stop.v1", {"account": f"{account}W", "reason": "two cheques returned"})
    for reference in (f"SO{account[4:]}02902", f"SO{account[4:]}02903"):
        office.order(reference, f"{account}W", "22000.00")
    page = office.visit("rose", f"/desk?q={account}W", size=(width, 800))
    expect(queue(page)).to_have_count(2)
    assert [box["height"] for row in queue(page).all() if (box := row.bounding_box())] == pytest.approx([ROW_PX] * 2, abs=2)
    number = page.locator("#queue [data-name=Order]")
    assert number.locator("a").evaluate_all("all => all.map(link => link.getClientRects().length)") == [1, 1]
    assert number.evaluate_all("all => all.map(cell => cell.scrollWidth - cell.clientWidth)") == [0, 0]
    assert page.locator("#queue .scroll").evaluate("box => box.scrollWidth - box.clientWidth") == 0
    expect(page.locator("#queue .plus:visible")).to_have_text(["+1", "+1"] if width <= 1500 else [])
    expect(page.locator("#queue .called").first).to_have_attribute("title", name)  # cut where it does not fit, told whole


@pytest.mark.parametrize(("width", "where"), [(1280, ".mine"), (1440, "[data-name=Owner]")])
def test_who_takes_an_order_sees_on_its_row_that_it_is_theirs(office: Office, account: str, width: int, where: str) -> None:  # O5
    held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}", size=(width, 800))
    expect(queue(page).locator(where, has_text="you")).to_have_count(0)
    page.keyboard.press("t")
    expect(queue(page).locator(where)).to_be_visible()
    expect(queue(page).locator(where)).to_contain_text("you")
    expect(page.locator("#as-of-day")).to_be_visible(visible=width >= 1440)
    expect(queue(page).locator("[data-name=Level]")).to_be_visible(visible=width >= 1440)


def test_two_accounts_of_one_name_are_told_apart_by_their_numbers(office: Office, account: str) -> None:
    twins = [f"{account}A", f"{account}B"]
    rows = "".join(f"{twin},{account} Connect Ltd,GBP,{LIMIT},south\n" for twin in twins)
    office.open_accounts(f"account,name,currency,limit,portfolio\n{rows}")
    for twin in twins:
        office.order(f"{twin.lower()}-1", twin, "2000.00")
    page = office.visit("rose", f"/desk?q={account}")
    expect(queue(page)).to_have_count(2)
    shown = page.locator("#queue .named")
    for at, twin in enumerate(twins):
        expect(shown.nth(at)).to_contain_text(f"{account} Connect Ltd {twin}")
        assert shown.nth(at).locator(".dim").evaluate("number => number.scrollWidth <= number.clientWidth")
    expect(hand(page).locator("h2")).to_contain_text(f"{account} Connect Ltd {twins[0]}")
    page.goto(f"/orders?q={twins[1]}")
    expect(page.get_by_role("row").nth(1)).to_contain_text(f"{account} Connect Ltd {twins[1]}")
    page.goto(f"/orders/home/{twins[1].lower()}-1")
    expect(page.locator("#explained h2").first).to_contain_text(f"{account} Connect Ltd {twins[1]}")


# --- alive ----------------------------------------------------------------------------------------------------------


def test_orders_come_and_go_without_a_reload(office: Office, account: str) -> None:  # V1
    page = office.visit("rose", f"/desk?q={account}")
    expect(page.locator("#queue")).to_contain_text("Nothing of this is held.")
    page.evaluate("window.stayed = true")
    first, second = held(office, account, 2_000, 3_000)
    expect(queue(page)).to_have_count(2)
    page.keyboard.press("j")
    expect(hand(page).locator("h2")).to_contain_text(second)
    office.wish("orders.release_order.v1", {"order": f"home/{first}", "account": account, "reason": "paid"})
    expect(queue(page)).to_have_count(1)
    expect(selected(page)).to_contain_text(second)  # the one in hand stays in hand
    office.wish("orders.release_order.v1", {"order": f"home/{second}", "account": account, "reason": "paid"})
    expect(hand(page)).to_contain_text("by Dora Whitlock")
    expect(hand(page)).to_contain_text("It waits for nobody.")
    assert page.evaluate("window.stayed")
    expect(page.locator("#live")).to_have_text("live")


def test_the_clock_of_the_order_in_hand_is_the_one_of_its_row(office: Office, account: str) -> None:  # V1
    [reference] = held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}")
    in_hand, in_row = (page.locator(f"{where} .clock") for where in ("#hand [data-part=head]", "#queue tr[data-order]"))
    was = in_hand.inner_text()
    office.ask("update orders set due_at = due_at - interval '40 minutes' where \"order\" = $1 returning 1", f"home/{reference}")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:desk'))")
    expect(in_row).not_to_have_text(was)
    expect(in_hand).to_have_text(in_row.inner_text())


def test_what_somebody_is_typing_is_not_taken_away(office: Office, account: str) -> None:
    [reference] = held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}")
    page.keyboard.press("n")
    page.keyboard.type("Half a note")
    office.wish("orders.note_order.v1", {"order": f"home/{reference}", "account": account, "note": "seen by me"})
    expect(hand(page)).to_contain_text("seen by me")
    expect(page.locator("#note-text")).to_have_value("Half a note")
    expect(page.locator("#note-text")).to_be_focused()


def test_two_desks_know_of_each_other_and_who_is_late_is_told_who_was_first(office: Office, account: str) -> None:  # V1
    [reference] = held(office, account, 2_000)
    rose, tom = (office.visit(name, f"/desk?q={account}&order=home/{reference}") for name in ("rose", "tom"))
    expect(hand(tom)).to_contain_text(re.compile(r"Rose Osei has it open since \d\d:\d\d"))
    expect(hand(rose)).to_contain_text("Tom Ibarra has it open since")
    expect(queue(tom)).to_contain_text("Rose Osei")
    tom.keyboard.press("r")
    tom.keyboard.type("I go first")
    act(rose, "r", "I was quicker")
    expect(rose.locator(".outcome.ok")).to_contain_text("is released")
    expect(hand(tom)).to_contain_text("Released")
    tom.keyboard.press("Enter")
    expect(tom.locator(".outcome.bad")).to_contain_text("It was released by Rose Osei.")


# --- for whom -------------------------------------------------------------------------------------------------------


def test_sales_looks_and_does_nothing(office: Office, account: str) -> None:  # V8
    held(office, account, 2_000)
    page = office.visit("sal", f"/desk?q={account}")
    expect(queue(page)).to_have_count(1)
    expect(hand(page)).to_contain_text("What would clear it")
    expect(page.locator("[data-part=acts], #bulk, #queue input")).to_have_count(0)


def test_a_portfolio_that_one_does_not_see_is_not_there(office: Office, account: str) -> None:  # V8
    [reference] = held(office, account, 2_000)
    page = office.visit("nell", f"/desk?order=home/{reference}")
    expect(hand(page)).to_contain_text("This order is not here.")
    expect(queue(page).filter(has_text=account)).to_have_count(0)
    answer = page.request.get(f"/orders/home/{reference}")
    assert answer.status == 404


def test_many_are_noted_taken_and_released_at_once_as_far_as_that_is_safe(office: Office, account: str) -> None:
    held(office, account, 2_000, 3_000, 20_000)
    page = office.visit("tom", f"/desk?q={account}")
    for box in page.locator("#queue input[name=order]").all():
        box.check()
    expect(page.locator("[data-marked]")).to_have_text("3 marked")
    page.locator("#bulk-text").fill("All good for Friday")
    page.get_by_role("button", name="Release small ones").click()
    expect(page.locator(".outcome.warn")).to_contain_text("2 of 3 released.")
    expect(page.locator(".outcome")).to_contain_text("look at it alone")
    expect(queue(page)).to_have_count(1)


def test_the_desk_works_without_javascript(office: Office, account: str) -> None:
    [reference] = held(office, account, 2_000)
    context = office.browser.new_context(base_url=office.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "rose", "/desk")
    page.goto(f"/desk?q={account}")
    page.get_by_role("link", name=reference).first.click()
    page.locator("details.act summary").first.click()
    page.locator("#release-text").fill("They pay on Friday")
    page.locator("details.act[open] button").click()
    expect(page.locator(".outcome")).to_contain_text(f"{reference} is released.")
    context.close()


def test_on_a_phone_the_queue_is_cards_and_the_order_a_page(office: Office, account: str) -> None:
    [reference] = held(office, account, 2_000)
    page = office.visit("rose", f"/desk?q={account}", size=PHONE)
    expect(hand(page)).to_be_hidden()
    page.locator("#queue tr[data-order]").first.tap()
    expect(hand(page).locator("h2")).to_contain_text(reference)
    expect(page.locator("#queue")).to_be_hidden()
    expect(page.locator("#figures")).to_be_hidden()
    expect(page.locator("#filter")).to_be_hidden()
    top = hand(page).locator("h2").bounding_box()
    assert top is not None
    assert top["y"] < PHONE[1] / 4  # who opened an order sees it first
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Queue").tap()
    expect(page.locator("#queue")).to_be_visible()


# --- explained ------------------------------------------------------------------------------------------------------


def test_any_order_is_found_and_explained_with_all_its_checks(office: Office, account: str) -> None:  # O10
    [reference] = held(office, account, 2_000)
    office.order(f"{account.lower()}-small", account, "10.00")
    page = office.visit("rose", "/orders")
    page.locator("#q").fill(f"{account.lower()}-small")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"{account.lower()}-small")
    expect(page.locator(".checks-table tbody tr")).to_have_count(16)
    expect(page.locator("#trace")).to_contain_text("Released by policy")
    page.goto(f"/orders/home/{reference}")
    expect(page.locator(".checks-table")).to_contain_text("2,000.01 > 1,000.01")
    expect(page.locator("#position")).to_contain_text("now")
    page.goto(f"/orders/home/{reference}?as_of=2001-01-01T00:00")
    expect(page.locator("#explained")).to_contain_text("Nothing had been decided about it by then")


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_all_checks_and_figures_of_an_order_stand_whole(office: Office, account: str, size: tuple[int, int]) -> None:  # O10
    [reference] = held(office, account, 2_000)
    page = office.visit("rose", f"/orders/home/{reference}", size)
    expect(page.locator(".checks-table tbody tr")).to_have_count(16)
    for box in (page.locator(".decision .scroll").first, page.locator("#position"), page.locator(".decision").first):
        cut = box.evaluate("box => [box.scrollWidth - box.clientWidth, box.scrollHeight - box.clientHeight]")
        assert cut == [0, 0]
    inside = page.locator(".checks-table td.num, #position td.num").evaluate_all(
        "all => all.every(cell => cell.getBoundingClientRect().right <= cell.closest('.card').getBoundingClientRect().right - 8)"
    )
    assert inside
