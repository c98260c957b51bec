"""Rows to documents, documents to commands: an order, a return, an account, an invoice. Pure.

A document is sent on whole or not at all: one bad row holds back every row of it, each with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from contracts.accounts import OpenAccount, Terms
from contracts.forms import Fault, Faulty
from contracts.message import Command
from contracts.orders import LINES_MAX, Line, Placed, PlaceOrder, RecordReturn
from contracts.payments import Clears, Covers, Discount, Opens, PostItem, TakePosting
from contracts.words import Reference
from services.gateway import fields
from services.gateway.fields import Misread, Reader, Style
from services.gateway.framing import Row
from services.gateway.mapping import MappingRule
from shared import money

Values = dict[str, Any]
AMOUNT_FIELDS = frozenset({"total", "prepaid", "limit", "standard_order", "insured", "amount"})
"""Fields that a message carries in minor units, under the name with `_minor`."""
BAD_ELSEWHERE = "another line of this document is bad: line "
"""What is wrong with a line that is good itself; behind it stands the number of the document's first bad line."""


class Document(NamedTuple):
    """Rows that belong together. `oversized`: it has more rows than one order may have; more of it may follow."""

    reference: str
    rows: tuple[Row, ...]
    oversized: bool = False


class Held(NamedTuple):
    """A row that goes to quarantine, with every reason."""

    row: Row
    faults: tuple[Fault, ...]


class Columns:
    """Where the fields of this file stand, and how its cells are read."""

    def __init__(self, rule: MappingRule, positions: Mapping[str, int]) -> None:
        self.rule = rule
        self.positions = positions
        self.style = Style(rule.file.times, rule.file.days, rule.zone)
        self._key = positions[rule.key]

    def reference(self, row: Row) -> str | None:
        """The document this row belongs to; of an unreadable row its first cells may still say it."""
        if row.cells:
            return row.cells[self._key].strip() if len(row.cells) > self._key else None
        cells = row.raw[:1000].decode("latin-1").split(self.rule.file.delimiter)
        return cells[self._key].strip() if len(cells) > self._key and '"' not in cells[self._key] else None

    def values(self, row: Row, wanted: Mapping[str, Reader], faults: list[Fault]) -> Values:
        """The given fields of a row; every cell that cannot be read adds a fault."""
        values: Values = {}
        for name, position in self.positions.items():
            reader = wanted.get(name)
            text = row.cells[position].strip() if reader else ""
            if reader and text:
                self._read(name, reader, text, values, faults)
        return values

    def _read(self, name: str, reader: Reader, text: str, values: Values, faults: list[Fault]) -> None:
        try:
            values[name] = reader(text, self.style)
        except Misread as error:
            faults.append(Fault(self.rule.file.columns[name], error.problem, error.mend))


# --- rows to documents ----------------------------------------------------------------------------------------------


class Grouper:
    """Feed it rows in order, take documents. `oversized`: the reference whose first rows already were too many."""

    def __init__(self, columns: Columns, oversized: str | None = None) -> None:
        self._columns = columns
        self._each = columns.rule.file.documents.rows == "each"
        self._open: list[Row] = []
        self._reference = oversized or ""
        self._oversized = oversized is not None

    def feed(self, rows: Iterable[Row]) -> Iterator[Document]:
        for row in rows:
            reference = self._columns.reference(row)
            # A row that does not even say where it belongs holds back the document it interrupts.
            if self._each or (reference is not None and reference != self._reference):
                yield from self.end()
                self._reference, self._oversized = reference or "", False
            self._open.append(row)
            if len(self._open) > LINES_MAX:
                self._oversized = True
                yield from self.end()

    def end(self) -> Iterator[Document]:
        if self._open:
            yield Document(self._reference, tuple(self._open), self._oversized)
            self._open = []


# --- documents to commands ------------------------------------------------------------------------------------------


def read(document: Document, columns: Columns, feed: str) -> Command | list[Held]:
    """The command this document wishes, or all its rows with their reasons. `feed` names the sender's numbering."""
    if document.oversized:
        problem = f"document {document.reference!r} has more than {LINES_MAX} rows"
        return _all_held(document, Fault("row", problem, "split it into orders of their own"))
    bad = {row.line: list(row.faults) for row in document.rows if row.faults}
    command = _MAKE[columns.rule.becomes(document.reference)](document, columns, feed, bad) if not bad else None
    return command if command is not None and not bad else _held(document, bad)


def _all_held(document: Document, fault: Fault) -> list[Held]:
    return [Held(row, (*row.faults, fault)) for row in document.rows]


def _held(document: Document, bad: Mapping[int, list[Fault]]) -> list[Held]:
    first = min(bad)
    other = Fault("row", f"{BAD_ELSEWHERE}{first}", f"repair line {first}, then replay")
    return [Held(row, tuple(bad.get(row.line, (other,)))) for row in document.rows]


