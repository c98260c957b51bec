"""camt.052, .053 and .054 in their versions 2 to 8: balances, entries, batches told apart (P3). Transactions are in `camt_tx.py`.

Only booked entries count; what is pending is told, not read. A newer version is refused until somebody has looked at it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lxml import etree

from services.gateway.bank import amounts, camt_tx, checks, decoding, hardened, references
from services.gateway.bank.camt_tx import Node
from services.gateway.bank.limits import ENTRIES_MAX, NOTES_MAX
from services.gateway.bank.statement import BankEntry, Broken, Statement

VERSIONS = range(2, 9)
_NAMESPACE = re.compile(r"camt\.(05[234])\.001\.([0-9]{2})(?![0-9])")
_ROOTS = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
_OPENINGS, _CLOSINGS = ("OPBD", "PRCD"), ("CLBD",)
"""Booked balances of ISO 20022: opening, previous closing, closing. Interim and available ones prove nothing."""
_CHARGE_FAMILIES = {"CHRG", "FEES", "COMM", "COMI", "COMT"}


class Kind(NamedTuple):
    message: str
    version: int

    @property
    def told(self) -> str:
        return f"camt.{self.message}.001.{self.version:02d}"


class Balance(NamedTuple):
    code: str
    minor: int
    currency: str
    on: dt.date | None
    where: str


def read(data: bytes) -> tuple[Statement, ...]:
    """All statements, reports or notifications of the file. Raises `Broken` for the first that cannot be read exactly."""
    document, kind = _document(hardened.tree_of(data))
    body, part = _ROOTS[kind.message]
    parts = document.all(f"{body}/{part}")
    if not parts:
        raise Broken(document.where, f"holds no {part}, so no statement", "fetch the file again from the bank")
    if sum(1 for found in parts for _ in found.each("Ntry")) > ENTRIES_MAX:
        raise Broken("file", f"more than {ENTRIES_MAX} entries", "send the statements in several files")
    return checks.together([_statement(found, kind) for found in parts])


def _document(root: etree._Element) -> tuple[Node, Kind]:
    """The Document element, which an envelope of the bank or of SWIFT may surround."""
    for element in root.iter("{*}Document"):
        space = etree.QName(element).namespace or ""
        found = _NAMESPACE.search(space)
        if found is None:
            raise Broken(f"line {element.sourceline}", f"{space[:80]!r} is no camt.052, .053 or .054", "send a bank statement")
        kind = Kind(found[1], int(found[2]))
        if kind.version not in VERSIONS:
            raise Broken(
                f"line {element.sourceline}",
                f"{kind.told} is not read, only versions 02 to 08 are",
                "ask the bank for version 08",
            )
        return Node(element, space), kind
    raise Broken("line 1", f"the root element {etree.QName(root).localname!r} holds no Document", "send a bank statement")


# --- one statement --------------------------------------------------------------------------------------------------


def _statement(part: Node, kind: Kind) -> Statement:
    account, name = _account(part), decoding.field(part.text("Id"))
    balances = [_balance(found) for found in part.all("Bal")]
    opening, closing = _of(balances, _OPENINGS), _of(balances, _CLOSINGS)
    currency = _currency(part, opening, closing)
    for balance in (opening, closing):
        _check_currency(balance, currency)
    days = _days(part, opening, closing)
    entries, notes = _entries(part, currency, days)
    statement = Statement(
        bank_account=account,
        statement=name or _numbered(part, days),
        currency=currency,
        opening_minor=opening.minor if opening else None,
        closing_minor=closing.minor if closing else None,
        opened_on=days[0],
        closed_on=days[1],
        entries=tuple(entries),
        is_provisional=kind.message == "052",
        format=kind.told,
        notes=tuple(notes[:NOTES_MAX]),
    )
    return checks.controlled(checks.balanced(statement, part.where), _total_faults(part, entries, currency), part.where)


def _account(part: Node) -> str:
    account = part.text("Acct/Id/IBAN") or part.text("Acct/Id/Othr/Id") or part.text("Acct/Id/PrtryAcct/Id")
    if not account:
        raise Broken(part.where, "Acct/Id names no account", "ask the bank for the file again")
    return decoding.field(account, 60).replace(" ", "")


def _numbered(part: Node, days: tuple[dt.date | None, dt.date | None]) -> str:
    number = part.text("ElctrncSeqNb") or part.text("LglSeqNb")
    if not number and days[1] is None:
        raise Broken(part.where, "neither Id nor a number names the statement", "ask the bank for the file again")
    return f"{days[1] or ''} {decoding.field(number, 40)}".strip()


def _balance(found: Node) -> Balance:
    code = found.text("Tp/CdOrPrtry/Cd") or found.text("Tp/CdOrPrtry/Prtry")
    amount, currency = camt_tx.amount(found, "Amt")
    day = camt_tx.day(found, "Dt")
    return Balance(code, amount * camt_tx.sign(found), currency, day, found.where)


def _of(balances: Sequence[Balance], codes: Sequence[str]) -> Balance | None:
    """The balance of the first code that is there. Two of one code that disagree say nothing sure."""
    for code in codes:
        same = [balance for balance in balances if balance.code == code]
        if len({(balance.minor, balance.currency) for balance in same}) > 1:
            raise Broken(same[1].where, f"states two balances {code} that differ", "ask the bank which one is right")
        if same:
            return same[0]
    return None


def _check_currency(balance: Balance | None, currency: str) -> None:
    if balance and balance.currency != currency:
        reason = f"the balance {balance.code} is in {balance.currency}, the statement in {currency}"
        raise Broken(balance.where, reason, "ask the bank for the file again")


def _currency(part: Node, opening: Balance | None, closing: Balance | None) -> str:
    """The account's, else that of the balances, else that of the first entry."""
    stated = part.text("Acct/Ccy") or (opening and opening.currency) or (closing and closing.currency)
    stated = stated or next((found.attribute("Amt", "Ccy") for name in ("Ntry", "Bal") for found in part.each(name)), "")
    if not stated:
        raise Broken(part.where, "no account, balance or entry names the currency", "ask the bank for the file again")
    amounts.decimals(stated, part.where)
    return stated


