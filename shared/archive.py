"""Taking old ranges out of the journal, into files that were read back, behind a snapshot that was checked; and back again.

Only what a lane has passed and its topic holds is taken. A lane that has not come so far keeps its rows, in a small table
that takes the place of the ranges below the cut, so that every number still has its range.
"""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import itertools
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import asyncpg
import msgspec

from contracts.envelope import encode_value
from shared import journal, ranges, refold
from shared.feed import tails
from shared.journal import OWN, Entry
from shared.service import Service
from shared.settings import Settings

KEPT_RANGES = 1
"""Full ranges that stay at hand: what is looked for is mostly what was said last."""
LEVEL = 3
"""Of gzip: four fifths of what the highest level saves, at a fifth of its time."""
STEP = 5_000
"""Rows of a file in memory at once."""
LOCK_TRIES = 20
LOCK_TIMEOUT = "500ms"
"""How long writers may be kept waiting per try, when somebody reads the journal at that moment."""

Lane = tuple[int, str]


class NotArchivable(RuntimeError):
    """Nothing was taken out; the text says why and what to do."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One row in an archive: the columns of the journal, the body as text. A file is lines of JSON, packed by gzip."""

    partition: int
    lane: str
    sequence: int
    ordinal: int
    at: dt.datetime
    home: str
    input: str
    body: str

    def entry(self) -> Entry:
        return Entry(
            self.partition, self.lane, self.sequence, self.ordinal, self.at, self.home, self.input, self.body.encode()
        )  # fmt: skip


class Archive(msgspec.Struct, frozen=True):
    """One file. `lanes` is "<partition> <lane>" → the last sequence in it or in files before it."""

    number: int
    file: str
    sha256: str
    before: int
    rows: int
    lanes: dict[str, int]
    attached: bool


_decode_line = msgspec.json.Decoder(Line).decode


async def archives(connection: asyncpg.Connection) -> list[Archive]:
    rows = await connection.fetch('select number, file, sha256, before, "rows", lanes, attached from archived order by number')
    return [
        Archive(
            row["number"],
            row["file"],
            row["sha256"],
            row["before"],
            row["rows"],
            msgspec.json.decode(row["lanes"]),
            row["attached"],
        )
        for row in rows
    ]


async def archived_to(connection: asyncpg.Connection) -> dict[Lane, int]:
    """The last sequence of each lane that is in a file."""
    found: dict[Lane, int] = {}
    for archive in await archives(connection):
        for name, sequence in archive.lanes.items():
            partition, _, lane = name.partition(" ")
            found[int(partition), lane] = sequence
    return found


# --- taking out -----------------------------------------------------------------------------------------------------


async def archive(
    connection: asyncpg.Connection, service: Service, settings: Settings, folder: Path, keep: int = KEPT_RANGES
) -> Archive | None:
    """Take out all full ranges but `keep`; None when there is none. Raises `NotArchivable`."""
    lasts = {
        (partition, lane): sequence
        for partition in range(settings.partitions)
        for lane, sequence in (await journal.last_sequences(connection, partition)).items()
    }
    before = await _cut(connection, lasts, keep)
    if before is None:
        return None
    taken = sorted(lane for lane, last in lasts.items() if last >= before)
    await _require_published(connection, service, settings, taken, before)
    for partition, lane in taken:
        if lane == OWN:
            await _snapshot(connection, service, partition, before - 1)
    done = await archived_to(connection)
    wanted = {lane: (done.get(lane, 0) + 1, before) for lane in taken}
    found = await archives(connection)
    made = await _write(connection, service.name, folder, found[-1].number + 1 if found else 1, before, wanted)
    await _swap(connection, before, dict.fromkeys(taken, before), {lane: last + 1 for lane, last in done.items()}, made)
    return made


async def _cut(connection: asyncpg.Connection, lasts: Mapping[Lane, int], keep: int) -> int | None:
    """The first number that stays: where the newest of the ranges to be taken ends."""
    furthest = max(lasts.values(), default=0)
    full = [before for _, _, before in await ranges.bounds(connection) if before <= furthest]
    known = max((archive.before for archive in await archives(connection)), default=0)
    full = [before for before in full if before > known]
    return full[-1 - keep] if len(full) > keep else None


