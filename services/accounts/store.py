"""Rows of the credit master, and the timer that wakes scheduled changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from contracts.accounts import DueChangesReached
from services.accounts.account import Account, State
from shared.rows import Table
from shared.service import Moment, Step, Timer

SCHEMA = Path(__file__).with_name("schema.sql")
ACCOUNTS = Table("account", Account, "account")
DUE_CHANGES = "due_changes"


def rows(message: Any, home: str, partition: int) -> tuple[str | None, str | None]:
    """The account, and the root that gave the home its name where that is another one."""
    account: str = message.account
    return account, home if home != account else None


def deadlines(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    """One timer an account: the start (UTC) of the day of its next scheduled change."""
    account, on = after.account, _next_change_on(after)
    if account is not None and on != _next_change_on(before):
        yield Timer(DUE_CHANGES, account.account, _start_of(on), account.home)


def _next_change_on(state: State) -> dt.date | None:
    return state.account.next_change_on if state.account else None


def _start_of(day: dt.date | None) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time(), dt.UTC) if day else None


async def due_changes(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Changes of one account are few and bounded, so one command does them all."""
    return Step([(timer.home, DueChangesReached(account=timer.key, day=now.date()))])
