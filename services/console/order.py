"""Any order, also a released one: found by search, and explained: every decision, the account then and now, its trace (O10).

As of a past moment the page shows what had been said until then (V7).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import asyncpg
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console import course, explaining, guarding, hand, pages, policies, queue, said
from services.console.as_of import stood
from services.console.explaining import Explained, Now
from services.console.following import Account, Order
from services.console.position import PARTS, Part
from services.console.said import Said

TEXT_MAX = 100


async def search(request: Request) -> Response:
    """Orders by reference, name, PO number or account. Who names exactly one is taken there."""
    who, pool = guarding.require(request, *guarding.LOOKING), request.app.state.pool
    text = request.query_params.get("q", "").strip()[:TEXT_MAX]
    found = await queue.search(pool, who.portfolios, text) if text else []
    if len(found) == 1:
        return RedirectResponse(path_of(found[0]["order"]), 303)
    return pages.render(request, "orders.html", text=text, found=found, most=queue.FOUND_MAX)


def path_of(order: str) -> str:
    return f"/orders/{quote(order)}"


async def explain(request: Request) -> Response:
    """One order with all that was decided about it. Raises 404 for one that this person does not see."""
    who, pool = guarding.require(request, *guarding.LOOKING), request.app.state.pool
    name = request.path_params["order"]
    record = await queue.one(pool, who.portfolios, name)
    if record is None:
        raise guarding.Absent("order", name, who)
    moment = as_of(request.query_params.get("as_of", ""), ZoneInfo(who.zone), pages.now(request))
    values = await hand.values(request, name)
    facts = await said.of_order(pool, name, moment or said.END_OF_TIME)
    decisions = explaining.all_explained(facts, await policies.adopted(pool))
    looked: Now | None = values["looked"] if moment is None else None
    return pages.render(
        request,
        "order.html",
        **values,
        as_of=moment,
        then=then(facts, record) if moment else None,
        typed=f"{moment.astimezone(ZoneInfo(who.zone)):%Y-%m-%dT%H:%M}" if moment else "",
        decisions=list(reversed(decisions)),
        table=then_and_now(decisions[-1] if decisions else None, looked),
        checks_now={check.check: check for check in looked.checks} if looked is not None else {},
        trace=await traced(pool, facts, values["people"], record["currency"]),
    )


def then(facts: Sequence[Said], record: asyncpg.Record) -> Order | None:
    """How the order stood after these facts; None when nothing had been said of it."""
    account = Account(account=record["account"], home=record["home"], currency=record["currency"], portfolio=record["portfolio"])
    return stood(facts, account).get(record["order"])


def as_of(text: str, zone: ZoneInfo, now: dt.datetime) -> dt.datetime | None:
    """A moment as a browser writes it (`2026-11-24T14:02`), in the person's zone, its minute whole. Anything else is now, and so
    is what is not past yet."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    here = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return here + dt.timedelta(minutes=1, microseconds=-1) if here <= now else None


def then_and_now(last: Explained | None, looked: Now | None) -> list[tuple[str, int | None, int | None]]:
    """Part of exposure → in the last decision, and now; None where there is nothing of it, or no now."""
    if last is None:
        return []
    then, now = _by_name(last.parts), _by_name(looked.parts if looked is not None else ())
    names = [name for name, _, _ in PARTS] + ["In dispute, counted", "In dispute, left out", "Insured"]
    return [(name, then.get(name), now.get(name)) for name in names if name in then or name in now]


def _by_name(parts: Sequence[Part]) -> dict[str, int]:
    return {part.name: -part.minor if part.sign < 0 else part.minor for part in parts}


async def traced(pool: asyncpg.Pool, facts: Sequence[Said], people: dict[str, str], currency: str) -> list[dict[str, Any]]:
    """The facts of an order, newest first, each with its words and, where another fact is known as its cause, that one."""
    causes = await said.causes(pool, facts)
    own = {fact.id for fact in facts}
    return [
        {
            "fact": fact,
            "words": course.told(fact, people, currency),
            "cause": causes.get(fact.cause) if fact.cause not in own else None,
            "by": course.said_by(fact, people),
        }
        for fact in reversed(facts)
    ]


ROUTES = [Route("/orders", search), Route("/orders/{order:path}", explain)]
