"""A guard as a value: the promise that hangs on it, the text that makes it, and the tests that must miss it.

A change is a piece of the source as it stands, and what stands there when the guard is out. The piece must be found exactly
once; when the source has moved on, the run stops and names the entry to mend.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PURE = "tests/models/"
"""Tests of this folder need no servers."""
PATIENCE_S = 150.0
"""Longest run of one guard's tests: waits of twenty seconds, several in a row, on a busy machine."""
Change = tuple[str, str]


class NotFound(LookupError):
    """The text of an entry is not, or not only once, in its file."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """`promise`: the number of a guarantee in design.md, a word of its fine print, or a requirement.

    `hangs`: without it the tests may wait for ever, so a run that does not end counts as caught.
    """

    name: str
    promise: str
    file: str
    takes_out: tuple[Change, ...]
    tests: tuple[str, ...]
    hangs: bool = False

    @property
    def needs_servers(self) -> bool:
        return not all(test.startswith(PURE) for test in self.tests)

    def disarmed(self, source: str) -> str:
        """The file's text without the guard. Raises NotFound, saying which entry to mend."""
        for was, becomes in self.takes_out:
            count = source.count(was)
            if count != 1:
                raise NotFound(
                    f"guard {self.name!r}: its text stands {count} times in {self.file}, not once: {was!r}. "
                    "The source moved on; mend the entry, or remove it together with the guard"
                )
            source = source.replace(was, becomes)
        return source

    def source(self, tree: Path) -> str:
        return (tree / self.file).read_text()


def out(was: str, becomes: str) -> tuple[Change, ...]:
    """One piece of text, and what stands there instead."""
    return ((was, becomes),)
