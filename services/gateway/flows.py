"""Flows: one row for everything that somebody sent, how far it is, and how it ended."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from contracts.envelope import derived_id
from services.gateway.credentials import Credential
from services.gateway.uploads import Upload

FINISHED = "finished"
REFUSED = "refused"


def flow_id(team: str, *identity: str) -> str:
    """The same thing from the same team is the same flow, for ever."""
    return derived_id("flow", team, *identity)


async def open_flow(
    connection: asyncpg.Connection, flow: str, who: Credential, kind: str, digest: bytes, size: int, now: dt.datetime
) -> bool:
    """Note what was sent by API; False when this very flow exists already."""
    tag = await connection.execute(
        "insert into flow (id, team, actor, role, feed, portfolios, kind, state, digest, bytes, finished_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, 'finished', $8, $9, $10) on conflict (id) do nothing",
        flow,
        who.team,
        who.actor,
        who.role,
        who.feed,
        list(who.portfolios),
        kind,
        digest,
        size,
        now,
    )
    return bool(tag.endswith(" 1"))


async def open_file(
    connection: asyncpg.Connection,
    flow: str,
    who: Credential,
    kind: str,
    name: str,
    upload: Upload,
    as_of: dt.datetime | None,
    account: str | None = None,
) -> bool:
    """Note a stored file for reading; False when this file was sent before. One refused whole may come again."""
    tag = await connection.execute(
        """
        insert into flow
            (id, team, actor, role, feed, portfolios, kind, is_file, state, digest, bytes, name, upload, as_of, account, types)
        values ($1, $2, $3, $4, $5, $6, $7, true, 'accepted', $8, $9, $10, $11, $12, $13, $14)
        on conflict (id) do update
        set state = 'accepted', failure = '', tries = 0, upload = excluded.upload, accepted_at = now(), finished_at = null,
            actor = excluded.actor, role = excluded.role, feed = excluded.feed, portfolios = excluded.portfolios,
            types = excluded.types
        where flow.state = 'refused'
        """,
        flow,
        who.team,
        who.actor,
        who.role,
        who.feed,
        list(who.portfolios),
        kind,
        upload.digest,
        upload.bytes,
        name,
        upload.id,
        as_of,
        account,
        list(who.types),
    )
    return bool(tag.endswith(" 1"))


async def note_wishes(connection: asyncpg.Connection, wishes: Sequence[tuple[str, str, str, str]]) -> None:
    """`(command id, flow, type, subject)` of commands whose outcome somebody may wait for."""
    await connection.execute(
        "insert into wish (id, flow, type, subject) "
        "select * from unnest($1::text[], $2::text[], $3::text[], $4::text[]) on conflict (id) do nothing",
        *map(list, zip(*wishes, strict=True)),
    )


async def show(connection: asyncpg.Connection | asyncpg.Pool, flow: str, team: str) -> dict[str, Any] | None:
    """The flow as its sender may see it; None when there is none of this team."""
    row = await connection.fetchrow("select * from flow where id = $1 and team = $2", flow, team)
    if row is None:
        return None
    outcomes = await _outcomes(connection, row)
    shown: dict[str, Any] = {
        "flow": row["id"],
        "kind": row["kind"],
        "state": row["state"],
        "accepted_at": row["accepted_at"].isoformat(),
        "outcomes": outcomes,
        "links": links(flow),
    }
    return shown | (_file_part(row, outcomes) if row["is_file"] else await _wish_part(connection, flow))


async def _outcomes(connection: asyncpg.Connection | asyncpg.Pool, row: asyncpg.Record) -> dict[str, int]:
    if row["is_file"]:
        counted = await connection.fetch("select outcome, count from tally where flow = $1 order by outcome", row["id"])
    else:
        counted = await connection.fetch(
            "select coalesce(outcome, 'waiting') as outcome, count(*) from wish where flow = $1 group by 1 order by 1",
            row["id"],
        )
    return {each["outcome"]: each["count"] for each in counted}


COUNTS = ("rows", "accepted_rows", "repeated_rows", "quarantined_rows", "documents", "repeated_documents")


def _file_part(row: asyncpg.Record, outcomes: dict[str, int]) -> dict[str, Any]:
    part: dict[str, Any] = {name: row[name] for name in COUNTS}
    part |= {
        "file": row["name"],
        "bytes": row["bytes"],
        "read_bytes": row["read_offset"],
        "sha256": row["digest"].hex(),
    }
    part["decided"] = sum(outcomes.values())
    part["finished_at"] = row["finished_at"].isoformat() if row["finished_at"] else None
    return part | ({"failure": row["failure"]} if row["failure"] else {})


async def _wish_part(connection: asyncpg.Connection | asyncpg.Pool, flow: str) -> dict[str, Any]:
    rows = await connection.fetch("select type, subject, outcome, answer from wish where flow = $1 order by id limit 2", flow)
    if len(rows) != 1:
        return {}
    (row,) = rows
    answer = msgspec.json.decode(row["answer"]) if row["answer"] else None
    return {"type": row["type"], "subject": row["subject"], "outcome": row["outcome"], "fact": answer}


def links(flow: str) -> dict[str, str]:
    return {"self": f"/v1/flows/{flow}", "quarantine": f"/v1/flows/{flow}/quarantine"}


async def answered(connection: asyncpg.Connection | asyncpg.Pool, flow: str) -> bool:
    """Every command of this flow has its outcome."""
    return bool(await connection.fetchval("select not exists (select from wish where flow = $1 and outcome is null)", flow))
