"""What the acquirer tells later, by itself: a late outcome, a chargeback. Only what it has signed is believed (P9)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.payments.cards.executor import Told, noted_of
from services.payments.cards.port import OUTCOMES, Outcome
from services.payments.cards.signature import NotSigned, verify
from services.payments.state import Card, card_of

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 65_536
"""Callbacks are a few hundred bytes; what is longer is none."""
PATH = "/cards/callback"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What the acquirer says of one key, with the names that it was asked under."""

    account: str
    payment: str
    key: str
    outcome: str
    amount_minor: int
    detail: str = ""


class Callback(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    data: Event


_callback = msgspec.json.Decoder(Callback).decode
_card = msgspec.json.Decoder(Card).decode

Find = Callable[[str], Awaitable[Card | None]]
TellOne = Callable[[Told], Awaitable[None]]


def route(secret: str, find: Find, tell: TellOne, now: Callable[[], dt.datetime]) -> Route:
    """POST /cards/callback: 204 taken, 400 unreadable, 401 not the acquirer's, 404 never asked, 413 too long."""

    async def heard(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse("too long for a callback\n", 413)
        try:
            verify(secret, request.headers, body, int(now().timestamp()))
            event = _callback(body).data
        except NotSigned as error:
            log.warning("a callback was not believed", why=str(error))
            return PlainTextResponse("not signed\n", 401)
        except msgspec.DecodeError as error:
            return PlainTextResponse(f"unreadable: {error}\n", 400)
        return await _taken(event, find, tell, now())

    return Route(PATH, heard, methods=["POST"])


async def _body(request: Request) -> bytes | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return body


async def _taken(event: Event, find: Find, tell: TellOne, now: dt.datetime) -> Response:
    """The same callback again, or what was known already, is no matter: the ledger counts an answer once."""
    card = await find(card_of(event.account, event.payment))
    if card is None or card.intent(event.key) is None:
        return PlainTextResponse("nothing was asked under this key\n", 404)
    if event.outcome not in OUTCOMES or not 0 < event.amount_minor <= card.amount_minor:
        return PlainTextResponse("unreadable: an outcome or amount that means nothing here\n", 400)
    answer = Outcome(outcome=event.outcome, amount_minor=event.amount_minor, detail=event.detail)
    await tell((card, noted_of(card, event.key, answer, now)))
    return Response(status_code=204)


async def find(pool: asyncpg.Pool, name: str) -> Card | None:
    body = await pool.fetchval("select body from card where key = $1", name)
    return None if body is None else _card(body)
