"""The gateway with accounts and orders behind it, on the real stack: each kind of bad input gets a clear answer (G1, G2, O1)."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import xlsxwriter

from services.gateway import held, quarantine
from services.gateway import withheld as withheld_rows
from services.gateway.answering import BODY_BYTES_MAX
from services.gateway.credentials import Credential, console, development, find, only
from shared.stuck import Stuck
from shared.testing import Servers
from tests.running import House, finished, house

pytestmark = pytest.mark.stack

ACCOUNTS = b"account,name,currency,limit\nA1,Castle Mobile,GBP,1000.00\nA2,Yen Shop,JPY,500000\n"
WHOLESALE = "order_ref,received_at,account,country,sku,description,quantity,unit_price\n"
JSON = {"Content-Type": "application/json"}
OTTO = {"Quittance-Actor": "otto", "Quittance-Role": "ops", "Quittance-Team": "home"}
CSV = {"Content-Type": "text/csv"}


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(scope="module")
def client(running: House) -> Iterator[httpx.Client]:
    with running.client() as found:
        sent = found.post("/v1/files/accounts", content=ACCOUNTS, headers=CSV)
        assert sent.status_code == 202, sent.text
        assert finished(found, sent.json()["flow"])["outcomes"] == {"opened": 2}
        _await_desk(found)
        yield found


def _await_desk(client: httpx.Client) -> None:
    """An order is answered once the order desk knows the account."""
    for _ in range(100):
        if client.post("/v1/orders", json=order("first", total="0.01")).status_code != 503:
            return
        asyncio.run(asyncio.sleep(0.1))
    raise TimeoutError("the order desk never heard of the account")


def order(reference: str, **change: Any) -> dict[str, Any]:
    return {"reference": reference, "account": "A1", "currency": "GBP", "total": "10.00"} | change


def line(reference: str, account: str = "A1", quantity: str = "1", price: str = "1.00") -> str:
    return f"{reference},2026-11-02T08:26:00,{account},UK,X,A thing,{quantity},{price}\n"


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()


def sent_file(client: httpx.Client, content: bytes, kind: str = "wholesale") -> dict[str, Any]:
    answer = client.post(f"/v1/files/{kind}", content=content, headers=CSV)
    assert answer.status_code == 202, answer.text
    return finished(client, answer.json()["flow"])


def withheld(client: httpx.Client, flow: str) -> list[tuple[int, str, str]]:
    rows = client.get(f"/v1/flows/{flow}/quarantine").json()["rows"]
    return [(row["line"], row["errors"][0]["field"], row["errors"][0]["problem"]) for row in rows]


# --- who ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1/held", "/v1/flows/x", "/v1/flows/x/quarantine"])
def test_nothing_is_shown_without_a_credential(running: House, path: str) -> None:
    answer = httpx.get(f"{running.url}{path}")
    assert problem(answer, 401)
    # One challenge a line, or a browser would never ask for the password of the held page.
    assert [challenge.split()[0] for challenge in answer.headers.get_list("www-authenticate")] == ["Basic", "Bearer"]
    assert "Bearer" in answer.headers["www-authenticate"]


def test_a_credential_sends_only_what_it_may_and_sees_only_its_own(running: House, client: httpx.Client) -> None:
    flow = client.post("/v1/orders", json=order("mine")).json()["flow"]
    with running.client(Credential("w", "north", "w", "controller", "north", ("orders.record_despatch",))) as other:
        assert "may not send orders.place_order" in problem(other.post("/v1/orders", json=order("x")), 403)["detail"]
        problem(other.post("/v1/files/wholesale", content=b"x", headers=CSV), 403)
        problem(other.get(f"/v1/flows/{flow}"), 404)


def test_who_only_reads_sends_nothing_and_sees_what_there_is(running: House, client: httpx.Client) -> None:  # V8
    event = {"specversion": "1.0", "id": "sal/1", "source": "/t", "type": "orders.note_order.v1",
             "data": {"order": "first", "account": "A1", "note": "hurry"}}  # fmt: skip
    media = {"Content-Type": "application/cloudevents+json"}
    named = {"Quittance-Actor": "sal", "Quittance-Role": "sales", "Quittance-Team": "home"}
    for who, headers in ((Credential("sal", "home", "sal", "sales", "*", ("*",)), {}), (console(), named)):
        with running.client(who) as other:
            answers = [
                other.post("/v1/orders", json=order("of-sales"), headers=headers),
                other.post("/v1/events", content=json.dumps(event), headers=media | headers),
                other.post("/v1/files/wholesale", content=WHOLESALE.encode(), headers=CSV | headers),
            ]
            assert {problem(answer, 403)["detail"] for answer in answers} == {"the role sales only reads (V8)"}
            assert other.get("/v1/held", headers=headers).status_code == 200


def test_a_credential_reaches_only_accounts_of_its_portfolios(running: House, client: httpx.Client) -> None:
    who = Credential("s", "south", "s", "controller", "south", ("*",), ("south",))
    with running.client(who) as other:
        told = problem(other.post("/v1/orders", json=order("x")), 422)["errors"]
        assert told[0]["problem"] == "account 'A1' is not in your portfolios"
        assert other.get("/v1/held").json()["total"] == 0


# --- one order ------------------------------------------------------------------------------------------------------


def test_an_order_is_answered_with_its_decision_while_the_caller_waits(client: httpx.Client) -> None:
    answer = client.post("/v1/orders", json=order("waits"), headers={"Prefer": "wait=20"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["outcome"], told["fact"]["type"]) == ("released", "orders.order_released.v1")
    assert told["fact"]["data"]["order"] == "home/waits"


def test_the_same_order_again_is_answered_as_the_first_time(client: httpx.Client) -> None:
    first = client.post("/v1/orders", json=order("again"), headers={"Prefer": "wait=20"}).json()
    second = client.post("/v1/orders", json=order("again"), headers={"Idempotency-Key": "k1", "Prefer": "wait=20"}).json()
    assert second["repeated"]
    assert (first["flow"], first["fact"]) == (second["flow"], second["fact"])


def test_the_same_reference_with_other_content_is_a_visible_conflict(client: httpx.Client) -> None:
    client.post("/v1/orders", json=order("twice"))
    told = problem(client.post("/v1/orders", json=order("twice", total="11.00")), 409)
    assert "came before with other content" in told["detail"]


def test_the_same_key_with_other_content_is_a_conflict(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "k2"}
    client.post("/v1/orders", json=order("key-1"), headers=headers)
    problem(client.post("/v1/orders", json=order("key-2"), headers=headers), 409)


def test_of_many_simultaneous_copies_one_is_let_in(client: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/orders", json=order("race")), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    assert len({answer.json()["flow"] for answer in answers}) == 1
    assert sum(not answer.json()["repeated"] for answer in answers) == 1


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"account": "nobody"}, "account", "account 'nobody' is not known"),
        ({"total": "-1.00"}, "total", "-1.00 is negative"),
        ({"lines": [{"sku": "X", "quantity": 1, "unit_price": "9.99"}]}, "total", "is not the sum of the lines, 9.99"),
        ({"currency": "EUR"}, "currency", "account 'A1' trades in GBP, not in EUR"),
        ({"account": "A2", "currency": "JPY", "total": "10.5"}, "total", "more decimals than JPY"),
    ],
)
def test_an_order_that_cannot_go_on_says_why_and_is_kept(
    client: httpx.Client, change: dict[str, Any], field: str, said: str
) -> None:
    told = problem(client.post("/v1/orders", json=order("bad", **change)), 422)
    assert told["errors"][0]["field"] == field
    assert said in told["errors"][0]["problem"]
    assert told["errors"][0]["mend"]
    assert told["quarantined"]


def test_an_identity_that_was_withheld_is_not_used_up(client: httpx.Client) -> None:
    problem(client.post("/v1/orders", json=order("mended", currency="EUR")), 422)
    assert client.post("/v1/orders", json=order("mended")).status_code in (200, 202)


REFUSE_MAIL = """
create or replace function refuse() returns trigger language plpgsql as
$$ begin raise exception 'not now' using errcode = 'query_canceled'; end $$;
create trigger refuse before insert on mailbox for each row execute function refuse()
"""


def test_an_identity_is_not_used_up_by_a_request_that_failed_half_way(running: House, client: httpx.Client) -> None:
    """The database gives up after the identity was claimed and before the command was handed on."""
    asyncio.run(_on_database(running, REFUSE_MAIL))
    try:
        assert client.post("/v1/orders", json=order("half-way")).status_code == 503
    finally:
        asyncio.run(_on_database(running, "drop trigger refuse on mailbox"))
    answer = client.post("/v1/orders", json=order("half-way"), headers={"Prefer": "wait=20"})
    assert (answer.json()["repeated"], answer.json()["outcome"]) == (False, "released")


async def _on_database(running: House, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(running.settings.database("gateway"))
    try:
        if query.startswith("select"):
            return await connection.fetch(query)
        await connection.execute(query)
        return []
    finally:
        await connection.close()


def test_a_command_carries_who_sent_it_from_the_credential(running: House, client: httpx.Client) -> None:
    with running.client(Credential("n", "north", "nora", "controller", "*", ("*",))) as other:
        flow = other.post("/v1/orders", json=order("whose"), headers={"Prefer": "wait=20"}).json()["flow"]
    sent = "select convert_from(body, 'utf8')::jsonb as sent from journal where lane like 'orders.commands/%'"
    found = [json.loads(row["sent"]) for row in asyncio.run(_on_database(running, sent))]
    (mine,) = [each for each in found if each["correlationid"] == flow]
    assert (mine["actorid"], mine["actorrole"], mine["teamid"]) == ("nora", "controller", "north")


def test_a_command_of_the_console_carries_the_person_it_is_for(running: House, client: httpx.Client) -> None:
    rose = {"Quittance-Actor": "rose", "Quittance-Role": "controller", "Quittance-Team": "desk"}
    who = msgspec.structs.replace(console(), feed="*")
    with running.client(who) as other:
        assert problem(other.post("/v1/orders", json=order("nobody's")), 400)["errors"][0]["field"] == "quittance-actor"
        flow = other.post("/v1/orders", json=order("hers"), headers=rose | {"Prefer": "wait=20"}).json()["flow"]
        problem(other.get(f"/v1/flows/{flow}", headers=rose | {"Quittance-Team": "north"}), 404)
    sent = "select convert_from(body, 'utf8')::jsonb as sent from journal where lane like 'orders.commands/%'"
    found = [json.loads(row["sent"]) for row in asyncio.run(_on_database(running, sent))]
    (mine,) = [each for each in found if each["correlationid"] == flow]
    assert (mine["actorid"], mine["actorrole"], mine["teamid"]) == ("rose", "controller", "desk")


def test_nobody_but_the_console_speaks_for_people(client: httpx.Client) -> None:
    told = problem(client.post("/v1/orders", json=order("forged"), headers={"Quittance-Role": "director"}), 400)
    assert told["errors"][0]["problem"] == "this credential speaks for itself only"


def test_a_token_told_by_setting_is_the_only_one_of_its_name(running: House) -> None:
    who = msgspec.structs.replace(console(), name="told")

    async def told_one_after_the_other() -> list[Credential | None]:
        async with asyncpg.create_pool(running.settings.database("gateway"), min_size=1, max_size=1) as pool:
            await only(pool, "qt_one", who)
            await only(pool, "qt_two", who)
            return [await find(pool, token) for token in ("qt_one", "qt_two")]

    assert asyncio.run(told_one_after_the_other()) == [None, who]


def test_malformed_json_is_told_with_line_and_column(client: httpx.Client) -> None:
    told = problem(client.post("/v1/orders", content=b'{"reference":\n "x",}', headers=JSON), 400)
    assert (told["line"], told["column"]) == (2, 6)
    assert told["errors"][0]["mend"] == "remove the comma before a closing brace or bracket"


def test_a_body_of_ten_megabytes_is_refused_and_the_limit_named(client: httpx.Client) -> None:
    told = problem(client.post("/v1/orders", content=b" " * 10_000_000, headers=JSON), 413)
    assert told["limit_bytes"] == BODY_BYTES_MAX
    assert str(BODY_BYTES_MAX) in told["detail"]


def test_another_media_type_is_refused_and_the_allowed_ones_named(client: httpx.Client) -> None:
    assert "application/json" in problem(client.post("/v1/orders", content=b"a", headers=CSV), 415)["detail"]


# --- events ---------------------------------------------------------------------------------------------------------


def event(name: str, **change: Any) -> dict[str, Any]:
    data = {"order": "home/waits", "account": "A1", "note": "hello"}
    return {"specversion": "1.0", "id": name, "source": "/test", "type": "orders.note_order.v1", "data": data} | change


def test_an_event_is_taken_once_and_answered_again(client: httpx.Client) -> None:
    headers = {"Content-Type": "application/cloudevents+json", "Prefer": "wait=20"}
    first = client.post("/v1/events", content=json.dumps(event("e1")), headers=headers).json()
    second = client.post("/v1/events", content=json.dumps(event("e1")), headers=headers).json()
    assert first["outcome"] in {"noted", "refused"}
    assert (second["flow"], second["repeated"]) == (first["flow"], True)
    changed = event("e1", data={"order": "home/waits", "account": "A1", "note": "other"})
    problem(client.post("/v1/events", content=json.dumps(changed), headers=headers), 409)


def test_a_batch_takes_what_it_can_and_tells_each_bad_line(client: httpx.Client) -> None:
    unknown = event("b2", data={"order": "home/x", "account": "nobody", "note": ""})
    lines = [json.dumps(event("b1")), "{", json.dumps(unknown), json.dumps(event("b1"))]
    answer = client.post("/v1/events", content="\n".join(lines), headers={"Content-Type": "application/x-ndjson"})
    told = answer.json()
    assert answer.status_code == 202
    assert (told["accepted"], told["repeated"], told["quarantined"]) == (1, 1, 2)
    assert [error["field"] for error in told["errors"]] == ["line 2: line 2, column 2", "line 3: account"]


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_is_read_once_and_its_rows_add_up(client: httpx.Client) -> None:
    good = line("1") + line("1") + line("C2", quantity="-1")
    content = (WHOLESALE + good + line("3", account="") + line("4", account="nobody")).encode()
    flow = sent_file(client, content)
    assert (flow["rows"], flow["accepted_rows"], flow["repeated_rows"], flow["quarantined_rows"]) == (5, 3, 0, 2)
    assert flow["outcomes"] == {"released": 1, "recorded": 1}
    assert withheld(client, flow["flow"]) == [(5, "account", "is empty"), (6, "account", "account 'nobody' is not known")]
    again = client.post("/v1/files/wholesale", content=content, headers=CSV)
    assert (again.status_code, again.json()["note"]) == (200, "this very file came before; nothing was changed")


def test_documents_that_came_before_are_counted_as_repeated_and_contradictions_withheld(client: httpx.Client) -> None:
    sent_file(client, (WHOLESALE + line("r1") + line("r2")).encode())
    flow = sent_file(client, (WHOLESALE + line("r1") + line("r2", price="9.00") + line("r3")).encode())
    assert (flow["accepted_rows"], flow["repeated_rows"], flow["quarantined_rows"]) == (1, 1, 1)
    assert "came before with other content" in withheld(client, flow["flow"])[0][2]


def test_a_reference_that_comes_twice_in_one_file_with_other_content_is_withheld(client: httpx.Client) -> None:
    flow = sent_file(client, (WHOLESALE + line("t1") + line("t2") + line("t1", price="9.00")).encode())
    assert (flow["accepted_rows"], flow["quarantined_rows"]) == (2, 1)


def test_a_file_in_latin_1_with_a_broken_quote_costs_only_its_bad_lines(client: httpx.Client) -> None:
    accented = line("l1").replace("A thing", "caf\xe9").encode("latin-1")
    broken = line("l2").replace("A thing", '"A thing').encode()
    flow = sent_file(client, WHOLESALE.encode() + accented + broken + line("l3").encode())
    assert (flow["rows"], flow["accepted_rows"], flow["quarantined_rows"]) == (3, 1, 2)
    (one, _, encoding), (two, _, quote) = withheld(client, flow["flow"])
    assert (one, two) == (2, 3)
    assert "is not utf-8" in encoding
    assert "quote" in quote


def workbook(*lines: list[object]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for n, cells in enumerate(lines):
            sheet.write_row(n, 0, cells)
    return out.getvalue()


def test_a_workbook_is_read_like_a_csv(client: httpx.Client) -> None:
    content = workbook(["account", "name", "currency", "limit"], ["X1", "From Excel", "GBP", 999.95])
    answer = client.post("/v1/files/accounts", files={"file": ("accounts.xlsx", content)})
    assert finished(client, answer.json()["flow"])["outcomes"] == {"opened": 1}


def test_a_workbook_of_the_wrong_shape_is_refused_whole_with_its_columns(client: httpx.Client) -> None:
    answer = client.post("/v1/files/accounts", files={"file": ("accounts.xlsx", workbook(["konto", "name"], ["1", "x"]))})
    flow = finished(client, answer.json()["flow"])
    assert (flow["state"], flow["rows"]) == ("refused", 0)
    assert "missing columns: 'account', 'currency', 'limit'; unknown columns: 'konto'" in flow["failure"]


def test_a_kind_without_mapping_is_refused_and_the_mappings_named(client: httpx.Client) -> None:
    detail = problem(client.post("/v1/files/nonsense", content=b"x", headers=CSV), 404)["detail"]
    assert detail.endswith("there are: accounts, invoices, orders, postings, sap_cleared, sap_posted, wholesale, bank")


def test_a_repaired_row_is_sent_again_and_the_flow_adds_up(running: House, client: httpx.Client) -> None:
    flow = sent_file(client, (WHOLESALE + line("q1") + line("q1", account="")).encode())
    assert flow["quarantined_rows"] == 2
    rows = client.get(f"/v1/flows/{flow['flow']}/quarantine").json()["rows"]
    still, done = asyncio.run(_repaired(running, rows))
    assert still == quarantine.Replayed(0, 0, 2)
    assert done == quarantine.Replayed(2, 0, 0)
    after = finished(client, flow["flow"])
    assert (after["rows"], after["accepted_rows"], after["quarantined_rows"]) == (2, 2, 0)
    assert after["outcomes"] == {"released": 1}


def test_what_waits_is_told_in_whole_to_the_consoles_credential_only(running: House, client: httpx.Client) -> None:  # G1, G2
    sent_file(client, (WHOLESALE + line("stuck-1", account="NOBODY")).encode())
    assert problem(httpx.get(f"{running.url}/parkedz"), 401)
    assert problem(client.get("/parkedz"), 403)["detail"] == "this is for the console's credential"
    with running.client(console()) as asking:
        told = asking.get("/parkedz", headers=OTTO).json()
    kept = next(each for each in told["kept"] if "stuck-1" in each["about"])
    assert kept["at"].startswith("line 2 of wholesale, file ")
    assert "NOBODY" in kept["reason"] or "account" in kept["reason"]
    assert "A thing" not in json.dumps(told)


def test_a_document_waits_for_its_first_bad_line_and_says_how_many_wait_with_it(running: House, client: httpx.Client) -> None:
    document = line("stuck-2") + line("stuck-2", price="x") * 2 + line("stuck-2")
    sent_file(client, (WHOLESALE + document + line("stuck-3", price="x")).encode())
    with running.client(console()) as asking:
        kept = [
            each for each in asking.get("/parkedz", headers=OTTO).json()["kept"] if each["about"].endswith(("stuck-2", "stuck-3"))
        ]
    assert [(each["at"].partition(",")[0], each["more"]) for each in kept] == [
        ("line 3 of wholesale", 2),
        ("line 4 of wholesale", 0),
        ("line 6 of wholesale", 0),
    ]
    assert all(each["mend"].startswith("write digits and at most one point") for each in kept)
    asyncio.run(_settled(running, int(kept[0]["id"])))
    with running.client(console()) as asking:
        after = [each for each in asking.get("/parkedz", headers=OTTO).json()["kept"] if each["about"].endswith("stuck-2")]
    assert [each["at"].partition(",")[0] for each in after] == [f"line {n} of wholesale" for n in (2, 4, 5)]  # nothing is hidden


def test_only_the_oldest_of_what_waits_is_looked_at(
    running: House, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_file(client, (WHOLESALE + line("stuck-4", price="x") + line("stuck-4") * 5).encode())
    whole = asyncio.run(_stuck(running))
    looked = 1 + sum(1 + each.more for each in whole.kept[:-1])  # all before the last document, and its bad line alone
    monkeypatch.setattr(withheld_rows, "COUNTED_MAX", looked)
    part = asyncio.run(_stuck(running))
    assert [each.id for each in part.kept] == [each.id for each in whole.kept]
    assert (whole.kept[-1].about.split()[-1], whole.kept[-1].more, part.kept[-1].more) == ("stuck-4", 5, 0)


async def _stuck(running: House) -> Stuck:
    async with asyncpg.create_pool(running.settings.database("gateway"), min_size=1, max_size=1) as pool:
        return await withheld_rows.stuck(pool)


async def _settled(running: House, number: int) -> None:
    connection = await asyncpg.connect(running.settings.database("gateway"))
    await connection.execute("update withheld set status = 'discarded' where id = $1", number)
    await connection.close()


async def _repaired(running: House, rows: list[dict[str, Any]]) -> tuple[quarantine.Replayed, quarantine.Replayed]:
    now = dt.datetime.now(dt.UTC)
    async with asyncpg.create_pool(running.settings.database("gateway"), min_size=1, max_size=2) as pool:
        still = await quarantine.replay(pool, running.settings, [rows[0]["id"]], development(), now)
        async with pool.acquire() as connection:
            assert await quarantine.repair(connection, rows[1]["id"], line("q1").strip().encode())
        return still, await quarantine.replay(pool, running.settings, [rows[0]["id"]], development(), now)


# --- held -----------------------------------------------------------------------------------------------------------


def test_a_held_order_is_listed_with_its_reasons(client: httpx.Client) -> None:
    answer = client.post("/v1/orders", json=order("large", total="5000.00"), headers={"Prefer": "wait=20"})
    assert answer.json()["outcome"] in {"held", "referred"}
    (row,) = [row for row in client.get("/v1/held").json()["orders"] if row["order"] == "home/large"]
    assert row["total"] == "5000.00"
    assert row["reasons"][0].startswith("over limit ")
    assert row["reasons"][0].rpartition(" of ")[2] == "1,000.00"
    page = client.get("/").text
    assert "home/large" in page
    assert "over limit" in page


def test_held_orders_are_paged_oldest_first_each_once(
    running: House, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        client.post("/v1/orders", json=order(f"page-{n}", total="6000.00"), headers={"Prefer": "wait=20"})
    whole = client.get("/v1/held").json()["orders"]
    monkeypatch.setattr(held, "PAGE", 1)

    async def page_by_page() -> list[str]:
        async with asyncpg.create_pool(running.settings.database("gateway"), min_size=1, max_size=1) as pool:
            shown, after = [], ""
            while (page := await held.page(pool, development(), after)).next:
                shown.append(page.rows[0]["order"])
                after = page.next
            return shown

    assert asyncio.run(page_by_page()) == [row["order"] for row in whole]
    assert [row["since"] for row in whole] == sorted(row["since"] for row in whole)
    problem(client.get("/v1/held?after=nonsense"), 400)


def test_the_documentation_is_served_without_a_credential_and_without_foreign_scripts(running: House) -> None:
    assert "/v1/orders" in httpx.get(f"{running.url}/docs").text
    assert "<script" not in httpx.get(f"{running.url}/docs").text
    assert httpx.get(f"{running.url}/openapi.json").json()["openapi"].startswith("3.")
