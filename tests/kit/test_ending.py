"""aiokafka's stop may hang, raise, or let out a cancellation of its own: none of it ends or delays the engine for long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared import ending
from shared.ending import ended
from shared.feed import Feed
from tests.kit.stage import Stage, homes, order


async def _hangs() -> None:
    await asyncio.Event().wait()


async def _raises() -> None:
    raise OSError("no broker")


async def _is_cancelled() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("stopping", [_hangs, _raises, _is_cancelled])
async def test_whatever_a_stop_does_its_caller_goes_on(stopping: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "STOP_TIMEOUT_S", 0.05)
    await asyncio.wait_for(ended("client", stopping()), 1)


async def test_a_cancellation_that_nobody_asked_for_only_starts_the_engine_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = homes()
    fetch = Feed.fetch
    escaped: list[bool] = []

    async def fetch_once_cancelled(feed: Feed, *arguments: Any) -> Any:
        if not escaped:
            escaped.append(True)
            raise asyncio.CancelledError
        return await fetch(feed, *arguments)

    monkeypatch.setattr(Feed, "fetch", fetch_once_cancelled)
    await stage.say(home, order(1, home))
    async with stage.running() as engine:
        await stage.decided(1)
        assert engine.metrics.restarts._value.get() == 1
