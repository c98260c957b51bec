"""Money is a whole number of minor units with a currency; this file holds the only ways in, out and apart.

Decimal text is parsed exactly or refused, rounding is half to even, and a split never loses a penny. Never a float.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

_CODES = {  # ISO 4217, active codes by number of decimals
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
    "CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR "
    "ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN "
    "MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS "
    "SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: dict[str, int] = {code: decimals for decimals, codes in _CODES.items() for code in codes.split()}
_DECIMAL_TEXT = re.compile(r"([+-]?)([0-9]{1,16})(?:\.([0-9]{0,16}))?")
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_EVEN)


class NotMoney(ValueError):
    """This text or currency is no amount of money: what it is, and how to write it."""


def exponent(currency: str) -> int:
    """How many decimals the currency has."""
    if currency not in EXPONENTS:
        raise NotMoney(f"{currency!r} is no active ISO 4217 currency; write three capitals, such as GBP")
    return EXPONENTS[currency]


def parse(text: str, currency: str) -> int:
    """The minor units that this decimal text says exactly: `12.5` GBP is 1250. Surplus decimals must be zeros."""
    places = exponent(currency)
    match = _DECIMAL_TEXT.fullmatch(text)
    if match is None:
        raise NotMoney(f"{text[:40]!r} is no amount; write digits and at most one point, no separators: 1234.50")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    if fraction[places:].strip("0"):
        raise NotMoney(f"{text!r} has more decimals than {currency}, which has {places}; round it where it is made")
    return int(f"{sign}{whole}{fraction[:places].ljust(places, '0')}")


def rounded(amount: Decimal, currency: str) -> int:
    """Minor units of a computed amount (quantity x unit price, a percentage), rounded half to even."""
    places = exponent(currency)
    try:
        return int(amount.scaleb(places, _ROUNDING).quantize(Decimal(1), context=_ROUNDING))
    except (ArithmeticError, ValueError) as error:
        raise NotMoney(f"{amount} {currency} cannot be rounded to minor units: it is too large or no number") from error


def extended(quantity: int, unit_price: Decimal, currency: str) -> int:
    """The amount of an order line; the unit price may be finer than the currency."""
    return rounded(_ROUNDING.multiply(Decimal(quantity), unit_price), currency)


def as_text(minor: int, currency: str) -> str:
    """Decimal text that `parse` reads back: 1250 GBP is `12.50`."""
    return f"{Decimal(minor).scaleb(-exponent(currency), _ROUNDING):f}"


def grouped(minor: int, currency: str) -> str:
    """As people read it, with commas between thousands: 1234567 GBP is `12,345.67`."""
    whole, point, fraction = as_text(abs(minor), currency).partition(".")
    return f"{'-' if minor < 0 else ''}{int(whole):,}{point}{fraction}"


def with_currency(minor: int, currency: str) -> str:
    """As it stands in a sentence: 1234567 GBP is `12,345.67 GBP`."""
    return f"{grouped(minor, currency)} {currency}"


def split(total_minor: int, weights: Sequence[int]) -> list[int]:
    """Parts in proportion to the weights whose sum is the total: largest remainder first, the earlier one on a tie."""
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise NotMoney(f"cannot split by {list(weights)!r}: weights are not negative and at least one is positive")
    if total_minor < 0:
        return [-part for part in split(-total_minor, weights)]
    parts = [total_minor * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: (-(total_minor * weights[at] % whole), at))
    for at in by_remainder[: total_minor - sum(parts)]:
        parts[at] += 1
    return parts
