"""The field types every message is built from, each with its bound.

A bound is part of the contract: it keeps one message from filling a disk or a page. Text never holds NUL
(PostgreSQL cannot store it); that is checked once for the whole message in `contracts.envelope`, not per field.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from msgspec import Meta

MINOR_MAX = 10**15
"""Largest amount in minor units: ten trillion pounds; sums of a million of them still fit PostgreSQL's bigint."""

Reference = Annotated[str, Meta(min_length=1, max_length=64)]
"""An identifier: account, order, item, portfolio, person."""
Word = Annotated[str, Meta(min_length=1, max_length=40)]
"""A term of the trade or of a policy: status, risk class, reason."""
Text = Annotated[str, Meta(max_length=500)]
"""What a person wrote or reads: names, reasons, notes."""
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
"""ISO 4217 code, upper case."""
Minor = Annotated[int, Meta(ge=-MINOR_MAX, le=MINOR_MAX)]
"""A signed amount in minor units of its currency (pence, cents)."""
Amount = Annotated[int, Meta(ge=0, le=MINOR_MAX)]
"""An amount that is never negative, in minor units."""
Count = Annotated[int, Meta(ge=0, le=10**9)]
Percent = Annotated[int, Meta(ge=0, le=1000)]
Day = dt.date
Instant = Annotated[dt.datetime, Meta(tz=True)]
