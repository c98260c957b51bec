"""For whom a deputy may act, by date, on a real database (A6)."""

from __future__ import annotations

import datetime as dt

import asyncpg
import pytest

from contracts.accounts import DeputyAppointed, DeputyEnded
from services.console import cover
from tests.console.facts import told

pytestmark = pytest.mark.stack

MONDAY = dt.date(2026, 3, 9)
DAY = dt.timedelta(days=1)


def appointed(deputy: str = "dan", from_on: dt.date = MONDAY, days: int = 2) -> DeputyAppointed:
    return DeputyAppointed(
        person="pia", deputy=deputy, role="team_leader", from_on=from_on, until_on=from_on + days * DAY, reason="leave", by="pia"
    )


async def test_a_deputy_acts_on_the_days_of_the_cover_and_on_no_other(console: asyncpg.Connection) -> None:
    await cover.project(console, [told(appointed(), 1)])
    days = [MONDAY + n * DAY for n in range(-1, 4)]
    may = [await cover.by(console, "dan", "pia", day) is not None for day in days]
    assert may == [False, True, True, True, False]
    assert await cover.by(console, "eva", "pia", MONDAY) is None
    assert await cover.by(console, "pia", "dan", MONDAY) is None


async def test_an_ended_cover_covers_no_day_and_a_later_one_does(console: asyncpg.Connection) -> None:
    ended = DeputyEnded(person="pia", deputy="dan", reason="back", by="pia")
    later = appointed(from_on=MONDAY + 7 * DAY)
    await cover.project(console, [told(appointed(), 1), told(ended, 2), told(later, 3)])
    assert await cover.by(console, "dan", "pia", MONDAY) is None
    assert [each.from_on for each in await cover.standing(console, MONDAY)] == [MONDAY + 7 * DAY]


async def test_what_is_over_is_not_listed(console: asyncpg.Connection) -> None:
    await cover.project(console, [told(appointed(), 1), told(appointed("eva", days=9), 2)])
    assert [each.deputy for each in await cover.standing(console, MONDAY)] == ["dan", "eva"]
    assert [each.deputy for each in await cover.standing(console, MONDAY + 5 * DAY)] == ["eva"]
