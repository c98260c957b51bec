"""`quittance refill`: topics that were lost, or hold what they should not, are written anew from the journals.

A new generation, from sequence 1, with the same ids and bytes; readers find by themselves that the topic is another one, read it
from its start, compare the ids with those that they took, and go on where they were. The services must rest meanwhile: a topic
has one publisher.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable

import asyncpg
import msgspec
from aiokafka.admin import AIOKafkaAdminClient

from quittance.cast import DECLARED
from quittance.installation import Unusable
from quittance.parked import open_databases
from shared import archive, journal
from shared.archive import Damaged
from shared.feed import tails
from shared.journal import Entry
from shared.relay import Relay
from shared.settings import Settings
from shared.topics import create_topics

GONE_S_MAX = 30.0


class Refilled(msgspec.Struct, frozen=True):
    """Messages per topic, of all writers."""

    topics: dict[str, int]
    messages: int
    seconds: float


async def refill(settings: Settings, names: Iterable[str], told: Callable[[int], None] = lambda _: None) -> Refilled:
    """Write the facts and commands topics of these services anew. Raises `Unusable`, before anything is deleted."""
    began = time.monotonic()
    topics = {topic for name in names for topic in (name, f"{name}.commands")}
    async with open_databases(settings, DECLARED) as databases:
        for name, connection in databases.items():
            await _require_rest(connection, name)
            await _require_whole(connection, name)
        await _make_anew(settings, topics)
        counts: dict[str, int] = dict.fromkeys(sorted(topics), 0)
        for name, connection in databases.items():
            await _publish(settings, name, connection, topics, counts, told)
    return Refilled({topic: n for topic, n in counts.items() if n}, sum(counts.values()), round(time.monotonic() - began, 3))


async def _require_rest(connection: asyncpg.Connection, name: str) -> None:
    if await connection.fetchval("select count(*) from lease where holder is not null and until > now()"):
        raise Unusable(
            f"{name} still runs, or ended without a word a moment ago: stop all services, wait for their leases, try again"
        )


async def _require_whole(connection: asyncpg.Connection, name: str) -> None:
    """Every file that holds what is not in the journal is there and unharmed."""
    try:
        for each in await archive.archives(connection):
            archive.require_file(each)
    except Damaged as error:
        raise Unusable(f"{name} needs its archives for a refill: {error}") from error


async def _make_anew(settings: Settings, topics: Iterable[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        lost = {settings.topic(topic) for topic in topics} & existing
        if lost:
            await admin.delete_topics(sorted(lost))
        deadline = time.monotonic() + GONE_S_MAX
        while lost & set(await admin.list_topics()):
            if time.monotonic() > deadline:
                raise Unusable(f"the broker does not delete {', '.join(sorted(lost))}; see its log, then try again")
    finally:
        await admin.close()
    await create_topics(settings)


async def _publish(
    settings: Settings,
    name: str,
    connection: asyncpg.Connection,
    topics: set[str],
    counts: dict[str, int],
    told: Callable[[int], None],
) -> None:
    relay = Relay(settings, name)
    await relay.start()
    wanted: dict[journal.Place, int] = {}
    try:
        for partition in range(settings.partitions):
            for lane, last in (await journal.last_sequences(connection, partition)).items():
                place = journal.place_of(name, partition, lane)
                if place[0] in topics:
                    wanted[place] = last
        async for entries in _said(connection, settings.partitions):
            mine = []
            for entry in entries:
                topic, *_ = journal.place_of(name, entry.partition, entry.lane)
                if topic in topics:
                    mine.append(entry)
                    counts[topic] += 1
            await relay.put(mine)
            await relay.drained()
            told(len(mine))
    finally:
        await relay.stop()
    await _prove(settings, name, wanted)


async def _said(connection: asyncpg.Connection, partitions: int) -> AsyncIterator[list[Entry]]:
    """All that a service said, lane by lane in order: what is archived first, then the journal."""
    reached: dict[tuple[int, str], int] = {}
    for each in await archive.archives(connection):
        for entries in archive.entries_of(each):
            reached |= {(entry.partition, entry.lane): entry.sequence for entry in entries}
            yield entries
    for partition in range(partitions):
        for lane in await journal.last_sequences(connection, partition):
            last = reached.get((partition, lane), 0)
            while entries := await journal.after(connection, partition, lane, last):
                if entries[0].sequence != last + 1:
                    raise Unusable(f"lane {lane or 'facts'} of partition {partition}: {last + 1} is missing in the journal")
                last = entries[-1].sequence
                yield entries


async def _prove(settings: Settings, name: str, wanted: dict[journal.Place, int]) -> None:
    found = await tails(settings, wanted)
    for place, last in wanted.items():
        if (reached := found.get(place, (0, ""))[0]) != last:
            raise Unusable(f"{place[0]}/{place[1]} ends at {reached} of {name} and not at {last}: refill again")
