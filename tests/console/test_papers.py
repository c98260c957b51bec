"""Papers: statements, trial balances and reconciliations add up, and say the same as PDF, workbook and CSV (P13, V6)."""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from services.console.papers import press, printing, reconciling, statement, their_list, trial_balance
from services.console.papers.commas import as_csv, harmless
from services.console.papers.paper import (
    ROWS_MAX,
    Amount,
    Column,
    Paper,
    Prose,
    Share,
    Table,
    TooLarge,
    printed,
)
from services.console.papers.printing import CELLS_MAX, NotPrinted, as_pdf, as_png, order_of
from services.console.papers.reconciling import Ours, Reconciled, Theirs, bare, reconcile
from services.console.papers.statement import Balance, Customer, Line, Moved, NotAgreed, Statement
from services.console.papers.their_list import Columns, NoList
from services.console.papers.workbook import as_xlsx
from shared.receivables.ageing import Item, Ledger, Policy, age, together

ON = dt.date(2026, 3, 31)
AT = dt.datetime(2026, 4, 1, 7, tzinfo=dt.UTC)
OURS = statement.Ours(name="Northgate Ltd", address=("Leeds",), pay=(("IBAN", "GB00 EXMP"),), footer="Registered in England")
CUSTOMER = Customer(account="A-1", name="Small Shop", address=("York",))
ATTACKS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "http://example.test", "{=1}", " =1", "＝1")

texts = st.text(max_size=40) | st.sampled_from(ATTACKS) | st.builds("=".__add__, st.text(max_size=9))
minors = st.integers(-(10**14), 10**14)


def line(item: str, minor: int, late: int = 0, disputed: int = 0, **more: Any) -> Line:
    fields: dict[str, Any] = {"kind": "invoice" if minor >= 0 else "receipt", "document_on": ON, "original_minor": minor}
    fields |= {"due_on": ON - dt.timedelta(days=late) if minor >= 0 else None, "open_minor": minor, "disputed_minor": disputed}
    return Line(item=item, **fields | more)


def ledger(lines: tuple[Line, ...], currency: str = "GBP") -> Ledger:
    items = (
        Item(each.kind, each.due_on, each.document_on, each.open_minor, currency, each.open_minor, each.disputed_minor)
        for each in lines
    )
    return age(items, ON, base_currency=currency).base


def stated(*lines: Line, **more: Any) -> Statement:
    fields: dict[str, Any] = {"balances": (Balance(ledger=ledger(lines), lines=lines),), "ours": OURS, "customer": CUSTOMER}
    return Statement(**fields | {"on": ON, "made_at": AT} | more)


def of_tables(*tables: Table) -> Paper:
    return Paper(title="Paper", sender=("We",), facts=(), blocks=tables, made_at=AT)


def sheets(data: bytes) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


ITEMS = (line("INV-2", 70_00, 40, 20_00), line("INV-1", 30_00), line("RCP-9", -25_00))


# --- the statement ------------------------------------------------------------------------------------------------------


def test_a_statement_shows_what_is_open_what_stands_apart_and_what_came_of_it() -> None:  # P13
    paper = statement.paper_of(stated(*ITEMS, reference="RF18 5390"))
    opened, apart, ageing = paper.tables
    assert opened.rows[0][1:] == (
        "Invoice INV-2",
        "",
        ON - dt.timedelta(days=40),
        40,
        Amount(7000, "GBP"),
        Amount(7000, "GBP"),
        Amount(2000, "GBP"),
    )
    assert opened.total is not None and opened.total[-2:] == (Amount(10_000, "GBP"), Amount(2000, "GBP"))
    assert [row[1] for row in apart.rows] == ["Receipt RCP-9"], "unallocated cash stands apart"
    assert ageing.rows[0][1:] == tuple(Amount(minor, "GBP") for minor in (3000, 0, 7000, 0, 0, 0, 0, -2500, 7500))
    assert ageing.rows[2][-1] == Share(10_000)
    assert ("Balance GBP", "75.00") in paper.facts and ("Overdue GBP", "70.00") in paper.facts
    assert paper.blocks[-1] == Prose(title="How to pay", lines=(("IBAN", "GB00 EXMP"), ("Quote", "RF18 5390")))


