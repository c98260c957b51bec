"""Statements that the ledger issued, on the account's page and as paper (P13)."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contracts.payments import IssueStatement
from services.console.receivables.stated import ISSUED, of
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, hear, house_of, office
from tests.models.payments_books import cash, invoice, pays

pytestmark = pytest.mark.stack
MARCH, APRIL = dt.date(2026, 3, 31), dt.date(2026, 4, 30)


def morning(month: int, day: int) -> dt.datetime:
    return dt.datetime(2026, month, day, 6, tzinfo=dt.UTC)


def two_months() -> Ledger:
    """Acme owes 500 at the end of March, and 300 at the end of April."""
    ledger = Ledger()
    ledger.open("acme")
    ledger.open("north", portfolio="north")
    ledger.do(invoice("I1", 500_00))
    ledger.at = morning(4, 1)
    ledger.do(IssueStatement(account="acme"))
    ledger.do(cash("R1", 200_00, received_on=ledger.at.date()))
    ledger.do(pays("R1", ("I1", 200_00)))
    ledger.at = morning(5, 1)
    ledger.do(IssueStatement(account="acme"))
    return ledger


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(url, tmp_path, two_months()) as found:
        yield found


async def test_the_accounts_page_shows_each_statement_with_its_paper(desk: Office) -> None:  # P13
    assert [(each.number, each.as_of, each.since) for each in await of(desk.pool, "acme")] == [
        (2, APRIL, MARCH),
        (1, MARCH, None),
    ]
    page = await desk.read("rose", "/ledger/acme")
    for as_of in (MARCH, APRIL):
        for form in ("pdf", "xlsx", "csv"):
            assert f'href="/statement/{form}/acme?as_of={as_of}&amp;known=then"' in page
    assert "None was issued" in await desk.read("nell", "/ledger/north")


async def test_its_paper_tells_what_was_known_on_its_day_however_late_it_is_made(desk: Office) -> None:  # P13, P12
    march = (await desk.get("rose", f"/statement/csv/acme?as_of={MARCH}&known=then")).text
    april = (await desk.get("rose", f"/statement/csv/acme?as_of={APRIL}&known=then")).text
    assert "500.00" in march and "300.00" not in march
    assert "300.00" in april


async def test_a_past_day_shows_those_that_had_left_by_then(desk: Office) -> None:  # V7
    page = await desk.read("rose", "/ledger/acme?as_of=2026-04-15")
    assert f"as_of={MARCH}&amp;known=then" in page and f"as_of={APRIL}&amp;known=then" not in page


async def test_a_fact_that_comes_twice_is_one_row(desk: Office) -> None:
    desk.ledger.heard = 0
    async with desk.pool.acquire() as connection:
        await hear(connection, desk.ledger.news())
    assert await desk.pool.fetchval(f"select count(*) from {ISSUED.name}") == 2
