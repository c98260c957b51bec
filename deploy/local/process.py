"""Processes by recorded pid, never by name. A pid counts only while our mark is a word of its command line,

because the system gives a dead process's pid to somebody else.
"""

import contextlib
import socket
import time
from collections.abc import Callable

import psutil

from deploy.local.settings import StackError

# A killed process has no command line any more while the system still closes its ports: it cannot be recognised then.
DYING_S_MAX = 5.0


def is_ours(pid: int, mark: str) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and mark in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
        return False


def serves(pid: Callable[[], int | None], answers: Callable[[], bool]) -> bool:
    """Does it run? One that was killed a moment ago still has its pid, so a silent one is waited for: it answers, or is gone."""
    deadline = time.monotonic() + DYING_S_MAX
    while pid() is not None:
        if answers() or time.monotonic() >= deadline:
            return True
        time.sleep(0.05)
    return False


def terminate(pid: int, mark: str, patience_s: float) -> None:
    """Ask politely, wait, and only then insist."""
    if not is_ours(pid, mark):
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(patience_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(patience_s)


def require_free(port: int, setting: str, patience_s: float = 0.0) -> None:
    """Raises StackError when something still listens there after so many seconds."""
    deadline = time.monotonic() + patience_s
    while not _is_free(port):
        if time.monotonic() >= deadline:
            raise StackError(f"Port {port} is taken by another program; set {setting} to a free one.")
        time.sleep(0.05)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without this a port in TIME_WAIT, left by our own last run, would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
