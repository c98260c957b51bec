"""The two hours of a waiting order (O6): when they begin and end, what happens at each mark, and that nothing stops them."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import accounts, collections, orders
from contracts.orders import Clock, OrderBreached, OrderEscalated, OrderHeld, OrderReferred, OrderReleased, OrderWarned
from shared.credit.clocks import MARKS, Desk, Hours, clock_from, hours_of, mark_at, reached_by
from shared.credit.rulebook import PolicyError, Rulebook
from shared.working_time import between
from tests.models.orders_desk import START, audit, change, desk_with, despatch, opened, order, release
from tests.models.orders_desk import Desk as Played
from tests.models.orders_policies import adopting, policy, rules

LONDON = ZoneInfo("Europe/London")
STANDARD = hours_of(Desk(), LONDON)
ALL_DAY = dict.fromkeys(("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), "00:00-24:00")
SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)


def london(*parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=LONDON).astimezone(dt.UTC)  # type: ignore[misc,arg-type]


def clock(begins: dt.datetime, wanted_on: dt.date | None = None, **desk: Any) -> Clock:
    made = clock_from(begins, wanted_on, hours(**desk) if desk else STANDARD)
    assert made is not None
    return made


def hours(**desk: Any) -> Hours:
    return rules(desk=desk).hours


def told(facts: list[Any]) -> list[str]:
    """What a clock's marks said, in a word each."""
    words = []
    for fact in facts:
        match fact:
            case OrderWarned():
                words.append("warned")
            case OrderEscalated():
                words.append(f"{fact.mark} to {fact.level}")
            case OrderBreached():
                words.append("breached")
    return words


def waiting(**more: Any) -> Played:
    """An order over its limit, received at nine on a Wednesday."""
    desk = desk_with(opened(limit_minor=5_000))
    desk.do(order(**more))
    return desk


def limit(minor: int) -> accounts.LimitChanged:
    return accounts.LimitChanged(account="acme", limit_minor=minor, was_minor=1, reason="review", effective_from=START.date())


ALL_MARKS = ["warned", "escalate to team_leader", "breached", "breach to operations_manager"]


# --- by when --------------------------------------------------------------------------------------------------------


def test_two_working_hours_from_receipt_with_marks_at_half_and_three_quarters() -> None:  # O6
    made = clock(london(2026, 3, 2, 9))
    assert [made.from_at, made.warn_at, made.escalate_at, made.due_at] == [
        london(2026, 3, 2, 9), london(2026, 3, 2, 10), london(2026, 3, 2, 10, 30), london(2026, 3, 2, 11),
    ]  # fmt: skip
    assert (made.cut_off_at, made.calendar) == (london(2026, 3, 2, 16), "standard")


@pytest.mark.parametrize(
    ("received", "warned", "due"),
    [
        ((2026, 3, 6, 17, 30), (2026, 3, 9, 8, 30), (2026, 3, 9, 9, 30)),  # Friday evening, over the weekend
        ((2026, 3, 7, 11), (2026, 3, 9, 9), (2026, 3, 9, 10)),  # a Saturday begins on Monday at eight
        ((2026, 3, 2, 5), (2026, 3, 2, 9), (2026, 3, 2, 10)),  # before the desk opens
        ((2026, 4, 2, 17), (2026, 4, 2, 18), (2026, 4, 7, 9)),  # Good Friday and Easter Monday
        ((2026, 12, 24, 17, 30), (2026, 12, 29, 8, 30), (2026, 12, 29, 9, 30)),  # Boxing Day falls on a Saturday
        ((2026, 3, 27, 17), (2026, 3, 27, 18), (2026, 3, 30, 9)),  # the clocks go forward on the Sunday between
        ((2026, 10, 23, 17), (2026, 10, 23, 18), (2026, 10, 26, 9)),  # and back
    ],
)
def test_the_clock_runs_in_the_warehouses_hours(received: Any, warned: Any, due: Any) -> None:  # O6
    made = clock(london(*received))
    assert (made.warn_at, made.due_at) == (london(*warned), london(*due))


