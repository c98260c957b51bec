"""What was known at the end of a past day: debts, open items and orders, stops, requests and deals as pages showed them (V7).

Nothing is written for it but the end of each account's days (`past`) and the turns of stops: every fact is kept with its time
(`said`), and what is asked is folded from the facts until then by the rules that keep the tables of now. A day is one by UTC.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import asyncpg
from msgspec.structs import replace
from starlette.requests import Request

from contracts.envelope import TYPE_NAMES
from services.console import book, booking, deals, following, pages, past, queue, said
from services.console.book import OPEN_ORDERS_MAX, REQUESTS, SHOWN, STOP_TURNS, Found, Waiting
from services.console.booking import OPEN, Page, View
from services.console.deals import DEALS, Deal, Shown, Sum
from services.console.following import Account, Order
from services.console.keeping import Kept
from services.console.position import Debt
from services.console.queue import literal

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool

_MONEY = [TYPE_NAMES[each] for each in book.MONEY]
_ORDERS = [TYPE_NAMES[each] for each in following.FOLLOWED]
_DEALS = [TYPE_NAMES[each] for each in deals.HEARS]
_BOOKED = [TYPE_NAMES[each] for each in booking.BOOKED]
OPEN_DEALS_MAX = 1_000
"""Deals that were open at once: all of them are folded, because the figures above the list are their sums."""
_BOOK_KINDS = sorted({book.KINDS[each] for each in booking.BOOKED})
"""Where the timeline has the credit master's facts: few of an account, however much it trades."""


def asked(request: Request) -> dt.date | None:
    """The past day that is asked for; anything else is now, and the page says so (`pages.no_past_day`)."""
    day = pages.asked_day(request)
    return day if day is not None and day < pages.now(request).date() else None


def end_of(day: dt.date) -> dt.datetime:
    """The first moment that is not of this day any more."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), dt.UTC)


# --- what an account owed -------------------------------------------------------------------------------------------

_MOVED = """
    select fact->>'item' as item, (fact->>'due_on')::date as due_on, sequence,
        coalesce(fact->>'open_minor', fact->>'amount_minor', '0')::bigint as open_minor,
        coalesce(fact->>'disputed_minor', '0')::bigint as disputed_minor,
        coalesce(fact->>'soft_credits_minor', '0') <> '0' as is_soft
    from (
        select sequence, convert_from(data, 'utf8')::jsonb as fact from said
        where account = $1 and at < $2 and type = any($3::text[])
    ) as told
    where fact->>'payer' is null
"""
"""What each fact of money did, summed where it stands: an account may have more of them than a page should carry. The rule is
that of `book.moved_items` and `following.View.owe`. Index: said_of_account."""


async def debts(database: Database, account: str, day: dt.date) -> list[Debt]:
    """What was due on which day: (due on, open, disputed), oldest first."""
    rows = await database.fetch(
        f"""
        select due_on, sum(open_minor)::bigint, sum(disputed_minor)::bigint from ({_MOVED}) as moved
        where due_on is not null group by due_on having sum(open_minor) <> 0 or sum(disputed_minor) <> 0 order by due_on
        """,
        account,
        end_of(day),
        _MONEY,
    )
    return [tuple(row) for row in rows]


async def items(database: Database, account: str, day: dt.date) -> list[asyncpg.Record]:
    """Items that were open, oldest due first, as `book.items` lists those of now."""
    found: list[asyncpg.Record] = await database.fetch(
        f"""
        select item, (array_agg(due_on order by sequence) filter (where due_on is not null))[1] as due_on,
            sum(open_minor)::bigint as open_minor, sum(disputed_minor)::bigint as disputed_minor
        from ({_MOVED}) as moved where item is not null and not is_soft
        group by item having sum(open_minor) <> 0 or sum(disputed_minor) <> 0
        order by 2 nulls last, item limit $4
        """,
        account,
        end_of(day),
        _MONEY,
        OPEN_ORDERS_MAX,
    )
    return found


# --- its orders -----------------------------------------------------------------------------------------------------


async def open_orders(database: Database, then: Account, day: dt.date) -> list[Order]:
    """Orders that waited, were released or despatched and not billed; those that waited first, as `book.open_orders`.

    `then` is the account as the day ended. An order without a newer fact stands as it did; another is folded from its own.
    """
    found = [*await _untouched(database, then), *await _folded(database, then, day)]
    return sorted(found, key=lambda each: (each.waits, each.received_at or said.BEGIN_OF_TIME), reverse=True)[:OPEN_ORDERS_MAX]


async def _untouched(database: Database, then: Account) -> list[Order]:
    """Index: orders_open."""
    rows = await database.fetch(
        f"""
        select {queue.ORDERS.columns} from orders
        where account = $1 and sequence <= $2 and (waits or reserved_minor <> 0 or unbilled_minor <> 0)
        """,
        then.account,
        then.sequence,
    )
    return [queue.ORDERS.of(row) for row in rows]


async def _folded(database: Database, then: Account, day: dt.date) -> list[Order]:
    """Of orders with a newer fact, those that had been told of by then are the ones in flight as the day ended; of the others
    an index is asked once each. Indexes: orders_account, said_of_order."""
    rows = await database.fetch(
        f"""
        select {_columns("s")} from orders o join said s on s."order" = o."order"
        where o.account = $1 and o.sequence > $2 and s.account = $1 and s.at < $3 and s.type = any($4::text[])
        order by s.sequence
        """,
        then.account,
        then.sequence,
        end_of(day),
        _ORDERS,
    )
    found = stood(map(said.said_in, rows), then)
    return [order for order in found.values() if order.waits or order.reserved_minor or order.unbilled_minor]


def stood(facts: Iterable[said.Said], account: Account) -> dict[str, Order]:
    """The orders that these facts are about, as these facts leave them; facts of one account, in their writer's order."""
    view = following.View({account.account: replace(account, sequence=0)}, {})
    for fact in facts:
        if isinstance(fact.data, following.FOLLOWED):
            following.follow(view, fact.as_fact(account.home))
    return view.orders


