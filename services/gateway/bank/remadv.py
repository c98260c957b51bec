"""EDIFACT REMADV (D.93A to D.01B and later) to advices: the payer's documents, amounts and deductions (P4).

MOA of a document: 12 is paid, else 9 is payable; 77, 39 or 5 its amount; 52 discount; after AJT what was taken, with its code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from services.gateway.bank import amounts, checks, decoding, segments
from services.gateway.bank.segments import Segment
from services.gateway.bank.statement import Advice, AdviceLine, Broken

_DEFAULT = segments.Signs("+", ":", "'", "?")
_PAID, _GROSS, _DISCOUNT, _TAKEN = ("12", "9"), ("77", "39", "5"), ("52", "53"), ("165", "8", "204", "19")
_TOTALS = ("12", "9", "128", "86", "139", "138", "7")
_DOCUMENTS = ("IV", "ON", "Z13", "OI")
_CREDIT_NOTES = {"381", "83", "84", "261", "262", "296", "308", "396", "420", "458"}
"""Document names (1001) that credit the payer: credit notes of several kinds; 83 and 84 are debit/credit for goods."""
_DAYS = {
    "102": "%Y%m%d",
    "101": "%y%m%d",
    "203": "%Y%m%d%H%M",
    "204": "%Y%m%d%H%M%S",
    "303": "%Y%m%d",
    "2": "%d%m%y",
    "": "%Y%m%d",
}
_CHARS = {"303": 8}
"""Of a time with its zone only the day is read."""


def read(data: bytes) -> tuple[Advice, ...]:
    """Every REMADV of the interchange. Raises `Broken` for counts, references or sums that do not fit."""
    text = decoding.text_of(data, ("utf-8", "latin-1"), "kept").lstrip("\ufeff \n")
    found = _split(text)
    _check_interchange(found)
    advices = tuple(_advice(message, found) for message in _messages(found))
    if not advices:
        raise Broken("file", "holds no message REMADV", "send the payment advice")
    return advices


def is_like(text: str) -> bool:
    return text.startswith(("UNA", "UNB+", "UNB"))


def _signed(text: str) -> tuple[str, segments.Signs]:
    """UNA and six signs: part, element, decimal, release, reserved, end. The decimal sign is read either way."""
    if not text.startswith("UNA"):
        return text, _DEFAULT
    if len(text) < 9:
        raise Broken("line 1", "the file ends within UNA: it is cut off", "fetch it again")
    return text[9:], segments.Signs(element=text[4], part=text[3], end=text[8], release=text[6].strip())


def _split(text: str) -> list[Segment]:
    body, signs = _signed(text)
    return segments.split(body, signs)


def _check_interchange(found: Sequence[Segment]) -> None:
    if not found or found[0].tag != "UNB" or found[-1].tag != "UNZ":
        raise Broken(found[-1].where if found else "line 1", "the interchange is not UNB to UNZ: it is cut off", "fetch it again")
    count = sum(segment.tag == "UNH" for segment in found)
    if found[-1].text(1) and found[-1].text(1).lstrip("0") != str(count):
        raise Broken(found[-1].where, f"counts {found[-1].text(1)[:10]} messages, there are {count}", "fetch it again")


def _messages(found: Sequence[Segment]) -> Iterator[list[Segment]]:
    message: list[Segment] = []
    for segment in found:
        if segment.tag == "UNH":
            if message:
                raise Broken(segment.where, "begins before the message above ends (UNT)", "fetch it again")
            message = [segment]
        elif message:
            message.append(segment)
            if segment.tag == "UNT":
                _check_count(message)
                if message[0].text(2) == "REMADV":
                    yield message
                message = []
    if message:
        raise Broken(message[0].where, "the message has no end (UNT)", "fetch it again")


def _check_count(message: Sequence[Segment]) -> None:
    stated = message[-1].text(1)
    if stated.lstrip("0") != str(len(message)):
        raise Broken(message[-1].where, f"counts {stated[:10]} segments, there are {len(message)}", "fetch it again")


# --- one advice -----------------------------------------------------------------------------------------------------


def _advice(message: Sequence[Segment], whole: Sequence[Segment]) -> Advice:
    documents, head, tail = _blocks(message)
    currency = _currency(message)
    lines = tuple(_line(block, currency) for block in documents) or _alone(head, tail, currency)
    payer = _party(head, "PR", "PL", "BY", "OA")
    advice = Advice(
        advice=next((segment.text(2) for segment in head if segment.tag == "BGM" and segment.text(2)), whole[0].text(5)),
        payer=payer,
        payer_account=_account(head),
        paid_on=_day(head, "203", "138", "209", "140", "137"),
        amount_minor=_total([*tail, *head], currency, checks.paid(lines)),
        currency=currency,
        payment_reference=_reference(head),
        lines=lines,
        format="REMADV",
    )
    return checks.added_up(advice, message[0].where)


def _alone(head: Sequence[Segment], tail: Sequence[Segment], currency: str) -> tuple[AdviceLine, ...]:
    """An advice of one document may name it only in its head."""
    reference = next((segment.text(1, 2) for segment in head if segment.tag == "RFF" and segment.text(1, 1) in _DOCUMENTS), "")
    amount = _moa([*tail, *head], _TOTALS, currency)
    return (AdviceLine(reference=decoding.field(reference, 60), amount_minor=amount),) if reference and amount is not None else ()


def _blocks(message: Sequence[Segment]) -> tuple[list[list[Segment]], list[Segment], list[Segment]]:
    """The documents, what stands before the first, and what stands behind UNS."""
    documents: list[list[Segment]] = []
    head: list[Segment] = []
    tail: list[Segment] = []
    here = head
    for segment in message:
        if segment.tag in ("DOC", "UNS"):
            here = tail if segment.tag == "UNS" else []
            if segment.tag == "DOC":
                documents.append(here)
        here.append(segment)
    return documents, head, tail


def _currency(message: Sequence[Segment]) -> str:
    stated = [segment.text(1, 2) for segment in message if segment.tag == "CUX"]
    stated += [segment.text(1, 3) for segment in message if segment.tag == "MOA"]
    named = {text for text in stated if text}
    if len(named) > 1:
        raise Broken(message[0].where, f"names several currencies: {', '.join(sorted(named))[:60]}", "send one advice for each")
    if not named:
        raise Broken(message[0].where, "neither CUX nor MOA names the currency", "add CUX+2:EUR")
    return named.pop()


def _moa(block: Sequence[Segment], qualifiers: Sequence[str], currency: str) -> int | None:
    """The first amount of the first qualifier that is there."""
    for qualifier in qualifiers:
        for segment in block:
            if segment.tag == "MOA" and segment.text(1, 1) == qualifier:
                return amounts.comma(segment.text(1, 2), currency, segment.where)
    return None


def _total(block: Sequence[Segment], currency: str, ours: int) -> int:
    stated = _moa(block, _TOTALS, currency)
    return ours if stated is None else stated


def _line(block: Sequence[Segment], currency: str) -> AdviceLine:
    head = block[0]
    paid = _moa(block, _PAID, currency)
    gross = _moa(block, _GROSS, currency)
    discount = abs(_moa(block, _DISCOUNT, currency) or 0)
    taken = _taken(block, currency)
    if paid is None and gross is None:
        raise Broken(head.where, "the document has no amount (MOA+12)", "ask the payer for a complete advice")
    amount = gross - discount - taken if paid is None and gross is not None else paid or 0
    return AdviceLine(
        reference=decoding.field(head.text(2), 60) or _document_reference(block),
        amount_minor=-abs(amount) if head.text(1) in _CREDIT_NOTES else amount,
        taken_minor=taken,
        discount_minor=discount,
        reason=_why(block),
        document_on=_day(block, "137", "171", "3", "203"),
    )


def _document_reference(block: Sequence[Segment]) -> str:
    found = next((segment.text(1, 2) for segment in block if segment.tag == "RFF" and segment.text(1, 2)), "")
    if not found:
        raise Broken(block[0].where, "the document has no number", "ask the payer for a complete advice")
    return decoding.field(found, 60)


def _taken(block: Sequence[Segment], currency: str) -> int:
    """What the payer kept: the amounts beside the adjustments (AJT), before or behind them."""
    if not any(segment.tag == "AJT" for segment in block):
        return 0
    found = [segment for segment in block if segment.tag == "MOA" and segment.text(1, 1) in _TAKEN]
    return sum(abs(amounts.comma(segment.text(1, 2), currency, segment.where)) for segment in found)


def _why(block: Sequence[Segment]) -> str:
    codes = [segment.text(1) for segment in block if segment.tag == "AJT"]
    texts = [
        " ".join(part for part in segment.elements[3] if part)
        for segment in block
        if segment.tag == "FTX" and len(segment.elements) > 3
    ]
    return decoding.field(decoding.joined([*codes, *texts]))


def _party(head: Sequence[Segment], *roles: str) -> str:
    """Name of the first role that is there, else its number: names stand as text lines or in a field of their own."""
    for role in roles:
        for segment in head:
            if segment.tag == "NAD" and segment.text(1) == role:
                return decoding.field(segment.text(4) or segment.text(3) or segment.text(2))
    return ""


def _account(head: Sequence[Segment]) -> str:
    found = next((segment.text(2) for segment in head if segment.tag == "FII" and segment.text(1) in ("OR", "PB", "PL")), "")
    return decoding.field(found, 60).replace(" ", "")


def _reference(head: Sequence[Segment]) -> str:
    """The payment's own reference: payment order, payer's, bank's, or any."""
    references = [(segment.text(1, 1), segment.text(1, 2)) for segment in head if segment.tag == "RFF"]
    for qualifier in ("PQ", "AEK", "ACK", "CR", "TN", ""):
        for found, text in references:
            if text and (found == qualifier or not qualifier):
                return decoding.field(text, 60)
    return ""


def _day(block: Sequence[Segment], *qualifiers: str) -> dt.date | None:
    for qualifier in qualifiers:
        for segment in block:
            if segment.tag == "DTM" and segment.text(1, 1) == qualifier and segment.text(1, 2):
                form = _DAYS.get(segment.text(1, 3))
                if form is None:
                    raise Broken(segment.where, f"{segment.text(1, 3)[:10]!r} is no form of a day that is read", "use 102")
                return amounts.day(segment.text(1, 2)[: _CHARS.get(segment.text(1, 3))], form, segment.where)
    return None
