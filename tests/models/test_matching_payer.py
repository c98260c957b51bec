"""Who paid: cheapest evidence first, a tie is nobody, contradictions go to a person (P5)."""

from __future__ import annotations

import pytest

from services.payments.matching.payer import Directory, Mention, Payer, Recognised, Unrecognised, plain, recognise
from services.payments.matching.values import Rules
from tests.models.matching_values import payment

BANK = "GB33BUKB20201555555555"
KNOWN = Directory(
    [
        Payer(account="acme", name="Acme Electronics Ltd", bank_accounts=(BANK,), mandates=("M-77",)),
        Payer(account="acme-north", name="Acme North Ltd", home="acme"),
        Payer(account="nordic", name="Nordic Phones AS", aliases=("NP Holding",)),
        Payer(account="muller-berlin", name="Müller Telefon Berlin GmbH"),
        Payer(account="muller-bremen", name="Müller Telefon Bremen GmbH"),
    ]
)


def agreeing(*accounts: str) -> tuple[Mention, ...]:
    return tuple(Mention(account, agrees=True) for account in accounts)


def who(named: tuple[str, ...] = (), **more: str) -> Recognised | Unrecognised:
    return recognise(payment(1, **more), KNOWN, Rules(), agreeing(*named))


def account(found: Recognised | Unrecognised) -> tuple[str, str]:
    assert isinstance(found, Recognised), found.why
    return found.account, found.by


def test_a_known_bank_account_says_who_paid_however_it_is_spaced() -> None:
    assert account(who(payer_account="GB33 BUKB 2020 1555 5555 55", payer="somebody")) == ("acme", "bank account")


def test_a_mandate_an_alias_and_references_say_it_in_this_order() -> None:
    assert account(who(mandate="M77", payer="NP Holding")) == ("acme", "mandate")
    assert account(who(payer="N.P. Holding")) == ("nordic", "remembered alias")
    assert account(who(named=("nordic",), payer="Unheard Of")) == ("nordic", "references")


@pytest.mark.parametrize("name", ["ACME ELECTRONICS LIMITED", "Acme Electronic Ltd.", "Electronics Acme"])
def test_a_near_name_is_recognised_without_its_legal_form(name: str) -> None:
    assert account(who(payer=name)) == ("acme", "name")


def test_two_names_alike_are_nobody() -> None:
    found = who(payer="Müller Telefon GmbH")
    assert isinstance(found, Unrecognised)
    assert {one.account for one in found.candidates} >= {"muller-berlin", "muller-bremen"}


def test_part_of_a_name_is_not_the_name() -> None:
    assert isinstance(who(payer="Acme"), Unrecognised)


def test_a_parent_pays_for_its_children() -> None:
    found = who(named=("acme-north",), payer_account=BANK)
    assert account(found) == ("acme", "bank account")
    assert isinstance(found, Recognised) and found.pays_for == ("acme", "acme-north")


def test_a_bank_account_that_contradicts_the_references_goes_to_a_person() -> None:
    found = who(named=("nordic",), payer_account=BANK)
    assert isinstance(found, Unrecognised)
    assert "not of its group" in found.why
    assert [one.account for one in found.candidates] == ["acme", "nordic"]


def test_a_number_of_strangers_that_nothing_confirms_is_a_slip_of_a_payer_who_is_known() -> None:
    found = recognise(payment(1, payer_account=BANK), KNOWN, Rules(), [Mention("nordic", agrees=False)])
    assert account(found) == ("acme", "bank account")


def test_a_known_payer_whose_own_items_explain_the_cash_is_not_contradicted_by_strangers() -> None:
    found = recognise(payment(1, payer_account=BANK), KNOWN, Rules(), agreeing("acme-north", "nordic"))
    assert account(found) == ("acme", "bank account")


def test_a_number_that_neither_name_nor_amount_confirms_is_nobodys() -> None:
    found = recognise(payment(1, payer="Unheard Of"), KNOWN, Rules(), [Mention("nordic", agrees=False)])
    assert isinstance(found, Unrecognised)
    assert "does not confirm the number of nordic" in found.why
    assert "nordic" in {one.account for one in found.candidates}


def test_a_clear_name_is_believed_against_a_number_that_nothing_confirms() -> None:
    found = recognise(payment(1, payer="Acme Electronics"), KNOWN, Rules(), [Mention("nordic", agrees=False)])
    assert account(found) == ("acme", "name")


def test_of_two_accounts_called_alike_the_one_is_meant_whose_number_is_named() -> None:
    alike = [Payer(account="a", name="Müller Telefon GmbH"), Payer(account="b", name="Mueller Telefon AG")]
    asked = payment(1, payer="Müller Telefon")
    assert isinstance(recognise(asked, alike, Rules(name_score=80)), Unrecognised)
    found = recognise(asked, alike, Rules(name_score=80), [Mention("b", agrees=False)])
    assert account(found) == ("b", "name and references")


def test_references_to_several_groups_are_nobody() -> None:
    assert isinstance(who(named=("acme", "nordic")), Unrecognised)
    assert account(who(named=("acme", "acme-north"))) == ("acme", "references")


def test_a_shared_bank_account_is_the_one_that_references_name_or_the_head_of_the_group() -> None:
    shared = [
        Payer(account="a", name="A", bank_accounts=("X1",), home="a"),
        Payer(account="b", name="B", bank_accounts=("X1",), home="a"),
    ]
    assert account(recognise(payment(1, payer_account="X1"), shared, Rules(), agreeing("b"))) == ("b", "bank account")
    assert account(recognise(payment(1, payer_account="X1"), shared, Rules())) == ("a", "bank account")
    strangers = [Payer(account="a", name="A", bank_accounts=("X1",)), Payer(account="b", name="B", bank_accounts=("X1",))]
    assert isinstance(recognise(payment(1, payer_account="X1"), strangers, Rules()), Unrecognised)


def test_the_order_of_known_payers_changes_nothing() -> None:
    payers = list(KNOWN.payers.values())
    for name in ("Müller Telefon", "Nordic Phone"):
        asked = payment(1, payer=name)
        assert recognise(asked, payers, Rules()) == recognise(asked, payers[::-1], Rules())


def test_names_are_compared_without_case_accents_and_legal_form() -> None:
    assert plain("Société ACME S.A.") == plain("acme societe") == "acme societe"
    assert plain("Müller G.m.b.H. & Co. KG") == "muller"
