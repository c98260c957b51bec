"""Guarantee 4: nothing is skipped. What cannot be read, handled or reached waits where a person or a retry finds it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from contracts.envelope import encode, read
from contracts.message import type_name
from contracts.orders import PlaceOrder
from shared import parking, quarantine
from tests.kit.ledger_service import BREAKS_DEADLINES, RAISES, UNREADABLE
from tests.kit.stage import BEGAN, Said, Stage, homes, order, placed_by

PARKED = "select array_agg(type order by n) from parked where home = $1"
LATER = BEGAN + dt.timedelta(days=2)


# --- quarantine -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda body: b"{not json", "malformed"),
        (lambda body: b"\xff\xfe", "malformed|UTF-8"),
        (lambda body: body.replace(b'"total_minor":100', b'"total_minor":-1'), r"total_minor"),
        (lambda body: body.replace(b'"web/1"', rb'"web/\u0000"'), "NUL"),
        (lambda body: body.replace(b"orders.place_order.v1", b"accounts.put_on_stop.v1"), "travels on accounts.commands"),
        (lambda body: b"", "truncated"),
    ],
    ids=["no-json", "no-utf-8", "out-of-bounds", "nul", "wrong-topic", "empty"],
)
async def test_an_unreadable_message_is_quarantined_in_its_place_and_the_next_one_is_taken(
    stage: Stage, damage: object, reason: str
) -> None:
    home, _ = homes()
    bad = stage.wrap(home, order(1, home))
    bad = replace(bad, value=damage(bad.value))  # type: ignore[operator]
    await stage.send([bad])
    await stage.say(home, order(2, home))
    async with stage.running():
        await stage.decided(1)
    (row,) = await quarantine.waiting(stage.connection)
    assert (row["topic"], row["partition"], row["offset"], row["source"], row["sequence"]) == (
        "orders.commands", 0, 0, "/gateway/0", 1,
    )  # fmt: skip
    assert await stage.value("select reason ~* $1 from quarantine", reason), row["reason"]
    assert await stage.value("select body from quarantine") == bad.value
    assert await stage.value("select next_offset from reading where topic = 'orders.commands' and partition = 0") == 2


async def test_bytes_without_headers_are_quarantined_and_take_nobodys_place(stage: Stage) -> None:
    home, _ = homes()
    await stage.send([Said("orders.commands", 0, None, b"garbage", []), Said("orders.commands", 0, b"k", None, [])])
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
    assert await stage.rows("select source, sequence from quarantine") == [("", None), ("", None)]


async def test_an_envelope_without_headers_places_itself(stage: Stage) -> None:
    """Its data cannot be read, its address can: the number it carries is used up."""
    home, _ = homes()
    bad = stage.wrap(home, order(1, home))
    assert bad.value is not None
    await stage.send([replace(bad, value=bad.value.replace(b'"total_minor":100', b'"total_minor":"x"'), headers=[])])
    await stage.say(home, order(2, home))
    async with stage.running():
        await stage.decided(1)
    assert await stage.rows("select source, sequence from quarantine") == [("/gateway/0", 1)]


async def test_headers_that_the_database_could_not_store_stop_nothing(stage: Stage) -> None:
    home, _ = homes()
    await stage.send([Said("orders.commands", 0, None, b"garbage", placed_by("/ga\0te", 1, "x"))])
    await stage.say(home, order(1, home))
    async with stage.running() as engine:
        await stage.decided(1)
        assert engine.metrics.restarts._value.get() == 0
    assert await stage.value("select count(*) from quarantine") == 1


async def test_a_message_on_the_wrong_partition_is_quarantined(stage: Stage) -> None:
    home, other = homes()
    await stage.say(home, order(1, home), partition=1)
    await stage.say(other, order(2, other))
    async with stage.running():
        await stage.decided(1)
        assert await stage.value("select reason like '%belongs to partition 0%' from quarantine")
    assert await stage.balance(home) == 0


# --- parking --------------------------------------------------------------------------------------------------------


async def test_a_group_whose_message_raises_queues_in_order_while_others_go_on(stage: Stage) -> None:
    home, neighbour = homes(each=2)[:2]
    await stage.say(home, order(1, home, days=1), order(2, home, po=RAISES), order(3, home))
    await stage.say(neighbour, order(4, neighbour), at=LATER)
    async with stage.running():
        await stage.equals(["PlaceOrder", "PlaceOrder", "LapseReservation"], PARKED, home)
        await stage.equals(100, "select balance from account where key = $1", neighbour)
        assert await stage.balance(home) == 100
        ((name, count),) = [(row["home"], row["messages"]) for row in await parking.list_homes(stage.connection)]
        assert (name, count) == (home, 3)
        await _repair_first(stage, home)
        assert await parking.replay(stage.connection, home)
        await stage.equals(0, "select count(*) from parked_home")
        await stage.say(home, order(5, home), at=LATER)
        await stage.decided(6)
        await stage.all_published()
    mine = [(type(fact.data).__name__, fact.data.order) for fact in await stage.facts() if fact.partitionkey == home]
    assert mine == [
        ("OrderReleased", "web/1"), ("OrderReleased", "web/2"), ("OrderReleased", "web/3"),
        ("ReservationLapsed", "web/1"), ("OrderReleased", "web/5"),
    ]  # fmt: skip


async def _repair_first(stage: Stage, home: str) -> None:
    first, *_ = await parking.show(stage.connection, home)
    envelope = read(first["body"])
    mended = msgspec.structs.replace(envelope, data=order(envelope.data.order.removeprefix("web/"), home))
    await parking.repair(stage.connection, first["n"], encode(mended))


async def test_a_parked_group_stays_parked_over_a_restart(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order(1, home, po=RAISES))
    async with stage.running():
        await stage.equals(["PlaceOrder"], PARKED, home)
    await stage.say(home, order(2, home))
    async with stage.running():
        await stage.equals(["PlaceOrder", "PlaceOrder"], PARKED, home)
    assert await stage.balance(home) == 0


async def test_a_replay_that_fails_again_leaves_the_queue_as_it_was(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order(1, home, po=RAISES), order(2, home))
    async with stage.running() as engine:
        await stage.equals(["PlaceOrder", "PlaceOrder"], PARKED, home)
        await parking.replay(stage.connection, home)
        await stage.equals(False, "select replay from parked_home where home = $1", home)
        assert await stage.value(PARKED, home) == ["PlaceOrder", "PlaceOrder"]
        assert engine.metrics.restarts._value.get() == 0
    assert await stage.balance(home) == 0


async def test_a_replay_that_fails_half_way_keeps_the_rest_parked(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order(1, home, po=RAISES), order(2, home, po=RAISES), order(3, home))
    async with stage.running():
        await stage.equals(["PlaceOrder"] * 3, PARKED, home)
        await _repair_first(stage, home)
        await parking.replay(stage.connection, home)
        await stage.decided(1)
        await stage.equals(False, "select replay from parked_home where home = $1", home)
    await stage.say(home, order(4, home))
    async with stage.running():
        await stage.equals(["PlaceOrder"] * 3, PARKED, home)
    assert [fact.data.order for fact in await stage.facts()] == ["web/1"]


async def test_the_flag_clears_in_the_transaction_of_the_last_message(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever dies right behind that commit leaves no group parked with nothing to replay."""

    async def died(*_: object) -> None: ...

    monkeypatch.setattr(parking, "forget", died)
    home, _ = homes()
    await stage.say(home, order(1, home, po=RAISES), order(2, home))
    async with stage.running():
        await stage.equals(["PlaceOrder", "PlaceOrder"], PARKED, home)
        await _repair_first(stage, home)
        await parking.replay(stage.connection, home)
        await stage.decided(2)
        assert await stage.rows("select home from parked_home") == []


