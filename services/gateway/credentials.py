"""Who may send what: tokens, and what each is allowed. Actor, role and team of every command come from here (G1).

A token is 256 random bits; only its SHA-256 is stored. A revoked one is refused from the next request on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets

import asyncpg
import msgspec

from contracts.message import Message, type_name
from shared.service import READING

EVERYTHING = "*"
TOKEN_PREFIX = "qt_"  # noqa: S105 - tells people and secret scanners what the text is
TOKEN_BYTES = 32


class Credential(msgspec.Struct, frozen=True):
    """`feed` names the sender's numbering of documents. `types` without major: `orders.place_order`, or `*`.

    One that `delegates` speaks for people: each request says for whom (`delegation.py`).
    """

    name: str
    team: str
    actor: str
    role: str
    feed: str
    types: tuple[str, ...]
    portfolios: tuple[str, ...] = ()
    delegates: bool = False

    @property
    def only_reads(self) -> bool:
        """Whether the person it speaks for sends nothing at all, whatever its types (V8)."""
        return self.role in READING

    def may_send(self, message: type[Message]) -> bool:
        return EVERYTHING in self.types or type_name(message).rsplit(".", 1)[0] in self.types

    def may_name(self, document: str) -> bool:
        """Whether this document (`<feed>/<reference>`) is in the sender's own numbering."""
        return self.feed == EVERYTHING or document.startswith(f"{self.feed}/")

    def sees(self, portfolio: str) -> bool:
        return not self.portfolios or portfolio in self.portfolios


async def find(connection: asyncpg.Connection | asyncpg.Pool, token: str) -> Credential | None:
    """The credential of this token, unless it is unknown or revoked."""
    row = await connection.fetchrow(
        "select name, team, actor, role, feed, types, portfolios, delegates from credential "
        "where token_hash = $1 and revoked_at is null",
        _hash(token),
    )
    if row is None:
        return None
    named = {name: row[name] for name in ("name", "team", "actor", "role", "feed", "delegates")}
    return Credential(**named, types=tuple(row["types"]), portfolios=tuple(row["portfolios"]))


async def issue(connection: asyncpg.Connection, credential: Credential) -> str:
    """Make a credential; returns its token, which can never be shown again."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    await install(connection, token, credential)
    return token


async def install(connection: asyncpg.Connection, token: str, credential: Credential) -> None:
    """Make a credential for a token that exists already, such as the one a local installation keeps in its folder."""
    await connection.execute(
        "insert into credential (token_hash, name, team, actor, role, feed, types, portfolios, delegates) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (token_hash) do nothing",
        _hash(token),
        credential.name,
        credential.team,
        credential.actor,
        credential.role,
        credential.feed,
        list(credential.types),
        list(credential.portfolios),
        credential.delegates,
    )


async def only(pool: asyncpg.Pool, token: str, credential: Credential) -> None:
    """Let in this token, told to us and its holder by setting, and no other of its name: a changed setting is a changed key."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "update credential set revoked_at = now() where name = $1 and token_hash <> $2 and revoked_at is null",
            credential.name,
            _hash(token),
        )
        await install(connection, token, credential)


async def revoke(connection: asyncpg.Connection, name: str) -> int:
    """Revoke every token of this name; returns how many."""
    tag = await connection.execute("update credential set revoked_at = now() where name = $1 and revoked_at is null", name)
    return int(tag.rsplit(" ", 1)[-1])


def development() -> Credential:
    """The credential of a local installation: one person who may do everything there."""
    return Credential("development", "home", "developer", "director", EVERYTHING, (EVERYTHING,))


def system_of_record() -> Credential:
    """The credential of a system that sends what people approved there, such as the file of limits of an ERP (A6)."""
    return Credential("records", "home", "records", "feed", EVERYTHING, (EVERYTHING,))


def console() -> Credential:
    """The credential of the console: it says for whom, in which role, with every wish."""
    return Credential("console", "home", "console", "console", "console", (EVERYTHING,), delegates=True)


def token_in(authorization: str | None) -> str | None:
    """The token of an Authorization header: `Bearer <token>`, or a browser's `Basic`, whose password it is."""
    scheme, _, rest = (authorization or "").partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            return _basic_password(rest.strip())
        case _:
            return None


def _basic_password(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode().partition(":")[2] or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()
