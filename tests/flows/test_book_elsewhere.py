"""An account whose book the ERP keeps, on the real stack: cash lands, its held order goes, a request goes out, the ERP's file
comes in and settles the item (P1, O7, G3)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from services.payments.state import Asked, Item
from shared.testing import Servers
from tests.flows.test_gateway_payments import sent, statement
from tests.running import House, house

pytestmark = pytest.mark.stack

ACCOUNTS = "account,name,currency,limit,legal_entity\nM1,Castle Mobile,GBP,1000.01,erp_example\n"
POSTINGS = "document,company_code,account,posted_on,does,item,kind,amount,currency,document_on,due_on,reference,answers\n"
BILL = "9000001/2026,1000,M1,2026-11-01,opens,INV-2026-778812,invoice,900.00,GBP,2026-11-01,2026-12-01,,\n"
SECONDS_MAX = 40.0


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house"), services=("accounts", "orders", "payments", "gateway")) as found:
        yield found


def rows(running: House, sql: str) -> list[bytes]:
    async def asked() -> list[bytes]:
        connection = await asyncpg.connect(running.settings.database("payments"))
        try:
            return [row[0] for row in await connection.fetch(sql)]
        finally:
            await connection.close()

    return asyncio.run(asked())


def items(running: House) -> dict[str, Item]:
    found = [msgspec.json.decode(body, type=Item) for body in rows(running, "select body from item")]
    return {item.kind: item for item in found}


def requests(running: House) -> dict[str, Asked]:
    found = [msgspec.json.decode(body, type=Asked) for body in rows(running, "select body from erp_request")]
    return {asked.kind: asked for asked in found}


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.2)


def held(client: httpx.Client) -> list[str]:
    return [row["order"] for row in client.get("/v1/held").json()["orders"]]


def order(client: httpx.Client) -> dict[str, Any]:
    body = {"reference": "story", "account": "M1", "currency": "GBP", "total": "500.00"}
    deadline = time.monotonic() + SECONDS_MAX
    while (answer := client.post("/v1/orders", json=body, headers={"Prefer": "wait=20"})).status_code == 503:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.2)
    found: dict[str, Any] = answer.json()
    return found


def test_cash_frees_the_order_and_the_erps_posting_settles_the_item(running: House) -> None:  # P1, O7
    with running.client() as client:
        assert sent(client, "accounts", ACCOUNTS)["outcomes"] == {"opened": 1}
        assert sent(client, "postings", POSTINGS + BILL)["outcomes"] == {"posted": 1}
        assert order(client)["outcome"] in ("held", "referred")

        sent(client, "bank", statement("2026-1", "900.00", text="payment for INV-2026-778812"))
        until(lambda: not held(client))  # the cash alone frees it: nothing is settled yet
        until(lambda: {"receipt", "allocation"} <= set(requests(running)))
        asked, landed = requests(running)["allocation"], requests(running)["receipt"]
        assert {kind: item.open_minor for kind, item in items(running).items()} == {"invoice": 900_00, "receipt": -900_00}

        file = POSTINGS + (
            f"1400000/2026,1000,M1,2026-11-26,opens,1400000/2026,receipt,-900.00,GBP,2026-11-26,,{landed.request},{landed.request}\n"
            f"1400001/2026,1000,M1,2026-11-26,clears,INV-2026-778812,,900.00,GBP,,,,{asked.request}\n"
            f"1400001/2026,1000,M1,2026-11-26,clears,1400000/2026,,-900.00,GBP,,,{landed.request},{asked.request}\n"
        )
        assert sent(client, "postings", file)["outcomes"] == {"posted": 2}
        until(lambda: {each.state for each in requests(running).values()} == {"closed"})
        assert {kind: item.open_minor for kind, item in items(running).items()} == {"invoice": 0, "receipt": 0}

        again = sent(client, "postings", file + "\n")
        assert (again["outcomes"], again["repeated_rows"]) == ({}, 3)
        assert rows(running, "select sum(base_minor)::bigint from ledger") == [0]
