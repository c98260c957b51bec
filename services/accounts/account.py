"""The row of one account, and how a fact changes it. Nothing here decides anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from contracts.accounts import (
    AccountOpened,
    AccountRenamed,
    AccountTerminated,
    ChangeScheduled,
    CoverChanged,
    LimitChanged,
    PlacedOnStop,
    StatusChanged,
    TakenOffStop,
    Terms,
    TermsChanged,
)
from contracts.message import Fact

PROSPECT, OPEN, ON_STOP, DORMANT, TERMINATED = STATUSES = ("prospect", "open", "on_stop", "dormant", "terminated")
LIMIT, TERMS = "limit", "terms"


class Scheduled(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change that waits for its day: a limit with its expiry, or terms."""

    on: dt.date
    reason: str
    by: str | None = None
    limit_minor: int | None = None
    limit_expires_on: dt.date | None = None
    terms: Terms | None = None

    @property
    def kind(self) -> str:
        return LIMIT if self.terms is None else TERMS


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`members` is kept on a root only: how many other accounts of its group are not terminated."""

    account: str
    home: str
    name: str
    currency: str
    limit_minor: int
    parent: str | None = None
    limit_expires_on: dt.date | None = None
    terms: Terms = Terms()
    status: str = OPEN
    stop_reasons: tuple[str, ...] = ()
    insured_minor: int = 0
    insured_until: dt.date | None = None
    scheduled: tuple[Scheduled, ...] = ()
    members: int = 0

    @property
    def next_change_on(self) -> dt.date | None:
        return self.scheduled[0].on if self.scheduled else None


class State(msgspec.Struct, frozen=True):
    """What one message is about: an account, and the root of its group where that is another account."""

    account: Account | None = None
    root: Account | None = None


def evolve(state: State, fact: Fact, at: dt.datetime) -> State:
    """The state after this fact. A fact about an account that is not there changes nothing: it was a refusal."""
    if isinstance(fact, AccountOpened):
        return State(account=_opened(fact), root=_with_members(state.root, 1))
    if state.account is None:
        return state
    if isinstance(fact, AccountTerminated):
        ended = replace(state.account, status=TERMINATED, stop_reasons=(), scheduled=())
        return State(account=ended, root=_with_members(state.root, -1))
    return replace(state, account=_changed(state.account, fact))


def _opened(fact: AccountOpened) -> Account:
    return Account(
        account=fact.account,
        home=fact.home,
        name=fact.name,
        currency=fact.currency,
        limit_minor=fact.limit_minor,
        parent=fact.parent,
        limit_expires_on=fact.limit_expires_on,
        terms=fact.terms,
        status=fact.status,
        stop_reasons=(fact.reason,) if fact.status == ON_STOP else (),
        insured_minor=fact.insured_minor,
        insured_until=fact.insured_until,
    )


def _with_members(root: Account | None, more: int) -> Account | None:
    return replace(root, members=root.members + more) if root else None


def _changed(account: Account, fact: Fact) -> Account:
    match fact:
        case TermsChanged():
            return replace(account, terms=fact.terms, scheduled=_without(account, TERMS, fact.effective_from))
        case LimitChanged():
            waiting = _without(account, LIMIT, fact.effective_from)
            return replace(account, limit_minor=fact.limit_minor, limit_expires_on=fact.limit_expires_on, scheduled=waiting)
        case CoverChanged():
            return replace(account, insured_minor=fact.insured_minor, insured_until=fact.insured_until)
        case ChangeScheduled():
            return replace(account, scheduled=_with(account.scheduled, scheduled_by(fact)))
        case AccountRenamed():
            return replace(account, name=fact.name)
        case StatusChanged():
            return replace(account, status=fact.status)
        case PlacedOnStop():
            return replace(account, status=ON_STOP, stop_reasons=(*account.stop_reasons, fact.reason))
        case TakenOffStop():
            return replace(account, status=OPEN, stop_reasons=())
    return account


def scheduled_by(fact: ChangeScheduled) -> tuple[Scheduled, ...]:
    """Limit and terms wait apart, so that a later word about the one leaves the other."""
    on, reason, by = fact.effective_from, fact.reason, fact.by
    found = []
    if fact.limit_minor is not None:
        limit, expires = fact.limit_minor, fact.limit_expires_on
        found.append(Scheduled(on=on, reason=reason, by=by, limit_minor=limit, limit_expires_on=expires))
    if fact.terms is not None:
        found.append(Scheduled(on=on, reason=reason, by=by, terms=fact.terms))
    return tuple(found)


def _with(waiting: tuple[Scheduled, ...], more: Iterable[Scheduled]) -> tuple[Scheduled, ...]:
    """A later word about the same day and kind replaces the earlier one."""
    by_day = {(change.on, change.kind): change for change in (*waiting, *more)}
    return tuple(by_day[name] for name in sorted(by_day))


def _without(account: Account, kind: str, day: dt.date) -> tuple[Scheduled, ...]:
    """A change that took effect is done, and so is what was scheduled before it."""
    return tuple(change for change in account.scheduled if change.kind != kind or change.on > day)
