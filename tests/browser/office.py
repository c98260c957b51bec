"""A running house with its console, and people who look at it through Chromium as they would at work.

`Office.visit` opens a page signed in as somebody. What a page must never do is watched on all of them: ask another host for
anything, break its own content policy, or throw in a script.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import httpx
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from quittance.people import DEMO
from quittance.readers import Link, caught_up, desks
from services.console import people
from services.gateway import credentials
from services.gateway.credentials import Credential
from shared.settings import Settings
from shared.testing import Servers
from tests.running import House, finished, house

Value = TypeVar("Value")

CHROMIUM = ("chromium-headless-shell", "chromium")
"""The first that is installed: one engine, but without a window the same pages take two fifths of the processor's time."""
PASSWORD = "a password of tests only"
FACTS = ("accounts", "orders", "payments")
SERVICES = (*FACTS, "gateway", "console")
DESKTOP, PHONE = (1280, 800), (390, 844)
SEEN_S_MAX = 30.0
CSV = {"Content-Type": "text/csv"}
IGNORED = ("Failed to load resource",)
"""Chromium's own line for an answer that is a no; tests look at the answer itself."""


class Misbehaved(AssertionError):
    """A page did what no page of the console may."""


@dataclass
class Office:
    """`url` is the console's. Its people are those of the demo day, all with PASSWORD."""

    house: House
    browser: Browser
    faults: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)
    _cookies: dict[str, Sequence[Any]] = field(default_factory=dict)
    """Of those who have signed in: a password is made slow to try, and a hundred tests need not try it."""

    @property
    def url(self) -> str:
        return self.house.urls["console"]

    # --- looking ------------------------------------------------------------------------------------------------------

    def stranger(self, size: tuple[int, int] = DESKTOP, theme: str = "light") -> Page:
        """A page of a browser that nobody signed in with."""
        width, height = size
        context = self.browser.new_context(
            base_url=self.url, viewport={"width": width, "height": height}, color_scheme=theme, has_touch=width < 760
        )
        context.set_default_timeout(20_000)
        self._contexts.append(context)
        context.on("request", lambda request: self._check_host(request.url))
        context.on("weberror", lambda error: self.faults.append(f"script error: {error.error}"))
        context.on("console", lambda message: self._check_message(message.type, message.text))
        return context.new_page()

    def visit(self, name: str, path: str = "/", size: tuple[int, int] = DESKTOP, theme: str = "light") -> Page:
        """A page opened by somebody who has signed in."""
        page = self.stranger(size, theme)
        if name in self._cookies:
            page.context.add_cookies(self._cookies[name])
            page.goto(path)
        if name not in self._cookies or _is_at_the_door(page.url):
            sign_in(page, name, path)
            self._cookies[name] = page.context.cookies()
        return page

    def headers(self, name: str, path: str) -> dict[str, str]:
        """With which an answer comes to somebody who has signed in, or to a stranger (no name)."""
        page = self.visit(name) if name and name not in self._cookies else self.stranger()
        page.context.add_cookies(self._cookies.get(name, ()))
        return page.context.request.get(path).headers

    def close_pages(self) -> None:
        """Close every browser; raises `Misbehaved` when a page did what none may."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()
        faults, self.faults[:] = list(self.faults), []
        if faults:
            raise Misbehaved("\n".join(faults))

    def _check_host(self, url: str) -> None:
        if urlsplit(url).scheme in ("http", "https", "ws", "wss") and urlsplit(url).netloc != urlsplit(self.url).netloc:
            self.faults.append(f"asked another host: {url}")

    def _check_message(self, kind: str, text: str) -> None:
        if kind == "error" and not text.startswith(IGNORED):
            self.faults.append(f"in the browser's console: {text}")

    # --- what is there to look at ---------------------------------------------------------------------------------------

    def send_file(self, kind: str, content: str) -> dict[str, Any]:
        """A file through the gateway, once all of it is decided."""
        with self.client() as client:
            sent = client.post(f"/v1/files/{kind}", content=content.encode(), headers=CSV)
            assert sent.status_code == 202, sent.text
            return self._heard(finished(client, sent.json()["flow"]))

    def open_accounts(self, content: str) -> None:
        """Accounts by CSV (`account,name,currency,limit,portfolio,…`), known to the order desk afterwards."""
        done = self.send_file("accounts", content)
        assert not done["quarantined_rows"], done
        for line in content.strip().splitlines()[1:]:
            self.order(f"opens-{line.split(',')[0]}", line.split(",")[0], "0.01", line.split(",")[2])

    def order(self, reference: str, account: str, total: str, currency: str = "GBP", **more: Any) -> dict[str, Any]:
        """Place an order `home/<reference>`; returns its outcome."""
        body = {"reference": reference, "account": account, "currency": currency, "total": total} | more
        with self.client() as client:
            answer = until(lambda: _unless(503, client.post("/v1/orders", json=body, headers={"Prefer": "wait=20"})))
            assert answer.status_code == 200, answer.text
            return self._heard(answer.json())

    def wish(self, message: str, data: dict[str, Any], who: str = "dora") -> dict[str, Any]:
        """A command in somebody's name, as their page would send it; returns its outcome."""
        person = next(each for each in DEMO if each.name == who)
        named = {"Quittance-Actor": person.name, "Quittance-Role": person.role, "Quittance-Team": person.team}
        event = {"specversion": "1.0", "id": f"test-{time.monotonic_ns()}", "source": "/test", "type": message, "data": data}
        with self.client(credentials.console()) as client:
            media = {"Content-Type": "application/cloudevents+json", "Prefer": "wait=20"}
            answer = client.post("/v1/events", content=json.dumps(event), headers=media | named)
            assert answer.status_code == 200, answer.text
            return self._heard(answer.json())

    def _heard(self, outcome: dict[str, Any]) -> dict[str, Any]:
        """The outcome, once the console knows it too: the gateway may hear of it first, and not every page is live."""
        apart(lambda: asyncio.run(_console_caught_up(self.house.settings, self.house.urls)))
        return outcome

    def ask(self, sql: str, *values: Any, service: str = "console") -> list[asyncpg.Record]:
        """Rows of a service's database."""
        return apart(lambda: asyncio.run(_ask(self.house.settings.database(service), sql, values)))

    def client(self, who: Credential | None = None) -> httpx.Client:
        """A client of the gateway; by default the development credential's."""
        return apart(lambda: self.house.client(who))

    def log_of(self, service: str) -> str:
        return (self.house.settings.home / f"{service}.log").read_text(errors="replace")


