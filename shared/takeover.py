"""What a new owner does before anything else: load the partition, take in what the topics have and the journal lacks, prove that
the two agree, publish the backlog.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import asyncpg
import structlog

from shared import ahead, archive, journal, lease, rebuild, timers, topics
from shared.ahead import TopicAhead
from shared.feed import tails
from shared.journal import OWN, Place, place_of
from shared.relay import Relay
from shared.service import Service
from shared.settings import Settings
from shared.slot import Position, Slot

log = structlog.get_logger(__name__)

DEATHS_BEFORE_CARE = 3
"""Owners that vanished at the same ordinal before messages are tried one by one, each named first."""
CAREFUL_INPUTS = 2_000
"""How many inputs are tried so: as many as a batch could have held when its owner died."""


class ArchiveNeeded(RuntimeError):
    """What the topic lacks is in an archive and not in the journal."""


async def load_slot(connection: asyncpg.Connection, service: Service, partition: int, epoch: int) -> Slot:
    """The partition as PostgreSQL knows it; rows are loaded when they are needed."""
    await rebuild.require_rows(connection, service)
    slot = Slot(service, partition, epoch)
    progress = await connection.fetchrow("select ordinal, clock from progress where partition = $1", partition)
    assert progress is not None, "enrol() makes a progress row for every partition"
    slot.ordinal = progress["ordinal"]
    slot.clock = progress["clock"]
    slot.sequences = await journal.last_sequences(connection, partition)
    for topic, stored in (await journal.load_positions(connection, partition)).items():
        slot.positions[topic] = Position(stored.next_offset, stored.seen)
        slot.positions[topic].know(stored.marks)
    slot.parked = {row["home"] for row in await connection.fetch("select home from parked_home where partition = $1", partition)}
    slot.handled = await ahead.load_handled(connection, partition)
    slot.timers.fill(await timers.load(connection, partition))
    deaths, slot.attempt = await lease.deaths(connection, partition)
    slot.careful = CAREFUL_INPUTS if deaths >= DEATHS_BEFORE_CARE else 0
    return slot


async def publish_backlog(
    connection: asyncpg.Connection, settings: Settings, relay: Relay, slots: list[Slot], renew: Callable[[], Awaitable[None]]
) -> int:
    """Publish what a former owner committed and did not publish; returns how many entries. Nothing new goes out before.

    `renew` keeps the leases while a long backlog is on its way. A service without a topic of its own says nothing (a read
    model), so there is nothing of it to look for.
    """
    count = 0
    slots = [slot for slot in slots if slot.service.name in topics.declared()]
    known = await _tails(settings, {slot: [OWN, *slot.sequences] for slot in slots}, renew)
    doubtful = [slot for slot in slots if await _is_doubtful(connection, slot, known)]
    known |= await _tails(settings, dict.fromkeys(doubtful, ahead.command_lanes(settings.partitions)), renew)
    for slot in slots:
        mine = {lane: tail for (number, lane), tail in known.items() if number == slot.number}
        await _take_in(connection, settings, slot, mine, renew)
        for lane in sorted({OWN, *slot.sequences}, reverse=True):  # commands before facts, as the relay does it
            sequence, name = mine.get(lane, (0, ""))
            await _prove(connection, slot, lane, sequence, name)
            count += await _republish(connection, relay, slot, lane, sequence, renew)
    return count


Tails = dict[tuple[int, str], tuple[int, str]]
"""(own partition, lane) → the last sequence and id on its topic."""


async def _tails(settings: Settings, lanes: Mapping[Slot, Iterable[str]], renew: Callable[[], Awaitable[None]]) -> Tails:
    wanted = {(slot.number, lane): _place(slot, lane) for slot, each in lanes.items() for lane in set(each)}
    found = await tails(settings, wanted.values(), renew) if wanted else {}
    return {key: found[place] for key, place in wanted.items() if place in found}


def _place(slot: Slot, lane: str) -> Place:
    return place_of(slot.service.name, slot.number, lane)


async def _is_doubtful(connection: asyncpg.Connection, slot: Slot, known: Tails) -> bool:
    """A restored journal may not even know a lane that it had: then all commands topics are searched, once."""
    if any(known.get((slot.number, lane), (0, ""))[0] > last for lane, last in {OWN: 0, **slot.sequences}.items()):
        return True
    noted = await ahead.searched(connection, slot.number)
    if not noted and slot.sequences:
        return False  # written by a release that did not note it yet
    return noted != await ahead.where_we_are(connection)


async def _take_in(
    connection: asyncpg.Connection,
    settings: Settings,
    slot: Slot,
    found: Mapping[str, tuple[int, str]],
    renew: Callable[[], Awaitable[None]],
) -> None:
    lanes = [(lane, _place(slot, lane)) for lane, (sequence, _) in found.items() if sequence > slot.sequences.get(lane, 0)]
    if lanes:
        ends = {lane or "facts": slot.sequences.get(lane, 0) for lane, _ in lanes}
        log.warning("the database is older than the topics; taking in what they hold", partition=slot.number, journal_ends=ends)
        count = await ahead.take_in(connection, settings, slot, lanes, renew)
        log.warning("taken in from the topics", partition=slot.number, messages=count, causes=len(slot.handled))
    await ahead.note_searched(connection, slot.number, await ahead.where_we_are(connection))


async def _prove(connection: asyncpg.Connection, slot: Slot, lane: str, sequence: int, name: str) -> None:
    """The topic's last message must be the journal's row of that number."""
    if not sequence:
        return
    known = await journal.id_at(connection, slot.number, lane, sequence)
    if known is None and sequence == (await archive.archived_to(connection)).get((slot.number, lane)):
        return  # proved when it was archived
    if known != name:
        raise TopicAhead(
            f"lane {lane or 'facts'} of partition {slot.number}: the topic ends at sequence {sequence} (id {name}), "
            f"the journal at {slot.sequences.get(lane, 0)}, with another message there: another installation writes here"
        )


async def _republish(
    connection: asyncpg.Connection, relay: Relay, slot: Slot, lane: str, sequence: int, renew: Callable[[], Awaitable[None]]
) -> int:
    count = 0
    while entries := await journal.after(connection, slot.number, lane, sequence):
        if entries[0].sequence != sequence + 1:
            raise ArchiveNeeded(
                f"lane {lane or 'facts'} of partition {slot.number}: the topic ends at sequence {sequence}, and what follows is "
                f"archived: `quittance journal attach {slot.service.name}`, then start it again, or `quittance refill`"
            )
        await relay.put(entries)
        await relay.drained()
        await renew()
        sequence = entries[-1].sequence
        count += len(entries)
    return count
