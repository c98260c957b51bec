"""Structured references: check digits of every scheme, and what a text quotes (P6a, F4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.matching.structured import is_belgian, is_finnish, is_kid, is_swiss, quoted_in, verified
from shared.receivables.references import rf_of

RF_VECTORS = {"TU06FX": "96", "ISO11649": "60", "1234512345": "45", "AB2G5": "68", "539007547034": "18"}
NATIONAL = {
    "Finnish reference": "1234561",
    "OGM": "010806817183",
    "QRR": "210000000003139471430009017",
    "KID": "1234567897",
}


def schemes(reference: str) -> set[str]:
    return {one.scheme for one in verified(reference)}


@pytest.mark.parametrize(("number", "check"), RF_VECTORS.items())
def test_rf_check_digits_are_those_of_the_standard(number: str, check: str) -> None:  # F4
    assert rf_of(number) == f"RF{check}{number}"
    assert schemes(f"RF{check}{number}") == {"RF"}


def test_rf_vectors_of_the_requirement_are_told_apart() -> None:  # F4
    assert schemes("RF18539007547034") == schemes("RF720HYA6") == {"RF"}
    assert schemes("RF19GAX8WS5JYOOUJ87") == set()


@pytest.mark.parametrize(("scheme", "reference"), NATIONAL.items())
def test_national_references_verify_and_one_wrong_digit_does_not(scheme: str, reference: str) -> None:  # P6a
    assert scheme in schemes(reference)
    wrong = reference[:-1] + str((int(reference[-1]) + 1) % 10)
    assert scheme not in schemes(wrong)


def test_a_belgian_remainder_of_zero_is_written_97() -> None:
    assert is_belgian("000000009797")
    assert not is_belgian("000000009700")


def test_kid_takes_mod_10_and_mod_11_with_a_dash_for_ten() -> None:
    assert [check for check in "0123456789-" if is_kid(f"987{check}")] == ["3", "8"]  # mod 11: 74 leaves 8; mod 10: 22 leaves 2
    assert is_kid("006-")  # 6 x 2 leaves 1, and 11 - 1 is ten
    assert not is_kid("007-")


def test_a_finnish_reference_may_be_four_digits_and_no_fewer() -> None:
    assert is_finnish("1232")
    assert not is_finnish("13")


def test_a_swiss_reference_has_27_digits() -> None:
    assert not is_swiss("10003139471430009017")


def test_a_text_quotes_rf_in_blocks_of_four_and_words_may_follow() -> None:
    assert [one.reference for one in quoted_in("your RF18 5390 0754 7034 with thanks")] == ["RF18539007547034"]
    assert [one.scheme for one in quoted_in("+++010/8068/17183+++")] == ["OGM"]
    assert quoted_in("RF19GAX8WS5JYOOUJ87") == ()


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=21), st.data())
def test_any_substituted_digit_of_an_rf_reference_is_noticed(number: str, data: st.DataObject) -> None:
    reference = rf_of(number)
    digits = [at for at, sign in enumerate(reference) if at > 1 and sign.isdigit()]
    at = data.draw(st.sampled_from(digits))
    other = data.draw(st.sampled_from([sign for sign in "0123456789" if sign != reference[at]]))
    assert verified(reference)
    assert not verified(reference[:at] + other + reference[at + 1 :])
