"""The credit master on the real stack: a wish goes in by mail, facts come out on the topic, in order and dated (A2)."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.accounts import (
    AccountOpened,
    ApprovalRequested,
    ApproveRequest,
    ChangeLimit,
    ChangeScheduled,
    CommandRefused,
    LimitChanged,
    OpenAccount,
    PlacedOnStop,
    PutOnStop,
    RequestApproved,
    ScheduleStop,
    StopProgressMissed,
    StopScheduled,
)
from contracts.envelope import Envelope, derived_id, read
from contracts.message import Message
from services.accounts.account import Account
from services.accounts.app import SERVICE
from shared import mailbox
from shared.database import prepare
from shared.engine import Engine
from shared.settings import Settings
from shared.testing import Servers
from shared.topics import create_topics

pytestmark = pytest.mark.stack

START = dt.datetime(2010, 12, 1, 9, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
WAIT_S = 20


class Desk:
    """Sends wishes as the gateway does, each with the time at which it was sent, and reads what is said."""

    def __init__(self, settings: Settings, database: asyncpg.Connection, topic: AIOKafkaConsumer) -> None:
        self.settings, self.database, self.topic = settings, database, topic
        self.sent = 0

    async def send(self, wish: Message, home: str, at: dt.datetime, role: str = "feed", actor: str = "ada") -> None:
        self.sent += 1
        flow = derived_id("test", str(self.sent))
        sender = mailbox.Sender(id=flow, flow=flow, at=at, actor=actor, role=role, team="credit")
        await mailbox.post(self.database, [mailbox.mail_of(self.settings.partitions, home, wish, sender)])

    async def hear(self, count: int) -> list[Envelope]:
        """The next facts on the topic, as many as are awaited and not one more."""
        facts = [read((await asyncio.wait_for(self.topic.getone(), WAIT_S)).value) for _ in range(count)]
        assert await self.topic.getmany(timeout_ms=200) == {}
        return facts

    async def row(self, account: str) -> Account:
        row = await self.database.fetchrow("select body from account where key = $1", account)
        assert row is not None
        found: Account = SERVICE.tables["account"].decode(row["body"])
        return found


@asynccontextmanager
async def a_desk(stack: Servers, clock: Any) -> AsyncIterator[Desk]:
    """An installation of its own: topics and database under a name nobody else uses."""
    namespace = f"t{uuid4().hex[:8]}_"
    settings = Settings(kafka=stack.kafka, postgres=stack.postgres, namespace=namespace, clock=clock)
    await create_topics(settings)
    await prepare(settings, SERVICE.name, SERVICE.schema)
    database = await asyncpg.connect(settings.database(SERVICE.name))
    topic = AIOKafkaConsumer(bootstrap_servers=settings.kafka, auto_offset_reset="earliest")
    await topic.start()
    topic.assign([TopicPartition(settings.topic("accounts"), number) for number in range(settings.partitions)])
    engine = Engine(SERVICE, settings)
    running = asyncio.create_task(engine.run())
    try:
        yield Desk(settings, database, topic)
    finally:
        engine.stop()
        await asyncio.wait_for(running, WAIT_S)
        await topic.stop()
        await database.close()
        await _drop(stack, settings.database_name(SERVICE.name))


async def _drop(stack: Servers, database: str) -> None:
    server = await asyncpg.connect(stack.postgres)
    try:
        await server.execute(f"drop database {database} with (force)")
    finally:
        await server.close()


def opening(account: str, **fields: Any) -> OpenAccount:
    return OpenAccount(account=account, name=account, currency="GBP", limit_minor=1_000_00, **fields)


def limit(account: str, amount: int, on: dt.date | None = None) -> ChangeLimit:
    return ChangeLimit(account=account, limit_minor=amount, reason="review", effective_from=on)


async def test_a_limit_change_travels_to_a_fact_on_the_topic(stack: Servers) -> None:
    async with a_desk(stack, "event") as desk:
        await desk.send(opening("acme"), "acme", START)
        await desk.send(limit("acme", 2_000_00), "acme", START + DAY)
        opened, changed = await desk.hear(2)
        assert isinstance(opened.data, AccountOpened)
        assert changed.data == LimitChanged(
            account="acme",
            limit_minor=2_000_00,
            was_minor=1_000_00,
            reason="review",
            effective_from=(START + DAY).date(),
            by="ada",
        )
        assert (changed.partitionkey, changed.subject, changed.actorid) == ("acme", "acme", "ada")
        assert (changed.time, int(changed.sequence)) == (START + DAY, int(opened.sequence) + 1)
        assert (await desk.row("acme")).limit_minor == 2_000_00


async def test_a_dated_change_becomes_a_fact_on_its_day_by_the_clock_of_the_messages(stack: Servers) -> None:
    on = (START + 7 * DAY).date()
    midnight = dt.datetime.combine(on, dt.time(), dt.UTC)
    async with a_desk(stack, "event") as desk:
        await desk.send(opening("acme"), "acme", START)
        await desk.send(limit("acme", 5_00, on), "acme", START)
        _, scheduled = await desk.hear(2)
        assert isinstance(scheduled.data, ChangeScheduled)
        await desk.send(PutOnStop(account="acme", reason="later news"), "acme", START + 8 * DAY)
        changed, stopped = await desk.hear(2)
        assert isinstance(changed.data, LimitChanged)
        assert (changed.data.limit_minor, changed.data.effective_from, changed.data.by) == (5_00, on, "ada")
        assert (changed.time, stopped.time) == (midnight, START + 8 * DAY)
        assert (await desk.row("acme")).scheduled == ()


async def test_a_group_is_decided_in_one_order_at_its_root(stack: Servers) -> None:
    async with a_desk(stack, "event") as desk:
        await desk.send(opening("north", parent="group"), "group", START)
        await desk.send(opening("group"), "group", START)
        await desk.send(opening("north", parent="group"), "group", START)
        refused, root, member = await desk.hear(3)
        assert isinstance(refused.data, CommandRefused)
        assert refused.data.reason == "unknown_parent"
        assert {root.partitionkey, member.partitionkey} == {"group"}
        assert (await desk.row("group")).members == 1


async def test_a_refusal_is_a_fact_and_changes_no_row(stack: Servers) -> None:
    async with a_desk(stack, "wall") as desk:
        await desk.send(opening("acme"), "acme", START)
        await desk.send(limit("acme", 9_999_999_99), "acme", START, role="")
        opened, refused = await desk.hear(2)
        assert isinstance(refused.data, CommandRefused)
        assert refused.data.reason == "beyond_authority"
        assert (await desk.row("acme")).limit_minor == 1_000_00
        assert opened.time > START + 365 * DAY


async def test_an_announced_stop_comes_on_its_day_and_asks_for_its_weekly_note(stack: Servers) -> None:  # A3
    on = (START + 2 * DAY).date()
    async with a_desk(stack, "event") as desk:
        await desk.send(opening("acme"), "acme", START)
        await desk.send(ScheduleStop(account="acme", on=on, reason="60 days overdue"), "acme", START)
        _, announced = await desk.hear(2)
        assert isinstance(announced.data, StopScheduled)
        await desk.send(limit("acme", 900_00), "acme", START + 12 * DAY)
        stopped, missed, _ = await desk.hear(3)
        week = on + 7 * DAY
        assert stopped.data == PlacedOnStop(account="acme", reason="60 days overdue", progress_due_on=week)
        assert stopped.time == dt.datetime.combine(on, dt.time(), dt.UTC)
        assert missed.data == StopProgressMissed(account="acme", due_on=week, next_due_on=week + 7 * DAY)
        assert missed.time == dt.datetime.combine(week + DAY, dt.time(), dt.UTC)
        assert (await desk.row("acme")).status == "on_stop"


async def test_a_raise_is_asked_for_and_changes_the_limit_when_another_approves(stack: Servers) -> None:  # A6
    async with a_desk(stack, "event") as desk:
        await desk.send(opening("acme"), "acme", START)
        await desk.send(limit("acme", 6_000_00), "acme", START, role="controller", actor="con")
        _, asked = await desk.hear(2)
        assert isinstance(asked.data, ApprovalRequested)
        request = asked.data.request
        await desk.send(ApproveRequest(account="acme", request=request, reason="mine"), "acme", START, "director", "con")
        await desk.send(ApproveRequest(account="acme", request=request, reason="seen"), "acme", START, "team_leader", "tia")
        refused, approved, changed = await desk.hear(3)
        assert isinstance(refused.data, CommandRefused)
        assert refused.data.reason == "own_request"
        assert isinstance(approved.data, RequestApproved)
        assert isinstance(changed.data, LimitChanged)
        assert (approved.data.by, approved.actorid, changed.data.by) == ("tia", "tia", "con")
        assert approved.causationid == changed.causationid
        assert (await desk.row("acme")).limit_minor == 6_000_00
