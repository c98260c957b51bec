"""The DSO family (F3): how long sales wait for their money, with the working of every figure shown.

Exact fractions inside; a figure is rounded once, half to even, to one decimal. What cannot be computed says because of what;
nothing raises for a zero and nothing is infinite. Pure.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from shared import money
from shared.receivables.ageing import round_half_even

DECIMALS = 1
"""Of a day or a per cent: finer than anybody acts on, and the vector of F3 is given so."""


class Figure(NamedTuple):
    """`exact` is None where nothing can be computed, and `missing` says why; `at_least` is then what can still be said.

    `working` are the lines that lead to the figure, as a person would write them."""

    name: str
    unit: str
    exact: Fraction | None
    working: tuple[str, ...]
    missing: str = ""
    at_least: Fraction | None = None

    @property
    def value(self) -> Decimal | None:
        """Rounded half to even to one decimal."""
        return None if self.exact is None else rounded(self.exact)


class Month(NamedTuple):
    """The credit sales of one month, or of its part up to the day of the figure: `days` are the days it really has."""

    name: str
    days: int
    sales_minor: int


class Aged(NamedTuple):
    """An open item for true DSO: its age in days and the sales of the month it was invoiced in."""

    item: str
    age_days: int
    open_minor: int
    sales_minor: int


def rounded(exact: Fraction) -> Decimal:
    return Decimal(round_half_even(exact.numerator * 10**DECIMALS, exact.denominator)).scaleb(-DECIMALS)


def months_until(on: dt.date, sales: Mapping[tuple[int, int], int], count: int) -> tuple[Month, ...]:
    """The last `count` calendar months, newest first, with their real days; the newest only up to `on`. A month that `sales`
    (by year and month, in minor units) does not know ends the list: unknown is not nothing."""
    found, year, month = list[Month](), on.year, on.month
    while len(found) < count and (year, month) in sales:
        days = on.day if (year, month) == (on.year, on.month) else calendar.monthrange(year, month)[1]
        found.append(Month(f"{year}-{month:02d}", days, sales[year, month]))
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
    return tuple(found)


def simple(ar_minor: int, sales_minor: int, days: int, currency: str) -> Figure:
    """DSO = AR ÷ credit sales × days (F3)."""
    return _per_sales("DSO", "receivables", ar_minor, sales_minor, days, currency)


def best_possible(current_minor: int, sales_minor: int, days: int, currency: str) -> Figure:
    """Best possible DSO = AR that is not yet due × days ÷ credit sales (F3): what would be left if everybody paid on the day."""
    return _per_sales("Best possible DSO", "receivables not yet due", current_minor, sales_minor, days, currency)


def _per_sales(name: str, what: str, ar_minor: int, sales_minor: int, days: int, currency: str) -> Figure:
    ar, sales = money.grouped(ar_minor, currency), money.grouped(sales_minor, currency)
    facts = (f"{what} {ar} {currency}", f"credit sales {sales} {currency} in {days} days")
    if ar_minor < 0:
        return _missing(name, "days", facts, f"{what} stand in credit")
    if sales_minor <= 0 or days <= 0:
        return _missing(name, "days", facts, "there were no credit sales in the period")
    return _figure(name, "days", Fraction(ar_minor * days, sales_minor), (*facts, f"{ar} ÷ {sales} × {days}"))


def count_back(ar_minor: int, months: Sequence[Month], currency: str) -> Figure:
    """Count-back DSO (F3): the sales of the months, newest first, are taken from AR; whole months count their days, the last one
    days × what is left ÷ its sales. `months` newest first."""
    name, lines, left, days = "Count-back DSO", [f"receivables {money.with_currency(ar_minor, currency)}"], ar_minor, 0
    if ar_minor < 0:
        return _missing(name, "days", lines, "receivables stand in credit")
    for month in months:
        if left < month.sales_minor or left == 0:
            return _last_month(name, lines, days, left, month, currency)
        left, days = left - month.sales_minor, days + month.days
        sales, rest = money.grouped(month.sales_minor, currency), money.grouped(left, currency)
        lines.append(f"{month.name}: sales {sales}, {month.days} days, leaves {rest}")
    if left == 0:
        return _figure(name, "days", Fraction(days), lines)
    known = f"the sales of all {len(months)} known months" if months else "any known sales"
    missing = f"receivables are {money.with_currency(left, currency)} larger than {known}"
    return _missing(name, "days", lines, missing)._replace(at_least=Fraction(days))


def _last_month(name: str, lines: list[str], days: int, left: int, month: Month, currency: str) -> Figure:
    """`left` is below the sales of the month, so those are not zero unless nothing is left."""
    if left == 0:
        return _figure(name, "days", Fraction(days), lines)
    part = Fraction(month.days * left, month.sales_minor)
    rest, sales = money.grouped(left, currency), money.grouped(month.sales_minor, currency)
    line = f"{month.name}: {month.days} days × {rest} ÷ {sales} = {rounded(part)} days"
    return _figure(name, "days", days + part, [*lines, line])


def average_delinquent(dso: Figure, best: Figure) -> Figure:
    """Average days delinquent = DSO − best possible DSO (F3), of the same period; both unrounded."""
    name = "Average days delinquent"
    lines = [f"{each.name} {'not known' if each.value is None else each.value}" for each in (dso, best)]
    if dso.exact is None or best.exact is None:
        return _missing(name, "days", lines, next(each.missing for each in (dso, best) if each.exact is None))
    return _figure(name, "days", dso.exact - best.exact, [*lines, f"{dso.value} − {best.value}"])


def effectiveness(
    *, opening_minor: int, sales_minor: int, closing_minor: int, closing_current_minor: int, currency: str
) -> Figure:
    """Collection effectiveness index = (opening AR + sales − closing total AR) ÷ (opening AR + sales − closing current AR) × 100
    (F3): what was collected of what could be. `sales_minor` are those of the period."""
    collected = opening_minor + sales_minor - closing_minor
    collectable = opening_minor + sales_minor - closing_current_minor
    opening, sales, closing, current, part, whole = (
        money.grouped(each, currency)
        for each in (opening_minor, sales_minor, closing_minor, closing_current_minor, collected, collectable)
    )
    lines = (
        f"collected: {opening} + {sales} − {closing} = {part} {currency}",
        f"collectable: {opening} + {sales} − {current} = {whole} {currency}",
    )
    if collectable <= 0:
        return _missing("Collection effectiveness", "%", lines, "nothing was due to be collected in the period")
    return _figure("Collection effectiveness", "%", Fraction(100 * collected, collectable), (*lines, f"{part} ÷ {whole} × 100"))


def true(items: Iterable[Aged], currency: str) -> Figure:
    """True DSO = Σ age × open amount ÷ the sales of its month: every invoice weighs by the month it was sold in."""
    total, lines = Fraction(0), list[str]()
    for item in items:
        if item.sales_minor <= 0:
            return _missing("True DSO", "days", lines, f"the month of {item.item} has no known credit sales")
        part = Fraction(item.age_days * item.open_minor, item.sales_minor)
        amount, sales = money.grouped(item.open_minor, currency), money.grouped(item.sales_minor, currency)
        lines.append(f"{item.item}: {item.age_days} days × {amount} ÷ {sales} = {rounded(part)}")
        total += part
    return _figure("True DSO", "days", total, lines)


def _figure(name: str, unit: str, exact: Fraction, lines: Iterable[str]) -> Figure:
    return Figure(name, unit, exact, (*lines, f"= {rounded(exact)} {unit}"))


def _missing(name: str, unit: str, lines: Iterable[str], because: str) -> Figure:
    return Figure(name, unit, None, (*lines, f"not computable because {because}"), because)
