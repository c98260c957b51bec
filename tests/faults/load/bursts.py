"""More than the desk can do: a burst to the commands topic, a reader that stops for a while, one huge account."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psutil

from shared.testing import Servers
from tests.bench.feed_in import account_name
from tests.faults.load.field import Field, field_on
from tests.faults.load.premises import Premises
from tests.faults.load.report import say

MEASURED_ORDERS = 30_000
FACTOR = 10
CALM_S = 5.0
CALM_SHARE = 0.2
"""Of the sustainable rate: latency is compared at an easy pace, before and after."""
CALM_PER_S_MAX = 500.0
RECOVERED_MORE = 3.0
"""Recovered: p99 at an easy pace is at most so many times what it was before, or RECOVERED_MS at least."""
RECOVERED_MS = 500.0
BURST_MIN = 20_000
PREPARED_BYTES = 900
"""One encoded order in memory before the burst."""
MEMORY_SHARE = 0.25
"""Of the machine's free memory, for orders encoded beforehand: a burst is cut to that."""


def room_for() -> int:
    """Orders that may be encoded beforehand."""
    return int(psutil.virtual_memory().available * MEMORY_SHARE / PREPARED_BYTES)


def easy(sustained: float) -> float:
    return min(sustained * CALM_SHARE, CALM_PER_S_MAX)


def recovered(before: dict[str, float], after: dict[str, float]) -> bool:
    return after["p99_ms"] <= max(RECOVERED_MORE * before["p99_ms"], RECOVERED_MS)


def ending(field: Field, *feeds: str) -> dict[str, Any]:
    """What every case says at its end."""
    counts = [field.account_of_all(feed) for feed in feeds]
    total = {key: sum(each[key] for each in counts) for key in ("written", "lost", "doubled")}
    good = not total["lost"] and not total["doubled"] and field.memory.bounded
    return total | {"memory_peak_mb": field.memory.peak_mb, "memory_bounded": field.memory.bounded, "good": good}


async def burst_to_topic(servers: Servers, premises: Premises, seconds: float) -> dict[str, Any]:
    """Ten times what it sustains, straight to the commands topic: Kafka holds the backlog, the desk's memory stays.

    A burst of `seconds` / 10, because working it off takes ten times as long.
    """
    async with field_on(servers, premises.settings.home / "burst") as field:
        await field.rate("warm", MEASURED_ORDERS // 3)
        sustained = await field.rate("measured", MEASURED_ORDERS)
        before = await field.calm("before", CALM_S, easy(sustained))
        count = min(max(int(sustained * FACTOR * seconds / 10), BURST_MIN), room_for())
        say(f"  sustained {sustained:,.0f}/s; burst of {count:,} orders")
        offered = await field.burst("burst", count, sustained * FACTOR)
        ended = time.perf_counter()
        lag = await field.readings.lag("orders")
        during = await field.all_decided("burst")
        after = await field.calm("after", CALM_S, easy(sustained))
        return {
            "sustained_per_s": round(sustained), "offered_per_s": round(offered), "offered_factor": round(offered / sustained, 1),
            "burst_s": round(count / offered, 1), "lag_at_its_end": round(lag), "worked_off_s": round(during - ended, 1),
            "decided_per_s": round(count / (during - ended + count / offered)), "latency_before": before,
            "latency_during": field.decisions.latencies_ms("burst/"), "latency_after": after,
            "recovered": recovered(before, after),
        } | ending(field, "warm", "measured", "before", "burst", "after")  # fmt: skip


async def slow_consumer(servers: Servers, premises: Premises, seconds: float) -> dict[str, Any]:
    """The gateway, a reader of all facts, stands still; the desk decides as before; woken, the gateway catches up."""
    async with field_on(servers, premises.settings.home / "slow", ("orders", "gateway")) as field:
        sustained = await field.rate("warm", MEASURED_ORDERS // 2)
        pace = easy(sustained) * 2
        before = await field.calm("before", CALM_S, pace)
        await _caught_up(field)
        gateway = field.premises.instances["gateway"]
        gateway.pause()
        try:
            during = await field.calm("during", max(seconds / 4, CALM_S), pace)
            behind = await field.readings.lag("gateway")
        finally:
            gateway.resume()
        woken = time.perf_counter()
        beside = asyncio.create_task(field.calm("beside", CALM_S, pace))
        caught_up = await _caught_up(field, pace) - woken
        meanwhile = await beside
        await _caught_up(field)
        unaffected = recovered(before, during) and recovered(before, meanwhile)
        return {
            "stopped_s": round(max(seconds / 4, CALM_S), 1), "pace_per_s": round(pace), "behind": round(behind),
            "caught_up_s": round(caught_up, 1), "latency_before": before, "latency_while_stopped": during,
            "latency_while_it_catches_up": meanwhile, "others_unaffected": unaffected,
        } | ending(field, "before", "during", "beside")  # fmt: skip


async def _caught_up(field: Field, within: float = 0.0) -> float:
    """Wait until the gateway has read all there is (but for `within` messages that come meanwhile)."""
    deadline = time.monotonic() + 300
    while await field.readings.lag("gateway") > within:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the gateway is {await field.readings.lag('gateway'):.0f} messages behind after 300 s")
        await asyncio.sleep(0.1)
    return time.perf_counter()


async def huge_account(servers: Servers, premises: Premises, orders: int) -> dict[str, Any]:
    """All orders on one account: what one costs at the end against the start."""
    sample = min(max(orders // 20, 2_000), 20_000)
    async with field_on(servers, premises.settings.home / "huge") as field:
        home = account_name(1)
        await _to_one(field, "warm", sample, home)
        first = await _to_one(field, "first", sample, home)
        await _to_one(field, "fill", orders - 3 * sample, home)
        last = await _to_one(field, "last", sample, home)
        desk = await field.database()
        return {
            "orders_on_the_account": await desk.fetchval("select count(*) from orders where account = $1", home),
            "first_per_s": round(first), "last_per_s": round(last), "cost_growth": round(first / last, 2),
        } | ending(field, "warm", "first", "fill", "last")  # fmt: skip


async def _to_one(field: Field, feed: str, count: int, home: str) -> float:
    began = time.perf_counter()
    await field.write(feed, max(count, 1), account=home)
    return count / (await field.all_decided(feed) - began)
