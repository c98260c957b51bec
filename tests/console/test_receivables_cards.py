"""Card payments as people reach them: taken by token, told as the acquirer tells, refunded with four eyes (P9)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from contracts.payments import NoteCardOutcome
from services.payments.cards.payment import key_of
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, house_of, office
from tests.models.payments_books import START, invoice

pytestmark = pytest.mark.stack
NUMBER = "4111 1111 1111 1111"


def the_books() -> Ledger:
    ledger = Ledger()
    ledger.open("acme")
    ledger.do(invoice("I1", 100_00))
    return ledger


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(url, tmp_path, the_books()) as found:
        yield found


async def act(desk: Office, who: str = "rose", **form: str) -> httpx.Response:
    fields = {"do": "take", "account": "acme", "payment": "P1", "amount": "120.00", "token": "tok_1", "items": "I1"} | form
    return await desk.act(who, "", "/cards/act", "/cards", **fields)


async def tells(desk: Office, outcome: str, minor: int = 120_00, n: int = 1) -> None:
    """What the executor or the acquirer's callback hands to the ledger."""
    wish = NoteCardOutcome(
        account="acme", payment="P1", key=key_of("acme", "P1", n), outcome=outcome, amount_minor=minor, told_at=START
    )
    desk.ledger.do(wish, actor="acquirer", role="")
    await desk.catch_up()


async def test_a_card_payment_is_taken_captured_refunded_and_seen_in_each_state(desk: Office) -> None:  # P9
    taken = await act(desk)
    assert "The acquirer is asked" in taken.text and "acquirer asked" in taken.text
    await tells(desk, "captured")
    assert desk.ledger.item("I1").open_minor == 0
    page = await desk.read("rose", "/cards")
    assert ">captured<" in page and "/cash/CP-" in page
    proposed = await act(desk, do="refund", amount="20.00", reason="goods back")
    assert "somebody else approves it" in proposed.text, proposed.text
    request = await desk.pool.fetchval("select request from payouts")
    answer = await desk.act("tom", "", "/payouts/act", "/payouts", do="approve", account="acme", request=str(request))
    assert "Approved." in answer.text, answer.text
    assert "refund asked" in await desk.read("rose", "/cards")
    await tells(desk, "refunded", 20_00, 2)
    page = await desk.read("rose", "/cards")
    assert ">refunded<" in page and "20.00 paid back" in page


async def test_a_chargeback_is_seen_with_what_is_owed_again(desk: Office) -> None:  # P9
    await act(desk)
    await tells(desk, "captured")
    await tells(desk, "charged_back")
    page = await desk.read("rose", "/cards")
    assert ">charged back<" in page and page.count("120.00") == 2  # of it, and taken back: all
    assert desk.ledger.item("I1").open_minor == 100_00


async def test_a_card_number_is_sent_back_before_anything_leaves_the_page(desk: Office) -> None:  # P9
    for field in ("token", "payment", "items"):
        answer = await act(desk, **{field: NUMBER})
        assert answer.status_code == 422 and "looks like a card number" in answer.text
        assert NUMBER not in answer.text
    assert not desk.wished


async def test_a_form_that_is_sent_twice_is_one_payment(desk: Office) -> None:  # P9
    first, again = await act(desk), await act(desk)
    assert first.status_code == again.status_code == 200
    assert await desk.pool.fetchval("select count(*) from card_payments") == 1
    keys = re.findall(r'name="payment" value="(CARD-[0-9A-F]+)"', first.text + again.text)
    assert len(set(keys)) == 2


async def test_who_only_looks_takes_nothing(desk: Office) -> None:  # V8
    assert "Take a payment" not in await desk.read("sal", "/cards")
    assert (await act(desk, "nell")).status_code == 422
    assert not desk.wished


async def test_what_is_refused_is_told_and_the_token_does_not_come_back(desk: Office) -> None:
    answer = await act(desk, amount="0.00", token="tok_secret")
    assert answer.status_code in (409, 422) and "tok_secret" not in answer.text
    none = await act(desk, do="refund", payment="P9", reason="x")
    assert none.status_code == 422
