"""The ERP's ledger beside ours: what it was asked and has not answered, and our open items against its own list (P1, G3).

A difference list is the console's own record, kept with its day, the digest of the list and who held it: no fact, nothing follows
from one but work on items. It is for who sees all portfolios, because an ERP's list knows none.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from contracts.envelope import derived_id
from services.console import guarding, pages
from services.console.papers import differing, open_list
from services.console.papers.differing import Difference, Ours, Overdue
from services.console.papers.paper import Paper
from services.console.papers.their_list import Fault, NoList
from services.console.receivables import elsewhere, files, standing
from services.console.receivables.elsewhere import Asked
from services.console.receivables.house import house

NAME_MAX, WORD_MAX = 64, 60
ITEMS_MAX = 100_000
"""Items of one legal entity that are held against a list; `their_list.ROWS_MAX` bounds the list itself."""
LATEST = 20
ROWS_SHOWN = 200
"""Rows of a table on the page; the file has all."""


class Kept(NamedTuple):
    id: str
    legal_entity: str
    on: dt.date
    at: dt.datetime
    by: str
    list_name: str
    digest: str
    found: Difference
    faults: tuple[Fault, ...]


# --- what is asked, and which lists there are -----------------------------------------------------------------------------


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    return await _page(request)


async def _page(request: Request, refused: str = "") -> Response:
    pool, who = request.app.state.pool, guarding.person(request)
    return pages.render(
        request,
        "erp.html",
        status=422 if refused else 200,
        waiting=await elsewhere.waiting(pool, who.portfolios),
        today=pages.now(request).date(),
        lists=await _latest(pool) if not who.portfolios else (),
        entities=await elsewhere.entities(pool),
        may=who.role in guarding.DESK and not who.portfolios,
        refused=refused,
        most=ROWS_SHOWN,
    )


async def requests_file(request: Request) -> Response:
    """All that is open, for whoever posts it in the ERP."""
    guarding.require(request, *guarding.DESK)
    form = _form(request)
    waiting = await elsewhere.waiting(request.app.state.pool, guarding.person(request).portfolios)
    lines = [line for asked in waiting for line in _postings(asked)]
    now = pages.now(request)
    return await files.answer(request, differing.requests_paper(lines, house().name, now), form, f"requests-{now.date()}")


def _postings(asked: Asked) -> list[differing.Posted]:
    """What is to be reversed has no lines of its own."""
    about: dict[str, Any] = {
        "request": asked.request,
        "kind": asked.kind,
        "company_code": asked.company_code,
        "reason": asked.reason,
    }
    whole: dict[str, Any] = {"ledger": "", "item": "", "minor": 0, "currency": house().base_currency, "reverses": asked.document}
    found = [
        differing.Posted(
            **about, account=entry.account, on=entry.effective_on, ledger=line.ledger, item=line.item or "",
            minor=line.amount_minor, currency=line.currency, reverses="",
        )
        for entry in elsewhere.entries_of(asked)
        for line in entry.lines
    ]  # fmt: skip
    return found or [differing.Posted(**about, account=asked.account, on=asked.on, **whole)]


# --- a list is held against ours --------------------------------------------------------------------------------------------


async def upload(request: Request) -> Response:
    """Read the list, hold it against what was open on its day, keep the result, and show it."""
    guarding.require(request, *guarding.DESK)
    who = guarding.person(request)
    if who.portfolios:
        raise guarding.Absent("list", "", who)
    async with request.form() as form:  # closes what was uploaded, whatever comes of it
        try:
            kept = await _held(request, form)
        except NoList as error:
            return await _page(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
    return RedirectResponse(f"/receivables/erp/{kept}", 303)


async def _held(request: Request, form: FormData) -> str:
    pool, who, now = request.app.state.pool, guarding.person(request), pages.now(request)
    sent, entity = form.get("list"), str(form.get("entity", "")).strip()[:NAME_MAX]
    if not isinstance(sent, UploadFile) or not sent.filename:
        raise NoList("no list was chosen; choose the ERP's CSV or XLSX")
    data, on = await sent.read(), _day(str(form.get("on", "")), now.date())
    theirs = await asyncio.to_thread(open_list.read, data)
    accounts = await elsewhere.accounts_of(pool, entity)
    if not accounts:
        raise NoList(f"no account is of the legal entity {entity!r}; choose one whose book an ERP keeps")
    waiting = [asked for asked in await elsewhere.waiting(pool, ()) if asked.legal_entity == entity]
    ours = await _ours(pool, accounts, on, now.date(), waiting)
    result = await asyncio.to_thread(differing.compare, ours, theirs.items, _overdue(waiting, now.date()))
    digest = hashlib.sha256(data).hexdigest()
    name = derived_id("differences", entity, digest, now.isoformat(), who.name)
    await pool.execute(
        """
        insert into erp_differences (id, legal_entity, "on", at, by, list_name, digest, found, faults)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing
        """,
        name, entity, on, now, who.name, sent.filename[:WORD_MAX], digest, msgspec.json.encode(result),
        msgspec.json.encode(theirs.faults),
    )  # fmt: skip
    return name


def _day(text: str, today: dt.date) -> dt.date:
    try:
        return min(dt.date.fromisoformat(text), today) if text else today
    except ValueError as error:
        raise NoList(f"{text[:40]!r} is no day; write it as 2026-01-31") from error


async def _ours(pool: asyncpg.Pool, accounts: Sequence[str], on: dt.date, today: dt.date, waiting: Sequence[Asked]) -> list[Ours]:
    when = standing.NOW if on >= today else standing.When(on=on)
    touched: dict[tuple[str, str], tuple[str, ...]] = {}
    for asked in waiting:
        for line in elsewhere.lines_of(asked):
            key = (line.account, line.item)
            touched[key] = (*touched.get(key, ()), asked.request)
    found = await standing.items(pool, accounts, when, limit=ITEMS_MAX + 1)
    if len(found) > ITEMS_MAX:
        raise NoList(f"more than {ITEMS_MAX:,} items are open here; no list is held against so many")
    return [
        Ours(
            account=each.item.account, item=each.item.item, kind=each.item.kind, currency=each.item.currency,
            minor=each.open_minor, due_on=each.item.due_on, requests=touched.get((each.item.account, each.item.item), ()),
        )
        for each in found
        if each.open_minor
    ]  # fmt: skip


def _overdue(waiting: Sequence[Asked], today: dt.date) -> list[Overdue]:
    return [
        Overdue(
            request=asked.request, account=asked.account, kind=asked.kind, answer_by=asked.answer_by,
            days=(today - asked.answer_by).days,
        )
        for asked in waiting
        if asked.answer_by < today
    ]  # fmt: skip


# --- what was kept ----------------------------------------------------------------------------------------------------


async def kept_page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    kept = await _one(request)
    summary, differs, late = paper_of(kept).tables
    return pages.render(request, "erp_differences.html", kept=kept, summary=summary, differs=differs, late=late, most=ROWS_SHOWN)


async def kept_file(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    form = _form(request)
    kept = await _one(request)
    return await files.answer(request, paper_of(kept), form, f"differences-{kept.legal_entity}-{kept.on.isoformat()}")


def _form(request: Request) -> str:
    form: str = request.path_params["form"]
    if form not in files.FORMS:
        raise HTTPException(404)
    return form


def paper_of(kept: Kept) -> Paper:
    asked = differing.Asked(
        company=house().name, legal_entity=kept.legal_entity, on=kept.on, made_at=kept.at, list_name=kept.list_name,
        digest=kept.digest, by=kept.by,
    )  # fmt: skip
    return differing.paper_of(kept.found, asked)


_COLUMNS = 'id, legal_entity, "on", at, by, list_name, digest, found, faults'


async def _one(request: Request) -> Kept:
    who, name = guarding.person(request), request.path_params["id"][:NAME_MAX]
    row = await request.app.state.pool.fetchrow(f"select {_COLUMNS} from erp_differences where id = $1", name)
    if row is None or who.portfolios:
        raise guarding.Absent("list", "", who)
    found = msgspec.json.decode(row["found"], type=Difference)
    told = {name: row[name] for name in ("id", "legal_entity", "on", "at", "by", "list_name", "digest")}
    return Kept(**told, found=found, faults=msgspec.json.decode(row["faults"], type=tuple[Fault, ...]))


async def _latest(pool: asyncpg.Pool) -> list[asyncpg.Record]:
    found: list[asyncpg.Record] = await pool.fetch(
        'select id, legal_entity, "on", at, by, list_name from erp_differences order by at desc limit $1', LATEST
    )
    return found


ROUTES = [
    Route("/receivables/erp", page),
    Route("/receivables/erp", upload, methods=["POST"]),
    Route("/receivables/erp/requests/{form}", requests_file),
    Route("/receivables/erp/{id}", kept_page),
    Route("/receivables/erp/{id}/{form}", kept_file),
]
