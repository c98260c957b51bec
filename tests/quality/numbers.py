"""Numbers with check digits and number schemes: IBAN (ISO 13616), RF references (ISO 11649), invoices of each legal entity.

Written for the generator alone, so that a mistake of the matcher's own arithmetic cannot hide in both.
"""

from __future__ import annotations

import string
from random import Random

RF_BODY_MAX = 21
"""ISO 11649: 25 characters in all, four of them `RF` and the check digits."""


def _digits(text: str) -> str:
    """Letters as numbers: A is 10, Z is 35 (ISO 7064 mod 97-10)."""
    return "".join(str(int(sign, 36)) for sign in text)


def check_digits(body: str, head: str) -> str:
    """The two digits that make `head + digits + body` valid: 98 − (body + head + "00") mod 97."""
    return f"{98 - int(_digits(body + head + '00')) % 97:02d}"


def is_valid(text: str) -> bool:
    """Mod 97 of the rotated text is 1: an IBAN or an RF reference, without spaces."""
    return int(_digits(text[4:] + text[:4])) % 97 == 1


def rf_reference(number: str) -> str:
    body = "".join(sign for sign in number.upper() if sign.isalnum())[-RF_BODY_MAX:]
    return f"RF{check_digits(body, 'RF')}{body}"


def iban(rng: Random, country: str) -> str:
    """A made-up account; check digits right, bank and branch invented."""
    letters = "".join(rng.choice(string.ascii_uppercase) for _ in range(4))
    body = {
        "GB": lambda: letters + _some(rng, 14),
        "IE": lambda: letters + _some(rng, 14),
        "NL": lambda: letters + _some(rng, 10),
        "DE": lambda: _some(rng, 18),
        "AT": lambda: _some(rng, 16),
    }[country]()
    return f"{country}{check_digits(body, country)}{body}"


def _some(rng: Random, count: int) -> str:
    return "".join(rng.choice(string.digits) for _ in range(count))


def invoice_number(entity: str, year: int, serial: int) -> str:
    """Each legal entity has its own scheme, as after a few takeovers."""
    match entity:
        case "UK":
            return f"INV-{year}-{serial:06d}"
        case "DE":
            return f"9{serial:07d}"
        case _:
            return f"SI{serial:07d}"


def credit_number(entity: str, year: int, serial: int) -> str:
    match entity:
        case "UK":
            return f"CN-{year}-{serial:06d}"
        case "DE":
            return f"8{serial:07d}"
        case _:
            return f"SC{serial:07d}"


def plain(text: str) -> str:
    """Capitals and digits only: how numbers are compared whatever stands between."""
    return "".join(sign for sign in text.upper() if sign.isalnum())


def distance(one: str, other: str) -> int:
    """Fewest single-character edits and neighbour swaps from one to the other (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def damaged(rng: Random, number: str, edits: int) -> str:
    """The number with so many characters substituted, swapped, dropped or added.

    Never the number itself, and never further from it than so many edits.
    """
    while True:
        text = number
        for _ in range(edits):
            text = _edit(rng, text)
        if 1 <= distance(plain(text), plain(number)) <= edits:
            return text


def _edit(rng: Random, text: str) -> str:
    places = [at for at, sign in enumerate(text) if sign.isdigit()]
    at, digit = rng.choice(places), rng.choice(string.digits)
    match rng.choice(("substituted", "substituted", "swapped", "dropped", "added")):
        case "substituted":
            return text[:at] + rng.choice(("O", digit, digit, digit) if text[at] == "0" else (digit,)) + text[at + 1 :]
        case "swapped":
            return text[:at] + text[at + 1 : at + 2] + text[at] + text[at + 2 :]
        case "dropped":
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + digit + text[at:]
