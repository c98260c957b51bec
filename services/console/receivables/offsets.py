"""Offsets as the ledger's facts leave them: a row each, with its lines, its agreement, and who took it back (P8).

What an account agreed to is the agreement that its last offset named: the ledger keeps no other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts import payments as said
from contracts.envelope import Envelope
from contracts.message import Message
from services.console.keeping import Kept
from services.console.receivables.ledger import ITEMS, Item
from services.console.telling import tell
from shared.receivables.offsetting import Line

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool
HEARS: tuple[type[Message], ...] = (said.ItemsOffset, said.OffsetUndone)
WORD = "offsets"
SHOWN = 50
ACCOUNTS_SHOWN = 25
"""Accounts with something to set off on one page; whoever wants another looks for it."""
ITEMS_MAX = 5_000
"""Open items of the accounts of one page together."""


class Offset(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` is JSON: (item, minor units) each."""

    offset: str
    account: str
    credit: str
    lines: bytes
    amount_minor: int
    effective_on: dt.date
    agreement: str
    reason: str
    by: str
    at: dt.datetime
    undone_by: str = ""
    undone_because: str = ""
    undone_at: dt.datetime | None = None
    sequence: int = 0

    @property
    def settled(self) -> tuple[Line, ...]:
        return msgspec.json.decode(self.lines, type=tuple[Line, ...])


OFFSETS = Kept("offsets", Offset, "offset")


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    known = await OFFSETS.load(connection, {fact.data.offset for fact in facts})
    changed: dict[str, Offset] = {}
    for fact in facts:
        if (after := follow(known.get(fact.data.offset), fact)) is not None:
            known[after.offset] = changed[after.offset] = after
    await OFFSETS.save(connection, list(changed.values()))
    await tell(connection, [WORD])


def follow(row: Offset | None, fact: Envelope) -> Offset | None:
    """The offset after this fact; None when nothing of it changed. Pure."""
    data, sequence = fact.data, int(fact.sequence)
    if row is not None and sequence <= row.sequence:
        return None
    if isinstance(data, said.OffsetUndone):
        undone = {"undone_by": data.by or "the ledger", "undone_because": data.reason, "undone_at": fact.time}
        return replace(row, **undone, sequence=sequence) if row is not None else None
    return Offset(
        offset=data.offset,
        account=data.account,
        credit=data.credit,
        lines=msgspec.json.encode([(line.item, line.settled_minor) for line in data.lines]),
        amount_minor=data.amount_minor,
        effective_on=data.effective_on,
        agreement=data.agreement,
        reason=data.reason,
        by=data.by,
        at=fact.time,
        sequence=sequence,
    )


# --- what pages ask ---------------------------------------------------------------------------------------------------


class Of(NamedTuple):
    """An account that has both credits and debts open in one currency; `agreement` is that of its last offset."""

    account: str
    name: str
    agreement: str


_SEEN = "($1::text[] = '{}' or b.portfolio = any($1))"


async def accounts(database: Database, seen: Iterable[str], account: str, agreed: bool) -> list[Of]:
    """In order of number; `account` empty: all, else that one alone; `agreed`: only those with an agreement. Index:
    ledger_items_open."""
    rows = await database.fetch(
        f"""
        with two_sided as (
            select distinct account from (
                select account, currency from ledger_items where open_minor <> 0 and ($2 = '' or account = $2)
                group by 1, 2 having min(open_minor) < 0 and max(open_minor) > 0
            ) as by_currency
        )
        select b.account, coalesce(b.name, '') as name, coalesce(last.agreement, '') as agreement
        from two_sided join book b using (account) left join lateral (
            select agreement from offsets o where o.account = b.account and o.agreement <> '' order by o.at desc limit 1
        ) as last on true
        where {_SEEN} and (not $3 or last.agreement is not null) order by b.account limit $4
        """,
        list(seen),
        account,
        agreed,
        ACCOUNTS_SHOWN,
    )
    return [Of(*row) for row in rows]


class Shown(NamedTuple):
    offset: Offset
    name: str
    currency: str


_WITH_NAMES = f"""
    select {", ".join(f'o."{name}"' for name in OFFSETS.kinds)}, coalesce(b.name, '') as shown,
        coalesce(i.currency, '') as currency
    from offsets o left join book b using (account) left join ledger_items i on i.key = o.account || '/' || o.credit
"""


async def done(database: Database, seen: Iterable[str], account: str) -> list[Shown]:
    """Those that were made, newest first. Indexes: offsets_at, offsets_of."""
    rows = await database.fetch(
        f"{_WITH_NAMES} where {_SEEN} and ($2 = '' or o.account = $2) order by o.at desc, o.credit limit $3",
        list(seen),
        account,
        SHOWN,
    )
    return [Shown(OFFSETS.of(row), row["shown"], row["currency"]) for row in rows]


async def one(database: Database, seen: Iterable[str], offset: str) -> Shown | None:
    row = await database.fetchrow(f'{_WITH_NAMES} where {_SEEN} and o."offset" = $2', list(seen), offset)
    return Shown(OFFSETS.of(row), row["shown"], row["currency"]) if row else None


async def items_of(database: Database, account: str, names: Iterable[str]) -> dict[str, Item]:
    """These items of an account, settled ones too. Index: primary key of ledger_items."""
    found = await ITEMS.load(database, {f"{account}/{name}" for name in names})
    return {item.item: item for item in found.values()}
