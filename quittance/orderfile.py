"""An order file as the simulator sees it: which mapping fits, what it names, and its documents cut by their own time.

A piece of the file is a file again: the header, empty lines in place of what came before, and its rows as they are, so that
line numbers told by the gateway are those of the whole file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from contracts.forms import Fault
from quittance.installation import Unusable
from services.gateway import sheet
from services.gateway.credentials import development
from services.gateway.documents import Columns, Document, Grouper
from services.gateway.fields import PLACED_FIELDS
from services.gateway.framing import NEWLINE, Framer, Row
from services.gateway.mapping import ORDERS, MappingRule, WrongShape, mappings, positions

CHUNK_BYTES = 256 * 1024
SHEET_ENDINGS = (".xlsx", ".xlsm")
RETURN = "orders.record_return"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
PADDING_LINES_MAX = 1_000_000
"""Empty lines before a piece; in longer files a piece tells its own line numbers, and its name where it stands."""


class Dated(NamedTuple):
    """A document with its time; one that has none of its own has that of the document before it."""

    at: dt.datetime
    document: Document


class Piece(NamedTuple):
    """The documents of one stretch of time as a file."""

    start: dt.datetime
    name: str
    content: bytes
    rows: int


class Survey(msgspec.Struct):
    """What a file holds, by a pass over it. `accounts`: account → currency; `orders` by their whole names.

    `lines_of`: rows per document, of its first occurrence.
    """

    rows: int = 0
    first: dt.datetime | None = None
    last: dt.datetime | None = None
    accounts: dict[str, str] = {}
    orders: set[str] = set()
    returns: set[str] = set()
    lines_of: dict[str, int] = {}


class OrderFile:
    """One order file under the mapping that its header fits. Raises `Unusable` when none does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise Unusable(f"there is no file {path}; give ORDERS=FILE or --orders FILE")
        self.is_sheet = path.suffix.lower() in SHEET_ENDINGS
        self.rule, self.columns, self._header = _fitting(path, self.is_sheet)
        self.feed = self.rule.file.feed or development().team

    @property
    def kind(self) -> str:
        return self.rule.kind

    def documents(self) -> Iterator[Dated]:
        """Every document of the file, in order of rows."""
        grouper, last = Grouper(self.columns), EPOCH
        for document in _grouped(grouper, self._rows()):
            last = max(last, self._time_of(document.rows[0]) or last)
            yield Dated(last, document)

    def _rows(self) -> Iterator[Row]:
        if self.is_sheet:
            found = sheet.rows(self.path.read_bytes())
            next(found)
            return sheet.of_width(found, len(self._header.cells))
        return self._csv_rows()

    def _csv_rows(self) -> Iterator[Row]:
        framer = Framer(self.rule.dialect)
        framer.width = len(self._header.cells)
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield from (row for row in framer.feed(chunk) if row.line > self._header.line)
        yield from (row for row in framer.end() if row.line > self._header.line)

    def _time_of(self, row: Row) -> dt.datetime | None:
        faults: list[Fault] = []
        position = self.columns.positions["received_at"]
        if len(row.cells) <= position:
            return None
        readable = row if len(row.cells) == len(self._header.cells) else None
        values = self.columns.values(readable, {"received_at": PLACED_FIELDS["received_at"]}, faults) if readable else {}
        return values.get("received_at")

    def survey(self, told: Callable[[int], None] = lambda _: None) -> Survey:
        """One pass over the file; `told` is given the rows of each document."""
        found = Survey(accounts={}, orders=set(), returns=set(), lines_of={})
        for at, document in self.documents():
            self._note(found, at, document)
            told(len(document.rows))
        return found

    def _note(self, found: Survey, at: dt.datetime, document: Document) -> None:
        found.rows += len(document.rows)
        if at != EPOCH:
            found.first, found.last = found.first or at, at
        name = f"{self.feed}/{document.reference}"
        (found.returns if self.rule.becomes(document.reference) == RETURN else found.orders).add(name)
        found.lines_of.setdefault(name, len(document.rows))
        for row in document.rows:
            if not row.faults and (account := self._cell(row, "account")):
                found.accounts.setdefault(account, self.rule.file.currency or self._cell(row, "currency"))

    def _cell(self, row: Row, name: str) -> str:
        position = self.columns.positions.get(name)
        return row.cells[position].strip() if position is not None and len(row.cells) > position else ""

    def pieces(self, cut: Callable[[dt.datetime], dt.datetime]) -> Iterator[Piece]:
        """The file cut into stretches of time, in order; `cut` gives the beginning of a moment's stretch."""
        waiting: list[Document] = []
        start = EPOCH
        for at, document in self.documents():
            begins = cut(at)
            if waiting and begins != start:
                yield self._piece(start, waiting)
                waiting = []
            start = begins
            waiting.append(document)
        if waiting:
            yield self._piece(start, waiting)

    def _piece(self, start: dt.datetime, documents: list[Document]) -> Piece:
        rows = [row for document in documents for row in document.rows]
        first = rows[0].line
        padding = first - self._header.line - 1 if first <= PADDING_LINES_MAX else 0
        body = b"".join(_with_gaps(rows))
        name = f"{self.path.name}, lines {first} to {rows[-1].line}"
        return Piece(start, name, self._header.raw + NEWLINE + NEWLINE * padding + body, len(rows))


def _with_gaps(rows: list[Row]) -> Iterator[bytes]:
    """The rows' bytes, with empty lines where the file has some, so that line numbers stay what they are."""
    line = rows[0].line
    for row in rows:
        yield NEWLINE * (row.line - line) + row.raw + NEWLINE
        line = row.line + row.raw.count(NEWLINE) + 1


def _grouped(grouper: Grouper, rows: Iterator[Row]) -> Iterator[Document]:
    for row in rows:
        yield from grouper.feed([row])
    yield from grouper.end()


def _fitting(path: Path, is_sheet: bool) -> tuple[MappingRule, Columns, Row]:
    """The mapping whose columns are those of the header."""
    for rule in mappings().values():
        if rule.file.documents.becomes not in ORDERS:
            continue
        header = _header_of(path, rule, is_sheet)
        try:
            return rule, Columns(rule, positions(rule, header.cells)), header
        except WrongShape:
            continue
    known = "; ".join(f"{rule.kind}: {', '.join(rule.file.columns.values())}" for rule in mappings().values())
    raise Unusable(
        f"no mapping fits the header of {path}; correct it, or add a mapping beside services/gateway/mappings ({known})"
    )


def _header_of(path: Path, rule: MappingRule, is_sheet: bool) -> Row:
    if is_sheet:
        return next(iter(sheet.rows(path.read_bytes())))
    framer = Framer(rule.dialect)
    with path.open("rb") as file:
        header = next(iter((*framer.feed(file.read(CHUNK_BYTES)), *framer.end())), None)
    if header is None:
        raise Unusable(f"{path} is empty")
    return header
