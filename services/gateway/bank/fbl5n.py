"""Open items as SAP lists them (FBL5N): spreadsheet, CSV, tab text or the list with bars, English or German headings (P2, G3)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence

import msgspec

from services.gateway.bank import amounts, decoding, table
from services.gateway.bank.statement import Broken
from services.gateway.bank.table import HEADER_ROWS_MAX, Row

COLUMNS: dict[str, tuple[str, ...]] = {
    "account": ("account", "customer", "konto", "debitor", "customer account", "kunde"),
    "item": ("document number", "documentno", "document no.", "documentno.", "doc. no.", "belegnummer", "belegnr", "beleg-nr."),
    "year": ("fiscal year", "year", "geschäftsjahr", "gjahr"),
    "position": ("line item", "itm", "item", "position", "pos", "buchungszeile"),
    "kind": ("document type", "type", "ty", "doc. type", "belegart", "art"),
    "amount": (
        "amount in doc. curr.",
        "amount in document currency",
        "amount in dc",
        "betrag in belegwährung",
        "amount in local currency",
        "amount in lc",
        "loc.curr.amount",
        "betrag in hauswährung",
        "amount",
        "betrag",
    ),
    "currency": (
        "document currency",
        "curr.",
        "currency",
        "crcy",
        "belegwährung",
        "währung",
        "währg",
        "local currency",
        "lcurr",
        "hauswährung",
    ),
    "document_on": ("document date", "doc. date", "doc.date", "belegdatum", "belegdat"),
    "due_on": ("net due date", "due date", "net due dt", "nettofälligkeit", "fälligkeit", "due on", "net due"),
    "reference": ("reference", "referenz", "reference document"),
    "assignment": ("assignment", "zuordnung"),
    "text": ("text", "item text", "buchungstext", "positionstext"),
}
"""Our field -> SAP's headings, the one that is taken first in front. Amounts in document currency before local ones."""
_LOCAL = re.compile(r"local|lc\b|loc\.|haus")
_NEEDED = ("item", "amount", "document_on")
_DELIMITERS = ("\t", "|", ";", ",")
_DAYS = ("%d.%m.%Y", "iso", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%Y%m%d", "%d.%m.%y")
_HEADED = re.compile(r"^(customer|account|debitor|konto|customer account)\b[ :*]*$", re.IGNORECASE)
_RULE = re.compile(r"[-|=+ ]*")


class OpenItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unsettled item of SAP's ledger; debits positive. `item` is document/year/line as far as the list has them."""

    account: str
    item: str
    kind: str
    amount_minor: int
    currency: str
    document_on: dt.date
    due_on: dt.date | None
    reference: str = ""
    text: str = ""


class _List:
    """The list under its heading: where each field stands, and how amounts and days are written in all of it."""

    def __init__(self, positions: dict[str, int], rows: Sequence[Row], above: Sequence[Row], currency: str) -> None:
        self.positions, self.rows, self.currency = positions, rows, currency
        self.account = _headed(above)
        self.decimal = _decimal([self.text(row, "amount") for row in rows if positions["amount"] not in row.numbers])
        self.days = _day_form([self.text(row, name) for row in rows for name in ("document_on", "due_on")])

    def text(self, row: Row, name: str) -> str:
        at = self.positions.get(name)
        return row.cells[at] if at is not None and at < len(row.cells) else ""


def find_text(text: str) -> tuple[OpenItem, ...] | None:
    """The items, or None if no line is SAP's heading."""
    for delimiter in _DELIMITERS:
        head = "\n".join(text.split("\n", HEADER_ROWS_MAX)[:HEADER_ROWS_MAX])
        if _is_heading_in(head, delimiter):
            return _items(_barred(text) if delimiter == "|" else table.of_text(text, delimiter))
    return None


def find_rows(rows: Sequence[Row]) -> tuple[OpenItem, ...] | None:
    return _items(rows) if any(_positions(row.cells) for row in rows[:HEADER_ROWS_MAX]) else None


def _is_heading_in(head: str, delimiter: str) -> bool:
    return any(_positions([cell.strip(' "') for cell in line.split(delimiter)]) for line in head.split("\n"))


def _barred(text: str) -> list[Row]:
    """A list as SAP prints it: bars between columns, rules of dashes between blocks."""
    rows = []
    for number, line in enumerate(decoding.lines_of(text), start=1):
        if not _RULE.fullmatch(line):
            rows.append(Row(number, tuple(cell.strip() for cell in line.strip().strip("|").split("|"))))
    return rows


def _positions(cells: Sequence[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in cells]
    found: dict[str, int] = {}
    for name, headings in COLUMNS.items():
        at = next((names.index(heading) for heading in headings if heading in names), None)
        if at is not None:
            found[name] = at
    return found if all(name in found for name in _NEEDED) else {}


def _items(rows: Sequence[Row]) -> tuple[OpenItem, ...]:
    at = next(number for number, row in enumerate(rows) if _positions(row.cells))
    positions = _positions(rows[at].cells)
    _match_currency(positions, rows[at])
    kept = [row for row in rows[at + 1 :] if row.cells != rows[at].cells]
    listed = _List(positions, kept, rows[:at], "")
    items = tuple(_listed(listed))
    if not items:
        raise Broken(f"line {rows[at].line}", "the list has a heading and no items", "export it again with its items")
    return items


def _match_currency(positions: dict[str, int], head: Row) -> None:
    """An amount in local currency needs the local currency's column, where the list has both."""
    names = [cell.strip().lower() for cell in head.cells]
    is_local = bool(_LOCAL.search(names[positions["amount"]]))
    candidates = [at for at, name in enumerate(names) if name in COLUMNS["currency"]]
    fitting = [at for at in candidates if bool(_LOCAL.search(names[at]) or names[at] == "lcurr") == is_local]
    if not candidates:
        raise Broken(f"line {head.line}", "no column says the currency", "add the column Currency to the layout")
    positions["currency"] = (fitting or candidates)[0]


def _listed(listed: _List) -> Iterator[OpenItem]:
    """Items, and between them subtotals, which must be what the items above them are."""
    account, since = listed.account, dict[str, int]()
    for row in listed.rows:
        if not listed.text(row, "item"):
            account = _headed([row]) or account
            since = _checked_subtotal(listed, row, since)
            continue
        item = _item(listed, row, account)
        since[item.currency] = since.get(item.currency, 0) + item.amount_minor
        yield item


def _checked_subtotal(listed: _List, row: Row, since: dict[str, int]) -> dict[str, int]:
    currency, stars = listed.text(row, "currency"), next((cell for cell in row.cells if cell), "")
    if not stars.startswith("*") or stars.startswith("**") or not listed.text(row, "amount"):
        return since
    currency = currency or (next(iter(since)) if len(since) == 1 else "")
    if currency in since:
        minor = _amount(listed, row, currency)
        if minor != since[currency]:
            told = amounts.told(since[currency], currency)
            raise Broken(
                f"line {row.line}",
                f"the subtotal is {amounts.told(minor, currency)}, its items are {told}",
                "export the list again",
            )
    return {}


def _item(listed: _List, row: Row, headed: str) -> OpenItem:
    account = listed.text(row, "account") or headed
    if not account:
        raise Broken(
            f"line {row.line}, account", "neither the row nor a line above the list names the account", "add the column Account"
        )
    currency = listed.text(row, "currency")
    number = [listed.text(row, name) for name in ("item", "year", "position")]
    return OpenItem(
        account=account,
        item=decoding.field("/".join(part for part in number if part), 60),
        kind=decoding.field(listed.text(row, "kind"), 10),
        amount_minor=_amount(listed, row, currency),
        currency=currency,
        document_on=_day(listed, row, "document_on") or _missing(row),
        due_on=_day(listed, row, "due_on"),
        reference=decoding.field(listed.text(row, "reference") or listed.text(row, "assignment"), 60),
        text=decoding.field(listed.text(row, "text")),
    )


def _missing(row: Row) -> dt.date:
    raise Broken(f"line {row.line}, document date", "is empty", "export the list again with its dates")


def _amount(listed: _List, row: Row, currency: str) -> int:
    decimal = "." if listed.positions["amount"] in row.numbers else listed.decimal
    return amounts.business(listed.text(row, "amount"), currency, decimal, f"line {row.line}, amount")


def _day(listed: _List, row: Row, name: str) -> dt.date | None:
    text = listed.text(row, name)
    if not text or not text.strip("0./-"):
        return None
    form = "iso" if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*", text) else listed.days
    return amounts.day(text[:10] if form == "iso" else text, form, f"line {row.line}, {name}")


def _decimal(texts: Sequence[str]) -> str:
    """The decimal sign of the whole list: the last sign that decimals follow. A list that has both is not one user's."""
    last = {found[1] for text in texts if (found := re.search(r"([.,])[0-9]{1,2}-?$", text))}
    if len(last) > 1:
        raise Broken("column amount", "some amounts end in ,00 and some in .00", "export the list with one number format")
    return last.pop() if last else ","


def _day_form(texts: Sequence[str]) -> str:
    """The first form all days of the list have. Day and month are told apart by a day beyond the twelfth."""
    given = {text for text in texts if text.strip("0./-") and not re.match(r"[0-9]{4}-", text)}
    forms = [form for form in _DAYS if all(_has_form(text, form) for text in given)]
    if {"%m/%d/%Y", "%d/%m/%Y"} <= set(forms) and given:
        raise Broken(
            "column document date", "no day tells whether day or month comes first", "export the list with dates as 2026-01-31"
        )
    return forms[0] if forms else _DAYS[0]


def _has_form(text: str, form: str) -> bool:
    try:
        amounts.day(text, form, "")
    except Broken:
        return False
    return True


def _headed(rows: Sequence[Row]) -> str:
    """The account that a line above the items names, as in the list of one customer."""
    for row in reversed(rows):
        filled = [cell for cell in row.cells if cell]
        if len(filled) >= 2 and _HEADED.match(filled[0]):
            return filled[1]
        if len(filled) == 1 and (
            found := re.match(r"(?:customer|account|debitor|konto)[ :*]+([A-Z0-9]{1,20})\b", filled[0], re.IGNORECASE)
        ):
            return found[1]
    return ""
