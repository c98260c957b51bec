"""Despatch, delivery, returns, recalls, lapses: O4, O9, F2."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import msgspec
import pytest

from contracts import accounts, orders
from tests.models.orders_desk import START, Desk, audit, desk_with, despatch, opened, order, release

STOP = accounts.PlacedOnStop(account="acme", reason="legal")
UNSTOP = accounts.TakenOffStop(account="acme", reason="paid")


def answer(stopped: bool, name: str = "web/1") -> orders.AnswerRecall:
    return orders.AnswerRecall(order=name, account="acme", stopped=stopped)


def delivery(pod: str | None = None) -> orders.RecordDelivery:
    return orders.RecordDelivery(order="web/1", account="acme", despatch="d1", pod=pod)


def returned(document: str = "web/C1", total_minor: int = 500, **more: object) -> orders.RecordReturn:
    fields = {"currency": "GBP", "returned_at": START, **more}
    return orders.RecordReturn(document=document, account="acme", total_minor=total_minor, **fields)  # type: ignore[arg-type]


# --- despatch -------------------------------------------------------------------------------------------------------


def test_the_same_despatch_again_counts_once() -> None:  # O9
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 4_000, last=False))
    (again,) = desk.do(despatch("web/1", 4_000, last=False))
    assert isinstance(again, orders.OrderRepeated)
    assert desk.position().unbilled_minor == 4_000
    audit(desk)


def test_a_despatch_above_the_reservation_is_recorded_because_the_goods_have_left() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    (fact,) = desk.do(despatch("web/1", 12_000))
    assert (fact.amount_minor, fact.beyond_minor, fact.freed_minor) == (12_000, 2_000, 0)
    assert (desk.position().reserved_minor, desk.position().unbilled_minor) == (0, 12_000)
    audit(desk)


@pytest.mark.parametrize("ending", ["held", "rejected", "cancelled", "lapsed", "unknown"])
def test_goods_that_left_without_a_release_count_all_the_same(ending: str) -> None:  # F1
    desk = desk_with(opened(limit_minor=10_000 if ending in ("cancelled", "lapsed") else 0))
    if ending != "unknown":
        desk.do(order("web/1", 10_000))
    match ending:
        case "rejected":
            desk.do(orders.RejectOrder(order="web/1", account="acme", reason=""), role="director")
        case "cancelled":
            desk.do(orders.CancelOrder(order="web/1", account="acme", reason=""))
        case "lapsed":
            desk.later(days=40)
    (fact,) = desk.do(despatch("web/1", 10_000))
    assert fact.beyond_minor == 10_000
    assert (desk.order("web/1").status, desk.position().unbilled_minor) == ("despatched", 10_000)
    assert desk.position().waiting == 0
    audit(desk)


def test_goods_of_an_unknown_account_count_when_it_becomes_known() -> None:  # F1
    desk = Desk()
    desk.say(despatch("web/1", 10_000, account="north"), home="acme")
    desk.do(opened())
    desk.do(opened("north", parent="acme"))
    assert desk.group().unbilled_minor == 10_000
    audit(desk)


def test_a_despatch_for_the_wrong_account_is_refused_and_says_whose_order_it_is() -> None:
    desk = desk_with(opened(), opened("north", parent="acme"))
    desk.do(order())
    (refused,) = desk.do(despatch("web/1", 10_000, account="north"))
    assert refused.reason == "wrong_account"
    assert "account acme" in refused.detail
    audit(desk)


def test_a_delivery_of_another_accounts_order_is_refused() -> None:  # O9
    desk = desk_with(opened(), opened("other"))
    desk.do(order())
    (refused,) = desk.do(orders.RecordDelivery(order="web/1", account="other", despatch="d1"))
    assert refused.reason == "wrong_account"
    assert desk.order("web/1").status == "released"


def test_a_delivery_and_its_proof_come_back() -> None:  # O9
    desk = desk_with()
    desk.do(order())
    desk.do(despatch("web/1", 10_000))
    desk.do(delivery())
    assert desk.order("web/1").status == "delivered"
    (again,) = desk.do(delivery())
    assert isinstance(again, orders.OrderRepeated)
    (proof,) = desk.do(delivery("pod-7"))
    assert proof.pod == "pod-7"
    audit(desk)


# --- returns --------------------------------------------------------------------------------------------------------


def test_a_return_is_recorded_and_moves_nothing() -> None:
    desk = desk_with()
    (fact,) = desk.do(returned())
    assert isinstance(fact, orders.ReturnRecorded)
    assert "acme" not in desk.tables["positions"]
    audit(desk)


def test_a_return_told_twice_is_recorded_once() -> None:
    desk = desk_with()
    desk.do(returned())
    (again,) = desk.do(returned())
    (other,) = desk.do(returned(total_minor=501))
    assert isinstance(again, orders.OrderRepeated)
    assert other.reason == "conflicting_duplicate"
    audit(desk)


@pytest.mark.parametrize(("wrong", "reason"), [({"currency": "EUR"}, "wrong_currency"), ({"account": "who"}, "unknown_account")])
def test_a_return_that_cannot_be_right_is_refused(wrong: dict[str, str], reason: str) -> None:
    (refused,) = desk_with().do(msgspec.structs.replace(returned(), **wrong))
    assert refused.reason == reason


def test_a_returns_lines_may_be_negative_but_must_add_up() -> None:
    line = orders.Line(sku="a", quantity=-1, unit_price=Decimal("5"), amount_minor=-500)
    (fact,) = desk_with().do(returned(lines=(line,)))
    assert isinstance(fact, orders.ReturnRecorded)
    (refused,) = desk_with().do(returned(total_minor=499, lines=(line,)))
    assert refused.reason == "total_mismatch"


# --- lapses ---------------------------------------------------------------------------------------------------------


def test_a_reservation_lapses_after_its_last_day_and_not_before() -> None:  # F2
    desk = desk_with()
    desk.do(order())
    desk.later(days=30)
    assert desk.order("web/1").status == "released"
    (fact,) = desk.later(days=1)
    assert isinstance(fact, orders.ReservationLapsed)
    assert (fact.freed_minor, desk.order("web/1").status, desk.position().reserved_minor) == (10_000, "lapsed", 0)
    audit(desk)


def test_a_lapse_happens_at_midnight_of_the_policys_time_zone() -> None:  # F2
    desk = desk_with()
    desk.later(days=200)
    desk.do(order())
    (timer,) = (t for t in desk.timers.values() if t.kind == "lapse")
    assert timer.due == dt.datetime(2011, 7, 19, 23, 0, tzinfo=dt.UTC)  # midnight in British Summer Time
    assert timer.key == "2011-07-19"


def test_orders_of_one_day_share_one_timer() -> None:  # F2
    desk = desk_with()
    for n in range(5):
        desk.do(order(f"web/{n}", 100))
    assert len(desk.timers) == 1


def test_a_despatched_order_does_not_lapse() -> None:  # F2
    desk = desk_with()
    desk.do(order())
    desk.do(despatch("web/1", 10_000))
    assert desk.later(days=40) == []


def test_a_partly_despatched_order_lapses_for_the_rest() -> None:  # F2
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    desk.do(despatch("web/1", 4_000, last=False))
    (fact,) = desk.later(days=40)
    assert fact.freed_minor == 6_000
    assert desk.position().unbilled_minor == 4_000
    audit(desk)


def test_many_lapses_are_taken_in_steps_and_none_is_missed() -> None:  # Storms
    desk = desk_with(opened(limit_minor=10**9))
    for n in range(250):
        desk.do(order(f"web/{n:03}", 100))
    desk.at = START + dt.timedelta(days=40)
    steps = 0
    while desk.step(limit=100):
        steps += 1
        while desk.commands:
            home, command = desk.commands.popleft()
            desk.say(command, home)
    assert steps == 3
    assert {o.status for o in desk.orders()} == {"lapsed"}
    audit(desk)


def test_a_lapsed_reservation_frees_credit_for_who_waits() -> None:  # O7
    desk = desk_with(opened(limit_minor=10_000))
    desk.do(order("web/1", 10_000))
    desk.do(order("web/2", 10_000))
    desk.later(days=31)
    assert (desk.order("web/1").status, desk.order("web/2").status) == ("lapsed", "released")
    audit(desk)


def test_a_lapsed_order_is_decided_again_when_a_person_releases_it() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    desk.later(days=31)
    (fact,) = desk.do(release(), role="controller")
    assert (fact.instruction, fact.reserved_minor) == ("web/1/2", 10_000)
    audit(desk)


def test_a_lapsed_order_is_decided_again_when_asked() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    desk.later(days=31)
    (fact,) = desk.do(orders.RedecideOrder(order="web/1", account="acme"))
    assert isinstance(fact, orders.OrderReleased)
    audit(desk)


def test_a_part_released_by_a_split_that_lapses_waits_again() -> None:  # F2
    desk = desk_with(opened(limit_minor=0))
    desk.do(order("web/1", 10_000))
    desk.do(orders.SplitOrder(order="web/1", account="acme", release_minor=4_000, reason=""), role="controller")
    desk.later(days=31)
    assert (desk.order("web/1").status, desk.position().waiting_minor, desk.position().reserved_minor) == ("held", 10_000, 0)
    audit(desk)


# --- recalls --------------------------------------------------------------------------------------------------------


def test_going_on_stop_recalls_what_was_released_and_has_not_left() -> None:  # O4
    desk = desk_with()
    desk.do(order("web/1", 1_000))
    desk.do(order("web/2", 1_000))
    desk.do(despatch("web/2", 1_000))
    desk.do(order("web/3", 10**9))
    facts = desk.do(STOP)
    assert [type(fact).__name__ for fact in facts] == ["StandingNoted", "OrderRecalled"]
    assert (facts[1].order, facts[1].instruction) == ("web/1", "web/1/1")
    assert desk.order("web/1").outcome == "recalled"
    assert desk.position().reserved_minor == 1_000  # until the warehouse answers
    assert desk.order("web/3").waiting
    audit(desk)


def test_only_the_accounts_own_orders_are_recalled() -> None:  # O4
    desk = desk_with(opened(), opened("north", parent="acme"))
    desk.do(order("web/1", 1_000))
    desk.do(order("web/2", 1_000, account="north"))
    desk.do(STOP)
    assert not desk.order("web/2").recalled


def test_a_recall_stopped_in_time_frees_the_reservation_and_the_order_waits() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    desk.do(STOP)
    answered, held = desk.do(answer(True))
    assert answered.freed_minor == 10_000
    assert [finding.check for finding in held.decision.held_by] == ["not_on_stop"]
    assert (desk.order("web/1").status, desk.position().waiting, desk.position().reserved_minor) == ("held", 1, 0)
    desk.do(UNSTOP)
    assert desk.order("web/1").status == "released"
    assert desk.order("web/1").releases == 2
    audit(desk)


def test_a_recall_too_late_leaves_the_order_released_until_its_despatch_comes() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    desk.do(STOP)
    (answered,) = desk.do(answer(False))
    assert not answered.stopped
    assert (desk.order("web/1").outcome, desk.position().reserved_minor) == ("released", 10_000)
    desk.do(despatch("web/1", 10_000))
    assert desk.position().unbilled_minor == 10_000
    audit(desk)


def test_a_recall_is_not_said_twice_nor_after_the_stop_is_over() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    recall = orders.RecallOrder(order="web/1", account="acme")
    assert desk.do(recall) == []
    desk.do(STOP)
    assert desk.do(recall) == []


def test_an_answer_to_no_recall_is_refused_or_already_known() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    (refused,) = desk.do(answer(True))
    assert refused.reason == "not_recalled"
    (known,) = desk.do(answer(False))
    assert isinstance(known, orders.OrderRepeated)


def test_a_recalled_order_does_not_change_before_the_recall_is_answered() -> None:  # O4
    desk = desk_with()
    desk.do(order())
    desk.do(STOP)
    (refused,) = desk.do(orders.ChangeOrder(order="web/1", account="acme", placed=order(value_minor=5).placed))
    assert refused.reason == "recalled"


def test_an_order_held_on_stop_is_decided_again_when_the_stop_is_over() -> None:  # O7
    desk = desk_with()
    desk.do(STOP)
    desk.do(order())
    assert desk.order("web/1").held_by == ("not_on_stop",)
    desk.do(UNSTOP)
    assert desk.order("web/1").status == "released"
    audit(desk)


def test_a_hundred_and_more_recalls_are_taken_in_steps() -> None:  # Storms
    desk = desk_with(opened(limit_minor=10**9))
    for n in range(205):
        desk.do(order(f"web/{n:03}", 100))
    desk.do(STOP)
    assert sum(1 for o in desk.orders() if o.recalled) == 205


def test_a_reservation_holds_through_its_last_day_whoever_asks() -> None:  # F2
    desk = desk_with()
    desk.do(order())
    desk.at = START + dt.timedelta(days=30)
    assert desk.order("web/1").lapses_on == desk.at.date()
    assert desk.do(orders.LapseReservation(order="web/1", account="acme")) == []


def test_an_order_that_comes_back_to_the_queue_joins_its_end() -> None:  # O7
    desk = desk_with(opened(limit_minor=0))
    desk.do(order("web/1", 1_000))
    desk.do(order("web/2", 1_000))
    desk.do(release("web/1"), role="controller")
    desk.do(STOP)
    desk.do(answer(True))
    assert [desk.order(name).turn for name in ("web/1", "web/2")] == [3, 2]
    audit(desk)
