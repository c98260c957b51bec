"""`quittance trace`: everything that was said about an order or in a flow, by all services, in order of cause, and what led to it
from elsewhere: the cash that freed an order's limit, back to the bank's file.

Read from the services' journals, which hold each message exactly as it was published.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from contracts.envelope import Envelope, Unreadable, encode_value, read
from contracts.message import type_name
from contracts.orders import OrderReleased, RecheckOpened
from contracts.payments import ReceiveCash, StatementTaken
from quittance.cast import TRADING
from quittance.installation import Unusable
from quittance.parked import open_databases
from quittance.readers import connected
from shared import archive
from shared.settings import Settings

MESSAGES_MAX = 2_000
"""Messages of one trace; a file of a million orders is one flow, and nobody reads that."""
CAUSES_DEEP_MAX = 16
"""Steps back from what names the order: from a release to the bank's file are six."""
BRIDGED_MAX = 50
"""Steps whose timer is looked for: each reads a journal through. A flow of thousands is not read step by step."""
_FLOW = re.compile(r"[0-9a-f]{32}")


class Step(msgspec.Struct, frozen=True):
    """One message. `cause` is the id of the message that led to it, which may be a request that is in no journal."""

    id: str
    cause: str
    at: dt.datetime
    service: str
    type: str
    subject: str
    home: str
    flow: str
    sequence: int
    actor: str
    data: msgspec.Raw


class Trace(msgspec.Struct, frozen=True):
    """In order of cause: `depth` of each step, and the step."""

    steps: list[tuple[int, Step]]
    cut: bool


def is_flow(name: str) -> bool:
    return _FLOW.fullmatch(name) is not None


async def trace(settings: Settings, name: str) -> Trace:
    """All that names this flow or order. Raises `Unusable` when nothing does."""
    found: list[tuple[str, Envelope]] = []
    for service in TRADING:
        found += [(service, envelope) for envelope in await _said(settings, service, name)]
    if not found:
        await _require_attached(settings, name)
        raise Unusable(f"nothing was said about {name!r}; give a flow id (32 hex digits) or an order (wholesale/536365)")
    steps = [_step(*each) for each in found]
    return Trace(list(_in_order(await _with_causes(settings, steps))), len(found) >= MESSAGES_MAX)


async def _require_attached(settings: Settings, name: str) -> None:
    """Raises `Unusable` where part of a journal is archived, because it may be there."""
    async with open_databases(settings, TRADING) as databases:
        parts = [service for service, connection in databases.items() if await archive.missing(connection)]
    if parts:
        attach = " and ".join(f"`quittance journal attach {service}`" for service in parts)
        raise Unusable(f"nothing at hand was said about {name!r}, but older rows are archived: {attach}, then ask again")


async def _with_causes(settings: Settings, steps: list[Step]) -> list[Step]:
    """And what names neither the order nor the flow, and led to what does: cause by cause, as far as there is one."""
    known, whole, latest, bridged = {step.id for step in steps}, list[Step](), steps, 0
    for _ in range(CAUSES_DEEP_MAX):
        timed = [step for step in latest if _is_of_timer(step) and step.cause not in known][: BRIDGED_MAX - bridged]
        bridged += len(timed)
        found = {step.id: await _bridged(settings, step) for step in timed}
        latest = [found.get(step.id, step) for step in latest]
        whole += latest
        missing = sorted({step.cause for step in latest if step.cause} - known)
        if not missing:
            break
        known.update(missing)  # a request is in no journal: it is not looked for again
        sought = [cause.encode() for cause in missing]
        latest = [_step(service, each) for service in TRADING for each in await _journal(settings, service, _BY_ID, sought)]
    return whole


def _is_of_timer(step: Step) -> bool:
    """A recheck's release, or recognised cash. Other work of timers (a mark reached, a reservation lapsed) has no cause."""
    released = step.type == type_name(OrderReleased) and step.service == step.actor == "orders"
    return released or step.type == type_name(ReceiveCash)


async def _bridged(settings: Settings, step: Step) -> Step:
    """As caused by what the timer was set for: a timer's own commands are in no journal.

    A group has one recheck at a time, so a recheck's release answers the opening just before it. Cash is recognised from the
    statement that first landed its entry.
    """
    if step.type == type_name(OrderReleased):
        opening = await _journal(settings, "orders", _OPENING, step.home, step.sequence, type_name(RecheckOpened).encode())
        return replace(step, cause=opening[0].id) if opening else step
    cash = msgspec.json.decode(step.data, type=ReceiveCash)
    entry = b'"entry":' + encode_value(cash.bank_entry)
    landing = await _journal(
        settings, "payments", _LANDING, f"bank/{cash.bank_account}", entry, type_name(StatementTaken).encode()
    )
    return replace(step, cause=landing[0].id) if landing else step


async def _said(settings: Settings, service: str, name: str) -> list[Envelope]:
    exact = re.compile(rb"(?<![\w/])(?:[\w-]*-)?" + re.escape(name.encode()) + rb"(?![\w-])")
    return await _journal(settings, service, _BY_NAME, name.encode(), exact=exact)


_BY_NAME = f"""
    select body from journal where position($1::bytea in body) > 0 order by at, partition, lane, sequence limit {MESSAGES_MAX}
"""
_BY_ID = """select body from journal where substring(body from position('"id":"'::bytea in body) + 6 for 32) = any($1::bytea[])"""
_OPENING = """
    select body from journal where home = $1 and lane = '' and sequence < $2 and position($3::bytea in body) > 0
    order by sequence desc limit 1
"""
_LANDING = """
    select body from journal where home = $1 and lane = '' and position($2::bytea in body) > 0 and position($3::bytea in body) > 0
    order by sequence limit 1
"""


async def _journal(
    settings: Settings, service: str, query: str, *sought: object, exact: re.Pattern[bytes] | None = None
) -> list[Envelope]:
    try:
        connection = await connected(settings, service)
    except Unusable:
        return []  # this service has never run here
    try:
        await connection.execute("set statement_timeout = 0")
        rows = await connection.fetch(query, *sought)
    finally:
        connection.terminate()
    return [
        envelope for row in rows if (exact is None or exact.search(row["body"])) and (envelope := _read(row["body"])) is not None
    ]


def _read(body: bytes) -> Envelope | None:
    try:
        return read(body)
    except Unreadable:
        return None  # of a newer release


def _step(service: str, envelope: Envelope) -> Step:
    return Step(
        id=envelope.id,
        cause=envelope.causationid,
        at=envelope.time,
        service=service,
        type=type_name(type(envelope.data)),
        subject=envelope.subject,
        home=envelope.partitionkey,
        flow=envelope.correlationid,
        sequence=int(envelope.sequence),
        actor=envelope.actorid,
        data=msgspec.Raw(encode_value(envelope.data)),
    )


def _in_order(steps: Iterable[Step]) -> Iterable[tuple[int, Step]]:
    """Each step behind its cause, effects of one cause by time."""
    known = {step.id: step for step in steps}
    effects: dict[str, list[Step]] = {}
    for step in known.values():
        effects.setdefault(step.cause if step.cause in known else "", []).append(step)
    waiting = [(0, step) for step in sorted(effects.get("", ()), key=_by_time, reverse=True)]
    while waiting:
        depth, step = waiting.pop()
        yield depth, step
        waiting += [(depth + 1, effect) for effect in sorted(effects.get(step.id, ()), key=_by_time, reverse=True)]


def _by_time(step: Step) -> tuple[dt.datetime, str, int]:
    return step.at, step.service, step.sequence
