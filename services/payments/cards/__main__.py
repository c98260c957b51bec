"""Runs beside the ledger: asks the acquirer, and takes its callbacks. Any number of it may run."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette

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

    async def tell(told: executor.Told) -> None:
        await executor.tell(pool, config.partitions, [told])

    async with client_of(config.acquirer, token) as client:
        asking = executor.Executor(
            lambda after: executor.pending(pool, after),
            HttpAcquirer(client),
            lambda told: executor.tell(pool, config.partitions, told),
            now,
        )

        @contextlib.asynccontextmanager
        async def life(_: Starlette) -> AsyncIterator[None]:
            running = asyncio.create_task(asking.run(), name="executor")
            yield
            running.cancel()
            await asyncio.wait({running}, timeout=3)

        app = Starlette(routes=[callback.route(secret, lambda name: callback.find(pool, name), tell, now)], lifespan=life)
        await uvicorn.Server(uvicorn.Config(app, host=config.host, port=config.port, log_level="warning")).serve()


if __name__ == "__main__":
    found = settings()
    logs.configure(found, "payments.cards")
    asyncio.run(main(found))
