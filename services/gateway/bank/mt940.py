"""MT940 and MT942 as banks write them: tag by tag, with line numbers, amounts from text to integers (P3).

Liberal in envelope, order and line lengths; strict in amounts, days, balances and what ends too early. :86: is in `mt86.py`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.gateway.bank import amounts, checks, decoding, mt86, references
from services.gateway.bank.limits import ENTRIES_MAX, NOTES_MAX
from services.gateway.bank.statement import BankEntry, Broken, Statement

_TAG = re.compile(r":(NS|[0-9]{2}[A-Z]?):")
_BALANCE = re.compile(r"(R?[CD])\s?([0-9]{6})\s?([A-Z]{3})?\s?([0-9]*[,.]?[0-9]*)")
_ENTRY = re.compile(
    r"(?P<value>[0-9]{6})(?P<booked>[0-9]{6}|[0-9]{4})?\s{0,6}(?P<sign>RC|RD|EC|ED|C|D)(?P<funds>[A-Z]?)\s?"
    r"(?P<amount>[0-9]{0,18}[,.]?[0-9]{0,12})(?!\s?[0-9,.])\s?(?P<type>[A-Z][A-Z0-9]{3})?(?P<rest>.*)"
)
_TOTAL = re.compile(r"([0-9]{1,7})([A-Z]{3})\s?([0-9]*[,.]?[0-9]*)")
_ONCE = {"20", "25", "25P", "28", "28C", "60F", "60M", "62F", "62M"}
_LAST = {"62F", "62M", "64", "65", "90C", "90D"}
_KNOWN = _ONCE | _LAST | {"21", "13", "13D", "34F", "61", "86", "NS"}
_HEADER = re.compile(r"[\x01$]?\{[1-5S]:")
_CHARGES = {"CHG", "COM"}
CHARGE_CODES = range(805, 818)
"""German business transaction codes of charges and interest for the account itself (GVC 805-817)."""
_SIGNS = {"C": 1, "D": -1, "RC": -1, "RD": 1, "EC": 1, "ED": -1}


ENCODINGS = ("utf-8", "cp1252", "cp850")
"""Some banks still write the letters of DOS. A name may come out with a wrong accent; amounts and references cannot."""


class Field(NamedTuple):
    """One tag with its lines; `line` counts from 1 in the file."""

    line: int
    tag: str
    lines: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"line {self.line}, :{self.tag}:"

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


class Message(NamedTuple):
    """One statement message: what its envelope calls it, and its fields."""

    line: int
    kind: str
    fields: tuple[Field, ...]

    def all(self, *tags: str) -> list[Field]:
        return [field for field in self.fields if field.tag in tags]

    def first(self, *tags: str) -> Field | None:
        return next(iter(self.all(*tags)), None)


class Balance(NamedTuple):
    minor: int
    currency: str
    on: dt.date


def read(data: bytes) -> tuple[Statement, ...]:
    """All statements of the file. Raises `Broken` for the first that cannot be read exactly."""
    messages = list(_messages(decoding.lines_of(decoding.text_of(data, ENCODINGS, "blank"))))
    if not messages:
        raise Broken("line 1", "holds no :20:, so no statement", "send the MT940 or MT942 file as the bank delivers it")
    if sum(len(message.all("61")) for message in messages) > ENTRIES_MAX:
        raise Broken("file", f"more than {ENTRIES_MAX} entries", "send the statements in several files")
    return checks.together([_statement(message) for message in messages])


def is_like(text: str) -> bool:
    """True for text whose first tags are those of a SWIFT statement."""
    tags = [found[1] for found in _TAG.finditer(text[:20_000]) if _starts_line(text, found.start())]
    return bool({"20", "25", "25P"} & set(tags)) and bool({"28", "28C", "60F", "60M", "61", "62F", "34F"} & set(tags))


def _starts_line(text: str, at: int) -> bool:
    return at == 0 or text[at - 1] in "\n:{" or text[max(0, at - 3) : at] == "{4:"


# --- lines to messages ----------------------------------------------------------------------------------------------


def _messages(lines: Sequence[str]) -> Iterator[Message]:
    envelope, fields, start = "", list[Field](), 1
    for field in _fields(lines):
        begins = field.tag in ("", "20") or (field.tag in ("25", "25P") and _is_closed(fields))
        if begins and fields:
            yield Message(start, _kind(envelope, fields), tuple(fields))
            envelope, fields = "", []
        if field.tag == "":
            envelope += field.lines[0]
        else:
            start = start if fields else field.line
            fields.append(field)
    if fields:
        yield Message(start, _kind(envelope, fields), tuple(fields))


def _is_closed(fields: Sequence[Field]) -> bool:
    """Some banks give one :20: for all statements of a file: the next begins with its account."""
    return any(field.tag in ("62F", "62M") for field in fields)


def _fields(lines: Sequence[str]) -> Iterator[Field]:
    """Fields in order; lines outside a message come with an empty tag."""
    tag, start, kept = "", 1, list[str]()
    for number, line in enumerate(lines, start=1):
        body = _unwrapped(line)
        found = _TAG.match(body)
        if found and tag == "86" and found[1] not in _KNOWN:
            found = None  # a time of day at the start of a line of text
        if found is None and tag and not _is_end(body) and body == line:
            kept.append(line)
            continue
        if tag:
            yield Field(start, tag, tuple(kept))
            tag = ""
        if found:
            tag, start, kept = found[1], number, [body[found.end() :]]
        elif line.strip():
            yield Field(number, "", (line,))
    if tag:
        yield Field(start, tag, tuple(kept))


def _unwrapped(line: str) -> str:
    """The line without a SWIFT header in front of its first tag."""
    if "{4:" in line and line.lstrip("\x01$ ").startswith(("{", "-}")):
        return line[line.rindex("{4:") + 3 :]
    return line.lstrip(" \t") if line[:1] in " \t" and _TAG.match(line.lstrip(" \t")) else line


def _is_end(line: str) -> bool:
    """`-`, `-}`, `-}{5:..}`, `-XXX`: ends of a message; a dash and text is a line of remittance text."""
    return line.startswith("-}") or line.rstrip() in ("-", "-XXX", "--") or bool(_HEADER.match(line))


def _kind(envelope: str, fields: Sequence[Field]) -> str:
    tags = {field.tag for field in fields}
    named = re.search(r"\{2:[IO](9[0-9]{2})|(?<![0-9])(94[0-9]|950)(?![0-9])", envelope)
    number = (named[1] or named[2]) if named else ""
    if number == "942" or (tags & {"34F", "13D", "13"} and not tags & {"60F", "60M"}):
        return "MT942"
    return "MT940"


# --- a message to a statement ---------------------------------------------------------------------------------------


def _statement(message: Message) -> Statement:
    _check_once(message)
    is_interim = message.kind == "MT942"
    opening = _balance(message.first("60F", "60M"))
    closing = _balance(message.first("62F", "62M"), opening.currency if opening else "")
    if not is_interim and (opening is None or closing is None):
        missing = ":60F:" if opening is None else ":62F:"
        raise Broken(f"line {message.line}", f"the statement has no {missing}: it is cut off", "fetch it again from the bank")
    currency = _currency(message, opening, closing)
    entries = tuple(_entries(message, currency, opening or closing))
    days = [entry.booked_on for entry in entries]
    opened_on = opening.on if opening else min(days, default=_report_day(message))
    closed_on = closing.on if closing else max(days, default=_report_day(message))
    statement = Statement(
        bank_account=_account(message),
        statement=_number(message, closed_on),
        currency=currency,
        opening_minor=opening and opening.minor,
        closing_minor=closing and closing.minor,
        opened_on=opened_on,
        closed_on=closed_on,
        entries=entries,
        is_provisional=is_interim,
        format=message.kind,
        notes=tuple(_notes(message))[:NOTES_MAX],
    )
    where = f"line {message.fields[-1].line}"
    return checks.controlled(checks.balanced(statement, where), _total_faults(message, statement), where)


def _check_once(message: Message) -> None:
    seen: set[str] = set()
    for field in message.fields:
        if field.tag in _ONCE and field.tag in seen:
            raise Broken(
                field.where, f"stands a second time in the statement of line {message.line}", "ask the bank for the file again"
            )
        seen.add(field.tag)


def _balance(field: Field | None, before: str = "") -> Balance | None:
    """Some banks leave the currency out of the closing balance: it is that of the opening."""
    if field is None:
        return None
    found = _BALANCE.match(field.lines[0].strip())
    if found is None or found.end() != len(field.lines[0].strip()):
        raise Broken(field.where, f"{field.text[:40]!r} is no balance", "write it as C260131EUR1234,56")
    currency = found[3] or before
    if not currency:
        raise Broken(field.where, "names no currency", "ask the bank for the file again")
    minor = amounts.comma(found[4], currency, field.where)
    return Balance(minor if found[1][-1] == "C" else -minor, currency, amounts.short_day(found[2], field.where))


def _currency(message: Message, *balances: Balance | None) -> str:
    stated = [(balance.currency, "balances") for balance in balances if balance]
    stated += [(field.text[:3], field.where) for field in message.all("34F")]
    if not stated:
        raise Broken(f"line {message.line}", "no balance and no :34F: names the currency", "ask the bank for the complete report")
    currency, where = stated[0]
    for other, place in stated:
        if other != currency:
            raise Broken(
                f"line {message.line}, {place}",
                f"states {other} and {currency} in one statement",
                "ask the bank for the file again",
            )
    amounts.decimals(currency, f"line {message.line}, {where}")
    return currency


def _account(message: Message) -> str:
    field = message.first("25", "25P")
    name = decoding.field(field.lines[0] if field else "", 60)
    if not name:
        raise Broken(f"line {message.line}", "no :25: names the account", "ask the bank for the file again")
    return name


def _number(message: Message, closed_on: dt.date | None) -> str:
    """The number begins anew each year and some banks leave it out or at zero, so the closing day is a part of the name."""
    field = message.first("28C", "28")
    number = "/".join(part.strip().lstrip("0") or "0" for part in (field.text if field else "0").split("/"))
    if message.kind == "MT942" and (at := message.first("13D", "13")):
        return f"{closed_on} {number} {decoding.field(at.text, 20)}"
    return f"{closed_on} {number}"


def _report_day(message: Message) -> dt.date | None:
    at = message.first("13D", "13")
    return amounts.short_day(at.text[:6], at.where) if at else None


def _notes(message: Message) -> Iterator[str]:
    for field in message.fields:
        if field.tag not in _KNOWN:
            yield f"{field.where} is not read"


# --- entries --------------------------------------------------------------------------------------------------------


def _entries(message: Message, currency: str, balance: Balance | None) -> Iterator[BankEntry]:
    for number, (field, details) in enumerate(_with_details(message.fields), start=1):
        yield _entry(str(number), field, details, currency, balance)


def _with_details(fields: Sequence[Field]) -> Iterator[tuple[Field, list[Field]]]:
    """Each :61: with the :86: behind it. A :86: before the first entry or behind the closing balance is the statement's own."""
    entry: Field | None = None
    details: list[Field] = []
    for field in fields:
        if field.tag == "61" or field.tag in _LAST:
            if entry:
                yield entry, details
            entry, details = (field if field.tag == "61" else None), []
        elif entry and field.tag in ("86", "NS"):
            details.append(field)
    if entry:
        yield entry, details


