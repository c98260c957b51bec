"""The chaos rig works: a short round of a few kinds of fault, audited as the long one is (`make chaos`)."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.chaos.audit import COUNTS
from tests.faults.chaos.run import Wish, perform

pytestmark = pytest.mark.slow
EVENTS = 3_000
KINDS = ("kill", "kill broker", "kill database", "half-open")


def test_a_short_round_of_faults_loses_doubles_and_leaves_nothing() -> None:
    keep: list[str] = []
    report = asyncio.run(perform(Wish(events=EVENTS, seed=7, only=KINDS, accounts=60), keep))
    assert {name: getattr(report, name) for name in COUNTS} == dict.fromkeys(COUNTS, 0), "\n".join(report.findings)
    assert report.events >= EVENTS
    assert sum(report.faults.values()) + len(report.not_run) >= len(KINDS)
    assert report.journal_rows > EVENTS
