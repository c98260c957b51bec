"""The console's door without the house behind it: its application on a real database, asked over ASGI as a browser would."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from starlette.applications import Starlette

from services.console import people
from services.console.app import SERVICE
from services.console.people import Person
from services.console.serving import application
from shared.engine import Engine
from shared.pool import open_pool
from shared.settings import Settings
from shared.testing import Servers

HTML = {"Accept": "text/html"}
PASSWORD = "a password of tests only"
DORA = Person("dora", "Dora Whitlock", "director", "home")


@dataclass
class Door:
    app: Starlette
    settings: Settings
    pool: asyncpg.Pool
    url: str

    def browser(self, address: str = "192.0.2.7") -> httpx.AsyncClient:
        """A browser with cookies of its own, at this address, that says where its forms come from."""
        transport = httpx.ASGITransport(self.app, client=(address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url=self.url, headers=HTML | {"Origin": self.url})

    async def sign_in(
        self, browser: httpx.AsyncClient, name: str, password: str = PASSWORD, to: str = "/audit"
    ) -> httpx.Response:
        form = {"name": name, "password": password, "next": to, "csrf": token_in(await browser.get("/sign-in"))}
        return await browser.post("/sign-in", data=form)

    async def audited(self) -> list[tuple[str, str]]:
        rows = await self.pool.fetch("select what, person from audit order by n")
        return [(row["what"], row["person"]) for row in rows]


def token_in(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


@asynccontextmanager
async def door(servers: Servers, home: Path, **more: Any) -> AsyncIterator[Door]:
    settings = Settings(
        kafka=servers.kafka, postgres=servers.postgres, namespace=f"t{uuid4().hex[:8]}_", home=home, port=8084, **more
    )
    app = application(Engine(SERVICE, settings), settings)
    app.state.pool = pool = await open_pool(settings, SERVICE.name, SERVICE.schema)
    try:
        async with pool.acquire() as connection:
            await people.add(connection, DORA, PASSWORD)
        yield Door(app, settings, pool, settings.public_url or "http://127.0.0.1:8084")
    finally:
        pool.terminate()
        server = await asyncpg.connect(servers.postgres)
        await server.execute(f'drop database "{settings.database_name(SERVICE.name)}" with (force)')
        await server.close()
