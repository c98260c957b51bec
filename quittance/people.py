"""People of this installation's console: added, listed and disabled by whoever runs it; those of the demo day made once."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from quittance.installation import Unusable
from quittance.readers import connected
from services.console import people
from services.console.app import SERVICE
from services.console.people import NotAPerson, Person
from shared.database import LoginRefused, prepare
from shared.settings import Settings

DEMO = (
    Person("rose", "Rose Osei", "controller", "home"),
    Person("nell", "Nell Parry", "controller", "home", ("north",)),
    Person("tom", "Tom Ibarra", "team_leader", "home"),
    Person("maya", "Maya Lindqvist", "operations_manager", "home"),
    Person("finn", "Finn Adeyemi", "financial_controller", "home"),
    Person("dora", "Dora Whitlock", "director", "home"),
    Person("sal", "Sal Greene", "sales", "home"),
    Person("otto", "Otto Brandt", "ops", "home"),
    Person("ada", "Ada Novak", "audit", "home"),
)
"""One of each role, and a controller who sees one portfolio. They are made for the synthetic day only, where no order is real."""
TO_TRY = {
    "rose": "works the release desk and the cash desk",
    "finn": "approves what is beyond rose: limits, payouts, write-offs",
    "otto": "runs it: ops, and what waits to be mended",
    "nell": "works as rose does, and sees one portfolio only",
}
"""Whom a newcomer should look through the eyes of first, and for what."""
PASSWORD_BYTES = 12


@asynccontextmanager
async def _console(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """The console's database, which somebody may be added to before the console ever ran."""
    try:
        await prepare(settings, SERVICE.name, SERVICE.schema)
    except LoginRefused as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise Unusable(f"PostgreSQL does not answer ({error}); start it with `quittance up`") from error
    connection = await connected(settings, SERVICE.name)
    try:
        yield connection
    finally:
        connection.terminate()


async def add(settings: Settings, person: Person, password: str) -> None:
    """Raises `Unusable` with what is wrong."""
    try:
        people.check_password(password)
        async with _console(settings) as connection:
            await people.add(connection, person, password)
    except NotAPerson as error:
        raise Unusable(str(error)) from error


async def disable(settings: Settings, name: str) -> None:
    async with _console(settings) as connection:
        if not await people.disable(connection, name):
            raise Unusable(f"there is no {name!r}; `quittance people list` names who there is")


async def everybody(settings: Settings) -> Sequence[asyncpg.Record]:
    async with _console(settings) as connection:
        return await people.everybody(connection)


def to_try() -> list[str]:
    """A line for each of TO_TRY, and one for all others."""
    lines = [f"{name:<6} {told}" for name, told in TO_TRY.items()]
    return [*lines, f"or {', '.join(person.name for person in DEMO if person.name not in TO_TRY)} (quittance people list)"]


def password_path(settings: Settings) -> Path:
    """Where the one password of the demo day's people stands, readable by its owner only."""
    return settings.home / f"{settings.namespace}people.password"


async def make_demo(settings: Settings) -> str | None:
    """Make the people of the demo day; returns their password when it is new, to be shown once."""
    path = password_path(settings)
    async with _console(settings) as connection:
        if path.exists() and await people.everybody(connection):
            return None
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(password + "\n")
        for person in DEMO:
            await people.add(connection, person, password)
    return password
