"""Announced large orders through the whole house, on the real stack and on the messages' own time (O8)."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from services.gateway.credentials import Credential
from shared.testing import Servers
from tests.running import House, finished, house

pytestmark = pytest.mark.stack

ACCOUNTS = b"account,name,currency,limit,parent\nB1,Big,GBP,1000.00,\nE1,Ends,GBP,1000.00,\n"
MORNING = dt.datetime.now(dt.UTC).replace(hour=12, minute=0) + dt.timedelta(days=7)
"""After the accounts were opened: time never goes back."""
DAY = dt.timedelta(days=1)
ANNOUNCER = Credential("sam", "home", "sam", "controller", "home", ("*",))
CONTROLLER = Credential("con", "home", "con", "controller", "home", ("*",))
LEADER = Credential("lea", "home", "lea", "team_leader", "home", ("*",))


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house"), clock="event") as found:
        with found.client() as client:
            sent = client.post("/v1/files/accounts", content=ACCOUNTS, headers={"Content-Type": "text/csv"})
            finished(client, sent.json()["flow"])
        yield found


class Desk:
    """People with a credential each, who send wishes at a moment and wait for what became of them."""

    def __init__(self, running: House) -> None:
        self._running = running
        self._clients: dict[str, httpx.Client] = {}
        self._count = 0

    def wish(self, who: Credential, at: dt.datetime, kind: str, **data: Any) -> dict[str, Any]:
        self._count += 1
        event = {
            "specversion": "1.0", "id": f"{kind}/{self._count}/{data}"[:150], "source": who.name, "type": f"orders.{kind}.v1",
            "time": at.isoformat(), "data": data,
        }  # fmt: skip
        headers = {"Content-Type": "application/cloudevents+json", "Prefer": "wait=30"}
        return self._answered(lambda: self._client(who).post("/v1/events", content=json.dumps(event), headers=headers))

    def place(self, at: dt.datetime, reference: str, account: str, total: str, **more: Any) -> dict[str, Any]:
        body = {"reference": reference, "account": account, "currency": "GBP", "total": total, "received_at": at.isoformat()}
        return self._answered(lambda: self._client(ANNOUNCER).post("/v1/orders", json=body | more, headers={"Prefer": "wait=30"}))

    def _answered(self, send: Callable[[], httpx.Response]) -> dict[str, Any]:
        """The outcome; an account that is on its way to the desk is waited for, as a sender does."""
        deadline = time.monotonic() + 60
        while (answer := send()).status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def _client(self, who: Credential) -> httpx.Client:
        if who.name not in self._clients:
            self._clients[who.name] = self._running.client(who)
        return self._clients[who.name]

    def waits(self, order: str) -> bool:
        held = self._client(ANNOUNCER).get("/v1/held").json()
        return any(each["order"] == order for each in held["orders"])


@pytest.fixture
def desk(running: House) -> Desk:
    return Desk(running)


def announced(deal: str, account: str, value_minor: int, until_on: dt.date) -> dict[str, Any]:
    return {
        "deal": deal, "account": account, "currency": "GBP", "value_minor": value_minor, "from_on": MORNING.date().isoformat(),
        "until_on": until_on.isoformat(), "evidence": "mail of the buyer",
    }  # fmt: skip


def test_a_deal_approved_at_the_level_needed_lets_its_order_pass_at_once(desk: Desk) -> None:  # O8, A6
    until = MORNING.date() + 14 * DAY
    registered = desk.wish(ANNOUNCER, MORNING, "register_deal", **announced("LAUNCH", "B1", 20_000_00, until))
    assert (registered["outcome"], told(registered)["level"]) == ("registered", "team_leader")
    wish = {"deal": "LAUNCH", "account": "B1", "reason": "spring launch"}
    assert told(desk.wish(CONTROLLER, MORNING, "approve_deal", **wish))["reason"] == "beyond_authority"
    assert desk.wish(LEADER, MORNING, "approve_deal", **wish)["outcome"] == "approved"
    plain = desk.place(MORNING + DAY, "plain", "B1", "20000.00")
    assert plain["outcome"] == "referred"
    passed = desk.place(MORNING + DAY, "launch", "B1", "20000.00", po_number="LAUNCH")
    assert (passed["outcome"], told(passed)["deal"], told(passed)["deal_minor"]) == ("released", "LAUNCH", 20_000_00)


def test_a_deal_that_nobody_used_expires_and_a_held_order_goes(desk: Desk) -> None:  # O8, O7
    last = MORNING.date() + 2 * DAY
    desk.wish(ANNOUNCER, MORNING, "register_deal", **announced("GONE", "E1", 1_000_00, last))
    assert desk.wish(LEADER, MORNING, "approve_deal", deal="GONE", account="E1", reason="launch")["outcome"] == "approved"
    assert desk.place(MORNING + DAY, "waits", "E1", "600.00")["outcome"] == "held"
    assert desk.place(MORNING + 2 * DAY, "still", "E1", "600.00")["outcome"] == "held"
    note = {"order": "home/waits", "account": "E1", "note": "the next morning"}
    desk.wish(ANNOUNCER, MORNING + 3 * DAY, "note_order", **note)
    deadline = time.monotonic() + 60
    while desk.waits("home/waits"):
        assert time.monotonic() < deadline, "the held order was not released by what the deal gave back"
        time.sleep(0.2)
    assert desk.waits("home/still"), "only one of them fits"


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """The fact that answered."""
    return dict(answer["fact"]["data"])
