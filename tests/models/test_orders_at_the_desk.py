"""What a person does with a waiting order: O5, within authority A6."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import accounts, orders
from tests.models.orders_desk import Desk, audit, desk_with, opened, order, release
from tests.models.orders_policies import adopting


def held(value_minor: int = 10_000, limit_minor: int = 0, name: str = "web/1") -> Desk:
    desk = desk_with(opened(limit_minor=limit_minor))
    desk.do(order(name, value_minor))
    return desk


def split(part_minor: int) -> orders.SplitOrder:
    return orders.SplitOrder(order="web/1", account="acme", release_minor=part_minor, reason="the rest later")


def refer(level: str | None = None) -> orders.ReferOrder:
    return orders.ReferOrder(order="web/1", account="acme", reason="too much for me", level=level)


def reject() -> orders.RejectOrder:
    return orders.RejectOrder(order="web/1", account="acme", reason="no")


def test_a_release_by_a_person_says_who_and_why_and_what_it_went_against() -> None:  # O3, O5
    desk = held()
    (fact,) = desk.do(release(), role="controller", actor="anna")
    assert isinstance(fact, orders.OrderReleased)
    assert (fact.by, fact.reason, fact.reserved_minor) == ("anna", "known customer", 10_000)
    assert [finding.check for finding in fact.decision.held_by] == ["static_limit", "dynamic_limit"]
    assert (desk.position().waiting, desk.position().reserved_minor) == (0, 10_000)
    audit(desk)


@pytest.mark.parametrize(
    ("value_minor", "role", "allowed"),
    [
        (1_000_000, "controller", True),
        (1_000_001, "controller", False),
        (2_500_000, "team_leader", True),
        (2_500_001, "team_leader", False),
        (10_000_000, "operations_manager", True),
        (10_000_000, "financial_controller", True),
        (10_000_001, "financial_controller", False),
        (10_000_001, "director", True),
    ],
)
def test_nobody_releases_beyond_their_authority(value_minor: int, role: str, allowed: bool) -> None:  # A6
    desk = held(value_minor)
    (fact,) = desk.do(release(), role=role)
    assert isinstance(fact, orders.OrderReleased if allowed else orders.CommandRefused)
    assert allowed or fact.reason == "beyond_authority"
    audit(desk)


def test_a_waiting_order_is_released_within_the_authority_of_that_day() -> None:  # A6
    """The policy that it was held under would have let the desk release it."""
    desk = held(50_000)
    authority = [{"role": "controller", "level": 1, "maximum_minor": 49_999}, {"role": "director", "level": 2}]
    desk.do(adopting(authority=authority))
    (refused,) = desk.do(release(), role="controller")
    assert refused.reason == "beyond_authority"
    (fact, *_) = desk.do(release(), role="director")
    assert isinstance(fact, orders.OrderReleased)


@pytest.mark.parametrize("role", ["", "warehouse"])
def test_a_role_without_authority_releases_and_rejects_nothing(role: str) -> None:  # A6
    desk = held()
    for command in (release(), reject(), split(1)):
        (refused,) = desk.do(command, role=role)
        assert refused.reason == "no_authority"


def test_no_one_releases_an_order_of_an_account_on_stop() -> None:  # O2.2
    desk = held()
    desk.do(accounts.PlacedOnStop(account="acme", reason="legal"))
    (refused,) = desk.do(release(), role="director")
    assert refused.reason == "not_overridable"
    assert "not_on_stop" in refused.detail


def test_an_order_referred_up_is_released_only_up_there() -> None:  # O5
    desk = held()
    desk.do(refer("director"), role="controller")
    (refused,) = desk.do(release(), role="operations_manager")
    assert refused.reason == "beyond_authority"
    (released,) = desk.do(release(), role="director")
    assert isinstance(released, orders.OrderReleased)
    audit(desk)


def test_either_of_two_roles_of_one_level_releases_what_was_referred_to_the_other() -> None:  # A6
    desk = held(5_000_000)
    assert desk.order("web/1").level == "operations_manager"
    (fact,) = desk.do(release(), role="financial_controller")
    assert isinstance(fact, orders.OrderReleased)


@pytest.mark.parametrize(("role", "level"), [("controller", "team_leader"), ("team_leader", "operations_manager")])
def test_referring_up_goes_to_the_next_level(role: str, level: str) -> None:  # O5
    desk = held()
    (fact,) = desk.do(refer(), role=role)
    assert (fact.level, fact.by) == (level, "anna")
    assert (desk.order("web/1").status, desk.position().waiting) == ("referred", 1)
    audit(desk)


@pytest.mark.parametrize("level", ["controller", "team_leader", "nobody"])
def test_an_order_is_never_referred_down_or_to_nobody(level: str) -> None:  # O5
    desk = held()
    desk.do(refer("team_leader"), role="controller")
    (refused,) = desk.do(refer(level), role="controller")
    assert refused.reason == "no_higher_level"


def test_there_is_no_one_above_the_director() -> None:  # O5
    desk = held(20_000_000)
    (refused,) = desk.do(refer(), role="director")
    assert refused.reason == "no_higher_level"


def test_a_rejected_order_leaves_the_queue_for_good() -> None:  # O5
    desk = held()
    (fact,) = desk.do(reject(), role="controller")
    assert (fact.by, fact.decision) == ("anna", None)
    assert (desk.order("web/1").status, desk.position().waiting) == ("rejected", 0)
    (refused,) = desk.do(release(), role="director")
    assert refused.reason == "not_waiting"
    audit(desk)


def test_a_question_a_note_and_an_owner_leave_the_order_waiting() -> None:  # O5
    desk = held()
    desk.do(orders.AskCustomer(order="web/1", account="acme", question="Which PO?"), role="controller")
    desk.do(orders.NoteOrder(order="web/1", account="acme", note="called"), role="controller")
    desk.do(orders.AssignOrder(order="web/1", account="acme", owner="ben"), role="controller")
    assert desk.order("web/1").owner == "ben"
    assert desk.position().waiting == 1
    assert [type(fact).__name__ for fact in desk.said(orders.OrderAsked) + desk.said(orders.OrderNoted)] == [
        "OrderAsked",
        "OrderNoted",
    ]
    audit(desk)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (reject(), "no"),
        (refer(), "too much for me"),
        (split(4_000), "the rest later"),
        (orders.AssignOrder(order="web/1", account="acme", owner="ben", reason="holidays"), "holidays"),
        (orders.AskCustomer(order="web/1", account="acme", question="Which PO?"), None),
        (orders.NoteOrder(order="web/1", account="acme", note="called"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_act_of_a_person_says_on_which_order_who_and_why(act: Any, why: str | None) -> None:  # O5
    (fact,) = held().do(act, role="controller", actor="anna")
    assert (fact.order, fact.account, fact.by) == ("web/1", "acme", "anna")
    assert getattr(fact, "reason", None) == why
    for words in ("question", "note", "owner"):
        assert getattr(fact, words, None) == getattr(act, words, None)


def test_a_persons_release_passes_the_queue() -> None:  # O5, O7
    desk = held(9_000, limit_minor=5_000)
    desk.do(orders.RankOrder(order="web/1", account="acme", rank=1), role="controller")
    for number in (2, 3):
        desk.do(order(f"web/{number}", 200))
    assert desk.order("web/2").held_by == ("behind_queue",)
    whole, *_ = desk.do(release("web/2"), role="controller")
    part = orders.SplitOrder(order="web/3", account="acme", release_minor=100, reason="")
    half, *_ = desk.do(part, role="controller")
    for fact in (whole, half):
        assert (fact.decision.held_by, fact.decision.inputs.behind_queue) == ((), False)
    audit(desk)


def test_any_order_may_be_noted_but_only_a_waiting_one_is_worked_on() -> None:  # O5
    desk = desk_with()
    desk.do(order())
    (noted,) = desk.do(orders.NoteOrder(order="web/1", account="acme", note="a good one"), role="controller")
    assert isinstance(noted, orders.OrderNoted)
    commands = (
        orders.AskCustomer(order="web/1", account="acme", question="?"),
        orders.AssignOrder(order="web/1", account="acme", owner="ben"),
        orders.RankOrder(order="web/1", account="acme", rank=1),
        refer(),
        reject(),
        release(),
        split(1),
    )
    for command in commands:
        (refused,) = desk.do(command, role="director")
        assert refused.reason == "not_waiting"


# --- split ----------------------------------------------------------------------------------------------------------


def test_a_split_releases_a_part_and_the_rest_waits() -> None:  # O5
    desk = held(10_000)
    (fact,) = desk.do(split(4_000), role="controller")
    assert (fact.released_minor, fact.held_minor, fact.instruction) == (4_000, 6_000, "web/1/1")
    assert desk.order("web/1").status == "held"
    assert (desk.position().reserved_minor, desk.position().waiting_minor) == (4_000, 6_000)
    audit(desk)


def test_the_rest_of_a_split_order_is_released_under_an_instruction_of_its_own() -> None:  # O9
    desk = held(10_000)
    desk.do(split(4_000), role="controller")
    (fact,) = desk.do(release(), role="controller")
    assert (fact.reserved_minor, fact.instruction) == (6_000, "web/1/2")
    assert desk.position().reserved_minor == 10_000
    audit(desk)


def test_each_part_of_an_order_has_an_instruction_of_its_own() -> None:  # O9
    desk = held(10_000)
    parts = [desk.do(split(1_000), role="controller")[0] for _ in range(3)]
    assert [part.instruction for part in parts] == ["web/1/1", "web/1/2", "web/1/3"]
    audit(desk)


@pytest.mark.parametrize("part", [0, 10_000, 10_001])
def test_a_part_is_neither_nothing_nor_all(part: int) -> None:  # O5
    (refused,) = held(10_000).do(split(part), role="controller")
    assert refused.reason == "not_a_part"


def test_a_part_needs_the_authority_for_the_part_only() -> None:  # A6
    desk = held(2_000_000)
    (refused,) = desk.do(split(1_500_000), role="controller")
    assert refused.reason == "beyond_authority"
    assert desk.order("web/1").level == "team_leader"


def test_the_rest_of_a_split_order_is_released_by_itself_when_it_fits() -> None:  # O7
    desk = held(10_000, limit_minor=5_000)
    desk.do(split(4_000), role="controller")
    desk.do(accounts.LimitChanged(account="acme", limit_minor=10_000, was_minor=5_000, reason="", effective_from=desk.at.date()))
    assert desk.order("web/1").status == "released"
    assert desk.position().reserved_minor == 10_000
    audit(desk)


def test_rejecting_the_rest_of_a_split_order_keeps_the_part_that_was_released() -> None:  # O5
    desk = held(10_000)
    desk.do(split(4_000), role="controller")
    desk.do(reject(), role="controller")
    assert (desk.position().reserved_minor, desk.position().waiting_minor) == (4_000, 0)
    audit(desk)
