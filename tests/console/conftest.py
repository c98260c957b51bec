"""A database of the console's own for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.console.app import SERVICE


@pytest.fixture
async def console(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(SERVICE.schema.read_text())
        yield connection
    finally:
        await connection.close()
