"""The connections that requests share. Nobody waits for one without end: beyond a bound the request is shed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from shared.database import connect, prepare
from shared.settings import Settings

log = structlog.get_logger(__name__)

POOL_MAX = 16
"""Connections for requests: more would only queue inside PostgreSQL."""
ACQUIRE_S_MAX = 2.0
"""How long a request waits for one: who waits longer is one too many, however fast or slow the machine is."""
RETRY_S = 1.0


class Crowded(TimeoutError):
    """No connection came free in ACQUIRE_S_MAX. For work beside the requests it is a timeout like others: try again later."""


class PatientPool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg publishes no types
    """Raises Crowded when none comes free (or a further one takes as long to open), TimeoutError when there is none at all."""

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - the signature is the pool's
        try:
            return await super()._acquire(timeout or ACQUIRE_S_MAX)
        except TimeoutError as error:
            if self.get_size():
                raise Crowded(f"no connection was free for {ACQUIRE_S_MAX:g} s") from error
            raise


async def open_pool(settings: Settings, service: str, schema: Path) -> PatientPool:
    """A pool of bounded connections to a service's database, once it is there with its schema. Raises `LoginRefused`."""
    url = settings.database(service)

    async def bounded(*_: Any, **__: Any) -> asyncpg.Connection:
        return await connect(url, settings.lease_s)

    while True:
        try:
            await prepare(settings, service, schema)
            pool: PatientPool = await PatientPool(
                connect=bounded, min_size=1, max_size=POOL_MAX, max_queries=50_000, max_inactive_connection_lifetime=300.0,
                connection_class=asyncpg.Connection, record_class=asyncpg.Record, loop=None,
            )  # fmt: skip
            return pool
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("waiting for the database", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(RETRY_S)
