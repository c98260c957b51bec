"""The parts of one camt entry: amounts, days, parties, references and remittance of a transaction (TxDtls).

One reader for all versions: where a newer version wraps an element (Pty, Cd, Amt), both paths are looked at.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Sequence

import msgspec
from lxml import etree

from services.gateway.bank import amounts, decoding, references
from services.gateway.bank.statement import AdviceLine, BankEntry, Broken

_CREDIT_NOTES = {"CREN", "SOAC"}
_ACCOUNTS = ("IBAN", "Othr/Id", "PrtryAcct/Id")
_SIGNS = {"CRDT": 1, "DBIT": -1}


@functools.lru_cache(1024)
def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


class Node:
    """An element and its namespace, so that paths are written without it. Children are sorted by name when one is asked for."""

    __slots__ = ("_children", "element", "space")

    def __init__(self, element: etree._Element, space: str) -> None:
        self.element = element
        self.space = space
        self._children: dict[str, list[Node]] | None = None

    @property
    def children(self) -> dict[str, list[Node]]:
        if self._children is None:
            space, prefix = self.space, len(self.space) + 2
            self._children = {}
            for child in self.element:
                self._children.setdefault(str(child.tag)[prefix:], []).append(Node(child, space))
        return self._children

    def first(self, path: str) -> Node | None:
        """The first child of each step."""
        node = self
        for step in _steps(path):
            found = (node._children or node.children).get(step)
            if not found:
                return None
            node = found[0]
        return node

    def all(self, path: str) -> Sequence[Node]:
        found: Sequence[Node] = (self,)
        for step in _steps(path):
            found = [child for node in found for child in node.children.get(step, ())]
        return found

    def each(self, name: str) -> Iterator[Node]:
        """Children of this name, one after the other and kept by nobody: a day has ten thousand entries."""
        for child in self.element.iterchildren(f"{{{self.space}}}{name}"):
            yield Node(child, self.space)

    def text(self, path: str) -> str:
        found = self.first(path)
        return (found.element.text or "").strip() if found is not None else ""

    def attribute(self, path: str, name: str) -> str:
        found = self.first(path)
        return str(found.element.get(name) or "") if found is not None else ""

    @property
    def where(self) -> str:
        return f"line {self.element.sourceline}, {etree.QName(self.element).localname}"


# --- amounts, signs, days -------------------------------------------------------------------------------------------


def amount(node: Node, path: str) -> tuple[int, str]:
    """Minor units without sign, and the currency."""
    found = node.first(path)
    if found is None:
        raise Broken(node.where, f"has no {path}", "ask the bank for the file again")
    currency = str(found.element.get("Ccy") or "")
    if not currency:
        raise Broken(found.where, "names no currency (Ccy)", "ask the bank for the file again")
    text = (found.element.text or "").strip()
    minor = amounts.plain(text, currency, found.where)
    if text.startswith(("-", "+")):
        raise Broken(
            found.where, f"{text[:40]!r} has a sign; the direction stands in CdtDbtInd", "ask the bank for the file again"
        )
    return minor, currency


def sign(node: Node) -> int:
    text = node.text("CdtDbtInd")
    if text not in _SIGNS:
        raise Broken(node.where, f"CdtDbtInd is {text[:20]!r}, neither CRDT nor DBIT", "ask the bank for the file again")
    return _SIGNS[text]


def day(node: Node, path: str, prefix: str = "") -> dt.date | None:
    """The day at the path: a day or a day and time, inside (Dt, DtTm; FrDt, FrDtTm) or as its own text."""
    for tag in (f"{path}/{prefix}Dt", f"{path}/{prefix}DtTm", "" if prefix else path):
        text = node.text(tag) if tag else ""
        if text:
            return _day(text, f"{node.where}/{path}")
    return None


def _day(text: str, where: str) -> dt.date:
    """The local day of the bank: the day as it is written, whatever its offset. XSD allows an offset behind a day."""
    found = amounts.day(text[:10], "iso", where)
    if len(text) > 10 and text[10] not in "T Z+-":
        raise Broken(where, f"{text[:40]!r} is no day", "write it as 2026-01-31")
    return found


def charges(node: Node, currency: str) -> int:
    """What the bank kept, in the statement's currency; charges in others are not added."""
    records = node.all("Chrgs/Rcrd") or node.all("Chrgs")
    total = 0
    for record in records:
        if record.first("Amt") is None:
            continue
        minor, of = amount(record, "Amt")
        if of == currency:
            total += -minor if record.text("CdtDbtInd") == "CRDT" else minor
    return total


