"""The gateway as one process: the kit's loop, the routes, the file reader, one database pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from services.gateway import api, described, uploads
from services.gateway.answering import Desk
from services.gateway.app import SERVICE
from services.gateway.backlog import Backlog
from services.gateway.door import Door, Traffic
from services.gateway.mapping import mappings
from services.gateway.reading import Reader
from services.gateway.waiting import Waiters
from shared.database import connect, prepare
from shared.engine import Engine
from shared.pool import POOL_MAX, PatientPool
from shared.serve import probe_routes
from shared.settings import Settings

log = structlog.get_logger(__name__)

RETRY_S = 1.0
SWEEP_S = 3600.0


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
    pool = await _pool(settings)
    url = settings.database(SERVICE.name)
    waiters = Waiters(pool, lambda: connect(url, settings.lease_s))
    backlog = Backlog(pool)
    reader = Reader(pool, settings, backlog, lambda: desk.now())
    app.state.desk = desk = Desk(settings, pool, waiters, reader, backlog, traffic)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(waiters.listen(), name="listen")
            group.create_task(desk.reader.run(), name="files")
            group.create_task(_sweep(pool), name="sweep")
    finally:
        pool.terminate()


async def _pool(settings: Settings) -> asyncpg.Pool:
    """A pool of bounded connections, once the database is there with its schema."""
    url = settings.database(SERVICE.name)

    async def bounded(*_: Any, **__: Any) -> asyncpg.Connection:
        return await connect(url, settings.lease_s)

    while True:
        try:
            await prepare(settings, SERVICE.name, SERVICE.schema)
            return await PatientPool(
                connect=bounded, min_size=1, max_size=POOL_MAX, max_queries=50_000, max_inactive_connection_lifetime=300.0,
                connection_class=asyncpg.Connection, record_class=asyncpg.Record, loop=None,
            )  # fmt: skip
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("waiting for the database", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(RETRY_S)


async def _sweep(pool: asyncpg.Pool) -> None:
    while True:
        with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await uploads.sweep(pool)
        await asyncio.sleep(SWEEP_S)
