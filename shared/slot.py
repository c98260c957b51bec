"""One partition in the memory of its writer: rows, positions, counters, timers, and the inputs that wait to be decided.

All of it is a cache of what PostgreSQL holds; after any error it is thrown away and loaded again.
"""

from __future__ import annotations

import datetime as dt
import zlib
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from contracts.envelope import Address, Envelope
from shared.journal import Mark
from shared.rows import Key
from shared.service import Service
from shared.timers import Timers

BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
RECENT = 1_024
"""Ids kept per writer and topic, for comparing what comes twice: some 100 kB, far more than a broker or a writer that was
paused ever repeats. What is older is compared by checksum, when a topic is read again from its start."""
LAST = ""
"""The mark of the very last record before our position, whoever wrote it and whether or not it came twice."""
SOME_ID = "another"
"""Somewhere in what was read again an id differs; a checksum cannot say where."""


class Input:
    """Something to decide: from a topic, the mailbox, a timer or the parked queue.

    `envelope` None means only the position moves: a message that nobody here hears, or one already taken; or a `stray`
    (the reason why its bytes go to quarantine), or one of an `unknown` major, whose group is parked.
    """

    __slots__ = (
        "body",
        "envelope",
        "id",
        "keys",
        "mail",
        "offset",
        "parked_n",
        "sequence",
        "source",
        "stray",
        "topic",
        "unknown",
    )

    def __init__(self, topic: str, offset: int, source: str, sequence: int, envelope: Envelope | None, body: bytes = b"") -> None:
        self.topic = topic
        self.offset = offset
        self.source = source
        self.sequence = sequence
        self.envelope = envelope
        self.body = body
        self.id = envelope.id if envelope is not None else ""
        self.keys: tuple[Key, ...] = ()
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
    """How far a topic was decided (`next_offset`, `seen`, `marks`) and how far it arrived (`arrived`, ahead of it).

    `recent`: per writer the ids of the last RECENT sequences that arrived, by sequence modulo RECENT. `retold`: a topic that is
    read again from a writer's first message on: how far, and the checksum so far. `probe`: the offset whose record must be the
    last one that we took, or -1.
    """

    __slots__ = ("arrived", "marks", "next_offset", "probe", "recent", "reread", "retold", "seen")

    def __init__(self, next_offset: int = 0, seen: Mapping[str, int] | None = None) -> None:
        self.next_offset = next_offset
        self.seen = dict(seen or {})
        self.marks: dict[str, Mark] = {}
        self.arrived = dict(self.seen)
        self.reread = False
        self.probe = -1
        self.recent: dict[str, list[tuple[int, str]]] = {}
        self.retold: dict[str, Retelling] = {}

    def know(self, marks: Mapping[str, Mark]) -> None:
        """Take what was stored with the sequences."""
        self.marks = dict(marks)
        for source, (name, _) in marks.items():
            if source != LAST:
                self.note(source, self.seen.get(source, 0), name)

    def note(self, source: str, sequence: int, name: str) -> None:
        """The next message of a writer has arrived."""
        ids = self.recent.get(source)
        if ids is None:
            ids = self.recent[source] = [(0, "")] * RECENT
        ids[sequence % RECENT] = (sequence, name)
        self.arrived[source] = sequence

    def took(self, source: str, sequence: int, name: str) -> None:
        """The next message of a writer is decided."""
        mark = self.marks.get(source)
        before = mark[1] if mark is not None else 0 if sequence == 1 else None
        self.marks[source] = (name, None if before is None else zlib.crc32(name.encode(), before))
        self.seen[source] = sequence

    def other_id(self, source: str, sequence: int, name: str) -> str | None:
        """For a sequence that has arrived before: what is known against its being the same message; None: nothing."""
        ids = self.recent.get(source)
        if ids is not None and ids[sequence % RECENT][0] == sequence and ids[sequence % RECENT][1] != name:
            return ids[sequence % RECENT][1]
        return self._retell(source, sequence, name)

    def _retell(self, source: str, sequence: int, name: str) -> str | None:
        """A writer is read again from its first message: at the last one known, the checksum over all ids must be the same."""
        told = self.retold.pop(source, None)
        if sequence == 1 and source in self.marks:
            told = Retelling(0, 0, self.seen[source], self.marks[source][1])
        if told is None or sequence != told.sequence + 1:
            return None
        checksum = zlib.crc32(name.encode(), told.checksum)
        if sequence < told.until:
            self.retold[source] = Retelling(sequence, checksum, told.until, told.wanted)
        elif told.wanted is None and self.seen[source] == sequence:
            self.marks[source] = (name, checksum)
        elif told.wanted is not None and told.wanted != checksum:
            return SOME_ID
        return None


class Retelling(NamedTuple):
    sequence: int
    checksum: int
    until: int
    wanted: int | None


class Slot:
    def __init__(self, service: Service, number: int, epoch: int) -> None:
        self.service = service
        self.number = number
        self.epoch = epoch
        self.ordinal = 0
        self.clock = BEGINNING
        self.positions: dict[str, Position] = {}
        self.sequences: dict[str, int] = {}
        self.parked: set[str] = set()
        self.handled: dict[str, int] = {}
        self.timers = Timers()
        self.backlog: deque[Input] = deque()
        self.came: deque[tuple[float, int]] = deque()
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

    def note_arrived(self, count: int, at: float) -> None:
        """So many inputs joined the backlog together."""
        if count:
            self.came.append((at, count))

    def take_waits(self, count: int) -> list[tuple[float, int]]:
        """When the first `count` inputs of the backlog had come: (moment, how many), oldest first; they are decided now."""
        waits = []
        while count and self.came:
            at, together = self.came.popleft()
            taken = min(count, together)
            waits.append((at, taken))
            if taken < together:
                self.came.appendleft((at, together - taken))
            count -= taken
        return waits

    def forget_arrivals(self) -> None:
        """Topics are about to be read again from what was decided; what waits undecided will arrive again."""
        self.backlog.clear()
        self.came.clear()
        self.mail_taken = 0
        for position in self.positions.values():
            position.arrived = dict(position.seen)
            position.probe = position.next_offset - 1
            position.retold.clear()
