"""Working time: how long a desk has had a thing, and when a time allowance is used up (O6, C2, M5).

Opening hours per weekday in the desk's own time zone, without the holidays of its region. All arithmetic is done on
instants, so a day on which the clocks change is as long as it really is. Pure: it never asks what time it is.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
import msgspec

FIRST_YEAR, LAST_YEAR = 1970, 2199
"""The years the arithmetic covers; it bounds every search, and how many tables a wrong date can make."""
TABLES_MAX = 4_096
DAY_MINUTES = 24 * 60
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
_HOURS = re.compile(r"(\d\d):([0-5]\d)-(\d\d):([0-5]\d)")

Span = tuple[int, int]
"""Opens and closes, in minutes since midnight by the clock on the wall; 1440 is the end of the day."""


class NoWorkingTime(ValueError):
    """These hours or instants have no answer: what is wrong, and how to mend it."""


def opening_hours(text: str) -> tuple[Span, ...]:
    """The spans of one day: `08:00-12:30 13:00-18:00`; empty for a day that is closed."""
    return tuple(_span(part) for part in text.split())


def _span(text: str) -> Span:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise NoWorkingTime(f"{text!r} is no span of opening hours; write 08:00-18:00")
    hours = [int(part) for part in match.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """A desk's week. `region` is `GB`, `GB-ENG`, `DE-BY` or empty (no holidays); `closed` are days of its own."""

    zone: str
    hours: tuple[tuple[Span, ...], ...]
    region: str = ""
    cut_off: dt.time | None = None
    closed: frozenset[dt.date] = frozenset()

    def __post_init__(self) -> None:
        """Refuse a calendar that cannot work when it is made, not when an order waits for it."""
        if len(self.hours) != 7 or not any(self.hours):
            raise NoWorkingTime("opening hours are a list of seven days from Monday, with at least one open")
        for day in self.hours:
            edges = [edge for span in day for edge in span]
            if edges != sorted(set(edges)) or not all(0 <= edge <= DAY_MINUTES for edge in edges):
                raise NoWorkingTime(f"opening hours {day!r} overlap or leave the day; order them within 00:00-24:00")
        _zone(self.zone)
        holidays_of(self.region, FIRST_YEAR)


@functools.cache
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NoWorkingTime(f"{name!r} is no time zone; write a name such as Europe/London") from error


@functools.lru_cache(maxsize=TABLES_MAX)
def holidays_of(region: str, year: int) -> frozenset[dt.date]:
    """The public holidays of a country or of one part of it in one year."""
    if not region:
        return frozenset()
    country, _, part = region.partition("-")
    try:
        return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))
    except NotImplementedError as error:
        raise NoWorkingTime(f"no holidays are known for region {region!r}; write GB-ENG, DE-BY or nothing") from error


class _Year(NamedTuple):
    """One year of a calendar in microseconds since 1970: its spans in order, and the work done by the end of each."""

    opens: list[int]
    closes: list[int]
    done: list[int]
    cut_offs: list[int]

    @property
    def total(self) -> int:
        return self.done[-1] if self.done else 0


def is_working_day(calendar: Calendar, day: dt.date) -> bool:
    closed = day in calendar.closed or day in holidays_of(calendar.region, day.year)
    return bool(calendar.hours[day.weekday()]) and not closed


@functools.lru_cache(maxsize=TABLES_MAX)
def _year(calendar: Calendar, year: int) -> _Year:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _outside(year)
    days = [day for day in _days(year) if is_working_day(calendar, day)]
    spans = _spans(calendar, days)
    cut_offs = [_instant(calendar, day, _minutes(calendar.cut_off)) for day in days] if calendar.cut_off else []
    done = accumulate(closes - opens for opens, closes in spans)
    return _Year([opens for opens, _ in spans], [closes for _, closes in spans], list(done), cut_offs)


def _days(year: int) -> list[dt.date]:
    first = dt.date(year, 1, 1)
    return [first + dt.timedelta(days=n) for n in range((dt.date(year + 1, 1, 1) - first).days)]


def _spans(calendar: Calendar, days: list[dt.date]) -> list[Span]:
    """A span may begin or end in an hour that does not exist when the clocks go forward: it never runs backwards."""
    spans: list[Span] = []
    last = 0
    for day in days:
        for opens, closes in calendar.hours[day.weekday()]:
            start = max(last, _instant(calendar, day, opens))
            last = max(start, _instant(calendar, day, closes))
            spans.append((start, last))
    return spans


