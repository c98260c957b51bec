"""Refunds as a payment file for our bank: ISO 20022 pain.001.001.03 (P10). Pure: the same refunds are the same bytes for ever.

One writer for SEPA and for sterling, because a file that is proved by its digest must not hold a clock or a random name, which
libraries put in. Only the characters that every bank takes (EPC 217-08) go out; others are written as their nearest letters.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from lxml import etree

from contracts.payments import PaymentFileMade, Transfer
from shared.money import as_text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"
NAME_MAX, NAME_OF_FILE_MAX = 70, 35
"""Characters of a party's name in SEPA (of 140 in the schema), and of the identifiers of message and payment."""
SERVICE_LEVEL = {"EUR": "SEPA"}
OTHER_LEVEL = "NURG"
"""ISO external code list: an ordinary payment, not urgent; what banks in Britain read for sterling."""
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")
_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "œ": "oe", "&": "+", "’": "'"}
)


class NotPayable(ValueError):
    """These refunds are no payment file: why, and how to mend it."""


class NotWhatWasJournaled(ValueError):
    """The bytes are others than the digest proves: nothing of this may be sent to the bank."""


class OurAccount(NamedTuple):
    """Who pays, as the file names it."""

    iban: str
    name: str
    bic: str = ""


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def name_of(file: str) -> str:
    """The message id: short enough for the bank, and the file's own for ever."""
    return file if len(file) <= NAME_OF_FILE_MAX else f"PF-{digest(file.encode())[:24].upper()}"


def bytes_of(fact: PaymentFileMade) -> bytes:
    """The file as it was made, from its fact alone. Raises `NotWhatWasJournaled` when its digest says otherwise: then nothing is
    sent."""
    ours = OurAccount(fact.our_iban, fact.our_name, fact.our_bic)
    content = payment_file(fact.refunds, ours, fact.on, name_of(fact.file))
    if digest(content) != fact.digest:
        where = f"{fact.file} of {fact.bank_account}"
        raise NotWhatWasJournaled(f"{where} comes out as other bytes than were journaled; send nothing")
    return content


def payment_file(refunds: Sequence[Transfer], our_account: OurAccount, on: dt.date, name: str = "") -> bytes:
    """The file's bytes: one batch of all refunds, executed on that day. `name`: the message id, else made from the content.

    Raises `NotPayable` for no refunds, several currencies, an amount of nothing, or the same end-to-end id twice.
    """
    currency = _one_currency(refunds)
    total = as_text(sum(each.amount_minor for each in refunds), currency)
    root = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    message = _in(root, "CstmrCdtTrfInitn")
    identity = clean(name, NAME_OF_FILE_MAX) if name else _identity(refunds, our_account, on)
    _header(message, identity, on, len(refunds), total, our_account)
    batch = _batch(message, identity, on, len(refunds), total, our_account, currency)
    for each in refunds:
        _transfer(batch, each)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _one_currency(refunds: Sequence[Transfer]) -> str:
    if not refunds:
        raise NotPayable("a payment file has at least one payment; leave it out")
    currencies = sorted({each.currency for each in refunds})
    if len(currencies) > 1:
        raise NotPayable(f"{' and '.join(currencies)} in one file; make one file for each currency")
    if any(each.amount_minor <= 0 for each in refunds):
        raise NotPayable("a payment of nothing; leave it out")
    if len({each.request for each in refunds}) < len(refunds):
        raise NotPayable("the same end-to-end id twice; each refund is paid once")
    return currencies[0]


def _identity(refunds: Sequence[Transfer], our_account: OurAccount, on: dt.date) -> str:
    parts = (our_account.iban, on.isoformat(), *(each.request for each in refunds))
    return f"PF-{digest('/'.join(parts).encode())[:24].upper()}"


def _header(message: etree._Element, identity: str, on: dt.date, count: int, total: str, our_account: OurAccount) -> None:
    header = _in(message, "GrpHdr")
    _in(header, "MsgId", identity)
    _in(header, "CreDtTm", f"{on.isoformat()}T00:00:00")  # the day's: a clock would make other bytes of the same payments
    _in(header, "NbOfTxs", str(count))
    _in(header, "CtrlSum", total)
    _in(_in(header, "InitgPty"), "Nm", clean(our_account.name, NAME_MAX))


def _batch(
    message: etree._Element, identity: str, on: dt.date, count: int, total: str, our_account: OurAccount, currency: str
) -> etree._Element:
    batch = _in(message, "PmtInf")
    _in(batch, "PmtInfId", identity)
    _in(batch, "PmtMtd", "TRF")
    _in(batch, "BtchBookg", "false")  # an entry for each payment, so that the statement confirms each by its own id
    _in(batch, "NbOfTxs", str(count))
    _in(batch, "CtrlSum", total)
    _in(_in(_in(batch, "PmtTpInf"), "SvcLvl"), "Cd", SERVICE_LEVEL.get(currency, OTHER_LEVEL))
    _in(batch, "ReqdExctnDt", on.isoformat())
    _in(_in(batch, "Dbtr"), "Nm", clean(our_account.name, NAME_MAX))
    account = _in(batch, "DbtrAcct")
    _in(_in(account, "Id"), "IBAN", our_account.iban)
    _in(account, "Ccy", currency)
    _agent(_in(batch, "DbtrAgt"), our_account.bic)
    _in(batch, "ChrgBr", "SLEV")
    return batch


def _agent(agent: etree._Element, bic: str) -> None:
    institution = _in(agent, "FinInstnId")
    if bic:
        _in(institution, "BIC", bic)
    else:
        _in(_in(institution, "Othr"), "Id", "NOTPROVIDED")


def _transfer(batch: etree._Element, refund: Transfer) -> None:
    transfer = _in(batch, "CdtTrfTxInf")
    _in(_in(transfer, "PmtId"), "EndToEndId", end_to_end(refund.request))
    amount = _in(_in(transfer, "Amt"), "InstdAmt", as_text(refund.amount_minor, refund.currency))
    amount.set("Ccy", refund.currency)
    _in(_in(transfer, "Cdtr"), "Nm", clean(refund.holder, NAME_MAX))
    _in(_in(_in(transfer, "CdtrAcct"), "Id"), "IBAN", refund.iban)
    _in(_in(transfer, "RmtInf"), "Ustrd", clean(f"Refund {refund.request}", 140))


def end_to_end(request: str) -> str:
    """The request itself, or `NotPayable`: an id that a bank would change could never be recognised again."""
    if not 0 < len(request) <= NAME_OF_FILE_MAX or not _ALLOWED.issuperset(request) or request[0] == "/" or "//" in request:
        raise NotPayable(f"{request!r} is no end-to-end id: at most 35 letters, digits and -?:().,'+ are passed on by banks")
    return request


def clean(text: str, length: int) -> str:
    """In the banks' characters: accents fall off, what has no nearest letter becomes a full stop."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    letters = (sign if sign in _ALLOWED else "." for sign in plain if not unicodedata.combining(sign))
    return "".join(letters).strip()[:length].strip() or "."


def _in(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = text
    return child
