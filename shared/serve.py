"""Runs a service as a process: the engine, and small pages for machines (/livez, /readyz, /metrics, /parkedz)."""

from __future__ import annotations

import asyncio
import gc
import signal
import time

import msgspec
import structlog
import uvicorn
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared import logs
from shared.database import UNAVAILABLE, LoginRefused, connect
from shared.engine import REFUSALS, Engine
from shared.service import Service
from shared.settings import Settings, settings
from shared.stuck import Stuck, stuck

log = structlog.get_logger(__name__)

COLLECT_EVERY = 50_000
"""Allocations between two looks of the cyclic collector: some thirty batches."""
PAGES_END_S = 5
"""How long a stopping process waits for requests under way; a stream that does not end by itself is cut off."""
PARKED_S_MAX = 1.5
"""How long /parkedz looks; one look at a time, so that asking often costs the service one connection."""
REFUSED = 1
"""Exit code of a service that does not run as it is set up."""
STUCK_S = 60.0
"""A loop that has not turned for so long is not alive; longer than any bounded wait inside a turn."""


def probe_routes(engine: Engine) -> list[Route]:
    """/livez: the loop turns (whatever broker and database do). /readyz: partitions are held. /metrics: Prometheus."""

    async def livez(_: Request) -> Response:
        alive = engine.ready is False or time.monotonic() - engine.turned_at < STUCK_S
        return PlainTextResponse("alive\n" if alive else "stuck\n", status_code=200 if alive else 503)

    async def readyz(_: Request) -> Response:
        return PlainTextResponse("ready\n" if engine.ready else "not ready\n", status_code=200 if engine.ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(engine.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def parked_route(engine: Engine) -> Route:
    """/parkedz: what waits here for somebody to mend it. It names accounts, so only services that nobody from outside reaches
    answer it to whoever asks."""
    looking = asyncio.Lock()

    async def parkedz(_: Request) -> Response:
        try:
            async with asyncio.timeout(PARKED_S_MAX), looking:
                return told(await _look(engine))
        except UNAVAILABLE as error:
            log.warning("/parkedz not answered", error=f"{type(error).__name__}: {error}")
            return PlainTextResponse("the database does not answer\n", status_code=503)

    return Route("/parkedz", parkedz)


async def _look(engine: Engine) -> Stuck:
    connection = await connect(engine.settings.database(engine.service.name), engine.settings.lease_s)
    try:
        return await stuck(connection)
    finally:
        connection.terminate()


def told(found: Stuck) -> Response:
    return Response(msgspec.json.encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process stops engine and pages together."""

    def install_signal_handlers(self) -> None:
        return None


async def run(engine: Engine, app: Starlette, config: Settings) -> None:
    server = Server(
        uvicorn.Config(
            app,
            host=config.host,
            port=config.port,
            log_level="warning",
            lifespan="on",
            timeout_graceful_shutdown=PAGES_END_S,
        )
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, engine.stop)
    pages = asyncio.create_task(server._serve(), name="pages")
    try:
        await engine.run()
    except (*REFUSALS, LoginRefused):
        raise SystemExit(REFUSED) from None  # what and why stands in the log, in one line
    finally:
        server.should_exit = True
        await pages


def calm_collector() -> None:
    """Rows and messages hold no cycles; the collector would walk every cached row again and again (10 % of a busy writer)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 50, 100)


def serve(service: Service) -> None:
    """The main function of a service without pages of its own."""
    config = settings()
    logs.configure(config, service.name)
    calm_collector()
    engine = Engine(service, config)
    uvloop.run(run(engine, Starlette(routes=[*probe_routes(engine), parked_route(engine)]), config))
