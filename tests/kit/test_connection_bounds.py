"""Every wait of a connection is bounded on the server, because a client that is stopped cannot enforce its own."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from shared.database import connect
from shared.settings import Settings
from shared.testing import Servers

KEEPALIVE = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")


async def test_every_bound_is_set_on_the_server(stack: Servers) -> None:
    lease_s = Settings().lease_s
    connection = await connect(stack.postgres, lease_s)
    try:
        bounds = {name: await _shown(connection, name) for name in ("statement_timeout", "lock_timeout", *KEEPALIVE)}
    finally:
        await connection.close()
    assert 0 < bounds["lock_timeout"] <= bounds["statement_timeout"] <= 60_000
    idle_s, interval_s, count = (bounds[name] for name in KEEPALIVE)
    assert 0 < idle_s <= lease_s and idle_s + interval_s * count <= 2 * lease_s


async def _shown(connection: asyncpg.Connection, name: str) -> int:
    """In the unit of the setting: milliseconds, or seconds for the keepalives."""
    return int(await connection.fetchval("select setting from pg_settings where name = $1", name))


@pytest.mark.parametrize("lease_s", [1.0, 2.0])
async def test_an_idle_transaction_dies_before_its_lease(stack: Servers, lease_s: float) -> None:
    """Its owner was stopped in the middle of a batch: the rows that it locked are free when a takeover may come."""
    stopped, other = await connect(stack.postgres, lease_s), await asyncpg.connect(stack.postgres)
    try:
        pid = stopped.get_server_pid()
        await stopped.execute("begin")
        await asyncio.sleep(lease_s * 0.8)
        assert await other.fetchval("select count(*) from pg_stat_activity where pid = $1", pid) == 0
    finally:
        stopped.terminate()
        await other.close()
