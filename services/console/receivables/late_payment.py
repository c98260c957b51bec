"""Statutory interest and the fixed sum on what an account pays late, item by item, with what each is made of (F6, K6).

A picture by the law's formula (`shared.receivables.interest`): nothing is claimed or posted, which is somebody's decision.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import book, guarding, pages
from services.console.receivables import standing
from services.console.receivables.asked import Day, day_of
from services.console.receivables.house import house
from services.console.receivables.standing import Open, When
from shared.receivables import interest
from shared.receivables.interest import Interest, Law, Owed

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool
NAME_MAX = 64


class Moved(NamedTuple):
    """What of an item moved on one day."""

    on: dt.date
    minor: int


class Late(NamedTuple):
    """An overdue item with what the law adds to it, and the movements that it is made of, oldest first."""

    open: Open
    found: Interest
    moved: tuple[Moved, ...]

    @property
    def total_minor(self) -> int:
        return self.found.interest_minor + self.found.fixed_minor


async def of_items(database: Database, account: str, items: Iterable[Open], day: Day) -> dict[str, Late]:
    """Item → what it is late for; items that are not overdue on the day have none. Index: ledger_lines_item."""
    overdue = [each for each in items if each.open_minor > 0 and each.item.due_on < day.on]
    when = day.when if day.past else When(day.on)
    moved = await _moved(database, account, [each.item.item for each in overdue], when)
    return {each.item.item: late(each, moved.get(each.item.item, ()), day.on) for each in overdue}


async def _moved(database: Database, account: str, names: list[str], when: When) -> dict[str, tuple[Moved, ...]]:
    if not names:
        return {}
    rows = await database.fetch(
        """
        select item, effective_on, sum(amount_minor)::bigint as minor from ledger_lines
        where account = $1 and item = any($2::text[]) and effective_on <= $3 and known_at < $4
        group by 1, 2 having sum(amount_minor) <> 0 order by 1, 2
        """,
        account,
        names,
        when.day,
        when.known,
    )
    found: defaultdict[str, list[Moved]] = defaultdict(list)
    for row in rows:
        found[row["item"]].append(Moved(row["effective_on"], row["minor"]))
    return {name: tuple(each) for name, each in found.items()}


def late(each: Open, moved: Sequence[Moved], on: dt.date) -> Late:
    """By the law of the house's country, up to and with this day. Pure."""
    item = each.item
    found = interest.late_payment(law(), item.due_on, owed(moved, item.due_on, on), item.currency)
    return Late(each, found, tuple(moved))


def owed(moved: Iterable[Moved], due_on: dt.date, on: dt.date) -> list[Owed]:
    """What was owed behind the due day, span by span; the day on which a part is paid still counts for the whole. Pure."""
    left, spans = 0, list[Owed]()
    for each in moved:
        if due_on < each.on < on and left:
            spans.append(Owed(each.on, left))
        left += each.minor
    return [*spans, Owed(on, left)] if on > due_on else spans


@functools.cache
def law() -> Law:
    """The law of the house's country; read once."""
    return interest.shipped(house().law)


async def page(request: Request) -> Response:
    """Every overdue item of an account with its working."""
    who, name = guarding.require(request, *guarding.LOOKING), request.path_params["account"]
    found, day = await book.account(request.app.state.pool, who.portfolios, name), day_of(request)
    if found is None:
        raise guarding.Absent("account", name[:NAME_MAX], who)
    items = await standing.items(request.app.state.pool, [found.page.account], day.when)
    rows = await of_items(request.app.state.pool, found.page.account, items, day)
    return pages.render(
        request,
        "late_payment.html",
        page=found.page,
        day=day,
        as_of=day.past,
        on=day.on,
        rows=list(rows.values()),
        law=law(),
        total_minor=sum(each.total_minor for each in rows.values()),
    )


ROUTES = [Route("/late-payment/{account:path}", page)]
