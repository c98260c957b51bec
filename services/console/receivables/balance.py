"""Receivables of all accounts: the aged trial balance by account, credit group or portfolio; what is unallocated (P7, P12, V6).

The same figures on screen and as a file, now or on a past day.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import guarding, hand, pages
from services.console.papers import trial_balance
from services.console.papers.paper import Amount, Column, Paper, Table, day
from services.console.receivables import files, standing
from services.console.receivables.asked import Asked, asked
from services.console.receivables.house import house
from services.console.receivables.standing import Key, Named, Unallocated
from shared.receivables import ageing
from shared.receivables.ageing import Ledger, shares_bp

UNALLOCATED_SHOWN, UNALLOCATED_MAX = 100, 20_000
KINDS = ("receipt", "credit_note")


class Row(NamedTuple):
    """A line of the trial balance."""

    key: str
    named: Named
    ledger: Ledger


async def page(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    wanted = asked(request)
    rows, more = await _rows(request, wanted)
    pool, policy, base = request.app.state.pool, house().policy, house().base_currency
    whole = await standing.whole(pool, wanted.scope, wanted.day.on, policy, base)
    total = in_currency(whole, wanted.scope.currency)
    return pages.render(
        request,
        "receivables.html",
        **_around(request, wanted),
        rows=rows,
        more=more,
        whole=whole,
        total=total,
        shares=shares_bp(total),
        facets=await standing.facets(pool, guarding.person(request).portfolios),
        code=wanted.scope.currency or base,
        names=(*policy.names, "Credits"),
        tones=tones(policy.bounds),
        difference=await standing.difference(pool) if wanted.day.past is None else 0,
    )


def _around(request: Request, wanted: Asked) -> dict[str, Any]:
    return {"wanted": wanted, "as_of": wanted.day.past, "today": pages.now(request).date(), "base": house().base_currency}


def tones(bounds: tuple[int, ...]) -> tuple[str, ...]:
    """The colour of each column: not due is plain, the first bucket is soon, all behind it late."""
    return ("", "warn", *("bad" for _ in bounds))


def in_currency(whole: ageing.Aged, currency: str) -> Ledger:
    if not currency:
        return whole.base
    return next((each for each in whole.currencies if each.currency == currency), ageing.together((), currency, whole.policy))


async def _rows(request: Request, wanted: Asked) -> tuple[list[Row], str]:
    """The window's rows, and the place behind which the next one begins."""
    pool, on, shown = request.app.state.pool, wanted.day.on, standing.ROWS_SHOWN
    found = await standing.keys(pool, wanted.scope, on, wanted.by, wanted.sort, place_of(wanted.after), shown + 1)
    keys = [key.key for key in found[:shown]]
    aged = await standing.aged_by(pool, wanted.scope, on, house().policy, house().base_currency, wanted.by, keys)
    named = await standing.names(pool, wanted.scope, wanted.by, keys)
    more = f"{found[shown - 1].value}~{found[shown - 1].key}" if len(found) > shown else ""
    return [Row(key, named[key], aged[key]) for key in keys], more


def place_of(token: str) -> Key | None:
    """`<value>~<key>`, as a page told it; anything else is the beginning."""
    value, mark, key = token.partition("~")
    if not mark or not value.lstrip("-").isdecimal() or len(value) > 18:
        return None
    return Key(key, int(value))


async def export(request: Request) -> Response:
    """The whole of what is asked for, as a file."""
    guarding.require(request, *guarding.LOOKING)
    wanted, form = asked(request), _form(request)
    if refused := files.no_day(request):
        return refused
    paper = await balance_paper(request, wanted)
    return await files.answer(request, paper, form, f"aged-trial-balance-{wanted.day.on.isoformat()}")


def _form(request: Request) -> str:
    form: str = request.path_params["form"]
    if form not in files.FORMS:
        raise HTTPException(404)
    return form


async def balance_paper(request: Request, wanted: Asked) -> Paper:
    pool, policy, base = request.app.state.pool, house().policy, house().base_currency
    aged = await standing.aged_by(pool, wanted.scope, wanted.day.on, policy, base, "account", None)
    named = await standing.names(pool, wanted.scope, "account", None)
    lines = [_line(account, ledger, named[account]) for account, ledger in aged.items()]
    about = trial_balance.Asked(
        company=house().name,
        on=wanted.day.on,
        currency=wanted.scope.currency or base,
        policy=policy,
        made_at=pages.now(request),
        by=wanted.by,  # type: ignore[arg-type]
        known=wanted.day.told,
    )
    return trial_balance.paper_of(lines, about)