def _entry(number: str, field: Field, details: Sequence[Field], currency: str, balance: Balance | None) -> BankEntry:
    found = _ENTRY.fullmatch(field.lines[0].strip())
    if found is None or not found["amount"].strip(",."):
        raise Broken(field.where, f"{field.lines[0][:60]!r} is no entry", "write it as 2601310131C1234,56NTRFreference")
    value_on = amounts.short_day(_real_day(found["value"]), field.where)
    minor = amounts.comma(found["amount"], currency, field.where) * _SIGNS[found["sign"]]
    customer, name, bank = _references(found["rest"])
    told = mt86.read([line for detail in details if detail.tag == "86" for line in detail.lines])
    extra = [line for line in field.lines[1:] if line.strip()]
    extra += [line[2:] for detail in details if detail.tag == "NS" for line in detail.lines]
    kind = (found["type"] or "").strip()
    return BankEntry(
        entry=number,
        amount_minor=minor,
        currency=currency,
        booked_on=_booked_on(found["booked"], value_on, balance, field.where),
        value_on=value_on,
        code=told.code or kind,
        is_reversal=found["sign"] in ("RC", "RD"),
        is_charge=kind[1:] in _CHARGES or (told.code.isdigit() and int(told.code) in CHARGE_CODES),
        payer=told.name or name,
        payer_account=told.account,
        payer_bank=told.bank,
        reference=told.reference or references.creditor_reference(customer),
        end_to_end=told.end_to_end or references.given(customer),
        servicer_reference=references.given(bank),
        text=decoding.joined([*extra, told.text]),
    )


