"""Files as they come: stored in pieces of one megabyte while they are hashed, so size costs disk, never memory."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterable, AsyncIterator
from typing import NamedTuple

import asyncpg

CHUNK_BYTES = 1024 * 1024
FILE_BYTES_MAX = 4 * 1024**3
"""Largest file taken: an order file of some forty million lines."""
ABANDONED_AFTER = "1 day"
"""An upload that never ended (the sender went away) is removed after this."""


class TooLarge(ValueError):
    """The body is larger than the limit, which the message names."""


class Upload(NamedTuple):
    id: str
    digest: bytes
    bytes: int


async def store(pool: asyncpg.Pool, team: str, body: AsyncIterable[bytes], bytes_max: int = FILE_BYTES_MAX) -> Upload:
    """Keep the bytes, at most so many. Each piece is committed by itself, so a slow sender holds no transaction open."""
    upload, digest, size = uuid.uuid4().hex, hashlib.sha256(), 0
    await pool.execute("insert into upload (id, team) values ($1, $2)", upload, team)
    number = 0
    async for piece in _pieces(body):
        digest.update(piece)
        size += len(piece)
        if size > bytes_max:
            await discard(pool, upload)
            raise TooLarge(f"the file is larger than {bytes_max} bytes; split it")
        await pool.execute("insert into chunk (upload, number, body) values ($1, $2, $3)", upload, number, piece)
        number += 1
    return Upload(upload, digest.digest(), size)


async def _pieces(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of exactly CHUNK_BYTES, the last one shorter: a byte's piece follows from its offset."""
    held = bytearray()
    async for part in body:
        held += part
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


async def discard(connection: asyncpg.Connection | asyncpg.Pool, upload: str) -> None:
    await connection.execute("delete from chunk where upload = $1", upload)
    await connection.execute("delete from upload where id = $1", upload)


async def whole(connection: asyncpg.Connection, upload: str) -> bytes:
    """All stored bytes, for files whose size was bounded when they came."""
    return b"".join([piece async for piece in read_from(connection, upload, 0)])


async def read_from(connection: asyncpg.Connection, upload: str, offset: int) -> AsyncIterator[bytes]:
    """The stored bytes from this offset on, piece by piece."""
    number, skip = divmod(offset, CHUNK_BYTES)
    while piece := await connection.fetchval("select body from chunk where upload = $1 and number = $2", upload, number):
        yield piece[skip:]
        number, skip = number + 1, 0


async def sweep(pool: asyncpg.Pool) -> None:
    """Remove uploads that never became a flow."""
    old = await pool.fetch(
        "select id from upload where began_at < now() - $1::text::interval "
        "and not exists (select from flow where flow.upload = upload.id)",
        ABANDONED_AFTER,
    )
    for row in old:
        await discard(pool, row["id"])
