"""What a customer writes and what is left of it when the bank delivers it: names, accounts, texts in pieces.

The channel decides how much arrives: eighteen characters by BACS, four lines of 35 by SWIFT, 140 by SEPA,
several 140s in a camt entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from random import Random

from tests.quality.numbers import plain

ROOM = {"bacs": (18, 18), "swift": (35, 140), "sepa": (140, 140), "camt": (140, 420)}
"""Channel: characters a piece, characters in all."""
PREFIXES = ("", "", "", "INV ", "INV", "INVOICE ", "RE ", "RE.", "RNR ", "RG-NR. ", "FACT ", "YOUR REF ", "Your ref: ", "UR REF ")
JOINERS = (" ", " ", ", ", ",", "/", "; ", "+", " AND ", " + ", " - ")
SEPARATORS_LOST_SHARE = 0.03


def written(rng: Random, number: str) -> str:
    """An invoice number as a customer types it: whole, without its separators, with spaces, without its letters."""
    match rng.choices(("whole", "plain", "spaced", "bare", "small"), (58, 18, 9, 9, 6))[0]:
        case "plain":
            return plain(number)
        case "spaced":
            return number.replace("-", " ") if "-" in number else f"{number[:-4]} {number[-4:]}"
        case "bare":
            return number.lstrip("INVCSD-") or number
        case "small":
            return number.lower()
        case _:
            return number


def shortened(number: str) -> str:
    """Only the tail, as people do who know their own supplier: `INV-2026-004711` is `4711`."""
    return plain(number)[-6:].lstrip("0")


def listed(rng: Random, numbers: Sequence[str]) -> str:
    """Several numbers behind one prefix; sometimes the separators between them are lost."""
    joiner = "" if rng.random() < SEPARATORS_LOST_SHARE else rng.choice(JOINERS)
    return rng.choice(PREFIXES) + joiner.join(numbers)


def noise(rng: Random, on: date) -> str:
    """What else stands in a payment text: dates, telephones, the payer's own numbers, thanks, the bank's marks."""
    return rng.choice(
        (
            on.strftime("%d.%m.%Y"),
            on.strftime("DATED %d/%m/%y"),
            on.strftime("VOM %d.%m.%y"),
            f"TEL 0{rng.randint(1000, 1999)} {rng.randint(100_000, 999_999)}",
            f"TEL +49 221 {rng.randint(1_000_000, 9_999_999)}",
            f"KD-NR {rng.randint(10_000, 99_999)}",
            f"CUST NO {rng.randint(100_000, 999_999)}",
            f"EREF+{rng.randint(10**9, 10**10 - 1)}",
            f"PO {rng.randint(1_000, 60_000)}",
            f"PAYRUN {rng.randint(1, 53)}",
            f"BATCH {rng.randint(1_000, 99_999)}",
            "VIELEN DANK",
            "THANK YOU",
            "ZAHLUNG",
            "BETALING",
            "SVWZ+",
        )
    )


def with_noise(rng: Random, text: str, on: date) -> str:
    """The text among none, one or two other things; before it or behind it."""
    for _ in range(rng.choices((0, 1, 2), (55, 32, 13))[0]):
        other = noise(rng, on)
        text = f"{other} {text}" if rng.random() < 0.5 else f"{text} {other}"
    return text.strip()


def delivered(text: str, channel: str) -> tuple[str, ...]:
    """Cut into the channel's pieces in the middle of whatever stands there; what does not fit is gone."""
    piece, whole = ROOM[channel]
    text = text[:whole]
    return tuple(text[at : at + piece] for at in range(0, len(text), piece))


def fits(text: str, channel: str) -> bool:
    return len(text) <= ROOM[channel][1]


def roomy_channel(rng: Random, text: str) -> str:
    """One of the channels through which all of it arrives."""
    fitting = [channel for channel in ("bacs", "swift", "sepa", "sepa", "camt") if fits(text, channel)]
    return rng.choice(fitting) if fitting else "camt"
