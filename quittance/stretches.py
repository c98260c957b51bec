"""How time is cut: into the phases of a working day, or, where a pace is wished, into steps so short that it looks steady."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right

import msgspec

from quittance.trade import PHASES

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
STEP_S = 0.25
"""With a pace, so much real time is sent at once."""
STEP_MAX = dt.timedelta(hours=1)


class Stretches(msgspec.Struct, frozen=True):
    """`step` None: the phases of the day (UTC). The cuts depend on nothing else, so that a second run cuts the same."""

    step: dt.timedelta | None = None

    def start(self, at: dt.datetime) -> dt.datetime:
        """The beginning of the stretch that this moment is in."""
        if self.step is not None:
            return EPOCH + (at - EPOCH) // self.step * self.step
        hour = PHASES[bisect_right(PHASES, at.time()) - 1]
        return dt.datetime.combine(at.date(), hour, tzinfo=dt.UTC)

    def end(self, start: dt.datetime) -> dt.datetime:
        if self.step is not None:
            return start + self.step
        later = PHASES[bisect_right(PHASES, start.time()) :]
        day = start.date() if later else start.date() + dt.timedelta(days=1)
        return dt.datetime.combine(day, (later or PHASES)[0], tzinfo=dt.UTC)


def stretches_of(speed: float, step_max: dt.timedelta | None = None) -> Stretches:
    """`speed` seconds of the messages' time pass in one second; 0: as fast as it goes. `step_max`: where somebody answers within
    the phases of a day."""
    if not speed:
        return Stretches(step_max)
    return Stretches(min(dt.timedelta(seconds=max(round(speed * STEP_S), 1)), step_max or STEP_MAX))
