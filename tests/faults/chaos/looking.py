"""The rig's own eyes and hands in the databases: straight to the server, past the proxies, asking until there is an answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg

from shared.settings import Settings

AGAIN_S = 0.1
CONNECT_S_MAX = 5.0
ANSWER_S_MAX = 600.0
"""The audit reads whole journals in one query."""
AWAY = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError, asyncpg.InterfaceError,
        asyncpg.InternalClientError, asyncpg.InsufficientResourcesError, asyncpg.InternalServerError)  # fmt: skip
"""Signs of a server that is away, starting, or out of disk."""

Value = TypeVar("Value")


class Desk:
    """One connection to the database of one service, made anew whenever it is lost."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._url = settings.database(service)
        self._connection: asyncpg.Connection | None = None
        self._one_by_one = asyncio.Lock()

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        return await self.do(lambda connection: connection.fetch(query, *arguments, timeout=ANSWER_S_MAX))

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        return await self.do(lambda connection: connection.fetchval(query, *arguments, timeout=ANSWER_S_MAX))

    async def do(self, work: Callable[[asyncpg.Connection], Awaitable[Value]]) -> Value:
        """Do it until it succeeds; it may have been done before when its answer was lost."""
        async with self._one_by_one:
            while True:
                try:
                    return await work(await self._connected())
                except AWAY:
                    self._drop()
                    await asyncio.sleep(AGAIN_S)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url, timeout=CONNECT_S_MAX)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*AWAY):
                self._connection.terminate()
        self._connection = None

    def close(self) -> None:
        self._drop()
