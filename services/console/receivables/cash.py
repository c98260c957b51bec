"""The cash desk's tables: every receipt and every bank entry as it stands, which facts each receipt has; and what pages ask.

Rows are kept by the facts of the ledger (`following`), each batch in a few statements. What waits for a person has an index of
its own, oldest first, so that the desk costs the same however much was matched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from contracts import payments
from contracts.envelope import Envelope
from contracts.message import Message
from services.console import said
from services.console.keeping import Kept
from services.console.queue import literal
from services.console.receivables.following import (
    OF_ENTRIES,
    OF_RECEIPTS,
    PENDING,
    REFERRED,
    UNRECOGNISED,
    Entry,
    Receipt,
    follow_entry,
    follow_receipt,
    landed_in,
    names_of,
    receipts_named,
)
from services.console.said import Said
from services.console.telling import tell

RECEIPTS = Kept("receipts", Receipt, "receipt")
ENTRIES = Kept("bank_entries", Entry, "key")
TOLD_OF_RECEIPTS: tuple[type[Message], ...] = (*OF_RECEIPTS, payments.ShortPaid)
"""What stands on a receipt's own page."""
HEARS: tuple[type[Message], ...] = (*TOLD_OF_RECEIPTS, *OF_ENTRIES)
WORD = "cash"
"""What pages listen to when the desk shows something else."""
WINDOW = 100
"""Rows of the desk shown at once; the next window is one key away."""
MATCHES_MAX = 200
"""Facts of one receipt on its page: a receipt that was worked on more often is no receipt any more."""
Database: TypeAlias = asyncpg.Connection | asyncpg.Pool


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring receipts and bank entries up to these facts, and tell what of them pages show."""
    words = set(await _receipts(connection, [fact for fact in facts if isinstance(fact.data, TOLD_OF_RECEIPTS)]))
    words |= set(await _entries(connection, [fact for fact in facts if isinstance(fact.data, OF_ENTRIES)]))
    await tell(connection, words)


async def _receipts(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> Iterator[str]:
    known = await RECEIPTS.load(connection, {name for fact in facts for name in receipts_named(fact)})
    changed: dict[str, Receipt] = {}
    for fact, name in _each(facts):
        if type(fact.data) in OF_RECEIPTS and (after := follow_receipt(known.get(name), fact)) is not None:
            known[after.receipt] = changed[after.receipt] = after
    await RECEIPTS.save(connection, list(changed.values()))
    await _note(connection, [(fact, name) for fact, name in _each(facts) if name in known])
    return _words_of(changed.values())


def _each(facts: Sequence[Envelope]) -> Iterator[tuple[Envelope, str]]:
    return ((fact, name) for fact in facts for name in receipts_named(fact))


def _words_of(changed: Iterable[Receipt]) -> Iterator[str]:
    for receipt in changed:
        yield WORD
        yield f"receipt/{receipt.receipt}"
        yield f"account/{receipt.account}"


async def _note(connection: asyncpg.Connection, facts: Sequence[tuple[Envelope, str]]) -> None:
    """Which facts a receipt has; what they say is kept with every fact (`said`). Of several receipts that one document of the ERP
    clears, its first has it."""
    if facts:
        await connection.execute(
            "insert into receipt_facts (id, receipt, sequence) "
            "select * from unnest($1::text[], $2::text[], $3::bigint[]) on conflict (id) do nothing",
            [fact.id for fact, _ in facts],
            [name for _, name in facts],
            [int(fact.sequence) for fact, _ in facts],
        )


async def _entries(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> Iterator[str]:
    known = await ENTRIES.load(connection, {name for fact in facts for name in names_of(fact)})
    changed: dict[str, Entry] = {}
    for fact in facts:
        for entry in _after(known, fact):
            known[entry.key] = changed[entry.key] = entry
    await ENTRIES.save(connection, list(changed.values()))
    return iter({WORD, *(f"entry/{key}" for key in changed)} if changed else ())


def _after(known: Mapping[str, Entry], fact: Envelope) -> Iterator[Entry]:
    """The entries that a fact brings or moves. One that is known already is never brought again."""
    brought = landed_in(fact) if isinstance(fact.data, payments.StatementTaken) else []
    new = [entry for entry in brought if entry.key not in known]
    yield from new
    for name in set(names_of(fact)) - {entry.key for entry in brought}:
        if (entry := follow_entry(known.get(name), fact)) is not None:
            yield entry


# --- what the desk asks ---------------------------------------------------------------------------------------------

RECEIPT, SUSPENSE = "receipt", "suspense"
AGES: tuple[tuple[str, int, int], ...] = (
    ("today", 0, 0), ("1–7 days", 1, 7), ("8–30 days", 8, 30), ("31–60 days", 31, 60), (">60 days", 61, 100_000),
)  # fmt: skip
"""How old what waits is, by the day that the bank gave it; unallocated deposits are to be below 60 days (K10)."""
NOBODY = "nobody"


class Filter(NamedTuple):
    """What of the desk is wanted; empty means all. `age` is the name of one of AGES, `minor` an amount that was searched for."""

    seen: tuple[str, ...] = ()
    kind: str = ""
    owner: str = ""
    portfolio: str = ""
    currency: str = ""
    age: str = ""
    text: str = ""
    minor: int | None = None


class Place(NamedTuple):
    """Where a window begins: behind this one."""

    on: dt.date
    name: str


BEFORE_ALL = Place(dt.date(1, 1, 1), "")


class Waits(NamedTuple):
    """A row of the desk. `account` is empty for an entry in suspense; `offers` counts its proposals or candidates; `best` is the
    score of the first proposal."""

    kind: str
    name: str
    on: dt.date
    account: str
    account_name: str
    portfolio: str
    payer: str
    minor: int
    currency: str
    why: str
    offers: int
    best: int | None
    owner: str
    is_provisional: bool
    version: int
    since: dt.datetime


_ROWS = f"""
    select '{RECEIPT}' as kind, r.receipt as name, r.received_on as on, r.account, coalesce(b.name, '') as account_name,
        coalesce(b.portfolio, '') as portfolio, r.payer, r.unallocated_minor as minor, r.currency, r.why,
        jsonb_array_length(convert_from(r.proposals, 'utf8')::jsonb) as offers,
        (convert_from(r.proposals, 'utf8')::jsonb -> 0 ->> 'score')::int as best, r.owner, r.is_provisional, r.version, r.since,
        r.reference || ' ' || r.end_to_end || ' ' || translate(r.text, E'\\n', ' ') as words
    from receipts r left join book b using (account)
    where r.state = '{REFERRED}' and ($1::text[] = '{{}}' or b.portfolio = any($1))
    union all
    select '{SUSPENSE}', e.key, e.booked_on, '', '', '', e.payer, e.amount_minor, e.currency, e.why, cardinality(e.may_be), null,
        e.owner, e.is_provisional, 0, e.since, e.reference || ' ' || e.end_to_end || ' ' || translate(e.text, E'\\n', ' ')
    from bank_entries e
    where e.state = '{UNRECOGNISED}' and ($1::text[] = '{{}}' or exists (
        select from book b where b.account = any(e.may_be) and b.portfolio = any($1)))
