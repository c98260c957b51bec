"""Mapping files for tables of banks, customers and payment providers: which column is what (P3, P4, P15).

Data, `mappings/<name>.yaml`, read once and checked whole. Which mapping a file is read with is decided by its header.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import yaml

from services.gateway.bank import amounts
from services.gateway.bank.statement import Broken
from services.gateway.bank.table import HEADER_ROWS_MAX, Row

MAPPINGS = Path(__file__).with_name("mappings")
ANY = "*"

STATEMENT_FIELDS = (
    *("bank_account", "statement", "booked_on", "value_on", "amount", "credit", "debit", "direction", "currency", "balance"),
    *("payer", "payer_account", "payer_bank", "reference", "end_to_end", "servicer_reference", "text", "code"),
)
ADVICE_FIELDS = (
    *("payment_reference", "payer", "payer_account", "paid_on", "currency", "total"),
    *("reference", "amount", "gross", "taken", "discount", "fee", "reason", "kind", "document_on"),
)
LINE_KINDS = ("sale", "fee", "refund", "chargeback", "reserve", "adjustment")


class MappingError(ValueError):
    """A mapping file that cannot be used: which file, which key, what is allowed."""


class BankMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`columns`: our field -> the file's column. `ignored`: columns not read, `*` for all others. `kinds`: their word -> ours."""

    about: str
    kind: Literal["statement", "advice"]
    columns: dict[str, str]
    optional: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    delimiter: str = ","
    decimal: Literal[".", ","] = "."
    days: str = "iso"
    currency: str = ""
    bank_account: str = ""
    payer: str = ""
    debits: tuple[str, ...] = ()
    kinds: dict[str, str] = {}
    name: str = ""


class Sheet(NamedTuple):
    """The rows under a header that fits a mapping."""

    mapping: BankMapping
    positions: Mapping[str, int]
    rows: Sequence[Row]

    def text(self, row: Row, field: str) -> str:
        at = self.positions.get(field)
        return row.cells[at] if at is not None and at < len(row.cells) else ""

    def where(self, row: Row, field: str) -> str:
        return f"line {row.line}, column {self.mapping.columns.get(field, field)}"

    def minor(self, row: Row, field: str, currency: str) -> int | None:
        """Minor units, or None where the cell is empty."""
        text = self.text(row, field)
        if not text:
            return None
        decimal = "." if self.positions[field] in row.numbers else self.mapping.decimal
        return amounts.business(text, currency, decimal, self.where(row, field))


def fitting(rows: Sequence[Row], mapping: BankMapping) -> Sheet | None:
    """The rows under the header, if one of the first rows is the mapping's header."""
    for number, row in enumerate(rows[:HEADER_ROWS_MAX]):
        if positions := _positions(mapping, row.cells):
            return Sheet(mapping, positions, rows[number + 1 :])
    return None


def _positions(mapping: BankMapping, cells: Sequence[str]) -> dict[str, int]:
    names = [cell.strip() for cell in cells]
    found = {field: names.index(column) for field, column in mapping.columns.items() if column in names}
    missing = [field for field in mapping.columns if field not in found and field not in mapping.optional]
    known = {*mapping.columns.values(), *mapping.ignored, ""}
    unknown = [] if ANY in mapping.ignored else [name for name in names if name not in known]
    return {} if missing or unknown else found


# --- reading mapping files ------------------------------------------------------------------------------------------


@functools.cache
def mappings(folder: Path = MAPPINGS) -> tuple[BankMapping, ...]:
    """Every mapping of the folder. Raises `MappingError` for the first that cannot be used."""
    return tuple(load(path) for path in sorted(folder.glob("*.yaml")))


def load(path: Path) -> BankMapping:
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
        mapping = msgspec.convert({**_keys(path, text), "name": path.stem}, BankMapping)
    except (yaml.YAMLError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise MappingError(f"{path.name}: {error}") from error
    _check_fields(path, mapping)
    _check_values(path, mapping)
    return mapping


def _keys(path: Path, text: Any) -> dict[str, Any]:
    allowed = [key for key in BankMapping.__struct_fields__ if key != "name"]
    if not isinstance(text, dict) or any(key not in allowed for key in text):
        unknown = [key for key in text if key not in allowed] if isinstance(text, dict) else [text]
        raise MappingError(f"{path.name}: unknown key {unknown[0]!r}; allowed keys: {', '.join(allowed)}")
    return text


def _check_fields(path: Path, mapping: BankMapping) -> None:
    allowed = STATEMENT_FIELDS if mapping.kind == "statement" else ADVICE_FIELDS
    for name in (*mapping.columns, *mapping.optional):
        if name not in allowed:
            raise MappingError(f"{path.name}: unknown field {name!r}; allowed: {', '.join(allowed)}")
    needed = {"booked_on"} if mapping.kind == "statement" else {"reference", "amount"}
    if mapping.kind == "statement" and not mapping.bank_account:
        needed.add("bank_account")
    if mapping.kind == "statement" and not {"credit", "debit"} <= set(mapping.columns):
        needed.add("amount")
    if not mapping.currency:
        needed.add("currency")
    if missing := sorted(needed - set(mapping.columns)):
        raise MappingError(f"{path.name}: `columns` must also say which column is: {', '.join(missing)}")


def _check_values(path: Path, mapping: BankMapping) -> None:
    if len(mapping.delimiter) != 1 or mapping.delimiter in '"\n\r':
        raise MappingError(f"{path.name}: `delimiter` must be one character, such as ',' ';' or \"\\t\"")
    if "direction" in mapping.columns and not mapping.debits:
        raise MappingError(f"{path.name}: `debits` must say which words in the column `direction` are debits")
    for kind in mapping.kinds.values():
        if kind not in LINE_KINDS:
            raise MappingError(f"{path.name}: unknown kind {kind!r} in `kinds`; allowed: {', '.join(LINE_KINDS)}")
    if mapping.currency:
        try:
            amounts.decimals(mapping.currency, path.name)
        except Broken as error:
            raise MappingError(str(error)) from error
