"""Mapping files: which column of somebody's file is which of our fields, and what a document is (G1, G3).

A mapping is data (`mappings/<kind>.yaml`), read once at start and checked whole: an unknown key, field, encoding or
time zone is refused with the file, the key and what is allowed. `kind` is its name in `POST /v1/files/{kind}`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from services.gateway.fields import ACCOUNT_FIELDS, ITEM_FIELDS, ORDER_FIELDS, POSTING_FIELDS
from services.gateway.framing import Dialect
from shared.money import EXPONENTS

MAPPINGS = Path(__file__).with_name("mappings")
ENCODINGS = ("utf-8", "latin-1", "cp1252", "iso-8859-15")
"""Encodings in which line ends and delimiters are the bytes they are in ASCII, so that lines can be found first."""

Becomes = Literal[
    "orders.place_order", "orders.record_return", "accounts.open_account", "payments.post_item", "payments.take_posting"
]
ORDERS: tuple[Becomes, ...] = ("orders.place_order", "orders.record_return")
"""What is named in a sender's own numbering."""
_FIELDS: Mapping[Becomes, Iterable[str]] = {
    "orders.place_order": ORDER_FIELDS,
    "orders.record_return": ORDER_FIELDS,
    "accounts.open_account": ACCOUNT_FIELDS,
    "payments.post_item": ITEM_FIELDS,
    "payments.take_posting": POSTING_FIELDS,
}
_NEEDED: Mapping[Becomes, frozenset[str]] = {
    "orders.place_order": frozenset({"reference", "account", "received_at", "currency"}),
    "orders.record_return": frozenset({"reference", "account", "received_at", "currency"}),
    "accounts.open_account": frozenset({"account", "name", "currency", "limit"}),
    "payments.post_item": frozenset({"account", "item", "kind", "amount", "currency", "document_on"}),
    "payments.take_posting": frozenset({"document", "company_code", "account", "posted_on", "currency"}),
}
_KEY: Mapping[Becomes, str] = {
    "orders.place_order": "reference",
    "orders.record_return": "reference",
    "accounts.open_account": "account",
    "payments.post_item": "item",
    "payments.take_posting": "document",
}


class MappingError(ValueError):
    """A mapping file that cannot be used: which file, which key, what is allowed."""


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Documents whose reference begins so are something else than the file's ordinary document."""

    begins: str
    becomes: Becomes


