"""The services as processes: started from a release, stopped, frozen, killed; one that ends by itself is started again.

Nothing is looked for by name: each instance is a child of ours, and its pid is what the system gave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from quittance.cast import PROGRAMS
from shared.settings import Settings
from shared.testing import free_ports
from tests.faults.chaos.crew import NAMES

READY_S_MAX = 120.0
STOP_S_MAX = 30.0
LOOK_EVERY_S = 1.0
TAIL_CHARACTERS = 600
METRICS = {
    "duplicates_dropped": re.compile(r"^quittance_duplicates_dropped (\S+)$", re.MULTILINE),
    "restarts": re.compile(r"^quittance_restarts_total (\S+)$", re.MULTILINE),
}


@dataclass(eq=False)
class Instance:
    """One process of a service. `leaving`: its end was asked for."""

    service: str
    port: int
    release: Path
    log: Path
    process: subprocess.Popen[bytes]
    leaving: bool = False
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, which: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(which)


@dataclass(frozen=True)
class Exit:
    """An instance that ended though nobody had asked."""

    service: str
    code: int
    log: str


class Fleet:
    """All instances of a run."""

    def __init__(self, settings: dict[str, Settings], release: Path, home: Path) -> None:
        self._settings, self._home = settings, home
        self.release = release
        self.running: list[Instance] = []
        self.gone: list[Instance] = []
        self.exits: list[Exit] = []
        self.started = 0

    # --- one instance -----------------------------------------------------------------------------------------------

    def start(self, service: str, release: Path | None = None) -> Instance:
        self.started += 1
        (port,) = free_ports(1)
        release = release or self.release
        log = self._home / f"{service}-{self.started}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", PROGRAMS[service]],
                cwd=release,
                env=self._environment(service, port, release),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        instance = Instance(service, port, release, log, process)
        self.running.append(instance)
        return instance

    def _environment(self, service: str, port: int, release: Path) -> dict[str, str]:
        values = self._settings[service].model_dump(mode="json") | {"port": port, "log_format": "json"}
        ours = {f"QUITTANCE_{name.upper()}": str(value) for name, value in values.items()}
        return {**os.environ, **ours, "PYTHONPATH": str(release)}

    async def ready(self, instance: Instance) -> None:
        """Return when it says so. One that cannot be ready while others hold all partitions is ready when it answers."""
        deadline = time.monotonic() + READY_S_MAX
        async with httpx.AsyncClient(timeout=2.0) as client:
            while time.monotonic() < deadline:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(f"{instance.url}/readyz")).status_code == httpx.codes.OK:
                        return
                if not instance.alive:
                    raise RuntimeError(f"{instance.service} ended while starting: {_tail(instance.log)}")
                await asyncio.sleep(0.1)
        raise TimeoutError(f"{instance.service} is not ready within {READY_S_MAX:.0f} s; see {instance.log}")

    async def join(self, service: str, release: Path | None = None) -> Instance:
        instance = self.start(service, release)
        await self.ready(instance)
        return instance

    async def leave(self, instance: Instance) -> None:
        """A clean stop: it finishes what it has, hands its leases back and ends."""
        instance.leaving = True
        instance.signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(instance.process.wait, STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self.exits.append(Exit(instance.service, 0, f"did not end within {STOP_S_MAX:.0f} s of being asked; killed"))
        await self.kill(instance)

    async def kill(self, instance: Instance) -> None:
        instance.leaving = True
        instance.signal(signal.SIGKILL)
        await asyncio.to_thread(instance.process.wait)
        if instance in self.running:
            self.running.remove(instance)
            self.gone.append(instance)

    # --- all of them ------------------------------------------------------------------------------------------------

    def of(self, service: str) -> list[Instance]:
        return [instance for instance in self.running if instance.service == service]

    async def start_all(self) -> None:
        await asyncio.gather(*(self.join(name) for name in NAMES))

    async def watch(self) -> None:
        """Start again what ended by itself, and note the figures of those that live."""
        async with httpx.AsyncClient(timeout=1.0) as client:
            while True:
                for instance in list(self.running):
                    if not instance.alive and not instance.leaving:
                        self._replace(instance)
                    else:
                        await _look(client, instance)
                await asyncio.sleep(LOOK_EVERY_S)

    def _replace(self, instance: Instance) -> None:
        self.running.remove(instance)
        self.gone.append(instance)
        self.exits.append(Exit(instance.service, instance.process.returncode, _tail(instance.log)))
        self.start(instance.service, instance.release)

    def figure(self, name: str) -> int:
        """The sum of a figure over all instances there were, as far as they could be asked."""
        return int(sum(instance.figures.get(name, 0) for instance in (*self.running, *self.gone)))

    async def stop(self) -> None:
        await asyncio.gather(*(self.leave(instance) for instance in list(self.running)))

    def end(self) -> None:
        """At once, whatever state they are in."""
        for instance in self.running:
            instance.signal(signal.SIGKILL)
            instance.process.wait()


async def _look(client: httpx.AsyncClient, instance: Instance) -> None:
    try:
        text = (await client.get(f"{instance.url}/metrics")).text
    except httpx.HTTPError:
        return
    for name, pattern in METRICS.items():
        if found := pattern.search(text):
            instance.figures[name] = float(found[1])


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-TAIL_CHARACTERS:]
