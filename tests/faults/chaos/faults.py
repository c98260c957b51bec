"""The kinds of fault, one function each: it breaks something, mends it, and returns the moment from which all may recover."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable

import msgspec

from deploy.local.settings import REPOSITORY
from tests.faults.chaos.crew import NAMES
from tests.faults.chaos.releases import next_release
from tests.faults.chaos.site import LEASE_S, Site

FROZEN_S = LEASE_S * 1.7
"""Longer than a lease, so that another instance has taken over when it wakes."""
AWAY_S = 2.0
SLOW_S = 5.0
LATENCY_MS, JITTER_MS = 250, 200
RESET_AFTER_MS = 300
RESETS = 4
HALF_OPEN_S = LEASE_S * 1.7
FULL_S = 4.0
TOGETHER_S = 3.0
"""How long several instances, or two releases, work side by side."""

Inject = Callable[[Site, str, random.Random], Awaitable[float]]


class Kind(msgspec.Struct, frozen=True):
    """`target` is the service, or the server before which something stands; `affects` are the services to watch."""

    name: str
    target: str
    affects: tuple[str, ...]
    inject: Inject

    @property
    def label(self) -> str:
        return f"{self.name} {self.target}".strip()


# --- services -------------------------------------------------------------------------------------------------------


async def killed(site: Site, service: str, dice: random.Random) -> float:
    """kill -9 of the only instance; another one starts at once."""
    at = time.monotonic()
    await site.fleet.kill(site.fleet.of(service)[0])
    site.fleet.start(service)
    return at


async def stopped(site: Site, service: str, dice: random.Random) -> float:
    """A clean stop (SIGTERM); another instance starts at once."""
    await site.fleet.leave(site.fleet.of(service)[0])
    site.fleet.start(service)
    return time.monotonic()


async def frozen(site: Site, service: str, dice: random.Random) -> float:
    """The owner sleeps longer than its lease, with a second instance there; then it wakes up and believes it still owns."""
    sleeper = site.fleet.of(service)[0]
    other = await site.fleet.join(service)
    sleeper.signal(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_S)
    sleeper.signal(signal.SIGCONT)
    at = time.monotonic()
    await asyncio.sleep(dice.uniform(0.5, 2.0))
    await site.fleet.leave(dice.choice((sleeper, other)))
    return at


async def joined(site: Site, service: str, dice: random.Random) -> float:
    """A second and a third instance come; two of the three go, one cleanly and one killed."""
    await site.fleet.join(service)
    third = site.fleet.start(service)
    await asyncio.sleep(TOGETHER_S)
    going = [instance for instance in site.fleet.of(service) if instance is not third]
    dice.shuffle(going)
    await site.fleet.leave(going[0])
    await site.fleet.kill(going[1])
    return time.monotonic()


async def rolled(site: Site, _: str, dice: random.Random) -> float:
    """A next release goes live, service by service in any order: new beside old, the new one dies and the old takes over,
    the new one again, the old one leaves."""
    number = sum(1 for _ in site.home.glob("release-*")) + 1
    release = await asyncio.to_thread(next_release, REPOSITORY, site.home, number)
    services = list(NAMES)
    dice.shuffle(services)
    for service in services:
        old = site.fleet.of(service)
        first = await site.fleet.join(service, release)
        await asyncio.sleep(TOGETHER_S)
        await site.fleet.kill(first)
        await asyncio.sleep(LEASE_S)
        await site.fleet.join(service, release)
        for instance in old:
            await site.fleet.leave(instance)
    site.fleet.release = release
    return time.monotonic()


# --- servers --------------------------------------------------------------------------------------------------------


async def broker_killed(site: Site, _: str, dice: random.Random) -> float:
    await site.kill_broker()
    await asyncio.sleep(dice.uniform(0, AWAY_S))
    await site.start_broker()
    return time.monotonic()


async def database_killed(site: Site, _: str, dice: random.Random) -> float:
    await site.stop_database_at_once()
    await asyncio.sleep(dice.uniform(0, AWAY_S))
    await site.start_database()
    return time.monotonic()


async def disk_filled(site: Site, _: str, dice: random.Random) -> float:
    """Nothing more can be written to the database's volume for a while; a server that gave up is started again."""
    site.fill_disk()
    await asyncio.sleep(FULL_S)
    site.free_disk()
    await site.start_database()
    return time.monotonic()


# --- the network ----------------------------------------------------------------------------------------------------


async def resets(site: Site, target: str, dice: random.Random) -> float:
    """Connections are reset again and again."""
    assert site.proxies is not None
    for _ in range(RESETS):
        site.proxies.poison(target, "reset_peer", "downstream", timeout=dice.randint(0, RESET_AFTER_MS))
        await asyncio.sleep(dice.uniform(0.2, 0.8))
        site.proxies.cure()
        await asyncio.sleep(dice.uniform(0.2, 0.8))
    return time.monotonic()


async def slow(site: Site, target: str, dice: random.Random) -> float:
    assert site.proxies is not None
    site.proxies.poison(target, "latency", "downstream", latency=LATENCY_MS, jitter=JITTER_MS)
    await asyncio.sleep(SLOW_S)
    site.proxies.cure()
    return time.monotonic()


async def half_open(site: Site, target: str, dice: random.Random) -> float:
    """What one side sends never arrives, and no connection is closed: requests are lost, or only the answers to them."""
    assert site.proxies is not None
    site.proxies.poison(target, "timeout", dice.choice(("upstream", "downstream")), timeout=0)
    await asyncio.sleep(HALF_OPEN_S)
    site.proxies.cure()
    return time.monotonic()


# --- all of them ----------------------------------------------------------------------------------------------------

TO_SERVICES: dict[str, Inject] = {"kill": killed, "stop": stopped, "freeze": frozen, "join and leave": joined}
TO_SERVERS: dict[str, Inject] = {"kill broker": broker_killed, "kill database": database_killed, "disk full": disk_filled}
TO_NETWORK: dict[str, Inject] = {"reset": resets, "latency": slow, "half-open": half_open}
ROLLING = "rolling deploy"


def kinds() -> list[Kind]:
    services = [Kind(name, service, (service,), do) for name, do in TO_SERVICES.items() for service in NAMES]
    servers = [Kind(name, "", NAMES, do) for name, do in TO_SERVERS.items()]
    to_kafka = [Kind(name, "kafka", NAMES, do) for name, do in TO_NETWORK.items()]
    to_postgres = [Kind(name, f"postgres-{service}", (service,), do) for name, do in TO_NETWORK.items() for service in NAMES]
    return [*services, *servers, *to_kafka, *to_postgres, Kind(ROLLING, "", NAMES, rolled)]


def missing(site: Site, kind: Kind) -> str | None:
    """Why this kind cannot be made here; None when it can."""
    if kind.name in TO_NETWORK:
        return site.without.get("network")
    return site.without.get("disk_full") if kind.inject is disk_filled else None


def schedule(seed: int, count: int, some: list[Kind]) -> list[Kind]:
    """First each kind of fault once, at a target drawn from its targets; then all other targets, then any; the seed decides."""
    dice = random.Random(f"schedule/{seed}")
    families: dict[str, list[Kind]] = {}
    for kind in some:
        families.setdefault(kind.name, []).append(kind)
    planned: list[Kind] = []
    rest: list[Kind] = []
    for members in families.values():
        dice.shuffle(members)
        planned.append(members[0])
        rest += members[1:]
    dice.shuffle(planned)
    dice.shuffle(rest)
    planned += rest[: max(count - len(planned), 0)]
    return planned + [dice.choice(some) for _ in range(count - len(planned))]
