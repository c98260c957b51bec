"""What breaks: every kind of trouble, and which step of which process the next one hits.

A trouble is drawn from the seed with a time; from then on it lies in wait for the next step that it fits. So a history from
which some are taken out still means nearly the same, which is what lets a failing one be shrunk.
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol

import msgspec

from tests.faults.simulation.clockwork import Process


class Trouble(msgspec.Struct, frozen=True):
    """`service` is whom it hits (empty: whoever comes first); `seconds` how long, where that means something."""

    at: float
    kind: str
    service: str = ""
    seconds: float = 0.0


STEPS: dict[str, tuple[str, ...]] = {
    # the database, at every await
    "connection lost before": ("statement", "begin", "commit"),
    "connection lost after": ("statement", "begin"),
    "serialization failure": ("statement",),
    "statement slow": ("statement", "commit"),
    "commit lost": ("commit",),
    "commit applied but lost": ("commit",),
    "notify lost": ("notify",),
    # the broker
    "send lost": ("send",),
    "send applied but reported lost": ("send",),
    "send lost and never answered": ("send",),
    "send applied and never answered": ("send",),
    "send applied twice": ("send",),
    "send applied late": ("send",),
    "fetch fails": ("fetch",),
    "fetch hangs": ("fetch",),
    # the process
    "killed before a commit": ("commit",),
    "killed at a statement": ("statement",),
    "killed at a send": ("send",),
    "killed at a fetch": ("fetch",),
    "stopped at a commit": ("commit",),
    "stopped at a statement": ("statement", "begin"),
    "stopped at a send": ("send",),
}
"""Kind → the steps that it may hit."""
AT_ONCE = (
    "database restarts",
    "database clock jumps",
    "broker away",
    "clock jumps",
    "leaves",
    "joins",
    "killed",
    "unreadable bytes",
)
"""Kinds that hit at their time, whatever is going on."""
KINDS = (*STEPS, *AT_ONCE)


class Doom(Protocol):
    """Carries out what ends or freezes a process."""

    def kill(self, process: Process) -> None: ...

    def freeze(self, process: Process, seconds: float) -> None: ...


class Troubles:
    """Those that lie in wait, and how many of each kind have struck."""

    def __init__(self) -> None:
        self._waiting: list[Trouble] = []
        self.struck: Counter[str] = Counter()
        self.doom: Doom | None = None

    def arm(self, trouble: Trouble) -> None:
        self._waiting.append(trouble)

    def disarm(self) -> None:
        self._waiting.clear()

    def take(self, process: Process, step: str, service: str) -> Trouble | None:
        """The trouble that this step meets, if any. One that ends or freezes the process does so here."""
        for trouble in self._waiting:
            if step in STEPS[trouble.kind] and trouble.service in ("", service) and (process.mortal or not _deadly(trouble)):
                self._waiting.remove(trouble)
                self.struck[trouble.kind] += 1
                self._strike(process, trouble)
                return trouble
        return None

    def _strike(self, process: Process, trouble: Trouble) -> None:
        assert self.doom is not None
        if trouble.kind.startswith("killed"):
            self.doom.kill(process)
        elif trouble.kind.startswith("stopped"):
            self.doom.freeze(process, trouble.seconds)


def _deadly(trouble: Trouble) -> bool:
    """It ends or freezes a process: customers and watchers live for ever."""
    return trouble.kind.startswith(("killed", "stopped"))
