"""Guarantee 2: the journal is the outbox. What is committed is published, each entry once, in order, whoever dies between."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from contracts.orders import CancelOrder
from shared.journal import Entry
from shared.relay import Relay
from tests.kit.stage import Stage, homes, order


async def test_sequences_are_dense_in_every_lane_and_published_in_their_order(stage: Stage) -> None:
    for home in homes():
        await stage.say(home, *[order(f"{home}-{n}", home) for n in range(5)])
        await stage.say(home, *[CancelOrder(order=f"web/{home}-{n}", account=home, reason="stop") for n in range(3)])
    async with stage.running():
        await stage.decided(16)
        await stage.all_published()
        lanes = await stage.rows("select partition, lane, array_agg(sequence order by sequence) from journal group by 1, 2")
        assert all(numbers == list(range(1, len(numbers) + 1)) for *_, numbers in lanes)
        assert sorted(lane for _, lane, _ in lanes) == ["", "", "accounts.commands/0", "accounts.commands/1"]
        stops = await stage.published("accounts.commands")
        wanted = [*await stage.journal("accounts.commands/0"), *await stage.journal("accounts.commands/1")]
        assert stops == wanted and len(stops) == 6


async def test_what_was_committed_and_never_sent_is_published_first_by_the_next_owner(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _ = homes()
    with monkeypatch.context() as patched:
        patched.setattr(Relay, "put", _forget)
        lost = stage.start()
        await stage.say(home, *[order(n, home) for n in range(10)])
        await stage.decided(10)
        await lost.crash()
    assert await stage.published() == []
    await stage.say(home, *[order(n, home) for n in range(10, 15)])
    async with stage.running():
        await stage.decided(15)
        await stage.all_published()


async def _forget(relay: Relay, entries: list[Entry]) -> None:
    """A process that dies between its commit and its first send."""


@pytest.mark.parametrize("reached", [True, False], ids=["unanswered", "refused"])
async def test_after_a_failed_send_the_producer_is_dropped_and_the_journal_decides(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, reached: bool
) -> None:
    """Whether the broker took it or not, is asked at the topic's tail, not guessed."""
    home, _ = homes()
    producers: list[int] = []
    send = AIOKafkaProducer.send_batch

    async def failing(producer: AIOKafkaProducer, *arguments: Any, **more: Any) -> Any:
        producers.append(id(producer))
        if len(producers) > 1:
            return await send(producer, *arguments, **more)
        if reached:
            await (await send(producer, *arguments, **more))
        raise KafkaConnectionError("the broker went away")

    monkeypatch.setattr(AIOKafkaProducer, "send_batch", failing)
    async with stage.running() as engine:
        await stage.say(home, *[order(n, home) for n in range(10)])
        await stage.decided(10)
        await stage.say(home, order(10, home))
        await stage.decided(11)
        await stage.all_published()
        assert engine.metrics.restarts._value.get() == 1
        assert producers[0] not in producers[1:]
