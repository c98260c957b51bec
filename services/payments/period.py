"""Months that are closed take no posting any more (P14). Pure.

A period is closed per partition, because each has one writer and one serial log; whoever closes a month tells them all.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable

from contracts.message import Fact
from contracts.payments import ClosePeriod, PeriodClosed
from services.payments.policies import in_force
from services.payments.refusal import Refusal, unneeded
from services.payments.state import State
from shared.service import Moment


def last_day(month: dt.date) -> dt.date:
    return month.replace(day=calendar.monthrange(month.year, month.month)[1])


def close(state: State, wish: ClosePeriod, moment: Moment) -> Iterable[Fact]:
    until_on = last_day(wish.month)
    if until_on >= moment.at.date():
        return Refusal("not_over", f"{wish.month:%B %Y} is not over; close it from the first day after it").of(wish.account)
    policy = in_force(moment.at.date())
    if not policy.may("period", moment.role, 0):
        able = " or ".join(policy.levels("period", 0))
        return Refusal("beyond_authority", f"closing a period takes a {able} ({policy.version})").of(wish.account)
    if state.period is not None and state.period.closed_until >= until_on:
        return unneeded(wish.account)
    return [
        PeriodClosed(
            account=wish.account, month=wish.month.replace(day=1), until_on=until_on, partition=moment.partition, by=moment.actor
        )
    ]