def test_movements_run_from_the_opening_to_the_closing_balance() -> None:  # P13
    moved = (
        Moved(on=ON, kind="invoice", item="INV-1", minor=30_00),
        Moved(on=dt.date(2026, 3, 2), kind="receipt", item="R", minor=-5_00),
    )
    balance = Balance(ledger=ledger(ITEMS), lines=ITEMS, opening_minor=50_00, moved=moved)
    first = statement.paper_of(stated(since=dt.date(2026, 3, 1), balances=(balance,))).tables[0]
    assert [row[-1] for row in first.rows] == [Amount(minor, "GBP") for minor in (5000, 4500, 7500)]
    assert first.total is not None and first.total[-1] == Amount(7500, "GBP")


def test_a_statement_whose_lines_do_not_give_its_balance_is_not_made() -> None:  # P13
    with pytest.raises(NotAgreed, match=r"open items are 30\.00, its balance is 75\.00 GBP"):
        statement.paper_of(stated(balances=(Balance(ledger=ledger(ITEMS), lines=ITEMS[1:2]),)))
    with pytest.raises(NotAgreed, match=r"opening balance and movements are 1\.00"):
        statement.paper_of(stated(since=ON, balances=(Balance(ledger=ledger(ITEMS), lines=ITEMS, opening_minor=100),)))


def test_each_currency_of_a_statement_stands_by_itself() -> None:
    euros = (line("INV-8", 9_00),)
    both = (Balance(ledger=ledger(ITEMS), lines=ITEMS), Balance(ledger=ledger(euros, "EUR"), lines=euros))
    paper = statement.paper_of(stated(balances=both))
    assert [table.title for table in paper.tables if table.title.startswith("Open")] == ["Open items in GBP", "Open items in EUR"]
    assert {row[1] for row in rows_of(as_csv(paper))[1:]} == {"GBP", "EUR"}


def test_nothing_owed_is_a_statement_too() -> None:
    paper = statement.paper_of(stated())
    assert paper.tables[0].rows == () and sheets(as_xlsx(paper))["Open items in GBP"][1][0] == "Nothing is owed."
    assert as_pdf(paper).startswith(b"%PDF")


# --- the trial balance --------------------------------------------------------------------------------------------------

LINES = (
    trial_balance.Line(account="A-1", name="Shop", ledger=ledger(ITEMS), group="G-1", group_name="Group", portfolio="north"),
    trial_balance.Line(account="A-2", name="Store", ledger=ledger((line("X", 5_00, 200),)), group="G-1", portfolio="south"),
    trial_balance.Line(account="A-3", name="Kiosk", ledger=ledger((line("Y", -1_00),)), portfolio="north"),
)


def asked(by: trial_balance.By) -> trial_balance.Asked:
    return trial_balance.Asked(company="We", on=ON, currency="GBP", policy=Policy(), made_at=AT, by=by)


@pytest.mark.parametrize(
    ("by", "keys"), [("account", ["A-1", "A-2", "A-3"]), ("group", ["A-3", "G-1"]), ("portfolio", ["north", "south"])]
)
def test_a_trial_balance_adds_up_by_account_group_and_portfolio(by: trial_balance.By, keys: list[str]) -> None:  # V6
    table, shares = trial_balance.paper_of(LINES, asked(by)).tables
    assert [row[0] for row in table.rows] == keys
    assert table.total is not None
    for at in range(2, len(table.columns)):
        sums = [cell.minor for row in table.rows if isinstance(cell := row[at], Amount)]
        assert (table.total[at], len(sums)) == (Amount(sum(sums), "GBP"), len(keys))
    assert table.total[-2:] == (Amount(79_00, "GBP"), Amount(20_00, "GBP"))
    assert sum(share.bp for _, _, share, _ in shares.rows if isinstance(share, Share)) == 10_000  # F7


