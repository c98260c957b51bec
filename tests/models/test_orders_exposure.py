"""Exposure (F1): no document is counted twice as it moves order → delivery → invoice → item, and settled it is gone."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts import claims, orders, payments
from tests.models.orders_desk import (
    TODAY,
    Desk,
    audit,
    desk_with,
    despatch,
    invoice,
    opened,
    order,
    overdue_invoice,
    paid,
)
from tests.models.orders_policies import adopting

DAY = dt.timedelta(days=1)


def parts(desk: Desk, owner: str = "acme") -> tuple[int, int, int]:
    """(reserved, unbilled, open)"""
    position = desk.position(owner)
    return position.reserved_minor, position.unbilled_minor, position.open_minor


def exposure_of(desk: Desk, **more: object) -> orders.Inputs:
    """What the next decision sees; the order it takes is worth nothing."""
    (fact,) = desk.say(order(f"probe/{len(desk.journal)}", 0, **more))
    inputs: orders.Inputs = fact.decision.inputs
    return inputs


def test_an_order_is_counted_once_from_release_to_payment() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    assert parts(desk) == (10_000, 0, 0)
    desk.do(despatch("web/1", 10_000))
    assert parts(desk) == (0, 10_000, 0)
    desk.do(invoice("i1", 10_000, covers=[("web/1", 10_000)]))
    assert parts(desk) == (0, 0, 10_000)
    desk.do(paid("i1", 10_000))
    assert parts(desk) == (0, 0, 0)
    audit(desk)


def test_an_order_on_its_way_to_open_item_is_counted_once_at_every_single_step() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 10_000))
    desk.say(invoice("i1", 12_000, covers=[("web/1", 10_000)]))  # 2,000 of carriage bill no order
    assert parts(desk) == (0, 10_000, 2_000)
    desk.settle()
    assert parts(desk) == (0, 0, 12_000)


def test_one_invoice_over_several_orders_moves_each_by_its_own_part() -> None:  # F1
    desk = desk_with()
    for n, value in ((1, 1_000), (2, 2_000)):
        desk.do(order(f"web/{n}", value))
        desk.do(despatch(f"web/{n}", value))
    desk.do(invoice("i1", 2_500, covers=[("web/1", 1_000), ("web/2", 1_500)]))
    assert parts(desk) == (0, 500, 2_500)
    assert desk.order("web/2").unbilled_minor == 500
    audit(desk)


def test_a_partial_despatch_moves_its_part_and_the_last_frees_the_rest() -> None:  # O3
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 4_000, ref="d1", last=False))
    assert parts(desk) == (6_000, 4_000, 0)
    (fact,) = desk.do(despatch("web/1", 5_000, ref="d2"))
    assert fact.freed_minor == 1_000
    assert parts(desk) == (0, 9_000, 0)
    audit(desk)


def test_an_order_billed_before_it_left_moves_from_its_reservation() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(invoice("i1", 10_000, covers=[("web/1", 10_000)]))
    assert parts(desk) == (0, 0, 10_000)
    (fact,) = desk.do(despatch("web/1", 10_000))
    assert (fact.billed_minor, fact.beyond_minor) == (10_000, 0)
    assert parts(desk) == (0, 0, 10_000)
    audit(desk)


def test_an_order_billed_in_part_before_it_left_is_counted_once() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(invoice("i1", 4_000, covers=[("web/1", 4_000)]))
    assert parts(desk) == (6_000, 0, 4_000)
    desk.do(despatch("web/1", 10_000))
    assert parts(desk) == (0, 6_000, 4_000)
    desk.do(invoice("i2", 6_000, covers=[("web/1", 6_000)]))
    assert parts(desk) == (0, 0, 10_000)
    audit(desk)


def test_an_invoice_above_what_was_delivered_is_open_in_full() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 10_000))
    desk.do(invoice("i1", 11_500, covers=[("web/1", 11_500)]))
    assert parts(desk) == (0, 0, 11_500)
    audit(desk)


def test_an_invoice_for_an_order_nobody_placed_is_open_and_its_despatch_counts_no_more() -> None:  # F1
    desk = desk_with()
    desk.do(invoice("i1", 3_000, covers=[("web/9", 3_000)]))
    assert parts(desk) == (0, 0, 3_000)
    desk.do(despatch("web/9", 3_000))
    assert parts(desk) == (0, 0, 3_000)
    audit(desk)


@pytest.mark.parametrize("by", ["reserved", "unbilled", "open"])
def test_what_is_reserved_despatched_or_billed_takes_up_the_limit(by: str) -> None:  # F1
    desk = desk_with(opened(limit_minor=10_000))
    desk.do(order("web/1", 6_000))
    if by != "reserved":
        desk.do(despatch("web/1", 6_000))
    if by == "open":
        desk.do(invoice("i1", 6_000, covers=[("web/1", 6_000)]))
    desk.do(order("web/2", 4_001))
    (held,) = desk.said(orders.OrderHeld)
    assert (held.order, held.decision.inputs.exposure_minor) == ("web/2", 6_000)
    desk.do(order("web/3", 4_000))
    assert desk.order("web/3").status == "released"


def test_an_invoice_to_the_parent_for_a_branchs_order_moves_both_accounts() -> None:  # F1
    desk = desk_with(opened(), opened("north", parent="acme"))
    desk.do(order("web/1", 10_000, account="north"))
    desk.do(despatch("web/1", 10_000, account="north"))
    desk.do(invoice("i1", 10_000, covers=[("web/1", 10_000)]))
    assert parts(desk, "north") == (0, 0, 0)
    assert parts(desk, "acme") == (0, 0, 10_000)
    assert parts(desk, "group/acme") == (0, 0, 10_000)
    assert [(debt.due_on, debt.open_minor) for debt in desk.tables["ageings"]["acme"].debts] == [(invoice("", 1).due_on, 10_000)]
    assert "north" not in desk.tables["ageings"]  # whoever owes it is the one that it ages for
    audit(desk)


def test_a_payment_that_is_heard_before_its_invoice_was_billed_comes_out_even() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 10_000))
    desk.say(invoice("i1", 10_000, covers=[("web/1", 10_000)]))
    desk.say(paid("i1", 10_000))
    assert sum(parts(desk)) == 0
    desk.settle()
    assert parts(desk) == (0, 0, 0)
    assert "acme" not in desk.tables["ageings"]
    audit(desk)


def test_credits_and_unallocated_cash_lower_exposure_and_do_not_age() -> None:  # F1
    desk = desk_with()
    desk.do(overdue_invoice("i1", 10_000, 5))
    desk.do(invoice("c1", -4_000, kind="receipt", due_on=TODAY - 5 * DAY))
    seen = exposure_of(desk)
    assert (seen.exposure_minor, seen.overdue_minor) == (6_000, 10_000)


def test_soft_credits_lower_exposure_until_they_are_posted() -> None:  # F1
    desk = desk_with()
    desk.do(invoice("i1", 10_000))
    desk.do(payments.SoftCreditConfirmed(account="acme", credit="s1", amount_minor=3_000))
    assert exposure_of(desk).exposure_minor == 7_000
    desk.do(payments.SoftCreditEnded(account="acme", credit="s1", amount_minor=3_000))
    desk.do(invoice("c1", -3_000, kind="credit_note"))
    assert exposure_of(desk).exposure_minor == 7_000


@pytest.mark.parametrize(("count", "exposure"), [(True, 10_000), (False, 6_000)])
def test_disputed_debt_counts_by_policy_and_both_figures_are_shown(count: bool, exposure: int) -> None:  # O2
    desk = desk_with(adopting(exposure={"count_disputed": count}), opened())
    item = overdue_invoice("i1", 10_000, 40)
    desk.do(item)
    desk.do(claims.ClaimOpened(account="acme", claim="c1", kind="price", disputed_minor=4_000, due_on=item.due_on))
    seen = exposure_of(desk)
    assert (seen.exposure_minor, seen.open_items_minor, seen.disputed_minor) == (exposure, 10_000, 4_000)
    assert (seen.overdue_minor, seen.overdue_undisputed_minor) == (10_000, 6_000)


def test_a_fully_disputed_item_is_not_the_oldest_undisputed_one() -> None:  # O2.6
    desk = desk_with()
    old = overdue_invoice("i1", 10_000, 40)
    desk.do(old)
    desk.do(overdue_invoice("i2", 500, 7))
    desk.do(claims.ClaimOpened(account="acme", claim="c1", kind="price", disputed_minor=10_000, due_on=old.due_on))
    seen = exposure_of(desk)
    assert (seen.oldest_overdue_days, seen.oldest_undisputed_days) == (40, 7)
    desk.do(claims.ClaimSettled(account="acme", claim="c1", outcome="rejected", released_minor=10_000, due_on=old.due_on))
    assert exposure_of(desk).oldest_undisputed_days == 40


def test_the_insured_part_is_taken_off_while_cover_is_in_force() -> None:  # F1
    desk = desk_with(
        adopting(exposure={"deduct_insured": True}),
        opened(insured_minor=4_000, insured_until=TODAY + DAY),
    )
    desk.do(invoice("i1", 10_000))
    assert exposure_of(desk).exposure_minor == 6_000
    desk.later(days=2)
    assert exposure_of(desk).exposure_minor == 10_000


def test_insurance_never_makes_exposure_negative() -> None:  # F1
    desk = desk_with(adopting(exposure={"deduct_insured": True}), opened(insured_minor=50_000))
    desk.do(invoice("i1", 10_000))
    assert exposure_of(desk).exposure_minor == 0


def test_an_item_in_another_currency_is_not_counted_and_that_is_said() -> None:
    (fact,) = desk_with().do(invoice("i1", 10_000, currency="EUR"))
    assert isinstance(fact, orders.ItemNotCounted)


def test_orders_that_ship_beyond_the_horizon_do_not_count_in_the_dynamic_limit() -> None:  # O2.4
    lenient = adopting(checks={"static_limit": {"mode": "warn"}})
    desk = desk_with(lenient, opened(limit_minor=10_000))
    desk.do(order("web/far", 9_000, wanted_on=TODAY + 61 * DAY))
    seen = exposure_of(desk)
    assert (seen.reserved_minor, seen.reserved_beyond_minor) == (9_000, 9_000)
    (fact,) = desk.do(order("web/now", 10_000))
    assert isinstance(fact, orders.OrderReleased)
    assert [finding.check for finding in fact.decision.warned_by] == ["static_limit"]
    desk.later(days=1)  # now the far order ships within the horizon
    assert exposure_of(desk).reserved_beyond_minor == 0
    audit(desk)


def test_an_order_at_the_edge_of_the_horizon_counts() -> None:  # O2.4
    desk = desk_with()
    desk.do(order("web/1", 9_000, wanted_on=TODAY + 60 * DAY))
    assert exposure_of(desk).reserved_beyond_minor == 0


def test_the_groups_forward_reservations_are_the_sum_of_its_accounts() -> None:  # O2.4
    desk = desk_with(opened(), opened("north", parent="acme"))
    desk.do(order("web/1", 1_000, wanted_on=TODAY + 90 * DAY))
    desk.do(order("web/2", 2_000, account="north", wanted_on=TODAY + 90 * DAY))
    assert exposure_of(desk).group_beyond_minor == 3_000
    desk.do(orders.CancelOrder(order="web/1", account="acme", reason="no"))
    assert exposure_of(desk).group_beyond_minor == 2_000


# --- groups ---------------------------------------------------------------------------------------------------------


def test_a_second_account_brings_the_groups_totals_into_being() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    assert "group/acme" not in desk.tables["positions"]
    desk.do(opened("north", parent="acme"))
    desk.do(order("web/2", 5_000, account="north"))
    assert parts(desk, "group/acme") == (15_000, 0, 0)
    audit(desk)


def test_money_that_was_heard_of_before_the_account_joins_the_group_with_it() -> None:  # F1
    desk = desk_with()
    desk.say(invoice("i1", 7_000, account="north"), home="acme")
    assert desk.position("north").open_minor == 7_000
    desk.do(opened("north", parent="acme"))
    assert desk.group().open_minor == 7_000
    audit(desk)


def test_a_root_that_opens_after_its_branch_joins_with_what_it_has() -> None:
    desk = Desk()
    desk.say(invoice("i1", 1_000), home="acme")
    desk.do(opened("north", home="acme", parent="acme"))
    desk.say(invoice("i2", 2_000, account="north"))
    desk.do(opened())
    assert desk.group().open_minor == 3_000
    audit(desk)


def test_the_queue_of_an_account_goes_over_to_the_group_it_becomes() -> None:  # O7
    desk = desk_with(opened(limit_minor=1_000))
    desk.do(order("web/1", 5_000))
    desk.do(opened("north", 9_000, parent="acme"))
    desk.do(order("web/2", 5_000, account="north"))
    assert (desk.group().waiting, desk.group().turns) == (2, 2)
    assert desk.order("web/2").turn == 2
    audit(desk)
