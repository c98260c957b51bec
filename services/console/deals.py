"""Announced large orders as people see them: who registered each, who decided, what is reserved, which orders used it (O8).

A name may come again when its deal has ended, so a row is an announcement, named by the fact that registered it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts import orders
from contracts.envelope import Envelope, encode_value
from contracts.message import Message
from contracts.orders import Finding
from services.console.keeping import Kept
from services.console.queue import literal
from services.console.telling import tell

HEARS: tuple[type[Message], ...] = (
    orders.DealRegistered,
    orders.DealApproved,
    orders.DealDeclined,
    orders.DealWithdrawn,
    orders.DealMatched,
    orders.DealExpired,
)
REGISTERED, APPROVED, USED, DECLINED, WITHDRAWN, EXPIRED = "registered", "approved", "used", "declined", "withdrawn", "expired"
SHOWN = 100
"""Rows of the list; whoever has more searches."""
WORD = "deals"
"""What pages listen to (`telling`)."""


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """`held_by` is canonical JSON: what would hold its order on the day it was approved. From `ended_at` on it is over."""

    id: str
    deal: str
    account: str
    currency: str
    value_minor: int
    from_on: dt.date
    until_on: dt.date
    evidence: str
    level: str
    by: str
    at: dt.datetime
    state: str = REGISTERED
    reserved_minor: int = 0
    used_minor: int = 0
    answered_by: str = ""
    answered_at: dt.datetime | None = None
    answer: str = ""
    held_by: bytes = b"[]"
    ended_at: dt.datetime | None = None
    sequence: int

    @property
    def findings(self) -> list[Finding]:
        return msgspec.json.decode(self.held_by, type=list[Finding])


DEALS = Kept("deals", Deal, "id")
Name = tuple[str, str]
"""Account and deal: one is open at a time."""


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring the announcements, and the orders that used them, up to these facts."""
    known = await _open(connection, {name_of(fact) for fact in facts})
    changed: dict[str, Deal] = {}
    used: list[tuple[Envelope, Deal]] = []
    for fact in facts:
        after = follow(known.get(name_of(fact)), fact)
        if after is None:
            continue
        known[name_of(fact)] = changed[after.id] = after
        if isinstance(fact.data, orders.DealMatched):
            used.append((fact, after))
    await DEALS.save(connection, list(changed.values()))
    await _add_uses(connection, used)
    await tell(connection, [WORD] if changed else [])


def name_of(fact: Envelope) -> Name:
    return fact.data.account, fact.data.deal


def follow(deal: Deal | None, fact: Envelope) -> Deal | None:
    """The announcement after this fact; None when the fact is about none that is open, or was seen before. Pure."""
    data, sequence = fact.data, int(fact.sequence)
    if isinstance(data, orders.DealRegistered):
        return registered(data, fact) if deal is None or deal.ended_at is not None else None
    if deal is None or deal.ended_at is not None or sequence <= deal.sequence:
        return None
    deal = replace(deal, sequence=sequence)
    match data:
        case orders.DealApproved():
            answered = _answered(deal, data, fact, APPROVED)
            return replace(answered, reserved_minor=data.value_minor, held_by=encode_value(data.held_by))
        case orders.DealMatched():
            rest = replace(deal, used_minor=deal.used_minor + data.used_minor, reserved_minor=data.left_minor)
            return rest if data.left_minor else replace(rest, state=USED, ended_at=fact.time)
        case orders.DealDeclined():
            return _ended(_answered(deal, data, fact, DECLINED), fact)
        case orders.DealWithdrawn():
            return _ended(_answered(deal, data, fact, WITHDRAWN), fact)
        case _:
            return _ended(replace(deal, state=EXPIRED), fact)


def registered(data: orders.DealRegistered, fact: Envelope) -> Deal:
    return Deal(
        id=fact.id,
        deal=data.deal,
        account=data.account,
        currency=data.currency,
        value_minor=data.value_minor,
        from_on=data.from_on,
        until_on=data.until_on,
        evidence=data.evidence,
        level=data.level,
        by=data.by,
        at=fact.time,
        sequence=int(fact.sequence),
    )


def _answered(
    deal: Deal, data: orders.DealApproved | orders.DealDeclined | orders.DealWithdrawn, fact: Envelope, state: str
) -> Deal:
    return replace(deal, state=state, answered_by=data.by, answered_at=fact.time, answer=data.reason)


def _ended(deal: Deal, fact: Envelope) -> Deal:
    return replace(deal, reserved_minor=0, ended_at=fact.time)


async def _open(connection: asyncpg.Connection, names: Iterable[Name]) -> dict[Name, Deal]:
    """The open announcements of these names. Index: deals_open."""
    found = await connection.fetch(
        f"""
        select {DEALS.columns} from deals
        where ended_at is null and (account, deal) in (select * from unnest($1::text[], $2::text[]))
        """,
        *map(list, zip(*names, strict=True)),
    )
    return {(row["account"], row["deal"]): DEALS.of(row) for row in found}


