"""Premises of a load run's own: servers started here, services as processes, all measured and all gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

from deploy.local import stack as local_stack
from deploy.local.process import terminate
from deploy.local.settings import REPOSITORY, from_environment
from shared.settings import Settings
from shared.testing import Servers, free_ports, own_settings
from shared.topics import create_topics

READY_S_MAX = 90.0
STOP_S_MAX = 30.0
PROBE_S_MAX = 5.0


@dataclass
class Instance:
    """One process of a service. `name` tells two instances of one service apart."""

    name: str
    service: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def seen(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    @property
    def rss_mb(self) -> float:
        return float(self.seen.memory_info().rss) / 2**20

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@dataclass
class Premises:
    """`servers` are the pids of broker and database; empty when they run elsewhere."""

    settings: Settings
    servers: Mapping[str, int] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.instances['gateway'].port}"

    def start(self, service: str, name: str = "") -> Instance:
        name = name or service
        (port,) = free_ports(1)
        self.settings.home.mkdir(parents=True, exist_ok=True)
        log = self.settings.home / f"{name}.log"
        values = self.settings.model_dump(mode="json") | {"port": port, "log_format": "json", "log_level": "warning"}
        ours = {f"QUITTANCE_{key.upper()}": str(value) for key, value in values.items()}
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", f"services.{service}"],
                cwd=REPOSITORY,
                env={**os.environ, **ours},
                stdout=out,
                stderr=out,
                start_new_session=True,  # an interrupt at the terminal is ours; services are stopped in order
            )
        log.with_suffix(".pid").write_text(f"{process.pid} services.{service}")
        found = self.instances[name] = Instance(name, service, port, process, log)
        return found

    async def ready(self) -> None:
        """Every instance holds partitions."""
        deadline = time.monotonic() + READY_S_MAX
        async with httpx.AsyncClient(timeout=PROBE_S_MAX) as client:
            for instance in self.instances.values():
                while not await _is_ready(client, instance):
                    if not instance.alive or time.monotonic() > deadline:
                        raise TimeoutError(f"{instance.name} is not ready; {instance.log} ends: {_tail(instance.log)}")
                    await asyncio.sleep(0.1)

    def stop(self, name: str) -> None:
        instance = self.instances.pop(name)
        instance.resume()
        instance.process.terminate()
        try:
            instance.process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            instance.process.kill()
            instance.process.wait()

    def stop_all(self) -> None:
        for name in list(self.instances):
            self.stop(name)


async def _is_ready(client: httpx.AsyncClient, instance: Instance) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.get(f"http://127.0.0.1:{instance.port}/readyz")).status_code == httpx.codes.OK
    return False


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@contextlib.asynccontextmanager
async def open_premises(**changes: object) -> AsyncIterator[Premises]:
    """A stack of this run's own, so that its disk and memory are this run's alone. Gone afterwards, whatever happened."""
    local = replace(from_environment(), kafka=None, postgres=None)
    homes = local.home / "load"
    _sweep(homes)
    own = own_settings(local, homes / str(os.getpid()))
    try:
        running = await asyncio.to_thread(local_stack.up, own)
        assert running.kafka.url and running.postgres.url, "up() returns only when both answer"
        assert running.kafka.pid and running.postgres.pid, "they were started here"
        servers = Servers(running.kafka.url, running.postgres.url)
        # What the bench's own processes read (tests.bench.limit).
        os.environ |= {"QUITTANCE_KAFKA": servers.kafka, "QUITTANCE_POSTGRES": servers.postgres}
        pids = {"kafka": running.kafka.pid, "postgres": running.postgres.pid}
        async with installation_on(servers, own.home / "services", pids, **changes) as premises:
            yield premises
    finally:
        await asyncio.to_thread(local_stack.erase, own)


@contextlib.asynccontextmanager
async def installation_on(
    servers: Servers, home: Path, pids: Mapping[str, int] | None = None, **changes: object
) -> AsyncIterator[Premises]:
    """A namespace with its topics on servers that run; its services are stopped afterwards."""
    values = {"namespace": f"load{uuid4().hex[:8]}_", "home": home, **changes}
    settings = Settings(kafka=servers.kafka, postgres=servers.postgres, **values)  # type: ignore[arg-type]
    await create_topics(settings)
    premises = Premises(settings, pids or {})
    try:
        yield premises
    finally:
        await asyncio.to_thread(premises.stop_all)


def _sweep(homes: Path) -> None:
    """Stops and removes what killed runs left: a home is named after its run's pid."""
    for left in homes.glob("[0-9]*"):
        if not psutil.pid_exists(int(left.name)):
            for noted in left.glob("services/*.pid"):
                pid, module = noted.read_text().split()
                terminate(int(pid), module, STOP_S_MAX)
            local_stack.erase(replace(from_environment(), home=left))


def on_interrupt(wanted: asyncio.Event | asyncio.Task[Any] | None) -> None:
    """What an interrupt does from now on: end a task with all its clean-up, or only say so."""
    assert wanted is not None, "call it inside a task"
    act = wanted.set if isinstance(wanted, asyncio.Event) else wanted.cancel
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, act)


def used_bytes(folder: Path) -> int:
    """What a folder takes on disk; files that go away meanwhile count nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(place) / name).stat().st_blocks * 512
    return total


def free_bytes(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
