"""Payment advices in e-mail: the attachments it can read, else pairs of document number and amount in the text (P4).

A text is believed only if it states a total and its pairs add up to it; anything less is for a person.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from email import errors, message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from services.gateway.bank import amounts, checks, decoding
from services.gateway.bank.limits import MAIL_LINES_MAX, MAIL_PARTS_MAX
from services.gateway.bank.statement import Advice, AdviceLine, Broken
from shared.money import EXPONENTS

_HEADER = re.compile(
    r"(From|To|Subject|Date|Received|Return-Path|MIME-Version|Message-ID|Content-Type|Delivered-To):", re.IGNORECASE
)
_AMOUNT = re.compile(
    r"(?<![\w.,/-])(\(?-?[0-9]{1,3}(?:[.,' ][0-9]{3}){0,4}[.,][0-9]{2,3}\)?-?|\(?-?[0-9]{1,12}[.,][0-9]{2}\)?-?)(?![\w/])"
)
_DOCUMENT = re.compile(r"(?<![\w.,])(?=[A-Za-z/_-]{0,12}[0-9])[A-Za-z0-9][A-Za-z0-9/_-]{3,29}(?![\w.,]?[0-9])")
_DATE = re.compile(r"(?<![0-9])[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{2,4}(?![0-9])")
_TOTAL = re.compile(
    r"\b(?:grand total|total|sum|amount paid|payment amount|summe|gesamt\w{0,12}|totaal|montant|totale)\b", re.IGNORECASE
)
_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD"}
_TAKEN = re.compile(r"\b(?:less|deduct\w*|deduction|abz[uü]g\w*|minus|short)\b", re.IGNORECASE)


HEAD_BYTES = 16_000
"""How much of a file is looked at for the headers of a message: those of long mail routes have some ten thousand."""
_DAMAGED = (LookupError, ArithmeticError, ValueError, TypeError, AttributeError, errors.MessageError)
"""How the standard library's parser fails on damaged headers and parts; all of them are the message's fault."""


class Attachment(NamedTuple):
    name: str
    data: bytes


class Mail(NamedTuple):
    """What a message holds that can be an advice."""

    sender: str
    message: str
    day: str
    text: str
    attachments: tuple[Attachment, ...]


def is_like(text: str) -> bool:
    """True if the first lines are the headers of a message."""
    head = text.replace("\r\n", "\n").lstrip("\ufeff\n").split("\n\n", 1)[0].split("\n")
    return len({found[1].lower() for line in head if (found := _HEADER.match(line))}) >= 2


def unpacked(data: bytes) -> Mail:
    """The text and the attachments of a message as it came by SMTP or IMAP."""
    message = message_from_bytes(data, _class=EmailMessage, policy=policy.default)
    parts = [part for part in message.walk() if not part.is_multipart()]
    if len(parts) > MAIL_PARTS_MAX:
        raise Broken("message", f"{len(parts)} parts, at most {MAIL_PARTS_MAX} are read", "send the advice alone")
    try:
        texts = [part.get_content() for part in parts if part.get_content_type() == "text/plain" and not part.get_filename()]
        files = tuple(Attachment(part.get_filename() or "", _bytes_of(part)) for part in parts if part.get_filename())
        sender, number, day = (str(message.get(name, "")) for name in ("From", "Message-ID", "Date"))
    except _DAMAGED as error:
        raise Broken("message", f"a part cannot be read: {error}", "forward it again, or save its attachment") from error
    return Mail(sender, number, day, "\n".join(texts), files)


def _bytes_of(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def advice_of(mail: Mail) -> Advice:
    """The advice in the message's text."""
    found = advice_in(mail.text)
    payer = decoding.field(mail.sender.split("<")[0].strip(' "')) or decoding.field(mail.sender)
    return Advice(
        advice=decoding.field(mail.message.strip("<> ")) or found.advice,
        payer=payer,
        payer_account=found.payer_account,
        paid_on=_sent_on(mail.day),
        amount_minor=found.amount_minor,
        currency=found.currency,
        payment_reference=found.payment_reference,
        lines=found.lines,
        format="mail",
    )


def _sent_on(text: str) -> dt.date | None:
    """The day of the message; a Date that is none tells nothing, and the advice is good without."""
    try:
        return parsedate_to_datetime(text).date() if text else None
    except (ValueError, TypeError, OverflowError):
        return None


# --- plain text -----------------------------------------------------------------------------------------------------


def looks_like_advice(text: str) -> bool:
    """Whether the text has a total and at least one pair, so that it is worth reading as an advice."""
    lines = text.split("\n")[:MAIL_LINES_MAX]
    return any(_TOTAL.search(line) and _AMOUNT.search(line) for line in lines) and any(_is_pair(line) for line in lines)


