"""Terms and limits, each changed from a day on, with a reason, within authority (A2, A6). Pure.

What is beyond its sender, or is never fixed alone, is asked for and waits for an approval (`approvals.py`). A day of today or
before counts at once; a later one is scheduled, and becomes a fact on its day. Days are days by UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from contracts.accounts import (
    ApprovalRequested,
    ChangeLimit,
    ChangeScheduled,
    ChangeTerms,
    DueChangesReached,
    LimitChanged,
    Terms,
    TermsChanged,
)
from contracts.envelope import derived_id
from contracts.message import Fact
from services.accounts import authority
from services.accounts.account import LIMIT, TERMS, Account, Scheduled, State
from services.accounts.authority import Need
from services.accounts.refusal import Refusal, not_reasoned, unneeded
from services.accounts.standing import living
from shared.service import Moment

SCHEDULED_MAX = 24
"""Changes that may wait for their day on one account: two years of monthly ones, and a bound on its row."""

REQUESTS_MAX = 10
"""Requests that may wait for an answer on one account: more is no asking, and a bound on its row."""

Limit = tuple[int, dt.date | None]
"""The amount in minor units, and the last day it holds."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be different from a day on; None stays as it is."""

    on: dt.date
    reason: str
    by: str | None
    limit: Limit | None = None
    terms: Terms | None = None

    @property
    def empty(self) -> bool:
        return self.limit is None and self.terms is None


def change_terms(state: State, wish: ChangeTerms, moment: Moment) -> Iterable[Fact]:
    on = wish.effective_from or moment.at.date()
    change = Change(on=on, reason=wish.reason, by=moment.actor or None, terms=wish.terms)
    return _decided(state, wish.account, change, moment)


def change_limit(state: State, wish: ChangeLimit, moment: Moment) -> Iterable[Fact]:
    on = wish.effective_from or moment.at.date()
    limit = wish.limit_minor, wish.limit_expires_on
    change = Change(on=on, reason=wish.reason, by=moment.actor or None, limit=limit)
    return _decided(state, wish.account, change, moment)


def reach_due_changes(state: State, wish: DueChangesReached, moment: Moment) -> Iterator[Fact]:
    """Each scheduled change whose day has come, oldest first. The clock has the last word, not the message."""
    account = state.account
    if account is None:
        return
    today = min(wish.day, moment.at.date())
    for waiting in (each for each in account.scheduled if each.on <= today):
        for fact in _facts(account, _change_of(waiting)):
            yield fact
            account = replace(account, limit_minor=_limit_after(account, fact))


def _decided(state: State, name: str, change: Change, moment: Moment) -> list[Fact]:
    account = living(state, name)
    if isinstance(account, Refusal):
        return [account.of(name)]
    if refusal := not_reasoned(change.reason) or not_fitting(account, change, moment):
        return [refusal.of(name)]
    if need := needs(account, change, moment):
        return _asked(account, change, need, moment)
    return changed_on_its_day(account, change, moment) or unneeded(name)


def _asked(account: Account, change: Change, need: Need, moment: Moment) -> list[Fact]:
    """The same wish again, whoever has it, is not asked for twice."""
    name = account.account
    if not authority.may_ask(need, moment):
        return [authority.refused(need, moment).of(name)]
    limit, expires = change.limit or (None, None)
    asked = change.on, limit, expires, change.terms
    if any(waiting.asked == asked for waiting in account.requests):
        return unneeded(name)
    if len(account.requests) >= REQUESTS_MAX:
        detail = f"{REQUESTS_MAX} requests of this account wait for an answer; have some answered or withdrawn"
        return [Refusal("too_many_requests", detail).of(name)]
    return [
        ApprovalRequested(
            account=name,
            request=derived_id("request", moment.cause),
            kind=need.kind,
            amount_minor=need.amount_minor,
            currency=account.currency,
            levels=need.levels,
            reason=change.reason,
            by=moment.actor,
            effective_from=change.on,
            four_eyes=need.four_eyes,
            limit_minor=limit,
            limit_expires_on=expires,
            terms=change.terms,
        )
    ]


def changed_on_its_day(account: Account, change: Change, moment: Moment) -> list[Fact]:
    """At once, or scheduled; without what is so already, or will be so by then."""
    later = change.on > moment.at.date()
    change = _without(change, *(_as_scheduled(account, change.on) if later else _as_it_is(account)))
    if change.empty:
        return []
    return [_scheduled(account, change)] if later else list(_facts(account, change))


