"""Messages handed to a partition's owner inside one database: the gateway's intake, a person's replay.

A message is posted in the sender's own transaction, handled like one from Kafka, and removed in the batch that handled it.
"""

from __future__ import annotations

import datetime as dt

import asyncpg
import msgspec

from contracts.envelope import ENVELOPES, SPECVERSION, encode, traceparent
from contracts.message import Message
from shared.topics import partition_of

CHANNEL = "quittance"
"""NOTIFY on this channel wakes the owner at once; it polls as well."""


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """Who posts and for which flow; from the credential, never from a body. `id` is the same for ever for the same wish."""

    id: str
    flow: str
    at: dt.datetime
    actor: str
    role: str
    team: str


def mail_of(partitions: int, home: str, message: Message, sender: Sender) -> tuple[int, bytes]:
    """(partition, body) of a mailbox row."""
    envelope = ENVELOPES[type(message)](
        specversion=SPECVERSION,
        id=sender.id,
        source="/mailbox",
        time=sender.at,
        subject=home,
        partitionkey=home,
        sequence="0",
        correlationid=sender.flow,
        traceparent=traceparent(sender.flow, sender.id),
        actorid=sender.actor,
        actorrole=sender.role,
        teamid=sender.team,
        data=message,
    )
    return partition_of(home, partitions), encode(envelope)


async def post(connection: asyncpg.Connection, mail: list[tuple[int, bytes]]) -> None:
    """Post inside the caller's transaction; the owner is woken when it commits."""
    await connection.execute(
        "insert into mailbox (partition, body) select * from unnest($1::smallint[], $2::bytea[])",
        *map(list, zip(*mail, strict=True)),
    )
    await connection.execute("select pg_notify($1, 'mail')", CHANNEL)


async def waiting(connection: asyncpg.Connection, partitions: list[int], most: int) -> list[asyncpg.Record]:
    """The oldest rows per call, in order of posting."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "select n, partition, body from mailbox where partition = any($1::smallint[]) order by n limit $2", partitions, most
    )
    return rows
