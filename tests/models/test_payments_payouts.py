"""Money out and money given up: four eyes, confirmed details, a file that is paid once, and exactly restored (P10, P11, A6)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sepaxml
from lxml import etree
from msgspec.structs import replace

from contracts.payments import (
    ApprovePayout,
    BankDetailsConfirmed,
    BankDetailsNoted,
    CarryOutPayout,
    ClosePeriod,
    CommandRefused,
    CommandUnneeded,
    ConfirmBankDetails,
    ConfirmPaidOut,
    DeclinePayout,
    EntryPosted,
    GiveBackCash,
    ItemSettled,
    MakePaymentFile,
    NoteBankDetails,
    PaidOutConfirmed,
    PaymentFileMade,
    PayoutApproved,
    PayoutDeclined,
    PayoutProposed,
    Posting,
    ProposeRefund,
    ProposeWriteOff,
    QueueRefund,
    RefundOrdered,
    RefundPaid,
    RefundQueued,
    RefundReturned,
    RefundStopped,
    ReopenPaidOut,
    ReverseWriteOff,
    StopRefund,
    SweepBalance,
    TakeBackPayout,
    Transfer,
    WithdrawCash,
    WriteOffReversed,
    WrittenOff,
)
from services.payments import paid_out, policies, sweeping
from services.payments.policies import in_force
from services.payments.state import Landed, State, payout_of
from shared.receivables.payment_file import (
    NAMESPACE,
    NotPayable,
    NotWhatWasJournaled,
    OurAccount,
    bytes_of,
    clean,
    digest,
    end_to_end,
    payment_file,
)
from shared.service import Moment
from tests.models.payments_books import (
    BANK,
    DAY,
    START,
    TODAY,
    Books,
    books_after,
    cash,
    credit_note,
    drops,
    entry,
    invoice,
    of,
    opened,
    pays,
    statement,
)

IBAN, OTHER_IBAN = "GB33BUKB20201555555555", "DE75512108001245126199"
OURS = OurAccount(BANK, "Quittance Trading Ltd")
SCHEMA = Path(sepaxml.__file__).parent / "schemas" / "pain.001.001.03.xsd"


@pytest.fixture
def books() -> Books:
    """Acme owes 500 and 3.50; 700 have come, and a credit note of 50 stands; its bank details are confirmed."""
    found = books_after(opened(), invoice("I1", 500_00), invoice("I2", 3_50), credit_note("C1", 50_00), cash("R", 700_00))
    details(found)
    return found


def details(books: Books, iban: str = IBAN) -> None:
    books.do(NoteBankDetails(account="acme", iban=iban, holder="Acme Ltd", reason="letter"), actor="anna")
    books.do(
        ConfirmBankDetails(account="acme", iban=iban, called="Jo, accounts payable", reason="call"), actor="ben", role="director"
    )


def refund(item: str = "R", amount_minor: int = 200_00, key: str = "1") -> ProposeRefund:
    return ProposeRefund(account="acme", key=key, item=item, amount_minor=amount_minor, reason="paid twice")


def write_off(item: str = "I2", amount_minor: int = 3_50, key: str = "1", **more: Any) -> ProposeWriteOff:
    fields = {"reason": "bank charges", "evidence": "letter of 1 March"} | more
    return ProposeWriteOff(account="acme", key=key, item=item, amount_minor=amount_minor, **fields)


def asked(books: Books, wish: Any) -> str:
    (proposed,) = of(PayoutProposed, books.do(wish, actor="anna", role="controller"))
    return str(proposed.request)


def approves(books: Books, request: str, actor: str = "ben", role: str = "director") -> list[Any]:
    return books.do(ApprovePayout(account="acme", request=request), actor=actor, role=role)


def paid_back(books: Books, *wishes: ProposeRefund) -> list[str]:
    requests = [asked(books, wish) for wish in wishes]
    for request in requests:
        approves(books, request)
    return requests


def files(books: Books, name: str, *requests: str, **who: str) -> list[Any]:
    wish = MakePaymentFile(bank_account=BANK, file=name, on=TODAY + DAY, refunds=requests)
    return books.do(wish, **({"actor": "ben", "role": "team_leader"} | who))


def reason_of(facts: list[Any]) -> str:
    (refused,) = facts
    assert isinstance(refused, CommandRefused)
    return refused.reason


def standing(books: Books) -> dict[str, tuple[int, int]]:
    return {name: (item.open_minor, item.open_base_minor) for name, item in books.tables["item"].items()}


def balances(books: Books) -> dict[str, int]:
    return {name: minor for name, minor in books.sums().items() if minor}


# --- bank details ---------------------------------------------------------------------------------------------------


def test_new_bank_details_pay_nothing_before_somebody_elses_call_back(books: Books) -> None:  # P10
    books.do(NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail"), actor="anna")
    (refused,) = books.do(refund())
    assert refused.reason == "unconfirmed_details"
    assert "calls the customer" in refused.detail
    wish = ConfirmBankDetails(account="acme", iban=OTHER_IBAN, called="Jo", reason="call")
    assert reason_of(books.do(wish, actor="anna", role="director")) == "own_request"
    assert of(BankDetailsConfirmed, books.do(wish, actor="ben", role="director"))
    assert asked(books, refund())


@pytest.mark.parametrize("deputy", ["anna for ben", "carl for anna"])
def test_nobody_confirms_details_for_whom_they_cover(books: Books, deputy: str) -> None:  # A6
    books.do(NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail"), actor="anna")
    wish = ConfirmBankDetails(account="acme", iban=OTHER_IBAN, called="Jo", reason="call")
    assert reason_of(books.do(wish, actor=deputy, role="director")) == "own_request"


def test_details_changed_between_note_and_call_back_are_not_confirmed_unseen(books: Books) -> None:
    books.do(NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail"), actor="anna")
    wish = ConfirmBankDetails(account="acme", iban=IBAN, called="Jo", reason="call")
    assert reason_of(books.do(wish, actor="ben", role="director")) == "other_details"


def test_noted_details_tell_who_may_call_back(books: Books) -> None:  # A6
    wish = NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail")
    (noted,) = of(BankDetailsNoted, books.do(wish))
    assert noted.levels == ("team_leader", "operations_manager", "financial_controller", "director")


def test_a_clerk_confirms_no_bank_details(books: Books) -> None:  # A6
    books.do(NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail"), actor="anna")
    wish = ConfirmBankDetails(account="acme", iban=OTHER_IBAN, called="Jo", reason="call")
    assert reason_of(books.do(wish, actor="ben", role="controller")) == "beyond_authority"


def test_the_same_details_again_stay_confirmed_and_another_holder_does_not(books: Books) -> None:
    assert of(
        CommandUnneeded,
        books.do(NoteBankDetails(account="acme", iban="GB33 BUKB 2020 1555 5555 55", holder="Acme Ltd", reason="x")),
    )
    assert of(BankDetailsNoted, books.do(NoteBankDetails(account="acme", iban=IBAN, holder="Mallory", reason="x")))
    assert books.account().bank.confirmed_by == ""


@pytest.mark.parametrize(
    ("iban", "holder", "why", "reason"),
    [("GB33BUKB20201555555556", "A", "x", "no_iban"), (IBAN, " ", "x", "no_holder"), (IBAN, "A", " ", "no_reason")],
)
def test_malformed_details_are_not_noted(books: Books, iban: str, holder: str, why: str, reason: str) -> None:
    assert reason_of(books.do(NoteBankDetails(account="acme", iban=iban, holder=holder, reason=why))) == reason


def test_details_changed_after_the_proposal_stop_the_approval(books: Books) -> None:  # P10
    request = asked(books, refund())
    books.do(NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail"), actor="mallory")
    assert reason_of(approves(books, request)) == "unconfirmed_details"
    assert books.item("R").open_minor == -700_00


def test_details_changed_between_approval_and_payment_stop_the_refund(books: Books) -> None:  # P10
    request = asked(books, refund())
    books.say(ApprovePayout(account="acme", request=request), actor="ben", role="director")  # carrying out waits in its queue
    books.say(NoteBankDetails(account="acme", iban=OTHER_IBAN, holder="Acme Ltd", reason="e-mail"), actor="mallory")
    (declined,) = of(PayoutDeclined, books.settle())
    assert "not confirmed" in declined.reason
    assert books.item("R").open_minor == -700_00


# --- refunds --------------------------------------------------------------------------------------------------------


def test_a_refund_leaves_the_account_when_somebody_else_approves_it(books: Books) -> None:  # P10 A6
    request = asked(books, refund())
    assert books.item("R").open_minor == -700_00
    facts = approves(books, request)
    (ordered,) = of(RefundOrdered, facts)
    assert (ordered.iban, ordered.amount_minor, ordered.bank_account) == (IBAN, 200_00, BANK)
    assert books.item("R").open_minor == -500_00
    assert books.receipt("R").unallocated_minor == 500_00
    assert books.sums()["refunds"] == -200_00
    assert books.tables["outgoing"][request].state == "queued"


@pytest.mark.parametrize(
    ("actor", "role", "reason"),
    [
        ("anna", "director", "own_request"),
        ("anna for ben", "director", "own_request"),
        ("carl for anna", "director", "own_request"),
        ("ben", "controller", "beyond_authority"),
        ("", "director", "not_signed"),
    ],
)
def test_who_may_not_approve_a_refund(books: Books, actor: str, role: str, reason: str) -> None:  # A6
    request = asked(books, refund())
    assert reason_of(approves(books, request, actor, role)) == reason
    assert books.item("R").open_minor == -700_00


def test_a_refund_above_a_levels_maximum_goes_up(books: Books) -> None:  # A6
    (proposed,) = of(PayoutProposed, books.do(refund(amount_minor=600_00)))
    assert "team_leader" not in proposed.levels
    assert reason_of(approves(books, proposed.request, role="team_leader")) == "beyond_authority"
    assert of(RefundOrdered, approves(books, proposed.request, role="operations_manager"))


def test_authority_is_measured_in_base_currency() -> None:  # A6
    books = Books()
    books.do(opened(currency="JPY"))
    books.do(cash("R", 100_000, currency="JPY"))
    request = asked(books, ProposeWriteOff(account="acme", key="1", item="R", amount_minor=100_000, reason="x", evidence="y"))
    assert reason_of(approves(books, request, role="team_leader")) == "beyond_authority"  # 530.00 of 250.00
    assert of(WrittenOff, approves(books, request, role="operations_manager"))
    assert books.sums()["receivables"] == 0


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (refund(item="I1"), "wrong_kind"),
        (refund(item="I9"), "unknown_item"),
        (refund(amount_minor=700_01), "more_than_open"),
        (refund(amount_minor=0), "more_than_open"),
        (write_off(amount_minor=3_51), "more_than_open"),
        (write_off(evidence=" "), "no_evidence"),
        (write_off(reason=" "), "no_reason"),
    ],
)
def test_what_cannot_be_proposed(books: Books, wish: Any, reason: str) -> None:
    assert reason_of(books.do(wish)) == reason


def test_the_same_wish_again_is_nothing_new_and_another_one_under_its_key_is_refused(books: Books) -> None:
    asked(books, refund())
    assert of(CommandUnneeded, books.do(refund()))
    assert reason_of(books.do(refund(amount_minor=1_00))) == "other_content"


def test_a_request_is_answered_once(books: Books) -> None:
    request = asked(books, refund())
    approves(books, request)
    assert reason_of(approves(books, request)) == "answered"
    assert of(CommandUnneeded, books.do(CarryOutPayout(account="acme", request=request, item="R")))
    assert books.item("R").open_minor == -500_00


def test_carrying_out_is_no_way_round_an_approval(books: Books) -> None:  # A6
    request = asked(books, refund())
    assert of(CommandUnneeded, books.do(CarryOutPayout(account="acme", request=request, item="R"), role="director"))
    assert books.item("R").open_minor == -700_00


def test_what_was_used_up_meanwhile_is_declined_in_words(books: Books) -> None:
    request = asked(books, refund(amount_minor=600_00))
    books.do(pays("R", ("I1", 500_00)))
    (declined,) = of(PayoutDeclined, approves(books, request))
    assert "200" in declined.reason
    assert books.item("R").open_minor == -200_00


def test_declining_takes_the_authority_that_approving_takes_and_the_right_account(books: Books) -> None:  # A6
    request = asked(books, refund(amount_minor=600_00))
    no = DeclinePayout(account="acme", request=request, reason="not ours to pay")
    assert reason_of(books.do(no, actor="ben", role="controller")) == "beyond_authority"
    books.do(opened("other"))
    for wish in (replace(no, account="other"), ApprovePayout(account="other", request=request)):
        (refused,) = books.do(wish, actor="ben", role="director")
        assert (refused.reason, refused.account, refused.item) == ("unknown_request", "other", request)
    assert books.do(no, actor="ben", role="director") == [
        PayoutDeclined(account="acme", request=request, kind="refund", item="R", reason="not ours to pay", by="ben")
    ]


def test_a_declined_request_changes_nothing_and_its_author_may_withdraw_it(books: Books) -> None:
    before = standing(books)
    request = asked(books, refund())
    assert (
        reason_of(books.do(DeclinePayout(account="acme", request=request, reason=" "), actor="ben", role="director"))
        == "no_reason"
    )
    assert of(PayoutDeclined, books.do(DeclinePayout(account="acme", request=request, reason="mistake"), actor="anna"))
    assert standing(books) == before
    assert reason_of(approves(books, request)) == "answered"


# --- every fact -----------------------------------------------------------------------------------------------------

EUR_BANK = "DE89370400440532013000"


def test_every_fact_of_a_refund_is_said_in_its_currency_and_in_base_and_taken_back_with_the_other_sign() -> None:  # P1 P10
    books = books_after(opened(currency="EUR"), credit_note("C1", 200_00, currency="EUR", base_minor=171_03))
    details(books)
    wish = refund("C1", 70_00)
    (proposed,) = books.do(wish, actor="anna", role="controller")
    request, levels = proposed.request, ("team_leader", "operations_manager", "financial_controller", "director")
    money = {"amount_minor": 70_00, "currency": "EUR"}
    assert proposed == PayoutProposed(
        account="acme", request=request, kind="refund", item="C1", reason="paid twice", levels=levels, by="anna", **money
    )

    def settled(sign: int, open_minor: int) -> ItemSettled:
        return ItemSettled(
            account="acme", item="C1", kind="credit_note", settled_minor=sign * 70_00, open_minor=open_minor,
            due_on=books.item("C1").due_on, by=request, base_minor=sign * 59_86,
        )  # fmt: skip

    def postings(sign: int) -> list[Posting]:
        return [
            Posting(ledger="refunds", amount_minor=-sign * 70_00, currency="EUR", base_minor=-sign * 59_86),
            Posting(ledger="receivables", amount_minor=sign * 70_00, currency="EUR", base_minor=sign * 59_86, item="C1"),
        ]

    out = Transfer(request=request, iban=IBAN, holder="Acme Ltd", **money)
    assert books.do(ApprovePayout(account="acme", request=request, reason="seen"), actor="ben", role="director") == [
        PayoutApproved(account="acme", request=request, by="ben", role="director", reason="seen"),
        RefundOrdered(
            account="acme", request=request, item="C1", iban=IBAN, holder="Acme Ltd", bank_account=EUR_BANK, base_minor=-59_86,
            by="ben", **money,
        ),
        settled(-1, -130_00),
        EntryPosted(
            account="acme", entry=f"P/{request}", kind="refund", effective_on=TODAY, lines=tuple(postings(1)), text="paid twice"
        ),
        RefundQueued(
            bank_account=EUR_BANK, transfer=out, of_account="acme", of_home="acme", of_item="C1",
            file_at=START.replace(hour=12),
        ),
    ]  # fmt: skip
    assert books.do(StopRefund(bank_account=EUR_BANK, request=request, reason="closed"), actor="cora", role="director") == [
        RefundStopped(bank_account=EUR_BANK, request=request, of_account="acme", reason="closed", by="cora"),
        RefundReturned(account="acme", request=request, item="C1", reason="closed", by="cora", **money),
        settled(1, -200_00),
        EntryPosted(
            account="acme", entry=f"V/{request}", kind="refund_back", effective_on=TODAY, lines=tuple(reversed(postings(-1))),
            reverses=f"P/{request}",
        ),
    ]  # fmt: skip
    assert books.refolded() == books.tables


# --- the payment file -----------------------------------------------------------------------------------------------


def read_back(content: bytes) -> Any:
    root = etree.fromstring(content)
    etree.XMLSchema(etree.parse(str(SCHEMA))).assertValid(root)
    return root


def texts(root: Any, path: str) -> list[str]:
    names = "/".join(f"p:{name}" if name != "." else name for name in path.split("/"))
    return [element.text for element in root.iterfind(f".//{names}", {"p": NAMESPACE})]


def test_approved_refunds_are_gathered_into_a_file_that_the_schema_accepts(books: Books) -> None:  # P10
    requests = paid_back(books, refund(), refund("C1", 50_00, "2"))
    (made,) = of(PaymentFileMade, files(books, "PF-1", *requests))
    content = bytes_of(made)
    root = read_back(content)
    assert texts(root, "EndToEndId") == requests
    assert texts(root, "InstdAmt") == ["200.00", "50.00"]
    assert texts(root, "NbOfTxs") == ["2", "2"]
    assert texts(root, "CtrlSum") == ["250.00", "250.00"]
    assert sum(Decimal(amount) for amount in texts(root, "InstdAmt")) == Decimal(made.total_minor) / 100
    assert texts(root, "CdtrAcct/Id/IBAN") == [IBAN, IBAN]
    assert texts(root, "ReqdExctnDt") == [f"{TODAY + DAY}"]
    assert digest(content) == made.digest


def test_the_same_refunds_are_the_same_bytes() -> None:
    transfers = [Transfer(request="PO-1", amount_minor=1, currency="EUR", iban=IBAN, holder="Ä")]
    assert payment_file(transfers, OURS, TODAY) == payment_file(transfers, OURS, TODAY)
    assert payment_file(transfers, OURS, TODAY) != payment_file(transfers, OURS, TODAY + DAY)


def test_a_file_that_comes_out_otherwise_than_it_was_journaled_is_not_sent(books: Books) -> None:
    (made,) = of(PaymentFileMade, files(books, "PF-1", *paid_back(books, refund())))
    forged = PaymentFileMade(**{name: getattr(made, name) for name in made.__struct_fields__} | {"on": TODAY + 2 * DAY})
    with pytest.raises(NotWhatWasJournaled, match="send nothing"):
        bytes_of(forged)


def test_euro_goes_out_as_sepa_and_agrees_with_the_library() -> None:
    transfers = [
        Transfer(request=f"PO-{n}", amount_minor=n * 101, currency="EUR", iban=OTHER_IBAN, holder=f"Käufer {n}") for n in (1, 2)
    ]
    ours = read_back(payment_file(transfers, OURS, TODAY))
    theirs = sepaxml.SepaTransfer({"name": OURS.name, "IBAN": BANK, "currency": "EUR", "batch": True})
    for each in transfers:
        theirs.add_payment(
            {
                "name": each.holder,
                "IBAN": each.iban,
                "amount": each.amount_minor,
                "execution_date": TODAY,
                "description": f"Refund {each.request}",
                "endtoend_id": each.request,
            }
        )
    other = etree.fromstring(theirs.export(validate=False))
    for path in (
        "EndToEndId",
        "InstdAmt",
        "CtrlSum",
        "NbOfTxs",
        "SvcLvl/Cd",
        "CdtrAcct/Id/IBAN",
        "Cdtr/Nm",
        "Ustrd",
        "ReqdExctnDt",
    ):
        assert texts(ours, path) == texts(other, path), path


@pytest.mark.parametrize(
    "refunds",
    [
        [],
        [Transfer(request="A", amount_minor=0, currency="EUR", iban=IBAN, holder="x")],
        [Transfer(request="A", amount_minor=1, currency="EUR", iban=IBAN, holder="x")] * 2,
        [Transfer(request=c, amount_minor=1, currency=c, iban=IBAN, holder="x") for c in ("EUR", "GBP")],
        [Transfer(request="A_B", amount_minor=1, currency="EUR", iban=IBAN, holder="x")],
    ],
)
def test_what_is_no_payment_file_is_not_written(refunds: list[Transfer]) -> None:
    with pytest.raises(NotPayable):
        payment_file(refunds, OURS, TODAY)


def test_a_request_is_an_end_to_end_id_that_every_bank_passes_on() -> None:
    name = payout_of("a" * 64, "refund", "ü" * 64)
    assert end_to_end(name) == name
    assert len(name) <= 35


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Müller & Söhne", "Muller + Sohne"),
        ("Straße", "Strasse"),
        ("Łódź", "Lodz"),
        ("東京", ".."),
        ("", "."),
        ("x" * 99, "x" * 70),
    ],
)
def test_names_go_out_in_the_banks_characters(text: str, plain: str) -> None:
    assert clean(text, 70) == plain


def test_a_refund_is_in_one_file_at_most(books: Books) -> None:
    requests = paid_back(books, refund())
    files(books, "PF-1", *requests)
    assert reason_of(files(books, "PF-2", *requests)) == "not_waiting"
    assert of(CommandUnneeded, files(books, "PF-1", *requests))


def test_a_files_name_never_means_other_payments(books: Books) -> None:
    first, second = paid_back(books, refund(), refund("C1", 50_00, "2"))
    files(books, "PF-1", first)
    assert reason_of(files(books, "PF-1", second)) == "other_content"


@pytest.mark.parametrize(
    ("requests", "who", "reason"),
    [
        (("PO-9",), {}, "unknown_refund"),
        ((), {}, "no_refunds"),
        (("PO-9", "PO-9"), {}, "no_refunds"),
        (("PO-9",), {"role": "controller"}, "beyond_authority"),
    ],
)
def test_what_makes_no_file(books: Books, requests: tuple[str, ...], who: dict[str, str], reason: str) -> None:
    assert reason_of(files(books, "PF-1", *requests, **who)) == reason


def test_two_currencies_are_no_file(books: Books) -> None:
    (one,) = paid_back(books, refund())
    euro = Transfer(request="PO-E", amount_minor=1, currency="EUR", iban=IBAN, holder="A")
    books.do(QueueRefund(bank_account=BANK, transfer=euro, of_account="acme", of_home="acme", of_item="C1"))
    assert reason_of(files(books, "PF-1", one, "PO-E")) == "other_currency"


def test_no_file_pays_in_the_past(books: Books) -> None:
    wish = MakePaymentFile(bank_account=BANK, file="PF-1", on=TODAY - DAY, refunds=tuple(paid_back(books, refund())))
    assert reason_of(books.do(wish, role="team_leader")) == "past_day"


# --- the clock of files -----------------------------------------------------------------------------------------------


OUR_ACCOUNT = in_force(TODAY).pays_from["GBP"]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-03-02T09:00", "2026-03-02T13:00"),
        ("2026-03-02T13:00", "2026-03-03T13:00"),  # what comes as the file is made waits for the next one
        ("2026-03-06T15:00", "2026-03-09T13:00"),  # Friday afternoon
        ("2026-04-02T15:00", "2026-04-07T13:00"),  # Easter: Good Friday and Monday are bank holidays
    ],
)
def test_the_next_cut_off_is_on_a_banking_day(now: str, expected: str) -> None:  # P10
    at, due = (dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC) for text in (now, expected))
    assert paid_out.cut_off(OUR_ACCOUNT, at) == due


def test_an_account_without_a_cut_off_leaves_files_to_people() -> None:
    by_hand = policies.OurAccount(bank_account=BANK, iban=BANK, name="Quittance Trading Ltd")
    assert paid_out.cut_off(by_hand, START) is None


def test_a_refund_that_waits_sets_the_clock_and_one_in_a_file_does_not(books: Books) -> None:
    (request,) = paid_back(books, refund())
    waiting = State(outgoing={request: books.tables["outgoing"][request]})
    moment = Moment(START, f"bank/{BANK}", 0, "c", "c")
    (timer,) = paid_out.timers(State(), waiting, moment)
    assert (timer.kind, timer.key, timer.due) == (paid_out.PAY_OUT, BANK, paid_out.cut_off(OUR_ACCOUNT, START))
    files(books, "PF-1", request)
    assert not list(paid_out.timers(waiting, State(outgoing={request: books.tables["outgoing"][request]}), moment))


def gathers(books: Books, on: dt.date = TODAY) -> list[Any]:
    transfers = [row.transfer for _, row in sorted(books.tables["outgoing"].items()) if row.queued_at]
    return [fact for wish in paid_out.gathered(BANK, transfers, on) for fact in books.do(wish, actor="", role="")]


def test_at_the_cut_off_all_that_waits_goes_into_a_file_by_the_policy_itself(books: Books) -> None:  # P10
    requests = paid_back(books, refund(), refund("C1", 50_00, "2"))
    (made,) = of(PaymentFileMade, gathers(books))
    assert {each.request for each in made.refunds} == set(requests)
    assert (made.on, made.by) == (TODAY, in_force(TODAY).version)
    assert digest(bytes_of(made)) == made.digest
    assert gathers(books) == []


def test_the_same_refunds_are_gathered_under_the_same_name(books: Books) -> None:
    paid_back(books, refund())
    transfers = [row.transfer for row in books.tables["outgoing"].values()]
    (wish,) = paid_out.gathered(BANK, transfers, TODAY)
    assert list(paid_out.gathered(BANK, transfers, TODAY)) == [wish]
    assert len(wish.file) <= 35
    books.do(wish)
    assert isinstance(books.do(wish)[0], CommandUnneeded)


def test_what_was_put_into_a_file_by_hand_is_not_gathered_again(books: Books) -> None:
    (request,) = paid_back(books, refund())
    transfers = [books.tables["outgoing"][request].transfer]
    (wish,) = paid_out.gathered(BANK, transfers, TODAY)
    files(books, "PF-1", request)
    assert isinstance(books.do(wish, actor="", role="")[0], CommandUnneeded)


def test_a_refund_stopped_at_the_cut_off_holds_up_no_other(books: Books) -> None:
    first, second = paid_back(books, refund(), refund("C1", 50_00, "2"))
    transfers = [books.tables["outgoing"][request].transfer for request in (first, second)]
    (wish,) = paid_out.gathered(BANK, transfers, TODAY)
    files(books, "PF-1", first)
    (made,) = of(PaymentFileMade, books.do(wish, actor="", role=""))
    assert [each.request for each in made.refunds] == [second]


def test_a_file_of_a_day_that_is_over_is_paid_on_the_next_banking_day(books: Books) -> None:
    (request,) = paid_back(books, refund())
    (wish,) = paid_out.gathered(BANK, [books.tables["outgoing"][request].transfer], TODAY - dt.timedelta(days=1))
    (made,) = of(PaymentFileMade, books.do(wish, actor="", role=""))
    assert made.on >= TODAY
    assert paid_out.is_banking_day(made.on, OUR_ACCOUNT.region)


def test_each_currency_has_a_file_of_its_own() -> None:
    transfers = [
        Transfer(request=f"PO-{n}", amount_minor=n, currency=currency, iban=IBAN, holder="A")
        for n, currency in enumerate(("GBP", "EUR", "GBP"), start=1)
    ]
    assert [wish.refunds for wish in paid_out.gathered(BANK, transfers, TODAY)] == [("PO-2",), ("PO-1", "PO-3")]


# --- the bank's word ------------------------------------------------------------------------------------------------


def debited(books: Books, request: str, amount_minor: int = -200_00) -> Landed:
    books.do(statement("S1", entry("1", amount_minor, end_to_end=request)))
    (landed,) = books.tables["landed"].values()
    assert isinstance(landed, Landed)
    return landed


def test_the_statements_debit_confirms_the_refund(books: Books) -> None:  # P10
    (request,) = paid_back(books, refund())
    files(books, "PF-1", request)
    landed = debited(books, request)
    found = paid_out.confirmation(landed, books.tables["outgoing"])
    assert found is not None
    facts = books.do(found, actor="payments", role="")
    assert of(PaidOutConfirmed, facts)
    (paid,) = of(RefundPaid, facts)
    assert (paid.request, paid.paid_on) == (request, TODAY)
    assert books.sums()["refunds"] == 0
    assert books.sums()["suspense"] == 0
    assert books.tables["payout"][request].state == "paid"
    assert of(CommandUnneeded, books.do(found))


@pytest.mark.parametrize(("amount", "filed"), [(-199_99, True), (200_00, True), (-200_00, False)])
def test_a_debit_of_another_amount_or_without_a_file_waits_for_a_person(books: Books, amount: int, filed: bool) -> None:
    (request,) = paid_back(books, refund())
    if filed:
        files(books, "PF-1", request)
    landed = debited(books, request, amount)
    assert paid_out.confirmation(landed, books.tables["outgoing"]) is None
    wish = ConfirmPaidOut(bank_account=BANK, entry=landed.entry.entry, request=request)
    assert reason_of(books.do(wish)) == "not_this_refund"
    assert books.tables["payout"][request].state == "carried_out"


def test_of_two_clerks_who_pay_one_receipt_back_the_second_is_told(books: Books) -> None:  # must show 6
    version = books.receipt("R").version
    first, second = (replace(refund(key=key, amount_minor=150_00), version=version) for key in ("1", "2"))
    assert of(PayoutProposed, books.do(first, actor="anna"))
    assert reason_of(books.do(second, actor="cora")) == "changed_meanwhile"
    assert of(CommandUnneeded, books.do(first, actor="anna"))
    assert books.refolded() == books.tables


def test_a_debit_of_an_intraday_report_that_its_statement_lacks_confirms_nothing_in_the_end(books: Books) -> None:  # P3 P10
    (request,) = paid_back(books, refund())
    files(books, "PF-1", request)
    for name, provisional in (("D1", True), ("S2", False)):
        books.do(statement(name, entry("1", -200_00, end_to_end=request, text=name), is_provisional=provisional))
        landed = books.tables["landed"][f"{BANK}/{name}/1"]
        found = paid_out.confirmation(landed, books.tables["outgoing"])
        assert found is not None
        assert of(PaidOutConfirmed, books.do(found))
        if provisional:
            again = ReopenPaidOut(bank_account=BANK, entry=f"{name}/1", request=request)
            assert of(CommandUnneeded, books.do(again)), "only a debit that was dropped"
            (drop,) = drops(books)
            books.do(drop)
            assert books.tables["outgoing"][request].state == "filed"
            assert books.sums()["refunds"] == -200_00
    assert (books.sums()["refunds"], books.sums()["suspense"]) == (0, 0)
    assert books.refolded() == books.tables


def test_a_refund_that_waits_is_stopped_and_its_credit_is_open_again(books: Books) -> None:
    before, sums = standing(books), balances(books)
    (request,) = paid_back(books, refund())
    stop = StopRefund(bank_account=BANK, request=request, reason="wrong customer")
    assert reason_of(books.do(stop, role="controller")) == "beyond_authority"
    assert of(RefundReturned, books.do(stop, role="team_leader"))
    assert (standing(books), balances(books)) == (before, sums)
    assert books.receipt("R").unallocated_minor == 700_00
    assert reason_of(files(books, "PF-1", request)) == "not_waiting"
    assert of(CommandUnneeded, books.do(stop, role="team_leader"))


def test_a_refund_that_the_bank_has_comes_back_by_the_banks_word_only(books: Books) -> None:
    (request,) = paid_back(books, refund())
    files(books, "PF-1", request)
    stop = StopRefund(bank_account=BANK, request=request, reason="account closed")
    assert reason_of(books.do(stop, role="team_leader")) == "with_the_bank"
    assert books.item("R").open_minor == -500_00
    returned = StopRefund(bank_account=BANK, request=request, reason="AC04", by_bank=True)
    assert of(RefundReturned, books.do(returned, role="team_leader"))
    assert books.item("R").open_minor == -700_00


def test_a_refunded_receipt_that_the_bank_takes_back_is_owed_again(books: Books) -> None:  # P3 P10
    paid_back(books, refund())
    books.do(pays("R", ("I1", 500_00)))
    books.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert (books.item("I1").open_minor, books.item("R").open_minor) == (500_00, 0)
    note = books.item("RN/R")
    assert (note.kind, note.open_minor) == ("debit_note", 200_00)
    assert books.sums()["transit"] == 0
    assert books.refolded() == books.tables


# --- write-offs and write-backs ---------------------------------------------------------------------------------------


def test_a_debt_is_written_off_to_bad_debt(books: Books) -> None:  # P11
    facts = approves(books, asked(books, write_off()))
    (gone,) = of(WrittenOff, facts)
    assert (gone.kind, gone.run) == ("write_off", "2026-03")
    assert [(fact.item, fact.settled_minor, fact.open_minor) for fact in of(ItemSettled, facts)] == [("I2", 3_50, 0)]
    assert books.sums()["bad_debt"] == 3_50


def test_an_unclaimed_credit_is_written_back_to_profit(books: Books) -> None:  # P11
    facts = approves(books, asked(books, write_off("C1", 50_00)))
    (gone,) = of(WrittenOff, facts)
    assert gone.kind == "write_back"
    assert books.sums()["write_backs"] == -50_00
    assert books.item("C1").open_minor == 0


def test_a_reversed_write_off_restores_all_by_new_entries(books: Books) -> None:  # P11
    before, sums, lines = standing(books), balances(books), len(books.tables["ledger"])
    request = asked(books, write_off(amount_minor=1_25))
    approves(books, request)
    reverse = ReverseWriteOff(account="acme", request=request, reason="they paid")
    assert reason_of(books.do(reverse, role="clerk")) == "beyond_authority"
    facts = books.do(reverse, role="director")
    assert of(WriteOffReversed, facts)
    assert of(EntryPosted, facts)[0].reverses == f"P/{request}"
    assert (standing(books), balances(books)) == (before, sums)
    assert len(books.tables["ledger"]) == lines + 4
    assert of(CommandUnneeded, books.do(reverse, role="director"))
    assert of(CommandUnneeded, books.do(TakeBackPayout(account="acme", request=request, item="I2", reason="again")))


def test_a_written_back_receipt_that_is_claimed_after_all_waits_for_its_match_again(books: Books) -> None:
    request = asked(books, write_off("R", 700_00))
    approves(books, request)
    assert books.receipt("R").state == "done"
    books.do(ReverseWriteOff(account="acme", request=request, reason="claimed"), role="director")
    assert (books.receipt("R").unallocated_minor, books.receipt("R").state) == (700_00, "referred")


def test_a_refund_is_not_reversed_like_a_write_off(books: Books) -> None:
    (request,) = paid_back(books, refund())
    wish = ReverseWriteOff(account="acme", request=request, reason="x")
    assert reason_of(books.do(wish, role="director")) == "unknown_request"
    assert of(CommandUnneeded, books.do(TakeBackPayout(account="acme", request=request, item="R", reason="x")))
    assert books.item("R").open_minor == -500_00


def test_what_is_not_carried_out_cannot_be_reversed(books: Books) -> None:
    request = asked(books, write_off())
    assert reason_of(books.do(ReverseWriteOff(account="acme", request=request, reason="x"), role="director")) == "not_done"


def test_a_closed_period_takes_no_write_off(books: Books) -> None:  # P14
    books.at = dt.datetime(2026, 4, 1, 9, tzinfo=dt.UTC)
    books.do(ClosePeriod(account="acme", month=dt.date(2026, 3, 1)), role="director")
    books.at = dt.datetime(2026, 3, 31, 9, tzinfo=dt.UTC)  # told late, of a month that is closed
    facts = approves(books, asked(books, write_off()))
    (posted,) = of(EntryPosted, facts)
    assert posted.effective_on == dt.date(2026, 4, 1)
    assert of(WrittenOff, facts)[0].run == "2026-04"


def test_the_last_part_of_a_foreign_item_takes_all_of_its_base_amount() -> None:  # P1
    books = Books()
    books.do(opened(currency="EUR"))
    books.do(invoice("I1", 1_00, currency="EUR", base_minor=86))
    for n in (1, 2, 3):
        approves(books, asked(books, write_off("I1", 33 if n < 3 else 34, key=str(n))))
    assert (books.item("I1").open_minor, books.item("I1").open_base_minor) == (0, 0)
    assert books.sums() == {"receivables": 0, "sales": -86, "bad_debt": 86}


# --- small balances -------------------------------------------------------------------------------------------------


def swept(books: Books, item: str) -> list[Any]:
    wish = SweepBalance(account="acme", item=item, key=sweeping.key_of(books.item(item)))
    return books.do(wish, actor="payments", role="")


def old(amount_minor: int) -> Books:
    return books_after(opened(), invoice("I", amount_minor, due_on=TODAY - 90 * DAY, document_on=TODAY - 100 * DAY))


def test_a_tiny_old_balance_is_given_up_by_the_policy_itself() -> None:  # P11
    books = old(2_00)
    facts = swept(books, "I")
    assert [type(fact) for fact in facts[:2]] == [PayoutProposed, PayoutApproved]
    assert facts[1].by == "2010-01-01-standard"
    assert of(WrittenOff, facts)
    assert books.item("I").open_minor == 0


def test_a_small_old_balance_is_proposed_to_a_person() -> None:  # P11
    books = old(2_01)
    (proposed,) = swept(books, "I")
    assert (proposed.kind, proposed.amount_minor, proposed.by) == ("write_off", 2_01, "payments")
    assert of(CommandUnneeded, swept(books, "I"))
    assert of(WrittenOff, approves(books, proposed.request, "anna", "controller"))


def test_every_fact_of_what_is_swept_names_the_policy_that_did_it() -> None:  # P11
    books = old(1)
    key, by = sweeping.key_of(books.item("I")), in_force(TODAY).version
    proposed, approved, written_off, settled, posted = swept(books, "I")
    request, reason = proposed.request, f"small balance, open since {TODAY - 90 * DAY}"
    what = {"account": "acme", "request": request, "kind": "write_off", "item": "I", "amount_minor": 1, "currency": "GBP"}
    assert proposed == PayoutProposed(reason=reason, levels=proposed.levels, evidence=f"swept by {by}", by="payments", **what)
    assert request == payout_of("acme", "write_off", key)
    assert approved == PayoutApproved(account="acme", request=request, by=by, reason="within the automatic maximum")
    assert written_off == WrittenOff(reason=reason, run=f"{TODAY:%Y-%m}", base_minor=1, by=by, **what)
    assert (settled.settled_minor, settled.open_minor, settled.base_minor, settled.by) == (1, 0, 1, request)
    assert [(line.ledger, line.amount_minor, line.item) for line in posted.lines] == [
        ("bad_debt", 1, None),
        ("receivables", -1, "I"),
    ]


def test_the_largest_small_balance_is_still_small() -> None:  # P11
    assert of(PayoutProposed, swept(old(5_00), "I"))


@pytest.mark.parametrize(("amount", "days"), [(5_01, 90), (5_00, 89)])
def test_what_is_not_small_or_not_old_is_left_alone(amount: int, days: int) -> None:  # P11
    books = books_after(opened(), invoice("I", amount, due_on=TODAY - days * DAY, document_on=TODAY - 100 * DAY))
    assert of(CommandUnneeded, swept(books, "I"))


def test_small_old_cash_is_written_back() -> None:  # P11
    books = Books()
    books.do(opened())
    books.do(cash("R", 1_00, received_on=TODAY - 90 * DAY))
    (gone,) = of(WrittenOff, swept(books, "R"))
    assert gone.kind == "write_back"
    assert books.receipt("R").state == "done"


@pytest.mark.parametrize(
    ("due", "run"),
    [
        (dt.date(2026, 1, 1), dt.date(2026, 4, 1)),  # 90 days later it is 1 April
        (dt.date(2026, 1, 2), dt.date(2026, 5, 1)),
        (dt.date(2020, 1, 1), dt.date(2026, 4, 1)),  # long ago: the next run
    ],
)
def test_the_run_is_on_the_first_of_the_month_on_which_the_balance_is_old_enough(due: dt.date, run: dt.date) -> None:  # P11
    books = books_after(opened(), invoice("I", 1_00, due_on=due, document_on=due))
    (timer,) = sweeping.timers(State(), State(items={"I": books.item("I")}), Moment(START, "acme", 0, "c", "c"))
    assert timer.due == dt.datetime.combine(run, sweeping.RUN_AT)
    assert timer.key == f"{run:%Y-%m}"


def test_rows_are_the_fold_of_the_journal(books: Books) -> None:
    first, second = paid_back(books, refund(), refund("C1", 50_00, "2"))
    files(books, "PF-1", first)
    books.do(StopRefund(bank_account=BANK, request=second, reason="no"), role="team_leader")
    request = asked(books, write_off())
    approves(books, request)
    books.do(ReverseWriteOff(account="acme", request=request, reason="paid"), role="director")
    landed = debited(books, first)
    books.do(ConfirmPaidOut(bank_account=BANK, entry=landed.entry.entry, request=first))
    assert books.refolded() == books.tables
    assert sum(books.sums().values()) == 0


def test_a_receipt_that_was_refunded_in_part_is_not_given_back(books: Books) -> None:  # P7
    (proposed,) = books.do(ProposeRefund(account="acme", key="K", item="R", amount_minor=200_00, reason="paid twice"))
    books.do(ApprovePayout(account="acme", request=proposed.request), actor="ben", role="director")
    (no,) = books.do(GiveBackCash(account="acme", receipt="R", reason="not theirs"))
    assert no.reason == "allocated"
    assert (books.item("R").open_minor, books.sums().get("transit", 0)) == (-500_00, 700_00)
