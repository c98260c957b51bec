"""Payouts, payment files and monthly runs as people reach them, decided by the real ledger (P10, P11, A6)."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from python_calamine import CalamineWorkbook

from contracts.payments import PaymentFileMade
from services.console.receivables import moving, paying, written_off
from services.console.receivables.allocating import Unfit
from services.payments import paid_out
from shared.testing import Servers
from tests.console.receivables_stage import Ledger, Office, house_of, office
from tests.models.payments_books import BANK, TODAY, cash, credit_note, entry, invoice, of, pays, statement

pytestmark = pytest.mark.stack

IBAN, OTHER_IBAN = "GB33BUKB20201555555555", "DE75512108001245126199"


def the_books() -> Ledger:
    ledger = Ledger()
    ledger.open("acme")
    ledger.open("north", portfolio="north")
    for each in (
        credit_note("C1", 50_00),
        cash("R1", 120_00),
        invoice("I1", 3_50),
        invoice("I2", 8_00),
        invoice("N1", 2_50, "north"),
    ):
        ledger.do(each)
    return ledger


@pytest.fixture(scope="module")
def url(stack: Servers) -> Iterator[str]:
    yield from house_of(stack)


@pytest.fixture
async def desk(url: str, tmp_path: Path) -> AsyncIterator[Office]:
    async with office(url, tmp_path, the_books()) as found:
        yield found


async def act(desk: Office, who: str, do: str, page: str = "/payouts", **form: str) -> httpx.Response:
    return await desk.act(who, "", "/payouts/act", page, do=do, **form)


async def details(desk: Office) -> None:
    noted = await act(desk, "rose", "note", account="acme", iban=IBAN, holder="Acme Ltd", reason="letter of 1 March")
    assert "pay nothing until somebody else" in noted.text
    said = await act(desk, "tom", "confirm", account="acme", iban=IBAN, called="Jo, accounts payable", reason="the same")
    assert "may be paid to" in said.text


async def request_of(desk: Office, item: str) -> str:
    found = await desk.pool.fetchval("select request from payouts where item = $1 order by at desc limit 1", item)
    assert found
    return str(found)


async def approved(desk: Office, item: str = "C1", do: str = "refund", who: str = "tom", **more: str) -> str:
    proposed = await act(desk, "rose", do, account="acme", item=item, reason="paid twice", evidence="their letter", **more)
    assert "somebody else approves it" in proposed.text, proposed.text
    request = await request_of(desk, item)
    answer = await act(desk, who, "approve", account="acme", request=request)
    assert answer.status_code == 200 and "Approved." in answer.text, answer.text
    return request


async def test_a_refund_goes_from_its_proposal_to_a_file_that_the_bank_confirms(desk: Office) -> None:  # P10
    await details(desk)
    request = await approved(desk)
    page = await desk.read("tom", "/payouts")
    assert "Waiting for a payment file" in page and "the policy makes the file" in page
    made = await act(desk, "tom", "file", bank_account=BANK, currency="GBP", refunds=request, day=TODAY.isoformat())
    assert "Download it below" in made.text, made.text
    (fact,) = of(PaymentFileMade, [each for _, _, each in desk.ledger.journal])
    link = re.search(r'href="(/payouts/file/[^"]+)"', made.text)
    assert link
    file = await desk.get("tom", link[1])
    assert hashlib.sha256(file.content).hexdigest() == fact.digest
    assert file.headers["content-disposition"] == f'attachment; filename="{fact.file}.xml"'
    assert request.encode() in file.content and IBAN.encode() in file.content
    debit = entry("1", -50_00, end_to_end=request)
    desk.ledger.do(statement("S1", debit))
    (landed,) = desk.ledger.tables["landed"].values()
    told = paid_out.confirmation(landed, desk.ledger.tables["outgoing"])
    assert told is not None
    desk.ledger.do(told)
    await desk.catch_up()
    assert "1 paid" in await desk.read("tom", "/payouts")
    assert await desk.pool.fetchval("select state from payouts where request = $1", request) == "paid"


async def test_the_policys_own_file_is_listed_with_its_policy(desk: Office) -> None:  # P10
    await details(desk)
    await approved(desk)
    transfers = [row.transfer for row in desk.ledger.tables["outgoing"].values()]
    for wish in paid_out.gathered(BANK, transfers, TODAY):
        desk.ledger.do(wish, actor="", role="")
    await desk.catch_up()
    page = await desk.read("tom", "/payouts")
    assert "2010-01-01-standard" in page and "Waiting for a payment file" not in page


async def test_a_file_whose_bytes_are_not_what_was_journaled_is_not_handed_out(desk: Office) -> None:  # P10
    await details(desk)
    request = await approved(desk)
    await act(desk, "tom", "file", bank_account=BANK, currency="GBP", refunds=request, day=TODAY.isoformat())
    key = await desk.pool.fetchval("select key from payment_files")
    await desk.pool.execute("update payment_files set body = replace(encode(body, 'escape'), 'Acme', 'Evil')::bytea")
    answer = await desk.get("tom", f"/payouts/file/{key}")
    assert answer.status_code == 409 and "must not go to the bank" in answer.text
    assert "attachment" not in answer.headers.get("content-disposition", "")


async def test_nobody_answers_their_own_and_the_page_says_so(desk: Office) -> None:  # A6
    await act(desk, "rose", "write_off", account="acme", item="I1", reason="too small", evidence="policy")
    page = await desk.read("rose", "/payouts")
    assert "yours: nobody answers their own" in page and ">Withdraw<" in page
    request = await request_of(desk, "I1")
    refused = await act(desk, "rose", "approve", account="acme", request=request)
    assert refused.status_code == 409 and "nobody approves or declines their own request" in refused.text.lower()
    gone = await act(desk, "rose", "decline", account="acme", request=request, reason="no need")
    assert "whoever asked sees your reason" in gone.text
    assert "declined" in await desk.read("tom", "/payouts")


async def test_what_waits_for_a_person_is_counted_and_listed_in_the_inbox_too(desk: Office) -> None:  # A6
    assert (await desk.read("tom", "/approvals/count")) == ""
    await act(desk, "rose", "write_off", account="acme", item="I1", reason="too small", evidence="policy")
    assert (await desk.read("tom", "/approvals/count")) == "1"
    inbox = await desk.read("tom", "/approvals")
    assert "Refunds and write-offs that wait for an approval" in inbox and 'href="/payouts">you</a>' in inbox
    assert (await desk.read("rose", "/approvals/count")) == ""
    assert "too small" in await desk.read("rose", "/approvals")


async def test_new_details_wait_for_somebody_elses_call(desk: Office) -> None:  # P10
    await act(desk, "rose", "note", account="acme", iban=IBAN, holder="Acme Ltd", reason="letter")
    assert "yours: somebody else calls back" in await desk.read("rose", "/payouts")
    assert "Confirm after the call" in await desk.read("tom", "/payouts")
    assert (await desk.read("rose", "/approvals/count")) == ""
    assert "Bank details that wait for their call-back" in await desk.read("rose", "/approvals")
    assert "waits for team leader or above" in await desk.read("nora", "/payouts")  # a controller may not confirm
    assert (await desk.read("nora", "/approvals/count")) == ""
    assert (await desk.read("tom", "/approvals/count")) == "1"
    inbox = await desk.read("tom", "/approvals")
    assert '<div class="grid">' not in inbox, "no empty place where requests would stand"
    assert IBAN in inbox and 'href="/payouts#details">you</a>' in inbox
    refused = await act(desk, "rose", "refund", account="acme", item="C1", reason="paid twice")
    assert refused.status_code == 409 and "are not confirmed" in refused.text
    wrong = await act(desk, "rose", "note", account="acme", iban="GB00", holder="Acme Ltd", reason="letter")
    assert wrong.status_code == 409 and "is no IBAN" in wrong.text


async def test_a_refund_that_waits_is_stopped_and_its_credit_is_open_again(desk: Office) -> None:  # P10
    await details(desk)
    request = await approved(desk)
    answer = await act(desk, "tom", "stop", bank_account=BANK, request=request, reason="wrong account")
    assert "the credit is open again" in answer.text, answer.text
    assert desk.ledger.item("C1").open_minor == -50_00
    assert "Waiting for a payment file" not in answer.text


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [("sal", "/payouts", 403), ("nell", f"/payouts/file/{BANK}/PF-1", 404), ("tom", f"/payouts/file/{BANK}/PF-1", 404)],
)
async def test_what_is_not_for_somebody_is_not_shown(desk: Office, who: str, path: str, status: int) -> None:  # V8
    assert (await desk.get(who, path)).status_code == status


async def test_who_sees_some_portfolios_sees_their_payouts_and_no_files(desk: Office) -> None:  # V8
    await details(desk)
    await approved(desk)
    page = await desk.read("nell", "/payouts")
    assert "acme" not in page.lower() and "Files are for those who see all portfolios" in page
    refused = await act(desk, "nell", "approve", account="acme", request="PO-1")
    assert refused.status_code == 422 and "is one of yours" in refused.text


async def test_what_is_no_wish_is_said_in_words(desk: Office) -> None:
    nowhere = await act(desk, "rose", "refund", account="T9999", item="C1", reason="paid twice")
    assert nowhere.status_code == 422 and "There is no account &#39;T9999&#39;; look for it by number or name." in nowhere.text
    for form in ({"do": "nothing"}, {"do": "refund", "account": "acme", "item": "X"}, {"do": "refund", "account": "nobody"}):
        answer = await act(desk, "rose", **form)
        assert answer.status_code == 422, answer.text
    with pytest.raises(Unfit, match="which day"):
        moving.command_of({"do": "file", "bank_account": BANK, "refunds": "PO-1", "currency": "GBP"})


@pytest.mark.parametrize(("do", "item"), [("write_off", "I2"), ("refund", "C1")])
@pytest.mark.parametrize("typed", ["-5", "0", "-0.00"])
async def test_an_amount_that_is_not_above_zero_is_sent_back_and_never_turned_round(  # P10, P11
    desk: Office, do: str, item: str, typed: str
) -> None:
    answer = await act(desk, "rose", do, account="acme", item=item, amount=typed, reason="too small", evidence="policy")
    assert answer.status_code == 422 and f"The amount is more than nothing: {typed} is not" in answer.text, answer.text
    assert f'value="{typed}"' in answer.text and not desk.wished


async def test_an_approval_promises_only_what_is_so_if_the_item_was_settled_meanwhile(desk: Office) -> None:  # P11
    await act(desk, "rose", "write_off", account="acme", item="I2", reason="too small", evidence="policy")
    desk.ledger.do(pays("R1", ("I2", 8_00)))
    await desk.catch_up()
    answer = await act(desk, "tom", "approve", account="acme", request=await request_of(desk, "I2"))
    assert "It is carried out if so much is still open" in answer.text and ">declined<" in answer.text, answer.text
    assert "approved, but: I2: 8.00 GBP is asked for, and 0.00 GBP of it is open" in answer.text
    timeline = await desk.read("tom", "/accounts/acme")
    assert "declined: approved, but: I2: 8.00 GBP is asked for" in timeline and "minor units" not in timeline
    assert desk.ledger.item("I2").open_minor == 0


async def test_what_is_no_kind_for_it_is_refused_in_the_trades_words(desk: Office) -> None:  # P10
    await details(desk)
    answer = await act(desk, "rose", "refund", account="acme", item="I1", reason="paid twice")
    assert answer.status_code == 409 and "I1 is an invoice; a refund takes a credit note or a receipt." in answer.text


# --- monthly runs -----------------------------------------------------------------------------------------------------


async def test_a_monthly_run_is_listed_by_account_and_goes_out_as_a_file(desk: Office) -> None:  # P11
    await approved(desk, "I1", "write_off")
    await approved(desk, "I2", "write_off", amount="5.00")
    page = await desk.read("rose", "/receivables/written-off?run=2026-03")
    for shown in ("Written off in 2026-03", "I1", "3.50", "their letter", "rose", "tom", "8.50", "Take back"):
        assert shown in page, shown
    csv = await desk.get("rose", "/receivables/written-off.csv?run=2026-03")
    assert csv.headers["content-disposition"] == 'attachment; filename="written-off-2026-03.csv"'
    assert "I1" in csv.text and "may be taken back" in csv.text
    workbook = await desk.get("rose", "/receivables/written-off.xlsx?run=2026-03")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(workbook.content)).get_sheet_by_index(0).to_python()
    assert [row[2] for row in rows[1:3]] == ["I1", "I2"]
    assert "/receivables/written-off" in await desk.read("rose", "/receivables")
    assert "acme" not in (await desk.read("nell", "/receivables/written-off?run=2026-03")).lower()


async def test_what_is_taken_back_stays_listed_and_costs_nothing(desk: Office) -> None:  # P11
    request = await approved(desk, "I1", "write_off")
    at = {"at": "runs", "run": "2026-03", "page": "/receivables/written-off?run=2026-03"}
    answer = await act(desk, "tom", "reverse", account="acme", request=request, reason="they paid after all", **at)
    assert "taken back by tom" in answer.text and "its item is open again" in answer.text, answer.text
    (row,) = await paying.run(desk.pool, (), "2026-03")
    assert (written_off.base_total([row]), row.payout.answered_by) == (0, "tom")
    assert desk.ledger.item("I1").open_minor == 3_50


async def test_a_month_without_a_run_says_so(desk: Office) -> None:
    for run in ("2020-01", "never"):
        assert "Nothing was given up" in await desk.read("rose", f"/receivables/written-off?run={run}")


async def test_facts_that_come_again_change_nothing(desk: Office) -> None:
    await details(desk)
    await approved(desk)
    before = await desk.pool.fetch("select * from payouts"), await desk.pool.fetch("select * from outgoing")
    desk.ledger.heard = 0
    await desk.catch_up()
    assert (await desk.pool.fetch("select * from payouts"), await desk.pool.fetch("select * from outgoing")) == before
