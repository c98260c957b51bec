"""Writing a service's rows again from its own facts, while it runs: the loss of a read model costs its time, nothing else.

A partition stands still for the last part of it: its lease row is locked, so that no batch can commit, and its epoch is raised,
so that its owner throws its memory away and loads what stands there now.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from shared import refold
from shared.rows import Table
from shared.service import Service


class RowsLost(RuntimeError):
    """A table of rows is not the one that was there: it was dropped and made anew, empty. Nothing may be decided on it."""


async def rebuild(connection: asyncpg.Connection, service: Service, partition: int) -> int:
    """Make every row of a partition what its facts say; returns how many were not."""
    last, rows = await refold.beginning(connection, service, partition)
    last = await refold.fold_on(connection, service, partition, last, rows)
    async with connection.transaction():
        await connection.fetchval("select epoch from lease where partition = $1 for update", partition)
        await refold.fold_on(connection, service, partition, last, rows)
        mended = 0
        for name, table in service.distinct_tables().items():
            mended += await _mend(connection, table, partition, rows[name])
        await connection.execute("update lease set epoch = epoch + 1 where partition = $1", partition)
    return mended


async def _mend(connection: asyncpg.Connection, table: Table, partition: int, folded: dict[str, Any]) -> int:
    stored = await table.all_of(connection, partition)
    gone = stored.keys() - folded.keys()
    new = {key: (partition, row) for key, row in folded.items() if key not in stored}
    changed = {key: (partition, row) for key, row in folded.items() if key in stored and stored[key] != row}
    if gone:
        await table.delete(connection, gone)
    if new:
        await table.insert(connection, new)
    if changed:
        await table.update(connection, changed)
    return len(gone) + len(new) + len(changed)


_PLACES = """
    select name, pg_database.oid || '/' || to_regclass(name)::oid as place
    from unnest($1::text[]) as named (name), pg_database where datname = current_database()
"""


async def require_rows(connection: asyncpg.Connection, service: Service) -> None:
    """Raises `RowsLost` when a table was made anew since it was first used, in this very database."""
    names = list(service.distinct_tables())
    known = dict(await connection.fetch("select key, value from installation where key like 'rows of %'"))
    for name, place in await connection.fetch(_PLACES, names):
        before = known.get(f"rows of {name}", "")
        if before != place and before.split("/")[0] == place.split("/")[0]:
            raise RowsLost(
                f"the table {name} of {service.name} was dropped and made anew: what it held is in the journal; "
                f"`quittance rebuild {service.name}`, then start it again"
            )
        if before != place:
            await note_rows(connection, service)


async def note_rows(connection: asyncpg.Connection, service: Service) -> None:
    """These are the tables now."""
    await connection.execute(
        f"""
        insert into installation select 'rows of ' || name, place from ({_PLACES}) as placed
        on conflict (key) do update set value = excluded.value
        """,
        list(service.distinct_tables()),
    )
