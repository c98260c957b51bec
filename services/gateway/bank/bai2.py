"""BAI2: groups, accounts, transactions and continuations, with every control total and record count checked (P3).

The amounts have the currency's decimals implied. What the trailers contradict is refused whole, with both figures.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.gateway.bank import amounts, checks, decoding, references
from services.gateway.bank.limits import ENTRIES_MAX
from services.gateway.bank.statement import BankEntry, Broken, Statement

_CODES = {"01", "02", "03", "16", "49", "88", "98", "99"}
_LOST_END = re.compile(r"(?<=/) +(?=(?:01|02|03|16|49|88|98|99),)")
_INSIDE = {"16": "03", "49": "03", "03": "02", "98": "02", "02": "01", "99": "01"}
_OPENING, _CLOSING = "010", "015"
_DEFAULT_CURRENCY = "USD"
"""BAI2 2nd edition, record 02 and 03: without a currency code the amounts are US dollars."""
_LOAN_CREDITS = range(700, 760)
_CUSTOM_CREDITS, _CUSTOM_DEBITS = range(920, 960), range(960, 1000)
_CHARGES = {"661", "690", "698"}
_REVERSALS = {"252", "255", "257", "258", "452", "455", "457", "458"}
"""Types whose name in the standard's table says reversal or returned item."""
_INTERIM = {"1", "3"}


class Record(NamedTuple):
    """One logical record: its continuations are in it. `physical` counts them, for the trailers do."""

    line: int
    code: str
    cells: tuple[str, ...]
    texts: tuple[str, ...]
    physical: int

    @property
    def where(self) -> str:
        return f"line {self.line}, record {self.code}"

    def cell(self, at: int) -> str:
        return self.cells[at].strip() if at < len(self.cells) else ""


class Summary(NamedTuple):
    """One status or summary of an account record."""

    code: str
    amount: str
    items: str


class Account(NamedTuple):
    head: Record
    details: tuple[Record, ...]
    tail: Record

    @property
    def physical(self) -> int:
        return sum(record.physical for record in (self.head, *self.details, self.tail))


class Group(NamedTuple):
    head: Record
    accounts: tuple[Account, ...]
    tail: Record

    @property
    def physical(self) -> int:
        return self.head.physical + self.tail.physical + sum(account.physical for account in self.accounts)


def read(data: bytes) -> tuple[Statement, ...]:
    """All accounts of all groups. Raises `Broken` for a record, total or count that does not fit."""
    records = list(_records(decoding.lines_of(decoding.text_of(data))))
    groups = list(_groups(records))
    if sum(len(account.details) for group in groups for account in group.accounts) > ENTRIES_MAX:
        raise Broken("file", f"more than {ENTRIES_MAX} transactions", "send the groups in several files")
    _check_file(records, groups)
    return checks.together([_statement(group, account) for group in groups for account in group.accounts])


def is_like(text: str) -> bool:
    first = text.lstrip("\ufeff \n").split("\n", 1)[0]
    return bool(re.match(r"(01|00|02|03)\s?,[^\n]*,", first)) and first.count(",") >= 5


# --- records --------------------------------------------------------------------------------------------------------


def _records(lines: Sequence[str]) -> Iterator[Record]:
    """Logical records. A text field runs to the end of its record, so the pieces are kept beside the cells."""
    pieces: list[tuple[int, str]] = []
    for number, text in _physical(lines):
        if text.startswith("88"):
            if not pieces:
                raise Broken(f"line {number}", "continues a record that is not there", "ask the bank for the file again")
        elif pieces:
            yield _record(pieces)
            pieces = []
        pieces.append((number, text))
    if pieces:
        yield _record(pieces)


