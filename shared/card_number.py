"""Keeps card numbers out: what looks like one is refused before anything of it is journaled (P9). Pure."""

from __future__ import annotations

import re

DIGITS_MIN, DIGITS_MAX = 13, 19
"""A primary account number has so many digits (ISO/IEC 7812)."""
_RUN = re.compile(r"[0-9](?:[ .\-_]?[0-9])*")
"""Digits as people group them."""


def looks_like_card(text: str) -> bool:
    """Whether a run of 13 to 19 digits anywhere in it, however grouped, passes the check that card numbers pass."""
    runs = (re.sub("[^0-9]", "", run) for run in _RUN.findall(text))
    return any(DIGITS_MIN <= len(run) <= DIGITS_MAX and passes_luhn(run) for run in runs)


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right doubled, the digits' sum divisible by ten."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
