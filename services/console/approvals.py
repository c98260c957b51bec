"""The approvals inbox: what waits for somebody's authority, by level; own requests apart, as nobody answers their own (A6).

Announced deals, payouts, bank details to be called back and referred orders are answered where they are worked; the inbox
says that they wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.accounts import Terms
from services.console import as_of, book, dealing, guarding, notices, pages, queue, wording
from services.console.book import Waiting
from services.console.people import Person
from services.console.queue import Filter
from services.console.receivables import paying, payouts
from shared.service import people_in

NOTHING_TYPED: Mapping[str, str] = {}


async def inbox(request: Request) -> Response:
    return await show(request)


async def show(request: Request, status: int = 200, refused: str = "", typed: Mapping[str, str] = NOTHING_TYPED) -> Response:
    """What this person may answer first, then their own, then what waits for others; what was answered last below. Of a past day
    nothing can be answered any more."""
    who = guarding.require(request, *guarding.DESK)
    pool, day = request.app.state.pool, as_of.asked(request)
    waiting = await (as_of.requests(pool, who.portfolios, day) if day else book.requests(pool, who.portfolios))
    answered = await (as_of.answered(pool, who.portfolios, day) if day else book.requests(pool, who.portfolios, state=""))
    mine = [each for each in waiting if day is None and may_answer(who, each)]
    own = [each for each in waiting if day is None and is_own(who, each)]
    values: dict[str, Any] = {
        "mine_to_answer": [shown(each) for each in mine],
        "own": [shown(each) for each in own],
        "others": [shown(each) for each in waiting if each not in mine and each not in own],
        "answered": [shown(each) for each in answered[: book.SHOWN]],
        "deals": [] if day else await dealing.answerable(request),
        "payouts": [] if day else await _payouts(request),
        "call_backs": [] if day else await payouts.call_backs(pool, who),
        "referred": 0 if day else await _referred(request),
        "refused": refused,
        "typed": typed,
        "done": notices.taken(request),
    }
    values |= {"as_of": day, "today": pages.now(request).date()}
    return pages.render(request, "approvals.html", status=status, **values)


async def count(request: Request) -> Response:
    """How much waits for this person, for the navigation of every page; nothing where nothing does."""
    who = guarding.require(request, *guarding.DESK)
    requests = sum(may_answer(who, each) for each in await book.requests(request.app.state.pool, who.portfolios))
    deals = sum(mine for _, mine in await dealing.answerable(request))
    money = sum(mine for _, mine in await _payouts(request))
    calls = sum(each.mine for each in await payouts.call_backs(request.app.state.pool, who))
    waiting = requests + deals + money + calls + await _referred(request)
    return pages.text(str(waiting) if waiting else "")


async def _payouts(request: Request) -> list[tuple[paying.Shown, bool]]:
    """Refunds and write-offs that wait for an approval, and whether this person may give it."""
    pool, who = request.app.state.pool, guarding.person(request)
    return [(each, payouts.may_answer(who, each.payout)) for each in await paying.payouts(pool, who.portfolios, waiting=True)]


async def _referred(request: Request) -> int:
    """Orders that were referred to the role of this person."""
    who = guarding.person(request)
    wanted = Filter(seen=who.portfolios, level=who.role)
    return sum(total.count for total in await queue.totals(request.app.state.pool, wanted, pages.now(request)))


def may_answer(who: Person, waiting: Waiting) -> bool:
    """By the levels that were told when it was asked for; the credit master has the last word, under the policy of the day."""
    return who.role in waiting.request.levels and not is_own(who, waiting)


def is_own(who: Person, waiting: Waiting) -> bool:
    """Asked by this person or by whom they act for, or in the name of either."""
    return bool({who.name, who.acting_for} & people_in(waiting.request.by))


def shown(waiting: Waiting) -> dict[str, Any]:
    """A request with what it changes: (what, was, becomes) each. `is_key`: both views are asked for (A6)."""
    request, tier = waiting.request, msgspec.json.decode(waiting.terms, type=Terms).tier
    shows = {"request": request, "name": waiting.name, "fits": waiting.fits, "changes": _changes(waiting)}
    return shows | {"tier": tier, "is_key": tier != Terms().tier}


def _changes(waiting: Waiting) -> list[tuple[str, str, str]]:
    request = waiting.request
    if request.terms is not None:
        before, after = (msgspec.json.decode(raw, type=Terms) for raw in (request.was_terms, request.terms))
        return wording.differences(before, after, request.currency)
    assert request.limit_minor is not None
    found = []
    if request.limit_minor != request.was_minor:
        was, becomes = (pages.money_text(minor, request.currency) for minor in (request.was_minor, request.limit_minor))
        found.append(("limit", was, becomes))
    if request.limit_expires_on != request.was_expires_on:
        was, becomes = (wording.day(on) or "no end" for on in (request.was_expires_on, request.limit_expires_on))
        found.append(("limit ends", was, becomes))
    return found


ROUTES = [Route("/approvals", inbox), Route("/approvals/count", count)]
