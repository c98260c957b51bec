"""Whether a series grows: the median of all slopes (Theil and Sen), so that single outliers decide nothing, in two stretches one
after the other, so that a single step decides nothing either.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

POINTS_MAX = 200
"""Points a slope is taken from: 20,000 pairs, a few milliseconds. Longer series are thinned evenly."""

Point = tuple[float, float]
"""(seconds, value)"""


class Allowed(NamedTuple):
    """Growth an hour that is still called none: the larger of a share of the median and an absolute amount."""

    share: float
    amount: float


class Trend(NamedTuple):
    median: float
    per_hour: float
    allowed_per_hour: float

    @property
    def grows(self) -> bool:
        return self.per_hour > self.allowed_per_hour


def slope(points: Sequence[Point]) -> float:
    """Units a second."""
    thinned = thin(points, POINTS_MAX)
    slopes = [
        (later - earlier) / (then - now)
        for n, (now, earlier) in enumerate(thinned)
        for then, later in thinned[n + 1 :]
        if then > now
    ]
    return statistics.median(slopes) if slopes else 0.0


def judged(points: Sequence[Point], allowed: Allowed) -> Trend:
    """The trend of the second half: what fills up at the start (caches, pools) is no leak.

    Of its two quarters the smaller one counts: a leak does not rest. What a pause of the machine leaves is a step: a larger
    batch once in memory, pages of a table that are used again.
    """
    half = points[len(points) // 2 :]
    median = statistics.median(value for _, value in half) if half else 0.0
    middle = len(half) // 2
    per_s = min(slope(half[: middle + 1]), slope(half[middle:]))
    return Trend(median, per_s * 3600, max(allowed.share * abs(median), allowed.amount))


def thin(points: Sequence[Point], most: int) -> list[Point]:
    """At most `most` of them, evenly, the last one always."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(n * step)] for n in range(most)]
