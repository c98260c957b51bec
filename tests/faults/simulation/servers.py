"""The PostgreSQL that histories are played on: one of our own, in memory where there is room, with a database for each worker."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import psutil

from deploy.local import postgres
from deploy.local.settings import Settings, from_environment
from shared.testing import own_settings

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder there is used only when it is ours, see `_is_ours`
MEMORY_MIN_BYTES = 3 * 2**30
"""Free in memory before a server goes there: two workers fill it to half a gigabyte beside the log written ahead."""
LINES = """
fsync = off                    # schemas live for seconds; what a crash of PostgreSQL does is for the chaos rig to show
full_page_writes = off
shared_buffers = 256MB
max_wal_size = 512MB           # it may lie in memory
min_wal_size = 128MB
unix_socket_directories = '{sockets}'
"""
"""A history makes and drops some hundred files and asks ten thousand small questions: on a disk's file system and through the
network's layers a third of the processor's time went there."""
SOCKET_MAX = 90
"""Bytes of a socket's folder, of the 107 that its whole path may have: in a deeper home the server is asked over TCP."""
TRUNCATES_BY_SETTING = (18,)
"""PostgreSQL whose autovacuum can be told not to cut tables."""
OWN = f"simulation_{os.getpid()}"
"""Databases of this run; workers inherit the name."""


@contextmanager
def server_url() -> Iterator[str]:
    """The server named by the environment, else one of our own that is gone afterwards."""
    settings = from_environment()
    if settings.postgres:
        yield settings.postgres
        return
    homes = _homes(settings)
    _sweep(settings, homes)
    own = own_settings(settings, homes / str(os.getpid()))
    sockets = str(postgres.place(own))
    own = replace(own, postgres_lines=LINES.format(sockets=sockets if len(sockets.encode()) <= SOCKET_MAX else ""))
    try:
        postgres.start(own)
        port = postgres.running_port(own)
        assert port, "postgres.start returns when it answers"
        yield (
            _by_socket(postgres.url(own, port), sockets, port) if len(sockets.encode()) <= SOCKET_MAX else postgres.url(own, port)
        )
    finally:
        postgres.stop(own)
        postgres.erase(own)
        shutil.rmtree(own.home, ignore_errors=True)


def _homes(settings: Settings) -> Path:
    ours = MEMORY / f"quittance-{os.geteuid()}"
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_MIN_BYTES and _is_ours(ours):
        return ours
    return settings.home / "simulation"


def _is_ours(folder: Path) -> bool:
    """Anybody may write to the memory's folder: one that another user made beforehand is left alone."""
    try:
        folder.mkdir(mode=0o711, exist_ok=True)  # the server's account walks through it
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _sweep(settings: Settings, homes: Path) -> None:
    """What killed runs left: a home is named after its run's pid."""
    for home in homes.glob("[0-9]*"):
        if not psutil.pid_exists(int(home.name)):
            left = replace(settings, home=home)
            postgres.stop(left)
            postgres.erase(left)
            shutil.rmtree(home, ignore_errors=True)


def _by_socket(url: str, sockets: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@", query=f"host={quote(sockets)}&port={port}"))


def own_database(url: str, name: str) -> str:
    asyncio.run(_create(url, name))
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _create(url: str, name: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f'create database "{name}"')
        if connection.get_server_version() >= TRUNCATES_BY_SETTING:
            # Autovacuum cuts the catalog, locked, for longer than a statement waits here, and only on a busy machine.
            await connection.execute(f'alter database "{name}" set vacuum_truncate = off')
    finally:
        await connection.close()


async def tidied(url: str) -> None:
    """Drop the databases of this run and its workers."""
    connection = await asyncpg.connect(url)
    try:
        for (name,) in await connection.fetch("select datname from pg_database where starts_with(datname, $1)", OWN):
            await connection.execute(f'drop database "{name}" with (force)')
    finally:
        await connection.close()
