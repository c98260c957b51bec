"""Rows of the credit master, and the timers that wake scheduled changes, announced stops and weekly notes that are missed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg

from contracts.accounts import (
    AppointDeputy,
    DeputyAppointed,
    DeputyEnded,
    DeputyRefused,
    DueChangesReached,
    EndDeputy,
    ReachStop,
    ReachStopProgress,
)
from services.accounts.account import Account, Person, State
from shared.rows import Table
from shared.service import Moment, Step, Timer

SCHEMA = Path(__file__).with_name("schema.sql")
ACCOUNTS = Table("account", Account, "account")
PEOPLE = Table("person", Person, "person")
ABOUT_PEOPLE = (AppointDeputy, EndDeputy, DeputyAppointed, DeputyEnded, DeputyRefused)
DUE_CHANGES, STOP, STOP_PROGRESS = "due_changes", "stop", "stop_progress"

WAKES: Mapping[str, Callable[[Account], dt.date | None]] = {
    DUE_CHANGES: lambda account: account.next_change_on,
    STOP: lambda account: account.stops_on,
    STOP_PROGRESS: lambda account: account.progress_missed_on,
}
"""Timer → the day it wakes at. One of each an account."""


def rows(message: Any, home: str, partition: int) -> tuple[str | None, str | None, str | None]:
    """The account, and the root that gave the home its name where that is another one; or the person."""
    if isinstance(message, ABOUT_PEOPLE):
        return None, None, message.person
    account: str = message.account
    return account, home if home != account else None, None


def deadlines(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    """Timers whose day (it starts at 00:00 UTC) is another than before."""
    account = after.account
    if account is None:
        return
    for kind, wakes_on in WAKES.items():
        on = wakes_on(account)
        if on != (wakes_on(before.account) if before.account else None):
            yield Timer(kind, account.account, _start_of(on), account.home)


def _start_of(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time(), dt.UTC) if day else None


async def due_changes(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Changes of one account are few and bounded, so one command does them all."""
    return Step([(timer.home, DueChangesReached(account=timer.key, day=now.date()))])


async def reached_stop(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    return Step([(timer.home, ReachStop(account=timer.key, day=now.date()))])


async def missed_progress(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """The note was due by the end of the day before."""
    assert timer.due is not None
    due_on = timer.due.date() - dt.timedelta(days=1)
    return Step([(timer.home, ReachStopProgress(account=timer.key, due_on=due_on))])
