"""`quittance trace`: everything that was said about an order or in a flow, by all services, in order of cause.

Read from the services' journals, which hold each message exactly as it was published.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable

import asyncpg
import msgspec

from contracts.envelope import Envelope, Unreadable, encode_value, read
from contracts.message import type_name
from quittance.cast import TRADING
from quittance.installation import Unusable
from quittance.parked import open_databases
from quittance.readers import connected
from shared import archive
from shared.settings import Settings

MESSAGES_MAX = 2_000
"""Messages of one trace; a file of a million orders is one flow, and nobody reads that."""
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
    return Trace(list(_in_order(_step(*each) for each in found)), len(found) >= MESSAGES_MAX)


async def _require_attached(settings: Settings, name: str) -> None:
    """Raises `Unusable` where part of a journal is archived, because it may be there."""
    async with open_databases(settings, TRADING) as databases:
        parts = [service for service, connection in databases.items() if await archive.missing(connection)]
    if parts:
        attach = " and ".join(f"`quittance journal attach {service}`" for service in parts)
        raise Unusable(f"nothing at hand was said about {name!r}, but older rows are archived: {attach}, then ask again")


async def _said(settings: Settings, service: str, name: str) -> list[Envelope]:
    try:
        connection = await connected(settings, service)
    except Unusable:
        return []  # this service has never run here
    try:
        await connection.execute("set statement_timeout = 0")
        rows = await _rows(connection, name)
    finally:
        connection.terminate()
    exact = re.compile(rb"(?<![\w/])(?:[\w-]*-)?" + re.escape(name.encode()) + rb"(?![\w-])")
    return [envelope for row in rows if exact.search(row["body"]) and (envelope := _read(row["body"])) is not None]


async def _rows(connection: asyncpg.Connection, name: str) -> list[asyncpg.Record]:
    rows: list[asyncpg.Record] = await connection.fetch(
        "select body from journal where position($1::bytea in body) > 0 order by at, partition, lane, sequence limit $2",
        name.encode(),
        MESSAGES_MAX,
    )
    return rows


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
