"""Changes and cancellations: O4."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts import orders
from tests.models.orders_desk import TODAY, audit, change, desk_with, despatch, invoice, opened, order, release
from tests.models.orders_policies import adopting

DAY = dt.timedelta(days=1)


def cancel(name: str = "web/1", account: str = "acme") -> orders.CancelOrder:
    return orders.CancelOrder(order=name, account=account, reason="changed their mind")


def test_a_released_order_stays_released_up_to_ten_per_cent_more() -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    (fact,) = desk.do(change("web/1", 11_000))
    assert isinstance(fact, orders.OrderChanged)
    assert (fact.reserved_minor, desk.order("web/1").status, desk.position().reserved_minor) == (11_000, "released", 11_000)
    audit(desk)


def test_a_penny_beyond_ten_per_cent_is_decided_again_before_it_ships() -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    changed, released = desk.do(change("web/1", 11_001))
    assert changed.reserved_minor == 0
    assert (released.reserved_minor, released.instruction) == (11_001, "web/1/2")
    assert desk.position().reserved_minor == 11_001
    audit(desk)


def test_a_change_beyond_the_limit_loses_the_release_and_is_held() -> None:  # O4
    desk = desk_with(opened(limit_minor=11_000))
    desk.do(order("web/1", 10_000))
    _, held = desk.do(change("web/1", 11_001))
    assert isinstance(held, orders.OrderHeld)
    assert held.decision.inputs.exposure_minor == 0
    assert (desk.position().reserved_minor, desk.position().waiting_minor) == (0, 11_001)
    audit(desk)


def test_the_deviation_is_of_what_was_released_not_of_the_last_change() -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(change("web/1", 11_000))
    facts = desk.do(change("web/1", 12_000))
    assert isinstance(facts[1], orders.OrderReleased)


@pytest.mark.parametrize(("days", "facts"), [(30, 1), (31, 2)])
def test_a_released_order_must_ship_within_thirty_days(days: int, facts: int) -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    assert len(desk.do(change("web/1", 10_000, wanted_on=TODAY + days * DAY))) == facts
    audit(desk)


def test_deviation_and_dates_are_policy() -> None:  # O4
    desk = desk_with(adopting(reservation={"deviation_percent": 0, "ship_within_days": 0}), opened())
    desk.do(order("web/1", 10_000))
    assert len(desk.do(change("web/1", 9_999))) == 1
    assert len(desk.do(change("web/1", 10_001))) == 2
    assert len(desk.do(change("web/1", 10_001, wanted_on=TODAY + DAY))) == 2


def test_a_smaller_order_reserves_less_and_lets_another_go() -> None:  # O7
    desk = desk_with(opened(limit_minor=10_000))
    desk.do(order("web/1", 10_000))
    desk.do(order("web/2", 2_000))
    assert desk.order("web/2").status == "held"
    desk.do(change("web/1", 8_000))
    assert desk.order("web/2").status == "released"
    audit(desk)


def test_a_held_order_is_decided_again_when_it_changes() -> None:  # O4
    desk = desk_with(opened(limit_minor=10_000))
    desk.do(order("web/1", 10_001))
    facts = desk.do(change("web/1", 9_000))
    assert isinstance(facts[1], orders.OrderReleased)
    assert facts[1].instruction == "web/1/1"
    audit(desk)


def test_a_held_order_that_changes_keeps_its_place() -> None:  # O7
    desk = desk_with(opened(limit_minor=1_000))
    desk.do(order("web/1", 5_000))
    desk.do(order("web/2", 5_000))
    desk.do(change("web/1", 4_000))
    assert desk.order("web/1").turn == 1
    assert desk.order("web/1").waiting_minor == 4_000
    audit(desk)


def test_the_same_content_again_is_no_change() -> None:  # O1
    desk = desk_with()
    desk.do(order())
    (again,) = desk.do(change("web/1", 10_000))
    assert isinstance(again, orders.OrderRepeated)


def test_a_change_after_a_partial_despatch_counts_what_has_left() -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 6_000, last=False))
    (fact,) = desk.do(change("web/1", 11_000))
    assert fact.reserved_minor == 5_000
    audit(desk)


def test_a_change_below_what_has_left_reserves_nothing() -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 6_000, last=False))
    (fact,) = desk.do(change("web/1", 5_000))
    assert (fact.reserved_minor, desk.order("web/1").status) == (0, "released")
    audit(desk)


@pytest.mark.parametrize(
    "wrong", [{"currency": "EUR"}, {"lines": (orders.Line(sku="a", quantity=1, unit_price=1, amount_minor=1),)}]
)  # type: ignore[arg-type]
def test_a_change_that_is_no_order_is_refused_and_changes_nothing(wrong: dict[str, object]) -> None:  # O1
    desk = desk_with()
    desk.do(order())
    before = desk.order("web/1")
    (refused,) = desk.do(change("web/1", 10_100, **wrong))
    assert isinstance(refused, orders.CommandRefused)
    assert desk.order("web/1") == before


@pytest.mark.parametrize("command", [change("web/9", 1), cancel("web/9")])
def test_an_unknown_order_cannot_change(command: orders.ChangeOrder | orders.CancelOrder) -> None:
    (refused,) = desk_with().do(command)
    assert refused.reason == "unknown_order"


def test_an_order_changes_for_its_own_account_only() -> None:
    desk = desk_with(opened(), opened("north", parent="acme"))
    desk.do(order())
    (refused,) = desk.do(change("web/1", 1, account="north"))
    assert refused.reason == "wrong_account"
    audit(desk)


def test_a_despatched_order_does_not_change() -> None:
    desk = desk_with()
    desk.do(order())
    desk.do(despatch("web/1", 10_000))
    (refused,) = desk.do(change("web/1", 1))
    assert refused.reason == "not_open"


def test_cancelling_frees_the_reservation() -> None:  # O3
    desk = desk_with()
    desk.do(order())
    (fact,) = desk.do(cancel())
    assert fact.freed_minor == 10_000
    assert (desk.order("web/1").status, desk.position().reserved_minor) == ("cancelled", 0)
    audit(desk)


def test_cancelling_a_held_order_takes_it_out_of_the_queue() -> None:
    desk = desk_with(opened(limit_minor=0))
    desk.do(order())
    desk.do(cancel())
    assert (desk.position().waiting, desk.position().waiting_minor) == (0, 0)
    audit(desk)


def test_cancelling_twice_changes_nothing() -> None:
    desk = desk_with()
    desk.do(order())
    desk.do(cancel())
    (again,) = desk.do(cancel())
    assert again.outcome == "cancelled"


def test_goods_that_left_are_not_cancelled() -> None:
    desk = desk_with()
    desk.do(order())
    desk.do(despatch("web/1", 10_000))
    (refused,) = desk.do(cancel())
    assert refused.reason == "not_open"


def test_cancelling_after_a_partial_despatch_keeps_what_left() -> None:
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 6_000, last=False))
    desk.do(cancel())
    assert (desk.position().reserved_minor, desk.position().unbilled_minor) == (0, 6_000)
    desk.do(invoice("i1", 6_000, covers=[("web/1", 6_000)]))
    assert desk.position().unbilled_minor == 0
    audit(desk)


def test_a_change_of_a_split_order_keeps_the_part_that_was_released() -> None:  # O4
    desk = desk_with(opened(limit_minor=5_000))
    desk.do(order("web/1", 10_000))
    desk.do(orders.SplitOrder(order="web/1", account="acme", release_minor=4_000, reason="part"), role="controller")
    desk.do(change("web/1", 12_000))
    assert (desk.order("web/1").reserved_minor, desk.order("web/1").waiting_minor) == (4_000, 8_000)
    desk.do(release(), role="director")
    assert desk.order("web/1").reserved_minor == 12_000
    audit(desk)
