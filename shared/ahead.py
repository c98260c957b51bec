"""A database that is older than its topics, because it was restored to an earlier time: what the topics hold of our own is
taken in before anything new is said.

The facts on the topic are the truth, because others have acted on them. They are appended to the journal and folded into the
rows as they are; nothing is decided again for them, and their causes are passed over when they come again. A command that was
sent without a fact beside it is not sent again when its cause is decided again. What left no message of ours on any topic is
decided again, now, like a message that came late.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import asyncpg

from contracts.envelope import Envelope, Unreadable, read
from shared import journal, ranges, timers, topics
from shared.batch import Batch
from shared.feed import Told, told_since
from shared.journal import OWN, Entry, Place
from shared.rows import field_of, keys_of, moved
from shared.service import Moment
from shared.settings import Settings
from shared.slot import Slot


class TopicAhead(RuntimeError):
    """The topic holds messages under our name that do not fit to the journal: another installation writes there."""


def command_lanes(partitions: int) -> Iterable[str]:
    """Every lane that a command may take."""
    return [f"{topic}/{target}" for topic in topics.declared() if topic.endswith(".commands") for target in range(partitions)]


async def where_we_are(connection: asyncpg.Connection) -> str:
    """Changes when the database is a restored one: recovery begins a new timeline, a database loaded again has a new oid."""
    place: str = await connection.fetchval(
        "select left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || oid from pg_database where datname = current_database()"
    )
    return place


async def searched(connection: asyncpg.Connection, partition: int) -> str:
    return str(await connection.fetchval("select searched from progress where partition = $1", partition))


async def note_searched(connection: asyncpg.Connection, partition: int, place: str) -> None:
    await connection.execute("update progress set searched = $2 where partition = $1", partition, place)


async def take_in(
    connection: asyncpg.Connection,
    settings: Settings,
    slot: Slot,
    lanes: list[tuple[str, Place]],
    renew: Callable[[], Awaitable[None]],
) -> int:
    """Append what these lanes have on their topics and the journal lacks; own facts first. Returns how many messages."""
    count = 0
    ordinals = dict(slot.handled)
    for lane, place in sorted(lanes):
        async for told in _missing(connection, settings, slot, lane, place):
            count += len(told)
            await _append(connection, slot, lane, told, ordinals)
            await renew()
    return count


async def _missing(
    connection: asyncpg.Connection, settings: Settings, slot: Slot, lane: str, place: Place
) -> AsyncIterator[list[Told]]:
    """What is behind the journal's last row of a lane, each sequence once. Raises `TopicAhead` where the two do not fit."""
    last = slot.sequences.get(lane, 0)
    known = await journal.id_at(connection, slot.number, lane, last)
    async for told in told_since(settings, place, last):
        fresh: list[Told] = []
        for each in told:
            if each.sequence == last:
                if known is not None and each.id != known:
                    raise TopicAhead(_parted(slot, lane, place, each, known))
            elif each.sequence == last + 1:
                fresh.append(each)
                last, known = each.sequence, each.id
            elif each.sequence > last:
                raise TopicAhead(
                    f"{place[0]}/{place[1]}: {place[2]} jumps from {last} to {each.sequence} (offset {each.offset}), and the "
                    f"journal ends at {slot.sequences.get(lane, 0)}: restore it to a later time, or a whole topic"
                )
        if fresh:
            yield fresh


def _parted(slot: Slot, lane: str, place: Place, told: Told, known: str) -> str:
    return (
        f"lane {lane or 'facts'} of partition {slot.number}: sequence {told.sequence} is {told.id} on {place[0]}/{place[1]} "
        f"(offset {told.offset}) and {known} in the journal: the database was restored and then written to before it had read "
        "the topic, or another installation writes here. Find which history is the true one: restore a database that fits to "
        "the topic, or, if "
        "the journal is right, `quittance refill`"
    )


# --- one transaction ------------------------------------------------------------------------------------------------


