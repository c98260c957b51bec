"""Mapped tables to statements and advices: a bank's CSV, a customer's list of what it pays, a provider's payout (P3, P4, P15)."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from services.gateway.bank import amounts, checks, decoding, references
from services.gateway.bank.mapping import Sheet
from services.gateway.bank.statement import Advice, AdviceLine, BankEntry, Broken, Statement
from services.gateway.bank.table import Row

_TOTAL_WORDS = ("total", "sum", "summe", "gesamt", "totaal", "suma", "totale")


def statements(sheet: Sheet) -> tuple[Statement, ...]:
    """One statement for each account and statement number of the table."""
    parts = _grouped(sheet, "bank_account", "statement", "currency")
    if not parts:
        raise Broken("file", "the table has a header and no rows", "send it when there are entries")
    return checks.together([_statement(sheet, rows) for rows in parts])


def advices(sheet: Sheet) -> tuple[Advice, ...]:
    """One advice for each payment reference of the table."""
    parts = _grouped(sheet, "payment_reference")
    if not parts:
        raise Broken("file", "the table has a header and no rows", "send it when something is paid")
    return tuple(_advice(sheet, rows) for rows in parts)


def _grouped(sheet: Sheet, *fields: str) -> list[list[Row]]:
    """Rows by the values of these fields, in order; an empty cell goes on with the row above."""
    parts: dict[tuple[str, ...], list[Row]] = {}
    key = ("",) * len(fields)
    for row in sheet.rows:
        found = tuple(sheet.text(row, field) for field in fields)
        key = tuple(new or old for new, old in zip(found, key, strict=True))
        parts.setdefault(key, []).append(row)
    return list(parts.values())


def _currency(sheet: Sheet, row: Row) -> str:
    currency = sheet.text(row, "currency") or sheet.mapping.currency
    amounts.decimals(currency, sheet.where(row, "currency"))
    return currency


def _day(sheet: Sheet, row: Row, field: str) -> dt.date | None:
    text = sheet.text(row, field)
    if not text:
        return None
    form = "iso" if len(text) == 10 and text[4:5] == "-" else sheet.mapping.days
    return amounts.day(text[:10] if form == "iso" else text, form, sheet.where(row, field))


# --- statements -----------------------------------------------------------------------------------------------------


def _statement(sheet: Sheet, rows: Sequence[Row]) -> Statement:
    first, currency = rows[0], _currency(sheet, rows[0])
    entries, balances = _in_order(
        [_entry(sheet, row, currency) for row in rows], [sheet.minor(row, "balance", currency) for row in rows]
    )
    _check_running(sheet, rows, entries, balances, currency)
    opening, closing = _ends(entries, balances)
    days = [entry.booked_on for entry in entries]
    numbered = tuple(msgspec.structs.replace(entry, entry=str(at)) for at, entry in enumerate(entries, start=1))
    statement = Statement(
        bank_account=decoding.field(sheet.text(first, "bank_account") or sheet.mapping.bank_account, 60).replace(" ", ""),
        statement=decoding.field(sheet.text(first, "statement")) or f"{min(days)}..{max(days)} {_digest(numbered)}",
        currency=currency,
        opening_minor=opening,
        closing_minor=closing,
        opened_on=min(days),
        closed_on=max(days),
        entries=numbered,
        is_provisional=False,
        format=f"CSV {sheet.mapping.name}",
    )
    return checks.balanced(statement, f"line {first.line}")


def _entry(sheet: Sheet, row: Row, currency: str) -> BankEntry:
    booked_on = _day(sheet, row, "booked_on")
    if booked_on is None:
        raise Broken(sheet.where(row, "booked_on"), "is empty", "write the booking day")
    if _currency(sheet, row) != currency:
        raise Broken(sheet.where(row, "currency"), "changes within one statement", "send one file for each currency")
    reference = decoding.field(sheet.text(row, "reference"), 35)
    text = decoding.joined([sheet.text(row, "text")])
    return BankEntry(
        entry="",
        amount_minor=_amount(sheet, row, currency),
        currency=currency,
        booked_on=booked_on,
        value_on=_day(sheet, row, "value_on"),
        code=decoding.field(sheet.text(row, "code"), 35),
        payer=decoding.field(sheet.text(row, "payer")),
        payer_account=decoding.field(sheet.text(row, "payer_account"), 60).replace(" ", ""),
        payer_bank=decoding.field(sheet.text(row, "payer_bank"), 70),
        reference=reference or references.creditor_reference(text),
        end_to_end=references.given(sheet.text(row, "end_to_end")),
        servicer_reference=references.given(sheet.text(row, "servicer_reference")),
        text=text,
    )


def _amount(sheet: Sheet, row: Row, currency: str) -> int:
    """One signed column, one with a direction beside it, or two columns of which one is filled."""
    if "amount" not in sheet.positions:
        credit, debit = sheet.minor(row, "credit", currency) or 0, sheet.minor(row, "debit", currency) or 0
        if bool(credit) == bool(debit):
            raise Broken(sheet.where(row, "credit"), "both or neither of credit and debit are filled", "fill one of them")
        return credit - abs(debit)
    minor = sheet.minor(row, "amount", currency)
    if minor is None:
        raise Broken(sheet.where(row, "amount"), "is empty", "write the amount")
    is_debit = sheet.text(row, "direction") in sheet.mapping.debits if sheet.mapping.debits else False
    return -abs(minor) if is_debit else minor


def _in_order(entries: list[BankEntry], balances: list[int | None]) -> tuple[list[BankEntry], list[int | None]]:
    """Oldest first. Some banks list the newest first: then the running balances fit only backwards."""
    is_backwards = len(entries) > 1 and not _runs(entries, balances) and _runs(entries[::-1], balances[::-1])
    if is_backwards or (None in balances and entries[0].booked_on > entries[-1].booked_on):
        return entries[::-1], balances[::-1]
    return entries, balances


def _runs(entries: Sequence[BankEntry], balances: Sequence[int | None]) -> bool:
    return None not in balances and not any(_break(entries, balances, at) for at in range(1, len(entries)))


def _break(entries: Sequence[BankEntry], balances: Sequence[int | None], at: int) -> int:
    before, after = balances[at - 1], balances[at]
    return 0 if before is None or after is None else after - before - entries[at].amount_minor


def _check_running(
    sheet: Sheet, rows: Sequence[Row], entries: Sequence[BankEntry], balances: Sequence[int | None], currency: str
) -> None:
    for at in range(1, len(entries)):
        if gap := _break(entries, balances, at):
            reason = f"the balance differs by {amounts.told(gap, currency)} from the one before and this amount"
            raise Broken(sheet.where(rows[at], "balance"), reason, "send all rows of the period, in the bank's order")


def _ends(entries: Sequence[BankEntry], balances: Sequence[int | None]) -> tuple[int | None, int | None]:
    if balances[0] is None or balances[-1] is None:
        return None, None
    return balances[0] - entries[0].amount_minor, balances[-1]


def _digest(values: Sequence[msgspec.Struct]) -> str:
    return hashlib.sha256(msgspec.json.encode(values)).hexdigest()[:12]


# --- advices --------------------------------------------------------------------------------------------------------


def _advice(sheet: Sheet, rows: Sequence[Row]) -> Advice:
    first, currency = rows[0], _currency(sheet, rows[0])
    lines = tuple(line for row in rows if not _is_total(sheet, row) for line in _lines(sheet, row, currency))
    reference = decoding.field(sheet.text(first, "payment_reference"))
    advice = Advice(
        advice=reference or _digest(lines),
        payer=decoding.field(sheet.text(first, "payer") or sheet.mapping.payer),
        payer_account=decoding.field(sheet.text(first, "payer_account"), 60).replace(" ", ""),
        paid_on=_day(sheet, first, "paid_on"),
        amount_minor=_stated(sheet, rows, currency, checks.paid(lines)),
        currency=currency,
        payment_reference=reference,
        lines=lines,
        format=f"table {sheet.mapping.name}",
    )
    return checks.added_up(advice, f"line {first.line}")


def _is_total(sheet: Sheet, row: Row) -> bool:
    """A row without a document that says `total`, or has only the amount."""
    reference = sheet.text(row, "reference")
    if reference:
        return reference.rstrip(":").lower() in _TOTAL_WORDS
    words = [cell.rstrip(":").lower() for at, cell in enumerate(row.cells) if cell and at != sheet.positions["amount"]]
    return not words or words[0].split(" ")[0] in _TOTAL_WORDS


def _stated(sheet: Sheet, rows: Sequence[Row], currency: str, ours: int) -> int:
    """The payment's amount: the total column, else the total row, else what the lines are."""
    for row in rows:
        total = sheet.minor(row, "total", currency)
        if total is None and _is_total(sheet, row):
            total = sheet.minor(row, "amount", currency)
        if total is not None:
            return total
    return ours


