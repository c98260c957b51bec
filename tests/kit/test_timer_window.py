"""The timers in memory: the earliest of a partition's, in order; later ones only the table knows."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import timers
from shared.service import Timer
from shared.timers import Timers
from tests.kit.stage import BEGAN


def _timer(key: str, day: int | None, kind: str = "lapse", cursor: str = "") -> Timer:
    return Timer(kind, key, None if day is None else BEGAN + dt.timedelta(days=day), "A1", cursor)


def _fire_all(held: Timers) -> list[str]:
    fired = []
    while timer := held.first():
        fired.append(timer.key)
        held.set(Timer(timer.kind, timer.key, None))
    return fired


def test_timers_come_by_due_then_kind_then_key() -> None:
    held = Timers()
    for timer in (_timer("b", 2), _timer("z", 1, "a"), _timer("a", 2), _timer("c", 1)):
        held.set(timer)
    assert _fire_all(held) == ["z", "c", "a", "b"]


def test_a_timer_is_due_at_its_moment_and_not_before() -> None:
    held = Timers()
    held.set(_timer("a", 1))
    assert not held.due(BEGAN + dt.timedelta(days=1, microseconds=-1))
    assert held.due(BEGAN + dt.timedelta(days=1))


def test_setting_a_timer_as_it_stands_writes_nothing() -> None:
    held = Timers()
    assert held.set(_timer("a", 1))
    assert not held.set(_timer("a", 1))
    assert held.set(_timer("a", 1, cursor="x"))


def test_a_moved_timer_fires_at_its_new_moment_alone() -> None:
    held = Timers()
    held.set(_timer("a", 1))
    held.set(_timer("b", 2))
    held.set(_timer("a", 3))
    assert _fire_all(held) == ["b", "a"]


def test_a_timer_moved_away_and_back_fires_once() -> None:
    held = Timers()
    for day in (1, 3, 1):
        held.set(_timer("a", day))
    assert _fire_all(held) == ["a"]


def test_a_full_window_keeps_later_timers_to_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "WINDOW", 2)
    held = Timers()
    held.fill([_timer("a", 1), _timer("b", 2)])
    assert held.set(_timer("c", 3)) and not held.set(_timer("c", 3))
    assert _fire_all(held) == ["a", "b"]
    assert held.exhausted


def test_among_equal_dues_a_new_timer_waits_for_those_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a full window the table may hold the same moment with an earlier key."""
    monkeypatch.setattr(timers, "WINDOW", 2)
    held = Timers()
    held.fill([_timer("a", 1), _timer("b", 2)])
    held.set(_timer("z", 2))
    assert _fire_all(held) == ["a", "b"]


def test_a_window_that_is_not_full_knows_all() -> None:
    held = Timers()
    held.fill([_timer("a", 1)])
    held.set(_timer("z", 900))
    assert _fire_all(held) == ["a", "z"] and not held.exhausted


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.one_of(st.none(), st.integers(0, 5)))))
def test_whatever_was_set_the_last_word_counts(changes: list[tuple[str, int | None]]) -> None:
    held, last = Timers(), {}
    for key, day in changes:
        held.set(_timer(key, day))
        last[key] = day
    wanted = sorted((day, key) for key, day in last.items() if day is not None)
    assert _fire_all(held) == [key for _, key in wanted]
