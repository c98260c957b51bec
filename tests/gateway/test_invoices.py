"""Rows of an invoice file to items of the ledger, each with what is wrong of it (P2)."""

import datetime as dt

import pytest

from contracts.message import Command
from contracts.payments import Covers, Discount, PostItem
from services.gateway import admission
from services.gateway.credentials import development
from services.gateway.directory import Known
from services.gateway.documents import Columns, Grouper, Held, read
from services.gateway.framing import Framer
from services.gateway.mapping import MAPPINGS, MappingError, load, mappings, positions
from services.gateway.sorting import FileFlow, sort

NOW = dt.datetime(2026, 11, 27, 9, 0, tzinfo=dt.UTC)
HEADER = "account,item,kind,amount,currency,document_on,due_on,order,discount_percent,discount_until,base_amount,text\n"
ROW = "A1,INV-1,invoice,1234.50,GBP,2026-11-01,2026-12-01,,,,,\n"


def results(*rows: str) -> list[Command | list[Held]]:
    rule = mappings()["invoices"]
    framer = Framer(rule.dialect)
    header, *framed = [*framer.feed((HEADER + "".join(rows)).encode()), *framer.end()]
    columns = Columns(rule, positions(rule, header.cells))
    grouper = Grouper(columns)
    return [read(document, columns, "home") for document in (*grouper.feed(framed), *grouper.end())]


def item(row: str) -> PostItem:
    (found,) = results(row)
    assert isinstance(found, PostItem), found
    return found


def faults(row: str) -> list[tuple[str, str]]:
    (found,) = results(row)
    assert isinstance(found, list)
    return [(fault.field, fault.problem) for held in found for fault in held.faults]


def test_each_row_is_one_item_in_minor_units() -> None:  # P2
    first, second = results(ROW, ROW.replace("INV-1", "INV-2").replace("invoice", "credit_note"))
    assert first == PostItem(
        account="A1", item="INV-1", kind="invoice", amount_minor=123_450, currency="GBP",
        document_on=dt.date(2026, 11, 1), due_on=dt.date(2026, 12, 1),
    )  # fmt: skip
    assert isinstance(second, PostItem)
    assert (second.item, second.kind, second.amount_minor) == ("INV-2", "credit_note", 123_450)


def test_a_due_day_left_out_is_left_to_the_accounts_terms() -> None:
    assert item(ROW.replace("2026-12-01", "")).due_on is None


def test_a_debt_bills_the_order_it_names_in_the_senders_numbering() -> None:  # F1
    found = item("A1,INV-1,invoice,10.00,GBP,2026-11-01,,SO-7,,,,\n")
    assert (found.order, found.covers) == ("home/SO-7", (Covers(order="home/SO-7", amount_minor=1000),))
    assert item("A1,CN-1,credit_note,10.00,GBP,2026-11-01,,SO-7,,,,\n").covers == ()


def test_a_discount_has_its_last_day_and_hundredths_of_a_percent() -> None:
    found = item("A1,INV-1,invoice,10.00,GBP,2026-11-01,,,2.25%,2026-11-08,,\n")
    assert found.discounts == (Discount(until_on=dt.date(2026, 11, 8), basis_points=225),)


def test_the_base_amount_is_in_the_currency_that_the_mapping_names() -> None:  # P1
    found = item("A1,INV-1,invoice,1000,JPY,2026-11-01,,,,,5.30,\n")
    assert (found.amount_minor, found.base_minor) == (1000, 530)


@pytest.mark.parametrize(
    ("row", "field", "problem"),
    [
        (ROW.replace("INV-1", ""), "item", "is empty"),
        (ROW.replace("A1", ""), "account", "is empty"),
        (ROW.replace("invoice", "receipt"), "kind", "'receipt' is no kind of item"),
        (ROW.replace("1234.50", "-1234.50"), "amount", "the amount is negative"),
        (ROW.replace("1234.50", "1.234,50").replace('1.234,50', '"1.234,50"'), "amount", "'1.234,50' is no amount"),
        (ROW.replace("2026-11-01", "01/11/2026"), "document_on", "'01/11/2026' is no day of the form iso"),
        ("A1,INV-1,invoice,10.00,GBP,2026-11-01,,,2,,,\n", "discount_until", "a discount has a percentage and a last day"),
        ("A1,INV-1,invoice,10.00,GBP,2026-11-01,,,2.255,2026-11-08,,\n", "discount_percent", "'2.255' is no percentage"),
        ("A1,INV-1,invoice,10.00,GBP,2026-11-01,,,,,-1,\n", "base_amount", "the amount is negative"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_item_is_withheld_with_its_field_and_reason(row: str, field: str, problem: str) -> None:
    assert faults(row) == [(field, problem)]


def test_a_base_amount_needs_the_base_currency(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.yaml"
    path.write_text((MAPPINGS / "invoices.yaml").read_text().replace("base_currency: GBP\n", ""))
    with pytest.raises(MappingError, match="`base_currency` must say"):
        load(path)


# --- where it goes, and under which identity ------------------------------------------------------------------------


def sorted_rows(*rows: str, at_desk: bool = False, currency: str = "GBP", flow: str = "f"):  # type: ignore[no-untyped-def]
    rule = mappings()["invoices"]
    framer = Framer(rule.dialect)
    header, *framed = [*framer.feed((HEADER + "".join(rows)).encode()), *framer.end()]
    columns = Columns(rule, positions(rule, header.cells))
    grouper = Grouper(columns)
    documents = [*grouper.feed(framed), *grouper.end()]
    entries = {"A1": Known("A1", "G1", currency, "", at_desk, None)}
    about = FileFlow(flow, "invoices", development(), "home", NOW)
    return sort([(document, read(document, columns, "home")) for document in documents], entries, about)


def test_an_item_goes_to_the_home_of_its_account_whether_or_not_the_order_desk_knows_it() -> None:
    (candidate,) = sorted_rows(ROW).candidates
    assert (candidate.entrant.home, candidate.entrant.keys) == ("G1", (admission.key_of("item", "INV-1"),))


def test_an_item_of_an_unknown_account_is_withheld() -> None:
    found = sorted_rows(ROW.replace("A1", "A9"))
    assert not found.candidates
    assert found.held[0][1][0].faults[0].problem == "account 'A9' is not known"


def test_an_account_whose_home_is_not_told_yet_takes_nothing() -> None:
    assert not sorted_rows(ROW, at_desk=True, currency="").candidates


def test_a_mended_item_that_comes_with_another_file_leaves_under_another_id() -> None:
    """What the ledger kept out may come again under its number; two facts of one id would be one too few."""
    first, second = (sorted_rows(ROW, flow=flow).candidates[0].entrant for flow in ("f", "g"))
    assert first.keys == second.keys
    assert admission.sent_id(first.name) != admission.sent_id(second.name)
