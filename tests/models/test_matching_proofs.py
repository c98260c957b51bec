"""One payment against open items: every proof of P6 in its order, and all that goes to a person instead."""

from __future__ import annotations

import datetime as dt

import pytest

from services.payments.matching.match import match
from services.payments.matching.values import (
    AdviceLine,
    Ambiguous,
    Deduction,
    Discount,
    Match,
    NoMatch,
    Open,
    Outcome,
    Payment,
    Reason,
    Rules,
    Settle,
    Settled,
)
from shared.receivables.references import rf_of
from tests.models.matching_values import DAY, credit, invoice, paid, payment

RULES = Rules()
LEDGER = [
    invoice("INV-2026-104711", 12_345, reference="RF18539007547034"),
    invoice("INV-2026-203388", 67_801, order="SO-998877", discounts=(Discount(DAY, 200),)),
    invoice("INV-2026-305522", 4_407),
    invoice("INV-2026-409913", 67_110),
]
PAID = {"INV-2026-907060": Settled(55_555, "EUR", "acme")}
TWO_PERCENT = 1_356  # of 678.01, rounded commercially


def outcome(of: Payment, items: list[Open] = LEDGER, rules: Rules = RULES) -> Outcome:
    return match(of, items, rules, PAID)


def only_line(found: Outcome) -> Settle:
    assert isinstance(found, Match), found.why
    [line] = found.lines
    return line


def proof(found: Outcome) -> str:
    assert isinstance(found, Match), found.why
    return found.proof


def to_a_person(found: Outcome) -> str:
    assert isinstance(found, Ambiguous), found
    return found.why


# ── (a) structured reference ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_structured_reference_with_right_check_digits_is_the_first_proof() -> None:  # P6a
    found = outcome(payment(12_345, "INV-2026-305522", reference="RF18 5390 0754 7034"))
    assert proof(found) == "structured reference"
    assert paid(found) == {"INV-2026-104711": 12_345}


def test_a_structured_reference_may_contain_the_invoice_number() -> None:  # P6a
    assert paid(outcome(payment(4_407, reference=rf_of("2026305522")))) == {"INV-2026-305522": 4_407}


def test_one_check_digit_is_believed_only_where_the_amount_agrees() -> None:
    # 20263055226 passes as a Finnish reference, and so does one plain number in ten.
    assert paid(outcome(payment(4_407, reference="20263055228"))) == {"INV-2026-305522": 4_407}
    assert not isinstance(outcome(payment(4_000, reference="20263055228")), Match)


def test_a_damaged_structured_reference_proves_nothing() -> None:
    found = outcome(payment(5_000, reference="RF18539007547035"))
    assert not isinstance(found, Match)


def test_a_standing_reference_of_a_customer_leaves_the_choice_to_words() -> None:
    standing = [invoice(f"INV-70{at}0707", 10_000 + at, reference="RF18539007547034") for at in range(1, 5)]
    found = outcome(payment(10_002, "INV-7020707", reference="RF18539007547034"), standing)
    assert paid(found) == {"INV-7020707": 10_002}
    assert not isinstance(outcome(payment(9_000, reference="RF18539007547034"), standing), Match)


# ── (b) advice lines ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_advice_lines_settle_each_its_item_with_deduction_discount_and_credit() -> None:  # P6b
    rules = Rules(reasons={"DMG": Reason("damage")})
    lines = (
        AdviceLine("104711", 12_045, taken_minor=300, reason="DMG"),
        AdviceLine("INV2026203388", 67_801 - TWO_PERCENT, discount_minor=TWO_PERCENT),
        AdviceLine("CN-2026-550011", -2_000),
    )
    cash = sum(line.amount_minor for line in lines)
    found = outcome(payment(cash, lines=lines), [*LEDGER, credit("CN-2026-550011", -2_000)], rules)
    assert proof(found) == "advice lines"
    assert isinstance(found, Match)
    by_item = {line.item: line for line in found.lines}
    assert by_item["INV-2026-104711"].residual_minor == 300
    assert by_item["INV-2026-104711"].reason == "damage"
    assert by_item["INV-2026-203388"].discount_minor == TWO_PERCENT
    assert by_item["CN-2026-550011"].settled_minor == -2_000
    assert found.unallocated_minor == 0


def test_advice_amounts_may_be_gross() -> None:
    lines = (AdviceLine("104711", 12_345, taken_minor=345, reason="X"), AdviceLine("305522", 4_407))
    found = outcome(payment(12_000 + 4_407, lines=lines))
    assert paid(found) == {"INV-2026-104711": 12_000, "INV-2026-305522": 4_407}


