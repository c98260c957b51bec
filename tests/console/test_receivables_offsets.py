"""Offsets as clerks reach them: proposed by due date, taken as they were shown, told on paper, taken back (P8)."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from contracts.payments import OffsetItems
from services.console.receivables import offsetting
from services.console.receivables.allocating import Unfit
from services.console.receivables.house import house
from services.payments.policies import in_force
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, house_of, office
from tests.models.payments_books import DAY, TODAY, credit_note, invoice

pytestmark = pytest.mark.stack
ALL = "/receivables/offsets?all=1"


def the_books() -> Ledger:
    """The clock of a page is the wall's, so that what is due is due by it too."""
    ledger = Ledger()
    ledger.open("acme")
    ledger.open("north", portfolio="north")
    for each in (
        invoice("I1", 500_00, due_on=TODAY + 5 * DAY),
        invoice("I2", 400_00, due_on=TODAY - 5 * DAY),
        invoice("I3", 300_00, due_on=TODAY + 9_000 * DAY),
        credit_note("C1", 600_00),
        credit_note("C2", 350_00),
        invoice("N1", 10_00, "north"),
    ):
        ledger.do(each)
    return ledger


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(url, tmp_path, the_books()) as found:
        yield found


async def takes(desk: Office, credit: str, who: str = "rose", agreement: str = "A-1") -> httpx.Response:
    page = await desk.read(who, ALL)
    shown = re.search(rf'data-credit="{credit}".*?name="lines" value="([^"]*)"', page, re.DOTALL)
    assert shown
    form = {"do": "take", "account": "acme", "credit": credit, "lines": html.unescape(shown[1])}
    return await desk.act(who, "", "/receivables/offsets/act", ALL, **form, agreement=agreement, reason="monthly")


async def test_what_would_be_set_off_is_offered_by_due_date_and_taken_as_shown(desk: Office) -> None:  # P8
    page = await desk.read("rose", ALL)
    assert "I3" not in page  # due too late
    assert (await takes(desk, "C1")).status_code == 200
    (wish,) = [each for each in desk.wished if isinstance(each, OffsetItems)]
    assert [(line.item, line.settled_minor) for line in wish.lines] == [("I2", 400_00), ("I1", 200_00)]
    assert (desk.ledger.item("C1").open_minor, desk.ledger.item("I1").open_minor) == (0, 300_00)


async def test_two_credits_are_not_offered_the_same_debt(desk: Office) -> None:  # P8
    page = await desk.read("rose", ALL)
    lines = [html.unescape(text) for text in re.findall(r'name="lines" value="([^"]*)"', page)]
    assert [text.splitlines() for text in lines] == [["I2\t40000", "I1\t20000"], ["I1\t30000"]]


async def test_without_an_agreement_it_is_refused_and_with_one_it_is_remembered(desk: Office) -> None:  # P8
    refused = await takes(desk, "C1", agreement="")
    assert refused.status_code == 409 and "by agreement only" in refused.text
    assert "by agreement" in await desk.read("rose", "/receivables/offsets")
    await takes(desk, "C1")
    offered = await desk.read("rose", "/receivables/offsets")
    assert 'data-credit="C2"' in offered and 'value="A-1"' in offered


async def test_an_offset_has_its_statement_and_is_taken_back(desk: Office) -> None:  # P8
    page = (await takes(desk, "C1")).text
    found = re.search(r'href="(/receivables/offsets/OF-[0-9A-F]+)\.pdf"', page)
    assert found
    csv = await desk.get("rose", f"{found[1]}.csv")
    assert "I2" in csv.text and "400.00" in csv.text
    assert (await desk.get("rose", f"{found[1]}.pdf")).content.startswith(b"%PDF")
    assert (await desk.get("nell", f"{found[1]}.csv")).status_code == 404
    form = {"do": "undo", "account": "acme", "offset": found[1].rpartition("/")[2], "reason": "not agreed"}
    back = await desk.act("rose", "", "/receivables/offsets/act", ALL, **form)
    assert "is open again" in back.text and "taken back by rose" in back.text
    assert desk.ledger.item("C1").open_minor == -600_00


async def test_who_does_not_see_the_account_sets_nothing_off(desk: Office) -> None:  # V8
    assert "acme" not in (await desk.read("nell", ALL)).lower()
    form = {"do": "take", "account": "acme", "credit": "C1", "lines": "I2\t1", "reason": "x"}
    assert (await desk.act("nell", "", "/receivables/offsets/act", "/cash", **form)).status_code == 404
    assert not desk.wished


@pytest.mark.parametrize("form", [{"do": "take"}, {"do": "take", "lines": "I1\tmuch"}, {"do": "else"}, {"do": "undo"}])
def test_what_is_no_offset_is_said_in_words(form: dict[str, str]) -> None:
    with pytest.raises(Unfit):
        offsetting.command_of(form)


def test_the_page_offers_what_the_ledgers_policy_allows() -> None:
    assert house().offset_days_ahead == in_force(TODAY).offset.days_ahead
