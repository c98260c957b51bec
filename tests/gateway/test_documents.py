"""Rows to documents to commands, and that every row of any file is accounted for."""

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accounts import OpenAccount
from contracts.message import Command
from contracts.orders import LINES_MAX, PlaceOrder, RecordReturn
from services.gateway.documents import Columns, Document, Grouper, Held, read
from services.gateway.framing import Framer, Row
from services.gateway.mapping import mappings, positions

HEADER = b"order_ref,received_at,account,country,sku,description,quantity,unit_price\n"
REAL_FILE = Path(__file__).parents[3] / "shared/data/orders/orders-2010-12-to-2011-01.csv"

Result = tuple[Document, Command | list[Held]]


def results(data: bytes, kind: str = "wholesale") -> list[Result]:
    rule = mappings()[kind]
    framer = Framer(rule.dialect)
    header, *rows = [*framer.feed(data), *framer.end()]
    columns = Columns(rule, positions(rule, header.cells))
    grouper = Grouper(columns)
    documents = [*grouper.feed(_widths(rows, len(header.cells))), *grouper.end()]
    return [(document, read(document, columns, rule.file.feed or "home")) for document in documents]


def _widths(rows: list[Row], width: int) -> list[Row]:
    framer_width_check = [row for row in rows if row.faults or len(row.cells) == width]
    assert len(framer_width_check) == len(rows), "tests here feed rows of the header's width"
    return rows


def line(reference: str, quantity: str = "2", price: str = "2.55", account: str = "17850", sku: str = "X") -> bytes:
    return f"{reference},2010-12-01T08:26:00,{account},UK,{sku},A thing,{quantity},{price}\n".encode()


def problems(held: Command | list[Held]) -> list[list[str]]:
    assert isinstance(held, list)
    return [[fault.problem for fault in each.faults] for each in held]


def test_rows_of_one_reference_become_one_order_in_utc() -> None:
    ((_, order),) = results(HEADER + line("536365") + line("536365", "1", "3.39"))
    assert isinstance(order, PlaceOrder)
    assert (order.order, order.account) == ("wholesale/536365", "17850")
    assert order.placed.total_minor == 510 + 339
    assert order.placed.received_at == dt.datetime(2010, 12, 1, 8, 26, tzinfo=dt.UTC)


def test_local_times_follow_summer_time() -> None:
    data = HEADER + line("536365").replace(b"2010-12-01T08:26:00", b"2011-07-01T08:26:00")
    ((_, order),) = results(data)
    assert isinstance(order, PlaceOrder)
    assert order.placed.received_at == dt.datetime(2011, 7, 1, 7, 26, tzinfo=dt.UTC)


def test_a_reference_that_begins_with_c_is_a_return_and_never_an_order() -> None:
    ((_, returned),) = results(HEADER + line("C536379", "-1", "27.50"))
    assert isinstance(returned, RecordReturn)
    assert (returned.document, returned.total_minor) == ("wholesale/C536379", 2750)


def test_a_row_without_account_is_withheld_with_field_and_reason() -> None:
    ((_, held),) = results(HEADER + line("536414", account=""))
    assert problems(held) == [["is empty"]]
    assert isinstance(held, list)
    assert (held[0].row.line, held[0].faults[0].field) == (2, "account")


def test_one_bad_row_holds_back_its_whole_document_each_row_with_its_reason() -> None:
    (_, held), (_, order) = results(HEADER + line("1") + line("1", quantity="two") + line("2"))
    assert problems(held) == [["another line of this document is bad: line 3"], ["'two' is no whole number"]]
    assert isinstance(order, PlaceOrder)


def test_a_negative_quantity_outside_a_return_is_told_as_a_negative_total() -> None:
    ((_, held),) = results(HEADER + line("537032", "-30", "1.00"))
    assert problems(held) == [["the document's total is negative: -30.00 GBP"]]


def test_an_adjustment_with_a_negative_price_is_withheld_and_not_dropped() -> None:
    ((_, held),) = results(HEADER + line("A563186", "1", "-11062.06", account="", sku="B"))
    assert problems(held) == [["is empty"]]
    ((_, held),) = results(HEADER + line("A563186", "1", "-11062.06", sku="B"))
    assert problems(held) == [["the document's total is negative: -11062.06 GBP"]]


def test_unit_prices_may_be_finer_than_the_currency_and_round_half_to_even() -> None:
    ((_, order),) = results(HEADER + line("1", "1", "0.125") + line("1", "1", "0.135"))
    assert isinstance(order, PlaceOrder)
    assert [each.amount_minor for each in order.placed.lines] == [12, 14]


def test_the_same_sku_twice_is_two_lines() -> None:
    ((_, order),) = results(HEADER + line("1") + line("1"))
    assert isinstance(order, PlaceOrder)
    assert len(order.placed.lines) == 2


def test_rows_of_one_document_with_two_accounts_are_withheld() -> None:
    ((_, held),) = results(HEADER + line("1") + line("1", account="2"))
    assert problems(held)[1] == ["'2' differs from line 2 of the same document"]