def test_a_deduction_of_no_item_stays_open_on_the_largest() -> None:  # C1
    lines = (AdviceLine("203388", 67_801), AdviceLine("305522", 4_407), AdviceLine("DEBIT 77", -900, reason="rebate"))
    found = outcome(payment(67_801 + 4_407 - 900, lines=lines))
    assert isinstance(found, Match)
    largest = next(line for line in found.lines if line.item == "INV-2026-203388")
    assert (largest.residual_minor, largest.reason) == (900, "rebate")


def test_an_unexplained_negative_line_goes_to_a_person() -> None:
    lines = (AdviceLine("203388", 67_801), AdviceLine("XX", -900))
    assert "without a reason" in to_a_person(outcome(payment(66_901, lines=lines)))


def test_cash_of_unknown_lines_stays_unallocated() -> None:
    found = outcome(payment(67_801 + 500, lines=(AdviceLine("203388", 67_801), AdviceLine("NOT-OURS", 500))))
    assert isinstance(found, Match)
    assert found.unallocated_minor == 500


def test_an_advice_that_does_not_add_up_goes_to_a_person() -> None:
    assert "adds up to" in to_a_person(outcome(payment(50_000, lines=(AdviceLine("203388", 67_801),))))


def test_a_discount_taken_late_in_an_advice_stays_open() -> None:
    late = payment(67_801 - TWO_PERCENT, received_on=DAY + dt.timedelta(days=9))
    lines = (AdviceLine("203388", 67_801 - TWO_PERCENT, discount_minor=TWO_PERCENT),)
    line = only_line(
        outcome(Payment(receipt="r", amount_minor=late.amount_minor, currency="EUR", received_on=late.received_on, lines=lines))
    )
    assert (line.discount_minor, line.residual_minor) == (0, TWO_PERCENT)


def test_an_advice_of_settled_items_is_a_duplicate() -> None:
    found = outcome(payment(55_555, lines=(AdviceLine("907060", 55_555),)))
    assert isinstance(found, NoMatch)
    assert found.why.startswith("duplicate")


# ── (c) numbers in text ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["INV 2026/104711", "rechnung 104711", "2026104711", "pay INV-2026-104711 EUR 123,45"])
def test_a_number_in_text_is_found_however_it_is_written(text: str) -> None:  # P6c
    found = outcome(payment(12_345, text))
    assert proof(found) == "invoice numbers in text"
    assert paid(found) == {"INV-2026-104711": 12_345}


@pytest.mark.parametrize("text", ["INV-2026-104771", "INV-2026-104171", "INV-2026-10471", "INV-2026-1047111"])
def test_one_damaged_place_is_mended_where_the_amount_agrees(text: str) -> None:  # P6c
    assert paid(outcome(payment(12_345, text))) == {"INV-2026-104711": 12_345}
    assert not isinstance(outcome(payment(9_000, text)), Match)


def test_several_numbers_are_paid_together() -> None:
    assert paid(outcome(payment(12_345 + 4_407, "104711, 305522"))) == {"INV-2026-104711": 12_345, "INV-2026-305522": 4_407}


def test_of_several_numbers_a_damaged_one_is_read_in_the_way_that_adds_up() -> None:
    assert len(paid(outcome(payment(12_345 + 4_407, "INV 2026 104711, INV 2026 305552")))) == 2


def test_numbers_that_do_not_add_up_go_to_a_person() -> None:
    assert to_a_person(outcome(payment(40_000, "104711, 203388")))


def test_what_the_text_has_no_room_for_is_the_only_item_that_is_left_over() -> None:
    assert set(paid(outcome(payment(12_345 + 67_801 + 4_407, "104711 203388 INV")))) >= {"INV-2026-305522"}


def test_short_pay_of_one_named_item_leaves_it_open() -> None:
    line = only_line(outcome(payment(6_000, "INV-2026-104711")))
    assert (line.settled_minor, line.residual_minor, line.reason) == (6_000, 0, "partial payment")


def test_short_pay_with_a_reason_code_is_a_residual() -> None:  # C1
    line = only_line(outcome(payment(11_000, "INV-2026-104711 less DMG"), rules=Rules(reasons={"DMG": Reason("damage")})))
    assert (line.paid_minor, line.residual_minor, line.reason) == (11_000, 1_345, "damage")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("short delivery", "quantity"),
        ("Short-Delivery.", "quantity"),
        ("short, late delivery", "partial payment"),
        ("shortly delivered", "partial payment"),
    ],
)
def test_a_reason_of_two_words_is_read_where_they_stand_in_a_row(text: str, reason: str) -> None:
    rules = Rules(reasons={"short delivery": Reason("quantity")})
    line = only_line(outcome(payment(11_000, f"INV-2026-104711 {text}"), rules=rules))
    assert line.reason == reason