def _physical(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Records as they are counted. Some files lost line ends, or broke a long text: the counts and totals prove the mending."""
    held: tuple[int, str] | None = None
    for number, line in enumerate(lines, start=1):
        for text in _LOST_END.split(line.strip("\x1a \t")):
            if not text:
                continue
            if text[:2] in _CODES and text[2:3] in (",", "/"):
                if held:
                    yield held
                held = (number, text)
            elif held and not held[1].endswith("/"):
                held = (held[0], f"{held[1]} {text}")
            else:
                raise Broken(f"line {number}", f"begins with {text[:10]!r}, which is no BAI2 record", "a file begins with 01")
    if held:
        yield held


def _record(pieces: Sequence[tuple[int, str]]) -> Record:
    line, first = pieces[0]
    bodies = [_ended(first)[3:], *(_ended(text)[3:] for _, text in pieces[1:])]
    cells = ",".join(bodies).split(",")
    return Record(line, first[:2], tuple(cells), tuple(bodies), len(pieces))


def _ended(text: str) -> str:
    return text[:-1] if text.endswith("/") else text


# --- groups and accounts --------------------------------------------------------------------------------------------


def _groups(records: Sequence[Record]) -> Iterator[Group]:
    """The tree of the file; a record out of its place, or a trailer that is missing, is refused."""
    if not records or records[0].code != "01":
        raise Broken("line 1", "the file does not begin with record 01", "ask the bank for the complete file")
    _check_places(records)
    group: Record | None = None
    accounts: list[Account] = []
    account: Record | None = None
    details: list[Record] = []
    for record in records[1:-1]:
        if record.code == "02":
            group, accounts = record, []
        elif record.code == "03":
            account, details = record, []
        elif record.code == "16":
            details.append(record)
        elif record.code == "49" and account:
            accounts.append(Account(account, tuple(details), record))
        elif record.code == "98" and group:
            yield Group(group, tuple(accounts), record)


def _check_places(records: Sequence[Record]) -> None:
    open_records: list[str] = []
    for record in records:
        if record.code in _INSIDE and (not open_records or open_records[-1] != _INSIDE[record.code]):
            raise Broken(record.where, f"stands outside of a record {_INSIDE[record.code]}", "ask the bank for the file again")
        if record.code == "01" and open_records:
            raise Broken(record.where, "begins a second file", "send one file at a time")
        if record.code in ("01", "02", "03"):
            open_records.append(record.code)
        elif record.code in ("49", "98", "99"):
            open_records.pop()
    if open_records or records[-1].code != "99":
        raise Broken(records[-1].where, "the file ends before its trailer 99: it is cut off", "fetch it again from the bank")


def _check_file(records: Sequence[Record], groups: Sequence[Group]) -> None:
    for group in groups:
        for account in group.accounts:
            _check_total(account.tail, sum(_amounts_of(account)), "amounts of the account")
            _check_count(account.tail, 1, account.physical, "records of the account")
        _check_total(group.tail, sum(_stated(account.tail) for account in group.accounts), "account totals of the group")
        _check_count(group.tail, 1, len(group.accounts), "accounts of the group")
        _check_count(group.tail, 2, group.physical, "records of the group")
    tail = records[-1]
    _check_total(tail, sum(_stated(group.tail) for group in groups), "group totals of the file")
    _check_count(tail, 1, len(groups), "groups of the file")
    _check_count(tail, 2, sum(record.physical for record in records), "records of the file")


def _stated(tail: Record) -> int:
    return amounts.implied(tail.cell(0), tail.where)


def _check_total(tail: Record, ours: int, what: str) -> None:
    if tail.cell(0) and _stated(tail) != ours:
        raise Broken(
            tail.where, f"control total {_stated(tail)}, but the {what} add up to {ours}", "ask the bank for the file again"
        )


def _check_count(tail: Record, at: int, ours: int, what: str) -> None:
    text = tail.cell(at)
    if text and (not re.fullmatch(r"[0-9]{1,9}", text) or int(text) != ours):
        raise Broken(tail.where, f"counts {text[:20]}, but there are {ours} {what}", "ask the bank for the file again")


def _amounts_of(account: Account) -> Iterator[int]:
    for summary in _summaries(account.head):
        if summary.amount:
            yield amounts.implied(summary.amount, account.head.where)
    for record in account.details:
        if record.cell(1):
            yield amounts.implied(record.cell(1), record.where)


def _summaries(head: Record) -> Iterator[Summary]:
    """Type, amount, item count and funds type, over and over, after account and currency."""
    at = 2
    while at < len(head.cells):
        code, amount, items = head.cell(at), head.cell(at + 1), head.cell(at + 2)
        if code and not re.fullmatch(r"[0-9]{3}", code):
            raise Broken(head.where, f"{code[:20]!r} stands where a type code is due", "ask the bank for the file again")
        if code:
            yield Summary(code, amount, items)
        at += 3 + _funds_cells(head, at + 3)


def _funds_cells(record: Record, at: int) -> int:
    """How many cells the funds type at this place takes."""
    kind = record.cell(at).upper()
    if kind == "V":
        return 3
    if kind == "S":
        return 4
    if kind == "D":
        count = record.cell(at + 1)
        if not re.fullmatch(r"[0-9]{1,2}", count):
            raise Broken(record.where, f"{count[:20]!r} is no number of distributions", "ask the bank for the file again")
        return 2 + 2 * int(count)
    if kind not in ("", "0", "1", "2", "Z"):
        raise Broken(record.where, f"{kind[:20]!r} is no funds type", "ask the bank for the file again")
    return 1


# --- statements -----------------------------------------------------------------------------------------------------


def _statement(group: Group, account: Account) -> Statement:
    _check_status(group.head)
    currency = account.head.cell(1) or group.head.cell(5) or _DEFAULT_CURRENCY
    amounts.decimals(currency, account.head.where)
    as_of = amounts.short_day(group.head.cell(3), group.head.where)
    balances = {s.code: amounts.implied(s.amount, account.head.where) for s in _summaries(account.head) if s.amount}
    entries = tuple(_entry(str(n), record, currency, as_of) for n, record in enumerate(_moving(account), start=1))
    name = decoding.field(account.head.cell(0), 60)
    if not name:
        raise Broken(account.head.where, "names no account", "ask the bank for the file again")
    is_interim = group.head.cell(6) in _INTERIM
    statement = Statement(
        bank_account=name,
        statement=f"{as_of} {group.head.cell(4)}".strip() if is_interim else str(as_of),
        currency=currency,
        opening_minor=balances.get(_OPENING),
        closing_minor=balances.get(_CLOSING),
        opened_on=as_of,
        closed_on=as_of,
        entries=entries,
        is_provisional=is_interim,
        format="BAI2",
        notes=tuple(_notes(group, account, entries)),
    )
    return checks.balanced(statement, account.tail.where)


def _check_status(head: Record) -> None:
    if head.cell(2) in ("2", "4"):
        told = "a deletion of what was sent before" if head.cell(2) == "2" else "a test"
        raise Broken(
            head.where, f"the group is {told} (status {head.cell(2)})", "a person decides; nothing of this file is booked"
        )


def _notes(group: Group, account: Account, entries: Sequence[BankEntry]) -> Iterator[str]:
    if group.head.cell(2) == "3":
        yield "corrects what was sent before (group status 3)"
    for code, sign, what in (("100", 1, "credits"), ("400", -1, "debits")):
        for summary in _summaries(account.head):
            ours = sum(abs(entry.amount_minor) for entry in entries if entry.amount_minor * sign > 0)
            if summary.code == code and summary.amount and abs(int(summary.amount)) != ours:
                told = amounts.told(abs(int(summary.amount)), entries[0].currency if entries else "")
                yield f"total {what} {told.strip()}, but those listed are {ours} in minor units: not all are listed"


def _moving(account: Account) -> Iterator[Record]:
    """Transactions that move money; type 890 is text without an amount."""
    for record in account.details:
        if record.cell(0) != "890" and record.cell(1):
            yield record


def _sign(record: Record) -> int:
    code = record.cell(0)
    number = int(code) if re.fullmatch(r"[0-9]{3}", code) else -1
    if 100 <= number < 400 or number in _LOAN_CREDITS or number in _CUSTOM_CREDITS:
        return 1
    if 400 <= number < 700 or 760 <= number < 800 or number in _CUSTOM_DEBITS:
        return -1
    raise Broken(record.where, f"type {code[:10]!r} is neither credit nor debit", "ask the bank what it means")


def _entry(number: str, record: Record, currency: str, as_of: dt.date) -> BankEntry:
    funds = _funds_cells(record, 2)
    at = 2 + funds
    text = _text(record, at + 2)
    customer = references.given(record.cell(at + 1))
    return BankEntry(
        entry=number,
        amount_minor=_sign(record) * amounts.implied(record.cell(1), record.where),
        currency=currency,
        booked_on=as_of,
        value_on=_value_on(record, as_of),
        code=record.cell(0),
        is_reversal=record.cell(0) in _REVERSALS,
        is_charge=record.cell(0) in _CHARGES,
        payer=_told(decoding.flat(text), "BO1:", "OB:", "ORIG:", "ORIG CO NAME:"),
        reference=references.creditor_reference(f"{customer} {text}"),
        end_to_end=customer,
        servicer_reference=references.given(record.cell(at)),
        text=text,
    )


def _value_on(record: Record, as_of: dt.date) -> dt.date:
    if record.cell(2).upper() == "V" and record.cell(3):
        return amounts.short_day(record.cell(3), record.where)
    return as_of


def _text(record: Record, at: int) -> str:
    """Everything from the text field on: commas are text there, and each continuation is a line."""
    first = record.texts[0].split(",")
    if len(first) >= at:
        return decoding.joined([",".join(first[at:]), *record.texts[1:]])
    return decoding.joined([",".join(record.cells[at:])])


def _told(text: str, *tags: str) -> str:
    """The name behind the first tag that the text has, up to the next tag."""
    for tag in tags:
        found = re.search(rf"(?:^| ){re.escape(tag)}\s?(.{{1,80}}?)(?= [A-Z]{{2}}[A-Z0-9]?:|$)", text)
        if found:
            return decoding.field(found[1])
    return ""
