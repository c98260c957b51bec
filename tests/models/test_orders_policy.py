"""The credit policy: versioned, dated, scoped data (O2), adopted by every partition, refused whole when anything is wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest

from contracts import orders
from contracts.accounts import Terms
from shared.credit.rulebook import SHIPPED, PolicyError, Rulebook, book_at, find_book, level_needed
from tests.models.orders_desk import START, TODAY, audit, desk_with, opened, order
from tests.models.orders_policies import adopting, policy, rules

DAY = dt.timedelta(days=1)
SCOPES = [
    {"risk_class": "high", "checks": {"dunning_level": {"level_below": 2}}},
    {"portfolio": "north", "checks": {"dunning_level": {"level_below": 4}}},
    {"account": "acme", "checks": {"dunning_level": {"level_below": 5}}},
    {"order": "web/1", "checks": {"dunning_level": {"level_below": 6}}},
]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({}, 3),
        ({"risk_class": "high"}, 2),
        ({"risk_class": "high", "portfolio": "north"}, 4),
        ({"risk_class": "high", "portfolio": "north", "account": "acme"}, 5),
        ({"risk_class": "high", "portfolio": "north", "account": "acme", "order": "web/1"}, 6),
        ({"order": "web/1"}, 6),
        ({"account": "other", "order": "web/2", "portfolio": "south", "risk_class": "low"}, 3),
    ],
)
def test_the_most_specific_scope_that_sets_a_check_wins(names: dict[str, str], expected: int) -> None:  # O2
    assert rules(scopes=SCOPES, **names).checks.dunning_level.level_below == expected


def test_a_scope_replaces_single_settings_and_inherits_the_rest() -> None:  # O2
    found = rules(scopes=[{"risk_class": "high", "checks": {"dunning_level": {"mode": "warn"}}}], risk_class="high")
    assert (found.checks.dunning_level.mode, found.checks.dunning_level.level_below) == ("warn", 3)
    assert found.checks.oldest_overdue.mode == "hold"


def test_exposure_queue_and_reservation_are_scoped_too() -> None:  # O2
    scope = {"portfolio": "north", "queue": {"passing": False}, "reservation": {"validity_days": 7}}
    found = rules(scopes=[scope], portfolio="north")
    assert (found.queue.passing, found.reservation.validity_days, found.reservation.deviation_percent) == (False, 7, 10)


def test_the_hash_is_of_what_a_policy_says_not_of_how_it_is_written() -> None:  # O10
    written = policy()
    turned = dict(reversed(written.items()))
    assert Rulebook(written).digest == Rulebook(turned).digest
    assert Rulebook(policy(queue={"passing": False})).digest != Rulebook(written).digest


def test_a_policy_read_back_from_its_fact_has_the_same_hash() -> None:  # O10
    again = msgspec.json.decode(msgspec.json.encode(SHIPPED[0].policy))
    assert Rulebook(again).digest == SHIPPED[0].digest


def test_the_shipped_policy_has_the_defaults_of_the_domain() -> None:  # O2
    found = rules()
    checks = found.checks
    assert (checks.dynamic_limit.horizon_days, checks.oldest_overdue.days_max, checks.overdue_share.percent_max) == (60, 30, 20)
    assert (checks.dunning_level.level_below, checks.unconnected_stock.percent_max) == (3, 60)
    assert (checks.broken_promises.count_below, checks.broken_promises.window_days) == (2, 90)
    assert (found.reservation.validity_days, found.reservation.deviation_percent, found.reservation.ship_within_days) == (
        30,
        10,
        30,
    )
    assert [check[1].__name__ for check in found.active] == [check[0] for check in found.active]
    assert len(found.active) == 16


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"checks": {"terms": {"mode": "maybe"}}}, "mode"),
        ({"checks": {"terms": {"colour": "red"}}}, "colour"),
        ({"checks": {"overdue_share": {"percent_max": -1}}}, "percent_max"),
        ({"checks": {"broken_promises": {"window_days": 365}}}, "window_days"),
        ({"time_zone": "Mars/Base"}, "time zone"),
        ({"scopes": [{"checks": {}}]}, "exactly one"),
        ({"scopes": [{"account": "a", "order": "b"}]}, "exactly one"),
        ({"scopes": [{"account": "a", "checks": {"nonsense": {}}}]}, "nonsense"),
        ({"authority": []}, "authority"),
        ({"authority": [{"role": "clerk", "level": 1}, {"role": "clerk", "level": 2}]}, "twice"),
    ],
)
def test_a_wrong_policy_is_refused_whole_and_says_where(wrong: dict[str, Any], words: str) -> None:  # O2
    with pytest.raises(PolicyError, match=words):
        Rulebook(policy(**wrong))
    (refused,) = desk_with().say(adopting(**wrong))
    assert isinstance(refused, orders.PolicyRefused)
    assert words in refused.detail


def test_a_policy_takes_effect_on_its_day() -> None:  # O2
    desk = desk_with(adopting("strict", TODAY + DAY, checks={"terms": {"mode": "off"}}))
    assert book_at(desk.policies(), START).document.version == "2010-01-01-standard"
    assert book_at(desk.policies(), START + DAY).document.version == "strict"


def test_of_two_policies_of_one_day_the_last_adopted_counts() -> None:  # O2
    desk = desk_with(adopting("one"), adopting("two"))
    assert book_at(desk.policies(), START).document.version == "two"


def test_adopting_the_same_policy_again_changes_nothing() -> None:  # O2
    desk = desk_with(adopting("one"))
    assert desk.say(adopting("one")) == []


def test_a_version_never_has_two_contents() -> None:  # O10
    desk = desk_with(adopting("one"))
    (refused,) = desk.say(adopting("one", queue={"passing": False}))
    assert refused.reason == "conflicting_duplicate"


def test_a_policy_goes_by_one_name() -> None:
    (refused,) = desk_with().say(orders.AdoptPolicy(version="b", effective_from=TODAY, policy=policy("a")))
    assert refused.reason == "wrong_version"


def test_a_decision_is_explained_by_the_policy_it_names_whatever_came_later() -> None:  # O10
    desk = desk_with()
    (fact,) = desk.say(order())
    desk.do(adopting("later", checks={"terms": {"mode": "off"}}))
    book = find_book(desk.policies(), fact.decision.policy)
    assert book is not None
    assert book.document.version == "2010-01-01-standard"
    assert find_book(desk.policies(), "nothing:000000000000") is None


def test_a_policy_that_frees_held_orders_frees_them_when_it_takes_effect() -> None:  # O7
    desk = desk_with(opened(terms=Terms(po_required=True)))
    desk.say(order())
    assert desk.do(adopting("lenient", TODAY + DAY, checks={"po_number": {"mode": "warn"}})) != []
    assert desk.order("web/1").status == "held"
    desk.later(days=1)
    assert desk.order("web/1").status == "released"
    audit(desk)


def test_of_two_roles_of_one_level_the_first_that_covers_is_asked() -> None:  # A6
    found = rules()
    assert level_needed(found, 2_500_001).role == "operations_manager"
    assert level_needed(found, 10**15).role == "director"


def test_where_no_maximum_covers_the_highest_level_is_asked() -> None:  # A6
    found = rules(
        authority=[{"role": "clerk", "level": 1, "maximum_minor": 10}, {"role": "boss", "level": 2, "maximum_minor": 20}]
    )
    assert level_needed(found, 50).role == "boss"
