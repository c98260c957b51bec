"""RF references: made and checked by the vectors of ISO 11649 that are public (F4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.receivables.references import NoReference, rf_of, rf_printed, rf_valid

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
references = st.text(SIGNS, min_size=1, max_size=21)


@pytest.mark.parametrize("text", ["RF18539007547034", "RF720HYA6", "rf18 5390 0754 7034", "RF96TU06FX", " RF72\u00a00HYA6\n"])
def test_a_reference_whose_digits_hold_is_valid(text: str) -> None:  # F4
    assert rf_valid(text)


@pytest.mark.parametrize(
    "text", ["RF19GAX8WS5JYOOUJ87", "RF", "", "RF18", "XX18539007547034", "RF1853900754703-", f"RF18{1:022}"]
)
def test_a_reference_whose_digits_do_not_hold_is_not(text: str) -> None:  # F4
    assert not rf_valid(text)


@pytest.mark.parametrize(
    ("reference", "check"),
    [("TU06FX", 96), ("X2HU4TC28XTYLHASYWT91", 14), ("ISO11649", 60), ("1234512345", 45), ("AB2G5", 68), ("539007547034", 18)],
)
def test_a_reference_gets_its_check_digits(reference: str, check: int) -> None:  # F4, rules 2.2
    assert rf_of(reference) == f"RF{check}{reference}"


@given(references)
def test_what_is_made_is_valid_as_printed_too(reference: str) -> None:
    assert rf_valid(rf_of(reference)) and rf_valid(rf_printed(rf_of(reference)))


@given(references, st.data())
def test_one_damaged_sign_is_found(reference: str, data: st.DataObject) -> None:
    made = rf_of(reference)
    at = data.draw(st.integers(4, len(made) - 1))
    sign = data.draw(st.sampled_from([each for each in SIGNS if each != made[at] and each.isdigit() == made[at].isdigit()]))
    assert not rf_valid(made[:at] + sign + made[at + 1 :])


@pytest.mark.parametrize("check", ["00", "01", "99"])
def test_check_digits_that_nobody_computes_are_refused(check: str) -> None:
    """They have the remainder of 97, 98 and 02, so the bare rule would let them through."""
    same = {"00": "97", "01": "98", "99": "02"}[check]
    found = next(rf_of(str(each)) for each in range(10_000) if rf_of(str(each)).startswith(f"RF{same}"))
    assert rf_valid(found) and not rf_valid(f"RF{check}{found[4:]}")


@pytest.mark.parametrize("text", ["", " ", "A-1", "INV/7", "1" * 22, "ß", "١٢"])
def test_of_what_is_no_reference_none_is_made(text: str) -> None:
    with pytest.raises(NoReference, match="letters and digits"):
        rf_of(text)
    assert not rf_valid(f"RF18{text}")
