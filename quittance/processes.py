"""Services as child processes: started, watched, restarted when they die, stopped by pid.

Each has a log of its own under the home, and a file with its pid, so that what a killed run left behind is found and ended
by the next one. Nothing is ever looked for by name.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

from deploy.local.process import terminate
from deploy.local.settings import REPOSITORY
from quittance.installation import Unusable, environment
from shared.settings import Settings

READY_S_MAX = 60.0
STOP_S_MAX = 20.0
RESTART_S = 0.2
RESTART_S_MAX = 5.0
HEALTHY_S = 10.0
"""A child that lived so long starts over with a short pause."""
LOG_TAIL_LINES = 12


@dataclass(frozen=True)
class Program:
    """`module` runs by `python -m`; its word on the command line is the mark by which its pid is recognised.

    Port 0: it has no pages, so nobody waits until it says that it is ready. `around`: what its environment has besides.
    """

    name: str
    module: str
    port: int
    around: tuple[tuple[str, str], ...] = ()


@dataclass
class Child:
    program: Program
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    restarts: int = 0
    watch: asyncio.Task[None] | None = field(default=None, repr=False)


class Processes:
    """The children of one run. `stop()` ends them all, whatever happened."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._logs = settings.home / "logs"
        self._pids = settings.home / "run"
        self._stopping = False
        self.children: dict[str, Child] = {}

    def start(self, program: Program) -> None:
        """Start a service and keep it running."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._pids.mkdir(parents=True, exist_ok=True)
        self._end_left_over(program)
        if program.port:
            _require_free(program.port)
        child = self.children[program.name] = Child(program)
        child.watch = asyncio.create_task(self._keep(child), name=f"keep {program.name}")

    def _end_left_over(self, program: Program) -> None:
        path = self._pid_path(program)
        if path.exists() and path.read_text().isdecimal():
            terminate(int(path.read_text()), program.module, STOP_S_MAX)
            path.unlink(missing_ok=True)

    def _pid_path(self, program: Program) -> Path:
        return self._pids / f"{program.name}.pid"

    def log_path(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    async def _keep(self, child: Child) -> None:
        """One life after the other, with a growing pause between those that are short."""
        pause_s = RESTART_S
        while not self._stopping:
            began = time.monotonic()
            with self.log_path(child.program.name).open("ab") as log:
                await self._live(child, log)
            if self._stopping:
                return
            child.restarts += 1
            pause_s = RESTART_S if time.monotonic() - began > HEALTHY_S else min(pause_s * 2, RESTART_S_MAX)
            await asyncio.sleep(pause_s)

    async def _live(self, child: Child, log: IO[bytes]) -> None:
        program = child.program
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", program.module, cwd=REPOSITORY,
            env=environment(self._settings, program.port) | dict(program.around),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,  # Ctrl-C is ours: children are stopped in order, after what they are asked to finish
        )  # fmt: skip
        child.process = process
        self._pid_path(program).write_text(str(process.pid))
        await process.wait()

    # --- waiting ------------------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Return when every child answers that it is ready. Raises `Unusable` with the end of the log of one that does not."""
        await asyncio.gather(*(self._ready(child) for child in self.children.values() if child.program.port))

    async def _ready(self, child: Child) -> None:
        url = f"http://{self._settings.host}:{child.program.port}/readyz"
        deadline = time.monotonic() + READY_S_MAX
        async with httpx.AsyncClient(timeout=2.0) as client:
            while not await _answers(client, url):
                if time.monotonic() > deadline or child.restarts >= 5:
                    raise Unusable(self._not_ready(child))
                await asyncio.sleep(0.1)

    def _not_ready(self, child: Child) -> str:
        path = self.log_path(child.program.name)
        tail = "\n".join(path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
        return f"{child.program.name} did not become ready ({child.restarts} restarts); mend what {path} ends with:\n{tail}"

    # --- stopping -----------------------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Ask every child to finish, wait, and only then insist."""
        self._stopping = True
        await asyncio.gather(*(self._end(child) for child in self.children.values()))
        watches = [child.watch for child in self.children.values() if child.watch is not None]
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    async def _end(self, child: Child) -> None:
        if child.process is not None and child.process.returncode is None:
            child.process.terminate()
            try:
                await asyncio.wait_for(child.process.wait(), STOP_S_MAX)
            except TimeoutError:
                child.process.kill()
        self._pid_path(child.program).unlink(missing_ok=True)


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # Without this a port in TIME_WAIT, left by our own last run, would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            mend = "set QUITTANCE_PORT (or --port) so that it and the next six are free"
            raise Unusable(f"port {port} is taken by another program; {mend}") from error


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