def apart(work: Callable[[], Value]) -> Value:
    """Done in a thread of its own: Playwright's loop runs in ours, and two cannot."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def sign_in(page: Page, name: str, path: str = "/", password: str = "") -> None:
    page.goto(path)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password or PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: not _is_at_the_door(url))


def _is_at_the_door(url: str) -> bool:
    return urlsplit(url).path.startswith("/sign-in")


def until(look: Callable[[], Any], seconds: float = SEEN_S_MAX) -> Any:
    """What is looked for, once it is there (is true)."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not seen within {seconds:.0f} s")
        time.sleep(0.1)
    return found


def _unless(status: int, answer: httpx.Response) -> httpx.Response | None:
    return None if answer.status_code == status else answer


async def _console_caught_up(settings: Settings, services: Iterable[str]) -> None:
    """Wait until the console has heard every fact that its house has said."""
    speakers = [name for name in FACTS if name in services]
    looks = await desks(settings, (*speakers, "console"))
    try:
        async with asyncio.timeout(SEEN_S_MAX):
            await caught_up(looks, (), [Link(name, name, "console") for name in speakers])
    finally:
        await looks.close()


async def _ask(url: str, sql: str, values: Sequence[Any]) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql, *values)
        return rows
    finally:
        await connection.close()


@contextmanager
def office(servers: Servers, home: Path, clock: str = "wall", services: Sequence[str] = SERVICES) -> Iterator[Office]:
    """The house with its console, its people, and a browser."""
    with ExitStack() as stack:
        running = stack.enter_context(house(servers, home, clock, services))
        apart(lambda: asyncio.run(_move_in(running)))
        browser = stack.enter_context(launched(stack.enter_context(sync_playwright())))
        yield Office(running, browser)


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """The machine's Chromium. No sandbox: tests run as root in containers, and only ever open our own pages."""
    found = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    assert found, f"no Chromium here, looked for {' and '.join(CHROMIUM)} (Debian: apt-get install {CHROMIUM[0]})"
    browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
    try:
        yield browser
    finally:
        browser.close()


async def _move_in(running: House) -> None:
    """People, and the console's own credential at the gateway."""
    token = credentials.TOKEN_PREFIX + "console-of-tests"
    (running.settings.home / "console.token").write_text(token)
    gateway = await asyncpg.connect(running.settings.database("gateway"))
    console = await asyncpg.connect(running.settings.database("console"))
    try:
        await credentials.install(gateway, token, credentials.console())
        for person in DEMO:
            await people.add(console, person, PASSWORD)
    finally:
        await gateway.close()
        await console.close()
