"""Statements of account at each account's cadence: which is due when, and that it is said once (P13). Pure.

The fact names the paper; whoever makes the paper asks the ledger as of that day. No item is ever loaded for it: the account's row
knows whether there is something to tell, so an account without has no timer either.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import asyncpg
from msgspec.structs import replace

from contracts.message import Fact
from contracts.payments import IssueStatement, StatementIssued
from services.payments.period import last_day
from services.payments.policies import ONE_DAY, in_force
from services.payments.refusal import unneeded
from services.payments.state import Account, State
from shared.service import Moment, Step, Timer

STATEMENT = "statement"
"""Timer: one an account, when its next statement leaves."""
STANDARD, WEEKLY, NONE = "standard", "weekly", "none"
TERMINATED = "terminated"
SUNDAY = 6


class Due(NamedTuple):
    """The statement that comes next: of which day, and when it leaves."""

    cadence: str
    as_of: dt.date
    at: dt.datetime


def due_of(account: Account | None) -> Due | None:
    """It follows from the row alone, by the policy of the day on which there was something to tell; None: nothing is due."""
    if account is None or account.statement_from is None or not _is_customer(account):
        return None
    policy = in_force(account.statement_from).statements
    cadence = policy.cadence if account.statement_cadence == STANDARD else account.statement_cadence
    if cadence == NONE:
        return None
    as_of = end_of_week(account.statement_from) if cadence == WEEKLY else last_day(account.statement_from)
    return Due(cadence, as_of, policy.leaves_at(as_of))


def _is_customer(account: Account) -> bool:
    """Known to the credit master, and not terminated."""
    return bool(account.home) and account.status != TERMINATED


def end_of_week(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=SUNDAY - day.weekday())


def issue(state: State, wish: IssueStatement, moment: Moment) -> Iterable[Fact]:
    """Once a period: what was issued moves the row to the next. Its day must be over; the hour is the timer's, because holidays
    that are declared later must not lose a statement."""
    account = state.accounts.get(wish.account)
    due = due_of(account)
    if account is None or due is None or due.as_of >= moment.at.date():
        return unneeded(wish.account)
    number, since = account.statements + 1, account.stated_on
    return [StatementIssued(account=wish.account, number=number, cadence=due.cadence, as_of=due.as_of, since=since)]


# --- how the row follows ------------------------------------------------------------------------------------------------


def moved(account: Account, day: dt.date) -> Account:
    """Something of it moved, and is seen from this day on; the same row when it knew that."""
    begins = min(account.statement_from or day, day)
    last = max(account.moved_on or day, day)
    if (begins, last) == (account.statement_from, account.moved_on):
        return account
    return replace(account, statement_from=begins, moved_on=last)


def issued(account: Account, fact: StatementIssued) -> Account:
    """There is more to tell while something is open, and of what moved behind the day of this one."""
    more = account.open_items > 0 or (account.moved_on is not None and account.moved_on > fact.as_of)
    begins = fact.as_of + ONE_DAY if more else None
    return replace(account, statements=fact.number, stated_on=fact.as_of, statement_from=begins)


def anchored(before: Account, after: Account, today: dt.date) -> Account:
    """Another cadence begins today, and so do statements for who had none: nothing is made up for."""
    if after.statement_from is None or _given(before) == _given(after):
        return after
    return replace(after, statement_from=max(after.statement_from, today))


def _given(account: Account) -> tuple[str, bool]:
    return account.statement_cadence, _is_customer(account)


# --- the clock ----------------------------------------------------------------------------------------------------------


def timers(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    """Set, moved and cleared with the row."""
    if after.accounts is before.accounts:
        return
    for name, account in after.accounts.items():
        was = before.accounts.get(name)
        if account is not was and _anchor(account) != _anchor(was) and (due := due_of(account)) != due_of(was):
            yield Timer(STATEMENT, name, due.at if due is not None else None, moment.home)


def _anchor(account: Account | None) -> tuple[object, ...]:
    """All that `due_of` reads: compared first, because most messages change none of it."""
    return () if account is None else (account.statement_from, *_given(account))


async def fire(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """A step, not a command among the messages: on the first of a month all accounts are due, and cash must not wait for them."""
    return Step([(timer.home, IssueStatement(account=timer.key))])
