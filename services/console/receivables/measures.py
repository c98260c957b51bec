"""The DSO family of a portfolio, a group or one account, every figure with its working (F3, V4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import book, guarding, pages
from services.console.receivables import standing
from services.console.receivables.asked import Asked, asked
from services.console.receivables.house import house
from services.console.receivables.standing import Scope, When
from shared.receivables import ageing, dso
from shared.receivables.dso import Figure, Month

YearMonth = tuple[int, int]
ACCOUNT_MAX = 64


class Measured(NamedTuple):
    """The figures of a day, and what they are made of: receivables, what of them is not due, the sales of the months."""

    figures: tuple[Figure, ...]
    ar_minor: int
    current_minor: int
    opening_minor: int
    opening_on: dt.date
    months: tuple[Month, ...]
    sales_minor: int


async def page(request: Request) -> Response:
    """Of all that is seen, or of one account by its number; sales are kept by account, so no other text narrows both sides."""
    who = guarding.require(request, *guarding.LOOKING)
    wanted, pool = asked(request), request.app.state.pool
    account = request.query_params.get("account", "").replace("\0", "").strip()[:ACCOUNT_MAX]
    wanted = wanted._replace(scope=wanted.scope._replace(account=account, text=""))
    is_here = not account or await book.account(pool, who.portfolios, account) is not None
    return pages.render(
        request,
        "dso.html",
        wanted=wanted,
        as_of=wanted.day.past,
        today=pages.now(request).date(),
        base=house().base_currency,
        code=wanted.scope.currency or house().base_currency,
        measured=await measure(request, wanted) if is_here else None,
        account=account,
        missing="" if is_here else book.missing(who.portfolios, account),
        facets=await standing.facets(pool, who.portfolios),
    )


async def measure(request: Request, wanted: Asked) -> Measured:
    """From the ageing of the day, the balance at the beginning of the period, and the sales of its months."""
    pool, scope, on = request.app.state.pool, wanted.scope, wanted.day.on
    now = await _ledger(pool, scope, on)
    sales = known_months(await standing.sales(pool, scope, on), on)
    months = dso.months_until(on, sales, house().count_back_months)
    first = months[: house().dso_months]
    opening_on = _before(first, on)
    opening = await _ledger(pool, scope._replace(when=When(opening_on, scope.when.known_by)), opening_on)
    return measured_of(now, opening, opening_on, months, scope.currency or house().base_currency)


async def _ledger(pool: Any, scope: Scope, on: dt.date) -> ageing.Ledger:
    whole = await standing.whole(pool, scope, on, house().policy, house().base_currency)
    if not scope.currency:
        return whole.base
    found = [each for each in whole.currencies if each.currency == scope.currency]
    return found[0] if found else ageing.together((), scope.currency, whole.policy)


def _before(months: tuple[Month, ...], on: dt.date) -> dt.date:
    """The day before the period begins."""
    if not months:
        return on
    year, month = map(int, months[-1].name.split("-"))
    return dt.date(year, month, 1) - dt.timedelta(days=1)


def known_months(sales: Mapping[YearMonth, int], on: dt.date) -> dict[YearMonth, int]:
    """The months between the first sale that is known and now; one without sales had none. Pure."""
    if not sales:
        return {}
    (year, month), found = min(sales), dict[YearMonth, int]()
    while (year, month) <= (on.year, on.month):
        found[year, month] = sales.get((year, month), 0)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found


def measured_of(
    now: ageing.Ledger, opening: ageing.Ledger, opening_on: dt.date, months: tuple[Month, ...], currency: str
) -> Measured:
    """Pure. CEI takes receivables without what is not due for what could be collected."""
    period = months[: house().dso_months]
    sales, days = sum(month.sales_minor for month in period), sum(month.days for month in period)
    current = now.columns[0].minor
    simple = dso.simple(now.total_minor, sales, days, currency)
    best = dso.best_possible(current, sales, days, currency)
    cei = dso.effectiveness(
        opening_minor=opening.total_minor,
        sales_minor=sales,
        closing_minor=now.total_minor,
        closing_current_minor=current,
        currency=currency,
    )
    figures = (simple, dso.count_back(now.total_minor, months, currency), best, dso.average_delinquent(simple, best), cei)
    return Measured(figures, now.total_minor, current, opening.total_minor, opening_on, months, sales)


ROUTES = [Route("/receivables/dso", page)]
