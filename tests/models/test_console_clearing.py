"""What would clear a hold, in words and figures (V1, O7): what is told comes true when it happens."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import accounts, orders
from contracts.accounts import Terms
from contracts.orders import Decision, Inputs
from services.console.clearing import remedy, round_up, sentence
from services.orders.judge import decided
from shared.credit.rulebook import SHIPPED, Rules, book_of
from tests.models.orders_desk import Desk, opened, order

TODAY = dt.date(2011, 1, 15)
STANDARD = Inputs(
    on=TODAY, value_minor=100_000, status="open", currency="GBP", limit_minor=1_000_000, exposure_minor=0, terms_days=30
)


def rules() -> Rules:
    return book_of(SHIPPED[0]).rules("", "", "main", "standard")


def judged(**changed: Any) -> Decision:
    return decided(replace(STANDARD, **changed), rules())


def told(level: str = "", **changed: Any) -> str:
    return sentence(remedy(judged(**changed), rules(), level), "GBP", lambda role: role.replace("_", " "))


def test_a_value_above_the_usual_is_cleared_by_a_person_alone_and_the_rest_is_named_behind_it() -> None:  # V1
    said = told(value_minor=4_290_000, exposure_minor=5_858_000, limit_minor=10_000_000, standard_order_minor=2_500_000)
    assert said == (
        "a release by an operations manager (above 25,000.00); "
        "its other causes clear with 1,480.00 paid or credited, or a limit of 102,000.00"
    )


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"status": "on_stop"}, "the account taken off stop"),
        ({"status": "dormant"}, "the account opened"),
        ({"standard_order_minor": 50_000}, "a release by a controller (above 500.00)"),
        ({"oldest_overdue_days": 36}, "items more than 30 days overdue paid (the oldest is 36 days)"),
        ({"dunning_level": 3}, "the dunning level back below 3 (it is 3)"),
        ({"review_due_on": dt.date(2011, 1, 3)}, "the limit review done (due 2011-01-03)"),
        ({"asked_days": 45}, "terms of 30 days instead of 45"),
        ({"po_required": True}, "a PO number from the customer"),
        ({"cash_on_delivery": True, "prepaid_minor": 40_000}, "600.00 paid before, or shipped cash on delivery"),
        ({"stock_shipped": 100, "stock_unconnected": 75}, "15 more handsets connected"),
        ({"broken_promises": 2}, "fewer than 2 promises broken lately (there are 2)"),
        ({"insured_minor": 5, "insured_until": dt.date(2011, 1, 1)}, "credit insurance renewed"),
        ({"limit_expires_on": dt.date(2011, 1, 1)}, "the limit renewed (it expired 2011-01-01)"),
        ({"behind_queue": True}, "the orders before it decided"),
    ],
)
def test_each_reason_names_its_remedy(inputs: dict[str, Any], words: str) -> None:  # O2
    assert told(**inputs) == words


def test_a_person_who_asked_for_more_authority_is_named() -> None:  # O5
    assert told("director", po_required=True) == "a PO number from the customer; or instead a release by a director"


def test_against_what_nobody_overrides_no_release_is_offered_instead() -> None:  # O2.2
    assert told("director", status="on_stop") == "the account taken off stop"
    said = told("director", status="on_stop", standard_order_minor=50_000)
    assert said == "the account taken off stop; and then a release by a director"


OVER = [opened(limit_minor=10_000), order(value_minor=12_000)]
REFERRED = orders.ReferOrder(order="web/1", account="acme", reason="too much for me", level="director")


def test_a_referred_order_is_freed_by_its_cause_or_by_the_person_each_alone() -> None:  # O5, O7: what "or instead" says
    paid, freed = Desk(), Desk()
    for desk in (paid, freed):
        for message in OVER:
            desk.do(message)
        desk.do(REFERRED, role="controller")
    today = paid.at.date()
    paid.do(accounts.LimitChanged(account="acme", limit_minor=12_000, was_minor=10_000, reason="", effective_from=today))
    freed.do(orders.ReleaseOrder(order="web/1", account="acme", reason="ok"), role="director")
    assert [desk.order("web/1").status for desk in (paid, freed)] == ["released", "released"]


def test_a_value_above_the_usual_is_not_freed_by_the_other_causes() -> None:  # O2.5: what "its other causes" says
    desk = Desk()
    today = desk.at.date()
    desk.do(opened(limit_minor=10_000, terms=Terms(standard_order_minor=5_000)))
    desk.do(order(value_minor=12_000))
    desk.do(accounts.LimitChanged(account="acme", limit_minor=50_000, was_minor=10_000, reason="", effective_from=today))
    assert desk.order("web/1").status in ("held", "referred")
    assert desk.order("web/1").held_by == ("order_value",)


def test_a_group_limit_is_called_one() -> None:  # O2.3
    said = told(group_limit_minor=150_000, group_exposure_minor=120_000)
    assert said == "700.00 paid or credited, or a group limit of 2,200.00"


def test_checks_that_nobody_overrides_are_named() -> None:
    assert remedy(judged(status="on_stop"), rules()).final == ("not_on_stop",)
    assert remedy(judged(po_required=True), rules()).final == ()


amounts = st.integers(0, 10**9)


@given(amounts, amounts, amounts)
def test_the_cash_and_the_limit_that_are_named_are_enough(value: int, exposure: int, limit: int) -> None:
    decision = judged(value_minor=value, exposure_minor=exposure, limit_minor=limit)
    if "static_limit" not in {finding.check for finding in decision.held_by}:
        return
    short = value + exposure - limit
    for better in ({"exposure_minor": exposure - short}, {"limit_minor": round_up(value + exposure)}):
        again = decided(replace(decision.inputs, **better), rules())
        assert not {"static_limit", "dynamic_limit"} & {finding.check for finding in again.held_by}


@given(st.integers(1, 10**9), st.integers(0, 10**9))
def test_the_overdue_cash_that_is_named_is_enough_and_no_penny_too_much(overdue: int, not_due: int) -> None:  # O2.7
    decision = judged(overdue_minor=overdue, open_items_minor=overdue + not_due)
    if not [finding for finding in decision.held_by if finding.check == "overdue_share"]:
        return
    [need] = [need for need in remedy(decision, rules()).needs if "overdue_share" in need.checks]
    cash = int(need.ways[0].split(" ")[0].replace(",", "").replace(".", ""))

    def passes(paid: int) -> bool:
        inputs = replace(decision.inputs, overdue_minor=overdue - paid, open_items_minor=overdue + not_due - paid)
        return "overdue_share" not in {finding.check for finding in decided(inputs, rules()).held_by}

    assert passes(cash)
    assert not passes(cash - 1)


@given(amounts)
def test_a_proposed_limit_is_round_and_never_too_low(minor: int) -> None:
    proposed = round_up(minor)
    assert proposed >= minor
    assert len(str(proposed).rstrip("0")) <= 3 or proposed == 0
