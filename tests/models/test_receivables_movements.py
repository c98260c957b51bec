"""Open items as of any day, as known then and as known now; what explains the difference (P12)."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.receivables.movements import Known, Mixed, Movement, as_known, differences, end_of

LONDON = ZoneInfo("Europe/London")
FIRST = dt.date(2026, 3, 1)
LATE = FIRST + dt.timedelta(days=60)


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def moved(item: str, kind: str, minor: int, on: int, known: int, ordinal: int, **more: Any) -> Movement:
    known_at = dt.datetime.combine(day(known), dt.time(12), dt.UTC)
    base: dict[str, Any] = {"account": "A1", "currency": "GBP", "base_minor": minor}
    base |= {"item": item, "kind": kind, "amount_minor": minor, "effective_on": day(on), "known_at": known_at}
    return Movement(**base | {"ordinal": ordinal} | more)


@st.composite
def stories(draw: st.DrawFn) -> list[Movement]:
    steps = st.tuples(
        st.sampled_from("ABC"), st.sampled_from(["invoice", "receipt", "allocation"]), st.integers(-500, 500),
        st.integers(0, 20), st.integers(0, 20),
    )  # fmt: skip
    return [moved(*step, ordinal) for ordinal, step in enumerate(draw(st.lists(steps, max_size=12)), start=1)]


days = st.integers(-1, 22)


def sums(known: Known) -> dict[str, int]:
    return {item.item: item.open_minor for item in known.items}


@given(stories(), days, days)
def test_what_is_open_is_the_sum_of_what_was_known_and_in_force(story: list[Movement], on: int, by: int) -> None:  # P12
    known = as_known(story, on=day(on), known_by=end_of(day(by), LONDON))
    counted = [each for each in story if each.effective_on <= day(on) and each.known_at.date() <= day(by)]
    assert sum(item.open_minor for item in known.items) == sum(each.amount_minor for each in counted)
    assert sorted(known.counted, key=lambda each: each.ordinal) == counted


@given(stories(), days, st.randoms(use_true_random=False))
def test_the_order_in_which_movements_come_does_not_matter(story: list[Movement], on: int, order: Any) -> None:
    mixed = list(story)
    order.shuffle(mixed)
    assert as_known(story, on=day(on)) == as_known(mixed, on=day(on))


@given(stories(), days)
def test_known_at_the_end_of_all_days_is_known_now(story: list[Movement], on: int) -> None:
    then = as_known(story, on=day(on), known_by=end_of(LATE, LONDON))
    assert then.items == as_known(story, on=day(on)).items


@given(stories(), stories(), days, days)
def test_what_is_said_later_changes_nothing_of_what_was_known_then(
    story: list[Movement], later: list[Movement], on: int, by: int
) -> None:
    end = end_of(day(by), LONDON)
    unknown = [each for each in later if each.known_at >= end]
    assert as_known(story + unknown, on=day(on), known_by=end) == as_known(story, on=day(on), known_by=end)


@given(stories(), days, days, days, days)
def test_then_and_the_differences_are_now(story: list[Movement], on: int, by: int, on_now: int, by_now: int) -> None:  # P12
    then = as_known(story, on=day(on), known_by=end_of(day(by), LONDON))
    now = as_known(story, on=day(on_now), known_by=end_of(day(by_now), LONDON))
    found = sums(then)
    for each in differences(then, now):
        change = sum(one.amount_minor for one in each.added) - sum(one.amount_minor for one in each.gone)
        assert each.now_minor - each.then_minor == change
        found[each.item] = found.get(each.item, 0) + change
    assert {item: minor for item, minor in found.items() if minor} == {item: minor for item, minor in sums(now).items() if minor}


def test_a_payment_booked_back_is_known_only_from_the_day_it_was_said() -> None:  # P12
    story = [
        moved("INV-1", "invoice", 500, 0, 0, 1, due_on=day(10), document_on=day(0)),
        moved("INV-1", "allocation", -200, 5, 9, 2),
    ]
    then, now = as_known(story, on=day(6), known_by=end_of(day(6), LONDON)), as_known(story, on=day(6))
    assert (sums(then), sums(now)) == ({"INV-1": 500}, {"INV-1": 300})
    (found,) = differences(then, now)
    assert (found.then_minor, found.now_minor, found.added, found.gone) == (500, 300, (story[1],), ())
    assert sums(as_known(story, on=day(4))) == {"INV-1": 500}


def test_an_item_keeps_its_first_kind_and_its_last_dates_and_its_dispute() -> None:
    story = [
        moved("INV-1", "invoice", 500, 0, 0, 1, due_on=day(10), document_on=day(0)),
        moved("INV-1", "terms", 0, 2, 2, 2, due_on=day(40)),
        moved("INV-1", "dispute", 0, 3, 3, 3, disputed_minor=120),
    ]
    (item,) = as_known(story, on=day(4)).items
    assert (item.kind, item.due_on, item.document_on, item.disputed_minor) == ("invoice", day(40), day(0), 120)
    assert item.aged()[:4] == ("invoice", day(40), day(0), 500)
    (earlier,) = as_known(story, on=day(2)).items
    assert earlier.disputed_minor == 0


def test_a_settled_item_is_gone_but_a_base_difference_not_yet_posted_is_not() -> None:  # P1
    story = [
        moved("INV-1", "invoice", 500, 0, 0, 1, currency="EUR", base_minor=430),
        moved("INV-1", "allocation", -500, 1, 1, 2, currency="EUR", base_minor=-425),
        moved("INV-1", "difference", 0, 2, 2, 3, currency="EUR", base_minor=-5),
    ]
    (rest,) = as_known(story, on=day(1)).items
    assert (rest.open_minor, rest.base_minor) == (0, 5)
    assert as_known(story, on=day(2)).items == ()


def test_two_movements_alike_in_everything_are_two() -> None:
    story = [
        moved("INV-1", "invoice", 500, 0, 0, 1),
        moved("INV-1", "receipt", -100, 1, 9, 2),
        moved("INV-1", "receipt", -100, 1, 9, 2),
    ]
    then, now = as_known(story[:2], on=day(2)), as_known(story, on=day(2))
    (found,) = differences(then, now)
    assert (found.now_minor, len(found.added)) == (300, 1)


def test_the_end_of_a_day_is_that_of_its_zone() -> None:
    assert end_of(dt.date(2026, 6, 30), LONDON) == dt.datetime(2026, 6, 30, 23, tzinfo=dt.UTC)


def test_an_item_in_two_currencies_is_refused() -> None:
    story = [moved("INV-1", "invoice", 500, 0, 0, 1), moved("INV-1", "receipt", -5, 0, 0, 2, currency="EUR")]
    with pytest.raises(Mixed, match="INV-1 of A1 moved in several currencies"):
        as_known(story, on=day(2))
