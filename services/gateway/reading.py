"""Reads accepted files row by row, one at a time per team in order of arrival; after a restart it goes on from there."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable

import asyncpg
import structlog

from contracts.gateway import FileFinished
from contracts.message import Message
from services.gateway import admission, bankfile, directory, landing, sheet, sorting, uploads
from services.gateway.backlog import Backlog
from services.gateway.bank.statement import Broken
from services.gateway.credentials import EVERYTHING
from services.gateway.documents import Columns, Document, Grouper
from services.gateway.framing import Framer, Row
from services.gateway.mapping import MappingRule, WrongShape, mappings, positions
from services.gateway.sorting import FileFlow, Slice
from shared import mailbox
from shared.database import UNAVAILABLE
from shared.settings import Settings

log = structlog.get_logger(__name__)

DOCUMENTS_PER_TRANSACTION = 500
ROWS_PER_TRANSACTION = 5_000
FEED_BYTES = 64 * 1024
"""Bytes parsed between two turns of the event loop, so that requests are answered while a file is read."""
TEAMS_MAX = 4
"""Files read at once by one process, each holding a connection of the pool that requests share."""
POLL_S = 0.5
RETRY_S = 2.0
PENDING_POLL_S = 0.1
TRIES_MAX = 3
"""How often reading a bank's file is begun before it is kept out: one that ends its reader each time would stop all behind it."""

EVENT_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""On event time there is no now: what says no time of its own must not move the clock."""


def undated(settings: Settings, now: dt.datetime) -> dt.datetime:
    """The time of a file's rows that say none."""
    return now if settings.clock == "wall" else EVENT_BEGINNING


async def received(pool: asyncpg.Pool, settings: Settings, now: dt.datetime) -> dt.datetime:
    """The time of a body that says none: now; on event time, as far as messages have come."""
    if settings.clock == "wall":
        return now
    return await pool.fetchval("select max(clock) from progress") or EVENT_BEGINNING


