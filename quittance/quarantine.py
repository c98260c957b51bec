"""`quittance quarantine`: what could not be taken, in one list: rows and bodies at the gateway, bytes on topics at services.

A row of the gateway is mended as bytes and sent again through the gateway; bytes on a topic can only be settled, because
they are mended where they were written.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import asyncpg
import msgspec

from quittance.cast import RUNNING
from quittance.installation import Unusable
from quittance.parked import open_databases
from services.gateway import quarantine as withheld
from services.gateway.credentials import development
from shared import quarantine as topics
from shared.settings import Settings

GATEWAY = "gateway"
SHOWN_MAX = 500


class Kept(msgspec.Struct, frozen=True):
    """`id` is a number for a row of the gateway, 32 hex digits for bytes on a topic. `place`: line of a file, or offset."""

    id: str
    service: str
    kind: str
    place: int
    reference: str
    reasons: list[str]
    at: dt.datetime
    status: str
    bytes: str
    flow: str = ""
    repaired: bool = False


async def waiting(settings: Settings, most: int = SHOWN_MAX) -> tuple[int, list[Kept]]:
    """(how many wait, the oldest of them)."""
    async with open_databases(settings, RUNNING) as databases:
        count = 0
        found: list[Kept] = []
        for name, connection in databases.items():
            rows = await topics.waiting(connection)
            count += len(rows)
            found += [await _of_topic(connection, name, row["id"]) for row in rows[:most]]
        if GATEWAY in databases:
            count += await databases[GATEWAY].fetchval("select count(*) from withheld where status = 'waiting'")
            rows = await databases[GATEWAY].fetch("select * from withheld where status = 'waiting' order by id limit $1", most)
            found += [_of_gateway(row) for row in rows]
    return count, found[:most]


async def show(settings: Settings, name: str) -> Kept:
    """Raises `Unusable` when nothing has this id."""
    async with open_databases(settings, RUNNING) as databases:
        if name.isdecimal() and GATEWAY in databases:
            row = await databases[GATEWAY].fetchrow("select * from withheld where id = $1", int(name))
            if row is not None:
                return _of_gateway(row)
        for service, connection in databases.items():
            if await topics.show(connection, name) is not None:
                return await _of_topic(connection, service, name)
    raise Unusable(f"nothing in quarantine has the id {name!r}; `quittance quarantine list` names what is there")


def _of_gateway(row: asyncpg.Record) -> Kept:
    faults = msgspec.json.decode(row["faults"])
    return Kept(
        id=str(row["id"]),
        service=GATEWAY,
        kind=row["kind"],
        place=row["line"],
        reference=row["reference"],
        reasons=[_told(fault) for fault in faults],
        at=row["at"],
        status=row["status"],
        bytes=(row["repaired"] or row["raw"]).decode(errors="replace"),
        flow=row["flow"],
        repaired=row["repaired"] is not None,
    )


def _told(fault: dict[str, str]) -> str:
    mend = f" ({fault['mend']})" if fault.get("mend") else ""
    return f"{fault['field']}: {fault['problem']}{mend}"


async def _of_topic(connection: asyncpg.Connection, service: str, name: str) -> Kept:
    row = await topics.show(connection, name)
    if row is None:
        raise Unusable(f"{name} left quarantine just now; list again")
    return Kept(
        id=row["id"],
        service=service,
        kind=row["topic"],
        place=row["offset"],
        reference=row["source"],
        reasons=[row["reason"]],
        at=row["at"],
        status=row["status"],
        bytes=row["body"].decode(errors="replace"),
    )


# --- settling -------------------------------------------------------------------------------------------------------


async def repair(settings: Settings, name: str, file: Path) -> None:
    """Put mended bytes beside the original of a gateway row; replay sends them. Raises `Unusable` when it waits no more."""
    await _waits(settings, name)
    async with open_databases(settings, (GATEWAY,)) as databases:
        if not await withheld.repair(databases[GATEWAY], int(name), file.read_bytes().rstrip(b"\r\n")):
            raise Unusable(f"row {name} was settled just now; nothing changed")


async def replay(settings: Settings, name: str) -> withheld.Replayed:
    """Send a row, with all rows of its document, or a body again; what cannot go on stays, with its new reasons."""
    await _waits(settings, name)
    pool = await asyncpg.create_pool(settings.database(GATEWAY), min_size=1, max_size=2)
    try:
        return await withheld.replay(pool, settings, [int(name)], development(), dt.datetime.now(dt.UTC))
    finally:
        await pool.close()


async def _waits(settings: Settings, name: str) -> None:
    """Raises `Unusable` unless this is a row or body at the gateway that nobody has settled yet."""
    row = await show(settings, name)
    if row.service != GATEWAY:
        raise Unusable(f"{name} stands on topic {row.kind}: mend it at its writer, then `quittance quarantine discard {name}`")
    if row.status != "waiting":
        raise Unusable(f"{name} is {row.status} already; `quittance quarantine list` names what waits")


async def discard(settings: Settings, name: str, reason: str, who: str) -> None:
    """Settle without sending: the reason and the person stay with it."""
    row = await show(settings, name)
    async with open_databases(settings, (row.service,)) as databases:
        if row.service != GATEWAY:
            await topics.settle(databases[row.service], name, f"discarded by {who}: {reason}")
            return
        await databases[GATEWAY].execute(
            "update withheld set status = 'discarded', replayed_as = $2 where id = $1", int(name), f"{who}: {reason}"
        )
