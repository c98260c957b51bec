"""The approvals inbox: what waits for somebody's authority, by level; own requests apart, as nobody answers their own (A6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.accounts import Terms
from services.console import book, guarding, notices, pages, wording
from services.console.book import Waiting
from services.console.people import Person
from shared.service import people_in

NOTHING_TYPED: Mapping[str, str] = {}


async def inbox(request: Request) -> Response:
    return await show(request)


async def show(request: Request, status: int = 200, refused: str = "", typed: Mapping[str, str] = NOTHING_TYPED) -> Response:
    """What this person may answer first, then their own, then what waits for others; what was answered last below."""
    who = guarding.require(request, *guarding.DESK)
    pool = request.app.state.pool
    waiting = await book.requests(pool, who.portfolios)
    answered = await book.requests(pool, who.portfolios, state="")
    values: dict[str, Any] = {
        "mine_to_answer": [shown(each) for each in waiting if may_answer(who, each)],
        "own": [shown(each) for each in waiting if is_own(who, each)],
        "others": [shown(each) for each in waiting if not is_own(who, each) and not may_answer(who, each)],
        "answered": [shown(each) for each in answered[: book.SHOWN]],
        "refused": refused,
        "typed": typed,
        "done": notices.taken(request),
    }
    return pages.render(request, "approvals.html", status=status, **values)


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


ROUTES = [Route("/approvals", inbox)]
