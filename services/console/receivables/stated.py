"""Statements of account as the ledger issued them, a row each: it names the paper that `statements` makes as of its day (P13)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TypeAlias

import asyncpg
import msgspec

from contracts import payments as said
from contracts.envelope import Envelope
from contracts.message import Message
from services.console.keeping import Kept
from services.console.telling import tell

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool
HEARS: tuple[type[Message], ...] = (said.StatementIssued,)
SHOWN = 24
"""On one page: two years of months."""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: `<account>/<number>`. `since` is the day of the one before; the period lies behind it, up to `as_of`."""

    key: str
    account: str
    number: int
    cadence: str
    as_of: dt.date
    since: dt.date | None
    at: dt.datetime
    sequence: int = 0

    @property
    def begins_on(self) -> dt.date | None:
        """The first day of its period; None for the first one, which begins with the account."""
        return self.since + dt.timedelta(days=1) if self.since else None


ISSUED = Kept("statements_issued", Issued, "key")


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    await ISSUED.save(connection, [issued(fact) for fact in facts])
    await tell(connection, {f"account/{fact.data.account}" for fact in facts})


def issued(fact: Envelope) -> Issued:
    data = fact.data
    return Issued(
        key=f"{data.account}/{data.number}",
        account=data.account,
        number=data.number,
        cadence=data.cadence,
        as_of=data.as_of,
        since=data.since,
        at=fact.time,
        sequence=int(fact.sequence),
    )


async def of(database: Database, account: str, until: dt.datetime | None = None) -> list[Issued]:
    """Those of an account that left by then, newest first. Index: statements_issued_of."""
    rows = await database.fetch(
        f"select {ISSUED.columns} from statements_issued where account = $1 and ($2::timestamptz is null or at < $2) "
        "order by number desc limit $3",
        account,
        until,
        SHOWN,
    )
    return [ISSUED.of(row) for row in rows]
