"""Ending a client of the broker without being ended by it.

aiokafka's stop may hang when the broker is away, and lets cancellations of its own tasks out to whoever awaits it, which
would look as if the engine itself were cancelled. So a stop runs in a task of its own, bounded, and its outcome is only noted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 3.0


async def ended(what: str, stopping: Coroutine[Any, Any, None]) -> None:
    """Wait for a client's stop, at most STOP_TIMEOUT_S; never raises what it raised."""
    task = asyncio.create_task(stopping, name=f"stop {what}")
    await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)
    if not task.done():
        task.cancel()
        log.warning("did not stop in time", what=what)
    elif task.cancelled() or task.exception() is not None:
        log.warning("did not stop cleanly", what=what, error="cancelled" if task.cancelled() else repr(task.exception()))