def test_an_empty_trial_balance_and_one_in_credit_say_so() -> None:
    assert trial_balance.paper_of([], asked("account")).tables[0].rows == ()
    assert "not above nothing" in trial_balance.paper_of(LINES[2:], asked("account")).tables[1].note


# --- the reconciliation -------------------------------------------------------------------------------------------------


def mine(item: str, minor: int, reference: str = "") -> Ours:
    return Ours(item=item, currency="GBP", minor=minor, reference=reference)


def yours(reference: str, minor: int, number: int = 1) -> Theirs:
    return Theirs(reference=reference, currency="GBP", minor=minor, line=number)


def names(found: Reconciled) -> dict[str, list[tuple[str, str]]]:
    return {
        name: [(pair.ours[0].item if pair.ours else "", pair.theirs[0].reference if pair.theirs else "") for pair in pairs]
        for name, pairs in found.classes
    }


def test_the_four_classes_of_a_reconciliation() -> None:  # P13
    ours = [mine("INV-00101", 100), mine("INV-102", 200), mine("INV-103", 300), mine("INV-104", 400, "PO 9/7")]
    found = reconcile(ours, [yours("inv 00101", 100), yours("102", 150), yours("X-1", 7), yours("po9-7", 400)])
    assert names(found) == {
        "Different": [("INV-102", "102")],
        "Theirs only": [("", "X-1")],
        "Ours only": [("INV-103", "")],
        "Matched": [("INV-00101", "inv 00101"), ("INV-104", "po9-7")],
    }
    (different,) = found.different
    assert (different.ours_minor, different.theirs_minor, different.difference_minor) == (200, 150, 50)
    assert [pair.found_by for pair in found.matched] == ["number", "their reference"]


def test_their_signs_may_be_inverted() -> None:  # P13
    found = reconcile([mine("1", 100), mine("2", -40), mine("3", 5)], [yours("1", -100), yours("2", 40), yours("9", -8)])
    assert found.inverted and len(found.matched) == 2
    assert found.theirs_only[0].theirs_minor == 8
    assert not reconcile([mine("1", 100)], [yours("1", -100)], sign="same").inverted


def test_a_number_that_two_documents_would_answer_to_pairs_with_none() -> None:
    found = reconcile([mine("INV-7", 100), mine("CN-7", -100)], [yours("7", 100)])
    assert not found.matched and len(found.ours_only) == 2 and len(found.theirs_only) == 1


def test_lines_of_one_reference_are_added_up_and_a_small_difference_is_tolerated() -> None:
    theirs = [yours("1", 60, 4), yours("1", 38, 9)]
    assert reconcile([mine("1", 100)], theirs).different[0].theirs_minor == 98
    (pair,) = reconcile([mine("1", 100)], theirs, tolerance_minor=2).matched
    assert [each.line for each in pair.theirs] == [4, 9]


@pytest.mark.parametrize(("text", "word"), [("INV-00123", "123"), ("00123", "123"), ("A12B", "12B"), ("INV", ""), ("0", "")])
def test_a_number_without_its_prefix(text: str, word: str) -> None:
    assert bare(text) == word


references = st.sampled_from(["1", "01", "INV-1", "INV1", "2", "CN2", "A", "B-3", "!!", "-"])
sides = st.lists(st.tuples(references, st.integers(-9, 9)), max_size=9)


