"""Ten times what the gateway takes, over HTTP: it sheds before anything breaks, and nothing that got 202 is lost."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from shared.testing import Servers
from tests.bench.feed_in import account_name
from tests.faults.load.bursts import FACTOR, recovered
from tests.faults.load.callers import Answers, Callers, token_for
from tests.faults.load.field import MEMORY_MB_MAX, Field, field_on
from tests.faults.load.premises import Premises
from tests.faults.load.report import say

FEW, MANY = 8, 400
"""Connections of the measurement, and of the crowd: more than the gateway lets in at once (door.INSIDE_MAX)."""
MEASURED_S = 6.0
CALM_PER_S = 20.0
SETTLED_S_MAX = 300.0


async def burst_to_gateway(servers: Servers, premises: Premises, seconds: float) -> dict[str, Any]:
    async with field_on(servers, premises.settings.home / "crowd", ("orders", "gateway")) as field:
        gateway = field.premises.instances["gateway"]
        callers = Callers(gateway.port, await token_for(field.settings), [account_name(n) for n in range(100)], "crowd")
        await knows_accounts(field)
        measured = await callers.call(FEW, MEASURED_S)
        sustained = len(measured.taken) / measured.took_s
        before = await callers.call(FEW, MEASURED_S, CALM_PER_S)
        say(f"  sustained {sustained:,.0f} requests/s; {MANY} callers offer {FACTOR} times as many for {seconds:.0f} s")
        crowd = await callers.call(MANY, seconds, sustained * FACTOR)
        calm_at = time.perf_counter()
        settled_s = await _settled(field) - calm_at
        after = await callers.call(FEW, MEASURED_S, CALM_PER_S)
        gone = await lost(field, [*measured.taken, *before.taken, *crowd.taken, *after.taken])
        return _found(field, sustained, before, crowd, after, settled_s, gone)


def _found(
    field: Field, sustained: float, before: Answers, crowd: Answers, after: Answers, settled_s: float, gone: int
) -> dict[str, Any]:
    shown, calm, again = crowd.shown(), before.shown(), after.shown()
    back = recovered(_as_ms(calm), _as_ms(again)) and not again["shed"]
    good = not (gone or shown["server_errors"] or shown["broken"] or shown["shed_without_retry_after"]) and shown["shed"] > 0
    return {
        "sustained_per_s": round(sustained), "offered_factor": round(shown["offered_per_s"] / sustained, 1), "connections": MANY,
        **shown, "accepted_ms_before": calm["accepted_ms"], "accepted_ms_after": again["accepted_ms"],
        "settled_s": round(settled_s, 1), "recovered": back, "lost_after_202": gone,
        "memory_peak_mb": field.memory.peak_mb, "memory_bounded": field.memory.bounded, "memory_mb_max": MEMORY_MB_MAX,
        "good": good and back and field.memory.bounded,
    }  # fmt: skip


def _as_ms(shown: dict[str, Any]) -> dict[str, float]:
    return {"p99_ms": shown["accepted_ms"]["p99"]}


async def knows_accounts(field: Field) -> None:
    gateway = await field.database("gateway")
    deadline = time.monotonic() + SETTLED_S_MAX
    while await gateway.fetchval("select count(*) from account where at_desk and currency <> ''") <= field.accounts:
        if time.monotonic() > deadline:
            raise TimeoutError("the gateway does not know the accounts")
        await asyncio.sleep(0.1)


async def _settled(field: Field) -> float:
    """Everything that was let in has its outcome; when (perf_counter)."""
    gateway = await field.database("gateway")
    deadline = time.monotonic() + SETTLED_S_MAX
    while waiting := await gateway.fetchval("select count(*) from wish where outcome is null"):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{waiting} commands that were let in have no outcome after {SETTLED_S_MAX:.0f} s")
        await asyncio.sleep(0.1)
    return time.perf_counter()


async def lost(field: Field, taken: list[str]) -> int:
    """Orders answered 202 that the desk does not have."""
    await _settled(field)
    desk = await field.database()
    names = [f"home/{reference}" for reference in taken]
    return len(names) - int(await desk.fetchval("select count(*) from orders where key = any($1::text[])", names))
