"""An order comes in: O1, O3, O9."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from contracts import orders
from contracts.accounts import Terms
from services.orders.fold import digest_of
from tests.models.orders_desk import START, TODAY, Desk, audit, change, desk_with, despatch, opened, order, placed
from tests.models.orders_policies import adopting


def line(amount_minor: int, quantity: int = 1) -> orders.Line:
    price = Decimal(amount_minor) / (100 * quantity)
    return orders.Line(sku="A1", quantity=quantity, unit_price=price, amount_minor=amount_minor)


def test_an_order_within_the_limit_is_released_with_a_reservation_of_its_value() -> None:  # O3
    desk = desk_with()
    (fact,) = desk.say(order("web/1", 10_000))
    assert isinstance(fact, orders.OrderReleased)
    assert (fact.reserved_minor, fact.by, fact.instruction) == (10_000, "policy", "web/1/1")
    assert desk.position().reserved_minor == 10_000
    audit(desk)


def test_a_reservation_is_valid_for_thirty_days_of_the_policys_time_zone() -> None:  # F2
    desk = desk_with()
    desk.at = dt.datetime(2011, 6, 30, 23, 30, tzinfo=dt.UTC)  # half past midnight of 1 July in London
    (fact,) = desk.say(order())
    assert fact.lapses_on == dt.date(2011, 7, 31)
    assert fact.decision.inputs.on == dt.date(2011, 7, 1)


def test_the_first_decision_carries_the_order_as_it_was_placed() -> None:  # O1
    desk = desk_with()
    command = order("web/1", 10_000, po_number="PO 7", lines=(line(4_000), line(6_000)))
    (fact,) = desk.say(command)
    assert fact.placed == command.placed
    assert fact.first


def test_an_order_is_never_refused_for_credit_it_is_held() -> None:  # O1
    desk = desk_with(opened(limit_minor=5_000))
    (fact,) = desk.say(order("web/1", 5_001))
    assert isinstance(fact, orders.OrderHeld)
    assert [finding.check for finding in fact.decision.held_by] == ["static_limit", "dynamic_limit"]
    assert desk.position().reserved_minor == 0
    assert (desk.position().waiting, desk.position().waiting_minor) == (1, 5_001)
    audit(desk)


def test_an_order_exactly_at_the_limit_is_released() -> None:  # O2.3
    (fact,) = desk_with(opened(limit_minor=5_000)).say(order("web/1", 5_000))
    assert isinstance(fact, orders.OrderReleased)


@pytest.mark.parametrize(
    ("value_minor", "level"),
    [(1_000_000, None), (1_000_001, "team_leader"), (2_500_000, "team_leader"), (2_500_001, "operations_manager"),
     (10_000_000, "operations_manager"), (10_000_001, "director")],
)  # fmt: skip
def test_a_hold_above_the_desks_authority_is_referred_to_the_lowest_level_that_covers_it(
    value_minor: int, level: str | None
) -> None:  # O3, A6
    (fact,) = desk_with(opened(limit_minor=0)).say(order("web/1", value_minor))
    assert getattr(fact, "level", None) == level
    assert isinstance(fact, orders.OrderHeld if level is None else orders.OrderReferred)


def test_the_same_order_again_changes_nothing_and_gives_its_first_answer() -> None:  # O1
    desk = desk_with()
    (first,) = desk.say(order())
    before = desk.tables["orders"]["web/1"]
    (again,) = desk.say(order())
    assert again == orders.OrderRepeated(order="web/1", account="acme", outcome="released", first=first.first)
    assert desk.tables["orders"]["web/1"] == before


def test_the_same_order_received_at_another_time_is_the_same_order() -> None:  # O1
    desk = desk_with()
    desk.say(order())
    (again,) = desk.say(order(received_at=START + dt.timedelta(hours=1)))
    assert isinstance(again, orders.OrderRepeated)


@pytest.mark.parametrize(
    "other",
    [order("web/1", 10_001), order("web/1", po_number="PO 8"), order("web/1", wanted_on=TODAY), order("web/1", ship_to="Leeds")],
)
def test_the_same_reference_with_other_content_is_refused_visibly(other: orders.PlaceOrder) -> None:  # O1
    desk = desk_with()
    desk.say(order())
    (refused,) = desk.say(other)
    assert isinstance(refused, orders.CommandRefused)
    assert refused.reason == "conflicting_duplicate"
    assert desk.position().reserved_minor == 10_000


def test_the_same_reference_from_another_account_is_refused() -> None:  # O1
    desk = desk_with(opened(), opened("branch", parent="acme"))
    desk.say(order())
    (refused,) = desk.say(order(account="branch"))
    assert refused.reason == "conflicting_duplicate"
    assert "account acme" in refused.detail
    audit(desk)


def test_the_original_file_again_after_a_change_is_no_conflict() -> None:  # O1
    desk = desk_with()
    desk.say(order("web/1", 10_000))
    desk.say(change("web/1", 10_500))
    (original,) = desk.say(order("web/1", 10_000))
    (latest,) = desk.say(order("web/1", 10_500))
    assert isinstance(original, orders.OrderRepeated)
    assert isinstance(latest, orders.OrderRepeated)
    assert desk.position().reserved_minor == 10_500


def test_an_order_of_an_unknown_account_is_refused_and_may_come_again() -> None:  # O1
    desk = Desk()
    (refused,) = desk.say(order(), home="acme")
    assert (refused.reason, "Open it" in refused.detail) == ("unknown_account", True)
    desk.do(opened())
    (fact,) = desk.say(order())
    assert isinstance(fact, orders.OrderReleased)


def test_an_order_in_a_currency_the_account_does_not_trade_in_is_refused() -> None:  # O1
    (refused,) = desk_with().say(order(currency="EUR"))
    assert refused.reason == "wrong_currency"
    assert "trades in GBP" in refused.detail


def test_an_order_whose_lines_do_not_add_up_is_refused_and_its_corrected_form_is_taken() -> None:  # O1
    desk = desk_with()
    (refused,) = desk.say(order("web/1", 10_000, lines=(line(4_000), line(5_999))))
    assert refused.reason == "total_mismatch"
    assert "9999" in refused.detail
    assert "web/1" not in desk.tables["orders"]
    (fact,) = desk.say(order("web/1", 9_999, lines=(line(4_000), line(5_999))))
    assert isinstance(fact, orders.OrderReleased)


def test_an_order_without_lines_is_taken_by_its_total() -> None:  # O1
    (fact,) = desk_with().say(order("web/1", 10_000))
    assert isinstance(fact, orders.OrderReleased)


def test_an_order_worth_nothing_is_released_and_reserves_nothing() -> None:  # O3
    desk = desk_with()
    (fact,) = desk.say(order("web/1", 0))
    assert isinstance(fact, orders.OrderReleased)
    assert desk.order("web/1").lapses_on is None
    audit(desk)


def test_simultaneous_orders_never_take_exposure_above_the_limit() -> None:  # O3
    desk = desk_with(opened(limit_minor=100_000))
    for n in range(200):
        desk.say(order(f"web/{n}", 1_700))
        assert desk.position().reserved_minor <= 100_000
    assert sum(1 for o in desk.orders() if o.status == "released") == 58
    audit(desk)


def test_simultaneous_orders_of_a_group_exceed_neither_its_limit_nor_an_accounts_own() -> None:  # O3
    desk = desk_with(opened(limit_minor=50_000), opened("north", 30_000, parent="acme"), opened("south", 99_000, parent="acme"))
    for n in range(60):
        desk.say(order(f"web/{n}", 1_300, account=("acme", "north", "south")[n % 3]))
        assert desk.group().reserved_minor <= 50_000
        assert desk.position("north").reserved_minor <= 30_000
    assert desk.group().reserved_minor == 49_400
    audit(desk)


def test_an_account_cannot_pass_its_own_limit_though_its_group_has_room() -> None:  # O2.3
    desk = desk_with(opened(limit_minor=50_000), opened("north", 1_000, parent="acme"))
    (fact,) = desk.say(order("web/1", 1_001, account="north"))
    finding = fact.decision.held_by[0]
    assert (finding.measured, finding.threshold) == (1_001, 1_000)


def test_an_account_cannot_pass_its_groups_limit_though_it_has_room() -> None:  # O2.3
    desk = desk_with(opened(limit_minor=1_000), opened("north", 50_000, parent="acme"))
    desk.say(order("web/1", 600))
    (fact,) = desk.say(order("web/2", 401, account="north"))
    finding = fact.decision.held_by[0]
    assert (finding.measured, finding.threshold) == (1_001, 1_000)
    assert (fact.decision.inputs.exposure_minor, fact.decision.inputs.group_exposure_minor) == (0, 600)


def test_a_check_that_rejects_ends_the_order_by_policy() -> None:  # O3
    desk = desk_with(adopting(checks={"po_number": {"mode": "reject"}}), opened(terms=Terms(po_required=True)))
    (fact,) = desk.say(order())
    assert isinstance(fact, orders.OrderRejected)
    assert (fact.by, fact.reason) == ("policy", "by policy: po_number")
    assert fact.placed is not None
    audit(desk)


def test_goods_that_left_before_the_order_came_are_not_counted_twice() -> None:  # F1
    desk = desk_with()
    desk.do(despatch("web/1", 4_000, last=False))
    assert desk.position().unbilled_minor == 4_000
    (fact,) = desk.say(order("web/1", 10_000))
    assert fact.reserved_minor == 6_000
    assert desk.position().unbilled_minor + desk.position().reserved_minor == 10_000
    audit(desk)


def test_an_order_whose_goods_left_for_another_account_is_refused_visibly() -> None:  # O1
    desk = desk_with(opened(), opened("north", parent="acme"))
    desk.do(despatch("web/1", 4_000, account="north"))
    (refused,) = desk.say(order("web/1", 10_000))
    assert refused.reason == "conflicting_duplicate"
    assert "account north" in refused.detail
    audit(desk)


def test_the_decision_names_policy_and_decider() -> None:  # O10
    (fact,) = desk_with().say(order())
    version, _, digest = fact.decision.policy.partition(":")
    assert version == "2010-01-01-standard"
    assert len(digest) == 12
    assert fact.decision.decider == 1


def test_a_second_placed_content_is_hashed_without_its_time() -> None:  # O1
    assert digest_of(placed(5)) == digest_of(placed(5, received_at=START + dt.timedelta(days=2)))
    assert digest_of(placed(5)) != digest_of(placed(6))
