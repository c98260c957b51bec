"""The two hours of a held order on the real stack (O6): told at each mark, once, whoever owns the partition and however the
clock of the house jumps."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator

import pytest

from contracts import orders
from contracts.accounts import AccountOpened, LimitChanged
from services.orders.app import SERVICE
from shared.testing import Servers
from tests.kit.stage import BEGAN, Stage, homes, stage_on

pytestmark = pytest.mark.stack

MINUTE = dt.timedelta(minutes=1)
WARNED, ESCALATED, BREACHED = "OrderWarned", "OrderEscalated", "OrderBreached"
CLOCK = (WARNED, ESCALATED, BREACHED)
LIMIT_MINOR = 1_000
DAY = 24 * 60


@pytest.fixture
async def stage(stack: Servers) -> AsyncIterator[Stage]:
    async with stage_on(stack, SERVICE) as found:
        yield found


def order(name: str, account: str, at: dt.datetime = BEGAN, minor: int = 5_000) -> orders.PlaceOrder:
    return orders.PlaceOrder(order=name, account=account, placed=orders.Placed(currency="GBP", total_minor=minor, received_at=at))


def opened(account: str) -> AccountOpened:
    return AccountOpened(account=account, home=account, name=account, currency="GBP", limit_minor=LIMIT_MINOR)


async def known(stage: Stage, *accounts: str) -> None:
    """Opened, and noted by the desk, so that orders do not come before their account."""
    for account in accounts:
        await stage.say(account, opened(account), at=BEGAN - MINUTE)
    async with stage.running():
        await stage.equals(len(accounts), "select count(*) from standings")


async def told(stage: Stage, name: str = "") -> list[tuple[str, str, int]]:
    """(fact, order, minutes since the day began) of every mark."""
    return [
        (type(fact.data).__name__, fact.data.order, (fact.time - BEGAN) // MINUTE)
        for fact in await stage.facts()
        if type(fact.data).__name__ in CLOCK and name in fact.data.order
    ]


async def decided(stage: Stage, name: str) -> None:
    await stage.equals(1, "select count(*) from orders where key = $1", name)


async def test_a_day_at_the_desk(stage: Stage) -> None:
    """One order is released in time, one is cleared by a limit, one waits for ever; the owner dies at half past ten."""
    home, _ = homes()
    await known(stage, home)
    await stage.say(home, *(order(f"web/{n}", home) for n in (1, 2, 3)))
    owner = stage.start()
    await stage.say(
        home, orders.ReleaseOrder(order="web/1", account=home, reason="known"), at=BEGAN + 20 * MINUTE, role="controller"
    )
    await stage.say(home, orders.AskCustomer(order="web/3", account=home, question="?"), at=BEGAN + 70 * MINUTE)
    await stage.equals(2, "select count(*) from timer where kind = 'escalate'")
    await owner.crash()
    async with stage.running():
        await stage.say(home, orders.NoteOrder(order="web/2", account=home, note="-"), at=BEGAN + 95 * MINUTE)
        await stage.equals(2, "select count(*) from timer where kind = 'breach'")
        raised = LimitChanged(account=home, limit_minor=50_000, was_minor=LIMIT_MINOR, reason="r", effective_from=BEGAN.date())
        await stage.say(home, orders.CancelOrder(order="web/2", account=home, reason="no"), at=BEGAN + 100 * MINUTE)
        # Of two topics the later message may be read first, and would move the clock.
        await stage.equals(1, "select count(*) from timer where kind = 'breach'")
        await stage.say(home, raised, at=BEGAN + 130 * MINUTE)
        await stage.equals(0, "select count(*) from timer where kind in ('warn', 'escalate', 'breach')")
        await stage.equals(0, "select count(*) from orders where queue_home is not null")
        await stage.all_published()
    assert await told(stage) == [
        (WARNED, "web/2", 60), (WARNED, "web/3", 60),
        (ESCALATED, "web/2", 90), (ESCALATED, "web/3", 90),
        (BREACHED, "web/3", 120), (ESCALATED, "web/3", 120),
    ]  # fmt: skip
    facts = [fact.data for fact in await stage.facts()]
    assert [fact.asked for fact in facts if isinstance(fact, orders.OrderBreached)] == [True]
    assert [fact.level for fact in facts if isinstance(fact, orders.OrderEscalated)] == [
        "team_leader", "team_leader", "operations_manager",
    ]  # fmt: skip


async def test_a_clock_that_jumps_or_goes_back_and_a_restart_fire_each_mark_once(stage: Stage) -> None:
    home, _ = homes()
    await known(stage, home)
    await stage.say(home, order("web/1", home))
    async with stage.running():
        await decided(stage, "web/1")
        await stage.say(home, order("web/2", home, BEGAN + 24 * 60 * MINUTE), at=BEGAN + 24 * 60 * MINUTE)
        await decided(stage, "web/2")
        await stage.say(home, order("web/3", home, BEGAN), at=BEGAN)
        await decided(stage, "web/3")
    async with stage.running():
        await stage.say(home, orders.NoteOrder(order="web/1", account=home, note="-"), at=BEGAN + 30 * 60 * MINUTE)
        await stage.equals(0, "select count(*) from timer where kind in ('warn', 'escalate', 'breach')")
    assert await told(stage, "web/1") == marks("web/1", 0)
    assert await told(stage, "web/2") == marks("web/2", DAY)
    late = [(BREACHED, "web/3", DAY), (ESCALATED, "web/3", DAY)]
    assert await told(stage, "web/3") == late, "what comes late is told of its last mark alone"


def marks(name: str, began: int) -> list[tuple[str, str, int]]:
    """All that an order is told that came at this minute and that nobody decided."""
    at = ((WARNED, 60), (ESCALATED, 90), (BREACHED, 120), (ESCALATED, 120))
    return [(fact, name, began + minutes) for fact, minutes in at]