# --- the book of accounts -------------------------------------------------------------------------------------------


async def booked(database: Database, names: Iterable[str], day: dt.date) -> View:
    """The pages and requests of these accounts; one that was not opened yet has none. Indexes: entries_of, said's own key."""
    rows = await database.fetch(
        f"""
        select {_columns("s")} from entries e join said s using (id)
        where e.account = any($1::text[]) and e.at < $2 and e.kind = any($3::text[]) and s.type = any($4::text[])
        order by s.account, s.sequence
        """,
        list(names),
        end_of(day),
        _BOOK_KINDS,
        _BOOKED,
    )
    view = View({}, {})
    for fact in map(said.said_in, rows):
        booking.book(view, fact.as_fact(fact.account))
    return view


async def stops(database: Database, seen: Iterable[str], day: dt.date) -> list[Found]:
    """Accounts on stop, and those that went on stop, as `book.stops` lists those of now. Index: stop_turns_of."""
    rows = await database.fetch(
        f"""
        select account from (
            select distinct on (account) account, listed from {STOP_TURNS} where at < $2 order by account, sequence desc
        ) as turned join book b using (account)
        where listed and ($1::text[] = '{{}}' or b.portfolio = any($1))
        """,
        list(seen),
        end_of(day),
    )
    names = [row["account"] for row in rows]
    stood = await past.of_accounts(database, names, day)
    found = [
        Found(page, stood.get(name) or Account(account=name)) for name, page in (await booked(database, names, day)).pages.items()
    ]
    never = dt.date.max
    return sorted(found, key=lambda each: (each.page.stops_on or never, each.page.progress_due_on or never, each.page.account))


async def requests(database: Database, seen: Iterable[str], day: dt.date) -> list[Waiting]:
    """Those that waited, as they came. Indexes: requests_open, requests_answered."""
    rows = await _requests(
        database, "r.at < $2 and (r.state = 'open' or r.answered_at >= $2) order by r.at", seen, day, SHOWN * 4
    )
    view = await booked(database, {row["account"] for row in rows}, day)
    return [_waited(row, view.pages[row["account"]]) for row in rows]


def _waited(row: asyncpg.Record, page: Page) -> Waiting:
    request = replace(REQUESTS.of(row), state=OPEN, answered_by="", answered_at=None, answer="")
    return Waiting(request, row["name"], booking.fits(request, page), page.terms)


async def answered(database: Database, seen: Iterable[str], day: dt.date) -> list[Waiting]:
    """Those that were answered by then, newest first. Index: requests_answered."""
    rows = await _requests(database, "r.state <> 'open' and r.answered_at < $2 order by r.answered_at desc", seen, day, SHOWN)
    return [Waiting(REQUESTS.of(row), row["name"], True) for row in rows]


async def _requests(database: Database, which: str, seen: Iterable[str], day: dt.date, most: int) -> list[asyncpg.Record]:
    found: list[asyncpg.Record] = await database.fetch(
        f"""
        select {_columns("r", REQUESTS)}, b.name from requests r join book b using (account)
        where ($1::text[] = '{{}}' or b.portfolio = any($1)) and {which} limit $3
        """,
        list(seen),
        end_of(day),
        most,
    )
    return found


