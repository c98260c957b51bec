"""What is open, of whom and since when: now, or at the end of any past day as it was known then or as it is known now (P12, V7).

A past day costs what moved since: its items are those of now less the lines that did not count then. Queries only; ageing itself
is `shared.receivables`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from services.console.queue import literal
from services.console.receivables.ledger import ITEMS, RECEIPT, SALES, Item
from shared.receivables import ageing, movements
from shared.receivables.ageing import Policy

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool

ITEMS_MAX = 500
"""Open items of one account on a page; whoever has more takes the statement as a file."""
LINES_SHOWN = 100
"""Lines of the ledger before the next window."""
DIFFERENCES_MAX = 200
ROWS_SHOWN = 50
"""Rows of the trial balance before the next window."""
_SOLD = ", ".join(f"'{kind}'" for kind in SALES)
FOR_EVER = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
LAST_DAY = dt.date(9999, 1, 1)


class When(NamedTuple):
    """Which day is asked for, and from what was known before when. Both unset: all that there is."""

    on: dt.date | None = None
    known_by: dt.datetime | None = None

    @property
    def day(self) -> dt.date:
        return self.on or LAST_DAY

    @property
    def known(self) -> dt.datetime:
        return self.known_by or FOR_EVER


NOW = When()


class Open(NamedTuple):
    """An item with what was open of it; `disputed_minor` of that is in dispute."""

    item: Item
    open_minor: int
    base_minor: int
    disputed_minor: int

    def aged(self) -> ageing.Item:
        item = self.item
        return ageing.Item(
            item.kind, item.due_on, item.document_on, self.open_minor, item.currency, self.base_minor, self.disputed_minor
        )

    def days_late(self, on: dt.date) -> int:
        return (on - self.item.due_on).days if self.open_minor > 0 else 0


_DISPUTED = """
    disputed as (
        select account, item, sum(minor)::bigint as minor from ledger_disputes where at < $2 and {scope} group by 1, 2
    )
"""
_OPEN_NOW = f"""
    {_DISPUTED},
    stood as (
        select i.*, i.open_minor as then_minor, i.open_base_minor as then_base, coalesce(d.minor, 0) as disputed_minor
        from ledger_items i left join disputed d on (d.account, d.item) = (i.account, i.item)
        where (i.open_minor <> 0 or i.open_base_minor <> 0) and $1::date is not null and {{i_scope}}
    )
"""
"""Items as they stand. Index: ledger_items_open."""
_OPEN_THEN = f"""
    undone as (
        select account, item, sum(amount_minor)::bigint as minor, sum(base_minor)::bigint as base from ledger_lines
        where (effective_on > $1 or known_at >= $2) and {{scope}} group by 1, 2
    ),
    {_DISPUTED},
    touched as materialized (
        select i.*, u.minor as undone_minor, u.base as undone_base
        from undone u join ledger_items i on i.key = u.account || '/' || u.item
        union all
        select i.*, 0, 0 from ledger_items i
        where (i.open_minor <> 0 or i.open_base_minor <> 0) and {{i_scope}}
            and not exists (select from undone u where (u.account, u.item) = (i.account, i.item))
    ),
    stood as (
        select i.*, i.open_minor - undone_minor as then_minor, i.open_base_minor - undone_base as then_base,
            coalesce(d.minor, 0) as disputed_minor
        from touched i left join disputed d on (d.account, d.item) = (i.account, i.item)
    )
