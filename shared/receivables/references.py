"""The creditor reference RF of ISO 11649: made for our invoices and checked in what payers write (F4, P6). Pure.

It only says whether the check digits hold; whose invoice it is, matching finds out.
"""

from __future__ import annotations

import re

REFERENCE_LENGTH_MAX = 21
"""ISO 11649: RF, two check digits and at most so many letters and digits."""

_RF = re.compile(rf"RF([0-9]{{2}})([A-Z0-9]{{1,{REFERENCE_LENGTH_MAX}}})")
_REFERENCE = re.compile(rf"[A-Z0-9]{{1,{REFERENCE_LENGTH_MAX}}}")
_BLANKS = re.compile(r"[ \t\r\n\u00a0]+")
_CHECKS = range(2, 99)
"""98 − (0…96). 00, 01 and 99 have the same remainders as 97, 98 and 02, and nobody computes them."""


class NoReference(ValueError):
    """No RF reference can be made of this text: what is wrong, and what is taken."""


def rf_of(reference: str) -> str:
    """The reference with `RF` and its check digits (F4): `539007547034` is `RF18539007547034`.

    Blanks go, letters become capitals. Raises `NoReference`."""
    bare = _bare(reference)
    if not _REFERENCE.fullmatch(bare):
        raise NoReference(
            f"{reference[:40]!r} is no reference; write 1 to {REFERENCE_LENGTH_MAX} letters and digits without signs"
        )
    return f"RF{98 - _remainder(f'{bare}RF00'):02d}{bare}"


def rf_valid(text: str) -> bool:
    """Whether this is an RF reference whose check digits hold; blanks and small letters are taken as people write them."""
    match = _RF.fullmatch(_bare(text))
    return match is not None and int(match[1]) in _CHECKS and _remainder(f"{match[2]}RF{match[1]}") == 1


def rf_printed(text: str) -> str:
    """In groups of four, as it stands on paper: `RF18 5390 0754 7034`."""
    bare = _bare(text)
    return " ".join(bare[at : at + 4] for at in range(0, len(bare), 4))


def _bare(text: str) -> str:
    """Only ASCII letters change their case: `ß` would become two letters."""
    bare = _BLANKS.sub("", text)
    return bare.upper() if bare.isascii() else bare


def _remainder(text: str) -> int:
    """ISO 7064 MOD 97-10 of the digits, A = 10 … Z = 35."""
    return int("".join(str(int(sign, 36)) for sign in text)) % 97