@pytest.mark.parametrize(("day", "change"), [((2026, 3, 29), "forward"), ((2026, 10, 25), "back")])
def test_two_hours_are_two_hours_on_the_night_the_clocks_change(day: tuple[int, int, int], change: str) -> None:
    received = dt.datetime(*day, 0, 15, tzinfo=dt.UTC)
    made = clock(received, hours=ALL_DAY, cut_off=None)
    assert made.due_at - received == 2 * HOUR
    assert made.due_at.astimezone(LONDON).hour == {"forward": 3, "back": 2}[change]


def test_a_region_keeps_its_own_holidays() -> None:  # O6: holidays by region
    received = london(2026, 1, 1, 9)
    assert clock(received).due_at == london(2026, 1, 2, 10)
    assert clock(received, calendar="scotland", region="GB-SCT").due_at == london(2026, 1, 5, 10)


def test_a_portfolio_may_have_a_calendar_of_its_own() -> None:
    north = {"portfolio": "north", "desk": {"calendar": "north", "region": "GB-SCT", "allowance_minutes": 60}}
    assert rules(portfolio="north", scopes=[north]).hours.desk.allowance_minutes == 60
    assert rules(scopes=[north]).hours.desk.allowance_minutes == 120


@pytest.mark.parametrize(
    ("received", "wanted_on", "cut_off", "due"),
    [
        ((2026, 3, 2, 15), None, (2026, 3, 2, 16), (2026, 3, 2, 16)),  # to be there tomorrow it leaves today
        ((2026, 3, 2, 15), (2026, 3, 4), (2026, 3, 3, 16), (2026, 3, 2, 17)),  # a day later: two hours
        ((2026, 3, 2, 14), (2026, 3, 3), (2026, 3, 2, 16), (2026, 3, 2, 16)),
        ((2026, 3, 6, 15), (2026, 3, 9), (2026, 3, 6, 16), (2026, 3, 6, 16)),  # for Monday it leaves on Friday
        ((2026, 3, 2, 15, 30), None, (2026, 3, 2, 16), (2026, 3, 2, 16)),  # half an hour is notice enough
        ((2026, 3, 2, 15, 31), None, (2026, 3, 3, 16), (2026, 3, 2, 17, 31)),  # less is not: it goes tomorrow
        ((2026, 3, 2, 15, 59), (2026, 3, 3), (2026, 3, 3, 16), (2026, 3, 2, 17, 59)),
        ((2026, 3, 2, 17), (2026, 3, 3), (2026, 3, 3, 16), (2026, 3, 3, 9)),  # its cut-off had passed
        ((2026, 3, 2, 9), (2026, 3, 2), (2026, 3, 2, 16), (2026, 3, 2, 11)),  # wanted today: as soon as can be
        ((2026, 3, 2, 9), (2026, 2, 1), (2026, 3, 2, 16), (2026, 3, 2, 11)),  # wanted a month ago
        ((2026, 3, 6, 15, 45), (2026, 3, 7), (2026, 3, 9, 16), (2026, 3, 6, 17, 45)),
    ],
)
def test_the_cut_off_that_makes_the_delivery_date_may_come_before_the_two_hours(
    received: Any, wanted_on: Any, cut_off: Any, due: Any
) -> None:  # O6
    made = clock(london(*received), dt.date(*wanted_on) if wanted_on else None)
    assert (made.cut_off_at, made.due_at) == (london(*cut_off), london(*due))


def test_a_short_clock_has_its_marks_in_what_there_is() -> None:
    made = clock(london(2026, 3, 2, 15))
    assert (made.warn_at, made.escalate_at) == (london(2026, 3, 2, 15, 30), london(2026, 3, 2, 15, 45))


def test_a_delivery_date_beyond_all_calendars_has_no_cut_off() -> None:
    made = clock(london(2026, 3, 2, 9), dt.date(9999, 12, 31))
    assert (made.cut_off_at, made.due_at) == (None, london(2026, 3, 2, 11))


