"""Our fields as they stand in a cell: text to a value, or a fault that says how to write it.

Amounts stay decimal text here, because only the document knows its currency. Empty text is a field that was not given.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contracts.accounts import CADENCES
from contracts.forms import PLAIN_DECIMAL, YEARS

ISO = "iso"
WHOLE = re.compile(r"-?[0-9]{1,10}")
YES_NO = {"yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}
TIMES_REMEMBERED = 10_000
"""Rows of one document repeat its time, and parsing one costs more than all the rest of the row."""


class Style(NamedTuple):
    """How the file writes times and days (`strptime` formats, or `iso`), and in which zone a time without offset is."""

    times: str
    days: str
    zone: ZoneInfo


class Misread(ValueError):
    """A cell that is not what its field needs: what is wrong, and how to mend it."""

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.mend = mend


Reader = Callable[[str, Style], Any]


def _text(text: str, style: Style) -> str:
    return text


def _whole(text: str, style: Style) -> int:
    if not WHOLE.fullmatch(text):
        raise Misread(f"{text[:40]!r} is no whole number", "write digits only, such as 12 or -12")
    return int(text)


def _amount(text: str, style: Style) -> str:
    if not re.fullmatch(PLAIN_DECIMAL, text):
        raise Misread(f"{text[:40]!r} is no amount", "write digits and at most one point, no separators: 1234.50")
    return text


def _price(text: str, style: Style) -> Decimal:
    return Decimal(_amount(text, style))


def _yes(text: str, style: Style) -> bool:
    answer = YES_NO.get(text.lower())
    if answer is None:
        raise Misread(f"{text[:40]!r} is neither yes nor no", f"write one of: {', '.join(YES_NO)}")
    return answer


def _cadence(text: str, style: Style) -> str:
    if text not in CADENCES:
        raise Misread(f"{text[:40]!r} is no cadence of statements", f"write one of: {', '.join(CADENCES)}")
    return text


@functools.lru_cache(TIMES_REMEMBERED)
def _instant(text: str, style: Style) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text) if style.times == ISO else dt.datetime.strptime(text, style.times)  # noqa: DTZ007
    except ValueError as error:
        problem = f"{text[:40]!r} is no time of the form {style.times}"
        raise Misread(problem, "correct it, or `times` in the mapping") from error
    local = moment if moment.tzinfo else moment.replace(tzinfo=style.zone)
    _check_year(local)
    return local.astimezone(dt.UTC)


def _day(text: str, style: Style) -> dt.date:
    try:
        day = dt.date.fromisoformat(text) if style.days == ISO else dt.datetime.strptime(text, style.days).date()  # noqa: DTZ007
    except ValueError as error:
        problem = f"{text[:40]!r} is no day of the form {style.days}"
        raise Misread(problem, "correct it, or `days` in the mapping") from error
    _check_year(day)
    return day


def _check_year(day: dt.date) -> None:
    if day.year not in YEARS:
        raise Misread(f"the year {day.year} is not from {YEARS[0]} to {YEARS[-1]}", "correct the year")


def _percent(text: str, style: Style) -> int:
    """Hundredths of a percent."""
    share = Decimal(_amount(text.removesuffix("%").strip(), style)) * 100
    if share != share.to_integral_value() or not 0 <= share <= 10_000:
        raise Misread(f"{text[:40]!r} is no percentage", "write 0 to 100 with at most two decimals, such as 2.5")
    return int(share)


LINE_FIELDS: Mapping[str, Reader] = {"sku": _text, "quantity": _whole, "unit_price": _price, "description": _text}
PLACED_FIELDS: Mapping[str, Reader] = {
    "currency": _text,
    "total": _amount,
    "received_at": _instant,
    "po_number": _text,
    "wanted_on": _day,
    "ship_to": _text,
    "payment_days": _whole,
    "cash_on_delivery": _yes,
    "prepaid": _amount,
}
ORDER_FIELDS: Mapping[str, Reader] = {"reference": _text, "account": _text, **PLACED_FIELDS, **LINE_FIELDS}
ITEM_FIELDS: Mapping[str, Reader] = {
    "account": _text,
    "item": _text,
    "kind": _text,
    "amount": _amount,
    "currency": _text,
    "document_on": _day,
    "due_on": _day,
    "order": _text,
    "po_number": _text,
    "reference": _text,
    "discount_percent": _percent,
    "discount_until": _day,
    "base_amount": _amount,
    "text": _text,
}
"""Fields of `contracts.payments.PostItem`, as people name them; its one discount in two columns."""
POSTING_FIELDS: Mapping[str, Reader] = {
    "document": _text,
    "company_code": _text,
    "account": _text,
    "posted_on": _day,
    "does": _text,
    "item": _text,
    "year": _text,
    "position": _text,
    "kind": _text,
    "amount": _amount,
    "currency": _text,
    "document_on": _day,
    "due_on": _day,
    "reference": _text,
    "base_amount": _amount,
    "reverses": _text,
    "answers": _text,
    "text": _text,
}
"""Fields of `contracts.payments.TakePosting` and its lines. `year` and `position` are parts of an item's number."""
TERMS_FIELDS: Mapping[str, Reader] = {
    "payment_days": _whole,
    "cash_on_delivery": _yes,
    "po_required": _yes,
    "standard_order": _amount,
    "risk_class": _text,
    "portfolio": _text,
    "dunning_policy": _text,
    "controller": _text,
    "sales_manager": _text,
    "region": _text,
    "tier": _text,
    "legal_entity": _text,
    "statement_cadence": _cadence,
}
ACCOUNT_FIELDS: Mapping[str, Reader] = {
    "account": _text,
    "name": _text,
    "currency": _text,
    "limit": _amount,
    "parent": _text,
    "status": _text,
    "limit_expires_on": _day,
    "insured": _amount,
    "insured_until": _day,
    "reason": _text,
    "effective_from": _day,
    **TERMS_FIELDS,
}
"""Fields of `contracts.accounts.OpenAccount` and its terms, as people name them."""
