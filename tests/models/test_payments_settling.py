"""From the matching engine's answer to a command: amounts prove nothing where not all was looked at (P6)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from contracts.payments import AllocateCash, Alternative, Discount, Proposal, ReferCash, Settle
from services.payments.matching import values
from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.named import WORDS
from services.payments.settling import Case, _advice_of, _answer, open_value
from services.payments.state import Advice, Item, Receipt
from tests.models.payments_books import DAY, TODAY

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


# --- every field ------------------------------------------------------------------------------------------------------

DISCOUNTS = (Discount(until_on=TODAY + DAY, basis_points=200),)
BILL = Item(
    item="I1", account="sub", home="acme", kind="invoice", currency="EUR", amount_minor=5_00, open_minor=4_00, base_minor=4_30,
    open_base_minor=3_44, document_on=TODAY - DAY, due_on=TODAY, ref_key="I1", order="O-1", po_number="PO-1", reference="REF-1",
    discounts=DISCOUNTS, disputed_minor=50, requested_minor=1_00,
)  # fmt: skip


def test_an_open_item_is_looked_at_with_all_that_names_it_and_without_what_is_asked_for() -> None:  # P6
    shown = values.Open(
        item="I1", account="sub", kind="invoice", open_minor=3_00, amount_minor=5_00, currency="EUR", document_on=TODAY - DAY,
        due_on=TODAY, reference="REF-1", order="O-1", po_number="PO-1", discounts=DISCOUNTS, disputed_minor=50,
    )  # fmt: skip
    assert open_value(BILL) == shown
    assert open_value(replace(BILL, order=None)) == replace(shown, order="")
    assert open_value(replace(BILL, discounted_minor=1)) == replace(shown, discounts=())


PARTS = {"settled_minor": 70, "paid_minor": 60, "discount_minor": 7, "difference_minor": 3, "residual_minor": 20, "reason": "DMG"}
FOUND = (values.Settle(item="I1", **PARTS), values.Settle(item="I2", settled_minor=40, paid_minor=40))
TOLD = (Settle(item="I1", **PARTS), Settle(item="I2", settled_minor=40, paid_minor=40, account="sub"))


def told(outcome: values.Outcome, whole: bool = True) -> object:
    """Of the receipt's third version, explained by an advice; the second item is a member's."""
    case = Case(replace(RECEIPT, version=3), PAYMENT, values.Rules(), None, (), "A1")
    return _answer(case, outcome, LedgerIndex([ITEM, replace(ITEM, item="I2", account="sub")]), whole)


def test_a_match_is_told_whole_with_its_evidence_and_what_was_not_taken() -> None:  # P6
    rejected = (values.Alternative(("I3", "I4"), "due later"),)
    found = values.Match(proof="exact_sum", score=91, lines=FOUND, evidence=("the sum", "the day"), rejected=rejected)
    assert told(found) == AllocateCash(
        account="acme", receipt="R", lines=TOLD, proof="exact_sum", score=91, evidence=("the sum", "the day"),
        rejected=(Alternative(items=("I3", "I4"), why="due later"),), version=3, advice="A1",
    )  # fmt: skip


def test_a_match_that_proves_nothing_is_offered_whole_and_said_to_be_given_up() -> None:  # P6 d, e
    referred = told(values.Match(proof="exact_sum", score=91, lines=FOUND, evidence=()), whole=False)
    assert isinstance(referred, ReferCash) and "2000" in referred.why
    offered = (Proposal(lines=TOLD, proof="exact_sum", score=91),)
    assert referred == ReferCash(account="acme", receipt="R", why=referred.why, proposals=offered, gave_up=True)


@pytest.mark.parametrize("gave_up", [True, False])
@pytest.mark.parametrize("kind", [values.Ambiguous, values.NoMatch])
def test_what_is_not_decided_is_told_whole_with_what_may_be_meant(kind: type, gave_up: bool) -> None:  # P6
    proposals = (values.Proposal(lines=FOUND, score=80, reasons=("the sum", "the day")),)
    assert told(kind(why="two sums", proposals=proposals, gave_up=gave_up)) == ReferCash(
        account="acme", receipt="R", why="two sums", gave_up=gave_up,
        proposals=(Proposal(lines=TOLD, proof="proposal", score=80, why=("the sum", "the day")),),
    )  # fmt: skip


# --- advices ----------------------------------------------------------------------------------------------------------


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
