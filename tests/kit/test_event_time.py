"""Event time may be far from the broker's: what is decided at any time is published."""

from __future__ import annotations

import datetime as dt

from tests.kit.stage import Stage, homes, order


async def test_a_clock_days_ahead_of_the_brokers_stops_no_publishing(stage: Stage) -> None:
    home, _ = homes()
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    await stage.say(home, order(1, home), at=ahead)
    async with stage.running():
        await stage.decided(1)
        await stage.all_published()
    (fact,) = await stage.facts()
    assert fact.time == ahead