"""
"""Items as they stood on the day $1, from what was known before $2. Indexes: ledger_items_open, ledger_lines_of,
ledger_lines_told, ledger_lines_day, ledger_lines_known."""


def _stood(when: When, scope: str = "true") -> str:
    """`scope`: a condition on `account`, which each part of it is narrowed by."""
    return (_OPEN_NOW if when == NOW else _OPEN_THEN).format(scope=scope, i_scope=scope.replace("account", "i.account"))


_OF_ACCOUNTS = "account = any($3::text[])"


async def items(database: Database, accounts: Iterable[str], when: When = NOW, limit: int = ITEMS_MAX) -> list[Open]:
    """The open items of these accounts, oldest due first, credits and cash last."""
    found = await database.fetch(
        f"""
        with {_stood(when, _OF_ACCOUNTS)}
        select * from stood where then_minor <> 0 or then_base <> 0 order by then_minor < 0, due_on, item limit $4
        """,
        when.day,
        when.known,
        list(accounts),
        limit,
    )
    return [_open(row) for row in found]


def _open(row: asyncpg.Record) -> Open:
    return Open(ITEMS.of(row), row["then_minor"], row["then_base"], row["disputed_minor"])


async def count(database: Database, account: str) -> int:
    """How many items are open now. Index: ledger_items_open."""
    found: int = await database.fetchval(
        "select count(*) from ledger_items where account = $1 and (open_minor <> 0 or open_base_minor <> 0)", account
    )
    return found


async def to_allocate(
    database: Database, home: str, account: str, currency: str, text: str, keys: Sequence[str], limit: int
) -> list[Open]:
    """What a receipt of this group may be for: its own account's items first, oldest due first; those named in any case.

    `text` narrows by number, order, PO number, account or amount. Index: ledger_items_group."""
    found = await database.fetch(
        f"""
        select {", ".join(f'i."{name}"' for name in ITEMS.kinds)}, i.open_minor as then_minor, i.open_base_minor as then_base,
            coalesce((select sum(minor) from ledger_disputes d where (d.account, d.item) = (i.account, i.item)), 0)::bigint
            as disputed_minor
        from ledger_items i
        where home = $1 and open_minor <> 0 and kind <> '{RECEIPT}' and currency = $3 and ($4 = '%%' or key = any($5::text[])
            or item ilike $4 or "order" ilike $4 or po_number ilike $4 or account ilike $4 or reference ilike $4
            or abs(open_minor)::text = $6)
        order by key = any($5::text[]) desc, account <> $2, due_on, item limit $7
        """,
        home,
        account,
        currency,
        f"%{literal(text)}%",
        list(keys),
        "".join(sign for sign in text if sign.isdigit()) or "none",
        limit,
    )
    return [_open(row) for row in found]


class Owes(NamedTuple):
    """An account that may have paid: its open debts in the payment's currency, and the one that is open with exactly the
    payment's amount, the earliest due."""

    account: str
    name: str
    debts_minor: int
    item: str | None


async def of_candidates(
    database: Database, seen: Iterable[str], accounts: Iterable[str], currency: str, minor: int
) -> dict[str, Owes]:
    """By account, those that this person does not see left out. Index: ledger_items_open."""
    rows = await database.fetch(
        """
        select b.account, b.name, coalesce(sum(i.open_minor), 0)::bigint,
            (array_agg(i.item order by i.due_on, i.item) filter (where i.open_minor = $4))[1]
        from book b left join ledger_items i on i.account = b.account and i.open_minor > 0 and i.currency = $3
        where b.account = any($2::text[]) and ($1::text[] = '{}' or b.portfolio = any($1)) group by b.account, b.name
        """,
        list(seen),
        list(accounts),
        currency,
        minor,
    )
    return {row["account"]: Owes(*row) for row in rows}


async def by_keys(database: Database, home: str, keys: Sequence[str]) -> dict[str, Item]:
    """Items of one group by their keys, as they are now."""
    found: dict[str, Item] = {}
    for row in await database.fetch(
        f"select {ITEMS.columns} from ledger_items where key = any($1::text[]) and home = $2", list(keys), home
    ):
        found[row["key"]] = ITEMS.of(row)
    return found


# --- the lines of an account ------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line of the ledger; `balance_minor` is the account's balance in its currency behind it."""

    entry: str
    n: int
    item: str
    kind: str
    currency: str
    amount_minor: int
    base_minor: int
    effective_on: dt.date
    known_at: dt.datetime
    fact: str
    reverses: str
    text: str
    balance_minor: int
    place: int


async def lines(
    database: Database, account: str, currency: str, when: When = NOW, before: int | None = None, limit: int = LINES_SHOWN
) -> list[Line]:
    """Newest first by the day that each counts for, with the running balance. `before`: behind the line of that place.

    Index: ledger_lines_of."""
    found = await database.fetch(
        """
        select entry, n, item, kind, currency, amount_minor, base_minor, effective_on, known_at, fact, reverses, text,
            balance_minor, place
        from (
            select *, (sum(amount_minor) over running)::bigint as balance_minor, row_number() over running as place
            from ledger_lines where account = $1 and currency = $2 and effective_on <= $3 and known_at < $4
            window running as (order by effective_on, sequence, n)
        ) as told where $5::bigint is null or place < $5 order by place desc limit $6
        """,
        account,
        currency,
        when.day,
        when.known,
        before,
        limit,
    )
    return [Line(*row) for row in found]


