"""What a file from a bank or a payer becomes: statements in parts, advices, opening items (P3, P4, G3). Pure.

`bank/` reads the bytes; here their neutral values become the ledger's wishes, all of a file or none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from contracts import payments
from contracts.envelope import derived_id, encode_value
from contracts.message import Command
from contracts.payments import ENTRIES_MAX, PostItem, TakeAdvice, TakeStatement
from services.gateway.bank import sniff
from services.gateway.bank.fbl5n import OpenItem
from services.gateway.bank.statement import Advice, BankEntry, Broken, Refused, Statement

KIND = "bank"
"""In `POST /v1/files/{kind}`, and of the flows of such files."""
REFERENCE_MAX = 64
"""`contracts.words.Reference`."""
PART_BYTES_MAX = 600_000
"""Of the entries of one part: its fact repeats them with longer names, and still fits the envelope."""
TEXT_MAX = 500
INTRADAY = "/intraday"
"""Behind the name of a provisional report: some banks number reports and statements alike, and each is taken once."""


class Wished(NamedTuple):
    """One command of a file, and how many of the file's entries, advices or items it carries."""

    command: Command
    rows: int


def read(name: str, data: bytes, account: str | None) -> list[Wished]:
    """All that the file wishes. `account` is whose advice it is. Raises `Broken` for a file that counts not at all."""
    found = sniff.read(name, data)
    if isinstance(found, Refused):
        raise Broken(found.where, found.reason, found.mend)
    return [wished for value in found for wished in _wishes(value, account)]


def _wishes(value: Statement | Advice | OpenItem, account: str | None) -> Iterator[Wished]:
    if isinstance(value, Advice):
        yield Wished(_advice(value, account), 1)
    elif account is not None:
        raise Broken("account", "only an advice is of one account; this file holds something else", "send it without ?account=")
    elif isinstance(value, Statement):
        yield from _statement(value)
    else:
        yield Wished(_opening(value), 1)


# --- statements -----------------------------------------------------------------------------------------------------


def _statement(value: Statement) -> Iterator[Wished]:
    parts = list(_parts(value))
    for number, entries in enumerate(parts, start=1):
        command = _built(
            f"statement {value.statement}, part {number}",
            TakeStatement,
            {
                **{name: getattr(value, name) for name in _AS_IT_IS},
                "statement": named(value),
                "part": number,
                "parts": len(parts),
                "digest": digest_of(value),
                "entries": entries,
            },
        )
        yield Wished(command, len(entries))


_AS_IT_IS = (
    *("bank_account", "currency", "opening_minor", "closing_minor", "opened_on", "closed_on"),
    *("is_provisional", "format"),
)


def named(value: Statement) -> str:
    return _short(value.statement + (INTRADAY if value.is_provisional else ""))


def digest_of(value: Statement) -> str:
    """SHA-256 of what a statement says of money: balances, and each entry's number, amount, days and the bank's reference.

    Texts are left out: a later release may read them better, and the statement would be taken for another one.
    """
    entries = [
        (
            *(entry.entry, entry.amount_minor, entry.currency, entry.booked_on, entry.value_on),
            *(entry.is_reversal, entry.servicer_reference),
        )
        for entry in value.entries
    ]
    about = (value.bank_account, value.statement, value.currency, value.opening_minor, value.closing_minor)
    days = (value.opened_on, value.closed_on, value.is_provisional)
    return hashlib.sha256(encode_value((*about, *days, entries))).hexdigest()


def _parts(value: Statement) -> Iterator[list[payments.BankEntry]]:
    """Its entries in order, so many at a time as fit one message; a statement without entries is one empty part."""
    part: list[payments.BankEntry] = []
    size = 0
    for entry in value.entries:
        made = _entry(value, entry)
        bytes_ = len(encode_value(made))
        if bytes_ > PART_BYTES_MAX:
            where = f"statement {value.statement}, entry {entry.entry}"
            raise Broken(where, f"{bytes_} bytes, at most {PART_BYTES_MAX} travel", "ask the bank for its details as an advice")
        if part and (len(part) == ENTRIES_MAX or size + bytes_ > PART_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(made)
        size += bytes_
    yield part


def _entry(value: Statement, entry: BankEntry) -> payments.BankEntry:
    changed = msgspec.structs.replace(
        entry,
        value_on=entry.value_on or entry.booked_on,
        charges_minor=max(entry.charges_minor, 0),  # a charge that the bank gave back explains no short payment
        instructed_minor=abs(entry.instructed_minor),
    )
    made: payments.BankEntry = _built(f"statement {value.statement}, entry {entry.entry}", payments.BankEntry, changed)
    return made


# --- advices and opening items --------------------------------------------------------------------------------------


def _advice(value: Advice, account: str | None) -> TakeAdvice:
    if account is None:
        raise Broken("account", "an advice does not say which of our accounts paid", "send it with ?account=<account>")
    made: TakeAdvice = _built(
        f"advice {value.advice}",
        TakeAdvice,
        {
            "account": account,
            "advice": _short(f"{account}/{value.advice}"),
            "amount_minor": value.amount_minor,
            "currency": value.currency,
            "lines": [_built(f"advice {value.advice}, line {line.reference}", payments.AdviceLine, line) for line in value.lines],
            "paid_on": value.paid_on,
            "payment_reference": value.payment_reference,
            "payer": value.payer,
            "format": value.format,
        },
    )
    return made


def _opening(value: OpenItem) -> PostItem:
    """What was open when the house moved in: debts as invoices, all that is ours to give as credit notes (G3)."""
    made: PostItem = _built(
        f"item {value.item} of {value.account}",
        PostItem,
        {
            "account": value.account,
            "item": value.item,
            "kind": "invoice" if value.amount_minor >= 0 else "credit_note",
            "amount_minor": abs(value.amount_minor),
            "currency": value.currency,
            "document_on": value.document_on,
            "due_on": value.due_on,
            "reference": value.reference,
            "text": f"opening item {value.kind} {value.text}".strip()[:TEXT_MAX],
        },
    )
    return made


def _built(where: str, struct: type[Any], values: Any) -> Any:
    """The contract's own bounds have the last word."""
    try:
        return msgspec.convert(values, struct, from_attributes=True)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$.")
        mend = "correct the file, or ask for it in smaller ones"
        raise Broken(f"{where}, {path.rstrip('`')}".rstrip(", "), problem, mend) from error


def _short(name: str) -> str:
    return name if len(name) <= REFERENCE_MAX else derived_id("name", name)


def accounts_named(found: Sequence[Wished]) -> set[str]:
    return {wished.command.account for wished in found if isinstance(wished.command, TakeAdvice | PostItem)}
