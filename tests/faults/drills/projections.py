"""The windows are lost: tables, changelogs, all that the worker that counts streams has. They are folded anew from the topic
while orders come in, and equal SQL, which equals what the order desk's own journal says.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import asyncpg

from quittance.cast import WINDOWS, program_of
from services.console import drift, publishing, worker
from tests.faults.drills.site import PATIENCE_S, Site, site

WAVE = 2_000
TABLES = ("window_minute", "window_sliding", "window_lane")
FOLDED = "select each.key, sum(each.value::bigint)::bigint from window_minute, jsonb_each_text(counts) as each group by each.key"
COUNTED = "select what, sum(n)::bigint from tally group by what"
JOURNAL = """
    select case said ->> 'type' when 'orders.order_released.v1' then 'released_at_once' when 'orders.order_held.v1' then 'held'
        when 'orders.order_referred.v1' then 'referred' else 'rejected' end as what, count(*)
    from (select cast(convert_from(body, 'UTF8') as jsonb) as said from journal where lane = '') as facts
    where said -> 'data' ? 'placed' and said ->> 'type' = any(array['orders.order_released.v1', 'orders.order_held.v1',
        'orders.order_referred.v1', 'orders.order_rejected.v1']) group by what
"""
"""First decisions, asked of the desk's journal without any code of the console."""


async def run() -> None:
    async with site("projections") as found:
        await found.start()
        assert found.processes is not None
        for name in ("console", WINDOWS):
            found.processes.start(program_of(found.settings, name))
        await found.processes.ready()
        await found.open_accounts()
        await found.send_orders("one", WAVE)
        await found.decided(WAVE)
        with found.step("the windows equal SQL"):
            before = await _equal(found)
        with found.step("all tables and changelogs are deleted, the worker killed"):
            await _lose(found)
        assert not await _sums(found, "console", FOLDED)
        await found.send_orders("two", WAVE)
        with found.step("folded anew, while a new wave comes"):
            await found.decided(2 * WAVE)
            after = await _equal(found)
        assert after["received"] == before["received"] + WAVE, "the new wave counts once, and the old one is there again"
        with found.step("audit"):
            await _audit(found, after)
        await found.stop()
        found.write("projections", {"orders": 2 * WAVE, "sums": len(after), "received": after["received"]})


async def _equal(found: Site) -> Counter[str]:
    """Wait until the worker has folded all that the desk said and the console has counted it; the two are the same."""
    deadline = time.monotonic() + PATIENCE_S
    said = await _desk_said(found)
    while not await _at(found, said):
        assert time.monotonic() < deadline, f"not at {said} within {PATIENCE_S:.0f} s: see {found.settings.home}/logs"
        await asyncio.sleep(0.5)
    folded, counted = await _sums(found, "console", FOLDED), await _sums(found, "console", COUNTED)
    assert folded == counted, f"the windows say {folded}, SQL says {counted}"
    return folded


async def _desk_said(found: Site) -> int:
    return await found.value(
        "orders", "select sum(last) from (select max(sequence) as last from journal where lane = '' group by partition) as each"
    )


async def _at(found: Site, said: int) -> bool:
    """Both have come to the desk's last fact, in every partition."""
    folded = await found.value("console", "select coalesce(sum(seen), 0) from window_lane where gap_at is null")
    heard = await found.value(
        "console", "select coalesce(sum(value::bigint), 0) from reading, jsonb_each_text(seen) where topic = 'orders'"
    )
    return folded == said == heard


async def _lose(found: Site) -> None:
    assert found.processes is not None
    child = found.processes.children[WINDOWS].process
    assert child is not None
    child.kill()  # by its own pid; it is started again at once, and finds nothing
    connection = await asyncpg.connect(found.settings.database("console"))
    try:
        for table in TABLES:
            await connection.execute(f"truncate {table}")
        await publishing.throw_away(connection)
    finally:
        await connection.close()
    await worker.drop_changelogs(found.settings)


async def _sums(found: Site, service: str, query: str) -> Counter[str]:
    connection = await asyncpg.connect(found.settings.database(service))
    try:
        return Counter(dict(await connection.fetch(query)))
    finally:
        await connection.close()


async def _audit(found: Site, folded: Counter[str]) -> None:
    """The comparison finds nothing, and the desk's journal says the same of every first decision."""
    connection = await asyncpg.connect(found.settings.database("console"))
    try:
        compared = await drift.compare(connection)
    finally:
        await connection.close()
    assert (compared.differing, compared.compared > 0) == (0, True), compared
    journal = await _sums(found, "orders", JOURNAL)
    assert sum(journal.values()) == folded["received"], f"the journal has {journal}, the windows {folded}"
    assert all(folded[what] == n for what, n in journal.items()), f"the journal has {journal}, the windows {folded}"
