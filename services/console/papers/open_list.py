"""An ERP's list of open items as SAP exports it (FBL5N), CSV or XLSX, English or German headings (P1).

Every row is an item or a fault; rows without a document number are SAP's subtotals, and are passed over.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.console.papers.differing import Theirs
from services.console.papers.their_list import Columns, Fault, NoList, amount, rows_of
from shared import money

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "account": ("account", "customer", "konto", "debitor", "kunde"),
    "item": ("document number", "documentno", "document no.", "belegnummer"),
    "year": ("fiscal year", "year", "geschäftsjahr"),
    "position": ("line item", "itm", "item", "position", "buchungszeile"),
    "amount": ("amount in doc. curr.", "amount in document currency", "betrag in belegwährung", "amount", "betrag"),
    "currency": ("document currency", "currency", "curr.", "belegwährung", "währung"),
    "due_on": ("net due date", "due date", "nettofälligkeit", "fälligkeit"),
    "reference": ("reference", "referenz"),
}
"""Our field -> SAP's headings, the one that is taken first in front."""
NEEDED = ("account", "item", "amount", "currency")
HEADER_ROWS_MAX = 50
_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d.%m.%y")
_READ = Columns(reference="document number", amount="amount")
"""How the file itself is read: any delimiter, UTF-8."""


class OpenList(msgspec.Struct, frozen=True):
    items: tuple[Theirs, ...]
    faults: tuple[Fault, ...]


def read(data: bytes) -> OpenList:
    """The items under the list's heading. Raises `NoList`."""
    rows = rows_of(data, _READ)
    start, at = _heading(rows)
    items, faults = [], []
    for number, row in enumerate(rows[start:], start=start + 1):
        match _item(number, row, at):
            case Theirs() as found:
                items.append(found)
            case Fault() as fault:
                faults.append(fault)
    return OpenList(tuple(items), tuple(faults))


def _heading(rows: Sequence[Sequence[Any]]) -> tuple[int, Mapping[str, int]]:
    for number, row in enumerate(rows[:HEADER_ROWS_MAX]):
        names = [str(cell).strip().casefold() for cell in row]
        found = {field: names.index(name) for field, told in HEADINGS.items() for name in reversed(told) if name in names}
        if all(field in found for field in NEEDED):
            return number + 1, found
    wanted = ", ".join(HEADINGS[field][0] for field in NEEDED)
    raise NoList(f"no row of the first {HEADER_ROWS_MAX} has the headings {wanted}; export the list with them")


def _item(number: int, row: Sequence[Any], at: Mapping[str, int]) -> Theirs | Fault | None:
    cells = {field: row[place] if place < len(row) else "" for field, place in at.items()}
    if not _word(cells["item"]) or not _word(cells["account"]):
        return None
    currency = _word(cells["currency"]).upper()
    try:
        minor, due_on = amount(cells["amount"], currency), _day(cells.get("due_on", ""))
    except (money.NotMoney, ValueError, LookupError) as error:
        return Fault(number, str(error))
    return Theirs(
        account=_word(cells["account"]),
        item="/".join(part for name in ("item", "year", "position") if (part := _word(cells.get(name, "")))),
        reference=_word(cells.get("reference", "")),
        currency=currency,
        minor=minor,
        due_on=due_on,
        line=number,
    )


def _word(cell: Any) -> str:
    """A number that the sheet took for a figure: 4711, not 4711.0."""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _day(cell: Any) -> dt.date | None:
    text = _word(cell)
    if not re.search("[1-9]", text):
        return None
    for form in _DAYS:
        try:
            return dt.datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    raise ValueError(f"{text[:40]!r} is no day; export the list with dates as 2026-01-31 or 31.01.2026")
