"""The cash desk over a real database and the real ledger: what waits, what a person does, and who is told (P5–P7, V3)."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.payments import (
    AllocateCash,
    Candidate,
    GiveBackCash,
    KeepOnAccount,
    Proposal,
    RecogniseCash,
    ReferCash,
    TakeCash,
    UnallocateCash,
)
from services.console.pages import SCORE_IS
from services.console.receivables import cash, standing
from services.console.receivables.cash import Filter
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, hear, house_of, office
from tests.models.payments_books import BANK, DAY, START, TODAY, entry, invoice, pays, settles, statement
from tests.models.payments_books import cash as received

pytestmark = pytest.mark.stack

R1 = "receipt~R1"
S1 = f"suspense~{BANK}/S1/9"


def a_morning() -> Ledger:
    """Acme owes 500, 400 and 300, and 700 came: two answers are proposed. 950 of somebody's stands in suspense. North owes 80."""
    ledger = Ledger()
    ledger.open("acme")
    ledger.open("branch", home="acme", parent="acme")
    ledger.open("north", portfolio="north")
    for item, minor in (("I1", 500_00), ("I2", 400_00), ("I3", 300_00)):
        ledger.do(invoice(item, minor, po_number=f"PO-{item}"))
    ledger.do(invoice("B1", 60_00, "branch"))
    ledger.do(invoice("N1", 80_00, "north"))
    ledger.do(received("R1", 700_00, payer="ACME TRADING", text="thanks", received_on=TODAY - 3 * DAY))
    ledger.do(referral("R1", (("I2", 400_00), ("I3", 300_00)), (("I1", 500_00), ("I3", 200_00))), actor="payments")
    ledger.do(received("R2", 80_00, "north", payer="NORTH", received_on=TODAY - 40 * DAY))
    ledger.do(referral("R2", account="north"), actor="payments")
    ledger.do(statement("S1", entry("9", 950_00, payer="A STRANGER", text="for March"), entry("10", -12_00, text="charges")))
    may_be = (Candidate(account="acme", home="acme", why="paid 950.00 in February"),)
    for name in ("S1/9", "S1/10"):
        ledger.do(RecogniseCash(bank_account=BANK, entry=name, by="machine", candidates=may_be), actor="payments")
    return ledger


def referral(receipt: str, *answers: tuple[tuple[str, int], ...], account: str = "acme") -> ReferCash:
    proposals = tuple(
        Proposal(lines=tuple(settles(*line) for line in lines), proof="proposal", score=90 - 10 * n, why=("the sum fits",))
        for n, lines in enumerate(answers)
    )
    return ReferCash(account=account, receipt=receipt, why="2 sums make this amount", proposals=proposals)


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(url, tmp_path, a_morning()) as found:
        yield found


def the(form: type, office: Office) -> Any:
    (wish,) = [each for each in office.wished if isinstance(each, form)]
    return wish


# --- looking ----------------------------------------------------------------------------------------------------------


async def test_what_waits_stands_oldest_first_with_its_age_reason_and_offers(desk: Office) -> None:  # V3, P7
    today = START.date()
    rows = await cash.window(desk.pool, Filter(), today)
    assert [(row.kind, row.name, row.minor, row.offers) for row in rows] == [
        ("receipt", "R2", 80_00, 0),
        ("receipt", "R1", 700_00, 2),
        ("suspense", f"{BANK}/S1/10", -12_00, 1),
        ("suspense", f"{BANK}/S1/9", 950_00, 1),
    ]
    totals = await cash.totals(desk.pool, Filter(), today, "rose")
    assert {(total.kind, total.age, total.waiting) for total in totals} == {
        ("receipt", "31–60 days", 1), ("receipt", "1–7 days", 1), ("suspense", "today", 2),
    }  # fmt: skip
    page = await desk.read("rose", "/cash?on=receipt~R1")
    for shown in ("2 sums make this amount", "I2, I3", "the sum fits", "ACME TRADING", "By hand", "PO-I1", "A STRANGER"):
        assert shown in page, shown


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"kind": "suspense"}, [f"{BANK}/S1/10", f"{BANK}/S1/9"]),
        ({"age": "31–60 days"}, ["R2"]),
        ({"text": "stranger"}, [f"{BANK}/S1/9"]),
        ({"text": "700", "minor": 700_00}, ["R1"]),
        ({"owner": "nobody", "portfolio": "north"}, ["R2"]),
        ({"seen": ("north",)}, ["R2"]),
    ],
)
async def test_the_desk_is_narrowed_by_what_is_asked(desk: Office, asked: dict[str, Any], names: list[str]) -> None:
    rows = await cash.window(desk.pool, Filter(**asked), START.date())
    assert [row.name for row in rows] == names


