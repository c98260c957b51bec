"""The fold of the worker that counts streams: minutes and sliding windows per portfolio, from one partition's facts in order.

Pure: it reads and writes a mapping, which is a dictionary in tests and a Faust table with its changelog in `worker.py`. That
library may lose and repeat messages, so nothing here believes in delivery: a lane takes only `seen + 1`, keeps what came early
aside, drops what came before, and stands still at a gap, visibly, until it is rebuilt.

All rows of a partition live in one table, whose changelog keeps the order in which they were written: a fact's counts, then
the lane with what is remembered of the fact's order, then that order's own row. Whatever tail a crash cuts off, folding that
fact again changes nothing twice.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any, NamedTuple

import msgspec

from contracts.envelope import Envelope
from services.console.tallying import Waiting, minute_of, tally

AHEAD_MAX = 10_000
"""Facts kept aside behind a gap, about 10 MB; what comes later still is read again by the rebuild that follows."""
KEPT = dt.timedelta(hours=48)
"""Minutes older than this, by their lane's clock, leave the table: what it holds must fit into memory."""
WIDTHS_MIN = (15, 60)
"""Sliding windows: the last quarter of an hour and the last hour, moving by the minute."""

Table = MutableMapping[str, Any]
"""Key → a value that JSON can say. Keys begin with the partition: one worker holds several in one mapping."""


class Minute(NamedTuple):
    """A minute's row: its partition and portfolio, the last fact in it, and its sums."""

    partition: int
    minute: dt.datetime
    portfolio: str
    upto: int
    counts: dict[str, int]


class Lane(msgspec.Struct, frozen=True):
    """How far a partition is folded; `since` is the clock at which these tables begin, `gap_at` the number that is missing.

    `order` and `waiting` are what the last fact left of its order: that order's row follows, unless a crash cut it off.
    """

    seen: int = 0
    clock: dt.datetime | None = None
    since: dt.datetime | None = None
    swept: dt.datetime | None = None
    gap_at: int | None = None
    order: str = ""
    waiting: Waiting | None = None


