"""A database restored to an earlier time: its topics know more than it does, and what they know counts."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from contracts.orders import CancelOrder, OpenRecheck
from shared import ahead, feed, mailbox
from shared.ahead import TopicAhead
from shared.refold import differences
from shared.testing import Servers
from tests.kit.ledger_service import RAISES
from tests.kit.stage import BEGAN, Stage, homes, order, stage_on

LATER = BEGAN + dt.timedelta(days=3)


@pytest.fixture(params=["event", "wall"])
async def stage(stack: Servers, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """On both clocks: on wall time nothing could be decided again to the same bytes."""
    async with stage_on(stack, clock=request.param) as fresh:
        yield fresh


async def _trade(stage: Stage, name: str, count: int = 5) -> None:
    for home in homes():
        await stage.say(home, *[order(f"{name}-{home}-{n}", home) for n in range(count)])


async def _whole(stage: Stage, released: int) -> None:
    """Journal equals topic, rows equal the fold, and no order was released twice."""
    await stage.equals(
        released, "select count(*) from journal where lane = '' and position('order_released' in convert_from(body, 'utf8')) > 0"
    )
    await stage.all_published()
    for partition in range(2):
        _, different = await differences(stage.connection, stage.service, partition)
        assert different == []
    facts = await stage.facts()
    assert max(Counter(fact.id for fact in facts).values()) == 1
    orders = Counter(fact.data.order for fact in facts if type(fact.data).__name__ == "OrderReleased")
    assert len(orders) == released and max(orders.values()) == 1
    assert await stage.value("select count(distinct sequence) = max(sequence) from journal where lane = '' and partition = 0")


async def test_what_was_said_after_the_backup_is_taken_in_and_nothing_is_decided_twice(stage: Stage) -> None:
    await _trade(stage, "before")
    async with stage.running():
        await stage.decided(10)
    await stage.back_up()
    home, _ = homes()
    async with stage.running():
        await _trade(stage, "after")
        await stage.say(home, CancelOrder(order=f"web/before-{home}-0", account=home, reason="stop"))
        await stage.decided(21)
        await stage.all_published()
    kept = await stage.rows("select partition, lane, sequence, at, home, body from journal order by 1, 2, 3")
    await stage.restore()
    assert await stage.value("select count(*) from journal") == 10
    async with stage.running() as engine:
        await stage.decided(21)
        again = await stage.rows("select partition, lane, sequence, at, home, body from journal order by 1, 2, 3")
        assert again == kept and {lane for _, lane, *_ in kept} == {"", "accounts.commands/0"}
        await _trade(stage, "now")
        await _whole(stage, 30)
        await stage.equals(0, "select count(*) from handled")
        assert engine.metrics.restarts._value.get() == 0
    assert await stage.balance(home) == 1400
    assert await stage.value("select count(distinct ordinal) from journal where partition = 0") == 16
    assert len(await stage.published("accounts.commands")) == 1


async def test_a_database_that_was_lost_whole_comes_back_from_its_topics(stage: Stage) -> None:
    await stage.back_up()
    async with stage.running():
        await _trade(stage, "all", 20)
        await stage.decided(40)
        await stage.all_published()
    await stage.restore()
    async with stage.running():
        await stage.decided(40)
        await _trade(stage, "now", 1)
        await _whole(stage, 42)


async def test_a_lane_that_the_restored_journal_does_not_know_is_found(stage: Stage) -> None:
    """A command alone, without a fact beside it: only the commands topic knows that it was sent."""
    home, _ = homes()
    async with stage.running():
        await _trade(stage, "before", 1)
        await stage.decided(2)
    await stage.back_up()
    async with stage.running():
        await stage.say(home, CancelOrder(order="web/unknown", account=home, reason="stop"))
        await stage.equals(1, "select count(*) from journal where lane = 'accounts.commands/0'")
        await stage.until("it is sent", lambda: _sent(stage, 1))
    await stage.restore()
    async with stage.running():
        await stage.equals(1, "select count(*) from journal where lane = 'accounts.commands/0'")
        await stage.say(home, CancelOrder(order="web/unknown", account=home, reason="stop"))
        await stage.equals(2, "select count(*) from journal where lane = 'accounts.commands/0'")
        await stage.until("it is sent", lambda: _sent(stage, 2))


async def _sent(stage: Stage, count: int) -> bool:
    return len(await stage.published("accounts.commands")) == count


async def test_what_was_parked_after_the_backup_is_parked_again(stage: Stage) -> None:
    home, other = homes()
    async with stage.running():
        await _trade(stage, "before", 1)
        await stage.decided(2)
    await stage.back_up()
    async with stage.running():
        await stage.say(home, order("good", home), order("bad", home, po=RAISES), order("behind", home))
        await stage.say(other, order("other", other))
        await stage.decided(4)
        await stage.equals(2, "select count(*) from parked")
        await stage.all_published()
    await stage.restore()
    async with stage.running():
        await stage.equals(2, "select count(*) from parked")
        await _whole(stage, 4)


async def test_timers_that_fired_after_the_backup_leave_nothing_undone_and_nothing_twice(stage: Stage) -> None:
    home, _ = homes()
    async with stage.running():
        await stage.say(home, *[order(n, home, days=0 if stage.settings.clock == "wall" else 1) for n in range(3)])
        await stage.decided(3 if stage.settings.clock == "event" else 6)
    await stage.back_up()
    async with stage.running():
        await stage.say(
            home, *[order(f"late-{n}", home, days=0 if stage.settings.clock == "wall" else 1) for n in range(2)], at=BEGAN
        )
        await stage.say(home, order("last", home), at=LATER)
        await stage.equals(1, "select count(*) from orders")
        await stage.all_published()
    kept = await stage.journal()
    assert len(kept) == 11
    await stage.restore()
    async with stage.running():
        await stage.equals(1, "select count(*) from orders")
        await stage.equals(0, "select count(*) from timer")
        await stage.say(home, order("now", home), at=LATER)
        await stage.equals(2, "select count(*) from orders")
        await _whole(stage, 7)
        assert (await stage.journal())[:11] == kept


def _sender(letter: str) -> mailbox.Sender:
    return mailbox.Sender(id=letter * 32, flow="b" * 32, at=BEGAN, actor="ann", role="", team="")


async def test_mail_that_was_handled_after_the_backup_is_passed_over_when_it_comes_again(stage: Stage) -> None:
    home, _ = homes()
    mail = mailbox.mail_of(2, home, order("mailed", home), _sender("a"))
    await mailbox.post(stage.connection, [mail])
    await stage.back_up()
    async with stage.running():
        await stage.decided(1)
        await stage.all_published()
    await stage.restore()
    async with stage.running():
        await stage.equals(0, "select count(*) from mailbox")
        await mailbox.post(stage.connection, [mailbox.mail_of(2, home, order("second", home), _sender("c"))])
        await _whole(stage, 2)


async def test_an_owner_that_dies_while_it_takes_in_is_followed_by_one_that_goes_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "TOLD_AT_ONCE", 3)
    await stage.back_up()
    async with stage.running():
        await _trade(stage, "all", 10)
        await stage.decided(20)
        await stage.all_published()
    await stage.restore()
    taken: list[int] = []
    append = ahead._append

    async def dying(connection: asyncpg.Connection, *more: Any) -> None:
        taken.append(1)
        if len(taken) in (3, 5):
            raise ConnectionResetError("it died here")
        await append(connection, *more)

    monkeypatch.setattr(ahead, "_append", dying)
    async with stage.running():
        await stage.decided(20)
        await _trade(stage, "now", 1)
        await _whole(stage, 22)
    assert len(taken) > 5


async def test_two_histories_are_never_chosen_between(stage: Stage) -> None:
    """Restored, written to while the topic was away, and the topic comes back: both have a fact of that number."""
    async with stage.running():
        await _trade(stage, "all", 3)
        await stage.decided(6)
        await stage.all_published()
    for sequence in (2, 3):
        await stage.connection.execute("delete from journal where partition = 0 and sequence > $1", sequence)
    body = await stage.value("select body from journal where partition = 0 and sequence = 2")
    at = body.index(b'"id":"') + 6
    await stage.connection.execute(
        "update journal set body = $1 where partition = 0 and sequence = 2", body[:at] + b"0" * 32 + body[at + 32 :]
    )
    with pytest.raises(
        TopicAhead, match=r"sequence 2 is .* on orders/0 \(offset 1\) and 0{32} in the journal: .* `quittance refill`"
    ):
        await asyncio.wait_for(stage.start().task, 20)


async def test_an_open_recheck_that_went_on_after_the_backup_ends(stage: Stage) -> None:
    home, _ = homes()
    async with stage.running():
        await stage.say(home, *[order(n, home) for n in range(150)])
        await stage.decided(150)
    await stage.back_up()
    async with stage.running():
        await stage.say(home, OpenRecheck(home=home))
        await stage.equals(150, "select count(*) from journal where position('order_noted' in convert_from(body, 'utf8')) > 0")
        await stage.equals(0, "select count(*) from timer")
        await stage.all_published()
    await stage.restore()
    async with stage.running():
        await stage.equals(0, "select count(*) from timer")
        await _whole(stage, 150)
    assert (
        await stage.value("select count(*) from journal where position('recheck_closed' in convert_from(body, 'utf8')) > 0") >= 1
    )