def test_overpayment_leaves_the_rest_unallocated() -> None:
    found = outcome(payment(13_000, "INV-2026-104711"))
    assert paid(found) == {"INV-2026-104711": 12_345}
    assert isinstance(found, Match) and found.unallocated_minor == 655


def test_a_name_that_disagrees_where_another_item_agrees_exactly_goes_to_a_person() -> None:
    assert "INV-2026-305522 would explain" in to_a_person(outcome(payment(4_407, "INV-2026-104711")))


def test_far_too_much_for_what_is_named_goes_to_a_person() -> None:
    assert "far more" in to_a_person(outcome(payment(50_000, "INV-2026-305522")))


def test_an_order_names_its_invoices() -> None:
    assert paid(outcome(payment(67_801, "your order SO 998877"))) == {"INV-2026-203388": 67_801}


def test_a_named_item_of_another_currency_goes_to_a_person() -> None:
    assert "in USD" in to_a_person(outcome(payment(100, "INV-5555555"), [invoice("INV-5555555", 100, currency="USD")]))


def test_the_same_payment_again_is_no_match_and_says_so() -> None:
    found = outcome(payment(55_555, "INV-2026-907060"))
    assert isinstance(found, NoMatch)
    assert found.why == "duplicate: INV-2026-907060 is settled already, with this amount"


def test_a_payer_that_may_not_pay_for_the_named_account_goes_to_a_person() -> None:  # P5
    found = match(payment(12_345, "INV-2026-104711"), LEDGER, RULES, accounts={"nordic"})
    assert "does not pay" in to_a_person(found)


def test_an_unknown_payer_is_believed_if_name_and_amount_agree_and_not_otherwise() -> None:
    assert isinstance(match(payment(12_345, "INV-2026-104711"), LEDGER, RULES, accounts=()), Match)
    assert isinstance(match(payment(9_000, "INV-2026-104711"), LEDGER, RULES, accounts=()), Ambiguous)
    assert isinstance(match(payment(12_345), LEDGER, RULES, accounts=()), Ambiguous)


# ── tolerance ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("open_minor", "gap", "rules", "posted"),
    [
        (200_000, 500, RULES, True),
        (200_000, 501, RULES, False),
        (20_000, 100, RULES, True),  # 0.5 % of 200.00
        (20_000, 101, RULES, False),
        (200_000, 300, Rules(account_limit_minor=299), False),
        (200_000, 300, Rules(limit_minor=299), False),
        (200_000, -500, RULES, True),
        (200_000, 1, Rules(tolerance_basis_points=0), False),
    ],
)
def test_a_difference_is_posted_within_every_limit_and_left_open_beyond(
    open_minor: int, gap: int, rules: Rules, posted: bool
) -> None:
    line = only_line(match(payment(open_minor - gap, "INV-7654321"), [invoice("INV-7654321", open_minor)], rules))
    assert line.difference_minor == (gap if posted else 0)
    assert line.settled_minor == (open_minor if posted else open_minor - gap)


# ── (d) to (g) amounts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_only_item_of_exactly_this_amount_is_proof_without_words() -> None:  # P6d
    assert proof(outcome(payment(4_407))) == "exact amount of one item"


def test_two_items_of_one_amount_go_to_a_person() -> None:
    items = [invoice("A-11111", 4_407), invoice("A-22222", 4_407)]
    found = outcome(payment(4_407), items)
    assert to_a_person(found)
    assert isinstance(found, Ambiguous) and [one.lines[0].item for one in found.proposals] == ["A-11111", "A-22222"]


def test_700_against_500_400_300_is_400_and_300() -> None:  # F5
    items = [invoice("I-1", 50_000), invoice("I-2", 40_000), invoice("I-3", 30_000)]
    found = outcome(payment(70_000), items)
    assert paid(found) == {"I-2": 40_000, "I-3": 30_000}
    assert isinstance(found, Match) and (found.proof, found.score) == ("exact sum of open items", 80)
    assert found.evidence == ("only I-2, I-3 together make this amount", "exact sum")


