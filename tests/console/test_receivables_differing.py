"""Customers' own lists that differ from ours: told on the day they were read, until a list agrees (P13)."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from services.console.app import SERVICE
from services.console.gauges import Gauges
from services.console.receivables import reconciliations, watching
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, house_of, office
from tests.models.payments_books import invoice

pytestmark = pytest.mark.stack
TOO_MUCH, AGREES = "I1,500.00", "I1,300.00"


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Acme owes 300."""
    ledger = Ledger()
    ledger.open("acme")
    ledger.do(invoice("I1", 300_00))
    async with office(url, tmp_path, ledger) as found:
        yield found


async def holds(client: httpx.AsyncClient, line: str) -> None:
    page = await client.get("/ledger/acme")
    form = {"csrf": page.text.split('name="csrf" value="')[1].split('"')[0], "account": "acme"}
    form |= {"reference": "Reference", "amount": "Amount"}
    answer = await client.post("/reconciliations", data=form, files={"list": ("theirs.csv", f"Reference,Amount\n{line}\n")})
    assert answer.status_code == 303, answer.text


async def test_what_differs_is_open_from_its_day_until_a_list_agrees(desk: Office) -> None:  # P13
    async with await desk.client("rose") as client:
        assert "No customer" in (await client.get("/reconciliations")).text
        await holds(client, TOO_MUCH)
        await holds(client, "I1,501.00")
        (row,) = await reconciliations.open_ones(desk.pool, ())
        assert (row.account, row.differing, row.by) == ("acme", 1, "rose")
        assert row.since < row.at, "open since the first of its lists that differed"
        page = (await client.get("/reconciliations")).text
        assert f"/reconciliations/{row.id}" in page and "rose" in page and "today" in page
        assert row.age(row.since.date() + dt.timedelta(days=3)) == 3
        await holds(client, AGREES)
        assert await reconciliations.open_ones(desk.pool, ()) == []


async def test_only_who_sees_the_account_sees_that_its_list_differs(desk: Office) -> None:  # V8
    async with await desk.client("rose") as client:
        await holds(client, TOO_MUCH)
    assert "theirs.csv" in await desk.read("rose", "/reconciliations")
    assert "theirs.csv" not in await desk.read("nell", "/reconciliations")


async def test_a_list_kept_by_an_earlier_release_counts_as_well(desk: Office) -> None:
    async with await desk.client("rose") as client:
        await holds(client, TOO_MUCH)
    await desk.pool.execute("update reconciliations set differing = null")
    await desk.pool.execute(SERVICE.schema.read_text())
    assert [row.differing for row in await reconciliations.open_ones(desk.pool, ())] == [1]


async def test_a_metric_says_how_many_differ_and_for_how_long(desk: Office) -> None:  # P13
    registry, today = CollectorRegistry(), dt.datetime.now(dt.UTC).date()
    gauges = Gauges(registry)

    def told() -> list[float | None]:
        names = ("quittance_reconciliations_differing", "quittance_reconciliations_oldest_days")
        return [registry.get_sample_value(name) for name in names]

    await watching.look(desk.pool, gauges, today, whole=False)
    assert told() == [0, 0]
    async with await desk.client("rose") as client:
        await holds(client, TOO_MUCH)
    await watching.look(desk.pool, gauges, today + dt.timedelta(days=2), whole=False)
    assert told() == [1, 2]
