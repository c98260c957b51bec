"""What is asked of the ERPs that keep the book of some legal entities, a row per request with how it stands (P1).

Rows are kept by the ledger's facts; pages ask them, and the file that goes to the ERP is made of them. It asks nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TypeAlias

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts import payments as said
from contracts.envelope import Envelope, encode_value
from contracts.message import Message
from contracts.payments import AskedEntry, AskedLine
from services.console.keeping import Kept
from services.console.telling import tell

HEARS: tuple[type[Message], ...] = (said.PostingRequested, said.RequestClosed)
OPEN = "open"
REQUESTS_MAX = 20_000
"""Open requests of one page or file: an ERP that is so far behind is told by other means."""
Database: TypeAlias = asyncpg.Connection | asyncpg.Pool


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`lines` and `entries` are canonical JSON; `document` is the ERP's document to be reversed."""

    request: str
    account: str
    kind: str
    legal_entity: str
    company_code: str
    on: dt.date
    answer_by: dt.date
    document: str
    reason: str
    by: str
    at: dt.datetime
    lines: bytes
    entries: bytes
    state: str = OPEN
    posting: str = ""
    sequence: int = 0


REQUESTS = Kept("erp_requests", Asked, "request")


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    known = await REQUESTS.load(connection, {fact.data.request for fact in facts})
    changed: dict[str, Asked] = {}
    for fact in facts:
        if (after := follow(known.get(fact.data.request), fact)) is not None:
            known[after.request] = changed[after.request] = after
    await REQUESTS.save(connection, list(changed.values()))
    await tell(connection, {"receivables"} if changed else set())


def follow(asked: Asked | None, fact: Envelope) -> Asked | None:
    """The request after this fact; None when nothing of it changed. Pure."""
    data = fact.data
    if isinstance(data, said.PostingRequested):
        return _new(data, fact) if asked is None else None
    if asked is None or int(fact.sequence) <= asked.sequence:
        return None
    return replace(asked, state=data.outcome, posting=data.posting or "", sequence=int(fact.sequence))


def _new(data: said.PostingRequested, fact: Envelope) -> Asked:
    return Asked(
        request=data.request,
        account=data.account,
        kind=data.kind,
        legal_entity=data.legal_entity,
        company_code=data.company_code,
        on=data.on,
        answer_by=data.answer_by,
        document=data.document or "",
        reason=data.reason,
        by=data.by,
        at=fact.time,
        lines=encode_value(data.lines),
        entries=encode_value(data.entries),
        sequence=int(fact.sequence),
    )


async def waiting(database: Database, seen: Sequence[str]) -> list[Asked]:
    """Requests that the ERP has not answered, the oldest to be answered first. Index: erp_requests_open."""
    names = ", ".join(f'r."{name}"' for name in REQUESTS.kinds)
    rows = await database.fetch(
        f"""
        select {names} from erp_requests r left join book b using (account)
        where r.state = '{OPEN}' and ($1::text[] = '{{}}' or b.portfolio = any($1))
        order by r.answer_by, r.request limit $2
        """,
        list(seen),
        REQUESTS_MAX,
    )
    return [REQUESTS.of(row) for row in rows]


def lines_of(asked: Asked) -> list[AskedLine]:
    return msgspec.json.decode(asked.lines, type=list[AskedLine])


def entries_of(asked: Asked) -> list[AskedEntry]:
    return msgspec.json.decode(asked.entries, type=list[AskedEntry])


async def accounts_of(database: Database, legal_entity: str) -> list[str]:
    """Accounts whose terms name this legal entity."""
    rows = await database.fetch(
        "select account from book where convert_from(terms, 'utf8')::jsonb ->> 'legal_entity' = $1 order by 1", legal_entity
    )
    return [row["account"] for row in rows]


async def entities(database: Database) -> list[str]:
    """Legal entities that accounts are of, besides the house's own."""
    rows = await database.fetch(
        "select distinct convert_from(terms, 'utf8')::jsonb ->> 'legal_entity' as name from book order by 1 nulls last"
    )
    return [row["name"] for row in rows if row["name"]]
