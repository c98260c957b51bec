"""The routes of the gateway: what comes in by HTTP, and what its senders may see of it (G1, G2).

Everything is durable in PostgreSQL before it is answered; the kit's loop of this same process sends it on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, Response

from contracts.forms import Fault, Faulty, instant
from contracts.gateway import FileAccepted
from contracts.message import type_name
from contracts.payments import PostItem, TakeAdvice, TakeStatement
from services.gateway import bankfile, bodies, described, directory, flows, held, intake, reading, uploads, withheld
from services.gateway.answering import (
    Desk,
    accepted,
    body_of,
    check_media,
    check_room,
    desk_of,
    malformed,
    stream_of,
    who_asks,
    withhold,
)
from services.gateway.bank.limits import FILE_BYTES_MAX as BANK_BYTES_MAX
from services.gateway.bodies import Malformed
from services.gateway.credentials import EVERYTHING, Credential
from services.gateway.door import busy
from services.gateway.intake import Line
from services.gateway.mapping import MappingRule, mappings
from services.gateway.multipart import NotMultipart, first_file
from services.gateway.problems import Problem, answer, forbidden, on_problem, only_reads
from services.gateway.sorting import FileFlow
from shared.database import AWAY
from shared.pool import Crowded
from shared.serve import told

log = structlog.get_logger(__name__)

JSON = "application/json"
CLOUDEVENT = "application/cloudevents+json"
NDJSON = "application/x-ndjson"
MULTIPART = "multipart/form-data"
FILE_MEDIA = (
    "text/csv",
    "application/octet-stream",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
BANK_MEDIA = ("text/plain", *FILE_MEDIA, "application/xml", "text/xml", "message/rfc822")
BANK_TYPES = (TakeStatement, TakeAdvice, PostItem)
"""What a bank's or payer's file may hold; which it is, reading tells."""
BAD_SHOWN_MAX = 100
"""Bad lines of a batch told in the answer; all of them are in quarantine."""


async def place_order(request: Request) -> Response:
    """Place one order. The same order again is answered as the first time; with other content it is a conflict."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    await check_room(desk)
    check_media(request, JSON)
    raw, body = await _json(request)
    try:
        wish = bodies.order_wish(body, who.team if who.feed == EVERYTHING else who.feed, await desk.received())
        return await _admit(request, desk, who, wish, "order", _client_key(request))
    except Faulty as error:
        raise await withhold(desk, who, "order", bodies.identity(body), raw, error) from error


async def send_events(request: Request) -> Response:
    """Send one CloudEvent, or many as NDJSON. `source` and `id` are an event's identity, for ever."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    await check_room(desk)
    if check_media(request, CLOUDEVENT, NDJSON, JSON) == NDJSON:
        return await _send_batch(request, desk, who)
    raw, body = await _json(request)
    try:
        wish = bodies.event_wish(body, await desk.received())
        return await _admit(request, desk, who, wish, "event", None)
    except Faulty as error:
        raise await withhold(desk, who, "event", bodies.identity(body), raw, error) from error


async def _admit(request: Request, desk: Desk, who: Credential, wish: bodies.Wish, kind: str, key: str | None) -> Response:
    admitted = await intake.admit_one(desk.pool, wish, kind, key, who, desk.settings.partitions, desk.now())
    return await accepted(request, desk, who, admitted)


async def _json(request: Request) -> tuple[bytes, Any]:
    raw = await body_of(request)
    try:
        return raw, bodies.parse(raw)
    except Malformed as error:
        raise malformed(error) from error


def _client_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= 200:
        raise Problem(HTTPStatus.BAD_REQUEST, "Idempotency-Key must have 1 to 200 characters")
    return key


# --- batches --------------------------------------------------------------------------------------------------------


async def _send_batch(request: Request, desk: Desk, who: Credential) -> Response:
    raw = await body_of(request)
    received = await desk.received()
    lines = [_event_line(n, line, received) for n, line in enumerate(raw.split(b"\n"), start=1) if line.strip()]
    digest = hashlib.sha256(raw).digest()
    flow = intake.batch_flow(who, digest)
    done = await intake.admit_batch(desk.pool, lines, flow, digest, len(raw), who, desk.settings.partitions, desk.now())
    for line in done.bad:
        await withheld.keep_body(desk.pool, who.team, "event", f"line {line.number}", line.raw, line.faults)
    return await _batch_answer(request, desk, who, flow, done)


def _event_line(number: int, raw: bytes, received: dt.datetime) -> Line:
    try:
        return Line(number, raw, bodies.event_wish(bodies.parse(raw), received))
    except Malformed as error:
        return Line(number, raw, None, (Fault(f"line {number}, column {error.column}", error.problem, error.mend),))
    except Faulty as error:
        return Line(number, raw, None, error.faults)


async def _batch_answer(request: Request, desk: Desk, who: Credential, flow: str, done: intake.Batched) -> Response:
    errors = [
        Fault(f"line {line.number}: {fault.field}", fault.problem, fault.mend)
        for line in done.bad[:BAD_SHOWN_MAX]
        for fault in line.faults
    ]
    counts = {"accepted": done.accepted, "repeated": done.repeated, "quarantined": len(done.bad)}
    if done.bad and not done.accepted and not done.repeated:
        detail = "no line of the batch can go on"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors, None, **counts)
    response = await accepted(request, desk, who, intake.Admitted(flow, again=not done.accepted))
    told = [msgspec.to_builtins(fault) for fault in errors]
    body = json.loads(bytes(response.body)) | counts | {"errors": told}
    return JSONResponse(body, response.status_code, {"Location": f"/v1/flows/{flow}"})


# --- files ----------------------------------------------------------------------------------------------------------


async def send_file(kind: str, request: Request) -> Response:
    """Send a file, as the raw body or as a form's file. The same file again changes nothing and says so."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    await check_room(desk)
    account = await _bank_account(request, desk, who) if kind == bankfile.KIND else None
    if kind != bankfile.KIND:
        _rule(kind, who)
    as_of = _as_of(request)
    media = check_media(request, *(BANK_MEDIA if kind == bankfile.KIND else FILE_MEDIA), MULTIPART)
    stream = stream_of(request)
    body = first_file(stream, request.headers["content-type"]) if media == MULTIPART else stream
    bytes_max = BANK_BYTES_MAX if kind == bankfile.KIND else uploads.FILE_BYTES_MAX
    try:
        upload = await uploads.store(desk.pool, who.team, body, bytes_max)
    except uploads.TooLarge as error:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error), limit_bytes=bytes_max) from error
    except NotMultipart as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from error
    return await _file_answer(desk, who, kind, upload, _file_name(request), as_of, account)


