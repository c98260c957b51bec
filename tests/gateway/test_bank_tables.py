"""Tables of banks, customers, payment providers and SAP: by mapping, exact, and proved by what they state (P2, P3, P4, P15)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from services.gateway.bank import amounts, mapping
from services.gateway.bank.statement import Broken
from tests.gateway.banking import good, refused, sample
from tests.gateway.test_sheet import workbook

DAY = dt.date(2026, 1, 30)


def test_a_statement_newest_first_is_turned_and_proved_by_its_running_balance() -> None:  # P3
    (statement,) = good("statement-good.csv")
    assert (statement.opening_minor, statement.closing_minor) == (100000, 124050)
    assert [(entry.entry, entry.amount_minor, entry.text) for entry in statement.entries] == [
        ("1", 25050, "INV-1001\nsecond line"),
        ("2", -1000, "Charges, January"),
    ]
    assert statement.opened_on == DAY


def test_the_same_table_has_the_same_number_and_another_has_another() -> None:  # P3
    first, again = good("statement-good.csv"), good("renamed.csv", sample("statement-good.csv"))
    other = good("x", sample("statement-good.csv").replace(b"Charges", b"Charged"))
    assert first == again
    assert first[0].statement != other[0].statement


def test_a_missing_row_breaks_the_running_balance() -> None:  # P3
    found = refused("statement-broken-row-missing.csv")
    assert (found.where, "differs by -100.00 GBP" in found.reason) == ("line 3, column balance", True)


def test_a_bank_with_two_columns_and_german_numbers_needs_only_a_mapping(tmp_path: Path) -> None:  # P3
    path = tmp_path / "sparkasse.yaml"
    path.write_text(
        "about: test\nkind: statement\ndelimiter: ';'\ndecimal: ','\ndays: '%d.%m.%Y'\ncurrency: EUR\nbank_account: DE1\n"
        "columns: {booked_on: Buchungstag, credit: Haben, debit: Soll, text: Text}\nignored: ['*']\n"
    )
    rule = mapping.load(path)
    from services.gateway.bank import table, tabled

    rows = table.of_text(
        "Kontoauszug;\nBuchungstag;Info;Haben;Soll;Text\n30.01.2026;;1.234,56;;Miete\n31.01.2026;;;0,56;Porto\n", ";"
    )
    sheet = mapping.fitting(rows, rule)
    assert sheet
    (statement,) = tabled.statements(sheet)
    assert [entry.amount_minor for entry in statement.entries] == [123456, -56]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("colour: red\n", "unknown key 'colour'"),
        ("columns: {booked_on: A, amount: B, taste: C}\n", "unknown field 'taste'"),
        ("columns: {booked_on: A}\n", "must also say which column is: amount, bank_account"),
        ("currency: EUX\n", "no ISO 4217 currency"),
        ("delimiter: ';;'\n", "one character"),
        ("kinds: {a: gift}\n", "unknown kind 'gift'"),
        ("columns: [\n", "x.yaml"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_refused_at_start(tmp_path: Path, line: str, told: str) -> None:  # G3
    path = tmp_path / "x.yaml"
    base = "about: a\nkind: statement\n" + ("" if "columns" in line else "columns: {booked_on: A, amount: B, bank_account: C}\n")
    path.write_text(base + ("" if "currency" in line else "currency: EUR\n") + line)
    with pytest.raises(mapping.MappingError, match=told):
        mapping.load(path)


# --- advices and payouts --------------------------------------------------------------------------------------------


def test_an_advice_names_what_is_paid_taken_and_why_and_its_total_row_is_its_amount() -> None:  # P4
    first, second = good("advice-good.csv")
    invoice, credit = first.lines
    assert (first.advice, first.payer, first.paid_on, first.amount_minor, first.currency) == (
        "P-900",
        "Harbour Phones",
        DAY,
        85000,
        "GBP",
    )
    assert (invoice.amount_minor, invoice.taken_minor, invoice.discount_minor, invoice.reason) == (
        93000,
        5000,
        2000,
        "damaged goods",
    )
    assert (credit.amount_minor, second.amount_minor) == (-8000, 500)


def test_an_advice_as_workbook_reads_as_its_csv() -> None:  # P4
    book = workbook(
        ["payment_reference", "currency", "document", "amount"], ["P-1", "EUR", "INV-1", 0.1 + 0.2], ["P-1", "EUR", 1002, 1234.5]
    )
    (advice,) = good("x.xlsx", book)
    assert [(line.reference, line.amount_minor) for line in advice.lines] == [("INV-1", 30), ("1002", 123450)]
    assert advice.amount_minor == 123480


def test_a_payout_is_told_apart_into_sales_fees_refunds_and_chargebacks() -> None:  # P15
    (payout,) = good("payout-good.csv")
    assert payout.amount_minor == 6660
    assert [(line.reference, line.amount_minor, line.reason) for line in payout.lines] == [
        ("O-1", 10000, "sale"),
        ("O-1", -290, "fee"),
        ("O-2", -2000, "refund"),
        ("O-3", -1000, "chargeback"),
        ("O-3", -50, "fee"),
    ]
    assert "no kind the mapping knows" in refused("payout-broken-kind.csv").reason


@pytest.mark.parametrize(
    ("row", "where", "reason"),
    [
        ("P,EUR,INV-1,", "line 2, column amount", "is empty"),
        ("P,EUR,INV-1,1.005", "line 2, column amount", "3 decimals"),
        ('P,EUR,INV-1,"12,34"', "line 2, column amount", "no amount"),
        ("P,,INV-1,5", "line 2, column currency", "no ISO 4217"),
        ('P,EUR,"INV-1,5', "line 2", "cannot be read"),
        ("P,EUR,INV-1,5\nP,USD,INV-2,5", "line 3, column currency", "changes"),
    ],
)
def test_a_row_that_is_not_exact_refuses_the_advice(row: str, where: str, reason: str) -> None:  # P4
    found = refused("x.csv", f"payment_reference,currency,document,amount\n{row}\n".encode())
    assert (found.where, reason in found.reason) == (where, True)


def test_a_header_that_nobody_knows_is_told_with_the_mappings_there_are() -> None:  # G2
    assert "fits no mapping (advice, payouts, statement)" in refused("x.csv", b"colour,taste\nred,sweet\n").reason


# --- open items -----------------------------------------------------------------------------------------------------


def test_open_items_of_one_customer_are_read_with_saps_numbers_and_proved_by_the_subtotal() -> None:  # P2, G3
    invoice, credit = good("fbl5n-good.txt")
    assert (invoice.account, invoice.item, invoice.kind, invoice.amount_minor) == ("1000017", "1800000123", "RV", 123456)
    assert (invoice.document_on, invoice.due_on, invoice.reference) == (dt.date(2026, 1, 2), dt.date(2026, 2, 1), "INV-1001")
    assert (credit.amount_minor, credit.due_on) == (-20000, None)
    assert refused("fbl5n-broken-subtotal.txt").where == "line 7"


def test_the_printed_list_with_bars_and_german_headings_is_read() -> None:  # G3
    text = (
        "Debitor  4711\n\n----------------------------\n|Belegnummer|Art|Belegdatum|Betrag in Hauswährung|Hauswährung|\n"
        "----------------------------\n|90001      |RV |31.01.2026|           1.000,00- |EUR |\n----------------------------\n"
    )
    (item,) = good("liste.txt", text.encode("cp1252"))
    assert (item.account, item.item, item.amount_minor) == ("4711", "90001", -100000)


def test_a_workbook_of_sap_has_numbers_and_days_as_numbers() -> None:  # G3
    head = ["Account", "Document Number", "Document Type", "Document Date", "Amount in doc. curr.", "Document currency"]
    (item,) = good(
        "x.xlsx", workbook(head, ["4711", "9001", "RV", DAY, -1234.5, "USD"], [None, None, None, None, -1234.5, "USD"])
    )
    assert (item.account, item.amount_minor, item.document_on) == ("4711", -123450, DAY)


def test_days_that_could_be_read_two_ways_are_refused() -> None:  # G3
    head = "Account,Document Number,Document Date,Amount,Currency\n"
    assert "day or month" in refused("x.csv", f"{head}1,2,01/02/2026,5.00,USD\n".encode()).reason
    (item, _) = good("x.csv", f"{head}1,2,01/02/2026,5.00,USD\n1,3,01/31/2026,5.00,USD\n".encode())
    assert item.document_on == dt.date(2026, 1, 2)


# --- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "decimal", "minor"),
    [
        ("1.234,56-", ",", -123456),
        ("-1.234,56", ",", -123456),
        ("(1,234.56)", ".", -123456),
        ("1'234.50", ".", 123450),
        ("1 234,5", ",", 123450),
        ("1234", ",", 123400),
        (".5", ".", 50),
        ("\u22125.00", ".", -500),
    ],
)
def test_numbers_as_people_and_programs_write_them(text: str, decimal: str, minor: int) -> None:
    assert amounts.business(text, "EUR", decimal, "") == minor


@pytest.mark.parametrize("text", ["1,2,3", "12,34", "1.234.5", "1,234.567", "", "-", "1e5", "NaN", "٣", "1.2.3,4", "1" * 40])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(Broken):
        amounts.business(text, "EUR", ".", "")