async def test_a_parked_fact_is_not_mended_by_hand_nor_moved_to_another_group(stage: Stage) -> None:
    home, other = homes()
    body = stage.wrap(other, order(1, other)).value
    assert body is not None
    columns = "partition, home, topic, message_id, type, reason, body"
    insert = f"insert into parked ({columns}) values (0, $1, $2, '', '', '', $3) returning n"
    fact, wish = [await stage.value(insert, home, topic, body) for topic in ("payments", "orders.commands")]
    with pytest.raises(parking.NotRepairable, match="a fact of another service"):
        await parking.repair(stage.connection, fact, body)
    with pytest.raises(parking.NotRepairable, match=f"must stay with group '{home}'"):
        await parking.repair(stage.connection, wish, body)


async def test_a_message_whose_deadlines_raise_parks_whole_and_leaves_no_trace(stage: Stage) -> None:
    home, neighbour = homes(each=2)[:2]
    await stage.say(home, order(1, home, po=BREAKS_DEADLINES))
    async with stage.running():
        await stage.equals(["PlaceOrder"], PARKED, home)
        assert await stage.facts() == [] and await stage.balance(home) == 0
        await stage.say(neighbour, order(2, neighbour))
        await stage.decided(1)
    assert [sequence for _, sequence, _ in await stage.journal()] == [1], "a message that parked used up a number"


