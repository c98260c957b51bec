"""All tests by two runners side by side: what waits for servers and pages, and, behind it, what only computes.

python -m tests.side_by_side

The second runner is nice to the first, whose tests look at a clock. Each has servers of its own; the exit code is that of the
first that failed, and both print their own closing lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

COMPUTES = (
    "tests/models",
    "tests/gateway",
    "tests/contracts",
    "tests/faults/test_simulation.py",
    "tests/faults/test_sabotage.py",
)
"""Values, and histories on virtual time: however slowly they run, they show the same."""
NICENESS = 19
PYTEST = (sys.executable, "-m", "pytest")


def main() -> int:
    with tempfile.TemporaryFile() as kept:
        behind = subprocess.Popen(
            (*PYTEST, *COMPUTES), stdout=kept, stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(NICENESS) and None
        )
        ignored = (f"--ignore={path}" for path in COMPUTES)
        first = subprocess.run((*PYTEST, "tests", *ignored), check=False).returncode
        second = behind.wait()
        kept.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(kept.read())
        sys.stdout.flush()
    return first or second


if __name__ == "__main__":
    sys.exit(main())
