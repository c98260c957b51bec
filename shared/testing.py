"""The real stack for tests: servers elsewhere (by URL), else containers, else Kafka and PostgreSQL started here.

A stack that cannot be had fails the tests that need it; it never skips them. Imported by tests only.
"""

import contextlib
import hashlib
import os
import random
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import pytest

from deploy.local import probe
from deploy.local import stack as local_stack
from deploy.local.settings import Settings, StackError, from_environment

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18"
CONTAINER_START_S_MAX = 120.0
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder there is used only when it is ours, see `_is_ours`
MEMORY_MIN_BYTES = 8 * 2**30
"""Free in memory before a session's servers go there: three sessions side by side fill a gigabyte each, and as much of log."""
IN_MEMORY = """
max_wal_size = 1GB             # it lies in memory
min_wal_size = 256MB
"""
"""Tests make and drop databases by the hundred, and a third of the database's time goes to a disk's file system."""


@dataclass(frozen=True)
class Servers:
    kafka: str  # host:port
    postgres: str  # URL, of an account that may create databases


@pytest.fixture(scope="session")
def stack() -> Iterator[Servers]:
    with servers() as found:
        yield found


@contextmanager
def servers() -> Iterator[Servers]:
    settings = from_environment()
    elsewhere = settings.kafka or settings.postgres
    with _containers() if not elsewhere and _docker_answers() else _local(settings) as found:
        yield found


@pytest.fixture
async def database(stack: Servers) -> AsyncIterator[str]:
    """URL of an empty database of this test's own."""
    async with fresh_database(stack.postgres) as url:
        yield url


@asynccontextmanager
async def fresh_database(server: str, schema: str = "") -> AsyncIterator[str]:
    """A new database with this schema (SQL), gone afterwards. The schema runs once; later calls copy its result."""
    name = f"test_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(server)
    try:
        template = await _template(connection, server, schema) if schema else "template0"
        await connection.execute(f"create database {name} template {template}")
        try:
            yield _named(server, name)
        finally:
            await connection.execute(f"drop database {name} with (force)")
    finally:
        await connection.close()


async def _template(connection: asyncpg.Connection, server: str, schema: str) -> str:
    name = f"template_{hashlib.sha256(schema.encode()).hexdigest()[:12]}"
    if await connection.fetchval("select 1 from pg_database where datname = $1", name):
        return name
    # Made under another name, so that a schema that fails half-way leaves no template behind.
    async with fresh_database(server) as draft:
        builder = await asyncpg.connect(draft)
        try:
            await builder.execute(schema)
        finally:
            await builder.close()
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f"create database {name} template {_name(draft)}")
    return name


def _named(server: str, database: str) -> str:
    return f"{server.rpartition('/')[0]}/{database}"


def _name(url: str) -> str:
    return url.rpartition("/")[2]


@contextmanager
def _local(settings: Settings) -> Iterator[Servers]:
    """A stack of this session's own, so that two sessions, or a session and `make up`, never meet."""
    own = own_home(settings, "test", MEMORY_MIN_BYTES)
    try:
        started = local_stack.up(own)
        assert started.kafka.url and started.postgres.url
        yield Servers(started.kafka.url, started.postgres.url)
    finally:
        local_stack.erase(own)


def own_home(settings: Settings, what: str, room_bytes: int) -> Settings:
    """A home named after this process, in memory when so much is free there; what killed processes left is removed."""
    ours = MEMORY / f"quittance-{os.geteuid()}"
    for homes in (ours / what, settings.home / what):
        _sweep(settings, homes)
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= room_bytes
    if has_room and _is_ours(ours):
        return replace(own_settings(settings, ours / what / str(os.getpid())), postgres_lines=IN_MEMORY)
    return own_settings(settings, settings.home / what / str(os.getpid()))


def _is_ours(folder: Path) -> bool:
    """Anybody may write to the memory's folder: one that another user made beforehand is left alone."""
    try:
        folder.mkdir(mode=0o711, exist_ok=True)  # the database's account walks through it
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _sweep(settings: Settings, homes: Path) -> None:
    """Stops and removes what killed sessions left: a home is named after its session's pid."""
    for home in homes.glob("[0-9]*"):
        if not psutil.pid_exists(int(home.name)):
            local_stack.erase(replace(settings, home=home, kafka=None, postgres=None))


def own_settings(settings: Settings, home: Path) -> Settings:
    """The same stack in another home, on ports that are free now."""
    kafka, controller, postgres = free_ports(3)
    return replace(settings, home=home, kafka_port=kafka, controller_port=controller, postgres_port=postgres)


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def neighbouring_ports(count: int) -> int:
    """The first of so many free ports beside each other, below those that the system gives to outgoing connections."""
    while True:
        base = random.randrange(20_000, 32_000, count)  # noqa: S311 - a port, not a secret
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for n in range(count):
                held.enter_context(socket.socket()).bind(("127.0.0.1", base + n))
            return base


def _docker_answers() -> bool:
    """Asked through the command line: the client library leaks its socket when nobody answers."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True, timeout=10)
    return asked.returncode == 0


@contextmanager
def _containers() -> Iterator[Servers]:
    from testcontainers.core.container import DockerContainer

    (port,) = free_ports(1)  # fixed beforehand, because a broker must tell its clients where it is
    kafka = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    for name, value in _kafka_environment(port).items():
        kafka = kafka.with_env(name, value)
    postgres = DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", "test").with_exposed_ports(5432)
    with kafka, postgres:
        host = postgres.get_container_host_ip()
        url = f"postgresql://postgres:test@{host}:{postgres.get_exposed_port(5432)}/postgres"
        _await_answers(f"{host}:{port}", url)
        yield Servers(f"{host}:{port}", url)


def _kafka_environment(port: int) -> dict[str, str]:
    return {
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_NODE_ID": "1",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://localhost:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_LOG_RETENTION_MS": "-1",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }


def _await_answers(kafka: str, postgres: str) -> None:
    deadline = time.monotonic() + CONTAINER_START_S_MAX
    while not (probe.kafka_answers(kafka) and probe.postgres_answers(postgres)):
        if time.monotonic() > deadline:
            raise StackError(f"The containers did not answer within {CONTAINER_START_S_MAX:.0f} s; see docker logs.")
        time.sleep(0.2)
