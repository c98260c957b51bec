"""Whatever happens, in whatever order: totals are sums, state is the fold, decisions recompute (F1, O3, O10)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import accounts, claims, collections, orders
from services.orders.exposure import exposure_minor
from services.orders.judge import local_day
from services.orders.rules import rules_for
from services.orders.state import State
from tests.models.orders_desk import (
    TODAY,
    Desk,
    approve,
    audit,
    change,
    deal,
    desk_with,
    despatch,
    invoice,
    opened,
    order,
    paid,
    release,
    withdraw,
)
from tests.models.orders_policies import adopting

NAMES = [f"web/{n}" for n in range(5)]
ACCOUNTS = ["acme", "north", "south"]
amounts = st.integers(0, 12_000)
DAY = dt.timedelta(days=1)
names = st.sampled_from(NAMES)
members = st.sampled_from(ACCOUNTS)
days = st.sampled_from([None, TODAY + dt.timedelta(days=1), TODAY + dt.timedelta(days=90)])
roles = st.sampled_from(["", "controller", "director"])
announced = st.sampled_from(["D1", "D2"])
quoted = st.sampled_from([{}, {"deal": "D1"}, {"po_number": "D2"}])

automatic = st.one_of(
    st.builds(lambda n, v, a, d, q: order(n, v, a, wanted_on=d, **q), names, amounts, members, days, quoted),
    st.builds(lambda n, a: orders.CancelOrder(order=n, account=a, reason=""), names, members),
    st.builds(
        lambda n, v, a, r, e: despatch(n, v, a, ref=r, last=e),
        names,
        amounts,
        members,
        st.sampled_from("abc"),
        st.booleans(),
    ),
    st.builds(lambda v, a, n, p: invoice("i", v, a, covers=[(n, p)]), amounts, members, names, amounts),
    st.builds(lambda v, a: paid("i", v, a), amounts, members),
    st.builds(lambda v, a: invoice("r", -v, a, kind="receipt"), amounts, members),
    st.builds(
        lambda a, v: accounts.LimitChanged(account=a, limit_minor=v, was_minor=0, reason="", effective_from=TODAY),
        members,
        st.integers(0, 40_000),
    ),
    st.builds(lambda a: accounts.PlacedOnStop(account=a, reason=""), members),
    st.builds(lambda a: accounts.TakenOffStop(account=a, reason=""), members),
    st.builds(lambda a, v: collections.DunningLevelSet(account=a, level=v), members, st.integers(0, 4)),
    st.builds(
        lambda a, v: claims.ClaimOpened(account=a, claim="c", kind="price", disputed_minor=v, due_on=TODAY), members, amounts
    ),
)
windows = st.builds(
    lambda first, length: (TODAY + first * DAY, TODAY + (first + length) * DAY), st.integers(0, 3), st.integers(0, 40)
)
by_people = st.one_of(
    st.builds(lambda n, v, a, d, q: change(n, v, a, wanted_on=d, **q), names, amounts, members, days, quoted),
    st.builds(lambda n, v, a, w: deal(n, v, a, from_on=w[0], until_on=w[1]), announced, amounts, members, windows),
    st.builds(approve, announced, members),
    st.builds(withdraw, announced, members),
    st.builds(release, names, members),
    st.builds(lambda n, a, v: orders.SplitOrder(order=n, account=a, release_minor=v, reason=""), names, members, amounts),
    st.builds(lambda n, a: orders.RejectOrder(order=n, account=a, reason=""), names, members),
    st.builds(lambda n, a: orders.ReferOrder(order=n, account=a, reason=""), names, members),
    st.builds(lambda n, a, v: orders.RankOrder(order=n, account=a, rank=v), names, members, st.integers(0, 3)),
    st.builds(lambda n, a, s: orders.AnswerRecall(order=n, account=a, stopped=s), names, members, st.booleans()),
    st.builds(lambda: adopting("strict", queue={"passing": False})),
    st.builds(lambda: adopting("loose", exposure={"count_disputed": False})),
)
pauses = st.builds(lambda n: n, st.sampled_from([0, 0, 0, 1, 35]))
steps = st.tuples(st.one_of(automatic, by_people), roles, pauses, st.booleans())


def group() -> Desk:
    return desk_with(opened(limit_minor=30_000), opened("north", 20_000, parent="acme"), opened("south", 15_000, parent="acme"))


def play(desk: Desk, story: list[tuple[Any, str, int, bool]]) -> None:
    """Some messages come while the desk's own work on earlier ones is not finished."""
    for n, (message, role, pause, at_once) in enumerate(story):
        desk.say(message, home="acme", role=role, actor=f"person {n % 3}")
        if not at_once:
            desk.settle()
        if pause:
            desk.settle()
            desk.later(days=pause)
    desk.settle()


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=25))
def test_totals_are_sums_state_is_the_fold_and_decisions_recompute(story: list[Any]) -> None:  # F1, O10
    desk = group()
    play(desk, story)
    audit(desk)
    assert desk.group().recheck == 0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(automatic, st.just(""), st.just(0), st.booleans()), max_size=25))
def test_no_automatic_release_takes_exposure_above_a_limit(story: list[Any]) -> None:  # O3
    desk = group()
    play(desk, story)
    for fact in desk.said(orders.OrderReleased):
        inputs = fact.decision.inputs
        assert inputs.exposure_minor + inputs.value_minor <= inputs.limit_minor
        assert inputs.group_exposure_minor + inputs.value_minor <= inputs.group_limit_minor


