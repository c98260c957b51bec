"""The gateway with the ledger behind it, on the real stack: invoices, bank files, advices, the cash desk (P2, P3, P4)."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from quittance.map import README, REPOSITORY
from services.gateway import flows, quarantine, uploads
from services.gateway.credentials import Credential, development
from services.gateway.reading import TRIES_MAX
from shared.testing import Servers
from tests.running import House, finished, house

pytestmark = pytest.mark.stack

ACCOUNTS = b"account,name,currency,limit,parent\nA1,Castle Mobile,GBP,1000.00,\nA2,Castle North,GBP,500.00,A1\n"
INVOICES = "account,item,kind,amount,currency,document_on,due_on\n"
BANK = "GB29NWBK60161331926819"
STATEMENT = "bank_account,statement,booked_on,amount,currency,payer,text,balance\n"
ADVICE = "payment_reference,payer,currency,document,amount\nP-9,Castle Mobile,GBP,INV-1,90.00\n"
BANK_LINE = re.compile(r"-H '(Content-Type): ([^']+)' \\\n +--data-binary @(\S+) 'localhost:8080(/v1/files/bank\S*)'")
CSV = {"Content-Type": "text/csv"}
EVENT = {"Content-Type": "application/cloudevents+json", "Prefer": "wait=20"}


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house"), services=("accounts", "orders", "payments", "gateway")) as found:
        yield found


@pytest.fixture(scope="module")
def client(running: House) -> Iterator[httpx.Client]:
    with running.client() as found:
        assert sent(found, "accounts", ACCOUNTS.decode())["outcomes"] == {"opened": 2}
        yield found


def sent(client: httpx.Client, kind: str, text: str, **query: str) -> dict[str, Any]:
    answer = client.post(f"/v1/files/{kind}", content=text.encode(), headers=CSV, params=query)
    assert answer.status_code == 202, answer.text
    return finished(client, answer.json()["flow"])


def wished(client: httpx.Client, name: str, **data: Any) -> dict[str, Any]:
    answer = client.post("/v1/events", content=json.dumps(event(name, data)), headers=EVENT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def event(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "id": uuid4().hex, "source": "/desk", "type": f"payments.{name}.v1", "data": data}


def until(asked: Any, seconds: float = 30.0) -> dict[str, Any]:
    """The first answer that is no refusal: what went before may still be on its way."""
    deadline = time.monotonic() + seconds
    while (found := asked())["outcome"] == "refused" and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


def counts(flow: dict[str, Any]) -> tuple[int, int, int, int]:
    return flow["rows"], flow["accepted_rows"], flow["repeated_rows"], flow["quarantined_rows"]


def withheld(client: httpx.Client, flow: str) -> list[tuple[str, str]]:
    rows = client.get(f"/v1/flows/{flow}/quarantine").json()["rows"]
    return [(row["errors"][0]["field"], row["errors"][0]["problem"]) for row in rows]


# --- invoices -------------------------------------------------------------------------------------------------------


def test_invoices_of_a_file_are_posted_repeated_or_withheld_each_by_itself(client: httpx.Client) -> None:  # P2
    good = "A1,INV-1,invoice,100.00,GBP,2026-11-01,2026-12-01\nA2,CN-1,credit_note,5.00,GBP,2026-11-02,\n"
    first = sent(client, "invoices", INVOICES + good + "A9,INV-2,invoice,1.00,GBP,2026-11-01,\n")
    assert (first["outcomes"], counts(first)) == ({"posted": 2}, (3, 2, 0, 1))
    assert withheld(client, first["flow"]) == [("account", "account 'A9' is not known")]
    second = sent(client, "invoices", INVOICES + good + "A1,INV-1,invoice,101.00,GBP,2026-11-01,2026-12-01\n")
    assert counts(second) == (3, 0, 2, 1)


def test_an_invoice_the_ledger_kept_out_comes_again_mended_under_its_own_number(client: httpx.Client) -> None:  # P2
    bad = "A1,INV-5,invoice,10.00,GBP,2026-11-01,2026-10-01\n"
    assert sent(client, "invoices", INVOICES + bad)["outcomes"] == {"refused": 1}
    mended = sent(client, "invoices", INVOICES + bad.replace("2026-10-01", "2026-12-01"))
    assert (mended["outcomes"], counts(mended)) == ({"posted": 1}, (1, 1, 0, 0))


def test_an_invoice_by_event_is_answered_and_its_number_is_the_files_too(client: httpx.Client) -> None:  # P2
    item = {"account": "A1", "item": "INV-7", "kind": "invoice", "amount_minor": 700, "currency": "GBP",
            "document_on": "2026-11-01", "due_on": "2026-12-01"}  # fmt: skip
    answered = wished(client, "post_item", **item)
    assert (answered["outcome"], answered["subject"], answered["fact"]["data"]["item"]) == ("posted", "INV-7", "INV-7")
    again = sent(client, "invoices", INVOICES + "A1,INV-7,invoice,7.00,GBP,2026-11-01,2026-12-01\n")
    assert counts(again) == (1, 0, 1, 0)
    assert wished(client, "post_item", **item)["repeated"]
    other = client.post("/v1/events", content=json.dumps(event("post_item", item | {"amount_minor": 1})), headers=EVENT)
    assert other.status_code == 409


# --- the bank -------------------------------------------------------------------------------------------------------


def statement(number: str, *amounts: str, opening: float = 0.0, text: str = "thank you", payer: str = "Castle Mobile") -> str:
    rows, balance = "", opening
    for amount in amounts:
        balance += float(amount)
        rows += f"{BANK},{number},2026-11-26,{amount},GBP,{payer},{text},{balance:.2f}\n"
    return STATEMENT + rows


def test_a_statement_is_taken_once_whichever_file_it_comes_in(client: httpx.Client) -> None:  # P3
    text = statement("2026-1", "60.00", "40.00")
    first = sent(client, "bank", text, name="one.csv")
    assert (first["outcomes"], counts(first), first["documents"]) == ({"taken": 1}, (2, 2, 0, 0), 1)
    again = client.post("/v1/files/bank", content=text.encode(), headers=CSV)
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert sent(client, "bank", text + "\n")["outcomes"] == {"repeated": 1}
    assert sent(client, "bank", statement("2026-1", "60.00", "41.00"))["outcomes"] == {"refused": 1}


def test_a_long_statement_goes_in_parts_and_each_is_taken(client: httpx.Client) -> None:  # P3
    found = sent(client, "bank", statement("2026-2", *["1.00"] * 450))
    assert (found["outcomes"], found["documents"], found["rows"]) == ({"taken": 3}, 3, 450)


def test_a_statement_that_does_not_add_up_is_kept_out_whole_with_its_bytes(client: httpx.Client) -> None:  # P3
    broken = statement("2026-3", "10.00", "20.00").replace("30.00\n", "31.00\n")
    found = sent(client, "bank", broken)
    assert (found["state"], found["outcomes"], counts(found)) == ("refused", {}, (1, 0, 0, 1))
    (row,) = client.get(f"/v1/flows/{found['flow']}/quarantine").json()["rows"]
    assert row["bytes"] == broken
    assert row["errors"][0]["problem"] in found["failure"]
    assert sent(client, "bank", broken)["state"] == "refused"
    assert len(withheld(client, found["flow"])) == 1


def test_a_bank_file_kept_out_is_mended_and_replayed_by_a_person(running: House, client: httpx.Client) -> None:  # G2
    right = statement("2026-4", "10.00", "20.00")
    found = sent(client, "bank", right.replace("30.00\n", "31.00\n"))
    (row,) = client.get(f"/v1/flows/{found['flow']}/quarantine").json()["rows"]
    assert asyncio.run(_mended(running, row["id"], right.encode())) == (2, 0, 0)
    after = finished(client, found["flow"])
    assert (after["state"], after["outcomes"], counts(after)) == ("finished", {"taken": 1}, (2, 2, 0, 0))
    assert withheld(client, found["flow"]) == []


def test_a_bank_file_that_ends_its_reader_each_time_is_kept_out(running: House, client: httpx.Client) -> None:  # 4
    flow = asyncio.run(_tried_before(running, statement("2026-8", "1.00").encode()))
    found = finished(client, flow)
    assert (found["state"], counts(found)) == ("refused", (1, 0, 0, 1))
    assert found["failure"].startswith("file: reading it failed 3 times")
    assert sent(client, "bank", statement("2026-8", "1.00"))["outcomes"] == {"taken": 1}


async def _tried_before(running: House, data: bytes) -> str:
    """A stored file whose reader never came back, three times."""

    async def body() -> AsyncIterator[bytes]:
        yield data

    who = development()
    async with asyncpg.create_pool(running.settings.database("gateway"), min_size=1, max_size=2) as pool:
        upload = await uploads.store(pool, who.team, body())
        flow = flows.flow_id(who.team, "file", "bank", upload.digest.hex())
        async with pool.acquire() as connection, connection.transaction():
            await flows.open_file(connection, flow, who, "bank", "bad.csv", upload, None)
            await connection.execute("update flow set tries = $2 where id = $1", flow, TRIES_MAX)
    return flow


async def _mended(running: House, number: int, right: bytes) -> tuple[int, ...]:
    async with asyncpg.create_pool(running.settings.database("gateway"), min_size=1, max_size=3) as pool:
        async with pool.acquire() as connection:
            assert await quarantine.repair(connection, number, right)
        return await quarantine.replay(pool, running.settings, [number], development(), dt.datetime.now(dt.UTC))


def test_an_advice_needs_its_account_and_then_goes_on(client: httpx.Client) -> None:  # P4
    nameless = sent(client, "bank", ADVICE)
    assert (nameless["state"], withheld(client, nameless["flow"])[0][0]) == ("refused", "account")
    named = sent(client, "bank", ADVICE, account="A1")
    assert (named["outcomes"], counts(named)) == ({"taken": 1}, (1, 1, 0, 0))
    assert withheld(client, nameless["flow"]) == []
    assert counts(client.get(f"/v1/flows/{nameless['flow']}").json()) == (1, 1, 0, 0)
    unknown = client.post("/v1/files/bank", content=ADVICE.encode(), headers=CSV, params={"account": "A9"})
    assert unknown.status_code == 422


def test_opening_items_are_posted_and_wait_for_their_accounts(client: httpx.Client) -> None:  # G3
    head = "Account,Document Number,Document Type,Document Date,Net due date,Amount in doc. curr.,Document currency\n"
    rows = "A1,1800001,RV,2026-10-01,2026-10-31,250.00,GBP\nA1,1600001,DG,2026-10-05,,-50.00,GBP\n"
    assert sent(client, "bank", head + rows)["outcomes"] == {"posted": 2}
    unknown = sent(client, "bank", head + rows + "A9,1800002,RV,2026-10-01,2026-10-31,1.00,GBP\n")
    assert (unknown["state"], unknown["failure"].count("account 'A9' is not known")) == ("refused", 1)
    more = sent(client, "bank", head + rows + "A2,1800003,RV,2026-10-01,2026-10-31,1.00,GBP\n")
    assert (more["outcomes"], counts(more)) == ({"posted": 1}, (3, 1, 2, 0))


def test_bank_files_are_for_credentials_that_may_and_see_all(running: House, client: httpx.Client) -> None:  # G1
    limited = Credential("s", "south", "s", "controller", "south", ("*",), ("south",))
    advising = Credential("p", "payer", "p", "feed", "payer", ("payments.take_advice",))
    orders = Credential("o", "shop", "o", "feed", "shop", ("orders.place_order",))
    for who, status in ((limited, 403), (orders, 403)):
        with running.client(who) as other:
            assert other.post("/v1/files/bank", content=b"x", headers=CSV).status_code == status
    with running.client(advising) as other:
        found = sent(other, "bank", statement("2026-9", "1.00"))
        assert (found["state"], "may not send payments.take_statement" in found["failure"]) == ("refused", True)
        assert sent(other, "bank", ADVICE.replace("P-9", "P-10"), account="A1")["outcomes"] == {"taken": 1}


def test_the_line_of_the_readme_that_sends_a_bank_file_is_taken(client: httpx.Client) -> None:
    said = BANK_LINE.search(README.read_text())
    assert said is not None, "the README says how a bank file is sent"
    header, media, file, path = said.groups()
    answer = client.post(path, content=(REPOSITORY / file).read_bytes(), headers={header: media})
    assert answer.status_code == 202, answer.text
    assert counts(finished(client, answer.json()["flow"]))[3] == 0
    refused = client.post(path, content=b"", headers={header: "application/x-www-form-urlencoded"})
    assert refused.json()["errors"][0]["mend"] == f"send {header}: {media}"


# --- the cash desk --------------------------------------------------------------------------------------------------


def test_cash_is_recognised_allocated_taken_back_and_given_back(client: httpx.Client) -> None:  # P5, P6, P7
    sent(client, "invoices", INVOICES + "A2,INV-20,invoice,250.00,GBP,2026-11-01,2026-12-01\n")
    sent(client, "bank", statement("2026-5", "61.00", payer="Somebody Else"))
    where = {"bank_account": BANK, "entry": "2026-5/1"}
    found = wished(client, "recognise_cash", **where, account="A2")
    assert found["outcome"] == "recognised", found
    assert found["fact"]["data"]["payer_home"] == "A1"
    receipt = found["fact"]["data"]["receipt"]
    line = {"item": "INV-20", "settled_minor": 6_100, "paid_minor": 6_100}
    allocated = until(lambda: wished(client, "allocate_cash", account="A2", receipt=receipt, lines=[line]))
    assert allocated["outcome"] == "allocated", allocated
    match = allocated["fact"]["data"]["match"]
    taken_back = wished(client, "unallocate_cash", account="A2", match=match, reason="wrong invoice")
    assert (taken_back["outcome"], taken_back["fact"]["type"]) == ("unallocated", "payments.cash_unallocated.v1")
    again = wished(client, "unallocate_cash", account="A2", match=match, reason="wrong invoice")
    assert again["outcome"] == "unchanged"
    kept = wished(client, "take_cash", account="A2", receipt=receipt, owner="pia")
    assert kept["outcome"] == "taken"
    assert wished(client, "give_back_cash", account="A2", receipt=receipt, reason="not theirs")["outcome"] == "given back"


def test_what_is_nobodys_payment_is_set_aside(client: httpx.Client) -> None:  # P3
    sent(client, "bank", statement("2026-6", "-2.50", opening=100.0))
    answered = wished(client, "set_aside_entry", bank_account=BANK, entry="2026-6/1", ledger="bank_charges", reason="fees")
    assert answered["outcome"] in {"set aside", "unchanged"}, answered


def test_a_refusal_is_an_outcome_with_its_reason(client: httpx.Client) -> None:
    answered = wished(client, "keep_on_account", account="A1", receipt="RC-NONE", reason="asked")
    assert (answered["outcome"], answered["fact"]["data"]["reason"]) == ("refused", "unknown_receipt")


def test_a_month_is_closed_on_every_partition_by_one_wish(running: House, client: httpx.Client) -> None:  # P14
    month = {"account": "ledger", "month": "2020-01-01"}
    answer = client.post("/v1/events", content=json.dumps(event("close_period", month)), headers=EVENT)
    assert (answer.status_code, answer.json()["outcomes"]) == (200, {"closed": running.settings.partitions})


def test_the_ledgers_own_steps_are_no_events(client: httpx.Client) -> None:  # G1
    for name in ("receive_cash", "undo_match", "withdraw_cash", "note_card_outcome"):
        answer = client.post("/v1/events", content=json.dumps(event(name, {})), headers=EVENT)
        assert answer.status_code == 422


def test_money_without_an_account_is_in_no_portfolio(running: House, client: httpx.Client) -> None:  # G1
    with running.client(Credential("s", "south", "s", "controller", "south", ("*",), ("south",))) as other:
        for name, data in (
            ("recognise_cash", {"bank_account": BANK, "entry": "x", "account": "A1"}),
            ("set_aside_entry", {"bank_account": BANK, "entry": "x", "ledger": "bank_charges", "reason": "r"}),
            ("close_period", {"account": "ledger", "month": "2020-01-01"}),
        ):
            assert other.post("/v1/events", content=json.dumps(event(name, data)), headers=EVENT).status_code == 403