def _line(account: str, ledger: Ledger, named: Named) -> trial_balance.Line:
    return trial_balance.Line(
        account=account,
        name=named.name,
        ledger=ledger,
        group=named.group,
        group_name=named.group_name,
        portfolio=named.portfolio,
    )


# --- unallocated ------------------------------------------------------------------------------------------------------


class Waits(NamedTuple):
    row: Unallocated
    age: int
    tone: str


OLD_DAYS, LATE_DAYS = 60, 30
"""Unallocated deposits and credits are to be below 60 days (K10)."""


async def unallocated(request: Request) -> Response:
    """Money and credits that nothing is set against: aged by their own day, with who chases them."""
    who = guarding.require(request, *guarding.LOOKING)
    wanted, pool = asked(request), request.app.state.pool
    kind = request.query_params.get("kind", "") if request.query_params.get("kind") in KINDS else ""
    found = await standing.unallocated(pool, wanted.scope, kind, _after(wanted.after), UNALLOCATED_SHOWN + 1)
    rows = [_waits(row, wanted.day.on) for row in found[:UNALLOCATED_SHOWN]]
    whole = await standing.whole(pool, wanted.scope, wanted.day.on, house().policy, house().base_currency)
    last = rows[-1].row if rows else None
    return pages.render(
        request,
        "unallocated.html",
        **_around(request, wanted),
        rows=rows,
        kind=kind,
        total=in_currency(whole, wanted.scope.currency),
        code=wanted.scope.currency or house().base_currency,
        facets=await standing.facets(pool, who.portfolios),
        people=await hand.people_of(pool),
        more=f"{last.on.isoformat()}~{last.account}/{last.item}" if last and len(found) > UNALLOCATED_SHOWN else "",
    )


def _waits(row: Unallocated, on: dt.date) -> Waits:
    age = (on - row.on).days
    return Waits(row, age, "bad" if age > OLD_DAYS else "warn" if age > LATE_DAYS else "")


def _after(token: str) -> tuple[dt.date, str] | None:
    on, mark, key = token.partition("~")
    try:
        return (dt.date.fromisoformat(on), key) if mark else None
    except ValueError:
        return None


async def unallocated_export(request: Request) -> Response:
    guarding.require(request, *guarding.LOOKING)
    wanted, form = asked(request), _form(request)
    if refused := files.no_day(request):
        return refused
    found = await standing.unallocated(request.app.state.pool, wanted.scope, "", None, UNALLOCATED_MAX)
    paper = unallocated_paper(found, wanted.day.on, pages.now(request))
    return await files.answer(request, paper, form, f"unallocated-{wanted.day.on.isoformat()}")


def unallocated_paper(found: list[Unallocated], on: dt.date, made_at: dt.datetime) -> Paper:
    """The report on unallocated cash (V6). Pure."""
    columns = (
        Column("Account", share=2), Column("Name", share=4, width=34), Column("Portfolio", share=2),
        Column("Item", share=3, width=24), Column("Kind", share=2), Column("Date", "day"), Column("Days", "count"),
        Column("Amount", "amount"), Column("Currency", share=1, width=10), Column("Owner", share=2),
        Column("Why", share=5, width=50),
    )  # fmt: skip
    rows = tuple(
        (
            row.account, row.name, row.portfolio, row.item, pages.words(row.kind), row.on, (on - row.on).days,
            Amount(row.minor, row.currency), row.currency, row.owner, row.why,
        )
        for row in found
    )  # fmt: skip
    return Paper(
        title="Unallocated cash and credits",
        sender=(house().name,),
        facts=(("On", day(on)), ("Rows", f"{len(rows):,}")),
        blocks=(Table(title="Unallocated", columns=columns, rows=rows, empty="Nothing is unallocated."),),
        made_at=made_at,
        wide=True,
    )


ROUTES = [
    Route("/receivables", page),
    Route("/receivables/unallocated", unallocated),
    Route("/receivables/trial-balance.{form}", export),
    Route("/receivables/unallocated.{form}", unallocated_export),
]
