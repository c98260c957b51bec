"""What is asked for is let happen, or not, by somebody else with the authority of that day (A6). Pure.

Nobody approves or declines their own request, nor one of whom they cover or are covered by here; who asked may withdraw it.
A request that the account no longer fits is refused in words, never bent to fit.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.accounts import (
    ApproveRequest,
    DeclineRequest,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    WithdrawRequest,
)
from contracts.message import Fact
from services.accounts import authority
from services.accounts.account import LIMIT, Account, Request, State
from services.accounts.changes import Change, changed_on_its_day, not_fitting
from services.accounts.policies import in_force
from services.accounts.refusal import Refusal, not_reasoned, not_signed
from services.accounts.standing import living
from shared.service import Moment, people_in


def approve(state: State, wish: ApproveRequest, moment: Moment) -> Iterable[Fact]:
    """The change follows in the same step; a day that has passed meanwhile becomes today."""
    found = _open(state, wish.account, wish.request)
    if isinstance(found, Refusal):
        return [found.of(wish.account)]
    account, request = found
    change = _change_of(request, moment)
    refusal = not_reasoned(wish.reason) or _not_to_answer(account, request, moment)
    refusal = refusal or _not_viewed(account, wish, moment)
    refusal = refusal or _changed_meanwhile(account, request) or not_fitting(account, change, moment)
    if refusal:
        return [refusal.of(wish.account)]
    approved = RequestApproved(
        account=wish.account,
        request=wish.request,
        by=moment.actor,
        role=moment.role,
        reason=wish.reason,
        sales_view=wish.sales_view,
        finance_view=wish.finance_view,
    )
    changed = changed_on_its_day(account, change, moment)
    return [approved, *changed] if changed else [_scheduled_meanwhile(request).of(wish.account)]


def decline(state: State, wish: DeclineRequest, moment: Moment) -> Iterable[Fact]:
    found = _open(state, wish.account, wish.request)
    if isinstance(found, Refusal):
        return [found.of(wish.account)]
    if refusal := not_reasoned(wish.reason) or _not_to_answer(*found, moment):
        return [refusal.of(wish.account)]
    return [RequestDeclined(account=wish.account, request=wish.request, by=moment.actor, reason=wish.reason)]


def withdraw(state: State, wish: WithdrawRequest, moment: Moment) -> Iterable[Fact]:
    found = _open(state, wish.account, wish.request)
    if isinstance(found, Refusal):
        return [found.of(wish.account)]
    _, request = found
    if refusal := not_reasoned(wish.reason) or _not_theirs(request, moment):
        return [refusal.of(wish.account)]
    return [RequestWithdrawn(account=wish.account, request=wish.request, by=moment.actor, reason=wish.reason)]


def _change_of(request: Request, moment: Moment) -> Change:
    limit = None if request.limit_minor is None else (request.limit_minor, request.limit_expires_on)
    on = max(request.on, moment.at.date())
    return Change(on=on, reason=request.reason, by=request.by, limit=limit, terms=request.terms)


# --- why not --------------------------------------------------------------------------------------------------------


def _open(state: State, account: str, name: str) -> tuple[Account, Request] | Refusal:
    """The account and its open request of that name."""
    found = living(state, account)
    if isinstance(found, Refusal):
        return found
    request = next((each for each in found.requests if each.request == name), None)
    if request is None:
        return Refusal("unknown_request", f"no request {name!r} of this account is open: answered already, or never asked")
    return found, request


def _not_to_answer(account: Account, request: Request, moment: Moment) -> Refusal | None:
    """Under the policy of the day of the answer, not of the request."""
    if refusal := not_signed(moment):
        return refusal
    if moment.people & people_in(request.by):
        return Refusal("own_request", "nobody answers their own request; withdraw it, or have somebody else answer")
    policy = in_force(moment.at.date())
    amount = request.limit_minor if request.limit_minor is not None else account.limit_minor
    able = authority.who_may_approve(policy, request.kind, amount)
    if moment.role in able:
        return None
    role = moment.role or "somebody without a role"
    detail = f"{request.kind} at {amount} is beyond {role} ({policy.version}); it takes a {' or '.join(able)}"
    return Refusal("beyond_authority", detail)


def _not_viewed(account: Account, wish: ApproveRequest, moment: Moment) -> Refusal | None:
    """A decision on a key account records the views of its manager and of finance (A6)."""
    tier, policy = account.terms.tier, in_force(moment.at.date())
    if tier not in policy.views or (wish.sales_view.strip() and wish.finance_view.strip()):
        return None
    return Refusal("no_views", f"a {tier} account ({policy.version}): say what sales thinks and what finance thinks")


def _not_theirs(request: Request, moment: Moment) -> Refusal | None:
    if moment.people & people_in(request.by):
        return None
    return Refusal("not_yours", f"{request.by} asked for it and may withdraw it; others decline it")


def _changed_meanwhile(account: Account, request: Request) -> Refusal | None:
    """It was weighed against what was so when it was asked for."""
    if request.kind == LIMIT:
        same = (account.limit_minor, account.limit_expires_on) == (request.was_minor, request.was_expires_on)
    else:
        same = account.terms == request.was_terms
    if same:
        return None
    return Refusal(
        "changed_meanwhile", f"the {request.kind} has changed since this was asked for; decline it and have it asked anew"
    )


def _scheduled_meanwhile(request: Request) -> Refusal:
    return Refusal("changed_meanwhile", f"the {request.kind} will be so by {request.on} without it; decline it")
