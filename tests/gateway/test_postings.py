"""Rows of an ERP's postings to documents of its ledger, in our own columns and in SAP's (P1, G3)."""

import datetime as dt

from contracts.message import Command
from contracts.payments import Clears, Opens, TakePosting
from services.gateway import admission
from services.gateway.documents import Columns, Grouper, Held, read
from services.gateway.framing import Framer
from services.gateway.mapping import mappings, positions

ON = dt.date(2026, 11, 26)
OWN = "document,company_code,account,posted_on,does,item,kind,amount,currency,document_on,due_on,reference,reverses,answers\n"
CLEARED = (
    "Account,Company Code,Document Number,Fiscal Year,Document Type,Amount in doc. curr.,Document Currency,Reference,"
    "Clearing Document,Clearing Date,Header Text\n"
)
POSTED = (
    "Account,Company Code,Document Number,Fiscal Year,Document Type,Amount in doc. curr.,Document Currency,Document Date,"
    "Net Due Date,Posting Date,Reference\n"
)


def results(kind: str, header: str, *rows: str) -> list[Command | list[Held]]:
    rule = mappings()[kind]
    framer = Framer(rule.dialect)
    first, *framed = [*framer.feed((header + "".join(rows)).encode()), *framer.end()]
    columns = Columns(rule, positions(rule, first.cells))
    grouper = Grouper(columns)
    return [read(document, columns, "home") for document in (*grouper.feed(framed), *grouper.end())]


def test_rows_of_one_document_are_one_command() -> None:
    cleared, opened, back = results(
        "postings",
        OWN,
        "D1,1000,A1,2026-11-26,clears,I1,,500.00,GBP,,,,,REQ1\n",
        "D1,1000,A2,2026-11-26,clears,I2,,-500.00,GBP,,,0123456789ABCDEF,,REQ1\n",
        "D2,1000,A1,2026-11-26,opens,I3,invoice,12.50,GBP,2026-11-01,2026-12-01,PO7,,\n",
        "D3,1000,A1,2026-11-26,reverses,,,,GBP,,,,D1,\n",
    )
    assert cleared == TakePosting(
        account="A1", company_code="1000", document="D1", posted_on=ON, answers="REQ1",
        clears=(
            Clears(item="I1", settled_minor=500_00, currency="GBP"),
            Clears(item="I2", settled_minor=-500_00, currency="GBP", reference="0123456789ABCDEF", account="A2"),
        ),
    )  # fmt: skip
    assert isinstance(opened, TakePosting) and isinstance(back, TakePosting)
    assert opened.opens == (
        Opens(
            item="I3", kind="invoice", amount_minor=12_50, currency="GBP", document_on=dt.date(2026, 11, 1),
            due_on=dt.date(2026, 12, 1), reference="PO7",
        ),
    )  # fmt: skip
    assert (back.reverses, back.opens, back.clears) == ("D1", (), ())
    assert admission.identity_of(cleared) == ("posting", "1000/D1/A1")


def test_a_bad_row_holds_back_its_whole_document() -> None:
    (held,) = results(
        "postings",
        OWN,
        "D1,1000,A1,2026-11-26,clears,I1,,500.00,GBP,,,,,\n",
        "D1,1000,A1,2026-11-26,clears,,,-500.00,GBP,,,,,\n",
    )
    assert isinstance(held, list) and len(held) == 2
    (wrong,) = results("postings", OWN, "D1,1000,A1,2026-11-26,eats,I1,,500.00,GBP,,,,,\n")
    assert isinstance(wrong, list) and "nothing that a document does" in wrong[0].faults[0].problem


def test_saps_cleared_items_become_their_clearing_document() -> None:
    (found,) = results(
        "sap_cleared",
        CLEARED,
        "A1,1000,9000001,2026,RV,500.00,GBP,4711,1400001,2026-11-26,REQ1\n",
        "A1,1000,1400000,2026,DZ,-500.00,GBP,0123456789ABCDEF,1400001,2026-11-26,REQ1\n",
    )
    assert isinstance(found, TakePosting)
    assert (found.document, found.answers, found.opens) == ("1400001/2026/C", "REQ1", ())
    assert [(line.item, line.settled_minor, line.reference) for line in found.clears] == [
        ("9000001/2026", 500_00, "4711"),
        ("1400000/2026", -500_00, "0123456789ABCDEF"),
    ]


def test_a_document_of_sap_that_clears_and_opens_is_two_and_its_lines_are_one() -> None:
    (cleared,) = results("sap_cleared", CLEARED, "A1,1000,9000001,2026,RV,500.00,GBP,4711,1400001,2026-11-26,\n")
    header = POSTED.replace("Fiscal Year,", "Fiscal Year,Line Item,")
    (opened,) = results(
        "sap_posted",
        header,
        "A1,1000,1400001,2026,1,DZ,-100.00,GBP,2026-11-26,,2026-11-26,\n",
        "A1,1000,1400001,2026,2,DZ,-50.00,GBP,2026-11-26,,2026-11-26,\n",
    )
    (next_year,) = results("sap_posted", header, "A1,1000,1400001,2027,1,DZ,-1.00,GBP,2027-01-04,,2027-01-04,\n")
    assert isinstance(cleared, TakePosting) and isinstance(opened, TakePosting) and isinstance(next_year, TakePosting)
    assert [line.item for line in opened.opens] == ["1400001/2026/1", "1400001/2026/2"]
    assert len({admission.identity_of(each) for each in (cleared, opened, next_year)}) == 3


def test_saps_open_items_become_documents_that_open_them() -> None:
    bill, cash = results(
        "sap_posted",
        POSTED,
        "A1,1000,9000001,2026,RV,500.00,GBP,2026-11-01,2026-12-01,2026-11-02,4711\n",
        "A1,1000,1400000,2026,DZ,-500.00,GBP,2026-11-26,,2026-11-26,0123456789ABCDEF\n",
    )
    assert isinstance(bill, TakePosting) and isinstance(cash, TakePosting)
    assert (bill.opens[0].item, bill.opens[0].kind, bill.opens[0].amount_minor) == ("9000001/2026", "invoice", 500_00)
    assert (cash.opens[0].kind, cash.answers) == ("receipt", "0123456789ABCDEF")
