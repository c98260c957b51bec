"""One account's ledger: ageing, exposure, open items, lines with the running balance, as of any day, known then or now (P12, V7).

Nothing is changed here; what is taken along is a paper (`statements`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import account as accounts
from services.console import as_of, book, guarding, notices, pages
from services.console.book import Found
from services.console.receivables import balance, late_payment, reconciliations, standing, stated
from services.console.receivables.asked import Day, day_of
from services.console.receivables.house import house
from services.console.receivables.standing import Open
from shared.receivables import ageing
from shared.receivables.ageing import Aged, Ledger, shares_bp

NAME_MAX = 64


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    return await show(request, await account_of(request))


async def show(request: Request, found: Found, refused: str = "", typed: Mapping[str, Any] | None = None) -> Response:
    """`refused`: why a list of theirs was not read; `typed`: the headings that were said of it."""
    day, pool, name = day_of(request), request.app.state.pool, found.page.account
    items = await standing.items(pool, [name], day.when)
    aged = age(items, day.on)
    currencies = await standing.currencies(pool, name)
    code = chosen(request, currencies, found.page.currency)
    lines = await standing.lines(pool, name, code, day.when, _before(request))
    return pages.render(
        request,
        "ledger.html",
        found=found,
        page=found.page,
        day=day,
        as_of=day.past,
        today=pages.now(request).date(),
        on=day.on,
        items=items,
        by_law=await late_payment.of_items(pool, name, items, day),
        law=late_payment.law(),
        aged=aged,
        shares={ledger.currency: shares_bp(ledger) for ledger in aged.currencies},
        tones=balance.tones(aged.policy.bounds),
        currencies=currencies,
        code=code,
        base=house().base_currency,
        lines=lines,
        shown=standing.LINES_SHOWN,
        most=standing.ITEMS_MAX,
        differences=await _differences(request, name, day),
        picture=await _picture(request, found, day),
        issued=await stated.of(pool, name, as_of.end_of(day.past) if day.past else None),
        lists=await reconciliations.latest(pool, name),
        columns=typed or await reconciliations.columns_of(pool, name),
        may=guarding.person(request).role in guarding.DESK,
        done=notices.taken(request),
        refused=refused,
        status=422 if refused else 200,
    )


async def account_of(request: Request) -> Found:
    """The account of the path. Raises 404 for one that this person does not see."""
    who, name = guarding.person(request), request.path_params["account"]
    found = await book.account(request.app.state.pool, who.portfolios, name)
    if found is None:
        raise guarding.Absent("account", name[:NAME_MAX], who)
    return found


def age(items: Sequence[Open], on: dt.date) -> Aged:
    return ageing.age([each.aged() for each in items], on, base_currency=house().base_currency, policy=house().policy)


def in_currency(aged: Aged, currency: str) -> Ledger:
    """The ageing in this currency, an empty one where nothing of it is open."""
    found = [ledger for ledger in aged.currencies if ledger.currency == currency]
    return found[0] if found else ageing.together((), currency, aged.policy)


def chosen(request: Request, currencies: Sequence[str], own: str) -> str:
    """The currency whose lines are shown: the one asked for, else the account's own, else the first it ever moved in."""
    asked = request.query_params.get("currency", "")
    if asked in currencies:
        return asked
    return own if own in currencies or not currencies else currencies[0]


def _before(request: Request) -> int | None:
    text = request.query_params.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None


async def _differences(request: Request, name: str, day: Day) -> Sequence[Any]:
    """What is known of a past day now and was not then; of now there is no other knowledge."""
    if day.past is None:
        return ()
    return await standing.differences(request.app.state.pool, name, day.past, as_of.end_of(day.past))


async def _picture(request: Request, found: Found, day: Day) -> dict[str, Any]:
    """What the account and its group could cost, now or then (F1)."""
    pool, page, now = request.app.state.pool, found.page, pages.now(request)
    at = now if day.past is None else as_of.end_of(day.past) - dt.timedelta(microseconds=1)
    members = await accounts.members_of(pool, page.home, day.past)
    return await accounts.figures_of(request, page.account, members, at)


ROUTES = [Route("/ledger/{account:path}", page)]
