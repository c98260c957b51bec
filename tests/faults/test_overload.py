"""More than it can do: the gateway sheds before anything breaks, poison stops nobody else, a parked queue keeps its order.

The long versions, with figures, are `make overload` and `make soak`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from contracts.envelope import encode, read
from services.gateway.backlog import LOOK_EVERY_S, MAIL_MAX, RETRY_AFTER_S
from services.gateway.door import INSIDE_MAX
from shared import parking
from shared.pool import ACQUIRE_S_MAX, POOL_MAX
from shared.testing import Servers
from tests.bench.feed_in import account_name
from tests.faults.load.callers import Callers, token_for
from tests.faults.load.crowd import knows_accounts, lost
from tests.faults.load.field import Field, field_on
from tests.faults.load.readings import TableState
from tests.faults.load.soak import JUDGED_MINUTES_MIN, Series, findings, unvacuumed
from tests.faults.load.trend import Allowed, judged
from tests.kit.ledger_service import RAISES
from tests.kit.stage import BEGAN, Said, Stage, homes, order

pytestmark = pytest.mark.slow
one_loop = pytest.mark.asyncio(loop_scope="module")
STREAM = 400
BEHIND = 3_000
CROWD = INSIDE_MAX + 100
WAIT_S = 60.0
CSV, EVENT, NDJSON = "text/csv", "application/cloudevents+json", "application/x-ndjson"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def field(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    """Desk and gateway as processes, once for all of the gateway's tests: starting them takes longer than the tests."""
    async with field_on(stack, tmp_path_factory.mktemp("field"), ("orders", "gateway"), count=4) as found:
        await knows_accounts(found)
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def client(field: Field) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {await token_for(field.settings)}"}
    async with httpx.AsyncClient(base_url=field.premises.gateway_url, headers=headers, timeout=WAIT_S) as found:
        yield found


def an_order(reference: str) -> dict[str, Any]:
    return {"reference": reference, "account": account_name(1), "currency": "GBP", "total": "9.99"}


async def _until(connection: asyncpg.Connection, query: str, wanted: Any) -> None:
    for _ in range(int(WAIT_S / 0.05)):
        if await connection.fetchval(query) == wanted:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{query} never was {wanted!r}; it is {await connection.fetchval(query)!r}")


# --- the gateway ----------------------------------------------------------------------------------------------------


@one_loop
async def test_a_gateway_that_cannot_send_on_sheds_on_every_way_in_and_takes_orders_again(
    field: Field, client: httpx.AsyncClient
) -> None:
    database = await field.database("gateway")
    # Somebody else holds its partitions and sends nothing: what is let in waits.
    await database.execute("update lease set holder = 'elsewhere', epoch = epoch + 1, until = now() + interval '1 hour'")
    kept = await client.post("/v1/orders", json=an_order("kept"))
    assert kept.status_code == 202
    await database.execute(
        "insert into mailbox (partition, body) select partition, body from mailbox, generate_series(1, $1)", MAIL_MAX
    )
    await asyncio.sleep(2 * LOOK_EVERY_S)
    ways: tuple[tuple[str, str], ...] = (("/v1/events", EVENT), ("/v1/events", NDJSON), ("/v1/files/wholesale", CSV))
    answers = [await client.post(way, content=b"x" * 100, headers={"Content-Type": media}) for way, media in ways]
    answers.append(await client.post("/v1/orders", json=an_order("shed")))
    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(429, str(RETRY_AFTER_S))] * 4
    assert (await client.get(kept.json()["links"]["self"])).status_code == 200  # who asks how far it is, is answered
    assert 'quittance_http_shed_total{full="mailbox"} 4.0' in (await client.get("/metrics")).text

    await database.execute("update lease set holder = null, until = '-infinity'")
    await _until(database, "select count(*) from mailbox", 0)
    again = await client.post("/v1/orders", json=an_order("shed"), headers={"Prefer": "wait=30"})
    assert (again.status_code, again.json()["outcome"]) == (200, "released")
    assert await lost(field, ["kept", "shed"]) == 0


@one_loop
async def test_a_crowd_is_shed_at_the_door_and_nothing_that_was_accepted_is_lost(field: Field, client: httpx.AsyncClient) -> None:
    port, names = field.premises.instances["gateway"].port, [account_name(n) for n in range(4)]
    callers = Callers(port, await token_for(field.settings), names, "crowd")
    before = await _shed(client)
    answers = await callers.call(CROWD, seconds=3.0)
    counted = await _shed(client) - before
    shown = answers.shown()
    assert shown["shed"] > 0 and shown["accepted"] > 0
    assert (shown["server_errors"], shown["broken"], shown["shed_without_retry_after"]) == (0, 0, 0), shown
    assert await lost(field, answers.taken) == 0
    assert (await callers.call(2, seconds=1.0, per_s=10)).shown()["shed"] == 0
    assert counted == shown["shed"]
    assert 'quittance_http_requests_total{route="/v1/orders",status="202"}' in (await client.get("/metrics")).text


async def _shed(client: httpx.AsyncClient) -> float:
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return sum(sample.value for one in families for sample in one.samples if sample.name == "quittance_http_shed_total")


