"""What a person wishes, sent to the gateway like anybody's wish: in their name and role, once per form, with a bounded wait.

It decides nothing: the outcome is the fact that answered, in its own words. Whether a role may is asked by the page
(`guarding.require`) and decided by the service that the wish is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog
from starlette.applications import Starlette
from starlette.requests import Request

from contracts.envelope import derived_id, encode_value
from contracts.forms import Fault, in_words
from contracts.message import Command, type_name
from services.console import guarding
from services.console.people import Person
from shared.settings import Settings

log = structlog.get_logger(__name__)

SOURCE = "/console"
WAIT_S = 2
"""How long a person looks at a pressed button; who is not answered by then sees it on the page later."""
REQUEST_S_MAX = 5.0
TRIES = 3
"""A wish is an event with an identity, so sending it again counts once."""
PAUSE_S = 0.2
AT_ONCE_MAX = 32
"""Wishes on their way from one process: below the gateway's own bound of requests inside."""
BULK_AT_ONCE = 8

SAID_MAX = 500
"""Letters of what a person is told: a body may have a hundred faults."""
SEEN_S_MAX, LOOK_S = 1.5, 0.05
"""How long a page waits until its own tables know what was just answered, and how often it looks."""
Found = TypeVar("Found")

_media = {"Content-Type": "application/cloudevents+json", "Prefer": f"wait={WAIT_S}"}


class Outcome(msgspec.Struct, frozen=True):
    """What became of a wish: `done`, `refused`, `waiting` (sent, not answered yet) or `failed` (not taken).

    `word` is the gateway's ("released", "refused", …), `said` is for people, `fact` the answer's own data.
    """

    how: str
    said: str
    word: str = ""
    fact: dict[str, Any] = {}

    @property
    def is_done(self) -> bool:
        return self.how == "done"

    @property
    def tone(self) -> str:
        """The class of its notice."""
        return {"done": "ok", "waiting": "warn"}.get(self.how, "bad")


def client(settings: Settings) -> httpx.AsyncClient:
    """The one connection pool of a process to the gateway."""
    limits = httpx.Limits(max_connections=AT_ONCE_MAX, max_keepalive_connections=BULK_AT_ONCE)
    return httpx.AsyncClient(base_url=settings.gateway, timeout=REQUEST_S_MAX, limits=limits, trust_env=False)


def token(settings: Settings) -> str:
    """The console's credential: by setting, else the one that a local installation keeps in its home, where it may be changed."""
    kept = settings.home / "console.token"
    return settings.gateway_token.get_secret_value() or (kept.read_text().strip() if kept.exists() else "none")


async def send(request: Request, command: Command) -> Outcome:
    """Wish this for the signed-in person and wait a little for the outcome. The same form sent twice is one wish."""
    who = guarding.person(request)
    form = await request.form()
    return await _sent(request.app, who, command, _identity(who, str(form.get("csrf", "")), command))


async def send_all(request: Request, commands: list[Command]) -> list[Outcome]:
    """The same for many, a few at a time; each has its own outcome, in the order given."""
    gate = asyncio.Semaphore(BULK_AT_ONCE)

    async def one(command: Command) -> Outcome:
        async with gate:
            return await send(request, command)

    return list(await asyncio.gather(*(one(command) for command in commands)))


def _identity(who: Person, form: str, command: Command) -> str:
    """Person, form and content: a double click is one wish, the same form filled in otherwise another."""
    return derived_id("console", who.name, form, type_name(type(command)), encode_value(command).hex())


async def _sent(app: Starlette, who: Person, command: Command, identity: str) -> Outcome:
    body = msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": identity,
            "source": SOURCE,
            "type": type_name(type(command)),
            "data": msgspec.Raw(encode_value(command)),
        }
    )
    headers = _media | in_the_name_of(who) | {"Authorization": f"Bearer {token(app.state.settings)}"}
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            answer = await app.state.gateway.post("/v1/events", content=body, headers=headers)
        except httpx.TransportError as error:
            log.warning("the gateway does not answer", error=type(error).__name__, wish=type_name(type(command)))
            if last:
                return _unreached()
        else:
            if last or answer.status_code not in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
                return _read(answer)
        await asyncio.sleep(PAUSE_S)
    raise AssertionError("the last try returns")


async def known(look: Callable[[], Awaitable[Found]]) -> Found:
    """What `look` finds, as soon as that is something. When it takes too long the page goes on, and shows it by itself later."""
    for _ in range(int(SEEN_S_MAX / LOOK_S)):
        if found := await look():
            break
        await asyncio.sleep(LOOK_S)
    return found


def in_the_name_of(who: Person) -> dict[str, str]:
    named = {"Quittance-Actor": who.name, "Quittance-Role": who.role, "Quittance-Team": who.team}
    if who.acting_for:
        named["Quittance-For"] = who.acting_for
    portfolios = ",".join(quote(portfolio, safe="") for portfolio in who.portfolios)
    return {name: quote(text) for name, text in named.items()} | ({"Quittance-Portfolios": portfolios} if portfolios else {})


def _unreached() -> Outcome:
    return Outcome("failed", "The gateway does not answer. Press again in a moment: however often, it counts once.")


def _read(answer: httpx.Response) -> Outcome:
    try:
        told = answer.json()
    except ValueError:
        return _unreached()
    match answer.status_code:
        case HTTPStatus.OK:
            return _answered(str(told.get("outcome") or ""), told.get("fact") or {})
        case HTTPStatus.ACCEPTED:
            return Outcome("waiting", "Sent. It is not answered yet; the page shows it when it is.")
        case HTTPStatus.UNAUTHORIZED:
            return Outcome("failed", "The gateway does not know the console's credential; tell who runs this installation.")
        case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
            why = told.get("detail", "too much at once")
            return Outcome("failed", f"Not now: {why}. Press again in a moment: it counts once.")
        case _:
            return Outcome("failed", _faults(told))


def _answered(word: str, fact: dict[str, Any]) -> Outcome:
    data = fact.get("data") or {}
    if word == "refused":
        return Outcome("refused", str(data.get("detail") or "It was refused."), word, data)
    said = "It already is so; nothing changed." if word == "unchanged" else f"Done: {word}."
    return Outcome("done", said, word, data)


def _faults(told: dict[str, Any]) -> str:
    """Every fault with how to mend it; the field's path is a program's word and left out."""
    found = msgspec.convert(told.get("errors", ()), tuple[Fault, ...])
    said = in_words(found) if found else str(told.get("detail", "It was not taken"))
    return said[:SAID_MAX].rstrip(".") + "."
