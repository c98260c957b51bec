"""Who has which order open, so that two people never work the same one unawares. The console's own; no fact, and soon forgotten.

A person has one order in hand. Whether they still do is told by their page every few seconds, by the wall's clock: people are
real, whatever clock the messages have. `since` is told by the installation's clock, as everything on a page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import asyncpg
import msgspec

from services.console.people import Person

KEPT = dt.timedelta(seconds=45)
"""A page says every 15 seconds that it is still open; who has said nothing three times has gone."""


class Hand(msgspec.Struct, frozen=True):
    person: str
    shown: str
    since: dt.datetime


async def take_up(connection: asyncpg.Connection | asyncpg.Pool, who: Person, order: str, now: dt.datetime) -> bool:
    """This person has this order open now. Returns whether that is news: another order than before, or after a while."""
    news: bool = await connection.fetchval(
        """
        with before as (select "order", seen_at from in_hand where person = $1)
        insert into in_hand (person, shown, "order", since) values ($1, $2, $3, $4)
        on conflict (person) do update set shown = excluded.shown, "order" = excluded."order", seen_at = now(),
            since = case when in_hand."order" = excluded."order" and in_hand.seen_at > now() - $5::interval
                then in_hand.since else excluded.since end
        returning not exists (select from before where "order" = $3 and seen_at > now() - $5::interval)
        """,
        who.name,
        who.shown,
        order,
        now,
        KEPT,
    )
    return news


async def put_down(connection: asyncpg.Connection | asyncpg.Pool, who: Person) -> bool:
    """This person looks at no order any more. Returns whether they did."""
    tag = await connection.execute("delete from in_hand where person = $1", who.name)
    return not str(tag).endswith(" 0")


async def others(connection: asyncpg.Connection | asyncpg.Pool, who: Person, orders: Iterable[str]) -> dict[str, list[Hand]]:
    """Order → who else has it open, the first of them first."""
    rows = await connection.fetch(
        """
        select "order", person, shown, since from in_hand
        where "order" = any($1::text[]) and person <> $2 and seen_at > now() - $3::interval order by since, person
        """,
        list(orders),
        who.name,
        KEPT,
    )
    found: dict[str, list[Hand]] = {}
    for row in rows:
        found.setdefault(row["order"], []).append(Hand(row["person"], row["shown"], row["since"]))
    return found