@one_loop
async def test_a_request_that_gets_no_connection_is_told_to_come_back_instead_of_hanging(
    field: Field, client: httpx.AsyncClient
) -> None:
    blocker = await asyncpg.connect(field.settings.database("gateway"))
    async with blocker.transaction():
        await blocker.execute("lock table credential in access exclusive mode")
        asked = [asyncio.create_task(client.post("/v1/orders", json=an_order(f"w{n}"))) for n in range(POOL_MAX + 4)]
        done, waiting = await asyncio.wait(asked, timeout=ACQUIRE_S_MAX + 3)
    await asyncio.gather(*waiting)
    await blocker.close()
    refused = [task.result() for task in done]
    assert len(refused) >= 4 and {(one.status_code, "Retry-After" in one.headers) for one in refused} == {(429, True)}
    assert {task.result().status_code for task in waiting} == {202}


# --- poison ---------------------------------------------------------------------------------------------------------


async def test_one_poisonous_message_in_a_hundred_stops_nobody_else(stage: Stage) -> None:
    bad, *good = homes(each=3)
    records = []
    for n in range(STREAM):
        home = good[n % len(good)]
        records.append(stage.wrap(home, order(n, home)))
        if n % 100 == 0:
            records.append(_unreadable(stage, home))
            records.append(stage.wrap(bad, order(f"bad{n}", bad, po=RAISES)))
    await stage.send(records)
    async with stage.running():
        await stage.decided(STREAM)
        await stage.equals(4, "select count(*) from quarantine")
        await stage.equals(4, "select count(*) from parked")
    assert await stage.rows("select home from parked_home") == [(bad,)]
    assert await stage.value("select sum(balance) from account") == 100 * STREAM


def _unreadable(stage: Stage, home: str) -> Said:
    said = stage.wrap(home, order("unreadable", home))
    return Said(said.topic, said.partition, said.key, b"\xff\xfe no message", said.headers)


async def test_a_long_parked_queue_is_replayed_in_order_while_others_go_on(stage: Stage) -> None:
    home, other = homes(each=2)[:2]
    assert home != other
    await stage.say(home, order("bad", home, po=RAISES), *[order(n, home) for n in range(BEHIND)])
    async with stage.running():
        await stage.equals(BEHIND + 1, "select count(*) from parked")
        row = (await parking.show(stage.connection, home))[0]
        mended = read(encode(read(row["body"]))).data
        assert mended.order == "web/bad"
        await parking.repair(stage.connection, row["n"], row["body"].replace(b'"po_number":"RAISES"', b'"po_number":"mended"'))
        await parking.replay(stage.connection, home)
        await stage.until("the replay has begun", lambda: _decided_of(stage, home))
        await stage.say(other, order("meanwhile", other), at=BEGAN)
        await stage.say(home, order("last", home))
        await stage.decided(BEHIND + 3)
        await stage.equals(0, "select count(*) from parked_home")
        await stage.say(home, order("after", home))
        await stage.decided(BEHIND + 4)
    facts = [(fact.partitionkey, fact.data.order) for fact in await stage.facts()]
    mine = [name for at, name in facts if at == home]
    assert mine == ["web/bad", *(f"web/{n}" for n in range(BEHIND)), "web/last", "web/after"]
    # In the journal of their common partition the other one does not stand behind the whole queue.
    place = {(at, name): n for n, (at, name) in enumerate(facts)}
    assert place[other, "web/meanwhile"] < place[home, f"web/{BEHIND - 1}"]


async def _decided_of(stage: Stage, home: str) -> bool:
    return bool(await stage.value("select exists (select from journal where home = $1)", home))


# --- judging a soak -------------------------------------------------------------------------------------------------


def test_a_leak_is_told_from_what_fills_up_and_from_single_outliers() -> None:
    seconds = [10.0 * n for n in range(360)]
    memory = Allowed(share=0.05, amount=8.0)
    filling = [(at, min(at / 10, 150.0) + (500.0 if at % 700 == 0 else 0.0)) for at in seconds]
    leaking = [(at, 150.0 + at * 0.01) for at in seconds]
    assert not judged(filling, memory).grows
    assert judged(leaking, memory).grows
    assert judged(leaking, memory).per_hour == pytest.approx(36.0)


def test_a_step_in_the_judged_half_is_no_leak_and_a_leak_with_a_step_in_it_is() -> None:
    seconds = [10.0 * n for n in range(360)]
    memory = Allowed(share=0.05, amount=8.0)
    stepping = [(at, 150.0 + (30.0 if at > 2_700 else 0.0)) for at in seconds]
    leaking = [(at, value + at * 0.005) for at, value in stepping]
    assert not judged(stepping, memory).grows
    assert judged(leaking, memory).grows


def test_a_soak_names_what_grows() -> None:
    series = Series()
    for n in range(int(JUDGED_MINUTES_MIN * 6)):
        series.add(10.0 * n, {"orders.handles": 20.0 + n, "orders.rss_mb": 150.0, "orders.restarts": 0.0, "kafka.handles": n})
    found = findings(series, rate=100.0)
    assert {name for name, one in found.items() if one["grows"]} == {"orders.handles"}


def test_dead_rows_beyond_what_autovacuum_leaves_are_named() -> None:
    before = {"positions": TableState(5_000, 0, 0, 1.0, 0.2, 0, None)}
    after = {"positions": TableState(5_000, 90_000, 100_000, 9.0, 0.2, 0, None)}
    assert unvacuumed(before, after, 600)["positions"]["grows"]
    assert not unvacuumed(before, {"positions": after["positions"]._replace(dead=9_000)}, 600)["positions"]["grows"]
