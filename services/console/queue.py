"""The release desk's tables: every order as it stands, its account and what that could cost now; and what pages ask of them.

Rows are kept by the facts of the order desk (`following`), each batch in a few statements. What waits has an index of its
own, worst clock first, so that the desk costs the same however many orders were released.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec

from contracts.envelope import Envelope
from services.console import past
from services.console.following import FOLLOWED, Account, Day, Order, View, follow, named
from services.console.keeping import Kept
from services.console.telling import tell

ORDERS = Kept("orders", Order, "order")
ACCOUNTS = Kept("accounts", Account, "account")
HEARS = FOLLOWED
WINDOW = 100
"""Rows of the queue shown at once; the next window is one key away."""
DESK = "desk"
"""Filter: what the desk's own authority covers, the orders that were not referred."""
NOBODY = "nobody"
"""Filter: orders that nobody has taken."""


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring orders, accounts, debts and days up to these facts, and tell what of them pages show."""
    names = {name for fact in facts if (name := named(fact.data)) is not None}
    before = await ACCOUNTS.load(connection, {fact.data.account for fact in facts})
    known = await ORDERS.load(connection, names)
    view = View(before, known)
    ends: dict[tuple[str, dt.date], Account] = {}
    for fact in facts:
        follow(view, fact)
        ends[fact.data.account, fact.time.date()] = view.accounts[fact.data.account]
    await past.keep(connection, ends)
    await ACCOUNTS.save(connection, [view.accounts[name] for name in view.moved])
    await ORDERS.save(connection, [view.orders[name] for name in view.changed])
    await _add_debts(connection, view)
    await _add_days(connection, view)
    await _follow_portfolios(connection, [name for name in view.moved if _went(before.get(name), view.accounts[name])])
    await tell(connection, _words(view, known))


def _words(view: View, known: Mapping[str, Order]) -> Iterator[str]:
    """The desk shows what waits, and what its accounts could cost; a page about one account or order shows all of it."""
    if view.days:
        yield "day"
    if any(view.orders[name].waits or (name in known and known[name].waits) for name in view.changed):
        yield "desk"
    for name in view.moved:
        yield f"account/{name}"
        if view.accounts[name].waiting:
            yield "desk"


def _went(before: Account | None, after: Account) -> bool:
    return before is not None and before.portfolio != after.portfolio


async def _add_debts(connection: asyncpg.Connection, view: View) -> None:
    if not view.debts:
        return
    await connection.execute(
        """
        insert into debts (account, due_on, open_minor, disputed_minor)
        select * from unnest($1::text[], $2::date[], $3::bigint[], $4::bigint[])
        on conflict (account, due_on) do update set open_minor = debts.open_minor + excluded.open_minor,
            disputed_minor = debts.disputed_minor + excluded.disputed_minor
        """,
        [account for account, _ in view.debts],
        [due_on for _, due_on in view.debts],
        [open_minor for open_minor, _ in view.debts.values()],
        [disputed_minor for _, disputed_minor in view.debts.values()],
    )
    await connection.execute(
        "delete from debts where account = any($1::text[]) and open_minor = 0 and disputed_minor = 0",
        sorted({account for account, _ in view.debts}),
    )


async def _add_days(connection: asyncpg.Connection, view: View) -> None:
    if not view.days:
        return
    counts, days = (
        Day.__struct_fields__,
        sorted(view.days.items(), key=lambda each: each[0]),
    )  # two writers, one order: no deadlock
    arrays = ", ".join(f"${n}::bigint[]" for n in range(3, len(counts) + 3))
    await connection.execute(
        f"""
        insert into desk_days (day, portfolio, {", ".join(counts)})
        select * from unnest($1::date[], $2::text[], {arrays})
        on conflict (day, portfolio) do update set {", ".join(f"{name} = desk_days.{name} + excluded.{name}" for name in counts)}
        """,
        [on for (on, _), _ in days],
        [portfolio for (_, portfolio), _ in days],
        *([getattr(counted, name) for _, counted in days] for name in counts),
    )


async def _follow_portfolios(connection: asyncpg.Connection, accounts: list[str]) -> None:
    """An account that moved takes its orders along: who may see them follows from it."""
    if accounts:
        await connection.execute(
            "update orders set portfolio = accounts.portfolio from accounts "
            "where orders.account = accounts.account and accounts.account = any($1::text[])",
            accounts,
        )


# --- what the desk asks ---------------------------------------------------------------------------------------------


class Filter(NamedTuple):
    """What of the queue is wanted; empty means all. `seen` are the portfolios that the person sees, empty for all."""

    seen: tuple[str, ...] = ()
    portfolio: str = ""
    reason: str = ""
    level: str = ""
    owner: str = ""
    text: str = ""


class Place(NamedTuple):
    """Where a window begins: behind this order."""

    due_at: dt.datetime
    order: str


BEFORE_ALL = Place(dt.datetime(1, 1, 2, tzinfo=dt.UTC), "")

_VISIBLE = "($1::text[] = '{}' or o.portfolio = any($1))"
_WANTED = f"""
    o.waits and {_VISIBLE}
    and ($2 = '' or o.portfolio = $2)
    and ($3 = '' or o.checks @> array[$3])
    and ($4 = '' or o.level = case when $4 = '{DESK}' then '' else $4 end)
    and ($5 = '' or o.owner = case when $5 = '{NOBODY}' then '' else $5 end)
    and ($6 = '' or o."order" ilike $6 or o.account ilike $6 or o.po_number ilike $6 or a.name ilike $6)
