"""Runs beside the ledger: asks the acquirer, and takes its callbacks. Any number of it may run."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.payments.app import SERVICE
from services.payments.cards import callback, executor
from services.payments.cards.over_http import HttpAcquirer, client_of
from shared import logs
from shared.pool import open_pool
from shared.settings import Settings, settings


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def main(config: Settings) -> None:
    token, secret = config.acquirer_token.get_secret_value(), config.acquirer_secret.get_secret_value()
    pool = await open_pool(config, SERVICE.name, SERVICE.schema)

    async def tell_all(told: Sequence[executor.Told]) -> None:
        if config.clock == "event":
            told = await executor.on_event_time(pool, config.partitions, told)
        await executor.tell(pool, config.partitions, told)

    async def tell(told: executor.Told) -> None:
        await tell_all([told])

    async with client_of(config.acquirer, token) as client:
        asking = executor.Executor(
            lambda after: executor.pending(pool, after),
            HttpAcquirer(client),
            tell_all,
            now,
        )

        @contextlib.asynccontextmanager
        async def life(_: Starlette) -> AsyncIterator[None]:
            running = asyncio.create_task(asking.run(), name="executor")
            yield
            running.cancel()
            await asyncio.wait({running}, timeout=3)

        async def alive(_: Request) -> Response:
            return PlainTextResponse("alive\n")

        async def ready(_: Request) -> Response:
            return PlainTextResponse(*(("ready\n", 200) if asking.is_ready() else ("not ready\n", 503)))

        heard = callback.route(secret, lambda name: callback.find(pool, name), tell, now)
        app = Starlette(routes=[heard, Route("/livez", alive), Route("/readyz", ready)], lifespan=life)
        await uvicorn.Server(uvicorn.Config(app, host=config.host, port=config.port, log_level="warning")).serve()


if __name__ == "__main__":
    found = settings()
    logs.configure(found, "payments.cards")
    asyncio.run(main(found))
