"""The release desk through the seeded day: people at human pace, and none of their orders silently late (O6)."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from typing import Any, NamedTuple

import pytest

from contracts import orders
from contracts.orders import OrderBreached, OrderEscalated, OrderHeld, OrderReferred, OrderRejected, OrderReleased, OrderWarned
from quittance.clerks import HOURS, TAKES_S, Clerks, staff
from quittance.day import day
from shared.working_time import is_open
from tests.models.played_day import FastDesk, play

SEED = 1
TEN_TIMES = 10
FINAL = (OrderReleased, OrderRejected, orders.OrderCancelled)


class Wait(NamedTuple):
    """How one held order fared: by when it was due, when it was finally decided, and what its clock said before."""

    due_at: dt.datetime
    decided_at: dt.datetime | None
    marks: list[tuple[dt.datetime, Any]]


def waits(desk: FastDesk) -> dict[str, Wait]:
    found: dict[str, Wait] = {}
    for at, _, fact in desk.journal:
        match fact:
            case OrderHeld() | OrderReferred() if fact.clock is not None and fact.order not in found:
                found[fact.order] = Wait(fact.clock.due_at, None, [])
            case OrderReleased() | OrderRejected() | orders.OrderCancelled() if fact.order in found:
                found[fact.order] = found[fact.order]._replace(decided_at=at)
            case OrderWarned() | OrderEscalated() | OrderBreached():
                found[fact.order].marks.append((at, fact))
    return found


def played(size: int = 1, people: int = 1) -> tuple[FastDesk, Clerks]:
    made = day(SEED, size)
    clerks = Clerks(SEED, people=staff(people))
    return play(made, clerks, made.ends), clerks


@pytest.fixture(scope="module")
def usual() -> FastDesk:
    return played()[0]


def test_at_ten_times_the_volume_every_order_is_decided_or_escalated_before_its_two_hours() -> None:  # O6; Must show 3
    desk, _ = played(TEN_TIMES, TEN_TIMES)
    found = waits(desk)
    assert len(found) > 10_000
    in_time = [wait for wait in found.values() if wait.decided_at is not None and wait.decided_at <= wait.due_at]
    still = [wait for wait in found.values() if wait.decided_at is None]
    assert all(wait.due_at > desk.at for wait in still), "what waits is not due"
    assert len(in_time) + len(still) == len(found), "none is late at all"
    assert desk.said(OrderBreached) == []
    assert len(desk.said(OrderEscalated)) < len(found) // 100


def test_with_too_few_people_none_is_silently_late() -> None:  # O6
    made = day(SEED)
    clerks = Clerks(SEED, people=staff()[:2])
    desk = play(made, clerks, made.ends)
    late = {
        name: wait for name, wait in waits(desk).items() if wait.due_at <= min(wait.decided_at or desk.at, desk.at)
    }  # fmt: skip
    assert len(late) > 100
    for name, wait in late.items():
        said = [type(fact) for _, fact in wait.marks]
        assert said[-4:] == [OrderWarned, OrderEscalated, OrderBreached, OrderEscalated], name
        assert [at for at, fact in wait.marks if isinstance(fact, OrderBreached)] == [wait.due_at], name


def test_the_same_seed_is_the_same_day(usual: FastDesk) -> None:
    assert played()[0].journal == usual.journal


def test_nobody_does_two_things_at_once_or_works_when_the_desk_is_closed(usual: FastDesk) -> None:
    names = {clerk.name for clerk in staff()}
    deeds: dict[str, list[dt.datetime]] = defaultdict(list)
    for at, _, fact in usual.journal:
        if getattr(fact, "by", "") in names:
            deeds[fact.by].append(at)  # type: ignore[attr-defined]
    assert len(deeds) > len(names) // 2
    for done in deeds.values():
        pauses = [later - sooner for sooner, later in itertools.pairwise(done)]
        assert min(pauses) >= dt.timedelta(seconds=TAKES_S[0])
        assert all(is_open(HOURS.calendar, at - dt.timedelta(seconds=TAKES_S[1])) or at.hour < 9 for at in done)


def test_two_people_never_have_one_order_in_hand() -> None:
    desk, _ = played()
    refused = [fact for fact in desk.said(orders.CommandRefused) if fact.reason == "not_waiting"]
    assert len(refused) <= 3, "only what cleared by itself while somebody looked at it"


def test_everybody_stays_within_their_authority(usual: FastDesk) -> None:  # A6
    reasons = {fact.reason for fact in usual.said(orders.CommandRefused)}
    assert not reasons & {"no_authority", "beyond_authority", "not_overridable", "no_higher_level"}


def test_the_desk_does_a_bit_of_everything(usual: FastDesk) -> None:  # O5
    by_people = {type(fact).__name__ for _, _, fact in usual.journal if "." in getattr(fact, "by", "")}
    assert by_people >= {"OrderReleased", "OrderRejected", "OrderReferred", "OrderAsked", "OrderNoted"}
