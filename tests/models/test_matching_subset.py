"""Which open amounts add up to a payment: exact, bounded, and honest about giving up (P6e, F5)."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.matching import subset
from services.payments.matching.subset import Found, subsets
from services.payments.matching.values import Effort

EFFORT = Effort()
EVERY = Effort(shown=10_000)
amounts = st.lists(st.integers(-60, 90).filter(bool), max_size=9)


def brute(sizes: list[int], target: int) -> list[tuple[int, ...]]:
    ways = (some for count in range(len(sizes) + 1) for some in combinations(range(len(sizes)), count))
    return sorted(some for some in ways if sum(sizes[at] for at in some) == target)


def test_700_against_500_400_300_is_400_and_300() -> None:  # F5
    assert subsets([500, 400, 300], 700, EFFORT) == Found(((1, 2),), complete=True)


def test_600_against_400_300_200_100_100_has_every_solution_shown() -> None:  # F5
    found = subsets([400, 300, 200, 100, 100], 600, EFFORT)
    assert found.solutions == ((0, 2), (0, 3, 4), (1, 2, 3), (1, 2, 4))
    assert not found.unique


@given(amounts, st.integers(-100, 200).filter(bool))
def test_halves_find_what_brute_force_finds(sizes: list[int], target: int) -> None:
    assert subsets(sizes, target, EVERY) == Found(tuple(brute(sizes, target)), complete=True)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=9), st.integers(1, 200))
def test_the_table_finds_what_brute_force_finds(sizes: list[int], target: int) -> None:
    found = subset._by_table(sizes, target, EVERY)
    assert found is not None
    expected = brute(sizes, target)
    assert set(found.solutions) <= set(expected)
    assert found.unique == (len(expected) == 1)
    assert bool(found.solutions) == bool(expected)


@pytest.mark.slow
@given(st.lists(st.integers(1, 90), min_size=1, max_size=6), st.integers(1, 200))
def test_the_solver_finds_what_brute_force_finds(sizes: list[int], target: int) -> None:
    found = subset._by_solver(sizes, target, EVERY)
    assert sorted(found.solutions) == brute(sizes, target)
    assert found.complete


def test_a_cut_list_of_solutions_says_that_there_are_more() -> None:
    found = subsets([5] * 12, 10, EFFORT)
    assert (len(found.solutions), found.complete) == (EFFORT.shown, False)


@pytest.mark.parametrize("count", [100, 1_000])
def test_many_items_are_ambiguous_without_looking_at_all_of_them(count: int) -> None:
    chosen = random.Random(count)
    sizes = [chosen.randint(1_000, 5_000_000) for _ in range(count)]
    found = subsets(sizes, sum(sizes[:5]), EFFORT)
    assert len(found.solutions) > 1
    assert not found.gave_up


def test_the_only_solution_among_many_items_is_found_by_table() -> None:
    sizes = [1 << at for at in range(16)] + [70_001 + 3 * at for at in range(30)]
    assert subsets(sizes, 65_535, EFFORT) == Found((tuple(range(16)),), complete=True)


def test_a_search_that_ends_early_says_so() -> None:
    chosen = random.Random(7)
    sizes = [chosen.randint(10**12, 10**15) for _ in range(60)]
    found = subsets(sizes, sum(sizes[:30]) + 1, Effort(solver_deterministic_s=0.01))
    assert found.gave_up
    assert not found.unique


def test_the_same_search_ends_in_the_same_way() -> None:
    chosen = random.Random(8)
    sizes = [chosen.randint(10**9, 10**12) for _ in range(40)]
    one, other = (subsets(sizes, sum(sizes[:9]), Effort(solver_deterministic_s=0.02)) for _ in range(2))
    assert one == other
