"""What the routes share: who asks, how a body is read within its limit, and how an accepted request is answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from contracts.forms import Fault, Faulty
from services.gateway import credentials, flows, withheld
from services.gateway.backlog import Backlog
from services.gateway.bodies import Malformed
from services.gateway.credentials import Credential
from services.gateway.delegation import speaking_for
from services.gateway.door import Traffic, busy
from services.gateway.intake import Admitted
from services.gateway.problems import Problem, unauthenticated
from services.gateway.reading import Reader, received
from services.gateway.waiting import Waiters, wanted_s
from shared.pool import Crowded
from shared.settings import Settings

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 1024 * 1024
"""Largest JSON or NDJSON body: larger things are files."""
DISCARDED_BYTES_MAX = 64 * 1024 * 1024
"""How much of a body that is too large is still read and thrown away, so that its sender hears the answer."""


class Desk:
    """What a route needs: the installation, the database, and the parts that run beside the requests."""

    def __init__(
        self, settings: Settings, pool: asyncpg.Pool, waiters: Waiters, reader: Reader, backlog: Backlog, traffic: Traffic
    ) -> None:
        self.settings, self.pool, self.traffic = settings, pool, traffic
        self.waiters, self.reader, self.backlog = waiters, reader, backlog

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    async def received(self) -> dt.datetime:
        """The time of a body that says none."""
        return await received(self.pool, self.settings, self.now())


def desk_of(request: Request) -> Desk:
    """Raises `Problem` 503 while the gateway starts."""
    desk = getattr(request.app.state, "desk", None)
    if not isinstance(desk, Desk):
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the gateway is starting", headers={"Retry-After": "1"})
    return desk


async def who_asks(request: Request, desk: Desk) -> Credential:
    """The credential, as the person it speaks for. Raises `Problem` 401, or 400 when that is not said as it must be."""
    token = credentials.token_in(request.headers.get("authorization"))
    async with desk.pool.acquire() as connection:
        who = await credentials.find(connection, token) if token else None
    if who is None:
        log.info("refused", reason="no valid credential", path=request.url.path)
        raise unauthenticated()
    return speaking_for(who, request.headers)


async def check_room(desk: Desk) -> None:
    """Raises `Problem` 429 when too much waits to be sent on."""
    if await desk.backlog.is_full():
        desk.traffic.shed.labels(full="mailbox").inc()
        raise busy("too much waits to be sent on")


def check_media(request: Request, *allowed: str) -> str:
    """The media type without parameters. Raises `Problem` 415."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in allowed:
        detail = f"{media or 'no Content-Type'!r} is not taken here; send one of: {', '.join(allowed)}"
        fault = Fault("Content-Type", detail, f"send Content-Type: {allowed[0]}")
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, [fault])
    return media


async def body_of(request: Request) -> bytes:
    """The body, whole. Raises `Problem` 413 beyond BODY_BYTES_MAX."""
    body = bytearray()
    size = 0
    async for piece in stream_of(request):
        size += len(piece)
        if size <= BODY_BYTES_MAX:
            body += piece
        elif size > DISCARDED_BYTES_MAX:
            break
    if size > BODY_BYTES_MAX:
        detail = f"the body is larger than {BODY_BYTES_MAX} bytes (1 MiB)"
        mend = "send fewer events at once, or a file to /v1/files/{kind}"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, [Fault("body", detail, mend)], limit_bytes=BODY_BYTES_MAX)
    return bytes(body)


async def stream_of(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the body ended before it was complete") from error


def malformed(error: Malformed) -> Problem:
    detail = f"the body is no JSON: {error}"
    fault = Fault(f"line {error.line}, column {error.column}", error.problem, error.mend)
    return Problem(HTTPStatus.BAD_REQUEST, detail, [fault], line=error.line, column=error.column)


async def withhold(desk: Desk, who: Credential, kind: str, reference: str, raw: bytes, error: Faulty) -> Problem:
    """422; what says who it is was kept, to be repaired and sent again."""
    more: dict[str, Any] = {}
    if reference:
        more["quarantined"] = await withheld.keep_body(desk.pool, who.team, kind, reference, raw, error.faults)
    count = len(error.faults)
    detail = f"{count} thing{'s' * (count > 1)} must be mended before this can go on"
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, error.faults, **more)


async def accepted(request: Request, desk: Desk, who: Credential, admitted: Admitted) -> Response:
    """202 with the flow; 200 with the outcome when it is there, or comes while the caller waits."""
    wait_s = wanted_s(request.headers.get("prefer"))
    shown = await _outcome(desk, who, admitted, wait_s)
    headers = {"Location": f"/v1/flows/{admitted.flow}"} | ({"Preference-Applied": f"wait={wait_s}"} if wait_s else {})
    if shown:
        return JSONResponse(shown | {"repeated": admitted.again}, 200, headers)
    body = {"flow": admitted.flow, "state": "accepted", "repeated": admitted.again, "links": flows.links(admitted.flow)}
    return JSONResponse(body, 202, headers)


async def _outcome(desk: Desk, who: Credential, admitted: Admitted, wait_s: int) -> dict[str, Any] | None:
    """The flow, when it is answered. It was let in already, so a crowd here costs the outcome and never the 202."""
    try:
        if wait_s:
            with desk.traffic.aside():
                known = await desk.waiters.answered(admitted.flow, wait_s)
        else:
            known = admitted.again and await flows.answered(desk.pool, admitted.flow)
        return await flows.show(desk.pool, admitted.flow, who.team) if known else None
    except Crowded:
        return None
