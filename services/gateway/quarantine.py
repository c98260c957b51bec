"""Withheld rows and bodies in a person's hands: list, show, repair, discard, replay (G2). Called by the command line.

A replay is a new command, decided now: the repaired bytes pass the same checks as on the first day. What goes on moves
from the withheld to the accepted rows of its flow, in one transaction, so that the flow's counts still add up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import asyncpg

from contracts.forms import Fault, Faulty
from services.gateway import bankfile, bodies, directory, intake, landing, reading, sheet, sorting, uploads, withheld
from services.gateway.bank.statement import Broken
from services.gateway.bodies import Malformed
from services.gateway.credentials import EVERYTHING, Credential
from services.gateway.documents import Columns, Document, Grouper
from services.gateway.framing import Framer, Row
from services.gateway.mapping import MappingRule, mappings, positions
from services.gateway.problems import Problem
from services.gateway.sorting import FileFlow
from shared.settings import Settings

API_KINDS = ("order", "event")
LISTED_MAX = 1_000


class Replayed(NamedTuple):
    """How a replay ended: rows that went on, rows of documents that had come before, rows that are still withheld."""

    sent: int
    repeated: int
    withheld: int


async def waiting(connection: asyncpg.Connection, team: str | None = None, flow: str | None = None) -> list[dict[str, Any]]:
    """Withheld rows and bodies that wait for somebody, oldest first, at most LISTED_MAX."""
    rows = await connection.fetch(
        "select * from withheld where status = 'waiting' and ($1::text is null or team = $1) "
        "and ($2::text is null or flow = $2) order by id limit $3",
        team,
        flow,
        LISTED_MAX,
    )
    return [withheld.shown(row) for row in rows]


async def show(connection: asyncpg.Connection, number: int) -> dict[str, Any] | None:
    row = await connection.fetchrow("select * from withheld where id = $1", number)
    return withheld.shown(row) if row else None


async def repair(connection: asyncpg.Connection, number: int, mended: bytes) -> bool:
    """Put mended bytes beside the original, which stays; False when the row does not wait any more."""
    tag: str = await connection.execute("update withheld set repaired = $2 where id = $1 and status = 'waiting'", number, mended)
    return tag.endswith(" 1")


async def discard(connection: asyncpg.Connection, numbers: Iterable[int], why: str) -> int:
    """Settle rows that will never be sent, with who decided so and why; returns how many. The bytes stay."""
    tag: str = await connection.execute(
        "update withheld set status = 'discarded', replayed_as = $2 where id = any($1::bigint[]) and status = 'waiting'",
        list(numbers),
        why,
    )
    return int(tag.rsplit(" ", 1)[-1])


async def replay(pool: asyncpg.Pool, settings: Settings, numbers: Sequence[int], who: Credential, now: dt.datetime) -> Replayed:
    """Send these again, each with all withheld rows of its document. What cannot go on stays, with its new reasons."""
    rows = await pool.fetch(
        "select * from withheld where id = any($1::bigint[]) and status = 'waiting' order by id", list(numbers)
    )
    done = [await _replay_body(pool, settings, row, who, now) for row in rows if row["kind"] in API_KINDS]
    done += [await _replay_bank_file(pool, settings, row, now) for row in rows if row["kind"] == bankfile.KIND]
    by_flow: dict[str, set[str]] = {}
    for row in rows:
        if row["kind"] not in (*API_KINDS, bankfile.KIND):
            by_flow.setdefault(row["flow"], set()).add(row["reference"])
    for flow, references in by_flow.items():
        done.append(await _replay_rows(pool, settings, flow, references, now))
    return Replayed(*(sum(counts) for counts in zip(*done, strict=True))) if done else Replayed(0, 0, 0)


# --- bodies of requests ---------------------------------------------------------------------------------------------


async def _replay_body(
    pool: asyncpg.Pool, settings: Settings, row: asyncpg.Record, who: Credential, now: dt.datetime
) -> Replayed:
    received = await reading.received(pool, settings, now)
    try:
        wish = _wish(row["kind"], row["repaired"] or row["raw"], who, received)
        done = await intake.admit_one(pool, wish, row["kind"], None, who, settings.partitions, now)
    except Malformed as error:
        return await _still(pool, row["id"], [Fault(f"line {error.line}, column {error.column}", error.problem, error.mend)])
    except Faulty as error:
        return await _still(pool, row["id"], error.faults)
    except Problem as problem:
        return await _still(pool, row["id"], problem.errors or [Fault("", problem.detail, "replay it later")])
    await pool.execute("update withheld set status = 'replayed', replayed_as = $2 where id = $1", row["id"], done.flow)
    return Replayed(0, 1, 0) if done.again else Replayed(1, 0, 0)


def _wish(kind: str, raw: bytes, who: Credential, undated: dt.datetime) -> bodies.Wish:
    body = bodies.parse(raw)
    if kind == "order":
        return bodies.order_wish(body, who.team if who.feed == EVERYTHING else who.feed, undated)
    return bodies.event_wish(body, undated)


async def _still(pool: asyncpg.Pool, number: int, faults: Iterable[Fault]) -> Replayed:
    await pool.execute("update withheld set faults = $2 where id = $1", number, withheld.faults_json(faults))
    return Replayed(0, 0, 1)


# --- files that count whole -----------------------------------------------------------------------------------------


async def _replay_bank_file(pool: asyncpg.Pool, settings: Settings, row: asyncpg.Record, now: dt.datetime) -> Replayed:
    """The whole file again, or the mended bytes in its place: after a mapping was added, or its accounts were imported."""
    async with pool.acquire() as connection:
        stored = await connection.fetchrow("select * from flow where id = $1", row["flow"])
        flow = reading.bank_flow_of(stored, reading.undated(settings, now))
        data: bytes = row["repaired"] or await uploads.whole(connection, stored["upload"])
        try:
            found = bankfile.read(stored["name"], data, stored["account"])
            entries = await directory.known(connection, bankfile.accounts_named(found))
            async with connection.transaction():
                await landing.let_in(connection, found, entries, flow, settings.partitions)
                await reading.finish(connection, flow, settings.partitions)
        except Broken as error:
            return await _still(pool, row["id"], [Fault(error.where, error.reason, error.mend)])
        counted = await connection.fetchrow("select accepted_rows, repeated_rows from flow where id = $1", flow.id)
        return Replayed(counted["accepted_rows"], counted["repeated_rows"], 0)


# --- rows of files --------------------------------------------------------------------------------------------------


async def _replay_rows(pool: asyncpg.Pool, settings: Settings, name: str, references: set[str], now: dt.datetime) -> Replayed:
    async with pool.acquire() as connection:
        stored = await connection.fetchrow("select * from flow where id = $1", name)
        rule = mappings()[stored["kind"]]
        flow = reading.flow_of(stored, rule, reading.undated(settings, now))
        header = await _header(connection, stored["upload"], rule)
        columns = Columns(rule, positions(rule, header))
        async with connection.transaction():
            rows = await connection.fetch(
                "select * from withheld where flow = $1 and reference = any($2::text[]) and status = 'waiting' "
                "order by line for update",
                name,
                list(references),
            )
            return await _again(connection, settings, flow, columns, rows, len(header))


async def _header(connection: asyncpg.Connection, upload: str, rule: MappingRule) -> list[str]:
    """The file's own header: repaired rows have its columns."""
    beginning = await reading.beginning_of(connection, upload)
    if beginning.startswith(sheet.SIGNATURE):
        data = await uploads.whole(connection, upload)
        return [cell for cell in next(sheet.rows(data)).cells if cell]
    return reading.header_of(beginning, rule).cells


