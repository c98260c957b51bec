"""A stage per test, on one stack per session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from shared import logs, topics
from shared.settings import Settings
from shared.testing import Servers
from tests.kit.ledger_service import TOPICS
from tests.kit.stage import Stage, stage_on


@pytest.fixture(autouse=True)
def _own_topics_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty partitions per test would take longer than the tests."""
    monkeypatch.setattr(topics, "TOPICS", TOPICS)


@pytest.fixture(autouse=True)
def _plain_logs() -> Iterator[None]:
    logs.configure(Settings(log_format="json"), "orders")
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
async def stage(stack: Servers) -> AsyncIterator[Stage]:
    async with stage_on(stack) as fresh:
        yield fresh
