"""A customer's own list of what it owes (P13), CSV or XLSX, read by a mapping: every row becomes a line or a fault, none is lost.

Figures are taken as people and programs write them, as long as they can mean one thing only.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import msgspec

from services.console.papers.apart import Ended, apart
from services.console.papers.reconciling import Theirs
from shared import money

BYTES_MAX = 20 * 1024 * 1024
UNPACKED_BYTES_MAX = 200 * 1024 * 1024
"""A workbook is unpacked whole; one that gets larger is an attack or a database."""
OPENER = "services.console.papers.opening"
SECONDS_MAX = 60
ROWS_MAX = 100_000
HEADER_ROWS_MAX = 50
"""Customers put their letterhead above the table; further down nobody looks for the header."""
PART = "Its headings"
"""What the form calls the part in which somebody says them."""
HEADINGS_SHOWN, HEADING_SHOWN = 12, 40
"""Of a list's own headings, and of the characters of one, when none of them was meant."""
CELL_MAX = 200
"""Characters of a reference or figure; a longer one is no such thing."""
_WORKBOOK = b"PK\x03\x04"
_CREDIT = re.compile(r"(?i)(?:CR|C|H|credit)\.?$")
_DEBIT = re.compile(r"(?i)(?:DR|D|S|debit)\.?$")
_AROUND = re.compile(r"[\s\u00a0\u202f']+|[€£$¥]")
_CODE = re.compile(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])")
_FIGURE = re.compile(r"[0-9]+(?:[.,][0-9]+)*")
_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%Y%m%d")


class NoList(ValueError):
    """This file is no list that can be read: why, and what to send instead."""


class Columns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mapping: the customer's own headings; `amount`, or `debit` and `credit`. `day_first` says what 03/04/2026 means."""

    reference: str
    amount: str = ""
    debit: str = ""
    credit: str = ""
    currency: str = ""
    on: str = ""
    decimal: Literal["auto", "point", "comma"] = "auto"
    day_first: bool = True
    delimiter: str = ""
    encoding: str = "utf-8-sig"

    def __post_init__(self) -> None:
        if bool(self.amount) == bool(self.debit or self.credit) or bool(self.debit) != bool(self.credit):
            raise NoList("a mapping names either amount, or debit and credit")


class Fault(msgspec.Struct, frozen=True):
    """A row that is no line: where it stands, what is wrong with it."""

    line: int
    what: str


class TheirList(msgspec.Struct, frozen=True):
    lines: tuple[Theirs, ...]
    faults: tuple[Fault, ...]


def read(data: bytes, columns: Columns, currency: str) -> TheirList:
    """The lines of the first sheet or of the CSV below its header; `currency` where the list says none. Raises `NoList`."""
    rows = rows_of(data, columns)
    start, at = _header(rows, columns)
    lines, faults = [], []
    for number, row in enumerate(rows[start:], start=start + 1):
        found = _line(number, row, at, columns, currency)
        match found:
            case Theirs():
                lines.append(found)
            case Fault():
                faults.append(found)
    return TheirList(tuple(lines), tuple(faults))


def rows_of(data: bytes, columns: Columns) -> list[list[Any]]:
    """The cells of the first sheet or of the CSV. Raises `NoList`."""
    if len(data) > BYTES_MAX:
        raise NoList(f"the list has {len(data):,} bytes, at most {BYTES_MAX:,} are read; cut it")
    rows = _sheet(data) if data.startswith(_WORKBOOK) else _commas(data, columns)
    if len(rows) > ROWS_MAX:
        raise NoList(f"the list has {len(rows):,} rows, at most {ROWS_MAX:,} are read; cut it")
    return rows


def _sheet(data: bytes) -> list[list[Any]]:
    """Opened by a process of its own: what a workbook asks of its reader cannot be told before."""
    _check_unpacked(data)
    try:
        rows: list[list[Any]] = msgspec.json.decode(apart(OPENER, data, SECONDS_MAX))
    except Ended as ended:
        raise NoList(f"the workbook cannot be read: {ended}; save it again as XLSX, or send CSV") from ended
    return rows


