"""Guarantee 5: on event time the same input gives the same bytes, whatever the batches and however many instances."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from contracts.message import Message
from contracts.orders import CancelOrder, ChangeOrder, OpenRecheck
from shared import engine
from shared.testing import Servers
from tests.kit.stage import BEGAN, Stage, homes, order, placed, stage_on

WAYS = [(1, 1), (7, 1), (2000, 1), (7, 2)]
Line = tuple[str, Message, dt.datetime]


def a_week_of_trade() -> list[Line]:
    """Orders that lapse, are changed, cancelled and looked at again, on both partitions, hour by hour."""
    said: list[Line] = []
    for n in range(60):
        home, at = homes(each=2)[n % 4], BEGAN + dt.timedelta(hours=n)
        said.append((home, order(n, home, minor=n * 100, days=n % 3 if n % 2 else None), at))
        if n % 7 == 4:
            said.append((home, CancelOrder(order=f"web/{n}", account=home, reason="stop"), at))
        if n % 11 == 5:
            said.append((home, ChangeOrder(order=f"web/{n}", account=home, placed=placed(n, 2)), at))
        if n % 20 == 19:
            said.append((home, OpenRecheck(home=home), at))
    return said


async def test_the_same_input_gives_the_same_bytes(stack: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "STEP_MAX", 3)  # the recheck takes several steps
    first, *others = [await _outcome(stack, *way) for way in WAYS]
    assert len(first) > 100
    for way, outcome in zip(WAYS[1:], others, strict=True):
        assert outcome == first, f"batches of {way[0]} on {way[1]} instances decided otherwise"


async def _outcome(stack: Servers, batch_max: int, instances: int) -> list[tuple[object, ...]]:
    async with stage_on(stack, batch_max=batch_max) as stage:
        running = [stage.start() for _ in range(instances)]
        await stage.send([stage.wrap(home, message, at) for home, message, at in a_week_of_trade()])
        await _quiet(stage)
        for instance in running:
            await instance.stop()
        return await stage.rows("select partition, lane, sequence, at, home, input, body from journal order by 1, 2, 3")


async def _quiet(stage: Stage) -> None:
    """Wait until the last of every sequence that was said has been decided."""

    async def all_read() -> bool:
        rows = await stage.rows("select topic, partition, seen from reading")
        seen = {(topic, number, source): last for topic, number, text in rows for source, last in json.loads(text).items()}
        return all(seen.get(place) == last for place, last in stage.sequences.items())

    await stage.until("everything said is decided", all_read)
