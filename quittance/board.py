"""What became of the orders of one run, counted from the facts themselves: the figures on the screen and of the last line."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Collection

import msgspec

from contracts.envelope import Envelope
from contracts.orders import (
    CommandRefused,
    OrderCancelled,
    OrderHeld,
    OrderReferred,
    OrderRejected,
    OrderReleased,
    PlaceOrder,
    ReturnRecorded,
)

LATENCIES_MAX = 100_000
RATE_S = 2.0
"""The rate on the screen is that of the last moments."""


class Standing(msgspec.Struct, frozen=True):
    """How an order stands now, and why, where it waits."""

    status: str
    held_by: tuple[str, ...] = ()


class Board:
    """Counts only documents of this run (`orders`, `returns`), so that what stood on the topics before is left out."""

    def __init__(self, orders: Collection[str], returns: Collection[str], clock: Callable[[], float] = time.perf_counter) -> None:
        self._orders, self._returns, self._clock = orders, returns, clock
        self._standing: dict[str, Standing] = {}
        self._sent: dict[str, float] = {}
        self._decided_at: deque[float] = deque()
        self.latencies: deque[float] = deque(maxlen=LATENCIES_MAX)
        self.status: Counter[str] = Counter()
        self.held_by: Counter[str] = Counter()
        self.decided: Counter[str] = Counter()
        self.returned: set[str] = set()
        self.lines = self.return_lines = 0
        self.refused: dict[str, str] = {}
        self.new = 0

    def begin(self) -> None:
        """What was taken so far is history; from now on it is this run's."""
        self.latencies.clear()
        self._decided_at.clear()
        self._sent.clear()
        self.new = 0

    def take(self, said: Envelope) -> None:
        match said.data:
            case PlaceOrder() as command if command.order in self._orders:
                self._sent.setdefault(command.order, self._clock())
            case OrderReleased() | OrderHeld() | OrderReferred() | OrderRejected() as fact if fact.order in self._orders:
                self._decide(fact)
            case OrderCancelled() as fact if fact.order in self._orders:
                self._stand(fact.order, Standing("cancelled"))
            case ReturnRecorded() as fact if fact.document in self._returns:
                self.returned.add(fact.document)
                self.return_lines += len(fact.lines)
            case CommandRefused() as fact if _is_undecided(fact) and (fact.order in self._orders or fact.order in self._returns):
                self.refused[fact.order] = fact.reason

    def _decide(self, fact: OrderReleased | OrderHeld | OrderReferred | OrderRejected) -> None:
        if fact.placed is not None:
            self.decided[fact.order] += 1
            self.lines += len(fact.placed.lines)
            self.new += 1
            self._time(fact.order)
        self._stand(fact.order, _standing(fact))

    def _time(self, order: str) -> None:
        now = self._clock()
        self._decided_at.append(now)
        if (sent := self._sent.pop(order, None)) is not None:
            self.latencies.append(now - sent)

    def _stand(self, order: str, after: Standing) -> None:
        before = self._standing.get(order)
        if before is not None:
            self.status[before.status] -= 1
            self.held_by.subtract(before.held_by)
        self._standing[order] = after
        self.status[after.status] += 1
        self.held_by.update(after.held_by)

    # --- figures ------------------------------------------------------------------------------------------------------

    @property
    def received(self) -> int:
        return len(self._standing)

    @property
    def released(self) -> int:
        return self.status["released"]

    @property
    def held(self) -> int:
        """Waiting for a person; those referred to somebody higher included."""
        return self.status["held"] + self.status["referred"]

    @property
    def doubled(self) -> int:
        """Orders that were decided first more than once: there must be none."""
        return sum(1 for count in self.decided.values() if count > 1)

    def rate(self) -> float:
        """Orders decided per second, lately."""
        now = self._clock()
        while self._decided_at and now - self._decided_at[0] > RATE_S:
            self._decided_at.popleft()
        return len(self._decided_at) / RATE_S

    def percentile_ms(self, share: float) -> float | None:
        """Time from the gateway's word on the topic to the desk's, as one reader of both sees it."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000

    def example(self, status: str) -> str | None:
        """Some order that stands so, for the reader to look at."""
        return next((order for order, standing in self._standing.items() if standing.status == status), None)


def _is_undecided(fact: CommandRefused) -> bool:
    """The document itself was refused, not something wished of a known order."""
    return fact.reason in ("unknown_account", "wrong_currency", "total_mismatch")


def _standing(fact: OrderReleased | OrderHeld | OrderReferred | OrderRejected) -> Standing:
    match fact:
        case OrderReleased():
            return Standing("released")
        case OrderRejected():
            return Standing("rejected")
        case OrderHeld() | OrderReferred():
            status = "held" if isinstance(fact, OrderHeld) else "referred"
            reasons = tuple(finding.check for finding in fact.decision.held_by) if fact.decision else ()
            return Standing(status, reasons)
