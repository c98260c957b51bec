"""Every fact about an account or an order, as it was said: what timelines, traces and explanations are read from.

The one table of the console that grows with the trade: a narrow row per fact, found by its order, its account, or its id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from contracts.catalogue import MESSAGES
from contracts.envelope import SPECVERSION, TYPE_NAMES, Envelope, encode_value
from contracts.message import Message, topic_of
from services.console.following import named

SPEAKERS = ("accounts", "orders", "payments", "claims", "collections", "commissions")
HEARS: tuple[type[Message], ...] = tuple(
    message
    for message in MESSAGES.values()
    if topic_of(message) in SPEAKERS and "account" in message.__struct_fields__ and not message.is_command
)
DECODERS: Mapping[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(message) for name, message in MESSAGES.items() if message in HEARS
}
SHOWN_MAX = 500
"""Facts of one order or account on a page: the newest ones."""


class Said(msgspec.Struct, frozen=True):
    """A fact with what its envelope says of it. `actor` is who caused it, empty when no person did."""

    id: str
    type: str
    at: dt.datetime
    source: str
    sequence: int
    account: str
    order: str | None
    actor: str
    role: str
    cause: str
    flow: str
    data: Any

    @property
    def service(self) -> str:
        return self.type.partition(".")[0]

    def as_fact(self, home: str) -> Envelope:
        """As projections hear it; `home` is its account's."""
        return Envelope(
            specversion=SPECVERSION,
            id=self.id,
            source=self.source,
            time=self.at,
            subject=self.account,
            partitionkey=home,
            sequence=str(self.sequence),
            correlationid=self.flow,
            causationid=self.cause,
            actorid=self.actor,
            actorrole=self.role,
            data=self.data,
        )

    @property
    def words(self) -> str:
        """`order released`"""
        return self.type.split(".")[1].replace("_", " ")


COLUMNS = (
    "id", "type", "at", "source", "sequence", "account", '"order"', "actor", "role", "cause", "flow", "data",
)  # fmt: skip


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    rows = [_row(fact) for fact in facts]
    await connection.execute(
        f"""
        insert into said ({", ".join(COLUMNS)})
        select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::text[], $7::text[],
            $8::text[], $9::text[], $10::text[], $11::text[], $12::bytea[])
        on conflict (id) do nothing
        """,
        *map(list, zip(*rows, strict=True)),
    )


def _row(fact: Envelope) -> tuple[Any, ...]:
    data = fact.data
    return (
        fact.id,
        TYPE_NAMES[type(data)],
        fact.time,
        fact.source,
        int(fact.sequence),
        data.account,
        named(data),
        fact.actorid,
        fact.actorrole,
        fact.causationid,
        fact.correlationid,
        encode_value(data),
    )


# --- what pages ask -------------------------------------------------------------------------------------------------

_SELECT = f"select {', '.join(COLUMNS)} from said"
BEGIN_OF_TIME = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
END_OF_TIME = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


async def of_order(connection: asyncpg.Connection | asyncpg.Pool, order: str, until: dt.datetime = END_OF_TIME) -> list[Said]:
    """All that was said about one order up to a moment, oldest first; the newest SHOWN_MAX of it."""
    rows = await connection.fetch(
        f'{_SELECT} where "order" = $1 and at <= $2 order by at desc, sequence desc limit $3', order, until, SHOWN_MAX
    )
    return [said_in(row) for row in reversed(rows)]


async def of_account(
    connection: asyncpg.Connection | asyncpg.Pool,
    account: str,
    types: Sequence[str] = (),
    until: dt.datetime = END_OF_TIME,
    limit: int = SHOWN_MAX,
) -> list[Said]:
    """What was said about one account, of these types or of all, newest first."""
    rows = await connection.fetch(
        f"{_SELECT} where account = $1 and at <= $2 and ($3::text[] = '{{}}' or type = any($3)) "
        "order by at desc, sequence desc limit $4",
        account,
        until,
        list(types),
        limit,
    )
    return [said_in(row) for row in rows]


async def causes(connection: asyncpg.Connection | asyncpg.Pool, facts: Sequence[Said]) -> dict[str, Said]:
    """Facts that others of these name as their cause, by id: what of another order or service led to them."""
    rows = await connection.fetch(f"{_SELECT} where id = any($1::text[])", [fact.cause for fact in facts if fact.cause])
    return {row["id"]: said_in(row) for row in rows}


def said_in(row: asyncpg.Record) -> Said:
    """The fact in a record that has all of its columns, and may have more."""
    values = [row[name.strip('"')] for name in COLUMNS[:-1]]
    values.append(DECODERS[row["type"]].decode(row["data"]))
    return Said(*values)
