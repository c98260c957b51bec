"""One partition in the memory of its writer: rows, positions, counters, timers, and the inputs that wait to be decided.

All of it is a cache of what PostgreSQL holds; after any error it is thrown away and loaded again.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.envelope import Address, Envelope
from shared.service import Service
from shared.timers import Timers

BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Input:
    """Something to decide: from a topic, the mailbox, a timer or the parked queue.

    `envelope` None means only the position moves: a message that nobody here hears, or one already taken; or a `stray`
    (the reason why its bytes go to quarantine), or one of an `unknown` major, whose group is parked.
    """

    __slots__ = ("body", "envelope", "keys", "mail", "offset", "parked_n", "sequence", "source", "stray", "topic", "unknown")

    def __init__(self, topic: str, offset: int, source: str, sequence: int, envelope: Envelope | None, body: bytes = b"") -> None:
        self.topic = topic
        self.offset = offset
        self.source = source
        self.sequence = sequence
        self.envelope = envelope
        self.body = body
        self.keys: tuple[str | None, ...] = ()
        self.mail = 0
        self.parked_n = 0
        self.stray = ""
        self.unknown: Address | None = None

    @property
    def name(self) -> str:
        """How the journal names what was handled: `/gateway/3:17`, `timer`, `mail`."""
        return f"{self.source}:{self.sequence or (self.envelope.id if self.envelope else self.offset)}"


class Rows:
    """Rows of one table; a key that is known to have no row maps to None. Two generations instead of an LRU list.

    `kept`: rows of the younger generation before the older one is let go; twice as many may be in memory.
    """

    __slots__ = ("cold", "hot", "kept")

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.hot: dict[str, Any] = {}
        self.cold: dict[str, Any] = {}

    def missing(self, keys: Iterable[str]) -> list[str]:
        """The keys that must be loaded; those of the older generation are kept for another one."""
        hot, cold = self.hot, self.cold
        absent = []
        for key in keys:
            if key in hot:
                continue
            if key in cold:
                hot[key] = cold.pop(key)
            else:
                absent.append(key)
        return absent

    def rotate(self) -> None:
        if len(self.hot) > self.kept:
            self.cold, self.hot = self.hot, {}


class Position:
    """How far a topic was decided (`next_offset`, `seen`) and how far it arrived (`arrived`, ahead of it)."""

    __slots__ = ("arrived", "next_offset", "reread", "seen")

    def __init__(self, next_offset: int = 0, seen: Mapping[str, int] | None = None) -> None:
        self.next_offset = next_offset
        self.seen = dict(seen or {})
        self.arrived = dict(self.seen)
        self.reread = False


class Slot:
    def __init__(self, service: Service, number: int, epoch: int) -> None:
        self.number = number
        self.epoch = epoch
        self.ordinal = 0
        self.clock = BEGINNING
        self.positions: dict[str, Position] = {}
        self.sequences: dict[str, int] = {}
        self.parked: set[str] = set()
        self.timers = Timers()
        self.backlog: deque[Input] = deque()
        self.mail_taken = 0
        self.careful = 0
        self.attempt = ""
        self.condemned: str | None = None
        self.fired = False
        self.rows = {name: Rows(table.kept) for name, table in service.distinct_tables().items()}
        self._field_tables = [service.tables[field].name for field in service.state.__struct_fields__]

    def caches(self) -> list[dict[str, Any]]:
        """The rows in memory per state field, in field order. Valid until the next rotation."""
        return [self.rows[name].hot for name in self._field_tables]

    def position(self, topic: str) -> Position:
        return self.positions.setdefault(topic, Position())

    def forget_arrivals(self) -> None:
        """Topics are about to be read again from what was decided; what waits undecided will arrive again."""
        self.backlog.clear()
        self.mail_taken = 0
        for position in self.positions.values():
            position.arrived = dict(position.seen)