# --- one transaction ------------------------------------------------------------------------------------------------


def part_minor(transaction: Node, whole: BankEntry) -> int | None:
    """The signed amount of one transaction of a batch in the entry's currency, or None if it does not say."""
    stated = transaction.text("CdtDbtInd")
    direction = _SIGNS.get(stated, 1 if whole.amount_minor >= 0 else -1)
    for path in ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt"):
        if transaction.first(path) is not None:
            minor, currency = amount(transaction, path)
            if currency == whole.currency:
                return minor * direction
    return None


def part_of(whole: BankEntry, entry: str, transaction: Node, minor: int) -> BankEntry:
    part = msgspec.structs.replace(whole, entry=entry, amount_minor=minor, charges_minor=0, servicer_reference="")
    return detailed(part, transaction)


def whole_of(whole: BankEntry, transactions: Sequence[Node]) -> BankEntry:
    """An entry that cannot be told apart: the text of all, and of nobody in particular."""
    texts = [text for transaction in transactions for text in _texts(transaction)]
    return msgspec.structs.replace(whole, text=decoding.joined([whole.text, *texts]))


def detailed(entry: BankEntry, transaction: Node) -> BankEntry:
    """The entry with what its one transaction says."""
    payer, account, bank = _counterparty(entry, transaction)
    lines = tuple(_lines(transaction, entry.currency))
    texts = _texts(transaction)
    instructed = _instructed(transaction, entry.currency)
    return msgspec.structs.replace(
        entry,
        code=code(transaction) or entry.code,
        is_reversal=entry.is_reversal or transaction.first("RtrInf") is not None,
        payer=payer,
        payer_account=account,
        payer_bank=bank,
        reference=_reference(transaction) or references.creditor_reference(" ".join(texts)) or entry.reference,
        end_to_end=references.given(transaction.text("Refs/EndToEndId")),
        servicer_reference=references.given(transaction.text("Refs/AcctSvcrRef")) or entry.servicer_reference,
        text=decoding.joined([*texts, entry.text]),
        lines=lines,
        instructed_minor=instructed[0],
        instructed_currency=instructed[1],
        charges_minor=entry.charges_minor or charges(transaction, entry.currency),
    )


def code(node: Node) -> str:
    """The bank transaction code: domain-family-subfamily, or the bank's own."""
    first = node.first("BkTxCd")
    if first is None:
        return ""
    parts = [first.text(path) for path in ("Domn/Cd", "Domn/Fmly/Cd", "Domn/Fmly/SubFmlyCd")]
    return decoding.field("-".join(part for part in parts if part) or first.text("Prtry/Cd"), 35)


def _instructed(transaction: Node, currency: str) -> tuple[int, str]:
    """What the payer ordered, where it is in another currency or another amount than was booked."""
    for path in ("AmtDtls/InstdAmt/Amt", "AmtDtls/TxAmt/Amt", "Amt"):
        if transaction.first(path) is not None:
            minor, of = amount(transaction, path)
            if path.startswith("AmtDtls/Instd") or of != currency:
                return minor, of
    return 0, ""


def _counterparty(entry: BankEntry, transaction: Node) -> tuple[str, str, str]:
    """Who paid us, or whom we paid. A reversed entry keeps the parties of the original, which went the other way."""
    came_in = (entry.amount_minor >= 0) != entry.is_reversal
    name, account, bank = _party(transaction, "Dbtr" if came_in else "Cdtr")
    if entry.is_reversal and not (name or account):  # some banks turn the parties round with the money
        return _party(transaction, "Cdtr" if came_in else "Dbtr")
    return name, account, bank


def _party(transaction: Node, role: str) -> tuple[str, str, str]:
    parties = transaction.first("RltdPties")
    bank = _bank(transaction.first(f"RltdAgts/{role}Agt/FinInstnId"))
    if parties is None:
        return "", "", bank
    account = next((text for path in _ACCOUNTS if (text := parties.text(f"{role}Acct/Id/{path}"))), "")
    name = _name(parties, role) or _name(parties, f"Ultmt{role}")
    return decoding.field(name), decoding.field(account, 60).replace(" ", ""), bank


