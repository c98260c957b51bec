"""`quittance parked`: credit groups that wait behind a message nobody could handle, in every service."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from contracts.envelope import Unreadable
from quittance.cast import RUNNING
from quittance.installation import Unusable
from quittance.readers import connected
from shared import parking
from shared.settings import Settings


class Group(msgspec.Struct, frozen=True):
    service: str
    home: str
    partition: int
    reason: str
    since: dt.datetime
    messages: int
    replaying: bool


class Waiting(msgspec.Struct, frozen=True):
    """One message of a parked group; `n` names it within its service."""

    service: str
    n: int
    topic: str
    id: str
    type: str
    reason: str
    body: str


@asynccontextmanager
async def open_databases(settings: Settings, names: Iterable[str]) -> AsyncIterator[dict[str, asyncpg.Connection]]:
    """Connections to those of these services that have ever run here."""
    found: dict[str, asyncpg.Connection] = {}
    try:
        for name in names:
            try:
                found[name] = await connected(settings, name)
            except Unusable as error:
                if isinstance(error.__cause__, OSError):
                    raise
        yield found
    finally:
        for connection in found.values():
            connection.terminate()


async def groups(settings: Settings) -> list[Group]:
    async with open_databases(settings, RUNNING) as databases:
        return [
            Group(name, row["home"], row["partition"], row["reason"], row["since"], row["messages"], row["replay"])
            for name, connection in databases.items()
            for row in await parking.list_homes(connection)
        ]


async def show(settings: Settings, home: str) -> list[Waiting]:
    """The queue of a group, in order. Raises `Unusable` when it is not parked anywhere."""
    async with open_databases(settings, RUNNING) as databases:
        found = [
            Waiting(
                name, row["n"], row["topic"], row["message_id"], row["type"], row["reason"], row["body"].decode(errors="replace")
            )
            for name, connection in databases.items()
            for row in await parking.show(connection, home)
        ]
    if not found:
        raise Unusable(f"no group {home!r} is parked; `quittance parked list` names those that are")
    return found


async def repair(settings: Settings, service: str, n: int, file: Path) -> None:
    """Replace the bytes of one parked command by those of a file. Raises `Unusable` with the reason why not."""
    async with open_databases(settings, (service,)) as databases:
        if service not in databases:
            raise Unusable(f"{service!r} has no database here; `quittance parked list` names the services")
        try:
            await parking.repair(databases[service], n, file.read_bytes().strip())
        except (parking.NotRepairable, Unreadable) as error:
            raise Unusable(str(error)) from error


async def replay(settings: Settings, home: str) -> list[str]:
    """Ask the owners to replay a group; returns the services where it was parked."""
    async with open_databases(settings, RUNNING) as databases:
        asked = [name for name, connection in databases.items() if await parking.replay(connection, home)]
    if not asked:
        raise Unusable(f"no group {home!r} is parked; `quittance parked list` names those that are")
    return asked
