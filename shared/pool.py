"""The connections that requests share. Nobody waits for one without end: beyond a bound the request is shed."""

from __future__ import annotations

from typing import Any

import asyncpg

POOL_MAX = 16
"""Connections for requests: more would only queue inside PostgreSQL."""
ACQUIRE_S_MAX = 2.0
"""How long a request waits for one: who waits longer is one too many, however fast or slow the machine is."""


class Crowded(TimeoutError):
    """No connection came free in ACQUIRE_S_MAX. For work beside the requests it is a timeout like others: try again later."""


class PatientPool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg publishes no types
    """Raises Crowded when none comes free (or a further one takes as long to open), TimeoutError when there is none at all."""

    async def _acquire(self, timeout: float | None) -> Any:  # noqa: ASYNC109 - the signature is the pool's
        try:
            return await super()._acquire(timeout or ACQUIRE_S_MAX)
        except TimeoutError as error:
            if self.get_size():
                raise Crowded(f"no connection was free for {ACQUIRE_S_MAX:g} s") from error
            raise
