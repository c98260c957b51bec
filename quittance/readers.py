"""How far readers are: whether a service has heard all that another one said, by what both have committed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import asyncpg
import msgspec

from quittance.installation import Unusable
from shared.journal import OWN
from shared.settings import Settings

POLL_S = 0.01
POLL_S_MAX = 0.1
STUCK_S = 120.0
"""Nothing moved for so long: say so instead of waiting for ever."""


Lane = tuple[int, int]
"""The partition that speaks, and the partition of the topic that it speaks to."""


class Link(NamedTuple):
    """`listener` hears what `speaker` says on `topic`."""

    speaker: str
    topic: str
    listener: str


class Desks:
    """A connection to each service's database, for looking."""

    def __init__(self, settings: Settings, connections: Mapping[str, asyncpg.Connection]) -> None:
        self._settings = settings
        self._connections = connections

    async def said(self, speaker: str, topic: str) -> dict[int, int]:
        """Partition → last sequence that this speaker committed for the topic."""
        rows = await self._connections[speaker].fetch(
            "select p, coalesce((select max(sequence) from journal where partition = p "
            "and lane = case when $2 = '' then '' else $2 || '/' || p end), 0) as last from generate_series(0, $1 - 1) as p",
            self._settings.partitions,
            OWN if topic == speaker else topic,
        )
        return {row["p"]: row["last"] for row in rows}

    async def crossing(self, speaker: str, topic: str) -> dict[Lane, int]:
        """Lane → last sequence committed for it. What a service asks of itself may be for a group of another partition."""
        if topic != f"{speaker}.commands":
            return {(p, p): last for p, last in (await self.said(speaker, topic)).items()}
        rows = await self._connections[speaker].fetch(
            "select p, q, coalesce((select max(sequence) from journal where partition = p and lane = $2 || '/' || q), 0) as last "
            "from generate_series(0, $1 - 1) as p cross join generate_series(0, $1 - 1) as q",
            self._settings.partitions,
            topic,
        )
        return {(row["p"], row["q"]): row["last"] for row in rows}

    async def heard(self, listener: str, topic: str, speaker: str) -> dict[Lane, int]:
        """Lane → last sequence of this speaker that the listener has decided and committed; 0 where it has heard nothing."""
        rows = await self._connections[listener].fetch("select partition, seen from reading where topic = $1", topic)
        seen = {row["partition"]: msgspec.json.decode(row["seen"], type=dict[str, int]) for row in rows}
        each = range(self._settings.partitions)
        return {(p, q): seen.get(q, {}).get(f"/{speaker}/{p}", 0) for p in each for q in each}

    async def mail(self, service: str) -> int:
        """Messages that wait in a service's mailbox."""
        return int(await self._connections[service].fetchval("select count(*) from mailbox"))

    async def overdue(self, service: str) -> int:
        """Timers that its clocks have reached and that have not fired: a recheck of held orders goes on, for one."""
        count = "select count(*) from timer join progress using (partition) where due <= clock"
        return int(await self._connections[service].fetchval(count))

    async def behind(self, link: Link) -> int:
        """Messages of the speaker that the listener has not decided yet."""
        said = await self.crossing(link.speaker, link.topic)
        heard = await self.heard(link.listener, link.topic, link.speaker)
        return sum(max(last - heard[lane], 0) for lane, last in said.items())

    async def close(self) -> None:
        for connection in self._connections.values():
            connection.terminate()


async def desks(settings: Settings, services: Iterable[str]) -> Desks:
    return Desks(settings, {name: await connected(settings, name) for name in services})


async def connected(settings: Settings, service: str) -> asyncpg.Connection:
    """A connection to a service's database. Raises `Unusable` when there is none."""
    try:
        return await asyncpg.connect(settings.database(service), timeout=10)
    except asyncpg.InvalidCatalogNameError as error:
        name = settings.database_name(service)
        raise Unusable(f"there is no database {name}: {service} has never run here; start it with `quittance run`") from error
    except (OSError, asyncpg.PostgresError) as error:
        raise Unusable(f"PostgreSQL does not answer ({error}); start it with `quittance up`") from error


class Patience:
    """Waiting that ends: when a count of what is waited for has not shrunk for so long, that is said."""

    def __init__(self, told: str) -> None:
        self._told = told
        self._least: int | None = None
        self._since = time.monotonic()

    def see(self, waiting: int) -> None:
        """Raises `Unusable` when nothing moves."""
        if self._least is None or waiting < self._least:
            self._least, self._since = waiting, time.monotonic()
        if time.monotonic() - self._since > STUCK_S:
            raise Unusable(f"{self._told} ({waiting} waiting for {STUCK_S:.0f} s); see its log and `quittance parked list`")


async def caught_up(desks: Desks, mailboxes: Iterable[str], links: Iterable[Link]) -> None:
    """Return when every mailbox is empty and every link is heard, in this order, so that nothing is under way behind us."""
    for service in mailboxes:
        await _until_zero(partial(desks.mail, service), f"{service} does not empty its mailbox")
    for link in links:
        await _until_zero(partial(desks.behind, link), f"{link.listener} does not hear {link.speaker} on {link.topic}")
        await _until_zero(partial(desks.overdue, link.listener), f"{link.listener} does not fire its timers")


async def _until_zero(count: Callable[[], Awaitable[int]], told: str) -> None:
    patience, pause_s = Patience(told), POLL_S
    while waiting := await count():
        patience.see(waiting)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, POLL_S_MAX)
