"""Numbers as people write them: prefixes, separators and leading zeros do not count (P6c).

`key_of` fills an indexed column, `keys_in` asks for it; both drop more than they must, and the engine looks closer afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain, pairwise
from typing import NamedTuple

KEYS_MAX = 200
"""Keys of one text: 140 characters of a bank line hold 20 numbers at most, an advice in a mail body some more."""
TEXT_MAX = 4_000
"""Characters read of a text; longer advices come as lines."""
RUNS_MAX = 5
"""Runs of letters or digits that may make up one number: `GB1-INV-2024-00123` has five."""
GAP_MAX = 3
"""Signs between two runs of one number; more is a new word."""
DIGITS_MIN = 3
"""Shorter numbers are days, quantities and years' ends, never taken for a document."""
WHOLE_MIN = 4
"""Leading letters are a prefix only if so much is left; `AB2G5` is a number of its own."""
LENGTH_MAX = 30
SUFFIX_MAX = 1
"""Letters behind a separator that still belong to the number before: `RE-10023-A`."""
PIECES = (18, 27, 35, 65, 70, 140)
"""Characters of a full piece of text: BACS, MT940 subfields and lines, MT103 lines, SEPA; banks cut in the middle of a number."""
TEXTS = (18, 140)
"""Characters of a text that is full: what was written behind them did not arrive."""

_DIGITS = ":"  # the sign behind 9: a run of digits sorts before it, letters behind it
_RUN = re.compile(r"[A-Z]+|[0-9]+")
_AMOUNT = re.compile(r"(?<![A-Z0-9.,/-])[0-9]+(?:[.,][0-9]{3})*[.,][0-9]{2}(?![0-9]|[.,/-][0-9])")
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_ENDS = re.compile(r"[,;\n+&]")
_DATE = re.compile(
    r"(?<![0-9])(?:(?:19|20)[0-9]{2}([-/.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])([-/.])(?:0?[1-9]|1[0-2])\2(?:20)?[0-9]{2})(?![0-9])"
)


class Run(NamedTuple):
    """Letters or digits of a text, where they stand, and whether they may continue the run before."""

    text: str
    start: int
    end: int
    joins: bool

    @property
    def is_digits(self) -> bool:
        return self.text[0] <= "9"


class Number(NamedTuple):
    """A number without its prefix: `raw` as written, `stripped` without leading zeros of groups, and the letters before it."""

    raw: str
    stripped: str
    prefix: str = ""

    @property
    def forms(self) -> tuple[str, ...]:
        return (self.stripped,) if self.raw == self.stripped else (self.raw.lstrip("0"), self.stripped)


def runs_of(text: str) -> list[Run]:
    """Runs in order. A comma, a semicolon, a line end or more than three signs end a number."""
    runs: list[Run] = []
    before = 0
    for hit in _RUN.finditer(text):
        start, end = hit.span()
        joins = bool(runs) and start - before <= GAP_MAX and not _ENDS.search(text, before, start)
        runs.append(Run(hit[0], start, end, joins))
        before = end
    return runs


def number_in(written: str) -> Number:
    """The number of a document as somebody writes it: leading letters are its prefix, unless too little would be left."""
    parts = _RUN.findall(written.upper())
    at = next((at for at, part in enumerate(parts) if part <= _DIGITS), 0)
    rest = parts[at:]
    if at and sum(map(len, rest)) < WHOLE_MIN:
        return Number("".join(parts), "".join(part.lstrip("0") for part in parts))
    return Number("".join(rest), "".join([part.lstrip("0") for part in rest]), parts[at - 1] if at else "")


def tail_of(written: str) -> str:
    """The last group of digits without leading zeros: what people quote of a long number."""
    parts = _RUN.findall(written.upper())
    return parts[-1].lstrip("0") if parts and parts[-1] <= _DIGITS else ""


def key_of(item_number: str) -> str:
    """The indexed form of a number: no prefix, no separators and no zeros at all, so that lost or added zeros do not hide it."""
    return number_in(item_number).raw.replace("0", "")[:LENGTH_MAX]


def keys_in(*texts: str) -> tuple[str, ...]:
    """Keys of all numbers that texts may carry, in order, at most `KEYS_MAX`."""
    keys: dict[str, None] = {}
    for number in chain.from_iterable(map(numbers_in, texts)):
        if key := number.raw.replace("0", ""):
            keys[key] = None
        if len(keys) == KEYS_MAX:
            break
    return tuple(keys)


def numbers_in(text: str) -> Iterator[Number]:
    runs = runs_of(readable(text))
    for start in range(len(runs)):
        for _, number in windows(runs, start):
            yield number


def readable(text: str) -> str:
    """Capitals, pieces joined, with amounts and bank accounts blanked out: 100.23 is not invoice 10023."""
    upper = joined(text[:TEXT_MAX]).upper()
    if "." in upper or "," in upper:
        upper = _AMOUNT.sub(_blank, upper)
    return _IBAN.sub(_blank_iban, upper)


def joined(text: str) -> str:
    """Lines that are the full pieces of one text become one line again; lines that somebody wrote stay lines."""
    if "\n" not in text:
        return text
    pieces = text.split("\n")
    whole, length = pieces[0], len(pieces[0])
    for before, piece in pairwise(pieces):
        goes_on = length in PIECES and len(before) == length and len(piece) <= length
        whole += piece if goes_on else f"\n{piece}"
        length = length if goes_on else len(piece)
    return whole


def flat(text: str) -> str:
    """The text as one line, to look for words in."""
    return " ".join(joined(text).split())


def is_full(text: str) -> bool:
    """The bank had no room for more."""
    return len(joined(text)) in TEXTS


def dates_in(text: str) -> list[tuple[int, int]]:
    return [hit.span() for hit in _DATE.finditer(text)]


def _blank(hit: re.Match[str]) -> str:
    return ";" * len(hit[0])


def _blank_iban(hit: re.Match[str]) -> str:
    compact = hit[0].replace(" ", "")
    digits = "".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])
    is_account = len(compact) >= 15 and not compact.startswith("RF") and int(digits) % 97 == 1
    return _blank(hit) if is_account else hit[0]


def windows(runs: list[Run], start: int) -> list[tuple[int, Number]]:
    """Numbers that begin at this run, the longest first, each with the run behind its end."""
    found: list[tuple[int, Number]] = []
    first = runs[start]
    if not first.is_digits and not (start + 1 < len(runs) and _is_own_word(runs, start)):
        return found
    raw = stripped = ""
    digits = 0
    for end in range(start, min(start + RUNS_MAX, len(runs))):
        run = runs[end]
        if end > start and not run.joins:
            break
        raw += run.text
        stripped += run.text.lstrip("0") if run.is_digits else run.text
        digits += len(run.text) if run.is_digits else 0
        ends_here = run.is_digits or (end > start and (run.start == runs[end - 1].end or len(run.text) <= SUFFIX_MAX))
        if digits >= 1 and len(raw) >= DIGITS_MIN and ends_here and len(raw) <= LENGTH_MAX and (first.is_digits or end > start):
            found.append((end + 1, Number(raw, stripped, _word_before(runs, start))))
    found.reverse()
    return found


def _is_own_word(runs: list[Run], start: int) -> bool:
    """Letters belong to a number when they touch its digits and the digits alone would be too short."""
    following = runs[start + 1]
    return following.start == runs[start].end and following.is_digits and len(following.text) < WHOLE_MIN


def _word_before(runs: list[Run], start: int) -> str:
    return runs[start - 1].text if start and runs[start].joins and not runs[start - 1].is_digits else ""