async def moved(database: Database, account: str, currency: str, since: dt.date, when: When) -> tuple[int, list[asyncpg.Record]]:
    """The balance before a day, and the lines from that day on, oldest first."""
    opening: int = await database.fetchval(
        "select coalesce(sum(amount_minor), 0)::bigint from ledger_lines "
        "where account = $1 and currency = $2 and effective_on < $3 and known_at < $4",
        account,
        currency,
        since,
        when.known,
    )
    found: list[asyncpg.Record] = await database.fetch(
        """
        select l.effective_on, l.kind, l.item, l.amount_minor, coalesce(nullif(i.po_number, ''), i.reference, '') as reference
        from ledger_lines l left join ledger_items i on i.key = l.account || '/' || l.item
        where l.account = $1 and l.currency = $2 and l.effective_on between $3 and $4 and l.known_at < $5
        order by l.effective_on, l.sequence, l.n
        """,
        account,
        currency,
        since,
        when.day,
        when.known,
    )
    return opening, found


async def currencies(database: Database, account: str) -> list[str]:
    """In which currencies the account ever moved."""
    rows = await database.fetch("select distinct currency from ledger_lines where account = $1 order by 1", account)
    return [row["currency"] for row in rows]


async def differences(database: Database, account: str, on: dt.date, known_by: dt.datetime) -> tuple[movements.Difference, ...]:
    """What is known of this day now and was not then: item by item, with the lines that explain it (P12)."""
    rows = await database.fetch(
        """
        with late as (
            select distinct item from ledger_lines where account = $1 and effective_on <= $2 and known_at >= $3 limit $4
        )
        select l.*, i.document_on, i.due_on from ledger_lines l join late using (item)
            left join ledger_items i on i.key = l.account || '/' || l.item
        where l.account = $1 and l.effective_on <= $2
        """,
        account,
        on,
        known_by,
        DIFFERENCES_MAX,
    )
    told = [_movement(row) for row in rows]
    return movements.differences(movements.as_known(told, on=on, known_by=known_by), movements.as_known(told, on=on))