async def test_windows_follow_each_other_without_a_gap(desk: Office) -> None:
    today, seen, after = START.date(), list[str](), cash.BEFORE_ALL
    while rows := await cash.window(desk.pool, Filter(), today, after, 1):
        seen.append(rows[0].name)
        after = cash.Place(rows[0].on, rows[0].name)
    assert seen == [row.name for row in await cash.window(desk.pool, Filter(), today)]


async def test_a_portfolio_that_one_does_not_see_is_not_there(desk: Office) -> None:  # V8
    assert (await desk.get("nell", "/cash/R1")).status_code == 404
    assert "This is not here." in await desk.read("nell", "/cash?on=receipt~R1")
    assert "A STRANGER" not in await desk.read("nell", "/cash")


async def test_sales_looks_and_does_nothing(desk: Office) -> None:  # V8
    page = await desk.read("sal", "/cash?on=receipt~R1")
    assert "2 sums make this amount" in page
    assert "By hand" not in page and "/cash/act" not in page


@pytest.mark.parametrize("path", ["/cash/rows", "/cash/hand?on=receipt~R1", "/cash/items?on=receipt~R1&items_q=I3", "/cash/hand"])
async def test_fragments_are_pages_of_their_own(desk: Office, path: str) -> None:
    assert "<html" not in await desk.read("rose", path)


async def test_the_grid_is_narrowed_and_keeps_items_of_the_group_apart(desk: Office) -> None:
    everything = await standing.to_allocate(desk.pool, "acme", "acme", "GBP", "", (), 10)
    assert [each.item.item for each in everything] == ["I1", "I2", "I3", "B1"]
    for text, found in (("po-i2", ["I2"]), ("400.00", ["I2"]), ("branch", ["B1"]), ("%", [])):
        rows = await standing.to_allocate(desk.pool, "acme", "acme", "GBP", text, (), 10)
        assert [each.item.item for each in rows] == found


# --- doing ------------------------------------------------------------------------------------------------------------


async def test_a_proposal_is_chosen_by_its_number_with_its_evidence(desk: Office) -> None:  # P6
    page = await desk.act("rose", R1, do="propose", number="1", version="1", next="receipt~R2")
    assert "R1 is allocated." in page.text
    wish = the(AllocateCash, desk)
    assert [line.item for line in wish.lines] == ["I2", "I3"]
    assert wish.evidence == ("the sum fits", "chosen by a person as proposal 1 of 2")
    assert [each.items for each in wish.rejected] == [("I1", "I3")]
    assert desk.ledger.receipt("R1").state == "done"
    shown = await desk.read("rose", "/cash/R1")
    for text in ("allocated", "Rose Osei", "the sum fits", "1 other answer rejected", "I1, I3", "Take back"):
        assert text in shown, text


async def test_it_is_allocated_by_hand_over_items_and_accounts_with_difference_and_short_pay(desk: Office) -> None:  # P6, C1
    rows = {
        "item.1": "acme/I1", "pay.1": "450.00", "reason.1": "damage",
        "item.2": "acme/I3", "pay.2": "190", "difference.2": "10.00",
        "item.3": "branch/B1", "pay.3": "60.00",
        "item.4": "acme/I2", "pay.4": "",
    }  # fmt: skip
    page = await desk.act("rose", R1, do="allocate", version="1", text="they rang", **rows)
    assert page.status_code == 200, page.text
    assert "R1 is allocated." in page.text
    lines = {line.item: line for line in the(AllocateCash, desk).lines}
    assert (lines["I1"].residual_minor, lines["I1"].reason) == (50_00, "damage")
    assert (lines["I3"].settled_minor, lines["I3"].difference_minor) == (200_00, 10_00)
    assert lines["B1"].account == "branch"
    assert desk.ledger.item("B1").open_minor == 0
    shown = await desk.read("rose", "/cash/R1")
    assert "I1 short paid by 50.00 GBP, damage: damage" in shown


async def test_what_was_typed_into_the_grid_is_not_lost_when_it_is_refused(desk: Office) -> None:
    rows = {"item.1": "acme/I1", "pay.1": "400.00", "difference.1": "100.00"}
    page = await desk.act("rose", R1, do="allocate", version="1", **rows)
    assert page.status_code == 422
    assert "I1: a difference of 100.00 GBP in all is beyond a credit controller, who may take 25.00 GBP at most." in page.text
    assert 'value="400.00"' in page.text and 'value="100.00"' in page.text
    assert desk.ledger.receipt("R1").unallocated_minor == 700_00


