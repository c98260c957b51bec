"""The ledger's pages over a real database: open items, ageing, past days as known then and now, DSO, papers (P12, P13, F3)."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from python_calamine import CalamineWorkbook

from contracts.claims import ClaimOpened, ClaimSettled
from services.console.receivables import balance, late_payment, measures, standing
from services.console.receivables.house import house
from services.console.receivables.late_payment import Moved
from services.console.receivables.ledger import OF_ITEMS, follow
from services.console.receivables.standing import Scope, When
from shared.receivables import ageing
from shared.receivables.ageing import Policy
from shared.receivables.interest import Owed
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, envelope, hear, house_of, office
from tests.models.payments_books import DAY, TODAY, cash, credit_note, invoice, pays

pytestmark = pytest.mark.stack

WHEN_MONDAY = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)


def three_days() -> Ledger:
    """Monday: Acme owes 500 (25 days late), 400 and 300 EUR, has a credit of 50 and 120 unallocated. Tuesday: 200 of the 500 are
    paid. Wednesday an invoice of Monday comes late. Branch and north owe as well."""
    ledger = Ledger()
    ledger.open("acme")
    ledger.open("branch", home="acme", parent="acme")
    ledger.open("north", portfolio="north")
    for each in (
        invoice("I1", 500_00, due_on=TODAY - 25 * DAY, document_on=TODAY - 55 * DAY),
        invoice("I2", 400_00, due_on=TODAY + 20 * DAY),
        invoice("E1", 300_00, currency="EUR", base_minor=258_00, due_on=TODAY - 100 * DAY, document_on=TODAY - 130 * DAY),
        credit_note("C1", 50_00, document_on=TODAY - 5 * DAY),
        cash("R1", 120_00, received_on=TODAY - 70 * DAY),
        invoice("B1", 60_00, "branch"),
        invoice("N1", 80_00, "north", due_on=TODAY - 40 * DAY, document_on=TODAY - 70 * DAY),
    ):
        ledger.do(each)
    ledger.at = WHEN_MONDAY + DAY
    ledger.do(cash("R2", 200_00, received_on=TODAY + DAY))
    ledger.do(pays("R2", ("I1", 200_00)))
    ledger.at = WHEN_MONDAY + 2 * DAY
    ledger.do(invoice("I4", 70_00, document_on=TODAY))
    return ledger


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(url, tmp_path, three_days()) as found:
        yield found


def opened(found: list[standing.Open]) -> dict[str, int]:
    return {each.item.item: each.open_minor for each in found}


MONDAY = TODAY
NOW = {"I1": 300_00, "I2": 400_00, "E1": 300_00, "C1": -50_00, "R1": -120_00, "I4": 70_00}
THEN = {"I1": 500_00, "I2": 400_00, "E1": 300_00, "C1": -50_00, "R1": -120_00}


async def test_open_items_are_those_of_the_ledger_and_agree_with_their_lines(desk: Office) -> None:  # P1, P14
    items = await standing.items(desk.pool, ["acme"])
    assert opened(items) == NOW
    assert sum(each.base_minor for each in items) == desk.ledger.account("acme").balance_minor
    assert await standing.difference(desk.pool) == 0


async def test_a_past_day_is_shown_as_known_then_and_as_known_now(desk: Office) -> None:  # P12, V7
    end = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
    assert opened(await standing.items(desk.pool, ["acme"], When(MONDAY, end))) == THEN
    assert opened(await standing.items(desk.pool, ["acme"], When(MONDAY))) == THEN | {"I4": 70_00}
    (late,) = await standing.differences(desk.pool, "acme", MONDAY, end)
    assert (late.item, late.then_minor, late.now_minor) == ("I4", 0, 70_00)
    assert opened(await standing.items(desk.pool, ["acme"], When(MONDAY - 90 * DAY))) == {"E1": 300_00}


async def test_every_past_day_is_the_fold_of_its_lines(desk: Office) -> None:  # P12
    for days in range(-131, 4):
        on = TODAY + days * DAY
        lines = await desk.pool.fetch(
            "select item, sum(amount_minor)::bigint as minor from ledger_lines where account = 'acme' and effective_on <= $1 "
            "group by 1 having sum(amount_minor) <> 0",
            on,
        )
        assert opened(await standing.items(desk.pool, ["acme"], When(on))) == {row["item"]: row["minor"] for row in lines}, on


async def test_the_running_balance_ends_at_the_balance(desk: Office) -> None:
    lines = await standing.lines(desk.pool, "acme", "GBP")
    assert lines[0].balance_minor == sum(minor for item, minor in NOW.items() if item != "E1")
    window = await standing.lines(desk.pool, "acme", "GBP", before=lines[1].place, limit=2)
    assert window == lines[2:4]


async def test_ageing_adds_up_to_the_balance_whatever_is_asked(desk: Office) -> None:  # P12, F7
    policy, today = house().policy, TODAY + 2 * DAY
    aged = await standing.whole(desk.pool, Scope(), today, policy, "GBP")
    assert aged.base.total_minor == 300_00 + 400_00 + 258_00 - 50_00 - 120_00 + 70_00 + 60_00 + 80_00
    assert [column.minor for column in aged.base.columns] == [400_00 + 70_00 + 60_00, 300_00, 80_00, 0, 0, 258_00, 0]
    assert (aged.base.credits.minor, aged.base.cash_minor) == (-170_00, -120_00)
    for by in ("account", "group", "portfolio"):
        for currency in ("", "GBP", "EUR", "USD"):
            scope = Scope(currency=currency)
            rows = await standing.aged_by(desk.pool, scope, today, policy, "GBP", by, None)
            whole = await standing.whole(desk.pool, scope, today, policy, "GBP")
            total = balance.in_currency(whole, currency).total_minor
            assert sum(ledger.total_minor for ledger in rows.values()) == total


@pytest.mark.parametrize("policy", [Policy(basis="document_date"), Policy(basis="calendar_month", bounds=(1, 2, 3)), Policy()])
async def test_sums_age_as_the_items_themselves(desk: Office, policy: Policy) -> None:  # P12
    today = TODAY + 2 * DAY
    items = await standing.items(desk.pool, ["acme", "branch", "north"])
    by_item = ageing.age([each.aged() for each in items], today, base_currency="GBP", policy=policy)
    assert await standing.whole(desk.pool, Scope(), today, policy, "GBP") == by_item


async def test_rows_are_sorted_and_windows_follow_without_a_gap(desk: Office) -> None:  # V6
    for sort, order in (("name", ["acme", "branch", "north"]), ("balance", ["acme", "north", "branch"]),
                        ("overdue", ["acme", "north", "branch"]), ("oldest", ["acme", "north", "branch"])):  # fmt: skip
        seen: list[str] = []
        after = None
        while rows := await standing.keys(desk.pool, Scope(), TODAY, "account", sort, after, 1):
            after = rows[0]
            seen.append(after.key)
        assert seen == order, sort
    assert [row.key for row in await standing.keys(desk.pool, Scope(seen=("north",)), TODAY, "account", "name")] == ["north"]
    assert [row.key for row in await standing.keys(desk.pool, Scope(group="acme"), TODAY, "group", "name")] == ["acme"]


async def test_what_is_in_dispute_is_told_and_released_again(desk: Office) -> None:  # C6, P12
    claim = ClaimOpened(account="acme", claim="K1", kind="price", disputed_minor=90_00, item="I1", due_on=TODAY)
    part = ClaimSettled(account="acme", claim="K1", outcome="rejected", released_minor=40_00, due_on=TODAY)
    facts = [envelope(claim, WHEN_MONDAY, "acme", 1), envelope(part, WHEN_MONDAY + DAY, "acme", 2)]
    async with desk.pool.acquire() as connection:
        await hear(connection, facts, 1)
        await hear(connection, facts)
    (now,) = [each for each in await standing.items(desk.pool, ["acme"]) if each.disputed_minor]
    assert (now.item.item, now.disputed_minor) == ("I1", 50_00)
    monday = When(MONDAY, dt.datetime(2026, 3, 3, tzinfo=dt.UTC))
    assert sum(each.disputed_minor for each in await standing.items(desk.pool, ["acme"], monday)) == 90_00


async def test_unallocated_money_stands_oldest_first_now_and_then(desk: Office) -> None:  # P7
    assert [row.item for row in await standing.unallocated(desk.pool, Scope())] == ["R1", "C1"]
    tuesday = Scope(when=When(TODAY + DAY, dt.datetime(2026, 3, 3, tzinfo=dt.UTC)))
    assert [row.item for row in await standing.unallocated(desk.pool, tuesday, "receipt")] == ["R1"]


def test_a_fact_that_the_item_has_seen_changes_nothing() -> None:
    facts = [each for each in three_days().news() if isinstance(each.data, OF_ITEMS) and each.data.item == "I1"]
    item = None
    for fact in facts:
        item = follow(item, fact)
        assert item is not None
        assert follow(item, fact) is None
    assert item is not None
    assert item.open_minor == 300_00


# --- late payment ------------------------------------------------------------------------------------------------------


async def test_each_overdue_item_shows_what_the_law_adds_and_what_that_is_made_of(desk: Office) -> None:  # F6
    on = "as_of=2026-03-04"
    page = await desk.read("rose", f"/ledger/acme?{on}")
    assert f"/late-payment/acme?{on}&amp;known=now#I1" in page or f"/late-payment/acme?{on}&known=now#I1" in page
    working = await desk.read("rose", f"/late-payment/acme?{on}")
    # 500 from 6 February (due 5 February) to 3 March, when 200 were paid, 300 for a day more; 8 % + 3.75 % of 31 December
    assert "= 4.28 GBP, rounded once" in working
    for shown in ("11.75 %", "40.00", "500.00 × 11.75 % × 26", "300.00 × 11.75 % × 1", "not computable because the law of GB"):
        assert shown in working, shown
    assert (await desk.get("nell", "/late-payment/acme")).status_code == 404


def test_a_part_that_is_paid_ends_a_span_and_its_own_day_still_counts() -> None:  # F6
    day = dt.date(2026, 3, 1)
    moved = [Moved(day - 30 * DAY, 500), Moved(day + 2 * DAY, -200), Moved(day + 5 * DAY, -100)]
    assert late_payment.owed(moved, day, day + 9 * DAY) == [
        Owed(day + 2 * DAY, 500),
        Owed(day + 5 * DAY, 300),
        Owed(day + 9 * DAY, 200),
    ]
    assert late_payment.owed(moved, day, day) == []


# --- DSO --------------------------------------------------------------------------------------------------------------


async def test_the_dso_family_is_shown_with_its_working(desk: Office) -> None:  # F3
    today = TODAY + 2 * DAY
    sales = await standing.sales(desk.pool, Scope(), today)
    by_month = {(2025, 10): 258_00, (2025, 12): 80_00, (2026, 1): 500_00, (2026, 2): 410_00, (2026, 3): 70_00}
    assert sales == by_month
    page = await desk.read("rose", f"/receivables/dso?as_of={today}")
    for shown in ("Count-back DSO", "Best possible DSO", "Average days delinquent", "Collection effectiveness", "credit sales"):
        assert shown in page, shown


async def test_a_search_in_receivables_does_not_narrow_half_of_the_dso(desk: Office) -> None:  # F3
    today = TODAY + 2 * DAY
    whole = await desk.read("rose", f"/receivables/dso?as_of={today}")
    assert figures(await desk.read("rose", f"/receivables/dso?as_of={today}&q=acme")) == figures(whole)
    page = await desk.read("rose", "/receivables?q=acme&portfolio=main")
    assert (
        'href="/receivables/dso?portfolio=main"' in page and 'href="/receivables/unallocated?portfolio=main&amp;q=acme"' in page
    )


def figures(page: str) -> str:
    return page.partition('<div class="grid">')[2]


async def test_the_dso_of_an_account_that_is_not_there_says_so_and_shows_no_figure(desk: Office) -> None:  # F3
    page = await desk.read("rose", "/receivables/dso?account=T9999")
    assert "There is no account &#39;T9999&#39;; look for it by number or name." in page and "Count-back DSO" not in page
    page = await desk.read("nell", "/receivables/dso?account=acme")
    assert "No account &#39;acme&#39; is one of yours" in page and "Count-back DSO" not in page
    assert "Count-back DSO" in await desk.read("rose", "/receivables/dso?account=acme")


def test_a_month_without_sales_between_two_had_none() -> None:
    assert measures.known_months({(2025, 12): 5, (2026, 2): 7}, dt.date(2026, 3, 4)) == {
        (2025, 12): 5, (2026, 1): 0, (2026, 2): 7, (2026, 3): 0,
    }  # fmt: skip
    assert measures.known_months({}, TODAY) == {}


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/receivables", ("Acme Ltd", "/ledger/acme", "All that is wanted", "Of the balance")),
        ("/receivables?by=group&sort=balance", ("2 accounts", "group=acme")),
        ("/receivables?by=portfolio&currency=EUR", ("300.00",)),
        ("/receivables?q=nobody", ("Nothing of this is open.",)),
        ("/receivables?currency=ZZZ&after=nonsense&sort=x&by=y&as_of=never", ("Acme Ltd",)),
        ("/receivables?as_of=2026-03-02&known=then", ("as it was known then", "500.00")),
        ("/receivables/unallocated", ("R1", "being matched", "C1", "by its own day")),
        ("/receivables/dso?portfolio=north", ("80.00",)),
        ("/ledger/acme", ("I1", "days late", "Statement of account", "Hold against ours", "EUR", "1,028.00")),
        ("/ledger/acme?as_of=2026-03-02&known=then", ("Known of that day now, and not then", "I4")),
        ("/ledger/acme?currency=EUR", ("E1",)),
    ],
)
async def test_each_page_shows_what_it_is_for(desk: Office, path: str, shown: tuple[str, ...]) -> None:
    page = await desk.read("rose", path)
    for text in shown:
        assert text.lower() in page.lower(), text


NO_DAYS = (
    ("garbage", "&#39;garbage&#39; is no day; write it as "),
    ("2026-13-45", "&#39;2026-13-45&#39; is no day; write it as "),
    ("2999-01-01", "2999-01-01 is not past yet."),
    ("2999-01-01T10:00", "2999-01-01 is not past yet."),
)


@pytest.mark.parametrize(("typed", "why"), NO_DAYS)
async def test_what_is_no_past_day_is_shown_as_now_and_says_so(desk: Office, typed: str, why: str) -> None:  # V7
    for path in ("/ledger/acme", "/receivables", "/receivables/dso", "/accounts/acme", "/payouts", "/stops", "/desk"):
        page = await desk.read("rose", f"{path}?as_of={typed}")
        assert page.count(why) == 1 and " This is now." in page, path
    assert "This is now." not in await desk.read("rose", "/ledger/acme?as_of=2026-03-02")


@pytest.mark.parametrize(("typed", "why"), NO_DAYS)
async def test_no_file_is_made_of_a_day_that_is_none(desk: Office, typed: str, why: str) -> None:  # P13, V7
    for path in ("/statement/pdf/acme?since", "/statement/csv/acme?as_of", "/receivables/trial-balance.csv?as_of",
                 "/receivables/unallocated.csv?as_of"):  # fmt: skip
        answer = await desk.get("rose", f"{path}={typed}")
        assert answer.status_code == 422 and why in answer.text, path
    late = await desk.get("rose", "/statement/csv/acme?as_of=2026-03-02&since=2026-03-03")
    assert late.status_code == 422 and "2026-03-03 lies behind 2026-03-02" in late.text
    assert (await desk.get("rose", "/statement/csv/acme?since=")).status_code == 200


@pytest.mark.parametrize("path", ["/ledger/acme", "/statement/csv/acme"])
async def test_what_a_person_does_not_see_is_not_there(desk: Office, path: str) -> None:  # V8
    assert (await desk.get("nell", path)).status_code == 404
    assert "acme" not in (await desk.read("nell", "/receivables")).lower()


async def test_the_trial_balance_goes_out_as_csv_and_workbook(desk: Office) -> None:  # V6
    answer = await desk.get("rose", "/receivables/trial-balance.csv?currency=GBP")
    assert answer.headers["content-disposition"].startswith('attachment; filename="aged-trial-balance-')
    assert "acme,Acme Ltd" in answer.text
    workbook = await desk.get("rose", "/receivables/trial-balance.xlsx?by=group")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(workbook.content)).get_sheet_by_index(0).to_python()
    assert [row[0] for row in rows[1:]] == ["acme", "north", "Total"]
    assert (await desk.get("rose", "/receivables/trial-balance.doc")).status_code == 404
    assert "R1" in (await desk.get("rose", "/receivables/unallocated.csv")).text


async def test_a_statement_adds_up_with_and_without_movements(desk: Office) -> None:  # P13
    plain = await desk.get("rose", "/statement/csv/acme?as_of=2026-03-02&known=then")
    assert "I1" in plain.text and "I4" not in plain.text
    moved = await desk.get("rose", f"/statement/xlsx/acme?as_of=2026-03-04&since={TODAY}")
    assert moved.status_code == 200
    assert moved.content.startswith(b"PK")


async def test_their_list_is_held_against_ours_and_kept(desk: Office) -> None:  # P13
    theirs = "Reference,Amount\nI1,300.00\nI2,390.00\nX9,12.00\nno number,\n"
    async with await desk.client("rose") as client:
        page = await client.get("/ledger/acme")
        token = page.text.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": token, "account": "acme", "reference": "Reference", "amount": "Amount"}
        shown = await client.post("/reconciliations", data=form, files={"list": ("theirs.csv", theirs)}, follow_redirects=True)
        assert shown.status_code == 200, shown.text
        for text in ("Matched", "Different", "Theirs only", "X9", "10.00", "row of the list could not be read"):
            assert text.lower() in shown.text.lower(), text
        name = str(shown.url).rpartition("/")[2]
        assert (await client.get(f"/reconciliations/{name}/xlsx")).content.startswith(b"PK")
        refused = await client.post("/reconciliations", data=form, files={"list": ("theirs.csv", "A,B\n1,2\n")})
        assert refused.status_code == 422 and "has the headings &#39;Reference&#39;, &#39;Amount&#39;" in refused.text
        assert "the list has &#39;A&#39;, &#39;B&#39;: say them as they stand there, in &#39;Its headings&#39;." in refused.text
        form |= {"reference": "Beleg", "decimal": "comma", "month_first": "1"}
        again = await client.post("/reconciliations", data=form, files={"list": ("theirs.csv", "A,B\n1,2\n")})
        assert "Statement of account" in again.text and "<details open><summary>Its headings" in again.text
        for kept in ('name="reference" value="Beleg"', '<option value="comma" selected>', 'name="month_first" value="1" checked'):
            assert kept in again.text, kept
        none = await client.post("/reconciliations", data=form | {"reference": ""}, files={"list": ("theirs.csv", "A,B\n1,2\n")})
        assert none.status_code == 422 and "the number of the document has no heading" in none.text
        assert "theirs.csv" in (await client.get("/ledger/acme")).text
    assert (await desk.get("nell", f"/reconciliations/{name}")).status_code == 404
