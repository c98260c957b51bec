"""Read tables are lost: the desk's (dropped: it refuses to decide on empty ones), the accounts' (rows gone, while it runs) and
what the gateway projects. Each is rebuilt from facts while all else goes on.
"""

from __future__ import annotations

import asyncpg

from quittance.rebuild import again
from tests.faults.drills.audit import audit
from tests.faults.drills.site import Site, site

WAVE = 2_000
GATEWAY = "select md5(string_agg(account || home || currency || at_desk, ',' order by account)) from account"
COUNTED = "select coalesce(sum(count), 0) from tally"
HELD = "select count(*) from held"


async def run() -> None:
    async with site("readmodels") as found:
        await found.start()
        await found.open_accounts()
        await found.send_orders("one", WAVE)
        await found.decided(WAVE)
        await found.heard()
        known = [await _text(found, query) for query in (GATEWAY, f"select ({COUNTED})::text", f"select ({HELD})::text")]
        await _do(found, "gateway", "delete from account; delete from held; delete from tally; update wish set outcome = null")
        with found.step("quittance rebuild gateway, while it runs"):
            gateway = await again(found.settings, "gateway")
        assert [await _text(found, query) for query in (GATEWAY, f"select ({COUNTED})::text", f"select ({HELD})::text")] == known
        await _do(found, "accounts", "delete from account")
        with found.step("quittance rebuild accounts, while it runs"):
            accounts = await again(found.settings, "accounts")
        await _do(found, "orders", "drop table standings, positions, orders")
        await found.send_orders("two", WAVE)
        with found.step("quittance rebuild orders, which refuses to run without its tables"):
            orders = await again(found.settings, "orders")
        with found.step("what came meanwhile, and a new wave, is decided"):
            await found.send_orders("three", WAVE)
            await found.decided(3 * WAVE)
            await found.heard()
        await found.stop()
        with found.step("audit"):
            figures = await audit(found, 3 * WAVE)
        done = {
            each.service: {"mended": each.mended, "facts": each.facts, "s": each.seconds} for each in (gateway, accounts, orders)
        }
        found.write("readmodels", figures | {"rebuilt": done})


async def _do(found: Site, service: str, statements: str) -> None:
    connection = await asyncpg.connect(found.settings.database(service))
    await connection.execute(statements)
    await connection.close()


async def _text(found: Site, query: str) -> str:
    connection = await asyncpg.connect(found.settings.database("gateway"))
    try:
        return str(await connection.fetchval(query))
    finally:
        await connection.close()
