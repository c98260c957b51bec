"""Whatever is paid: cash is conserved, nothing is settled beyond what is open, the order of items is irrelevant (P6)."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from services.payments.matching.match import match
from services.payments.matching.values import (
    AdviceLine,
    Ambiguous,
    Deduction,
    Discount,
    Match,
    Open,
    Outcome,
    Payment,
    Reason,
    Rules,
    Settle,
    Settled,
)
from tests.models.matching_values import DAY

NUMBERS = [f"INV-{number}" for number in range(204_710, 204_722)]
SETTLED = {"INV-204730": Settled(5_000, "EUR"), "INV-204731": Settled(300, "EUR")}
amounts = st.one_of(st.sampled_from([100, 300, 5_000, 10_000]), st.integers(1, 60_000))
numbers = st.sampled_from([*NUMBERS, *SETTLED, "INV-20471", "2O4715", "999999"])
policies = st.builds(
    Rules,
    oldest_first=st.booleans(),
    fee_minor=st.sampled_from([0, 5_000]),
    tolerance_minor=st.sampled_from([0, 500]),
    account_limit_minor=st.sampled_from([None, 0, 200]),
    known_deductions=st.sampled_from([(), (Deduction("WKZ", 300),)]),
    reasons=st.just({"WKZ": Reason("marketing", "difference"), "DMG": Reason("damage"), "BON": Reason("bonus", "discount")}),
)


@st.composite
def items(draw: st.DrawFn) -> list[Open]:
    chosen = draw(st.lists(st.sampled_from(NUMBERS), unique=True, max_size=8))
    return [draw(item(number)) for number in chosen]


@st.composite
def item(draw: st.DrawFn, number: str) -> Open:
    kind = draw(st.sampled_from(["invoice", "invoice", "invoice", "credit_note", "receipt", "residual"]))
    amount = draw(amounts)
    return Open(
        item=number,
        account=draw(st.sampled_from(["acme", "north"])),
        kind=kind,
        open_minor=-amount if kind in ("credit_note", "receipt") else amount,
        amount_minor=amount + draw(st.sampled_from([0, 0, 100])),
        currency=draw(st.sampled_from(["EUR", "EUR", "EUR", "USD"])),
        document_on=DAY,
        due_on=DAY,
        reference=draw(st.sampled_from(["", "", "RF18539007547034"])),
        order=draw(st.sampled_from(["", "SO-88776"])),
        discounts=draw(st.sampled_from([(), (Discount(DAY, 200),), (Discount(DAY.replace(day=1, month=1), 300),)])),
        disputed_minor=draw(st.sampled_from([0, 0, 50])),
    )


lines = st.lists(
    st.builds(
        AdviceLine,
        reference=numbers,
        amount_minor=st.one_of(amounts, st.integers(-9_000, -1)),
        taken_minor=st.sampled_from([0, 0, 100]),
        discount_minor=st.sampled_from([0, 0, 100, 200]),
        reason=st.sampled_from(["", "DMG", "WKZ", "BON", "unheard of"]),
    ),
    max_size=5,
).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Payment, list[Open], Rules]:
    """Payments that have a chance: their cash is often the sum of some items or of their advice, give or take a little."""
    ledger, advice = draw(items()), draw(st.one_of(st.just(()), lines))
    some = draw(st.lists(st.sampled_from(ledger), max_size=4)) if ledger else []
    whole = sum(one.amount_minor for one in advice) if advice else sum(one.open_minor for one in some)
    cash = whole + draw(st.sampled_from([0, 0, 0, -1, 3, -100, -1_500, 250]))
    paid = Payment(
        receipt="r",
        amount_minor=cash if cash > 0 else draw(amounts),
        currency="EUR",
        received_on=DAY,
        text=draw(st.sampled_from(["", "", " ".join(one.item for one in some), "DMG", "SO 88776"]))
        + " "
        + draw(st.one_of(st.just(""), numbers)),
        reference=draw(st.sampled_from(["", "", "RF18539007547034"])),
        lines=advice,
        charges_minor=draw(st.sampled_from([0, 0, 100])),
    )
    return paid, ledger, draw(policies)


def ways(outcome: Outcome) -> list[tuple[tuple[Settle, ...], int]]:
    if isinstance(outcome, Match):
        return [(outcome.lines, outcome.unallocated_minor)]
    return [(one.lines, one.unallocated_minor) for one in outcome.proposals]


@settings(max_examples=60, deadline=None)
@given(cases())
def test_cash_is_conserved_in_every_match_and_proposal(case: tuple[Payment, list[Open], Rules]) -> None:  # P6
    payment, ledger, rules = case
    for settled, unallocated in ways(match(payment, ledger, rules, SETTLED)):
        assert sum(line.paid_minor for line in settled) == payment.amount_minor - unallocated
        assert unallocated >= 0
        for line in settled:
            assert line.settled_minor == line.paid_minor + line.discount_minor + line.difference_minor


@settings(max_examples=60, deadline=None)
@given(cases())
def test_no_item_is_settled_beyond_what_is_open_nor_in_another_currency_nor_twice(
    case: tuple[Payment, list[Open], Rules],
) -> None:  # P6
    payment, ledger, rules = case
    known = {one.item: one for one in ledger}
    for settled, _ in ways(match(payment, ledger, rules, SETTLED)):
        assert len({line.item for line in settled}) == len(settled)
        for line in settled:
            one = known[line.item]
            assert one.currency == payment.currency
            assert one.kind != "receipt"
            assert 0 <= line.settled_minor * (1 if one.open_minor > 0 else -1) <= abs(one.open_minor)
            assert 0 <= line.residual_minor <= abs(one.open_minor - line.settled_minor)


@settings(max_examples=50, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_open_items_changes_nothing(case: tuple[Payment, list[Open], Rules], dice: random.Random) -> None:  # P6
    payment, ledger, rules = case
    shuffled = dice.sample(ledger, len(ledger))
    assert match(payment, ledger, rules, SETTLED) == match(payment, shuffled, rules, SETTLED)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_differences_are_posted_within_the_limits_of_the_policy(case: tuple[Payment, list[Open], Rules]) -> None:  # P6
    payment, ledger, rules = case
    outcome = match(payment, ledger, rules, SETTLED)
    if isinstance(outcome, Match):
        small = [abs(line.difference_minor) for line in outcome.lines if line.reason == "small difference"]
        assert all(each <= rules.tolerance_minor for each in small)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_an_unknown_payer_never_gets_more_than_a_known_one(case: tuple[Payment, list[Open], Rules]) -> None:  # P5
    payment, ledger, rules = case
    if isinstance(match(payment, ledger, rules, SETTLED), Ambiguous):
        assert not isinstance(match(payment, ledger, rules, SETTLED, accounts=()), Match)
