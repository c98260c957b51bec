"""Who covers whom on which days, from facts of the credit master: so a deputy may act for somebody here (A6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import asyncpg
import msgspec

from contracts.accounts import DeputyAppointed, DeputyEnded
from contracts.envelope import Envelope
from contracts.message import Message
from services.console.telling import tell

HEARS: tuple[type[Message], ...] = (DeputyAppointed, DeputyEnded)


class Cover(msgspec.Struct, frozen=True):
    """`deputy` acts for `person` in this role, from one day to another and on both."""

    person: str
    deputy: str
    role: str
    from_on: dt.date
    until_on: dt.date
    reason: str
    by: str


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """One after the other: they are few, and their order matters."""
    for fact in facts:
        match fact.data:
            case DeputyAppointed() as said:
                await connection.execute(
                    "insert into covers (id, person, deputy, role, from_on, until_on, reason, by) "
                    "values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (id) do nothing",
                    fact.id, said.person, said.deputy, said.role, said.from_on, said.until_on, said.reason, said.by,
                )  # fmt: skip
            case DeputyEnded() as said:
                await connection.execute(
                    "update covers set ended_at = $3 where person = $1 and deputy = $2 and ended_at is null",
                    said.person, said.deputy, fact.time,
                )  # fmt: skip
    await tell(connection, ["covers"])


_SELECT = "select person, deputy, role, from_on, until_on, reason, by from covers"


async def standing(connection: asyncpg.Connection | asyncpg.Pool, on: dt.date) -> list[Cover]:
    """What is not over and not ended, the first to begin on top. Index: covers_of, which holds only these."""
    rows = await connection.fetch(f"{_SELECT} where ended_at is null and until_on >= $1 order by from_on, person, deputy", on)
    return [Cover(*row) for row in rows]


async def by(connection: asyncpg.Connection | asyncpg.Pool, deputy: str, person: str, on: dt.date) -> Cover | None:
    """The cover under which this deputy may act for this person on this day."""
    row = await connection.fetchrow(
        f"{_SELECT} where ended_at is null and deputy = $1 and person = $2 and $3 between from_on and until_on "
        "order by from_on limit 1",
        deputy,
        person,
        on,
    )
    return Cover(*row) if row else None
