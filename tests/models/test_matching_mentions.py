"""Whose numbers a payment names, and what confirms them: amount, further numbers, advice, check digits (P5)."""

from __future__ import annotations

from services.payments.matching.ledger_index import LedgerIndex
from services.payments.matching.mentions import mentions
from services.payments.matching.values import AdviceLine, Payment, Rules
from shared.receivables.references import rf_of
from tests.models.matching_values import invoice, payment

ITEMS = [
    invoice("INV-1047110", 12_345, account="acme"),
    invoice("INV-2000222", 20_000, account="acme-north"),
    invoice("INV-3003330", 4_407, account="nordic"),
    invoice("SI0044717", 9_107, account="nordic", reference=rf_of("SI0044717")),
    invoice("RE-55818", 5_005, account="other"),
    invoice("FA-55818", 6_006, account="fourth"),
]
HOMES = {"acme-north": "acme"}


def named(of: Payment) -> dict[str, bool]:
    found = mentions(of, LedgerIndex(ITEMS), Rules(), lambda account: HOMES.get(account, account))
    return {one.account: one.agrees for one in found}


def test_a_number_agrees_where_its_item_explains_the_cash() -> None:
    assert named(payment(12_345, "INV-1047110")) == {"acme": True}
    assert named(payment(5_000, "INV-1047110")) == {"acme": False}
    assert named(payment(12_300, "INV-1047110")) == {"acme": False}  # tolerance proves nothing of a payer
    assert named(payment(12_345, "no number at all")) == {}


def test_two_numbers_of_one_group_confirm_each_other() -> None:
    assert named(payment(99_999, "1047110 2000222")) == {"acme": True, "acme-north": True}
    assert named(payment(99_999, "1047110 3003330")) == {"acme": False, "nordic": False}


def test_an_advice_names_a_payer_by_lines_whose_amount_agrees() -> None:
    right, wrong = AdviceLine("INV-1047110", 12_345), AdviceLine("INV-2000222", 1)
    assert named(payment(12_346, lines=(right, wrong))) == {"acme": True, "acme-north": True}
    assert named(payment(12_347, lines=(right, wrong, AdviceLine("INV-3003330", 1)))) == {
        "acme": False,
        "acme-north": False,
        "nordic": False,
    }
    gross = AdviceLine("INV-1047110", 12_000, taken_minor=345)
    assert named(payment(12_000, lines=(gross,))) == {"acme": True}


def test_a_number_that_two_accounts_share_is_meant_where_its_amount_is_paid() -> None:
    assert named(payment(5_005, "55818")) == {"other": True}
    assert named(payment(7_777, "55818")) == {}


def test_a_verified_reference_needs_no_amount() -> None:
    assert named(payment(50, reference=rf_of("SI0044717"))) == {"nordic": True}
    assert named(payment(50, reference="RF00SI0044717")) == {"nordic": False}