class Windows:
    """Folds facts into a table. `touched` are the minutes changed since somebody took them."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._ahead: dict[int, dict[int, Envelope | None]] = {}
        self._known: set[tuple[int, str]] = set()
        self.touched: set[str] = set()

    def take(self, partition: int, sequence: int, fact: Envelope | None) -> None:
        """One message of the partition's writer; None: of a type that does not count. In any order, any number of times."""
        lane = self.lane(partition)
        if partition not in self._ahead:
            self._ahead[partition] = {}
            self._write_order(partition, lane)
        ahead = self._ahead[partition]
        if sequence == lane.seen + 1:
            lane = self._fold(partition, lane, sequence, fact)
            while lane.seen + 1 in ahead:
                lane = self._fold(partition, lane, lane.seen + 1, ahead.pop(lane.seen + 1))
        elif sequence > lane.seen and len(ahead) < AHEAD_MAX:
            ahead[sequence] = fact
        gap_at = lane.seen + 1 if ahead else None
        if gap_at != lane.gap_at:
            self._write_lane(partition, msgspec.structs.replace(lane, gap_at=gap_at))

    def lane(self, partition: int) -> Lane:
        stored = self._table.get(_lane_key(partition))
        return Lane() if stored is None else msgspec.convert(stored, Lane)

    def partitions(self) -> list[int]:
        return sorted(int(key.partition("|")[0]) for key in self._table if key.endswith("|lane"))

    def begin_again(self) -> None:
        """The table was filled from elsewhere, and everything is read anew from where its lanes stand."""
        self._ahead.clear()
        self.touched = {key for key in self._table if "|minute|" in key}
        self._known = {(row.partition, row.portfolio) for row in self.minutes()}

    def slide(self, until: dt.datetime) -> list[Sliding]:
        """The sliding windows of every partition and portfolio known, looked up and not searched for."""
        return sliding(self._recent(until), until)

    def _recent(self, until: dt.datetime) -> Iterator[Minute]:
        last = minute_of(until)
        for partition, portfolio in self._known:
            yield Minute(partition, last, portfolio, 0, {})  # a quiet one is told as well
            for back in range(max(WIDTHS_MIN)):
                row = self.minute(_minute_key(partition, last - dt.timedelta(minutes=back), portfolio))
                if row is not None:
                    yield row

    def _write_lane(self, partition: int, lane: Lane) -> None:
        self._table[_lane_key(partition)] = msgspec.to_builtins(lane)

    def _write_order(self, partition: int, lane: Lane) -> None:
        key = f"{partition}|order|{lane.order}"
        if lane.waiting is None:
            self._table.pop(key, None)
        else:
            self._table[key] = msgspec.to_builtins(lane.waiting)

    # --- one fact -----------------------------------------------------------------------------------------------------

    def _fold(self, partition: int, lane: Lane, sequence: int, fact: Envelope | None) -> Lane:
        lane = msgspec.structs.replace(lane, seen=sequence, gap_at=None)
        if fact is None:
            self._write_lane(partition, lane)
            return lane
        before = self._waiting(partition, fact.data.order)
        told = tally(before, fact)
        self._count(partition, sequence, fact.time, told.portfolio, told.counts)
        clock = max(lane.clock or fact.time, fact.time)
        swept = self._sweep(partition, lane.swept or clock, clock)
        lane = Lane(sequence, clock, lane.since or clock, swept, None, fact.data.order, told.waiting)
        self._write_lane(partition, lane)
        if told.waiting != before:
            self._write_order(partition, lane)
        return lane

    def _waiting(self, partition: int, order: str) -> Waiting | None:
        stored = self._table.get(f"{partition}|order|{order}")
        return None if stored is None else msgspec.convert(stored, Waiting)

    def _count(self, partition: int, sequence: int, at: dt.datetime, portfolio: str, counts: tuple[str, ...]) -> None:
        if not counts:
            return
        key = _minute_key(partition, minute_of(at), portfolio)
        row = self._table.get(key) or {"upto": 0, "counts": {}}
        if row["upto"] >= sequence:
            return  # it was counted before the crash that cut the lane's own row off
        sums = Counter(row["counts"])
        sums.update(counts)
        self._table[key] = {"upto": sequence, "counts": dict(sums)}
        self._known.add((partition, portfolio))
        self.touched.add(key)

    def _sweep(self, partition: int, swept: dt.datetime, clock: dt.datetime) -> dt.datetime:
        """Once an hour of the lane's clock; returns when that was last."""
        if clock - swept < dt.timedelta(hours=1):
            return swept
        old = [minute for minute in self.minutes([partition]) if minute.minute < minute_of(clock) - KEPT]
        for minute in old:
            self._table.pop(_minute_key(minute.partition, minute.minute, minute.portfolio), None)
        return clock

    # --- what there is ------------------------------------------------------------------------------------------------

    def minutes(self, partitions: Iterable[int] | None = None) -> Iterator[Minute]:
        wanted = None if partitions is None else set(partitions)
        for key in list(self._table):
            if "|minute|" in key:
                minute = self.minute(key)
                if minute is not None and (wanted is None or minute.partition in wanted):
                    yield minute

    def minute(self, key: str) -> Minute | None:
        row = self._table.get(key)
        if row is None:
            return None
        partition, _, at, portfolio = key.split("|", 3)
        return Minute(int(partition), dt.datetime.fromisoformat(at), portfolio, row["upto"], row["counts"])


def _lane_key(partition: int) -> str:
    return f"{partition}|lane"


def _minute_key(partition: int, minute: dt.datetime, portfolio: str) -> str:
    return f"{partition}|minute|{minute.isoformat()}|{portfolio}"


class Sliding(NamedTuple):
    """The last `minutes` minutes of a partition and portfolio, the running one included, as of `until`."""

    partition: int
    portfolio: str
    minutes: int
    until: dt.datetime
    counts: dict[str, int]


def sliding(minutes: Iterable[Minute], until: dt.datetime, widths: Iterable[int] = WIDTHS_MIN) -> list[Sliding]:
    """Sliding windows that end with the minute of `until`. A portfolio that was quiet has a window with no counts."""
    last = minute_of(until)
    sums: dict[tuple[int, str, int], Counter[str]] = {}
    spans = [(width, last - dt.timedelta(minutes=width - 1)) for width in widths]
    for row in minutes:
        for width, first in spans:
            window = sums.setdefault((row.partition, row.portfolio, width), Counter())
            if first <= row.minute <= last:
                window.update(row.counts)
    return [Sliding(*key, until, dict(counts)) for key, counts in sorted(sums.items())]