def _without(change: Change, limit: Limit, terms: Terms) -> Change:
    same_limit, same_terms = change.limit == limit, change.terms == terms
    return replace(change, limit=None if same_limit else change.limit, terms=None if same_terms else change.terms)


def _as_it_is(account: Account) -> tuple[Limit, Terms]:
    return (account.limit_minor, account.limit_expires_on), account.terms


def _as_scheduled(account: Account, on: dt.date) -> tuple[Limit, Terms]:
    """How the account will stand on that day."""
    limit, terms = _as_it_is(account)
    for waiting in (_change_of(each) for each in account.scheduled if each.on <= on):
        limit, terms = waiting.limit or limit, waiting.terms or terms
    return limit, terms


def _change_of(waiting: Scheduled) -> Change:
    limit = None if waiting.limit_minor is None else (waiting.limit_minor, waiting.limit_expires_on)
    return Change(on=waiting.on, reason=waiting.reason, by=waiting.by, limit=limit, terms=waiting.terms)


def _facts(account: Account, change: Change) -> Iterator[Fact]:
    name, on, reason, by = account.account, change.on, change.reason, change.by
    if change.terms is not None:
        yield TermsChanged(account=name, terms=change.terms, reason=reason, effective_from=on, by=by)
    if change.limit is not None:
        limit, expires = change.limit
        yield LimitChanged(
            account=name,
            limit_minor=limit,
            was_minor=account.limit_minor,
            reason=reason,
            effective_from=on,
            limit_expires_on=expires,
            by=by,
        )


def _limit_after(account: Account, fact: Fact) -> int:
    return fact.limit_minor if isinstance(fact, LimitChanged) else account.limit_minor


def _scheduled(account: Account, change: Change) -> ChangeScheduled:
    limit, expires = change.limit or (None, None)
    return ChangeScheduled(
        account=account.account,
        effective_from=change.on,
        reason=change.reason,
        limit_minor=limit,
        limit_expires_on=expires,
        terms=change.terms,
        by=change.by,
    )


# --- why not --------------------------------------------------------------------------------------------------------


def not_fitting(account: Account, change: Change, moment: Moment) -> Refusal | None:
    """What is wrong with the change itself, whoever wishes it."""
    ends = change.limit and change.limit != _as_it_is(account)[0] and expired(change.limit[1], change.on)
    return ends or _too_many(account, change, moment)


def needs(account: Account, change: Change, moment: Moment) -> Need | None:
    """The approval it needs, if any."""
    return _limit_needs(account, change, moment) or _terms_need(account, change, moment)


def _limit_needs(account: Account, change: Change, moment: Moment) -> Need | None:
    """Lowering is free; an amount that is raised, or that holds longer than it did, needs authority."""
    if change.limit is None:
        return None
    eases = change.limit[0] > account.limit_minor or _holds_longer(account.limit_expires_on, change.limit[1])
    return authority.needed(authority.LIMIT, change.limit[0], moment) if eases else None


def _terms_need(account: Account, change: Change, moment: Moment) -> Need | None:
    if change.terms is None or not _eases(account.terms, change.terms):
        return None
    return authority.needed(authority.TERMS, account.limit_minor, moment)


def _holds_longer(before: dt.date | None, after: dt.date | None) -> bool:
    return before is not None and (after is None or after > before)


def _eases(before: Terms, after: Terms) -> bool:
    """Whether the new terms are better for the customer than the old ones, or of another risk class or tier."""
    usual, larger = before.standard_order_minor, after.standard_order_minor
    return (
        after.payment_days > before.payment_days
        or before.cash_on_delivery > after.cash_on_delivery
        or before.po_required > after.po_required
        or before.risk_class != after.risk_class
        or before.tier != after.tier
        or (usual is not None and (larger is None or larger > usual))
    )


def _too_many(account: Account, change: Change, moment: Moment) -> Refusal | None:
    if change.on <= moment.at.date():
        return None
    taken = {(waiting.on, waiting.kind) for waiting in account.scheduled}
    wanted = {(change.on, kind) for kind, value in ((LIMIT, change.limit), (TERMS, change.terms)) if value is not None}
    if len(taken | wanted) <= SCHEDULED_MAX:
        return None
    return Refusal("too_many_scheduled", f"{SCHEDULED_MAX} changes wait for their day already; send this one later")


def expired(expires: dt.date | None, on: dt.date) -> Refusal | None:
    if expires is None or expires >= on:
        return None
    return Refusal("expires_before_it_starts", f"the limit ends on {expires}, before it starts on {on}; correct one")
