"""The ledger as pages read it: every item with what is open of it, the lines behind it with both their times, disputes, sales.

Rows are kept by facts of payments and claims, each batch in a few statements. It posts nothing: that the items are the sum of
their lines is the ledger's own promise, and is looked at here (`standing.difference`).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts import claims
from contracts import payments as said
from contracts.envelope import Envelope, encode_value
from contracts.message import Message
from services.console.keeping import Kept
from services.console.telling import tell

RECEIVABLES = "receivables"
"""The account of the ledger's chart whose lines are items."""
INVOICE, DEBIT_NOTE, CREDIT_NOTE, RECEIPT = "invoice", "debit_note", "credit_note", "receipt"
SALES = (INVOICE, DEBIT_NOTE, CREDIT_NOTE)
"""Kinds that are credit sales, a credit note taking away: what collections are measured against (F3)."""
OF_ITEMS: tuple[type[Message], ...] = (said.ItemPosted, said.ItemSettled)
OF_CLAIMS: tuple[type[Message], ...] = (claims.ClaimOpened, claims.ClaimSettled)
HEARS: tuple[type[Message], ...] = (*OF_ITEMS, said.EntryPosted, *OF_CLAIMS)
WORD = "receivables"
"""What pages of all accounts listen to."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Debts positive, credits and receipts negative. `discounts` is canonical JSON; `settled_by` is what moved it last."""

    key: str
    account: str
    home: str
    item: str
    kind: str
    currency: str
    amount_minor: int
    open_minor: int
    base_minor: int
    open_base_minor: int
    document_on: dt.date
    due_on: dt.date
    order: str = ""
    po_number: str = ""
    reference: str = ""
    discounts: bytes = b"[]"
    settled_by: str = ""
    posted_at: dt.datetime
    sequence: int = 0


ITEMS = Kept("ledger_items", Item, "key")


