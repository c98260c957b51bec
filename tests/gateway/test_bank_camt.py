"""camt.052, .053, .054: what an entry becomes, what refuses a file, and what hostile XML meets (P3)."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from services.gateway.bank.limits import XML_DEPTH_MAX, XML_SIGNS_MAX
from services.gateway.bank.statement import BankEntry, Statement
from tests.gateway import banking
from tests.gateway.banking import good, refused, sample

GOOD = sample("camt053-good.xml")


def changed(old: str, new: str, count: int = 1) -> bytes:
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode(), count)


def plain() -> Statement:
    """A statement without entries, to be written anew."""
    return msgspec.structs.replace(
        good("camt053-good.xml")[0], notes=(), closing_minor=100000, entries=(entry(),), opening_minor=60000
    )


def entry() -> BankEntry:
    day = dt.date(2026, 1, 30)
    return BankEntry(entry="1", amount_minor=40000, currency="EUR", booked_on=day, value_on=day)


def test_a_payment_comes_with_payer_references_and_what_it_pays() -> None:  # P3, P4
    (statement,) = good("camt053-good.xml")
    entry = statement.entries[0]
    assert (statement.bank_account, statement.statement, statement.is_provisional) == (
        "DE02120300000000202051",
        "2026-022",
        False,
    )
    assert (entry.amount_minor, entry.payer, entry.payer_account) == (60000, "Harbour Phones Ltd", "GB29NWBK60161331926819")
    assert (entry.reference, entry.end_to_end, entry.servicer_reference) == ("RF18539007547034", "E2E-1", "BANK-1")
    assert entry.text == "January invoices\non behalf of Harbour Group"
    invoice, credit = entry.lines
    assert (invoice.reference, invoice.amount_minor, invoice.taken_minor, invoice.discount_minor) == (
        "INV-1001",
        70000,
        3500,
        1500,
    )
    assert (invoice.reason, invoice.document_on) == ("DAMG", dt.date(2026, 1, 2))
    assert (credit.reference, credit.amount_minor) == ("CN-77", -10000)


def test_a_batch_that_adds_up_is_told_apart_and_keeps_its_entrys_number() -> None:  # P3
    (statement,) = good("camt053-good.xml")
    assert [(entry.entry, entry.amount_minor, entry.payer) for entry in statement.entries[1:3]] == [
        ("2/1", 40000, "North Radio"),
        ("2/2", 60000, "South Radio"),
    ]


def test_a_batch_that_does_not_add_up_stays_whole_and_says_so() -> None:  # P3
    (statement,) = good("x", changed('<Amt Ccy="EUR">400.00</Amt>', '<Amt Ccy="EUR">399.00</Amt>'))
    assert [entry.entry for entry in statement.entries] == ["1", "2", "3", "4"]
    assert "do not add up" in statement.notes[-1]


def test_charges_and_reversals_are_marked_and_a_reversal_names_who_had_paid() -> None:  # P3
    (statement,) = good("camt053-good.xml")
    charge, reversal = statement.entries[3:]
    assert (charge.amount_minor, charge.is_charge) == (-1200, True)
    assert (reversal.amount_minor, reversal.is_reversal, reversal.payer) == (-50000, True, "West Phones")


def test_pending_entries_are_told_and_not_read() -> None:  # P3
    (statement,) = good("camt053-good.xml")
    assert statement.notes == ("1 entries of status PDNG are not booked and not read",)


def test_an_intraday_report_is_provisional_and_a_gap_is_only_noted() -> None:  # P3
    report = sample("camt053-broken-sum.xml").replace(b"camt.053", b"camt.052")
    report = report.replace(b"BkToCstmrStmt", b"BkToCstmrAcctRpt").replace(b"<Stmt>", b"<Rpt>").replace(b"</Stmt>", b"</Rpt>")
    (statement,) = good("x", report)
    assert statement.is_provisional
    assert any("difference 0.01 EUR" in note for note in statement.notes)


def test_totals_of_the_bank_are_told_where_balances_prove_the_entries_and_refuse_where_nothing_does() -> None:  # P3
    (statement,) = good("x", changed("<Sum>1600.00</Sum>", "<Sum>1601.00</Sum>"))
    assert "says a sum of 1601.00, the entries are 1600.00 EUR" in statement.notes[-1]
    assert "says a sum of 1601.00" in refused("camt054-broken-summary.xml").reason


def test_several_statements_are_read_all_or_none() -> None:  # P3
    first = plain()
    second = msgspec.structs.replace(first, statement="2026-023", opening_minor=1, closing_minor=2, entries=())
    assert "difference 0.01 EUR" in refused("x", banking.camt(first, second)).reason


def test_a_gap_between_two_statements_is_noted_and_the_same_statement_twice_is_once() -> None:  # P3
    first = plain()
    second = msgspec.structs.replace(first, statement="2026-023", opening_minor=5, closing_minor=5, entries=())
    found = good("x", banking.camt(first, first, second))
    assert [statement.statement for statement in found] == ["2026-022", "2026-023"]
    assert "stands twice" in found[0].notes[0]
    assert "closed with 1000.00 EUR" in found[1].notes[0]


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "", "line 9, Bal", "CdtDbtInd"),
        ('<Amt Ccy="EUR">600.00</Amt>', '<Amt Ccy="EUR">600.001</Amt>', "line 26, Amt", "3 decimals"),
        ('<Amt Ccy="EUR">600.00</Amt>', '<Amt Ccy="EUR">6e2</Amt>', "line 26, Amt", "no amount"),
        ('<Amt Ccy="EUR">600.00</Amt>', '<Amt Ccy="EUR">-600.00</Amt>', "line 26, Amt", "sign"),
        ('<Amt Ccy="EUR">600.00</Amt>', "<Amt>600.00</Amt>", "line 26, Amt", "no currency"),
        ('<Amt Ccy="EUR">600.00</Amt>', '<Amt Ccy="USD">600.00</Amt>', "line 25, Ntry", "in USD"),
        ("<Ccy>EUR</Ccy>", "<Ccy>EUX</Ccy>", "line 5, Stmt", "no ISO 4217 currency"),
        ("<BookgDt><Dt>2026-01-30</Dt>", "<BookgDt><Dt>2026-02-30</Dt>", "line 25, Ntry/BookgDt", "no day"),
        ("<BookgDt><Dt>2026-01-30</Dt>", "<BookgDt><Dt>0026-01-30</Dt>", "line 25, Ntry/BookgDt", "the year 26"),
        ("<Sts><Cd>BOOK</Cd></Sts>", "", "line 25, Ntry", "booked or not"),
        ("<Acct><Id><IBAN>DE02120300000000202051</IBAN></Id>", "<Acct>", "line 5, Stmt", "names no account"),
        ("camt.053.001.08", "camt.053.001.13", "line 2", "only versions 02 to 08"),
        ("camt.053.001.08", "pain.001.001.03", "line 2", "no camt"),
        ("</Stmt>", "", "line 1", "well-formed"),
    ],
)
def test_what_is_not_exact_is_refused_with_its_line(old: str, new: str, where: str, reason: str) -> None:  # P3
    found = refused("x", changed(old, new))
    assert where in found.where
    assert reason in found.reason
    assert found.mend


def test_money_without_decimals_may_be_written_with_zeros_and_others_may_not() -> None:  # P3
    yen = GOOD.replace(b"EUR", b"JPY").replace(b".00<", b".00<")
    assert good("x", yen)[0].entries[0].amount_minor == 600
    assert "has 3 decimals, EUR has 2" in refused("x", changed(">1000.00<", ">1000.000<")).reason


# --- hostile XML ----------------------------------------------------------------------------------------------------

BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>'
FILE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
INCLUDED = '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>'


@pytest.mark.parametrize("attack", [BOMB, FILE, "<!DOCTYPE a>", '<!DOCTYPE a SYSTEM "http://localhost/a.dtd">'])
def test_a_document_type_is_refused_before_anything_is_parsed(attack: str) -> None:
    assert "document type" in refused("x", changed("<Document", f"{attack}<Document")).reason


def test_an_inclusion_is_refused() -> None:
    assert "inclusion" in refused("x", changed("<GrpHdr>", f"{INCLUDED}<GrpHdr>")).reason


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_document_type_in_utf_16_is_seen_too(encoding: str) -> None:
    text = changed("<Document", f"{BOMB}<Document").decode().replace('encoding="UTF-8"', 'encoding="UTF-16"')
    assert "document type" in refused("x", ("\ufeff" + text).encode(encoding)).reason
    assert refused("x", text.encode(encoding)).where.startswith("line 1")


def test_an_honest_file_in_utf_16_is_read() -> None:
    text = GOOD.decode().replace('encoding="UTF-8"', 'encoding="UTF-16"')
    assert good("x", text.encode("utf-16"))[0].closing_minor == 208800


@pytest.mark.parametrize("encoding", ["UTF-7", "UTF-32", "cp037", "ISO-2022-JP", "rot13"])
def test_an_encoding_that_only_attacks_use_is_refused(encoding: str) -> None:
    assert "encoding" in refused("x", changed('encoding="UTF-8"', f'encoding="{encoding}"')).reason


def test_utf_7_without_a_declaration_is_no_statement() -> None:
    refused("x", b"+ADw-" + GOOD.decode().encode("utf-7"))


def test_bytes_that_are_not_the_declared_encoding_are_refused_with_their_line() -> None:
    found = refused("x", GOOD.replace(b"January invoices", b"J\xe4nner"))
    assert (found.where, "0xe4" in found.reason) == ("line 43", True)


def test_a_file_of_nothing_but_tags_is_refused_before_its_tree_fills_the_memory() -> None:
    assert "tags and attributes" in refused("x", changed("<GrpHdr>", "<a/>" * (XML_SIGNS_MAX + 1) + "<GrpHdr>")).reason


def test_elements_that_lie_too_deep_are_refused() -> None:
    deep = "<a>" * XML_DEPTH_MAX + "</a>" * XML_DEPTH_MAX
    assert "deeper" in refused("x", changed("<GrpHdr>", f"{deep}<GrpHdr>")).reason
    endless = "<a>" * 100_000
    refused("x", changed("<GrpHdr>", f"{endless}<GrpHdr>"))
