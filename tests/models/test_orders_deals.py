"""Announced large orders (O8): approved beforehand at the level needed, so that the order goes without delay."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts import accounts, orders
from contracts.accounts import Terms
from services.orders.deal import AHEAD_DAYS_MAX, OPEN_MAX
from services.orders.fold import evolve
from shared.credit.describing import describe
from shared.credit.rulebook import Rulebook
from tests.models.orders_desk import (
    TODAY,
    Desk,
    approve,
    approved,
    audit,
    change,
    deal,
    desk_with,
    despatch,
    invoice,
    opened,
    order,
    overdue_invoice,
    paid,
    release,
    withdraw,
)
from tests.models.orders_policies import adopting, policy

DAY = dt.timedelta(days=1)
BIG = 50_000


def small_limit(*more: Any) -> Desk:
    """An account whose limit no large order fits into."""
    return desk_with(opened(limit_minor=10_000), *more)


def reserved(desk: Desk, owner: str = "acme") -> tuple[int, int]:
    """(by orders, by deals)"""
    position = desk.position(owner)
    return position.reserved_minor, position.deals_minor


def names(facts: list[Any]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def refused(desk: Desk, message: Any, **who: str) -> str:
    (fact,) = desk.do(message, **who)
    assert isinstance(fact, orders.DealRefused), fact
    assert fact.detail
    return fact.reason


# --- registered and approved ----------------------------------------------------------------------------------------


def test_a_registered_deal_names_the_level_it_needs_and_reserves_nothing() -> None:  # O8, A6
    desk = desk_with()
    (fact,) = desk.do(deal(value_minor=2_000_000), role="controller", actor="sam")
    assert (fact.level, fact.by) == ("team_leader", "sam")
    assert reserved(desk) == (0, 0)


def test_an_approved_deal_counts_in_the_exposure_of_its_account_and_group() -> None:  # F1
    desk = desk_with(opened(), opened("north", 20_000, parent="acme"))
    approved(desk, value_minor=BIG, account="north")
    assert reserved(desk, "north") == (0, BIG)
    assert desk.group().deals_minor == BIG
    (fact,) = desk.do(order("web/1", 0, "north"))
    assert fact.decision.inputs.deals_minor == BIG
    assert fact.decision.inputs.exposure_minor == BIG
    assert fact.decision.inputs.group_exposure_minor == BIG
    audit(desk)


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (deal(account="nobody"), "unknown_account"),
        (deal(currency="EUR"), "wrong_currency"),
        (deal(value_minor=0), "no_value"),
        (deal(until_on=TODAY - DAY), "no_window"),
        (deal(from_on=TODAY + 2 * DAY, until_on=TODAY + DAY), "no_window"),
        (deal(until_on=TODAY + (AHEAD_DAYS_MAX + 1) * DAY), "no_window"),
    ],
)
def test_a_deal_that_cannot_be_is_refused_and_leaves_nothing(wish: orders.RegisterDeal, reason: str) -> None:
    desk = desk_with()
    assert refused(desk, wish) == reason
    assert desk.deals() == ()


def test_sales_announces_and_withdraws_nothing() -> None:  # V8
    desk = desk_with()
    assert refused(desk, deal(), role="sales", actor="sam") == "no_authority"
    assert desk.deals() == ()
    desk.do(deal(), role="controller", actor="sam")
    assert refused(desk, withdraw(), role="sales", actor="sam") == "no_authority"


def test_a_terminated_account_announces_nothing() -> None:
    desk = desk_with(opened(status="terminated"))
    assert refused(desk, deal()) == "account_terminated"


def test_an_open_deal_keeps_its_name_and_an_ended_one_gives_it_back() -> None:
    desk = desk_with()
    desk.do(deal())
    assert refused(desk, deal(value_minor=1)) == "already_registered"
    desk.do(withdraw(), role="controller")
    assert names(desk.do(deal(value_minor=1))) == ["DealRegistered"]


def test_open_deals_of_an_account_are_bounded() -> None:
    desk = desk_with()
    for n in range(OPEN_MAX):
        desk.do(deal(f"D{n}", 1))
    assert refused(desk, deal("one more", 1)) == "too_many"


@pytest.mark.parametrize(
    ("role", "actor", "reason"),
    [
        ("", "anna", "no_authority"),
        ("sales", "anna", "no_authority"),
        ("controller", "anna", "beyond_authority"),
        ("team_leader", "sam", "own_request"),
    ],
)
def test_a_deal_is_approved_by_another_person_with_authority_for_its_value(role: str, actor: str, reason: str) -> None:  # A6
    desk = desk_with()
    desk.do(deal(value_minor=2_000_000), role="team_leader", actor="sam")
    assert refused(desk, approve(), role=role, actor=actor) == reason
    assert reserved(desk) == (0, 0)
    (fact,) = desk.do(approve(), role="team_leader", actor="anna")
    assert (fact.value_minor, fact.by) == (2_000_000, "anna")


def test_an_approval_names_what_no_deal_covers_while_there_is_time_to_clear_it() -> None:
    desk = small_limit(overdue_invoice("i1", 5_000, 45))
    desk.do(deal(), actor="sam")
    (fact,) = desk.do(approve(), role="director")
    assert [finding.check for finding in fact.held_by] == ["oldest_overdue", "overdue_share"]


def test_a_deal_is_approved_once() -> None:
    desk = desk_with()
    approved(desk)
    assert refused(desk, approve(), role="director") == "already_approved"
    assert refused(desk, orders.DeclineDeal(deal="D1", account="acme", reason="no"), role="director") == "already_approved"
    assert refused(desk, approve("D2"), role="director") == "unknown_deal"


def test_a_declined_deal_is_over_and_only_authority_declines() -> None:
    desk = desk_with()
    desk.do(deal())
    decline = orders.DeclineDeal(deal="D1", account="acme", reason="too much for them")
    assert refused(desk, decline, role="sales") == "no_authority"
    assert names(desk.do(decline, role="controller")) == ["DealDeclined"]
    assert desk.deals() == ()


def test_a_deal_is_withdrawn_by_who_registered_it_or_by_authority() -> None:
    desk = desk_with()
    approved(desk)
    assert refused(desk, withdraw(), role="feed", actor="someone") == "no_authority"
    (fact,) = desk.do(withdraw(), role="feed", actor="sam")
    assert fact.freed_minor == BIG
    assert reserved(desk) == (0, 0)


# --- the order comes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quoted", [{"deal": "D1"}, {"po_number": "D1"}, {"deal": "D1", "po_number": "PO 7"}])
def test_the_order_that_quotes_its_deal_is_released_at_once_far_above_the_limit(quoted: Any) -> None:  # O8
    desk = small_limit()
    approved(desk)
    said = desk.do(order("web/1", BIG, **quoted))
    assert names(said) == ["OrderReleased", "DealMatched"]
    assert (said[0].deal, said[0].deal_minor, said[0].by) == ("D1", BIG, "policy")
    assert said[0].decision.inputs.deal_minor == BIG
    assert reserved(desk) == (BIG, 0)
    assert desk.deals() == ()
    audit(desk)


def test_the_same_order_without_its_deal_is_held() -> None:  # O8
    desk = small_limit()
    approved(desk)
    assert names(desk.do(order("web/1", BIG))) == ["OrderHeld"]
    assert names(desk.do(order("web/2", BIG, deal="D2"))) == ["OrderHeld"]
    assert reserved(desk) == (0, BIG)


def test_what_moves_from_deal_to_order_counts_once_at_every_single_fact() -> None:  # F1
    desk = small_limit()
    approved(desk)
    desk.do(order("web/1", BIG, deal="D1"))
    again, counted = Desk(), []
    for at, home, fact in desk.journal:
        before = again.view(fact, home)
        again._keep(fact, home, before, evolve(before, fact, at))
        counted.append((type(fact).__name__, sum(reserved(again))))
    assert counted[-3:] == [("DealApproved", BIG), ("OrderReleased", BIG), ("DealMatched", BIG)]


def test_a_deal_counts_once_from_approval_to_payment() -> None:  # F1
    desk = small_limit()
    approved(desk)
    desk.do(order("web/1", BIG, deal="D1"))
    desk.do(despatch("web/1", BIG))
    desk.do(invoice("i1", BIG, covers=[("web/1", BIG)]))
    desk.do(paid("i1", BIG))
    position = desk.position()
    assert (position.deals_minor, position.reserved_minor, position.unbilled_minor, position.open_minor) == (0, 0, 0, 0)
    audit(desk)


@pytest.mark.parametrize(("value", "outcome"), [(BIG + 5_000, "OrderReleased"), (BIG + 5_001, "OrderHeld")])
def test_an_order_above_its_deal_is_covered_within_the_deviation_and_no_further(value: int, outcome: str) -> None:  # O4, O8
    desk = small_limit()
    approved(desk)
    assert names(desk.do(order("web/1", value, deal="D1")))[0] == outcome
    assert reserved(desk) == ((value, 0) if outcome == "OrderReleased" else (0, BIG))
    audit(desk)


def test_an_order_that_outgrew_its_deal_is_judged_by_what_it_adds_to_it() -> None:  # F1
    desk = desk_with(opened(limit_minor=BIG + 30_000))
    approved(desk)
    said = desk.do(order("web/1", BIG + 30_000, deal="D1"))
    assert names(said) == ["OrderReleased", "DealMatched"]
    assert reserved(desk) == (BIG + 30_000, 0)


def test_a_rest_within_the_deviation_is_given_back_with_the_match() -> None:  # O8
    desk = small_limit()
    approved(desk)
    *_, matched = desk.do(order("web/1", BIG - 5_000, deal="D1"))
    assert (matched.used_minor, matched.freed_minor, matched.left_minor) == (BIG - 5_000, 5_000, 0)
    assert reserved(desk) == (BIG - 5_000, 0)
    audit(desk)


def test_two_orders_share_a_deal_until_it_is_used_up() -> None:  # O8
    desk = small_limit()
    approved(desk)
    *_, first = desk.do(order("web/1", 20_000, deal="D1"))
    assert (first.used_minor, first.left_minor) == (20_000, 30_000)
    assert reserved(desk) == (20_000, 30_000)
    *_, second = desk.do(order("web/2", 30_000, po_number="D1"))
    assert (second.used_minor, second.left_minor) == (30_000, 0)
    assert reserved(desk) == (BIG, 0)
    assert names(desk.do(order("web/3", 30_000, deal="D1"))) == ["OrderHeld"]
    audit(desk)


def test_an_order_of_another_account_does_not_use_the_deal() -> None:
    desk = desk_with(opened(limit_minor=10_000), opened("north", 10_000, parent="acme"))
    approved(desk)
    assert names(desk.do(order("web/1", BIG, "north", deal="D1"))) == ["OrderHeld"]
    assert reserved(desk) == (0, BIG)


def test_a_members_order_passes_its_groups_limit_by_its_deal() -> None:  # O2.3
    desk = desk_with(opened(limit_minor=10_000), opened("north", 10_000, parent="acme"))
    approved(desk, account="north")
    assert names(desk.do(order("web/1", BIG, "north", deal="D1")))[0] == "OrderReleased"
    assert desk.group().reserved_minor == BIG
    assert desk.group().deals_minor == 0
    audit(desk)


def test_an_order_before_the_window_is_judged_without_cover_and_goes_when_the_window_begins() -> None:  # O8, O7
    desk = small_limit()
    approved(desk, from_on=TODAY + 3 * DAY)
    (fact,) = desk.do(order("web/1", BIG, deal="D1"))
    assert isinstance(fact, orders.OrderHeld)
    assert fact.decision.inputs.deal_from_on == TODAY + 3 * DAY
    said = desk.later(days=4)
    assert "OrderReleased" in names(said)
    assert desk.order("web/1").released_on == TODAY + 3 * DAY
    assert reserved(desk) == (BIG, 0)
    audit(desk)


def test_an_unmatched_deal_expires_after_its_last_day_and_gives_its_reservation_back() -> None:  # O8, guarantee 6
    desk = small_limit()
    approved(desk, until_on=TODAY + 2 * DAY)
    assert desk.later(days=2) == []
    assert reserved(desk) == (0, BIG)
    (fact,) = desk.later(days=1)
    assert isinstance(fact, orders.DealExpired)
    assert fact.freed_minor == BIG
    assert reserved(desk) == (0, 0)
    assert names(desk.do(order("web/1", BIG, received_at=desk.at, deal="D1"))) == ["OrderHeld"]


def test_a_deal_that_nobody_approved_expires_too() -> None:
    desk = desk_with()
    desk.do(deal(until_on=TODAY))
    (fact,) = desk.later(days=1)
    assert (type(fact), fact.freed_minor) == (orders.DealExpired, 0)


def test_the_end_of_an_older_deal_does_not_end_its_namesake() -> None:  # 6
    desk = desk_with()
    approved(desk, until_on=TODAY)
    desk.do(withdraw(), role="controller")
    approved(desk, until_on=TODAY + 9 * DAY)
    assert desk.later(days=1) == []
    assert desk.do(orders.ExpireDeal(deal="D1", account="acme")) == []
    assert reserved(desk) == (0, BIG)


@pytest.mark.parametrize("ends", ["withdrawn", "expired"])
def test_what_a_deal_gives_back_releases_a_held_order(ends: str) -> None:  # O7, O8
    desk = desk_with(opened(limit_minor=BIG))
    approved(desk, until_on=TODAY)
    assert names(desk.do(order("web/1", 10_000))) == ["OrderHeld"]
    said = desk.later(days=1) if ends == "expired" else desk.do(withdraw(), role="controller")
    assert desk.order("web/1").status == "released", names(said)
    audit(desk)


def test_what_a_match_gives_back_releases_a_held_order() -> None:  # O7, O8
    desk = desk_with(opened(limit_minor=BIG))
    approved(desk)
    assert names(desk.do(order("web/1", 5_000))) == ["OrderHeld"]
    said = desk.do(order("web/2", BIG - 5_000, deal="D1"))
    assert desk.order("web/1").status == "released", names(said)
    assert desk.position().recheck == 0
    audit(desk)


def test_an_order_that_came_before_its_deal_was_approved_is_released_by_the_approval() -> None:  # O7, O8
    desk = small_limit()
    desk.do(deal(), actor="sam")
    desk.do(order("web/1", BIG, po_number="D1"))
    assert desk.order("web/1").deal == "D1"
    desk.do(approve(), role="director")
    assert desk.order("web/1").status == "released"
    assert reserved(desk) == (BIG, 0)
    audit(desk)


# --- what approval covers -------------------------------------------------------------------------------------------

UNCOVERED: list[tuple[str, Any, dict[str, Any]]] = [
    ("not_on_stop", [opened(), accounts.PlacedOnStop(account="acme", reason="legal")], {}),
    ("account_open", [opened(status="dormant")], {}),
    ("oldest_overdue", [opened(), overdue_invoice("i1", 100, 45), invoice("i2", 9_000)], {}),
    ("po_number", [opened(terms=Terms(po_required=True))], {}),
    ("terms", [opened()], {"payment_days": 90}),
    ("cash_on_delivery", [opened(terms=Terms(cash_on_delivery=True))], {}),
    ("limit_expired", [opened(limit_expires_on=TODAY - DAY)], {}),
    ("review_overdue", [opened(), accounts.ReviewDue(account="acme", kind="limit", due_on=TODAY - DAY)], {}),
]


@pytest.mark.parametrize(("check", "story", "terms"), UNCOVERED, ids=[check for check, *_ in UNCOVERED])
def test_a_deal_covers_how_much_is_asked_and_nothing_else(check: str, story: Any, terms: Any) -> None:  # O8
    desk = desk_with(*story)
    approved(desk, value_minor=200_000)
    (fact,) = desk.do(order("web/1", 200_000, deal="D1", **terms))
    assert [finding.check for finding in fact.decision.held_by] == [check]
    assert reserved(desk) == (0, 200_000)


def test_a_deal_answers_the_usual_order_value() -> None:  # O2.5
    desk = desk_with(opened(limit_minor=10**7, terms=Terms(standard_order_minor=1_000)))
    approved(desk)
    assert names(desk.do(order("web/1", BIG, deal="D1")))[0] == "OrderReleased"


def test_no_deal_answers_a_check_that_nobody_may_override() -> None:  # O8, A6
    desk = desk_with(adopting(checks={"static_limit": {"override": False}}), opened(limit_minor=10_000))
    approved(desk)
    (fact,) = desk.do(order("web/1", BIG, deal="D1"))
    assert [finding.check for finding in fact.decision.held_by] == ["static_limit"]


def test_an_order_under_a_deal_does_not_wait_behind_others() -> None:  # O7, O8: it takes nothing that was free
    desk = desk_with(adopting(queue={"passing": False}), opened(limit_minor=10_000))
    desk.do(order("web/0", 20_000))
    approved(desk)
    assert names(desk.do(order("web/1", BIG, deal="D1")))[0] == "OrderReleased"
    assert names(desk.do(order("web/2", 1))) == ["OrderHeld"]
    audit(desk)


def test_the_explanation_says_which_checks_the_deal_covered() -> None:  # O10
    desk = small_limit()
    approved(desk)
    fact, _ = desk.do(order("web/1", BIG, deal="D1"))
    told = {line.check: line.result for line in describe(fact.decision, Rulebook(policy("2010-01-01-standard")))}
    assert told["static_limit"] == told["dynamic_limit"] == "covered"
    assert set(told.values()) == {"covered", "passed"}


# --- people and what comes after ------------------------------------------------------------------------------------


def test_a_person_who_releases_the_order_uses_its_deal() -> None:  # F1, O5
    desk = small_limit(overdue_invoice("i1", 5_000, 45))
    approved(desk)
    desk.do(order("web/1", BIG + 30_000, deal="D1"))
    said = desk.do(release(), role="director")
    assert names(said) == ["OrderReleased", "DealMatched"]
    assert reserved(desk) == (BIG + 30_000, 0)
    audit(desk)


def test_a_part_that_is_released_takes_its_part_of_the_deal_and_leaves_the_rest() -> None:  # F1, O5
    desk = small_limit(overdue_invoice("i1", 5_000, 45))
    approved(desk)
    desk.do(order("web/1", BIG, deal="D1"))
    split = orders.SplitOrder(order="web/1", account="acme", release_minor=48_000, reason="what is in stock")
    parted, matched = desk.do(split, role="director")
    assert (parted.deal_minor, matched.left_minor, matched.freed_minor) == (48_000, 2_000, 0)
    assert reserved(desk) == (48_000, 2_000)
    desk.do(release(), role="director")
    assert reserved(desk) == (BIG, 0)
    audit(desk)


def test_an_order_that_was_released_before_its_deal_was_approved_ends_it() -> None:  # F1: or both would count
    desk = desk_with(opened(limit_minor=10**6))
    desk.do(deal(), actor="sam")
    released, matched = desk.do(order("web/1", BIG, po_number="D1"))
    assert (released.deal, matched.used_minor, matched.left_minor) == (None, 0, 0)
    assert refused(desk, approve(), role="director") == "unknown_deal"
    assert reserved(desk) == (BIG, 0)
    audit(desk)


@pytest.mark.parametrize(("value", "left"), [(BIG, 0), (46_000, 0), (20_000, 30_000)])
def test_a_released_order_that_names_its_deal_only_later_counts_once(value: int, left: int) -> None:  # F1
    desk = desk_with(opened(limit_minor=10**6))
    approved(desk)
    desk.do(order("web/1", value))
    assert reserved(desk) == (value, BIG)
    changed, matched = desk.do(change("web/1", value, po_number="D1"))
    assert (changed.reserved_minor, matched.used_minor, matched.freed_minor) == (value, 0, BIG - left)
    assert reserved(desk) == (value, left)
    assert [type(fact) for fact in desk.do(change("web/1", value, po_number="D1", ship_to="Leeds"))] == [orders.OrderChanged]
    audit(desk)


def test_an_order_for_nothing_leaves_its_deal_as_it_is() -> None:
    desk = desk_with()
    approved(desk)
    assert names(desk.do(order("web/1", 0, deal="D1"))) == ["OrderReleased"]
    assert reserved(desk) == (0, BIG)


def test_a_deal_that_was_used_does_not_come_back_with_its_order() -> None:
    desk = small_limit()
    approved(desk)
    desk.do(order("web/1", BIG, deal="D1"))
    desk.do(orders.CancelOrder(order="web/1", account="acme", reason="ordered elsewhere"))
    assert reserved(desk) == (0, 0)
    assert names(desk.do(order("web/2", BIG, deal="D1"))) == ["OrderHeld"]


def test_a_held_order_that_is_changed_to_quote_a_deal_is_released_by_it() -> None:
    desk = small_limit()
    approved(desk)
    desk.do(order("web/1", BIG))
    said = desk.do(change("web/1", BIG, deal="D1"))
    assert names(said) == ["OrderChanged", "OrderReleased", "DealMatched"]
    assert reserved(desk) == (BIG, 0)
    audit(desk)


def test_deals_survive_what_else_is_noted_of_the_account() -> None:
    desk = desk_with()
    approved(desk)
    desk.do(opened(limit_minor=1))
    desk.do(accounts.PlacedOnStop(account="acme", reason="legal"))
    assert [each.deal for each in desk.deals()] == ["D1"]
    audit(desk)
