"""ANSI X12 820 to advices: BPR is the payment, RMR the documents, ADX what was taken (P4). Delimiters come from ISA.

RMR04 is what is paid, RMR05 the document's amount, RMR06 the discount. Control numbers and counts of every envelope are checked.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence

import msgspec

from services.gateway.bank import amounts, checks, decoding, segments
from services.gateway.bank.segments import Segment
from services.gateway.bank.statement import Advice, AdviceLine, Broken

_ISA_CHARS = 106
_DEFAULT_CURRENCY = "USD"
"""X12: without CUR the amounts are in the currency of the sender's country, which for this American standard is the dollar."""
_CREDITS = {"CM", "CN"}
_CLOSING = {"IEA": "ISA", "GE": "GS", "SE": "ST"}
_PLACES = {"IEA": (13, 2), "GE": (6, 2), "SE": (2, 2)}
"""Where opening and closing segment repeat the control number."""


def read(data: bytes) -> tuple[Advice, ...]:
    """Every 820 of the interchange. Raises `Broken` for counts, control numbers or sums that do not fit."""
    text = decoding.text_of(data, ("utf-8", "latin-1"), "kept").lstrip("\ufeff \n")
    found = segments.split(text, _signs(text))
    _check_envelopes(found)
    advices = tuple(_advice(transaction, found[0]) for transaction in _transactions(found))
    if not advices:
        raise Broken("file", "holds no transaction 820", "send the payment order with its remittance advice")
    return advices


def is_like(text: str) -> bool:
    return text.startswith("ISA") and len(text) > 3 and not text[3].isalnum()


def _signs(text: str) -> segments.Signs:
    """ISA has sixteen elements of fixed width; the sign behind the sixteenth ends all segments."""
    element = text[3]
    pieces = text[: _ISA_CHARS * 2].split(element)
    if len(pieces) < 17 or len(pieces[16]) < 2:
        raise Broken("line 1", "ISA is not complete: the file is cut off", "fetch it again")
    return segments.Signs(element, pieces[16][0], pieces[16][1])


def _check_envelopes(found: Sequence[Segment]) -> None:
    opened: list[tuple[Segment, int]] = []
    counts = {"ISA": 0, "GS": 0}
    for segment in found:
        if segment.tag in ("ISA", "GS", "ST"):
            counts["ISA"] += segment.tag == "GS"
            counts["GS"] = 0 if segment.tag == "GS" else counts["GS"] + (segment.tag == "ST")
            opened.append((segment, segment.number))
        elif segment.tag in _CLOSING:
            if not opened or opened[-1][0].tag != _CLOSING[segment.tag]:
                raise Broken(segment.where, f"closes no {_CLOSING[segment.tag]}", "fetch the file again")
            start, number = opened.pop()
            ours = segment.number - number + 1 if segment.tag == "SE" else counts[start.tag]
            _check_end(start, segment, ours)
    if opened:
        raise Broken(opened[-1][0].where, "is not closed: the file is cut off", "fetch it again")


def _check_end(start: Segment, end: Segment, ours: int) -> None:
    opening, closing = (text.lstrip("0") for text in (start.text(_PLACES[end.tag][0]), end.text(_PLACES[end.tag][1])))
    if opening != closing:
        raise Broken(end.where, f"control number {closing[:20]!r}, but {start.tag} has {opening[:20]!r}", "fetch the file again")
    if not re.fullmatch(r"[0-9]{1,10}", end.text(1)) or int(end.text(1)) != ours:
        raise Broken(end.where, f"counts {end.text(1)[:10]!r}, there are {ours}", "fetch the file again")


def _transactions(found: Sequence[Segment]) -> Iterator[list[Segment]]:
    transaction: list[Segment] = []
    for segment in found:
        if segment.tag == "ST":
            transaction = [segment]
        elif transaction:
            transaction.append(segment)
            if segment.tag == "SE":
                if transaction[0].text(1) == "820":
                    yield transaction
                transaction = []


# --- one advice -----------------------------------------------------------------------------------------------------


