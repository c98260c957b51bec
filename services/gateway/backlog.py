"""How much mail waits for the partitions' owners. Beyond a bound files pause and requests are shed with 429."""

from __future__ import annotations

import asyncio
import time

import asyncpg

MAIL_MAX = 20_000
"""Commands accepted and not sent on yet, above which no more are taken: some seconds of work."""
FILES_MAIL_MAX = 4_000
"""Files pause earlier than requests are shed, so that a file never shuts people out."""
LOOK_EVERY_S = 0.1
RETRY_AFTER_S = 2
"""What a shed sender is told to wait: a full mailbox is sent on in some seconds, and senders do not come back all at once."""


class Backlog:
    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting = 0
        self._looked_at = 0.0

    async def waiting(self) -> int:
        now = time.monotonic()
        if now - self._looked_at > LOOK_EVERY_S:
            self._looked_at = now
            self._waiting = await self._pool.fetchval(
                "select count(*) from (select from mailbox limit $1) as waiting", MAIL_MAX + 1
            )
        return self._waiting

    async def is_full(self) -> bool:
        return await self.waiting() > MAIL_MAX

    async def wait_until_short(self) -> None:
        """Return once there is room for another slice of a file."""
        while await self.waiting() > FILES_MAIL_MAX:
            await asyncio.sleep(LOOK_EVERY_S)
