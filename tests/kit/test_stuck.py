"""What a service tells of what waits to be mended: parked groups and quarantine, bounded, and never a message's body."""

from __future__ import annotations

import json

import asyncpg
import httpx
from starlette.applications import Starlette

from shared import stuck
from shared.database import KIT_SCHEMA
from shared.serve import parked_route
from shared.testing import Servers, fresh_database
from tests.kit.ledger_service import RAISES
from tests.kit.stage import Said, Stage, homes, order


async def test_whoever_asks_hears_who_is_parked_behind_what_and_what_is_in_quarantine(stage: Stage) -> None:  # V5, guarantee 4
    home, _ = homes()
    await stage.say(home, order(1, home, po=RAISES), order(2, home))
    await stage.send([Said("orders.commands", 0, None, b"a secret of somebody", [])])
    async with stage.running() as engine:
        await stage.equals(2, "select count(*) from parked where home = $1", home)
        await stage.equals(1, "select count(*) from quarantine")
        app = Starlette(routes=[parked_route(engine)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            answer = await client.get("/parkedz")
    told = json.loads(answer.text)
    (group,), (kept,) = told["groups"], told["kept"]
    assert (group["home"], group["messages"], group["first_type"], group["first_topic"]) == (
        home, 2, "PlaceOrder", "orders.commands",
    )  # fmt: skip
    assert group["reason"] and group["since"] and group["first_id"]
    assert kept["at"].startswith("orders.commands 0 @ ")
    assert "secret" not in answer.text


async def test_a_service_whose_database_is_away_says_so_in_time(stage: Stage) -> None:
    engine = stage.start(postgres="postgresql://postgres@127.0.0.1:1/postgres").engine
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(Starlette(routes=[parked_route(engine)])), base_url="http://here"
    ) as client:
        assert (await client.get("/parkedz")).status_code == 503


async def test_a_thousand_parked_groups_are_counted_and_the_oldest_told(stack: Servers) -> None:
    async with fresh_database(stack.postgres, KIT_SCHEMA.read_text()) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(
            "insert into parked_home (home, partition, reason, since) "
            "select 'g' || n, 0, repeat('x', 9000), now() - make_interval(secs => n) from generate_series(1, 1000) as n"
        )
        found = await stuck.stuck(connection)
        await connection.close()
    assert (len(found.groups), found.groups_total, found.groups[0].home) == (stuck.SHOWN_MAX, 1000, "g1000")
    assert len(found.groups[0].reason) == stuck.REASON_MAX
    assert found.groups[0].first_n is None
