"""A lower sequence is dropped only after its id is compared: a writer that tells its history differently stops its topic."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared import slot
from shared.engine import Engine
from tests.kit.stage import Said, Stage, homes, order

OTHER = "f" * 32


@pytest.fixture(autouse=True)
def _soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engine.GAP_WAIT_S", 0.2)


def _renamed(said: Said) -> Said:
    """The same record under another id."""
    assert said.value is not None
    at = said.value.index(b'"id":"') + 6
    headers = [(key, OTHER.encode() if key == "ce_id" else value) for key, value in said.headers]
    return replace(said, value=said.value[:at] + OTHER.encode() + said.value[at + 32 :], headers=headers)


def _said_by(source: str, said: Said, sequence: int) -> Said:
    """The same wish from another writer of the topic."""
    assert said.value is not None
    name = f"{sequence:032x}"
    one = replace(
        _renamed(said), headers=[("ce_source", source.encode()), ("ce_sequence", b"%d" % sequence), ("ce_id", name.encode())]
    )
    value = one.value.replace(b'"source":"/gateway/0"', b'"source":"%s"' % source.encode()).replace(OTHER.encode(), name.encode())
    digits = said.value.index(b'"sequence":"') + 12
    old = said.value[digits : digits + 16]
    return replace(one, value=value.replace(b'"sequence":"%s"' % old, b'"sequence":"%016d"' % sequence))


async def _stops(stage: Stage, engine: Engine, topic: str = "orders.commands") -> None:
    alarms = engine.metrics.gaps.labels(topic=topic)._value
    await stage.until("it stops and says so, again and again", lambda: alarms.get() >= 2)


async def test_another_message_under_a_sequence_that_was_taken_stops_its_topic_and_is_never_dropped(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    home, other = homes()
    first, second = [stage.wrap(home, order(n, home)) for n in (1, 2)]
    await stage.send([first, second])
    async with stage.running() as engine:
        await stage.decided(2)
        await stage.send([second, _renamed(first)])
        await stage.say(home, order(3, home))
        await stage.say(other, order(4, other))
        await _stops(stage, engine)
        assert (await stage.balance(home), await stage.balance(other)) == (200, 100)
    assert (
        f"sequence 1 is {OTHER} (offset 3) and was " in (said := capfd.readouterr().out + capfd.readouterr().err) or OTHER in said
    )


async def test_the_last_message_before_a_takeover_is_compared_as_well(stage: Stage) -> None:
    home, _ = homes()
    one, two = [stage.wrap(home, order(n, home)) for n in (1, 2)]
    await stage.send([one, two])
    async with stage.running():
        await stage.decided(2)
    await stage.send([_renamed(two)])
    await stage.say(home, order(3, home))
    async with stage.running() as engine:
        await _stops(stage, engine)
    assert await stage.balance(home) == 200


@pytest.mark.parametrize("changed", [0, 3, 8])
async def test_a_topic_that_is_written_anew_with_another_history_is_not_believed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, changed: int
) -> None:
    """However far back the other message lies: all ids are compared, by their checksum."""
    monkeypatch.setattr(slot, "RECENT", 2)
    home, _ = homes()
    records = [stage.wrap(home, order(n, home)) for n in range(9)]
    await stage.send(records)
    async with stage.running():
        await stage.decided(9)
    await stage.lose_topic("orders.commands")
    other = [_renamed(each) if n == changed else each for n, each in enumerate(records)]
    await stage.send([other[0], *other])
    await stage.say(home, order(9, home))
    async with stage.running() as engine:
        await _stops(stage, engine)
    assert await stage.balance(home) == 900


async def test_a_topic_that_is_written_anew_with_the_same_history_goes_on(stage: Stage) -> None:
    home, _ = homes()
    records = [stage.wrap(home, order(n, home)) for n in range(9)]
    await stage.send(records)
    async with stage.running():
        await stage.decided(9)
    await stage.lose_topic("orders.commands")
    await stage.send([*records[:5], *records])
    await stage.say(home, order(9, home))
    async with stage.running() as engine:
        await stage.decided(10)
        assert engine.metrics.gaps.labels(topic="orders.commands")._value.get() == 0
    assert await stage.balance(home) == 1000


async def test_what_lies_before_our_position_in_a_topic_that_was_written_anew_is_not_missed(stage: Stage) -> None:
    """Two writers, told in another order than the first time: what we have not seen may come before what we have."""
    home, _ = homes()
    ours = [stage.wrap(home, order(n, home)) for n in (1, 2, 3)]
    theirs = [_said_by("/accounts/0", stage.wrap(home, order(n, home)), number) for number, n in ((1, 4), (2, 5))]
    await stage.send([*ours, theirs[0]])
    async with stage.running():
        await stage.decided(4)
    await stage.lose_topic("orders.commands")
    await stage.send([*theirs, *ours])
    async with stage.running():
        await stage.decided(5)
    assert await stage.balance(home) == 500


async def test_a_repeated_record_at_the_end_is_a_known_place(stage: Stage) -> None:
    """Or every takeover behind a broker's repeat would read the whole topic again."""
    home, _ = homes()
    records = [stage.wrap(home, order(n, home)) for n in (1, 2, 3)]
    await stage.send([*records, records[1]])
    async with stage.running():
        await stage.decided(3)
        await stage.equals(4, "select next_offset from reading where partition = 0 and topic = 'orders.commands'")
    async with stage.running() as engine:
        await stage.say(home, order(4, home))
        await stage.decided(4)
        assert not engine.slots[0].positions["orders.commands"].reread
