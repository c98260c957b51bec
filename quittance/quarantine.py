"""`quittance quarantine`: what could not be taken, in one list: rows and bodies at the gateway, bytes on topics at services.

A row of the gateway is mended as bytes and sent again through the gateway; bytes on a topic can only be settled, because
they are mended where they were written.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import asyncpg
import msgspec

from quittance.cast import TRADING
from quittance.installation import Unusable
from quittance.intake import Gateway
from quittance.parked import open_databases
from services.gateway.mapping import mappings
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
    async with open_databases(settings, TRADING) as databases:
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
    async with open_databases(settings, TRADING) as databases:
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
    """Put mended bytes beside the original of a gateway row; replay sends them."""
    row = await show(settings, name)
    if row.service != GATEWAY:
        raise Unusable(f"{name} stands on topic {row.kind}: mend it at its writer, then `quittance quarantine discard {name}`")
    async with open_databases(settings, (GATEWAY,)) as databases:
        await databases[GATEWAY].execute(
            "update withheld set repaired = $2 where id = $1", int(name), file.read_bytes().rstrip(b"\r\n")
        )


async def replay(settings: Settings, gateway: Gateway, name: str) -> str:
    """Send a row, and all rows of its document, again as a small file; returns the flow. What is still bad comes back."""
    row = await show(settings, name)
    if row.service != GATEWAY or row.kind not in mappings():
        raise Unusable(f"{name} is no row of a file; send it again with `POST /v1/events` or `/v1/orders`")
    async with open_databases(settings, (GATEWAY,)) as databases:
        rows = await _document(databases[GATEWAY], row)
        header = await _header(databases[GATEWAY], row.flow)
        body = b"\n".join([header, *(each["repaired"] or each["raw"] for each in rows), b""])
        flow = await gateway.send_file(row.kind, f"repaired {row.reference or name}", body)
        await gateway.finished(flow["flow"])
        ids = [each["id"] for each in rows]
        await databases[GATEWAY].execute(
            "update withheld set status = 'replayed', replayed_as = $2 where id = any($1::bigint[])", ids, flow["flow"]
        )
    return str(flow["flow"])


async def _document(connection: asyncpg.Connection, row: Kept) -> list[asyncpg.Record]:
    """Rows of one document are mended and sent together: an order goes whole or not at all."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "select id, raw, repaired from withheld where status = 'waiting' "
        "and (id = $1 or ($2 <> '' and flow = $3 and reference = $2)) order by line, id",
        int(row.id),
        row.reference,
        row.flow,
    )
    return rows


async def _header(connection: asyncpg.Connection, flow: str) -> bytes:
    beginning: bytes | None = await connection.fetchval(
        "select body from chunk join flow on flow.upload = chunk.upload where flow.id = $1 and number = 0", flow
    )
    if not beginning:
        raise Unusable(f"the file of flow {flow} is no longer stored; send the mended rows as a file of their own")
    return beginning.split(b"\n", 1)[0].rstrip(b"\r")


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
