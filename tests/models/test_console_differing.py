"""Our open items against an ERP's list: each item once, in one class, and nothing lost (P1)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.papers import open_list
from services.console.papers.differing import Ours, Theirs, compare
from services.console.papers.their_list import NoList

DUE = dt.date(2026, 12, 1)


def ours(item: str, minor: int, account: str = "A1", **more: Any) -> Ours:
    fields = {"kind": "invoice", "currency": "GBP", "due_on": DUE} | more
    return Ours(account=account, item=item, minor=minor, **fields)


def theirs(item: str, minor: int, account: str = "A1", **more: Any) -> Theirs:
    return Theirs(account=account, item=item, minor=minor, **{"currency": "GBP", "due_on": DUE, "line": 1} | more)


def told(*sides: list[Any]) -> dict[str, str]:
    found = compare(*sides)
    return {(each.ours or each.theirs).item: each.what for each in found.differs}  # type: ignore[union-attr]


def test_each_way_in_which_items_differ_is_told_by_its_name() -> None:
    mine = [ours("1", 100), ours("2", 200), ours("3", 300), ours("4", 400), ours("5", 500), ours("6", 600)]
    other = [
        theirs("1", 100), theirs("2", 250), theirs("3", 300, due_on=DUE + dt.timedelta(days=1)),
        theirs("4", 400, currency="EUR"), theirs("6", 1, account="A2"), theirs("7", 700),
    ]  # fmt: skip
    found = compare(mine, other)
    assert found.same == 1
    assert told(mine, other) == {
        "2": "amount", "3": "due date", "4": "currency", "5": "ours only", "6": "theirs only", "7": "theirs only",
    }  # fmt: skip
    assert [each.what for each in found.differs if each.ours and each.ours.item == "6"] == ["ours only"]


def test_a_receipt_of_ours_is_the_item_whose_reference_is_its_request() -> None:
    mine = [ours("RC-0123456789ABCDEF", -500, kind="receipt", due_on=dt.date(2026, 11, 26))]
    assert compare(mine, [theirs("1400000/2026", -500, reference="0123456789ABCDEF")]).same == 1
    invoice = [ours("4711", 500)]
    assert told(invoice, [theirs("90001", 500, reference="4711")]) == {"4711": "ours only", "90001": "theirs only"}


def test_an_item_on_several_lines_of_the_list_is_one() -> None:
    assert compare([ours("1", 100)], [theirs("1", 60), theirs("1", 40)]).same == 1


def test_lines_of_a_second_currency_are_one_item_of_their_own() -> None:
    other = [theirs("1", 10), theirs("1", 5, currency="USD"), theirs("1", 7, currency="USD")]
    found = compare([ours("1", 10)], other)
    assert (found.same, [(each.theirs.item, each.theirs.minor) for each in found.differs if each.theirs]) == (1, [("1 USD", 12)])


items = st.lists(st.tuples(st.sampled_from("123456"), st.integers(-3, 3)), max_size=6, unique_by=lambda each: each[0])


@given(items, items)
def test_every_item_of_both_sides_is_in_one_class(mine: list[tuple[str, int]], other: list[tuple[str, int]]) -> None:
    found = compare([ours(*each) for each in mine], [theirs(*each) for each in other])
    of_ours = Counter(each.ours.item for each in found.differs if each.ours)
    of_theirs = Counter(each.theirs.item for each in found.differs if each.theirs)
    assert sum(of_ours.values()) + found.same == len(mine) and max(of_ours.values(), default=1) == 1
    assert sum(of_theirs.values()) + found.same == len(other) and max(of_theirs.values(), default=1) == 1


def test_saps_list_is_read_with_its_subtotals_passed_over_and_its_faults_told() -> None:
    text = (
        "Customer list\n"
        "Account;Document Number;Fiscal Year;Reference;Amount in doc. curr.;Document Currency;Net Due Date\n"
        "A1;90001;2026;PO7;1.234,56;GBP;01.12.2026\n"
        "A1;14000;2026;0123456789ABCDEF;500,00-;GBP;\n"
        "*;;;;734,56;GBP;\n"
        "A1;90002;2026;;none;GBP;01.12.2026\n"
    )
    found = open_list.read(text.encode())
    assert [(each.item, each.minor, each.due_on, each.reference) for each in found.items] == [
        ("90001/2026", 1_234_56, DUE, "PO7"),
        ("14000/2026", -500_00, None, "0123456789ABCDEF"),
    ]
    assert [fault.line for fault in found.faults] == [6]
    with pytest.raises(NoList, match="document number"):
        open_list.read(b"A,B\n1,2\n")