@given(sides, sides, st.integers(0, 3), st.sampled_from(["auto", "same", "inverted"]))
def test_every_line_is_in_exactly_one_class_and_the_classes_explain_the_totals(
    left: Any, right: Any, tolerance: int, sign: reconciling.Sign
) -> None:  # P13
    ours, theirs = [mine(*each) for each in left], [yours(name, minor, at) for at, (name, minor) in enumerate(right)]
    found = reconcile(ours, theirs, tolerance_minor=tolerance, sign=sign)
    every = [pair for _, pairs in found.classes for pair in pairs]
    assert sorted((each for pair in every for each in pair.ours), key=repr) == sorted(ours, key=repr)
    assert sorted((each for pair in every for each in pair.theirs), key=lambda each: each.line) == theirs
    turned = -1 if found.inverted else 1
    total = sum(each.minor for each in ours) - turned * sum(each.minor for each in theirs)
    assert sum(pair.difference_minor for pair in every) == total


def test_a_reconciliation_is_a_workbook_with_a_sheet_per_class() -> None:  # P13
    found = reconcile([mine("1", 100), mine("2", 5)], [yours("1", 90)])
    paper = reconciling.paper_of(found, reconciling.Asked(company="We", account="A-1", name="Shop", on=ON, made_at=AT))
    read = sheets(as_xlsx(paper))
    assert list(read) == ["Summary", "Different", "Theirs only", "Ours only", "Matched", "About"]
    assert read["Different"][1][4:7] == [1.0, 0.9, 0.1]
    assert read["Summary"][-1] == ["GBP", "All", 2.0, 1.05, 0.9, 0.15]


# --- their list ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "minor"),
    [
        ("1,234.50", 123450), ("1.234,50", 123450), ("1234,5", 123450), ("1 234.50", 123450), ("1'234.50", 123450),
        ("(1,234.50)", -123450), ("1234.50-", -123450), ("-1234.50", -123450), ("−1234.50", -123450), ("£1,234.50 CR", -123450),
        ("GBP 1234.50", 123450), ("1234.50 USD", 123450), ("1234.50 H", -123450), ("1234.50 S", 123450), ("1,234", 123400),
        ("1,234,567", 123456700), ("+7", 700), (1234.5, 123450), (0.1 + 0.2, 30), (-7, -700), ("12 Dr", 1200), ("-(5.00)", None),
        ("", None), ("abc", None), ("1,23,4", None), ("1.2345", None), ("12,34,567.00", None), (float("nan"), None), (True, None),
        ("1e5", None), ("٣", None), ("1.234.5", None), (float("inf"), None), (1.005, None),
    ],
)  # fmt: skip
def test_figures_as_people_and_programs_write_them(cell: Any, minor: int | None) -> None:  # P13
    if minor is None:
        with pytest.raises(ValueError, match=r"amount|decimals"):
            their_list.amount(cell, "GBP")
    else:
        assert their_list.amount(cell, "GBP") == minor


def test_a_figure_that_may_mean_two_things_is_refused_unless_the_mapping_says_which() -> None:
    with pytest.raises(ValueError, match="may mean two amounts"):
        their_list.amount("1.234", "KWD")
    assert (their_list.amount("1.234", "KWD", "point"), their_list.amount("1.234", "KWD", "comma")) == (1234, 1234000)
    assert their_list.amount("1.234", "JPY") == 1234


@given(st.integers(-(10**12), 10**12), st.sampled_from(["GBP", "JPY"]))
def test_what_we_print_is_read_back(minor: int, currency: str) -> None:
    text = printed(Amount(minor, currency))
    assert their_list.amount(text, currency) == minor
    assert their_list.amount(text.translate(str.maketrans(",.", ".,")), currency) == minor


LIST = """Open items of Small Shop;;
Stand 31.03.2026;;
Beleg;Betrag;Datum
INV-1;-1.234,50;31.03.2026
;-99,00;
X;zwei;
;;
4711;-5;x
"""