def _real_day(text: str) -> str:
    """German interest months have 30 days, so value dates of 29 and 30 February are written; they are its last day."""
    if text[2:] not in ("0229", "0230"):
        return text
    return f"{text[:4]}{29 if int(text[:2]) % 4 == 0 else 28}"


def _references(rest: str) -> tuple[str, str, str]:
    """Customer's reference, a name that some banks set behind it in a column of its own, and the bank's reference."""
    customer, _, bank = rest.partition("//")
    reference, _, name = customer.strip().partition("  ")
    return reference.strip(), decoding.field(name), bank.strip()


def _booked_on(text: str | None, value_on: dt.date, balance: Balance | None, where: str) -> dt.date:
    """MMDD has no year: it is the one nearest to the value date. Without it, the value date."""
    if not text:
        return value_on
    if len(text) == 6:
        return amounts.short_day(text, where)
    near = []
    for year in (value_on.year - 1, value_on.year, value_on.year + 1):
        try:
            near.append(dt.date(year, int(text[:2]), int(text[2:])))
        except ValueError:
            continue
    if not near:
        raise Broken(where, f"{text!r} is no day of the calendar", "write the booking day as MMDD")
    return min(near, key=lambda day: abs((day - value_on).days))


def _total_faults(message: Message, statement: Statement) -> list[str]:
    """What :90C: and :90D: say against what was read."""
    faults = []
    for field in message.all("90C", "90D"):
        found = _TOTAL.fullmatch(field.text)
        if found is None:
            raise Broken(field.where, f"{field.text[:40]!r} is no total", "write it as 3EUR1234,56")
        sign = 1 if field.tag == "90C" else -1
        ours = [entry.amount_minor for entry in statement.entries if entry.amount_minor * sign > 0]
        stated = sign * amounts.comma(found[3], found[2], field.where)
        if (len(ours), sum(ours)) != (int(found[1]), stated):
            told = f"{found[1]} entries of {amounts.told(stated, found[2])}"
            faults.append(f"{field.where} says {told}, there are {len(ours)} of {amounts.told(sum(ours), statement.currency)}")
    return faults
