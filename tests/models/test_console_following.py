"""The console follows the order desk's facts to the same rows as the desk itself: before every decision its own figures are
those that the decision was made of (F1, V1)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts import orders
from contracts.envelope import Envelope
from contracts.message import Message
from services.console.following import FOLLOWED, UNRANKED, View, follow
from services.console.position import inputs_now
from shared.credit.rulebook import Policies, find_book
from tests.console.facts import clock, told
from tests.models.orders_desk import START, Desk, desk_with, opened, order, overdue_invoice, release
from tests.models.test_orders_properties import group, play, steps

CLOCK = clock(START + dt.timedelta(hours=2))


def facts_of(desk: Desk) -> list[Envelope]:
    said = [(at, home, fact) for at, home, fact in desk.journal if isinstance(fact, FOLLOWED)]
    return [told(fact, n, at, home) for n, (at, home, fact) in enumerate(said, start=1)]


def followed(desk: Desk, checked: bool = True) -> View:
    view = View({}, {})
    for fact in facts_of(desk):
        if checked and (decision := getattr(fact.data, "decision", None)) is not None:
            assert _seen_now(view, fact.data.account, decision, desk.policies()) == replace(decision.inputs, behind_queue=False)
        follow(view, fact)
    return view


def _seen_now(view: View, name: str, decision: orders.Decision, adopted: Policies | None) -> orders.Inputs:
    account = view.accounts[name]
    group = [each for each in view.accounts.values() if each.home == account.home and each.currency]
    debts = sorted((day, *minor) for (of, day), minor in view.debts.items() if of == name and any(minor))
    book = find_book(adopted, decision.policy)
    assert book is not None
    inputs = decision.inputs
    rules = book.rules("", name, inputs.portfolio, inputs.risk_class)
    return inputs_now(inputs, account, group, debts, rules, inputs.on)


def waiting(value: int = 200_000, **given: Any) -> list[Message]:
    desk = desk_with()
    desk.do(order("web/1", value))
    fact = desk.said(orders.OrderHeld) or desk.said(orders.OrderReferred)
    return [opened_note(desk), _with_clock(fact[0], given.get("clock", CLOCK))]


def opened_note(desk: Desk) -> Message:
    return desk.said(orders.StandingNoted)[0]


def _with_clock(fact: Any, given: orders.Clock | None) -> Message:
    return type(fact)(**{name: getattr(fact, name) for name in fact.__struct_fields__} | {"clock": given})


def view_of(messages: list[Message]) -> View:
    view = View({}, {})
    for n, message in enumerate(messages, start=1):
        follow(view, told(message, n, START + dt.timedelta(minutes=n)))
    return view


@settings(max_examples=80, deadline=None)
@given(st.lists(steps, max_size=25))
def test_whatever_happens_the_console_stands_where_the_desk_stands(story: list[Any]) -> None:
    desk = group()
    play(desk, story)
    view = followed(desk)
    for account, row in view.accounts.items():
        position, standing = desk.position(account), desk.standing(account)
        for name in ("open_minor", "unbilled_minor", "reserved_minor", "disputed_minor", "waiting", "waiting_minor"):
            assert getattr(row, name) == getattr(position, name), (account, name)
        assert (row.status, row.limit_minor, row.name) == (standing.status, standing.limit_minor, standing.name)
    for name, known in view.orders.items():
        ours = desk.order(name)
        assert (known.waits, known.level, known.owner, known.recalled) == (ours.waiting, ours.level, ours.owner, ours.recalled)
        assert known.rank == ours.rank or not known.waits
        assert (known.reserved_minor, known.unbilled_minor, known.waiting_minor) == (
            ours.reserved_minor,
            ours.unbilled_minor,
            ours.waiting_minor,
        )


@settings(max_examples=30, deadline=None)
@given(st.lists(steps, max_size=20))
def test_facts_that_come_again_change_nothing(story: list[Any]) -> None:
    desk = group()
    play(desk, story)
    view = followed(desk)
    stood = dict(view.accounts), dict(view.orders), dict(view.debts)
    for fact in facts_of(desk):
        follow(view, fact)
    assert (view.accounts, view.orders, dict(view.debts)) == stood


def test_a_held_order_waits_with_its_clock_its_reasons_and_what_it_is_made_of() -> None:  # V1, O6
    view = view_of(waiting())
    row = view.orders["web/1"]
    assert row.waits
    assert (row.warn_at, row.escalate_at, row.due_at) == (CLOCK.warn_at, CLOCK.escalate_at, CLOCK.due_at)
    assert row.checks == ("static_limit", "dynamic_limit")
    assert (row.exposure_minor, row.limit_minor, row.waiting_minor) == (0, 100_000, 200_000)
    assert row.decision is not None and row.placed is not None
    assert (row.reference, row.level, row.rank) == ("1", "", UNRANKED)


def test_an_order_without_a_clock_has_two_hours_from_its_receipt() -> None:  # O6
    assert view_of(waiting(clock=None)).orders["web/1"].due_at == START + dt.timedelta(hours=2)


def test_marks_of_the_clock_are_kept_and_begin_anew_with_another_clock() -> None:  # O6
    said = waiting()
    due = {"order": "web/1", "account": "acme", "due_at": CLOCK.due_at}
    warned = [*said, orders.OrderWarned(**due)]
    assert view_of(warned).orders["web/1"].mark == "warn"
    escalated = [*warned, orders.OrderEscalated(level="team_leader", mark="escalate", **due)]
    row = view_of(escalated).orders["web/1"]
    assert (row.mark, row.told) == ("escalate", "team_leader")
    breached = [*escalated, orders.OrderBreached(**due)]
    assert view_of(breached).orders["web/1"].mark == "breach"
    assert sum(day.breached for day in view_of(breached).days.values()) == 1
    later = clock(CLOCK.due_at + dt.timedelta(hours=1))
    again = view_of([*breached, _with_clock(said[1], later)]).orders["web/1"]
    assert (again.mark, again.told, again.since) == ("", "", START + dt.timedelta(minutes=2))


def test_a_person_who_refers_leaves_the_clock_and_the_reasons_as_they_are() -> None:  # O5
    referred = orders.OrderReferred(order="web/1", account="acme", level="director", by="rita", reason="too much for me")
    row = view_of([*waiting(), referred]).orders["web/1"]
    assert (row.status, row.level, row.due_at) == ("referred", "director", CLOCK.due_at)
    assert row.checks == ("static_limit", "dynamic_limit")


def test_who_asked_and_who_has_it_is_known() -> None:  # O5
    asked = orders.OrderAsked(order="web/1", account="acme", question="PO?", by="rita")
    taken = orders.OrderAssigned(order="web/1", account="acme", owner="rita", by="rita")
    row = view_of([*waiting(), asked, taken]).orders["web/1"]
    assert (row.asked_at, row.owner) == (START + dt.timedelta(minutes=3), "rita")


def test_a_released_order_waits_no_more_and_drops_what_only_the_queue_needs() -> None:
    desk = desk_with(opened(limit_minor=1_000))
    desk.do(order("web/1", 2_000))
    desk.do(release("web/1"), role="director")
    row = followed(desk).orders["web/1"]
    assert (row.waits, row.status, row.decision, row.checks, row.decided_by) == (False, "released", None, (), "anna")


def test_a_day_counts_each_order_once_by_how_it_was_decided() -> None:
    desk = desk_with(opened(limit_minor=1_000))
    desk.do(order("web/1", 500))
    desk.do(order("web/2", 2_000))
    desk.do(order("web/3", 3_000))
    desk.do(release("web/2"), role="director")
    desk.do(orders.RejectOrder(order="web/3", account="acme", reason="no"), role="director")
    [day] = followed(desk).days.values()
    assert (day.received, day.at_once, day.by_people, day.rejected, day.cleared) == (3, 1, 1, 1, 0)


def test_debts_are_kept_by_the_day_they_fall_due() -> None:
    desk = desk_with()
    desk.do(overdue_invoice("i1", 700, days=12))
    view = followed(desk)
    assert list(view.debts.values()) == [[700, 0]]
