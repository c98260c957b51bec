"""Amounts and days as banks write them, to exact minor units or a refusal. Never a float, and nothing is rounded."""

from __future__ import annotations

import datetime as dt
import re

from contracts.forms import YEARS
from services.gateway.bank.limits import AMOUNT_MINOR_MAX
from services.gateway.bank.statement import Broken
from shared.money import EXPONENTS

WITHDRAWN = {
    **dict.fromkeys(["ATS", "DEM", "FRF", "FIM", "NLG", "IEP", "GRD", "SIT", "MTL", "CYP", "SKK", "EEK", "LVL", "LTL", "HRK"], 2),
    **dict.fromkeys(["BEF", "ESP", "ITL", "LUF", "PTE"], 0),
    **dict.fromkeys(["ANG", "CUC", "SLL", "ZWL", "VEF", "BYR", "ROL", "TRL", "BGL", "MRO", "STD", "ZMK"], 2),
}
"""Currencies that are no longer active but stand in old statements; they are read exactly, and nobody can book them today."""

_PLAIN = re.compile(r"([+-]?)([0-9]{0,18})(?:[.]([0-9]{0,12}))?")
_COMMA = re.compile(r"([+-]?)([0-9]{0,18})(?:[,.]([0-9]{0,12}))?")
_BUSINESS = re.compile(r"[0-9][0-9.,' \u00a0\u202f]{0,29}|[.,][0-9]{1,12}")
PIVOT = 80
"""Two-digit years below are 20xx: SWIFT's own rule (ISO 15022, 00-79)."""


def decimals(currency: str, where: str) -> int:
    """How many decimals the currency has. Refuses what ISO 4217 does not know."""
    places = EXPONENTS.get(currency, WITHDRAWN.get(currency))
    if places is None:
        raise Broken(where, f"{currency[:12]!r} is no ISO 4217 currency", "write its three capitals, such as EUR")
    return places


def plain(text: str, currency: str, where: str) -> int:
    """Minor units of `1234.50`, as XML, X12 and EDIFACT write it."""
    return _minor(_PLAIN.fullmatch(text), text, currency, where)


def comma(text: str, currency: str, where: str) -> int:
    """Minor units of `1234,5`, `1234,` or `1234,50` (SWIFT); a point is taken for the comma, as some banks write."""
    return _minor(_COMMA.fullmatch(text), text, currency, where)


def implied(text: str, where: str) -> int:
    """Minor units of a whole number with a sign (BAI2: the decimals are those of the currency)."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise Broken(where, f"{text[:40]!r} is no amount", "BAI2 amounts are digits without a decimal point")
    return _bounded(int(text), text, where)


def business(text: str, currency: str, decimal: str, where: str) -> int:
    """Minor units of `1.234,56-`, `(1,234.56)` or `-1 234,56` where `decimal` is the decimal sign (spreadsheets, SAP)."""
    bare, is_negative = _unsigned(text.strip())
    if not _BUSINESS.fullmatch(bare):
        raise Broken(where, f"{text[:40]!r} is no amount", "write digits, such as 1234.50")
    whole, sign, fraction = bare.partition(decimal)
    if (
        not _is_grouped(whole, "," if decimal == "." else ".")
        or (sign and not fraction.isascii())
        or (fraction and not fraction.isdigit())
    ):
        raise Broken(
            where, f"{text[:40]!r} is no amount with {decimal!r} before its decimals", "correct it, or `decimal` in the mapping"
        )
    digits = re.sub(r"[^0-9]", "", whole)
    amount = _minor(_PLAIN.fullmatch(f"{digits or '0'}.{fraction}"), text, currency, where)
    return -amount if is_negative else amount


def _unsigned(text: str) -> tuple[str, bool]:
    if text.startswith("(") and text.endswith(")"):
        return text[1:-1].strip(), True
    if text.endswith("-") or text.startswith(("-", "\u2212")):
        return text.strip("-\u2212 "), True
    return text.removeprefix("+").strip(), False


def _is_grouped(whole: str, group: str) -> bool:
    """Thousands are in threes, or there are none: `12,34` with a decimal point would be a misread decimal."""
    signs = [sign for sign in (group, "'", " ", "\u00a0", "\u202f") if sign in whole]
    if not signs:
        return not whole or whole.isdigit()
    first, *rest = whole.split(signs[0])
    return len(signs) == 1 and first.isdigit() and len(first) <= 3 and all(len(part) == 3 and part.isdigit() for part in rest)


def _minor(match: re.Match[str] | None, text: str, currency: str, where: str) -> int:
    places = decimals(currency, where)
    if match is None or not (match[2] or match[3]):
        raise Broken(where, f"{text[:40]!r} is no amount", "write digits with one decimal sign")
    fraction = match[3] or ""
    if len(fraction) > places and (places or fraction.strip("0")):
        raise Broken(
            where,
            f"{text[:40]!r} has {len(fraction)} decimals, {currency} has {places}",
            "ask the sender for amounts exact to the minor unit",
        )
    return _bounded(int(f"{match[1]}{match[2] or 0}{fraction[:places].ljust(places, '0')}"), text, where)


def _bounded(minor: int, text: str, where: str) -> int:
    if abs(minor) > AMOUNT_MINOR_MAX:
        raise Broken(where, f"{text[:40]!r} is larger than any amount that is booked", "correct the amount")
    return minor


def told(minor: int, currency: str) -> str:
    """Text of an amount for people: `-12.50 EUR`."""
    places = EXPONENTS.get(currency, WITHDRAWN.get(currency, 2))
    digits = str(abs(minor)).rjust(places + 1, "0")
    number = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"{'-' if minor < 0 else ''}{number} {currency}"


def day(text: str, form: str, where: str) -> dt.date:
    """The day that `text` says in the `strptime` form, or `iso`."""
    try:
        found = dt.date.fromisoformat(text) if form == "iso" else dt.datetime.strptime(text, form).date()  # noqa: DTZ007
    except ValueError as error:
        raise Broken(where, f"{text[:40]!r} is no day", f"write it in the form {form}") from error
    if found.year not in YEARS:
        raise Broken(where, f"the year {found.year} is not from {YEARS[0]} to {YEARS[-1]}", "correct the year")
    return found


def short_day(text: str, where: str) -> dt.date:
    """The day of six digits, YYMMDD."""
    if not re.fullmatch(r"[0-9]{6}", text):
        raise Broken(where, f"{text[:40]!r} is no day", "write it as YYMMDD")
    century = 1900 if int(text[:2]) >= PIVOT else 2000
    try:
        return dt.date(century + int(text[:2]), int(text[2:4]), int(text[4:6]))
    except ValueError as error:
        raise Broken(where, f"{text!r} is no day of the calendar", "write it as YYMMDD") from error
