"""The timers that follow from changed state. Setting one again to the same moment costs nothing, so nothing is remembered."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from services.orders.fold import BROKEN_DAYS
from services.orders.state import State, queue_owner
from shared.credit.rulebook import book_at
from shared.service import Moment, Timer

LAPSE = "lapse"
"""One per partition and day: reservations whose last day it is. Key: the day."""
RECHECK = "recheck"
"""A group's held orders are to be decided again. Key: its home."""
RECALL = "recall"
"""An account went on stop: what was released and has not left is recalled. Key: the account."""
MEND = "mend"
"""A broken promise will be forgotten, which may release orders. Key: account and day."""
SWEEP = "sweep"
"""Another policy takes effect: every waiting order of the partition is to be decided again. Key: its version."""


def deadlines(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    order = after.order
    if order is not None and order.lapses_on is not None and order is not before.order:
        yield _lapse_timer(order.lapses_on, book_at(after.policies, moment.at).zone)
    was, owner = queue_owner(before), queue_owner(after)
    if owner is not None and owner.recheck == 1 and (was is None or was.recheck != 1):
        yield Timer(RECHECK, moment.home, moment.at, moment.home)
    if after.account is not before.account:
        yield from _of_account(before, after, moment)
    if after.policies is not before.policies:
        yield from _of_policies(before, after, moment)


@functools.lru_cache(maxsize=1024)
def _lapse_timer(lapses_on: dt.date, zone: ZoneInfo) -> Timer:
    return Timer(LAPSE, lapses_on.isoformat(), start_of(lapses_on + dt.timedelta(days=1), zone))


def start_of(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(dt.UTC)


def _of_account(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    was, now = before.account, after.account
    if now is None:
        return
    if now.status == "on_stop" and (was is None or was.status != "on_stop"):
        yield Timer(RECALL, now.account, moment.at, moment.home)
    for day in set(now.broken) - set(was.broken if was is not None else ()):
        # A policy may look back less far; the recheck then comes later than it could, and at the latest with the next cause.
        forgotten = start_of(day + dt.timedelta(days=BROKEN_DAYS + 1), book_at(after.policies, moment.at).zone)
        yield Timer(MEND, f"{now.account}/{day.isoformat()}", forgotten, moment.home)


def _of_policies(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    known = before.policies.adopted if before.policies is not None else ()
    for each in after.policies.adopted if after.policies is not None else ():
        if each not in known:
            yield Timer(SWEEP, each.version, max(start_of(each.effective_from, ZoneInfo("UTC")), moment.at))
