"""The ledger's read tables, and the timers by which what has landed is recognised and what was received is matched.

Both look in sets: one step takes what waits in its partition, brings what is needed for all of it in a few queries, and becomes
one command for each. Every query has its index in schema.sql.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import asyncpg

from contracts.message import Message
from contracts.payments import DropEntry, RetryCash
from services.payments import paid_out, recognising, settling, statements, sweeping, twins
from services.payments.state import (
    Account,
    Advice,
    Alias,
    Asked,
    Card,
    Item,
    Known,
    Landed,
    Line,
    Match,
    Outgoing,
    PaymentFile,
    Payout,
    Period,
    Posted,
    Receipt,
    State,
    Statement,
    home_of_bank,
)
from shared.rows import Table
from shared.service import Fire, Moment, Step, Timer

ACCOUNTS = Table("account", Account, "account", ("words_of_name", "home"), kept=100_000)
ITEMS = Table(
    "item", Item, "item", ("account", "home", "kind", "ref_key", "reference", "amount_minor", "open_minor", "due_on", "open_home")
)
RECEIPTS = Table("receipt", Receipt, "receipt", ("account", "pending_home", "waiting_home", "received_on"))
MATCHES = Table("match", Match, "match", kept=2_000)
STATEMENTS = Table("statement", Statement, "key", ("bank_account", "closed_on"), kept=2_000)
LANDED = Table("landed", Landed, "key", ("new_at",))
KNOWN = Table("bank_known", Known, "key", ("provisional_at", "booked_on"), kept=2_000)
ADVICES = Table("advice", Advice, "advice", ("open_account",), kept=2_000)
PAYOUTS = Table("payout", Payout, "request", ("run",), kept=2_000)
OUTGOING = Table("outgoing", Outgoing, "request", ("queued_at",), kept=2_000)
PAYMENT_FILES = Table("payment_file", PaymentFile, "key", kept=500)
ALIASES = Table("alias", Alias, "alias", ("account", "kind", "value"), kept=2_000)
CARDS = Table("card", Card, "card", ("asking_key",), kept=2_000)
REQUESTS = Table("erp_request", Asked, "request", kept=2_000)
POSTINGS = Table("erp_posting", Posted, "posting", kept=2_000)
PERIODS = Table("period", Period, "partition")
LEDGER = Table(
    "ledger",
    Line,
    "line",
    ("entry", "account", "ledger", "effective_on", "known_at", "amount_minor", "currency", "base_minor", "item"),
    kept=0,
)

TABLES: Mapping[str, Table] = {
    "accounts": ACCOUNTS,
    "items": ITEMS,
    "receipt": RECEIPTS,
    "match": MATCHES,
    "matches": MATCHES,
    "statement": STATEMENTS,
    "landed": LANDED,
    "known": KNOWN,
    "advice": ADVICES,
    "payout": PAYOUTS,
    "alias": ALIASES,
    "card": CARDS,
    "period": PERIODS,
    "ledger": LEDGER,
    "outgoing": OUTGOING,
    "payment_file": PAYMENT_FILES,
    "request": REQUESTS,
    "requests": REQUESTS,
    "postings": POSTINGS,
    "receipts": RECEIPTS,
}

RECOGNISE, MATCH, DROP, EXPLAIN = "recognise", "match", "drop", "explain"
"""Timers: entries to recognise and receipts to match, one each a partition; a statement that closes its day; an account's
receipts that something new may explain."""
BY_TIMER = b'"source":"/timer"'
"""What marks a parked message as one that a timer became."""
EXPLAINED_MAX = 50
"""Waiting receipts of one account that are tried again when an advice or a document comes: a desk keeps fewer."""


# --- timers ---------------------------------------------------------------------------------------------------------


def deadlines(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    """Work that is there now is done at the next turn."""
    if _stirred(before, after):
        yield Timer(RECOGNISE, "", moment.at)
    if _is_to_match(before, after):
        yield Timer(MATCH, "", moment.at)
    if _explains(before, after):
        for account in after.accounts:
            yield Timer(EXPLAIN, account, moment.at, moment.home)
    yield from sweeping.timers(before, after, moment)
    yield from paid_out.timers(before, after, moment)
    yield from statements.timers(before, after, moment)
    if (closing := _closing(before, after)) is not None:
        yield Timer(DROP, closing, moment.at, moment.home)


def _stirred(before: State, after: State) -> bool:
    """An entry is new, or one of them moved: it may have waited behind a parked message, and others with it."""
    return any(
        row is not None and ((was := before.landed.get(key)) is None or was.state != row.state)
        for key, row in after.landed.items()
    )


def _is_to_match(before: State, after: State) -> bool:
    """A receipt that came, or comes again: what the timer finds is pending, and every other change leaves it nothing to find."""
    receipt = after.receipt
    if receipt is None or receipt.pending_home is None:
        return False
    return before.receipt is None or before.receipt.version != receipt.version


def _explains(before: State, after: State) -> bool:
    """An advice that waits, or an item that is new, on an account with receipts that wait."""
    if after.receipt is not None or not any(row is not None and row.receipts for row in after.accounts.values()):
        return False
    advised = after.advice is not None and after.advice is not before.advice and not after.advice.receipt
    return advised or any(row is not None and before.items.get(name) is None for name, row in after.items.items())


def _closing(before: State, after: State) -> str | None:
    """The bank account of a final statement that is whole now."""
    statement = after.statement
    if statement is None or statement is before.statement or statement.is_provisional or len(statement.parts) < statement.of:
        return None
    return statement.bank_account


async def fire_recognise(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Entries that are new. Of a parked stream only the first: its command waits there, and its replay brings the others.

    Index: landed_new.
    """
    rows = await connection.fetch(
        """
        select body from landed where partition = $1 and new_at is not null
            and not exists (select from parked_home where parked_home.home = 'bank/' || new_at)
        order by key limit $2
        """,
        partition,
        limit,
    )
    behind = await connection.fetch(
        """
        select distinct on (new_at) body from landed where partition = $1 and new_at is not null
            and exists (select from parked_home where parked_home.home = 'bank/' || new_at)
            and not exists (
                select from parked where parked.home = 'bank/' || new_at and position($2 in body) > 0)
        order by new_at, key
        """,
        partition,
        BY_TIMER,
    )
    landed = [LANDED.decode(row["body"]) for row in (*rows, *behind)]
    found = await recognising.recognise_all(connection, landed)
    commands: list[tuple[str, Message]] = [(home_of_bank(each.bank_account), each) for each in found]
    return Step(commands, "more" if len(rows) == limit else None)