def test_600_against_400_300_200_100_100_goes_to_a_person_with_its_solutions() -> None:  # F5
    items = [invoice(f"I-{at}", amount) for at, amount in enumerate((40_000, 30_000, 20_000, 10_000, 10_000))]
    found = outcome(payment(60_000), items)
    assert to_a_person(found) == "4 sets of open items make this amount"
    assert isinstance(found, Ambiguous) and len(found.proposals) == 4


def test_the_set_that_clears_the_oldest_is_offered_first() -> None:  # P6
    early = DAY - dt.timedelta(days=9)
    items = [invoice("A-1", 30_000), invoice("A-2", 30_000)]
    items += [invoice("Z-1", 40_000, due_on=early, document_on=early), invoice("Z-2", 20_000, due_on=early, document_on=early)]
    found = outcome(payment(60_000), items)
    assert isinstance(found, Ambiguous) and not found.gave_up
    assert [([line.item for line in one.lines], one.score) for one in found.proposals] == [
        (["Z-1", "Z-2"], 60), (["A-1", "A-2"], 50),
    ]  # fmt: skip


def test_a_sum_that_may_be_an_accident_goes_to_a_person() -> None:
    items = [invoice(f"I-{at}", 100 * (at * at + 3)) for at in range(12)]
    found = outcome(payment(100 * (3 + 4 + 7 + 124)), items)
    assert not isinstance(found, Match)


def test_amounts_alone_find_discounts_credits_deductions_and_charges() -> None:  # P6f
    discounted = outcome(payment(67_801 - TWO_PERCENT))
    assert only_line(discounted).discount_minor == TWO_PERCENT
    with_credit = outcome(payment(67_110 - 2_001), [*LEDGER, credit("CN-550011", -2_001)])
    assert paid(with_credit) == {"INV-2026-409913": 67_110, "CN-550011": -2_001}
    rules = Rules(known_deductions=(Deduction("WKZ", 300),), reasons={"WKZ": Reason("marketing", "difference")})
    assert only_line(outcome(payment(4_407 - 132), rules=rules)).difference_minor == 132
    charged = only_line(outcome(payment(4_407 - 250, charges_minor=250)))
    assert (charged.item, charged.difference_minor, charged.reason) == ("INV-2026-305522", 250, "bank charges")


def test_the_undisputed_part_of_an_item_is_paid() -> None:  # C6
    line = only_line(outcome(payment(8_000), [invoice("I-1", 10_000, disputed_minor=2_000)]))
    assert (line.settled_minor, line.reason) == (8_000, "undisputed part")


def test_amounts_are_not_believed_where_the_text_names_something_unknown() -> None:
    assert "999999" in to_a_person(outcome(payment(4_407, "INV-2026-999999")))


def test_amounts_are_not_believed_for_what_was_paid_lately() -> None:
    items = [*LEDGER, invoice("INV-2026-800000", 55_555)]
    assert "second payment" in to_a_person(outcome(payment(55_555), items))


def test_money_on_account_is_not_matched_by_amount() -> None:
    assert "on account" in to_a_person(outcome(payment(4_407, "payment on account")))


def test_receipts_are_never_matched_with_new_cash() -> None:
    items = [invoice("INV-7777777", 10_000), invoice("R-1", -2_000, kind="receipt")]
    assert isinstance(outcome(payment(8_000), items), NoMatch)


def test_oldest_first_only_if_policy_says_so() -> None:  # P6g
    older = [invoice("I-2", 10_000, due_on=DAY), invoice("I-1", 10_000, due_on=DAY + dt.timedelta(days=1))]
    assert not isinstance(outcome(payment(15_000), older), Match)
    found = outcome(payment(15_000), older, Rules(oldest_first=True))
    assert proof(found) == "oldest first"
    assert paid(found) == {"I-2": 10_000, "I-1": 5_000}


def test_oldest_first_does_not_override_a_duplicate() -> None:
    assert isinstance(outcome(payment(55_555, "INV-2026-907060"), rules=Rules(oldest_first=True)), NoMatch)


def test_part_payments_among_neighbours_go_to_a_person_where_policy_says_so() -> None:
    items = [invoice("INV-1047110", 12_345), invoice("INV-1047119", 22_222)]
    assert isinstance(outcome(payment(5_000, "INV-1047110"), items), Match)
    assert isinstance(outcome(payment(5_000, "INV-1047110"), items, Rules(parts_among_neighbours=False)), Ambiguous)


def test_an_item_passed_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="twice"):
        outcome(payment(1), [LEDGER[0], LEDGER[0]])
