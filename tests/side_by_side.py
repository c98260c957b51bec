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
        ignored = (f"--ignore={path}" for path in (*SEEN, *COMPUTES))
        first = subprocess.run((*PYTEST, "tests", *ignored), check=False).returncode
        codes = [first, _ended(pages, of_pages), _ended(values, of_values)]
    return next((code for code in codes if code), 0)


def _start(paths: Sequence[str], told: IO[bytes], niceness: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        (*PYTEST, *paths), stdout=told, stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(niceness) and None
    )


def _ended(runner: subprocess.Popen[bytes], told: IO[bytes]) -> int:
    """What it had to say, told now: lines of several runners at once could not be read."""
    code = runner.wait()
    told.seek(0)
    sys.stdout.flush()
    sys.stdout.buffer.write(told.read())
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    sys.exit(main())
