"""Statutory interest and the fixed sum on a debt that is paid late (F6, K6), by the law of a country as dated data.

The rate is that of the half-year in which interest starts, kept for the debt; simple, by the day, rounded once at the end.
Pure: whether interest is claimed at all is somebody's decision, not this file's.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from shared import money
from shared.days import written
from shared.receivables.ageing import round_half_even

SHIPPED_FOLDER = Path(__file__).with_name("law")
WHOLE_BP = 10_000

BasisPoints = Annotated[int, Meta(ge=0, le=WHOLE_BP)]


class NoLaw(ValueError):
    """This is no law of late payment, or there is none for the country: what is wrong, and where."""


class BaseRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from"}):
    since: dt.date
    rate_bp: BasisPoints


class FixedSum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """For debts below an amount, or, without one, for all the others."""

    sum_minor: Annotated[int, Meta(ge=0)]
    below_minor: Annotated[int, Meta(gt=0)] | None = None


class Law(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A country's law as its file says it. Rates rise by date; nothing is known behind `known_until`."""

    country: str
    currency: str
    uplift_bp: BasisPoints
    year_days: Annotated[int, Meta(ge=360, le=366)]
    known_until: dt.date
    fixed_sums: tuple[FixedSum, ...]
    base_rates: Annotated[tuple[BaseRate, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        days = [rate.since for rate in self.base_rates]
        if days != sorted(set(days)):
            raise NoLaw(f"base rates of {self.country} do not rise by date; sort them, one line a day")
        tops = [each.below_minor for each in self.fixed_sums]
        limits = [top for top in tops if top is not None]
        if limits != sorted(set(limits)) or None in tops[:-1]:
            raise NoLaw(f"fixed sums of {self.country} do not rise by amount; the one without an amount comes last")


class Owed(NamedTuple):
    """What was owed up to and with this day; a part payment ends a span and begins the next."""

    until: dt.date
    minor: int


class Interest(msgspec.Struct, frozen=True, kw_only=True):
    """Minor units of the law's currency; `missing` says why nothing could be computed, and then all amounts are 0."""

    interest_minor: int
    fixed_minor: int
    rate_bp: int
    days: int
    working: tuple[str, ...]
    missing: str = ""


def shipped(country: str) -> Law:
    """The law that comes with Quittance: `GB`. Raises `NoLaw`."""
    path = SHIPPED_FOLDER / f"{country}.yaml"
    if not (country.isascii() and country.isalpha()) or not path.is_file():
        raise NoLaw(f"no law of late payment is known for {country[:20]!r}; put {country[:2].upper()}.yaml beside GB.yaml")
    return law_of(path.read_bytes(), path.name)


def law_of(data: bytes, name: str) -> Law:
    try:
        return msgspec.yaml.decode(data, type=Law)
    except msgspec.MsgspecError as error:
        raise NoLaw(f"{name}: {error}") from error


def reference_day(starts_on: dt.date) -> dt.date:
    """The day whose base rate counts for interest that starts on this day (SI 2002/1675, article 4)."""
    return dt.date(starts_on.year, 6, 30) if starts_on.month > 6 else dt.date(starts_on.year - 1, 12, 31)


def rate_bp(law: Law, starts_on: dt.date) -> int | None:
    """Yearly interest in basis points for a debt whose interest starts on this day; None where no base rate is known."""
    day = reference_day(starts_on)
    at = bisect_right([rate.since for rate in law.base_rates], day) - 1
    return None if at < 0 or day > law.known_until else law.base_rates[at].rate_bp + law.uplift_bp


def fixed_minor(law: Law, debt_minor: int) -> int:
    """The fixed sum for one invoice, by the size of the debt when interest starts; nothing for no debt."""
    fits = (each for each in law.fixed_sums if each.below_minor is None or debt_minor < each.below_minor)
    found = next(fits, None) if debt_minor > 0 else None
    return found.sum_minor if found else 0


def late_payment(law: Law, due_on: dt.date, owed: Sequence[Owed], currency: str) -> Interest:
    """Interest and fixed sum of one invoice (F6). `owed`: what was owed, span by span, the first of them behind the due day.

    5,000 at 12.25 % for 101 days are 169.49. The day it is paid still counts. Spans that do not rise raise `ValueError`."""
    spans = _spans(due_on, owed)
    days = sum(span.days for span in spans)
    if currency != law.currency:
        return _missing(f"the law of {law.country} is in {law.currency} and the debt in {currency}")
    if not days or not any(span.minor > 0 for span in spans):
        return _missing("nothing was owed behind the due day")
    starts_on = due_on + dt.timedelta(days=1)
    rate = rate_bp(law, starts_on)
    if rate is None:
        return _missing(f"no base rate is known for {written(reference_day(starts_on))}; add it to the law of {law.country}")
    exact = sum((Fraction(span.minor * span.days * rate, WHOLE_BP * law.year_days) for span in spans), Fraction(0))
    interest, fixed = round_half_even(exact.numerator, exact.denominator), fixed_minor(law, spans[0].minor)
    lines = _working(law, starts_on, rate, spans, interest, fixed)
    return Interest(interest_minor=interest, fixed_minor=fixed, rate_bp=rate, days=days, working=lines)


class _Span(NamedTuple):
    days: int
    minor: int


def _spans(due_on: dt.date, owed: Sequence[Owed]) -> list[_Span]:
    """Only what lies behind the due day; a part paid before it is not late."""
    found, since = list[_Span](), due_on
    if any(one.until >= other.until for one, other in pairwise(owed)):
        raise ValueError(f"spans of a debt due on {due_on} do not rise by day; give each its own last day, oldest first")
    for until, minor in owed:
        if until > due_on:
            found.append(_Span((until - since).days, max(minor, 0)))
            since = until
    return found


def _working(law: Law, starts_on: dt.date, rate: int, spans: Sequence[_Span], interest: int, fixed: int) -> tuple[str, ...]:
    base, uplift, whole = (_percent(each) for each in (rate - law.uplift_bp, law.uplift_bp, rate))
    grouped = money.grouped
    return (
        f"interest starts on {written(starts_on)}; base rate on {written(reference_day(starts_on))}: {base} %",
        f"{base} % + {uplift} % = {whole} % a year",
        *(f"{grouped(minor, law.currency)} × {whole} % × {days} ÷ {law.year_days} days" for days, minor in spans),
        f"= {money.with_currency(interest, law.currency)}, rounded once",
        f"fixed sum {money.with_currency(fixed, law.currency)}",
    )


def _percent(bp: int) -> str:
    return f"{Decimal(bp).scaleb(-2):f}"


def _missing(because: str) -> Interest:
    line = f"not computable because {because}"
    return Interest(interest_minor=0, fixed_minor=0, rate_bp=0, days=0, working=(line,), missing=because)
