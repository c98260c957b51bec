"""Working time: adding then measuring gives back, whatever the clocks and the holidays do (O6)."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.working_time import (
    Calendar,
    NoWorkingTime,
    add,
    between,
    cut_off_for,
    is_open,
    is_working_day,
    next_cut_off,
    opening_hours,
)

LONDON, BERLIN = ZoneInfo("Europe/London"), ZoneInfo("Europe/Berlin")
NINE_TO_FIVE = (opening_hours("09:00-17:00"),) * 5 + ((), ())
WAREHOUSE = Calendar(zone="Europe/London", region="GB-ENG", hours=NINE_TO_FIVE, cut_off=dt.time(16))
ALWAYS_LONDON = Calendar(zone="Europe/London", hours=(opening_hours("00:00-24:00"),) * 7)
NIGHT_BERLIN = Calendar(
    zone="Europe/Berlin",
    region="DE-BY",
    hours=(opening_hours("00:00-06:00 22:00-24:00"),) * 6 + (opening_hours("01:30-02:15 02:30-03:10"),),
    cut_off=dt.time(2, 30),
)

HOUR = dt.timedelta(hours=1)
calendars = st.sampled_from([WAREHOUSE, ALWAYS_LONDON, NIGHT_BERLIN])
instants = st.integers(0, 24 * 365 * 86_400 * 10**6).map(
    lambda tick: dt.datetime(2008, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=tick)
)
around_dst = st.builds(
    lambda sunday, minutes: sunday + dt.timedelta(minutes=minutes),
    st.sampled_from([dt.datetime(2024, 3, 31, tzinfo=dt.UTC), dt.datetime(2024, 10, 27, tzinfo=dt.UTC)]),
    st.integers(-1500, 1500),
)
moments = instants | around_dst
work = st.timedeltas(dt.timedelta(0), dt.timedelta(hours=5000))


def london(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=LONDON)  # type: ignore[misc,arg-type]


def berlin(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=BERLIN)  # type: ignore[misc,arg-type]


@given(calendars, moments, work)
def test_adding_then_measuring_gives_back(calendar: Calendar, start: dt.datetime, hours: dt.timedelta) -> None:
    assert between(calendar, start, add(calendar, start, hours)) == hours


@given(calendars, moments, work.filter(bool))
def test_what_is_added_ends_at_the_first_such_instant(calendar: Calendar, start: dt.datetime, hours: dt.timedelta) -> None:
    end = add(calendar, start, hours)
    assert between(calendar, start, end - dt.timedelta(microseconds=1)) < hours


@given(calendars, moments, work, work)
def test_more_work_never_ends_earlier(calendar: Calendar, start: dt.datetime, some: dt.timedelta, more: dt.timedelta) -> None:
    assert add(calendar, start, some) <= add(calendar, start, some + more)


@given(calendars, moments, moments, work)
def test_who_starts_later_never_ends_earlier(
    calendar: Calendar, one: dt.datetime, other: dt.datetime, hours: dt.timedelta
) -> None:
    assert add(calendar, min(one, other), hours) <= add(calendar, max(one, other), hours)


@given(calendars, moments, work, work)
def test_adding_in_two_steps_is_adding_at_once(
    calendar: Calendar, start: dt.datetime, one: dt.timedelta, other: dt.timedelta
) -> None:
    assert add(calendar, add(calendar, start, one), other) == add(calendar, start, one + other)


@given(calendars, moments, moments, moments)
def test_time_between_adds_up(calendar: Calendar, one: dt.datetime, two: dt.datetime, three: dt.datetime) -> None:
    assert between(calendar, one, two) + between(calendar, two, three) == between(calendar, one, three)


@given(calendars, moments, moments)
def test_working_time_is_never_longer_than_time(calendar: Calendar, one: dt.datetime, two: dt.datetime) -> None:
    assert abs(between(calendar, one, two)) <= abs(two - one)


@given(moments, moments)
def test_a_desk_that_never_closes_works_all_the_time(one: dt.datetime, two: dt.datetime) -> None:
    assert between(ALWAYS_LONDON, one, two) == two - one


@given(calendars, moments)
def test_time_passes_exactly_while_the_desk_is_open(calendar: Calendar, at: dt.datetime) -> None:
    tick = dt.timedelta(microseconds=1)
    assert (between(calendar, at, at + tick) == tick) is is_open(calendar, at)


@given(st.sampled_from([WAREHOUSE, NIGHT_BERLIN]), moments)
def test_no_cut_off_lies_between_now_and_the_next(calendar: Calendar, at: dt.datetime) -> None:
    coming = next_cut_off(calendar, at)
    assert at < coming
    assert next_cut_off(calendar, coming - dt.timedelta(microseconds=1)) == coming
    assert is_working_day(calendar, coming.astimezone(ZoneInfo(calendar.zone)).date())


@given(st.sampled_from([WAREHOUSE, NIGHT_BERLIN]), st.dates(dt.date(2009, 1, 1), dt.date(2031, 1, 1)))
def test_the_cut_off_for_a_day_is_the_last_before_it(calendar: Calendar, day: dt.date) -> None:
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(calendar.zone))
    cut_off = cut_off_for(calendar, day)
    assert cut_off < midnight <= next_cut_off(calendar, cut_off)


def test_two_hours_from_late_on_friday_end_on_monday() -> None:
    assert add(WAREHOUSE, london(2024, 6, 7, 16, 30), 2 * HOUR) == london(2024, 6, 10, 10, 30)


def test_two_hours_from_christmas_eve_end_after_boxing_day() -> None:
    assert add(WAREHOUSE, london(2024, 12, 24, 16), 2 * HOUR) == london(2024, 12, 27, 10)


def test_a_holiday_of_bavaria_is_none_in_england() -> None:
    epiphany = dt.date(2025, 1, 6)
    assert is_working_day(WAREHOUSE, epiphany)
    assert not is_working_day(NIGHT_BERLIN, epiphany)


def test_easter_monday_closes_england_but_not_scotland() -> None:
    scotland = Calendar(zone="Europe/London", region="GB-SCT", hours=NINE_TO_FIVE)
    easter_monday = dt.date(2025, 4, 21)
    assert not is_working_day(WAREHOUSE, easter_monday)
    assert is_working_day(scotland, easter_monday)


def test_a_day_closed_by_the_desk_itself_does_not_count() -> None:
    stocktaking = Calendar(zone="Europe/London", hours=NINE_TO_FIVE, closed=frozenset({dt.date(2024, 6, 10)}))
    assert add(stocktaking, london(2024, 6, 7, 16), 2 * HOUR) == london(2024, 6, 11, 10)


def test_the_night_the_clocks_go_forward_is_an_hour_short() -> None:
    assert between(ALWAYS_LONDON, london(2024, 3, 31, 0), london(2024, 4, 1, 0)) == 23 * HOUR
    assert between(NIGHT_BERLIN, berlin(2025, 3, 30, 1, 0), berlin(2025, 3, 30, 4, 0)) < HOUR


def test_the_night_the_clocks_go_back_is_an_hour_long() -> None:
    assert between(ALWAYS_LONDON, london(2024, 10, 27, 0), london(2024, 10, 28, 0)) == 25 * HOUR


def test_a_working_weekend_over_the_clock_change_keeps_the_wall_clock() -> None:
    saturdays = Calendar(zone="Europe/Berlin", hours=(opening_hours("08:00-16:00"),) * 7)
    assert add(saturdays, berlin(2024, 3, 30, 15), 2 * HOUR) == berlin(2024, 3, 31, 9)
    assert add(saturdays, berlin(2024, 10, 26, 15), 2 * HOUR) == berlin(2024, 10, 27, 9)


def test_what_comes_at_the_cut_off_has_missed_it() -> None:
    assert next_cut_off(WAREHOUSE, london(2024, 6, 7, 15, 59)) == london(2024, 6, 7, 16)
    assert next_cut_off(WAREHOUSE, london(2024, 6, 7, 16)) == london(2024, 6, 10, 16)


def test_delivery_on_monday_needs_fridays_cut_off() -> None:
    assert cut_off_for(WAREHOUSE, dt.date(2024, 6, 10)) == london(2024, 6, 7, 16)
    assert cut_off_for(WAREHOUSE, dt.date(2024, 12, 27)) == london(2024, 12, 24, 16)


def test_nothing_added_is_nothing_moved_even_at_night() -> None:
    assert add(WAREHOUSE, london(2024, 6, 8, 3), dt.timedelta(0)) == london(2024, 6, 8, 3)


@pytest.mark.parametrize(
    ("zone", "region", "hours"),
    [
        ("Europe/Atlantis", "", NINE_TO_FIVE),
        ("../etc/passwd", "", NINE_TO_FIVE),
        ("Europe/London", "XX", NINE_TO_FIVE),
        ("Europe/London", "GB-XXX", NINE_TO_FIVE),
        ("Europe/London", "", NINE_TO_FIVE[:5]),
        ("Europe/London", "", ((),) * 7),
        ("Europe/London", "", (((600, 540),),) * 7),
        ("Europe/London", "", (((480, 600), (590, 700)),) * 7),
        ("Europe/London", "", (((480, 1500),),) * 7),
    ],
)
def test_a_calendar_that_cannot_work_is_refused_when_it_is_made(
    zone: str, region: str, hours: tuple[tuple[tuple[int, int], ...], ...]
) -> None:
    with pytest.raises(NoWorkingTime):
        Calendar(zone=zone, region=region, hours=hours)


@pytest.mark.parametrize("text", ["8-18", "08:00", "08:00-18:60", "08:00-18:00,"])
def test_hours_that_cannot_be_read_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(NoWorkingTime, match="08:00-18:00"):
        opening_hours(text)


def test_an_instant_without_zone_is_refused() -> None:
    with pytest.raises(NoWorkingTime, match="time zone"):
        add(WAREHOUSE, dt.datetime(2024, 6, 7, 9), HOUR)  # noqa: DTZ001 - that is what is tested


def test_the_search_for_time_ends() -> None:
    rare = Calendar(zone="Europe/London", hours=(((0, 1),),) + ((),) * 6)
    with pytest.raises(NoWorkingTime, match="outside"):
        add(rare, london(2024, 1, 1), dt.timedelta(days=30))


def test_less_than_nothing_cannot_be_added() -> None:
    with pytest.raises(NoWorkingTime, match="not negative"):
        add(WAREHOUSE, london(2024, 1, 1), -HOUR)


def test_a_desk_without_cut_off_is_not_asked_for_one() -> None:
    with pytest.raises(NoWorkingTime, match="cut-off"):
        next_cut_off(ALWAYS_LONDON, london(2024, 1, 1))
