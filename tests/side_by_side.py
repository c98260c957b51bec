"""All tests by runners side by side: two that wait for servers and pages, and, behind them, two that only compute.

python -m tests.side_by_side

The last two are nice to the others, whose tests look at a clock, and have both cores when those have ended. Each has servers of
its own; the exit code is that of the first that failed, and all print their own closing lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO

SEEN = ("tests/browser", "tests/console")
"""Pages and their rows. All else that waits for servers is the first runner's: about as long."""
VALUES = ("tests/models", "tests/gateway", "tests/contracts", "tests/faults/test_sabotage.py")
HISTORIES = ("tests/faults/test_simulation.py",)
"""Values, and histories on virtual time: however slowly they run, they show the same."""
NICENESS = 19
JAVA = "-XX:TieredStopAtLevel=1"
"""Brokers of tests live for minutes, some for seconds: the second compiler took half of their time and paid none of it back."""
PYTEST = (sys.executable, "-m", "pytest")


def main() -> int:
    os.environ.setdefault("JAVA_TOOL_OPTIONS", JAVA)
    behind = {"pages": (SEEN, 0), "values": (VALUES, NICENESS), "histories": (HISTORIES, NICENESS)}
    with ExitStack() as stack:
        started = {}
        for name, (paths, niceness) in behind.items():
            told = stack.enter_context(tempfile.TemporaryFile())
            started[name] = (_start(paths, told, niceness), told)
        apart = [path for paths, _ in behind.values() for path in paths]
        waits = _start(("tests", *(f"--ignore={path}" for path in apart)))
        codes = [_ended("all else", waits), *(_ended(name, runner, told) for name, (runner, told) in started.items())]
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