def test_a_list_is_read_below_its_letterhead_and_loses_no_row() -> None:  # P13
    found = their_list.read(LIST.encode(), Columns(reference="beleg", amount="BETRAG", on="Datum"), "EUR")
    assert [(each.reference, each.minor, each.line, each.on) for each in found.lines] == [
        ("INV-1", -123450, 4, ON),
        ("4711", -500, 8, None),
    ]
    assert [(fault.line, fault.what[:16]) for fault in found.faults] == [(5, "has no reference"), (6, "'zwei' is no amo")]


def test_a_workbook_of_theirs_is_read_like_a_csv_of_theirs() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(
            [["Open items"], ["Doc", "Debit", "Credit", "Cur"], [4711, 12.5, "", "usd"], ["CN 1", "", "7,00", ""]]
        ):
            sheet.write_row(at, 0, row)
    found = their_list.read(out.getvalue(), Columns(reference="Doc", debit="Debit", credit="Credit", currency="Cur"), "GBP")
    assert [(each.reference, each.minor, each.currency) for each in found.lines] == [("4711", 1250, "USD"), ("CN 1", -700, "GBP")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"a;b\n1;2\n", "headings 'doc', 'sum'; the list has 'a', 'b': say them as they stand there, in 'Its headings'"),
        (b"Open items of;;\nBeleg;Betrag;doc\n4711;5,00;6\n", "the list has 'Beleg', 'Betrag', 'doc': say"),
        (b"1;2;3\n;;\n", "the list has '1', '2', '3'"),
        (b";;\n", "the list has none: say"),
        (b"PK\x03\x04junk", "cannot be read"),
        (b"\xff\xfe", "is not utf-8-sig"),
        (b"", "headings"),
    ],
)
def test_what_is_no_list_is_told(data: bytes, why: str) -> None:
    with pytest.raises(NoList, match=why):
        their_list.read(data, Columns(reference="doc", amount="sum"), "GBP")


def test_a_workbook_that_asks_for_all_memory_ends_its_reader_and_nothing_else() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "doc")
        sheet.write(1_048_575, 16_383, "the last cell of all")
    assert len(out.getvalue()) < 6_000
    with pytest.raises(NoList, match=r"cannot be read: exit .*memory allocation of .*; save it again as XLSX, or send CSV"):
        their_list.read(out.getvalue(), Columns(reference="doc", amount="sum"), "GBP")


def test_a_mapping_names_an_amount_or_two_sides() -> None:
    wrongs: list[dict[str, Any]] = [{}, {"amount": "a", "debit": "d"}, {"debit": "d"}]
    for wrong in wrongs:
        with pytest.raises(NoList, match="either amount, or debit and credit"):
            Columns(reference="doc", **wrong)


# --- files that cannot hurt ---------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, minors), min_size=1, max_size=8), texts, texts)
def test_no_cell_of_a_workbook_is_ever_a_formula_or_a_link(rows: list[tuple[str, int]], title: str, name: str) -> None:  # V6
    table = Table(
        title=title,
        columns=(Column(name), Column("Sum", "amount")),
        rows=tuple((text, Amount(minor, "GBP")) for text, minor in rows),
    )
    data = as_xlsx(of_tables(table, table))
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        parts = {part: packed.read(part).decode() for part in packed.namelist()}
    for part, text in parts.items():
        if part.startswith("xl/worksheets/"):
            assert not re.search(r"<f[ >]|<hyperlink", text), part
    first = next(iter(sheets(data).values()))
    assert [row[1] for row in first[1:]] == [pytest.approx(minor / 100, abs=0.001) for _, minor in rows]


def test_a_sheet_s_name_is_cut_as_excel_counts_and_stays_its_own() -> None:
    table = Table(title="𐀀" * 40, columns=(Column("A"), Column("B")), rows=(("1", "2"),))
    names = list(sheets(as_xlsx(of_tables(table, table))))
    assert names[:2] == ["𐀀" * 15, "𐀀" * 14 + " 2"]


