"""Any statement, written as a bank writes it and read again, is the same to the minor unit (P3)."""

from __future__ import annotations

import datetime as dt

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.bank import bai2, camt, mt940
from services.gateway.bank.statement import BankEntry, Broken, Statement
from tests.gateway import banking

WORDS = st.lists(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=9), min_size=1, max_size=5)
TEXT = WORDS.map(" ".join)
TOKEN = st.text("ABCDEFGHJKLMNPQSTUVWXYZ0123456789", min_size=2, max_size=12).map(lambda text: f"X{text}")
MINOR = st.integers(-(10**13), 10**13).filter(bool)
DAY = st.dates(dt.date(1990, 1, 1), dt.date(2079, 12, 31))


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    money, day = draw(st.sampled_from(["EUR", "JPY", "KWD"])), draw(DAY)
    entries = tuple(draw(entry(str(number), money, day)) for number in range(1, draw(st.integers(0, 6)) + 1))
    opening = draw(st.integers(-(10**13), 10**13))
    return Statement(
        bank_account="DE02120300000000202051",
        statement=f"{day} {draw(st.integers(1, 999))}",
        currency=money,
        opening_minor=opening,
        closing_minor=opening + sum(found.amount_minor for found in entries),
        opened_on=day,
        closed_on=day,
        entries=entries,
        is_provisional=False,
        format="",
    )


@st.composite
def entry(draw: st.DrawFn, number: str, money: str, day: dt.date) -> BankEntry:
    return BankEntry(
        entry=number,
        amount_minor=draw(MINOR),
        currency=money,
        booked_on=day,
        value_on=day - dt.timedelta(draw(st.integers(-20, 20))),
        payer=draw(TEXT),
        payer_account="NL91ABNA0417164300",
        end_to_end=draw(TOKEN),
        servicer_reference=draw(TOKEN),
        text=draw(TEXT),
    )


def alike(statement: Statement, *left_out: str) -> Statement:
    """The statement without what this format does not carry."""
    blank = dict.fromkeys(left_out, "")
    entries = tuple(msgspec.structs.replace(found, code="", **blank) for found in statement.entries)
    return msgspec.structs.replace(statement, entries=entries, format="", notes=())


@given(statements(), st.sampled_from([2, 4, 6, 8]))
def test_camt_written_and_read_is_the_same(statement: Statement, version: int) -> None:  # P3
    (found,) = camt.read(banking.camt(statement, version=version))
    assert alike(found) == alike(statement)


@given(statements())
def test_mt940_written_and_read_is_the_same(statement: Statement) -> None:  # P3
    (found,) = mt940.read(banking.mt940(statement))
    assert alike(found) == alike(statement)


@given(statements())
def test_bai2_written_and_read_is_the_same(statement: Statement) -> None:  # P3
    (found,) = bai2.read(banking.bai2(statement))
    expected = msgspec.structs.replace(statement, statement=str(statement.closed_on))
    assert alike(found, "payer", "payer_account") == alike(expected, "payer", "payer_account")


@given(statements(), st.sampled_from(["camt", "mt940", "bai2"]), st.integers(1, 10**6))
def test_a_closing_balance_that_is_off_by_anything_refuses_the_file(statement: Statement, kind: str, gap: int) -> None:  # P3
    wrong = msgspec.structs.replace(statement, closing_minor=(statement.closing_minor or 0) + gap)
    reader = {"camt": camt.read, "mt940": mt940.read, "bai2": bai2.read}[kind]
    try:
        reader(getattr(banking, kind)(wrong))
    except Broken as error:
        assert "difference" in error.reason
    else:
        raise AssertionError("read a statement that does not add up")


@given(statements(), st.integers(0, 4000))
@settings(max_examples=60)
def test_a_file_cut_off_anywhere_is_refused_or_whole(statement: Statement, at: int) -> None:  # P3
    for kind, reader in (("camt", camt.read), ("mt940", mt940.read), ("bai2", bai2.read)):
        data = getattr(banking, kind)(statement)
        try:
            found = reader(data[:at])
        except Broken:
            continue
        assert alike(found[0], "payer", "payer_account") == alike(reader(data)[0], "payer", "payer_account")
