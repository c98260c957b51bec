"""Held orders with their reasons, as JSON and as one plain page, from facts the gateway heard. Decides nothing."""

from __future__ import annotations

import datetime as dt
import functools
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts.orders import Decision, Placed
from services.gateway.credentials import Credential
from services.gateway.problems import Problem
from shared import money
from shared.credit import reasons

PAGE = 200
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
BEFORE_ALL = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
PAGES = Path(__file__).with_name("pages")
_decode_decision = msgspec.json.Decoder(Decision).decode
_decode_placed = msgspec.json.Decoder(Placed).decode


class HeldPage(NamedTuple):
    """`total` orders wait; `rows` are the oldest of them behind the asked-for place."""

    total: int
    rows: list[dict[str, Any]]
    next: str | None


async def page(pool: asyncpg.Pool, who: Credential, after: str = "") -> HeldPage:
    """The held orders of the portfolios that this credential sees, oldest first."""
    total = await pool.fetchval(
        "select count(*) from held left join account using (account) where $1::text[] = '{}' or portfolio = any($1)",
        list(who.portfolios),
    )
    rows = await pool.fetch(
        """
        select held.*, account.name from held left join account using (account)
        where ($1::text[] = '{}' or portfolio = any($1)) and (since, "order") > ($2::timestamptz, $3)
        order by since, "order" limit $4
        """,
        list(who.portfolios),
        *_place(after),
        PAGE,
    )
    shown = [_shown(row) for row in rows]
    return HeldPage(total, shown, _token(rows[-1]) if len(shown) == PAGE else None)


def _token(row: asyncpg.Record) -> str:
    """Where a page ends: `<microseconds since 1970>~<order>`, which goes into an address as it is."""
    return f"{(row['since'] - EPOCH) // dt.timedelta(microseconds=1)}~{row['order']}"


def _place(after: str) -> tuple[dt.datetime, str]:
    """Raises `Problem` 400 for what no page gave."""
    if not after:
        return BEFORE_ALL, ""
    micros, _, order = after.partition("~")
    try:
        return EPOCH + dt.timedelta(microseconds=int(micros)), order
    except (ValueError, OverflowError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "after must be what `next` gave") from error


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    decision = _decode_decision(row["decision"]) if row["decision"] else None
    placed = _decode_placed(row["placed"]) if row["placed"] else None
    currency = placed.currency if placed else decision.inputs.currency if decision else "GBP"
    return {
        "order": row["order"],
        "account": row["account"],
        "name": row["name"] or row["account"],
        "since": row["since"].isoformat(),
        "level": row["level"],
        "currency": currency,
        "total": money.as_text(placed.total_minor, currency) if placed else None,
        "reasons": [reasons.told(finding, currency) for finding in decision.held_by] if decision else [],
        "exposure": _exposure(decision, currency) if decision else None,
        "policy": decision.policy if decision else None,
        "findings": [msgspec.to_builtins(finding) for finding in decision.held_by] if decision else [],
    }


EXPOSURE_PARTS = {
    "open_items_minor": "Open items",
    "unbilled_minor": "Despatched, not invoiced",
    "reserved_minor": "Released, not despatched",
    "deals_minor": "Pre-approved deals",
    "soft_credits_minor": "Soft credits",
    "insured_minor": "Insured",
    "disputed_minor": "In dispute",
}


def _exposure(decision: Decision, currency: str) -> dict[str, Any]:
    """What the account could cost, and what it is made of (F1)."""
    inputs = decision.inputs
    parts = {told: getattr(inputs, name) for name, told in EXPOSURE_PARTS.items()}
    return {
        "total": money.as_text(inputs.exposure_minor, currency),
        "limit": money.as_text(inputs.limit_minor, currency),
        "parts": {told: money.as_text(minor, currency) for told, minor in parts.items() if minor},
    }


# --- pages ----------------------------------------------------------------------------------------------------------


@functools.cache
def _templates() -> Environment:
    return Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def render(name: str, **values: Any) -> str:
    return _templates().get_template(name).render(**values)


def held_html(found: HeldPage, team: str, now: dt.datetime) -> str:
    return render("held.html", held=found, team=team, now=now.strftime("%d %b %Y, %H:%M:%S UTC"))
