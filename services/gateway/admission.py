"""Letting commands in, once for ever: an identity, a digest of the content, and mail to the partition that sends it on.

The same identity with the same content is answered as the first time; with other content it is a conflict, visibly.
An identity is taken only by what is let in: what was held back or refused has not used it up.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from contracts.accounts import OpenAccount
from contracts.envelope import derived_id, encode_value
from contracts.message import Command, type_name
from contracts.orders import PlaceOrder, RecordReturn
from contracts.payments import LEDGER, AllocateCash, ClosePeriod, OffsetItems, PostItem, TakeAdvice, TakePosting, posting_of
from services.gateway.credentials import Credential
from shared import mailbox
from shared.topics import homes_of_all

DIGEST_BYTES = 16
"""128 bits of SHA-256: an accident needs 10^19 messages, and nobody gains by a wished-for collision with themselves."""


class Entrant(NamedTuple):
    """A command at the door. `keys` are its identities; `name` derives its id, the same for ever for the same wish."""

    command: Command
    home: str
    keys: tuple[bytes, ...]
    digest: bytes
    name: str
    at: dt.datetime


class Met(NamedTuple):
    """What already stands under an identity: the digest of its content and the flow it came with."""

    digest: bytes
    flow: str


def key_of(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode()).digest()[:DIGEST_BYTES]


def digest_of(command: Command) -> bytes:
    """The content: its type and every field, in the contract's canonical form."""
    return hashlib.sha256(type_name(type(command)).encode() + encode_value(command)).digest()[:DIGEST_BYTES]


def document_of(command: Command) -> str | None:
    """`<feed>/<reference>` of an order or return, which is its identity whichever way it comes (O1)."""
    match command:
        case PlaceOrder():
            return command.order
        case RecordReturn():
            return command.document
        case _:
            return None


DOCUMENT, ITEM, ADVICE, POSTING = "document", "item", "advice", "posting"


def identity_of(command: Command) -> tuple[str, str] | None:
    """(what it is, its name) of a command that is a document, the same whichever way it comes (O1, P2, P4)."""
    match command:
        case PlaceOrder() | RecordReturn():
            return DOCUMENT, document_of(command) or ""
        case PostItem():
            return ITEM, command.item
        case TakeAdvice():
            return ADVICE, command.advice
        case TakePosting():
            return POSTING, posting_of(command.company_code, command.document, command.account)
        case _:
            return None


def name_of(identity: tuple[str, str], flow: str) -> str:
    """What its id is derived from. What the ledger kept out may come again, mended, so its id carries the flow it came with."""
    return "/".join(identity) if identity[0] == DOCUMENT else "/".join((*identity, flow))


def keys_of_items(items: Iterable[str]) -> list[bytes]:
    """The identities that documents of the ledger were let in under."""
    return [key_of(kind, item) for item in items for kind in (ITEM, ADVICE, POSTING)]


def told_to_all(entrant: Entrant, partitions: int) -> Iterator[Entrant]:
    """A wish that every partition of the ledger must hear, once for each; any other as it is."""
    if not isinstance(entrant.command, ClosePeriod):
        yield entrant
        return
    for n, home in enumerate(homes_of_all(LEDGER, partitions)):
        command = msgspec.structs.replace(entrant.command, partition=n)
        yield entrant._replace(command=command, home=home, name=f"{entrant.name}/{n}")


def sent_id(name: str) -> str:
    """The id under which the command leaves: the kit derives it from the mail's id, which is derived from the name."""
    return derived_id("gateway", mail_id(name), "0")


def mail_id(name: str) -> str:
    return derived_id("gateway", "mail", name)


async def claim(connection: asyncpg.Connection, wanted: Sequence[tuple[bytes, bytes]], flow: str) -> dict[bytes, Met]:
    """Take these (key, digest) for the flow; returns those that were taken before, with what stands there."""
    keys = [key for key, _ in wanted]
    taken = await connection.fetch(
        """
        insert into admitted (key, digest, flow)
        select key, digest, $3 from unnest($1::bytea[], $2::bytea[]) as wanted (key, digest)
        order by key  -- always in one order, so that two senders of the same wait and never deadlock
        on conflict (key) do nothing returning key
        """,
        keys,
        [digest for _, digest in wanted],
        flow,
    )
    if len(taken) == len(keys):
        return {}
    mine = {row["key"] for row in taken}
    rows = await connection.fetch("select key, digest, flow from admitted where key = any($1::bytea[])", keys)
    return {row["key"]: Met(row["digest"], row["flow"]) for row in rows if row["key"] not in mine}


async def release(connection: asyncpg.Connection, keys: Iterable[bytes]) -> None:
    """Give back identities claimed in this very transaction for what then was not let in."""
    await connection.execute("delete from admitted where key = any($1::bytea[])", list(keys))


async def send(connection: asyncpg.Connection, partitions: int, entrants: Iterable[Entrant], flow: str, who: Credential) -> None:
    """Hand the commands to their partitions' owners, inside the caller's transaction."""
    mail = [mailbox.mail_of(partitions, entrant.home, entrant.command, _sender(entrant, flow, who)) for entrant in entrants]
    if mail:
        await mailbox.post(connection, mail)


def _sender(entrant: Entrant, flow: str, who: Credential) -> mailbox.Sender:
    return mailbox.Sender(id=mail_id(entrant.name), flow=flow, at=entrant.at, actor=who.actor, role=who.role, team=who.team)


def openings(entrants: Iterable[Entrant]) -> list[tuple[OpenAccount, str]]:
    return [(entrant.command, entrant.home) for entrant in entrants if isinstance(entrant.command, OpenAccount)]


def others_named(command: Command) -> set[str]:
    """Accounts besides its own that a command settles or opens items of."""
    match command:
        case AllocateCash() | OffsetItems():
            named = {line.account for line in command.lines}
        case TakePosting():
            named = {line.account for line in command.opens} | {line.account for line in command.clears}
        case _:
            return set()
    return {account for account in named if account and account != command.account}


def currency_of(command: Command) -> str | None:
    match command:
        case PlaceOrder():
            return command.placed.currency
        case RecordReturn():
            return command.currency
        case _:
            return None
