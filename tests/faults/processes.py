"""Instances of the ledger as processes: started, stopped for a while, killed, always ended with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.settings import REPOSITORY
from tests.kit.stage import Stage

Process = subprocess.Popen[bytes]


@contextmanager
def processes(stage: Stage, count: int = 1) -> Iterator[list[Process]]:
    """Append more with `started`; all end here."""
    running = [started(stage) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            end(process)


def started(stage: Stage) -> Process:
    values = stage.settings.model_dump(mode="json") | {"log_format": "json"}
    environment = {f"QUITTANCE_{name.upper()}": str(value) for name, value in values.items()}
    command = [sys.executable, "-m", "tests.faults.ledger_process"]
    return subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **environment})


def end(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()
