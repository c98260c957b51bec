"""The sixteen checks of O2: each passes, fails, warns and is off; all are evaluated, none knows of another."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from contracts import accounts
from contracts.accounts import Terms
from contracts.orders import Inputs
from services.orders.judge import decided
from shared.credit.checks import TESTS
from shared.credit.describing import describe
from shared.credit.rulebook import Rulebook
from tests.models.orders_desk import TODAY, audit, desk_with, opened, order
from tests.models.orders_policies import adopting, policy, rules

DAY = dt.timedelta(days=1)
GOOD = Inputs(on=TODAY, value_minor=1_000, status="open", currency="GBP", limit_minor=10_000, exposure_minor=9_000, terms_days=30)


def inputs(**more: Any) -> Inputs:
    return msgspec.structs.replace(GOOD, **more)


# check, just passing, just failing, what the failure measured and against what
EDGES: list[tuple[str, dict[str, Any], dict[str, Any], Any, Any]] = [
    ("account_open", {"status": "open"}, {"status": "dormant"}, "dormant", "open"),  # O2.1
    ("account_open", {"status": "open"}, {"status": "terminated"}, "terminated", "open"),
    ("account_open", {"status": "open"}, {"status": "prospect"}, "prospect", "open"),
    ("not_on_stop", {"status": "open"}, {"status": "on_stop"}, "on_stop", "not on_stop"),  # O2.2
    ("static_limit", {"exposure_minor": 9_000}, {"exposure_minor": 9_001}, 10_001, 10_000),  # O2.3
    (
        "static_limit",
        {"group_limit_minor": 20_000, "group_exposure_minor": 19_000},
        {"group_limit_minor": 20_000, "group_exposure_minor": 19_001},
        20_001,
        20_000,
    ),
    ("dynamic_limit", {"reserved_beyond_minor": 0}, {"exposure_minor": 9_501, "reserved_beyond_minor": 500}, 10_001, 10_000),
    ("dynamic_limit", {"exposure_minor": 9_500, "reserved_beyond_minor": 500}, {"exposure_minor": 9_001}, 10_001, 10_000),
    ("dynamic_limit", {"exposure_minor": 10_000, "beyond_horizon": True}, {"exposure_minor": 10_000}, 11_000, 10_000),
    (
        "dynamic_limit",
        {"group_limit_minor": 500, "group_exposure_minor": 900, "group_beyond_minor": 1_400},
        {"group_limit_minor": 500, "group_exposure_minor": 900, "group_beyond_minor": 1_399},
        501,
        500,
    ),
    ("order_value", {"standard_order_minor": 1_000}, {"standard_order_minor": 999}, 1_000, 999),  # O2.5
    ("oldest_overdue", {"oldest_overdue_days": 30}, {"oldest_overdue_days": 31}, 31, 30),  # O2.6
    (
        "overdue_share",
        {"overdue_minor": 2_000, "open_items_minor": 10_000},
        {"overdue_minor": 2_001, "open_items_minor": 10_000},
        21,
        20,
    ),  # O2.7
    ("dunning_level", {"dunning_level": 2}, {"dunning_level": 3}, 3, 3),  # O2.8
    ("review_overdue", {"review_due_on": TODAY}, {"review_due_on": TODAY - DAY}, "2010-11-30", "2010-12-01"),  # O2.9
    ("terms", {"asked_days": 30}, {"asked_days": 31}, 31, 30),  # O2.10
    ("po_number", {"po_required": True, "po_number": True}, {"po_required": True}, "missing", "required"),  # O2.11
    (
        "cash_on_delivery",
        {"cash_on_delivery": True, "prepaid_minor": 1_000},
        {"cash_on_delivery": True, "prepaid_minor": 999},
        999,
        1_000,
    ),  # O2.12
    ("cash_on_delivery", {"cash_on_delivery": True, "cod_shipment": True}, {"cash_on_delivery": True}, 0, 1_000),
    (
        "unconnected_stock",
        {"stock_shipped": 100, "stock_unconnected": 60},
        {"stock_shipped": 100, "stock_unconnected": 61},
        61,
        60,
    ),  # O2.13
    ("broken_promises", {"broken_promises": 1}, {"broken_promises": 2}, 2, 2),  # O2.14
    (
        "insurance",
        {"insured_minor": 5, "insured_until": TODAY},
        {"insured_minor": 5, "insured_until": TODAY - DAY},
        "2010-11-30",
        "2010-12-01",
    ),  # O2.15
    ("limit_expired", {"limit_expires_on": TODAY}, {"limit_expires_on": TODAY - DAY}, "2010-11-30", "2010-12-01"),  # O2.16
]
IDS = [f"{check}-{n}" for n, (check, *_) in enumerate(EDGES)]


def only(check: str, mode: str = "hold") -> dict[str, dict[str, Any]]:
    """Every check off but this one."""
    return {name: {"mode": mode if name == check else "off"} for name, _ in TESTS}


@pytest.mark.parametrize(("check", "passing"), [(e[0], e[1]) for e in EDGES], ids=IDS)
def test_the_check_passes_at_its_threshold(check: str, passing: dict[str, Any]) -> None:  # O2
    decision = decided(inputs(**passing), rules(checks=only(check)))
    assert (decision.held_by, decision.warned_by) == ((), ())


@pytest.mark.parametrize(("check", "failing", "measured", "threshold"), [(e[0], *e[2:]) for e in EDGES], ids=IDS)
def test_the_check_holds_beyond_its_threshold_and_says_what_it_measured(
    check: str, failing: dict[str, Any], measured: Any, threshold: Any
) -> None:  # O2
    (finding,) = decided(inputs(**failing), rules(checks=only(check))).held_by
    assert (finding.check, finding.measured, finding.threshold) == (check, measured, threshold)


@pytest.mark.parametrize(("check", "failing"), [(e[0], e[2]) for e in EDGES], ids=IDS)
def test_the_check_only_warns_where_the_policy_says_so(check: str, failing: dict[str, Any]) -> None:  # O2
    decision = decided(inputs(**failing), rules(checks=only(check, "warn")))
    assert decision.held_by == ()
    assert [finding.check for finding in decision.warned_by] == [check]


@pytest.mark.parametrize(("check", "failing"), [(e[0], e[2]) for e in EDGES], ids=IDS)
def test_the_check_is_silent_where_it_is_off(check: str, failing: dict[str, Any]) -> None:  # O2
    decision = decided(inputs(**failing), rules(checks=only(check, "off")))
    assert (decision.held_by, decision.warned_by) == ((), ())


def test_all_checks_are_evaluated_not_only_the_first_that_fails() -> None:  # O2
    bad = inputs(
        status="on_stop", exposure_minor=20_000, standard_order_minor=1, oldest_overdue_days=99, overdue_minor=9,
        open_items_minor=9, dunning_level=5, review_due_on=TODAY - DAY, asked_days=99, po_required=True,
        cash_on_delivery=True, stock_shipped=1, stock_unconnected=1, broken_promises=5, insured_minor=1,
        insured_until=TODAY - DAY, limit_expires_on=TODAY - DAY,
    )  # fmt: skip
    assert [finding.check for finding in decided(bad, rules()).held_by] == [name for name, _ in TESTS][1:]


def test_an_ordinary_account_passes_all_checks() -> None:  # O2
    decision = decided(GOOD, rules())
    assert (decision.held_by, decision.warned_by) == ((), ())


def test_the_order_value_is_measured_against_the_lower_of_policy_and_account() -> None:  # O2.5
    both = rules(checks={"order_value": {"maximum_minor": 500}})
    (finding,) = decided(inputs(standard_order_minor=800), both).held_by
    assert finding.threshold == 500
    (finding,) = decided(inputs(standard_order_minor=400), both).held_by
    assert finding.threshold == 400


def test_disputed_debt_counts_or_not_by_policy() -> None:  # O2.6, O2.7
    disputed = inputs(
        oldest_overdue_days=60, oldest_undisputed_days=10, overdue_minor=5_000, overdue_undisputed_minor=100,
        open_items_minor=9_000, disputed_minor=4_900,
    )  # fmt: skip
    assert [f.check for f in decided(disputed, rules()).held_by] == ["oldest_overdue", "overdue_share"]
    assert decided(disputed, rules(exposure={"count_disputed": False})).held_by == ()


def test_an_account_that_is_owed_money_has_no_overdue_share() -> None:  # O2.7
    assert decided(inputs(overdue_minor=500, open_items_minor=-100), rules(checks=only("overdue_share"))).held_by == ()


def test_a_policy_may_ask_insurance_of_every_account() -> None:  # O2.15
    (finding,) = decided(GOOD, rules(checks={"insurance": {"required": True}})).held_by
    assert (finding.check, finding.measured, finding.threshold) == ("insurance", "none", "required")


def test_the_explanation_shows_all_sixteen_with_what_was_measured() -> None:  # O10
    book = Rulebook(policy(checks={"po_number": {"mode": "off"}, "dunning_level": {"mode": "warn"}}))
    decision = decided(inputs(dunning_level=4, oldest_overdue_days=31), book.rules("", "", "main", "standard"))
    lines = {line.check: line for line in describe(decision, book)}
    assert [line.number for line in lines.values()] == list(range(1, 17))
    assert (lines["static_limit"].measured, lines["static_limit"].threshold) == (10_000, 10_000)
    results = {check: line.result for check, line in lines.items() if line.result != "passed"}
    assert results == {"po_number": "off", "dunning_level": "warned", "oldest_overdue": "held"}


def test_the_explanation_agrees_with_the_decision_for_every_edge() -> None:  # O10
    book = Rulebook(policy())
    for check, _, failing, measured, threshold in EDGES:
        decision = decided(inputs(**failing), book.rules("", "", "main", "standard"))
        shown = {line.check: line for line in describe(decision, book)}
        assert {f.check for f in decision.held_by} == {c for c, line in shown.items() if line.result == "held"}
        assert (shown[check].measured, shown[check].threshold) == (measured, threshold)


def test_an_order_behind_the_queue_says_so_besides_the_sixteen() -> None:  # O7
    book = Rulebook(policy())
    decision = decided(inputs(behind_queue=True), book.rules("", "", "main", "standard"))
    assert [line.check for line in describe(decision, book)][-1] == "behind_queue"


STRICT = Terms(payment_days=30, po_required=True, cash_on_delivery=True, standard_order_minor=50_000)
GIVEN = {"payment_days": 30, "po_number": "4711", "cash_on_delivery": True}


@pytest.mark.parametrize(
    ("asked", "held_by"),
    [
        (GIVEN, []),
        (GIVEN | {"payment_days": 31}, ["terms"]),
        (GIVEN | {"po_number": None}, ["po_number"]),
        (GIVEN | {"cash_on_delivery": False}, ["cash_on_delivery"]),
        (GIVEN | {"cash_on_delivery": False, "prepaid_minor": 10_000}, []),
        (GIVEN | {"cash_on_delivery": False, "prepaid_minor": 9_999}, ["cash_on_delivery"]),
        (GIVEN | {"total_minor": 50_001}, ["order_value"]),
    ],
)
def test_what_an_order_asks_for_is_judged_when_it_comes_and_when_it_is_decided_again(
    asked: dict[str, Any], held_by: list[str]
) -> None:  # O2.5, O2.10-12, O7
    at_once = desk_with(opened(terms=STRICT))
    at_once.do(order(**asked))
    waited = desk_with(opened(terms=STRICT, status="on_stop"))
    waited.do(order(**asked))
    waited.do(accounts.TakenOffStop(account="acme", reason=""))
    for desk in (at_once, waited):
        assert list(desk.order("web/1").held_by) == held_by
        assert desk.order("web/1").status == ("held" if held_by else "released")
        audit(desk)


@pytest.mark.parametrize(("days", "status"), [(60, "held"), (61, "released")])
def test_an_order_beyond_the_horizon_needs_no_room_within_it_whenever_it_is_decided(days: int, status: str) -> None:  # O2.4, O7
    """The static limit is off, so that the dynamic one alone decides."""
    desk = desk_with(adopting(checks={"static_limit": {"mode": "off"}}), opened(limit_minor=5_000, status="on_stop"))
    desk.do(order(wanted_on=TODAY + dt.timedelta(days=days)))
    desk.do(accounts.TakenOffStop(account="acme", reason=""))
    assert desk.order("web/1").status == status
