"""What was not sent on: kept with its bytes, place and reasons until it is repaired and sent again, or settled (G2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec

from contracts.forms import Fault
from services.gateway.documents import BAD_ELSEWHERE, Held
from shared.parking import COUNTED_MAX
from shared.stuck import REASON_MAX, SHOWN_MAX, Kept, Stuck
from shared.stuck import stuck as stuck_on_topics

PAGE = 200
RAW_BYTES_MAX = 1024 * 1024
"""Kept of one withheld body or row; more than either can have."""


class Withheld(NamedTuple):
    flow: str
    team: str
    kind: str
    line: int
    reference: str
    raw: bytes
    faults: str


def of_row(flow: str, team: str, kind: str, reference: str, held: Held) -> Withheld:
    return Withheld(flow, team, kind, held.row.line, _storable(reference), held.row.raw, faults_json(held.faults))


def faults_json(faults: Iterable[Fault]) -> str:
    return json.dumps([msgspec.to_builtins(fault) for fault in faults]).replace("\\u0000", "\\ufffd")


def _storable(text: str) -> str:
    return text[:200].replace("\0", "\N{REPLACEMENT CHARACTER}")


async def keep_rows(connection: asyncpg.Connection, rows: Sequence[Withheld]) -> None:
    if rows:
        await connection.copy_records_to_table("withheld", records=rows, columns=Withheld._fields)


async def keep_body(
    connection: asyncpg.Connection | asyncpg.Pool,
    team: str,
    kind: str,
    reference: str,
    raw: bytes,
    faults: Iterable[Fault],
) -> int:
    """Keep a body that was refused although it says who it is; the same body again is kept once. Returns its number."""
    kept: int = await connection.fetchval(
        """
        with known as (select id from withheld
                       where team = $1 and kind = $2 and reference = $3 and raw = $4 and status = 'waiting'),
        new as (insert into withheld (flow, team, kind, reference, raw, faults)
                select '', $1, $2, $3, $4, $5 where not exists (select from known) returning id)
        select id from known union all select id from new limit 1
        """,
        team,
        kind,
        _storable(reference),
        raw[:RAW_BYTES_MAX],
        faults_json(faults),
    )
    return kept


async def page(
    connection: asyncpg.Connection | asyncpg.Pool, team: str, flow: str | None, after: int, status: str = "waiting"
) -> list[dict[str, Any]]:
    """Up to PAGE withheld rows of a team behind `after`, of one flow or of all."""
    rows = await connection.fetch(
        "select id, flow, kind, line, reference, raw, repaired, faults, at, status from withheld "
        "where team = $1 and ($2::text is null or flow = $2) and id > $3 and status = $4 order by id limit $5",
        team,
        flow,
        after,
        status,
        PAGE,
    )
    return [shown(row) for row in rows]


def shown(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "flow": row["flow"] or None,
        "kind": row["kind"],
        "line": row["line"] or None,
        "reference": row["reference"],
        "bytes": (row["repaired"] or row["raw"]).decode(errors="replace"),
        "errors": json.loads(row["faults"]),
        "at": row["at"].isoformat(),
        "status": row["status"],
    }


# --- for who mends them ---------------------------------------------------------------------------------------------


async def stuck(pool: asyncpg.Pool) -> Stuck:
    """What the kit knows of this service, and the withheld rows and bodies of all teams, the oldest first.

    A document waits whole for its first bad line, as long as that waits: its other lines are counted beside it. What is newer
    than the oldest COUNTED_MAX is not looked at, so it costs no more when a file of millions waits. Index: withheld_of_team.
    """
    found = await stuck_on_topics(pool)
    rows = await pool.fetch(
        """
        with waits as (
            select id, flow, team, kind, line, reference, faults, at,
                case when jsonb_array_length(faults) = 1 and starts_with(faults -> 0 ->> 'problem', $2)
                    then substr(faults -> 0 ->> 'problem', length($2) + 1)::bigint end as behind
            from withheld where status = 'waiting' order by id limit $3
        ), shown as (
            select * from waits where not exists (
                select from waits first where first.flow = waits.flow and first.line = waits.behind
            ) order by id limit $1
        ), others as (
            select flow, behind as line, count(*) from waits
            where behind is not null and flow in (select flow from shown) group by flow, behind
        )
        select id, flow, team, kind, line, reference, faults, at, coalesce(others.count, 0) as more
        from shown left join others using (flow, line) order by id
        """,
        SHOWN_MAX,
        BAD_ELSEWHERE,
        COUNTED_MAX,
    )
    total = sum(1 + row["more"] for row in rows) if len(rows) < SHOWN_MAX else await waiting(pool)
    kept = (*found.kept, *(_kept(row) for row in rows))[:SHOWN_MAX]
    return msgspec.structs.replace(found, kept=kept, kept_total=min(found.kept_total + total, COUNTED_MAX))


async def waiting(pool: asyncpg.Pool) -> int:
    """How many wait for their sender or for us, counted up to a bound. Index: withheld_of_team."""
    count: int = await pool.fetchval(
        "select count(*) from (select from withheld where status = 'waiting' limit $1) as counted", COUNTED_MAX
    )
    return count


def _kept(row: asyncpg.Record) -> Kept:
    place = f"line {row['line']} of {row['kind']}, file {row['flow']}" if row["flow"] else f"{row['kind']} by HTTP"
    faults = json.loads(row["faults"])
    reason = "; ".join(f"{fault['field']}: {fault['problem']}" for fault in faults)
    mend = "; ".join(dict.fromkeys(fault["mend"] for fault in faults if fault.get("mend")))
    about = f"{row['team']} {row['reference']}".strip()
    return Kept(str(row["id"]), place, reason[:REASON_MAX], row["at"], about, mend[:REASON_MAX], row["more"])
