"""Mutants are made, tried and counted: each file once, in whatever folder it lies, and what could not be judged apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.mutants import Score, mutate, scored

PROJECT = """
[tool.mutmut]
source_paths = ["shop"]
pytest_add_cli_args_test_selection = ["tests"]
mutate_only_covered_lines = true
"""
MODEL = """
import numpy

def total(prices):
    return int(numpy.sum(prices))

def told(prices):
    return "in all " + str(total(prices))
"""
TESTS = """
import shop.till

def test_prices_are_added():
    assert shop.till.total([1, 2]) == 3

def test_something_is_told():
    assert shop.till.told([1])
"""


def test_a_file_below_a_service_is_counted_as_well(tmp_path: Path) -> None:
    for name, fates in (("services/orders/judge.py", [1, 3, 0, None]), ("services/payments/matching/subset.py", [1, 0, -24])):
        path = tmp_path / f"{name}.meta"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"exit_code_by_key": {f"mutant {n}": fate for n, fate in enumerate(fates)}}))
    (tmp_path / "services/orders/words.py.meta").write_text('{"exit_code_by_key": {}}')
    assert list(scored(tmp_path)) == [
        Score("services/orders/judge.py", killed=2, survived=1, untried=1, other=0),
        Score("services/payments/matching/subset.py", killed=1, survived=1, untried=0, other=1),
    ]


@pytest.mark.slow
def test_what_tests_see_is_killed_and_what_they_miss_survives(tmp_path: Path) -> None:
    for name, text in {"pyproject.toml": PROJECT, "shop/till.py": MODEL, "tests/test_till.py": TESTS}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    mutate(tmp_path, minutes=2, jobs=2, only=())
    (score,) = scored(tmp_path / "mutants")
    assert score.file == "shop/till.py"
    assert score.killed >= 3
    assert score.survived >= 1  # "in all " may be any text
    assert (score.untried, score.other) == (0, 0)
