"""Work that might never end or take all memory, done by a process of its own: it is ended, and who asked is told.

For libraries that cannot be stopped from outside and that abort their whole process when memory is refused.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_BARE = {"PATH": os.defpath, "RUST_BACKTRACE": "0"}
"""All that it is told of our surroundings: no passwords, and its last line says what happened instead of where."""
SAID_MAX = 400


class Ended(RuntimeError):
    """The process gave no answer: how it ended, and the last line it said."""


def apart(module: str, data: bytes, seconds_max: float) -> bytes:
    """What `python -m module` answers to this input. Blocks; call it beside an event loop, not in it. Raises `Ended`."""
    command = [sys.executable, "-m", module]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=seconds_max, cwd=_ROOT, env=_BARE, check=False)
    except subprocess.TimeoutExpired as late:
        raise Ended(f"not done in {seconds_max} s") from late
    if done.returncode:
        raise Ended(f"exit {done.returncode}: {_last_line(done.stderr)}")
    return done.stdout


def _last_line(said: bytes) -> str:
    """Behind it Rust says how to get a backtrace."""
    lines = [line for line in said.decode(errors="replace").splitlines() if line.strip() and not line.startswith("note:")]
    return lines[-1][:SAID_MAX] if lines else "it said nothing"


def answer(work: Callable[[bytes], bytes], *, memory_bytes_max: int, cpu_seconds_max: int) -> None:
    """The other side: bounds this process for good, then answers what stands on its input. Only on POSIX."""
    import resource  # not there on Windows, where only this side may not be imported

    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds_max, cpu_seconds_max))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(work(sys.stdin.buffer.read()))