async def _file_answer(
    desk: Desk,
    who: Credential,
    kind: str,
    upload: uploads.Upload,
    name: str,
    as_of: dt.datetime | None,
    account: str | None,
) -> Response:
    flow = flows.flow_id(who.team, "file", kind, upload.digest.hex(), *([account] if account else []))
    async with desk.pool.acquire() as connection, connection.transaction():
        is_new = await flows.open_file(connection, flow, who, kind, name, upload, as_of, account)
        if is_new:
            said = FileAccepted(flow=flow, kind=kind, digest=upload.digest.hex(), bytes=upload.bytes, name=name)
            about = FileFlow(flow, kind, who, "", as_of or reading.undated(desk.settings, desk.now()))
            await reading.say(connection, desk.settings.partitions, said, about, f"accepted/{flow}/{upload.id}")
        else:
            await uploads.discard(connection, upload.id)
    desk.reader.wake()
    shown = await flows.show(desk.pool, flow, who.team) or {}
    note = "accepted" if is_new else "this very file came before; nothing was changed"
    return JSONResponse(shown | {"repeated": not is_new, "note": note}, 202 if is_new else 200, {"Location": f"/v1/flows/{flow}"})


async def _bank_account(request: Request, desk: Desk, who: Credential) -> str | None:
    """Whose advice the file is, where its sender says so. Raises `Problem` for who may send nothing that it could hold."""
    if who.only_reads:
        raise only_reads(who.role)
    if not any(who.may_send(message) for message in BANK_TYPES):
        names = " or ".join(type_name(message).rsplit(".", 1)[0] for message in BANK_TYPES)
        raise forbidden(f"this credential may not send {names}", "ask for the message types")
    account = _plain(request.query_params.get("account", "")).strip()
    if not account:
        intake.check_sees_all(who)
        return None
    async with desk.pool.acquire() as connection:
        entry = (await directory.known(connection, [account])).get(account)
    if fault := directory.account_fault(entry, account, None, who):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, fault.problem, [fault])
    return account


def _rule(kind: str, who: Credential) -> MappingRule:
    if who.only_reads:
        raise only_reads(who.role)
    rule = mappings().get(kind)
    if rule is None:
        detail = f"there is no mapping {kind[:60]!r}; there are: {', '.join((*mappings(), bankfile.KIND))}"
        raise Problem(HTTPStatus.NOT_FOUND, detail, [Fault("kind", detail, "use one of them, or add a mapping file")])
    becomes = {rule.file.documents.becomes, *(case.becomes for case in rule.file.documents.cases)}
    if EVERYTHING not in who.types and (lacking := sorted(becomes - set(who.types))):
        raise forbidden(f"this credential may not send {', '.join(lacking)}", "ask for the message types")
    if rule.file.feed and who.feed not in (EVERYTHING, rule.file.feed):
        raise forbidden(f"files of {kind} are numbered as {rule.file.feed}/…, yours as {who.feed}/…", "use your own mapping")
    return rule


