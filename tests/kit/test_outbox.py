"""Guarantee 2: the journal is the outbox. What is committed is published, each entry once, in order, whoever dies between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from contracts.orders import CancelOrder
from shared.batch import Batch
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


async def test_no_two_messages_have_one_id(stage: Stage) -> None:
    """Two facts of one cause, and the same wish of two orders."""
    home, _ = homes()
    await stage.say(home, order(1, home), order(2, home))
    await stage.say(home, *[CancelOrder(order=f"web/{n}", account=home, reason="stop") for n in (1, 2)])
    async with stage.running():
        await stage.decided(4)
    names = "select count(*), count(distinct convert_from(body, 'utf8')::jsonb ->> 'id') from journal"
    assert await stage.rows(names) == [(6, 6)]


async def test_nothing_is_published_while_its_commit_is_open(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    home, _ = homes()
    commit = Batch.commit
    published: list[int] = []

    async def slowly(batch: Batch, *more: Any) -> None:
        if batch.entries:
            await asyncio.sleep(0.3)
            published.append(len(await stage.published()))
        await commit(batch, *more)

    monkeypatch.setattr(Batch, "commit", slowly)
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        await stage.all_published()
    assert published == [0]


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


@pytest.mark.parametrize("fate", ["unanswered", "refused", "lost behind the send"])
async def test_after_a_failed_send_the_producer_is_dropped_and_the_journal_decides(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, fate: str
) -> None:
    """Whether the broker took it or not, is asked at the topic's tail, not guessed."""
    home, _ = homes()
    producers: list[int] = []
    send = AIOKafkaProducer.send_batch

    async def failing(producer: AIOKafkaProducer, *arguments: Any, **more: Any) -> Any:
        producers.append(id(producer))
        if len(producers) > 1:
            return await send(producer, *arguments, **more)
        if fate == "unanswered":
            await (await send(producer, *arguments, **more))
        went_away = KafkaConnectionError("the broker went away")
        if fate == "lost behind the send":
            answer = asyncio.get_running_loop().create_future()
            answer.set_exception(went_away)
            return answer
        raise went_away

    monkeypatch.setattr(AIOKafkaProducer, "send_batch", failing)
    async with stage.running() as engine:
        await stage.say(home, *[order(n, home) for n in range(10)])
        await stage.decided(10)
        await stage.say(home, order(10, home))
        await stage.decided(11)
        await stage.all_published()
        assert engine.metrics.restarts._value.get() == 1
        assert producers[0] not in producers[1:]


async def test_facts_are_published_behind_the_commands_that_were_said_with_them(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a fact on its topic proves, to whoever restores a database, that nothing of its input is missing."""
    home, _ = homes()
    send = AIOKafkaProducer.send_batch
    refused: list[str] = []

    async def failing(producer: AIOKafkaProducer, batch: Any, topic: str, **more: Any) -> Any:
        if topic.endswith("accounts.commands"):
            refused.append(topic)
            raise KafkaConnectionError("the broker went away")
        return await send(producer, batch, topic, **more)

    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        await stage.all_published()
        with monkeypatch.context() as patched:
            patched.setattr(AIOKafkaProducer, "send_batch", failing)
            await stage.say(home, CancelOrder(order="web/1", account=home, reason="stop"))
            await stage.decided(2)
            await stage.until("it tried, and tried again from the journal", lambda: len(refused) > 1)
            assert len(await stage.published()) == 1
        await stage.all_published()
        await stage.until("the command is sent", lambda: _count(stage, "accounts.commands", 1))


async def _count(stage: Stage, topic: str, count: int) -> bool:
    return len(await stage.published(topic)) == count
