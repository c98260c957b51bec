"""The work of getting an account off stop: its owner, actions with their days, a progress note every week (A3). Pure.

It begins with the stop and ends with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from contracts.accounts import (
    AddStopAction,
    AssignStop,
    CloseStopAction,
    NoteStopProgress,
    ReachStopProgress,
    StopActionAdded,
    StopActionClosed,
    StopAssigned,
    StopProgressMissed,
    StopProgressNoted,
)
from contracts.message import Fact
from services.accounts.account import State, StopAction, StopWork
from services.accounts.policies import in_force
from services.accounts.refusal import Refusal, not_worded, unneeded
from services.accounts.standing import living
from shared.service import Moment

ACTIONS_MAX = 50
"""Of one stop, done ones counted: a bound on the row. A stop that takes more is a case for the lawyers."""
WEEK = 7
"""Days to the next note where the policy of the day names none."""


def assign(state: State, wish: AssignStop, moment: Moment) -> Iterable[Fact]:
    work = _on_stop(state, wish.account)
    if isinstance(work, Refusal):
        return [work.of(wish.account)]
    if work.owner == wish.owner:
        return unneeded(wish.account)
    return [StopAssigned(account=wish.account, owner=wish.owner, by=moment.actor or None)]


def add_action(state: State, wish: AddStopAction, moment: Moment) -> Iterable[Fact]:
    work = _on_stop(state, wish.account)
    if isinstance(work, Refusal):
        return [work.of(wish.account)]
    known = _action(work, wish.action)
    if known and (known.text, known.due_on, known.owner) == (wish.text, wish.due_on, wish.owner):
        return unneeded(wish.account)
    if refusal := not_worded(wish.text) or _not_to_add(work, known, wish, moment):
        return [refusal.of(wish.account)]
    name, text, due_on, owner = wish.action, wish.text, wish.due_on, wish.owner
    return [StopActionAdded(account=wish.account, action=name, text=text, due_on=due_on, owner=owner, by=moment.actor or None)]


def close_action(state: State, wish: CloseStopAction, moment: Moment) -> Iterable[Fact]:
    work = _on_stop(state, wish.account)
    if isinstance(work, Refusal):
        return [work.of(wish.account)]
    known = _action(work, wish.action)
    if known is None:
        return [Refusal("unknown_action", f"no action {wish.action!r} belongs to this stop; add it first").of(wish.account)]
    if known.outcome is not None:
        return unneeded(wish.account)
    if refusal := not_worded(wish.outcome):
        return [refusal.of(wish.account)]
    return [StopActionClosed(account=wish.account, action=wish.action, outcome=wish.outcome, by=moment.actor or None)]


def note_progress(state: State, wish: NoteStopProgress, moment: Moment) -> Iterable[Fact]:
    """The next one is due a week after this one, however early it comes."""
    work = _on_stop(state, wish.account)
    if refusal := work if isinstance(work, Refusal) else not_worded(wish.text):
        return [refusal.of(wish.account)]
    next_due_on = moment.at.date() + dt.timedelta(days=_between(moment))
    return [StopProgressNoted(account=wish.account, text=wish.text, next_due_on=next_due_on, by=moment.actor or None)]


def reach_progress(state: State, wish: ReachStopProgress, moment: Moment) -> Iterable[Fact]:
    """Missed only once however long nobody looked; the weekday stays. The clock has the last word, not the message."""
    work, today = state.account.work if state.account else None, moment.at.date()
    if work is None or work.progress_due_on != wish.due_on or today <= wish.due_on:
        return []
    days = _between(moment)
    weeks = -(-(today - wish.due_on).days // days)
    next_due_on = wish.due_on + dt.timedelta(days=weeks * days)
    return [StopProgressMissed(account=wish.account, due_on=wish.due_on, next_due_on=next_due_on, owner=work.owner)]


def _on_stop(state: State, name: str) -> StopWork | Refusal:
    account = living(state, name)
    if isinstance(account, Refusal):
        return account
    if account.work is None:
        return Refusal("wrong_status", f"it is {account.status}, not on stop: there is nothing to work on")
    return account.work


def _action(work: StopWork, name: str) -> StopAction | None:
    return next((each for each in work.actions if each.action == name), None)


def _not_to_add(work: StopWork, known: StopAction | None, wish: AddStopAction, moment: Moment) -> Refusal | None:
    if known is not None:
        return Refusal("name_taken", f"another action of this stop is named {wish.action!r}; name this one otherwise")
    if wish.due_on < moment.at.date():
        return Refusal("not_ahead", f"it is to be done by {wish.due_on}, which has passed; name a day from today on")
    if len(work.actions) >= ACTIONS_MAX:
        return Refusal("too_many_actions", f"this stop has {ACTIONS_MAX} actions; note further steps as progress")
    return None


def _between(moment: Moment) -> int:
    return in_force(moment.at.date()).stop_progress_days or WEEK
