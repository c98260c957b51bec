"""`quittance journal`: the ranges that a journal has, those that were taken out into files, and the way back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import asyncpg
import msgspec

from quittance.cast import service_of
from quittance.installation import Unusable
from quittance.readers import connected
from shared import archive, ranges
from shared.archive import KEPT_RANGES, Archive, Damaged, NotArchivable
from shared.refold import JournalGap
from shared.settings import Settings

__all__ = ["KEPT_RANGES", "bring_back", "shown", "take_out"]
FOLDER = "archive"


class Range(msgspec.Struct, frozen=True):
    """Numbers `first` to `before` (not itself), in a table of so many bytes."""

    table: str
    first: int
    before: int
    bytes: int


class Journal(msgspec.Struct, frozen=True):
    service: str
    ranges: list[Range]
    archives: list[Archive]


async def shown(settings: Settings, name: str) -> Journal:
    service_of(name)
    connection = await connected(settings, name)
    try:
        found = [
            Range(table, first, before, await connection.fetchval("select pg_total_relation_size($1::text::regclass)", table))
            for table, first, before in await ranges.bounds(connection)
        ]
        return Journal(name, found, await archive.archives(connection))
    finally:
        connection.terminate()


class Taken(msgspec.Struct, frozen=True):
    archive: Archive | None
    bytes: int
    seconds: float


async def take_out(settings: Settings, name: str, folder: Path | None, keep: int) -> Taken:
    """Archive all full ranges but `keep`. Raises `Unusable` with the reason why not."""
    service, began = service_of(name), time.monotonic()
    connection = await connected(settings, name)
    try:
        await connection.execute("set statement_timeout = 0")
        made = await archive.archive(connection, service, settings, folder or settings.home / FOLDER / name, keep)
    except (NotArchivable, JournalGap, asyncpg.PostgresError) as error:
        raise Unusable(f"nothing was taken out of the journal of {name}: {error}") from error
    finally:
        connection.terminate()
    size = await asyncio.to_thread(lambda: Path(made.file).stat().st_size) if made else 0
    return Taken(made, size, round(time.monotonic() - began, 3))


async def bring_back(settings: Settings, name: str, number: int | None) -> list[Archive]:
    """Attach one archive, or all. Raises `Unusable` when a file is missing or harmed."""
    service_of(name)
    connection = await connected(settings, name)
    try:
        await connection.execute("set statement_timeout = 0")
        found = [each for each in await archive.archives(connection) if number in (None, each.number)]
        if not found:
            which = "archive" if number is None else f"archive {number}"
            raise Unusable(f"{name} has no {which}; `quittance journal list {name}` names them")
        wanted = [each for each in found if not each.attached]
        for each in wanted:
            await archive.attach(connection, each)
    except Damaged as error:
        raise Unusable(str(error)) from error
    finally:
        connection.terminate()
    return wanted
