"""Streams that count, on the real stack: the windows equal SQL, whatever is done to their worker (issue 5, Must show 5)."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.console import drift, publishing, worker
from services.console.drift import Watch
from shared.testing import Servers
from tests.console.streams import PARTITIONS, Streams, a_day, streams

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
async def desk(stack: Servers, tmp_path: Path) -> AsyncIterator[Streams]:
    async with streams(stack, tmp_path) as made:
        yield made


async def nothing_behind(desk: Streams) -> bool:
    stands = await drift.lag(desk.connection)
    return stands.beat_at is not None and stands.generation == stands.folded and not stands.behind


async def test_at_the_end_of_the_day_the_windows_equal_sql(desk: Streams) -> None:
    desk.start()
    day = a_day(600)
    for start in range(0, len(day), 97):
        await desk.say(day[start : start + 97])
    await desk.until("all is folded", lambda: nothing_behind(desk))
    assert await desk.windows() == await desk.counted()
    found = await drift.compare(desk.connection)
    assert (found.differing, found.compared) == (0, len(await desk.counted()))
    hour = await desk.connection.fetchval(
        "select sum((counts ->> 'received')::bigint) from window_sliding where minutes = 60 and portfolio = 'north'"
    )
    last = day[-1].time.replace(second=0, microsecond=0)
    assert hour == await desk.connection.fetchval(
        "select sum(n) from tally where what = 'received' and portfolio = 'north' "
        "and minute > $1::timestamptz - interval '1 hour'",
        last,
    )
    assert desk.stop() == 0


async def looks(desk: Streams, watch: Watch, seconds: float = 70.0, times: int = 3) -> None:
    """So many comparisons, each so long after the one before."""
    for n in range(times):
        await watch.look(desk.connection, 1_000.0 + n * seconds)


async def is_right(desk: Streams) -> bool:
    return await nothing_behind(desk) and await desk.windows() == await desk.counted()


async def test_a_worker_that_was_killed_reads_its_tables_back(desk: Streams) -> None:
    day = a_day(300)
    desk.start()
    await desk.say(day[:300])
    await desk.until("the morning is folded", lambda: is_right(desk))
    await asyncio.sleep(2.5)  # what it has published is in its changelog, too
    desk.kill()
    await desk.connection.execute("delete from window_minute")
    await desk.connection.execute("delete from window_lane")
    desk.start()
    await desk.say(day[300:])
    await desk.until("the windows equal SQL", lambda: is_right(desk))
    assert (await drift.lag(desk.connection)).generation == 1, "nothing had to be thrown away"


async def test_a_worker_killed_under_load_goes_on_where_it_was(desk: Streams) -> None:
    day = a_day(900)
    desk.start()
    for n, start in enumerate(range(0, len(day), 60)):
        await desk.say(day[start : start + 60])
        if n % 10 == 9:
            desk.kill()
            desk.start()
        await asyncio.sleep(0.1)
    watch = Watch()

    async def mended() -> bool:  # what the library lost meanwhile is folded anew
        if await is_right(desk):
            return True
        await asyncio.sleep(2)
        await watch.look(desk.connection, time.monotonic() * 20)
        return False

    await desk.until("the windows equal SQL", mended, 150)
    assert (await drift.compare(desk.connection)).differing == 0


async def test_facts_that_the_library_skipped_are_seen_and_folded_again(desk: Streams) -> None:
    day = a_day(200)
    desk.start()
    await desk.say(day[:100])
    await desk.until("the morning is folded", lambda: nothing_behind(desk))
    desk.kill()
    await desk.say(day[100:200])
    await skip_to_the_end(desk)  # it commits past what it has not handled
    desk.start()
    await desk.say(day[200:])

    async def stands() -> bool:
        return (await drift.lag(desk.connection)).gaps > 0

    await desk.until("a lane stands at the gap", stands)
    await looks(desk, Watch())
    assert (await drift.lag(desk.connection)).generation == 2
    await desk.until("all is folded anew", lambda: is_right(desk))


async def skip_to_the_end(desk: Streams) -> None:
    topic = desk.settings.topic("orders")
    places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=desk.settings.kafka, group_id=worker.app_id(desk.settings, 1), enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)

        async def committed() -> bool:
            try:
                await consumer.commit(ends)
            except KafkaError:  # the killed worker is still a member of the group
                return False
            return True

        await desk.until("the offsets are committed", committed)
    finally:
        await consumer.stop()


async def test_a_sum_that_differs_is_found_and_thrown_away(desk: Streams) -> None:
    desk.start()
    await desk.say(a_day(50))
    await desk.until("all is folded", lambda: is_right(desk))
    await desk.connection.execute(
        "update window_minute set counts = jsonb_set(counts, '{received}', '99') "
        "where minute = (select min(minute) from window_minute where counts ? 'received')"
    )
    found = await drift.compare(desk.connection)
    assert found.differing >= 1
    assert "received" in found.example
    watch = Watch()
    await watch.look(desk.connection, 0.0)
    assert (await drift.lag(desk.connection)).generation == 1, "one look is no proof"
    await watch.look(desk.connection, 30.0)
    await desk.until("all is folded anew", lambda: is_right(desk))
    newest = await drift.last(desk.connection)
    assert newest is not None and newest["rebuilt_at"] is not None


async def test_with_the_worker_dead_the_page_can_tell_since_when_and_counting_goes_on(desk: Streams) -> None:
    desk.start()
    day = a_day(60)
    await desk.say(day[:50])
    await desk.until("all is folded", lambda: nothing_behind(desk))
    desk.kill()
    await desk.say(day[50:])
    stands = await drift.lag(desk.connection)
    assert stands.beat_at is not None
    assert not stands.is_stale
    assert stands._replace(at=stands.beat_at + dt.timedelta(seconds=drift.STALE_S + 1)).is_stale
    assert stands.behind == len(day) - 50
    await desk.connection.execute("update window_worker set beat_at = beat_at - interval '1 minute'")
    await looks(desk, Watch())
    assert (await drift.compare(desk.connection)).differing == 0, "what was folded before is still right"


async def test_a_worker_of_thrown_away_tables_writes_nothing(desk: Streams) -> None:
    await publishing.begin(desk.connection, 1)
    await publishing.throw_away(desk.connection)
    with pytest.raises(publishing.Outdated):
        await publishing.publish(desk.connection, 1, {}, [], [])
