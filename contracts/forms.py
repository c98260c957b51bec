"""What people and machines may send us, derived from the messages: a pydantic form per contract type.

A form collects every fault of a body at once, forbids what it does not know, and describes itself as JSON Schema.
A `spelled` form is kinder to people: `total_minor: 99995` is written `total: "999.95"`. Nothing here is declared twice:
names, bounds and defaults come from the contract. Floats never carry money: an amount is text.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import inspect as declared
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)

YEARS = range(1900, 2201)
"""A year outside is a typing error, and the ends of the calendar break conversions between time zones."""

FAULTS_MAX = 100
"""Most faults told at once: more do not help anyone to mend a body."""

NAME_MAX = 40
"""Of what somebody sent, told back in a fault."""

MINOR = "_minor"
PLAIN_DECIMAL = r"^-?[0-9]{1,16}(\.[0-9]{1,12})?$"
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_AT_END = re.compile(r"(^|_)on$")
Days = TypeVar("Days", bound=dt.date)
Value = TypeVar("Value", bound=msgspec.Struct)


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong: where (a path such as `lines[2].sku`), what, and how to mend it."""

    field: str
    problem: str
    mend: str = ""


class Faulty(ValueError):
    """A body or document that cannot go on; `faults` is the complete list."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.field}: {fault.problem}" for fault in faults))
        self.faults = faults


def _without_empty_defaults(schema: dict[str, Any]) -> None:
    """A field that is not sent takes the contract's default, which is not null."""
    for described in schema.get("properties", {}).values():
        if described.get("default", ...) is None:
            del described["default"]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra=_without_empty_defaults)


# --- field types ----------------------------------------------------------------------------------------------------


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds the NUL character")
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("holds half a surrogate pair, which is no character")
    return text


def _amount(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(PLAIN_DECIMAL, value):
        raise ValueError('write the amount as text in plain digits, such as "999.95"')
    return value


def _day(value: object) -> dt.date:
    if not isinstance(value, str) or not DAY.fullmatch(value):
        raise ValueError("write the day as text, such as 2026-11-30")
    return _in_years(_read(dt.date, value))


def instant(value: object) -> dt.datetime:
    """A time with its offset, in UTC. Raises `ValueError`."""
    if not isinstance(value, str) or "T" not in value:
        raise ValueError("write the time as text with its offset, such as 2026-11-30T09:30:00Z")
    moment = _read(dt.datetime, value)
    if moment.tzinfo is None:
        raise ValueError("has no offset from UTC: add Z or +01:00")
    return _in_years(moment).astimezone(dt.UTC)


def _read(kind: type[Days], text: str) -> Days:
    try:
        return kind.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:NAME_MAX]!r} is not in the calendar") from None


def _in_years(value: Days) -> Days:
    if value.year not in YEARS:
        raise ValueError(f"the year must be from {YEARS[0]} to {YEARS[-1]}")
    return value


