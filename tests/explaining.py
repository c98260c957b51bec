"""How PostgreSQL would do what a query function asks, without doing it."""

from __future__ import annotations

from typing import Any

import asyncpg


class Explaining:
    """A connection that asks how a query would be done instead of doing it."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self.plan = ""

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        lines = await self._connection.fetch(f"explain {query}", *values)
        self.plan = "\n".join(line[0] for line in lines)
        return []

    async def fetchrow(self, query: str, *values: Any) -> None:
        await self.fetch(query, *values)

    async def fetchval(self, query: str, *values: Any) -> int:
        await self.fetch(query, *values)
        return 0