def test_a_receipt_beyond_all_calendars_has_no_clock() -> None:
    assert clock_from(dt.datetime(9999, 1, 1, tzinfo=dt.UTC), None, STANDARD) is None


moments = st.integers(0, 3 * 365 * 24 * 3600).map(lambda second: dt.datetime(2025, 1, 1, tzinfo=dt.UTC) + second * SECOND)
dates = st.none() | st.dates(dt.date(2024, 12, 1), dt.date(2028, 2, 1))
desks = st.sampled_from([STANDARD, hours(region="DE-BY", time_zone="Europe/Berlin"), hours(hours=ALL_DAY), hours(cut_off=None)])


@given(moments, dates, desks)
def test_marks_stand_in_order_within_the_allowance(at: dt.datetime, wanted_on: dt.date | None, desk: Hours) -> None:
    made = clock_from(at, wanted_on, desk)
    assert made is not None
    assert at <= made.warn_at <= made.escalate_at <= made.due_at
    assert between(desk.calendar, at, made.due_at) <= dt.timedelta(minutes=desk.desk.allowance_minutes)


def test_an_order_that_comes_too_late_for_a_cut_off_is_promised_for_the_next() -> None:
    notice = STANDARD.desk.notice_minutes * MINUTE
    last = london(2026, 3, 2, 16) - notice
    assert clock(last).cut_off_at == london(2026, 3, 2, 16)
    assert clock(last + SECOND).cut_off_at == london(2026, 3, 3, 16)


@given(moments, dates, desks)
def test_a_cut_off_counts_only_with_notice(at: dt.datetime, wanted_on: dt.date | None, desk: Hours) -> None:
    made = clock_from(at, wanted_on, desk)
    assert made is not None
    if made.cut_off_at is not None:
        assert made.due_at <= made.cut_off_at
        assert between(desk.calendar, at, made.cut_off_at) >= desk.desk.notice_minutes * MINUTE


@given(moments, moments, desks)
def test_who_comes_later_is_never_due_earlier(one: dt.datetime, two: dt.datetime, desk: Hours) -> None:
    first, second = clock_from(min(one, two), None, desk), clock_from(max(one, two), None, desk)
    assert first is not None and second is not None
    assert first.due_at <= second.due_at


@given(moments, st.integers(-300, 300), st.integers(0, 3))
def test_of_a_new_clock_only_the_last_mark_behind_is_told_and_none_again(at: dt.datetime, minutes: int, already: int) -> None:
    made, now = clock(at, hours=ALL_DAY), at + minutes * MINUTE
    reached = reached_by(made, now, already)
    ahead = [mark_at(made, mark) > now for mark in MARKS[reached:]]
    assert ahead.count(False) <= (1 if already < len(MARKS) else 0)
    assert all(mark_at(made, mark) <= now for mark in MARKS[:reached])


@pytest.mark.parametrize(
    ("desk", "told"),
    [
        ({"region": "GB-XXX"}, "GB-XXX"),
        ({"time_zone": "Europe/Londres"}, "Europe/Londres"),
        ({"cut_off": "25:00"}, "25:00"),
        ({"cut_off": "4 pm"}, r"\$.*cut_off"),
        ({"hours": ALL_DAY | {"monday": "08-18"}}, "08-18"),
        ({"hours": {"monday": "08:00-18:00"}}, "hours"),
        ({"hours": dict.fromkeys(ALL_DAY, "")}, "at least one open"),
        ({"warn_percent": 80}, "warn first"),
        ({"hours": dict.fromkeys(ALL_DAY, "08:00-08:01"), "allowance_minutes": 1_000}, "allow less"),
        ({"lunch": "12:00"}, "lunch"),
    ],
)
def test_hours_that_cannot_be_are_refused_with_the_policy(desk: dict[str, Any], told: str) -> None:  # O2: data, checked whole
    with pytest.raises(PolicyError, match=told):
        Rulebook(policy(desk=desk))


