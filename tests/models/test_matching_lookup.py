"""Numbers as people write them, and the keys by which candidates are fetched (P6c)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from services.payments.matching.ledger_index import DAMAGED_MIN, LedgerIndex
from services.payments.matching.lookup import KEYS_MAX, key_of, keys_in, number_in
from services.payments.matching.naming import Names, names_in
from services.payments.matching.values import Rules, Settled
from tests.models.matching_values import invoice, payment

WRITTEN = [
    "INV-2026-000123",
    "inv 2026 123",
    "Invoice 2026/000123",
    "2026-123",
    "2026000123",
    "Rechnung INV2026000123, danke",
    "SEPA CT 12.02.2026 INV-2026-000123 EUR 1.234,56",
]


def named(text: str, *items: str, settled: str = "") -> Names:
    index = LedgerIndex(
        [invoice(item, 1000 + at) for at, item in enumerate(items)], {settled: Settled(1, "EUR")} if settled else {}
    )
    return names_in(payment(1, text), index, Rules())


@pytest.mark.parametrize("text", WRITTEN)
def test_prefixes_separators_and_leading_zeros_do_not_hide_a_number(text: str) -> None:
    assert key_of("INV-2026-000123") in keys_in(text)
    assert named(text, "INV-2026-000123", "INV-2026-000456").exact == (0,)


def test_an_amount_is_no_invoice_number() -> None:
    assert named("EUR 100.23", "INV-10023").exact == ()
    assert key_of("INV-10023") not in keys_in("EUR 100.23")


def test_a_bank_account_is_no_invoice_number() -> None:
    assert named("from GB33 BUKB 2020 1555 5555 55", "INV-20201555").exact == ()


def test_a_purchase_order_of_the_same_digits_is_no_invoice() -> None:
    assert named("PO 10023", "INV-10023").exact == ()


def test_a_credit_note_of_the_same_digits_is_no_invoice() -> None:
    assert named("CN 10023", "INV-10023", "CN-20024").exact == ()
    assert named("CN 10023", "CN-10023", "INV-10023").exact == (0,)


def test_a_number_shared_by_two_documents_is_a_choice() -> None:
    assert named("10023", "CN-10023", "INV-10023").choices == (("10023", (0, 1)),)


def test_four_bare_digits_are_not_enough_but_our_prefix_makes_them_so() -> None:
    assert named("2024", "INV-2024").exact == ()
    assert named("INV 2024", "INV-2024").exact == (0,)


@pytest.mark.parametrize("text", ["INV 7654329", "INV 7653421", "INV 754321", "INV 76543219", "INV 76S4321"])
def test_one_damaged_place_is_a_choice_and_never_exact(text: str) -> None:
    names = named(text, "INV-7654321", "INV-9912223")
    assert names.exact == ()
    assert [hits for _, hits in names.choices] == [(0,)]


def test_two_damaged_places_name_nothing_and_are_noticed() -> None:
    names = named("INV 7699321", "INV-7654321")
    assert (names.exact, names.choices) == ((), ())
    assert names.unplaced == ("7699321",)


def test_short_numbers_are_not_mended() -> None:
    assert named("1235", "INV-1234").choices == ()


def test_settled_items_are_named_apart() -> None:
    names = named("INV-55555 and INV-66666", "INV-55555", settled="INV-66666")
    assert (names.exact, names.settled) == ((0,), (1,))


def test_a_date_is_no_unknown_document() -> None:
    assert named("thanks 2026-02-12", "INV-10023456").unplaced == ()


@given(st.text(max_size=300))
def test_any_text_gives_a_bounded_number_of_keys(text: str) -> None:
    assert len(keys_in(text)) <= KEYS_MAX
    assert all(keys_in(text))


@given(st.from_regex(r"[A-Z]{0,4}[-/ ]?[0-9]{4,8}", fullmatch=True), st.sampled_from(["", "pay ", "x, "]))
def test_a_number_written_as_it_is_always_finds_its_key(item: str, before: str) -> None:
    if key := key_of(item):
        assert key in keys_in(before + item)


def test_letters_are_a_prefix_unless_too_little_is_left() -> None:
    assert number_in("INV-2026-000123") == ("2026000123", "2026123", "INV")
    assert number_in("AB2G5").raw == "AB2G5"


# ── at one edit ───────────────────────────────────────────────────────────────────────────────────────────────────────────

CODES = st.text("0123A", min_size=5, max_size=8)


@given(st.lists(CODES, min_size=1, max_size=6, unique=True), CODES)
def test_near_are_all_numbers_at_one_edit_and_no_others(numbers: list[str], asked: str) -> None:
    index = LedgerIndex([invoice(f"X{at}-{number}", 1) for at, number in enumerate(numbers)])
    asked_number = number_in(f"ZZ-{asked}")
    found = index.near(asked_number)
    forms = [{number.raw, number.stripped} for number in index.numbers]
    wanted = {asked_number.raw, asked_number.stripped}
    expected = tuple(at for at, own in enumerate(forms) if any(_is_near(one, other) for one in own for other in wanted))
    assert found == expected


def _is_near(own: str, asked: str) -> bool:
    return len(own) >= DAMAGED_MIN and len(asked) >= DAMAGED_MIN and OSA.distance(own, asked) == 1


def test_the_last_places_of_a_number_mean_every_item_that_ends_so() -> None:
    assert named("RNR 4250", "INV-2025-004250", "INV-2025-104250", "INV-2025-042501").choices == (("4250", (0, 2)),)
    assert named("250", "INV-2025-004250").choices == ()
