"""Orders through the whole house, on the real stack: limits hold against a crowd, and held orders go when their cause clears."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import httpx
import pytest

from contracts import orders
from contracts.envelope import Envelope, read
from services.gateway.credentials import system_of_record
from shared.testing import Servers
from tests.running import House, finished, house

pytestmark = pytest.mark.stack

ACCOUNTS = (
    b"account,name,currency,limit,parent\n"
    b"S1,Crowd,GBP,1000.00,\n"
    b"G0,Group,GBP,1000.00,\n"
    b"G1,North,GBP,600.00,G0\n"
    b"G2,South,GBP,600.00,G0\n"
    b"W1,Waits,GBP,100.00,\n"
)
CONNECTIONS = 8
MANY = 200


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house")) as found:
        with found.client() as client:
            sent = client.post("/v1/files/accounts", content=ACCOUNTS, headers={"Content-Type": "text/csv"})
            finished(client, sent.json()["flow"])
            _until(lambda: _place(client, "first", "W1", "0.01") < 300)
        yield found


def _until(reached: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not reached within {seconds:.0f} s")
        time.sleep(0.1)


def _place(client: httpx.Client, reference: str, account: str, total: str = "10.00") -> int:
    body = {"reference": reference, "account": account, "currency": "GBP", "total": total}
    return client.post("/v1/orders", json=body).status_code


def _crowd(running: House, names: list[tuple[str, str]]) -> None:
    """Place orders of 10.00 over several connections at once: (reference, account)."""

    def one_connection(mine: list[tuple[str, str]]) -> None:
        with running.client() as client:
            assert {_place(client, reference, account) for reference, account in mine} <= {200, 202}

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(one_connection, [names[n::CONNECTIONS] for n in range(CONNECTIONS)]))


def _journal(running: House, prefix: str) -> list[Envelope]:
    """The order desk's own facts about these orders, in the order of the journal."""

    async def look() -> list[Envelope]:
        connection = await asyncpg.connect(running.settings.database("orders"))
        try:
            rows = await connection.fetch("select body from journal where lane = '' order by partition, sequence")
        finally:
            await connection.close()
        return [read(row["body"]) for row in rows]

    return [fact for fact in asyncio.run(look()) if str(getattr(fact.data, "order", "")).startswith(f"home/{prefix}")]


def _decided(running: House, prefix: str, count: int) -> list[Envelope]:
    _until(lambda: len({fact.data.order for fact in _journal(running, prefix)}) == count)
    return _journal(running, prefix)


def _reserved(facts: list[Envelope]) -> Iterator[tuple[str, int]]:
    """(account, reservation) of each release, in sequence; nothing else moves exposure in these stories."""
    for fact in facts:
        if isinstance(fact.data, orders.OrderReleased):
            yield fact.data.account, fact.data.reserved_minor


def test_two_hundred_orders_at_once_never_take_an_account_above_its_limit(running: House) -> None:  # O3
    _crowd(running, [(f"crowd-{n}", "S1") for n in range(MANY)])
    facts = _decided(running, "crowd-", MANY)
    exposure = 0
    for _, reserved in _reserved(facts):
        exposure += reserved
        assert exposure <= 1000_00
    assert exposure == 1000_00
    assert Counter(type(fact.data).__name__ for fact in facts) == {"OrderReleased": 100, "OrderHeld": 100}
    assert max(Counter(fact.data.order for fact in facts).values()) == 1


def test_accounts_of_a_group_share_its_limit_and_keep_their_own(running: House) -> None:  # O3, A2
    _crowd(running, [(f"group-{n}", f"G{n % 2 + 1}") for n in range(MANY)])
    facts = _decided(running, "group-", MANY)
    assert len({fact.source for fact in facts}) == 1, "a group is decided by one writer"
    exposure: Counter[str] = Counter()
    for account, reserved in _reserved(facts):
        exposure[account] += reserved
        assert exposure[account] <= 600_00
        assert exposure.total() <= 1000_00
    assert exposure.total() == 1000_00


def test_held_orders_are_released_in_order_of_receipt_when_the_limit_is_raised(running: House) -> None:  # O7, O9
    with running.client() as client, running.client(system_of_record()) as records:
        for reference, total in [("wait-1", "150.00"), ("wait-2", "120.00"), ("wait-3", "90.00"), ("wait-4", "500.00")]:
            assert _place(client, reference, "W1", total) < 300
            _decided(running, reference, 1)
        event = {
            "specversion": "1.0",
            "id": "raise-W1",
            "source": "desk",
            "type": "accounts.change_limit.v1",
            "time": dt.datetime.now(dt.UTC).isoformat(),
            "data": {"account": "W1", "limit_minor": 370_00, "reason": "reviewed"},
        }
        sent = records.post("/v1/events", content=json.dumps(event), headers={"Content-Type": "application/cloudevents+json"})
        assert sent.status_code < 300, sent.text
    _until(lambda: len(list(_reserved(_journal(running, "wait-")))) == 3)
    released = [fact.data for fact in _journal(running, "wait-") if isinstance(fact.data, orders.OrderReleased)]
    assert [one.order for one in released] == ["home/wait-3", "home/wait-1", "home/wait-2"]
    assert len({one.instruction for one in released}) == 3, "one release instruction per order"
