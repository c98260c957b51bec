"""Structured creditor references and account numbers inside text, proved by their check digits (F4)."""

from __future__ import annotations

import re

_RF = re.compile(r"(?<![A-Z0-9])RF[0-9]{2}[A-Z0-9]{1,21}(?![A-Z0-9])")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
NONE = {"NONREF", "NOTPROVIDED", "NOT PROVIDED", "NONE"}
"""How SWIFT and SEPA write that there is no reference."""


def _mod97(text: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97


def creditor_reference(text: str) -> str:
    """The first valid ISO 11649 reference of the text, or nothing."""
    return next((found[0] for found in _RF.finditer(text.upper()) if _mod97(found[0]) == 1), "")


def looks_like_iban(text: str) -> bool:
    """The shape alone: a bank that masks account numbers still means one."""
    return bool(_IBAN.fullmatch(text))


def given(text: str | None) -> str:
    """The reference, or nothing if it only says that there is none."""
    clean = (text or "").strip()
    return "" if clean.upper() in NONE else clean[:140]
