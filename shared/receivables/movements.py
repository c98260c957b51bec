"""Open items as of any day, as it was known at any moment (P12): folded from movements that carry both times.

`effective_on` is the day a movement counts for, `known_at` the moment it was recorded; a correction appends, so what was
known then can always be told again. Pure: no clock, no order of arrival, nothing is edited.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

import msgspec

from shared.receivables.ageing import Item


class Mixed(ValueError):
    """Movements of one item disagree on what may not differ: which item, and in what."""


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One posting to an open item: amounts are signed minor units, a debit positive. `kind` says what it was (`invoice`,
    `receipt`, `allocation`, `write_off`, `dispute` …); the first one of an item, by `ordinal`, names the item's own kind.

    `disputed_minor` changes what is in dispute and no amount. Dates that are None leave the item's dates as they were."""

    account: str
    item: str
    kind: str
    amount_minor: int
    currency: str
    base_minor: int
    effective_on: dt.date
    known_at: dt.datetime
    ordinal: int
    document_on: dt.date | None = None
    due_on: dt.date | None = None
    disputed_minor: int = 0


class OpenItem(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of an item; `base_minor` may outlive `open_minor` until a difference is posted."""

    account: str
    item: str
    kind: str
    currency: str
    open_minor: int
    base_minor: int
    disputed_minor: int
    document_on: dt.date | None
    due_on: dt.date | None

    def aged(self) -> Item:
        """As `ageing.age` takes it."""
        return Item(
            self.kind, self.due_on, self.document_on, self.open_minor, self.currency, self.base_minor, self.disputed_minor
        )


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """The open items of a day by account and name, and the movements they come from in the order of their ordinals."""

    on: dt.date
    known_by: dt.datetime | None
    items: tuple[OpenItem, ...]
    counted: tuple[Movement, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item stands otherwise now than then: `added` were not counted then, `gone` are not counted now (another day was
    asked)."""

    account: str
    item: str
    currency: str
    then_minor: int
    now_minor: int
    then_base_minor: int
    now_base_minor: int
    added: tuple[Movement, ...]
    gone: tuple[Movement, ...] = ()


def end_of(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The first moment behind that day: `known_by` for "as known then"."""
    return dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)


def as_known(movements: Iterable[Movement], *, on: dt.date, known_by: dt.datetime | None = None) -> Known:
    """The open items at the end of the day `on`, from what was known before `known_by` (P12).

    `known_by=end_of(on, zone)` is as it was known then, None as it is known now. The order of `movements` does not matter."""
    known = (each for each in movements if each.effective_on <= on and (known_by is None or each.known_at < known_by))
    counted = tuple(sorted(known, key=_place))
    items = (_folded(each) for each in _by_item(counted).values())
    left = (item for item in items if item.open_minor or item.base_minor or item.disputed_minor)
    found = tuple(sorted(left, key=lambda item: (item.account, item.item)))
    return Known(on=on, known_by=known_by, items=found, counted=counted)


def differences(then: Known, now: Known) -> tuple[Difference, ...]:
    """Item by item what differs and the movements that explain it: `now` = `then` + added − gone, exactly."""
    added, gone = _beyond(now.counted, then.counted), _beyond(then.counted, now.counted)
    before, after = _open(then), _open(now)
    return tuple(
        _difference(key, before.get(key), after.get(key), added.get(key, ()), gone.get(key, ()))
        for key in sorted({*added, *gone})
    )


_Key = tuple[str, str]


def _place(movement: Movement) -> tuple[str, int, dt.datetime, str, str, int, int]:
    """A total order, so that the same movements give the same items however they came."""
    return (
        movement.account, movement.ordinal, movement.known_at, movement.item, movement.kind,
        movement.amount_minor, movement.base_minor,
    )  # fmt: skip


def _by_item(counted: Iterable[Movement]) -> dict[_Key, list[Movement]]:
    found: dict[_Key, list[Movement]] = {}
    for movement in counted:
        found.setdefault((movement.account, movement.item), []).append(movement)
    return found


def _folded(movements: list[Movement]) -> OpenItem:
    first = movements[0]
    if any(each.currency != first.currency for each in movements):
        raise Mixed(f"item {first.item} of {first.account} moved in several currencies; each currency is an item of its own")
    return OpenItem(
        account=first.account,
        item=first.item,
        kind=first.kind,
        currency=first.currency,
        open_minor=sum(each.amount_minor for each in movements),
        base_minor=sum(each.base_minor for each in movements),
        disputed_minor=sum(each.disputed_minor for each in movements),
        document_on=_last(each.document_on for each in movements),
        due_on=_last(each.due_on for each in movements),
    )


def _last(days: Iterable[dt.date | None]) -> dt.date | None:
    return next((day for day in reversed(list(days)) if day is not None), None)


def _open(known: Known) -> dict[_Key, OpenItem]:
    return {(item.account, item.item): item for item in known.items}


def _beyond(these: tuple[Movement, ...], those: tuple[Movement, ...]) -> dict[_Key, tuple[Movement, ...]]:
    """Counted, since two movements may be the same in every field and still be two."""
    return {key: tuple(found) for key, found in _by_item(_more(these, Counter(those))).items()}


def _more(these: Iterable[Movement], those: Counter[Movement]) -> Iterator[Movement]:
    for movement in these:
        if those[movement]:
            those[movement] -= 1
        else:
            yield movement


def _difference(
    key: _Key, before: OpenItem | None, after: OpenItem | None, added: tuple[Movement, ...], gone: tuple[Movement, ...]
) -> Difference:
    return Difference(
        account=key[0],
        item=key[1],
        currency=(added or gone)[0].currency,
        then_minor=before.open_minor if before else 0,
        now_minor=after.open_minor if after else 0,
        then_base_minor=before.base_minor if before else 0,
        now_base_minor=after.base_minor if after else 0,
        added=added,
        gone=gone,
    )
