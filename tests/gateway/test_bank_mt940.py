"""MT940 and MT942: the odd things real banks write are read, and what is not exact is refused (P3)."""

from __future__ import annotations

import datetime as dt

import pytest

from services.gateway.bank import mt86
from tests.gateway.banking import good, refused, sample

GOOD = sample("mt940-good.sta")


def one(entry: str, closing: str = "C260131EUR110,00", opening: str = "C260130EUR100,00") -> bytes:
    return f":20:A\n:25:123\n:28C:1/1\n:60F:{opening}\n{entry}\n:62F:{closing}\n-\n".encode()


def test_a_structured_entry_gives_payer_account_and_references() -> None:  # P3
    (statement,) = good("mt940-good.sta")
    entry = statement.entries[0]
    assert (statement.statement, statement.opening_minor, statement.closing_minor) == ("2026-01-31 17/1", 100000, 148825)
    assert (entry.payer, entry.payer_account, entry.payer_bank) == ("Harbour Phones Ltd", "GB29NWBK60161331926819", "NWBKGB2L")
    assert (entry.reference, entry.end_to_end, entry.servicer_reference) == ("RF18539007547034", "E2E-1", "BANK-1")
    assert entry.text == "RF18539007547034 INV-1001"


def test_a_reversed_credit_is_a_debit_and_its_slashed_text_is_read() -> None:  # P3
    entry = good("mt940-good.sta")[0].entries[2]
    assert (entry.amount_minor, entry.is_reversal, entry.booked_on) == (-10025, True, dt.date(2025, 12, 31))
    assert (entry.payer, entry.payer_account, entry.end_to_end) == ("West Phones", "NL91ABNA0417164300", "E2E-9")
    assert entry.text == "returned unpaid\nINV-9"


def test_a_charge_without_text_is_marked() -> None:  # P3
    entry = good("mt940-good.sta")[0].entries[1]
    assert (entry.amount_minor, entry.is_charge, entry.text, entry.end_to_end) == (-1200, True, "", "")


@pytest.mark.parametrize(
    ("line", "minor", "booked"),
    [
        (":61:2601310131C10,NTRFNONREF", 1000, "2026-01-31"),
        (":61:260131C10,NTRFNONREF", 1000, "2026-01-31"),
        (":61:260131    C10,00NTRFNONREF", 1000, "2026-01-31"),
        (":61:260131260130CR10,00NTRFNONREF", 1000, "2026-01-30"),
        (":61:2601021231C00000000010,0NMSCNONREF//X", 1000, "2025-12-31"),
        (":61:2512310102RD10.00S103REF", 1000, "2026-01-02"),
        (":61:2601310131C10,00", 1000, "2026-01-31"),
        (":61:1602300301C10,00NMSC", 1000, "2016-03-01"),
    ],
)
def test_entry_lines_as_banks_write_them(line: str, minor: int, booked: str) -> None:  # P3
    (statement,) = good("x.sta", one(line))
    assert [(entry.amount_minor, str(entry.booked_on)) for entry in statement.entries] == [(minor, booked)]


@pytest.mark.parametrize(
    "envelope",
    [
        "{{1:F01BANK}}{{2:O940BANK}}{{4:\n{0}-}}{{5:}}\n",
        "BANKNL2A\n940\nBANKNL2A\n{0}",
        ":940:\n{0}",
        "\n\n{0}-XXX",
        "{{1:F01BANK}}{{2:I940BANKN}}{{4:{0}-}}",
    ],
)
def test_envelopes_as_banks_write_them(envelope: str) -> None:  # P3
    body = one(":61:2601310131C10,NTRFNONREF\n:86:text").decode().removesuffix("-\n")
    (statement,) = good("x", envelope.format(body).encode())
    assert (statement.format, statement.entries[0].text) == ("MT940", "text")


def test_statements_follow_each_other_with_or_without_an_end_and_with_one_20_for_all() -> None:  # P3
    first, second = (
        one(":61:2601310131C10,NTRFNONREF"),
        one(":61:2601310131C5,NTRFNONREF", "C260201EUR115,00", "C260131EUR110,00"),
    )
    for data in (first + second, first.replace(b"-\n", b"") + second, first + second.replace(b":20:A\n", b"")):
        assert [statement.statement for statement in good("x", data)] == ["2026-01-31 1/1", "2026-02-01 1/1"]


def test_a_statement_number_that_stands_still_is_told_apart_by_its_place() -> None:  # P3
    data = one(":61:2601310131C10,NTRFNONREF") + one(":61:2601310131D10,NTRFNONREF", "C260131EUR100,00", "C260131EUR110,00")
    assert [statement.statement for statement in good("x", data)] == ["2026-01-31 1/1", "2026-01-31 1/1#2"]


def test_two_genuine_identical_entries_are_two() -> None:  # P3
    line = ":61:2601310131C5,NTRFNONREF//S\n:86:same"
    (statement,) = good("x", one(f"{line}\n{line}"))
    assert [entry.entry for entry in statement.entries] == ["1", "2"]


