"""The way in: the bytes of any file from a bank or a payer to statements, advices or open items, or one refusal (P3, P4).

The format is found by content; a name never decides it. Every failure of a reader that is the file's is a `Refused`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from services.gateway.bank import bai2, camt, decoding, fbl5n, mail, mapping, mt940, remadv, table, tabled, x12
from services.gateway.bank.fbl5n import OpenItem
from services.gateway.bank.statement import Advice, Broken, Refused, Statement
from services.gateway.bank.table import Row
from services.gateway.sheet import SIGNATURE

Read = tuple[Statement, ...] | tuple[Advice, ...] | tuple[OpenItem, ...]

_FOREIGN = {
    b"%PDF": ("a PDF", "ask for the file as data: camt, MT940, CSV or XLSX"),
    b"\xd0\xcf\x11\xe0": ("an old workbook (XLS) or Outlook message", "save it as XLSX, or as EML"),
    b"\x1f\x8b": ("compressed (gzip)", "send it unpacked"),
    b"Rar!": ("compressed (RAR)", "send it unpacked"),
    b"\x30\x82": ("signed or encrypted", "send the bank's file itself"),
}


def read(name: str, data: bytes) -> Read | Refused:
    """What the file holds. `name` is only for telling; several statements in one file are read all or none."""
    try:
        return _read(name, data)
    except Broken as error:
        return error.refused


def _read(name: str, data: bytes) -> Read:
    decoding.of_size(data)
    for signature, (what, mend) in _FOREIGN.items():
        if data.startswith(signature):
            raise Broken("file", f"{name[:80]!r} is {what}", mend)
    if data.startswith(SIGNATURE):
        return _of_rows(table.of_workbook(data))
    if _is_xml(data):
        return camt.read(data)
    if mail.is_like(data[: mail.HEAD_BYTES].decode("latin-1")):
        return _of_mail(mail.unpacked(data))
    return _of_text(name, data)


def _is_xml(data: bytes) -> bool:
    bare, encoding = decoding.marked(data[:400])
    head = bare.decode(encoding or "latin-1", errors="ignore").lstrip()
    return head.startswith(("<", "+ADw-")) or data[:4] in (b"<\x00?\x00", b"\x00<\x00?")


def _of_text(name: str, data: bytes) -> Read:
    text = decoding.text_of(data, mt940.ENCODINGS, "kept")
    start = text.lstrip("\ufeff \n")
    if x12.is_like(start):
        return x12.read(data)
    if remadv.is_like(start):
        return remadv.read(data)
    if bai2.is_like(start):
        return bai2.read(data)
    if mt940.is_like(text):
        return mt940.read(data)
    return _of_table(name, decoding.text_of(data))


def _of_table(name: str, text: str) -> Read:
    for rule in mapping.mappings():
        if sheet := _fitting(text, rule):
            return tabled.statements(sheet) if rule.kind == "statement" else tabled.advices(sheet)
    if items := fbl5n.find_text(text):
        return items
    if mail.looks_like_advice(text):
        return (mail.advice_in(text),)
    raise _unknown(name, text.lstrip().split("\n", 1)[0])


def _fitting(text: str, rule: mapping.BankMapping) -> mapping.Sheet | None:
    """The table with this mapping, if its header stands in the first lines; only then is all of it taken apart."""
    head = text.split("\n", table.HEADER_ROWS_MAX)[: table.HEADER_ROWS_MAX]
    if not any(rule.delimiter in line and _has_columns(line, rule) for line in head):
        return None
    return mapping.fitting(table.of_text(text, rule.delimiter), rule)


def _has_columns(line: str, rule: mapping.BankMapping) -> bool:
    return all(column in line for field, column in rule.columns.items() if field not in rule.optional)


def _of_rows(rows: Sequence[Row]) -> Read:
    for rule in mapping.mappings():
        if sheet := mapping.fitting(rows, rule):
            return tabled.statements(sheet) if rule.kind == "statement" else tabled.advices(sheet)
    if items := fbl5n.find_rows(rows):
        return items
    raise _unknown("workbook", ", ".join(rows[0].cells) if rows else "")


def _unknown(name: str, first: str) -> Broken:
    known = ", ".join(rule.name for rule in mapping.mappings())
    return Broken(
        "line 1",
        f"{name[:80]!r} is none of camt, MT940, MT942, BAI2, REMADV, 820, FBL5N or mail, "
        f"and its header fits no mapping ({known}): {first[:120]!r}",
        "send the bank's own file, or add a mapping for its columns",
    )


def _of_mail(message: mail.Mail) -> tuple[Advice, ...]:
    """Advices of the attachments; without any that is one, the advice in the text. A broken attachment refuses the message."""
    advices = [advice for attachment in message.attachments for advice in _attached(attachment)]
    if advices:
        payer = decoding.field(message.sender.split("<")[0].strip(' "'))
        return tuple(advice if advice.payer else msgspec.structs.replace(advice, payer=payer) for advice in advices)
    if not mail.looks_like_advice(message.text):
        raise Broken(
            "message", "neither an attachment nor the text is an advice with a total", "a person reads it; or ask for a CSV"
        )
    return (mail.advice_of(message),)


def _attached(attachment: mail.Attachment) -> Iterable[Advice]:
    """Pictures, signatures and PDF letters are passed over; data that looks like an advice must be one."""
    try:
        found = _of_attachment(attachment)
    except Broken as error:
        if _is_passed_over(attachment):
            return ()
        raise Broken(f"attachment {attachment.name[:60]!r}, {error.where}", error.reason, error.mend) from error
    return [value for value in found if isinstance(value, Advice)]


def _of_attachment(attachment: mail.Attachment) -> Read:
    if mail.is_like(attachment.data[: mail.HEAD_BYTES].decode("latin-1")):
        raise Broken("file", "a message within a message", "forward the advice itself")
    return _read(attachment.name, attachment.data)


def _is_passed_over(attachment: mail.Attachment) -> bool:
    ending = attachment.name.lower().rpartition(".")[2]
    return ending not in ("csv", "xlsx", "txt", "edi", "xml", "820", "edifact", "x12", "tsv")
