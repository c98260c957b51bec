"""The simulator is a game with rules: the same seed plays the same, and what it plays adds up."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from contracts.message import Message
from contracts.orders import ApproveDeal, OrderDespatched, RecordDelivery, RecordDespatch, RegisterDeal
from contracts.payments import PostItem, TakeStatement
from quittance.clerks import staff
from quittance.day import ACCOUNTS, DEALS, DIRECTOR, ORDERS, day
from quittance.stretches import Stretches, stretches_of
from quittance.trade import Act, Diary, Released, answers, done_by, reference

AT = dt.datetime(2010, 12, 1, 9, 30, tzinfo=dt.UTC)

releases = st.builds(
    Released,
    order=st.text("abcXYZ019-", min_size=1, max_size=60).map(lambda name: f"w/{name}"),
    account=st.sampled_from(["A", "B"]),
    name=st.just("Alpha Ltd"),
    instruction=st.just("w/1/1"),
    amount_minor=st.integers(0, 10**9),
    currency=st.just("GBP"),
    payment_days=st.integers(0, 90),
    at=st.datetimes(dt.datetime(2010, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001
)


def a_release(order: str = "w/1", amount_minor: int = 10_000, at: dt.datetime = AT) -> Released:
    return Released(order, "A", "Alpha Ltd", f"{order}/1", amount_minor, "GBP", 30, at)


def messages(acts: list[Act], kind: type[Message]) -> list[Message]:
    return [act.message for act in acts if isinstance(act.message, kind)]


def paid_by(act: Act) -> int:
    return sum(entry.amount_minor for entry in act.message.entries) if isinstance(act.message, TakeStatement) else 0


# --- the rest of the trade ------------------------------------------------------------------------------------------


@given(releases, st.integers(0, 5))
def test_the_same_release_is_always_answered_the_same(release: Released, seed: int) -> None:
    assert answers(seed, release) == answers(seed, release)


@given(releases)
def test_what_is_released_is_shipped_billed_and_paid_to_the_penny(release: Released) -> None:
    acts = answers(1, release)
    shipped = sum(message.amount_minor for message in messages(acts, RecordDespatch))  # type: ignore[attr-defined]
    billed = sum(message.amount_minor for message in messages(acts, PostItem))  # type: ignore[attr-defined]
    paid = sum(paid_by(act) for act in acts)
    assert shipped == billed == paid == release.amount_minor


@given(releases)
def test_only_the_last_despatch_says_that_it_is_the_last(release: Released) -> None:
    despatches = messages(answers(1, release), RecordDespatch)
    assert [message.last for message in despatches] == [False] * (len(despatches) - 1) + [True]  # type: ignore[attr-defined]


@given(releases)
def test_every_shipment_is_delivered(release: Released) -> None:
    acts = answers(1, release)
    assert len(messages(acts, RecordDespatch)) == len(messages(acts, RecordDelivery))


@given(releases)
def test_nothing_answers_a_release_within_its_own_stretch_of_time(release: Released) -> None:
    cuts = Stretches()
    first = answers(1, release)[0]
    assert first.due >= cuts.end(cuts.start(release.at))


@given(releases)
def test_nothing_happens_twice_under_one_key(release: Released) -> None:
    keys = [act.key for act in answers(1, release)]
    assert len(keys) == len(set(keys))


def test_some_orders_ship_in_parts_and_some_invoices_are_paid_short() -> None:
    plans = [answers(1, a_release(f"w/{n}")) for n in range(300)]
    parts = Counter(len(messages(plan, RecordDespatch)) for plan in plans)
    receipts = Counter(len(messages(plan, TakeStatement)) for plan in plans if len(messages(plan, PostItem)) == 1)
    assert 0 < parts[2] < 100
    assert set(receipts) <= {1, 2}


def test_a_long_name_becomes_a_reference_by_its_hash() -> None:
    assert reference("INV-", "w/1/1") == "INV-w/1/1"
    assert len(reference("REC-1-INV-", "x" * 90)) <= 64


# --- the diary ------------------------------------------------------------------------------------------------------


def an_act(key: str, hour: int, of: str = "") -> Act:
    return Act(AT.replace(hour=hour), key, "A", RecordDespatch(order="w/1", account="A", despatch=key, amount_minor=1), of)


def test_acts_come_in_order_of_time() -> None:
    diary = Diary()
    diary.add([an_act("despatch/b", 16), an_act("despatch/a", 15), an_act("despatch/c", 18)])
    assert [act.key for act in diary.due(AT.replace(hour=17))] == ["despatch/a", "despatch/b"]


def test_an_act_that_was_done_is_not_done_again() -> None:
    diary = Diary()
    diary.done("despatch/a")
    diary.add([an_act("despatch/a", 15)])
    assert diary.next_due() is None


def test_a_recall_takes_back_what_has_not_left() -> None:
    diary = Diary()
    diary.add([an_act("despatch/w/1/1/1", 15, "w/1/1/1"), an_act("despatch/w/1/1/2", 16, "w/1/1/2")])
    diary.due(AT.replace(hour=15, minute=59))
    diary.add([an_act("item/1", 18, "w/1/1/1"), an_act("item/2", 18, "w/1/1/2")])
    diary.take_back("w/1/1")
    assert [act.key for act in diary.due(AT.replace(hour=23))] == ["item/1"]


def test_a_fact_names_the_act_that_it_answers() -> None:
    release = a_release()
    (despatch,) = messages(answers(1, release), RecordDespatch)
    fact = OrderDespatched(order="w/1", account="A", despatch=despatch.despatch, amount_minor=10_000)  # type: ignore[attr-defined]
    assert done_by(fact) in {act.key for act in answers(1, release)}


# --- stretches of time ----------------------------------------------------------------------------------------------


@given(st.datetimes(dt.datetime(2000, 1, 1), timezones=st.just(dt.UTC)), st.sampled_from([0, 1, 800, 10**6]))  # noqa: DTZ001
def test_every_moment_is_in_its_stretch(at: dt.datetime, speed: float) -> None:
    cuts = stretches_of(speed)
    start = cuts.start(at)
    assert start <= at < cuts.end(start)
    assert cuts.start(start) == start


# --- the trading day ------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_day() -> None:
    assert day(7) == day(7)


def test_another_seed_gives_another_day() -> None:
    assert day(7).orders != day(8).orders


def test_a_day_has_the_accounts_and_orders_it_promises() -> None:
    made = day(7)
    accounts = list(csv.DictReader(io.StringIO(made.accounts.decode())))
    orders = {row["reference"] for row in csv.DictReader(io.StringIO(made.orders.decode()))}
    assert len(accounts) == ACCOUNTS
    assert len(orders) == ORDERS


def test_every_kind_of_trouble_occurs_among_the_accounts() -> None:
    accounts = list(csv.DictReader(io.StringIO(day(7).accounts.decode())))
    assert {row["status"] for row in accounts} == {"open", "on_stop"}
    for column in ("parent", "limit_expires_on", "standard_order"):
        assert any(row[column] for row in accounts), column
    for column in ("cash_on_delivery", "po_required"):
        assert {row[column] for row in accounts} == {"yes", "no"}, column


def test_parents_stand_above_their_children() -> None:
    seen = set()
    for row in csv.DictReader(io.StringIO(day(7).accounts.decode())):
        assert not row["parent"] or row["parent"] in seen
        seen.add(row["account"])


def test_no_receipt_pays_more_than_its_item() -> None:
    acts = day(7).acts
    posted = {act.message.item: act.message.amount_minor for act in acts if isinstance(act.message, PostItem)}
    for act in acts:
        if isinstance(act.message, TakeStatement):
            assert 0 < paid_by(act) <= posted[act.key.removeprefix("receipt/REC-")]


def test_large_orders_are_announced_in_the_morning_and_half_of_them_approved_by_another() -> None:  # O8, A6
    acts = day(1).acts
    announced, approved = messages(acts, RegisterDeal), messages(acts, ApproveDeal)
    assert len(announced) == 2 * len(approved) == DEALS
    assert {act.by for act in acts if isinstance(act.message, ApproveDeal)} == {DIRECTOR}
    assert DIRECTOR in {clerk.name for clerk in staff()}
