"""The sandbox acquirer over a real port, asked by our own executor and heard by our own callback (P9). No database."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette

from contracts.payments import TakeCardPayment
from deploy.sandbox.acquirer import Sandbox, signed
from services.payments.cards import callback
from services.payments.cards.executor import Executor, Told
from services.payments.cards.over_http import HttpAcquirer, client_of
from services.payments.cards.payment import key_of
from services.payments.cards.port import Outcome, Question
from services.payments.state import Card, receipt_of_card
from shared.serve import Server
from shared.testing import free_ports
from tests.models.payments_books import Books, invoice, opened

SECRET = "whsec_c2VjcmV0IG9mIHRlc3Rz"
SHORT_S, WAIT_S = 1.5, 10.0
PARTS = ("outcome", "amount_minor", "detail")


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@asynccontextmanager
async def served(app: Starlette, port: int) -> AsyncIterator[None]:
    server = Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await running


class House:
    """Our side: the books, the executor that asks, the callback that hears; and the sandbox they speak with."""

    def __init__(self, sandbox: Sandbox, url: str, client: httpx.AsyncClient, heard_at: str) -> None:
        self.books, self.sandbox, self.url, self.heard_at = Books(), sandbox, url, heard_at
        self.acquirer = HttpAcquirer(client)
        self.books.do(opened())
        self.books.do(invoice("I1", 100_00))
        self.later = dt.timedelta()
        self.executor = Executor(self._pending, self.acquirer, self._tell, lambda: now() + self.later)

    async def _pending(self, after: str) -> list[Card]:
        return [card for card in self.books.tables["card"].values() if card.asking_key and card.asking > after]

    async def _tell(self, told: Any) -> None:
        for each in told:
            await self.tell_one(each)

    async def tell_one(self, told: Told) -> None:
        self.books.do(told[1], actor="acquirer", role="")

    async def find(self, name: str) -> Card | None:
        card: Card | None = self.books.tables["card"].get(name)
        return card

    def takes(self, amount_minor: int, payment: str = "P1") -> str:
        wish = TakeCardPayment(
            account="acme", payment=payment, amount_minor=amount_minor, currency="GBP", token="tok_1", items=("I1",)
        )
        self.books.do(wish)
        return key_of("acme", payment, 1)

    async def turn(self) -> int:
        """A turn in which nothing waits for its time any more."""
        self.later += dt.timedelta(minutes=5)
        return await self.executor.turn()

    def card(self) -> Card:
        found: Card = self.books.tables["card"]["acme/P1"]
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    ours, theirs = free_ports(2)
    url, heard_at = f"http://127.0.0.1:{theirs}", f"http://127.0.0.1:{ours}{callback.PATH}"
    sandbox = Sandbox(tmp_path / "book.jsonl", heard_at, SECRET, hang_s=2 * SHORT_S)
    async with client_of(url, "x", SHORT_S) as client:
        house = House(sandbox, url, client, heard_at)
        hearing = Starlette(routes=[callback.route(SECRET, house.find, house.tell_one, now)])
        async with served(sandbox.application(), theirs), served(hearing, ours):
            yield house


async def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not so():
        assert time.monotonic() < end, "it did not come to be so"
        await asyncio.sleep(0.02)


def question(amount_minor: int, **more: str) -> Question:
    fields = {"key": "K1", "token": "tok_1", "action": "capture"} | more
    return Question(account="acme", payment="P1", amount_minor=amount_minor, currency="GBP", **fields)


async def test_money_is_taken_and_settles_the_invoice(house: House) -> None:
    house.takes(100_00)
    assert await house.turn() == 1
    assert house.books.item("I1").open_minor == 0
    assert await house.turn() == 0


@pytest.mark.parametrize(("action", "outcome"), [("capture", "declined"), ("refund", "refund_declined")])
async def test_amounts_ending_in_01_are_declined(house: House, action: str, outcome: str) -> None:
    answer = await house.acquirer.ask(question(100_01, action=action))
    assert answer == Outcome(outcome=outcome, amount_minor=100_01, detail="insufficient funds")


async def test_a_time_out_is_unknown_and_the_same_key_tells_what_became_of_it(house: House) -> None:
    key = house.takes(100_02)
    await house.turn()
    assert house.card().asking == key
    assert house.books.item("I1").open_minor == 100_00
    await house.turn()
    assert house.card().state == "captured"
    assert house.sandbox.asked[key] == 2
    assert house.books.sums()["cards"] == 100_02


async def test_an_error_after_the_money_was_taken_is_unknown_not_declined(house: House) -> None:
    house.takes(100_04)
    await house.turn()
    assert house.card().state == "asked"
    await house.turn()
    assert house.card().state == "captured"
    assert house.books.sums()["cards"] == 100_04


async def test_a_late_outcome_comes_by_signed_callback(house: House) -> None:
    house.takes(100_03)
    await house.turn()
    await until(lambda: house.card().state == "captured")
    assert house.books.sums()["cards"] == 100_03
    assert await house.turn() == 0


async def test_an_outcome_told_at_once_and_by_callback_counts_once(house: House) -> None:
    house.takes(100_05)
    await house.turn()
    await until(lambda: not house.sandbox._sending)
    assert house.books.sums()["cards"] == 100_05
    assert len(house.card().outcomes) == 1


async def test_a_chargeback_reopens_the_invoice(house: House) -> None:
    key = house.takes(100_00)
    await house.turn()
    async with httpx.AsyncClient(base_url=house.url) as client:
        assert (await client.post("/v1/chargebacks", json={"key": key})).status_code == 202
        assert (await client.post("/v1/chargebacks", json={"key": "K9"})).status_code == 404
    await until(lambda: house.card().state == "charged_back")
    assert house.books.item("I1").open_minor == 100_00
    assert house.books.item(receipt_of_card("acme", "P1")).open_minor == 0
    assert house.books.sums()["cards"] == 0
    assert house.books.refolded() == house.books.tables


async def test_many_questions_under_one_key_at_once_are_one_payment(house: House) -> None:
    answers = await asyncio.gather(*(house.acquirer.ask(question(50_00)) for _ in range(10)))
    assert set(answers) == {Outcome(outcome="captured", amount_minor=50_00)}
    assert len(house.sandbox.book) == 1


async def test_a_key_is_one_payment_for_ever_across_restarts(house: House) -> None:
    first = await house.acquirer.ask(question(100_01))
    again = Sandbox(house.sandbox.file)
    assert first is not None
    assert [again.book["K1"][name] for name in PARTS] == [getattr(first, name) for name in PARTS]


async def test_other_content_under_a_key_is_refused_and_stays_unknown(house: House) -> None:
    await house.acquirer.ask(question(50_00))
    assert await house.acquirer.ask(question(60_00)) is None
    assert house.sandbox.book["K1"]["amount_minor"] == 50_00


async def test_a_card_number_gets_no_answer_and_is_kept_nowhere(house: House) -> None:
    assert await house.acquirer.ask(question(50_00, token="4111111111111111")) is None
    assert await house.acquirer.ask(question(50_00)) is not None
    assert house.sandbox.file is not None
    kept = house.sandbox.file.read_text()
    assert "4111" not in kept
    assert "tok_1" not in kept


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{}", 400), (b"[1]", 400), (b'{"key":"K1","token":"tok_1","action":"steal"}', 400)],
)
async def test_what_is_no_question_is_refused(house: House, body: bytes, status: int) -> None:
    async with httpx.AsyncClient(base_url=house.url) as client:
        answer = await client.post("/v1/payments", content=body, headers={"Idempotency-Key": "K1"})
    assert answer.status_code == status


async def test_an_acquirer_that_is_away_is_unknown() -> None:
    (port,) = free_ports(1)
    async with client_of(f"http://127.0.0.1:{port}", "x", SHORT_S) as client:
        assert await HttpAcquirer(client).ask(question(50_00)) is None


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"amount_minor": 100_01}, 400),
        ({"amount_minor": 0}, 400),
        ({"outcome": "stolen"}, 400),
        ({"outcome": 7}, 400),
        ({"key": "CK-9"}, 404),
        ({"payment": "P9"}, 404),
        ({}, 204),
    ],
)
async def test_only_callbacks_about_what_was_asked_are_taken(house: House, change: dict[str, Any], status: int) -> None:
    data = {"account": "acme", "payment": "P1", "key": house.takes(100_00), "outcome": "captured", "amount_minor": 100_00}
    body = msgspec.json.encode({"type": "payment.captured", "data": data | change})
    async with httpx.AsyncClient() as client:
        answer = await client.post(house.heard_at, content=body, headers=signed(SECRET, "m", int(time.time()), body))
    assert answer.status_code == status
    assert (house.card().state == "captured") is (status == 204)


async def test_a_callback_that_is_not_signed_changes_nothing(house: House) -> None:
    data = {"account": "acme", "payment": "P1", "key": house.takes(100_00), "outcome": "captured", "amount_minor": 100_00}
    body = msgspec.json.encode({"type": "payment.captured", "data": data})
    async with httpx.AsyncClient() as client:
        forged = await client.post(house.heard_at, content=body, headers=signed("whsec_Zm9yZ2Vk", "m", int(time.time()), body))
        stale = await client.post(house.heard_at, content=body, headers=signed(SECRET, "m", int(time.time()) - 3600, body))
        long = await client.post(house.heard_at, content=b"x" * 70_000)
    assert [forged.status_code, stale.status_code, long.status_code] == [401, 401, 413]
    assert house.card().state == "asked"