"""
_WITH_ACCOUNT = f"""
    select {", ".join(f'o."{name}"' for name in ORDERS.kinds)}, a.name as account_name
    from orders o left join accounts a using (account)
"""


def _values(wanted: Filter) -> tuple[Any, ...]:
    text = f"%{literal(wanted.text)}%" if wanted.text else ""
    return (list(wanted.seen), wanted.portfolio, wanted.reason, wanted.level, wanted.owner, text)


def literal(text: str) -> str:
    """For `like`, where these three mean something else."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


async def window(
    connection: asyncpg.Connection | asyncpg.Pool, wanted: Filter, after: Place = BEFORE_ALL, rows: int = WINDOW
) -> list[asyncpg.Record]:
    """The next waiting orders behind a place, worst clock first, with what their accounts could cost now."""
    found: list[asyncpg.Record] = await connection.fetch(
        f'{_WITH_ACCOUNT} where {_WANTED} and (o.due_at, o."order") > ($7::timestamptz, $8) '
        f'order by o.due_at, o."order" limit $9',
        *_values(wanted),
        *after,
        rows,
    )
    return found


async def window_before(
    connection: asyncpg.Connection | asyncpg.Pool, wanted: Filter, before: Place, rows: int = WINDOW
) -> list[asyncpg.Record]:
    """The window that ends just before a place."""
    found: list[asyncpg.Record] = await connection.fetch(
        f'{_WITH_ACCOUNT} where {_WANTED} and (o.due_at, o."order") < ($7::timestamptz, $8) '
        f'order by o.due_at desc, o."order" desc limit $9',
        *_values(wanted),
        *before,
        rows,
    )
    return found[::-1]


class Total(msgspec.Struct, frozen=True):
    """Waiting orders of one currency: `risky` have come to their escalation, `late` are past their time."""

    currency: str
    count: int
    waiting_minor: int
    risky: int
    late: int


async def totals(connection: asyncpg.Connection | asyncpg.Pool, wanted: Filter, now: dt.datetime) -> list[Total]:
    """Per currency, the one with most orders first."""
    rows = await connection.fetch(
        f"""
        select o.currency, count(*), sum(o.waiting_minor)::bigint,
            count(*) filter (where o.escalate_at <= $7 and o.due_at > $7), count(*) filter (where o.due_at <= $7)
        from orders o left join accounts a using (account) where {_WANTED} group by 1 order by 2 desc, 1
        """,
        *_values(wanted),
        now,
    )
    return [Total(*row) for row in rows]