def _movement(row: asyncpg.Record) -> movements.Movement:
    return movements.Movement(
        account=row["account"],
        item=row["item"],
        kind=row["kind"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        base_minor=row["base_minor"],
        effective_on=row["effective_on"],
        known_at=row["known_at"],
        ordinal=row["sequence"] * 1_000 + row["n"],
        document_on=row["document_on"],
        due_on=row["due_on"],
    )


# --- of many accounts -------------------------------------------------------------------------------------------------


class Scope(NamedTuple):
    """Whose receivables: what the person sees, and what of it is wanted. `currency` empty: all, in base."""

    seen: tuple[str, ...] = ()
    portfolio: str = ""
    group: str = ""
    account: str = ""
    currency: str = ""
    text: str = ""
    when: When = NOW


BY = {"account": "s.account", "group": "coalesce(nullif(b.home, ''), s.home)", "portfolio": "coalesce(b.portfolio, '')"}
"""What a row of the trial balance is put together by → its column."""
SORTS = ("name", "balance", "overdue", "oldest")
_SCOPED = """
    select s.*, b.name, b.home as group_home, coalesce(b.portfolio, '') as portfolio, {by} as key_of
    from stood s left join book b using (account)
    where (s.then_minor <> 0 or s.then_base <> 0) and ($3::text[] = '{{}}' or b.portfolio = any($3))
        and ($4 = '' or b.portfolio = $4) and ($5 = '' or b.home = $5) and ($6 = '' or s.account = $6)
        and ($7 = '' or s.currency = $7) and ($8 = '' or s.account ilike $8 or b.name ilike $8)
"""


def _scoped(when: When, by: str = "account") -> str:
    return f"with {_stood(when)}, wanted as ({_SCOPED.format(by=BY[by])})"


def _values(scope: Scope) -> tuple[Any, ...]:
    text = f"%{literal(scope.text)}%" if scope.text else ""
    when = scope.when
    return (
        when.day, when.known, list(scope.seen), scope.portfolio, scope.group, scope.account, scope.currency, text,
    )  # fmt: skip


class Key(NamedTuple):
    """A row of the trial balance before it is aged: what it is of, and the value that it is sorted by."""

    key: str
    value: int


async def keys(
    database: Database, scope: Scope, on: dt.date, by: str, sort: str, after: Key | None = None, limit: int = ROWS_SHOWN
) -> list[Key]:
    """The next rows behind a place, in the order of `sort`: name, largest balance, most overdue, oldest debt."""
    minor = "then_minor" if scope.currency else "then_base"
    value = {
        "name": "0",
        "balance": f"-sum({minor})",
        "overdue": f"-coalesce(sum({minor}) filter (where then_minor > 0 and due_on < $9), 0)",
        "oldest": "coalesce(min(due_on) filter (where then_minor > 0) - date '2000-01-01', 100000)",
    }[sort]
    rows = await database.fetch(
        f"""
        {_scoped(scope.when, by)}
        select key_of, value from (
            select key_of, ({value})::bigint as value from wanted where $9::date is not null group by 1
        ) as r
        where $10::bigint is null or (value, key_of) > ($10, $11) order by value, key_of limit $12
        """,
        *_values(scope),
        on,
        after.value if after else None,
        after.key if after else "",
        limit,
    )
    return [Key(row["key_of"], row["value"]) for row in rows]


class Named(NamedTuple):
    """Who a row is: `accounts` counts those with an open item."""

    name: str
    portfolio: str
    accounts: int
    group: str = ""
    group_name: str = ""


async def aged_by(
    database: Database, scope: Scope, on: dt.date, policy: Policy, base: str, by: str, wanted: Sequence[str] | None
) -> dict[str, ageing.Ledger]:
    """Row → its ageing in the currency of the scope, or in base; of these rows, or of all."""
    rows = await database.fetch(
        f"""
        {_scoped(scope.when, by)}
        select key_of, kind = '{RECEIPT}' as is_cash, {_day(policy)} as day, currency, then_minor < 0 as against,
            sum(then_minor)::bigint as minor, sum(then_base)::bigint as base, sum(disputed_minor)::bigint as disputed
        from wanted where $9::text[] is null or key_of = any($9) group by 1, 2, 3, 4, 5
        """,
        *_values(scope),
        list(wanted) if wanted is not None else None,
    )
    found: defaultdict[str, list[ageing.Item]] = defaultdict(list)
    for row in rows:
        found[row["key_of"]].append(_summed(row))
    return {key: in_currency(each, on, policy, base, scope.currency) for key, each in found.items()}


def _summed(row: asyncpg.Record) -> ageing.Item:
    """The sum of several items of one side, day and currency, as one item."""
    kind = RECEIPT if row["is_cash"] else "other"
    return ageing.Item(kind, row["day"], row["day"], row["minor"], row["currency"], row["base"], row["disputed"])


def _day(policy: Policy) -> str:
    """The one day that an item is aged by: the rule of `ageing.age`, so that sums may be aged instead of every item."""
    return "case when then_minor > 0 then due_on else document_on end" if policy.basis == "due_date" else "document_on"


def in_currency(found: Iterable[ageing.Item], on: dt.date, policy: Policy, base: str, currency: str) -> ageing.Ledger:
    """The ageing in one currency, or of all in base."""
    aged = ageing.age(found, on, base_currency=base, policy=policy)
    if not currency:
        return aged.base
    return next((each for each in aged.currencies if each.currency == currency), ageing.together((), currency, policy))


async def whole(database: Database, scope: Scope, on: dt.date, policy: Policy, base: str) -> ageing.Aged:
    """The ageing of all that is wanted: each currency, and in base."""
    rows = await database.fetch(
        f"""
        {_scoped(scope.when)}
        select kind = '{RECEIPT}' as is_cash, {_day(policy)} as day, currency, then_minor < 0,
            sum(then_minor)::bigint as minor, sum(then_base)::bigint as base, sum(disputed_minor)::bigint as disputed
        from wanted group by 1, 2, 3, 4
        """,
        *_values(scope),
    )
    return ageing.age(map(_summed, rows), on, base_currency=base, policy=policy)


async def names(database: Database, scope: Scope, by: str, wanted: Sequence[str] | None) -> dict[str, Named]:
    """How each row is called: an account by its name, a group by its root's, a portfolio by how many accounts it has."""
    rows = await database.fetch(
        f"""
        {_scoped(scope.when, by)}
        select key_of, count(distinct w.account) as accounts, min(w.portfolio) as portfolio, coalesce(min(r.name), '') as name,
            coalesce(min(w.group_home), '') as group_of, coalesce(min(g.name), '') as group_name
        from wanted w left join book r on r.account = w.key_of left join book g on g.account = w.group_home
        where $9::text[] is null or key_of = any($9) group by 1
        """,
        *_values(scope),
        list(wanted) if wanted is not None else None,
    )
    return {
        row["key_of"]: Named(row["name"], row["portfolio"], row["accounts"], row["group_of"], row["group_name"]) for row in rows
    }


class Facets(NamedTuple):
    """What there is to filter by."""

    portfolios: list[str]
    currencies: list[str]


async def facets(database: Database, seen: Iterable[str]) -> Facets:
    mine = "($1::text[] = '{}' or portfolio = any($1))"
    portfolios = await database.fetch(f"select distinct portfolio from book where {mine} order by 1", list(seen))
    codes = await database.fetch(
        "select distinct i.currency from ledger_items i join book b using (account) where i.open_minor <> 0 "
        "and ($1::text[] = '{}' or b.portfolio = any($1)) order by 1",
        list(seen),
    )
    return Facets([row["portfolio"] for row in portfolios], [row["currency"] for row in codes])


# --- unallocated ------------------------------------------------------------------------------------------------------


class Unallocated(NamedTuple):
    """Money or a credit that nothing is set against: aged by its own day, with who chases it."""

    item: str
    account: str
    name: str
    portfolio: str
    kind: str
    on: dt.date
    minor: int
    base_minor: int
    currency: str
    state: str
    owner: str
    why: str
    payer: str


async def unallocated(
    database: Database, scope: Scope, kind: str = "", after: tuple[dt.date, str] | None = None, limit: int = 200
) -> list[Unallocated]:
    """Oldest first; who chases it, and why it waits, as that is now."""
    rows = await database.fetch(
        f"""
        {_scoped(scope.when)}
        select w.item, w.account, coalesce(w.name, ''), w.portfolio, w.kind, w.document_on, w.then_minor, w.then_base, w.currency,
            coalesce(r.state, ''), coalesce(r.owner, ''), coalesce(r.why, ''), coalesce(r.payer, '')
        from wanted w left join receipts r on w.kind = '{RECEIPT}' and r.receipt = w.item
        where w.then_minor < 0 and ($9 = '' or w.kind = $9) and ($10::date is null or (w.document_on, w.key) > ($10, $11))
        order by w.document_on, w.key limit $12
        """,
        *_values(scope),
        kind,
        after[0] if after else None,
        after[1] if after else "",
        limit,
    )
    return [Unallocated(*row) for row in rows]


async def sales(database: Database, scope: Scope, on: dt.date) -> dict[tuple[int, int], int]:
    """Credit sales by (year, month) of the documents, in the currency of the scope or in base; of the month of `on` what was
    invoiced up to that day. Indexes: ledger_sales' own key, ledger_items_sold."""
    wanted = """
        ($2::text[] = '{}' or b.portfolio = any($2)) and ($3 = '' or b.portfolio = $3) and ($4 = '' or b.home = $4)
        and ($5 = '' or s.account = $5) and ($6 = '' or s.currency = $6)
    """
    rows = await database.fetch(
        f"""
        select month, sum(case when $6 = '' then base else minor end)::bigint as minor from (
            select s.month, s.base_minor as base, s.minor from ledger_sales s left join book b using (account)
            where s.month < date_trunc('month', $1::date)::date and {wanted}
            union all
            select date_trunc('month', $1::date)::date, s.base_minor, s.amount_minor
            from ledger_items s left join book b using (account)
            where s.document_on between date_trunc('month', $1::date)::date and $1 and s.kind in ({_SOLD}) and {wanted}
        ) as sold group by 1
        """,
        on,
        list(scope.seen),
        scope.portfolio,
        scope.group,
        scope.account,
        scope.currency,
    )
    return {(row["month"].year, row["month"].month): row["minor"] for row in rows}


async def difference(database: Database) -> int:
    """By how much the items and the sum of their lines differ, in base: nothing, always (P1, P14)."""
    found: int = await database.fetchval(
        """
        select coalesce(abs((select sum(open_base_minor) from ledger_items) - (select sum(base_minor) from ledger_lines)), 0)
            ::bigint
        """
    )
    return found
