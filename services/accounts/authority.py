"""Who may fix how much (A6): the dated versions of the policy, and the one question asked of them.

A version holds from its day until the next one's. Versions are files that are never edited, so a replay of an old day
meets the authority of that day.
"""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import msgspec

from services.accounts.refusal import Refusal
from shared.service import Moment

POLICY = Path(__file__).parent / "policy"
OPENING, LIMIT, TERMS = "opening", "limit", "terms"


class Grade(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one role may approve of one kind; no maximum means no limit."""

    role: str
    level: int
    maximum_minor: int | None = None

    def covers(self, amount_minor: int) -> bool:
        return self.maximum_minor is None or amount_minor <= self.maximum_minor


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: str
    effective_from: dt.date
    authority: dict[str, tuple[Grade, ...]]


@functools.cache
def versions() -> tuple[Policy, ...]:
    """Every version, newest first. Raises when a file is not a policy: better at the start than at an order."""
    found = [msgspec.yaml.decode(path.read_bytes(), type=Policy) for path in POLICY.glob("*.yaml")]
    return tuple(sorted(found, key=lambda policy: policy.effective_from, reverse=True))


def in_force(on: dt.date) -> Policy:
    """The version of that day; before the first one, the first."""
    return next((policy for policy in versions() if policy.effective_from <= on), versions()[-1])


def beyond(kind: str, amount_minor: int, moment: Moment) -> Refusal | None:
    """Why the sender may not fix this amount, and whom to ask; None when they may."""
    policy = in_force(moment.at.date())
    if may(policy, kind, moment.role, amount_minor):
        return None
    ask = " or ".join(who_may(policy, kind, amount_minor))
    role = moment.role or "a sender without a role"
    return Refusal("beyond_authority", f"{kind} at {amount_minor} is beyond {role} ({policy.version}); ask a {ask}")


def may(policy: Policy, kind: str, role: str, amount_minor: int) -> bool:
    return any(grade.covers(amount_minor) for grade in policy.authority[kind] if grade.role == role)


def who_may(policy: Policy, kind: str, amount_minor: int) -> tuple[str, ...]:
    """The roles of the lowest level that covers this amount: whom to ask."""
    able = [grade for grade in policy.authority[kind] if grade.covers(amount_minor)]
    lowest = min((grade.level for grade in able), default=0)
    return tuple(grade.role for grade in able if grade.level == lowest)
