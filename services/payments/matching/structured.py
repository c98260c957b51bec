"""Structured creditor references: which scheme's check digits a reference carries, and the number inside it (P6a, F4).

Only verified references count as proof here; what fails its check digits is plain text, and is read as such.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from stdnum import luhn
from stdnum.be import ogm_vcs
from stdnum.ch import esr

from shared.receivables.references import rf_valid

_RF = re.compile(r"\bRF[ -]?[0-9]{2}(?:[ -]?[A-Z0-9]){1,21}\b")
_OGM = re.compile(r"[+*]{3} ?([0-9]{3}/?[0-9]{4}/?[0-9]{5}) ?[+*]{3}")
_SEPARATORS = re.compile(r"[^A-Z0-9]")
_KID_WEIGHTS = (2, 3, 4, 5, 6, 7)
_FINNISH_WEIGHTS = (7, 3, 1)
LENGTH_MIN = 5
"""A check digit passes one number in ten by chance; shorter references than this are somebody's own number."""


class Structured(NamedTuple):
    """A verified reference: its scheme, its compact form and the number without check digits."""

    scheme: str
    reference: str
    number: str


def compact(text: str) -> str:
    """Capitals and digits only: how references are compared."""
    return _SEPARATORS.sub("", text.upper())


def is_finnish(digits: str) -> bool:
    """Finnish creditor reference, weights 7-3-1 from the right, 4 to 20 digits."""
    if not (digits.isdigit() and 4 <= len(digits) <= 20):
        return False
    total = sum(int(digit) * _FINNISH_WEIGHTS[at % 3] for at, digit in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == int(digits[-1])


def is_kid(kid: str) -> bool:
    """Norwegian KID: 2 to 25 places; the last is mod 10 (Luhn), or mod 11 where 10 is written as a dash."""
    body, check = kid[:-1], kid[-1:]
    if not (body.isdigit() and 2 <= len(kid) <= 25):
        return False
    if check.isdigit() and luhn.is_valid(kid):
        return True
    rest = (11 - sum(int(digit) * _KID_WEIGHTS[at % 6] for at, digit in enumerate(reversed(body))) % 11) % 11
    return check == ("-" if rest == 10 else str(rest))


def is_swiss(digits: str) -> bool:
    """Swiss QR reference: 27 digits, recursive mod 10."""
    return len(digits) == 27 and digits.isdigit() and bool(esr.is_valid(digits))


def is_belgian(digits: str) -> bool:
    """Belgian structured communication: 12 digits, the last two mod 97 with 0 written as 97."""
    return len(digits) == 12 and digits.isdigit() and bool(ogm_vcs.is_valid(digits))


def verified(reference: str) -> tuple[Structured, ...]:
    """Every scheme whose check digits this reference passes; empty when it is plain text or damaged."""
    text = compact(reference)
    if len(text) < LENGTH_MIN:
        return ()
    if text.startswith("RF"):
        return (Structured("RF", text, text[4:]),) if rf_valid(text) else ()
    return tuple(_national(text, reference.strip()))


def _national(text: str, written: str) -> list[Structured]:
    found = []
    if is_belgian(text):
        found.append(Structured("OGM", text, text[:-2]))
    if is_swiss(text):
        found.append(Structured("QRR", text, text[:-1]))
    if is_finnish(text):
        found.append(Structured("Finnish reference", text, text[:-1]))
    kid = text + "-" if written.endswith("-") else text
    if is_kid(kid):
        found.append(Structured("KID", kid, kid[:-1]))
    return found


def quoted_in(text: str) -> tuple[Structured, ...]:
    """Structured references that a text carries beyond doubt: `RF…`, and `+++…+++`. Bare digits are left to the number search."""
    upper = text.upper()
    if "RF" not in upper and "+++" not in upper and "***" not in upper:
        return ()
    found = [one for hit in _RF.finditer(upper) for one in _longest_rf(hit[0])]
    found += [one for hit in _OGM.finditer(upper) for one in verified(hit[1])]
    return tuple(found)


def _longest_rf(hit: str) -> tuple[Structured, ...]:
    """People write blocks of four and words behind them: blocks are dropped from the end until the check digits agree."""
    blocks = re.split(r"[ -]", hit)
    for end in range(len(blocks), 0, -1):
        if found := verified("".join(blocks[:end])):
            return found
    return ()
