"""What one fact of the order desk counts for, and what counting must remember of an order that waits (O3, O6).

The rule is written once and folded twice: by the kit's projection into SQL (`counting.py`), and by the worker that counts
streams (`windows.py`). Their drift therefore shows what one of them lost or repeated, never a difference of opinion.

Every figure is a sum, so minutes add up to hours, portfolios to the house, and histograms to percentiles.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from contracts.envelope import Envelope
from contracts.message import Message
from contracts.orders import (
    Decision,
    OrderAsked,
    OrderBreached,
    OrderCancelled,
    OrderEscalated,
    OrderHeld,
    OrderReferred,
    OrderRejected,
    OrderReleased,
    OrderSplit,
    OrderWarned,
    Placed,
)

HEARS: tuple[type[Message], ...] = (
    OrderReleased,
    OrderHeld,
    OrderReferred,
    OrderRejected,
    OrderCancelled,
    OrderSplit,
    OrderAsked,
    OrderWarned,
    OrderEscalated,
    OrderBreached,
)

DECIDED_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000)
"""Bounds for receipt → first decision; the budget is 50 ms, "well under a second" the requirement (O6)."""
SETTLED_MIN = (1, 5, 10, 15, 30, 45, 60, 75, 90, 105, 120, 150, 180, 240, 480, 1_440)
"""Bounds for receipt → final decision of an order that waited; 120 minutes are the promise (O6)."""
BEYOND = "more"
"""The bucket above the last bound."""
BY, DECIDED, SETTLED = "by", "decided", "settled"
"""`by:static_limit` counts a reason, `decided:50` and `settled:120` a duration up to that bound."""

RECEIVED, AT_ONCE, LATER, BY_PERSON, AGAIN = (
    "received",
    "released_at_once",
    "released_later",
    "released_by_person",
    "released_again",
)
CAME_BACK = "came_back"
"""A decided order that is to be decided anew: recalled, lapsed or changed. Received and come back are all that is decided."""
HELD, REFERRED, REJECTED, CANCELLED, SPLIT, ASKED = "held", "referred", "rejected", "cancelled", "split", "asked"
WARNED, ESCALATED, BREACHED = "warned", "escalated", "breached"
MET, MET_LATE, MISSED = "met", "met_escalated", "missed"
"""How the clock of an order that waited ended: decided in time, in time after it was escalated, or after its breach."""
WORDS = (
    RECEIVED, CAME_BACK, AT_ONCE, LATER, BY_PERSON, AGAIN, HELD, REFERRED, REJECTED, CANCELLED, SPLIT, ASKED,
    WARNED, ESCALATED, BREACHED, MET, MET_LATE, MISSED,
)  # fmt: skip

POLICY = "policy"
"""`by` of a fact that no person decided."""


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """An order between its receipt and its final decision. `received_at` is None when it came back to the desk later."""

    portfolio: str
    received_at: dt.datetime | None = None
    escalated: bool = False
    breached: bool = False


class Told(NamedTuple):
    """What follows from one fact: what it counts for, in which portfolio, and how the order waits afterwards."""

    portfolio: str
    counts: tuple[str, ...]
    waiting: Waiting | None


def tally(waiting: Waiting | None, fact: Envelope) -> Told:
    """`waiting` is what is known of the fact's order before it; facts of orders that wait for nobody may find None."""
    match fact.data:
        case OrderReleased() | OrderRejected() as said:
            return _ended(waiting, said, fact.time)
        case OrderHeld() | OrderReferred() as said:
            return _waits(waiting, said, fact.time)
        case OrderCancelled():
            return Told(_portfolio(waiting, None), (CANCELLED,), None)
        case OrderSplit() as said:
            return Told(_portfolio(waiting, said.decision), (SPLIT,), waiting)
        case OrderAsked():
            return Told(_portfolio(waiting, None), (ASKED,), waiting)
    return _marked(waiting, fact.data)


def _waits(waiting: Waiting | None, said: OrderHeld | OrderReferred, at: dt.datetime) -> Told:
    """Held again for other reasons is no news to a count; a person's referral is."""
    portfolio = _portfolio(waiting, said.decision)
    word = HELD if isinstance(said, OrderHeld) else REFERRED
    if said.placed is not None:
        counts = (RECEIVED, word, _decided_in(said.placed, at), *_reasons(said.decision))
        return Told(portfolio, counts, Waiting(portfolio, said.placed.received_at))
    if waiting is None:  # recalled, lapsed or changed: it comes back to the desk
        return Told(portfolio, (CAME_BACK, word, *_reasons(said.decision)), Waiting(portfolio))
    return Told(portfolio, (REFERRED,) if _by_person(said) else (), waiting)


