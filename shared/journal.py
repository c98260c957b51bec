"""The journal is the outbox: what a service said, numbered without gaps by the partition's single writer.

Rows go in by COPY inside the batch's transaction. After commit they are published from memory; after a crash, from here.
"""

from __future__ import annotations

from typing import NamedTuple

import asyncpg
import msgspec

from contracts.envelope import address

OWN = ""
"""The lane of a service's own facts."""
BACKLOG_STEP = 5_000
"""Rows republished at once after a crash: bounds memory, not work."""


class Entry(NamedTuple):
    """One row, in column order. `body` is the encoded envelope exactly as it is published."""

    partition: int
    lane: str
    sequence: int
    ordinal: int
    at: object
    home: str
    input: str
    body: bytes


COLUMNS = Entry._fields


Place = tuple[str, int, str]
"""(topic as declared, partition, writer): where the messages of one lane are found on the broker."""


def place_of(service: str, partition: int, lane: str) -> Place:
    if lane == OWN:
        return service, partition, f"/{service}/{partition}"
    topic, _, target = lane.rpartition("/")
    return topic, int(target), f"/{service}/{partition}"


async def append(connection: asyncpg.Connection, entries: list[Entry]) -> None:
    await connection.copy_records_to_table("journal", records=entries, columns=COLUMNS)


async def last_sequences(connection: asyncpg.Connection, partition: int) -> dict[str, int]:
    """The last sequence of every lane of a partition; walks the index from lane to lane, never the rows."""
    rows = await connection.fetch(
        """
        with recursive lanes as (
            (select lane from journal where partition = $1 order by lane limit 1)
            union all
            select (select lane from journal where partition = $1 and lane > lanes.lane order by lane limit 1)
            from lanes where lanes.lane is not null)
        select lane, (select max(sequence) from journal where partition = $1 and lane = lanes.lane) as sequence
        from lanes where lane is not null
        """,
        partition,
    )
    return {row["lane"]: row["sequence"] for row in rows}


async def after(connection: asyncpg.Connection, partition: int, lane: str, sequence: int) -> list[Entry]:
    """The next rows of a lane behind `sequence`, in order."""
    rows = await connection.fetch(
        f"select {', '.join(COLUMNS)} from journal where partition = $1 and lane = $2 and sequence > $3 "
        f"order by sequence limit {BACKLOG_STEP}",
        partition,
        lane,
        sequence,
    )
    return [Entry(*row) for row in rows]


async def id_at(connection: asyncpg.Connection, partition: int, lane: str, sequence: int) -> str | None:
    """The id of one row, None where there is none. Nothing else is read: only a newer release may know the type."""
    body = await connection.fetchval(
        "select body from journal where partition = $1 and lane = $2 and sequence = $3", partition, lane, sequence
    )
    return None if body is None else address(body).id


Mark = tuple[str, int | None]
"""Of the last message taken from a writer: its id, and a checksum over the ids of all up to it (None: not known)."""


class Seen(msgspec.Struct, frozen=True):
    """How far one topic of one partition was read: the next offset, and the last sequence taken of each writer."""

    next_offset: int
    seen: dict[str, int]
    marks: dict[str, Mark]


_decode_seen = msgspec.json.Decoder(dict[str, int]).decode
_decode_marks = msgspec.json.Decoder(dict[str, Mark]).decode
_encode = msgspec.json.Encoder().encode


async def load_positions(connection: asyncpg.Connection, partition: int) -> dict[str, Seen]:
    rows = await connection.fetch("select topic, next_offset, seen, marks from reading where partition = $1", partition)
    return {row["topic"]: Seen(row["next_offset"], _decode_seen(row["seen"]), _decode_marks(row["marks"])) for row in rows}


Reached = tuple[int, str, int, dict[str, int], dict[str, Mark]]
"""(partition, topic, next offset, seen, marks)."""


async def save_positions(connection: asyncpg.Connection, positions: list[Reached]) -> None:
    await connection.executemany(
        """
        insert into reading (partition, topic, next_offset, seen, marks) values ($1, $2, $3, $4, $5)
        on conflict (partition, topic) do update
        set next_offset = excluded.next_offset, seen = excluded.seen, marks = excluded.marks
        """,
        [
            (partition, topic, offset, _encode(seen).decode(), _encode(marks).decode())
            for partition, topic, offset, seen, marks in positions
        ],
    )