async def _require_published(
    connection: asyncpg.Connection, service: Service, settings: Settings, taken: list[Lane], before: int
) -> None:
    for partition, lane in taken:
        place = journal.place_of(service.name, partition, lane)
        sequence, name = (await tails(settings, [place])).get(place, (0, ""))
        if sequence < before - 1:
            raise NotArchivable(
                f"lane {lane or 'facts'} of partition {partition} is published up to {sequence} only, and {before - 1} is to be "
                f"taken out: start {service.name}, or `quittance refill` when the topic was lost, and try again"
            )
        if await journal.id_at(connection, partition, lane, sequence) != name:
            raise NotArchivable(
                f"{place[0]}/{place[1]} ends with another message than the journal: start {service.name}, it says more"
            )


async def _snapshot(connection: asyncpg.Connection, service: Service, partition: int, sequence: int) -> None:
    """Keep the rows as they follow from the facts up to this one; checked by folding on, to the rows that are stored."""
    kept: refold.Rows = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        folded = await refold.fold(connection, service, partition, cut=(sequence, kept))
        _, different = await refold.compared(connection, service, partition, folded)
    if different:
        first = different[0]
        raise NotArchivable(
            f"{len(different)} rows of partition {partition} are not what the journal says (first {first.table} {first.key!r}): "
            f"`quittance refold {service.name}` shows them, `quittance rebuild {service.name}` mends them"
        )
    records = [(partition, name, key, encode_value(row)) for name, rows in kept.items() for key, row in rows.items()]
    async with connection.transaction():
        await connection.execute("delete from snapshot_row where partition = $1", partition)
        await connection.copy_records_to_table("snapshot_row", records=records, columns=("partition", "name", "key", "body"))
        await connection.execute(
            "insert into snapshot values ($1, $2) on conflict (partition) do update set sequence = excluded.sequence, at = now()",
            partition,
            sequence,
        )


