"""Plays one history to its end, and finds the shortest that still breaks the same rule."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from shared import logs
from shared.database import prepare
from shared.settings import Settings
from tests.faults.simulation.clockwork import Clockwork, Stuck
from tests.faults.simulation.customers import Customers
from tests.faults.simulation.history import History, until
from tests.faults.simulation.house import SERVICES, House, Violation, replaced
from tests.faults.simulation.postgres import Server
from tests.faults.simulation.watch import Watch

SCHEMAS = "simulated"
"""Before the services' names. A server's database is its worker's own, so no two histories meet there."""


class Ending(msgspec.Struct, frozen=True):
    """How a history ended. `rule` is the broken rule, empty when none was; `digest` is the same whenever it is played again."""

    seed: int
    rule: str
    detail: str
    digest: str
    simulated_s: float
    steps: int
    struck: dict[str, int]
    facts: int
    trace: tuple[str, ...] = ()


def play(history: History, server: Server, traced: bool = False) -> Ending:
    """In empty schemas, as a first start makes them."""
    for name in history.services:
        server.furnish(f"{SCHEMAS}_{name}", SERVICES[name].schema)
    loop = Clockwork(history.seed)
    loop.trace = [] if traced else None
    asyncio.set_event_loop(loop)
    house = House(history, loop, server, SCHEMAS)
    found: Violation | None = None
    counted = 0
    with replaced(house):
        try:
            counted = loop.play(_story(history, house))
        except Violation as violation:
            found = violation
        except Stuck as stuck:
            found = Violation("nothing is stuck", str(stuck))
        finally:
            house.database.close()
    return Ending(
        history.seed, found.name if found else "", str(found) if found else "", loop.digest(), loop.now_s, loop.steps,
        dict(house.troubles.struck), counted, tuple(loop.trace or ()),
    )  # fmt: skip


async def _story(history: History, house: House) -> int:
    await _prepare(house)
    customers = Customers(house)
    watch = Watch(house, customers)
    try:
        for service in house.services:
            house.start(service)
        customers.begin()
        for trouble in history.troubles:
            house.loop.outside(trouble.at, house.strike, trouble)
        await _unless_broken(house, asyncio.sleep(history.busy_s))
        house.heal()
        await _unless_broken(house, watch.rest())
        watch.audit()
        return sum(len(folded.facts) for folded in watch.folded.values())
    finally:
        watch.close()


async def _prepare(house: House) -> None:
    """As a first start leaves the databases, so that customers and watchers find them."""
    for name, service in house.services.items():
        await prepare(house.settings, name, service.schema)


async def _unless_broken(house: House, story: object) -> None:
    task = asyncio.ensure_future(story)  # type: ignore[arg-type]
    broken = asyncio.ensure_future(house.broken.wait())
    await asyncio.wait({task, broken}, return_when=asyncio.FIRST_COMPLETED)
    if house.violation is not None:
        raise house.violation
    broken.cancel()
    await task


# --- shrinking ------------------------------------------------------------------------------------------------------


def shrunk(history: History, broken: Ending, server: Server, tell: Callable[[str], None], plays_max: int) -> History:
    """The shortest history found that breaks the same rule: parts are left out while it still does."""
    plays = 0

    def breaks(shorter: History) -> bool:
        nonlocal plays
        plays += 1
        return play(shorter, server).rule == broken.rule

    if breaks(begun := until(history, broken.simulated_s)):
        history = begun
        tell(f"{len(history.troubles)} troubles, {len(history.deeds)} deeds until it broke")
    for field in ("troubles", "deeds", "troubles"):
        size = max(len(getattr(history, field)) // 2, 1)
        while size and plays < plays_max:
            history, cut = _without_chunks(history, field, size, breaks)
            tell(f"{len(history.troubles)} troubles, {len(history.deeds)} deeds after {plays} plays")
            if not cut or size > len(getattr(history, field)):
                size //= 2
    return history


def _without_chunks(history: History, field: str, size: int, breaks: Callable[[History], bool]) -> tuple[History, bool]:
    n, cut = 0, False
    while n < len(parts := getattr(history, field)):
        shorter = replace(history, **{field: parts[:n] + parts[n + size :]})
        if breaks(shorter):
            history, cut = shorter, True
        else:
            n += size
    return history, cut


def struck_in_all(endings: list[Ending]) -> Counter[str]:
    total: Counter[str] = Counter()
    for ending in endings:
        total.update(ending.struck)
    return total


def quiet_logs() -> None:
    """The kit's warnings are what a history is full of."""
    logs.configure(Settings(log_level="critical"), "simulation")
