"""By when a waiting order is to be finally decided (O6): the desk's working time as a section of the policy, and the clock
that it gives one order. Pure; what an order's clock begins with is said by whoever keeps the order.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from contracts.orders import Clock
from contracts.words import Reference
from shared.working_time import (
    FIRST_YEAR,
    LAST_YEAR,
    Calendar,
    NoWorkingTime,
    add,
    between,
    cut_off_for,
    next_cut_off,
    opening_hours,
)

MARKS = ("warn", "escalate", "breach")
"""In the order in which a clock comes to them."""
EARLIEST = dt.datetime(FIRST_YEAR + 1, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(LAST_YEAR - 1, 1, 1, tzinfo=dt.UTC)
"""A clock that would begin outside is no clock: the date is a mistake, and the desk's calendar ends soon after."""
FAR = dt.timedelta(days=366)
"""The cut-off of a delivery date further away bounds nothing, and is not worth finding."""

Minutes = Annotated[int, Meta(ge=0, le=100_000)]
HoursAndMinutes = Annotated[str, Meta(pattern=r"^\d\d:\d\d$")]
Share = Annotated[int, Meta(ge=0, le=100)]


class Week(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`08:00-12:30 13:00-18:00`, empty for a day that is closed. A policy that sets hours names all seven days."""

    monday: str
    tuesday: str
    wednesday: str
    thursday: str
    friday: str
    saturday: str
    sunday: str


WORKING = "08:00-18:00"
STANDARD_WEEK = Week(
    monday=WORKING, tuesday=WORKING, wednesday=WORKING, thursday=WORKING, friday=WORKING, saturday="", sunday=""
)  # fmt: skip


class Desk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The policy's section. `time_zone` empty: the policy's own. `notice_minutes`: what comes later than so much working time
    before a cut-off is not promised for it."""

    calendar: Reference = "standard"
    time_zone: str | None = None
    region: str = "GB-ENG"
    hours: Week = STANDARD_WEEK
    closed: tuple[dt.date, ...] = ()
    cut_off: HoursAndMinutes | None = "16:00"
    notice_minutes: Minutes = 30
    allowance_minutes: Minutes = 120
    warn_percent: Share = 50
    escalate_percent: Share = 75


class Hours(msgspec.Struct, frozen=True):
    """A desk's section, ready to reckon with."""

    desk: Desk
    calendar: Calendar


def hours_of(desk: Desk, zone: ZoneInfo) -> Hours:
    """Raises `NoWorkingTime` for hours, a region, a zone or marks that cannot be."""
    if desk.warn_percent > desk.escalate_percent:
        raise NoWorkingTime(f"the desk is warned at {desk.warn_percent} % and escalates at {desk.escalate_percent} %; warn first")
    calendar = Calendar(
        zone=desk.time_zone or zone.key,
        hours=tuple(opening_hours(day) for day in msgspec.structs.astuple(desk.hours)),
        region=desk.region,
        cut_off=_time(desk.cut_off),
        closed=frozenset(desk.closed),
    )
    minutes = max(desk.allowance_minutes, desk.notice_minutes)
    if add(calendar, EARLIEST, dt.timedelta(minutes=minutes)) > EARLIEST + FAR:
        raise NoWorkingTime(f"the desk does not work {minutes} minutes in a year; allow less, or open longer")
    return Hours(desk, calendar)


def _time(text: str | None) -> dt.time | None:
    if text is None:
        return None
    try:
        return dt.time.fromisoformat(text)
    except ValueError as error:
        raise NoWorkingTime(f"{text!r} is no cut-off; write 16:00") from error


def clock_from(begins: dt.datetime, wanted_on: dt.date | None, hours: Hours) -> Clock | None:
    """The clock of an order that the desk has had since `begins`; None where no calendar reaches."""
    if not EARLIEST <= begins <= LATEST:
        return None
    desk, calendar = hours.desk, hours.calendar
    cut_off = cut_off_made(begins, wanted_on, hours)
    due = add(calendar, begins, dt.timedelta(minutes=desk.allowance_minutes))
    due = due if cut_off is None else min(due, cut_off)
    allowed = between(calendar, begins, due)
    return Clock(
        from_at=begins,
        warn_at=add(calendar, begins, allowed * desk.warn_percent // 100),
        escalate_at=add(calendar, begins, allowed * desk.escalate_percent // 100),
        due_at=due,
        cut_off_at=cut_off,
        calendar=desk.calendar,
    )


def cut_off_made(begins: dt.datetime, wanted_on: dt.date | None, hours: Hours) -> dt.datetime | None:
    """The first cut-off that an order may be promised for: the one of its delivery date, or, where that has passed, comes
    without notice, or no date is wished, the next that can be made (24-hour delivery)."""
    desk, calendar = hours.desk, hours.calendar
    if calendar.cut_off is None or (wanted_on is not None and wanted_on - begins.date() > FAR):
        return None
    cut_off = cut_off_for(calendar, wanted_on) if wanted_on is not None and wanted_on > begins.date() else begins
    while cut_off <= begins or between(calendar, begins, cut_off) < dt.timedelta(minutes=desk.notice_minutes):
        cut_off = next_cut_off(calendar, max(begins, cut_off))
    return cut_off


def mark_at(clock: Clock, mark: str) -> dt.datetime:
    match mark:
        case "warn":
            return clock.warn_at
        case "escalate":
            return clock.escalate_at
        case _:
            return clock.due_at


def reached_by(clock: Clock, at: dt.datetime, told: int) -> int:
    """How many marks of a new clock count as reached, where `told` marks of an earlier one have been told: of those already
    behind, only the last is still worth telling, and none that was told."""
    behind = sum(mark_at(clock, mark) <= at for mark in MARKS)
    return min(behind, max(told, behind - 1))
