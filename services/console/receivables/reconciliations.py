"""Our open items against the customer's own list: the result on screen and as a file, kept with who and when; and which
accounts' last lists differ, from the day on which they did (P13).

The console's own records: no fact, nothing rebuilds them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import asyncpg
import msgspec
from msgspec.structs import asdict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.envelope import derived_id
from services.console import book, guarding, pages
from services.console.book import Found
from services.console.papers import reconciling
from services.console.papers.paper import Paper
from services.console.papers.reconciling import Ours, Reconciled
from services.console.papers.their_list import Columns, Fault, TheirList
from services.console.receivables import files, standing
from services.console.receivables.house import house

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool
USUAL = Columns(reference="Reference", amount="Amount")
"""The headings that an empty form offers; those of the account's last list are offered from then on."""
NAME_MAX = 64
ITEMS_MAX = 20_000
LATEST = 5


class Kept(NamedTuple):
    id: str
    account: str
    on: dt.date
    at: dt.datetime
    by: str
    list_name: str
    found: Reconciled
    faults: tuple[Fault, ...]


async def keep(request: Request, found: Found, theirs: TheirList, columns: Columns, list_name: str) -> str:
    """Their list held against what is open today, and kept under the name that is answered."""
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    items = await standing.items(pool, [found.page.account], limit=ITEMS_MAX)
    ours = [
        Ours(
            item=each.item.item,
            currency=each.item.currency,
            minor=each.open_minor,
            on=each.item.document_on,
            reference=each.item.po_number or each.item.reference,
        )
        for each in items
    ]
    result = reconciling.reconcile(ours, theirs.lines, tolerance_minor=house().reconciling_tolerance_minor)
    name = derived_id("reconciliation", found.page.account, now.isoformat(), who.name)
    await pool.execute(
        """
        insert into reconciliations (id, account, "on", at, by, list_name, columns, found, faults, differing)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (id) do nothing
        """,
        name, found.page.account, now.date(), now, who.name, list_name, msgspec.json.encode(columns), msgspec.json.encode(result),
        msgspec.json.encode(theirs.faults), differing(result, theirs.faults),
    )  # fmt: skip
    return name


def differing(found: Reconciled, faults: Sequence[Fault]) -> int:
    """Lines that do not agree; a row that nobody could read agrees with nothing."""
    return len(found.different) + len(found.ours_only) + len(found.theirs_only) + len(faults)


# --- what is open -----------------------------------------------------------------------------------------------------


class Differs(NamedTuple):
    """An account whose last list differs from ours; `since`: the first of its lists that did, with none between that agreed."""

    account: str
    name: str
    id: str
    at: dt.datetime
    by: str
    list_name: str
    differing: int
    since: dt.datetime

    def age(self, today: dt.date) -> int:
        return max((today - self.since.date()).days, 0)


OPEN_MAX = 200
"""Accounts on one page: more is no list that somebody works."""
_OPEN = """
    with last as (
        select distinct on (account) account, id, at, by, list_name, differing from reconciliations order by account, at desc
    ), differ as (
        select last.*, (
            select min(r.at) from reconciliations r where r.account = last.account and r.at > coalesce(
                (select max(agreed.at) from reconciliations agreed where agreed.account = last.account and agreed.differing = 0),
                '-infinity')
        ) as since
        from last where differing > 0
    )
"""


async def open_ones(database: Database, seen: Iterable[str]) -> list[Differs]:
    """Oldest first. Index: reconciliations_of."""
    rows = await database.fetch(
        f"""
        {_OPEN} select account, coalesce(b.name, '') as name, id, at, by, list_name, differing, since
        from differ join book b using (account) where $1::text[] = '{{}}' or b.portfolio = any($1)
        order by since, account limit $2
        """,
        list(seen),
        OPEN_MAX,
    )
    return [Differs(*row) for row in rows]


async def how_many(database: Database) -> tuple[int, dt.datetime | None]:
    """Accounts whose last list differs, and since when the oldest of them does."""
    row = await database.fetchrow(f"{_OPEN} select count(*) as differing, min(since) as since from differ")
    return row["differing"], row["since"]


async def all_open(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    rows = await open_ones(request.app.state.pool, guarding.person(request).portfolios)
    return pages.render(request, "reconciliations.html", rows=rows, today=pages.now(request).date(), most=OPEN_MAX)


# --- what was kept ----------------------------------------------------------------------------------------------------


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    kept, found = await _one(request)
    paper = paper_of(kept, found, pages.now(request))
    summary, *classes = paper.tables
    return pages.render(
        request, "reconciliation.html", kept=kept, page=found.page, summary=summary, classes=classes, most=ROWS_SHOWN
    )


ROWS_SHOWN = 200
"""Rows of a class on the page; the file has all."""


async def download(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    form = request.path_params["form"]
    if form not in files.FORMS:
        raise HTTPException(404)
    kept, found = await _one(request)
    return await files.answer(
        request, paper_of(kept, found, kept.at), form, f"reconciliation-{kept.account}-{kept.on.isoformat()}"
    )


def paper_of(kept: Kept, found: Found, made_at: dt.datetime) -> Paper:
    asked = reconciling.Asked(
        company=house().name, account=kept.account, name=found.page.name, on=kept.on, made_at=made_at, list_name=kept.list_name
    )
    return reconciling.paper_of(kept.found, asked)


async def _one(request: Request) -> tuple[Kept, Found]:
    pool, who, name = request.app.state.pool, guarding.person(request), request.path_params["id"][:NAME_MAX]
    row = await pool.fetchrow(
        'select id, account, "on", at, by, list_name, found, faults from reconciliations where id = $1', name
    )
    found = await book.account(pool, who.portfolios, row["account"]) if row else None
    if row is None or found is None:
        raise guarding.Absent("reconciliation", "", who)
    return _kept(row), found


def _kept(row: asyncpg.Record) -> Kept:
    result = msgspec.json.decode(row["found"], type=Reconciled)
    faults = msgspec.json.decode(row["faults"], type=tuple[Fault, ...])
    return Kept(row["id"], row["account"], row["on"], row["at"], row["by"], row["list_name"], result, faults)


async def latest(database: Database, account: str) -> list[asyncpg.Record]:
    """Index: reconciliations_of."""
    found: list[asyncpg.Record] = await database.fetch(
        'select id, "on", at, by, list_name from reconciliations where account = $1 order by at desc limit $2', account, LATEST
    )
    return found


async def columns_of(database: Database, account: str) -> Mapping[str, str | bool]:
    """The mapping of the account's last list, else the usual one."""
    raw = await database.fetchval("select columns from reconciliations where account = $1 order by at desc limit 1", account)
    return asdict(msgspec.json.decode(raw, type=Columns) if raw else USUAL)


ROUTES = [
    Route("/reconciliations", all_open),
    Route("/reconciliations/{id}", page),
    Route("/reconciliations/{id}/{form}", download),
]
