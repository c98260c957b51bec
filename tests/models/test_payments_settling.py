"""From the matching engine's answer to a command: amounts prove nothing where not all was looked at (P6)."""

from __future__ import annotations

import pytest

from contracts.payments import AllocateCash, ReferCash
from services.payments.matching import values
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.named import WORDS
from services.payments.settling import Case, _advice_of, _answer
from services.payments.state import Advice, Receipt
from tests.models.payments_books import TODAY

RECEIPT = Receipt(
    receipt="R", account="acme", home="acme", amount_minor=1_00, unallocated_minor=1_00, currency="GBP", received_on=TODAY,
    bank_account="B", bank_entry="S1/1", text="thanks for INV-7",
)  # fmt: skip
PAYMENT = values.Payment(receipt="R", amount_minor=1_00, currency="GBP", received_on=TODAY)
ITEM = values.Open(
    item="I1", account="acme", kind="invoice", open_minor=1_00, amount_minor=1_00, currency="GBP", document_on=TODAY, due_on=TODAY
)
LINE = values.Settle(item="I1", settled_minor=1_00, paid_minor=1_00)


def answer(outcome: values.Outcome, whole: bool) -> object:
    case = Case(RECEIPT, PAYMENT, values.Rules(), None, ())
    return _answer(case, outcome, LedgerIndex([ITEM]), whole)


def match(proof: str) -> values.Match:
    return values.Match(proof=proof, score=100, lines=(LINE,), evidence=("it says so",))


def test_an_amount_proves_nothing_where_not_all_that_is_open_was_looked_at() -> None:  # P6 d, e
    assert isinstance(answer(match("exact_item"), whole=True), AllocateCash)
    referred = answer(match("exact_item"), whole=False)
    assert isinstance(referred, ReferCash)
    assert referred.gave_up and referred.proposals


def test_what_the_payment_names_is_proved_however_much_is_open() -> None:  # P6 a, b, c
    assert isinstance(answer(match(WORDS), whole=False), AllocateCash)


def test_two_answers_are_none() -> None:  # P6
    referred = answer(values.Ambiguous(why="two items of this amount", proposals=()), whole=True)
    assert isinstance(referred, ReferCash)


def advice(name: str, minor: int = 1_00, **more: str) -> Advice:
    return Advice(advice=name, account="acme", home="acme", amount_minor=minor, currency="GBP", lines=(), **more)


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ([advice("A1")], "A1"),
        ([advice("A1"), advice("A2")], None),
        ([advice("A1"), advice("A2", payment_reference="inv-7")], "A2"),
        ([advice("A1", 2_00)], None),
    ],
)
def test_an_advice_explains_its_amount_if_no_other_does_or_it_is_named(known: list[Advice], found: str | None) -> None:  # P4
    got = _advice_of(RECEIPT, known)
    assert (got.advice if got else None) == found
