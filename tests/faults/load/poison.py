"""Messages that cannot be handled: one in a hundred of a stream, and one that holds up an account for a day."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Any

from aiokafka import AIOKafkaProducer

from shared import parking
from shared.testing import Servers
from tests.bench.feed_in import account_name, order
from tests.faults.load.bursts import CALM_S, easy, ending, recovered
from tests.faults.load.field import OPENED_AT, Field, field_on
from tests.faults.load.premises import Premises

ORDERS = 30_000
EVERY = 100
"""One in a hundred is poison: unreadable bytes and a message of an unknown release in turn."""
POISONED = 50
"""Accounts whose messages park; all others must be decided."""
V1, V9 = b'"orders.place_order.v1"', b'"orders.place_order.v9"'
ROUNDS = 3
DAY = dt.timedelta(days=1)
REPLAY_S_MAX = 600.0


async def poison(servers: Servers, premises: Premises) -> dict[str, Any]:
    """1 % poison: the unreadable are quarantined, those of an unknown release park their group, all others are decided.

    Clean and poisoned rounds take turns, and the better of each counts, because machines are noisy.
    """
    async with field_on(servers, premises.settings.home / "poison") as field, _producer(field) as producer:
        await field.rate("warm", ORDERS // 3)
        clean, dirty = [], []
        async with _producer(field) as producer:
            for n in range(ROUNDS):
                clean.append(await field.rate(f"clean{n}", ORDERS))
                dirty.append(await _poisoned(field, producer, f"dirty{n}"))
        desk = await field.database()
        bad = ORDERS // EVERY * ROUNDS
        found = {
            "quarantined": await desk.fetchval("select count(*) from quarantine"),
            "parked": await desk.fetchval("select count(*) from parked"),
            "parked_groups": await desk.fetchval("select count(*) from parked_home"),
        }
        right = found == {"quarantined": bad // 2, "parked": bad - bad // 2, "parked_groups": POISONED}
        ended = ending(field, "warm", *(f"{kind}{n}" for kind in ("clean", "dirty") for n in range(ROUNDS)))
        return {
            "clean_per_s": round(max(clean)), "poisoned_per_s": round(max(dirty)), "ratio": round(max(dirty) / max(clean), 2),
            "poison": bad, **found, "each_where_it_belongs": right,
        } | ended | {"good": ended["good"] and right}  # fmt: skip


def _producer(field: Field) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=field.settings.kafka, acks="all", enable_idempotence=True)


async def _poisoned(field: Field, producer: AIOKafkaProducer, feed: str) -> float:
    """Between slices of good orders, the bad ones among their sequences; orders a second of the good ones."""
    began, good, bad = time.perf_counter(), ORDERS - ORDERS // EVERY, 0
    pieces = 50
    for piece in range(pieces):
        await _slice(field, feed, piece * good // pieces, (piece + 1) * good // pieces)
        for _ in range(ORDERS // EVERY // pieces):
            await say_badly(
                field, producer, account_name(field.accounts + 1 + bad // 2 % POISONED), f"{feed}bad/{bad}", bad % 2 == 0
            )
            bad += 1
        await producer.flush()
    return good / (await field.all_decided(feed) - began)


async def _slice(field: Field, feed: str, first: int, last: int) -> None:
    await field.slice(feed, first, last - first, dt.datetime.now(dt.UTC), "")


async def say_badly(field: Field, producer: AIOKafkaProducer, home: str, name: str, unreadable: bool) -> bytes:
    """A poisonous order under the next sequence of the pen: bytes that are no message, or one of an unknown release.

    Returns the body that it should have had.
    """
    partition, sequence, body = field.pen.envelope(home, order(name, home, OPENED_AT), name, OPENED_AT)
    value = b"\xff\xfe no message" if unreadable else body.replace(V1, V9)
    headers = [("ce_source", f"/feeder/{partition}".encode()), ("ce_sequence", b"%d" % sequence)]
    topic = field.settings.topic("orders.commands")
    await producer.send(topic, value, key=home.encode(), partition=partition, headers=headers)
    return body


async def parked_for_a_day(servers: Servers, premises: Premises, behind: int) -> dict[str, Any]:
    """One account waits a day (of event time) behind one message; mended, all of its orders are decided in order."""
    async with field_on(servers, premises.settings.home / "parked", clock="event") as field:
        sustained = await field.rate("warm", ORDERS // 3)
        pace = easy(sustained)
        before = await field.calm("before", CALM_S, pace)
        home = field.spare
        async with _producer(field) as producer:
            body = await say_badly(field, producer, home, "stuck/bad", unreadable=False)
            await producer.flush()
        await _a_day_of_orders(field, home, behind)
        desk = await field.database()
        await _until(desk, "select count(*) from parked", behind + 1)
        during = await field.calm("during", CALM_S, pace)
        field.decisions.followed = home
        row = (await parking.show(desk, home))[0]
        await parking.repair(desk, row["n"], body)
        beside = asyncio.create_task(field.calm("beside", max(CALM_S, behind / 1_000), pace))
        began = time.perf_counter()
        assert await parking.replay(desk, home)
        field.sent["stuck"] = field.sent.get("stuck", 0) + 1
        replayed = await field.all_decided("stuck", REPLAY_S_MAX) - began
        await _until(desk, "select count(*) from parked_home", 0)
        meanwhile = await beside
        mine = [name for name in field.decisions.sequence if name.startswith("stuck/")]
        in_order = mine == ["stuck/bad", *(f"stuck/{n:08d}" for n in range(behind))]
        ended = ending(field, "warm", "before", "during", "beside", "stuck")
        return {
            "behind": behind, "replayed_s": round(replayed, 1), "replayed_per_s": round((behind + 1) / replayed),
            "in_order": in_order, "latency_before": before, "latency_while_parked": during,
            "latency_while_it_replays": meanwhile,
            "others_unaffected": recovered(before, during) and recovered(before, meanwhile),
        } | ended | {"good": ended["good"] and in_order}  # fmt: skip


async def _a_day_of_orders(field: Field, home: str, behind: int) -> None:
    """Orders of the parked account, spread over a day of event time, in a few slices with an order of every other account."""
    slices = min(24, behind)
    for n in range(slices):
        first, last = n * behind // slices, (n + 1) * behind // slices
        at = dt.datetime.now(dt.UTC) + DAY * (n + 1) / slices
        await field.slice("stuck", first, last - first, at, home)


async def _until(desk: Any, query: str, wanted: int) -> None:
    deadline = time.monotonic() + REPLAY_S_MAX
    while (found := await desk.fetchval(query)) != wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{query}: {found}, not {wanted}")
        await asyncio.sleep(0.05)
