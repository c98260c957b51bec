"""What the ops page makes of figures: one state per instance, the worst for its service, shares that are never made up (V5)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec
import pytest

from services.console import app, ops, pages
from services.console.app import SERVICE
from services.console.clock import Pace
from services.console.drift import Lag
from services.console.people import Person
from tests.console.desk_facts import NINE
from tests.console.facts import START, held, noted, told

OTTO = Person("otto", "Otto Brandt", "ops", "home")


def row(service: str, instance: str, ready: bool = True, silent: bool = False, **figures: float) -> dict[str, Any]:
    told = msgspec.json.encode(figures).decode()
    return {"service": service, "instance": instance, "seen_at": NINE, "asked_at": NINE, "ready": ready, "silent": silent,
            "problem": "" if ready else "does not answer (ConnectError)", "figures": told}  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, ("running", "ok")),
        ({"lag": 999}, ("running", "ok")),
        ({"lag": 1_000}, ("behind", "warn")),
        ({"lag": 5_000}, ("behind", "bad")),
        ({"oldest_s": 2.0}, ("behind", "warn")),
        ({"outbox_s": 11.0}, ("not published", "bad")),
        ({"timers_late_s": 6.0}, ("timers late", "warn")),
        ({"parked": 1}, ("look", "warn")),
        ({"quarantine": 1}, ("look", "warn")),
    ],
)
def test_an_instance_is_in_the_state_that_matters_most(figures: dict[str, float], said: tuple[str, str]) -> None:
    assert ops.state_of(figures, ready=True, silent=False) == said


def test_one_that_does_not_answer_is_silent_whatever_it_said_last() -> None:
    assert ops.state_of({"lag": 9_999}, ready=True, silent=True) == ("silent", "bad")
    assert ops.state_of({}, ready=False, silent=False) == ("not ready", "bad")


def test_counts_of_instances_add_up_and_the_worst_age_counts() -> None:
    [orders] = ops.services(
        [row("orders", "a", lag=3, oldest_s=0.5, handled_s=10), row("orders", "b", lag=4, oldest_s=0.1, handled_s=20)]
    )
    assert orders.figures == {"lag": 7, "oldest_s": 0.5, "handled_s": 30}
    assert (orders.state, orders.ready, len(orders.instances)) == ("running", 2, 2)


def test_a_silent_instance_counts_for_nothing_and_its_service_says_how_many_are() -> None:
    [orders] = ops.services([row("orders", "a", handled_s=10), row("orders", "b", ready=False, silent=True, handled_s=99)])
    assert orders.figures == {"handled_s": 10}
    assert (orders.state, orders.tone, orders.ready) == ("1 silent", "bad", 1)


def test_a_service_of_which_nobody_answers_is_silent_and_has_no_figures() -> None:
    [orders] = ops.services([row("orders", "a", ready=False, silent=True, lag=5)])
    assert (orders.state, orders.figures, orders.seen_at) == ("silent", {}, NINE)


@pytest.mark.parametrize(("p99", "colour"), [(None, ""), (50.0, ""), (50.1, "warn"), (250.1, "bad")])
def test_a_decision_time_is_coloured_by_its_budget(p99: float | None, colour: str) -> None:
    assert ops.decision_tone(p99) == colour


def test_a_window_says_rates_percentiles_clocks_and_reasons() -> None:
    window = ops.window_of(
        "north", 60,
        {"received": 10, "released_at_once": 7, "held": 3, "met": 2, "met_escalated": 1, "missed": 1, "by:on_stop": 1,
         "by:static_limit": 3, "settled:60": 3, "settled:150": 1, "decided:10": 10},
        NINE,
    )  # fmt: skip
    assert (window.at_once, window.in_time) == (0.7, 0.75)
    assert window.reasons == [("static_limit", 3), ("on_stop", 1)]
    assert window.settled_p50 is not None and 45 < window.settled_p50 <= 60
    assert window.settled_p99 is not None and 120 < window.settled_p99 <= 150
    assert window.decided_p99_ms is not None and 5 < window.decided_p99_ms <= 10


NOTHING: dict[str, Any] = {
    "services": [], "desk": ops.Figures(), "silent": [], "parked": [], "asked": False, "sums": Counter(), "in_time": None,
    "ahead": ops.Ahead(0, 0, 0, 0, Pace(0)),
    "hours": [], "why": [], "counted": [], "last_hour": 0, "windows": [], "worker": Lag(None, 0, 0, 1, 0, NINE), "compared": None,
    "may_mend": True, "event_time": False, "tone": ops.tone, "decision_tone": ops.decision_tone, "budget_ms": 50.0,
}  # fmt: skip


def shown(**values: Any) -> str:
    around = {
        "person": OTTO, "path": "/ops", "now": NINE, "zone": ZoneInfo("Europe/London"), "theme": "auto", "navigation": {},
        "csrf": lambda: "", "heard": "", "past_day": "", "no_past_day": "", "done": None,
    }  # fmt: skip
    text: str = pages.templates().get_template("ops.html").render(**around, **NOTHING | values)
    return text


def test_a_house_of_which_nothing_is_known_has_a_page_that_says_what_to_do() -> None:
    page = shown()
    assert "QUITTANCE_INSTANCES names none" in page
    assert "has not started" in page
    assert "Nothing was decided today." in page


def test_an_instance_that_just_started_has_no_rates_and_a_row() -> None:
    services = ops.services([row("orders", "a"), row("accounts", "b", ready=False, silent=True)])
    page = shown(services=services, desk=services[0].figures, silent=[services[1]], asked=True)
    assert "1 of 1" in page
    assert "figures are stale since 09:00:00" in page


def test_what_is_parked_or_in_quarantine_leads_to_what_it_is_made_of() -> None:  # V5
    [orders] = ops.services([row("orders", "a", parked_groups=2, parked=9, quarantine=1)])
    page = shown(services=[orders], parked=[orders], asked=True)
    assert page.count('href="/ops/parked#orders"') == 2
    assert '<a href="/ops/parked">Parked accounts</a>' in page


def test_what_will_breach_at_the_desks_pace_stands_beside_what_did() -> None:  # O6, V5
    page = shown(ahead=ops.Ahead(40, 9, 3, 12, Pace(20)), sums=Counter(breached=2))
    assert "2 breached today, 12 predicted" in page
    assert 'Predicted to breach at the desk\'s pace</a></dt><dd class="warn-text">12</dd>' in page
    assert "20 decided by people, reckoned as 20 an hour" in page


@pytest.mark.stack
async def test_the_forecast_is_the_desks_own_and_of_the_persons_portfolios(database: str) -> None:  # O6, V1
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(SERVICE.schema.read_text())
        soon = [held(f"a/{n:02}", due_at=START + dt.timedelta(minutes=10)) for n in range(20)]
        over = held("a/over", due_at=START - dt.timedelta(minutes=1))
        for n, message in enumerate([noted(), noted("north", "north"), over, *soon, held("n/1", "north")], start=1):
            await app.project(connection, [told(message, n, START, message.account)])
        found = await ops.ahead(connection, (), START)
        assert (found.waiting, found.late, found.predicted) == (22, 1, 19)
        assert (await ops.ahead(connection, ("north",), START))[:4] == (1, 0, 0, 0)
    finally:
        await connection.close()


def test_windows_of_a_dead_worker_are_shown_with_their_age() -> None:
    later = NINE + dt.timedelta(minutes=5)
    page = shown(windows=[ops.window_of("north", 60, {"received": 7}, NINE)], worker=Lag(NINE, 12, 1, 1, 1, later))
    assert "Stale since 09:00:00" in page
    assert "stale since 09:00" in page


def test_of_nothing_there_is_no_share() -> None:
    window = ops.window_of("north", 15, {}, NINE)
    assert (window.at_once, window.in_time, window.settled_p50, window.reasons) == (None, None, None, [])


def test_a_day_begins_in_the_persons_zone() -> None:
    summer = dt.datetime(2026, 7, 1, 9, 30, tzinfo=dt.UTC)
    assert ops.day_of(summer, OTTO) == dt.datetime(2026, 6, 30, 23, 0, tzinfo=dt.UTC)
    assert ops.hour_after(summer) == dt.datetime(2026, 7, 1, 10, 0, tzinfo=dt.UTC)