@given(texts.filter(lambda text: text.isprintable()))
@settings(max_examples=60, deadline=None)
def test_a_text_comes_back_from_the_workbook_as_it_was(text: str) -> None:
    (sheet, _) = sheets(as_xlsx(of_tables(Table(title="T", columns=(Column("A"), Column("B")), rows=((text, "end"),))))).values()
    assert sheet[1] == [text, "end"]


@given(st.lists(st.tuples(texts, minors), min_size=1, max_size=8))
def test_no_text_of_a_csv_begins_a_formula_and_amounts_stay_numbers(rows: list[tuple[str, int]]) -> None:  # V6
    table = Table(
        title="T",
        columns=(Column("A"), Column("Sum", "amount")),
        rows=tuple((text, Amount(minor, "GBP")) for text, minor in rows),
    )
    for (text, minor), (cell, figure) in zip(rows, rows_of(as_csv(of_tables(table)))[1:], strict=True):
        assert cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n＝＋－＠")
        assert cell.removeprefix("'") == text.removeprefix("'").encode(errors="replace").decode() or cell == text
        assert re.fullmatch(r"-?[0-9]+\.[0-9]{2}", figure) and round(float(figure) * 100) == pytest.approx(minor)


@pytest.mark.parametrize("text", ATTACKS)
def test_an_attack_gets_an_apostrophe(text: str) -> None:
    assert harmless(text) == (text if text[0] in "h{" else f"'{text}")


def test_a_workbook_keeps_exact_amounts_even_where_excel_has_no_digits_left() -> None:
    amounts = (Amount(999_999_999_999_999, "GBP"), Amount(-12_345_678_901_234_567, "GBP"), Amount(5, "JPY"), Amount(1, "KWD"))
    (sheet, _) = sheets(
        as_xlsx(of_tables(Table(title="T", columns=(Column("Sum", "amount"),), rows=tuple((each,) for each in amounts))))
    ).values()
    assert [row[0] for row in sheet[1:]] == [9_999_999_999_999.99, "-123456789012345.67", 5.0, 0.001]


def test_a_text_longer_than_a_cell_is_cut_with_a_sign_and_sheets_have_names_of_their_own() -> None:
    table = Table(title="History", columns=(Column("A"),), rows=(("x" * 40_000,),))
    read = sheets(as_xlsx(of_tables(table, table, msgspec.structs.replace(table, title="a/b*c" + "d" * 40))))
    assert list(read) == ["Sheet", "Sheet 2", "a b c" + "d" * 26, "About"]
    assert read["Sheet"][1][0] == "x" * 32_766 + "…"


def test_the_same_paper_gives_the_same_bytes() -> None:  # N3, V9
    paper = statement.paper_of(stated(*ITEMS))
    assert as_pdf(paper) == as_pdf(paper)
    assert as_xlsx(paper) == as_xlsx(paper)
    assert as_csv(paper) == as_csv(paper)


def test_a_statement_comes_back_from_workbook_and_csv_to_the_penny() -> None:  # P13
    paper = statement.paper_of(stated(*ITEMS))
    opened = sheets(as_xlsx(paper))["Open items in GBP"]
    assert opened[1] == [ON, "Invoice INV-2", "", ON - dt.timedelta(days=40), 40.0, 70.0, 70.0, 20.0]
    assert opened[-1][-2:] == [100.0, 20.0]
    assert rows_of(as_csv(paper))[1] == [
        "A-1",
        "GBP",
        "INV-2",
        "invoice",
        "",
        "2026-03-31",
        "2026-02-19",
        "70.00",
        "70.00",
        "20.00",
    ]


def test_a_paper_that_is_too_large_is_refused_whole() -> None:
    table = Table(title="T", columns=(Column("A"),), rows=(("x",),) * (CELLS_MAX + 1))
    with pytest.raises(TooLarge, match="take it as XLSX"):
        as_pdf(of_tables(table))
    with pytest.raises(TooLarge, match="100,002 rows"):
        as_csv(of_tables(msgspec.structs.replace(table, rows=(("x",),) * (ROWS_MAX + 2))))


