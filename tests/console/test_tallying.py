"""What one fact counts for, and how sums fold in any order (O3, O6; streams that count)."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Envelope
from services.console.counting import count
from services.console.tallying import (
    DECIDED,
    DECIDED_MS,
    HEARS,
    SETTLED,
    SETTLED_MIN,
    WORDS,
    bucket,
    histogram,
    percentile,
)
from services.console.windows import AHEAD_MAX, KEPT, Minute, Windows, sliding
from tests.console.desk_facts import (
    AFTERWARDS,
    NINE,
    Writer,
    asked,
    breached,
    cancelled,
    escalated,
    held,
    minutes,
    noted,
    referred,
    rejected,
    released,
    split,
    warned,
)

REPOSITORY = Path(__file__).parents[2]


def counted(*facts: Envelope) -> Counter[str]:
    """What these facts count for, over all minutes and portfolios."""
    sums: Counter[str] = Counter()
    for (*_, what), n in count({}, facts)[0].items():
        sums[what] += n
    return sums


def told(*messages: tuple[Any, float]) -> Counter[str]:
    """One writer says these, each so many minutes after nine."""
    writer = Writer()
    return counted(*(writer.say(message, NINE + minutes(at)) for message, at in messages))


def without_histograms(sums: Counter[str]) -> dict[str, int]:
    return {word: n for word, n in sums.items() if word in WORDS}


def test_an_order_released_at_once_is_received_and_starts_no_clock() -> None:  # O3
    assert told((released("w/1", first=True), 0)) == {"received": 1, "released_at_once": 1, "decided:5": 1}


def test_a_held_order_counts_each_of_its_reasons() -> None:  # O2
    assert told((held("w/1", "static_limit", "on_stop"), 0)) == {
        "received": 1, "held": 1, "by:static_limit": 1, "by:on_stop": 1, "decided:5": 1,
    }  # fmt: skip


def test_who_released_is_told_apart() -> None:
    assert without_histograms(told((held("w/1"), 0), (released("w/1"), 5))) == {
        "received": 1, "held": 1, "released_later": 1, "met": 1,
    }  # fmt: skip
    assert told((held("w/1"), 0), (released("w/1", by="anna"), 5))["released_by_person"] == 1


def test_held_again_for_other_reasons_is_counted_once_and_referred_by_a_person_is_news() -> None:
    sums = told((held("w/1"), 0), (held("w/1", "on_stop", first=False), 1), (referred("w/1", by="anna"), 2))
    assert without_histograms(sums) == {"received": 1, "held": 1, "referred": 1}


def test_an_order_that_comes_back_to_the_desk_waits_again() -> None:  # O4
    sums = told((released("w/1", first=True), 0), (held("w/1", first=False), 60), (released("w/1", by="anna"), 70))
    assert without_histograms(sums) == {
        "received": 1, "came_back": 1, "released_at_once": 1, "held": 1, "released_by_person": 1, "met": 1,
    }  # fmt: skip
    assert not [word for word in sums if word.startswith(SETTLED)]  # its clock did not begin with its receipt


def test_a_changed_order_that_is_released_again_starts_no_clock() -> None:  # O4
    sums = told((released("w/1", first=True), 0), (released("w/1"), 60))
    assert without_histograms(sums) == {"received": 1, "released_at_once": 1, "came_back": 1, "released_again": 1}


@given(st.lists(st.sampled_from([held, referred, released, rejected]), max_size=8))
def test_what_came_and_came_back_was_decided_or_waits(rest: list[Any]) -> None:
    """However often an order comes back, the day's figures add up."""
    said = [held("w/1"), *(each("w/1", first=False) if each is held else each("w/1", by="anna") for each in rest)]
    sums = told(*((message, n) for n, message in enumerate(said)))
    ended = sum(sums[word] for word in ("released_at_once", "released_later", "released_by_person", "released_again", "rejected"))
    waits = said and type(said[-1]).__name__ in ("OrderHeld", "OrderReferred")
    assert sums["received"] + sums["came_back"] == ended + waits


@pytest.mark.parametrize(
    ("marks", "word"),
    [((), "met"), ((warned,), "met"), ((warned, escalated), "met_escalated"), ((warned, escalated, breached), "missed")],
)
def test_a_clock_ends_met_met_after_escalation_or_missed(marks: tuple[Any, ...], word: str) -> None:  # O6
    sums = told((held("w/1"), 0), *((mark("w/1"), 60 + n) for n, mark in enumerate(marks)), (rejected("w/1"), 110))
    assert [sums[each] for each in ("met", "met_escalated", "missed")].count(1) == 1
    assert sums[word] == 1


