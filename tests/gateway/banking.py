"""Bank files for tests: samples by name, and writers that turn statements into the text a bank would send.

The writers are the readers' opposite, written apart from them, so that a round trip proves both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from services.gateway.bank import sniff
from services.gateway.bank.statement import BankEntry, Refused, Statement

SAMPLES = Path(__file__).with_name("bank_samples")


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def good(name: str, data: bytes | None = None) -> tuple[Any, ...]:
    """What the file becomes; a refusal fails the test with its reason."""
    found = sniff.read(name, sample(name) if data is None else data)
    assert not isinstance(found, Refused), found
    return found


def refused(name: str, data: bytes | None = None) -> Refused:
    found = sniff.read(name, sample(name) if data is None else data)
    assert isinstance(found, Refused), found
    return found


# --- camt -----------------------------------------------------------------------------------------------------------

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version:02d}"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr>
{statements}
</BkToCstmrStmt></Document>
"""


def camt(*statements: Statement, version: int = 8) -> bytes:
    return CAMT.format(version=version, statements="\n".join(_camt_statement(s, version) for s in statements)).encode()


def _camt_statement(statement: Statement, version: int) -> str:
    money = statement.currency
    balances = [("OPBD", statement.opening_minor, statement.opened_on), ("CLBD", statement.closing_minor, statement.closed_on)]
    return "\n".join(
        [
            f"<Stmt><Id>{escape(statement.statement)}</Id>",
            f"<Acct><Id><IBAN>{statement.bank_account}</IBAN></Id><Ccy>{money}</Ccy></Acct>",
            *(_camt_balance(code, minor or 0, money, day) for code, minor, day in balances),
            *(_camt_entry(entry, version) for entry in statement.entries),
            "</Stmt>",
        ]
    )


def _camt_balance(code: str, minor: int, money: str, day: Any) -> str:
    kind = f"<Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
    return f"<Bal>{kind}{_camt_amount(minor, money)}<Dt><Dt>{day}</Dt></Dt></Bal>"


def _camt_amount(minor: int, money: str) -> str:
    return f'<Amt Ccy="{money}">{point(abs(minor), money)}</Amt><CdtDbtInd>{"DBIT" if minor < 0 else "CRDT"}</CdtDbtInd>'


def _camt_entry(entry: BankEntry, version: int) -> str:
    status = "<Sts><Cd>BOOK</Cd></Sts>" if version >= 8 else "<Sts>BOOK</Sts>"
    wrap = (lambda text: f"<Pty>{text}</Pty>") if version >= 8 else (lambda text: text)
    role = "Dbtr" if entry.amount_minor >= 0 else "Cdtr"
    return "\n".join(
        [
            f"<Ntry>{_camt_amount(entry.amount_minor, entry.currency)}{status}",
            f"<BookgDt><Dt>{entry.booked_on}</Dt></BookgDt><ValDt><Dt>{entry.value_on}</Dt></ValDt>",
            f"<AcctSvcrRef>{escape(entry.servicer_reference)}</AcctSvcrRef><NtryDtls><TxDtls>",
            f"<Refs><EndToEndId>{escape(entry.end_to_end)}</EndToEndId></Refs>",
            f"<RltdPties><{role}>{wrap(f'<Nm>{escape(entry.payer)}</Nm>')}</{role}>",
            f"<{role}Acct><Id><IBAN>{entry.payer_account}</IBAN></Id></{role}Acct></RltdPties>",
            f"<RmtInf><Ustrd>{escape(entry.text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>",
        ]
    )


# --- MT940 ----------------------------------------------------------------------------------------------------------


def mt940(*statements: Statement) -> bytes:
    return "".join(_mt940_statement(statement) for statement in statements).encode()


def _mt940_statement(statement: Statement) -> str:
    money, number = statement.currency, statement.statement.split(" ")[1]
    lines = [
        ":20:REF",
        f":25:{statement.bank_account}",
        f":28C:{number}",
        f":60F:{_mt_balance(statement.opening_minor or 0, money, statement.opened_on)}",
        *(line for entry in statement.entries for line in _mt_entry(entry)),
        f":62F:{_mt_balance(statement.closing_minor or 0, money, statement.closed_on)}",
        "-",
    ]
    return "\r\n".join(lines) + "\r\n"


def _mt_balance(minor: int, money: str, day: Any) -> str:
    return f"{'D' if minor < 0 else 'C'}{day:%y%m%d}{money}{comma(abs(minor), money)}"


def _mt_entry(entry: BankEntry) -> list[str]:
    sign = ("RC" if entry.is_reversal else "D") if entry.amount_minor < 0 else ("RD" if entry.is_reversal else "C")
    amount = comma(abs(entry.amount_minor), entry.currency)
    head = f":61:{entry.value_on:%y%m%d}{entry.booked_on:%m%d}{sign}{amount}NTRFNONREF//{entry.servicer_reference}"
    told = f"166?00TRANSFER?20EREF+{entry.end_to_end}?21SVWZ+{entry.text}?31{entry.payer_account}?32{entry.payer}"
    wrapped = [told[at : at + 65] for at in range(0, len(told), 65)]
    return [head, f":86:{wrapped[0]}", *wrapped[1:]]


# --- BAI2 -----------------------------------------------------------------------------------------------------------


def bai2(*statements: Statement) -> bytes:
    """One group for each statement, because the day stands in the group."""
    groups = [_bai_group(statement) for statement in statements]
    lines = [line for group, _ in groups for line in group]
    total = sum(total for _, total in groups)
    return "\n".join(["01,BANK,US,260131,0600,1,,,2/", *lines, f"99,{total},{len(groups)},{len(lines) + 2}/", ""]).encode()


def _bai_group(statement: Statement) -> tuple[list[str], int]:
    opening, closing = statement.opening_minor or 0, statement.closing_minor or 0
    details = [_bai_entry(entry) for entry in statement.entries]
    total = opening + closing + sum(abs(entry.amount_minor) for entry in statement.entries)
    account = [
        f"03,{statement.bank_account},{statement.currency},010,{opening},,,015,{closing},,/",
        *details,
        f"49,{total},{len(details) + 2}/",
    ]
    head = f"02,US,BANK,1,{statement.closed_on:%y%m%d},2359,{statement.currency},2/"
    return [head, *account, f"98,{total},1,{len(account) + 2}/"], total


def _bai_entry(entry: BankEntry) -> str:
    kind = "165" if entry.amount_minor >= 0 else "451"
    funds = f"V,{entry.value_on:%y%m%d},"
    return f"16,{kind},{abs(entry.amount_minor)},{funds},{entry.servicer_reference},{entry.end_to_end},{entry.text}/"


# --- amounts --------------------------------------------------------------------------------------------------------


def point(minor: int, money: str) -> str:
    places = {"JPY": 0, "KWD": 3}.get(money, 2)
    digits = str(minor).rjust(places + 1, "0")
    return f"{digits[:-places]}.{digits[-places:]}" if places else digits


def comma(minor: int, money: str) -> str:
    text = point(minor, money).replace(".", ",")
    return text if "," in text else f"{text},"