def _as_of(request: Request) -> dt.datetime | None:
    text = request.query_params.get("as_of")
    try:
        return instant(text) if text else None
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"as_of: {error}") from error


def _file_name(request: Request) -> str:
    name = request.query_params.get("name", "")
    return name.replace("\0", "").encode(errors="replace").decode()[:200]


# --- what senders see -----------------------------------------------------------------------------------------------


async def show_flow(flow: str, request: Request) -> Response:
    """How far a flow is, and how it ended: counts by outcome, and for one command the fact that answered it."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    shown = await flows.show(desk.pool, _plain(flow), who.team)
    if shown is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such flow of your team")
    return JSONResponse(shown)


async def show_quarantine(request: Request, flow: str | None = None) -> Response:
    """Rows that were not sent on, with bytes, line, and every reason; `after` pages on."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    rows = await withheld.page(desk.pool, who.team, _plain(flow) if flow else None, _after(request))
    return JSONResponse({"rows": rows, "next": rows[-1]["id"] if len(rows) == withheld.PAGE else None})


async def show_flow_quarantine(flow: str, request: Request) -> Response:
    """Rows of this flow that were not sent on, with bytes, line, and every reason; `after` pages on."""
    return await show_quarantine(request, flow)


def _after(request: Request) -> int:
    text = request.query_params.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Problem(HTTPStatus.BAD_REQUEST, "after must be the number that `next` gave")
    return int(text)


def _plain(text: str) -> str:
    return text.replace("\0", "").encode(errors="replace").decode()


async def list_held(request: Request) -> Response:
    """Orders that wait for a person, with every reason and the exposure they were judged by."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    found = await held.page(desk.pool, who, _plain(request.query_params.get("after", "")))
    return JSONResponse({"total": found.total, "orders": found.rows, "next": found.next})


async def held_page(request: Request) -> Response:
    """The same, for people."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    found = await held.page(desk.pool, who, _plain(request.query_params.get("after", "")))
    return HTMLResponse(held.held_html(found, who.team, desk.now()))


async def show_stuck(request: Request) -> Response:
    """What waits for somebody to mend it, of all teams: for the console, which speaks for the people of the house."""
    desk = desk_of(request)
    who = await who_asks(request, desk)
    if not who.delegates:
        raise forbidden("this is for the console's credential", "ask for /v1/flows/{flow}/quarantine, which shows your own")
    return told(await withheld.stuck(desk.pool))


# --- the application ------------------------------------------------------------------------------------------------


async def _docs_page(request: Request) -> Response:
    return HTMLResponse(held.render("docs.html", api=request.app.openapi()))


async def _on_http(_: Request, error: Exception) -> Response:
    """Unknown paths and methods in the same words as every other no."""
    known = error if isinstance(error, HTTPException) else HTTPException(500)
    return answer(Problem(HTTPStatus(known.status_code), str(known.detail), headers=known.headers))


async def _on_crowded(request: Request, _: Exception) -> Response:
    desk_of(request).traffic.shed.labels(full="connections").inc()
    return answer(busy("too many requests wait for the database"))


async def _on_away(_: Request, error: Exception) -> Response:
    log.warning("a request met an absent database", error=f"{type(error).__name__}: {error}")
    detail = "the database does not answer; nothing was taken that was not answered"
    return answer(Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": "2"}))


def routes(app: FastAPI) -> None:
    """Every route of the gateway, with what OpenAPI says of it."""
    table: tuple[tuple[str, str, Any, Mapping[str, Any]], ...] = (
        ("POST", "/v1/orders", place_order, described.PLACE_ORDER),
        ("POST", "/v1/events", send_events, described.SEND_EVENTS),
        ("POST", "/v1/files/{kind}", send_file, described.SEND_FILE),
        ("GET", "/v1/flows/{flow}", show_flow, described.SHOW_FLOW),
        ("GET", "/v1/flows/{flow}/quarantine", show_flow_quarantine, described.SHOW_QUARANTINE),
        ("GET", "/v1/held", list_held, described.LIST_HELD),
        ("GET", "/", held_page, described.HELD_PAGE),
    )
    for method, path, handler, about in table:
        app.add_api_route(path, handler, methods=[method], response_model=None, **about)
    app.add_route("/parkedz", show_stuck, methods=["GET"], include_in_schema=False)
    app.add_route("/docs", _docs_page, methods=["GET"], include_in_schema=False)
    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Crowded, _on_crowded)
    for away in AWAY:
        app.add_exception_handler(away, _on_away)
