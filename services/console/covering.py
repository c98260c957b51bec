"""The page of covers: for whom one may act, who covers whom, appointing and ending deputies (A6).

For whom somebody acts is kept with their session; it lasts no longer than the cover, whose days are looked at on every request.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.accounts import AppointDeputy, EndDeputy
from contracts.forms import Faulty, in_words, message_of
from contracts.message import Command
from services.console import auditing, cover, guarding, notices, pages, people, refusing, sessions, wishes
from services.console.cover import Cover

NOTHING: Mapping[str, str] = {}


async def show(request: Request) -> Response:
    return await _page(request)


async def _page(request: Request, status: int = 200, refused: str = "", typed: Mapping[str, str] = NOTHING) -> Response:
    who = guarding.require(request, *guarding.DESK)
    today = pages.now(request).date()
    standing = await cover.standing(request.app.state.pool, today)
    values: dict[str, Any] = {
        "mine": [each for each in standing if each.deputy == who.name and each.from_on <= today],
        "others": standing,
        "roles": guarding.DESK,
        "shown": people.ROLES,
        "today": today,
        "refused": refused,
        "typed": typed,
        "done": notices.taken(request),
    }
    return pages.render(request, "covers.html", status=status, **values)


async def act_for(request: Request) -> Response:
    """From now on for this person, or (left empty) for oneself. A cover that is not there is no error: nothing changes."""
    who = guarding.require(request, *guarding.DESK)
    person = str((await request.form()).get("person", ""))[:64]
    found = await cover.by(request.app.state.pool, who.name, person, pages.now(request).date())
    acting_for = found.person if found else ""
    await sessions.act_for(request.app.state.pool, guarding.session(request), acting_for)
    await auditing.note(request, "acts for themselves" if not acting_for else f"acts for {acting_for}", who)
    told = f"You act for {acting_for}, as {pages.role_name(found.role).lower()}." if found else "You act for yourself."
    return notices.go(request, "/covers", told)


async def wish(request: Request) -> Response:
    guarding.require(request, *guarding.DESK)
    typed = {name: text.strip() for name, text in (await request.form()).items() if isinstance(text, str)}
    try:
        command = _command(typed)
    except Faulty as faulty:
        return await _page(request, 422, in_words(faulty.faults), typed)
    pool, today = request.app.state.pool, pages.now(request).date()
    before = await cover.standing(pool, today)
    outcome = await wishes.send(request, command)
    if outcome.how in ("refused", "failed"):
        return await _page(request, 409, refusing.told(outcome, ""), typed)
    if outcome.how == "waiting":
        return notices.go(request, "/covers", outcome.said, outcome.tone)
    if outcome.word != "unchanged":
        await wishes.known(lambda: _moved(pool, today, before))
    return notices.go(request, "/covers", _told(typed) if outcome.word != "unchanged" else outcome.said)


async def _moved(pool: asyncpg.Pool, today: dt.date, before: list[Cover]) -> bool:
    return await cover.standing(pool, today) != before


def _told(typed: Mapping[str, str]) -> str:
    if typed.get("what") == "end":
        return f"{typed['deputy']} does not cover {typed['person']} any more."
    return f"{typed['deputy']} covers {typed['person']} from {typed['from_on']} until {typed['until_on']}."


def _command(typed: Mapping[str, str]) -> Command:
    kind, fields = (EndDeputy, ("person", "deputy", "reason")) if typed.get("what") == "end" else (AppointDeputy, _APPOINTED)
    return message_of(kind, {name: typed[name] for name in fields if typed.get(name)})


_APPOINTED = ("person", "deputy", "role", "from_on", "until_on", "reason")

ROUTES = [
    Route("/covers", show, methods=["GET"]),
    Route("/covers", wish, methods=["POST"]),
    Route("/covers/act", act_for, methods=["POST"]),
]
