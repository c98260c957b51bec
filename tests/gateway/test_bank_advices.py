"""REMADV, X12 820 and mail: what the payer pays, takes and why; and files nobody can read (P4)."""

from __future__ import annotations

import datetime as dt

import pytest

from services.gateway.bank import sniff
from services.gateway.bank.limits import FILE_BYTES_MAX
from services.gateway.bank.statement import Refused
from tests.gateway.banking import SAMPLES, good, refused, sample

REMADV, X12, MAIL = sample("remadv-good.edi"), sample("x12-820-good.edi"), sample("mail-good.eml")


def changed(data: bytes, old: str, new: str) -> bytes:
    assert old.encode() in data
    return data.replace(old.encode(), new.encode(), 1)


def test_remadv_gives_documents_deductions_and_reasons() -> None:  # P4
    (advice,) = good("remadv-good.edi")
    invoice, credit = advice.lines
    assert (advice.advice, advice.payer, advice.payer_account) == ("RA-2026-31", "MEGA RETAIL+CO", "BE68539007547034")
    assert (advice.payment_reference, advice.paid_on, advice.amount_minor) == ("PAY-555", dt.date(2026, 2, 2), 85000)
    assert (invoice.amount_minor, invoice.taken_minor, invoice.discount_minor) == (93000, 5000, 2000)
    assert (invoice.reason, invoice.document_on) == ("71 damaged in transit", dt.date(2026, 1, 2))
    assert (credit.reference, credit.amount_minor) == ("CN-77", -8000)


def test_remadv_may_choose_its_own_signs() -> None:  # P4
    text = (
        REMADV.decode().removeprefix("UNA:+.? '\n").replace("?+", "\0").translate(str.maketrans("+:'", "*>~")).replace("\0", "+")
    )
    assert good("x", ("UNA>*.! ~" + text).encode()) == good("remadv-good.edi")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("UNT+22", "UNT+21", "counts 21 segments, there are 22"),
        ("UNZ+1+RM31'\n", "", "cut off"),
        ("UNZ+1+RM31'\n", "UNZ+1", "no end"),
        ("UNZ+1", "UNZ+2", "counts 2 messages"),
        ("MOA+12:80.00'", "MOA+12:80.000'", "3 decimals"),
        ("CUX+2:EUR:11'", "CUX+2:EUX:11'", "no ISO 4217"),
        ("DTM+203:20260202", "DTM+203:20261302", "no day"),
        ("REMADV:D", "INVOIC:D", "no message REMADV"),
    ],
)
def test_a_remadv_that_does_not_fit_is_refused(old: str, new: str, reason: str) -> None:  # P4
    assert reason in refused("x", changed(REMADV, old, new)).reason


def test_820_gives_documents_deductions_and_reasons() -> None:  # P4
    (advice,) = good("x12-820-good.edi")
    invoice, credit = advice.lines
    assert (advice.advice, advice.payer, advice.payer_account) == ("PAY-555", "MEGA RETAIL CO", "123456789")
    assert (advice.paid_on, advice.amount_minor, advice.currency) == (dt.date(2026, 2, 2), 85000, "USD")
    assert (invoice.amount_minor, invoice.taken_minor, invoice.discount_minor, invoice.reason) == (93000, 5000, 2000, "01")
    assert (credit.reference, credit.amount_minor, invoice.document_on) == ("CN-77", -8000, dt.date(2026, 1, 2))


def test_820_may_state_what_is_paid_before_what_is_taken() -> None:  # P4
    (advice,) = good("x", changed(X12, "**930.00*", "**980.00*"))
    assert [line.amount_minor for line in advice.lines] == [93000, -8000]


def test_820_takes_its_signs_from_isa_with_or_without_line_ends() -> None:  # P4
    other = X12.replace(b"*", b"\x1d").replace(b"~\n", b"\x1c")
    assert good("x", other) == good("x12-820-good.edi")
    assert good("x", X12.replace(b"~\n", b"\r\n")) == good("x12-820-good.edi")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("SE*12", "SE*13", "counts '13', there are 12"),
        ("SE*12*0001", "SE*12*0002", "control number '2', but ST has '1'"),
        ("GE*1*31", "GE*2*31", "counts '2', there are 1"),
        ("IEA*1*000000031~\n", "", "cut off"),
        ("BPR*C*850.00", "BPR*C*850.01", "add up to 850.00 USD, the advice says 850.01 USD"),
        ("BPR*C", "BPX*C", "no BPR"),
        ("ST*820", "ST*810", "no transaction 820"),
        ("RMR*CM*CN-77**-80.00", "RMR*CM*CN-77", "no document or no amount"),
    ],
)
def test_an_820_that_does_not_fit_is_refused(old: str, new: str, reason: str) -> None:  # P4
    assert reason in refused("x", changed(X12, old, new)).reason


