"""What the page of an account shows: parts that add up down to their facts, ageing that adds up to the balance (P12, V2)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accounts import Terms
from services.console.account import MOVED_BY, ageing, bucket, moved
from services.console.book import KINDS
from services.console.following import Account
from services.console.wording import differences, told
from tests.models.test_console_following import facts_of, followed
from tests.models.test_orders_properties import group, play, steps

TODAY = dt.date(2026, 3, 9)
debts = st.lists(st.tuples(st.dates(dt.date(2025, 1, 1), dt.date(2027, 1, 1)), st.integers(-500, 500), st.just(0)), max_size=9)


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, max_size=25))
def test_every_part_of_exposure_is_the_sum_of_the_facts_that_its_page_shows(story: list[Any]) -> None:
    desk = group()
    play(desk, story)
    view = followed(desk, checked=False)
    for field, (_, moved_by) in MOVED_BY.items():
        for name, row in view.accounts.items():
            said = [fact.data for fact in facts_of(desk) if fact.data.account == name and isinstance(fact.data, moved_by)]
            changes = [moved(data, field) for data in said]
            if None not in changes:
                assert sum(change or 0 for change in changes) == getattr(row, field), field


@given(debts, st.integers(-10_000, 10_000))
def test_the_buckets_add_up_to_the_balance_always(owed: list[Any], against: int) -> None:  # P12
    balance = sum(minor for _, minor, _ in owed) + against
    members = [Account(account="A1", open_minor=balance)]
    assert sum(each.minor for each in ageing(owed, members, "A1", TODAY)) == balance


BOUNDS = {-5: "Not due", 0: "Not due", 1: "1–30", 30: "1–30", 31: "31–45", 60: "46–60", 90: "61–90", 91: "91–120", 121: ">120"}


@pytest.mark.parametrize(("late", "name"), BOUNDS.items())
def test_a_debt_stands_in_the_bucket_of_its_days(late: int, name: str) -> None:  # P12
    assert bucket(late) == name


def test_a_request_for_other_terms_shows_what_differs_and_nothing_else() -> None:
    before, after = Terms(payment_days=30, po_required=True), Terms(payment_days=45, standard_order_minor=250_000)
    assert differences(before, after, "GBP") == [
        ("days to pay", "30", "45"),
        ("PO number required", "yes", "no"),
        ("standard order", "none", "2,500.00"),
    ]


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, max_size=20))
def test_whatever_the_desk_says_an_entry_of_it_is_a_sentence(story: list[Any]) -> None:
    desk = group()
    play(desk, story)
    for fact in facts_of(desk):
        if type(fact.data) in KINDS:
            words = told(fact.data, "GBP")
            assert words
            assert "_" not in words.replace(getattr(fact.data, "order", ""), "")
