"""Whether the account trades: on stop, now or on an announced day, off stop, ended (A3). Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from contracts.accounts import (
    AccountTerminated,
    CallOffStop,
    PlacedOnStop,
    PutOnStop,
    ReachStop,
    ScheduleStop,
    StopCalledOff,
    StopScheduled,
    TakenOffStop,
    TakeOffStop,
    TerminateAccount,
)
from contracts.message import Fact
from services.accounts import group
from services.accounts.account import ON_STOP, OPEN, PROSPECT, TERMINATED, Account, ComingStop, State
from services.accounts.policies import in_force
from services.accounts.refusal import Refusal, not_reasoned, unneeded
from shared.service import Moment

STOP_REASONS_MAX = 20
"""A bound on the row; who has more reasons than that has said enough."""


def put_on_stop(state: State, wish: PutOnStop, moment: Moment) -> Iterable[Fact]:
    """Each further reason is a fact of its own; the same one again is not."""
    account = living(state, wish.account)
    if isinstance(account, Refusal):
        return [account.of(wish.account)]
    if wish.reason in account.stop_reasons:
        return unneeded(wish.account)
    if refusal := not_reasoned(wish.reason) or _not_to_stop(account):
        return [refusal.of(wish.account)]
    return [placed(account, wish.reason, moment)]


def placed(account: Account, reason: str, moment: Moment) -> PlacedOnStop:
    """The first reason begins the weeks of its work."""
    due_on = None if account.status == ON_STOP else first_progress_on(moment)
    return PlacedOnStop(account=account.account, reason=reason, progress_due_on=due_on)


def first_progress_on(moment: Moment) -> dt.date | None:
    days = in_force(moment.at.date()).stop_progress_days
    return moment.at.date() + dt.timedelta(days=days) if days else None


def take_off_stop(state: State, wish: TakeOffStop, moment: Moment) -> Iterable[Fact]:
    account = living(state, wish.account)
    if isinstance(account, Refusal):
        return [account.of(wish.account)]
    if account.status == OPEN:
        return unneeded(wish.account)
    if refusal := not_reasoned(wish.reason) or _not_on_stop(account):
        return [refusal.of(wish.account)]
    return [TakenOffStop(account=wish.account, reason=wish.reason)]


# --- announced ahead ------------------------------------------------------------------------------------------------


def schedule_stop(state: State, wish: ScheduleStop, moment: Moment) -> Iterable[Fact]:
    """Finance hears of it before it happens. A later word replaces the earlier one."""
    account = living(state, wish.account)
    if isinstance(account, Refusal):
        return [account.of(wish.account)]
    if account.coming_stop == ComingStop(on=wish.on, reason=wish.reason):
        return unneeded(wish.account)
    if refusal := not_reasoned(wish.reason) or _not_to_announce(account, wish, moment):
        return [refusal.of(wish.account)]
    return [StopScheduled(account=wish.account, on=wish.on, reason=wish.reason, by=moment.actor or None)]


def call_off_stop(state: State, wish: CallOffStop, moment: Moment) -> Iterable[Fact]:
    account = living(state, wish.account)
    if isinstance(account, Refusal):
        return [account.of(wish.account)]
    if account.coming_stop is None:
        return unneeded(wish.account)
    if refusal := not_reasoned(wish.reason):
        return [refusal.of(wish.account)]
    return [StopCalledOff(account=wish.account, on=account.coming_stop.on, reason=wish.reason, by=moment.actor or None)]


def reach_stop(state: State, wish: ReachStop, moment: Moment) -> Iterable[Fact]:
    """The announced day has come, unless it was called off or moved. The clock has the last word, not the message."""
    account = state.account
    if account is None or account.coming_stop is None or account.coming_stop.on > min(wish.day, moment.at.date()):
        return []
    return [placed(account, account.coming_stop.reason, moment)]


# --- the end --------------------------------------------------------------------------------------------------------


def terminate(state: State, wish: TerminateAccount, moment: Moment) -> Iterable[Fact]:
    if state.account is None:
        return [unknown(wish.account).of(wish.account)]
    if state.account.status != TERMINATED and (refusal := not_reasoned(wish.reason)):
        return [refusal.of(wish.account)]
    return ending(state.account, wish.reason)


def ending(account: Account, reason: str) -> list[Fact]:
    if account.status == TERMINATED:
        return unneeded(account.account)
    if refusal := group.still_needed(account):
        return [refusal.of(account.account)]
    return [AccountTerminated(account=account.account, reason=reason)]


def living(state: State, name: str) -> Account | Refusal:
    """The account, if it is known and not terminated: what may still be changed."""
    if state.account is None:
        return unknown(name)
    return ended(state.account) if state.account.status == TERMINATED else state.account


def unknown(name: str) -> Refusal:
    return Refusal("unknown_account", f"account {name!r} is not known here; open it first")


def ended(account: Account) -> Refusal:
    return Refusal("terminated", f"account {account.account!r} is terminated for good; open another one")


def _not_to_stop(account: Account) -> Refusal | None:
    if account.status == PROSPECT:
        return Refusal("wrong_status", "it is a prospect and does not trade yet; there is nothing to stop")
    if len(account.stop_reasons) >= STOP_REASONS_MAX:
        return Refusal("too_many_reasons", f"it is on stop for {STOP_REASONS_MAX} reasons; take it off stop first")
    return None


def _not_to_announce(account: Account, wish: ScheduleStop, moment: Moment) -> Refusal | None:
    if account.status == ON_STOP:
        return Refusal("wrong_status", "it is on stop already; a further reason is sent as accounts.put_on_stop")
    if wish.on <= moment.at.date():
        return Refusal("not_ahead", "a stop is announced for a later day; to stop it now send accounts.put_on_stop")
    return _not_to_stop(account)


def _not_on_stop(account: Account) -> Refusal | None:
    if account.status == ON_STOP:
        return None
    return Refusal("wrong_status", f"it is {account.status}, not on stop; to let it trade send it with status open")