async def test_what_no_reader_could_read_is_not_said_and_its_cause_parks(stage: Stage) -> None:
    home, neighbour = homes(each=2)[:2]
    await stage.say(home, order(1, home, po=UNREADABLE))
    async with stage.running():
        await stage.equals(["PlaceOrder"], PARKED, home)
        assert await stage.value("select reason like '%$.data.account%' from parked")
        assert await stage.facts() == [] and await stage.balance(home) == 0
        await stage.say(neighbour, order(2, neighbour))
        await stage.decided(1)
    assert [sequence for _, sequence, _ in await stage.journal()] == [1]


async def test_a_message_of_an_unknown_major_waits_with_its_group_for_a_newer_release(stage: Stage) -> None:
    home, neighbour = homes(each=2)[:2]
    newer = stage.wrap(home, order(1, home))
    name = type_name(PlaceOrder).encode()
    assert newer.value is not None
    await stage.send([replace(newer, value=newer.value.replace(name, name[:-1] + b"2"))])
    await stage.say(home, order(2, home))
    await stage.say(neighbour, order(3, neighbour))
    async with stage.running() as engine:
        await stage.decided(1)
        assert await stage.value(PARKED, home) == ["orders.place_order.v2", "PlaceOrder"]
        await parking.replay(stage.connection, home)
        await stage.equals(False, "select replay from parked_home where home = $1", home)
        assert engine.metrics.restarts._value.get() == 0
        await stage.connection.execute("update parked set body = $1 where type = 'orders.place_order.v2'", newer.value)
        await parking.replay(stage.connection, home)
        await stage.decided(3)
    assert (await stage.balance(home), await stage.balance(neighbour)) == (200, 100)


# --- gaps -----------------------------------------------------------------------------------------------------------


async def test_a_gap_stops_its_topic_partition_and_alarms_until_the_topic_is_refilled(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.engine.GAP_WAIT_S", 0.2)
    home, other = homes()
    one, two, three = [stage.wrap(home, order(n, home)) for n in (1, 2, 3)]
    await stage.send([one, three])
    await stage.say(other, order(4, other))
    async with stage.running() as engine:
        alarms = engine.metrics.gaps.labels(topic="orders.commands")._value
        await stage.until("the gap is reported twice", lambda: alarms.get() >= 2)
        assert (await stage.balance(home), await stage.balance(other)) == (100, 100)
        await _empty(stage, "orders.commands", 0)
        await stage.send([one, two, three])
        await stage.decided(4)
    assert await stage.balance(home) == 300


async def _empty(stage: Stage, topic: str, partition: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.settings.kafka)
    await admin.start()
    at = TopicPartition(stage.settings.topic(topic), partition)
    await admin.delete_records({at: RecordsToDelete(before_offset=-1)})
    await admin.close()


async def test_a_topic_that_was_written_anew_is_read_from_its_start(stage: Stage) -> None:
    """After a loss offsets start again; the sequences tell that nothing is missing between."""
    home, _ = homes()
    await stage.say(home, *[order(n, home) for n in range(5)])
    async with stage.running():
        await stage.decided(5)
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.settings.kafka)
    await admin.start()
    await admin.delete_topics([stage.settings.topic("orders.commands")])
    await admin.close()
    async with stage.running():
        await stage.say(home, order(5, home))
        await stage.decided(6)
        await stage.say(home, order(6, home))
        await stage.decided(7)
    assert await stage.balance(home) == 700


async def test_a_topic_that_was_written_anew_to_the_very_same_length_is_noticed(stage: Stage) -> None:
    """Its end is where we would go on reading: only the message before it tells that it is another topic."""
    home, _ = homes()
    await stage.say(home, *[order(n, home) for n in range(5)])
    async with stage.running():
        await stage.decided(5)
    await stage.lose_topic("orders.commands")
    await stage.say(home, *[order(n, home) for n in range(5, 10)])
    async with stage.running():
        await stage.decided(10)
    assert await stage.balance(home) == 1000