def test_a_mail_is_believed_when_its_pairs_are_its_total() -> None:  # P4
    (advice,) = good("mail-good.eml")
    invoice, credit = advice.lines
    assert (advice.advice, advice.payer, advice.payment_reference) == ("abc-1@mega.example", "Mega Retail Payables", "PAY-555")
    assert (advice.amount_minor, advice.currency) == (85000, "GBP")
    assert (invoice.reference, invoice.amount_minor, invoice.taken_minor, invoice.reason) == (
        "INV-1001",
        93000,
        7000,
        "damaged goods",
    )
    assert (credit.reference, credit.amount_minor) == ("CN-77", -8000)
    assert "the advice says 950.00 GBP" in refused("mail-broken-total.eml").reason


def test_pasted_text_in_german_numbers_is_read_like_a_mail() -> None:  # P4
    (advice,) = good("avis.txt", b"Rechnung 4711001   1.250,00\nRechnung 4711002   10,50\nSumme EUR 1.260,50\n")
    assert [(line.reference, line.amount_minor) for line in advice.lines] == [("4711001", 125000), ("4711002", 1050)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("INV-1001 5.00\nTotal 5.00\n", "no currency"),
        ("INV-1001 EUR 5.00\nTotal USD 5.00\n", "several currencies"),
        ("INV-1001 5.00 6.00 7.00 8.00\nTotal EUR 5.00\n", "not plain which is paid"),
        ("INV-1001 5.00\nINV-1002 5,00\nTotal EUR 10.00\n", "some a comma"),
    ],
)
def test_a_text_that_is_not_plain_is_for_a_person(text: str, reason: str) -> None:  # P4
    assert reason in refused("x.txt", text.encode()).reason


def with_attachment(name: str, content: str) -> bytes:
    attached = f'--b\nContent-Type: text/csv\nContent-Disposition: attachment; filename="{name}"\n\n'
    parts = f"--b\nContent-Type: text/plain\n\nsee attachment\n{attached}"
    head = b"From: Payables <ap@mega.example>\nSubject: advice\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
    return head + f"{parts}{content}\n--b--\n".encode()


def test_an_attachment_goes_before_the_text_and_takes_the_senders_name() -> None:  # P4
    (advice,) = good("x.eml", with_attachment("advice.csv", "currency,document,amount\nEUR,INV-1,5.00"))
    assert (advice.payer, advice.amount_minor) == ("Payables", 500)


def test_a_broken_attachment_refuses_the_message_and_a_picture_does_not() -> None:  # P4
    found = refused("x.eml", with_attachment("advice.csv", "currency,document,amount\nEUR,INV-1,5.001"))
    assert found.where == "attachment 'advice.csv', line 2, column amount"
    assert "total" in refused("x.eml", with_attachment("logo.png", "\x89PNG")).reason


# --- any file -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"  \n ", "empty"),
        (b"%PDF-1.7", "a PDF"),
        (b"\xd0\xcf\x11\xe0xx", "old workbook"),
        (b"\x1f\x8bxx", "gzip"),
        (b"PK\x03\x04xx", "an archive"),
        (b"PK\x03\x04[Content_Types].xml", "workbook cannot be read"),
        (b"\x00\x01\x02", "control character"),
        (b"hello", "none of camt"),
        (b"x" * 30_000, "none of camt"),
        (b"ISA*00", "ISA is not complete"),
        (b"UNA", "within UNA"),
        (b"UNB+UNOC:3", "no end"),
        (b"<a/>", "holds no Document"),
        (b"<a", "well-formed"),
    ],
)
def test_a_file_that_is_nothing_we_know_is_refused_with_what_to_do(data: bytes, reason: str) -> None:  # G2
    found = refused("x", data)
    assert reason in found.reason
    assert found.where
    assert found.mend


def test_a_file_too_large_is_refused_before_it_is_looked_at() -> None:
    assert "at most" in refused("x", b" " * (FILE_BYTES_MAX + 1)).reason


def test_the_name_never_decides_and_every_sample_is_what_it_says() -> None:  # P3, P4
    for path in sorted(SAMPLES.iterdir()):
        found = sniff.read("whatever.bin", path.read_bytes())
        assert isinstance(found, Refused) == ("broken" in path.name), (path.name, found)


def test_damage_anywhere_is_refused_or_read_and_never_an_accident() -> None:
    for path in sorted(SAMPLES.iterdir()):
        data = path.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 20)):
            for damage in (b"", b"\xff", b"'", b"\n", b"9" * 50, b"\x00", b"<"):
                sniff.read(path.name, data[:at] + damage + data[at + 1 :])
            sniff.read(path.name, data[:at])
