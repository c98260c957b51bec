"""The book of accounts: every account of the credit master with its stop, what waits for an approval, its open items, and a
timeline that only grows (A3, A6, A7, V2).

Rows are kept by facts in a few statements a batch (`booking` says how each moves); pages ask them.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import asyncpg

from contracts import accounts, orders, payments
from contracts.envelope import Envelope
from contracts.message import Message
from services.console.booking import BOOKED, Page, Request, Turn, View, book
from services.console.following import Account
from services.console.keeping import Kept
from services.console.queue import literal
from services.console.said import COLUMNS, END_OF_TIME, Said, said_in
from services.console.telling import tell

PAGES = Kept("book", Page, "account")
REQUESTS = Kept("requests", Request, "request")
STOP_TURNS = "stop_turns"
"""Which accounts were on the list of stops on a past day; all else of a past day follows from what was said (`as_of`)."""

NOTE, STATUS, TERMS, REQUEST, DECISION, CASH = "note", "status", "terms", "request", "decision", "cash"
KINDS: dict[type[Message], str] = {
    accounts.AccountOpened: STATUS,
    accounts.AccountRenamed: TERMS,
    accounts.TermsChanged: TERMS,
    accounts.LimitChanged: TERMS,
    accounts.CoverChanged: TERMS,
    accounts.ChangeScheduled: TERMS,
    accounts.StatusChanged: STATUS,
    accounts.PlacedOnStop: STATUS,
    accounts.TakenOffStop: STATUS,
    accounts.AccountTerminated: STATUS,
    accounts.StopScheduled: STATUS,
    accounts.StopCalledOff: STATUS,
    accounts.StopAssigned: STATUS,
    accounts.StopActionAdded: STATUS,
    accounts.StopActionClosed: STATUS,
    accounts.StopProgressNoted: STATUS,
    accounts.StopProgressMissed: STATUS,
    accounts.AccountNoted: NOTE,
    accounts.ApprovalRequested: REQUEST,
    accounts.RequestApproved: REQUEST,
    accounts.RequestDeclined: REQUEST,
    accounts.RequestWithdrawn: REQUEST,
    orders.OrderReleased: DECISION,
    orders.OrderRejected: DECISION,
    orders.OrderReferred: DECISION,
    orders.OrderSplit: DECISION,
    orders.OrderAsked: DECISION,
    orders.OrderNoted: NOTE,
    orders.OrderRecalled: DECISION,
    orders.OrderEscalated: DECISION,
    orders.OrderBreached: DECISION,
    orders.DealRegistered: DECISION,
    orders.DealApproved: DECISION,
    orders.DealDeclined: DECISION,
    orders.DealWithdrawn: DECISION,
    orders.DealMatched: DECISION,
    orders.DealExpired: DECISION,
    payments.CashReceived: CASH,
    payments.CashAllocated: CASH,
    payments.CashUnallocated: CASH,
    payments.CashKeptOnAccount: CASH,
    payments.CashGivenBack: CASH,
    payments.CashWithdrawn: CASH,
    payments.ShortPaid: CASH,
    payments.ItemsOffset: CASH,
    payments.PayoutProposed: CASH,
    payments.PayoutDeclined: CASH,
    payments.RefundOrdered: CASH,
    payments.WrittenOff: CASH,
    payments.WriteOffReversed: CASH,
    payments.BankDetailsNoted: CASH,
    payments.BankDetailsConfirmed: CASH,
}
"""What is an entry of the timeline, and of which kind. What the policy decides about orders is not: it stands with each order."""
MONEY: tuple[type[Message], ...] = (orders.PositionMoved, orders.OrderBilled)
HEARS: tuple[type[Message], ...] = (*KINDS, *(each for each in (*BOOKED, *MONEY) if each not in KINDS))
BY_POLICY = "policy"


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring the book, the requests, the open items and the timeline up to these facts."""
    booked = [fact for fact in facts if isinstance(fact.data, BOOKED)]
    if booked:
        await _book(connection, booked)
    await _add_items(connection, [fact for fact in facts if isinstance(fact.data, MONEY)])
    entries = [fact for fact in facts if is_entry(fact)]
    await _add_entries(connection, entries)
    await tell(connection, _words(entries))


def is_entry(fact: Envelope) -> bool:
    if type(fact.data) not in KINDS:
        return False
    return getattr(fact.data, "by", None) != BY_POLICY or not isinstance(fact.data, orders.OrderReleased | orders.OrderReferred)


def _words(entries: Iterable[Envelope]) -> Iterator[str]:
    """An account's own page is told of each entry; the lists of their kinds only. Money is told by the desk's projection."""
    for fact in entries:
        yield f"account/{fact.data.account}"
        kind = KINDS[type(fact.data)]
        if kind == REQUEST:
            yield "approvals"
        if kind == STATUS:
            yield "stops"


