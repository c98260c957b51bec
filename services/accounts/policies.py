"""The dated versions of the credit master's policy: who may fix how much (A6), and the weeks of a stop (A3).

A version holds from its day until the next one's. Versions are files that are never edited, so a replay of an old day
meets the policy of that day.
"""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parent / "policy"


class Grade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one role may approve of one kind; no maximum means no limit. `system`: not a person, and approves nothing."""

    role: str
    level: int
    maximum_minor: int | None = None
    system: bool = False

    def covers(self, amount_minor: int) -> bool:
        return self.maximum_minor is None or amount_minor <= self.maximum_minor


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`requests`: what is beyond a person is asked for, not refused. `four_eyes`: kinds that nobody fixes alone.
    `views`: tiers whose approvals record what sales and what finance think."""

    version: str
    effective_from: dt.date
    authority: dict[str, tuple[Grade, ...]]
    requests: bool = False
    four_eyes: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    stop_progress_days: int | None = None


@functools.cache
def versions() -> tuple[Policy, ...]:
    """Every version, newest first. Raises when a file is not a policy: better at the start than at an order."""
    found = [msgspec.yaml.decode(path.read_bytes(), type=Policy) for path in FOLDER.glob("*.yaml")]
    return tuple(sorted(found, key=lambda policy: policy.effective_from, reverse=True))


def in_force(on: dt.date) -> Policy:
    """The version of that day; before the first one, the first."""
    return next((policy for policy in versions() if policy.effective_from <= on), versions()[-1])