def _check_unpacked(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise NoList(f"the workbook cannot be read: {error}; save it again as XLSX, or send CSV") from error
    if unpacked > UNPACKED_BYTES_MAX:
        raise NoList(f"the workbook unpacks to {unpacked:,} bytes, at most {UNPACKED_BYTES_MAX:,} are read; send CSV")


def _commas(data: bytes, columns: Columns) -> list[list[Any]]:
    try:
        text = data.decode(columns.encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise NoList(f"the list is not {columns.encoding}: {error}; name its encoding in the mapping, such as cp1252") from error
    delimiter = columns.delimiter or max(";,\t|", key=lambda sign: text.count(sign))
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise NoList(f"the list is no CSV: {error}") from error


def _header(rows: list[list[Any]], columns: Columns) -> tuple[int, Mapping[str, int]]:
    """The first row that has all the headings, and where they stand."""
    named = {field: getattr(columns, field).strip() for field in ("reference", "amount", "debit", "credit", "currency", "on")}
    wanted = {field: name.casefold() for field, name in named.items() if name}
    for number, row in enumerate(rows[:HEADER_ROWS_MAX]):
        names = [str(cell).strip().casefold() for cell in row]
        if all(name in names for name in wanted.values()):
            return number + 1, {field: names.index(name) for field, name in wanted.items()}
    lacking = f"no row of the first {HEADER_ROWS_MAX} has the headings {_listed(named.values())}"
    found = _listed(_likeliest(rows[:HEADER_ROWS_MAX], set(wanted.values())))
    raise NoList(
        f"{lacking}; {f'the list has {found}' if found else 'the list has none'}: say them as they stand there, in {PART!r}"
    )


def _likeliest(rows: list[list[Any]], wanted: set[str]) -> list[str]:
    """The row that is most like a header: most of what is wanted, then most words; the first of equals."""

    def likeness(words: list[str]) -> tuple[int, int]:
        return len(wanted & {word.casefold() for word in words}), sum(not _FIGURE.fullmatch(word) for word in words)

    return max(([str(cell).strip() for cell in row if str(cell).strip()] for row in rows), key=likeness, default=[])


def _listed(words: Iterable[str]) -> str:
    return ", ".join(repr(word[:HEADING_SHOWN]) for word in [word for word in words if word][:HEADINGS_SHOWN])


def _line(number: int, row: list[Any], at: Mapping[str, int], columns: Columns, currency: str) -> Theirs | Fault | None:
    cells = {field: row[place] if place < len(row) else "" for field, place in at.items()}
    if not any(str(cell).strip() for cell in cells.values()):
        return None
    reference = _word(cells["reference"])
    if not reference:
        return Fault(number, "has no reference; a total of theirs, or a row to complete")
    if len(reference) > CELL_MAX:
        return Fault(number, f"its reference has {len(reference)} characters, at most {CELL_MAX} are taken")
    own = _word(cells.get("currency", "")).upper() or currency
    try:
        minor, on = _minor(cells, columns, own), _day(cells.get("on", ""), columns)
    except (money.NotMoney, ValueError) as error:
        return Fault(number, str(error))
    return Theirs(reference=reference, currency=own, minor=minor, line=number, on=on)


def _word(cell: Any) -> str:
    """A number of a document that Excel took for a figure: 4711, not 4711.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _minor(cells: Mapping[str, Any], columns: Columns, currency: str) -> int:
    if columns.amount:
        return amount(cells["amount"], currency, columns.decimal)
    sides = [cells["debit"], cells["credit"]]
    if not any(str(side).strip() for side in sides):
        raise ValueError("has neither a debit nor a credit")
    debit, credit = (amount(side, currency, columns.decimal) if str(side).strip() else 0 for side in sides)
    return debit - credit


def amount(cell: Any, currency: str, decimal: str = "auto") -> int:
    """Minor units of a cell: `1.234,50`, `(1,234.50)`, `1234.50-`, `£ 12 CR` or a number.

    Raises `ValueError` for what may mean two things (`1.234` of a currency with three decimals) or is finer than the currency."""
    places = money.exponent(currency)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _whole(_number(cell), places, cell, currency)
    text = str(cell).strip()
    if len(text) > CELL_MAX:
        raise ValueError(f"{text[:40]!r} is no amount")
    minus, bare = _unsigned(text)
    figure = Decimal(_pointed(bare, places, decimal, text))
    return _whole(-figure if minus else figure, places, text, currency)


def _number(cell: float) -> Decimal:
    """A sheet's number is a double: 0.1 + 0.2 is meant as 0.3. Fifteen digits are what Excel itself shows."""
    try:
        return Decimal(f"{cell:.15g}")
    except InvalidOperation as error:
        raise ValueError(f"{cell!r} is no amount") from error


def _unsigned(text: str) -> tuple[bool, str]:
    """Whether it is a credit by any of the ways people say that, and the figure alone."""
    bare = _CODE.sub("", text.replace("−", "-").replace("–", "-")).strip()
    minus = False
    if _CREDIT.search(bare) and any(sign.isdigit() for sign in bare):
        minus, bare = not minus, _CREDIT.sub("", bare)
    elif _DEBIT.search(bare) and any(sign.isdigit() for sign in bare):
        bare = _DEBIT.sub("", bare)
    bare = _AROUND.sub("", bare)
    if bare.startswith("(") and bare.endswith(")"):
        minus, bare = not minus, bare[1:-1]
    if bare.startswith("-") or bare.endswith("-"):
        minus, bare = not minus, bare.removeprefix("-").removesuffix("-")
    return minus, bare.removeprefix("+")


def _pointed(bare: str, places: int, decimal: str, text: str) -> str:
    """The figure with a point and no other sign."""
    if not (bare.isascii() and _FIGURE.fullmatch(bare)):
        raise ValueError(f"{text[:40]!r} is no amount")
    sign = {"point": ".", "comma": ","}.get(decimal) or _decimal_sign(bare, places, text)
    whole, _, fraction = bare.rpartition(sign) if sign and sign in bare else (bare, "", "")
    parts = re.split("[.,]", whole)
    if "," in fraction or "." in fraction or (sign and sign in whole) or any(len(part) != 3 for part in parts[1:]):
        raise ValueError(f"{text[:40]!r} is no amount: its thousands are not parted by three")
    return f"{''.join(parts)}.{fraction or '0'}"


def _decimal_sign(bare: str, places: int, text: str) -> str:
    """Both signs: the last one. One sign once: by the digits behind it. One sign several times: thousands."""
    found = [sign for sign in bare if sign in ".,"]
    if len(set(found)) == 2:
        return found[-1]
    if len(found) != 1:
        return ""
    behind = len(bare) - bare.index(found[0]) - 1
    if behind != 3:
        return found[0]
    if places >= 3:
        raise ValueError(f"{text[:40]!r} may mean two amounts; say in the mapping which sign parts decimals")
    return ""


def _whole(figure: Decimal, places: int, cell: Any, currency: str) -> int:
    if not figure.is_finite():
        raise ValueError(f"{cell!r} is no amount")
    minor = figure.scaleb(places)
    if minor != minor.to_integral_value():
        raise ValueError(f"{str(cell)[:40]!r} has more decimals than {currency}, which has {places}")
    return int(minor)


def _day(cell: Any, columns: Columns) -> dt.date | None:
    """A day is told, not matched by; what is none is left out rather than the line refused."""
    text = str(cell).strip()
    for form in (*_DAYS, *_slashed(columns)):
        found = _read_day(text, form)
        if found is not None:
            return found
    return None


def _slashed(columns: Columns) -> Iterable[str]:
    return ("%d/%m/%Y", "%d/%m/%y") if columns.day_first else ("%m/%d/%Y", "%m/%d/%y")


def _read_day(text: str, form: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(text, form).date()  # noqa: DTZ007
    except ValueError:
        return None
