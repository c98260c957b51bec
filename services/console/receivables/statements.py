"""A customer's statement of account as a file: the open items of a day, or all that moved since another one (P13)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import asyncpg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import guarding, mishaps, pages
from services.console.book import Found
from services.console.papers import statement
from services.console.papers.statement import Balance, Customer, Line, Moved, NotAgreed, Statement
from services.console.receivables import account, files, standing
from services.console.receivables.asked import Day, day_of
from services.console.receivables.house import house
from services.console.receivables.standing import Open, When
from shared.receivables.ageing import Aged

ITEMS_MAX = 20_000
"""Open items on one statement; a paper has its own bound besides."""


async def download(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    form = request.path_params["form"]
    if form not in files.FORMS:
        raise HTTPException(404)
    found, day, since = await account.account_of(request), day_of(request), pages.asked_day(request, "since")
    if refused := files.no_day(request, no_since(request, since, day.on)):
        return refused
    try:
        paper = statement.paper_of(await statement_of(request, found, day, since))
    except NotAgreed as error:
        why = f"{error}."
        return mishaps.told(request, 409, "This statement does not add up", why, "It must not go out; tell who runs the ledger.")
    return await files.answer(request, paper, form, f"statement-{found.page.account}-{day.on.isoformat()}")


def no_since(request: Request, since: dt.date | None, on: dt.date) -> str:
    """Why movements cannot be listed since this day, in words."""
    if why := pages.no_past_day(request, "since"):
        return why
    return f"{since} lies behind {on}, the day of the statement." if since is not None and since > on else ""


async def statement_of(request: Request, found: Found, day: Day, since: dt.date | None) -> Statement:
    pool, page = request.app.state.pool, found.page
    when = day.when if day.past else When(day.on)
    items = await standing.items(pool, [page.account], when, ITEMS_MAX)
    aged = account.age(items, day.on)
    codes = sorted({each.item.currency for each in items} | set(await standing.currencies(pool, page.account) if since else ()))
    balances = [await _balance(pool, page.account, code, items, aged, when, since) for code in codes or [page.currency]]
    return Statement(
        ours=house().ours,
        customer=Customer(account=page.account, name=page.name or page.account),
        on=day.on,
        balances=tuple(balances),
        made_at=pages.now(request),
        since=since,
        reference=page.account,
    )


async def _balance(
    pool: asyncpg.Pool, name: str, code: str, items: Sequence[Open], aged: Aged, when: When, since: dt.date | None
) -> Balance:
    own = [each for each in items if each.item.currency == code]
    ledger = account.in_currency(aged, code)
    if since is None:
        return Balance(ledger=ledger, lines=tuple(map(_line, own)))
    opening, moved = await standing.moved(pool, name, code, since, when)
    return Balance(ledger=ledger, lines=tuple(map(_line, own)), opening_minor=opening, moved=tuple(map(_moved, moved)))


def _line(each: Open) -> Line:
    item = each.item
    return Line(
        item=item.item,
        kind=item.kind,
        document_on=item.document_on,
        due_on=item.due_on,
        original_minor=item.amount_minor,
        open_minor=each.open_minor,
        disputed_minor=each.disputed_minor,
        reference=item.po_number or item.reference,
    )


def _moved(row: asyncpg.Record) -> Moved:
    return Moved(
        on=row["effective_on"], kind=row["kind"], item=row["item"], minor=row["amount_minor"], reference=row["reference"]
    )


ROUTES = [Route("/statement/{form}/{account:path}", download)]