def test_asking_the_customer_does_not_end_the_clock() -> None:  # O6
    assert without_histograms(told((held("w/1"), 0), (asked("w/1"), 10), (breached("w/1"), 120))) == {
        "received": 1, "held": 1, "asked": 1, "breached": 1,
    }  # fmt: skip


def test_a_cancelled_order_neither_meets_nor_misses_its_clock() -> None:
    assert without_histograms(told((held("w/1"), 0), (cancelled("w/1"), 10))) == {"received": 1, "held": 1, "cancelled": 1}


def test_the_breach_tells_the_next_level_and_is_no_second_escalation() -> None:
    sums = told((held("w/1"), 0), (escalated("w/1"), 90), (breached("w/1"), 120), (escalated("w/1", mark="breach"), 120))
    assert (sums["escalated"], sums["breached"]) == (1, 1)


def test_a_mark_of_an_order_that_does_not_wait_counts_for_nothing() -> None:
    assert told((warned("w/1"), 0), (escalated("w/1"), 1), (breached("w/1"), 2)) == {}


def test_an_order_split_still_waits() -> None:  # O5
    sums = told((held("w/1"), 0), (split("w/1"), 10), (released("w/1", by="anna"), 20))
    assert (sums["split"], sums["met"]) == (1, 1)


def test_an_order_counts_in_the_portfolio_where_it_was_first_decided() -> None:
    writer = Writer()
    facts = [writer.say(held("w/1", portfolio="north")), writer.say(released("w/1", portfolio="south"))]
    assert {portfolio for _, _, portfolio, _ in count({}, facts)[0]} == {"north"}


def test_each_fact_counts_in_the_minute_of_its_own_time() -> None:
    writer = Writer()
    facts = [writer.say(held("w/1"), NINE + minutes(0.9)), writer.say(released("w/1"), NINE + minutes(1))]
    assert {minute for _, minute, _, _ in count({}, facts)[0]} == {NINE, NINE + minutes(1)}


# --- histograms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "name"), [(-3.0, "decided:5"), (5.0, "decided:5"), (5.1, "decided:10"), (1e9, "decided:more")])
def test_a_duration_counts_in_the_first_bucket_that_holds_it(value: float, name: str) -> None:
    assert bucket(DECIDED, DECIDED_MS, value) == name


