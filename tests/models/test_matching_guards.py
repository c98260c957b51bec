"""What keeps the matcher from a false match: each test fails when its guard is taken out. A guess is worse than none (P6)."""

from __future__ import annotations

import datetime as dt

import pytest

from services.payments.matching.match import match
from services.payments.matching.values import AdviceLine, Discount, Match, Open, Outcome, Payment, Rules, Settled
from tests.models.matching_values import DAY, credit, invoice, paid, payment

NAMED = invoice("INV-1047110", 12_345)
NEIGHBOUR = "INV-1047119"


def outcome(of: Payment, items: list[Open], **settled: int) -> Outcome:
    gone = {name.replace("_", "-"): Settled(minor, "EUR", "acme") for name, minor in settled.items()}
    return match(of, items, Rules(), gone)


def refused(found: Outcome) -> str:
    """Why a person decides; a match fails here with what it dared."""
    assert not isinstance(found, Match), found
    return found.why


# ── what was paid before ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_part_payment_that_a_settled_neighbour_explains_may_be_its_second_payment() -> None:
    assert "second payment of INV-1047119" in refused(outcome(payment(5_000, "INV-1047110"), [NAMED], INV_1047119=5_000))
    assert paid(outcome(payment(5_001, "INV-1047110"), [NAMED], INV_1047119=5_000)) == {"INV-1047110": 5_001}


def test_a_part_payment_whose_text_also_names_a_settled_item_goes_to_a_person() -> None:
    found = outcome(payment(5_000, "INV-1047110 INV-8800088"), [NAMED], INV_8800088=3_000)
    assert "also names INV-8800088, which is settled" in refused(found)


def test_a_damaged_name_that_may_mean_a_settled_item_of_the_same_amount_goes_to_a_person() -> None:
    assert paid(outcome(payment(12_345, "INV-104711"), [NAMED])) == {"INV-1047110": 12_345}
    assert "second payment" in refused(outcome(payment(12_345, "INV-104711"), [NAMED], INV_1047119=12_345))


def test_an_amount_that_was_settled_lately_is_not_believed_alone() -> None:
    assert "second payment" in refused(outcome(payment(12_345), [NAMED], INV_8800088=12_345))


@pytest.mark.parametrize("text", ["PART PAYMENT", "rate 1 von 3", "Teilzahlung"])
def test_a_part_is_of_no_item_that_has_its_amount_unless_it_is_the_rest_of_it(text: str) -> None:
    assert "pays a part" in refused(outcome(payment(12_345, text), [NAMED]))
    rest = invoice("INV-1047110", 12_345, amount_minor=50_000)
    assert paid(outcome(payment(12_345, text), [rest])) == {"INV-1047110": 12_345}


# ── who else may be meant ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_part_payment_whose_order_was_invoiced_by_another_item_goes_to_a_person() -> None:
    items = [NAMED, invoice("INV-8800088", 7_777, order="SO-998877")]
    assert "the order in the text was invoiced by INV-8800088" in refused(outcome(payment(5_000, "INV-1047110 SO 998877"), items))


def test_a_neighbour_that_fits_exactly_goes_before_the_rest_that_another_item_makes_up() -> None:
    items = [NAMED, invoice("INV-8800088", 11_655), invoice(NEIGHBOUR, 24_000)]
    assert set(paid(outcome(payment(24_000, "INV-1047110"), items[:2]))) == {"INV-1047110", "INV-8800088"}
    assert refused(outcome(payment(24_000, "INV-1047110"), items))


def test_a_credit_that_makes_it_exact_goes_before_a_tolerated_difference() -> None:
    items = [invoice("INV-7000001", 100_000), credit("CN-7000900", -300)]
    assert paid(outcome(payment(99_700, "INV-7000001"), items)) == {"INV-7000001": 100_000, "CN-7000900": -300}


def test_what_is_missing_may_be_one_of_two_credit_notes() -> None:
    items = [invoice("INV-7000001", 100_000), credit("CN-7000900", -2_300), credit("CN-8000800", -2_300)]
    assert "may have been taken off" in refused(outcome(payment(97_700, "INV-7000001"), items))
    assert paid(outcome(payment(97_701, "INV-7000001"), items)) == {"INV-7000001": 97_701}


