"""Who may sign in: people of this installation, their role, team, portfolios and time zone (A6).

A password is kept as its argon2id hash only. Whoever signs in elsewhere (OpenID Connect) has a row here as well, without one.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import asyncpg
import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

ROLES = {
    "controller": "Credit controller",
    "team_leader": "Team leader",
    "operations_manager": "Operations manager",
    "financial_controller": "Financial controller",
    "director": "Director",
    "sales": "Sales",
    "ops": "Operations",
    "audit": "Internal audit",
}
"""Role → how pages call it. The first five are the ladder of A6; `sales` only reads (V8), `ops` runs, `audit` looks."""
PASSWORD_MIN, PASSWORD_MAX = 12, 200
"""Length is what protects; the upper bound keeps a request from buying time on the hash."""
ZONE = "Europe/London"
HASHES_AT_ONCE = 2
"""Each costs 64 MiB and a core for some 50 ms."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_hasher = PasswordHasher()
_hashing = ThreadPoolExecutor(HASHES_AT_ONCE, thread_name_prefix="hashing")


class Person(msgspec.Struct, frozen=True):
    """Who is signed in. `portfolios` empty: all of them. `zone` is an IANA name.

    While somebody acts for a person whom they cover, `role` is that person's and `acting_for` their name (A6).
    """

    name: str
    shown: str
    role: str
    team: str
    portfolios: tuple[str, ...] = ()
    zone: str = ZONE
    acting_for: str = ""


class NotAPerson(ValueError):
    """This cannot be a person of the installation: what is wrong, and how to mend it."""


def checked(person: Person) -> Person:
    """The person with a name that can be typed, a role and a zone that exist. Raises `NotAPerson`."""
    if not _NAME.fullmatch(person.name):
        raise NotAPerson(f"{person.name!r} is no name to sign in with; use small letters, digits and . _ @ + - (at most 64)")
    if person.role not in ROLES:
        raise NotAPerson(f"there is no role {person.role!r}; the roles are {', '.join(ROLES)}")
    try:
        ZoneInfo(person.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NotAPerson(f"{person.zone!r} is no time zone; write an IANA name such as Europe/London") from error
    return person


def check_password(password: str) -> str:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise NotAPerson(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters, not {len(password)}")
    return password


def plain_name(text: str) -> str:
    """A name as it is looked up: people type capitals and blanks."""
    return text.strip().lower()[:64]


# --- passwords ------------------------------------------------------------------------------------------------------


async def matches(kept: str | None, password: str) -> bool:
    """Whether this is the password. Somebody unknown takes as long as somebody known, so that time tells no names."""
    if len(password) > PASSWORD_MAX:
        return False
    fits = await asyncio.get_running_loop().run_in_executor(_hashing, _verify, kept, password)
    return fits and kept is not None


@functools.cache
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")


def _verify(kept: str | None, password: str) -> bool:
    nobodys = _nobodys()  # before it is looked whether it is needed: the first to sign in waits for it, whoever it is
    try:
        return _hasher.verify(kept or nobodys, password)
    except (VerificationError, InvalidHashError):
        return False


async def hashed(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, password)


def is_weaker(kept: str) -> bool:
    """Whether the hash was made with less than is asked today; it is made anew at the next sign-in."""
    return _hasher.check_needs_rehash(kept)


# --- rows -----------------------------------------------------------------------------------------------------------


async def add(connection: asyncpg.Connection, person: Person, password: str) -> None:
    """Make a person, or give one that exists this role, team and password; whoever was disabled may sign in again."""
    checked(person)
    kept = await hashed(check_password(password))
    await connection.execute(
        """
        insert into person (name, shown, role, team, portfolios, zone, password) values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (name) do update set shown = excluded.shown, role = excluded.role, team = excluded.team,
            portfolios = excluded.portfolios, zone = excluded.zone, password = excluded.password, disabled_at = null
        """,
        *_columns(person),
        kept,
    )
    await connection.execute("delete from session where person = $1", person.name)


async def note_elsewhere(connection: asyncpg.Connection, person: Person, issuer: str, subject: str) -> bool:
    """Keep somebody who signed in at `issuer` as `subject`, with the role told there. False: the name is taken, or disabled."""
    checked(person)
    tag = await connection.execute(
        """
        insert into person as known (name, shown, role, team, portfolios, zone, issuer, subject)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (name) do update set shown = excluded.shown, role = excluded.role, team = excluded.team,
            portfolios = excluded.portfolios
        where known.issuer = excluded.issuer and known.subject = excluded.subject and known.disabled_at is null
        """,
        *_columns(person),
        issuer,
        subject,
    )
    return str(tag).endswith(" 1")


def _columns(person: Person) -> tuple[Any, ...]:
    return person.name, person.shown, person.role, person.team, list(person.portfolios), person.zone


async def disable(connection: asyncpg.Connection, name: str) -> bool:
    """From now on this person may not sign in, and is signed out everywhere. False when nobody has the name."""
    async with connection.transaction():
        tag = await connection.execute("update person set disabled_at = coalesce(disabled_at, now()) where name = $1", name)
        await connection.execute("delete from session where person = $1", name)
    return str(tag).endswith(" 1")


async def everybody(connection: asyncpg.Connection) -> Sequence[asyncpg.Record]:
    rows: Sequence[asyncpg.Record] = await connection.fetch(
        "select name, shown, role, team, portfolios, zone, disabled_at, issuer is not null as elsewhere from person order by name"
    )
    return rows


async def names(connection: asyncpg.Connection | asyncpg.Pool) -> frozenset[str]:
    """Everybody who could ever sign in here."""
    return frozenset(row["name"] for row in await connection.fetch("select name from person"))


async def password_of(connection: asyncpg.Connection | asyncpg.Pool, name: str) -> str | None:
    """The kept hash of somebody who may sign in here."""
    kept: str | None = await connection.fetchval("select password from person where name = $1 and disabled_at is null", name)
    return kept


async def keep_password(connection: asyncpg.Connection | asyncpg.Pool, name: str, password: str) -> None:
    await connection.execute("update person set password = $2 where name = $1", name, await hashed(password))