class Documents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rows`: consecutive rows with the same reference are one document, or each row is one."""

    becomes: Becomes
    rows: Literal["consecutive", "each"] = "consecutive"
    cases: tuple[Case, ...] = ()


class MappingFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`columns`: our field -> the file's column. `optional`: its column may be absent. `ignored`: columns not read.

    `base_currency`: of the column `base_amount`, which is the ledger's own. `does` and `kinds` are of an ERP's documents: what
    every row does (opens or clears its item), and what the ERP's document types are called here. `yearly`: its numbers begin anew
    each year, and one document may stand in a list of what was opened and in one of what was cleared.
    """

    about: str
    documents: Documents
    columns: dict[str, str]
    optional: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    feed: str | None = None
    currency: str | None = None
    base_currency: str | None = None
    does: Literal["", "opens", "clears"] = ""
    kinds: dict[str, str] = {}
    yearly: bool = False
    time_zone: str = "UTC"
    times: str = "iso"
    days: str = "iso"
    delimiter: str = ","
    encoding: str = "utf-8"
    quoted_lines_max: int = 1


class MappingRule(msgspec.Struct, frozen=True):
    """A mapping file that passed its checks, with its name."""

    kind: str
    file: MappingFile

    @property
    def dialect(self) -> Dialect:
        return Dialect(self.file.delimiter, self.file.encoding, self.file.quoted_lines_max)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.file.time_zone)

    @property
    def key(self) -> str:
        """The field that says which document a row belongs to."""
        return _KEY[self.file.documents.becomes]

    def becomes(self, reference: str) -> Becomes:
        """What the document with this reference is."""
        for case in self.file.documents.cases:
            if reference.startswith(case.begins):
                return case.becomes
        return self.file.documents.becomes


# --- the header of a file -------------------------------------------------------------------------------------------


class WrongShape(ValueError):
    """The file does not have the columns that its mapping names: nothing of it is read."""


def positions(rule: MappingRule, header: Iterable[str]) -> dict[str, int]:
    """Our field -> the cell's position. Raises `WrongShape` with the missing and the unknown columns."""
    found = [name.strip().removeprefix("\ufeff") for name in header]
    columns = rule.file.columns
    missing = [column for field, column in columns.items() if column not in found and field not in rule.file.optional]
    unknown = [name for name in found if name not in columns.values() and name not in rule.file.ignored]
    twice = sorted({name for name in found if found.count(name) > 1})
    if missing or unknown or twice:
        raise WrongShape(_shape_told(rule, missing, unknown, twice))
    return {field: found.index(column) for field, column in columns.items() if column in found}


def _shape_told(rule: MappingRule, missing: list[str], unknown: list[str], twice: list[str]) -> str:
    parts = [("missing columns", missing), ("unknown columns", unknown), ("columns named twice", twice)]
    told = "; ".join(f"{what}: {', '.join(map(repr, names))[:400]}" for what, names in parts if names)
    expected = ", ".join(rule.file.columns.values())
    return (
        f"the header does not fit the mapping {rule.kind!r}: {told}. Expected: {expected}. "
        f"Correct the header, or name the columns (or `ignored` ones) in a mapping of their own"
    )


# --- reading mapping files ------------------------------------------------------------------------------------------


@functools.cache
def mappings(folder: Path = MAPPINGS) -> Mapping[str, MappingRule]:
    """Every mapping of the folder by kind. Raises `MappingError` for the first that cannot be used."""
    return {path.stem: load(path) for path in sorted(folder.glob("*.yaml"))}


def load(path: Path) -> MappingRule:
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingError(f"{path.name}: no readable YAML: {error}") from error
    if not isinstance(text, dict):
        allowed = ", ".join(MappingFile.__struct_fields__)
        raise MappingError(f"{path.name}: must be keys and values; allowed keys: {allowed}")
    _check_keys(path, "", text, MappingFile)
    _check_keys(path, "documents.", text.get("documents", {}), Documents)
    return MappingRule(path.stem, _checked(path, _converted(path, text)))


def _check_keys(path: Path, prefix: str, keys: Any, struct: type[msgspec.Struct]) -> None:
    for key in keys if isinstance(keys, dict) else ():
        if key not in struct.__struct_fields__:
            allowed = ", ".join(struct.__struct_fields__)
            raise MappingError(f"{path.name}: unknown key `{prefix}{key}`; allowed keys: {allowed}")


def _converted(path: Path, text: dict[str, Any]) -> MappingFile:
    try:
        return msgspec.convert(text, MappingFile)
    except msgspec.ValidationError as error:
        raise MappingError(f"{path.name}: {error}") from error


def fields_of(becomes: Becomes) -> tuple[str, ...]:
    return tuple(_FIELDS[becomes])


def _checked(path: Path, file: MappingFile) -> MappingFile:
    allowed = fields_of(file.documents.becomes)
    for key in ("columns", "optional"):
        _check_names(path, key, getattr(file, key), allowed)
    _check_names(path, "encoding", (file.encoding,), ENCODINGS)
    for key in ("currency", "base_currency"):
        _check_names(path, key, filter(None, (getattr(file, key),)), tuple(EXPONENTS))
    _check_complete(path, file)
    _check_zone(path, file)
    if len(file.delimiter) != 1 or file.delimiter in '"\n\r':
        raise MappingError(f"{path.name}: `delimiter` must be one character, such as ',' ';' or \"\\t\"")
    return file


def _check_names(path: Path, key: str, names: Iterable[str], allowed: tuple[str, ...]) -> None:
    for name in names:
        if name not in allowed:
            raise MappingError(f"{path.name}: unknown name `{name}` in `{key}`; allowed: {', '.join(allowed)}")


def _check_complete(path: Path, file: MappingFile) -> None:
    needed = _NEEDED[file.documents.becomes] - ({"currency"} if file.currency else set())
    if missing := sorted(needed - set(file.columns)):
        raise MappingError(f"{path.name}: `columns` must also say which column is: {', '.join(missing)}")
    if "base_amount" in file.columns and not file.base_currency:
        raise MappingError(f"{path.name}: `base_currency` must say what the column {file.columns['base_amount']!r} is in")


def _check_zone(path: Path, file: MappingFile) -> None:
    try:
        ZoneInfo(file.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(f"{path.name}: unknown `time_zone` `{file.time_zone}`; write it as Europe/London") from error
