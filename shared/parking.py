"""Parked credit groups, for the engine that replays them and for the people who mend them (CLI, console).

A parked group's messages and timers wait in one queue in order of arrival. Replay runs them through the normal path; the
flag clears in the same transaction as the last of them. Only a message from outside may be changed: an internal one is
repaired from its owner's journal, never by hand.
"""

from __future__ import annotations

import asyncpg

from contracts.envelope import read


async def asked_for_replay(connection: asyncpg.Connection, partitions: list[int]) -> list[tuple[str, int]]:
    rows = await connection.fetch(
        "select home, partition from parked_home where replay and partition = any($1::smallint[]) order by since", partitions
    )
    return [(row["home"], row["partition"]) for row in rows]


async def queue_of(connection: asyncpg.Connection, home: str, most: int) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        "select n, topic, body from parked where home = $1 order by n limit $2", home, most
    )
    return rows


async def still_failing(connection: asyncpg.Connection, home: str, n: int, reason: str) -> None:
    await connection.execute("update parked set reason = $2 where n = $1", n, reason)
    await connection.execute("update parked_home set replay = false, reason = $2 where home = $1", home, reason)


async def forget(connection: asyncpg.Connection, home: str) -> None:
    """An empty queue that still carries its flag (it was emptied by discarding)."""
    await connection.execute("delete from parked_home where home = $1 and not exists (select from parked where home = $1)", home)


COUNTED_MAX = 10_000
"""Counting further would read more than the answer is worth: somebody must look either way."""


async def waiting(connection: asyncpg.Connection, partitions: list[int]) -> tuple[int, int]:
    """How many messages of these partitions are parked, and how many wait in quarantine; neither above COUNTED_MAX."""
    row = await connection.fetchrow(
        """
        select (select count(*) from (select from parked where partition = any($1::smallint[]) limit $2) as counted),
            (select count(*) from (
                select from quarantine where status = 'waiting' and partition = any($1::smallint[]) limit $2) as counted)
        """,
        partitions,
        COUNTED_MAX,
    )
    assert row is not None
    return row[0], row[1]


async def list_homes(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        """
        select parked_home.home, partition, parked_home.reason, since, replay,
            (select count(*) from parked where parked.home = parked_home.home) as messages
        from parked_home order by since
        """
    )
    return rows


async def show(connection: asyncpg.Connection, home: str) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        "select n, topic, message_id, type, reason, body from parked where home = $1 order by n", home
    )
    return rows


class NotRepairable(ValueError):
    """An internal fact is repaired from its owner's journal, not by hand; or the message is not parked."""


async def repair(connection: asyncpg.Connection, n: int, body: bytes) -> None:
    """Replace the bytes of one parked command. Raises Unreadable when they are no message, NotRepairable for facts."""
    row = await connection.fetchrow("select topic, home from parked where n = $1", n)
    if row is None:
        raise NotRepairable(f"no parked message {n}; `quittance parked list` names them")
    if not row["topic"].endswith(".commands"):
        raise NotRepairable(f"message {n} is a fact of another service: mend it there, then replay")
    if read(body).partitionkey != row["home"]:
        raise NotRepairable(f"message {n} must stay with group {row['home']!r}: set partitionkey to it")
    await connection.execute("update parked set body = $2 where n = $1", n, body)


async def replay(connection: asyncpg.Connection, home: str) -> bool:
    """Ask the owner to replay a group; False when it is not parked."""
    tag: str = await connection.execute("update parked_home set replay = true where home = $1", home)
    await connection.execute("select pg_notify('quittance', 'replay')")
    return tag != "UPDATE 0"
