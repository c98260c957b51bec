"""What the bank says: every entry once, intraday until its statement comes, in suspense until it has an account (P3, P5)."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from contracts.payments import (
    BankEntry,
    CashConfirmed,
    CashReceived,
    CashRecognised,
    CashTakenBack,
    CashUnrecognised,
    ClosePeriod,
    CommandRefused,
    CommandUnneeded,
    ConfirmEntries,
    DropEntry,
    EntryDropped,
    EntryPosted,
    EntrySetAside,
    EntryTaken,
    GiveBackCash,
    RecogniseCash,
    SetAsideEntry,
    StatementRefused,
    StatementRepeated,
    StatementTaken,
    TakeBackCash,
    TakeEntry,
    UnallocateCash,
    UndoMatch,
    WithdrawCash,
)
from tests.models.payments_books import (
    BANK,
    DAY,
    TODAY,
    Books,
    books_after,
    drops,
    entry,
    invoice,
    of,
    opened,
    pays,
    recognised,
    statement,
)


@pytest.fixture
def books() -> Books:
    """Acme owes 500."""
    return books_after(opened(), invoice("I1", 500_00))


def provisional(name: str, *entries: BankEntry) -> Any:
    return statement(name, *entries, is_provisional=True, closed_on=None)


def dropped(books: Books, name: str) -> DropEntry:
    """What the timer says of an intraday entry."""
    return next(drop for drop in drops(books) if drop.entry == name)


def receipt_of(books: Books) -> Any:
    (found,) = [row for row in books.tables["receipt"].values() if row.state != "gone"]
    return found


def landed_of(books: Books, name: str) -> Any:
    return books.tables["landed"][f"{BANK}/{name}"]


# --- statements -----------------------------------------------------------------------------------------------------


def test_what_landed_stands_in_suspense_money_in_and_out_apart(books: Books) -> None:  # P3
    (posted,) = of(EntryPosted, books.do(statement("S1", entry("1", 500_00), entry("2", -20_00))))
    assert [(line.ledger, line.base_minor) for line in posted.lines] == [
        ("bank", 500_00), ("suspense", -500_00), ("bank", -20_00), ("suspense", 20_00),
    ]  # fmt: skip


def test_a_statement_that_comes_again_changes_nothing(books: Books) -> None:  # P3
    books.do(statement("S1", entry("1", 500_00)))
    before = books.sums()
    assert of(StatementRepeated, books.do(statement("S1", entry("1", 500_00))))
    assert books.sums() == before


def test_a_statement_of_the_same_name_with_other_content_is_refused(books: Books) -> None:  # P3
    books.do(statement("S1", entry("1", 500_00)))
    (refused,) = books.do(statement("S1", entry("1", 600_00), digest="other"))
    assert isinstance(refused, StatementRefused)
    assert books.sums()["suspense"] == -500_00


def test_two_parts_of_a_statement_land_each_once(books: Books) -> None:
    first, second = statement("S1", entry("1", 1_00), parts=2), statement("S1", entry("2", 2_00), part=2, parts=2)
    for part in (second, first, second, first):
        books.do(part)
    assert books.sums()["suspense"] == -3_00


def test_a_statement_closes_its_day_when_it_is_whole(books: Books) -> None:  # P3
    """Until then its other parts may have what an intraday report brought."""
    for part, closed_on in ((1, None), (2, TODAY)):
        books.do(statement("S1", part=part, parts=2))
        assert books.tables["statement"][f"{BANK}/S1"].closed_on == closed_on


def test_two_equal_entries_of_a_statement_are_two(books: Books) -> None:  # P3
    books.do(statement("S1", entry("1", 500_00), entry("2", 500_00)))
    assert len(books.tables["landed"]) == 2


def test_two_entries_of_one_name_are_refused_with_their_statement(books: Books) -> None:
    (refused,) = books.do(statement("S1", entry("1", 500_00), entry("1", 300_00)))
    assert isinstance(refused, StatementRefused)
    assert (refused.reason, books.tables["landed"]) == ("entry_twice", {})


def test_an_entry_in_another_currency_than_its_statement_is_refused(books: Books) -> None:
    (refused,) = books.do(statement("S1", entry("1", 500_00, currency="EUR")))
    assert isinstance(refused, StatementRefused)
    assert refused.reason == "other_currency"


def test_foreign_cash_leaves_suspense_with_the_base_amount_that_it_came_in_with() -> None:  # P1
    books = Books()
    books.do(opened(currency="EUR"))
    books.do(statement("S1", *(entry(str(n), 1, currency="EUR") for n in range(5)), currency="EUR"))
    for n in range(5):
        books.do(recognised(f"S1/{n}"))
    assert (books.sums()["suspense"], books.sums()["transit"]) == (0, 0)


def test_an_entry_that_landed_with_another_part_does_not_land_again(books: Books) -> None:  # P3
    books.do(statement("S1", entry("1", 500_00), parts=2))
    books.do(statement("S1", entry("1", 500_00), entry("2", 1_00), part=2, parts=2))
    assert books.sums()["suspense"] == -501_00


# --- intraday -------------------------------------------------------------------------------------------------------


def test_a_statement_confirms_what_an_intraday_report_brought(books: Books) -> None:  # P3
    kept = entry("1", 500_00, servicer_reference="B1")
    books.do(provisional("D1", kept))
    (taken,) = of(StatementTaken, books.do(statement("S1", replace(kept, entry="77"))))
    assert (taken.landed, taken.confirmed) == ((), ("D1/1",))
    assert books.sums()["suspense"] == -500_00


def test_what_its_statement_has_is_provisional_no_more_wherever_it_is(books: Books) -> None:  # P3
    """One on an account, one in suspense that is recognised after the statement, one that was given back."""
    books.do(opened("other"))
    told = [entry(str(n), 100_00 + n, servicer_reference=f"B{n}") for n in range(3)]
    books.do(provisional("D1", *told))
    for n in (0, 2):
        books.do(recognised(f"D1/{n}"))
    first, back = (books.tables["landed"][f"{BANK}/D1/{n}"].receipt for n in (0, 2))
    books.do(GiveBackCash(account="acme", receipt=back, reason="not theirs"))
    version = books.receipt(first).version
    assert books.receipt(first).is_provisional
    facts = books.do(statement("S1", *told))
    assert of(CashConfirmed, facts) == [CashConfirmed(account="acme", receipt=first)]
    for n in (1, 2):
        books.do(recognised(f"D1/{n}", "other"))
    assert not any(
        row.is_provisional for name in ("receipt", "landed") for row in books.tables[name].values() if row.state != "gone"
    )
    assert books.receipt(first).version == version
    assert books.refolded() == books.tables


def test_a_receipt_on_its_way_is_confirmed_behind_it(books: Books) -> None:  # P3
    """Recognised between the two steps of the statement: what is carried to the account says that it is provisional."""
    one = entry("1", 500_00, servicer_reference="B1")
    books.do(provisional("D1", one))
    books.say(statement("S1", one))
    confirm = books.commands.popleft()
    books.say(recognised("D1/1"))
    books.commands.append(confirm)
    books.settle()
    assert not receipt_of(books).is_provisional
    assert of(CommandUnneeded, books.do(ConfirmEntries(bank_account=BANK, entries=("D1/1",))))


def test_what_a_later_report_of_the_day_repeats_is_not_new(books: Books) -> None:  # P3
    one = entry("1", 500_00, text="thanks")
    books.do(provisional("D1", one))
    (taken,) = of(StatementTaken, books.do(provisional("D2", one, replace(one, entry="2"))))
    assert [each.entry for each in taken.landed] == ["D2/2"]
    (taken,) = of(StatementTaken, books.do(statement("S1", one, replace(one, entry="2"))))
    assert (taken.landed, taken.confirmed) == ((), ("D1/1", "D2/2"))
    assert books.sums()["suspense"] == -1_000_00


def test_an_intraday_entry_is_confirmed_once_and_the_same_again_is_more_money(books: Books) -> None:
    one = entry("1", 500_00, text="thanks")
    books.do(provisional("D1", one))
    books.do(statement("S1", one, parts=2))
    (taken,) = of(StatementTaken, books.do(statement("S1", replace(one, entry="2"), part=2, parts=2)))
    assert len(taken.landed) == 1
    assert books.sums()["suspense"] == -1_000_00


@pytest.mark.parametrize("reference", ["", "B1"])
def test_twins_of_a_report_are_those_of_its_statement_one_to_one_over_its_parts(books: Books, reference: str) -> None:  # P3
    told = [entry(str(n), 500_00, text="thanks", servicer_reference=reference) for n in range(2)]
    books.do(provisional("D1", *told))
    confirmed = []
    for part, each in enumerate(told, start=1):
        (taken,) = of(StatementTaken, books.do(statement("S1", each, part=part, parts=2)))
        assert taken.landed == ()
        confirmed += taken.confirmed
    assert confirmed == ["D1/0", "D1/1"]
    assert (drops(books), books.sums()["suspense"]) == ([], -1_000_00)


@pytest.mark.parametrize("reference", ["", "B1"])
def test_a_report_that_comes_after_its_statement_brings_only_what_is_more(books: Books, reference: str) -> None:  # P3
    one, other = (entry(str(n), 500_00, text="thanks", servicer_reference=reference) for n in range(2))
    books.do(statement("S1", one))
    (taken,) = of(StatementTaken, books.do(provisional("D1", one)))
    assert (taken.landed, drops(books)) == ((), [])
    (taken,) = of(StatementTaken, books.do(provisional("D2", one, other)))
    assert [each.entry for each in taken.landed] == ["D2/1"]
    (taken,) = of(StatementTaken, books.do(statement("S2", other)))
    assert (taken.landed, taken.confirmed) == ((), ("D2/1",))
    assert books.refolded() == books.tables


def test_what_was_dropped_and_is_reported_again_is_new(books: Books) -> None:  # P3
    one = entry("1", 500_00, text="thanks")
    books.do(provisional("D1", one))
    books.do(dropped(books, "D1/1"))
    (taken,) = of(StatementTaken, books.do(provisional("D2", one)))
    assert len(taken.landed) == 1
    (taken,) = of(StatementTaken, books.do(statement("S1", one)))
    assert taken.confirmed == ("D2/1",)


def test_a_dropped_entry_leaves_the_bank_as_it_was_wherever_its_money_is(books: Books) -> None:  # P3
    books.do(provisional("D1", *(entry(str(n), 100_00 + n) for n in range(4))))
    books.do(recognised("D1/0"))
    books.do(SetAsideEntry(bank_account=BANK, entry="D1/1", ledger="bank_charges", reason="interest"))
    books.do(RecogniseCash(bank_account=BANK, entry="D1/2"))
    for n in range(4):
        assert of(EntryDropped, books.do(dropped(books, f"D1/{n}")))
    assert {ledger: minor for ledger, minor in books.sums().items() if minor} == {"receivables": 500_00, "sales": -500_00}


def test_what_its_statement_confirmed_is_not_dropped(books: Books) -> None:
    kept = entry("1", 500_00, servicer_reference="B1")
    books.do(provisional("D1", kept))
    late = dropped(books, "D1/1")
    books.do(statement("S1", kept))
    assert of(CommandUnneeded, books.do(late))


def test_only_the_entry_that_a_content_stands_for_is_dropped_by_it(books: Books) -> None:
    books.do(provisional("D1", entry("1", 500_00), entry("2", 300_00)))
    wrong = replace(dropped(books, "D1/1"), entry="D1/2")
    assert of(CommandUnneeded, books.do(wrong))


def test_a_dropped_entry_opens_what_its_receipt_had_settled(books: Books) -> None:
    books.do(provisional("D1", entry("1", 500_00)))
    books.do(recognised("D1/1"))
    books.do(pays(receipt_of(books).receipt, ("I1", 500_00)))
    books.do(dropped(books, "D1/1"))
    assert books.item("I1").open_minor == 500_00
    assert books.sums()["transit"] == 0


def test_a_withdrawal_goes_on_when_somebody_took_the_match_back_between_its_steps(books: Books) -> None:
    books.do(provisional("D1", entry("1", 500_00)))
    books.do(recognised("D1/1"))
    receipt = receipt_of(books).receipt
    books.do(pays(receipt, ("I1", 500_00)))
    match = next(iter(books.tables["match"].values()))
    books.do(UnallocateCash(account="acme", match=match.match, reason="wrong"))
    books.do(UndoMatch(account="acme", receipt=receipt, match=match.match, lines=match.lines, reason="gone", withdraw=True))
    assert books.receipt(receipt).state == "gone"


# --- whose it is ----------------------------------------------------------------------------------------------------


def test_an_entry_is_recognised_once(books: Books) -> None:  # P5
    books.do(statement("S1", entry("1", 500_00)))
    assert of(CashReceived, books.do(recognised("S1/1")))
    (refused,) = books.do(recognised("S1/1"))
    assert refused.reason == "not_waiting"
    assert (books.account().balance_minor, books.sums()["transit"]) == (0, 0)


def test_what_nobody_knows_waits_in_suspense_and_a_person_may_say_later(books: Books) -> None:  # P5
    books.do(statement("S1", entry("1", 500_00)))
    assert of(CashUnrecognised, books.do(RecogniseCash(bank_account=BANK, entry="S1/1")))
    assert books.sums()["suspense"] == -500_00
    assert of(CashRecognised, books.do(recognised("S1/1")))


def test_money_that_went_out_is_nobodys_payment(books: Books) -> None:
    books.do(statement("S1", entry("1", -500_00)))
    (refused,) = books.do(recognised("S1/1"))
    assert refused.reason == "money_out"


def test_cash_that_was_sent_to_a_group_of_others_comes_back_to_suspense(books: Books) -> None:
    books.do(opened("sub", "acme"))
    books.do(statement("S1", entry("1", 500_00)))
    facts = books.do(recognised("S1/1", "sub", home="sub"))
    assert of(CashTakenBack, facts) and not of(CashReceived, facts)
    assert (books.sums()["suspense"], books.sums()["transit"]) == (-500_00, 0)
    assert of(CashReceived, books.do(recognised("S1/1", "sub", home="acme")))


def test_cash_for_an_account_that_nobody_knows_comes_back_to_suspense(books: Books) -> None:
    books.do(statement("S1", entry("1", 500_00)))
    assert of(CashTakenBack, books.do(recognised("S1/1", "nobody")))
    assert "nobody" not in books.tables["account"]


def test_what_is_given_back_may_be_recognised_again_as_another_receipt(books: Books) -> None:  # P7
    books.do(opened("other"))
    books.do(statement("S1", entry("1", 500_00)))
    books.do(recognised("S1/1"))
    first = receipt_of(books).receipt
    books.do(GiveBackCash(account="acme", receipt=first, reason="not theirs"))
    books.do(recognised("S1/1", "other"))
    assert receipt_of(books).account == "other"
    assert receipt_of(books).receipt != first
    assert (books.sums()["suspense"], books.sums()["transit"]) == (0, 0)


def test_who_saw_an_entry_before_it_came_back_is_told(books: Books) -> None:  # must show 6
    books.do(opened("other"))
    books.do(statement("S1", entry("1", 500_00)))
    books.do(recognised("S1/1", version=0), actor="ben")
    books.do(GiveBackCash(account="acme", receipt=receipt_of(books).receipt, reason="not theirs"))
    (refused,) = books.do(recognised("S1/1", version=0))
    assert refused.reason == "changed_meanwhile"
    assert of(CashRecognised, books.do(recognised("S1/1", "other", version=1)))


def test_a_receipt_comes_back_once(books: Books) -> None:
    books.do(statement("S1", entry("1", 500_00)))
    books.do(recognised("S1/1"))
    back = TakeBackCash(bank_account=BANK, entry="S1/1", receipt=receipt_of(books).receipt, from_account="acme", reason="no")
    books.say(back)
    assert of(CommandUnneeded, books.say(back))


def test_what_is_set_aside_goes_to_a_ledger_account_that_may_take_it_once_with_its_reason(books: Books) -> None:
    books.do(statement("S1", entry("1", -7_00)))
    aside = SetAsideEntry(bank_account=BANK, entry="S1/1", ledger="bank_charges", reason="fees")
    for wrong, reason in ((replace(aside, ledger="sales"), "wrong_ledger"), (replace(aside, reason=" "), "no_reason")):
        (refused,) = books.do(wrong)
        assert isinstance(refused, CommandRefused)
        assert refused.reason == reason
    assert of(EntrySetAside, books.do(aside))
    assert of(CommandUnneeded, books.do(aside))
    assert (books.sums()["bank_charges"], books.sums()["suspense"]) == (7_00, 0)


def test_what_has_an_account_is_not_set_aside(books: Books) -> None:
    books.do(statement("S1", entry("1", 500_00)))
    books.do(recognised("S1/1"))
    (refused,) = books.do(SetAsideEntry(bank_account=BANK, entry="S1/1", ledger="bank_charges", reason="fees"))
    assert refused.reason == "not_waiting"


def test_an_entry_in_suspense_has_an_owner_until_it_has_an_account(books: Books) -> None:  # P7
    books.do(statement("S1", entry("1", 500_00)))
    take = TakeEntry(bank_account=BANK, entry="S1/1", owner="rose")
    (taken,) = books.do(take)
    assert isinstance(taken, EntryTaken) and (taken.owner, taken.note) == ("rose", "")
    assert of(CommandUnneeded, books.do(take))
    assert of(EntryTaken, books.do(replace(take, owner="tom", note="asks the bank")))
    assert landed_of(books, "S1/1").owner == "tom"
    books.do(recognised("S1/1"))
    (refused,) = books.do(take)
    assert refused.reason == "not_waiting"
    back = TakeBackCash(bank_account=BANK, entry="S1/1", receipt=receipt_of(books).receipt, from_account="acme", reason="no")
    books.do(back)
    assert landed_of(books, "S1/1").owner == "tom", "who had it has it again"


def test_an_entry_that_there_is_not_has_no_owner(books: Books) -> None:
    (refused,) = books.do(TakeEntry(bank_account=BANK, entry="none", owner="rose"))
    assert isinstance(refused, CommandRefused) and refused.reason == "unknown_entry"


# --- closed periods --------------------------------------------------------------------------------------------------


def test_what_the_bank_booked_in_a_closed_month_is_posted_after_it(books: Books) -> None:  # P14
    last_month = TODAY.replace(day=1) - DAY
    books.do(ClosePeriod(account="acme", month=last_month), role="director")
    entries = (entry(str(n), 500_00 + n, booked_on=last_month, value_on=last_month) for n in range(2))
    books.do(statement("S1", *entries, closed_on=last_month))
    books.do(recognised("S1/0"))
    books.do(SetAsideEntry(bank_account=BANK, entry="S1/1", ledger="bank_charges", reason="interest"))
    books.do(WithdrawCash(account="acme", receipt=receipt_of(books).receipt, reason="returned"))
    days = [fact.effective_on for _, _, fact in books.journal if isinstance(fact, EntryPosted) and fact.kind != "invoice"]
    assert len(days) == 5 and min(days) > last_month
