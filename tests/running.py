"""Services of this house running as they do in production: processes of their own on the real stack, for tests over HTTP."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx

from services.gateway import credentials
from services.gateway.credentials import Credential
from shared.settings import Settings
from shared.testing import Servers, free_ports

REPOSITORY = Path(__file__).parents[1]
TRADING = ("accounts", "orders", "gateway")
READY_S_MAX = 120.0
STOP_S_MAX = 15.0


@dataclass(frozen=True)
class House:
    """A running installation of its own: its settings, the gateway's address, and every service's."""

    settings: Settings
    url: str
    urls: Mapping[str, str]

    def client(self, who: Credential | None = None) -> httpx.Client:
        """A client with a credential; by default the development one, which may do everything."""
        token = asyncio.run(self._issued(who or credentials.development()))
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)

    async def _issued(self, who: Credential) -> str:
        token = credentials.TOKEN_PREFIX + secrets.token_urlsafe(credentials.TOKEN_BYTES)
        connection = await asyncpg.connect(self.settings.database("gateway"))
        try:
            await credentials.install(connection, token, who)
        finally:
            await connection.close()
        return token


@contextmanager
def house(servers: Servers, home: Path, clock: str = "wall", services: Sequence[str] = TRADING) -> Iterator[House]:
    """Start these services under a namespace of their own; stop them by pid afterwards."""
    ports = dict(zip(services, free_ports(len(services)), strict=True))
    settings = Settings(
        kafka=servers.kafka, postgres=servers.postgres, namespace=f"t{uuid4().hex[:8]}_", home=home, clock=clock,
        instances=",".join(f"{name}=127.0.0.1:{port}" for name, port in ports.items()),
    )  # fmt: skip
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    door = urls.get("gateway", urls[services[-1]])
    with ExitStack() as stack:
        for name in services:
            stack.enter_context(_running(name, settings, ports[name], home, door))
        for name in services:
            _await_ready(ports[name], home / f"{name}.log")
        yield House(settings, door, urls)


@contextmanager
def _running(name: str, settings: Settings, port: int, home: Path, door: str) -> Iterator[None]:
    fixed = {name: getattr(settings, name) for name in ("kafka", "postgres", "namespace", "clock", "home", "instances")}
    fixed |= {"port": port, "gateway": door}
    ours = {f"QUITTANCE_{name.upper()}": str(value) for name, value in fixed.items()}
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"],
            cwd=REPOSITORY,
            env={**os.environ, **ours, "PYTHONPATH": str(REPOSITORY)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_ready(port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"not ready within {READY_S_MAX:.0f} s:\n{log.read_text()[-2000:]}")


def finished(client: httpx.Client, flow: str, seconds: float = 60.0) -> dict:
    """The flow, once the file was read and everything it sent was answered."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        shown = client.get(f"/v1/flows/{flow}").json()
        if shown["state"] == "refused" or (shown["state"] == "finished" and shown["decided"] == shown["documents"]):
            return shown
        time.sleep(0.1)
    raise TimeoutError(f"the flow did not finish: {shown}")
