"""Bytes to text, strictly: an encoding that does not fit is refused with its line, never replaced by question marks."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from typing import Literal

from services.gateway.bank.limits import FIELD_CHARS_MAX, FILE_BYTES_MAX, LINE_CHARS_MAX, TEXT_CHARS_MAX
from services.gateway.bank.statement import Broken

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_ENDS = b"\x1a\x03"
"""Ends of text of DOS and of SWIFT, which no reader needs."""
Controls = Literal["refused", "kept", "blank"]
_SPACES = re.compile(r"\s+")


def of_size(data: bytes) -> bytes:
    if len(data) > FILE_BYTES_MAX:
        raise Broken("file", f"{len(data)} bytes, at most {FILE_BYTES_MAX} are read", "send the statements in several files")
    if not data.strip():
        raise Broken("file", "the file is empty", "send it again")
    return data


def marked(data: bytes) -> tuple[bytes, str]:
    """The bytes without their byte order mark, and the encoding it names, or none."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :], encoding
    return data, ""


def text_of(data: bytes, allowed: Sequence[str] = ("utf-8", "cp1252"), controls: Controls = "refused") -> str:
    """Text of a bank's or customer's file: by its mark, else the first encoding that fits. Line ends become newlines.

    Control characters are `refused`, `kept` where they separate (EDI), or made `blank` where banks let them into free text.
    """
    bare, encoding = marked(data.rstrip(_ENDS))
    text = _decoded(bare, (encoding,) if encoding else allowed).replace("\r\n", "\n").replace("\r", "\n")
    if controls == "blank":
        return _CONTROL.sub(" ", text)
    if controls == "refused" and (found := _CONTROL.search(text)):
        where = f"line {line_at(text, found.start())}"
        raise Broken(where, f"holds the control character {found[0]!r}: no text, or in another encoding", "send UTF-8")
    return text


def _decoded(data: bytes, encodings: Sequence[str]) -> str:
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            last = error
    line = data.count(b"\n", 0, last.start) + 1
    raise Broken(f"line {line}", f"the byte {data[last.start]:#04x} fits none of: {', '.join(encodings)}", "send UTF-8") from last


def lines_of(text: str) -> list[str]:
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if len(line) > LINE_CHARS_MAX:
            raise Broken(
                f"line {number}", f"{len(line)} characters, at most {LINE_CHARS_MAX} are read", "send the file with its line ends"
            )
    return lines


def line_at(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def field(text: str | None, chars: int = FIELD_CHARS_MAX) -> str:
    """One line of text, blanks made single, cut to the field's length."""
    return _SPACES.sub(" ", text or "").strip()[:chars]


def joined(parts: Sequence[str | None]) -> str:
    """Unstructured text of several parts, in their order, each once in a row; a newline stands where a line or a part ended.

    A blank at a line's end stays: banks cut in the middle of a word, and matching knows a full line by its length (P6c).
    """
    kept: list[str] = []
    for line in (line for part in parts for line in (part or "").split("\n")):
        clean = _SPACES.sub(" ", line).lstrip()
        if clean and (not kept or kept[-1].rstrip() != clean.rstrip()):
            kept.append(clean)
    return "\n".join(kept)[:TEXT_CHARS_MAX].rstrip()


def flat(text: str) -> str:
    """The same text as one line, to look for words in."""
    return field(text, TEXT_CHARS_MAX)