class Facet(msgspec.Struct, frozen=True):
    """A value that a filter may take, and how many orders it would show."""

    kind: str
    value: str
    count: int


async def facets(connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str]) -> list[Facet]:
    """What there is to filter by, among all that this person sees waiting."""
    rows = await connection.fetch(
        f"""
        with mine as materialized (select portfolio, checks, level, owner from orders o where o.waits and {_VISIBLE})
        select 'portfolio', portfolio, count(*) from mine group by 2
        union all select 'reason', reason, count(*) from mine, unnest(checks) as reason group by 2
        union all select 'level', case when level = '' then '{DESK}' else level end, count(*) from mine group by 2
        union all select 'owner', case when owner = '' then '{NOBODY}' else owner end, count(*) from mine group by 2
        order by 1, 3 desc, 2
        """,
        list(seen),
    )
    return [Facet(*row) for row in rows]


async def day(connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str], on: dt.date) -> Day:
    """What the desk did on this day, in the portfolios that this person sees."""
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in Day.__struct_fields__)
    row = await connection.fetchrow(
        f"select {sums} from desk_days where day = $2 and ($1::text[] = '{{}}' or portfolio = any($1))", list(seen), on
    )
    return Day(*row)


async def one(connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str], order: str) -> asyncpg.Record | None:
    """One order, waiting or not, if this person sees it."""
    return await connection.fetchrow(f'{_WITH_ACCOUNT} where o."order" = $2 and {_VISIBLE}', list(seen), order)


FOUND_MAX = 50


async def search(connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str], text: str) -> list[asyncpg.Record]:
    """Any order by the beginning of its reference, its whole name, its PO number or its account; newest first."""
    found: list[asyncpg.Record] = await connection.fetch(
        f"""
        with named as (
            (select "order" from orders where reference like $3 limit $4)
            union (select "order" from orders where "order" = $2)
            union (select "order" from orders where po_number = $2 and po_number <> '' limit $4)
            union (select "order" from orders where account = $2 order by received_at desc limit $4)
        )
        {_WITH_ACCOUNT} where o."order" in (select "order" from named) and {_VISIBLE}
        order by o.waits desc, o.received_at desc limit $4
        """,
        list(seen),
        text,
        f"{literal(text)}%",
        FOUND_MAX,
    )
    return found


async def debts(connection: asyncpg.Connection | asyncpg.Pool, account: str) -> list[tuple[dt.date, int, int]]:
    """What is due on which day: (due on, open, disputed), oldest first."""
    rows = await connection.fetch(
        "select due_on, open_minor, disputed_minor from debts where account = $1 order by due_on", account
    )
    return [tuple(row) for row in rows]


async def accounts_of(connection: asyncpg.Connection | asyncpg.Pool, names: Iterable[str]) -> dict[str, Account]:
    found: dict[str, Account] = await ACCOUNTS.load(connection, set(names))
    return found


async def groups_of(connection: asyncpg.Connection | asyncpg.Pool, homes: Iterable[str]) -> dict[str, list[Account]]:
    """The accounts that share a limit, by their home; a home with one account is left out, it shares with nobody."""
    rows = await connection.fetch(
        f"select {ACCOUNTS.columns} from accounts where home = any($1::text[]) and currency <> '' order by account",
        list(set(homes)),
    )
    found: dict[str, list[Account]] = {}
    for row in rows:
        found.setdefault(row["home"], []).append(ACCOUNTS.of(row))
    return {home: members for home, members in found.items() if len(members) > 1}


async def group(connection: asyncpg.Connection | asyncpg.Pool, home: str) -> list[Account]:
    """All accounts that were opened under this home."""
    rows = await connection.fetch(f"select {ACCOUNTS.columns} from accounts where home = $1 order by account", home)
    return [ACCOUNTS.of(row) for row in rows]
