"""What waits at the cash desk, whose own lists differ from ours, and whether the ledger's items and lines agree, as metrics for
alerts: looked at every so often, and not when Prometheus asks.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import asyncpg
import structlog

from services.console.receivables import reconciliations, standing
from services.console.receivables.cash import RECEIPT, SUSPENSE
from shared.database import UNAVAILABLE

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 60.0
"""Ages move by days and people by minutes."""
AGREE_EVERY = 10
"""Looks between two sums over the whole ledger, which cost a scan."""
_WAITING = f"""
    select '{RECEIPT}' as kind, count(*) as waiting, min(received_on) as oldest from receipts where state = 'referred'
    union all select '{SUSPENSE}', count(*), min(booked_on) from bank_entries where state = 'unrecognised'
"""
"""Indexes: receipts_waiting, bank_entries_waiting."""


async def look(pool: asyncpg.Pool, gauges: Any, today: dt.date, whole: bool) -> None:
    for row in await pool.fetch(_WAITING):
        oldest = (today - row["oldest"]).days if row["oldest"] is not None else 0
        gauges.cash(row["kind"], row["waiting"], oldest)
    differing, since = await reconciliations.how_many(pool)
    gauges.differing(differing, (today - since.date()).days if since else 0)
    if whole:
        gauges.ledger(await standing.difference(pool))


async def beside(app: Any) -> None:
    """As long as the console runs. On event time days are those of the wall: an alert is for who runs the house now."""
    looks = 0
    while True:
        try:
            await look(app.state.pool, app.state.gauges, dt.datetime.now(dt.UTC).date(), looks % AGREE_EVERY == 0)
        except UNAVAILABLE as error:
            log.warning("cash not looked at", error=f"{type(error).__name__}: {error}")
        looks += 1
        await asyncio.sleep(LOOK_EVERY_S)