def _days(part: Node, opening: Balance | None, closing: Balance | None) -> tuple[dt.date | None, dt.date | None]:
    first = (opening and opening.on) or camt_tx.day(part, "FrToDt", "Fr")
    last = (closing and closing.on) or camt_tx.day(part, "FrToDt", "To") or camt_tx.day(part, "CreDtTm")
    return first, last


def _is_booked(found: Node) -> tuple[bool, str]:
    """The status is text (to version 7) or a code in it (from 8 on)."""
    status = found.text("Sts/Cd") or found.text("Sts/Prtry") or found.text("Sts")
    if status in ("BOOK", "PDNG", "INFO", "FUTR"):
        return status == "BOOK", status
    raise Broken(found.where, f"Sts is {status[:20]!r}: booked or not?", "ask the bank for the file again")


# --- entries --------------------------------------------------------------------------------------------------------


def _entries(part: Node, currency: str, days: tuple[dt.date | None, dt.date | None]) -> tuple[list[BankEntry], list[str]]:
    """Booked entries, and notes: how many others there are, and which batches could not be told apart."""
    entries: list[BankEntry] = []
    notes: list[str] = []
    others: Counter[str] = Counter()
    number = 0
    for found in part.each("Ntry"):
        is_booked, status = _is_booked(found)
        if not is_booked:
            others[status] += 1
            continue
        number += 1
        of_entry, note = _entry(number, found, currency, days)
        entries += of_entry
        notes += note
    if len(entries) > ENTRIES_MAX:
        raise Broken("file", f"more than {ENTRIES_MAX} transactions", "send the statements in several files")
    return entries, [
        *(f"{count} entries of status {status} are not booked and not read" for status, count in others.items()),
        *notes,
    ]


def _entry(
    number: int, found: Node, currency: str, days: tuple[dt.date | None, dt.date | None]
) -> tuple[list[BankEntry], list[str]]:
    whole = _whole(number, found, currency, days)
    transactions = found.all("NtryDtls/TxDtls")
    if len(transactions) < 2:
        return [camt_tx.detailed(whole, transactions[0]) if transactions else whole], []
    parts = [camt_tx.part_minor(transaction, whole) for transaction in transactions]
    if None not in parts and sum(part or 0 for part in parts) == whole.amount_minor:
        numbered = zip(range(1, len(parts) + 1), transactions, parts, strict=True)
        return [camt_tx.part_of(whole, f"{number}/{at}", transaction, part or 0) for at, transaction, part in numbered], []
    note = f"{found.where}: the {len(parts)} transactions do not add up to the entry; it is read whole"
    return [camt_tx.whole_of(whole, transactions)], [note]


def _whole(number: int, found: Node, currency: str, days: tuple[dt.date | None, dt.date | None]) -> BankEntry:
    minor, of = camt_tx.amount(found, "Amt")
    if of != currency:
        raise Broken(found.where, f"the entry is in {of}, the statement in {currency}", "ask the bank for the file again")
    value_on = camt_tx.day(found, "ValDt")
    booked_on = camt_tx.day(found, "BookgDt") or value_on or days[1]
    if booked_on is None:
        raise Broken(found.where, "has no BookgDt, and nothing else names a day", "ask the bank for the file again")
    family = found.text("BkTxCd/Domn/Fmly/SubFmlyCd")
    return BankEntry(
        entry=str(number),
        amount_minor=minor * camt_tx.sign(found),
        currency=currency,
        booked_on=booked_on,
        value_on=value_on,
        code=camt_tx.code(found),
        is_reversal=found.text("RvslInd") in ("true", "1"),
        is_charge=family in _CHARGE_FAMILIES,
        servicer_reference=references.given(found.text("AcctSvcrRef")),
        reference=references.creditor_reference(found.text("AddtlNtryInf")),
        text=decoding.joined([found.text("AddtlNtryInf")]),
        charges_minor=camt_tx.charges(found, currency),
    )


# --- the sender's own totals ----------------------------------------------------------------------------------------


def _total_faults(part: Node, entries: Sequence[BankEntry], currency: str) -> list[str]:
    """TxsSummry against the booked entries, where it is there. A batch that was told apart is one entry again."""
    summary = part.first("TxsSummry")
    if summary is None:
        return []
    whole: Counter[str] = Counter()
    for entry in entries:
        whole[entry.entry.partition("/")[0]] += entry.amount_minor
    signed = list(whole.values())
    ours = {
        "TtlNtries": signed,
        "TtlCdtNtries": [minor for minor in signed if minor > 0],
        "TtlDbtNtries": [minor for minor in signed if minor < 0],
    }
    return [
        fault for tag, minors in ours.items() for total in summary.all(tag) for fault in _differences(total, minors, currency)
    ]


def _differences(total: Node, ours: Sequence[int], currency: str) -> Iterator[str]:
    count, sums = total.text("NbOfNtries"), total.text("Sum")
    if count and (not re.fullmatch(r"[0-9]{1,15}", count) or int(count) != len(ours)):
        yield f"{total.where} says {count[:20]} entries, there are {len(ours)}"
    volume = sum(abs(minor) for minor in ours)
    if sums and amounts.plain(sums, currency, total.where) != volume:
        yield f"{total.where} says a sum of {sums[:20]}, the entries are {amounts.told(volume, currency)}"
