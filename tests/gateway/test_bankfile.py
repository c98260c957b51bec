"""Files of banks and payers to the ledger's wishes: whole or not at all (P3, P4, G3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import BYTES_MAX, encode_value
from contracts.payments import ENTRIES_MAX, PostItem, TakeAdvice, TakeStatement
from services.gateway import bankfile, landing
from services.gateway.bank.statement import AdviceLine, BankEntry, Broken, Statement
from services.gateway.bankfile import Wished
from services.gateway.credentials import Credential, development
from services.gateway.directory import Known
from services.gateway.sorting import FileFlow

DAY = dt.date(2026, 11, 26)
NOW = dt.datetime(2026, 11, 27, 9, 0, tzinfo=dt.UTC)
STATEMENT = (
    "bank_account,statement,booked_on,amount,currency,payer,text,balance\n"
    "GB29NWBK60161331926819,2026-330,2026-11-26,100.00,GBP,Castle Mobile,INV-1,1100.00\n"
    "GB29NWBK60161331926819,2026-330,2026-11-26,-2.50,GBP,,charges,1097.50\n"
)
ADVICE = "payment_reference,payer,currency,document,amount,taken\nP-9,Castle Mobile,GBP,INV-1,90.00,10.00\n"
OPEN = (
    "Account,Document Number,Document Type,Document Date,Net due date,Amount in doc. curr.,Document currency\n"
    "A1,1800001,RV,2026-10-01,2026-10-31,250.00,GBP\n"
    "A1,1600001,DG,2026-10-05,,-50.00,GBP\n"
)


def read(text: str, account: str | None = None) -> list[Wished]:
    return bankfile.read("file.csv", text.encode(), account)


def entry(n: int, minor: int = 100, **change: Any) -> BankEntry:
    return BankEntry(entry=str(n), amount_minor=minor, currency="GBP", booked_on=DAY, value_on=None, **change)


def statement(*entries: BankEntry, **change: Any) -> Statement:
    about: dict[str, Any] = {
        "bank_account": "GB1", "statement": "S1", "currency": "GBP", "opening_minor": 0,
        "closing_minor": sum(each.amount_minor for each in entries), "opened_on": DAY, "closed_on": DAY,
        "is_provisional": False, "format": "camt.053",
    }  # fmt: skip
    return Statement(entries=entries, **(about | change))


def parts(value: Statement) -> list[TakeStatement]:
    return [wished.command for wished in bankfile._wishes(value, None)]  # type: ignore[misc]


# --- statements -----------------------------------------------------------------------------------------------------


def test_a_statement_becomes_one_wish_with_all_its_entries() -> None:  # P3
    (wished,) = read(STATEMENT)
    taken = wished.command
    assert isinstance(taken, TakeStatement)
    assert (taken.bank_account, taken.statement, taken.part, taken.parts) == ("GB29NWBK60161331926819", "2026-330", 1, 1)
    assert [each.amount_minor for each in taken.entries] == [10_000, -250]
    assert (taken.opening_minor, taken.closing_minor, wished.rows) == (100_000, 109_750, 2)


@given(st.integers(0, 3 * ENTRIES_MAX))
def test_parts_hold_every_entry_once_in_order_and_know_how_many_they_are(count: int) -> None:
    found = parts(statement(*(entry(n) for n in range(count))))
    assert [each.entry for part in found for each in part.entries] == [str(n) for n in range(count)]
    assert [part.part for part in found] == list(range(1, len(found) + 1))
    assert {part.parts for part in found} == {len(found)} == {max(1, -(-count // ENTRIES_MAX))}
    assert len({part.digest for part in found}) == 1


def test_parts_are_cut_by_bytes_where_entries_are_long() -> None:
    lines = tuple(AdviceLine(reference="R" * 140, amount_minor=1, reason="W" * 140) for _ in range(1_500))
    found = parts(statement(entry(1, lines=lines), entry(2, lines=lines), entry(3)))
    assert [len(part.entries) for part in found] == [1, 2]
    assert all(len(encode_value(part)) < BYTES_MAX for part in found)


def test_an_entry_too_long_for_one_message_refuses_the_file() -> None:
    lines = tuple(AdviceLine(reference="R" * 140, amount_minor=1, reason="Ü" * 140) for _ in range(2_000))
    with pytest.raises(Broken, match=r"entry 1: .* bytes, at most"):
        parts(statement(entry(1, lines=lines)))


def test_a_statement_without_entries_is_one_empty_part() -> None:
    (part,) = parts(statement())
    assert (part.entries, part.part, part.parts) == ((), 1, 1)


def test_a_value_day_left_out_is_the_day_of_booking() -> None:
    assert parts(statement(entry(1)))[0].entries[0].value_on == DAY


@pytest.mark.parametrize(
    "change",
    [{"amount_minor": 99}, {"booked_on": DAY - dt.timedelta(1)}, {"servicer_reference": "X"}, {"is_reversal": True}],
    ids=str,
)
def test_other_money_is_another_digest(change: dict[str, Any]) -> None:  # P3
    was = entry(1)
    assert bankfile.digest_of(statement(was)) != bankfile.digest_of(statement(msgspec.structs.replace(was, **change)))


def test_the_same_money_in_other_words_is_the_same_statement() -> None:  # P3
    """A later release may read more of an entry's text; the statement must not become another one by that."""
    first, second = statement(entry(1)), statement(entry(1, text="INV-1", payer="Castle"), format="MT940", notes=("n",))
    assert bankfile.digest_of(first) == bankfile.digest_of(second)