def hold(document: Document, fault: Fault) -> list[Held]:
    """The whole document held back for a reason of its own, told on its first row."""
    return _held(document, {document.rows[0].line: [fault]})


Bad = dict[int, list[Fault]]


def _order(document: Document, columns: Columns, feed: str, bad: Bad) -> Command | None:
    head, lines = _head(document, columns, bad), _lines(document, columns, bad)
    if bad:
        return None
    total = head.pop("total_minor", None)
    summed = sum(line.amount_minor for line in lines)
    _check_total(document, total, summed, head["currency"], bad)
    placed = _built(document, Placed, {"total_minor": max(summed, 0), **head}, bad)
    named = _built(document, _Named, {"order": f"{feed}/{document.reference}", "account": _account_of(document, columns)}, bad)
    if bad or placed is None or named is None:
        return None
    whole = msgspec.structs.replace(placed, lines=tuple(lines))
    return PlaceOrder(order=named.order, account=named.account, placed=whole)


def _return(document: Document, columns: Columns, feed: str, bad: Bad) -> Command | None:
    head, lines = _head(document, columns, bad), _lines(document, columns, bad)
    if bad:
        return None
    returned = -sum(line.amount_minor for line in lines)
    if returned < 0:
        mend = "a return has negative quantities; an order must not have a return's reference"
        _add(bad, document.rows[0], Fault("document", "the return's total is positive", mend))
    values = {
        "document": f"{feed}/{document.reference}",
        "account": _account_of(document, columns),
        "currency": head["currency"],
        "total_minor": max(returned, 0),
        "returned_at": head["received_at"],
    }
    made: RecordReturn | None = _built(document, RecordReturn, values, bad)
    return msgspec.structs.replace(made, lines=tuple(lines)) if made is not None and not bad else None


def _account(document: Document, columns: Columns, feed: str, bad: Bad) -> Command | None:
    row = document.rows[0]
    faults: list[Fault] = []
    values = columns.values(row, fields.ACCOUNT_FIELDS, faults)
    currency = values.setdefault("currency", columns.rule.file.currency) or ""
    _require(columns, values, ("account", "name", "currency", "limit"), faults)
    if not faults:
        values = _in_minor(values, currency, columns, faults)
    if values.get("parent", "") == values.get("account"):
        faults.append(Fault("parent", "an account cannot be its own parent", "leave it empty for a root"))
    if faults:
        bad[row.line] = faults
        return None
    terms = {name: values.pop(name) for name in Terms.__struct_fields__ if name in values}
    made: OpenAccount | None = _built(document, OpenAccount, {**values, "terms": terms}, bad)
    return made


DEBTS, CREDIT_NOTE = ("invoice", "debit_note"), "credit_note"
ITEM_KINDS = (*DEBTS, CREDIT_NOTE)


def _item(document: Document, columns: Columns, feed: str, bad: Bad) -> Command | None:
    row = document.rows[0]
    faults: list[Fault] = []
    values = columns.values(row, fields.ITEM_FIELDS, faults)
    currency = values.setdefault("currency", columns.rule.file.currency) or ""
    _require(columns, values, ("account", "item", "kind", "amount", "currency", "document_on"), faults)
    if not faults:
        values = _in_minor(_without_base(values), currency, columns, faults) | _base_of(values, columns, faults)
        _check_item(columns, values, faults)
    if faults:
        bad[row.line] = faults
        return None
    made: PostItem | None = _built(document, PostItem, _discounted(_billing(values, feed)), bad)
    return made


def _without_base(values: Values) -> Values:
    return {name: value for name, value in values.items() if name != "base_amount"}


def _base_of(values: Values, columns: Columns, faults: list[Fault]) -> Values:
    """The amount in the ledger's own currency, which the mapping names."""
    if "base_amount" not in values:
        return {}
    base = _in_minor({"amount": values["base_amount"]}, columns.rule.file.base_currency or "", columns, faults)
    return {"base_minor": base["amount_minor"]} if base else {}


def _check_item(columns: Columns, values: Values, faults: list[Fault]) -> None:
    if values["kind"] not in ITEM_KINDS:
        problem = f"{values['kind'][:40]!r} is no kind of item"
        faults.append(Fault(columns.rule.file.columns["kind"], problem, f"write one of {', '.join(ITEM_KINDS)}"))
    for name, field in (("amount_minor", "amount"), ("base_minor", "base_amount")):
        if values.get(name, 0) < 0:
            mend = "write it without a sign; the kind says whether it is a debt or a credit"
            faults.append(Fault(columns.rule.file.columns[field], "the amount is negative", mend))
    for name, other in (("discount_percent", "discount_until"), ("discount_until", "discount_percent")):
        if name in values and other not in values:
            problem = "a discount has a percentage and a last day"
            faults.append(Fault(columns.rule.file.columns.get(other, other), problem, "write both, or neither"))


