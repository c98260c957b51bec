"""How a day stands in a sentence and on a page, the same everywhere. It knows no zone and no clock."""

from __future__ import annotations

import datetime as dt


def written(on: dt.date) -> str:
    """`2 Mar 2026`; of a moment its day, in the zone that it is in."""
    return f"{on.day} {on:%b %Y}"
