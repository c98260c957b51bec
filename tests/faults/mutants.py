"""Mutation testing of the models: `python -m tests.faults.mutants [--minutes 15] [--only 'services.orders.exposure*']`.

mutmut changes one expression at a time in the pure files of accounts, orders, payments and what they share, and runs the tests of
tests/models that touch it. A sample within the minutes given; a repeated run goes on where the one before ended. `mutmut show
NAME` prints what a survivor changed. Not a gate: many survivors change only words that people read, or code that ran before
the change was switched on (what a module builds while it is imported).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from deploy.local.settings import REPOSITORY

MUTANTS = REPOSITORY / "mutants"
REPORT = REPOSITORY / "build" / "faults" / "mutants.json"
MUTMUT = """
import sys
from pathlib import Path
import pytest
from mutmut import code_coverage
from mutmut.__main__ import cli

def forget(known):
    changed = str(Path("mutants").absolute())
    for name, module in list(sys.modules.items()):
        if name not in known and str(getattr(module, "__file__", "")).startswith(changed):
            del sys.modules[name]

code_coverage._unload_modules_not_in = forget
pytest.Item._nodeid = property(lambda item: item.nodeid)
cli(prog_name="mutmut")
"""
"""mutmut 3.7 beside today's pytest and libraries. To import the changed files it forgets all that was imported since it began,
which numpy and the compiled half of yaml do not stand; and it asks for a name that pytest 9.2 dropped. 3.8 mends both, and wants
a newer click than Faust."""
STOP_S_MAX = 30.0
KILLED = (1, 3)
"""What mutmut keeps of a mutant: pytest's exit code. 1 and 3: a test failed. 0: all passed, it survived. None: not tried yet."""


class Score(NamedTuple):
    """One file's mutants; `other` timed out or could not be run."""

    file: str
    killed: int
    survived: int
    untried: int
    other: int

    @property
    def line(self) -> str:
        tried = self.killed + self.survived
        share = f"{100 * self.killed / tried:5.1f} %" if tried else "      -"
        return f"{self.file:32} {share}   {self.killed:5} {self.survived:9} {self.untried:10} {self.other:6}"


def main() -> int:
    asked = _asked()
    mutate(REPOSITORY, asked.minutes, asked.jobs, asked.only)
    scores = list(scored(MUTANTS))
    if not scores:
        print("mutmut made no mutants; see what it printed above", file=sys.stderr)
        return 2
    total = Score("all", *map(sum, zip(*(score[1:] for score in scores), strict=True)))
    print(f"{'file':32} {'score':>7}   killed  survived  not tried  other")
    for score in (*scores, total):
        print(score.line)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps([score._asdict() for score in (*scores, total)], indent=1) + "\n")
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants", description="Mutation testing of the models.")
    parser.add_argument("--minutes", type=float, default=15.0, help="all in all; four go by before the first is tried")
    parser.add_argument("--only", action="append", default=[], help="names of mutants, * for any")
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def mutate(tree: Path, minutes: float, jobs: int, only: Sequence[str]) -> None:
    """Run mutmut for so long; it writes down each mutant's fate at once, so ending it loses nothing."""
    command = [sys.executable, "-c", MUTMUT, "run", "--max-children", str(jobs), *only]
    running = subprocess.Popen(command, cwd=tree, start_new_session=True)
    try:
        running.wait(minutes * 60)
    except subprocess.TimeoutExpired:
        _end(running)


def _end(running: subprocess.Popen[bytes]) -> None:
    """With the children in which it tries mutants."""
    for how in (signal.SIGINT, signal.SIGKILL):
        os.killpg(running.pid, how)
        try:
            running.wait(STOP_S_MAX)
            return
        except subprocess.TimeoutExpired:
            continue


def scored(mutants: Path) -> Iterator[Score]:
    for path in sorted(mutants.glob("**/*.py.meta")):
        fates = list(json.loads(path.read_text())["exit_code_by_key"].values())
        killed, survived, untried = sum(fate in KILLED for fate in fates), fates.count(0), fates.count(None)
        if fates:
            name = path.relative_to(mutants).as_posix().removesuffix(".meta")
            yield Score(name, killed, survived, untried, len(fates) - killed - survived - untried)


if __name__ == "__main__":
    raise SystemExit(main())