def _billing(values: Values, feed: str) -> Values:
    """An order's name in its sender's numbering; a debt bills all of it that leaves unbilled deliveries (F1)."""
    if "order" not in values:
        return values
    order = f"{feed}/{values['order']}"
    covers = [Covers(order=order, amount_minor=values["amount_minor"])] if values["kind"] in DEBTS else []
    return {**values, "order": order, "covers": covers}


def _discounted(values: Values) -> Values:
    until_on, points = values.pop("discount_until", None), values.pop("discount_percent", None)
    return {**values, "discounts": [Discount(until_on=until_on, basis_points=points)]} if until_on and points else values


# --- documents of an ERP's ledger -----------------------------------------------------------------------------------------


OPENS, CLEARS, REVERSES = "opens", "clears", "reverses"


def _posting(document: Document, columns: Columns, feed: str, bad: Bad) -> Command | None:
    """A document is one command whatever rows it has: each opens or clears an item, or all of it reverses another (P1)."""
    rows = [_posting_row(row, columns, bad) for row in document.rows]
    if bad:
        return None
    first = rows[0]
    lines = [_built(document, *_posting_line(values, first), bad) for values in rows if values["does"] != REVERSES]
    head = {name: first[name] for name in _OF_POSTING if name in first}
    head["document"] = _document(first, columns.rule.file.yearly)
    opens = [line for line in lines if isinstance(line, Opens)]
    clears = [line for line in lines if isinstance(line, Clears)]
    made: TakePosting | None = _built(document, TakePosting, {**head, "opens": opens, "clears": clears}, bad)
    return made


def _document(first: Values, yearly: bool) -> str:
    """The document's name: where numbers begin anew each year, with the year of its posting, and apart as what cleared items."""
    if not yearly:
        return str(first["document"])
    name = f"{first['document']}/{first['posted_on'].year}"
    return f"{name}/C" if first["does"] == CLEARS else name


_OF_POSTING = ("account", "document", "company_code", "posted_on", "reverses", "answers", "text")
_OF_LINE = ("item", "kind", "currency", "document_on", "due_on", "reference", "base_minor")


def _posting_row(row: Row, columns: Columns, bad: Bad) -> Values:
    faults: list[Fault] = []
    values = columns.values(row, fields.POSTING_FIELDS, faults)
    currency = values.setdefault("currency", columns.rule.file.currency) or ""
    values.setdefault("does", columns.rule.file.does or (REVERSES if "reverses" in values else ""))
    needed = {OPENS: ("item", "amount", "kind", "document_on"), CLEARS: ("item", "amount"), REVERSES: ("reverses",)}
    if values["does"] not in needed:
        problem = f"{str(values['does'])[:40]!r} is nothing that a document does"
        faults.append(Fault(columns.rule.file.columns.get("does", "does"), problem, f"write one of {', '.join(needed)}"))
    named = ("document", "company_code", "account", "posted_on", "currency", *needed.get(values["does"], ()))
    _require(columns, values, named, faults)
    if not faults:
        values = _in_minor(_without_base(values), currency, columns, faults) | _base_of(values, columns, faults)
    for fault in faults:
        _add(bad, row, fault)
    return _numbered(values, columns.rule.file.kinds)


def _numbered(values: Values, kinds: Mapping[str, str]) -> Values:
    """The item's number as an open-item list has it: document, year and line, as far as they are told."""
    number = "/".join(str(values[name]) for name in ("item", "year", "position") if name in values)
    kind = values.get("kind")
    return {**values, "item": number} | ({"kind": kinds.get(kind, kind)} if kind is not None else {})


def _posting_line(values: Values, first: Values) -> tuple[type[Opens] | type[Clears], Values]:
    """Which line it is, with another account than the document's named."""
    line = {name: values[name] for name in _OF_LINE if name in values}
    if values["account"] != first["account"]:
        line["account"] = values["account"]
    if values["does"] == OPENS:
        return Opens, {**line, "amount_minor": values["amount_minor"]}
    return Clears, {**{name: line[name] for name in line if name in _OF_CLEARING}, "settled_minor": values["amount_minor"]}


_OF_CLEARING = ("item", "currency", "reference", "account")


_MAKE: Mapping[str, Callable[[Document, Columns, str, Bad], Command | None]] = {
    "orders.place_order": _order,
    "orders.record_return": _return,
    "accounts.open_account": _account,
    "payments.post_item": _item,
    "payments.take_posting": _posting,
}


# --- parts ----------------------------------------------------------------------------------------------------------


