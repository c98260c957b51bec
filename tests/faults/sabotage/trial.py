"""One run of pytest in a copy of the tree, and what it proves. Red alone is not enough: a test must have failed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["passed", "failed", "timed out", "broken"]
FAILED = 1
"""pytest's exit code when tests ran and some failed; 2 to 5 mean that it could not run them."""
PATIENCE = "0.3"
"""Nothing else runs beside a trial, and a test that misses its guard by waiting is to say so soon; the untouched tree is given as
little."""
_FAILURE = re.compile(r"^FAILED (\S+?::[^\[\s]+(?:\[.*?\])?)(?: - (.*))?$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """`test` and `said`: the first test that failed, and its error. `output`: the end of what pytest printed."""

    verdict: Verdict
    test: str = ""
    said: str = ""
    output: str = ""


def tried(tree: Path, tests: Iterable[str], environment: Mapping[str, str], patience_s: float, *, all_of_them: bool) -> Outcome:
    """Run these tests in that tree, in a process group of their own, which ends with the trial."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-rf",
        "--tb=line",
        "--no-header",
        "--color=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:schemathesis",
    ]
    running = subprocess.Popen(
        [*command, *([] if all_of_them else ["-x"]), *tests],
        cwd=tree,
        env={**os.environ, **environment, "PYTHONPATH": str(tree), "COLUMNS": "400", "QUITTANCE_TEST_PATIENCE": PATIENCE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = running.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        return Outcome("timed out", output=f"no end within {patience_s:.0f} s")
    finally:
        _end(running)
    return judged(running.returncode, output)


def _end(running: subprocess.Popen[str]) -> None:
    """With all that its tests started: a service that outlives its test would disturb the next one."""
    try:
        os.killpg(running.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    running.communicate()


def judged(code: int, output: str) -> Outcome:
    """What an exit code and a summary prove."""
    end = output[-3000:]
    if code == 0:
        return Outcome("passed", output=end)
    failure = _FAILURE.search(output)
    if code != FAILED or failure is None:
        return Outcome("broken", output=end)
    return Outcome("failed", failure[1], (failure[2] or "")[:300], end)
