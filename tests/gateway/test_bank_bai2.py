"""BAI2: signs, funds types, continuations and texts; every total and count is checked (P3)."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.gateway.banking import good, refused, sample

GOOD = sample("bai2-good.bai")


def changed(old: str, new: str) -> bytes:
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode(), 1)


def test_credits_debits_fees_and_texts() -> None:  # P3
    (statement,) = good("bai2-good.bai")
    first, second, fee = statement.entries
    assert (statement.currency, statement.opening_minor, statement.closing_minor, statement.notes) == ("USD", 100000, 152500, ())
    assert (first.amount_minor, first.value_on, first.servicer_reference) == (40000, dt.date(2026, 1, 31), "BANK-1")
    assert first.end_to_end == "INV-1001"
    assert first.text == "HARBOUR PHONES, PAYMENT\nOF JANUARY 1/2"
    assert (second.amount_minor, second.value_on, second.text) == (15000, dt.date(2026, 1, 30), "NORTH RADIO")
    assert (fee.amount_minor, fee.is_charge) == (-2500, True)


def test_decimals_are_those_of_the_currency() -> None:  # P3
    assert good("x", GOOD.replace(b"USD", b"KWD"))[0].entries[0].amount_minor == 40000
    assert "no ISO 4217 currency" in refused("x", GOOD.replace(b"USD", b"USX")).reason


def test_distributed_funds_and_lost_line_ends_are_read() -> None:  # P3
    spread = changed("16,142,15000,0,BANK-2", "16,142,15000,D,2,0,10000,1,5000,BANK-2")
    assert good("x", spread)[0].entries[1].text == "NORTH RADIO"
    assert good("x", changed("NORTH RADIO/\n16,698", "NORTH RADIO/ 16,698"))[0].entries[2].amount_minor == -2500
    assert good("x", changed("MONTHLY FEE/", "MONTHLY\nFEE/"))[0].entries[2].text == "MONTHLY FEE"


def test_an_interim_report_is_provisional_and_a_gap_is_only_noted() -> None:  # P3
    (statement,) = good(
        "x", changed("2359,USD,2/", "2359,USD,3/").replace(b"015,152500", b"015,152400").replace(b"367500", b"367400")
    )
    assert statement.is_provisional
    assert "difference -1.00 USD" in statement.notes[-1]


def test_an_account_that_comes_twice_for_one_day_is_told_apart() -> None:  # P3
    account = "03,1,USD,010,0,,,015,0,,/\n49,0,2/\n"
    data = "01,A,B,260131,0600,1,,,2/\n02,B,A,1,260130,,USD,2/\n" + account * 2 + "98,0,2,6/\n99,0,1,8/\n"
    changed_one = data.replace("015,0,,/\n49,0,2/\n98", "015,0,,/\n49,0,2/\n98")
    assert [statement.statement for statement in good("x", changed_one.encode())] == ["2026-01-30", "2026-01-30#2"]


@pytest.mark.parametrize(
    ("old", "new", "where", "reason"),
    [
        (
            "16,142,15000",
            "16,142,15001",
            "line 8, record 49",
            "control total 367500, but the amounts of the account add up to 367501",
        ),
        ("49,367500,6/", "49,367500,7/", "line 8, record 49", "counts 7, but there are 6 records of the account"),
        ("98,367500,1,8/", "98,367500,2,8/", "line 9, record 98", "accounts of the group"),
        ("98,367500,1,8/", "98,367500,1,9/", "line 9, record 98", "records of the group"),
        ("99,367500,1,10/", "99,367500,2,10/", "line 10, record 99", "groups of the file"),
        ("99,367500,1,10/\n", "", "line 9, record 98", "cut off"),
        ("16,142,15000,0", "16,142,15000,Q", "line 6, record 16", "funds type"),
        ("16,142,15000", "16,142,150.00", "line 6, record 16", "no amount"),
        ("16,142,15000", "16,842,15000", "line 6, record 16", "neither credit nor debit"),
        ("1,260130,2359", "1,263130,2359", "line 2, record 02", "no day"),
        ("1,260130,2359", "2,260130,2359", "line 2, record 02", "deletion"),
        ("1,260130,2359", "4,260130,2359", "line 2, record 02", "test"),
        ("02,QUITTANCE", "49,QUITTANCE", "line 2, record 49", "outside of a record 03"),
        ("V,260131,,BANK-1", "V,261331,,BANK-1", "line 4, record 16", "no day"),
        ("16,698", "17,698", "line 7", "no BAI2 record"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(old: str, new: str, where: str, reason: str) -> None:  # P3
    found = refused("x", changed(old, new))
    assert found.where == where
    assert reason in found.reason


def test_balances_that_do_not_agree_refuse_the_file_though_all_totals_do() -> None:  # P3
    data = changed("015,152500", "015,152501").replace(b"367500", b"367501")
    assert "difference 0.01 USD" in refused("x", data).reason