# --- the press ----------------------------------------------------------------------------------------------------------

MARKUP = '#read("/etc/passwd") *bold* _x_ $ 1/0 $ @ref <a> // c /* d */ \\ #panic() `code` "quoted" \u202e\ud800'


def test_what_looks_like_markup_is_printed_and_never_run() -> None:
    table = Table(
        title=MARKUP, columns=(Column(MARKUP, share=1), Column("Sum", "amount")), rows=((MARKUP, Amount(1, "GBP")),), note=MARKUP
    )
    paper = Paper(
        title=MARKUP,
        sender=(MARKUP,) * 2,
        addressee=(MARKUP,) * 2,
        facts=((MARKUP, MARKUP),),
        blocks=(table,),
        made_at=AT,
        footer=MARKUP,
    )
    assert as_pdf(paper).startswith(b"%PDF")


def test_the_largest_figures_stand_apart_and_long_names_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """No headings, so that the row of figures is the one with the most gaps; digits alone never stand three pixels apart."""
    figures = 9
    columns = (Column("", share=3), *(Column("", "amount"),) * figures)
    table = Table(title="T", columns=columns, rows=(("W" * 200, *(Amount(-88_888_888_888_888, "GBP"),) * figures),))
    monkeypatch.setattr(press, "PIXELS_PER_INCH", 72)
    width, rows = _pixels(press.fulfilled(order_of(of_tables(table), "png")))
    inked = [[min(row[at * 4 : at * 4 + 3]) < 200 for at in range(width)] for row in rows]
    assert not any(any(row[-28:]) for row in inked), "a centimetre at the right stays white"
    assert max(_gaps(band) for band in _bands(inked)) >= figures


def _bands(inked: list[list[bool]]) -> Iterator[list[bool]]:
    """Lines of print: for each, which of its pixel columns have ink."""
    for has_ink, rows in itertools.groupby(inked, key=any):
        if has_ink:
            yield [any(column) for column in zip(*rows, strict=True)]


def _gaps(band: list[bool]) -> int:
    runs = [(ink, len(list(run))) for ink, run in itertools.groupby(band)]
    return sum(not ink and length >= 3 for ink, length in runs[1:-1])


def _pixels(data: bytes) -> tuple[int, list[bytes]]:
    """Width and RGBA rows of a picture with eight bits a channel."""
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    assert (depth, colour) == (8, 6)
    packed, at = b"", 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        packed += data[at + 8 : at + 8 + length] if data[at + 4 : at + 8] == b"IDAT" else b""
        at += length + 12
    raw, stride, above, rows = zlib.decompress(packed), width * 4, bytes(width * 4), []
    for number in range(height):
        start = number * (stride + 1)
        above = _unfiltered(raw[start], raw[start + 1 : start + 1 + stride], above)
        rows.append(above)
    return width, rows


def _unfiltered(kind: int, row: bytes, above: bytes) -> bytes:
    done = bytearray(row)
    for at, value in enumerate(row):
        left, corner = (done[at - 4], above[at - 4]) if at >= 4 else (0, 0)
        done[at] = (value + _predicted(kind, left, above[at], corner)) % 256
    return bytes(done)


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda each: abs(guess - each))
    return (0, left, up, (left + up) // 2)[kind]


def test_a_press_that_fails_or_hangs_says_so_and_leaves_the_caller_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = statement.paper_of(stated(*ITEMS))
    with pytest.raises(NotPrinted, match=r"no page 99 of 1; take it as XLSX"):
        as_png(paper, 99)
    monkeypatch.setattr(printing, "SECONDS_MAX", 0.01)
    with pytest.raises(NotPrinted, match=r"not done in 0\.01 s"):
        as_pdf(paper)


def test_the_total_of_ledgers_is_the_ledger_of_the_total() -> None:
    assert together([each.ledger for each in LINES], "GBP", Policy()).total_minor == 79_00