def test_a_damaged_name_is_not_mended_by_a_tolerated_difference() -> None:
    assert refused(outcome(payment(99_900, "INV-104711"), [invoice("INV-1047110", 100_000)]))


def test_a_damaged_name_is_not_mended_by_a_discount_taken_late() -> None:
    late = invoice("INV-1047110", 100_000, discounts=(Discount(DAY - dt.timedelta(days=9), 200),))
    assert refused(outcome(payment(98_000, "INV-104711"), [late]))


def test_one_item_among_many_of_round_amounts_may_fit_by_accident() -> None:
    items = [invoice(f"INV-70{at}0{at}0{at}", at * 10_000) for at in range(1, 8)]
    assert "accident" in refused(outcome(payment(30_000), items))
    assert paid(outcome(payment(30_000), items[:6])) == {"INV-7030303": 30_000}


def test_a_neighbour_that_fits_exactly_goes_before_a_tolerated_difference() -> None:
    items = [invoice("INV-1047110", 100_000), invoice(NEIGHBOUR, 99_700)]
    assert paid(outcome(payment(99_700, "INV-1047110"), items[:1])) == {"INV-1047110": 99_700}
    assert "would explain the amount exactly" in refused(outcome(payment(99_700, "INV-1047110"), items))


def test_one_item_less_what_is_disputed_may_fit_by_accident_among_many() -> None:
    items = [invoice(f"INV-70{at}0{at}0{at}", at * 10_000) for at in range(1, 8)]
    items[2] = invoice("INV-7030303", 30_000, disputed_minor=5_000)
    assert refused(outcome(payment(25_000), items))
    assert paid(outcome(payment(25_000), items[:4])) == {"INV-7030303": 25_000}


@pytest.mark.parametrize(
    "text",
    ["PO 1047110", "CUST NO 1047110", "KD-NR 1047110", "TEL 01047 110", "TEL +49 1047 110", "EREF+1047110", "BATCH 1047110"],
)
def test_the_number_of_another_paper_names_no_invoice(text: str) -> None:
    items = [NAMED, invoice("INV-491047", 30_000)]
    assert refused(outcome(payment(5_000, text), items))
    assert paid(outcome(payment(5_000, f"{text} INV-1047110"), items)) == {"INV-1047110": 5_000}


# ── advice ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def advised(cash: int, *lines: tuple[str, int]) -> Payment:
    return payment(cash, lines=tuple(AdviceLine(number, minor) for number, minor in lines))


LARGE, SMALL, THIRD = invoice("INV-2000222", 20_000), invoice("INV-3003330", 4_407), invoice("INV-4440044", 9_107)
LEDGER = [NAMED, LARGE, SMALL, THIRD]


def test_a_line_whose_amount_is_a_neighbours_pays_neither() -> None:
    items = [*LEDGER, invoice(NEIGHBOUR, 12_000)]
    assert paid(outcome(advised(32_000, ("INV-1047110", 12_000), ("INV-2000222", 20_000)), items)) == {"INV-2000222": 20_000}


def test_an_advice_mostly_of_unknown_items_is_somebody_elses() -> None:
    assert "most of the advice" in refused(outcome(advised(24_407, ("INV-3003330", 4_407), ("XY-99", 20_000)), LEDGER))


def test_a_mistyped_amount_is_read_as_what_is_open_where_the_advice_then_adds_up() -> None:  # P6b
    found = outcome(advised(24_407, ("INV-2000222", 20_900), ("INV-3003330", 4_407)), LEDGER)
    assert paid(found) == {"INV-2000222": 20_000, "INV-3003330": 4_407}
    found = outcome(advised(24_407, ("INV-2000222", 19_990), ("INV-3003330", 4_407)), LEDGER)
    assert paid(found) == {"INV-2000222": 20_000, "INV-3003330": 4_407}