# --- its marks ------------------------------------------------------------------------------------------------------


def test_a_waiting_order_is_warned_escalated_and_breached_each_at_its_time() -> None:  # O6
    desk = waiting()
    assert told(desk.later(minutes=59)) == []
    assert told(desk.later(minutes=1)) == ["warned"]
    assert told(desk.later(minutes=30)) == ["escalate to team_leader"]
    assert told(desk.later(minutes=29)) == []
    assert told(desk.later(minutes=1)) == ["breached", "breach to operations_manager"]
    assert told(desk.later(days=30)) == []
    assert all(fact.due_at == START + 2 * HOUR for _, _, fact in desk.journal if hasattr(fact, "due_at"))
    audit(desk)


def test_marks_that_nobody_was_there_to_tell_are_told_in_order_once() -> None:
    desk = waiting()
    desk.at += dt.timedelta(hours=5)
    assert told(desk.settle()) == ALL_MARKS
    assert told(desk.settle()) == []


def test_a_mark_that_comes_twice_or_too_early_says_nothing() -> None:  # guarantee 6
    desk = waiting()
    warn, breach = (orders.ReachMark(order="web/1", account="acme", mark=mark) for mark in ("warn", "breach"))
    assert desk.do(warn) == []
    desk.later(minutes=60)
    assert desk.do(warn) == []
    desk.later(minutes=30)
    assert desk.do(warn) == desk.do(breach) == []


def marks_set(desk: Played) -> list[str]:
    return [timer.kind for timer in desk.timers.values() if timer.due is not None and timer.kind in MARKS]


@pytest.mark.parametrize("decided", ["release", "reject", "cancel", "clear", "despatch"])
def test_nothing_is_told_of_an_order_that_waits_no_more(decided: str) -> None:
    desk = waiting()
    desk.later(minutes=61)
    assert marks_set(desk) == ["escalate"]
    match decided:
        case "release":
            desk.do(release(), role="controller")
        case "reject":
            desk.do(orders.RejectOrder(order="web/1", account="acme", reason="no"), role="controller")
        case "cancel":
            desk.do(orders.CancelOrder(order="web/1", account="acme", reason="gone"))
        case "clear":
            desk.do(limit(50_000))
        case "despatch":
            desk.do(despatch("web/1", 10_000))
    assert marks_set(desk) == [], "its timer went with its wait"
    assert told(desk.later(days=3)) == []
    audit(desk)


def test_an_order_released_at_74_percent_is_warned_and_no_more() -> None:
    desk = waiting()
    assert told(desk.later(seconds=int(7200 * 0.74))) == ["warned"]
    desk.do(release(), role="controller")
    assert told(desk.later(days=1)) == []


def test_an_order_released_at_once_has_no_timer_of_a_clock() -> None:
    desk = desk_with()
    desk.do(order())
    assert desk.order("web/1").clock is None
    assert not [kind for kind, _ in desk.timers if kind in MARKS]


def test_neither_the_customer_asked_nor_a_referral_stops_the_clock_and_both_are_told() -> None:  # O6
    desk = waiting()
    desk.later(minutes=10)
    desk.do(orders.AskCustomer(order="web/1", account="acme", question="Pay first?"), role="controller")
    referred = desk.do(orders.ReferOrder(order="web/1", account="acme", reason="big"), role="controller")
    assert [fact.clock for fact in referred if isinstance(fact, OrderReferred)] == [desk.order("web/1").clock]
    assert told(desk.later(hours=2)) == [
        "warned", "escalate to operations_manager", "breached", "breach to director",
    ]  # fmt: skip
    assert [fact.asked for fact in desk.said(OrderBreached)] == [True]


def test_the_highest_level_is_told_again_when_there_is_none_above() -> None:  # O6
    desk = desk_with(opened(limit_minor=5_000))
    desk.do(order(value_minor=10_000_001))
    assert desk.order("web/1").level == "director"
    assert told(desk.later(hours=2))[1:] == ["escalate to director", "breached", "breach to director"]


