"""The row of one account, and how a fact changes it. Nothing here decides anything."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from contracts.accounts import (
    AccountOpened,
    AccountRenamed,
    AccountTerminated,
    ApprovalRequested,
    ChangeScheduled,
    CoverChanged,
    DeputyAppointed,
    DeputyEnded,
    LimitChanged,
    PlacedOnStop,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    StatusChanged,
    StopActionAdded,
    StopActionClosed,
    StopAssigned,
    StopCalledOff,
    StopProgressMissed,
    StopProgressNoted,
    StopScheduled,
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


class ComingStop(msgspec.Struct, frozen=True, kw_only=True):
    """A stop that is announced and waits for its day."""

    on: dt.date
    reason: str


class StopAction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to be done to get the account off stop; done when it has an outcome.

    It stays then, so that its name is not taken twice.
    """

    action: str
    text: str
    due_on: dt.date
    owner: str
    outcome: str | None = None


class StopWork(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done to get the account off stop. No day for the next note: its stop began under a policy without one."""

    owner: str | None = None
    actions: tuple[StopAction, ...] = ()
    progress_due_on: dt.date | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change that waits for somebody's approval, and what it would change as that stood when it was asked for."""

    request: str
    on: dt.date
    reason: str
    by: str
    limit_minor: int | None = None
    limit_expires_on: dt.date | None = None
    terms: Terms | None = None
    was_minor: int | None = None
    was_expires_on: dt.date | None = None
    was_terms: Terms | None = None

    @property
    def kind(self) -> str:
        return LIMIT if self.terms is None else TERMS

    @property
    def asked(self) -> tuple[Any, ...]:
        """What is asked for, whoever asks."""
        return self.on, self.limit_minor, self.limit_expires_on, self.terms


class Account(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`members` is kept on a root only: how many other accounts of its group are not terminated.

    `work` is there while it is on stop.
    """

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
    coming_stop: ComingStop | None = None
    work: StopWork | None = None
    requests: tuple[Request, ...] = ()

    @property
    def next_change_on(self) -> dt.date | None:
        return self.scheduled[0].on if self.scheduled else None

    @property
    def stops_on(self) -> dt.date | None:
        return self.coming_stop.on if self.coming_stop else None

    @property
    def progress_missed_on(self) -> dt.date | None:
        """The day after the one by which a progress note is due."""
        due_on = self.work.progress_due_on if self.work else None
        return due_on + dt.timedelta(days=1) if due_on else None


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """On these days this deputy may act in this role for the person whose row it is."""

    deputy: str
    role: str
    from_on: dt.date
    until_on: dt.date


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who is, will be or was covered by deputies; what is over is dropped when the next one comes."""

    person: str
    covers: tuple[Cover, ...] = ()


class State(msgspec.Struct, frozen=True):
    """What one message is about: an account, and the root of its group where that is another account; or a person."""

    account: Account | None = None
    root: Account | None = None
    person: Person | None = None


def evolve(state: State, fact: Fact, at: dt.datetime) -> State:
    """The state after this fact. A fact about an account that is not there changes nothing: it was a refusal."""
    if isinstance(fact, DeputyAppointed | DeputyEnded):
        return replace(state, person=_covered(state.person, fact, at.date()))
    if isinstance(fact, AccountOpened):
        return State(account=_opened(fact), root=_with_members(state.root, 1))
    if state.account is None:
        return state
    if isinstance(fact, AccountTerminated):
        return State(account=_ended(state.account), root=_with_members(state.root, -1))
    return replace(state, account=_changed(state.account, fact))


def _covered(before: Person | None, fact: DeputyAppointed | DeputyEnded, today: dt.date) -> Person:
    person = before or Person(person=fact.person)
    covers = tuple(each for each in person.covers if each.until_on >= today)
    if isinstance(fact, DeputyEnded):
        return replace(person, covers=tuple(each for each in covers if each.deputy != fact.deputy))
    added = Cover(deputy=fact.deputy, role=fact.role, from_on=fact.from_on, until_on=fact.until_on)
    return replace(person, covers=(*covers, added))


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
        work=StopWork(progress_due_on=fact.progress_due_on) if fact.status == ON_STOP else None,
        insured_minor=fact.insured_minor,
        insured_until=fact.insured_until,
    )


def _ended(account: Account) -> Account:
    """Nothing waits on it any more."""
    return replace(account, status=TERMINATED, stop_reasons=(), scheduled=(), coming_stop=None, work=None, requests=())


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
            return _stopped(account, fact)
        case TakenOffStop():
            return replace(account, status=OPEN, stop_reasons=(), work=None)
        case StopScheduled():
            return replace(account, coming_stop=ComingStop(on=fact.on, reason=fact.reason))
        case StopCalledOff():
            return replace(account, coming_stop=None)
        case ApprovalRequested():
            return replace(account, requests=(*account.requests, _request_of(account, fact)))
        case RequestApproved() | RequestDeclined() | RequestWithdrawn():
            return replace(account, requests=tuple(each for each in account.requests if each.request != fact.request))
    work = account.work and _worked(account.work, fact)
    return account if work is account.work else replace(account, work=work)


def _stopped(account: Account, fact: PlacedOnStop) -> Account:
    """A stop that comes before its announced day replaces the announcement."""
    work = account.work or StopWork(progress_due_on=fact.progress_due_on)
    return replace(account, status=ON_STOP, stop_reasons=(*account.stop_reasons, fact.reason), coming_stop=None, work=work)


def _worked(work: StopWork, fact: Fact) -> StopWork:
    match fact:
        case StopAssigned():
            return replace(work, owner=fact.owner)
        case StopActionAdded():
            added = StopAction(action=fact.action, text=fact.text, due_on=fact.due_on, owner=fact.owner)
            return replace(work, actions=(*work.actions, added))
        case StopActionClosed():
            return replace(work, actions=tuple(_closed(each, fact) for each in work.actions))
        case StopProgressNoted() | StopProgressMissed():
            return replace(work, progress_due_on=fact.next_due_on)
    return work


def _closed(action: StopAction, fact: StopActionClosed) -> StopAction:
    return replace(action, outcome=fact.outcome) if action.action == fact.action else action


def _request_of(account: Account, fact: ApprovalRequested) -> Request:
    limit, terms = fact.kind == LIMIT, fact.kind == TERMS
    return Request(
        request=fact.request,
        on=fact.effective_from,
        reason=fact.reason,
        by=fact.by,
        limit_minor=fact.limit_minor,
        limit_expires_on=fact.limit_expires_on,
        terms=fact.terms,
        was_minor=account.limit_minor if limit else None,
        was_expires_on=account.limit_expires_on if limit else None,
        was_terms=account.terms if terms else None,
    )


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
