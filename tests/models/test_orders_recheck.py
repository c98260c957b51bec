"""Held orders are decided again when the cause clears: O7."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts import accounts, claims, collections, commissions, orders, payments
from contracts.accounts import Terms
from contracts.message import Message
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
    release,
)
from tests.models.orders_policies import adopting

DAY = dt.timedelta(days=1)


def limit(limit_minor: int, account: str = "acme", was_minor: int = 0, **more: Any) -> accounts.LimitChanged:
    return accounts.LimitChanged(
        account=account, limit_minor=limit_minor, was_minor=was_minor, reason="", effective_from=TODAY, **more
    )


def rank(name: str, place: int, account: str = "acme") -> orders.RankOrder:
    return orders.RankOrder(order=name, account=account, rank=place)


def released(desk: Desk) -> list[str]:
    """Orders in the order of their release."""
    return [fact.order for fact in desk.said(orders.OrderReleased)]


def queue(*values: int, limit_minor: int = 0, policy: Message | None = None) -> Desk:
    """An account whose orders of these values all wait."""
    desk = desk_with(*([policy] if policy else []), opened(limit_minor=limit_minor))
    for n, value in enumerate(values, start=1):
        desk.do(order(f"web/{n}", value))
    return desk


CAUSES: list[tuple[str, list[Message], list[Message]]] = [
    ("cash lands", [opened(limit_minor=15_000), invoice("i1", 10_000)], [paid("i1", 10_000)]),
    ("cash lands unallocated", [opened(limit_minor=15_000), invoice("i1", 10_000)], [invoice("r1", -10_000, kind="receipt")]),
    ("the limit goes up", [opened(limit_minor=0)], [limit(10_000)]),
    ("an expired limit is renewed", [opened(limit_expires_on=TODAY - DAY)], [limit(100_000, limit_expires_on=TODAY + DAY)]),
    ("the stop is over", [opened(status="on_stop")], [accounts.TakenOffStop(account="acme", reason="")]),
    ("the account wakes up", [opened(status="dormant")],
     [accounts.StatusChanged(account="acme", status="open", was="dormant", reason="")]),
    ("terms change", [opened(terms=Terms(po_required=True))], [accounts.TermsChanged(
        account="acme", terms=Terms(), reason="", effective_from=TODAY)]),
    ("the review is done", [opened(), accounts.ReviewDue(account="acme", kind="limit", due_on=TODAY - DAY)],
     [accounts.ReviewDone(account="acme", kind="limit", next_due_on=TODAY + DAY)]),
    ("dunning goes down", [opened(), collections.DunningLevelSet(account="acme", level=3)],
     [collections.DunningLevelSet(account="acme", level=0)]),
    ("cover is renewed", [opened(insured_minor=5, insured_until=TODAY - DAY)],
     [accounts.CoverChanged(account="acme", insured_minor=5, insured_until=TODAY + DAY)]),
    ("stock is connected", [opened(), commissions.StockPosition(account="acme", shipped_units=10, unconnected_units=9)],
     [commissions.StockPosition(account="acme", shipped_units=10, unconnected_units=1)]),
    ("a soft credit is confirmed", [opened(limit_minor=15_000), invoice("i1", 10_000)],
     [payments.SoftCreditConfirmed(account="acme", credit="s1", amount_minor=5_000)]),
    ("an overdue item is paid", [opened(), overdue_invoice("i1", 500, 40), invoice("i2", 9_000)],
     [paid("i1", 500, due_on=TODAY - 40 * DAY)]),
    ("new debt makes the overdue share small", [opened(), overdue_invoice("i1", 500, 4)], [invoice("i2", 9_000)]),
    ("the unreleased rest is freed by the last despatch", [opened(limit_minor=20_000), order("web/0", 15_000)],
     [despatch("web/0", 5_000)]),
    ("another order is cancelled", [opened(limit_minor=20_000), order("web/0", 15_000)],
     [orders.CancelOrder(order="web/0", account="acme", reason="")]),
]  # fmt: skip


@pytest.mark.parametrize(("before", "cause"), [case[1:] for case in CAUSES], ids=[case[0] for case in CAUSES])
def test_a_held_order_is_released_without_anyone_asking_when(before: list[Message], cause: list[Message]) -> None:  # O7
    desk = desk_with(*before)
    desk.do(order("web/1", 10_000))
    assert desk.order("web/1").status == "held"
    for message in cause:
        desk.do(message)
    assert desk.order("web/1").status == "released"
    assert desk.position().recheck == 0
    audit(desk)


def test_a_claim_that_is_opened_frees_an_order_where_disputes_do_not_count() -> None:  # O7
    desk = desk_with(adopting(exposure={"count_disputed": False}), opened(limit_minor=12_000))
    desk.do(invoice("i1", 10_000))
    desk.do(order("web/1", 10_000))
    desk.do(claims.ClaimOpened(account="acme", claim="c", kind="price", disputed_minor=9_000, due_on=TODAY + 30 * DAY))
    assert desk.order("web/1").status == "released"
    audit(desk)


def test_a_broken_promise_is_forgotten_after_ninety_days() -> None:  # O2.14, O7
    desk = desk_with()
    for n in (1, 2):
        desk.do(collections.PromiseBroken(account="acme", promise=f"p{n}", broken_on=TODAY - n * DAY))
    desk.do(order())
    assert desk.order("web/1").held_by == ("broken_promises",)
    desk.later(days=88)
    assert desk.order("web/1").status == "held"
    desk.later(days=3)
    assert desk.order("web/1").status == "released"
    audit(desk)


WORSE: list[Message] = [
    limit(1, was_minor=5_000),
    accounts.PlacedOnStop(account="acme", reason=""),
    accounts.AccountTerminated(account="acme", reason=""),
    collections.DunningLevelSet(account="acme", level=3),
    collections.PromiseBroken(account="acme", promise="p", broken_on=TODAY),
    invoice("i1", 5_000),
    order("web/2", 10_000),
]


@pytest.mark.parametrize("worse", WORSE, ids=[type(each).__name__ for each in WORSE])
def test_nothing_is_looked_at_again_when_nothing_got_better(worse: Message) -> None:  # O7
    desk = queue(10_000, limit_minor=5_000)
    desk.do(worse)
    assert desk.said(orders.RecheckOpened) == []


def test_nothing_is_looked_at_again_when_nothing_waits() -> None:  # O7
    desk = desk_with()
    desk.do(order())
    desk.do(limit(200_000, was_minor=100_000))
    assert desk.said(orders.RecheckOpened) == []


def test_a_recheck_that_frees_nothing_is_quiet() -> None:  # O7
    desk = queue(10_000)
    facts = desk.do(limit(1))
    assert [type(fact).__name__ for fact in facts] == ["StandingNoted", "RecheckOpened", "RecheckClosed"]


def test_an_order_held_for_other_reasons_than_before_says_so() -> None:  # O7
    desk = queue(10_000)
    desk.do(accounts.PlacedOnStop(account="acme", reason=""))
    facts = desk.do(limit(50_000))
    (held,) = (fact for fact in facts if isinstance(fact, orders.OrderHeld))
    assert [finding.check for finding in held.decision.held_by] == ["not_on_stop"]
    assert held.placed is None
    assert desk.order("web/1").turn == 1
    audit(desk)


def test_held_orders_are_released_in_order_of_receipt_as_far_as_credit_goes() -> None:  # O7
    desk = queue(4_000, 4_000, 4_000, 4_000)
    desk.do(limit(12_000))
    assert released(desk) == ["web/1", "web/2", "web/3"]
    audit(desk)


def test_a_later_order_that_fits_passes_an_earlier_one_that_does_not() -> None:  # O7
    desk = queue(9_000, 2_000)
    desk.do(limit(5_000))
    assert released(desk) == ["web/2"]


def test_a_later_order_does_not_pass_where_the_policy_forbids_it() -> None:  # O7
    desk = queue(9_000, 2_000, policy=adopting(queue={"passing": False}))
    desk.do(limit(5_000))
    assert released(desk) == []
    assert desk.order("web/2").held_by == ("behind_queue",)
    desk.do(limit(11_000, was_minor=5_000))
    assert released(desk) == ["web/1", "web/2"]
    audit(desk)


def test_a_new_order_waits_behind_the_queue_where_the_policy_forbids_passing() -> None:  # O7
    desk = queue(9_000, policy=adopting(queue={"passing": False}), limit_minor=5_000)
    (fact,) = desk.do(order("web/2", 100))
    assert [finding.check for finding in fact.decision.held_by] == ["behind_queue"]
    desk.do(orders.RejectOrder(order="web/1", account="acme", reason=""), role="controller")
    assert released(desk) == ["web/2"]
    audit(desk)


def test_the_desks_order_comes_before_the_order_of_receipt() -> None:  # O5, O7
    desk = queue(4_000, 4_000, 4_000)
    desk.do(rank("web/3", 1), role="controller")
    desk.do(rank("web/2", 2), role="controller")
    desk.do(limit(8_000))
    assert released(desk) == ["web/3", "web/2"]
    audit(desk)


def test_a_ranked_order_that_does_not_fit_blocks_those_behind_it() -> None:  # O7
    desk = queue(2_000, 9_000, 2_000)
    desk.do(rank("web/2", 1), role="controller")
    desk.do(limit(5_000))
    assert released(desk) == []
    (blocked,) = desk.said(orders.QueueBlocked)
    assert blocked.order == "web/2"
    audit(desk)


def test_a_new_order_does_not_pass_a_ranked_one() -> None:  # O7
    desk = queue(9_000, limit_minor=5_000)
    desk.do(rank("web/1", 1), role="controller")
    desk.do(order("web/2", 100))
    assert desk.order("web/2").held_by == ("behind_queue",)
    desk.do(rank("web/1", 0), role="controller")  # the desk takes the rank away
    assert released(desk) == ["web/2"]
    audit(desk)


@pytest.mark.parametrize("ending", ["cancelled", "rejected", "released", "despatched"])
def test_a_blocker_that_leaves_frees_those_behind_it(ending: str) -> None:  # O7
    desk = queue(9_000, 2_000)
    desk.do(rank("web/1", 1), role="controller")
    desk.do(limit(20_000 if ending in ("released", "despatched") else 5_000, limit_expires_on=TODAY - DAY))
    assert released(desk) == []
    desk.do(rank("web/1", 1), role="controller")
    messages: dict[str, Message] = {
        "cancelled": orders.CancelOrder(order="web/1", account="acme", reason=""),
        "rejected": orders.RejectOrder(order="web/1", account="acme", reason=""),
        "released": release(),
        "despatched": despatch("web/1", 9_000),
    }
    desk.do(messages[ending], role="controller")
    assert desk.position().blocker is None
    assert desk.order("web/2").held_by == ("limit_expired",)
    audit(desk)


def test_a_better_rank_moves_the_block() -> None:  # O7
    desk = queue(9_000, 8_000, 1_000)
    desk.do(rank("web/1", 2), role="controller")
    desk.do(limit(5_000))
    desk.do(rank("web/2", 1), role="controller")
    blocker = desk.position().blocker
    assert blocker is not None
    assert blocker.order == "web/2"
    assert released(desk) == []
    desk.do(limit(8_000, was_minor=5_000))
    assert released(desk) == ["web/2"]
    audit(desk)


def test_orders_that_come_during_a_recheck_join_its_tail() -> None:  # Storms
    desk = queue(1_000, 1_000, 1_000)
    desk.say(limit(3_500))
    assert desk.step(limit=2)
    (fact,) = desk.say(order("web/4", 500))  # it would fit now, and would take what web/3 waits for
    assert [finding.check for finding in fact.decision.held_by] == ["behind_queue"]
    desk.settle()
    assert released(desk) == ["web/1", "web/2", "web/3", "web/4"]
    assert desk.position().recheck == 0
    audit(desk)


def test_a_cause_that_clears_during_a_recheck_asks_for_another_one() -> None:  # O7
    desk = queue(9_000, 1_000, 1_000)
    desk.say(limit(5_000))
    assert desk.step(limit=2)  # web/1 and web/2 are taken
    while desk.commands:
        desk.say(desk.commands.popleft()[1], "acme")
    desk.say(limit(11_000, was_minor=5_000))  # web/1, already passed, fits now
    assert desk.position().recheck == 2
    desk.settle()
    assert {o.status for o in desk.orders()} == {"released"}
    assert len(desk.said(orders.RecheckClosed)) == 2
    audit(desk)


def test_ten_thousand_causes_open_one_recheck_and_ask_for_one_more() -> None:  # Storms
    desk = queue(9_000)
    for n in range(1, 50):
        desk.say(limit(n, was_minor=n - 1))
    assert len(desk.said(orders.RecheckOpened)) == 2
    desk.settle()
    assert desk.position().recheck == 0


def test_a_storm_is_taken_in_steps_of_a_hundred_in_order() -> None:  # Storms
    desk = queue(*([10] * 250))
    desk.say(limit(10_000))
    steps = []
    while desk.step():
        steps.append(len(desk.commands))
        while desk.commands:
            desk.say(desk.commands.popleft()[1], "acme")
    assert steps == [100, 100, 51]  # the last one says that the recheck is over
    assert released(desk) == [f"web/{n}" for n in range(1, 251)]
    audit(desk)


def test_a_recheck_is_of_the_whole_group() -> None:  # O7
    desk = desk_with(opened(limit_minor=0), opened("north", 50_000, parent="acme"), opened("south", 50_000, parent="acme"))
    desk.do(order("web/1", 1_000, account="south"))
    desk.do(order("web/2", 1_000, account="north"))
    desk.do(limit(50_000))
    assert released(desk) == ["web/1", "web/2"]
    assert desk.group().recheck == 0
    audit(desk)


def test_cash_of_one_account_frees_an_order_of_another_in_its_group() -> None:  # O7
    desk = desk_with(opened(limit_minor=10_000), opened("north", 10_000, parent="acme"))
    desk.do(invoice("i1", 9_000))
    desk.do(order("web/1", 5_000, account="north"))
    desk.do(paid("i1", 9_000))
    assert released(desk) == ["web/1"]
    audit(desk)


def test_an_order_referred_by_a_person_stays_with_that_level() -> None:  # O5
    desk = queue(10_000)
    desk.do(orders.ReferOrder(order="web/1", account="acme", reason="", level="director"), role="controller")
    desk.do(accounts.PlacedOnStop(account="acme", reason=""))
    facts = desk.do(limit(50_000))
    (fact,) = (each for each in facts if isinstance(each, orders.OrderReferred))
    assert fact.level == "director"
    audit(desk)


def test_redeciding_an_order_that_waits_no_more_is_quiet() -> None:  # O7
    desk = desk_with()
    desk.do(order())
    assert desk.do(orders.RedecideOrder(order="web/1", account="acme")) == []
    assert desk.do(orders.RedecideOrder(order="web/9", account="acme")) == []
    assert desk.do(orders.EndRecheck(home="acme")) == []
    assert desk.do(orders.OpenRecheck(home="acme")) == []
