"""The generator of messy payments and the judge of matchers: one seed one course, money conserved, guards that bite."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.quality import names, numbers, oracle
from tests.quality.__main__ import play
from tests.quality.border import Answer, Case, Item, Paid, Payment, Truth
from tests.quality.judge import Judge, Score, judged
from tests.quality.ledger import Ledger
from tests.quality.mess import RECIPES, WEIGHTS
from tests.quality.payments import Course, as_bytes, cleared
from tests.quality.seam import exact_reference_only

ON = date(2026, 3, 2)


def course(payments: int = 300, seed: int = 7, accounts: int = 250) -> Course:
    return Course(payments, seed, accounts)


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """Of full size, on its first day; only read."""
    return Course(0, 1).ledger


def item(at: int, amount_minor: int) -> Item:
    return Item(
        f"I{at}", f"INV-2026-{at:06d}", "A1", "invoice", "GBP", amount_minor, amount_minor, ON, ON, "", "", None, None, 0, False
    )


def case(*paid: Paid, amount_minor: int = 10_000, account: str | None = "A1") -> Case:
    payment = Payment("P1", amount_minor, "GBP", ON, "NORTHGATE LTD", None, (), None, ())
    left = amount_minor - sum(line.cash_minor for line in paid)
    accepts = (account,) if account else ()
    return Case("clean_reference", "numbers", payment, Truth(account, accepts, paid, left, True))


# --- the generator --------------------------------------------------------------------------------------------------------


def test_one_seed_is_one_course_byte_for_byte() -> None:
    assert as_bytes(course(150).cases()) == as_bytes(course(150).cases())


def test_another_seed_is_another_course() -> None:
    assert as_bytes(course(30).cases()) != as_bytes(course(30, seed=8).cases())


def test_the_order_of_sets_in_another_process_changes_nothing() -> None:
    program = (
        "import hashlib; from tests.quality.payments import Course, as_bytes; "
        "print(hashlib.sha256(as_bytes(Course(100, 3, 60).cases())).hexdigest())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": hashed}, check=True, capture_output=True
        ).stdout
        for hashed in ("1", "2")
    }
    assert len(said) == 1


def test_truth_accounts_for_every_penny_of_payment_and_item() -> None:  # P1
    played = course(800)
    for each in played.cases():
        truth = each.truth
        assert sum(line.cash_minor for line in truth.lines) + truth.unallocated_minor == each.payment.amount_minor > 0
        assert truth.unallocated_minor >= 0
        for line in truth.lines:
            open_ = played.ledger.item(line.item).open_minor
            assert line.cash_minor and (open_ - cleared(line)) * open_ >= 0
            assert min(line.discount_minor, line.deduction_minor) >= 0


def test_every_item_that_truth_pays_is_open_just_before_and_less_open_after() -> None:
    played, before = course(400), {}
    for each in played.cases():
        for paid, open_ in before.items():
            assert abs(played.ledger.item(paid).open_minor) < open_
        before = {line.item: abs(played.ledger.item(line.item).open_minor) for line in each.truth.lines}
        assert all(before.values()) and len(before) == len(each.truth.lines)


def test_every_class_occurs_in_its_time() -> None:
    seen = Counter(each.mess for each in course(1_500, accounts=300).cases())
    assert seen.keys() == WEIGHTS.keys() == RECIPES.keys()
    assert sum(WEIGHTS.values()) == 1_000


def test_payments_come_in_the_order_of_time() -> None:
    played = course(8 * 13)
    days = [each.payment.received_on for each in played.cases()]
    assert played.per_day == 13 and days == sorted(days) and len(set(days)) == 8 and all(day.weekday() < 5 for day in days)


def test_the_open_stock_stays_level() -> None:
    played = course(1_200, accounts=100)
    at_first = sum(len(played.ledger.open_items(account.id)) for account in played.ledger.accounts())
    for _ in played.cases():
        pass
    at_last = sum(len(played.ledger.open_items(account.id)) for account in played.ledger.accounts())
    assert at_first / 2 < at_last < at_first * 2


def test_banks_give_thirty_five_characters_of_capitals_without_umlauts() -> None:
    shown = {each.payment.payer_name for each in course(400).cases()}
    assert all(len(name) <= names.BANK_NAME_MAX and name.isascii() and name == name.upper() for name in shown)
    assert names.at_the_bank("Müller & Söhne Telekommunikation GmbH") == "MUELLER + SOEHNE TELEKOMMUNIKATION"


def test_the_ledger_has_groups_and_names_that_mislead(ledger: Ledger) -> None:
    accounts = ledger.accounts()
    parents = {account.parent for account in accounts if account.parent}
    same = Counter(account.name for account in accounts)
    assert len(accounts) == 1_500 and len(parents) > 200
    assert sum(count > 1 for count in same.values()) > 5


def test_invoice_numbers_are_nobody_elses(ledger: Ledger) -> None:
    shown = Counter(item.number for account in ledger.accounts() for item in ledger.open_items(account.id))
    assert max(shown.values()) == 1


def test_a_reader_of_the_ledger_learns_what_changed() -> None:
    played = course(2)
    cases = played.cases()
    first = next(cases)
    before = played.ledger.changes
    next(cases)
    touched = {played.ledger.item(line.item).account for line in first.truth.lines}
    assert touched <= set(played.ledger.changed_since(before))
    assert played.ledger.changed_since(played.ledger.changes) == ()


# --- check digits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reference"), [("TU06FX", "RF96TU06FX"), ("1234512345", "RF451234512345"), ("AB2G5", "RF68AB2G5")]
)
def test_rf_references_have_the_published_check_digits(body: str, reference: str) -> None:  # F4
    assert numbers.rf_reference(body) == reference


def test_published_references_are_told_from_wrong_ones() -> None:  # F4
    assert numbers.is_valid("RF720HYA6") and numbers.is_valid("RF18539007547034")
    assert not numbers.is_valid("RF19GAX8WS5JYOOUJ87")


def test_every_bank_account_and_every_reference_is_valid(ledger: Ledger) -> None:
    ibans = [iban for payer in ledger.payers() for iban in payer.ibans]
    references = [item.reference for one in ledger.accounts() for item in ledger.open_items(one.id) if item.reference]
    assert len(ibans) == len(set(ibans)) >= 1_500 and len(references) > 500
    assert all(map(numbers.is_valid, [*ibans, *references]))
    assert {len(iban) for iban in ibans if iban.startswith("DE")} == {22}


@given(st.randoms(use_true_random=False), st.integers(1, 2))
def test_damage_is_damage_and_no_more_than_asked(rng, edits) -> None:
    text = numbers.plain(numbers.damaged(rng, "INV-2026-004711", edits))
    assert 1 <= numbers.distance(text, "INV2026004711") <= edits


# --- the oracle -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 12), max_size=9), st.integers(1, 40))
def test_sets_are_counted_as_by_trying_all(amounts, target) -> None:
    tried = sum(sum(some) == target for size in range(len(amounts) + 1) for some in itertools.combinations(amounts, size))
    assert oracle.sets_with_sum([item(at, amount) for at, amount in enumerate(amounts)], target) == tried


def test_the_vectors_of_the_trade_are_decided_as_the_trade_does() -> None:  # F5
    assert oracle.only_set([item(at, amount) for at, amount in enumerate((500, 400, 300))], 700)
    assert not oracle.only_set([item(at, amount) for at, amount in enumerate((400, 300, 200, 100, 100))], 600)


def test_more_items_than_sums_can_tell_apart_are_never_decided() -> None:
    many = [item(at, 2**at) for at in range(oracle.SEARCHED_ITEMS_MAX + 1)]
    assert not oracle.only_set(many, 1) and oracle.only_set(many[:-1], 1)


def test_an_amount_that_two_items_have_is_not_decided() -> None:
    pair = [item(1, 25_000), item(2, 25_000)]
    assert not oracle.only_one(pair, 25_000, pair[0]) and oracle.only_one(pair[:1], 25_000, pair[0])


# --- the judge ------------------------------------------------------------------------------------------------------------

TWO = (Paid("I1", 6_000), Paid("I2", 4_000))


def test_the_truth_itself_is_all_hits() -> None:
    score = judged(case(*TWO), Answer("A1", (("I1", 6_000), ("I2", 4_000))))
    assert (score.hit, score.missed, score.false, score.payer_right) == (2, 0, 0, 1)
    assert (score.hit_minor, score.false_minor) == (10_000, 0)


def test_cash_on_an_item_that_truth_did_not_pay_is_false() -> None:
    score = judged(case(*TWO), Answer("A1", (("I1", 6_000), ("I3", 4_000))))
    assert (score.hit, score.missed, score.allocated, score.false, score.false_minor) == (1, 1, 2, 1, 4_000)


def test_another_amount_on_the_right_item_is_false() -> None:
    score = judged(case(*TWO), Answer("A1", (("I1", 5_999),)))
    assert (score.hit, score.missed, score.false) == (0, 1, 1)


def test_leaving_it_to_a_person_is_missed_and_not_false() -> None:
    score = judged(case(*TWO), Answer(None))
    assert (score.hit, score.missed, score.false, score.payer_none) == (0, 2, 0, 1)


def test_cash_where_nothing_should_be_allocated_is_false() -> None:
    assert judged(case(), Answer("A1", (("I1", 10_000),))).false == 1
    assert judged(case(), Answer("A1")).rightly_left == 1


def test_who_spends_more_than_came_in_has_every_line_wrong() -> None:
    score = judged(case(*TWO), Answer("A1", (("I1", 6_000), ("I2", 4_000), ("I3", 1))))
    assert (score.hit, score.false, score.overspent) == (0, 3, 1)


def test_two_lines_on_one_item_are_one_allocation() -> None:
    score = judged(case(*TWO), Answer("A1", (("I1", 2_000), ("I1", 4_000), ("I2", 0))))
    assert (score.hit, score.missed, score.allocated, score.false) == (1, 1, 1, 0)


def test_a_false_allocation_is_kept_whole_with_its_items() -> None:
    judge = Judge(item_of=lambda known: f"what is known of {known}")
    judge.count(case(*TWO), Answer("A1", (("I3", 1),)))
    assert judge.report()["false_examples"][0]["items"] == [f"what is known of {known}" for known in ("I1", "I2", "I3")]


def test_the_report_can_be_written_and_says_whether_targets_were_reached(tmp_path: Path) -> None:
    judge, _ = play(course(100), exact_reference_only)
    judge.write(tmp_path / "build" / "match-quality.json", seed=7)
    said = json.loads((tmp_path / "build" / "match-quality.json").read_text())
    assert (said["seed"], said["reached"], said["total"]["payments"]) == (7, False, 100)


def test_nothing_here_knows_a_service_or_a_matcher() -> None:
    for path in Path(numbers.__file__).parent.glob("*.py"):
        if path.name != "seam.py":
            assert not re.search(r"^\s*(from|import) (services|shared|contracts)", path.read_text(), re.MULTILINE), path


def test_a_credit_note_is_an_item_like_an_invoice() -> None:
    netted = case(Paid("I1", 12_000), Paid("C1", -2_000))
    score = judged(netted, Answer("A1", (("I1", 12_000), ("C1", -2_000))))
    assert (score.hit, score.false, score.hit_minor) == (2, 0, 14_000)


def test_naming_another_payer_is_counted_apart() -> None:
    assert judged(case(*TWO), Answer("A2")).payer_wrong == 1
    assert judged(case(account=None), Answer(None)).payer_right == 1


@pytest.mark.parametrize(
    ("score", "reaches"),
    [
        (Score(paid=1_000, hit=900, allocated=1_000, false=1), True),
        (Score(paid=1_000, hit=899, allocated=1_000, false=0), False),
        (Score(paid=1_000, hit=999, allocated=999, false=1), False),
        (Score(), False),
    ],
)
def test_targets_are_met_exactly_or_not_at_all(score: Score, reaches: bool) -> None:
    assert score.reaches_targets is reaches


def test_a_matcher_that_knows_the_truth_reaches_the_targets_and_one_wrong_in_a_hundred_does_not() -> None:
    right, wrong = Judge(), Judge()
    for at, each in enumerate(course(400).cases()):
        lines = tuple((line.item, line.cash_minor) for line in each.truth.lines)
        right.count(each, Answer(each.truth.account, lines))
        wrong.count(each, Answer(each.truth.account, (("I0", 1),) if at % 100 == 0 else lines))
    assert right.total.reaches_targets and right.total.hit == right.total.paid
    assert not wrong.total.reaches_targets and wrong.false_examples


def test_a_short_course_gives_the_baseline_hits_and_nothing_false() -> None:
    judge, _ = play(course(600), exact_reference_only)
    assert judge.total.false == 0 < judge.total.hit
    assert judge.total.hit + judge.total.missed == judge.total.paid