def key_of(account: str, item: str) -> str:
    return f"{account}/{item}"


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring items, lines, sales and disputes up to these facts."""
    await _items(connection, [fact for fact in facts if isinstance(fact.data, OF_ITEMS)])
    await _lines(connection, [fact for fact in facts if isinstance(fact.data, said.EntryPosted)])
    await _disputes(connection, [fact for fact in facts if isinstance(fact.data, OF_CLAIMS)])
    await tell(connection, {WORD, *(f"account/{fact.data.account}" for fact in facts)})


# --- items ------------------------------------------------------------------------------------------------------------


async def _items(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    known = await ITEMS.load(connection, {key_of(fact.data.account, fact.data.item) for fact in facts})
    before, changed = set(known), dict[str, Item]()
    for fact in facts:
        if (after := follow(known.get(key_of(fact.data.account, fact.data.item)), fact)) is not None:
            known[after.key] = changed[after.key] = after
    await ITEMS.save(connection, list(changed.values()))
    await _add_sales(connection, [item for item in changed.values() if item.key not in before])


def follow(item: Item | None, fact: Envelope) -> Item | None:
    """The item after this fact; None when nothing of it changed. Pure."""
    data = fact.data
    if isinstance(data, said.ItemPosted):
        return posted(data, fact) if item is None else None
    if item is None or int(fact.sequence) <= item.sequence:
        return None
    base = data.base_minor if data.base_minor is not None else data.settled_minor
    return replace(
        item,
        open_minor=data.open_minor,
        open_base_minor=item.open_base_minor - base,
        settled_by=data.by or "",
        sequence=int(fact.sequence),
    )


def posted(data: said.ItemPosted, fact: Envelope) -> Item:
    base = data.base_minor if data.base_minor is not None else data.amount_minor
    return Item(
        key=key_of(data.account, data.item),
        account=data.account,
        home=fact.partitionkey,
        item=data.item,
        kind=data.kind,
        currency=data.currency,
        amount_minor=data.amount_minor,
        open_minor=data.amount_minor,
        base_minor=base,
        open_base_minor=base,
        document_on=data.document_on,
        due_on=data.due_on,
        order=data.order or "",
        po_number=data.po_number,
        reference=data.reference,
        discounts=encode_value(data.discounts),
        posted_at=fact.time,
        sequence=int(fact.sequence),
    )


async def _add_sales(connection: asyncpg.Connection, items: Iterable[Item]) -> None:
    """Each item counts once: when its row is made, in the same transaction."""
    sums: defaultdict[tuple[str, dt.date, str], list[int]] = defaultdict(lambda: [0, 0])
    for item in items:
        if item.kind in SALES:
            found = sums[item.account, item.document_on.replace(day=1), item.currency]
            found[0] += item.amount_minor
            found[1] += item.base_minor
    if not sums:
        return
    rows = [(*key, *amounts) for key, amounts in sorted(sums.items())]
    await connection.execute(
        """
        insert into ledger_sales as s (account, month, currency, minor, base_minor)
        select * from unnest($1::text[], $2::date[], $3::text[], $4::bigint[], $5::bigint[])
        on conflict (account, month, currency) do update set minor = s.minor + excluded.minor,
            base_minor = s.base_minor + excluded.base_minor
        """,
        *map(list, zip(*rows, strict=True)),
    )


# --- lines ------------------------------------------------------------------------------------------------------------


async def _lines(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    rows = [row for fact in facts for row in rows_of(fact)]
    if rows:
        await connection.execute(
            """
            insert into ledger_lines (account, entry, n, item, kind, currency, amount_minor, base_minor, effective_on, known_at,
                sequence, fact, reverses, text)
            select * from unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                $8::bigint[], $9::date[], $10::timestamptz[], $11::bigint[], $12::text[], $13::text[], $14::text[])
            on conflict (account, entry, n) do nothing
            """,
            *map(list, zip(*rows, strict=True)),
        )


def rows_of(fact: Envelope) -> list[tuple[Any, ...]]:
    """The lines of an entry that move items: those on receivables."""
    data = fact.data
    return [
        (
            data.account, data.entry, n, line.item, data.kind, line.currency, line.amount_minor, line.base_minor,
            data.effective_on, fact.time, int(fact.sequence), fact.id, data.reverses or "", data.text,
        )
        for n, line in enumerate(data.lines, start=1)
        if line.ledger == RECEIVABLES and line.item is not None
    ]  # fmt: skip


# --- disputes ---------------------------------------------------------------------------------------------------------


async def _disputes(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """A claim that ends does not name its item: it is the one that it was opened for."""
    if not facts:
        return
    items = await _claimed(connection, facts)
    rows = [
        (fact.id, fact.data.account, fact.data.claim, item, _moved(fact.data), fact.time)
        for fact in facts
        if (item := items.get((fact.data.account, fact.data.claim), ""))
    ]
    if rows:
        await connection.execute(
            """
            insert into ledger_disputes (fact, account, claim, item, minor, at)
            select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
            on conflict (fact) do nothing
            """,
            *map(list, zip(*rows, strict=True)),
        )


async def _claimed(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> dict[tuple[str, str], str]:
    """(account, claim) → its item; a claim without an invoice is no part of an item. Index: ledger_disputes_claim."""
    found = await connection.fetch(
        "select distinct account, claim, item from ledger_disputes where (account, claim) in "
        "(select * from unnest($1::text[], $2::text[]))",
        [fact.data.account for fact in facts],
        [fact.data.claim for fact in facts],
    )
    known = {(row["account"], row["claim"]): row["item"] for row in found}
    opened = (fact.data for fact in facts if isinstance(fact.data, claims.ClaimOpened))
    return known | {(data.account, data.claim): data.item for data in opened if data.item}


def _moved(data: claims.ClaimOpened | claims.ClaimSettled) -> int:
    return data.disputed_minor if isinstance(data, claims.ClaimOpened) else -data.released_minor