def _ended(waiting: Waiting | None, said: OrderReleased | OrderRejected, at: dt.datetime) -> Told:
    portfolio = _portfolio(waiting, said.decision)
    if said.placed is not None:
        word = REJECTED if isinstance(said, OrderRejected) else AT_ONCE
        return Told(portfolio, (RECEIVED, word, _decided_in(said.placed, at)), None)
    back = (CAME_BACK,) if waiting is None else ()
    return Told(portfolio, (*back, _outcome(waiting, said), *_clock_ended(waiting, at)), None)


def _outcome(waiting: Waiting | None, said: OrderReleased | OrderRejected) -> str:
    if isinstance(said, OrderRejected):
        return REJECTED
    if _by_person(said):
        return BY_PERSON
    return LATER if waiting is not None else AGAIN


def _clock_ended(waiting: Waiting | None, at: dt.datetime) -> tuple[str, ...]:
    if waiting is None:
        return ()
    word = MISSED if waiting.breached else MET_LATE if waiting.escalated else MET
    if waiting.received_at is None:
        return (word,)
    return (word, bucket(SETTLED, SETTLED_MIN, (at - waiting.received_at) / dt.timedelta(minutes=1)))


def _marked(waiting: Waiting | None, said: Message) -> Told:
    """A mark of the clock; one for an order that does not wait counts for nothing."""
    if waiting is None:
        return Told("", (), None)
    match said:
        case OrderWarned():
            return Told(waiting.portfolio, (WARNED,), waiting)
        case OrderEscalated(mark="escalate"):
            return Told(waiting.portfolio, (ESCALATED,), msgspec.structs.replace(waiting, escalated=True))
        case OrderBreached():
            return Told(waiting.portfolio, (BREACHED,), msgspec.structs.replace(waiting, breached=True))
    return Told(waiting.portfolio, (), waiting)


def _portfolio(waiting: Waiting | None, decision: Decision | None) -> str:
    """An order counts where it was first decided, even if its account moves to another portfolio while it waits."""
    if waiting is not None:
        return waiting.portfolio
    return decision.inputs.portfolio if decision is not None else ""


def _by_person(said: OrderReleased | OrderRejected | OrderHeld | OrderReferred) -> bool:
    return getattr(said, "by", POLICY) != POLICY


def _reasons(decision: Decision | None) -> tuple[str, ...]:
    return tuple(f"{BY}:{finding.check}" for finding in decision.held_by) if decision is not None else ()


def _decided_in(placed: Placed, at: dt.datetime) -> str:
    """On event time a decision carries the order's own moment, and this is 0: how long it took stands in the kit's metrics."""
    return bucket(DECIDED, DECIDED_MS, (at - placed.received_at) / dt.timedelta(milliseconds=1))


# --- histograms -----------------------------------------------------------------------------------------------------


def bucket(family: str, bounds: tuple[int, ...], value: float) -> str:
    place = bisect_left(bounds, value)
    return f"{family}:{bounds[place] if place < len(bounds) else BEYOND}"


def histogram(counts: Mapping[str, int], family: str, bounds: tuple[int, ...]) -> list[tuple[float, int]]:
    """(upper bound, how many up to it and above the one before), the last bound infinite."""
    return [
        *((bound, counts.get(f"{family}:{bound}", 0)) for bound in bounds),
        (float("inf"), counts.get(f"{family}:{BEYOND}", 0)),
    ]


def percentile(buckets: Iterable[tuple[float, int]], share: float) -> float | None:
    """The value below which this share lies, interpolated in its bucket; None of nothing, the last bound when it is above all."""
    filled = list(buckets)
    wanted = share * sum(count for _, count in filled)
    if not wanted:
        return None
    below, reached = 0.0, 0
    for bound, count in filled:
        if count and reached + count >= wanted:
            return below if bound == float("inf") else below + (bound - below) * (wanted - reached) / count
        below, reached = bound, reached + count
    return below


def minute_of(at: dt.datetime) -> dt.datetime:
    return at.replace(second=0, microsecond=0)


def partition_of(fact: Envelope) -> int:
    """The writer's partition, which its source ends with: `/orders/3`."""
    return int(fact.source.rpartition("/")[2])