async def _again(
    connection: asyncpg.Connection,
    settings: Settings,
    flow: FileFlow,
    columns: Columns,
    rows: Sequence[asyncpg.Record],
    width: int,
) -> Replayed:
    numbers = {row["line"]: row["id"] for row in rows}
    documents = _documents([_framed(row, columns, width) for row in rows], columns)
    results = sorting.read_all(documents, columns, flow.feed)
    entries = await directory.known(connection, sorting.accounts_named(results))
    found = sorting.sort(results, entries, flow)
    await sorting.let_in(connection, found, flow, settings.partitions)
    for _, held in found.held:
        for each in held:
            await connection.execute(
                "update withheld set faults = $2 where id = $1",
                numbers[each.row.line],
                withheld.faults_json(each.faults),
            )
    sent = [row.line for candidate in found.sent for row in candidate.document.rows]
    repeated = [row.line for document in found.repeated for row in document.rows]
    await _settle(connection, flow, [numbers[line] for line in (*sent, *repeated)], len(sent), len(repeated), len(found.sent))
    return Replayed(len(sent), len(repeated), sum(len(held) for _, held in found.held))


def _documents(rows: Sequence[Row], columns: Columns) -> list[Document]:
    grouper = Grouper(columns)
    return [*grouper.feed(rows), *grouper.end()]


def _framed(row: asyncpg.Record, columns: Columns, width: int) -> Row:
    """The mended bytes as a row at the place where the broken one stood."""
    framer = Framer(columns.rule.dialect._replace(encoding="utf-8" if row["repaired"] else columns.rule.file.encoding))
    framer.width = width
    mended: bytes = row["repaired"] or row["raw"]
    framed = [*framer.feed(mended + b"\n"), *framer.end()]
    if len(framed) != 1:
        fault = Fault("row", f"the mended bytes are {len(framed)} rows", "write one row")
        return Row(row["line"], 0, len(mended), mended, [], (fault,))
    return framed[0]._replace(line=row["line"])


async def _settle(
    connection: asyncpg.Connection, flow: FileFlow, numbers: list[int], sent: int, repeated: int, documents: int
) -> None:
    await connection.execute(
        "update withheld set status = 'replayed', replayed_as = $2 where id = any($1::bigint[])", numbers, flow.id
    )
    await connection.execute(
        """
        update flow set quarantined_rows = quarantined_rows - $2 - $3, accepted_rows = accepted_rows + $2,
            repeated_rows = repeated_rows + $3, documents = documents + $4 where id = $1
        """,
        flow.id,
        sent,
        repeated,
        documents,
    )
