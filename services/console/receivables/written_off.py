"""What a monthly run gave up, account by account: each item with its amount, reason and people, and what was taken back (P11).

The same on screen and as a file. What may still be taken back is, on the page, by whoever has the authority.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import guarding, notices, pages
from services.console.papers.paper import Amount, Cell, Column, Paper, Table
from services.console.receivables import files, paying
from services.console.receivables.house import house
from services.console.receivables.paying import REVERSED, WRITE_OFF, Shown

_RUN = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class OfAccount(NamedTuple):
    """What the run gave up of one account; `sums`: (currency, written off less written back, still standing)."""

    account: str
    name: str
    rows: list[Shown]
    sums: tuple[tuple[str, int], ...]


async def page(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    run = asked(request)
    rows = await paying.run(request.app.state.pool, who.portfolios, run)
    return pages.render(
        request,
        "written_off.html",
        run=run,
        runs=await paying.runs(request.app.state.pool),
        accounts=by_account(rows),
        total_minor=base_total(rows),
        base=house().base_currency,
        may=who.role in guarding.DESK,
        done=notices.taken(request),
    )


def asked(request: Request) -> str:
    """The run of the address, else that of this month."""
    text = request.query_params.get("run", "")
    return text if _RUN.fullmatch(text) else f"{pages.now(request):%Y-%m}"


def by_account(rows: Sequence[Shown]) -> list[OfAccount]:
    """In order of accounts, as the rows come. Pure."""
    found: dict[str, list[Shown]] = {}
    for row in rows:
        found.setdefault(row.payout.account, []).append(row)
    return [OfAccount(account, each[0].name, each, _sums(each)) for account, each in found.items()]


def _sums(rows: Sequence[Shown]) -> tuple[tuple[str, int], ...]:
    sums: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        sums[row.payout.currency] += 0 if row.payout.state == REVERSED else signed(row)
    return tuple(sorted(sums.items()))


def signed(row: Shown) -> int:
    """What it costs the house: a credit that is written back is a gain."""
    return row.payout.amount_minor if row.payout.kind == WRITE_OFF else -row.payout.amount_minor


def base_total(rows: Sequence[Shown]) -> int:
    """In base currency, what was taken back left out: what the run costs by the ledger's own amounts."""
    return sum(row.payout.base_minor for row in rows if row.payout.state != REVERSED)


async def export(request: Request) -> Response:
    who = guarding.require(request, *guarding.LOOKING)
    run, form = asked(request), request.path_params["form"]
    if form not in files.FORMS:
        raise HTTPException(404)
    rows = await paying.run(request.app.state.pool, who.portfolios, run)
    return await files.answer(request, paper_of(rows, run, pages.now(request)), form, f"written-off-{run}")


def paper_of(rows: Sequence[Shown], run: str, made_at: dt.datetime) -> Paper:
    """The monthly run as a paper. Pure."""
    base = house().base_currency
    columns = (
        Column("Account", share=2), Column("Name", share=4, width=34), Column("Item", share=3, width=24), Column("What", share=2),
        Column("Amount", "amount"), Column("Currency", share=1, width=10), Column(f"In {base}", "amount"),
        Column("Reason", share=5, width=50), Column("Evidence", share=4, width=40), Column("Asked by", share=2),
        Column("Approved by", share=2), Column("Stands", share=3, width=24),
    )  # fmt: skip
    return Paper(
        title=f"Written off and written back in {run}",
        sender=(house().name,),
        facts=(("Run", run), ("Items", f"{len(rows):,}"), ("Taken back", f"{_taken_back(rows):,}")),
        blocks=(
            Table(
                title="By account",
                columns=columns,
                rows=tuple(_cells(row, base) for row in rows),
                total=("Total", "what was taken back left out", *(None,) * 4, Amount(base_total(rows), base), *(None,) * 5),
                empty="Nothing was given up.",
                note="An amount below nothing is a credit written back.",
            ),
        ),
        made_at=made_at,
        wide=True,
    )


def _cells(row: Shown, base: str) -> tuple[Cell, ...]:
    each = row.payout
    return (
        each.account, row.name, each.item, pages.words(each.kind), Amount(signed(row), each.currency), each.currency,
        Amount(each.base_minor, base), each.reason, each.evidence, each.by or "the policy", each.answered_by,
        f"taken back by {each.reversed_by}" if each.state == REVERSED else "may be taken back",
    )  # fmt: skip


def _taken_back(rows: Sequence[Shown]) -> int:
    return sum(row.payout.state == REVERSED for row in rows)


ROUTES = [Route("/receivables/written-off", page), Route("/receivables/written-off.{form}", export)]