class Reader:
    """One per process; instances share the work by a lock per team."""

    def __init__(self, pool: asyncpg.Pool, settings: Settings, backlog: Backlog, now: Callable[[], dt.datetime]) -> None:
        self._pool, self._settings, self._backlog, self._now = pool, settings, backlog, now
        self._running: dict[str, asyncio.Task[None]] = {}
        self._parsing = asyncio.Lock()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                await self._start_teams()
                await self._pause()
        finally:
            for task in self._running.values():
                task.cancel()

    async def _pause(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(POLL_S):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _start_teams(self) -> None:
        try:
            rows = await self._pool.fetch("select distinct team from flow where is_file and state in ('accepted', 'reading')")
        except UNAVAILABLE as error:
            log.warning("files wait for the database", error=str(error))
            return
        self._forget_done()
        for team in sorted({row["team"] for row in rows} - set(self._running))[: TEAMS_MAX - len(self._running)]:
            self._running[team] = asyncio.create_task(self._serve_team(team), name=f"files of {team}")

    def _forget_done(self) -> None:
        for team, task in list(self._running.items()):
            if task.done():
                del self._running[team]
                if error := task.exception():
                    log.error("reading a file failed; it is tried again", team=team, exc_info=error)

    async def _serve_team(self, team: str) -> None:
        try:
            async with self._pool.acquire() as connection:
                # A lock of the session: it ends with the connection, whatever happens to this process.
                if await connection.fetchval("select pg_try_advisory_lock(hashtextextended($1, 7417))", team):
                    await self._read_all(connection, team)
                    await connection.fetchval("select pg_advisory_unlock(hashtextextended($1, 7417))", team)
        except UNAVAILABLE as error:
            log.warning("reading a file stopped; it goes on where it was", team=team, error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(RETRY_S)

    async def _read_all(self, connection: asyncpg.Connection, team: str) -> None:
        while row := await connection.fetchrow(
            "select * from flow where is_file and state in ('accepted', 'reading') and team = $1 "
            "order by accepted_at, id limit 1",
            team,
        ):
            try:
                await self._read(connection, row)
            except (WrongShape, sheet.NoSheet, KeyError) as error:
                await refuse(connection, row["id"], str(error) if not isinstance(error, KeyError) else f"no mapping {error}")

    async def _read(self, connection: asyncpg.Connection, row: asyncpg.Record) -> None:
        if row["kind"] == bankfile.KIND:
            await self._read_bank(connection, row)
            return
        rule = mappings()[row["kind"]]
        flow = self._flow_of(row, rule)
        columns, rows = await _open(connection, row, rule)
        async for piece in _slices(rows, Grouper(columns, row["oversized"])):
            await self._backlog.wait_until_short()
            await self._take(connection, piece, columns, flow)
        await finish(connection, flow, self._settings.partitions)

    async def _read_bank(self, connection: asyncpg.Connection, row: asyncpg.Record) -> None:
        """A bank's or payer's file counts whole or not at all; one at a time is in memory."""
        flow = bank_flow_of(row, undated(self._settings, self._now()))
        async with self._parsing:
            data = await uploads.whole(connection, row["upload"])
            try:
                found = await self._parsed(connection, row, data)
                entries = await self._settled(connection, bankfile.accounts_named(found), waits=True)
                await self._backlog.wait_until_short()
                async with connection.transaction():
                    await landing.let_in(connection, found, entries, flow, self._settings.partitions)
                    await finish(connection, flow, self._settings.partitions)
            except Broken as error:
                log.warning("bank file refused", flow=flow.id, failure=str(error))
                async with connection.transaction():
                    await landing.keep_out(connection, flow, data, error)

    async def _parsed(self, connection: asyncpg.Connection, row: asyncpg.Record, data: bytes) -> list[bankfile.Wished]:
        """Counted before and after, so that it is known of a file that whoever read it did not come back."""
        tries = await connection.fetchval("update flow set tries = tries + 1 where id = $1 returning tries", row["id"])
        if tries > TRIES_MAX:
            mend = "its bytes are kept and the log says why; send it again once that is mended"
            raise Broken("file", f"reading it failed {TRIES_MAX} times", mend)
        try:
            found = await asyncio.to_thread(bankfile.read, row["name"], data, row["account"])
        except Broken:
            await self._came_back(connection, row["id"])
            raise
        await self._came_back(connection, row["id"])
        return found

    async def _came_back(self, connection: asyncpg.Connection, flow: str) -> None:
        await connection.execute("update flow set tries = 0 where id = $1", flow)

    def _flow_of(self, row: asyncpg.Record, rule: MappingRule) -> FileFlow:
        return flow_of(row, rule, undated(self._settings, self._now()))

    async def _take(self, connection: asyncpg.Connection, piece: Slice, columns: Columns, flow: FileFlow) -> None:
        results = sorting.read_all(piece.documents, columns, flow.feed)
        named = sorting.accounts_named(results)
        is_accounts = columns.rule.file.documents.becomes == "accounts.open_account"
        entries = await self._settled(connection, named, waits=not is_accounts)
        await sorting.admit(connection, sorting.sort(results, entries, flow), piece, flow, self._settings.partitions)

    async def _settled(self, connection: asyncpg.Connection, named: Iterable[str], *, waits: bool) -> dict[str, directory.Known]:
        """What is known of these accounts; for orders and items, once those on their way to the order desk have arrived."""
        names = list(named)
        while True:
            entries = await directory.known(connection, names)
            if not waits or not any(entry.pending(self._now()) for entry in entries.values()):
                return entries
            await asyncio.sleep(PENDING_POLL_S)


async def finish(connection: asyncpg.Connection, flow: FileFlow, partitions: int) -> None:
    """Every row is accounted for: said once, in the transaction that ends the file."""
    async with connection.transaction():
        row = await connection.fetchrow(
            "update flow set state = 'finished', finished_at = now() "
            "where id = $1 and state in ('accepted', 'reading') returning *",
            flow.id,
        )
        if row is None:
            return
        said = FileFinished(
            flow=flow.id,
            kind=flow.kind,
            rows=row["rows"],
            accepted_rows=row["accepted_rows"],
            repeated_rows=row["repeated_rows"],
            quarantined_rows=row["quarantined_rows"],
            documents=row["documents"],
        )
        await say(connection, partitions, said, flow, f"finished/{flow.id}/{row['accepted_at'].isoformat()}")


def flow_of(row: asyncpg.Record, rule: MappingRule, undated: dt.datetime) -> FileFlow:
    """A stored file flow as reading needs it; `undated` is the time of rows that carry none."""
    who = sorting.owner_of(row)
    feed = rule.file.feed or (who.team if who.feed == EVERYTHING else who.feed)
    return FileFlow(row["id"], row["kind"], who, feed, row["as_of"] or undated)


def bank_flow_of(row: asyncpg.Record, undated: dt.datetime) -> FileFlow:
    """The same of a bank's or payer's file, which has no numbering of its own."""
    return FileFlow(row["id"], row["kind"], sorting.owner_of(row), "", row["as_of"] or undated)


async def say(connection: asyncpg.Connection, partitions: int, message: Message, flow: FileFlow, name: str) -> None:
    """A fact of the gateway's own, said by the partition the flow belongs to."""
    sender = mailbox.Sender(
        id=admission.mail_id(name),
        flow=flow.id,
        at=flow.as_of,
        actor=flow.who.actor,
        role=flow.who.role,
        team=flow.who.team,
    )
    await mailbox.post(connection, [mailbox.mail_of(partitions, flow.id, message, sender)])


async def refuse(connection: asyncpg.Connection, flow: str, failure: str) -> None:
    """Nothing of the file is read; the same file may come again, after its mapping was corrected."""
    log.warning("file refused", flow=flow, failure=failure)
    await connection.execute(
        "update flow set state = 'refused', failure = $2, finished_at = now() where id = $1",
        flow,
        failure[:2000].replace("\0", "?"),
    )


# --- from stored bytes to slices ------------------------------------------------------------------------------------


async def _open(
    connection: asyncpg.Connection, row: asyncpg.Record, rule: MappingRule
) -> tuple[Columns, AsyncIterator[list[Row]]]:
    """The file's columns, and its rows from the stored position on."""
    beginning = await beginning_of(connection, row["upload"])
    if beginning.startswith(sheet.SIGNATURE):
        return await _open_sheet(connection, row, rule)
    header = header_of(beginning, rule)
    columns = Columns(rule, positions(rule, header.cells))
    offset, line = (
        (row["read_offset"], row["read_line"]) if row["read_offset"] else (header.offset + header.size, header.line + 1)
    )
    return columns, _csv_rows(connection, row["upload"], rule, len(header.cells), offset, line)


async def beginning_of(connection: asyncpg.Connection, upload: str) -> bytes:
    return await connection.fetchval("select body from chunk where upload = $1 and number = 0", upload) or b""


def header_of(beginning: bytes, rule: MappingRule) -> Row:
    """The first row of a CSV. Raises `WrongShape` when there is none that can be read."""
    framer = Framer(rule.dialect)
    header = next((one for one in (*framer.feed(beginning), *framer.end())), None)
    if header is None or header.faults:
        why = header.faults[0].problem if header else "the file is empty"
        raise WrongShape(f"the header cannot be read: {why}")
    return header


async def _csv_rows(
    connection: asyncpg.Connection, upload: str, rule: MappingRule, width: int, offset: int, line: int
) -> AsyncIterator[list[Row]]:
    framer = Framer(rule.dialect, offset, line)
    framer.width = width
    async for chunk in uploads.read_from(connection, upload, offset):
        for start in range(0, len(chunk), FEED_BYTES):
            yield list(framer.feed(chunk[start : start + FEED_BYTES]))
            await asyncio.sleep(0)
    yield list(framer.end())


async def _open_sheet(
    connection: asyncpg.Connection, row: asyncpg.Record, rule: MappingRule
) -> tuple[Columns, AsyncIterator[list[Row]]]:
    if row["bytes"] > sheet.XLSX_BYTES_MAX:
        raise sheet.NoSheet(f"the workbook has {row['bytes']} bytes, at most {sheet.XLSX_BYTES_MAX} are read; send it as CSV")
    data = b"".join([piece async for piece in uploads.read_from(connection, row["upload"], 0)])
    found = await asyncio.to_thread(lambda: list(sheet.rows(data)))
    if not found:
        raise WrongShape("the workbook's first sheet is empty")
    header, *rest = found
    names = _without_empty_end(header.cells)
    columns = Columns(rule, positions(rule, names))
    later = [one for one in sheet.of_width(iter(rest), len(names)) if one.line >= row["read_line"]]
    return columns, _sheet_rows(later)


def _without_empty_end(cells: list[str]) -> list[str]:
    width = max((n for n, text in enumerate(cells, start=1) if text), default=0)
    return cells[:width]


async def _sheet_rows(rows: list[Row]) -> AsyncIterator[list[Row]]:
    for start in range(0, len(rows), DOCUMENTS_PER_TRANSACTION):
        yield rows[start : start + DOCUMENTS_PER_TRANSACTION]
        await asyncio.sleep(0)


async def _slices(rows: AsyncIterator[list[Row]], grouper: Grouper) -> AsyncIterator[Slice]:
    waiting: list[Document] = []
    count = 0
    async for some in rows:
        for document in grouper.feed(some):
            waiting.append(document)
            count += len(document.rows)
            if len(waiting) >= DOCUMENTS_PER_TRANSACTION or count >= ROWS_PER_TRANSACTION:
                yield _slice(waiting)
                waiting, count = [], 0
    waiting.extend(grouper.end())
    if waiting:
        yield _slice(waiting)


def _slice(documents: list[Document]) -> Slice:
    last = documents[-1]
    row = last.rows[-1]
    return Slice(
        tuple(documents),
        row.offset + row.size,
        row.line + row.raw.count(b"\n") + 1,
        last.reference if last.oversized else None,
    )
