"""One installation of a run's own: broker and database in a home that is erased afterwards, proxies before both, the services.

The database lies on a small file system of its own where that may be mounted, so that its disk can be filled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil

from deploy.local import kafka, postgres
from deploy.local import settings as local_settings
from deploy.local import stack as local_stack
from deploy.local.settings import REPOSITORY, from_environment
from quittance.cast import service_of
from shared.database import prepare
from shared.settings import Settings
from shared.testing import free_ports, own_settings
from shared.topics import create_topics
from tests.faults.chaos.crew import NAMES
from tests.faults.chaos.fleet import Fleet
from tests.faults.chaos.looking import Desk
from tests.faults.chaos.proxies import NoProxy, Proxies, built

LEASE_S = 3.0
"""Short, so that a takeover shows within a fault; a frozen instance sleeps longer than this."""
VOLUME_BYTES = 6 * 1024**3
"""Of the database's volume; what is not used costs nothing."""
WAL = "max_wal_size = '512MB'\nmin_wal_size = '128MB'\n"
"""The volume is small, and more checkpoints under fire are welcome."""
DYING_S_MAX = 10.0
STARTS_MAX = 4
VOLUME_SPARE_BYTES = 256 * 1024
"""What a full disk still has: less than one block of the log of changes."""


@dataclass
class Site:
    """`without`: kinds of fault that cannot be made here, and why."""

    home: Path
    local: local_settings.Settings
    settings: Settings
    fleet: Fleet
    desks: dict[str, Desk]
    proxies: Proxies | None
    volume: Path | None
    without: dict[str, str] = field(default_factory=dict)

    # --- broker and database ----------------------------------------------------------------------------------------

    async def kill_broker(self) -> None:
        await _ended(kafka.running_pid(self.local), signal.SIGKILL)

    async def start_broker(self) -> None:
        await _started(kafka.start, self.local)

    async def stop_database_at_once(self) -> None:
        """PostgreSQL's "immediate": no checkpoint, every connection gone; the next start recovers from the log."""
        await _ended(postgres.running_pid(self.local), signal.SIGQUIT)

    async def start_database(self) -> None:
        await _started(postgres.start, self.local)

    # --- the disk ---------------------------------------------------------------------------------------------------

    def fill_disk(self) -> None:
        assert self.volume is not None
        used = shutil.disk_usage(self.volume).used
        _mount("-o", f"remount,size={used + VOLUME_SPARE_BYTES}", str(self.volume))

    def free_disk(self) -> None:
        if self.volume is not None:
            _mount("-o", f"remount,size={VOLUME_BYTES}", str(self.volume))


async def _started(start: Callable[[local_settings.Settings], None], local: local_settings.Settings) -> None:
    """Started again when it does not answer in time: on a machine that does other things as well that may happen."""
    for _ in range(STARTS_MAX - 1):
        with contextlib.suppress(local_settings.StackError):
            return await asyncio.to_thread(start, local)
    return await asyncio.to_thread(start, local)


async def _ended(pid: int | None, by: signal.Signals) -> None:
    """Gone for good, or a start that follows would take it for running."""
    if pid is None:
        return
    process = psutil.Process(pid)
    process.send_signal(by)
    try:
        await asyncio.to_thread(process.wait, DYING_S_MAX)
    except psutil.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait, DYING_S_MAX)


@asynccontextmanager
async def site(keep: list[str]) -> AsyncIterator[Site]:
    """A fresh installation with running services. Its home stays when `keep` holds a reason at the end."""
    base = from_environment()
    home = base.home / "chaos" / str(os.getpid())
    without: dict[str, str] = {}
    ports = dict(zip(("api", "kafka", *NAMES), free_ports(2 + len(NAMES)), strict=True))
    proxies = _proxies(base.home, home, ports["api"], without)
    local = own_settings(replace(base, kafka=None, postgres=None, advertised_port=ports["kafka"] if proxies else None), home)
    volume = _volume(local, without)
    found: Site | None = None
    try:
        found = await _built(local, volume, proxies, ports, without)
        yield found
        await found.fleet.stop()
    except BaseException as error:
        keep.append(f"{type(error).__name__}: {error}")
        raise
    finally:
        if found is not None:
            found.fleet.end()
            found.free_disk()
            for desk in found.desks.values():
                desk.close()
        _closed(local, volume, proxies, bool(keep))


def _closed(local: local_settings.Settings, volume: Path | None, proxies: Proxies | None, keep: bool) -> None:
    local_stack.down(local)
    if proxies is not None:
        proxies.stop()
    if volume is not None:
        if keep:
            subprocess.run(["cp", "-a", str(volume), str(volume.with_name("postgres-kept"))], check=True)  # keeps its owner
        subprocess.run(["umount", str(volume)], check=True)
    if not keep:
        local_stack.erase(local)


def _proxies(base: Path, home: Path, port: int, without: dict[str, str]) -> Proxies | None:
    home.mkdir(parents=True)
    try:
        return Proxies(built(base), port, home / "toxiproxy.log")
    except NoProxy as error:
        without["network"] = str(error)
        return None


def _volume(local: local_settings.Settings, without: dict[str, str]) -> Path | None:
    """A file system in memory that holds the database alone."""
    folder = postgres.place(local)
    folder.mkdir(parents=True)
    failed = _mount("-t", "tmpfs", "-o", f"size={VOLUME_BYTES}", "tmpfs", str(folder), check=False)
    if failed:
        without["disk_full"] = f"a volume of its own cannot be mounted: {failed}; run as root with CAP_SYS_ADMIN"
        folder.rmdir()
        return None
    return folder


def _mount(*words: str, check: bool = True) -> str:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode and check:
        raise RuntimeError(f"mount {' '.join(words)}: {done.stderr.strip()}")
    return done.stderr.strip() if done.returncode else ""


async def _built(
    local: local_settings.Settings, volume: Path | None, proxies: Proxies | None, ports: dict[str, int], without: dict[str, str]
) -> Site:
    if proxies is not None:
        proxies.stand("kafka", ports["kafka"], local.kafka_port)
        for name in NAMES:
            proxies.stand(f"postgres-{name}", ports[name], local.postgres_port)
    up = await asyncio.to_thread(local_stack.up, local)
    assert up.postgres.url is not None
    if volume is not None:
        with (volume / "data" / "postgresql.auto.conf").open("a") as configuration:
            configuration.write(WAL)
    broker = f"127.0.0.1:{ports['kafka'] if proxies else local.kafka_port}"
    direct = Settings(kafka=broker, postgres=up.postgres.url, namespace="", home=local.home, lease_s=LEASE_S, clock="wall")
    await create_topics(direct)
    for name in NAMES:
        await prepare(direct, name, service_of(name).schema)
    own = {name: _proxied(direct, ports[name]) if proxies else direct for name in NAMES}
    desks = {name: Desk(direct, name) for name in NAMES}
    fleet = Fleet(own, REPOSITORY, local.home)
    return Site(local.home, local, direct, fleet, desks, proxies, volume, without)


def _proxied(direct: Settings, port: int) -> Settings:
    """The same installation as one service sees it: the database behind its own proxy."""
    parts = urlsplit(direct.postgres)
    login = parts.netloc.rpartition("@")[0]
    return direct.model_copy(update={"postgres": urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))})
