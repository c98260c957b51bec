"""The gateway as one process: the kit's loop, the routes, the file reader, one database pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.gateway import api, credentials, described, uploads, withheld
from services.gateway.answering import Desk
from services.gateway.app import SERVICE
from services.gateway.backlog import Backlog
from services.gateway.door import Door, Traffic
from services.gateway.mapping import mappings
from services.gateway.reading import Reader
from services.gateway.waiting import Waiters
from shared.database import UNAVAILABLE, LoginRefused, connect
from shared.engine import Engine
from shared.pool import open_pool
from shared.serve import probe_routes
from shared.settings import Settings

SWEEP_S = 3600.0
WITHHELD_S = 10.0
"""How often what is withheld is counted, for metrics."""


def application(engine: Engine, settings: Settings) -> FastAPI:
    """The HTTP side. Mapping files are checked here, so that a wrong one stops the start and not a file."""
    mappings()
    traffic = Traffic(engine.metrics.registry)
    app = FastAPI(
        title="Quittance gateway",
        version="1",
        description=described.ABOUT,
        lifespan=_life(settings, traffic),
        docs_url=None,
        redoc_url=None,
    )
    api.routes(app)
    app.router.routes.extend(probe_routes(engine))
    app.add_middleware(Door, traffic=traffic)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema.setdefault("components", {}).setdefault("schemas", {}).update(described.components())
        schema["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"bearer": []}]
        app.openapi_schema = schema
    return app.openapi_schema


def _life(settings: Settings, traffic: Traffic) -> Any:
    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        # In the background, so that /livez answers and requests get a 503 while the database is away.
        running = asyncio.create_task(_run(app, settings, traffic), name="gateway")
        try:
            yield
        finally:
            running.cancel()
            await asyncio.wait({running}, timeout=3)

    return life


async def _run(app: FastAPI, settings: Settings, traffic: Traffic) -> None:
    try:
        pool = await open_pool(settings, SERVICE.name, SERVICE.schema)
    except LoginRefused:
        return  # the loop meets it too, says so and ends the process
    url = settings.database(SERVICE.name)
    if token := settings.gateway_token.get_secret_value():
        await credentials.only(pool, token, credentials.console())
    waiters = Waiters(pool, lambda: connect(url, settings.lease_s))
    backlog = Backlog(pool)
    reader = Reader(pool, settings, backlog, lambda: desk.now())
    app.state.desk = desk = Desk(settings, pool, waiters, reader, backlog, traffic)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(waiters.listen(), name="listen")
            group.create_task(desk.reader.run(), name="files")
            group.create_task(_sweep(pool), name="sweep")
            group.create_task(_count(pool, traffic), name="count")
    finally:
        pool.terminate()


async def _count(pool: asyncpg.Pool, traffic: Traffic) -> None:
    while True:
        with contextlib.suppress(*UNAVAILABLE):
            traffic.withheld.set(await withheld.waiting(pool))
        await asyncio.sleep(WITHHELD_S)


async def _sweep(pool: asyncpg.Pool) -> None:
    while True:
        with contextlib.suppress(*UNAVAILABLE):
            await uploads.sweep(pool)
        await asyncio.sleep(SWEEP_S)
