"""Read tables that follow from facts are lost and written again from them, while orders come (V2, V7)."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import pytest

from quittance import rebuild
from quittance.installation import Unusable
from services.console.app import SERVICE
from shared.testing import Servers
from tests.running import House, finished, house

pytestmark = [pytest.mark.stack, pytest.mark.slow]

OWN = {
    "person", "session", "way_out", "failure", "audit", "in_hand",
    "window_minute", "window_sliding", "window_lane", "window_worker", "drift", "health", "health_instance", "reconciliations",
    "erp_differences",
}  # fmt: skip
"""Tables that no fact of a service tells: people and what they do here, what the worker folds, how machines do."""
ACCOUNTS = "account,name,currency,limit\n" + "".join(f"R{n},Account {n},GBP,{5 + n}00.00\n" for n in range(6))
CSV = {"Content-Type": "text/csv"}
WAVE = 60
SETTLED_S = 1.0
"""What follows an order by itself (a release, a mark) has been heard by then."""


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house"), services=("accounts", "orders", "gateway", "console")) as found:
        with found.client() as client:
            sent = client.post("/v1/files/accounts", content=ACCOUNTS, headers=CSV)
            finished(client, sent.json()["flow"])
        asyncio.run(_at_the_desk(found))
        yield found


def test_every_table_is_rebuilt_or_is_the_console_s_own() -> None:
    tables = set(re.findall(r"^create table if not exists (\w+)", SERVICE.schema.read_text(), re.MULTILINE))
    assert tables == OWN | set(rebuild.PROJECTED["console"])


def test_what_pages_read_is_written_again_from_the_facts_while_orders_come(running: House) -> None:
    _trade(running, "before")
    known = asyncio.run(_kept(running, WAVE))
    asyncio.run(_do(running, "truncate orders, debts, said, deals; delete from accounts; update book set name = 'wrong'"))
    with ThreadPoolExecutor(1) as pool:
        talking = pool.submit(_trade, running, "during")
        done = asyncio.run(rebuild.again(running.settings, "console"))
        talking.result()
    assert done.facts >= WAVE
    after = asyncio.run(_kept(running, 2 * WAVE))
    assert set(known["said"]) <= set(after["said"])
    assert after["book"] == known["book"]
    asyncio.run(rebuild.again(running.settings, "console"))
    assert asyncio.run(_kept(running, 2 * WAVE)) == after
    assert asyncio.run(_indexes(running)) == _declared()
    assert httpx.get(f"{running.urls['console']}/readyz").status_code == 200


def test_the_gateway_s_tables_are_what_they_were(running: House) -> None:
    known = asyncio.run(_rows(running, "gateway"))
    asyncio.run(_do(running, "update account set name = ''; delete from tally", "gateway"))
    asyncio.run(rebuild.again(running.settings, "gateway"))
    assert asyncio.run(_rows(running, "gateway")) == known


def test_what_is_parked_is_repaired_before_a_rebuild(running: House) -> None:
    parked = (
        "insert into parked (partition, home, topic, message_id, type, reason, body) values (0, 'x', 'orders', 'x', 'x', 'x', '')"
    )
    asyncio.run(_do(running, parked))
    try:
        with pytest.raises(Unusable, match="console has 1 parked messages"):
            asyncio.run(rebuild.again(running.settings, "console"))
    finally:
        asyncio.run(_do(running, "delete from parked"))


def _trade(running: House, wave: str) -> None:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    lines = "".join(f"{wave}-{n},{now},R{n % 6},GBP,S,1,{100 + n}.00\n" for n in range(WAVE))
    header = "reference,received_at,account,currency,sku,quantity,unit_price\n"
    with running.client() as client:
        sent = client.post("/v1/files/orders", content=header + lines, headers=CSV)
        assert finished(client, sent.json()["flow"])["decided"] == WAVE


async def _at_the_desk(running: House) -> None:
    connection = await asyncpg.connect(running.settings.database("gateway"))
    async with asyncio.timeout(60):
        while await connection.fetchval("select count(*) from account where at_desk") < 6:
            await asyncio.sleep(0.1)
    await connection.close()


async def _kept(running: House, orders: int) -> dict[str, list[str]]:
    """Every rebuilt table, once the console knows this many orders."""
    connection = await asyncpg.connect(running.settings.database("console"))
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval("select count(*) from orders") < orders:
                await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLED_S)
    finally:
        await connection.close()
    return await _rows(running, "console")


async def _rows(running: House, service: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(running.settings.database(service))
    try:
        return {
            name: [row[0] for row in await connection.fetch(f"select t::text from {name} t order by 1")]
            for name in rebuild.PROJECTED[service]
        }
    finally:
        await connection.close()


async def _indexes(running: House) -> set[str]:
    connection = await asyncpg.connect(running.settings.database("console"))
    try:
        found = await connection.fetch(
            "select indexname from pg_indexes where schemaname = 'public' and tablename = any($1::text[]) "
            "and indexname not like '%\\_pkey'", list(rebuild.PROJECTED["console"]),
        )  # fmt: skip
        return {name for (name,) in found}
    finally:
        await connection.close()


def _declared() -> set[str]:
    tables = "|".join(rebuild.PROJECTED["console"])
    return set(re.findall(rf"create index if not exists (\w+) on (?:{tables})\b", SERVICE.schema.read_text()))


async def _do(running: House, statements: str, service: str = "console") -> None:
    connection = await asyncpg.connect(running.settings.database(service))
    await connection.execute(statements)
    await connection.close()