def _lines(sheet: Sheet, row: Row, currency: str) -> Iterator[AdviceLine]:
    amount = sheet.minor(row, "amount", currency)
    reference = decoding.field(sheet.text(row, "reference"), 60)
    if amount is None or not reference:
        missing = "amount" if amount is None else "reference"
        raise Broken(sheet.where(row, missing), "is empty", "fill it, or remove the row")
    if _currency(sheet, row) != currency:
        raise Broken(sheet.where(row, "currency"), "changes within one payment", "send one advice for each currency")
    yield AdviceLine(
        reference=reference,
        amount_minor=amount,
        taken_minor=_taken(sheet, row, currency, amount),
        discount_minor=abs(sheet.minor(row, "discount", currency) or 0),
        reason=_reason(sheet, row),
        document_on=_day(sheet, row, "document_on"),
    )
    if fee := sheet.minor(row, "fee", currency):
        yield AdviceLine(reference=reference, amount_minor=-abs(fee), reason="fee")


def _taken(sheet: Sheet, row: Row, currency: str, amount: int) -> int:
    """What was deducted: its own column, else the document's amount less what is paid and the discount."""
    taken = sheet.minor(row, "taken", currency)
    if taken is not None:
        return abs(taken)
    gross = sheet.minor(row, "gross", currency)
    return 0 if gross is None else gross - amount - abs(sheet.minor(row, "discount", currency) or 0)


def _reason(sheet: Sheet, row: Row) -> str:
    """The customer's reason; of a payout what the movement is, in our words."""
    kind = sheet.text(row, "kind")
    if not sheet.mapping.kinds or not kind:
        return decoding.field(sheet.text(row, "reason"))
    ours = sheet.mapping.kinds.get(kind)
    if ours is None:
        raise Broken(sheet.where(row, "kind"), f"{kind[:40]!r} is no kind the mapping knows", "add it to `kinds` in the mapping")
    return ours
