"""Overload: every case on an installation of its own; one line a case in build/faults/overload.json.

python -m tests.faults.load overload --seconds 600 [--account-orders N] [--parked N] [--only CASE ...]
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from shared.testing import Servers
from tests.faults.load.bursts import burst_to_topic, huge_account, slow_consumer
from tests.faults.load.crowd import burst_to_gateway
from tests.faults.load.poison import parked_for_a_day, poison
from tests.faults.load.premises import Premises, free_bytes, on_interrupt, open_premises
from tests.faults.load.report import Report, say

BYTES_AN_ORDER = 4_000
DISK_LEFT_MIN = 3 * 2**30
SUSTAINED_GUESS_PER_S = 10_000
"""For the disk's sake only; every case measures."""

Case = Callable[[Servers, Premises], Awaitable[dict[str, Any]]]


def cases(seconds: float, account_orders: int, parked: int) -> dict[str, Case]:
    return {
        "burst_to_topic": lambda servers, premises: burst_to_topic(servers, premises, seconds),
        "burst_to_gateway": lambda servers, premises: burst_to_gateway(servers, premises, seconds),
        "slow_consumer": lambda servers, premises: slow_consumer(servers, premises, seconds),
        "poison": poison,
        "parked_for_a_day": lambda servers, premises: parked_for_a_day(servers, premises, parked),
        "huge_account": lambda servers, premises: huge_account(servers, premises, account_orders),
    }


async def overload(seconds: float, account_orders: int, parked: int, only: Sequence[str]) -> int:
    """Returns the exit code: 0 when every case was good."""
    report = Report("overload", seconds=seconds, account_orders=account_orders, parked=parked, only=list(only))
    on_interrupt(asyncio.current_task())
    wanted = {name: case for name, case in cases(seconds, account_orders, parked).items() if not only or name in only}
    if unknown := set(only) - set(wanted):
        say(f"no such case: {', '.join(sorted(unknown))}; there are: {', '.join(cases(0, 0, 0))}")
        return 2
    async with open_premises() as premises:
        needed = int((seconds * SUSTAINED_GUESS_PER_S + account_orders) * BYTES_AN_ORDER)
        free = free_bytes(premises.settings.home)
        say(f"needs up to {needed / 2**30:.1f} GB of disk; {free / 2**30:.1f} GB are free")
        if free - needed < DISK_LEFT_MIN:
            report.end(f"not started: {needed / 2**30:.1f} GB needed, {free / 2**30:.1f} GB free; lower SECONDS or the orders")
            return 2
        servers = Servers(premises.settings.kafka, premises.settings.postgres)
        found: dict[str, Any] = {}
        for name, case in wanted.items():
            found[name] = await _run(name, case, servers, premises)
            report.note(cases=found)
    bad = [name for name, one in found.items() if not one["good"]]
    report.end(f"not good: {', '.join(bad)}" if bad else "all good")
    return 1 if bad else 0


async def _run(name: str, case: Case, servers: Servers, premises: Premises) -> dict[str, Any]:
    """A case that breaks is a finding; the others still run."""
    say(name)
    began = time.monotonic()
    try:
        found = await case(servers, premises)
    except (TimeoutError, OSError, AssertionError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        found = {"good": False, "error": f"{type(error).__name__}: {error}"}
    found["case_s"] = round(time.monotonic() - began, 1)
    say(f"  {'good' if found['good'] else 'NOT GOOD'} after {found['case_s']} s: {found}")
    return found