async def _add_uses(connection: asyncpg.Connection, used: Sequence[tuple[Envelope, Deal]]) -> None:
    if used:
        await connection.execute(
            'insert into deal_uses (fact, deal, "order", used_minor, at) '
            "select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[]) on conflict do nothing",
            [fact.id for fact, _ in used],
            [deal.id for _, deal in used],
            [fact.data.order for fact, _ in used],
            [fact.data.used_minor for fact, _ in used],
            [fact.time for fact, _ in used],
        )


# --- what pages ask -------------------------------------------------------------------------------------------------

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool


class Shown(NamedTuple):
    """A deal beside its account's name, and the orders that used it: (order, minor, when)."""

    deal: Deal
    name: str
    uses: tuple[tuple[str, int, dt.datetime], ...] = ()


VISIBLE = "($1::text[] = '{}' or a.portfolio = any($1))"
_COLUMNS = ", ".join(f'd."{name}"' for name in DEALS.kinds)
_FROM = "from deals d left join accounts a using (account)"
NAMED = f"coalesce(a.name, d.account) as name {_FROM}"


def search(text: str) -> str:
    """Whether a deal or its account is called so; `text` is the place of the pattern among the values."""
    return f"({text} = '%%' or d.deal ilike {text} or d.account ilike {text} or a.name ilike {text})"


async def open_ones(database: Database, seen: Iterable[str], text: str = "") -> list[Shown]:
    """Those that wait for an approval first, then those that end soonest. Index: deals_open."""
    rows = await database.fetch(
        f"""
        select {_COLUMNS}, {NAMED}
        where d.ended_at is null and {VISIBLE} and {search("$2")}
        order by d.state = 'registered' desc, d.until_on, d.id limit $3
        """,
        list(seen), f"%{literal(text)}%", SHOWN,
    )  # fmt: skip
    return await with_uses(database, rows)


async def waiting(database: Database, seen: Iterable[str]) -> list[Shown]:
    """Those that wait for an approval, the first window first. Index: deals_open."""
    rows = await database.fetch(
        f"""
        select {_COLUMNS}, {NAMED}
        where d.ended_at is null and d.state = '{REGISTERED}' and {VISIBLE} order by d.from_on, d.until_on, d.id limit $2
        """,
        list(seen), SHOWN,
    )  # fmt: skip
    return [Shown(DEALS.of(row), row["name"]) for row in rows]


async def ended_ones(database: Database, seen: Iterable[str], text: str = "") -> list[Shown]:
    """Those that are over, newest first. Index: deals_ended."""
    rows = await database.fetch(
        f"""
        select {_COLUMNS}, {NAMED}
        where d.ended_at is not null and {VISIBLE} and {search("$2")}
        order by d.ended_at desc, d.id limit $3
        """,
        list(seen), f"%{literal(text)}%", SHOWN,
    )  # fmt: skip
    return await with_uses(database, rows)


async def one(database: Database, seen: Iterable[str], name: str) -> Shown | None:
    """One announcement by its id, if this person sees it."""
    rows = await database.fetch(f"select {_COLUMNS}, {NAMED} where d.id = $2 and {VISIBLE}", list(seen), name)
    found = await with_uses(database, rows)
    return found[0] if found else None


async def id_of(database: Database, account: str, deal: str) -> str | None:
    """The announcement of this name that is open."""
    found: str | None = await database.fetchval(
        "select id from deals where account = $1 and deal = $2 and ended_at is null", account, deal
    )
    return found


async def sequence_of(database: Database, name: str) -> int:
    return int(await database.fetchval("select sequence from deals where id = $1", name) or 0)


async def with_uses(database: Database, rows: Sequence[asyncpg.Record]) -> list[Shown]:
    """Index: deal_uses_of."""
    found = await database.fetch(
        'select deal, "order", used_minor, at from deal_uses where deal = any($1::text[]) order by at',
        [row["id"] for row in rows],
    )
    uses: dict[str, list[tuple[str, int, dt.datetime]]] = {}
    for use in found:
        uses.setdefault(use["deal"], []).append((use["order"], use["used_minor"], use["at"]))
    return [Shown(DEALS.of(row), row["name"], tuple(uses.get(row["id"], ()))) for row in rows]


class Sum(NamedTuple):
    """What is open in one currency; `ending`: its last day is within the week."""

    currency: str
    waiting: int
    waiting_minor: int
    approved: int
    reserved_minor: int
    ending: int


async def sums(database: Database, seen: Iterable[str], today: dt.date) -> list[Sum]:
    """By currency, the largest first. Index: deals_open."""
    rows = await database.fetch(
        f"""
        select d.currency, count(*) filter (where state = 'registered') as waiting,
            coalesce(sum(value_minor) filter (where state = 'registered'), 0)::bigint as waiting_minor,
            count(*) filter (where state = 'approved') as approved, sum(d.reserved_minor)::bigint as reserved_minor,
            count(*) filter (where until_on < $2::date + 7) as ending
        {_FROM} where d.ended_at is null and {VISIBLE} group by d.currency order by sum(value_minor) desc
        """,
        list(seen), today,
    )  # fmt: skip
    return [Sum(**row) for row in rows]