deals = st.one_of(
    st.builds(lambda n, v, a, w: deal(n, v, a, from_on=w[0], until_on=w[1]), announced, st.integers(1, 60_000), members, windows),
    st.builds(approve, announced, members),
    st.builds(withdraw, announced, members),
    st.builds(lambda n, v, a, q: order(n, v, a, **q), names, st.integers(0, 60_000), members, quoted),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(deals, st.sampled_from(["controller", "director"]), pauses, st.booleans()), max_size=25))
def test_a_release_passes_a_limit_only_by_its_deal_and_no_further_than_the_deviation(story: list[Any]) -> None:  # O8, O3, O4
    desk = group()
    play(desk, story)
    audit(desk)
    for fact in desk.said(orders.OrderReleased):
        inputs = fact.decision.inputs
        added = inputs.value_minor - inputs.deal_minor
        fits = inputs.exposure_minor + added <= inputs.limit_minor
        fits = fits and inputs.group_exposure_minor + added <= inputs.group_limit_minor
        assert fits or added * 100 <= inputs.deal_minor * 10
        assert (fact.deal is None) == (fact.deal_minor == 0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(deals, st.sampled_from(["controller", "director"]), pauses, st.booleans()), max_size=25))
def test_all_that_was_approved_was_taken_over_or_given_back_or_is_still_reserved(story: list[Any]) -> None:  # O8, F1
    desk = group()
    play(desk, story)
    approved = sum(fact.value_minor for fact in desk.said(orders.DealApproved))
    taken = sum(fact.deal_minor for fact in desk.said(orders.OrderReleased))
    matched = desk.said(orders.DealMatched)
    freed = sum(f.freed_minor for f in (*matched, *desk.said(orders.DealWithdrawn), *desk.said(orders.DealExpired)))
    assert taken == sum(fact.used_minor for fact in matched)
    assert approved == taken + freed + desk.group().deals_minor


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.builds(order, names, amounts, members), st.just(""), st.just(0), st.booleans()), max_size=30))
def test_simultaneous_orders_never_exceed_any_limit_at_any_sequence(story: list[Any]) -> None:  # O3
    desk = group()
    for message, *_ in story:
        desk.say(message, home="acme")
        for owner, limit in (("group/acme", 30_000), ("north", 20_000), ("south", 15_000)):
            assert desk.position(owner).reserved_minor <= limit


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.one_of(automatic, by_people), roles, st.just(0), st.booleans()), max_size=25))
def test_nothing_that_would_be_released_now_is_left_waiting(story: list[Any]) -> None:  # O7
    desk = group()
    play(desk, story)
    before = len(desk.said(orders.OrderReleased))
    desk.do(orders.OpenRecheck(home="acme"))
    assert len(desk.said(orders.OrderReleased)) == before


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(amounts, st.booleans()), min_size=1, max_size=6), st.integers(1, 12_000), st.integers(0, 12_000))
def test_goods_are_counted_once_however_they_are_despatched_and_billed(
    despatches: list[tuple[int, bool]], value: int, billed: int
) -> None:  # F1
    desk = desk_with(opened(limit_minor=10**9))
    desk.do(order("web/1", value))
    left = 0
    for n, (amount, last) in enumerate(despatches):
        if n == 1:
            desk.do(invoice("i1", billed, covers=[("web/1", billed)]))
        desk.do(despatch("web/1", amount, ref=f"d{n}", last=last))
        left += amount
        position = desk.position()
        ahead = desk.order("web/1").billed_minor
        assert position.unbilled_minor + position.open_minor - ahead == left
        assert position.reserved_minor <= value
    audit(desk)


@settings(max_examples=40, deadline=None)
@given(st.permutations([("despatch", 6_000), ("despatch", 4_000), ("bill", 7_000), ("bill", 3_000), ("settle", 10_000)]))
def test_despatch_bill_and_payment_in_any_order_leave_nothing(events: list[tuple[str, int]]) -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 10_000))
    for n, (what, amount) in enumerate(events):
        match what:
            case "despatch":
                desk.do(despatch("web/1", amount, ref=f"d{n}", last=False))
            case "bill":
                desk.do(invoice(f"i{n}", amount, covers=[("web/1", amount)]))
            case _:
                desk.do(paid("i", amount))
    position = desk.position()
    assert (position.reserved_minor, position.unbilled_minor, position.open_minor) == (0, 0, 0)
    audit(desk)


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, max_size=15))
def test_the_same_messages_give_the_same_bytes(story: list[Any]) -> None:  # guarantee 5
    one, two = group(), group()
    play(one, story)
    play(two, story)
    assert one.journal == two.journal


def test_exposure_of_a_view_is_the_sum_of_its_parts() -> None:  # F1
    desk = desk_with()
    desk.do(order("web/1", 4_000))
    desk.do(invoice("i1", 3_000))
    state: State = desk.view(order("web/2"), "acme")
    assert state.position is not None
    assert state.account is not None
    rules = rules_for(None, desk.at, state.account, "")
    assert exposure_minor(state.position, state.account, rules, local_day(desk.at, rules.zone)) == 7_000