def test_a_broken_line_inside_a_document_holds_the_document_back() -> None:
    broken = b'1,2010-12-01T08:26:00,17850,UK,X,"A thing,2,2.55\n'
    ((document, held),) = results(HEADER + line("1") + broken + line("1"))
    assert len(document.rows) == 3
    assert problems(held)[0] == ["another line of this document is bad: line 3"]


def test_a_broken_line_of_another_document_leaves_its_neighbours_alone() -> None:
    broken = b'2,2010-12-01T08:26:00,17850,UK,X,"A thing,2,2.55\n'
    kinds = [type(result) for _, result in results(HEADER + line("1") + broken + line("3"))]
    assert kinds == [PlaceOrder, list, PlaceOrder]


def test_a_document_with_too_many_rows_is_withheld_without_standing_in_memory_whole() -> None:
    found = results(HEADER + line("1") * (2 * LINES_MAX + 10) + line("2"))
    assert [len(document.rows) for document, _ in found] == [LINES_MAX + 1, LINES_MAX + 1, 8, 1]
    assert all(isinstance(result, list) for document, result in found if document.reference == "1")
    assert isinstance(found[-1][1], PlaceOrder)


def test_an_accounts_row_is_an_account_with_its_terms() -> None:
    data = b"account,name,currency,limit,parent,payment_days,po_required\n1,Castle,GBP,999.95,,14,yes\n"
    ((_, opening),) = results(data, "accounts")
    assert isinstance(opening, OpenAccount)
    assert (opening.limit_minor, opening.parent) == (99_995, None)
    assert (opening.terms.payment_days, opening.terms.po_required) == (14, True)


def test_an_accounts_row_says_how_often_its_statement_goes_out() -> None:  # P13
    header = b"account,name,currency,limit,statement_cadence\n"
    found = results(header + b"1,Castle,GBP,1,weekly\n2,Castle,GBP,1,\n3,Castle,GBP,1,daily\n", "accounts")
    (_, weekly), (_, usual), (_, held) = found
    assert isinstance(weekly, OpenAccount) and isinstance(usual, OpenAccount)
    assert (weekly.terms.statement_cadence, usual.terms.statement_cadence) == ("weekly", "standard")
    assert problems(held) == [["'daily' is no cadence of statements"]]


def test_every_bad_cell_of_an_accounts_row_is_told() -> None:
    ((_, held),) = results(b"account,name,currency,limit,payment_days\n,Castle,GBP,1,x\n", "accounts")
    assert isinstance(held, list)
    assert [(fault.field, fault.problem) for fault in held[0].faults] == [
        ("payment_days", "'x' is no whole number"),
        ("account", "is empty"),
    ]


def test_a_limit_with_more_decimals_than_the_currency_is_refused() -> None:
    ((_, held),) = results(b"account,name,currency,limit\n1,Yen,JPY,10.5\n", "accounts")
    assert problems(held)[0][0].startswith("'10.5' has more decimals than JPY")


def test_our_own_order_file_checks_a_total_that_is_given() -> None:
    header = b"reference,received_at,account,currency,total,sku,quantity,unit_price\n"
    ((_, held),) = results(header + b"1,2026-11-22T09:00:00Z,7,GBP,9.99,X,2,5.00\n", "orders")
    assert problems(held) == [["total 9.99 is not the sum of the lines, 10.00"]]


# --- rows add up ----------------------------------------------------------------------------------------------------

CELLS = st.sampled_from(["1", "2", "C3", "", "17850", "-5", "2.55", "x", '"', "é", "2010-12-01T08:26:00", '"a,b"', "0.125"])
LINES = st.lists(st.lists(CELLS, min_size=1, max_size=9).map(",".join), max_size=12)


def accounted(data: bytes) -> tuple[int, int, int]:
    """Rows in the file, rows of commands, rows withheld."""
    rule = mappings()["wholesale"]
    framer = Framer(rule.dialect)
    columns = Columns(rule, positions(rule, HEADER.decode().strip().split(",")))
    framer.width = 8
    rows = [*framer.feed(data), *framer.end()]
    grouper = Grouper(columns)
    sent = held = 0
    for document in [*grouper.feed(rows), *grouper.end()]:
        result = read(document, columns, "wholesale")
        held += len(result) if isinstance(result, list) else 0
        sent += 0 if isinstance(result, list) else len(document.rows)
    return len(rows), sent, held


@given(LINES)
@settings(max_examples=300)
def test_rows_add_up_for_any_cells(lines: list[str]) -> None:
    rows, sent, held = accounted("\n".join(lines).encode())
    assert rows == sent + held


@given(st.binary(max_size=400))
def test_rows_add_up_for_any_bytes(data: bytes) -> None:
    rows, sent, held = accounted(data)
    assert rows == sent + held


@pytest.mark.skipif(not REAL_FILE.exists(), reason="the real order file is not part of the repository")
def test_every_row_of_the_real_order_file_is_accounted_for() -> None:
    found = results(REAL_FILE.read_bytes())
    count = {kind: sum(len(d.rows) for d, r in found if isinstance(r, kind)) for kind in (PlaceOrder, RecordReturn, list)}
    assert count == {PlaceOrder: 31_301, RecordReturn: 880, list: 17_881}
