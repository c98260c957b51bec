"""The console's pages before a ledger in memory: what is wished on a page is decided by the real ledger, and its facts come back.

Stands in for the gateway and the loop: a wish is one POST, its facts are projected before it is answered.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette

import shared
from contracts.accounts import AccountOpened, Terms
from contracts.catalogue import MESSAGES
from contracts.envelope import Envelope, derived_id
from contracts.forms import message_of
from contracts.message import Message
from contracts.payments import CommandRefused, CommandUnneeded, RecogniseCash
from services.console import app as console
from services.console import serving, sessions
from services.console.app import SERVICE
from services.console.people import Person
from shared.engine import Engine
from shared.settings import Settings
from shared.testing import Servers, fresh_database
from tests.models.payments_books import Books

PEOPLE = (
    Person("rose", "Rose Osei", "controller", "credit"),
    Person("nora", "Nora", "controller", "credit"),
    Person("tom", "Tom Ibarra", "team_leader", "credit"),
    Person("sal", "Sal", "sales", "sales"),
    Person("nell", "Nell", "controller", "north", ("north",)),
)


def envelope(fact: Any, at: Any, home: str, n: int, actor: str = "") -> Envelope:
    service = type(fact).__module__.rsplit(".", 1)[-1]
    return Envelope(
        specversion="1.0",
        id=derived_id(service, str(n)),
        source=f"/{service}/0",
        time=at,
        subject="",
        partitionkey=home,
        sequence=f"{n:016d}",
        actorid=actor,
        data=fact,
    )


TOKEN = r'name="csrf" value="([^"]+)"'


class Ledger(Books):
    """The books, and how far the console has heard of them."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0
        self.masters: list[Envelope] = []

    def open(self, account: str, home: str = "", portfolio: str = "main", **more: Any) -> None:
        fields = {"name": f"{account.title()} Ltd", "currency": "GBP", "limit_minor": 1_000_000} | more
        opened = AccountOpened(account=account, home=home or account, terms=Terms(portfolio=portfolio), **fields)
        self.do(opened)
        self.masters.append(envelope(opened, self.at, home or account, len(self.masters) + 1))

    def news(self) -> list[Envelope]:
        """What was said since, as the console hears it: accounts first."""
        facts = self.masters + [
            envelope(fact, at, home, n) for n, (at, home, fact) in enumerate(self.journal, start=1) if n > self.heard
        ]
        self.masters, self.heard = [], len(self.journal)
        return facts


async def hear(connection: asyncpg.Connection, facts: Sequence[Envelope], size: int = 1_000) -> None:
    """Bring the console up to these facts, in batches of this size."""
    for first in range(0, len(facts), size):
        async with connection.transaction():
            await console.project(connection, facts[first : first + size])


class Office:
    """`get` and `post` are somebody signed in; `ledger` decides what they wish."""

    def __init__(self, app: Starlette, pool: asyncpg.Pool, ledger: Ledger) -> None:
        self.app, self.pool, self.ledger = app, pool, ledger
        self.wished: list[Message] = []
        app.state.gateway = httpx.AsyncClient(transport=httpx.MockTransport(self._decide), base_url="http://gateway")

    async def catch_up(self) -> None:
        async with self.pool.acquire() as connection:
            await hear(connection, self.ledger.news())

    async def _decide(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        wish = message_of(MESSAGES[asked["type"]], asked["data"])
        self.wished.append(wish)
        who, role = request.headers["Quittance-Actor"], request.headers["Quittance-Role"]
        facts = self.ledger.do(self._addressed(wish), actor=who, role=role)
        await self.catch_up()
        return httpx.Response(200, json=_outcome(facts[0]))

    def _addressed(self, wish: Message) -> Message:
        """The gateway fills in where an account lives; nobody may say it himself."""
        if isinstance(wish, RecogniseCash) and wish.account is not None and (known := self.ledger.account(wish.account)):
            assert wish.account_home is None, "a caller does not say where an account lives"
            return replace(wish, account_home=known.home)
        return wish

    async def client(self, name: str) -> httpx.AsyncClient:
        port = self.app.state.settings.port
        cookies = {f"quittance-session-{port}": await sessions.begin(self.pool, name, "127.0.0.1")}
        transport = httpx.ASGITransport(app=self.app)
        headers = {"Accept": "text/html", "Origin": "http://127.0.0.1"}
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", cookies=cookies, headers=headers)

    async def get(self, name: str, path: str) -> httpx.Response:
        async with await self.client(name) as client:
            return await client.get(path)

    async def read(self, name: str, path: str) -> str:
        """The page without its forms' tokens: of so many chance letters some were `I3`, which a test looked for in vain."""
        answer = await self.get(name, path)
        assert answer.status_code == 200, answer.text
        return re.sub(TOKEN, "", answer.text)

    async def act(self, name: str, on: str, path: str = "/cash/act", page: str = "", **form: str) -> httpx.Response:
        """A form of the page that shows `on`, filled in and sent; the page that answers."""
        async with await self.client(name) as client:
            shown = await client.get(page or f"/cash?on={on}")
            assert shown.status_code == 200, shown.text
            found = re.search(TOKEN, shown.text)
            assert found, shown.text
            return await client.post(path, data={"csrf": found[1], "on": on, **form}, follow_redirects=True)


def _outcome(fact: Message) -> dict[str, Any]:
    data = msgspec.to_builtins(fact)
    word = "refused" if isinstance(fact, CommandRefused) else "unchanged" if isinstance(fact, CommandUnneeded) else "done"
    return {"outcome": word, "fact": {"data": data}}


SCHEMA = Path(shared.__path__[0], "schema.sql").read_text() + SERVICE.schema.read_text()


def house_of(servers: Servers) -> Iterator[str]:
    """The URL of one database for a whole module: making one takes longer than most of its tests."""
    with asyncio.Runner() as runner:
        making = fresh_database(servers.postgres, SCHEMA)
        yield runner.run(making.__aenter__())
        runner.run(making.__aexit__(None, None, None))


@asynccontextmanager
async def office(url: str, home: Path, ledger: Ledger) -> AsyncIterator[Office]:
    """The console on an empty database, once it has heard all of the ledger."""
    settings = Settings(home=home)
    app = serving.application(Engine(SERVICE, settings), settings)
    async with asyncpg.create_pool(url, min_size=1, max_size=4) as pool:
        await _move_in(pool)
        app.state.pool = pool
        found = Office(app, pool, ledger)
        await found.catch_up()
        yield found
        await app.state.gateway.aclose()


async def _move_in(pool: asyncpg.Pool) -> None:
    """Nothing of the test before; people without passwords, since nobody signs in here and a hash takes its time."""
    tables = await pool.fetch("select tablename from pg_tables where schemaname = 'public' and tablename <> 'window_worker'")
    await pool.execute("truncate " + ", ".join(f'"{row["tablename"]}"' for row in tables))
    await pool.executemany(
        "insert into person (name, shown, role, team, portfolios, zone) values ($1, $2, $3, $4, $5, $6)",
        [(each.name, each.shown, each.role, each.team, list(each.portfolios), each.zone) for each in PEOPLE],
    )