def test_an_intraday_report_never_has_the_name_of_a_statement() -> None:  # P3
    assert parts(statement(is_provisional=True))[0].statement == "S1/intraday"


def test_a_name_too_long_for_the_ledger_is_its_hash_for_ever() -> None:
    first, second = (parts(statement(statement=name * 40))[0].statement for name in ("ab", "ab"))
    assert first == second
    assert len(first) == 32


def test_an_amount_beyond_the_ledger_refuses_the_file_with_its_place() -> None:
    with pytest.raises(Broken, match="statement S1, entry 1, amount_minor"):
        parts(statement(entry(1, 10**16)))


def test_a_statement_is_of_no_account_of_ours() -> None:
    with pytest.raises(Broken, match="only an advice is of one account"):
        read(STATEMENT, "A1")


def test_bytes_of_nobodys_format_are_refused() -> None:
    with pytest.raises(Broken, match="is none of"):
        read("hello, world\n")


# --- advices and opening items --------------------------------------------------------------------------------------


def test_an_advice_is_of_the_account_that_its_sender_names() -> None:  # P4
    (wished,) = read(ADVICE, "A1")
    advice = wished.command
    assert isinstance(advice, TakeAdvice)
    assert (advice.account, advice.advice, advice.amount_minor, advice.payer) == ("A1", "A1/P-9", 9_000, "Castle Mobile")
    assert [(line.reference, line.amount_minor, line.taken_minor) for line in advice.lines] == [("INV-1", 9_000, 1_000)]


def test_an_advice_that_nobody_says_whose_it_is_is_kept_out() -> None:  # P4
    with pytest.raises(Broken, match=r"\?account="):
        read(ADVICE)


def test_advices_of_two_accounts_under_one_number_are_two() -> None:
    first, second = (read(ADVICE, account)[0].command for account in ("A1", "A2"))
    assert first.advice != second.advice  # type: ignore[attr-defined]


def test_opening_items_are_invoices_and_credit_notes_by_their_sign() -> None:  # G3
    found = [wished.command for wished in read(OPEN)]
    assert [(one.item, one.kind, one.amount_minor) for one in found if isinstance(one, PostItem)] == [
        ("1800001", "invoice", 25_000),
        ("1600001", "credit_note", 5_000),
    ]
    assert all(one.text.startswith("opening item") for one in found if isinstance(one, PostItem))


# --- who may, and where it goes -------------------------------------------------------------------------------------

ENTRIES = {"A1": Known("A1", "G1", "GBP", "north", True, None)}


def flow(who: Credential | None = None) -> FileFlow:
    return FileFlow("f", "bank", who or development(), "", NOW)


def test_a_statement_goes_to_its_bank_account_and_an_advice_to_its_account() -> None:
    found = [*read(STATEMENT), *read(ADVICE, "A1")]
    entrants = landing.addressed(found, ENTRIES, flow())
    assert [entrant.home for entrant in entrants] == ["bank/GB29NWBK60161331926819", "G1"]


@pytest.mark.parametrize(
    ("who", "text", "account", "told"),
    [
        (
            Credential("c", "t", "c", "feed", "*", ("payments.take_advice",)),
            STATEMENT,
            None,
            "may not send payments.take_statement",
        ),
        (Credential("c", "t", "c", "feed", "*", ("*",), ("north",)), STATEMENT, None, "is in no portfolio"),
        (Credential("c", "t", "c", "feed", "*", ("*",), ("south",)), ADVICE, "A1", "'A1' is not in your portfolios"),
        (development(), OPEN.replace("A1", "A9"), None, "account 'A9' is not known"),
    ],
)
def test_what_its_sender_may_not_send_is_kept_out_whole(who: Credential, text: str, account: str | None, told: str) -> None:
    with pytest.raises(Broken, match=told):
        landing.addressed(read(text, account), ENTRIES, flow(who))


def test_an_account_whose_home_is_not_told_yet_keeps_the_file_out() -> None:
    with pytest.raises(Broken, match="not known"):
        landing.addressed(read(OPEN), {"A1": Known("A1", "A1", "", "", True, None)}, flow())