@given(st.lists(st.floats(min_value=0.01, max_value=1_440), min_size=1), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_lies_in_the_bucket_of_the_true_one(values: list[float], asked_for: float) -> None:
    counts = Counter(bucket(SETTLED, SETTLED_MIN, value) for value in values)
    found = percentile(histogram(counts, SETTLED, SETTLED_MIN), asked_for)
    true = sorted(values)[max(-(-len(values) * asked_for // 1) - 1, 0).__int__()]
    edges = (0, *SETTLED_MIN)
    n = next(n for n, bound in enumerate(SETTLED_MIN) if true <= bound)
    assert found is not None
    assert edges[n] <= found <= edges[n + 1]


def test_of_nothing_there_is_no_percentile_and_above_all_bounds_the_last_one_counts() -> None:
    assert percentile(histogram({}, SETTLED, SETTLED_MIN), 0.99) is None
    assert percentile(histogram({"settled:more": 3}, SETTLED, SETTLED_MIN), 0.5) == SETTLED_MIN[-1]


# --- the fold that may be told anything, in any order ----------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[Envelope]:
    """One partition's facts: orders come, and anything is said of them."""
    writer, at = Writer(partition=2), NINE
    for _ in range(draw(st.integers(1, 30))):
        at += dt.timedelta(seconds=draw(st.integers(0, 90)))
        order = f"w/{draw(st.integers(1, 5))}"
        known = any(getattr(fact.data, "order", "") == order for fact in writer.said)
        portfolio = draw(st.sampled_from(["north", "south"]))
        first = draw(st.sampled_from([held, lambda o, **k: released(o, first=True, **k)]))
        writer.say(draw(st.sampled_from(AFTERWARDS))(order) if known else first(order, portfolio=portfolio), at)
    return writer.said


def folded(facts: list[Envelope], table: dict[str, Any] | None = None) -> dict[str, Any]:
    table = {} if table is None else table
    windows = Windows(table)
    for fact in facts:
        windows.take(2, int(fact.sequence), fact if type(fact.data) in HEARS else None)
    return table


@given(histories(), st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(facts: list[Envelope], chance: random.Random) -> None:
    mixed = facts + chance.choices(facts, k=chance.randint(0, 2 * len(facts)))
    chance.shuffle(mixed)
    assert folded(mixed) == folded(facts)


@given(histories())
def test_the_windows_say_what_counting_says(facts: list[Envelope]) -> None:
    counts, _ = count({}, [fact for fact in facts if type(fact.data) in HEARS])
    minutes_of_table = Windows(folded(facts)).minutes()
    windows = {(row.partition, row.minute, row.portfolio, what): n for row in minutes_of_table for what, n in row.counts.items()}
    assert windows == counts


class Torn(Exception):
    pass


class TornTable(dict[str, Any]):
    """A table whose changelog ends after so many writes, as a crash leaves it; the next message mends what lacks."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left = writes

    def __setitem__(self, key: str, value: Any) -> None:
        self._write()
        super().__setitem__(key, value)

    def pop(self, key: str, *default: Any) -> Any:
        if key in self:
            self._write()
        return super().pop(key, *default)

    def _write(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Torn


def test_a_crash_after_any_write_of_a_morning_is_mended_by_reading_on() -> None:
    writer = Writer(partition=2)
    for n, message in enumerate((held("w/1"), warned("w/1"), escalated("w/1"), released("w/1", by="anna"), held("w/2"))):
        writer.say(message, NINE + minutes(n))
    for writes in range(20):
        table = TornTable(writes)
        try:
            folded(writer.said, table)
        except Torn:
            survived = dict(table)
            assert folded(writer.said[max(Windows(survived).lane(2).seen - 1, 0) :], survived) == folded(writer.said), (
                f"after {writes} writes"
            )


@given(histories(), st.integers(0, 60), st.integers(0, 3))
def test_a_crash_between_any_two_writes_is_mended_by_reading_again(facts: list[Envelope], writes: int, back: int) -> None:
    table = TornTable(writes)
    try:
        folded(facts, table)
    except Torn:
        survived = dict(table)
        seen = Windows(survived).lane(2).seen
        assert folded(facts[max(seen - 1 - back, 0) :], survived) == folded(facts)


def test_a_lost_message_stops_the_lane_and_is_shown() -> None:
    writer = Writer(partition=2)
    facts = [writer.say(released(f"w/{n}", first=True)) for n in range(5)]
    windows = Windows({})
    for fact in (facts[0], facts[3], facts[4]):
        windows.take(2, int(fact.sequence), fact)
    assert (windows.lane(2).seen, windows.lane(2).gap_at) == (1, 2)
    for fact in facts:
        windows.take(2, int(fact.sequence), fact)
    assert (windows.lane(2).seen, windows.lane(2).gap_at) == (5, None)


def test_what_waits_behind_a_gap_is_bounded() -> None:
    writer = Writer(partition=2)
    fact = writer.say(noted("w/1"))
    windows = Windows({})
    for n in range(AHEAD_MAX + 5):
        windows.take(2, n + 2, None)
    windows.take(2, 1, fact)
    assert windows.lane(2).seen == AHEAD_MAX + 1


def test_minutes_leave_the_table_after_two_days() -> None:
    writer = Writer(partition=2)
    late = NINE + KEPT + minutes(60)
    facts = [writer.say(released("w/1", first=True)), writer.say(released("w/2", first=True, received_at=late), late)]
    assert [row.minute for row in Windows(folded(facts)).minutes()] == [late]


def test_the_library_that_may_lose_is_used_by_the_worker_alone() -> None:
    packages = [REPOSITORY / name for name in ("contracts", "deploy", "quittance", "services", "shared")]
    using = [
        path.name
        for package in packages
        for path in package.rglob("*.py")
        if re.search(r"^(import|from) faust", path.read_text(), re.M)
    ]
    assert using == ["worker.py"]


# --- sliding windows ------------------------------------------------------------------------------------------------


def row(at: float, n: int, partition: int = 0) -> Minute:
    return Minute(partition, NINE + minutes(at), "north", 1, {"received": n})


def test_a_sliding_window_holds_its_last_minutes_and_no_other() -> None:
    rows = [row(n, 1) for n in range(100)]
    quarter, hour = sliding(rows, NINE + minutes(59.5))
    assert (quarter.counts, hour.counts) == ({"received": 15}, {"received": 60})


def test_a_quiet_portfolio_has_an_empty_window() -> None:
    assert [window.counts for window in sliding([row(0, 7)], NINE + minutes(600))] == [{}, {}]


@given(st.lists(st.tuples(st.integers(0, 120), st.integers(1, 9), st.integers(0, 3))), st.integers(0, 120))
def test_windows_of_partitions_add_up_to_the_sum_of_their_minutes(said: list[tuple[int, int, int]], at: int) -> None:
    rows = [row(minute, n, partition) for minute, n, partition in said]
    hours = [window for window in sliding(rows, NINE + minutes(at)) if window.minutes == 60]
    assert sum(window.counts.get("received", 0) for window in hours) == sum(n for minute, n, _ in said if at - 60 < minute <= at)