def _advice(transaction: Sequence[Segment], interchange: Segment) -> Advice:
    payment = next((segment for segment in transaction if segment.tag == "BPR"), None)
    if payment is None:
        raise Broken(transaction[0].where, "has no BPR, so no payment", "ask the payer for a complete advice")
    currency = next((segment.text(2) for segment in transaction if segment.tag == "CUR"), "") or _DEFAULT_CURRENCY
    trace = next((segment.text(2) for segment in transaction if segment.tag == "TRN" and segment.text(2)), "")
    lines = tuple(_lines(transaction, currency))
    amount = amounts.plain(payment.text(2), currency, payment.where)
    advice = Advice(
        advice=decoding.field(trace or f"{interchange.text(6)}/{interchange.text(13)}/{transaction[0].text(2)}", 60),
        payer=_payer(transaction),
        payer_account=decoding.field(payment.text(9), 60),
        paid_on=_day(payment, 16),
        amount_minor=-amount if payment.text(3) == "D" else amount,
        currency=currency,
        payment_reference=decoding.field(trace, 60),
        lines=lines,
        format="X12 820",
    )
    return checks.added_up(_reckoned(advice), payment.where)


def _reckoned(advice: Advice) -> Advice:
    """Some payers state RMR04 before what they take (ADX): the sum of the payment tells which way it is."""
    taken = sum(line.taken_minor for line in advice.lines)
    if not taken or checks.paid(advice.lines) - taken != advice.amount_minor:
        return advice
    net = tuple(msgspec.structs.replace(line, amount_minor=line.amount_minor - line.taken_minor) for line in advice.lines)
    return msgspec.structs.replace(advice, lines=net)


def _payer(transaction: Sequence[Segment]) -> str:
    for role in ("PR", "RM", "BT", "PY"):
        for segment in transaction:
            if segment.tag == "N1" and segment.text(1) == role:
                return decoding.field(segment.text(2) or segment.text(4))
    return ""


def _lines(transaction: Sequence[Segment], currency: str) -> Iterator[AdviceLine]:
    """A document with the segments behind it, until the next one; an adjustment before any document is a line of its own."""
    for block in _blocks(transaction):
        if block[0].tag == "RMR":
            yield _line(block, currency)
        else:
            minor = amounts.plain(block[0].text(1), currency, block[0].where)
            yield AdviceLine(reference=decoding.field(block[0].text(4), 60), amount_minor=minor, reason=block[0].text(2)[:140])


def _blocks(transaction: Sequence[Segment]) -> Iterator[list[Segment]]:
    block: list[Segment] = []
    for segment in transaction:
        is_start = segment.tag == "RMR" or (segment.tag == "ADX" and not (block and block[0].tag == "RMR"))
        if is_start or segment.tag in ("ENT", "N1", "SE"):
            if block:
                yield block
            block = [segment] if is_start else []
        elif block:
            block.append(segment)


def _line(block: Sequence[Segment], currency: str) -> AdviceLine:
    head = block[0]
    reference = head.text(2) or next((segment.text(2) for segment in block if segment.tag == "REF"), "")
    gross = _amount(head, 5, currency)
    paid = _amount(head, 4, currency)
    discount = abs(_amount(head, 6, currency) or 0)
    if not reference or (paid is None and gross is None):
        raise Broken(head.where, "names no document or no amount", "ask the payer for a complete advice")
    taken, reasons = _taken(block, currency)
    amount = gross - discount - taken if paid is None and gross is not None else paid or 0
    return AdviceLine(
        reference=decoding.field(reference, 60),
        amount_minor=-abs(amount) if head.text(1) in _CREDITS else amount,
        taken_minor=taken,
        discount_minor=discount,
        reason=reasons,
        document_on=_dated(block),
    )


def _amount(segment: Segment, element: int, currency: str) -> int | None:
    text = segment.text(element)
    return amounts.plain(text, currency, segment.where) if text else None


def _taken(block: Sequence[Segment], currency: str) -> tuple[int, str]:
    """ADX lowers what is paid by a negative amount; RMR08 does the same within the document's own segment."""
    parts = [(segment, 1, segment.text(2)) for segment in block if segment.tag == "ADX"]
    parts += [(block[0], 8, block[0].text(7))] if block[0].text(8) else []
    total = -sum(_amount(segment, element, currency) or 0 for segment, element, _ in parts)
    return total, decoding.field(decoding.joined([reason for _, _, reason in parts]))


def _dated(block: Sequence[Segment]) -> dt.date | None:
    return next((_day(segment, 2) for segment in block if segment.tag == "DTM" and segment.text(1) == "003"), None)


def _day(segment: Segment, element: int) -> dt.date | None:
    text = segment.text(element)
    if not text:
        return None
    return amounts.day(text, "%Y%m%d", segment.where) if len(text) == 8 else amounts.short_day(text, segment.where)