def advice_in(text: str) -> Advice:
    """Pairs and total of a text. Raises `Broken` where they are not there, not in one currency, or do not add up."""
    lines = decoding.lines_of(text.replace("\u00a0", " "))
    if len(lines) > MAIL_LINES_MAX:
        raise Broken("message", f"{len(lines)} lines, at most {MAIL_LINES_MAX} are read", "send the list as CSV or XLSX")
    currency = _currency(text)
    decimal = _decimal(text, currency)
    pairs = tuple(_pair(number, line, currency, decimal) for number, line in enumerate(lines, start=1) if _is_pair(line))
    total, where = _stated(lines, currency, decimal)
    if not pairs:
        raise Broken("message", "no line has a document number and an amount", "a person reads it; or ask for a CSV")
    advice = Advice(
        advice=hashlib.sha256(text.encode()).hexdigest()[:16],
        payer="",
        payer_account="",
        paid_on=None,
        amount_minor=total,
        currency=currency,
        payment_reference=_payment_reference(text),
        lines=pairs,
        format="text",
    )
    return checks.added_up(advice, where)


def _is_pair(line: str) -> bool:
    return bool(_AMOUNT.search(line)) and not _TOTAL.search(line) and bool(_documents(line))


def _documents(line: str) -> list[str]:
    rest = _AMOUNT.sub(" ", _DATE.sub(" ", line))
    return [found[0].rstrip("-/_") for found in _DOCUMENT.finditer(rest) if any(sign.isdigit() for sign in found[0])]


def _pair(number: int, line: str, currency: str, decimal: str) -> AdviceLine:
    """`INV-1001 500.00`, or `INV-1001 500.00 less 50.00 damage 450.00`: the document's amount, what was taken, what is paid."""
    where = f"line {number}"
    found = [amounts.business(text, currency, decimal, where) for text in _AMOUNT.findall(_DATE.sub(" ", line))]
    reference = _documents(line)[0]
    if len(found) == 1:
        return AdviceLine(reference=reference, amount_minor=found[0])
    is_taken = bool(_TAKEN.search(line))
    if len(found) == 3 and found[0] - abs(found[1]) == found[2]:
        return AdviceLine(reference=reference, amount_minor=found[2], taken_minor=abs(found[1]), reason=_why(line))
    if len(found) == 2 and is_taken:
        return AdviceLine(
            reference=reference, amount_minor=found[0] - abs(found[1]), taken_minor=abs(found[1]), reason=_why(line)
        )
    raise Broken(where, f"{len(found)} amounts, and it is not plain which is paid", "a person reads it; or ask for a CSV")


def _why(line: str) -> str:
    """The words behind the deduction."""
    found = _TAKEN.search(line)
    words = re.findall(r"[A-Za-zÄÖÜäöüß]{3,}", line[found.end() :]) if found else []
    return decoding.field(" ".join(words))


def _stated(lines: Sequence[str], currency: str, decimal: str) -> tuple[int, str]:
    """The last total of the text."""
    for number in range(len(lines), 0, -1):
        line = lines[number - 1]
        found = _AMOUNT.findall(line) if _TOTAL.search(line) else []
        if found:
            return amounts.business(found[-1], currency, decimal, f"line {number}"), f"line {number}"
    raise Broken("message", "no line states the total", "a person reads it; or ask for a CSV")


def _currency(text: str) -> str:
    named = {
        found[0]
        for found in re.finditer(r"\b[A-Z]{3}\b", text)
        if found[0] in EXPONENTS and found[0] not in ("ALL", "TOP", "TRY", "MOP")
    }
    named |= {code for sign, code in _SIGNS.items() if sign in text}
    if len(named) != 1:
        told = f"names several currencies: {', '.join(sorted(named))}" if named else "names no currency"
        raise Broken("message", told, "a person reads it; or ask for a CSV with a column currency")
    return named.pop()


def _decimal(text: str, currency: str) -> str:
    """The decimal sign of all amounts: the last sign before exactly the currency's decimals."""
    places = amounts.decimals(currency, "message")
    last = {found[1] for amount in _AMOUNT.findall(text) if (found := re.search(rf"([.,])[0-9]{{{places or 2}}}\)?-?$", amount))}
    if len(last) > 1:
        raise Broken("message", "some amounts have a point before their decimals and some a comma", "a person reads it")
    return last.pop() if last else "."


def _payment_reference(text: str) -> str:
    found = re.search(r"\b(?:payment|our|your)? ?ref(?:erence)?\.?(?: no\.?)? ?[:#] ?([A-Za-z0-9/_-]{3,35})", text, re.IGNORECASE)
    return found[1] if found else ""