def test_who_may_release_is_not_changed_by_an_escalation() -> None:
    desk = waiting()
    desk.later(minutes=91)
    assert desk.order("web/1").level == ""
    assert isinstance(desk.do(release(), role="controller")[0], OrderReleased)


def test_a_new_decision_leaves_the_clock_as_it_was() -> None:
    desk = waiting()
    desk.later(minutes=61)
    before = desk.order("web/1").clock
    held = desk.do(collections.DunningLevelSet(account="acme", level=4))
    desk.do(orders.RedecideOrder(order="web/1", account="acme"))
    assert before is not None
    assert {fact.clock for fact in [*held, *desk.said(OrderHeld)] if isinstance(fact, OrderHeld)} == {before}
    assert told(desk.later(minutes=60)) == ALL_MARKS[1:]


def test_another_policy_counts_for_orders_that_come_and_not_for_those_that_wait() -> None:
    desk = waiting()
    desk.do(adopting(desk={"allowance_minutes": 60}))
    desk.do(order("web/2"))
    changed, decided, *_ = desk.do(change("web/1", 12_000))  # decided anew, and held again
    assert (type(changed), type(decided)) == (orders.OrderChanged, OrderHeld)
    assert [desk.order(name).clock.due_at - START for name in ("web/1", "web/2")] == [2 * HOUR, HOUR]  # type: ignore[union-attr]


# --- it begins with receipt, or with its return ---------------------------------------------------------------------


def test_an_order_that_comes_late_is_told_of_its_last_mark_alone() -> None:
    desk = desk_with(opened(limit_minor=5_000))
    facts = desk.do(order(received_at=START - 26 * HOUR))
    assert told(facts) == ["breached", "breach to team_leader"]
    audit(desk)


def test_a_receipt_in_the_future_gives_no_more_time() -> None:
    desk = waiting(received_at=START + 5 * HOUR)
    assert desk.order("web/1").clock == clock(START)


def test_another_delivery_date_moves_the_clock_and_its_receipt_does_not() -> None:  # O6: re-anchored when an order changes
    desk = Played(START + 5 * HOUR + 30 * MINUTE)  # 14:30
    desk.do(opened(limit_minor=5_000))
    desk.do(order(received_at=desk.at, wanted_on=desk.at.date() + dt.timedelta(days=1)))
    assert desk.order("web/1").clock == clock(desk.at, desk.at.date() + dt.timedelta(days=1))
    received = desk.at
    assert told(desk.later(minutes=50)) == ["warned"]
    later = desk.at.date() + dt.timedelta(days=3)
    desk.do(change("web/1", 10_000, wanted_on=later))
    assert desk.order("web/1").clock == clock(received, later)
    assert desk.order("web/1").clock.due_at == received + 2 * HOUR  # type: ignore[union-attr]
    assert told(desk.later(minutes=9)) == []
    assert told(desk.later(minutes=70)) == ["warned", "escalate to team_leader", "breached", "breach to operations_manager"]
    audit(desk)


def test_an_earlier_delivery_date_tells_at_once_what_is_behind() -> None:
    desk = Played(START + 5 * HOUR)  # 14:00
    desk.do(opened(limit_minor=5_000))
    desk.do(order(received_at=desk.at, wanted_on=desk.at.date() + dt.timedelta(days=3)))
    desk.later(minutes=59)
    facts = desk.do(change("web/1", 10_000, wanted_on=desk.at.date() + dt.timedelta(days=1), received_at=desk.at))
    assert desk.order("web/1").clock.due_at == START.replace(hour=16)  # type: ignore[union-attr]
    assert told(facts) == []
    assert told(desk.later(minutes=61)) == ALL_MARKS


def test_another_quantity_leaves_the_clock_as_it_was() -> None:
    desk = waiting()
    desk.later(minutes=70)
    before = desk.order("web/1").clock
    desk.do(change("web/1", 12_000))
    assert desk.order("web/1").clock == before
    assert told(desk.later(minutes=50)) == ALL_MARKS[1:]