class _Named(msgspec.Struct, frozen=True):
    """The bounds of a document's identity, checked like any other field of the contract."""

    order: Reference
    account: Reference


def _account_of(document: Document, columns: Columns) -> str:
    return document.rows[0].cells[columns.positions["account"]].strip()


def _head(document: Document, columns: Columns, bad: Bad) -> Values:
    """What the document says once, taken from its first row; amounts in minor units."""
    first = document.rows[0]
    faults: list[Fault] = []
    values = columns.values(first, fields.PLACED_FIELDS, faults)
    currency = values.setdefault("currency", columns.rule.file.currency) or ""
    _require(columns, values, ("received_at", "currency"), faults)
    if not document.reference:
        faults.append(_missing(columns, "reference"))
    if not faults:
        values = _in_minor(values, currency, columns, faults)
    for fault in faults:
        _add(bad, first, fault)
    _check_same(document, columns, bad)
    return values


SAME = ("account", *(name for name in fields.PLACED_FIELDS if name != "received_at"))
"""What every row of a document must agree on; the time is its first row's."""


def _check_same(document: Document, columns: Columns, bad: Bad) -> None:
    first = document.rows[0]
    for name, position in columns.positions.items():
        for row in document.rows if name in SAME else ():
            if row.cells[position] != first.cells[position]:
                told = f"{row.cells[position][:40]!r} differs from line {first.line} of the same document"
                _add(bad, row, Fault(columns.rule.file.columns[name], told, "one document has one of these"))
            elif name == "account" and not row.cells[position].strip():
                _add(bad, row, _missing(columns, name))


def _lines(document: Document, columns: Columns, bad: Bad) -> list[Line]:
    currency = document.rows[0].cells[columns.positions["currency"]].strip() if "currency" in columns.positions else ""
    currency = currency or columns.rule.file.currency or ""
    return [line for row in document.rows if (line := _line(row, currency, columns, bad)) is not None]


def _line(row: Row, currency: str, columns: Columns, bad: Bad) -> Line | None:
    faults: list[Fault] = []
    values = columns.values(row, fields.LINE_FIELDS, faults)
    _require(columns, values, ("sku", "quantity", "unit_price"), faults)
    if not faults:
        try:
            amount = money.extended(values["quantity"], values["unit_price"], currency)
            return msgspec.convert({**values, "amount_minor": amount}, Line)
        except (money.NotMoney, msgspec.ValidationError) as error:
            faults.append(_told(error, columns))
    for fault in faults:
        _add(bad, row, fault)
    return None


def _check_total(document: Document, total: int | None, summed: int, currency: str, bad: Bad) -> None:
    first = document.rows[0]
    if summed < 0:
        told = f"the document's total is negative: {money.as_text(summed, currency)} {currency}"
        mend = "correct the quantities or prices; a return has its own kind of reference"
        _add(bad, first, Fault("document", told, mend))
    if total is not None and total != summed:
        told = f"total {money.as_text(total, currency)} is not the sum of the lines, {money.as_text(summed, currency)}"
        _add(bad, first, Fault("total", told, "correct the total or the lines"))


def _in_minor(values: Values, currency: str, columns: Columns, faults: list[Fault]) -> Values:
    converted: Values = {}
    for name, value in values.items():
        try:
            is_amount = name in AMOUNT_FIELDS
            converted[f"{name}_minor" if is_amount else name] = money.parse(value, currency) if is_amount else value
        except money.NotMoney as error:
            problem, _, mend = str(error).partition("; ")
            faults.append(Fault(columns.rule.file.columns.get(name, name), problem, mend))
    return converted


def _built(document: Document, struct: type[Any], values: Values, bad: Bad) -> Any:
    try:
        return msgspec.convert(values, struct)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$.")
        _add(bad, document.rows[0], Fault(path.rstrip("`") or "document", problem))
        return None


def _told(error: Exception, columns: Columns) -> Fault:
    problem, _, path = str(error).partition(" - at `$.")
    field = path.rstrip("`")
    return Fault(columns.rule.file.columns.get(field, field or "unit_price"), problem)


def _require(columns: Columns, values: Values, names: Iterable[str], faults: list[Fault]) -> None:
    already = {fault.field for fault in faults}
    for name in names:
        if values.get(name) is None and columns.rule.file.columns.get(name, name) not in already:
            faults.append(_missing(columns, name))


def _missing(columns: Columns, name: str) -> Fault:
    return Fault(columns.rule.file.columns.get(name, name), "is empty", "add it, then replay")


def _add(bad: Bad, row: Row, fault: Fault) -> None:
    bad.setdefault(row.line, []).append(fault)


def faulty(held: Iterable[Held]) -> Faulty:
    """The same reasons as an exception, for a caller that has one document only."""
    return Faulty(*(fault for each in held for fault in each.faults))
