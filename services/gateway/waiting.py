"""Requests that wait for an outcome (`Prefer: wait=N`): woken by NOTIFY, and polling besides in case one is lost."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable

import asyncpg

from services.gateway import flows
from services.gateway.outcomes import CHANNEL
from shared.database import UNAVAILABLE

WAIT_S_MAX = 30
WAITERS_MAX = 128
"""Requests that wait at once; each looks at its flow twice a second. One more is answered 202 at once, and asks its flow."""
POLL_S = 0.5
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,4})\"?(?:$|[,;\s])", re.IGNORECASE)


def wanted_s(prefer: str | None) -> int:
    """Seconds the caller is willing to wait, at most WAIT_S_MAX; 0 when it did not say (RFC 7240)."""
    found = _WAIT.search(prefer or "")
    return min(int(found[1]), WAIT_S_MAX) if found else 0


class Waiters:
    """One listening connection for all requests of this process."""

    def __init__(self, pool: asyncpg.Pool, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._pool, self._connect = pool, connect
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def listen(self) -> None:
        """Hear notifications until cancelled; reconnects, because polling carries on meanwhile."""
        while True:
            try:
                connection = await self._connect()
                await connection.add_listener(CHANNEL, lambda *told: self._wake(str(told[-1])))
                while not connection.is_closed():
                    await asyncio.sleep(POLL_S)
            except UNAVAILABLE:
                await asyncio.sleep(POLL_S)

    def _wake(self, flow: str) -> None:
        for event in self._waiting.get(flow, ()):
            event.set()

    async def answered(self, flow: str, seconds: float) -> bool:
        """Whether every command of the flow has its outcome, within this time; at once when too many wait already."""
        if sum(map(len, self._waiting.values())) >= WAITERS_MAX:
            return await flows.answered(self._pool, flow)
        event = asyncio.Event()
        self._waiting[flow].add(event)
        try:
            async with asyncio.timeout(seconds):
                while not await flows.answered(self._pool, flow):
                    await self._woken_or_polling(event)
            return True
        except TimeoutError:
            return await flows.answered(self._pool, flow)
        finally:
            self._waiting[flow].discard(event)
            if not self._waiting[flow]:
                del self._waiting[flow]

    async def _woken_or_polling(self, event: asyncio.Event) -> None:
        try:
            await asyncio.wait_for(event.wait(), POLL_S)
        except TimeoutError:
            return
        event.clear()