def test_the_rest_of_a_split_order_keeps_its_clock() -> None:  # O5
    desk = waiting()
    before = desk.order("web/1").clock
    desk.do(orders.SplitOrder(order="web/1", account="acme", release_minor=4_000, reason="part"), role="controller")
    assert desk.order("web/1").clock == before
    assert told(desk.later(hours=2)) == ALL_MARKS
    audit(desk)


def test_an_order_that_a_recall_brings_back_has_two_hours_from_then() -> None:  # O4, O6
    desk = desk_with()
    desk.do(order())
    desk.later(days=1)
    desk.do(accounts.PlacedOnStop(account="acme", reason="legal"))
    desk.do(orders.AnswerRecall(order="web/1", account="acme", stopped=True))
    assert desk.order("web/1").status == "held"
    assert desk.order("web/1").clock == clock(desk.at)
    assert told(desk.later(hours=2)) == ALL_MARKS
    audit(desk)


def test_a_lapsed_order_has_a_clock_from_when_somebody_wants_it_again() -> None:  # F2, O6
    desk = desk_with()
    desk.do(order())
    desk.later(days=40)
    assert desk.order("web/1").status == "lapsed"
    desk.do(limit(1))
    desk.do(orders.RedecideOrder(order="web/1", account="acme"))
    assert desk.order("web/1").clock == clock(desk.at)
    audit(desk)


def test_a_released_order_that_grows_too_much_waits_anew_from_then() -> None:  # O4
    desk = desk_with(opened(limit_minor=15_000))
    desk.do(order())
    desk.later(hours=3)
    desk.do(change("web/1", 20_000))
    assert desk.order("web/1").clock == clock(desk.at)
    audit(desk)


def test_an_order_that_waited_before_there_were_clocks_has_one_at_its_next_decision() -> None:
    desk = waiting()
    desk.tables["orders"]["web/1"] = replace(desk.order("web/1"), clock=None)
    desk.at += HOUR
    desk.do(collections.DunningLevelSet(account="acme", level=4))
    desk.do(orders.RedecideOrder(order="web/1", account="acme"))
    assert desk.order("web/1").clock == clock(START)


@given(st.lists(st.sampled_from(["wait", "wait long", "change", "date", "refer", "ask", "recheck", "split"]), max_size=8))
def test_whatever_happens_marks_come_in_order_and_never_twice_between_two_changes(deeds: list[str]) -> None:  # O6
    desk = waiting()
    for n, deed in enumerate(deeds):
        match deed:
            case "wait":
                desk.later(minutes=25)
            case "wait long":
                desk.later(hours=30)
            case "change":
                desk.do(change("web/1", 11_000 + n))
            case "date":
                desk.do(change("web/1", 11_000, wanted_on=desk.at.date() + dt.timedelta(days=n % 3)))
            case "refer":
                desk.do(orders.ReferOrder(order="web/1", account="acme", reason="r"), role="controller")
            case "ask":
                desk.do(orders.AskCustomer(order="web/1", account="acme", question="q"), role="controller")
            case "recheck":
                desk.do(orders.OpenRecheck(home="acme"))
            case "split":
                desk.do(orders.SplitOrder(order="web/1", account="acme", release_minor=1, reason="s"), role="controller")
    desk.later(days=10)
    marks: dict[tuple[int, dt.datetime], list[str]] = {}
    changes = 0
    for _, _, fact in desk.journal:
        changes += isinstance(fact, orders.OrderChanged)
        if hasattr(fact, "due_at"):
            marks.setdefault((changes, fact.due_at), []).append(told([fact])[0].partition(" ")[0])
    for said in marks.values():
        assert said == sorted(set(said), key=["warned", "escalate", "breached", "breach"].index)
    assert desk.order("web/1").reached == len(MARKS), "none is silently late"
    audit(desk)
