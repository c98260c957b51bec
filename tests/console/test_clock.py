"""The desk's pace on a real PostgreSQL, and what follows from it: predicted breaches, the day's clocks by hour (O6, V1, V5)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from contracts import orders
from contracts.message import Message
from services.console import app, clock, queue
from services.console.clock import PACE_MIN, Pace
from services.console.following import Order
from shared.credit.clocks import Desk, Week, hours_of
from shared.credit.rulebook import SHIPPED, Rulebook
from tests.console.facts import START, held, noted, released, told
from tests.explaining import Explaining

pytestmark = pytest.mark.stack

SCHEMA = Path(app.__file__).with_name("schema.sql")
LONDON = ZoneInfo("Europe/London")
HOURS = hours_of(Desk(), LONDON)
OPEN = clock.Openings(HOURS)
MORNINGS = "08:00-09:30"
SCOT = hours_of(Desk(hours=Week(**dict.fromkeys(Week.__struct_fields__, MORNINGS))), LONDON)
BOTH = clock.Openings(HOURS, {"scot": SCOT})
"""Orders of `scot` are worked on until half past nine."""
ALL: tuple[str, ...] = ()
SIXTY = Pace(60)


@pytest.fixture
def desk(console: asyncpg.Connection) -> asyncpg.Connection:
    return console


class Said:
    """Facts of one writer, in order."""

    def __init__(self, desk: asyncpg.Connection) -> None:
        self._desk, self._n = desk, 0

    async def say(self, messages: Sequence[Message], at: dt.datetime = START) -> None:
        for message in messages:
            self._n += 1
            await app.project(self._desk, [told(message, self._n, at, getattr(message, "account", "acme"))])


def in_minutes(minutes: float) -> dt.datetime:
    return START + dt.timedelta(minutes=minutes)


def rejected(name: str, by: str = "rita", account: str = "acme") -> orders.OrderRejected:
    return orders.OrderRejected(order=name, account=account, by=by, reason="no")


# --- pace -----------------------------------------------------------------------------------------------------------


async def test_the_pace_is_what_people_finally_decided_in_the_last_working_hour(desk: asyncpg.Connection) -> None:  # O6
    said = Said(desk)
    names = [f"web/{n}" for n in range(40)]
    await said.say([noted(), *(held(name) for name in names)])
    await said.say([released(names[0], at_once=False, by="rita")], in_minutes(-30))
    for n, name in enumerate(names[1:21]):
        await said.say([rejected(name) if n % 2 else released(name, at_once=False, by="rita")], in_minutes(n + 1))
    await said.say([released(names[39], at_once=False)], in_minutes(31))
    found = await clock.pace(desk, ALL, in_minutes(45), OPEN)
    assert (found.decided, found.per_hour) == (20, 20)
    assert (await clock.pace(desk, ("south",), in_minutes(45), OPEN)).decided == 0


def test_a_desk_that_has_done_nothing_is_trusted_with_one_persons_pace() -> None:
    assert (Pace(0).per_hour, Pace(11).per_hour, Pace(400).per_hour) == (PACE_MIN, PACE_MIN, 400)


@pytest.mark.parametrize(
    ("now", "since"),
    [
        ((2026, 3, 2, 11), (2026, 3, 2, 10)),
        ((2026, 3, 2, 8, 20), (2026, 2, 27, 17, 20)),  # Monday morning: the rest of the hour was on Friday
        ((2026, 3, 1, 12), (2026, 2, 27, 17)),
        ((2026, 4, 7, 8, 30), (2026, 4, 2, 17, 30)),  # after Easter
    ],
)
def test_the_last_working_hour_may_have_been_days_ago(now: Any, since: Any) -> None:
    local = [dt.datetime(*each, tzinfo=LONDON) for each in (now, since)]  # type: ignore[misc]
    assert abs(clock.hour_before(HOURS, local[0]) - local[1]) <= clock.NEAREST


# --- forecast -------------------------------------------------------------------------------------------------------


async def test_an_order_is_predicted_late_when_the_queue_before_it_is_too_long_for_the_pace(desk: asyncpg.Connection) -> None:
    await Said(desk).say([noted(), *(held(f"web/{n:02}", due_at=in_minutes(10 + n)) for n in range(40))])
    found = await clock.forecasts(desk, ALL, START, OPEN, Pace(30), ["web/00", "web/09", "web/39", "gone"])
    assert {name: (each.ahead, each.decided_at, each.breaches) for name, each in found.items()} == {
        "web/00": (0, in_minutes(2), False),
        "web/09": (9, in_minutes(20), True),
        "web/39": (39, in_minutes(80), True),
    }
    assert await clock.forecasts(desk, ("south",), START, OPEN, Pace(30), ["web/00"]) == {}


async def test_what_is_decided_tomorrow_is_predicted_in_working_time(desk: asyncpg.Connection) -> None:
    evening = START.replace(hour=17, minute=50)
    await Said(desk).say([noted(), *(held(f"web/{n:02}", due_at=START + dt.timedelta(days=1)) for n in range(20))])
    found = await clock.forecasts(desk, ALL, evening, OPEN, SIXTY, ["web/19"])
    assert found["web/19"].decided_at == START.replace(day=2, hour=8, minute=10)


async def test_the_whole_queue_counts_who_is_late_and_who_will_be(desk: asyncpg.Connection) -> None:  # V5
    said = Said(desk)
    late = [held(f"a/{n}", due_at=in_minutes(-5)) for n in range(3)]
    soon = [held(f"b/{n}", due_at=in_minutes(10)) for n in range(20)]
    later = [held(f"c/{n}", due_at=in_minutes(120)) for n in range(5)]
    await said.say([noted(), *late, *soon, *later])
    found = await clock.risk(desk, ALL, START, OPEN, SIXTY)
    assert (found.waiting, found.late, found.predicted) == (28, 3, 13)
    names = [row["order"] for row in await desk.fetch('select "order" from orders')]
    each = await clock.forecasts(desk, ALL, START, OPEN, SIXTY, names)
    assert sum(one.breaches for one in each.values()) == found.late + found.predicted


async def test_nothing_waits_and_nothing_is_predicted(desk: asyncpg.Connection) -> None:
    found = await clock.risk(desk, ALL, START, OPEN, Pace(0))
    assert (found.waiting, found.late, found.predicted) == (0, 0, 0)


def test_portfolios_have_the_hours_of_the_policy_and_only_what_differs_is_reckoned_apart() -> None:
    policy = SHIPPED[0].policy
    scopes = [
        {"portfolio": "scot", "desk": {"region": "GB-SCT"}},
        {"portfolio": "early", "desk": {"warn_percent": 40}},
        {"portfolio": "plain", "queue": {"passing": False}},
    ]
    found = clock.openings(Rulebook({**policy, "scopes": scopes}))
    assert list(found.own) == ["scot"]
    assert found.of("scot").calendar.region == "GB-SCT"
    assert found.of("early").calendar == found.of("").calendar == found.general.calendar


async def _two_portfolios(desk: asyncpg.Connection) -> Said:
    said = Said(desk)
    await said.say([noted(), noted("thistle", "scot")])
    return said


async def test_an_order_is_forecast_in_the_hours_of_its_own_portfolio(desk: asyncpg.Connection) -> None:  # O6
    said = await _two_portfolios(desk)
    await said.say([held(f"a/{n:02}", due_at=in_minutes(60 + n)) for n in range(28)])
    await said.say([held("s/28", "thistle", due_at=in_minutes(118)), held("z/29", due_at=in_minutes(119))])
    found = await clock.forecasts(desk, ALL, START, BOTH, Pace(30), ["s/28", "z/29"])
    assert (found["s/28"].ahead, found["s/28"].decided_at) == (28, START.replace(day=2, hour=8, minute=28))
    assert (found["z/29"].ahead, found["z/29"].decided_at) == (29, in_minutes(60))
    assert (found["s/28"].breaches, found["z/29"].breaches) == (True, False)


async def test_the_whole_queue_counts_each_order_in_its_own_hours(desk: asyncpg.Connection) -> None:  # O6
    said = await _two_portfolios(desk)
    await said.say([held(f"a/{n:02}", due_at=in_minutes(40 + n)) for n in range(20)])
    await said.say([held(f"s/{n:02}", "thistle", due_at=in_minutes(70 + n)) for n in range(20)])
    found = await clock.risk(desk, ALL, START, BOTH, Pace(40))
    each = await clock.forecasts(
        desk, ALL, START, BOTH, Pace(40), [row["order"] for row in await desk.fetch('select "order" from orders')]
    )
    assert (found.waiting, found.predicted) == (40, 20)
    assert sum(one.breaches for one in each.values()) == 20
    assert (await clock.risk(desk, ALL, START, OPEN, Pace(40))).predicted == 0


async def test_the_pace_takes_each_portfolios_own_last_working_hour(desk: asyncpg.Connection) -> None:  # O6
    said = await _two_portfolios(desk)
    await said.say([held("a/1"), held("a/2"), held("s/1", "thistle"), held("s/2", "thistle")], in_minutes(-45))
    await said.say([rejected("a/1"), rejected("s/1", account="thistle")], in_minutes(-20))  # 08:40
    await said.say([rejected("s/2", account="thistle")], in_minutes(-40))  # 08:20
    await said.say([rejected("a/2")], in_minutes(60))  # 10:00
    now = in_minutes(90)  # 10:30: the last hour began at 09:30 in general, and of scot at 08:30
    assert (await clock.pace(desk, ALL, now, BOTH)).decided == 2
    assert (await clock.pace(desk, ALL, now, OPEN)).decided == 1


# --- the day --------------------------------------------------------------------------------------------------------


async def test_the_days_clocks_by_hour(desk: asyncpg.Connection) -> None:  # V5
    said = Said(desk)
    await said.say([noted(), *(held(f"web/{n}") for n in range(4))])
    await said.say([released("web/0", at_once=False, by="rita")], in_minutes(30))
    due = in_minutes(120)
    marked = [orders.OrderWarned(order=f"web/{n}", account="acme", due_at=due) for n in (1, 2, 3)]
    await said.say(marked, in_minutes(60))
    up = {"account": "acme", "level": "team_leader", "mark": "escalate", "due_at": due}
    await said.say([orders.OrderEscalated(order=f"web/{n}", **up) for n in (1, 2)], in_minutes(90))
    await said.say([released("web/1", at_once=False, by="tom")], in_minutes(100))
    await said.say([orders.OrderBreached(order="web/2", account="acme", due_at=due)], due)
    await said.say([rejected("web/2")], in_minutes(130))
    day = await clock.day_by_hour(desk, ALL, START.date(), LONDON)
    assert len(day) == 24
    assert {hour.at.hour: figures for hour in day if any(figures := _figures(hour))} == {
        9: (1, 0, 0, 0, 0, 0),
        10: (0, 1, 0, 3, 2, 0),
        11: (0, 0, 1, 0, 0, 1),
    }
    assert clock.kept(day) == pytest.approx(2 / 3)


def _figures(hour: clock.Hour) -> tuple[int, ...]:
    return hour.met, hour.met_escalated, hour.missed, hour.warned, hour.escalated, hour.breached


@pytest.mark.parametrize(("day", "count"), [(dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25)])
async def test_a_day_on_which_the_clocks_change_has_its_own_number_of_hours(
    desk: asyncpg.Connection, day: dt.date, count: int
) -> None:
    hours = await clock.day_by_hour(desk, ALL, day, LONDON)
    assert len(hours) == count
    assert clock.kept(hours) is None


async def test_the_figures_read_their_indexes_and_not_the_table(desk: asyncpg.Connection) -> None:  # Must show 4
    await queue.ORDERS.save(desk, [_some(n) for n in range(1, 20_001)])
    await desk.execute("analyze orders")
    for wanted, ask in (
        ("orders_decided", lambda c: clock.pace(c, ALL, START, OPEN)),
        ("orders_decided", lambda c: clock.pace(c, ALL, START, BOTH)),
        ("orders_clock", lambda c: clock.risk(c, ALL, START, BOTH, SIXTY)),
        ("orders_clock", lambda c: clock.forecasts(c, ALL, START, BOTH, SIXTY, ["o/20"])),
    ):
        explaining = Explaining(desk)
        await ask(explaining)  # type: ignore[arg-type]
        assert wanted in explaining.plan, explaining.plan
        assert "Seq Scan" not in explaining.plan


def _some(n: int) -> Order:
    """Every twentieth waits, every tenth was decided by a person, and nearly all still reserve."""
    second = dt.timedelta(seconds=n)
    return Order(
        order=f"o/{n}", account="acme", home="acme", reference=f"{n}", status="held" if n % 20 == 0 else "released", sequence=n,
        due_at=START + second, decided_at=START - second, decided_by="rita" if n % 10 == 0 else "policy",
        reserved_minor=0 if n % 20 == 0 else 100,
    )  # fmt: skip
