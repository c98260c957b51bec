"""Entries alike of one bank account: how many its reports and statements have told, and which of them are one (P3). Pure.

An intraday report repeats what was told before it, whoever told it; an entry of a statement is final, and is one with the first
of a report that waits for it, over all parts and statements. It decides nothing: `bank.take_statement` does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from msgspec.structs import replace

from contracts.payments import BankEntry
from services.payments.state import Known, Reported


def told(known: Known) -> int:
    """How many of them are known, dropped ones left out: so many a report may repeat."""
    return known.stated + sum(not each.dropped for each in known.reported)


def waiting(known: Known) -> int:
    """The place, from 1, of the first reported one that no statement has had yet; 0 if there is none."""
    return next((n for n, each in enumerate(known.reported, start=1) if each.is_open), 0)


def waits(known: Known, entry: str) -> bool:
    return any(each.is_open and each.entry == entry for each in known.reported)


def absent(known: Known, until_on: dt.date) -> Iterator[tuple[int, Reported]]:
    """Those booked until this day that no statement has had, each with its place."""
    for n, each in enumerate(known.reported, start=1):
        if each.is_open and each.booked_on <= until_on:
            yield n, each


# --- after one more -------------------------------------------------------------------------------------------------


def brought(known: Known, entry: BankEntry, is_provisional: bool) -> Known:
    """A report or a statement brought one that is new."""
    if not is_provisional:
        return replace(known, stated=known.stated + 1)
    return replace(known, reported=(*known.reported, Reported(entry.entry, entry.booked_on)))


def confirmed(known: Known, place: int) -> Known:
    return _changed(known, place, replace(known.reported[place - 1], confirmed=True))


def dropped(known: Known, entry: str) -> Known:
    place = next(n for n, each in enumerate(known.reported, start=1) if each.is_open and each.entry == entry)
    return _changed(known, place, replace(known.reported[place - 1], dropped=True))


def _changed(known: Known, place: int, after: Reported) -> Known:
    return replace(known, reported=(*known.reported[: place - 1], after, *known.reported[place:]))
