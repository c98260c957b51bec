"""The sabotage itself: its list matches the source, and a run tells a guard that was missed from one that was not."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.settings import REPOSITORY
from tests.faults.sabotage.guard import Guard, NotFound, out
from tests.faults.sabotage.listed import LISTED
from tests.faults.sabotage.run import BaselineRed, sabotaged
from tests.faults.sabotage.tree import without
from tests.faults.sabotage.trial import judged

GUARDS_MIN = 50
CHEAP = next(guard for guard in LISTED if guard.name == "a root ends after its members")


def test_there_are_many_guards_and_each_has_a_name_of_its_own() -> None:
    names = Counter(guard.name for guard in LISTED)
    assert len(LISTED) >= GUARDS_MIN
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("guard", LISTED, ids=lambda guard: guard.name)
def test_each_guards_text_stands_once_in_the_source_and_leaves_python_behind(guard: Guard) -> None:
    source = guard.source(REPOSITORY)
    disarmed = guard.disarmed(source)
    assert disarmed != source
    if not guard.file.endswith(".sql"):
        ast.parse(disarmed)


@pytest.mark.parametrize("file", sorted({guard.file for guard in LISTED}))
def test_a_guard_of_any_kind_of_file_is_out_while_it_is_tried_and_back_afterwards(file: str, tmp_path: Path) -> None:
    guard = next(guard for guard in LISTED if guard.file == file)
    source = guard.source(REPOSITORY)
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(source)
    with without(guard, tmp_path):
        assert (tmp_path / file).read_text() == guard.disarmed(source)
    assert (tmp_path / file).read_text() == source


def test_no_guard_is_taken_out_by_a_name_that_does_not_exist(tmp_path: Path) -> None:
    """A crash would turn every test red and prove nothing of the guard."""
    for n, guard in enumerate(each for each in LISTED if not each.file.endswith(".sql")):
        (tmp_path / f"{n}_{guard.name.replace(' ', '_')}.py").write_text(guard.disarmed(guard.source(REPOSITORY)))
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "E9,F821",
        "--output-format",
        "concise",
        str(tmp_path),
    ]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("test", sorted({test for guard in LISTED for test in guard.tests}))
def test_each_named_test_exists(test: str) -> None:
    file, _, name = test.partition("::")
    source = (REPOSITORY / file).read_text()
    assert not name or f"def {name.partition('[')[0]}(" in source


def test_a_text_that_moved_names_the_entry_to_mend() -> None:
    moved = replace(CHEAP, takes_out=out("if account.members == zero:", "if True:"))
    with pytest.raises(NotFound, match=r"'a root ends after its members'.*0 times in services/accounts/group.py.*mend the entry"):
        sabotaged([moved], 1, print)


@pytest.mark.parametrize(
    ("code", "output", "verdict"),
    [
        (0, "1 passed", "passed"),
        (1, "FAILED tests/models/test_x.py::test_y[a b] - AssertionError: no\n", "failed"),
        (1, "ERROR tests/models/test_x.py::test_y - a fixture raised\n", "broken"),
        (2, "FAILED tests/models/test_x.py::test_y\nInterrupted: 1 error during collection", "broken"),
        (4, "no such option", "broken"),
        (5, "no tests ran", "broken"),
        (-9, "FAILED tests/models/test_x.py::test_y\n", "broken"),
    ],
)
def test_only_a_test_that_failed_proves_anything(code: int, output: str, verdict: str) -> None:
    assert judged(code, output).verdict == verdict


@pytest.mark.slow
def test_a_guard_that_is_missed_is_caught_and_one_that_is_not_survives() -> None:
    """One guard of the list, and the same one left in place under another name."""
    harmless = replace(CHEAP, name="nothing is taken out", takes_out=out("if account.members == 0:", "if 0 == account.members:"))
    caught, survivor = sabotaged([CHEAP, harmless], 1, print)
    assert (caught.caught, caught.outcome.test) == (True, CHEAP.tests[0])
    assert (survivor.caught, survivor.outcome.verdict) == (False, "passed")


@pytest.mark.slow
def test_a_test_that_is_red_without_any_sabotage_is_no_catch() -> None:
    gone = replace(CHEAP, tests=("tests/models/test_accounts_standing.py::test_that_nobody_wrote",))
    with pytest.raises(BaselineRed, match="with every guard in place"):
        sabotaged([gone], 1, print)
