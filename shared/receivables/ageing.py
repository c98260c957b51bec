"""Ageing (P12, F7): open items in buckets of exact days, by currency and in base. One fold, for every service and page.

The total is the sum of the columns and is the balance, always: what is owed stands in exactly one bucket, what stands
against it (unallocated cash, credits) in a column of its own. Pure: it reads no date but the one it is given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

Basis = Literal["due_date", "document_date", "calendar_month"]

CASH = "receipt"
"""The kind of an item that is money in, not yet matched; every other kind that stands against debt is a credit."""
WHOLE_BP = 10_000
"""Basis points of a whole."""
BOUNDS_MAX = 60
"""Columns that a policy may ask for: five years by month. More is a list, not an ageing."""
_STARTS: dict[Basis, str] = {"due_date": "Not due", "document_date": "0 days", "calendar_month": "This month"}


class NotAged(ValueError):
    """This policy or item cannot be aged: which, and what it lacks."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to age. `bounds`: the last day (by `calendar_month`: the last month) of each bucket; before the first bucket stands
    what is not due, behind the last what is older than all. The defaults are those of P12."""

    basis: Basis = "due_date"
    bounds: tuple[int, ...] = (30, 45, 60, 90, 120)

    def __post_init__(self) -> None:
        if not self.bounds or any(least >= most for least, most in zip((0, *self.bounds), self.bounds, strict=False)):
            raise NotAged(f"bounds {list(self.bounds)} do not rise from above 0; write them as 30, 45, 60, 90, 120")
        if len(self.bounds) > BOUNDS_MAX:
            raise NotAged(f"{len(self.bounds)} buckets are asked for, at most {BOUNDS_MAX} are made; widen them")

    @property
    def names(self) -> tuple[str, ...]:
        """The columns as people read them: `Not due`, `1–30` … `>120`."""
        firsts = (1, *(most + 1 for most in self.bounds))
        spans = (f"{first}–{most}" if first < most else f"{most}" for first, most in zip(firsts, self.bounds, strict=False))
        return (_STARTS[self.basis], *spans, f">{self.bounds[-1]}")


MONTHS = Policy(basis="calendar_month", bounds=(1, 2, 3))
"""Ageing by the calendar months of the documents, as many British ledgers have it."""


class Item(NamedTuple):
    """An open item, or the sum of several of one kind, day and currency: minor units, a debit positive, a credit negative.

    `disputed_minor` is the part of `open_minor` in dispute. One of the two dates may be missing: the other one counts then."""

    kind: str
    due_on: dt.date | None
    document_on: dt.date | None
    open_minor: int
    currency: str
    base_minor: int
    disputed_minor: int = 0


class Column(NamedTuple):
    """Minor units; `disputed_minor` is told of it, never taken off."""

    name: str
    minor: int
    disputed_minor: int = 0


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """The ageing in one currency. `credits` is what stands against the debts, negative or nothing; `credits_aged` the same by
    its own age, `cash_minor` the part of it that is unallocated cash."""

    currency: str
    columns: tuple[Column, ...]
    credits: Column
    credits_aged: tuple[Column, ...]
    cash_minor: int
    total_minor: int

    @property
    def disputed_minor(self) -> int:
        return sum(column.disputed_minor for column in (*self.columns, self.credits))

    @property
    def overdue_minor(self) -> int:
        """Everything behind the first column."""
        return sum(column.minor for column in self.columns[1:])


class Aged(msgspec.Struct, frozen=True, kw_only=True):
    """An ageing on a day: each currency by itself, sorted, and all of it in the base currency."""

    on: dt.date
    policy: Policy
    currencies: tuple[Ledger, ...]
    base: Ledger


def age(items: Iterable[Item], on: dt.date, *, base_currency: str, policy: Policy | None = None) -> Aged:
    """Items of any number and order, on this day (P12). Raises `NotAged` for an item without any date."""
    policy = policy or Policy()
    tallies: dict[str, _Tally] = {}
    base, column_of = _Tally(policy), _column_of(policy, on)
    by_due = policy.basis == "due_date"
    for kind, due_on, document_on, open_minor, currency, base_minor, disputed_minor in items:
        against = open_minor < 0 or (open_minor == 0 and base_minor < 0)
        first, second = (due_on, document_on) if by_due and not against else (document_on, due_on)
        column = column_of[first or second or _no_date(kind, open_minor, currency)]
        if (tally := tallies.get(currency)) is None:
            tally = tallies[currency] = _Tally(policy)
        side, base_side = (tally.credits, base.credits) if against else (tally.debts, base.debts)
        side[column] += open_minor
        base_side[column] += base_minor
        if disputed_minor:
            tally.dispute(column, against, disputed_minor)
            base.dispute(column, against, in_base(disputed_minor, open_minor, base_minor))
        if against and kind == CASH:
            tally.cash += open_minor
            base.cash += base_minor
    ledgers = tuple(tally.ledger(currency, policy) for currency, tally in sorted(tallies.items()))
    return Aged(on=on, policy=policy, currencies=ledgers, base=base.ledger(base_currency, policy))


def in_base(part_minor: int, open_minor: int, base_minor: int) -> int:
    """The part's share of the item's base amount, half to even: the whole of an item is the whole of its base, with no rest."""
    if not open_minor:
        return 0
    return round_half_even(part_minor * base_minor, open_minor)


def round_half_even(dividend: int, divisor: int) -> int:
    """The nearest whole number, an exact half to the even one. `divisor` is not 0."""
    if divisor < 0:
        dividend, divisor = -dividend, -divisor
    whole, rest = divmod(dividend, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2 == 1))


def shares_bp(ledger: Ledger) -> tuple[int, ...] | None:
    """The columns and then the credits, in basis points of the ledger's total, not due and credits included (F7).

    They add up to 10,000: largest remainder, the earlier column on a tie. None when the total is not above 0: a share of it
    says nothing."""
    total = ledger.total_minor
    if total <= 0:
        return None
    parts = [divmod(column.minor * WHOLE_BP, total) for column in (*ledger.columns, ledger.credits)]
    shares = [whole for whole, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda at: (-parts[at][1], at))
    for at in by_remainder[: WHOLE_BP - sum(shares)]:
        shares[at] += 1
    return tuple(shares)


def together(ledgers: Iterable[Ledger], currency: str, policy: Policy) -> Ledger:
    """Ledgers of one currency and policy as one: the totals line of a trial balance. Of none, an empty one."""
    tally, names = _Tally(policy), policy.names
    for ledger in ledgers:
        if ledger.currency != currency or tuple(column.name for column in ledger.columns) != names:
            columns = ", ".join(column.name for column in ledger.columns)
            raise NotAged(
                f"a ledger in {ledger.currency} of {columns} cannot be added to one in {currency} of {', '.join(names)}"
            )
        tally.add(ledger)
    return tally.ledger(currency, policy)


# --- how it is counted ------------------------------------------------------------------------------------------------


class _Tally:
    def __init__(self, policy: Policy) -> None:
        width = len(policy.bounds) + 2
        self.debts, self.credits, self.disputed = [0] * width, [0] * width, [0] * width
        self.credits_disputed = [0] * width
        self.cash = 0

    def dispute(self, column: int, against: bool, minor: int) -> None:
        (self.credits_disputed if against else self.disputed)[column] += minor

    def add(self, ledger: Ledger) -> None:
        for at, (column, credit) in enumerate(zip(ledger.columns, ledger.credits_aged, strict=True)):
            self.debts[at] += column.minor
            self.disputed[at] += column.disputed_minor
            self.credits[at] += credit.minor
            self.credits_disputed[at] += credit.disputed_minor
        self.cash += ledger.cash_minor

    def ledger(self, currency: str, policy: Policy) -> Ledger:
        names = policy.names
        credits_names = ("0 days" if policy.basis == "due_date" else names[0], *names[1:])
        return Ledger(
            currency=currency,
            columns=tuple(map(Column, names, self.debts, self.disputed)),
            credits=Column("Credits and unallocated cash", sum(self.credits), sum(self.credits_disputed)),
            credits_aged=tuple(map(Column, credits_names, self.credits, self.credits_disputed)),
            cash_minor=self.cash,
            total_minor=sum(self.debts) + sum(self.credits),
        )


class _Columns(dict[dt.date, int]):
    """A day → its column; a ledger has millions of items and some thousand days, so each day is looked up once."""

    def __init__(self, place: Callable[[dt.date], int]) -> None:
        super().__init__()
        self._place = place

    def __missing__(self, day: dt.date) -> int:
        self[day] = found = self._place(day)
        return found


def _column_of(policy: Policy, on: dt.date) -> _Columns:
    bounds = policy.bounds

    def by_days(day: dt.date) -> int:
        return _place((on - day).days, bounds)

    def by_months(day: dt.date) -> int:
        return _place((on.year - day.year) * 12 + on.month - day.month, bounds)

    return _Columns(by_months if policy.basis == "calendar_month" else by_days)


def _place(late: int, bounds: tuple[int, ...]) -> int:
    """0 is not late; a bucket holds its last day (rules: age ≤ upper bound)."""
    return 0 if late <= 0 else 1 + sum(late > most for most in bounds)


def _no_date(kind: str, open_minor: int, currency: str) -> dt.date:
    raise NotAged(f"{kind} of {open_minor} {currency} has neither a due nor a document date; without one it has no age")


def per_day(items: Iterable[Item]) -> Iterator[Item]:
    """Items of one kind, both dates, currency and side as one: what a table of sums per due day holds. It ages to the same
    amounts, and the disputed parts in base to the same but for roundings."""
    sums: dict[tuple[str, dt.date | None, dt.date | None, str, bool], list[int]] = {}
    for item in items:
        against = item.open_minor < 0 or (item.open_minor == 0 and item.base_minor < 0)
        found = sums.setdefault((item.kind, item.due_on, item.document_on, item.currency, against), [0, 0, 0])
        found[0] += item.open_minor
        found[1] += item.base_minor
        found[2] += item.disputed_minor
    for (kind, due_on, document_on, currency, _), (open_minor, base_minor, disputed) in sums.items():
        yield Item(kind, due_on, document_on, open_minor, currency, base_minor, disputed)