def _instant(calendar: Calendar, day: dt.date, minutes: int) -> int:
    """Of the hour that comes twice in autumn the first is meant; that is what people mean who do not say."""
    wall = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minutes)
    return _microseconds(wall.replace(tzinfo=_zone(calendar.zone)))


def _minutes(time: dt.time) -> int:
    return time.hour * 60 + time.minute


def _microseconds(at: dt.datetime) -> int:
    if at.tzinfo is None:
        raise NoWorkingTime(f"{at} has no time zone; only instants can be reckoned with")
    return (at - EPOCH) // MICROSECOND


def _datetime(microseconds: int) -> dt.datetime:
    return EPOCH + dt.timedelta(microseconds=microseconds)


def _placed(calendar: Calendar, at: dt.datetime) -> tuple[int, int]:
    """The calendar's year that this instant lies in, and the work done since that year began."""
    now, year = _microseconds(at), at.astimezone(_zone(calendar.zone)).year
    table = _year(calendar, year)
    span = bisect_right(table.opens, now) - 1
    if span < 0:
        return year, 0
    return year, table.done[span] - max(0, table.closes[span] - now)


def between(calendar: Calendar, start: dt.datetime, end: dt.datetime) -> dt.timedelta:
    """The working time from start to end; negative when end comes first."""
    if end < start:
        return -between(calendar, end, start)
    (first_year, before), (last_year, after) = _placed(calendar, start), _placed(calendar, end)
    whole_years = sum(_year(calendar, year).total for year in range(first_year, last_year))
    return (whole_years + after - before) * MICROSECOND


def add(calendar: Calendar, start: dt.datetime, work: dt.timedelta) -> dt.datetime:
    """The first instant (UTC) by which this much working time has passed since start."""
    if work <= dt.timedelta(0):
        return _nothing_to_add(start, work)
    year, before = _placed(calendar, start)
    remaining = before + work // MICROSECOND
    while remaining > _year(calendar, year).total:
        remaining -= _year(calendar, year).total
        year += 1
    table = _year(calendar, year)
    span = bisect_left(table.done, remaining)
    return _datetime(table.closes[span] - (table.done[span] - remaining))


def _nothing_to_add(start: dt.datetime, work: dt.timedelta) -> dt.datetime:
    if work:
        raise NoWorkingTime(f"cannot add {work}: a time allowance is not negative")
    return _datetime(_microseconds(start))


def is_open(calendar: Calendar, at: dt.datetime) -> bool:
    now = _microseconds(at)
    table = _year(calendar, at.astimezone(_zone(calendar.zone)).year)
    span = bisect_right(table.opens, now) - 1
    return span >= 0 and now < table.closes[span]


def next_cut_off(calendar: Calendar, at: dt.datetime) -> dt.datetime:
    """The first cut-off after this instant; what comes at the cut-off itself has missed it."""
    now, year = _microseconds(at), at.astimezone(_zone(calendar.zone)).year
    _require_cut_off(calendar)
    while not (later := _year(calendar, year).cut_offs) or later[-1] <= now:
        year += 1
    return _datetime(later[bisect_right(later, now)])


def cut_off_for(calendar: Calendar, wanted_on: dt.date) -> dt.datetime:
    """The last cut-off that still makes delivery on this day: the one of the working day before (24-hour delivery)."""
    cut_off = _require_cut_off(calendar)
    day = wanted_on - dt.timedelta(days=1)
    while not is_working_day(calendar, day):
        day = _within_years(day) - dt.timedelta(days=1)
    return _datetime(_instant(calendar, day, _minutes(cut_off)))


def _within_years(day: dt.date) -> dt.date:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _outside(day)
    return day


def _outside(when: int | dt.date) -> NoWorkingTime:
    return NoWorkingTime(f"{when} is outside {FIRST_YEAR}-{LAST_YEAR}; check the date, and the opening hours")


def _require_cut_off(calendar: Calendar) -> dt.time:
    if calendar.cut_off is None:
        raise NoWorkingTime(f"the calendar of {calendar.zone} has no cut-off; give it one, such as 16:00")
    return calendar.cut_off
