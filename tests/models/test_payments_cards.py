"""Card payments: asked once, answered once, and every pound of it accounted for (P9)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.payments import (
    ApprovePayout,
    CardChargedBack,
    CardIntended,
    CardOutcomeNoted,
    CarryOutCardRefund,
    CashReceived,
    CommandRefused,
    CommandUnneeded,
    GiveBackCash,
    ItemPosted,
    ItemSettled,
    NoteCardOutcome,
    OffsetItems,
    PayoutDeclined,
    PayoutProposed,
    ProposeRefund,
    RefundCardPayment,
    RefundReturned,
    ReturnCardRefund,
    TakeBackCard,
    TakeCardPayment,
    UnallocateCash,
    WithdrawCash,
)
from services.payments.app import SERVICE
from services.payments.cards.executor import ASKED_MAX, TOLD_S, WAIT_S_MAX, Executor, Told, question_of, wait_s
from services.payments.cards.payment import key_of
from services.payments.cards.port import Outcome, Question
from services.payments.cards.signature import AGE_S_MAX, NotSigned, signature, verify
from services.payments.state import Card, receipt_of_card
from shared.card_number import looks_like_card
from tests.models.payments_books import START, Books, books_after, credit_note, invoice, of, opened, pays, settles

MONEY = receipt_of_card("acme", "P1")
KEY, SECOND = key_of("acme", "P1", 1), key_of("acme", "P1", 2)
SECRET = "whsec_c2VjcmV0IG9mIHRlc3Rz"


@pytest.fixture
def books() -> Books:
    """Acme owes 100, 50 and 30."""
    return books_after(opened(), invoice("I1", 100_00), invoice("I2", 50_00), invoice("I3", 30_00))


def takes(amount_minor: int = 120_00, *items: str, **more: Any) -> TakeCardPayment:
    fields = {"payment": "P1", "currency": "GBP", "token": "tok_1"} | more
    return TakeCardPayment(account="acme", amount_minor=amount_minor, items=items, **fields)


def told(outcome: str, amount_minor: int = 120_00, key: str = KEY, **more: Any) -> NoteCardOutcome:
    return NoteCardOutcome(
        account="acme", payment="P1", key=key, outcome=outcome, amount_minor=amount_minor, told_at=START, **more
    )


def captured(books: Books, amount_minor: int = 120_00, *items: str) -> list[Any]:
    books.do(takes(amount_minor, *items))
    return books.do(told("captured", amount_minor), actor="acquirer", role="")


def refunds(amount_minor: int = 20_00, **more: Any) -> RefundCardPayment:
    return RefundCardPayment(
        account="acme", payment="P1", amount_minor=amount_minor, **({"key": "1", "reason": "goods back"} | more)
    )


def refunded(books: Books, wish: RefundCardPayment) -> list[Any]:
    (proposed,) = of(PayoutProposed, books.do(wish, actor="anna"))
    return books.do(ApprovePayout(account="acme", request=proposed.request), actor="ben", role="director")


def card(books: Books) -> Card:
    found = books.tables["card"]["acme/P1"]
    assert isinstance(found, Card)
    return found


def reason_of(facts: list[Any]) -> str:
    (refused,) = facts
    assert isinstance(refused, CommandRefused)
    return refused.reason


def opens(books: Books, *names: str) -> list[int]:
    return [books.item(name).open_minor for name in names]


# --- never a card number --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "tok_4111111111111111",
        "340000000000009",
        "4222222222222",
        "6304000000000000000",
        "x4111.1111.1111.1111x",
    ],
)
def test_what_looks_like_a_card_number_is_refused_and_never_repeated(books: Books, number: str) -> None:  # P9
    before = len(books.journal)
    (refused,) = books.do(takes(token=number))
    assert refused.reason == "card_number"
    (other,) = books.do(takes(payment=number))
    assert other.reason == "card_number"
    assert len(books.journal) == before + 2
    assert all(number not in str(fact) for _, _, fact in books.journal)
    assert not books.tables["card"]


@pytest.mark.parametrize("token", ["tok_1", "4111111111111112", "123456789012", "12345678901234567890123", "tok_9f8e7d6c5b4a"])
def test_other_tokens_pass(token: str) -> None:
    assert not looks_like_card(token)


# --- taken ----------------------------------------------------------------------------------------------------------


def test_the_intent_is_journaled_before_anybody_asks(books: Books) -> None:  # P9
    (intended,) = books.do(takes(120_00, "I1"))
    assert isinstance(intended, CardIntended)
    assert (intended.action, intended.key, intended.items) == ("capture", KEY, ("I1",))
    assert card(books).asking_key == KEY
    assert books.account().balance_minor == 180_00
    question = question_of(card(books))
    assert (question.token, question.amount_minor, question.key) == ("tok_1", 120_00, KEY)


def test_the_same_payment_again_asks_nobody_twice(books: Books) -> None:  # P9
    books.do(takes())
    assert of(CommandUnneeded, books.do(takes()))
    assert reason_of(books.do(takes(121_00))) == "other_content"
    assert len(card(books).intents) == 1


@pytest.mark.parametrize(
    ("wish", "reason"), [(takes(0), "no_amount"), (takes(token=" "), "no_token"), (takes(currency="XXX"), "wrong_currency")]
)
def test_what_is_no_payment(books: Books, wish: TakeCardPayment, reason: str) -> None:
    assert reason_of(books.do(wish)) == reason


def test_two_accounts_may_use_the_same_key(books: Books) -> None:
    books.do(opened("beta"))
    books.do(takes())
    other = TakeCardPayment(account="beta", payment="P1", amount_minor=1_00, currency="GBP", token="tok_2")
    assert of(CardIntended, books.do(other))
    assert len(books.tables["card"]) == 2


def test_captured_money_is_a_receipt_that_settles_the_named_items_in_their_order(books: Books) -> None:  # P9
    facts = captured(books, 120_00, "I2", "I1")
    assert of(CashReceived, facts)[0].bank_account == "cards"
    assert [(fact.item, fact.settled_minor) for fact in of(ItemSettled, facts)] == [
        ("I2", 50_00),
        ("I1", 70_00),
        (MONEY, -120_00),
    ]
    assert opens(books, "I1", "I2", MONEY) == [30_00, 0, 0]
    assert books.sums()["cards"] == 120_00
    assert card(books).asking_key is None


def test_what_is_left_of_it_is_matched_like_any_receipt(books: Books) -> None:
    captured(books, 120_00, "I2", "gone", "I2")
    assert opens(books, "I2", MONEY) == [0, -70_00]
    books.do(pays(MONEY, ("I1", 70_00)))
    assert opens(books, "I1", MONEY) == [30_00, 0]


def test_items_of_another_account_are_not_settled(books: Books) -> None:
    books.do(opened("beta", "acme"))
    books.do(invoice("B1", 50_00, "beta"))
    captured(books, 120_00, "B1")
    assert opens(books, "B1", MONEY) == [50_00, -120_00]


def test_a_declined_payment_moves_nothing(books: Books) -> None:
    books.do(takes(120_00, "I1"))
    (noted,) = books.do(told("declined", detail="insufficient funds"))
    assert noted.detail == "insufficient funds"
    assert books.account().balance_minor == 180_00
    assert card(books).asking_key is None


@pytest.mark.parametrize("times", [1, 2, 3])
def test_an_outcome_counts_once_however_often_it_is_told(books: Books, times: int) -> None:  # P9
    captured(books, 120_00, "I1")
    for _ in range(times):
        assert of(CommandUnneeded, books.do(told("captured")))
    assert books.sums()["cards"] == 120_00


def test_the_acquirers_later_word_that_it_has_the_money_counts(books: Books) -> None:
    books.do(takes(120_00, "I1"))
    books.do(told("declined"))
    assert of(CashReceived, books.do(told("captured")))
    assert of(CommandUnneeded, books.do(told("declined")))
    assert opens(books, "I1") == [0]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (told("declined"), "other_outcome"),
        (told("refunded"), "no_answer"),
        (told("nonsense"), "no_answer"),
        (told("charged_back", 120_01), "other_amount"),
        (told("captured", key="CK-9"), "unknown_payment"),
    ],
)
def test_answers_that_contradict_what_is_known_are_refused(books: Books, outcome: NoteCardOutcome, reason: str) -> None:
    captured(books)
    before = books.sums()
    assert reason_of(books.do(outcome)) == reason
    assert books.sums() == before


def test_nothing_can_be_charged_back_that_was_not_captured(books: Books) -> None:
    books.do(takes())
    assert reason_of(books.do(told("charged_back"))) == "not_captured"


def test_outcomes_come_by_mail_only(books: Books) -> None:  # P9
    assert NoteCardOutcome in SERVICE.mail
    assert NoteCardOutcome not in SERVICE.hears


# --- refunded -------------------------------------------------------------------------------------------------------


def test_a_card_refund_is_proposed_and_somebody_else_approves_it(books: Books) -> None:  # P9 A6
    captured(books)
    (proposed,) = of(PayoutProposed, books.do(refunds(), actor="anna"))
    assert (proposed.kind, proposed.item, proposed.payment) == ("card_refund", MONEY, "P1")
    approve = ApprovePayout(account="acme", request=proposed.request)
    assert reason_of(books.do(approve, actor="anna", role="director")) == "own_request"
    (intended,) = of(CardIntended, books.do(approve, actor="ben", role="director"))
    assert (intended.action, intended.key, intended.token) == ("refund", SECOND, "tok_1")
    assert opens(books, MONEY) == [-100_00]
    assert of(CardOutcomeNoted, books.do(told("refunded", 20_00, SECOND)))
    assert (card(books).refunded_minor, books.sums()["cards"]) == (20_00, 100_00)


def test_no_carrying_out_without_approval(books: Books) -> None:  # A6
    captured(books)
    (proposed,) = of(PayoutProposed, books.do(refunds()))
    wish = CarryOutCardRefund(account="acme", request=proposed.request, item=MONEY, payment="P1")
    assert of(CommandUnneeded, books.do(wish, role="director"))
    assert opens(books, MONEY) == [-120_00]


def test_a_declined_refund_gives_the_credit_back(books: Books) -> None:  # P9
    captured(books)
    before = opens(books, MONEY), books.receipt(MONEY).unallocated_minor, books.sums()
    (intended,) = of(CardIntended, refunded(books, refunds()))
    back = ReturnCardRefund(account="acme", payment="P1", request=intended.request, item=MONEY, reason="x")
    assert of(CommandUnneeded, books.do(back)), "only the acquirer's word brings it back"
    assert of(RefundReturned, books.do(told("refund_declined", 20_00, SECOND)))
    assert (opens(books, MONEY), books.receipt(MONEY).unallocated_minor, books.sums()) == before
    assert of(CommandUnneeded, books.do(back))


def test_a_credit_note_is_paid_back_to_the_card_that_paid(books: Books) -> None:  # P9
    captured(books, 100_00, "I1")
    books.do(credit_note("C1", 40_00))
    refunded(books, refunds(40_00, credit="C1"))
    books.do(told("refunded", 40_00, SECOND))
    assert opens(books, "I1", "C1", MONEY) == [0, 0, 0]
    assert books.sums()["cards"] == 60_00


@pytest.mark.parametrize(
    ("wish", "reason"),
    [(refunds(120_01), "more_than_captured"), (refunds(0), "more_than_open"), (refunds(credit="I1"), "wrong_kind")],
)
def test_what_cannot_be_paid_back(books: Books, wish: RefundCardPayment, reason: str) -> None:
    captured(books)
    assert reason_of(books.do(wish)) == reason


def test_allocated_money_is_not_paid_back_unseen(books: Books) -> None:
    captured(books, 120_00, "I1")
    assert reason_of(books.do(refunds(30_00))) == "more_than_open"


def test_one_question_at_a_time(books: Books) -> None:
    captured(books)
    first = of(PayoutProposed, books.do(refunds(key="1")))[0].request
    second = of(PayoutProposed, books.do(refunds(key="2")))[0].request
    books.do(ApprovePayout(account="acme", request=first), actor="ben", role="director")
    (declined,) = of(PayoutDeclined, books.do(ApprovePayout(account="acme", request=second), actor="ben", role="director"))
    assert "has not answered" in declined.reason
    assert opens(books, MONEY) == [-100_00]


def test_no_more_is_refunded_than_was_captured(books: Books) -> None:  # P9
    captured(books)
    books.do(credit_note("C1", 100_00))
    refunded(books, refunds(100_00))
    books.do(told("refunded", 100_00, SECOND))
    assert reason_of(books.do(refunds(21_00, key="2", credit="C1"))) == "more_than_captured"


def test_card_money_is_not_paid_to_a_bank_account_nor_back_to_a_bank_stream(books: Books) -> None:  # P9
    captured(books)
    assert reason_of(books.do(ProposeRefund(account="acme", key="1", item=MONEY, amount_minor=1, reason="x"))) == "card_money"
    assert reason_of(books.do(GiveBackCash(account="acme", receipt=MONEY, reason="x"))) == "card_money"
    assert of(CommandUnneeded, books.do(WithdrawCash(account="acme", receipt=MONEY, reason="x")))


# --- charged back ---------------------------------------------------------------------------------------------------


def test_a_chargeback_opens_what_the_money_settled(books: Books) -> None:  # P9
    captured(books, 120_00, "I1", "I2")
    assert opens(books, "I1", "I2", MONEY) == [0, 30_00, 0]
    facts = books.do(told("charged_back", detail="fraud"))
    (back,) = of(CardChargedBack, facts)
    assert (back.taken_minor, back.debit_note) == (120_00, None)
    assert opens(books, "I1", "I2", MONEY) == [100_00, 50_00, 0]
    assert (books.account().balance_minor, books.sums()["cards"]) == (180_00, 0)
    assert card(books).state == "charged_back"


def test_a_chargeback_opens_several_matches_and_offsets_one_after_the_other(books: Books) -> None:  # P9
    captured(books, 120_00, "I2")
    books.do(pays(MONEY, ("I3", 30_00)))
    books.do(OffsetItems(account="acme", credit=MONEY, lines=(settles("I1", 40_00),), reason="x", agreement="A"))
    assert opens(books, "I1", "I2", "I3", MONEY) == [60_00, 0, 0, 0]
    books.do(told("charged_back"))
    assert opens(books, "I1", "I2", "I3", MONEY) == [100_00, 50_00, 30_00, 0]
    assert books.receipt(MONEY).standing == ()
    assert books.refolded() == books.tables


def test_a_chargeback_counts_once(books: Books) -> None:
    captured(books, 120_00, "I1")
    books.do(told("charged_back"))
    assert of(CommandUnneeded, books.do(told("charged_back")))
    again = TakeBackCard(account="acme", payment="P1", receipt=MONEY, key=KEY, amount_minor=120_00, reason="x")
    assert of(CommandUnneeded, books.do(again))
    assert books.sums()["cards"] == 0


def test_a_chargeback_of_part_leaves_the_rest_to_be_matched_again(books: Books) -> None:
    captured(books, 120_00, "I1")
    books.do(told("charged_back", 70_00))
    assert opens(books, "I1", MONEY) == [100_00, -50_00]
    assert books.receipt(MONEY).unallocated_minor == 50_00


def test_what_was_refunded_before_a_chargeback_is_owed_again(books: Books) -> None:  # P9
    captured(books)
    refunded(books, refunds(20_00))
    books.do(told("refunded", 20_00, SECOND))
    facts = books.do(told("charged_back"))
    (back,) = of(CardChargedBack, facts)
    assert back.taken_minor == 100_00
    (note,) = of(ItemPosted, facts)
    assert (note.kind, note.amount_minor, note.item) == ("debit_note", 20_00, back.debit_note)
    assert (books.account().balance_minor, books.sums()["cards"]) == (200_00, -20_00)


def test_no_carrying_back_without_the_acquirers_word(books: Books) -> None:
    captured(books, 120_00, "I1")
    wish = TakeBackCard(account="acme", payment="P1", receipt=MONEY, key=KEY, amount_minor=120_00, reason="x")
    assert of(CommandUnneeded, books.do(wish))
    assert opens(books, "I1") == [0]


def test_a_match_of_card_money_is_taken_back_like_any_other(books: Books) -> None:
    captured(books, 120_00, "I1")
    books.do(UnallocateCash(account="acme", match=f"{MONEY}/1", reason="not this one"))
    assert opens(books, "I1", MONEY) == [100_00, -120_00]


def test_foreign_money_is_charged_back_at_what_it_came_in_at() -> None:  # P1
    books = Books()
    books.do(opened(currency="EUR"))
    books.do(invoice("I1", 100_00, currency="EUR", base_minor=85_00))
    books.do(takes(100_00, "I1", currency="EUR"))
    books.do(told("captured", 100_00))
    assert books.sums()["exchange"] == -1_00
    books.do(told("charged_back", 100_00))
    assert (books.sums()["exchange"], books.sums()["cards"], books.account().balance_minor) == (0, 0, 85_00)


def test_the_rows_are_the_fold_of_the_journal(books: Books) -> None:
    captured(books, 120_00, "I2")
    refunded(books, refunds(20_00))
    books.do(told("refund_declined", 20_00, SECOND))
    books.do(told("charged_back"))
    assert books.refolded() == books.tables
    assert sum(books.sums().values()) == 0


# --- the executor ---------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> dt.datetime:
        return self.at

    def later(self, seconds: float) -> None:
        self.at += dt.timedelta(seconds=seconds)


class Answers:
    """An acquirer that answers what it is given, in order, and remembers the keys it was asked under."""

    def __init__(self, *answers: Outcome | None) -> None:
        self.answers, self.keys = list(answers), list[str]()

    async def ask(self, question: Question) -> Outcome | None:
        self.keys.append(question.key)
        return self.answers.pop(0) if self.answers else None


def executor_of(books: Books, acquirer: Answers, clock: Clock) -> Executor:
    async def pending(after: str) -> list[Card]:
        cards = [each for each in books.tables["card"].values() if each.asking_key and each.asking > after]
        return sorted(cards, key=lambda each: str(each.asking))[:ASKED_MAX]

    async def tell(told: Any) -> None:
        answers: list[Told] = list(told)
        for _, message in answers:
            books.do(message, actor="acquirer", role="")

    return Executor(pending, acquirer, tell, clock)


async def test_an_answer_goes_to_the_ledger_once(books: Books) -> None:
    clock, acquirer = Clock(), Answers(Outcome(outcome="captured", amount_minor=120_00))
    books.do(takes(120_00, "I1"))
    asking = executor_of(books, acquirer, clock)
    assert [await asking.turn(), await asking.turn()] == [1, 0]
    assert opens(books, "I1") == [0]


async def test_an_unknown_outcome_is_asked_again_under_the_same_key_less_and_less_often(books: Books) -> None:  # P9
    clock, acquirer = Clock(), Answers(None, None, Outcome(outcome="captured", amount_minor=120_00))
    books.do(takes())
    asking = executor_of(books, acquirer, clock)
    turns = []
    for seconds in (0, 0.5, 0.5, 1.5, 0.5):
        clock.later(seconds)
        turns.append(await asking.turn())
    assert turns == [1, 0, 1, 0, 1]
    assert acquirer.keys == [KEY] * 3
    assert books.sums()["cards"] == 120_00


async def test_what_was_told_is_not_asked_again_while_the_ledger_takes_it_in(books: Books) -> None:
    clock, acquirer = Clock(), Answers(*[Outcome(outcome="captured", amount_minor=120_00)] * 2)
    books.do(takes())
    asking = executor_of(books, acquirer, clock)

    async def slow(_: Any) -> None:
        return None

    asking._tell = slow
    turns = [await asking.turn(), await asking.turn()]
    clock.later(TOLD_S)
    assert [*turns, await asking.turn()] == [1, 0, 1]


async def test_a_page_of_payments_that_hang_does_not_keep_the_next_page_waiting(books: Books) -> None:
    for n in range(ASKED_MAX + 5):
        books.do(takes(1_00, payment=f"P{n}"))
    clock, acquirer = Clock(), Answers()
    asking = executor_of(books, acquirer, clock)
    assert [await asking.turn(), await asking.turn(), await asking.turn()] == [ASKED_MAX, 5, 0]
    assert len(set(acquirer.keys)) == ASKED_MAX + 5


def test_waiting_grows_to_a_bound() -> None:
    assert [wait_s(n) for n in (1, 2, 3, 7, 50)] == [1.0, 2.0, 4.0, WAIT_S_MAX, WAIT_S_MAX]


# --- signatures -----------------------------------------------------------------------------------------------------


def headers(body: bytes, at_s: int = 1_000, secret: str = SECRET) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,AAAA {signature(secret, 'msg_1', str(at_s), body)}",
    }


def test_what_the_acquirer_signed_is_believed_while_it_is_fresh() -> None:
    assert verify(SECRET, headers(b"{}"), b"{}", 1_000 + AGE_S_MAX) == "msg_1"
    with pytest.raises(NotSigned, match="ago"):
        verify(SECRET, headers(b"{}"), b"{}", 1_001 + AGE_S_MAX)
    with pytest.raises(NotSigned, match="ago"):
        verify(SECRET, headers(b"{}"), b"{}", 999 - AGE_S_MAX)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": "1001"},
        {"webhook-timestamp": "x"},
        {"webhook-timestamp": "²"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,é"},
    ],
)
def test_anything_changed_is_not_believed(change: dict[str, str]) -> None:
    with pytest.raises(NotSigned):
        verify(SECRET, headers(b"{}") | change, b"{}", 1_000)
    with pytest.raises(NotSigned):
        verify(SECRET, headers(b"{}"), b"{ }", 1_000)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64"])
def test_without_a_secret_nothing_is_believed(secret: str) -> None:
    with pytest.raises(NotSigned):
        verify(secret, headers(b"{}"), b"{}", 1_000)


def test_the_signature_is_that_of_the_specifications_example() -> None:
    body = b'{"test": 2432232314}'
    found = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
