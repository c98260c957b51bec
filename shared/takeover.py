"""What a new owner does before anything else: load the partition, prove the topic and the journal agree, publish the backlog."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg

from contracts.envelope import read
from shared import journal, lease, timers
from shared.feed import tails
from shared.journal import OWN
from shared.relay import Relay
from shared.service import Service
from shared.settings import Settings
from shared.slot import Position, Slot

DEATHS_BEFORE_CARE = 3
"""Owners that vanished at the same ordinal before messages are tried one by one, each named first."""
CAREFUL_INPUTS = 2_000
"""How many inputs are tried so: as many as a batch could have held when its owner died."""


class TopicAhead(RuntimeError):
    """The topic holds facts that the journal does not: the database was restored to an earlier time."""


async def load_slot(connection: asyncpg.Connection, service: Service, partition: int, epoch: int) -> Slot:
    """The partition as PostgreSQL knows it; rows are loaded when they are needed."""
    slot = Slot(service, partition, epoch)
    progress = await connection.fetchrow("select ordinal, clock from progress where partition = $1", partition)
    assert progress is not None, "enrol() makes a progress row for every partition"
    slot.ordinal = progress["ordinal"]
    slot.clock = progress["clock"]
    slot.sequences = await journal.last_sequences(connection, partition)
    for topic, stored in (await journal.load_positions(connection, partition)).items():
        slot.positions[topic] = Position(stored.next_offset, stored.seen)
    slot.parked = {row["home"] for row in await connection.fetch("select home from parked_home where partition = $1", partition)}
    slot.timers.fill(await timers.load(connection, partition))
    deaths, slot.attempt = await lease.deaths(connection, partition)
    slot.careful = CAREFUL_INPUTS if deaths >= DEATHS_BEFORE_CARE else 0
    return slot


async def publish_backlog(
    connection: asyncpg.Connection, settings: Settings, relay: Relay, slots: list[Slot], renew: Callable[[], Awaitable[None]]
) -> int:
    """Publish what a former owner committed and did not publish; returns how many entries. Nothing new goes out before.

    `renew` keeps the leases while a long backlog is on its way.
    """
    places = {(slot.number, lane): relay.place(slot.number, lane) for slot in slots for lane in {OWN, *slot.sequences}}
    skip = len(settings.namespace)
    wanted = {key: (topic[skip:], partition, relay.source(key[0])) for key, (topic, partition) in places.items()}
    known = await tails(settings, wanted.values())
    count = 0
    for slot in slots:
        for lane in {OWN, *slot.sequences}:
            sequence, name = known.get(wanted[slot.number, lane], (0, ""))
            await _prove(connection, slot, lane, sequence, name)
            count += await _republish(connection, relay, slot, lane, sequence, renew)
    return count


async def _prove(connection: asyncpg.Connection, slot: Slot, lane: str, sequence: int, name: str) -> None:
    """The topic's last message must be the journal's row of that number."""
    if not sequence:
        return
    body = await connection.fetchval(
        "select body from journal where partition = $1 and lane = $2 and sequence = $3", slot.number, lane, sequence
    )
    if body is None or read(body).id != name:
        raise TopicAhead(
            f"lane {lane or 'facts'} of partition {slot.number}: the topic ends at sequence {sequence} (id {name}), "
            f"the journal at {slot.sequences.get(lane, 0)}: "
            "the database is older than the topic, or another installation writes here"
        )


async def _republish(
    connection: asyncpg.Connection, relay: Relay, slot: Slot, lane: str, sequence: int, renew: Callable[[], Awaitable[None]]
) -> int:
    count = 0
    while entries := await journal.after(connection, slot.number, lane, sequence):
        await relay.put(entries)
        await relay.drained()
        await renew()
        sequence = entries[-1].sequence
        count += len(entries)
    return count
