"""The ERP's ledger beside ours, on pages: requests that wait and their file, lists of differences, the desk's receipts (P1)."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contracts.accounts import AccountOpened, Terms
from services.console.receivables.allocating import Wish, told_of
from services.console.wishes import Outcome
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, envelope, house_of, office
from tests.models.payments_books import cash, pays
from tests.models.test_payments_mirror import RC, clears, document, opens

pytestmark = pytest.mark.stack

TERMS = Terms(legal_entity="erp_example")
LIST = (
    "Account,Document Number,Reference,Amount in doc. curr.,Document Currency,Net Due Date\n"
    "acme,I1,,500.00,GBP,2026-03-02\nacme,I2,,75.00,GBP,2026-03-02\nacme,I9,,12.00,GBP,2026-03-02\n"
    "acme,14000,0123456789ABCDEF,-600.00,GBP,\nacme,I4,,no figure,GBP,\n"
)


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    ledger = Ledger()
    account = AccountOpened(account="acme", home="acme", name="Acme Ltd", currency="GBP", limit_minor=1, terms=TERMS)
    ledger.do(account)
    ledger.masters.append(envelope(account, ledger.at, "acme", 1))
    ledger.do(document("1/2026", opens("I1", 500_00)))
    ledger.do(document("2/2026", opens("I2", 70_00)))
    ledger.do(cash(RC, 600_00))
    async with office(url, tmp_path, ledger) as found:
        yield found


async def agrees(desk: Office) -> str:
    """The console's row stands as the ledger's; its state."""
    await desk.catch_up()
    row, own = await desk.pool.fetchrow("select * from receipts where receipt = $1", RC), desk.ledger.receipt(RC)
    mine = tuple(row[name] for name in ("state", "version", "unallocated_minor", "requested_minor"))
    assert mine == (own.state, own.version, own.unallocated_minor, own.requested_minor)
    return str(own.state)


async def test_a_receipt_stands_on_the_desk_as_the_ledger_has_it_through_all_that_the_erp_does(desk: Office) -> None:
    ledger = desk.ledger
    ledger.do(pays(RC, ("I1", 500_00)))
    assert await agrees(desk) == "referred"
    ledger.do(pays(RC, ("I2", 70_00)))
    ledger.do(document("3/2026", opens("I3", 30_00)))
    ledger.do(pays(RC, ("I3", 30_00)))
    assert await agrees(desk) == "requested"
    asked = [each for each in ledger.tables["erp_request"].values() if each.kind == "allocation"]
    ledger.do(document("14/2026", clears("I1", 500_00), clears(RC, -500_00), answers=asked[0].request))
    assert await agrees(desk) == "requested"
    ledger.do(document("15/2026", clears("I2", 70_00), clears("I3", 30_00), clears(RC, -100_00)))
    assert await agrees(desk) == "done"
    ledger.do(document("16/2026", reverses="14/2026"))
    await agrees(desk)
    assert "The ERP posted 16/2026" in await desk.read("rose", f"/cash/{RC}")


def test_the_desk_never_says_that_what_is_only_asked_is_done() -> None:
    asked = Outcome(how="done", said="", fact={"request": "0123456789ABCDEF", "answer_by": "2026-03-05"})
    told = told_of(Wish(do="allocate"), asked, RC, "GBP")
    assert told.text == f"{RC}: asked of the ERP, which keeps this book (0123456789ABCDEF)." and told.ended


async def test_what_is_asked_is_listed_and_goes_out_as_a_file(desk: Office) -> None:
    desk.ledger.do(pays(RC, ("I1", 500_00), reason="as advised"))
    await desk.catch_up()
    request = next(each.request for each in desk.ledger.tables["erp_request"].values() if each.kind == "allocation")
    page = await desk.read("rose", "/receivables/erp")
    assert request in page and "as advised" in page
    text = (await desk.get("rose", "/receivables/erp/requests/csv")).text
    assert [line.split(",")[0] for line in text.splitlines() if request in line] == [request, request]
    assert (await desk.get("rose", "/receivables/erp/requests/xlsx")).content.startswith(b"PK")
    assert request not in await desk.read("nell", "/receivables/erp")


async def test_the_erps_list_is_held_against_ours_and_kept(desk: Office) -> None:
    desk.ledger.do(pays(RC, ("I2", 70_00)))
    await desk.catch_up()
    async with await desk.client("rose") as client:
        token = (await client.get("/receivables/erp")).text.split('name="csrf" value="')[1].split('"')[0]
        form = {"csrf": token, "entity": "erp_example", "on": ""}
        shown = await client.post("/receivables/erp", data=form, files={"list": ("open.csv", LIST)}, follow_redirects=True)
        assert shown.status_code == 200, shown.text
        for text in ("theirs only", "amount", "I9", "75.00", "/ledger/acme#item-I2", "row of the list could not be read"):
            assert text in shown.text, text
        assert ">I1<" not in shown.text and RC not in shown.text  # the same on both sides
        name = str(shown.url).rpartition("/")[2]
        assert (await client.get(f"/receivables/erp/{name}/xlsx")).content.startswith(b"PK")
        assert "I9" in (await client.get(f"/receivables/erp/{name}/csv")).text
        refused = await client.post("/receivables/erp", data=form, files={"list": ("open.csv", "A,B\n1,2\n")})
        assert refused.status_code == 422 and "has the headings" in refused.text
        assert "open.csv" in (await client.get("/receivables/erp")).text
    row = await desk.pool.fetchrow('select by, legal_entity, digest, "on" from erp_differences')
    assert (row["by"], row["legal_entity"], len(row["digest"])) == ("rose", "erp_example", 64)
    assert isinstance(row["on"], dt.date)
    assert (await desk.get("nell", f"/receivables/erp/{name}")).status_code == 404
