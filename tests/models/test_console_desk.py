"""What the desk shows and what a person may wish there (V1, O5, O6, A6): values in, words and wishes out."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from contracts import orders
from contracts.accounts import Terms
from contracts.envelope import encode_value
from services.console import acting, desk, explaining, order, showing
from services.console.acting import Unfit, Wish
from services.console.explaining import Case
from services.console.following import Account, Order
from services.console.people import Person
from services.console.queue import Filter
from services.console.said import Said
from services.console.wishes import Outcome
from shared.credit.rulebook import SHIPPED, Policies, adopted_from
from tests.console.facts import START, decision

NOBODY_ADOPTED = Policies("")
ROSE = Person("rose", "Rose Osei", "controller", "home")
TOM = Person("tom", "Tom Ibarra", "team_leader", "home")
SAL = Person("sal", "Sal Greene", "sales", "home")
NOW = dt.datetime(2027, 1, 13, 10, 0, tzinfo=dt.UTC)  # a Wednesday, ten in London


def account(**changed: Any) -> Account:
    fields: dict[str, Any] = {"account": "acme", "home": "acme", "name": "Acme", "currency": "GBP", "status": "open"}
    return Account(**fields | {"limit_minor": 100_000} | changed)


def waiting(**changed: Any) -> Order:
    fields: dict[str, Any] = {
        "order": "web/1", "account": "acme", "home": "acme", "reference": "1", "status": "held", "currency": "GBP",
        "total_minor": 150_000, "waiting_minor": 150_000, "checks": ("static_limit",),
        "from_at": NOW - dt.timedelta(hours=1), "due_at": NOW + dt.timedelta(hours=1),
        "decision": encode_value(decision(150_000)),
    }  # fmt: skip
    return Order(**fields | changed)


def row(of: Order | None = None, at: dt.datetime = NOW, owner: Account | None = None, group: Any = ()) -> showing.Row:
    return showing.row_of(of or waiting(), owner or account(), group, NOBODY_ADOPTED, at)


# --- time left --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "left_min", "used", "tone"),
    [
        (NOW - dt.timedelta(minutes=30), 90, 25, ""),
        (NOW, 60, 50, "warn"),
        (NOW + dt.timedelta(minutes=50), 10, 91, "bad"),
        (NOW + dt.timedelta(minutes=72), -12, 100, "bad"),
    ],
)
def test_time_left_is_grey_then_amber_then_red(at: dt.datetime, left_min: int, used: int, tone: str) -> None:  # O6
    clock = row(at=at).clock
    assert clock is not None
    assert (clock.left, clock.used, clock.tone) == (dt.timedelta(minutes=left_min), used, tone)


def test_time_left_is_working_time() -> None:  # O6
    friday = dt.datetime(2027, 1, 15, 17, 30, tzinfo=dt.UTC)
    monday = dt.datetime(2027, 1, 18, 9, 30, tzinfo=dt.UTC)
    clock = row(waiting(from_at=friday, due_at=monday), at=friday + dt.timedelta(hours=5)).clock
    assert clock is not None
    assert (clock.left, clock.used, clock.runs) == (dt.timedelta(minutes=90), 25, False)


def test_an_order_that_waits_no_more_has_no_clock() -> None:
    assert row(waiting(status="released")).clock is None


def test_a_clock_of_no_length_is_over() -> None:
    clock = row(waiting(from_at=NOW, due_at=NOW)).clock
    assert clock is not None and (clock.used, clock.tone) == (100, "bad")


# --- why, and how much ------------------------------------------------------------------------------------------------


def chips(*checks: str, **inputs: Any) -> list[tuple[str, str]]:
    held = encode_value(decision(150_000, checks, **inputs))
    return [(chip.text, chip.tone) for chip in row(waiting(decision=held)).chips]


def test_reasons_are_short_and_the_gravest_comes_first() -> None:  # V1
    assert chips("po_number", "order_value", "static_limit") == [
        ("over limit 500", "bad"),
        ("PO missing", "warn"),
        ("above standard order", ""),
    ]


def test_two_limits_that_say_the_same_are_one_chip() -> None:
    assert chips("static_limit", "dynamic_limit") == [("over limit 500", "bad")]


def test_over_by_a_penny_is_not_shown_as_over_by_nothing() -> None:
    finding = orders.Finding(check="static_limit", measured=100_001, threshold=100_000)
    held = replace(decision(), held_by=(finding,))
    assert showing.chips_of(held)[0].text == "over limit 1"


def test_the_bar_shows_what_is_owed_this_order_and_the_limit() -> None:
    bar = row(owner=account(open_minor=40_000)).bar
    assert (bar.owed_minor, bar.limit_minor, bar.over_minor, bar.shared) == (40_000, 100_000, 90_000, False)
    assert bar.owed < bar.limit < bar.owed + bar.order <= 100


def test_the_bar_is_the_groups_where_that_is_tighter() -> None:  # O2.3
    root = account(account="root", home="root", limit_minor=50_000, open_minor=30_000)
    child = account(home="root", parent="root", open_minor=10_000)
    bar = row(waiting(home="root"), owner=child, group=(root, child)).bar
    assert (bar.owed_minor, bar.limit_minor, bar.shared) == (40_000, 50_000, True)


def test_nothing_owed_and_no_limit_still_draw_a_bar() -> None:
    bar = row(waiting(waiting_minor=0), owner=account(limit_minor=0, open_minor=-5_000)).bar
    assert (bar.owed, bar.order, bar.limit) == (0, 0, 0)


def test_an_escalation_is_told_beside_the_level() -> None:  # O6
    assert row(waiting(told="team_leader")).escalated == "team_leader"
    assert row(waiting(told="director", level="director")).escalated == ""


# --- wishes -----------------------------------------------------------------------------------------------------------

FORMS: list[tuple[dict[str, str], orders.Command]] = [
    ({"do": "release", "text": " ok "}, orders.ReleaseOrder(order="web/1", account="acme", reason="ok")),
    ({"do": "refer", "text": "big"}, orders.ReferOrder(order="web/1", account="acme", reason="big")),
    (
        {"do": "refer", "text": "big", "level": "director"},
        orders.ReferOrder(order="web/1", account="acme", reason="big", level="director"),
    ),
    ({"do": "reject", "text": "no"}, orders.RejectOrder(order="web/1", account="acme", reason="no")),
    ({"do": "ask", "text": "PO?"}, orders.AskCustomer(order="web/1", account="acme", question="PO?")),
    ({"do": "note", "text": "rang"}, orders.NoteOrder(order="web/1", account="acme", note="rang")),
    (
        {"do": "split", "text": "half", "part": "1,000.50"},
        orders.SplitOrder(order="web/1", account="acme", release_minor=100_050, reason="half"),
    ),
    ({"do": "take"}, orders.AssignOrder(order="web/1", account="acme", owner="rose")),
    ({"do": "assign", "owner": "tom"}, orders.AssignOrder(order="web/1", account="acme", owner="tom")),
    ({"do": "rank", "rank": "2"}, orders.RankOrder(order="web/1", account="acme", rank=2)),
]


@pytest.mark.parametrize(("form", "command"), FORMS)
def test_each_form_becomes_its_command(form: dict[str, str], command: orders.Command) -> None:  # O5
    assert acting.command_of(acting.wish_of(form), waiting(), ROSE) == command


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"do": "destroy"}, "no such action"),
        ({"do": "release", "text": "  "}, "Say why it may go"),
        ({"do": "ask"}, "Write the question"),
        ({"do": "note", "text": "x" * 501}, "At most 500 characters"),
        ({"do": "split", "text": "a", "part": "lots"}, "The part: 'lots' is no amount; write it as 15,000"),
        ({"do": "split", "text": "a", "part": "1500"}, "less than the 1,500.00 that wait"),
        ({"do": "split", "text": "a", "part": "-1"}, "more than nothing"),
        ({"do": "assign", "owner": ""}, "Say whom"),
        ({"do": "rank", "rank": "first"}, "number from 1"),
        ({"do": "rank", "rank": "99999"}, "number from 1"),
    ],
)
def test_a_form_that_is_no_wish_says_what_is_missing(form: dict[str, str], words: str) -> None:
    with pytest.raises(Unfit, match=words):
        acting.command_of(acting.wish_of(form), waiting(), ROSE)


def test_only_small_orders_are_released_among_others() -> None:
    usual = account(terms=encode_value(Terms(standard_order_minor=150_000)))
    assert acting.safe_in_bulk(row(owner=usual))
    assert not acting.safe_in_bulk(row(waiting(waiting_minor=150_001), owner=usual))
    assert not acting.safe_in_bulk(row(waiting(level="director"), owner=usual))
    assert not acting.safe_in_bulk(row(waiting(checks=("not_on_stop",)), owner=usual))
    own = SHIPPED[0].policy["authority"][0]["maximum_minor"]  # type: ignore[index]
    assert acting.safe_in_bulk(row(waiting(waiting_minor=own)))
    assert not acting.safe_in_bulk(row(waiting(waiting_minor=own + 1)))


def test_what_became_of_it_is_told_in_words() -> None:
    done = Outcome("done", "Done: referred.", "referred", {"level": "team_leader"})
    told = acting.told_of(Wish("refer", "big"), waiting(), done)
    assert (told.text, told.tone, told.ended) == ("1 is referred: it waits for the team leader.", "ok", False)
    assert acting.told_of(Wish("release", "ok"), waiting(), Outcome("done", "", "released")).ended
    late = acting.told_of(Wish("release", "ok"), waiting(), Outcome("refused", "It waits no more."), "It was released by Tom.")
    assert (late.text, late.tone) == ("1: It waits no more. It was released by Tom.", "bad")


def test_many_outcomes_are_told_as_one_with_those_that_did_not_go() -> None:
    one, two, three = (waiting(order=f"web/{n}", reference=str(n)) for n in range(1, 4))
    told = acting.told_of_many(Wish("release", "ok"), [(one, Outcome("done", "")), (two, Outcome("refused", "No."))], [three])
    assert (told.text, told.tone) == ("1 of 3 released.", "warn")
    assert told.lines == ("2: No.", "3: look at it alone, it may not be released among others.")


# --- authority --------------------------------------------------------------------------------------------------------


def test_what_a_role_may_is_told_with_the_way_up() -> None:  # A6
    small, large, huge = row(), row(waiting(waiting_minor=2_000_000)), row(waiting(waiting_minor=20_000_000))
    assert acting.may(ROSE, small, ()).release
    assert acting.may(ROSE, small, ()).up == "team_leader"
    refused = acting.may(ROSE, large, ())
    assert (refused.release, refused.why_not, refused.up) == (False, "needs a team leader", "team_leader")
    assert acting.may(TOM, large, ()).release
    assert acting.may(TOM, huge, ()).up == "director"
    assert acting.may(SAL, small, ()).why_not == "your role releases no orders"
    assert refused.split  # a part that is small enough may go
    stopped = acting.may(TOM, small, ("not_on_stop",))
    assert (stopped.release, stopped.split, stopped.nobody) == (False, False, True)
    assert stopped.why_not == "nobody releases while the account is on stop"
    assert not refused.nobody


def test_an_order_that_was_referred_needs_that_level_whatever_its_value() -> None:
    referred = row(waiting(level="director"))
    assert acting.may(TOM, referred, ()).why_not == "needs a director"
    assert not acting.may(TOM, referred, ()).split
    assert acting.may(TOM, referred, ()).levels == ()


# --- explained --------------------------------------------------------------------------------------------------------


def test_all_sixteen_checks_are_told_with_their_figures() -> None:  # O10
    checks = {check.check: check for check in _explained(decision(150_000, exposure_minor=1_000)).checks}
    assert len(checks) == 16
    assert (checks["static_limit"].mark, checks["static_limit"].figures) == ("x", "1,510.00 > 1,000.00")
    assert (checks["oldest_overdue"].mark, checks["oldest_overdue"].figures) == ("v", "0 d ≤ 30 d")
    assert checks["dunning_level"].figures == "0 < 3"
    assert checks["broken_promises"].figures == "0 < 2"


def test_days_are_told_as_days() -> None:
    found = _explained(decision(1, (), review_due_on=dt.date(2010, 11, 3), limit_expires_on=dt.date(2011, 1, 5)))
    checks = {check.check: check for check in found.checks}
    assert (checks["review_overdue"].mark, checks["review_overdue"].figures) == ("x", "due 3 Nov 2010")
    assert (checks["limit_expired"].mark, checks["limit_expired"].figures) == ("v", "to 5 Jan 2011")
    assert checks["insurance"].figures == "none is required"


def test_every_check_says_a_measure_that_is_true_to_its_own_sentence() -> None:  # O10
    usual = {check.check: (check.mark, check.figures) for check in _explained(decision(1, ())).checks}
    assert all(figures for _, figures in usual.values()), usual
    assert usual["not_on_stop"] == ("v", "not on stop")
    assert usual["po_number"] == ("v", "not required")
    assert usual["order_value"] == ("v", "no standard order is set")
    assert usual["cash_on_delivery"] == ("v", "not on cash on delivery")
    assert usual["limit_expired"] == ("v", "no end")
    stopped = {check.check: (check.mark, check.figures) for check in _explained(decision(1, (), status="on_stop")).checks}
    assert stopped["account_open"] == ("v", "open, though on stop")
    assert stopped["not_on_stop"] == ("x", "on stop")
    asked = {check.check: (check.mark, check.figures) for check in _explained(decision(1, (), po_required=True)).checks}
    assert asked["po_number"] == ("x", "missing, and required")


def _explained(of: orders.Decision) -> explaining.Explained:
    found = explaining.explained(_said(orders.OrderHeld(order="web/1", account="acme", decision=of)), NOBODY_ADOPTED)
    assert found is not None
    return found


def _said(data: Any) -> Said:
    return Said("f", "orders.order_held.v1", START, "/orders/0", 1, "acme", "web/1", "", "", "", "", data)


def test_a_decision_by_a_policy_that_is_not_known_is_told_without_checks() -> None:
    foreign = replace(decision(), policy="2030-strange:000000000000")
    found = _explained(foreign)
    assert (found.checks, found.remedy) == ((), None)
    strange = adopted_from({**SHIPPED[0].policy, "version": "strange"})
    known = Policies("", (strange,))
    named = replace(decision(), policy=f"strange:{strange.digest}")
    again = explaining.explained(_said(orders.OrderHeld(order="web/1", account="acme", decision=named)), known)
    assert again is not None and len(again.checks) == 16


def test_a_fact_without_a_decision_explains_nothing() -> None:
    assert (
        explaining.explained(_said(orders.OrderNoted(order="web/1", account="acme", note="", by="rose")), NOBODY_ADOPTED) is None
    )


def test_what_holds_it_now_may_be_other_than_what_held_it_then() -> None:  # V1
    then = decision(150_000)
    paid = account(limit_minor=200_000)
    now = explaining.explained_now(then, Case("web/1", 150_000, "", paid, (), ()), NOBODY_ADOPTED, NOW)
    assert now.clear and now.changed == {"static_limit"}
    late = [(NOW.date() - dt.timedelta(days=40), 5_000, 0)]
    worse = explaining.explained_now(then, Case("web/1", 150_000, "", account(open_minor=5_000), (), late), NOBODY_ADOPTED, NOW)
    assert {finding.check for finding in worse.decision.held_by} == {
        "static_limit", "dynamic_limit", "oldest_overdue", "overdue_share",
    }  # fmt: skip


# --- addresses --------------------------------------------------------------------------------------------------------


def test_a_view_is_its_address_and_an_address_its_view() -> None:
    view = desk.view_of({"q": " acme ", "reason": "po_number", "order": "web/1", "after": "7~web/0"}, ROSE)
    assert view.wanted == Filter(reason="po_number", text="acme")
    assert view.query() == "/desk?reason=po_number&after=7~web%2F0&order=web%2F1&q=acme"
    assert view.query(after="", order="") == "/desk?reason=po_number&q=acme"
    assert desk.view_of({"seen": "north"}, replace(ROSE, portfolios=("south",))).wanted.seen == ("south",)


def test_a_place_comes_back_from_its_token_and_nonsense_is_no_place() -> None:
    token = desk.token_of(waiting())
    place = desk.place_of(token)
    assert place is not None and (place.due_at, place.order) == (waiting().due_at, "web/1")
    for nonsense in ("", "~", "x~web/1", "9" * 30 + "~a", "999999999999999999~a"):
        assert desk.place_of(nonsense) is None


def test_a_moment_is_the_persons_own_and_its_minute_counts_whole() -> None:  # V7
    london = ZoneInfo("Europe/London")
    now = dt.datetime(2027, 7, 1, 13, 2, 30, tzinfo=dt.UTC)
    summer = order.as_of("2027-07-01T14:02", london, now)
    assert summer is not None
    assert summer.astimezone(dt.UTC) == dt.datetime(2027, 7, 1, 13, 2, 59, 999_999, tzinfo=dt.UTC)
    assert order.as_of("yesterday", london, now) is None
    assert order.as_of("2027-07-01T14:03", london, now) is None, "it is not past yet"