def test_remittance_text_may_begin_with_a_dash() -> None:  # P3
    (statement,) = good("x", one(":61:2601310131C10,NTRFNONREF\n:86:rent\n- January\n-5 percent"))
    assert statement.entries[0].text == "rent\n- January\n-5 percent"


def test_a_time_of_day_at_the_start_of_a_line_is_text_and_so_is_a_control_character() -> None:  # P3
    (statement,) = good("x", one(":61:2601310131C10,NTRFNONREF\n:86:paid at\n:10:30 by\x1fcard") + b"\x1a")
    assert statement.entries[0].text == "paid at\n:10:30 by card"


def test_a_closing_balance_without_currency_has_that_of_the_opening() -> None:  # P3
    (statement,) = good("x", one(":61:2601310131C10,NTRFNONREF", "C260131110,00"))
    assert (statement.closing_minor, statement.currency) == (11000, "EUR")
    assert "names no currency" in refused("x", one("", "C260131110,00", "C260130100,00")).reason


def test_letters_of_windows_and_dos_do_not_stop_a_statement() -> None:  # P3
    data = one(":61:2601310131C10,NTRFNONREF\n:86:M?ller")
    assert good("x", data.replace(b"?", b"\xfc"))[0].entries[0].text == "Müller"
    assert good("x", data.replace(b"?", b"\x81"))[0].entries[0].text == "Müller"


def test_an_interim_report_is_provisional_and_needs_no_balances() -> None:  # P3
    (statement,) = good("mt942-good.sta")
    assert (statement.is_provisional, statement.format, statement.opening_minor, statement.closing_minor) == (
        True,
        "MT942",
        None,
        None,
    )
    assert statement.entries[0].amount_minor == 2000


def test_old_currencies_are_read_exactly_and_called_history() -> None:  # P3
    (statement,) = good("x", one(":61:960131C10,NTRFNONREF", "C960131DEM110,", "C960130DEM100,"))
    assert (statement.currency, "history" in statement.notes[0]) == ("DEM", True)


@pytest.mark.parametrize(
    ("data", "where", "reason"),
    [
        (one(":61:2601310131C10,01NTRFNONREF"), "line 6", "difference -0.01 EUR"),
        (one(":61:2601310131X10,NTRFNONREF"), "line 5", "no entry"),
        (one(":61:2601310131C,NTRFNONREF"), "line 5", "no entry"),
        (one(":61:2601310131C10,001NTRFNONREF"), "line 5", "3 decimals"),
        (one(":61:2613310131C10,NTRFNONREF"), "line 5", "no day"),
        (one(":61:2601310230C10,NTRFNONREF"), "line 5", "no day"),
        (one("", "C260131USD100,00"), "line 1", "USD and EUR"),
        (one("", "C260131EUX100,00", "C260131EUX100,00"), "line 4", "no ISO 4217"),
        (one("", "260131EUR100,00"), "line 6", "no balance"),
        (one(":25:124"), "line 5", "second time"),
        (one(":90C:1EUR5,").replace(b":62F:C260131EUR110,00", b":62F:C260131EUR100,00"), "", ""),
        (one("").replace(b":25:123\n", b""), "line 1", "names the account"),
        (one("").replace(b":62F", b":99F"), "line 1", "cut off"),
        (one(":61:2601310131C1\x000,NTRFNONREF"), "line 5", "no entry"),
    ],
)
def test_what_is_not_exact_is_refused_with_its_line(data: bytes, where: str, reason: str) -> None:  # P3
    if not reason:  # a total that disagrees beside balances that agree is told, not refused
        assert ":90C: says" in good("x", data)[0].notes[0]
        return
    found = refused("x", data)
    assert where in found.where
    assert reason in found.reason.replace("EUR and USD", "USD and EUR")


def test_a_file_that_is_cut_off_is_refused() -> None:  # P3
    assert "cut off" in refused("mt940-broken-cut.sta").reason


def test_plain_text_gives_the_account_it_begins_with_and_joins_broken_words() -> None:  # P3
    told = mt86.read(["NL47INGB9999999999 hr j jansen", "", "0" * 56 + " Betaling aan I", "CS referentie"])
    assert (told.account, told.name) == ("NL47INGB9999999999", "hr j jansen")
    assert "aan ICS" in told.text


def test_labels_inside_plain_text_name_the_payer() -> None:  # P5
    told = mt86.read(["FACTUUR 2014, 2015", "REK: NL65INGB0123456789/NAAM: PICQER"])
    assert (told.account, told.name) == ("NL65INGB0123456789", "PICQER")


def test_hostile_text_takes_bounded_time() -> None:
    for text in ("/NAME/" * 3000, "?20" * 6000, "EREF+" * 3900, "RF18" * 4000, " " * 19000, "1" * 19000, ":61:" * 4000):
        good("x", one(f":61:2601310131C10,NTRFNONREF\n:86:166?00{text}"))
        good("x", one(f":61:2601310131C10,NTRFNONREF\n:86:{text}"))
        refused("x", one(f":61:2601310131C10,{text}!NTRF"[:19000]).replace(b":62F", b":63F"))
