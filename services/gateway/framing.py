"""Bytes of a CSV file to rows, as a stream: where every row stands in the file, its bytes, its cells or what is wrong.

Lines are found first and quotes second, so a broken quote costs its own line and never swallows the rest of the file.
Pure: no database, no clock; feed it chunks of any size and the rows are the same.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from contracts.forms import Fault

LINE_BYTES_MAX = 64 * 1024
"""Longest line of a file; what is longer is no row of anybody's export, and is quarantined by its beginning."""
NEWLINE = b"\n"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Dialect(NamedTuple):
    """How a file is written. `quoted_lines_max`: over how many lines a quoted cell may run."""

    delimiter: str = ","
    encoding: str = "utf-8"
    quoted_lines_max: int = 1


class Row(NamedTuple):
    """One row as it stands in the file. `line` counts from 1, the header included; `offset` and `size` are bytes."""

    line: int
    offset: int
    size: int
    raw: bytes
    cells: list[str]
    faults: tuple[Fault, ...] = ()


class _Line(NamedTuple):
    line: int
    offset: int
    size: int
    raw: bytes


class Framer:
    """Feed it chunks, take rows. `width` is the number of cells of the header, once that is known."""

    def __init__(self, dialect: Dialect, offset: int = 0, line: int = 1) -> None:
        self._dialect = dialect
        self._rest = b""
        self._offset = offset
        self._line = line
        self._cut = 0  # bytes of the current line that were too many to keep
        self._pending: deque[_Line] = deque()
        self.width: int | None = None

    def feed(self, chunk: bytes) -> Iterator[Row]:
        """The rows that are complete with this chunk."""
        *lines, self._rest = (self._rest + chunk).split(NEWLINE)
        for raw in lines:
            self._push(raw, len(raw) + 1)
        if len(self._rest) > LINE_BYTES_MAX:
            self._shorten()
        return self._rows(at_end=False)

    def end(self) -> Iterator[Row]:
        """The rows that the end of the file completes."""
        if self._rest or self._cut:
            self._push(self._rest, len(self._rest))
            self._rest = b""
        return self._rows(at_end=True)

    def _shorten(self) -> None:
        """Keep the beginning of an endless line and count the rest, so that memory stays bounded."""
        kept = LINE_BYTES_MAX + 1
        self._cut += len(self._rest) - kept
        self._rest = self._rest[:kept]

    def _push(self, raw: bytes, size: int) -> None:
        size += self._cut
        self._cut = 0
        self._pending.append(_Line(self._line, self._offset, size, raw.removesuffix(b"\r")))
        self._line += 1
        self._offset += size

    def _rows(self, at_end: bool) -> Iterator[Row]:
        rows = []
        while self._pending:
            row = self._take(at_end)
            if row is None:
                break
            if row.raw:
                rows.append(row)
        return iter(rows)

    def _take(self, at_end: bool) -> Row | None:
        """The next row, or None when it needs lines that have not come yet."""
        first = self._pending[0]
        if b'"' not in first.raw or len(first.raw) > LINE_BYTES_MAX:
            return self._checked(self._pending.popleft())
        wanted = min(self._dialect.quoted_lines_max, len(self._pending))
        for count in range(1, wanted + 1):
            cells = self._quoted(count)
            if cells is not None:
                return self._joined(count, cells)
        if wanted < self._dialect.quoted_lines_max and not at_end:
            return None
        return _faulty(self._pending.popleft(), self._broken_quote())

    def _checked(self, line: _Line) -> Row:
        if len(line.raw) > LINE_BYTES_MAX:
            return _faulty(line, _too_long(line))
        text = self._decoded(line.raw)
        if isinstance(text, Fault):
            return _faulty(line, text)
        return self._of_width(Row(*line, text.split(self._dialect.delimiter)))

    def _quoted(self, count: int) -> list[str] | Fault | None:
        """The cells of the first `count` lines as one row; None when a quote is still open."""
        raw = NEWLINE.join(self._pending[n].raw for n in range(count))
        text = self._decoded(raw)
        if isinstance(text, Fault):
            return text if count == 1 else None
        cells = _split_quoted(text, self._dialect.delimiter)
        # Lines that only seem to belong together are no row of the header's width: the quote was broken.
        return cells if count == 1 or cells is None or len(cells) == self.width else None

    def _joined(self, count: int, cells: list[str] | Fault) -> Row:
        lines = [self._pending.popleft() for _ in range(count)]
        raw = NEWLINE.join(line.raw for line in lines)
        joined = _Line(lines[0].line, lines[0].offset, sum(line.size for line in lines), raw)
        return _faulty(joined, cells) if isinstance(cells, Fault) else self._of_width(Row(*joined, cells))

    def _of_width(self, row: Row) -> Row:
        if self.width is None or len(row.cells) == self.width or not row.raw:
            return row
        problem = f"the row has {len(row.cells)} cells, the header names {self.width}"
        mend = "quote a cell that holds the delimiter, or add what is missing"
        return row._replace(faults=(Fault("row", problem, mend),))

    def _decoded(self, raw: bytes) -> str | Fault:
        try:
            text = raw.decode(self._dialect.encoding)
        except UnicodeDecodeError as error:
            return _wrong_encoding(error, self._dialect.encoding)
        return Fault("row", "holds the NUL character", "remove it") if "\0" in text else text

    def _broken_quote(self) -> Fault:
        lines = self._dialect.quoted_lines_max
        problem = f"a quote is not closed within {lines} line{'s' * (lines > 1)}, or text follows a closed one"
        return Fault("row", problem, 'close the quote, and write a quote inside a cell twice: "5"" pipe"')


def _split_quoted(text: str, delimiter: str) -> list[str] | None:
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _faulty(line: _Line, fault: Fault) -> Row:
    return Row(line.line, line.offset, line.size, line.raw[:LINE_BYTES_MAX], [], (fault,))


def _too_long(line: _Line) -> Fault:
    problem = f"the line has {line.size} bytes, at most {LINE_BYTES_MAX} are read"
    return Fault("row", problem, "check the line ends of the file")


def _wrong_encoding(error: UnicodeDecodeError, encoding: str) -> Fault:
    problem = f"byte {error.start + 1} of the row ({error.object[error.start]:#04x}) is not {encoding}"
    guess = "this looks like Latin-1: declare `encoding: latin-1` in the mapping, or save the file as UTF-8"
    return Fault("row", problem, guess if encoding == "utf-8" else "declare the file's encoding in the mapping")