async def test_of_two_clerks_the_second_is_told_who_was_first(desk: Office) -> None:  # P6
    await desk.act("tom", R1, do="propose", number="1", version="1")
    page = await desk.act("rose", R1, do="allocate", version="1", **{"item.1": "acme/I1", "pay.1": "100"})
    assert "It was worked on by Tom Ibarra and is done now." in page.text
    page = await desk.act("rose", R1, do="give_back", version="1", text="not theirs")
    assert "It was worked on by Tom Ibarra" in page.text
    assert the(GiveBackCash, desk).version == 1
    assert desk.ledger.receipt("R1").state == "done"


async def test_a_match_is_taken_back_on_the_receipts_page(desk: Office) -> None:  # P7
    await desk.act("rose", R1, do="propose", number="2", version="1")
    undone = await desk.act("rose", R1, path="/cash/undo", page="/cash/R1", match="R1/1", version="2", text="wrong invoices")
    assert "Taken back" in undone.text and "wrong invoices" in undone.text
    assert the(UnallocateCash, desk).match == "R1/1"
    (row,) = await cash.window(desk.pool, Filter(text="R1"), START.date())
    assert (row.minor, row.why) == (700_00, "a match was taken back: wrong invoices")


async def test_a_receipt_is_taken_given_kept_and_given_back(desk: Office) -> None:  # P7
    assert "R1 is yours." in (await desk.act("rose", R1, do="take", version="1")).text
    assert "R1 is given to tom." in (await desk.act("rose", R1, do="assign", owner="tom", version="1")).text
    assert [wish.owner for wish in desk.wished if isinstance(wish, TakeCash)] == ["rose", "tom"]
    assert "Say why it stays" in (await desk.act("rose", R1, do="keep", version="1")).text
    assert "R1 stays on account." in (await desk.act("rose", R1, do="keep", version="1", text="prepaid")).text
    assert the(KeepOnAccount, desk).version == 1  # owning it is no work on it
    assert (await cash.window(desk.pool, Filter(kind="receipt"), START.date()))[0].name == "R2"
    await desk.act("rose", "receipt~R2", do="give_back", version="1", text="not north's")
    assert desk.ledger.receipt("R2").state == "gone"


async def test_an_entry_in_suspense_is_recognised_and_teaches(desk: Office) -> None:  # P5
    page = await desk.act("rose", S1, do="recognise", account="acme", learn="1", version="0")
    assert "S1/9 is acme&#39;s." in page.text
    wish = next(each for each in desk.wished if isinstance(each, RecogniseCash))
    assert (wish.account, wish.account_home, wish.by, wish.learn, wish.version) == ("acme", None, "person", True, 0)
    row = await cash.entry(desk.pool, (), f"{BANK}/S1/9")
    assert row is not None and row.state == "recognised" and row.account == "acme"
    assert f'Receipt <a href="/cash/{row.receipt}">{row.receipt}</a> is made and being matched.' in page.text
    assert f"/cash/{row.receipt}" in await desk.read("rose", f"/cash?on={S1}")


async def test_each_candidate_shows_what_it_owes_and_why_it_is_one(desk: Office) -> None:  # P5
    page = await desk.read("rose", f"/cash?on={S1}")
    assert "paid 950.00 in February" in page and "1,200.00 GBP open" in page and "is open with just this" not in page
    may_be = tuple(Candidate(account=each, home=each, why="its number is in the text") for each in ("north", "acme"))
    desk.ledger.do(statement("S2", entry("1", 500_00, payer="A STRANGER", text="acme north thanks")))
    desk.ledger.do(RecogniseCash(bank_account=BANK, entry="S2/1", by="machine", candidates=may_be), actor="payments")
    await desk.catch_up()
    page = await desk.read("rose", f"/cash?on=suspense~{BANK}/S2/1")
    assert page.index("north · its number is in the text") < page.index("acme · its number is in the text")
    assert "80.00 GBP open" in page and "I1 is open with just this" in page
    page = await desk.read("nell", f"/cash?on=suspense~{BANK}/S2/1")
    assert "north · its number" in page and "acme · its number" not in page, "only those that one sees"


