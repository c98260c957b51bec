"""Who may fix how much, alone or with a second pair of eyes, and who may let happen what others ask for (A6). Pure."""

from __future__ import annotations

from typing import NamedTuple

from services.accounts.policies import Policy, in_force
from services.accounts.refusal import Refusal
from shared.service import Moment

OPENING, LIMIT, TERMS = "opening", "limit", "terms"


class Need(NamedTuple):
    """The approval that a change needs: `levels` are the roles that may give it, lowest first.

    `four_eyes`: the sender's authority would do, but nobody fixes this kind alone.
    """

    kind: str
    amount_minor: int
    levels: tuple[str, ...]
    four_eyes: bool


def needed(kind: str, amount_minor: int, moment: Moment) -> Need | None:
    """Whose approval this amount needs; None when the sender may fix it."""
    policy = in_force(moment.at.date())
    within = may(policy, kind, moment.role, amount_minor)
    if within and (kind not in policy.four_eyes or _is_system(policy, kind, moment.role)):
        return None
    return Need(kind, amount_minor, who_may_approve(policy, kind, amount_minor), within)


def may_ask(need: Need, moment: Moment) -> bool:
    """Whether the sender is somebody who may ask for it: a known person in a role, and there is whom to ask."""
    return in_force(moment.at.date()).requests and bool(moment.role and moment.actor and need.levels)


def refused(need: Need, moment: Moment) -> Refusal:
    """Why the sender may not fix it, and whom to ask."""
    policy = in_force(moment.at.date())
    if need.four_eyes:
        detail = f"{need.kind} is never fixed by one person alone ({policy.version}); send it as accounts.change_{need.kind}"
        return Refusal("four_eyes", f"{detail}, which asks for the second")
    ask = " or ".join(who_may(policy, need.kind, need.amount_minor))
    role = moment.role or "a sender without a role"
    return Refusal("beyond_authority", f"{need.kind} at {need.amount_minor} is beyond {role} ({policy.version}); ask a {ask}")


def beyond(kind: str, amount_minor: int, moment: Moment) -> Refusal | None:
    """Why the sender may not fix this amount without asking; None when they may."""
    need = needed(kind, amount_minor, moment)
    return refused(need, moment) if need else None


def may(policy: Policy, kind: str, role: str, amount_minor: int) -> bool:
    return any(grade.covers(amount_minor) for grade in policy.authority[kind] if grade.role == role)


def who_may(policy: Policy, kind: str, amount_minor: int) -> tuple[str, ...]:
    """The roles of the lowest level that covers this amount: whom to ask."""
    able = [grade for grade in policy.authority[kind] if grade.covers(amount_minor)]
    lowest = min((grade.level for grade in able), default=0)
    return tuple(grade.role for grade in able if grade.level == lowest)


def who_may_approve(policy: Policy, kind: str, amount_minor: int) -> tuple[str, ...]:
    """Every role of people that covers this amount, lowest level first: either of two equals, and all above them."""
    able = [grade for grade in policy.authority[kind] if grade.covers(amount_minor) and not grade.system]
    return tuple(grade.role for grade in sorted(able, key=lambda grade: grade.level))


def _is_system(policy: Policy, kind: str, role: str) -> bool:
    return any(grade.system for grade in policy.authority[kind] if grade.role == role)