def _name(parties: Node, role: str) -> str:
    """Version 8 wraps the party (Pty), or names a bank instead (Agt)."""
    found = parties.first(role)
    return (found.text("Nm") or found.text("Pty/Nm") or found.text("Agt/FinInstnId/Nm")) if found else ""


def _bank(found: Node | None) -> str:
    if found is None:
        return ""
    return found.text("BICFI") or found.text("BIC") or found.text("ClrSysMmbId/MmbId") or decoding.field(found.text("Nm"), 70)


# --- remittance -----------------------------------------------------------------------------------------------------


def _reference(transaction: Node) -> str:
    """The structured creditor reference, if there is one; of several none is the payment's."""
    found = {node.text("Ref") for node in transaction.all("RmtInf/Strd/CdtrRefInf")} - {""}
    return decoding.field(found.pop(), 35) if len(found) == 1 else ""


def _texts(transaction: Node) -> list[str]:
    texts = [node.element.text or "" for node in transaction.all("RmtInf/Ustrd")]
    texts += [node.element.text or "" for node in transaction.all("RmtInf/Strd/AddtlRmtInf")]
    texts += [node.element.text or "" for node in transaction.all("RtrInf/AddtlInf")]
    if behalf := _on_behalf(transaction):
        texts.append(behalf)
    texts.append(transaction.text("AddtlTxInf"))
    return texts


def _on_behalf(transaction: Node) -> str:
    parties = transaction.first("RltdPties")
    if parties is None:
        return ""
    ultimate = _name(parties, "UltmtDbtr")
    return f"on behalf of {ultimate}" if ultimate and ultimate != _name(parties, "Dbtr") else ""


def _lines(transaction: Node, currency: str) -> list[AdviceLine]:
    """What the payer says it pays: one line for each referred document with an amount."""
    lines = []
    for structured in transaction.all("RmtInf/Strd"):
        line = _line(structured, currency)
        if line:
            lines.append(line)
    return lines


def _line(structured: Node, currency: str) -> AdviceLine | None:
    document = structured.first("RfrdDocInf")
    reference = (document.text("Nb") if document else "") or structured.text("CdtrRefInf/Ref")
    parts = {tag: _part(structured, tag, currency) for tag in ("RmtdAmt", "DuePyblAmt", "CdtNoteAmt", "DscntApldAmt")}
    if not reference or (parts["RmtdAmt"] is None and parts["DuePyblAmt"] is None and parts["CdtNoteAmt"] is None):
        return None
    kind = document.text("Tp/CdOrPrtry/Cd") if document else ""
    taken, reason = _adjusted(structured, currency)
    discount, due = parts["DscntApldAmt"] or 0, parts["DuePyblAmt"] or 0
    net = parts["RmtdAmt"] if parts["RmtdAmt"] is not None else (due - discount - taken or parts["CdtNoteAmt"] or 0)
    is_credit = kind in _CREDIT_NOTES or (parts["RmtdAmt"] is None and not due)
    return AdviceLine(
        reference=decoding.field(reference, 60),
        amount_minor=-abs(net) if is_credit else net,
        taken_minor=taken,
        discount_minor=discount,
        reason=reason,
        document_on=day(document, "RltdDt") if document else None,
    )


def _part(structured: Node, tag: str, currency: str) -> int | None:
    """An amount of RfrdDocAmt, which later versions wrap once more; in another currency it says nothing here."""
    for path in (f"RfrdDocAmt/{tag}/Amt", f"RfrdDocAmt/{tag}"):
        found = structured.first(path)
        if found is not None and found.element.get("Ccy"):
            minor, of = amount(structured, path)
            return minor if of == currency else None
    return None


def _adjusted(structured: Node, currency: str) -> tuple[int, str]:
    """What the payer took off, and why. A debit adjustment lowers what is paid."""
    taken, reasons = 0, []
    for found in structured.all("RfrdDocAmt/AdjstmntAmtAndRsn"):
        minor, of = amount(found, "Amt")
        if of == currency:
            taken += -minor if found.text("CdtDbtInd") == "CRDT" else minor
            reasons += [found.text("Rsn"), found.text("AddtlInf")]
    return taken, decoding.field(decoding.joined(reasons))