async def test_money_that_went_out_says_where_the_receipt_is_that_it_returns(desk: Office) -> None:  # P3
    page = await desk.read("rose", f"/cash?on=suspense~{BANK}/S1/10")
    assert '<a href="/cash?kind=receipt&amp;q=12.00">' in page and '<a href="/accounts">look for the account</a>' in page
    desk.ledger.do(statement("S2", entry("1", -80_00, payer="North Ltd")))
    desk.ledger.do(RecogniseCash(bank_account=BANK, entry="S2/1", by="machine"), actor="payments")
    await desk.catch_up()
    page = await desk.read("rose", f"/cash?on=suspense~{BANK}/S2/1")
    for link, found in (("/cash?kind=receipt&amp;q=80.00", "R2"), ("/accounts?text=North%20Ltd", "/accounts/north")):
        assert f'href="{link}"' in page and found in await desk.read("rose", html.unescape(link)), link


async def test_a_score_says_what_it_is_of(desk: Office) -> None:  # P6
    page = await desk.read("rose", f"/cash?on={R1}")
    title = f'title="{html.escape(SCORE_IS)}"'.replace("&#x27;", "&#39;")
    assert page.count(title) == 3 and "90 of 100</b>" in page and "· 90 of 100</span>" in page
    await desk.act("rose", R1, do="propose", number="1", version="1")
    assert ">90 of 100</span>" in await desk.read("rose", "/cash/R1")


async def test_an_account_that_one_does_not_see_is_recognised_by_nobody(desk: Office) -> None:
    page = await desk.act("rose", S1, do="recognise", account="acne")
    assert "There is no account &#39;acne&#39;; look for it by number or name." in page.text
    assert "Say whose money it is" in (await desk.act("rose", S1, do="recognise", account="")).text


async def test_charges_are_set_aside(desk: Office) -> None:  # P3
    page = await desk.act("rose", f"suspense~{BANK}/S1/10", do="set_aside", ledger="bank_charges", text="March charges")
    assert "S1/10 is set aside." in page.text


async def test_an_entry_in_suspense_is_taken_and_given(desk: Office) -> None:  # P7
    assert "S1/9 is yours." in (await desk.act("rose", S1, do="take", version="0")).text
    assert "Yours." in await desk.read("rose", f"/cash?on={S1}")
    (mine,) = await cash.window(desk.pool, Filter(owner="rose"), START.date())
    assert (mine.kind, mine.name, mine.owner) == ("suspense", f"{BANK}/S1/9", "rose")
    given = await desk.act("rose", S1, do="assign", owner="tom", version="0", text="asks the bank")
    assert "S1/9 is given to tom." in given.text and "Owned by Tom Ibarra. asks the bank" in given.text
    assert ("tom", 1) in await cash.owners(desk.pool, ())
    assert "Say whom to give it to" in (await desk.act("rose", S1, do="assign", version="0")).text


# --- the rows ---------------------------------------------------------------------------------------------------------


async def test_the_versions_of_receipts_are_those_that_the_ledger_counts(desk: Office) -> None:
    ledger = desk.ledger
    ledger.do(pays("R1", ("I1", 100_00)))
    ledger.do(UnallocateCash(account="acme", match="R1/1", reason="wrong"))
    ledger.do(KeepOnAccount(account="acme", receipt="R1", reason="later"))
    await desk.catch_up()
    for name in ("R1", "R2"):
        mine, theirs = await cash.one(desk.pool, (), name), ledger.receipt(name)
        assert mine is not None
        assert (mine.version, mine.state, mine.unallocated_minor) == (theirs.version, theirs.state, theirs.unallocated_minor)


@pytest.mark.parametrize("size", [1, 3, 1_000])
async def test_facts_told_again_and_in_batches_of_any_size_change_nothing(desk: Office, size: int) -> None:
    desk.ledger.do(pays("R1", ("I1", 100_00)))
    await desk.catch_up()
    tables = ("receipts", "bank_entries", "receipt_facts", "ledger_items", "ledger_lines", "ledger_sales")
    before = {table: await desk.pool.fetch(f"select * from {table} order by 1, 2, 3") for table in tables}
    desk.ledger.heard = 0
    facts = desk.ledger.news()
    async with desk.pool.acquire() as connection:
        await hear(connection, facts, size)
        assert before == {table: await desk.pool.fetch(f"select * from {table} order by 1, 2, 3") for table in tables}
        for table in tables:
            await connection.execute(f"truncate {table}")
        await hear(connection, facts, size)
    assert before == {table: await desk.pool.fetch(f"select * from {table} order by 1, 2, 3") for table in tables}