async def _append(connection: asyncpg.Connection, slot: Slot, lane: str, told: list[Told], ordinals: dict[str, int]) -> None:
    """Journal, rows, timers, clock and what counts as handled of these messages, all or none. `ordinals`: cause → ordinal."""
    await ranges.reach(connection, told[-1].sequence)
    batch = Batch(slot.service.distinct_tables())
    handled: dict[str, int] = {}
    envelopes = [_read(slot, lane, each) for each in told]
    for envelope in envelopes:
        ordinal = _ordinal(slot, envelope.causationid, ordinals)
        if lane == OWN:
            handled[envelope.causationid] = ordinal
        elif envelope.causationid not in slot.handled:
            handled[envelope.id] = ordinal
        batch.entries.append(_entry(slot, lane, ordinal, envelope, told[len(batch.entries)].body))
        slot.clock = max(slot.clock, envelope.time)
    slot.sequences[lane] = told[-1].sequence
    if lane == OWN:
        await _fold(connection, slot, batch, envelopes)
    batch.epochs = {slot.number: slot.epoch}
    batch.progress = {slot.number: (slot.ordinal, slot.clock)}
    async with connection.transaction():
        await batch.commit(connection, None)
        await connection.executemany(
            "insert into handled values ($1, $2, $3) on conflict do nothing",
            [(slot.number, cause, ordinal) for cause, ordinal in handled.items()],
        )
        await _wind_again(connection, slot.number, slot.clock)
    slot.handled |= handled
    slot.timers.fill(await timers.load(connection, slot.number))


def _read(slot: Slot, lane: str, told: Told) -> Envelope:
    try:
        return read(told.body)
    except Unreadable as error:
        raise TopicAhead(
            f"lane {lane or 'facts'} of partition {slot.number}: sequence {told.sequence} on the topic cannot be read ({error}): "
            "a newer release wrote it; start that one"
        ) from error


def _ordinal(slot: Slot, cause: str, ordinals: dict[str, int]) -> int:
    """All that one input caused has one ordinal."""
    if cause not in ordinals:
        slot.ordinal += 1
        ordinals[cause] = slot.ordinal
    return ordinals[cause]


def _entry(slot: Slot, lane: str, ordinal: int, envelope: Envelope, body: bytes) -> Entry:
    cause = f"topic:{envelope.causationid}"
    return Entry(slot.number, lane, int(envelope.sequence), ordinal, envelope.time, envelope.partitionkey, cause, body)


async def _fold(connection: asyncpg.Connection, slot: Slot, batch: Batch, facts: list[Envelope]) -> None:
    service, fields = slot.service, slot.service.state.__struct_fields__
    names = [service.tables[field].name for field in fields]
    named = [service.rows(fact.data, fact.partitionkey, slot.number) for fact in facts]
    rows: dict[str, dict[str, Any]] = {}
    for name, table in service.distinct_tables().items():
        wanted = {each for keys in named for at, key in zip(names, keys, strict=True) if at == name for each in keys_of(key)}
        rows[name] = dict(await table.load(connection, sorted(wanted)))
    for fact, keys in zip(facts, named, strict=True):
        before = service.state(*(field_of(key, rows[name]) for name, key in zip(names, keys, strict=True)))
        after = service.evolve(before, fact.data, fact.time)
        for field, name, key in zip(fields, names, keys, strict=True):
            for each, was, row in moved(key, getattr(before, field), getattr(after, field)):
                rows[name][each] = row
                batch.rows[name].note(each, slot.number, was, row)
        for timer in service.deadlines(before, after, _moment(slot, fact)):
            slot.timers.set(timer)
            batch.timers[slot.number, timer.kind, timer.key] = timer


def _moment(slot: Slot, fact: Envelope) -> Moment:
    return Moment(
        fact.time, fact.partitionkey, slot.number, fact.causationid, fact.correlationid, fact.actorid, fact.actorrole, fact.teamid
    )


async def _wind_again(connection: asyncpg.Connection, partition: int, clock: dt.datetime) -> None:
    """Timers that were due by now may have fired, in whole or in part: they fire again and find what is left to do in the rows.

    Under a moment of their own, in their order, because what they said then has its ids already.
    """
    await connection.execute(
        """
        with ours as (
            select kind, key, row_number() over (order by due, kind, key) as rank from timer where partition = $1 and due <= $2)
        update timer set due = $2 + rank * interval '1 microsecond'
        from ours where partition = $1 and timer.kind = ours.kind and timer.key = ours.key
        """,
        partition,
        clock,
    )


async def load_handled(connection: asyncpg.Connection, partition: int) -> dict[str, int]:
    rows = await connection.fetch("select id, ordinal from handled where partition = $1", partition)
    return {row["id"]: row["ordinal"] for row in rows}
