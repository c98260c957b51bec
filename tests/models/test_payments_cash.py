"""Cash on an account: allocated whole or not at all, taken back exactly, never twice (P1, P6, P7)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.message import Message
from contracts.payments import (
    AdviceLine,
    Alternative,
    ApprovePayout,
    CashAllocated,
    CashGivenBack,
    CashKeptOnAccount,
    CashReceived,
    CashReferred,
    CashRetried,
    CashTaken,
    CashUnallocated,
    CashWithdrawn,
    CommandRefused,
    CommandUnneeded,
    ConfirmCash,
    Discount,
    EntryPosted,
    GiveBackCash,
    ItemPosted,
    ItemSettled,
    KeepOnAccount,
    PayerForgotten,
    PayerLearned,
    Posting,
    Proposal,
    ProposeRefund,
    ProposeWriteOff,
    ReceiveCash,
    ReferCash,
    RetryCash,
    Settle,
    ShortPaid,
    TakeAdvice,
    TakeBackCash,
    TakeCash,
    UnallocateCash,
    UndoMatch,
    WithdrawCash,
)
from services.payments.cash import cause_of
from services.payments.policies import in_force
from services.payments.settling import open_value
from services.payments.state import alias_of, home_of_bank
from tests.models.payments_books import (
    BANK,
    DAY,
    TODAY,
    Books,
    books_after,
    cash,
    credit_note,
    invoice,
    of,
    opened,
    pays,
    settles,
)


@pytest.fixture
def books() -> Books:
    """Acme owes 500, 400 and 300, and 700 have come."""
    return books_after(opened(), invoice("I1", 500_00), invoice("I2", 400_00), invoice("I3", 300_00), cash("R", 700_00))


def test_a_receipt_lowers_what_the_account_owes_before_it_is_matched(books: Books) -> None:  # F1
    assert books.account().balance_minor == 500_00
    assert books.item("R").open_minor == -700_00


def test_a_match_settles_its_items_and_the_receipt(books: Books) -> None:  # P6
    facts = books.do(pays("R", ("I2", 400_00), ("I3", 300_00)))
    assert [(fact.item, fact.settled_minor, fact.open_minor) for fact in of(ItemSettled, facts)] == [
        ("I2", 400_00, 0),
        ("I3", 300_00, 0),
        ("R", -700_00, 0),
    ]
    assert books.account().balance_minor == 500_00
    assert books.receipt("R").state == "done"


def test_a_match_that_does_not_fit_one_item_changes_nothing(books: Books) -> None:
    before = dict(books.tables["item"])
    (refused,) = books.do(pays("R", ("I2", 400_00), ("I3", 300_01)))
    assert (refused.reason, books.tables["item"]) == ("more_than_open", before)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "no_lines"),
        ((("I2", 100_00), ("I2", 100_00)), "item_twice"),
        ((("I9", 100_00),), "unknown_item"),
        ((("I1", 500_00), ("I2", 400_00)), "too_much"),
        ((("I2", 0),), "more_than_open"),
        ((("I2", -100_00),), "more_than_open"),
        ((settles("I2", 300_00, difference=100_00),), "beyond_authority"),
        ((settles("I2", 300_00, discount=100_00),), "no_discount"),
        ((("R", 100_00),), "unknown_item"),
    ],
)
def test_what_does_not_add_up_is_refused_by_name(books: Books, lines: tuple, reason: str) -> None:  # type: ignore[type-arg]
    (refused,) = books.do(pays("R", *lines))
    assert isinstance(refused, CommandRefused)
    assert refused.reason == reason


def test_a_difference_within_what_the_clerk_may_take_goes_to_the_difference_account(books: Books) -> None:  # P6
    books.do(pays("R", settles("I2", 399_00, difference=1_00)))
    assert books.item("I2").open_minor == 0
    assert books.sums()["differences"] == 1_00


def test_what_the_payer_held_back_stays_open_and_is_told_to_claims(books: Books) -> None:  # C1
    facts = books.do(pays("R", settles("I2", 350_00, residual_minor=50_00, reason="Damaged in transit")))
    (short,) = of(ShortPaid, facts)
    assert (short.short_minor, short.open_minor, short.cause) == (50_00, 50_00, "damage")


def test_of_two_clerks_the_second_is_told(books: Books) -> None:  # must show 6
    version = books.receipt("R").version
    assert of(CashAllocated, books.do(pays("R", ("I2", 400_00), version=version), actor="anna"))
    (refused,) = books.do(pays("R", ("I1", 500_00), version=version), actor="ben")
    assert refused.reason == "changed_meanwhile"
    assert books.item("I1").open_minor == 500_00


@pytest.mark.parametrize(
    "wish",
    [
        GiveBackCash(account="acme", receipt="R", reason="not theirs", version=0),
        UnallocateCash(account="acme", match="R/1", reason="not theirs", version=0),
        ProposeRefund(account="acme", key="K", item="R", amount_minor=1_00, reason="twice", version=0),
    ],
    ids=lambda wish: type(wish).__name__,
)
def test_who_looked_before_somebody_else_worked_on_it_is_told(books: Books, wish: Message) -> None:  # must show 6
    books.do(pays("R", ("I2", 400_00), version=0), actor="ben")
    before = {name: dict(rows) for name, rows in books.tables.items()}
    (refused,) = books.do(wish)
    assert (refused.reason, books.tables) == ("changed_meanwhile", before)
    assert books.do(replace(wish, version=1))[0] != refused


def test_of_two_clerks_who_give_it_back_and_allocate_it_one_wins(books: Books) -> None:  # must show 6
    given, paid = GiveBackCash(account="acme", receipt="R", reason="not theirs", version=0), pays("R", ("I2", 1), version=0)
    books.say(given, actor="ben")
    (refused,) = books.say(paid)
    assert refused.reason == "gone"


def test_a_match_found_by_the_service_that_fits_no_more_goes_to_a_person(books: Books) -> None:
    (referred,) = books.say(pays("R", ("I2", 500_00)), role="", actor="payments")
    assert isinstance(referred, CashReferred)
    assert books.receipt("R").state == "referred"


def test_a_match_taken_back_leaves_all_as_it_was_by_new_entries(books: Books) -> None:  # P7
    before = {name: (item.open_minor, item.open_base_minor) for name, item in books.tables["item"].items()}
    sums, lines = books.sums(), len(books.tables["ledger"])
    books.do(pays("R", settles("I2", 399_00, difference=1_00), ("I3", 300_00)))
    facts = books.do(UnallocateCash(account="acme", match="R/1", reason="not theirs"))
    assert of(CashUnallocated, facts)
    assert {name: (item.open_minor, item.open_base_minor) for name, item in books.tables["item"].items()} == before
    assert {ledger: minor for ledger, minor in books.sums().items() if minor} == {k: v for k, v in sums.items() if v}
    assert len(books.tables["ledger"]) > lines
    assert of(CommandUnneeded, books.do(UnallocateCash(account="acme", match="R/1", reason="again")))


def test_a_receipt_that_the_bank_takes_back_opens_all_that_it_settled(books: Books) -> None:  # P3
    books.do(pays("R", ("I2", 400_00)))
    books.do(pays("R", ("I3", 300_00)))
    books.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert [books.item(name).open_minor for name in ("I1", "I2", "I3", "R")] == [500_00, 400_00, 300_00, 0]
    assert books.account().balance_minor == 1_200_00
    assert books.receipt("R").state == "gone"


def test_somebody_elses_money_goes_back_whole_or_not_at_all(books: Books) -> None:  # P7
    books.do(pays("R", ("I2", 400_00)))
    (refused,) = books.do(GiveBackCash(account="acme", receipt="R", reason="not theirs"))
    assert refused.reason == "allocated"
    books.do(UnallocateCash(account="acme", match="R/1", reason="not theirs"))
    assert of(CashGivenBack, books.say(GiveBackCash(account="acme", receipt="R", reason="not theirs")))
    assert books.account().balance_minor == 1_200_00


def test_a_group_pays_for_its_members_through_the_group_account() -> None:  # P6
    books = books_after(opened("top"), opened("sub", "top"), invoice("I1", 100_00, "top"), invoice("I2", 50_00, "sub"))
    books.do(cash("R", 150_00, "top"))
    books.do(pays("R", ("I1", 100_00), settles("I2", 50_00, account="sub"), account="top"))
    assert [books.item(name).open_minor for name in ("I1", "I2", "R")] == [0, 0, 0]
    assert (books.account("top").balance_minor, books.account("sub").balance_minor) == (0, 0)
    assert books.sums()["group"] == 0


def test_a_credit_note_is_taken_along(books: Books) -> None:  # P6 f
    books.do(credit_note("C1", 50_00))
    books.do(pays("R", ("I1", 500_00), ("C1", -50_00)))
    assert [books.item(name).open_minor for name in ("I1", "C1", "R")] == [0, 0, -250_00]


def test_foreign_currency_settles_with_its_realised_difference() -> None:  # P1
    books = Books()
    books.do(opened(currency="EUR"))
    books.do(invoice("I1", 100_00, currency="EUR", base_minor=85_00))
    books.do(cash("R", 100_00, currency="EUR"))  # 86.00 in base by the policy's rate
    books.do(pays("R", ("I1", 100_00)))
    assert books.sums()["exchange"] == -1_00
    assert books.sums()["receivables"] == 0
    assert books.account().balance_minor == 0


def test_what_stays_on_account_is_kept_with_its_reason(books: Books) -> None:
    (refused,) = books.do(KeepOnAccount(account="acme", receipt="R", reason=" "))
    assert refused.reason == "no_reason"
    books.do(KeepOnAccount(account="acme", receipt="R", reason="for next month"))
    assert books.receipt("R").state == "on_account"


def test_a_persons_choice_teaches_the_payers_bank_account() -> None:  # P6
    books = Books()
    books.do(opened())
    (learned,) = of(PayerLearned, books.do(cash("R", 1_00, payer="ACME", payer_account="DE1", learned=True)))
    assert (learned.kind, learned.value) == ("bank_account", "DE1")


def test_a_name_that_is_too_short_to_mean_one_payer_is_not_learned() -> None:  # P6
    books = Books()
    books.do(opened())
    assert not of(PayerLearned, books.do(cash("R", 1_00, payer="ACME", learned=True)))
    assert of(PayerLearned, books.do(cash("R2", 1_00, payer="ACME TRADING", learned=True)))


def test_cash_given_back_forgets_the_payer_that_it_taught() -> None:  # P5, P6
    books = Books()
    books.do(opened())
    books.do(cash("R", 1_00, payer_account="DE1", learned=True))
    books.do(GiveBackCash(account="acme", receipt="R", reason="not theirs"))
    assert books.tables["alias"] == {}
    assert [(fact.reason, fact.by) for fact in of(PayerForgotten, [fact for *_, fact in books.journal])] == [
        ("not theirs", "anna")
    ]
    assert books.refolded() == books.tables


def test_cash_given_back_leaves_what_other_cash_taught() -> None:  # P6
    books = Books()
    books.do(opened())
    books.do(cash("R1", 1_00, payer_account="DE1", learned=True))
    assert not of(PayerLearned, books.do(cash("R2", 1_00, payer_account="DE1", learned=True)))
    books.do(cash("R3", 1_00, payer_account="DE1"))
    for receipt in ("R2", "R3"):
        books.do(GiveBackCash(account="acme", receipt=receipt, reason="not theirs"))
    assert len(books.tables["alias"]) == 1


def test_the_same_receipt_again_changes_nothing(books: Books) -> None:
    assert of(CommandUnneeded, books.do(cash("R", 700_00)))


def test_the_rows_are_the_fold_of_the_journal(books: Books) -> None:
    books.do(pays("R", ("I2", 400_00)))
    books.do(UnallocateCash(account="acme", match="R/1", reason="no"))
    assert books.refolded() == books.tables


def test_an_early_payment_discount_is_the_items_own() -> None:  # P6 f
    books = Books()
    books.do(opened())
    books.do(invoice("I1", 100_00, discounts=(Discount(until_on=TODAY + DAY, basis_points=200),)))
    books.do(cash("R", 98_00))
    books.do(pays("R", settles("I1", 98_00, discount=2_00)), actor="payments", role="")
    assert books.item("I1").open_minor == 0
    assert books.sums()["discounts"] == 2_00


@pytest.mark.parametrize("paid_on", [TODAY + 4 * DAY, TODAY + 5 * DAY])
def test_a_discount_has_its_day_and_the_days_of_grace(paid_on: dt.date) -> None:  # P6 f
    books = Books()
    books.do(opened())
    books.do(invoice("I1", 1_000_00, discounts=(Discount(until_on=TODAY + DAY, basis_points=300),)))
    books.do(cash("R", 970_00, received_on=paid_on))
    (first, *_) = books.do(pays("R", settles("I1", 970_00, discount=30_00)))
    assert isinstance(first, CashAllocated if paid_on <= TODAY + 4 * DAY else CommandRefused)


def test_a_discount_is_taken_once_however_many_payments_come() -> None:  # P6 f
    books = books_after(
        opened(), invoice("I1", 100_00, discounts=(Discount(until_on=TODAY, basis_points=200),)), cash("R", 200_00)
    )
    books.do(pays("R", settles("I1", 49_00, discount=1_00)))
    assert books.item("I1").discounted_minor == 1_00
    books.do(pays("R", settles("I1", 24_00, discount=1_00)))
    (refused,) = books.do(pays("R", settles("I1", 24_00, discount=1_00)))
    assert refused.reason == "no_discount"
    assert open_value(books.item("I1")).discounts == ()


def test_a_match_taken_back_offers_its_discount_again() -> None:  # P6 f, P7
    books = books_after(
        opened(), invoice("I1", 100_00, discounts=(Discount(until_on=TODAY, basis_points=200),)), cash("R", 200_00)
    )
    books.do(pays("R", settles("I1", 48_00, discount=2_00)))
    books.do(UnallocateCash(account="acme", match="R/1", reason="wrong"))
    assert books.item("I1").discounted_minor == 0
    assert of(CashAllocated, books.do(pays("R", settles("I1", 98_00, discount=2_00))))


def test_the_service_adds_to_a_difference_only_within_the_items_tolerance(books: Books) -> None:  # P6
    """0.5 % of 400.00 are 2.00."""
    books.do(pays("R", settles("I2", 100_00, difference=1_00)))
    books.do(RetryCash(account="acme", receipt="R"))
    (referred,) = books.say(pays("R", settles("I2", 297_99, difference=1_01)), role="", actor="payments")
    assert isinstance(referred, CashReferred)
    assert of(CashAllocated, books.say(pays("R", settles("I2", 298_00, difference=1_00)), role="", actor="payments"))


def test_a_person_adds_to_a_difference_up_to_what_its_role_may_take(books: Books) -> None:  # P6, A6
    books.do(pays("R", settles("I2", 100_00, difference=5_00)))
    assert of(CashAllocated, books.do(pays("R", settles("I2", 100_00, difference=20_00))))
    (refused,) = books.do(pays("R", settles("I2", 100_00, difference=1)))
    assert refused.reason == "beyond_authority"


def test_a_role_that_the_policy_does_not_name_takes_no_difference(books: Books) -> None:  # A6
    (refused,) = books.do(pays("R", settles("I2", 100_00, difference=1)), role="visitor")
    assert refused.reason == "beyond_authority"


OF_ANOTHER = [
    pays("R", ("X1", 1_00), account="other"),
    ReferCash(account="other", receipt="R", why="?"),
    RetryCash(account="other", receipt="R"),
    KeepOnAccount(account="other", receipt="R", reason="why not"),
    TakeCash(account="other", receipt="R", owner="ben"),
    GiveBackCash(account="other", receipt="R", reason="not theirs"),
    WithdrawCash(account="other", receipt="R", reason="returned"),
    UnallocateCash(account="other", match="R/1", reason="no"),
    UndoMatch(account="other", receipt="R", match="R/1", lines=(), reason="no"),
]


@pytest.mark.parametrize("wish", OF_ANOTHER, ids=lambda wish: type(wish).__name__)
def test_nobody_works_on_a_receipt_by_naming_it_under_another_account(books: Books, wish: Message) -> None:  # promise 3
    books.do(opened("other"))
    books.do(invoice("X1", 1_00, "other"))
    books.do(pays("R", ("I2", 400_00)))
    before = (books.receipt("R"), dict(books.tables["item"]), dict(books.tables["match"]))
    books.do(wish)
    assert (books.receipt("R"), dict(books.tables["item"]), dict(books.tables["match"])) == before


def test_no_item_of_another_group_is_settled() -> None:  # P6
    books = books_after(opened(), opened("other"), invoice("X1", 100_00, "other"), cash("R", 100_00))
    (refused,) = books.do(pays("R", settles("X1", 100_00, account="other")))
    assert refused.reason == "unknown_item"


def test_an_item_of_a_member_is_named_with_its_account() -> None:
    books = books_after(opened("top"), opened("sub", "top"), invoice("I2", 50_00, "sub"), cash("R", 50_00, "top"))
    (refused,) = books.do(pays("R", ("I2", 50_00), account="top"))
    assert refused.reason == "other_account"


def test_an_item_in_another_currency_is_not_settled(books: Books) -> None:
    books.do(invoice("E1", 10_00, currency="EUR"))
    (refused,) = books.do(pays("R", ("E1", 10_00)))
    assert refused.reason == "other_currency"


def test_what_is_settled_is_the_sum_of_its_parts(books: Books) -> None:
    (refused,) = books.do(pays("R", Settle(item="I2", settled_minor=400_00, paid_minor=300_00)))
    assert refused.reason == "not_the_sum"


def test_more_credits_than_debts_are_no_allocation(books: Books) -> None:
    books.do(credit_note("C1", 50_00))
    (refused,) = books.do(pays("R", ("C1", -50_00)))
    assert refused.reason == "credits_only"


def test_a_gone_receipt_settles_nothing_and_is_not_kept(books: Books) -> None:
    books.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert [
        books.do(wish)[0].reason for wish in (pays("R", ("I2", 1_00)), KeepOnAccount(account="acme", receipt="R", reason="x"))
    ] == [
        "gone",
        "gone",
    ]
    assert of(CommandUnneeded, books.do(WithdrawCash(account="acme", receipt="R", reason="returned")))


def test_a_receipt_with_a_match_that_took_nothing_of_it_is_in_use_as_well(books: Books) -> None:  # P7
    books.do(credit_note("C1", 50_00))
    books.do(pays("R", ("I1", 50_00), ("C1", -50_00)))
    (refused,) = books.do(GiveBackCash(account="acme", receipt="R", reason="not theirs"))
    assert refused.reason == "allocated"


def test_an_advice_explains_only_its_own_accounts_receipt(books: Books) -> None:  # P4
    books.do(opened("other"))
    books.do(TakeAdvice(account="other", advice="A1", amount_minor=1_00, currency="GBP", lines=()))
    (refused,) = books.do(pays("R", ("I2", 400_00), advice="A1"))
    assert refused.reason == "unknown_advice"
    assert books.tables["advice"]["A1"].receipt == ""


def test_a_match_taken_back_lets_its_advice_wait_again(books: Books) -> None:  # P4, P7
    books.do(TakeAdvice(account="acme", advice="A1", amount_minor=700_00, currency="GBP", lines=()))
    books.do(pays("R", ("I2", 400_00), ("I3", 300_00), advice="A1"))
    assert books.tables["advice"]["A1"].receipt == "R"
    books.do(UnallocateCash(account="acme", match="R/1", reason="not theirs"))
    assert books.tables["advice"]["A1"].receipt == ""


def test_what_is_billed_before_its_account_is_known_belongs_to_its_group_all_the_same() -> None:  # promise 3
    books = Books()
    books.do(opened("top"))
    books.do(invoice("I2", 50_00, "sub"), home="top")
    books.do(opened("sub", "top"))
    books.do(cash("R", 50_00, "top"))
    books.do(pays("R", settles("I2", 50_00, account="sub"), account="top"))
    assert books.item("I2").open_minor == 0


def test_a_receipt_that_its_group_kept_waiting_comes_again(books: Books) -> None:
    assert of(CashRetried, books.do(RetryCash(account="acme", receipt="R")))
    books.do(pays("R", ("I2", 400_00), ("I3", 300_00)))
    assert of(CommandUnneeded, books.do(RetryCash(account="acme", receipt="R")))


def test_nothing_is_taken_back_kept_or_given_back_without_a_reason(books: Books) -> None:
    books.do(pays("R", ("I2", 400_00)))
    for wish in (
        UnallocateCash(account="acme", match="R/1", reason=" "),
        GiveBackCash(account="acme", receipt="R", reason=" "),
        KeepOnAccount(account="acme", receipt="R", reason=" "),
    ):
        (refused,) = books.do(wish)
        assert refused.reason == "no_reason"


def test_only_the_service_itself_refers_what_waits_to_be_matched(books: Books) -> None:
    books.do(pays("R", ("I2", 400_00), ("I3", 300_00)))
    assert of(CommandUnneeded, books.do(ReferCash(account="acme", receipt="R", why="?")))


# --- every fact -------------------------------------------------------------------------------------------------------


@pytest.fixture
def abroad() -> Books:
    """Acme and its member owe euros at rates of their own, and 200 euros have come at 0.86."""
    return books_after(
        opened(currency="EUR"),
        opened("sub", "acme", currency="EUR"),
        invoice("I1", 100_00, currency="EUR", base_minor=85_01, due_on=TODAY),
        invoice("I2", 60_00, "sub", currency="EUR", base_minor=51_00, due_on=TODAY),
        cash("R", 200_00, currency="EUR"),
        TakeAdvice(account="acme", advice="A1", amount_minor=200_00, currency="EUR", lines=()),
    )


PAYS = pays(
    "R", settles("I1", 30_00, difference=1), settles("I2", 60_00, account="sub"), proof="exact_sum", score=91,
    evidence=("the sum",), rejected=(Alternative(items=("I3",), why="due later"),), reason="as advised", advice="A1",
)  # fmt: skip
LINES = (replace(PAYS.lines[0], base_minor=25_51), replace(PAYS.lines[1], base_minor=51_00))


def settled(item: str, settled_minor: int, base_minor: int, open_minor: int, by: str) -> ItemSettled:
    return ItemSettled(
        account="sub" if item == "I2" else "acme", item=item, kind="receipt" if item == "R" else "invoice", due_on=TODAY, by=by,
        settled_minor=settled_minor, open_minor=open_minor, base_minor=base_minor,
    )  # fmt: skip


def entry(name: str, kind: str, *lines: tuple[str, int, int, str | None], account: str = "acme", **more: Any) -> EntryPosted:
    found = tuple(
        Posting(ledger=ledger, amount_minor=amount, currency="EUR", base_minor=base, item=item)
        for ledger, amount, base, item in lines
    )
    return EntryPosted(account=account, entry=name, kind=kind, effective_on=TODAY, lines=found, **more)


def test_every_fact_of_cash_that_comes_is_as_the_bank_has_it(abroad: Books) -> None:  # P1, F1
    lines = (AdviceLine(reference="REF-1", amount_minor=1_00),)
    told = {
        "receipt": "R2", "amount_minor": 1_00, "currency": "EUR", "received_on": TODAY, "bank_account": BANK, "account": "acme",
        "bank_entry": "S1/R2", "payer": "ACME", "payer_account": "DE1", "reference": "RF1", "end_to_end": "E2E", "text": "thanks",
        "lines": lines, "charges_minor": 5, "is_provisional": True, "by": "rule",
    }  # fmt: skip
    assert abroad.do(ReceiveCash(**told)) == [
        CashReceived(**told),
        ItemPosted(
            account="acme", item="R2", kind="receipt", amount_minor=-1_00, currency="EUR", document_on=TODAY, due_on=TODAY,
            base_minor=-86, entry="E/R2",
        ),
        entry("E/R2", "receipt", ("transit", 1_00, 86, None), ("receivables", -1_00, -86, "R2")),
    ]  # fmt: skip


def test_cash_of_another_group_goes_back_to_where_it_came_from(books: Books) -> None:  # P5, promise 3
    assert books.say(cash("R2", 1_00, bank_entry="S1/R"), home="other") == []
    ((_, back, *_),) = books.commands
    assert (back.receipt, back.from_account) == ("R2", "acme")


def test_what_is_held_back_is_told_with_all_that_the_claims_desk_needs(abroad: Books) -> None:  # C1
    """Of a debt only, and not where nothing is held back."""
    abroad.do(credit_note("C1", 10_00, currency="EUR", base_minor=8_60))
    lines = settles("I1", 99_99, residual_minor=1, reason="Pricing"), settles("C1", -5_00, residual_minor=1), ("I2", 60_00)
    facts = abroad.do(pays("R", *lines[:2], settles(*lines[2], account="sub")))
    assert of(ShortPaid, facts) == [
        ShortPaid(
            account="acme", item="I1", receipt="R", match="R/1", short_minor=1, open_minor=1, currency="EUR", due_on=TODAY,
            reason="Pricing", cause="price",
        ),
    ]  # fmt: skip


def test_what_is_worth_nothing_in_base_currency_moves_nothing_there(abroad: Books) -> None:  # P1
    abroad.do(invoice("I3", 10_00, currency="EUR", base_minor=0))
    abroad.do(credit_note("C3", 10_00, currency="EUR", base_minor=0))
    said, debt, credit, posted = abroad.do(pays("R", ("I3", 10_00), ("C3", -10_00)))
    assert (said.allocated_minor, said.base_minor, debt.base_minor, credit.base_minor) == (0, 0, 0, 0)
    assert [(line.item, line.amount_minor, line.base_minor) for line in posted.lines] == [("I3", -10_00, 0), ("C3", 10_00, 0)]


def test_a_match_counts_from_the_day_of_its_cash_on(books: Books) -> None:  # P6
    books.do(cash("R2", 1_00, received_on=TODAY + DAY))
    books.do(cash("R3", 1_00, received_on=TODAY - DAY))
    said = [books.do(pays(receipt, ("I1", 1_00)))[0] for receipt in ("R2", "R3")]
    assert [fact.effective_on for fact in said] == [TODAY + DAY, TODAY]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (settles("I2", 375_00, difference=25_00), ""),
        (settles("I2", 374_99, difference=25_01), "beyond_authority"),
        (settles("I2", 400_00, difference=-25_01), "beyond_authority"),
        (settles("D1", 97_99, discount=2_01), ""),
        (settles("D1", 97_98, discount=2_02), "no_discount"),
        (settles("D1", 98_00, discount=-1), "no_discount"),
        (settles("C1", -50_01), "more_than_open"),
        (settles("C1", 50_00), "more_than_open"),
        (settles("C1", -50_00), ""),
    ],
)
def test_what_a_line_may_take_ends_at_its_bound(books: Books, line: Settle, reason: str) -> None:  # P6, A6
    books.do(credit_note("C1", 50_00))
    books.do(invoice("D1", 100_00, discounts=(Discount(until_on=TODAY, basis_points=200),)))
    (first, *_) = books.do(pays("R", line, ("I1", 60_00)))
    assert (isinstance(first, CashAllocated), first.reason) == (not reason, reason)


def test_every_fact_of_a_match_has_its_own_part_of_the_base_amounts(abroad: Books) -> None:  # P1, P6
    assert abroad.do(PAYS) == [
        CashAllocated(
            account="acme", receipt="R", match="R/1", lines=LINES, proof="exact_sum", score=91, allocated_minor=90_00,
            unallocated_minor=110_00, effective_on=TODAY, base_minor=77_40, evidence=PAYS.evidence, rejected=PAYS.rejected,
            by="anna", reason="as advised", advice="A1",
        ),
        settled("I1", 30_01, 25_51, 69_99, "R/1"),
        settled("I2", 60_00, 51_00, 0, "R/1"),
        settled("R", -90_00, -77_40, -110_00, "R/1"),
        entry("M/R/1", "allocation", ("receivables", 90_00, 77_40, "R"), ("receivables", -30_01, -25_51, "I1"),
              ("differences", 1, 1, None), ("group", -60_00, -51_00, None), ("exchange", 0, -90, None)),
        entry("M/R/1/sub", "allocation", ("receivables", -60_00, -51_00, "I2"), ("group", 60_00, 51_00, None), account="sub"),
    ]  # fmt: skip


def test_every_fact_of_a_match_is_said_again_with_the_other_sign_when_it_is_taken_back(abroad: Books) -> None:  # P1, P7
    abroad.do(PAYS)
    assert abroad.do(UnallocateCash(account="acme", match="R/1", reason="not theirs"), actor="ben") == [
        CashUnallocated(
            account="acme", receipt="R", match="R/1", lines=LINES, unallocated_minor=200_00, effective_on=TODAY,
            reason="not theirs", by="ben", advice="A1",
        ),
        settled("I1", -30_01, -25_51, 100_00, "R/1"),
        settled("I2", -60_00, -51_00, 60_00, "R/1"),
        settled("R", 90_00, 77_40, -200_00, "R/1"),
        entry("U/R/1", "unallocation", ("receivables", -90_00, -77_40, "R"), ("receivables", 30_01, 25_51, "I1"),
              ("differences", -1, -1, None), ("group", 60_00, 51_00, None), ("exchange", 0, 90, None), reverses="M/R/1"),
        entry("U/R/1/sub", "unallocation", ("receivables", 60_00, 51_00, "I2"), ("group", -60_00, -51_00, None), account="sub",
              reverses="M/R/1/sub"),
    ]  # fmt: skip


def test_every_fact_of_cash_that_the_bank_takes_back_is_said(abroad: Books) -> None:  # P3
    """50 of it were written back before: these are owed now."""
    wish = ProposeWriteOff(account="acme", key="K", item="R", amount_minor=50_00, reason="old", evidence="letter")
    (proposed,) = abroad.do(wish)
    abroad.do(ApprovePayout(account="acme", request=proposed.request), actor="zoe", role="director")
    abroad.do(PAYS)
    back, *others = abroad.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert (type(back), back.reason) == (CashUnallocated, "returned")
    assert others[5:] == [
        CashWithdrawn(account="acme", receipt="R", amount_minor=150_00, currency="EUR", reason="returned"),
        settled("R", -150_00, -129_00, 0, "W/R"),
        entry("W/R", "withdrawn", ("receivables", 150_00, 129_00, "R"), ("transit", -150_00, -129_00, None)),
        ItemPosted(
            account="acme", item="RN/R", kind="debit_note", amount_minor=50_00, currency="EUR", document_on=TODAY, due_on=TODAY,
            base_minor=43_00, entry="WD/R",
        ),
        entry("WD/R", "withdrawn", ("receivables", 50_00, 43_00, "RN/R"), ("transit", -50_00, -43_00, None)),
    ]  # fmt: skip
    again = abroad.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert again == [CommandUnneeded(account="acme", item="R")]


def to_suspense(books: Books, reason: str, account: str = "acme") -> bool:
    """The one command that waits gives the cash back to where it came from."""
    back = TakeBackCash(bank_account=BANK, entry="S1/R", receipt="R", from_account=account, reason=reason)
    return [told[:2] for told in books.commands] == [(home_of_bank(BANK), back)]


def test_every_fact_of_cash_that_is_given_back_is_said(abroad: Books) -> None:  # P7
    wish = GiveBackCash(account="acme", receipt="R", reason="not theirs")
    assert abroad.say(wish) == [
        CashGivenBack(
            account="acme", receipt="R", amount_minor=200_00, currency="EUR", bank_account=BANK, bank_entry="S1/R",
            reason="not theirs", by="anna",
        ),
        settled("R", -200_00, -172_00, 0, "G/R"),
        entry("G/R", "given_back", ("receivables", 200_00, 172_00, "R"), ("transit", -200_00, -172_00, None)),
    ]  # fmt: skip
    assert to_suspense(abroad, "not theirs")
    assert abroad.say(wish) == [CommandUnneeded(account="acme", item="R")]


def test_cash_of_an_account_that_nobody_knows_goes_back_with_the_reason() -> None:  # P5
    books = Books()
    assert books.say(cash("R", 1_00, "nobody")) == []
    assert to_suspense(books, books.commands[0][1].reason, "nobody")
    assert "nobody" in books.commands[0][1].reason


def test_what_is_learned_of_a_payer_says_who_taught_it_and_by_which_receipt(books: Books) -> None:  # P6
    (learned,) = of(PayerLearned, books.do(cash("R2", 1_00, payer="SIXLET", learned=True)))
    alias = alias_of("acme", "name", "SIXLET")
    assert learned == PayerLearned(account="acme", alias=alias, kind="name", value="SIXLET", by="anna", receipt="R2")


def test_what_the_desk_does_with_a_receipt_is_said_with_who_did_it(books: Books) -> None:  # P7
    proposals = (Proposal(lines=(settles("I1", 1_00),), proof="proposal", score=80, why=("the day",)),)
    refer = ReferCash(account="acme", receipt="R", why="two items", proposals=proposals, gave_up=True)
    unneeded = CommandUnneeded(account="acme", item="R")
    for wish, said in (
        (ConfirmCash(account="acme", receipt="R"), unneeded),
        (refer, CashReferred(account="acme", receipt="R", why="two items", unallocated_minor=700_00, proposals=proposals,
                             gave_up=True)),
        (refer, unneeded),
        (RetryCash(account="acme", receipt="R"), CashRetried(account="acme", receipt="R")),
        (TakeCash(account="acme", receipt="R", owner="ben"), CashTaken(account="acme", receipt="R", owner="ben", by="anna")),
        (TakeCash(account="acme", receipt="R", owner="ben"), unneeded),
        (TakeCash(account="acme", receipt="R", owner="ben", note="called"),
         CashTaken(account="acme", receipt="R", owner="ben", note="called", by="anna")),
        (TakeCash(account="acme", receipt="R", owner="eve"), CashTaken(account="acme", receipt="R", owner="eve", by="anna")),
        (KeepOnAccount(account="acme", receipt="R", reason="for May"),
         CashKeptOnAccount(account="acme", receipt="R", unallocated_minor=700_00, reason="for May", by="anna")),
        (KeepOnAccount(account="acme", receipt="R", reason="for May"), unneeded),
        (RetryCash(account="acme", receipt="R"), unneeded),
    ):  # fmt: skip
        assert books.do(wish) == [said]


@pytest.mark.parametrize(
    ("wish", "reason", "item"),
    [
        (pays("R9", ("I1", 1_00)), "unknown_receipt", "R9"),
        (KeepOnAccount(account="acme", receipt="R9", reason="x"), "unknown_receipt", "R9"),
        (TakeCash(account="acme", receipt="R9", owner="ben"), "unknown_receipt", "R9"),
        (GiveBackCash(account="acme", receipt="R9", reason="x"), "unknown_receipt", "R9"),
        (UnallocateCash(account="acme", match="R/9", reason="x"), "unknown_match", "R/9"),
        (UnallocateCash(account="acme", match="R/1", reason=" "), "no_reason", "R/1"),
        (pays("R", ("I1", 1_00), version=0), "changed_meanwhile", "R"),
        (KeepOnAccount(account="acme", receipt="R", reason="x", version=0), "changed_meanwhile", "R"),
        (GiveBackCash(account="acme", receipt="R", reason="x", version=0), "changed_meanwhile", "R"),
        (UnallocateCash(account="acme", match="R/1", reason="x", version=0), "changed_meanwhile", "R/1"),
        (GiveBackCash(account="acme", receipt="R", reason="x"), "allocated", "R"),
    ],
)
def test_a_refusal_names_the_account_and_what_it_is_about(books: Books, wish: Message, reason: str, item: str) -> None:
    books.do(pays("R", ("I2", 400_00)))
    (refused,) = books.do(wish)
    assert (refused.reason, refused.account, refused.item) == (reason, "acme", item)


def test_a_second_step_that_comes_late_does_only_what_was_to_follow_it(books: Books) -> None:  # P3, P7
    books.do(pays("R", ("I2", 400_00)))
    undo = UndoMatch(account="acme", receipt="R", match="R/1", lines=(), reason="returned")
    assert books.do(replace(undo, match="R/9")) == [CommandUnneeded(account="acme", item="R/9")]
    books.do(UnallocateCash(account="acme", match="R/1", reason="not theirs"))
    for late in (undo, UnallocateCash(account="acme", match="R/1", reason="not theirs")):
        assert books.do(late) == [CommandUnneeded(account="acme", item="R/1")]
    (withdrawn, *_) = books.do(replace(undo, withdraw=True))
    assert withdrawn == CashWithdrawn(account="acme", receipt="R", amount_minor=700_00, currency="GBP", reason="returned")


@pytest.mark.parametrize(("reason", "cause"), [("Damaged in transit", "damage"), ("PRICING", "price"), ("who knows", "other")])
def test_a_customers_own_reason_means_a_type_of_claim(reason: str, cause: str) -> None:  # C1
    assert cause_of(reason, in_force(TODAY)) == cause
