"""A bank's text from its file to the match: where a line ended is kept, and a number that was cut there is one (P3, P6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.payments import BankEntry, TakeStatement
from services.gateway import bankfile
from services.gateway.bank import decoding
from services.payments.matching.match import match
from services.payments.matching.values import Match, Outcome, Rules
from services.payments.recognising import payment_of
from services.payments.state import content_of
from tests.models.matching_values import invoice, paid
from tests.models.payments_books import entry

ITEMS = (invoice("INV-1047110KX", 600_00), invoice("INV-3003330KX", 400_00), invoice("INV-5550001KX", 77_00))
MT940 = """:20:A
:25:123
:28C:1/1
:60F:C260130EUR0,
:61:2601310131C1000,NTRFNONREF
:86:{text}
:62F:C260131EUR1000,
-
"""
CAMT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId></GrpHdr><Stmt>
<Id>S</Id><Acct><Id><IBAN>DE02120300000000202051</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp>
<Amt Ccy="EUR">0</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-30</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp>
<Amt Ccy="EUR">1000</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>
<Ntry><Amt Ccy="EUR">1000</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-01-31</Dt></BookgDt>
<NtryDtls><TxDtls><RltdPties><Dbtr><Pty><Nm>Harbour</Nm></Pty></Dbtr><UltmtDbtr><Pty><Nm>Harbour Group plc</Nm></Pty></UltmtDbtr>
</RltdPties><RmtInf>{text}</RmtInf></TxDtls></NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>"""


def pieces(text: str, length: int) -> list[str]:
    return [text[at : at + length] for at in range(0, len(text), length)]


def read(name: str, text: str) -> BankEntry:
    """The one entry of this file, as the ledger gets it."""
    (wished,) = bankfile.read(name, text.encode(), None)
    assert isinstance(wished.command, TakeStatement)
    (found,) = wished.command.entries
    return found


def matched(found: BankEntry) -> Outcome:
    return match(payment_of(found), ITEMS, Rules())


def test_a_number_that_mt940_cut_between_two_lines_is_found() -> None:  # P6 c
    lines = pieces("PAYMENT INV-1047110KX & INV-3003330KX", 35)
    assert lines == ["PAYMENT INV-1047110KX & INV-3003330", "KX"]
    found = read("day.sta", MT940.format(text="\n".join(lines)))
    assert found.text == "\n".join(lines)
    assert paid(matched(found)) == {"INV-1047110KX": 600_00, "INV-3003330KX": 400_00}


def test_a_number_that_camt_cut_between_two_ustrd_is_found_whatever_follows() -> None:  # P6 c
    text = f"{'THANK YOU FOR YOUR GOODS, DELIVERED AS ORDERED. ' * 2}I PAY INV-1047110KX, AND WITH IT INV-3003330KX"
    parts = pieces(text, 140)
    assert parts[1] == "KX"
    found = read("day.xml", CAMT.format(text="".join(f"<Ustrd>{part}</Ustrd>" for part in parts)))
    assert found.text == "\n".join((*parts, "on behalf of Harbour Group plc"))
    assert paid(matched(found)) == {"INV-1047110KX": 600_00, "INV-3003330KX": 400_00}


def test_a_line_that_was_cut_at_a_blank_keeps_it_so_that_its_length_tells_that_it_was_full() -> None:
    lines = pieces("OUR PAYMENT OF THE INVOICES INV-12 INV-1047110KX AND INV-3003330KX FROM US", 35)
    assert lines[0].endswith(" ")
    assert decoding.joined(lines) == "\n".join(lines)


def test_lines_that_somebody_wrote_are_two_numbers() -> None:  # P6 c
    found = read("day.sta", MT940.format(text="INV-1047110KX\nINV-3003330KX"))
    assert paid(matched(found)) == {"INV-1047110KX": 600_00, "INV-3003330KX": 400_00}


@pytest.mark.parametrize("text", ["OUR MONEY ON\nACCOUNT", "WE PAY A PART\nPAYMENT"])
def test_words_are_read_over_line_ends(text: str) -> None:
    """What says that an amount proves nothing says so on two lines as well."""
    outcome = match(payment_of(read("day.sta", MT940.format(text=text))), [invoice("INV-1", 1_000_00)], Rules())
    assert not isinstance(outcome, Match)
    assert outcome.why.startswith("the text says that it")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=200), max_size=20))
def test_joined_text_fits_its_bound_and_is_the_same_when_it_is_joined_again(parts: list[str]) -> None:
    text = decoding.joined(parts)
    assert len(text) <= 2_000
    assert decoding.joined([text]) == text


def test_an_intraday_report_and_its_statement_name_an_entry_alike_wherever_its_lines_end() -> None:  # P3
    first, second = entry("1", 5_00, text="INV 1\nINV 2"), entry("1", 5_00, text="INV 1 INV 2")
    assert content_of("B", first) == content_of("B", second)
