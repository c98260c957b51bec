"""All tests by runners side by side: two that wait for servers and pages, and, behind them, one that only computes.

python -m tests.side_by_side

The last runner is nice to the others, whose tests look at a clock. Each has servers of its own; the exit code is that of the
first that failed, and all print their own closing lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

SEEN = ("tests/browser", "tests/console")
"""Pages and their rows. All else that waits for servers is the first runner's: about as long."""
COMPUTES = (
    "tests/models",
    "tests/gateway",
    "tests/contracts",
    "tests/faults/test_simulation.py",
    "tests/faults/test_sabotage.py",
)
"""Values, and histories on virtual time: however slowly they run, they show the same."""
NICENESS = 19
JAVA = "-XX:TieredStopAtLevel=1"
"""Brokers of tests live for minutes, some for seconds: the second compiler took half of their time and paid none of it back."""
PYTEST = (sys.executable, "-m", "pytest")


def main() -> int:
    os.environ.setdefault("JAVA_TOOL_OPTIONS", JAVA)
    with tempfile.TemporaryFile() as of_pages, tempfile.TemporaryFile() as of_values:
        pages, values = _start(SEEN, of_pages), _start(COMPUTES, of_values, NICENESS)
        waits = _start(("tests", *(f"--ignore={path}" for path in (*SEEN, *COMPUTES))))
        codes = [_ended("all else", waits), _ended("pages", pages, of_pages), _ended("values", values, of_values)]
    return next((code for code in codes if code), 0)


def _start(arguments: Sequence[str], told: IO[bytes] | None = None, niceness: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (*PYTEST, *arguments),
        stdout=told,
        stderr=subprocess.STDOUT if told else None,
        preexec_fn=(lambda: os.nice(niceness) and None) if niceness else None,
    )


def _ended(name: str, runner: subprocess.Popen[bytes], told: IO[bytes] | None = None) -> int:
    """What it had to say, told now, because lines of several runners at once could not be read; and what it took of a core."""
    _, status, used = os.wait4(runner.pid, 0)
    runner.returncode = os.waitstatus_to_exitcode(status)
    print(f"{name}: {used.ru_utime + used.ru_stime:.0f} s of a core, servers apart", flush=True)
    if told is not None:
        told.seek(0)
        sys.stdout.buffer.write(told.read())
        sys.stdout.flush()
    return runner.returncode


if __name__ == "__main__":
    sys.exit(main())