"""
"""All that waits for a person and is this person's to see. An entry in suspense is seen by whoever sees one of the accounts that
it may be of, and by who sees all. Indexes: receipts_waiting, bank_entries_waiting."""
_WANTED = f"""
    ($2 = '' or kind = $2) and ($3 = '' or owner = case when $3 = '{NOBODY}' then '' else $3 end)
    and ($4 = '' or portfolio = $4) and ($5 = '' or currency = $5)
    and (waiting."on" between $6 and $7)
    and ($8 = '' or name ilike $8 or account ilike $8 or account_name ilike $8 or payer ilike $8 or words ilike $8
        or abs(minor) = $9)
"""


def _values(wanted: Filter, today: dt.date) -> tuple[Any, ...]:
    text = f"%{literal(wanted.text)}%" if wanted.text else ""
    newest, oldest = _days(wanted.age, today)
    return (list(wanted.seen), wanted.kind, wanted.owner, wanted.portfolio, wanted.currency, oldest, newest, text, wanted.minor)


def _days(age: str, today: dt.date) -> tuple[dt.date, dt.date]:
    """Newest and oldest day of an age; what the bank dates ahead is of today."""
    for name, least, most in AGES:
        if name == age:
            newest = today - dt.timedelta(days=least) if least else dt.date(9999, 1, 1)
            return newest, today - dt.timedelta(days=min(most, today.toordinal() - 1))
    return dt.date(9999, 1, 1), dt.date(1, 1, 1)


_COLUMNS = ", ".join(f'"{name}"' for name in Waits._fields)


async def window(
    database: Database, wanted: Filter, today: dt.date, after: Place = BEFORE_ALL, rows: int = WINDOW
) -> list[Waits]:
    """The next of what waits behind a place, oldest first."""
    found = await database.fetch(
        f"""
        select {_COLUMNS} from ({_ROWS}) as waiting where {_WANTED} and (waiting."on", name) > ($10::date, $11)
        order by waiting."on", name limit $12
        """,
        *_values(wanted, today),
        *after,
        rows,
    )
    return [Waits(*row) for row in found]


class Total(NamedTuple):
    """What waits of one kind, age and currency."""

    kind: str
    age: str
    currency: str
    waiting: int
    minor: int
    mine: int


async def totals(database: Database, wanted: Filter, today: dt.date, me: str) -> list[Total]:
    """By kind, age and currency; whatever the filter says of ages."""
    values = _values(wanted._replace(age=""), today)
    case = " ".join(f"when $10::date - waiting.\"on\" <= {most} then '{name}'" for name, _, most in AGES)
    found = await database.fetch(
        f"""
        select kind, case {case} end as age, currency, count(*), sum(minor)::bigint, count(*) filter (where owner = $11)
        from ({_ROWS}) as waiting where {_WANTED} group by 1, 2, 3 order by 1, 3
        """,
        *values,
        today,
        me,
    )
    return [Total(*row) for row in found]


async def one(database: Database, seen: Iterable[str], receipt: str) -> Receipt | None:
    """A receipt, waiting or not, if this person sees it."""
    row = await database.fetchrow(
        f"""
        select {", ".join(f'r."{name}"' for name in RECEIPTS.kinds)} from receipts r left join book b using (account)
        where r.receipt = $2 and ($1::text[] = '{{}}' or b.portfolio = any($1))
        """,
        list(seen),
        receipt,
    )
    return RECEIPTS.of(row) if row else None


async def entry(database: Database, seen: Iterable[str], key: str) -> Entry | None:
    """A bank entry, waiting or not, if this person sees it."""
    row = await database.fetchrow(
        f"""
        select {ENTRIES.columns} from bank_entries e where key = $2 and ($1::text[] = '{{}}' or exists (
            select from book b where (b.account = any(e.may_be) or b.account = e.account) and b.portfolio = any($1)))
        """,
        list(seen),
        key,
    )
    return ENTRIES.of(row) if row else None


async def moving(database: Database, seen: Iterable[str]) -> int:
    """Receipts that the service is matching just now. Index: receipts_pending."""
    count: int = await database.fetchval(
        f"select count(*) from receipts r left join book b using (account) where r.state = '{PENDING}' "
        "and ($1::text[] = '{}' or b.portfolio = any($1))",
        list(seen),
    )
    return count


async def told_of(database: Database, receipt: str) -> list[Said]:
    """All that was said about a receipt, newest first. Index: receipt_facts_of."""
    rows = await database.fetch(
        f"""
        select {", ".join(f"s.{column}" for column in said.COLUMNS)} from receipt_facts f join said s using (id)
        where f.receipt = $1 order by f.sequence desc limit $2
        """,
        receipt,
        MATCHES_MAX,
    )
    return [said.said_in(row) for row in rows]


async def owners(database: Database, seen: Iterable[str]) -> list[tuple[str, int]]:
    """Who owns how much of what waits."""
    found = await database.fetch(f"select owner, count(*) from ({_ROWS}) as waiting group by 1 order by 2 desc, 1", list(seen))
    return [(row["owner"], row["count"]) for row in found]


class Change(NamedTuple):
    version: int
    by: str
    at: dt.datetime | None
    state: str


async def change_of(database: Database, receipt: str) -> Change | None:
    """How far a receipt was worked on, and by whom last."""
    row = await database.fetchrow("select version, changed_by, changed_at, state from receipts where receipt = $1", receipt)
    return Change(*row) if row else None