async def _write(
    connection: asyncpg.Connection, name: str, folder: Path, number: int, before: int, wanted: Mapping[Lane, tuple[int, int]]
) -> Archive:
    """The file, read back and compared with the table row by row before it is believed."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{name}-{number:04}.draft"
    count = await _pack(connection, draft, wanted)
    sha256 = _sha256(draft)
    again = _lines(draft)
    async for row in _rows(connection, wanted):
        if next(again, None) != row:
            raise NotArchivable(f"{draft} does not hold what was written to it: is the disk full, or failing?")
    if next(again, None) is not None:
        raise NotArchivable(f"{draft} holds more than was written to it")
    file = folder / f"{name}-{number:04}-{sha256[:8]}.jsonl.gz"
    draft.replace(file)
    lanes = {f"{partition} {lane}": before - 1 for partition, lane in wanted}
    return Archive(number, str(file.absolute()), sha256, before, count, lanes, attached=False)


async def _pack(connection: asyncpg.Connection, draft: Path, wanted: Mapping[Lane, tuple[int, int]]) -> int:
    count = 0
    with draft.open("wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=LEVEL, mtime=0, filename="") as packed:
            async for row in _rows(connection, wanted):
                packed.write(encode_value(row) + b"\n")
                count += 1
        raw.flush()
        os.fsync(raw.fileno())
    return count


async def _rows(connection: asyncpg.Connection, wanted: Mapping[Lane, tuple[int, int]]) -> AsyncIterator[Line]:
    for (partition, lane), (first, before) in wanted.items():
        last = first - 1
        while entries := [each for each in await journal.after(connection, partition, lane, last) if each.sequence < before]:
            for entry in entries:
                if entry.sequence != last + 1:
                    raise NotArchivable(f"lane {lane or 'facts'} of partition {partition}: {last + 1} is missing in the journal")
                last = entry.sequence
                yield Line(*entry[:7], entry.body.decode())  # type: ignore[arg-type]


def _lines(file: Path) -> Iterator[Line]:
    with gzip.open(file, "rb") as packed:
        for line in packed:
            yield _decode_line(line)


def _sha256(file: Path) -> str:
    with file.open("rb") as raw:
        return hashlib.file_digest(raw, "sha256").hexdigest()


async def _swap(
    connection: asyncpg.Connection, before: int, taken: Mapping[Lane, int], attached: Mapping[Lane, int], made: Archive
) -> None:
    """Put a table with what slow lanes still have there in the place of all ranges below the cut."""
    table = f"journal_before_{before}"
    await connection.execute(f"drop table if exists {table}")
    await connection.execute(f"create table {table} (like journal including all)")
    stays = {**attached, **taken}  # lane → the first number of it that stays; other lanes stay whole
    await _copy_rest(connection, table, before, stays)
    for _ in range(LOCK_TRIES):
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
                await connection.execute("select pg_advisory_xact_lock($1)", ranges.ROLL_LOCK)
                await connection.execute("lock table journal in access exclusive mode")
                await _copy_rest(connection, table, before, stays)
                for name, _, end in await ranges.bounds(connection):
                    if end <= before:
                        await connection.execute(f"alter table journal detach partition {name}")
                        await connection.execute(f"drop table {name}")
                await connection.execute(f"alter table journal attach partition {table} for values from (minvalue) to ({before})")
                await _note(connection, made)
            return
        except asyncpg.LockNotAvailableError:
            continue
    await connection.execute(f"drop table {table}")
    raise NotArchivable("the journal is being read all the time (refold, explain, a backup?); try again when that is over")


async def _copy_rest(connection: asyncpg.Connection, table: str, before: int, stays: Mapping[Lane, int]) -> None:
    await connection.execute(
        f"""
        insert into {table} select journal.* from journal
        left join unnest($2::smallint[], $3::text[], $4::bigint[]) as stays (partition, lane, first) using (partition, lane)
        where journal.sequence < $1 and journal.sequence >= coalesce(stays.first, 0) on conflict do nothing
        """,
        before,
        [partition for partition, _ in stays],
        [lane for _, lane in stays],
        list(stays.values()),
    )


async def _note(connection: asyncpg.Connection, made: Archive) -> None:
    await connection.execute("update archived set attached = false")
    await connection.execute(
        'insert into archived (number, file, sha256, before, "rows", lanes) values ($1, $2, $3, $4, $5, $6)',
        made.number,
        made.file,
        made.sha256,
        made.before,
        made.rows,
        msgspec.json.encode(made.lanes).decode(),
    )


# --- bringing back --------------------------------------------------------------------------------------------------


class Damaged(RuntimeError):
    """An archive file is not the one that was written."""


def require_file(archive: Archive) -> Path:
    """The file, unharmed. Raises `Damaged`."""
    file = Path(archive.file)
    if not file.exists():
        raise Damaged(f"{file} is not there: bring it back from where it was kept")
    if _sha256(file) != archive.sha256:
        raise Damaged(f"{file} was changed since it was written (SHA-256 is not {archive.sha256}): bring back a good copy")
    return file


def entries_of(archive: Archive) -> Iterator[list[Entry]]:
    """The rows of a file, some at a time, in order of lane and sequence. Raises `Damaged`."""
    lines = _lines(require_file(archive))
    while chunk := [line.entry() for line in itertools.islice(lines, STEP)]:
        yield chunk


async def attach(connection: asyncpg.Connection, archive: Archive) -> int:
    """Bring the rows of an archive back into the journal, all or none; returns how many."""
    count = 0
    async with connection.transaction():
        for chunk in entries_of(archive):
            await journal.append(connection, chunk)
            count += len(chunk)
        await connection.execute("update archived set attached = true where number = $1", archive.number)
    return count


async def missing(connection: asyncpg.Connection, partition: int | None = None, lane: str | None = None) -> list[int]:
    """Numbers of the archives that are not in the journal now and hold rows of this lane."""
    return [
        archive.number
        for archive in await archives(connection)
        if not archive.attached and any(_matches(name, partition, lane) for name in archive.lanes)
    ]


def _matches(name: str, partition: int | None, lane: str | None) -> bool:
    number, _, found = name.partition(" ")
    return (partition is None or int(number) == partition) and (lane is None or found == lane)
