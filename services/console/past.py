"""How every account stood at the end of each day on which it moved: what an "as of" page asks (V7).

A day is one by UTC, as it is for the credit master. Rows are whole accounts as the desk saw them, so that what a decision
of then was made of and what the page of then shows are the same.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import asyncpg
import msgspec

from contracts.envelope import encode_value
from services.console.following import Account

_decode = msgspec.json.Decoder(Account).decode
Ends = Mapping[tuple[str, dt.date], Account]
"""(account, day) → how it stood after the last fact of that day."""


async def keep(connection: asyncpg.Connection, ends: Ends) -> None:
    if not ends:
        return
    await connection.execute(
        """
        insert into account_days (account, day, body, sequence)
        select * from unnest($1::text[], $2::date[], $3::bytea[], $4::bigint[])
        on conflict (account, day) do update set body = excluded.body, sequence = excluded.sequence
        where account_days.sequence < excluded.sequence
        """,
        [account for account, _ in ends],
        [day for _, day in ends],
        [encode_value(row) for row in ends.values()],
        [row.sequence for row in ends.values()],
    )


async def of_accounts(connection: asyncpg.Connection | asyncpg.Pool, names: Iterable[str], day: dt.date) -> dict[str, Account]:
    """These accounts as they stood when the day ended; one that was not there yet is absent. Index: account_days' own key."""
    rows = await connection.fetch(
        """
        select account, body from unnest($1::text[]) as named (account)
            cross join lateral (
                select body from account_days d where d.account = named.account and d.day <= $2 order by d.day desc limit 1
            ) as stood
        """,
        list(names),
        day,
    )
    return {row["account"]: _decode(row["body"]) for row in rows}


async def as_of(connection: asyncpg.Connection | asyncpg.Pool, home: str, day: dt.date) -> list[Account]:
    """The accounts of this group as they stood when the day ended; one that was not there yet is absent."""
    rows = await connection.fetch(
        """
        select (select body from account_days d where d.account = a.account and d.day <= $2 order by d.day desc limit 1) as body
        from accounts a where a.home = $1 order by a.account
        """,
        home,
        day,
    )
    return [_decode(row["body"]) for row in rows if row["body"] is not None]
