"""Bytes from a topic that are no message of the contracts: kept, shown, and settled by a person.

A message from outside is repaired by sending it again through the gateway; an internal one from its owner's journal.
So the row here is only discarded, with the reason and the person, never edited.
"""

from __future__ import annotations

import asyncpg


async def waiting(connection: asyncpg.Connection) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        'select id, topic, partition, "offset", source, sequence, reason, at '
        "from quarantine where status = 'waiting' order by at"
    )
    return rows


async def show(connection: asyncpg.Connection, name: str) -> asyncpg.Record | None:
    return await connection.fetchrow("select * from quarantine where id = $1", name)


async def settle(connection: asyncpg.Connection, name: str, status: str) -> bool:
    """`status` says in words how it ended: repaired as flow X, or discarded by Y because Z."""
    tag: str = await connection.execute("update quarantine set status = $2 where id = $1 and status = 'waiting'", name, status)
    return tag != "UPDATE 0"