# --- announced deals ------------------------------------------------------------------------------------------------


async def open_deals(database: Database, seen: Iterable[str], day: dt.date, text: str = "") -> list[Shown]:
    """Announcements that were open, in the order of `deals.open_ones`. Indexes: deals_open, deals_ended."""
    which = "d.at < $2 and (d.ended_at is null or d.ended_at >= $2) order by d.id"
    rows = await _deals(database, which, seen, day, text, OPEN_DEALS_MAX)
    stood = await _as_they_stood(database, rows, day)
    return sorted(stood, key=lambda each: (each.deal.state != deals.REGISTERED, each.deal.until_on, each.deal.id))


async def ended_deals(database: Database, seen: Iterable[str], day: dt.date, text: str = "") -> list[Shown]:
    """Those that were over by then, newest first: they stand as they did. Index: deals_ended."""
    rows = await _deals(database, "d.ended_at < $2 order by d.ended_at desc, d.id", seen, day, text, deals.SHOWN)
    return await deals.with_uses(database, rows)


async def deal(database: Database, seen: Iterable[str], name: str, day: dt.date) -> Shown | None:
    """One announcement; None where it was not announced yet, or is not for this person."""
    rows = await database.fetch(
        f"select {_columns('d', DEALS)}, {deals.NAMED} where {deals.VISIBLE} and d.at < $2 and d.id = $3",
        list(seen),
        end_of(day),
        name,
    )
    found = await _as_they_stood(database, rows, day)
    return found[0] if found else None


async def _deals(database: Database, which: str, seen: Iterable[str], day: dt.date, text: str, most: int) -> list[asyncpg.Record]:
    found: list[asyncpg.Record] = await database.fetch(
        f"select {_columns('d', DEALS)}, {deals.NAMED} where {deals.VISIBLE} and {deals.search('$3')} and {which} limit $4",
        list(seen),
        end_of(day),
        f"%{literal(text)}%",
        most,
    )
    return found


async def _as_they_stood(database: Database, rows: Sequence[asyncpg.Record], day: dt.date) -> list[Shown]:
    """Each announcement folded from its own facts: what is kept is how it came out. Index: said_of_account."""
    facts = await database.fetch(
        f"""
        select {_columns("s")} from unnest($1::text[], $2::timestamptz[]) as since (account, at)
            join said s on s.account = since.account and s.at >= since.at
        where s.at < $3 and s.type = any($4::text[]) order by s.source, s.sequence
        """,
        *_earliest(rows),
        end_of(day),
        _DEALS,
    )
    stood = dict(_folded_deals(map(said.said_in, facts)))
    shown = await deals.with_uses(database, rows)
    return [
        each._replace(deal=stood[each.deal.id], uses=tuple(use for use in each.uses if use[2] < end_of(day))) for each in shown
    ]


def _earliest(rows: Sequence[asyncpg.Record]) -> tuple[list[str], list[dt.datetime]]:
    """Each account once, with the time of its first announcement."""
    found: dict[str, dt.datetime] = {}
    for row in rows:
        found[row["account"]] = min(row["at"], found.get(row["account"], row["at"]))
    return list(found), list(found.values())


def _folded_deals(facts: Iterable[said.Said]) -> Iterator[tuple[str, Deal]]:
    known: dict[deals.Name, Deal] = {}
    for fact in facts:
        told = fact.as_fact(fact.account)
        if (after := deals.follow(known.get(deals.name_of(told)), told)) is not None:
            known[deals.name_of(told)] = after
            yield after.id, after


def sums_of(shown: Iterable[Shown], day: dt.date) -> list[Sum]:
    """By currency, the largest first, as `deals.sums` tells of now."""
    by: defaultdict[str, list[Deal]] = defaultdict(list)
    for each in shown:
        by[each.deal.currency].append(each.deal)
    return [
        _sum(currency, by[currency], day) for currency in sorted(by, key=lambda each: -sum(one.value_minor for one in by[each]))
    ]


def _sum(currency: str, open_ones: Sequence[Deal], day: dt.date) -> Sum:
    waiting = [each for each in open_ones if each.state == deals.REGISTERED]
    return Sum(
        currency=currency,
        waiting=len(waiting),
        waiting_minor=sum(each.value_minor for each in waiting),
        approved=len(open_ones) - len(waiting),
        reserved_minor=sum(each.reserved_minor for each in open_ones),
        ending=sum(each.until_on < day + dt.timedelta(days=7) for each in open_ones),
    )


def _columns(table: str, kept: Kept | None = None) -> str:
    names = kept.kinds if kept is not None else [name.strip('"') for name in said.COLUMNS]
    return ", ".join(f'{table}."{name}"' for name in names)
