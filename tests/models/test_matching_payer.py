"""Who paid: cheapest evidence first, a tie is nobody, contradictions go to a person (P5)."""

from __future__ import annotations

import pytest

from services.payments.matching.payer import (
    CANDIDATES_MAX,
    NAME,
    NUMBER,
    REFERENCES,
    Directory,
    Mention,
    Payer,
    Recognised,
    Unrecognised,
    numbers_in,
    plain,
    recognise,
    weighed,
    with_numbered,
)
from services.payments.matching.values import Rules
from services.payments.recognising import own_numbers
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


# --- whom a person may choose from ------------------------------------------------------------------------------------

SEVEN = [Payer(account=f"d{n}", name="Derby Phones Ltd") for n in range(1, 8)]
"""Seven shops of one name."""


def offered(known: list[Payer], named: tuple[str, ...] = (), **more: str) -> list[tuple[str, str]]:
    found = recognise(payment(1, **more), known, Rules(), [Mention(one, agrees=False) for one in named])
    assert isinstance(found, Unrecognised), found
    return [(one.account, one.why) for one in found.candidates]


def test_whom_a_number_names_is_offered_first_before_any_number_of_equal_names() -> None:  # P5
    found = offered(SEVEN, ("d7", "other"), payer="Derby Phones")
    assert found[:2] == [("d7", f"{REFERENCES}, {NAME}"), ("other", REFERENCES)]
    assert len(found) == CANDIDATES_MAX and {why for _, why in found[2:]} == {NAME}
    many = tuple(f"x{n}" for n in range(CANDIDATES_MAX + 1))
    assert [account for account, _ in offered(SEVEN, many, payer="Derby Phones")] == list(many), "all that the sentence names"


@pytest.mark.parametrize("name", ["Somebody Unknown", "Jane Smith", "Paywell Treasury Services"])
def test_an_unlike_name_is_no_candidate(name: str) -> None:  # P5
    assert offered(SEVEN, payer=name) == []


@pytest.mark.parametrize("name", ["Derby Phone Shop", "Derby", "Derby Phones of Leeds"])
def test_a_name_that_is_somewhat_like_it_is_offered(name: str) -> None:  # P5
    found = offered([*SEVEN[:1], Payer(account="far", name="Zenith Handsets")], payer=name)
    assert found == [("d1", NAME)]


@pytest.mark.parametrize(
    "more",
    [
        {"text": "T1191 on account thanks"}, {"text": "PAID BY t1191, MARCH"}, {"reference": "ACC/T1191"},
        {"end_to_end": "T1191."},
    ],
)  # fmt: skip
def test_an_account_whose_own_number_is_written_is_offered_first_and_never_recognised_by_it(more: dict[str, str]) -> None:  # P5
    known = [*SEVEN, Payer(account="T1191", name="Quayside Mobile")]
    assert offered(known, payer="Somebody Unknown", **more) == [("T1191", NUMBER)]
    assert offered(known, ("T1191", "d3"), payer="Quayside", **more)[0] == ("T1191", f"{NUMBER}, {REFERENCES}, {NAME}")
    assert offered(known, ("d7",), payer="Derby Phones", **more)[:2] == [("T1191", NUMBER), ("d7", f"{REFERENCES}, {NAME}")]


def test_a_number_inside_another_word_and_a_year_are_nobodys() -> None:
    known = [Payer(account="T119", name="A"), Payer(account="2026", name="B"), Payer(account="on", name="C")]
    assert offered(known, text="T1191 on account 2026", payer="Somebody") == []
    assert len(numbers_in(payment(1, text=" ".join(f"X{n}Y" for n in range(5_000))))) < 1_000, "few, whatever is written"


def test_who_is_here_for_a_number_alone_is_compared_by_nothing_else() -> None:
    quay = Payer(account="T1191", name="Quayside Mobile", home="G1")
    directory = Directory(SEVEN, [quay])
    assert directory.group_of("T1191") == "G1"
    found = recognise(payment(1, payer="Quayside Mobile", text="T1191"), directory, Rules())
    assert isinstance(found, Unrecognised) and [(one.account, one.why) for one in found.candidates] == [("T1191", NUMBER)]


def test_only_whom_nobody_recognised_is_asked_for_by_own_numbers() -> None:
    asked = {
        "bank": payment(1, payer_account=BANK, payer="Acme", text="T1191"),
        "references": payment(1, payer="Unheard Of", text="T1192"),
        "nobody": payment(1, payer="Unheard Of", text="T1193"),
    }
    named = {"references": agreeing("nordic")}
    found = {key: weighed(each, KNOWN, Rules(), named.get(key, ())) for key, each in asked.items()}
    assert own_numbers(asked, found) == {"T1193", "t1193"}


@pytest.mark.parametrize("text", ["T1191 thanks", "acme-north for T1191", "nothing"])
@pytest.mark.parametrize("payer", ["Unheard Of", "Muller Telefon", "Acme Electronics", "Quayside"])
@pytest.mark.parametrize("named", [(), ("nordic",), ("acme-north", "nordic")])
def test_numbers_asked_for_later_give_the_answer_that_they_gave_at_once(text: str, payer: str, named: tuple[str, ...]) -> None:
    numbered = [Payer(account="T1191", name="Quayside Mobile", home="G1"), Payer(account="acme-north", name="Acme North Ltd")]
    mentions = [Mention(one, agrees=False) for one in named]
    asked = payment(1, payer=payer, text=text)
    found = weighed(asked, KNOWN, Rules(), mentions)
    later = KNOWN.knowing(numbered)
    if isinstance(found, Unrecognised):
        found = with_numbered(found, asked, later)
    at_once = Directory(KNOWN.payers.values(), numbered)
    assert found == recognise(asked, at_once, Rules(), mentions)
    assert [later.group_of(one) for one in ("T1191", "acme-north")] == [at_once.group_of(one) for one in ("T1191", "acme-north")]
    assert "T1191" not in KNOWN.numbered, "the directory itself is never changed"


def test_names_are_compared_without_case_accents_and_legal_form() -> None:
    assert plain("Société ACME S.A.") == plain("acme societe") == "acme societe"
    assert plain("Müller G.m.b.H. & Co. KG") == "muller"