def test_a_line_too_many_is_left_out_where_it_is_the_only_one_of_that_amount() -> None:
    lines = (("INV-2000222", 20_000), ("INV-3003330", 4_407), ("INV-4440044", 9_107))
    assert paid(outcome(advised(29_107, *lines), LEDGER)) == {"INV-2000222": 20_000, "INV-4440044": 9_107}
    same = invoice("INV-5050505", 4_407)
    assert "or" in refused(outcome(advised(33_514, *lines, ("INV-5050505", 4_407)), [*LEDGER, same]))


def test_what_an_advice_leaves_out_is_the_only_other_item_of_that_amount() -> None:
    lines = (("INV-2000222", 20_000), ("INV-3003330", 4_407))
    assert paid(outcome(advised(24_407 + 9_107, *lines), LEDGER))["INV-4440044"] == 9_107
    found = outcome(advised(24_407 + 5_000, *lines), LEDGER)
    assert isinstance(found, Match) and found.unallocated_minor == 5_000
    twin = invoice("INV-5050505", 9_107)
    found = outcome(advised(24_407 + 9_107, *lines), [*LEDGER, twin])
    assert paid(found) == {"INV-2000222": 20_000, "INV-3003330": 4_407}


def test_of_an_advice_with_an_unexplained_gap_only_lines_whose_amount_agrees_are_paid() -> None:
    lines = (("INV-2000222", 20_000), ("INV-3003330", 4_400), ("INV-4440044", 1_000))
    found = outcome(advised(26_000, *lines), LEDGER)
    assert paid(found) == {"INV-2000222": 20_000}
    assert isinstance(found, Match) and found.unallocated_minor == 6_000


def test_nothing_is_taken_for_left_out_where_nobody_knows_who_paid() -> None:
    asked = advised(20_000 + 9_107, ("INV-2000222", 20_000))
    assert set(paid(match(asked, LEDGER, Rules()))) == {"INV-2000222", "INV-4440044"}
    assert set(paid(match(asked, LEDGER, Rules(), accounts=()))) == {"INV-2000222"}


def test_nothing_is_taken_for_left_out_where_a_line_is_wrong_too() -> None:
    found = outcome(advised(20_000 + 3_000 + 9_107, ("INV-2000222", 20_000), ("XY-9", 3_000)), LEDGER)
    assert paid(found) == {"INV-2000222": 20_000}


def test_what_banks_kept_is_no_reason_where_a_line_is_wrong_too() -> None:
    found = outcome(advised(24_300, ("INV-2000222", 20_000), ("INV-3003330", 4_400)), LEDGER)
    assert paid(found) == {"INV-2000222": 20_000}
    found = outcome(advised(24_300, ("INV-2000222", 20_000), ("INV-3003330", 4_407)), LEDGER)
    assert paid(found) == {"INV-2000222": 19_893, "INV-3003330": 4_407}


def test_no_line_is_paid_where_another_takes_something_off() -> None:
    lines = (("INV-2000222", 20_000), ("INV-3003330", 4_407), ("XY-9", -900))
    assert "adds up to" in refused(outcome(advised(25_000, *lines), LEDGER))


def test_no_line_is_paid_where_those_that_agree_are_more_than_the_cash() -> None:
    assert "adds up to" in refused(outcome(advised(14_000, ("INV-2000222", 20_000), ("INV-3003330", 4_400)), LEDGER))


# ── all up to a day ───────────────────────────────────────────────────────────────────────────────────────────────────────


def due(number: int, minor: int, days: int) -> Open:
    return invoice(f"INV-{number}", minor, due_on=DAY + dt.timedelta(days=days))