async def fire_match(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Receipts that are pending. Of a parked group only the first, which asks to come again when the group is replayed.

    Index: receipt_pending.
    """
    rows = await connection.fetch(
        """
        select body from receipt where partition = $1 and pending_home is not null
            and not exists (select from parked_home where parked_home.home = pending_home)
        order by key limit $2
        """,
        partition,
        limit,
    )
    behind = await connection.fetch(
        """
        select distinct on (pending_home) pending_home, account, key from receipt
        where partition = $1 and pending_home is not null
            and exists (select from parked_home where parked_home.home = pending_home)
            and not exists (select from parked where parked.home = pending_home and type = 'RetryCash')
        order by pending_home, key
        """,
        partition,
    )
    receipts = [RECEIPTS.decode(row["body"]) for row in rows]
    found = await settling.settle_all(connection, receipts, now.date())
    found += [(row["pending_home"], RetryCash(account=row["account"], receipt=row["key"])) for row in behind]
    return Step(found, "more" if len(receipts) == limit else None)


async def fire_drop(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Intraday entries booked until the day of the newest statement, and not in any. Index: bank_known_provisional."""
    rows = await connection.fetch(
        """
        select body, closed.until_on from bank_known, (
            select max(closed_on) as until_on from statement where bank_account = $1 and closed_on is not null) as closed
        where provisional_at = $1 and key > $2 and booked_on <= closed.until_on order by key limit $3
        """,
        timer.key,
        timer.cursor,
        limit,
    )
    found: list[tuple[Known, dt.date]] = [(KNOWN.decode(row["body"]), row["until_on"]) for row in rows]
    reason = "the statement of its day does not have it"
    commands: list[tuple[str, Message]] = [
        (
            timer.home,
            DropEntry(bank_account=known.bank_account, entry=each.entry, content=f"{known.key}/{n}", reason=reason),
        )
        for known, until_on in found
        for n, each in twins.absent(known, until_on)
    ]
    return Step(commands, found[-1][0].key if len(found) == limit else None)


async def fire_explain(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Receipts of this account's group that wait, oldest first. Index: receipt_waiting."""
    rows = await connection.fetch(
        "select key, account from receipt where waiting_home = $1 order by received_on limit $2", timer.home, EXPLAINED_MAX
    )
    return Step([(timer.home, RetryCash(account=row["account"], receipt=row["key"])) for row in rows])


FIRES: Mapping[str, Fire] = {
    RECOGNISE: fire_recognise,
    MATCH: fire_match,
    DROP: fire_drop,
    EXPLAIN: fire_explain,
    sweeping.SWEEP: sweeping.fire,
    paid_out.PAY_OUT: paid_out.fire,
    statements.STATEMENT: statements.fire,
}
