"""The console as one process: the kit's loop that feeds the read tables, the pages, one database pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console import (
    account,
    approvals,
    asking,
    auditing,
    browser,
    covering,
    dealing,
    desk,
    drift,
    elsewhere,
    guarding,
    live,
    mishaps,
    ops,
    order,
    pages,
    parked,
    probing,
    sessions,
    signin,
    wishes,
)
from services.console.app import SERVICE
from services.console.door import Door, check_public
from services.console.gauges import Gauges
from services.console.receivables import account as account_ledger
from services.console.receivables import (
    balance,
    card_desk,
    differences,
    late_payment,
    measures,
    offsetting,
    payouts,
    reading_lists,
    receipt,
    reconciliations,
    statements,
    watching,
    written_off,
)
from services.console.receivables import desk as cash_desk
from shared.database import UNAVAILABLE, LoginRefused
from shared.engine import Engine
from shared.pool import open_pool
from shared.serve import probe_routes
from shared.settings import Settings

PAGES: tuple[ModuleType, ...] = (
    desk, order, account, approvals, asking, covering, auditing, live, dealing, ops, parked, cash_desk, receipt,
    balance, measures, account_ledger, statements, reconciliations, reading_lists, payouts, written_off, offsetting, late_payment,
    card_desk, differences,
)  # fmt: skip
"""Each has `ROUTES`, which only signed-in people reach; each handler says by `guarding.require` which roles."""
BESIDE: tuple[ModuleType, ...] = (live, probing, drift, watching)
"""Each has `async beside(app)`: work that runs as long as the process, once the pool is there."""
SWEEP_S = 3600.0


def application(engine: Engine, settings: Settings) -> Starlette:
    """The HTTP side. Files, templates and the public address are checked here: what is missing stops the start, not a page."""
    check_public(settings)
    browser.assets()
    pages.check()
    app = Starlette(routes=_routes(engine), lifespan=_life(settings), exception_handlers=mishaps.HANDLERS)
    app.add_middleware(Door, settings=settings)
    app.state.settings = settings
    app.state.gauges = Gauges(engine.metrics.registry)
    app.state.engine = engine
    app.state.hub = live.Hub()
    app.state.pool = None
    return app


def _routes(engine: Engine) -> list[Route]:
    behind = [guarding.guarded(route) for module in (signin, *PAGES) for route in module.ROUTES]
    to_all = [guarding.open_to_all(route) for route in (*signin.OPEN_ROUTES, *elsewhere.ROUTES)]
    return [*probe_routes(engine), *browser.ROUTES, *to_all, guarding.guarded(Route("/", start)), *behind]


def paths() -> frozenset[str]:
    """Where signed-in people's pages are."""
    return frozenset(route.path for module in PAGES for route in module.ROUTES)


async def start(request: Any) -> Response:
    """The first page of the navigation that there is for this person."""
    shown = pages.navigation(request, guarding.person(request).role)
    first = next((path for entries in shown.values() for _, path in entries), None)
    return RedirectResponse(first, 303) if first else pages.render(request, "nothing.html")


def _life(settings: Settings) -> Any:
    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        app.state.gateway = wishes.client(settings)
        app.state.probes = probing.client()
        # In the background, so that /livez answers and pages say "starting" while the database is away.
        running = asyncio.create_task(_run(app, settings), name="console")
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=3)
            await app.state.gateway.aclose()
            await app.state.probes.aclose()

    return life


async def _run(app: Starlette, settings: Settings) -> None:
    try:
        pool = await open_pool(settings, SERVICE.name, SERVICE.schema)
    except LoginRefused:
        return  # the loop meets it too, says so and ends the process
    app.state.pool = pool
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_sweep(pool), name="sweep")
            for module in BESIDE:
                group.create_task(module.beside(app), name=module.__name__)
    finally:
        pool.terminate()


async def _sweep(pool: asyncpg.Pool) -> None:
    while True:
        with contextlib.suppress(*UNAVAILABLE):
            await sessions.sweep(pool)
        await asyncio.sleep(SWEEP_S)
