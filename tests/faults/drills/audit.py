"""After a drill: is everything there once, does everything agree? Nothing here trusts what the services say of themselves."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg

from contracts import orders
from contracts.envelope import read
from quittance.cast import WORKING
from quittance.facts import all_said
from quittance.refold import refold
from shared.journal import OWN
from tests.faults.drills.site import Site

FIRST = (orders.OrderReleased, orders.OrderHeld, orders.OrderReferred, orders.OrderRejected)


async def audit(site: Site, sent: int) -> dict[str, Any]:
    """Raises AssertionError at the first thing that is not as it must be; returns the figures."""
    journals = {name: await _journal(site, name) for name in WORKING}
    for name, rows in journals.items():
        _dense(name, rows)
    published = await _published(site)
    for name, rows in journals.items():
        for (partition, lane, sequence), body in rows.items():
            topic, target = (name, partition) if lane == OWN else (lane.rpartition("/")[0], int(lane.rpartition("/")[2]))
            assert published.pop((topic, target, f"/{name}/{partition}", sequence)) == body, (
                f"{topic}/{target}: {sequence} differs"
            )
    assert not published, f"{len(published)} messages are on topics and in no journal, the first {next(iter(published))}"
    decided = _decisions(journals["orders"])
    assert len(decided) == sent, f"{sent} orders were sent, {len(decided)} decided"
    assert max(decided.values()) == 1, f"decided twice: {[name for name, n in decided.items() if n > 1][:5]}"
    different = [found for name in ("accounts", "orders") for found in (await refold(site.settings, name)).different]
    assert different == [], f"{len(different)} rows are not the fold of the journal: {different[:2]}"
    for name in WORKING:
        assert await site.value(name, "select count(*) from parked") == 0
        assert await site.value(name, "select count(*) from quarantine") == 0
    return {
        "orders_sent": sent, "orders_decided": len(decided), "lost": 0, "doubled": 0, "rows_different": 0,
        "journal_rows": sum(map(len, journals.values())), "journal_equals_topics": True,
    }  # fmt: skip


Rows = dict[tuple[int, str, int], bytes]


async def _journal(site: Site, name: str) -> Rows:
    connection = await asyncpg.connect(site.settings.database(name))
    try:
        rows = await connection.fetch("select partition, lane, sequence, body from journal order by 1, 2, 3")
    finally:
        await connection.close()
    return {(row["partition"], row["lane"], row["sequence"]): row["body"] for row in rows}


def _dense(name: str, rows: Rows) -> None:
    lanes = Counter((partition, lane) for partition, lane, _ in rows)
    lasts = {(partition, lane): sequence for partition, lane, sequence in rows}
    assert lanes == lasts, f"the journal of {name} has gaps"


async def _published(site: Site) -> dict[tuple[str, int, str, int], bytes]:
    topics = {topic for name in WORKING for topic in (name, f"{name}.commands")} - {"gateway.commands"}
    found = {}
    async for said in all_said(site.settings, sorted(topics)):
        envelope = said.envelope
        found[said.place.topic, said.place.partition, envelope.source, int(envelope.sequence)] = said.body
    return found


def _decisions(rows: Rows) -> Counter[str]:
    """How often each order was decided for the first time."""
    facts = (read(body).data for (_, lane, _), body in rows.items() if lane == OWN)
    return Counter(fact.order for fact in facts if isinstance(fact, FIRST) and fact.placed is not None)