DUE = [due(7_000_000 + at * 10_101, 1_000 * at * at + 137 * at + 2_003, at // 3) for at in range(1, 13)]


def test_all_that_falls_due_up_to_a_day_is_paid_though_other_sets_have_the_sum() -> None:  # P6e
    first = [item for item in DUE if item.due_on <= DAY + dt.timedelta(days=2)]
    found = outcome(payment(sum(item.open_minor for item in first)), DUE)
    assert isinstance(found, Match) and found.proof == "all up to a day"
    assert set(paid(found)) == {item.item for item in first}


def test_what_is_disputed_or_credited_is_left_out_or_taken_in_as_people_do() -> None:
    disputed = invoice("INV-9090909", 7_771, disputed_minor=7_771)
    note = credit("CN-8080808", -1_213)
    total = sum(item.open_minor for item in DUE) - 1_213
    assert set(paid(outcome(payment(total), [*DUE, disputed, note]))) == {*(item.item for item in DUE), "CN-8080808"}


def test_a_day_proves_nothing_where_an_item_outside_has_the_amount_of_one_inside() -> None:
    first = [item for item in DUE if item.due_on <= DAY + dt.timedelta(days=2)]
    twin = due(9_999_999, first[0].open_minor, 30)
    assert refused(outcome(payment(sum(item.open_minor for item in first)), [*DUE, twin]))


def test_a_day_proves_nothing_among_round_amounts() -> None:
    items = [due(7_000_000 + at * 10_101, 10_000 * at, at) for at in range(1, 13)]
    assert "sets of open items" in refused(outcome(payment(150_000), items))


# ── text that a bank cut ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_that_the_bank_cut_in_two_pieces_is_one_number() -> None:
    text = "INV-2000222, INV-3003330, INV-4440044"
    pieces = "\n".join(text[at : at + 35] for at in range(0, len(text), 35))
    assert pieces.endswith("INV-44400\n44")
    assert set(paid(outcome(payment(33_600, pieces), LEDGER))) == {"INV-2000222", "INV-3003330", "INV-4440044"}


def test_lines_that_somebody_wrote_are_not_joined() -> None:
    assert set(paid(outcome(payment(17_777, "1047110\n3003330"), LEDGER))) == {"INV-1047110", "INV-3003330"}


def test_what_is_named_is_paid_though_far_more_came_where_the_text_was_full_or_names_several() -> None:
    found = outcome(payment(99_999, "INV-3003330,INV-44"), LEDGER)
    assert paid(found) == {"INV-3003330": 4_407}
    assert "far more" in refused(outcome(payment(99_999, "INV-3003330"), LEDGER))
    assert len(paid(outcome(payment(99_999, "INV-3003330 INV-4440044"), LEDGER))) == 2


# ── what a clerk reads ────────────────────────────────────────────────────────────────────────────────────────────────────


def evidence(found: Outcome) -> str:
    assert isinstance(found, Match), found.why
    return "; ".join(found.evidence)


def test_what_an_advice_misses_is_told_as_money() -> None:  # P6
    over = refused(outcome(advised(14_000, ("INV-2000222", 20_000), ("INV-3003330", 4_400)), LEDGER))
    assert "the advice adds up to 244.00 EUR, the payment is 140.00 EUR" in over


def test_the_slip_of_an_advice_is_told_as_money() -> None:  # P6
    mended = outcome(advised(20_000 + 4_407, ("INV-2000222", 20_000), ("INV-3003330", 4_470)), LEDGER)
    assert "INV-3003330 is open with 44.07 EUR, not 44.70 EUR" in evidence(mended)


def test_charges_and_tolerated_differences_are_told_as_money() -> None:  # P6
    rules = Rules(tolerance_minor=500, tolerance_basis_points=500, limit_minor=500)
    charged = payment(20_000 - 1_250, "INV-2000222", charges_minor=1_250)
    assert "bank charges of 12.50 EUR stated" in evidence(match(charged, LEDGER, rules))
    assert "difference of 1.05 EUR within tolerance" in evidence(match(payment(19_895, "INV-2000222"), LEDGER, rules))


def test_amounts_have_the_decimals_of_their_currency() -> None:
    yen = [invoice("INV-2000222", 20_000, currency="JPY")]
    charged = payment(18_750, "INV-2000222", currency="JPY", charges_minor=1_250)
    assert "bank charges of 1,250 JPY stated" in evidence(match(charged, yen, Rules()))


def test_what_banks_may_have_kept_is_told_as_money() -> None:
    named = outcome(payment(20_000 + 4_407 - 300, "INV-2000222 INV-3003330"), [LARGE, SMALL])
    assert "short by 3.00 EUR, as banks on the way keep" in evidence(named)
    offered = outcome(payment(20_000 - 300), [LARGE])
    assert not isinstance(offered, Match)
    assert [each.reasons for each in offered.proposals] == [("short by 3.00 EUR",)]