_AMOUNT_SCHEMA = WithJsonSchema({"type": "string", "pattern": PLAIN_DECIMAL, "examples": ["999.95"]})
AmountText = Annotated[str, BeforeValidator(_amount), _AMOUNT_SCHEMA]
DecimalText = Annotated[Decimal, BeforeValidator(lambda value: Decimal(_amount(value))), _AMOUNT_SCHEMA]
DayText = Annotated[dt.date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
InstantText = Annotated[dt.datetime, BeforeValidator(instant), WithJsonSchema({"type": "string", "format": "date-time"})]


def _bounds(kind: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(kind, name) for name in names if getattr(kind, name, None) is not None}


def _annotation(kind: declared.Type, spelled: bool) -> Any:
    match kind:
        case declared.StrType():
            bounds = _bounds(kind, "min_length", "max_length", "pattern")
            return Annotated[str, Field(strict=True, **bounds), AfterValidator(_clean)]
        case declared.IntType():
            return Annotated[int, Field(strict=True, **_bounds(kind, "ge", "gt", "le", "lt"))]
        case declared.BoolType():
            return Annotated[bool, Field(strict=True)]
        case declared.DecimalType():
            return DecimalText
        case declared.DateTimeType():
            return InstantText
        case declared.DateType():
            return DayText
        case declared.StructType():
            return form_of(kind.cls, spelled)
        case declared.VarTupleType() | declared.ListType():
            item: Any = _annotation(kind.item_type, spelled)
            return Annotated[tuple[item, ...], Field(**_bounds(kind, "min_length", "max_length"))]
        case declared.UnionType():
            return functools.reduce(lambda one, other: one | other, (_annotation(part, spelled) for part in kind.types))
        case declared.LiteralType():
            return Literal[kind.values]
        case declared.DictType():
            return dict[str, Any]
        case declared.NoneType():
            return None
        case declared.AnyType():
            return Any
        case _:
            raise TypeError(f"no form for a field of {kind}: add it to contracts.forms")


# --- forms ----------------------------------------------------------------------------------------------------------


def spelled_name(name: str, spelled: bool) -> str:
    return name.removesuffix(MINOR) if spelled else name


def _nullable(kind: declared.Type) -> bool:
    return isinstance(kind, declared.UnionType) and any(isinstance(part, declared.NoneType) for part in kind.types)


def _spelled(field: declared.Field) -> Any:
    return AmountText | None if _nullable(field.type) else AmountText


def _form_field(field: declared.Field, spelled: bool) -> tuple[Any, Any]:
    is_amount = spelled and field.name.endswith(MINOR)
    annotation = _spelled(field) if is_amount else _annotation(field.type, spelled)
    if field.required:
        return annotation, ...
    # The default itself is the contract's: a field that is not sent is left out of what is converted.
    return annotation, Field(default=None, validate_default=False)


def fields_of(struct: type[msgspec.Struct], spelled: bool) -> dict[str, tuple[Any, Any]]:
    """The form's fields for `create_model`, for forms that are put together from a contract and a little more."""
    info = cast(declared.StructType, declared.type_info(struct))
    return {spelled_name(field.name, spelled): _form_field(field, spelled) for field in info.fields}


@functools.cache
def form_of(struct: type[msgspec.Struct], spelled: bool = False) -> type[Form]:
    """The form of one contract type."""
    fields = cast(dict[str, Any], fields_of(struct, spelled))
    name = f"{'Spelled' if spelled else ''}{struct.__name__}"
    return create_model(name, __base__=Form, __doc__=struct.__doc__, __module__=struct.__module__, **fields)


def filled(form: type[Form], body: object) -> dict[str, Any]:
    """What was sent, checked: only the fields that were sent. Raises `Faulty` with every fault."""
    try:
        return form.model_validate(body).model_dump(exclude_unset=True)
    except ValidationError as error:
        raise Faulty(*(_fault(form, detail) for detail in error.errors(include_url=False)[:FAULTS_MAX])) from None


def message_of(struct: type[Value], body: object) -> Value:
    """A contract value from a body in the contract's own shape. Raises `Faulty`."""
    return convert(filled(form_of(struct), body), struct)


def convert(values: Mapping[str, Any], struct: type[Value]) -> Value:
    """The contract value of checked fields; the contract's own bounds have the last word."""
    try:
        return msgspec.convert(values, struct, builtin_types=(dt.date, dt.datetime, Decimal))
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$.")
        raise Faulty(Fault(path.rstrip("`"), problem)) from error


# --- faults in words ------------------------------------------------------------------------------------------------


def path_of(location: tuple[int | str, ...]) -> str:
    """`lines[2].sku` of `("lines", 2, "sku")`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


PROBLEMS: Mapping[str, tuple[str, str]] = {
    "missing": ("is missing", "add it"),
    "greater_than": ("is too small", "write more than {gt}"),
    "greater_than_equal": ("is too small", "write {ge} or more"),
    "less_than": ("is too large", "write less than {lt}"),
    "less_than_equal": ("is too large", "write {le} or less"),
    "int_type": ("is no whole number", "write it in digits alone, such as 30, and without quotes"),
    "bool_type": ("is neither true nor false", "write true or false, without quotes"),
    "string_type": ("is no text", "write it as text, in quotes"),
    "string_too_short": ("is too short", "write at least {min_length} characters"),
    "string_too_long": ("is too long", "write at most {max_length} characters"),
    "string_pattern_mismatch": ("is not written as it must be", "write it so that it matches {pattern}"),
    "string_unicode": ("holds what is no character", "write it in UTF-8"),
    "literal_error": ("is none of the words that it may be", "write {expected}"),
    "too_short": ("has too few entries", "give at least {min_length}"),
    "too_long": ("has too many entries", "give at most {max_length}"),
    "tuple_type": ("is no list", "write it as a list, in square brackets"),
    "dict_type": ("is no object", "write it as an object, in braces"),
    "model_type": ("is no object", "write it as an object, in braces"),
    "invalid_key": ("has a name that is no text", "write each name as text, in quotes"),
}
"""pydantic's word for a fault → what is wrong with a field, and how it is mended. Our own validators speak for themselves."""


def in_words(faults: Iterable[Fault]) -> str:
    """All of them as one sentence: `The limit is too small: write 0 or more.`"""
    said = "; ".join(f"{fault.problem}: {fault.mend}" if fault.mend else fault.problem for fault in faults).rstrip(".")
    return f"{said[:1].upper()}{said[1:]}."


def _fault(form: type[Form], detail: Any) -> Fault:
    kind, location = detail["type"], detail["loc"]
    if kind == "extra_forbidden":
        meant = f", or did you mean one of: {', '.join(form.model_fields)}?" if len(location) == 1 else ""
        return Fault(path_of(location), f"{str(location[-1])[:NAME_MAX]!r} is no field here", f"remove it{meant}")
    if kind not in PROBLEMS:
        return Fault(path_of(location), str(detail["msg"]).removeprefix("Value error, "))
    bounds = detail.get("ctx", {})
    if kind == "string_too_short" and bounds["min_length"] == 1:
        return Fault(path_of(location), f"{subject(location)} is empty", "write it")
    problem, mend = PROBLEMS[kind]
    return Fault(path_of(location), f"{subject(location)} {problem}", mend.format(**bounds))


def subject(location: tuple[int | str, ...]) -> str:
    """How people call the field: `the limit` of `("limit_minor",)`, `entry 3 of the lines` of `("lines", 2)`."""
    match location:
        case (*_, str() as name):
            return f"the {_DAY_AT_END.sub(' day', name.removesuffix(MINOR)).replace('_', ' ').strip()}"
        case (*around, int() as n):
            return f"entry {n + 1} of {subject(tuple(around))}"
        case _:
            return "the body"
