"""The console's audit: who came and went, and what was refused to whom. Only ever added to; looked at by directors and audit."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.console import guarding, pages
from services.console.people import Person

log = structlog.get_logger(__name__)

READERS = ("director", "audit")
PAGE = 100
TEXT_MAX = 300
"""Longest text kept of what a stranger sent."""


async def note(request: Request, what: str, who: Person | str, detail: str = "") -> None:
    """Add an entry. `who` is a person, or the name that somebody tried."""
    name, role = (who, "") if isinstance(who, str) else (who.name, who.role)
    address, path = guarding.address_of(request), request.url.path[:TEXT_MAX]
    log.info("audit", what=what, person=name, role=role, address=address, path=path)
    await request.app.state.pool.execute(
        "insert into audit (what, person, role, address, path, detail) values ($1, $2, $3, $4, $5, $6)",
        *(_storable(text) for text in (what, name, role, address, path, detail[:TEXT_MAX])),
    )


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL, UTF-8 no half of a surrogate pair."""
    return text.replace("\0", "").encode(errors="replace").decode()


async def page(pool: asyncpg.Pool, before: int, person: str) -> Sequence[asyncpg.Record]:
    rows: Sequence[asyncpg.Record] = await pool.fetch(
        """
        select n, at, what, person, role, address, path, detail from audit
        where ($1 = 0 or n < $1) and ($2 = '' or person = $2) order by n desc limit $3
        """,
        before,
        person,
        PAGE,
    )
    return rows


async def show(request: Request) -> Response:
    guarding.require(request, *READERS)
    before = request.query_params.get("before", "")
    person = _storable(request.query_params.get("person", ""))[:64]
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else 0
    rows = await page(request.app.state.pool, number, person)
    more = rows[-1]["n"] if len(rows) == PAGE else None
    return pages.render(request, "audit.html", rows=rows, more=more, sought=person)


ROUTES = [Route("/audit", show)]
