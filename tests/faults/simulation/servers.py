"""The PostgreSQL that histories are played on: one of our own, in memory where there is room, with a database for each worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.local import postgres
from deploy.local import stack as local_stack
from deploy.local.settings import from_environment
from shared.testing import own_home

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
    own = own_home(settings, "simulation", MEMORY_MIN_BYTES)
    folder = str(postgres.place(own))
    sockets = folder if len(folder.encode()) <= SOCKET_MAX else ""
    own = replace(own, postgres_lines=LINES.format(sockets=sockets))
    try:
        postgres.start(own)
        port = postgres.running_port(own)
        assert port, "postgres.start returns when it answers"
        url = postgres.url(own, port)
        yield _by_socket(url, sockets, port) if sockets else url
    finally:
        local_stack.erase(own)


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