async def _book(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    names = {fact.data.account for fact in facts}
    view = View(await PAGES.load(connection, names), await _open_requests(connection, names))
    for fact in facts:
        book(view, fact)
    await PAGES.save(connection, [view.pages[name] for name in view.turned])
    await REQUESTS.save(connection, [view.requests[name] for name in view.answered])
    await _add_turns(connection, view.turns)


async def _add_turns(connection: asyncpg.Connection, turns: Sequence[Turn]) -> None:
    if turns:
        await connection.execute(
            f"insert into {STOP_TURNS} (fact, account, at, sequence, listed) "
            "select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::bigint[], $5::boolean[]) "
            "on conflict (fact) do nothing",
            *map(list, zip(*turns, strict=True)),
        )


async def _open_requests(connection: asyncpg.Connection, names: Iterable[str]) -> dict[str, Request]:
    """Bounded: an account has few. Index: requests_open."""
    rows = await connection.fetch(
        f"select {REQUESTS.columns} from requests where account = any($1::text[]) and state = 'open'", list(names)
    )
    return {row["request"]: REQUESTS.of(row) for row in rows}


class Moved(NamedTuple):
    """What a batch does to an open item."""

    due_on: dt.date | None
    at: dt.datetime
    open_minor: int
    disputed_minor: int


async def _add_items(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    moved = moved_items(facts)
    if not moved:
        return
    await connection.execute(
        """
        insert into items (account, item, due_on, since, open_minor, disputed_minor)
        select * from unnest($1::text[], $2::text[], $3::date[], $4::timestamptz[], $5::bigint[], $6::bigint[])
        on conflict (account, item) do update set open_minor = items.open_minor + excluded.open_minor,
            disputed_minor = items.disputed_minor + excluded.disputed_minor, due_on = coalesce(items.due_on, excluded.due_on)
        """,
        [account for account, _ in moved],
        [item for _, item in moved],
        *(list(column) for column in zip(*moved.values(), strict=True)),
    )
    await connection.execute(
        """
        delete from items using unnest($1::text[], $2::text[]) as moved (account, item)
        where items.account = moved.account and items.item = moved.item and open_minor = 0 and disputed_minor = 0
        """,
        [account for account, _ in moved],
        [item for _, item in moved],
    )


def moved_items(facts: Iterable[Envelope]) -> dict[tuple[str, str], Moved]:
    """(account, item) → by how much; an invoice that a payer took over is counted at the payer's."""
    found: dict[tuple[str, str], Moved] = {}
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for fact in facts:
        data = fact.data
        match data:
            case orders.OrderBilled(payer=None):
                change = data.amount_minor, 0
            case orders.PositionMoved() if data.item is not None and not data.soft_credits_minor:
                change = data.open_minor, data.disputed_minor
            case _:
                continue
        name = data.account, data.item
        total = sums[name]
        total[0] += change[0]
        total[1] += change[1]
        first = found.get(name)
        found[name] = Moved((first and first.due_on) or data.due_on, first.at if first else fact.time, *total)
    return found


async def _add_entries(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Where each entry stands; what it says is kept with every fact (`said`)."""
    if facts:
        await connection.execute(
            "insert into entries (id, account, at, kind) "
            "select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) on conflict (id) do nothing",
            [fact.id for fact in facts],
            [fact.data.account for fact in facts],
            [fact.time for fact in facts],
            [KINDS[type(fact.data)] for fact in facts],
        )


# --- what pages ask -------------------------------------------------------------------------------------------------

SHOWN = 50
"""Rows of a list before the next window."""
OPEN_ORDERS_MAX = 100


class Found(NamedTuple):
    """An account of the book beside what it could cost, now or then."""

    page: Page
    position: asyncpg.Record | Account


_PARTS = """a.open_minor, a.unbilled_minor, a.reserved_minor, a.deals_minor, a.soft_credits_minor, a.disputed_minor,
    a.insured_minor, a.insured_until, a.waiting, a.waiting_minor, a.review_due_on, a.dunning_level"""
_WITH_POSITION = f"""
    select {", ".join(f'b."{name}"' for name in PAGES.kinds)}, {_PARTS}
    from book b left join accounts a using (account)
"""
_VISIBLE = "($1::text[] = '{}' or b.portfolio = any($1))"


async def account(connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str], name: str) -> Found | None:
    """One account, if this person sees it."""
    row = await connection.fetchrow(f"{_WITH_POSITION} where b.account = $2 and {_VISIBLE}", list(seen), name)
    return Found(PAGES.of(row), row) if row else None


def missing(seen: Iterable[str], name: str) -> str:
    """What somebody reads who named an account that `account` does not find for them: who sees some portfolios learns no more."""
    what = f"No account {name!r} is one of yours" if list(seen) else f"There is no account {name!r}"
    return f"{what}; look for it by number or name."


async def search(
    connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str], text: str, status: str = "", after: str = ""
) -> list[Found]:
    """Accounts by number or a part of their name, in order of number, behind the one named."""
    like = f"%{literal(text)}%"
    rows = await connection.fetch(
        f"""
        {_WITH_POSITION} where {_VISIBLE} and ($2 = '%%' or b.account ilike $2 or b.name ilike $2)
            and ($3 = '' or b.status = $3) and b.account > $4
        order by b.account limit $5
        """,
        list(seen),
        like,
        status,
        after,
        SHOWN,
    )
    return [Found(PAGES.of(row), row) for row in rows]


async def stops(connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str]) -> list[Found]:
    """Accounts on stop, the latest note first, and those that go on stop, the nearest day first. Index: book_stopped."""
    rows = await connection.fetch(
        f"""
        {_WITH_POSITION} where {_VISIBLE} and (b.status = 'on_stop' or b.stops_on is not null)
        order by b.stops_on nulls last, b.progress_due_on nulls last, b.account
        """,
        list(seen),
    )
    return [Found(PAGES.of(row), row) for row in rows]


class Entry(NamedTuple):
    kind: str
    said: Said


async def timeline(
    connection: asyncpg.Connection | asyncpg.Pool, name: str, kind: str = "", before: tuple[dt.datetime, str] = (END_OF_TIME, "")
) -> list[Entry]:
    """Entries of one account, newest first, behind the place named (time and id). Index: entries_of.

    Within one moment, which on event time may be a long one, a writer's numbers tell what it said last. Those of two writers
    do not compare: the credit master's come first, since what is done on the page of an account is said by it.
    """
    rows = await connection.fetch(
        f"""
        select e.kind, {", ".join(f"s.{column}" for column in COLUMNS)} from entries e join said s using (id)
        where e.account = $1 and ($2 = '' or e.kind = $2) and e.at <= $3::timestamptz
            and (e.at < $3 or (s.source, -s.sequence) > (select source, -sequence from said where id = $4))
        order by e.at desc, s.source, s.sequence desc limit $5
        """,
        name,
        kind,
        *before,
        SHOWN,
    )
    return [Entry(row["kind"], said_in(row)) for row in rows]


class Written(NamedTuple):
    """How far a timeline has come: its newest moment, and how many entries that has."""

    at: dt.datetime
    entries: int


async def written(connection: asyncpg.Connection | asyncpg.Pool, name: str) -> Written:
    row = await connection.fetchrow(
        """
        select at, count(*) from entries
        where account = $1 and at = (select at from entries where account = $1 order by at desc limit 1) group by at
        """,
        name,
    )
    return Written(*row) if row else Written(dt.datetime(1, 1, 2, tzinfo=dt.UTC), 0)


async def grew(connection: asyncpg.Connection | asyncpg.Pool, name: str, before: Written) -> bool:
    count: int = await connection.fetchval("select count(*) from entries where account = $1 and at >= $2", name, before.at)
    return count > before.entries


async def open_orders(connection: asyncpg.Connection | asyncpg.Pool, name: str) -> list[asyncpg.Record]:
    """Orders that wait, are released or despatched and not billed; those that wait first. Index: orders_open."""
    found: list[asyncpg.Record] = await connection.fetch(
        """
        select "order", reference, status, recalled, currency, received_at, due_at, total_minor, waiting_minor, reserved_minor,
            unbilled_minor, level, checks
        from orders where account = $1 and (waits or reserved_minor <> 0 or unbilled_minor <> 0)
        order by waits desc, received_at desc limit $2
        """,
        name,
        OPEN_ORDERS_MAX,
    )
    return found


async def items(connection: asyncpg.Connection | asyncpg.Pool, name: str) -> list[asyncpg.Record]:
    """Open items, oldest due first; credits and receipts have no due day and come last. Index: items' own key."""
    found: list[asyncpg.Record] = await connection.fetch(
        """
        select item, due_on, since, open_minor, disputed_minor from items where account = $1
        order by due_on nulls last, item limit $2
        """,
        name,
        OPEN_ORDERS_MAX,
    )
    return found


class Waiting(NamedTuple):
    """A request beside its account; `fits` says whether that still is what the request was weighed against. `terms` are the
    account's, as JSON."""

    request: Request
    name: str
    fits: bool
    terms: bytes = b"{}"


async def requests(
    connection: asyncpg.Connection | asyncpg.Pool, seen: Iterable[str], state: str = "open", name: str = ""
) -> list[Waiting]:
    """Requests that are open, as they came, or (`state` empty) answered, newest first; of one account or of all."""
    rows = await connection.fetch(
        f"""
        select {", ".join(f'r."{each}"' for each in REQUESTS.kinds)}, b.name, b.terms as terms_now,
            case r.kind when 'limit' then (b.limit_minor, b.limit_expires_on) is not distinct from (r.was_minor, r.was_expires_on)
            else b.terms = r.was_terms end as fits
        from requests r join book b using (account)
        where {_VISIBLE} and (r.state = $2 or ($2 = '' and r.state <> 'open')) and ($3 = '' or r.account = $3)
        order by case when $2 = 'open' then r.at end, r.answered_at desc nulls last limit $4
        """,
        list(seen),
        state,
        name,
        SHOWN * 4,
    )
    return [Waiting(REQUESTS.of(row), row["name"], row["fits"], row["terms_now"]) for row in rows]
