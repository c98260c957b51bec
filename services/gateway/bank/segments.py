"""EDIFACT and X12 files to segments: the one reader both share, with the place of each segment. Delimiters come from the file.

pydifact asks for directories it does not have and tells no lines; X12 has no small reader. So forty lines of our own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from services.gateway.bank import decoding
from services.gateway.bank.limits import ENTRIES_MAX, SEGMENT_CHARS_MAX
from services.gateway.bank.statement import Broken


class Signs(NamedTuple):
    """Separators of a file. `release` takes its special meaning from the next sign (EDIFACT `?`), empty for X12."""

    element: str
    part: str
    end: str
    release: str = ""


class Segment(NamedTuple):
    """`NAD+PR+1::9`: tag NAD, elements of parts. `number` counts segments in the file from 1."""

    number: int
    line: int
    tag: str
    elements: tuple[tuple[str, ...], ...]

    @property
    def where(self) -> str:
        return f"line {self.line}, segment {self.number} {self.tag[:3]}"

    def text(self, element: int, part: int = 1) -> str:
        """The part of the element, both counted from 1 as the standards do; empty where there is none."""
        parts = self.elements[element - 1] if element <= len(self.elements) else ()
        return parts[part - 1].strip() if part <= len(parts) else ""


def split(text: str, signs: Signs) -> list[Segment]:
    """All segments. Raises `Broken` for one without its end, or a longer one than any standard has."""
    pieces = _cut(text, signs.end, signs.release)
    if pieces[-1].strip():
        raise Broken(
            f"line {decoding.line_at(text, len(text))}", "the last segment has no end: the file is cut off", "fetch it again"
        )
    if len(pieces) > ENTRIES_MAX * 10:
        raise Broken("file", f"{len(pieces)} segments, at most {ENTRIES_MAX * 10} are read", "send it in several files")
    segments, line = [], 1
    for number, piece in enumerate(pieces[:-1], start=1):
        bare = piece.lstrip("\r\n \t")
        at = line + piece.count("\n", 0, len(piece) - len(bare))
        line += piece.count("\n")
        if len(bare) > SEGMENT_CHARS_MAX:
            raise Broken(
                f"line {at}",
                f"a segment of {len(bare)} characters, at most {SEGMENT_CHARS_MAX} are read",
                "send the sender's own file",
            )
        segments.append(_segment(number, at, bare.replace("\n", ""), signs))
    return segments


def _segment(number: int, line: int, text: str, signs: Signs) -> Segment:
    tag, *elements = _cut(text, signs.element, signs.release)
    parts = tuple(tuple(_bare(part, signs.release) for part in _cut(element, signs.part, signs.release)) for element in elements)
    return Segment(number, line, tag.strip(), parts)


def _cut(text: str, sign: str, release: str) -> list[str]:
    """Pieces between the signs; a released sign does not cut, and two release signs are one that is text."""
    if not release or release not in text:
        return text.split(sign)
    pieces, start = [], 0
    for found in re.finditer(f"{re.escape(release)}.|{re.escape(sign)}", text, re.DOTALL):
        if found[0] == sign:
            pieces.append(text[start : found.start()])
            start = found.end()
    return [*pieces, text[start:]]


def _bare(text: str, release: str) -> str:
    return re.sub(re.escape(release) + "(.)", r"\1", text, flags=re.DOTALL) if release else text
