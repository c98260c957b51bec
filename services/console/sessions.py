"""Who is signed in where. A session is a row; the browser holds a random token, of which only the hash is kept here.

It starts anew at every sign-in (what was planted before is worth nothing), ends at sign-out, after idleness, and after a shift.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

import asyncpg
import msgspec

from services.console.people import Person

TOKEN_BYTES = 32
IDLE = dt.timedelta(hours=1)
"""Somebody who watches the desk for an hour without a touch has gone. Pages that refresh themselves do not count."""
SHIFT = dt.timedelta(hours=12)
"""Nobody works longer; a stolen token dies with the shift at the latest."""
NOTED_EVERY = dt.timedelta(minutes=1)
"""How often a session in use is written; less would be a row version for every request."""
UNUSED = dt.timedelta(days=1)
"""How long a row stays that nobody can use any more."""


class Session(msgspec.Struct, frozen=True):
    """`id` is the token's hash; `form_key` makes and checks the tokens of its forms; `to_note`: its use is to be noted again.

    `acting_for`: whom its person chose to act for; whether they may today is asked on every request.
    """

    id: bytes
    person: Person
    form_key: bytes
    to_note: bool = False
    acting_for: str = ""


class Found(msgspec.Struct, frozen=True):
    """What one look at the database says about a request: the session, if it is one, and the messages' clock."""

    session: Session | None
    clock: dt.datetime | None


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


async def begin(connection: asyncpg.Connection | asyncpg.Pool, person: str, address: str) -> str:
    """A new session; returns its token, which is nowhere else."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    await connection.execute(
        "insert into session (id, person, form_key, address) values ($1, $2, $3, $4)",
        hash_of(token),
        person,
        secrets.token_bytes(TOKEN_BYTES),
        address,
    )
    return token


async def find(connection: asyncpg.Connection | asyncpg.Pool, token: str) -> Found:
    """The session of this token unless it has ended or its person was disabled, and the highest clock of the partitions."""
    row = await connection.fetchrow(
        """
        select session.id, form_key, seen_at < now() - $4::interval as to_note,
            name, shown, role, team, portfolios, zone, acting_for, clock.at
        from (select max(clock) as at from progress) as clock
        left join session on id = $1 and seen_at > now() - $2::interval and made_at > now() - $3::interval
            and exists (select from person where name = session.person and disabled_at is null)
        left join person on name = session.person
        """,
        hash_of(token),
        IDLE,
        SHIFT,
        NOTED_EVERY,
    )
    if row["id"] is None:
        return Found(None, row["at"])
    person = Person(row["name"], row["shown"], row["role"], row["team"], tuple(row["portfolios"]), row["zone"])
    return Found(Session(row["id"], person, row["form_key"], row["to_note"], row["acting_for"]), row["at"])


async def act_for(connection: asyncpg.Connection | asyncpg.Pool, session: Session, person: str) -> None:
    """From now on its person acts for this one; empty: for themselves."""
    await connection.execute("update session set acting_for = $2 where id = $1", session.id, person)


async def touch(connection: asyncpg.Connection | asyncpg.Pool, session: Session) -> None:
    """Somebody is still there."""
    await connection.execute("update session set seen_at = now() where id = $1", session.id)


async def is_open(connection: asyncpg.Connection | asyncpg.Pool, session: Session) -> bool:
    """Whether it still is one: asked now and then by what outlives a request, such as a stream of events."""
    found: bool = await connection.fetchval(
        """
        select exists (select from session join person on name = session.person
            where id = $1 and disabled_at is null and seen_at > now() - $2::interval and made_at > now() - $3::interval)
        """,
        session.id,
        IDLE,
        SHIFT,
    )
    return found


async def end(connection: asyncpg.Connection | asyncpg.Pool, token: str) -> None:
    await connection.execute("delete from session where id = $1", hash_of(token))


async def sweep(connection: asyncpg.Connection | asyncpg.Pool) -> None:
    """Forget what nobody can use any more: sessions, ways to an identity provider, counts of failures."""
    await connection.execute("delete from session where made_at < now() - $1::interval or seen_at < now() - $1::interval", UNUSED)
    await connection.execute("delete from way_out where made_at < now() - $1::interval", UNUSED)
    await connection.execute("delete from failure where last_at < now() - $1::interval", UNUSED)
