"""Accounts whose book the ERP keeps: requests out, postings in, and nothing of ours changes an item in between (P1)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from contracts import accounts, payments
from contracts.envelope import encode_value
from contracts.payments import Clears, Opens, PostingRequested, PostingTaken, RequestClosed
from services.console.receivables import paying
from services.payments.policies import in_force
from tests.console.receivables_stage import envelope
from tests.models.payments_books import (
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

ERP = "erp_example"
RC = "RC-0123456789ABCDEF"
TERMS = accounts.Terms(legal_entity=ERP)


def mirrored(account: str = "acme", home: str = "", **more: Any) -> accounts.AccountOpened:
    return opened(account, home, terms=TERMS, **more)


def document(number: str, *lines: Opens | Clears, account: str = "acme", **more: Any) -> payments.TakePosting:
    fields = {"company_code": "1000", "posted_on": TODAY} | more
    opens = tuple(line for line in lines if isinstance(line, Opens))
    clears = tuple(line for line in lines if isinstance(line, Clears))
    return payments.TakePosting(account=account, document=number, opens=opens, clears=clears, **fields)


def opens(item: str, amount_minor: int, kind: str = "invoice", **more: Any) -> Opens:
    fields = {"currency": "GBP", "document_on": TODAY - 10 * DAY, "due_on": TODAY} | more
    return Opens(item=item, kind=kind, amount_minor=amount_minor, **fields)


def clears(item: str, settled_minor: int, **more: Any) -> Clears:
    return Clears(item=item, settled_minor=settled_minor, **{"currency": "GBP"} | more)


@pytest.fixture
def books() -> Books:
    found = Books()
    found.do(mirrored())
    found.do(document("90001/2026", opens("I1", 500_00)))
    return found


def asked(facts: list[Any]) -> PostingRequested:
    (request,) = of(PostingRequested, facts)
    return request


def standing(books: Books) -> dict[str, int]:
    return {name: item.open_minor for name, item in books.tables["item"].items()}


def at_rest(books: Books) -> None:
    assert sum(books.sums().values()) == 0
    assert books.refolded() == books.tables
    open_ = sum(item.open_base_minor for item in books.tables["item"].values())
    assert books.sums().get("receivables", 0) == open_ == sum(a.balance_minor for a in books.tables["account"].values())


# --- requests ---------------------------------------------------------------------------------------------------------


def test_the_erps_document_opens_an_item(books: Books) -> None:
    assert standing(books) == {"I1": 500_00}
    assert books.sums() == {"receivables": 500_00, "erp": -500_00}
    at_rest(books)


def test_an_account_of_an_entity_that_is_not_named_keeps_its_book_here() -> None:
    books = Books()
    books.do(opened())
    books.do(invoice("I1", 500_00))
    books.do(cash(RC, 500_00))
    assert not of(PostingRequested, books.do(pays(RC, ("I1", 500_00))))
    assert standing(books) == {"I1": 0, RC: 0}
    (no,) = books.do(document("90001/2026", opens("I2", 500_00)))
    assert no.reason == "book_here"


def test_cash_lands_at_once_and_is_asked_of_the_erp_as_well(books: Books) -> None:  # O7, F1
    request = asked(books.do(cash(RC, 500_00)))
    assert standing(books) == {"I1": 500_00, RC: -500_00}
    assert (request.kind, request.request, request.receipt) == ("receipt", "0123456789ABCDEF", RC)
    assert request.answer_by == TODAY + 3 * DAY
    at_rest(books)


def test_an_allocation_is_asked_and_changes_no_item_until_it_is_posted(books: Books) -> None:
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 500_00), reason="as advised")))
    assert standing(books) == {"I1": 500_00, RC: -500_00}
    assert (request.kind, request.company_code, request.reason) == ("allocation", "1000", "as advised")
    assert [(line.item, line.settled_minor) for line in request.lines] == [("I1", 500_00), (RC, -500_00)]
    assert sum(line.base_minor for entry in request.entries for line in entry.lines) == 0
    assert books.receipt(RC).state == "requested"

    facts = books.do(document("14001/2026", clears("I1", 500_00), clears("19999/2026", -500_00, reference=RC[3:]),
                              answers=request.request))  # fmt: skip
    assert standing(books) == {"I1": 0, RC: 0}
    assert of(PostingTaken, facts)[0].answers == request.request
    assert of(RequestClosed, facts)[0].outcome == "answered"
    assert (books.receipt(RC).state, books.receipt(RC).requested_minor, books.item("I1").requested_minor) == ("done", 0, 0)
    at_rest(books)


def test_what_is_asked_already_is_not_asked_twice(books: Books) -> None:
    books.do(cash(RC, 900_00))
    books.do(pays(RC, ("I1", 400_00)))
    (no,) = books.do(pays(RC, ("I1", 200_00)))
    assert no.reason == "more_than_open"
    assert asked(books.do(pays(RC, ("I1", 100_00)))).kind == "allocation"
    (no,) = books.do(pays(RC, ("I1", 1)))
    assert no.reason == "more_than_open"
    books.do(document("90002/2026", opens("I2", 1_000_00)))
    (no,) = books.do(pays(RC, ("I2", 500_00)))
    assert no.reason == "too_much"
    at_rest(books)


def test_a_request_that_the_erp_declines_lets_go_of_what_it_had(books: Books) -> None:
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 500_00))))
    wish = payments.DeclinePosting(account="acme", request=request.request, reason="the customer is blocked there")
    (closed,) = books.do(wish)
    assert (closed.outcome, closed.reason) == ("declined", "the customer is blocked there")
    assert (books.receipt(RC).state, books.receipt(RC).free_minor) == ("referred", 500_00)
    assert asked(books.do(pays(RC, ("I1", 500_00))))
    (again,) = books.do(wish)
    assert isinstance(again, payments.CommandUnneeded)
    at_rest(books)


def test_an_answer_that_comes_before_the_no_stands(books: Books) -> None:
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 500_00)))).request
    books.say(payments.DeclinePosting(account="acme", request=request, reason="no"))
    facts = books.do(document("14001/2026", clears("I1", 500_00), clears(RC, -500_00), answers=request))
    assert [fact.outcome for fact in of(RequestClosed, facts)] == ["answered"]
    at_rest(books)


def test_a_request_is_answered_once_and_a_second_document_is_taken_as_it_is(books: Books) -> None:
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 500_00)))).request
    books.do(document("14001/2026", clears("I1", 200_00), clears(RC, -200_00), answers=request))
    facts = books.do(document("14002/2026", clears("I1", 300_00), clears(RC, -300_00), answers=request))
    assert of(PostingTaken, facts)[0].answers is None and not of(RequestClosed, facts)
    assert standing(books) == {"I1": 0, RC: 0}
    at_rest(books)


def test_accounts_of_different_entities_are_not_settled_together() -> None:
    books = Books()
    books.do(mirrored("top"))
    books.do(opened("sub", "top"))
    books.do(invoice("I1", 100_00, "sub"))
    books.do(cash(RC, 100_00, "top"))
    (no,) = books.do(pays(RC, payments.Settle(item="I1", settled_minor=1, paid_minor=1, account="sub"), account="top"))
    assert no.reason == "other_entity"
    found = pays(RC, payments.Settle(item="I1", settled_minor=100_00, paid_minor=100_00, account="sub"), account="top")
    (referred,) = books.do(found, actor="payments", role="")
    assert isinstance(referred, payments.CashReferred)  # a no would be said again whenever the timer looks
    assert not of(payments.CommandRefused, books.do(found, actor="payments", role=""))


def test_a_difference_is_given_once_over_all_that_is_asked(books: Books) -> None:  # P6, A6
    books.do(cash(RC, 500_00))
    wish = pays(RC, settles("I1", 100_00, difference=20_00))
    first = asked(books.do(wish, role="controller"))
    assert [(line.difference_minor, line.settled_minor) for line in first.lines] == [(20_00, 120_00), (0, -100_00)]
    (no,) = books.do(wish, role="controller")
    assert (no.reason, in_force(TODAY).takes["controller"]) == ("beyond_authority", 25_00)
    books.do(payments.DeclinePosting(account="acme", request=first.request, reason="closed"), actor="erp")
    assert books.tables["item"]["I1"].tolerated_minor == 0
    asked(books.do(wish, role="controller"))
    at_rest(books)


def test_what_the_erp_takes_back_may_be_given_again(books: Books) -> None:  # P6, P7, A6
    books.do(cash(RC, 500_00))
    wish = pays(RC, settles("I1", 100_00, difference=20_00))
    request = asked(books.do(wish, role="controller"))
    books.do(document("14001/2026", clears("I1", 120_00), clears(RC, -100_00), answers=request.request))
    assert books.tables["item"]["I1"].tolerated_minor == 20_00
    books.do(document("14002/2026", reverses="14001/2026"))
    assert (books.tables["item"]["I1"].tolerated_minor, standing(books)["I1"]) == (0, 500_00)
    asked(books.do(wish, role="controller"))
    at_rest(books)


def test_an_advice_is_used_up_by_what_is_asked_and_free_again_when_that_is_declined(books: Books) -> None:  # P4
    books.do(payments.TakeAdvice(account="acme", advice="ADV", amount_minor=500_00, currency="GBP", lines=()))
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 500_00), advice="ADV", proof="advice", score=90)))
    assert (request.advice, request.proof, request.score) == ("ADV", "advice", 90)
    assert books.tables["advice"]["ADV"].receipt == RC
    books.do(payments.DeclinePosting(account="acme", request=request.request, reason="closed"), actor="erp")
    assert books.tables["advice"]["ADV"].receipt == ""
    at_rest(books)


def test_what_is_held_back_becomes_a_claim_when_it_is_posted_and_never_by_a_request(books: Books) -> None:  # C1
    books.do(cash(RC, 900_00))
    short = settles("I1", 450_00, residual_minor=50_00, reason="DAMAGED")
    facts = books.do(pays(RC, short))
    assert not of(payments.ShortPaid, facts)
    books.do(payments.DeclinePosting(account="acme", request=asked(facts).request, reason="closed"), actor="erp")
    request = asked(books.do(pays(RC, short)))
    facts = books.do(document("14001/2026", clears("I1", 450_00), clears(RC, -450_00), answers=request.request))
    (claim,) = of(payments.ShortPaid, facts)
    assert (claim.match, claim.short_minor, claim.open_minor, claim.reason) == (request.request, 50_00, 50_00, "DAMAGED")
    assert len([fact for _, _, fact in books.journal if isinstance(fact, payments.ShortPaid)]) == 1
    at_rest(books)


def test_a_match_that_credits_pay_names_its_receipt_to_claim_and_advice(books: Books) -> None:  # C1, P4
    books.do(document("90002/2026", opens("C1", -100_00, "credit_note")))
    books.do(payments.TakeAdvice(account="acme", advice="ADV", amount_minor=500_00, currency="GBP", lines=()))
    books.do(cash(RC, 500_00))
    short = settles("I1", 100_00, residual_minor=400_00, reason="DAMAGED")
    request = asked(books.do(pays(RC, short, ("C1", -100_00), advice="ADV")))
    assert (request.receipt, books.tables["advice"]["ADV"].receipt, books.receipt(RC).free_minor) == (RC, RC, 500_00)
    facts = books.do(document("14001/2026", clears("I1", 100_00), clears("C1", -100_00), answers=request.request))
    (claim,) = of(payments.ShortPaid, facts)
    assert msgspec.json.decode(encode_value(claim), type=payments.ShortPaid).receipt == RC
    at_rest(books)


def test_what_is_asked_of_cash_ends_when_the_bank_takes_the_cash_back(books: Books) -> None:  # P3
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 500_00))))
    assert (books.receipt(RC).asks, books.receipt(RC).version) == ((request.request,), 1)  # as the console counts
    facts = books.do(payments.WithdrawCash(account="acme", receipt=RC, reason="returned"))
    (closed,) = of(RequestClosed, facts)
    assert (closed.request, closed.outcome) == (request.request, "declined")
    assert (books.receipt(RC).asks, books.tables["item"]["I1"].free_minor) == ((), 500_00)
    at_rest(books)


def test_a_match_of_our_own_that_was_found_before_goes_to_a_person(books: Books) -> None:
    books.do(cash(RC, 500_00))
    books.do(cash("RC-2", 500_00))
    books.do(pays(RC, ("I1", 500_00)))
    (referred,) = books.do(pays("RC-2", ("I1", 500_00)), actor="payments")
    assert isinstance(referred, payments.CashReferred)


# --- the other wishes -------------------------------------------------------------------------------------------------


def test_a_write_off_is_asked_once_it_is_approved_and_done_when_it_is_posted(books: Books) -> None:  # P11
    wish = payments.ProposeWriteOff(account="acme", key="K", item="I1", amount_minor=500_00, reason="gone", evidence="letter")
    (proposed,) = books.do(wish)
    facts = books.do(payments.ApprovePayout(account="acme", request=proposed.request), actor="zoe", role="director")
    request = asked(facts)
    assert (request.kind, request.payout, standing(books)["I1"]) == ("write_off", proposed.request, 500_00)
    assert books.tables["payout"][proposed.request].state == "requested"
    books.do(document("15001/2026", clears("I1", 500_00), answers=request.request))
    payout = books.tables["payout"][proposed.request]
    assert (payout.state, standing(books)["I1"]) == ("carried_out", 0)
    assert (payout.base_minor, payout.run) == (500_00, f"{TODAY:%Y-%m}")
    back = payments.ReverseWriteOff(account="acme", request=proposed.request, reason="paid after all")
    request = asked(books.do(back, actor="zoe", role="director"))
    assert (request.kind, standing(books)["I1"]) == ("write_off_back", 0)
    assert [line.base_minor for line in request.entries[0].lines if line.item == "I1"] == [500_00]
    books.do(document("15002/2026", reverses="15001/2026", answers=request.request))
    assert (books.tables["payout"][proposed.request].state, standing(books)["I1"]) == ("reversed", 500_00)
    at_rest(books)


def test_a_write_back_that_the_erp_posts_is_carried_out_and_one_that_it_declines_is_not(books: Books) -> None:  # P11
    books.do(document("90002/2026", opens("C1", -100_00, "credit_note"), opens("C2", -50_00, "credit_note")))
    found = []
    for item, minor in (("C1", 100_00), ("C2", 50_00)):
        wish = payments.ProposeWriteOff(account="acme", key=item, item=item, amount_minor=minor, reason="old", evidence="letter")
        (proposed,) = books.do(wish)
        request = asked(books.do(payments.ApprovePayout(account="acme", request=proposed.request), actor="zoe", role="director"))
        found.append((proposed.request, request.request))
    books.do(document("15001/2026", clears("C1", -100_00), answers=found[0][1]))
    books.do(payments.DeclinePosting(account="acme", request=found[1][1], reason="not ours"), actor="erp")
    states = [books.tables["payout"][request] for request, _ in found]
    assert [(each.state, each.run) for each in states] == [("carried_out", f"{TODAY:%Y-%m}"), ("declined", "")]
    assert standing(books) == {"I1": 500_00, "C1": 0, "C2": -50_00}
    at_rest(books)


def test_the_console_shows_what_became_of_each_payout_as_the_ledger_has_it(books: Books) -> None:  # P11, guarantee 7
    for key, answer in (("A", "answered"), ("B", "declined"), ("C", "back")):
        books.do(document(f"9001{key}/2026", opens(f"W{key}", 10_00)))
        wish = payments.ProposeWriteOff(account="acme", key=key, item=f"W{key}", amount_minor=10_00, reason="old", evidence="e")
        (proposed,) = books.do(wish)
        request = asked(books.do(payments.ApprovePayout(account="acme", request=proposed.request), actor="zoe", role="director"))
        if answer == "declined":
            books.do(payments.DeclinePosting(account="acme", request=request.request, reason="not ours"), actor="erp")
            continue
        books.do(document(f"1500{key}/2026", clears(f"W{key}", 10_00), answers=request.request))
        if answer == "back":
            back = payments.ReverseWriteOff(account="acme", request=proposed.request, reason="paid after all")
            request = asked(books.do(back, actor="zoe", role="director"))
            books.do(document("16001/2026", reverses=f"1500{key}/2026", answers=request.request))
    shown: dict[str, paying.Payout] = {}
    for n, (at, home, fact) in enumerate(books.journal, start=1):
        name = paying.payout_in(fact)
        if name and (after := paying.follow(shown.get(name), envelope(fact, at, home, n))) is not None:
            shown[name] = after
    words = {paying.DONE: "carried_out", paying.DECLINED: "declined", paying.REVERSED: "reversed"}
    theirs = books.tables["payout"]
    assert {name: (words[row.state], row.run, row.base_minor) for name, row in shown.items()} == {
        name: (row.state, row.run, row.base_minor) for name, row in theirs.items()
    }
    assert sorted(row.state for row in theirs.values()) == ["carried_out", "declined", "reversed"]


def test_an_offset_is_asked(books: Books) -> None:  # P8
    books.do(document("90002/2026", opens("C1", -100_00, "credit_note")))
    lines = (payments.Settle(item="I1", settled_minor=100_00, paid_minor=100_00),)
    wish = payments.OffsetItems(account="acme", credit="C1", lines=lines, reason="by agreement", agreement="A1")
    request = asked(books.do(wish))
    assert (request.kind, standing(books)) == ("offset", {"I1": 500_00, "C1": -100_00})
    books.do(document("16001/2026", clears("I1", 100_00), clears("C1", -100_00), answers=request.request))
    assert standing(books) == {"I1": 400_00, "C1": 0}
    at_rest(books)


def test_a_refund_is_asked_and_no_payment_file_of_ours_has_it(books: Books) -> None:  # P10
    books.do(cash(RC, 500_00))
    details = {"account": "acme", "iban": "GB29NWBK60161331926819"}
    books.do(payments.NoteBankDetails(**details, holder="acme Ltd", reason="letter"))
    books.do(payments.ConfirmBankDetails(**details, called="+44 20", reason="called"), actor="zoe", role="director")
    (proposed,) = books.do(payments.ProposeRefund(account="acme", key="K", item=RC, amount_minor=200_00, reason="paid twice"))
    facts = books.do(payments.ApprovePayout(account="acme", request=proposed.request), actor="zoe", role="director")
    request = asked(facts)
    assert (request.kind, books.receipt(RC).free_minor) == ("refund", 300_00)
    assert not books.tables["outgoing"] and standing(books)[RC] == -500_00
    books.do(document("17001/2026", clears(RC, -200_00), answers=request.request))
    assert (standing(books)[RC], books.receipt(RC).unallocated_minor) == (-300_00, 300_00)
    at_rest(books)


def test_card_payments_are_taken_where_the_book_is(books: Books) -> None:
    wish = payments.TakeCardPayment(account="acme", payment="P1", amount_minor=1_00, currency="GBP", token="tok")
    assert [fact.reason for fact in books.do(wish)] == ["book_elsewhere"]


def test_a_clearing_is_asked_back_and_comes_back_when_the_erp_reverses_it(books: Books) -> None:  # P7
    books.do(cash(RC, 500_00))
    books.do(document("14001/2026", clears("I1", 500_00), clears(RC, -500_00)))
    wish = payments.UnallocateCash(account="acme", match="1000/14001/2026/acme", reason="another invoice was meant")
    request = asked(books.do(wish))
    assert (request.kind, request.document, standing(books)["I1"]) == ("unallocation", "14001/2026", 0)
    assert isinstance(books.do(wish)[0], payments.CommandUnneeded)
    facts = books.do(document("14002/2026", reverses="14001/2026", answers=request.request))
    assert standing(books) == {"I1": 500_00, RC: -500_00}
    assert of(RequestClosed, facts) and books.receipt(RC).state == "referred"
    (no,) = books.do(document("14003/2026", reverses="14001/2026"))
    assert no.reason == "reversed"
    at_rest(books)


def test_of_two_clerks_who_ask_one_clearing_back_the_second_is_told_who_was_first_and_when(books: Books) -> None:  # P7
    books.do(cash(RC, 500_00))
    books.do(document("14001/2026", clears("I1", 500_00), clears(RC, -500_00)))
    wish = payments.UnallocateCash(account="acme", match="1000/14001/2026/acme", reason="another invoice was meant")
    request = asked(books.do(wish, actor="anna"))
    (same,) = books.do(wish, actor="anna")
    assert isinstance(same, payments.CommandUnneeded)
    (no,) = books.do(wish, actor="ben")
    assert no.reason == "changed_meanwhile"
    assert no.detail.startswith(
        f"anna asked the ERP for 14001/2026 back on {books.at.day} {books.at:%b %Y, %H:%M} UTC (request {request.request})"
    )
    books.do(payments.DeclinePosting(account="acme", request=request.request, reason="posted right"))
    assert asked(books.do(wish, actor="ben")).by == "ben"


# --- documents --------------------------------------------------------------------------------------------------------


def test_the_same_document_again_changes_nothing_and_another_under_its_number_is_refused(books: Books) -> None:
    before = {name: dict(rows) for name, rows in books.tables.items()}
    (same,) = books.do(document("90001/2026", opens("I1", 500_00)))
    (other,) = books.do(document("90001/2026", opens("I1", 600_00)))
    assert same == payments.CommandUnneeded(account="acme", item="1000/90001/2026/acme")
    assert (other.reason, other.account, other.item) == ("other_content", "acme", "1000/90001/2026/acme")
    assert books.tables == before


def test_cash_that_the_erp_posts_too_is_there_once(books: Books) -> None:
    request = asked(books.do(cash(RC, 500_00)))
    line = opens("14000/2026/1", -500_00, "receipt", reference=request.request)
    facts = books.do(document("14000/2026", line, answers=request.request))
    assert standing(books) == {"I1": 500_00, RC: -500_00}
    assert of(RequestClosed, facts) and not of(payments.ItemPosted, facts)
    at_rest(books)


def test_a_bill_that_came_before_its_document_is_there_once(books: Books) -> None:
    books.do(invoice("I2", 70_00))
    (taken,) = books.do(document("90002/2026", opens("I2", 70_00)))
    assert isinstance(taken, PostingTaken) and taken.opens == ()
    (no,) = books.do(document("90003/2026", opens("I2", 71_00)))
    assert no.reason == "other_content"
    at_rest(books)


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (document("1", clears("I9", 1)), "unknown_item"),
        (document("1", clears("I1", 500_01)), "more_than_open"),
        (document("1", clears("I1", -1)), "more_than_open"),
        (document("1", clears("I1", 1, currency="EUR")), "other_currency"),
        (document("1", clears("I1", 1), clears("I1", 1)), "item_twice"),
        (document("1", opens("I2", -1)), "wrong_sign"),
        (document("1", opens("I2", 1, "credit_note")), "wrong_sign"),
        (document("1", opens("I2", 1, "promise")), "unknown_kind"),
        (document("1", opens("I2", 1, currency="XAF")), "no_rate"),
        (document("1"), "no_lines"),
        (document("1", clears("I1", 1), reverses="90001/2026"), "no_lines"),
        (document("1", clears("I1", 1), company_code="2000"), "other_company"),
        (document("1", reverses="8/2026"), "unknown_document"),
        (document("1", clears("I1", 1, account="nobody")), "book_here"),
        (document("1", opens("I2", 1), opens("I2", 1)), "item_twice"),
        (document("1", opens("I2", 0)), "wrong_sign"),
        (document("1", opens("I1", 500_00, currency="EUR")), "other_content"),
        (document("1", opens("I1", 500_00, "debit_note")), "other_content"),
    ],
)
def test_a_document_that_does_not_fit_is_refused_whole(books: Books, wish: payments.TakePosting, reason: str) -> None:
    before = {name: dict(rows) for name, rows in books.tables.items()}
    (no,) = books.do(wish)
    assert (no.reason, no.account, no.item) == (reason, "acme", f"{wish.company_code}/1/acme")
    assert books.tables == before


def test_a_document_of_a_group_moves_each_account_of_it() -> None:  # P6
    books = Books()
    books.do(mirrored("top"))
    books.do(mirrored("sub", "top"))
    books.do(document("90001/2026", opens("I1", 300_00), account="sub"))
    books.do(cash(RC, 300_00, "top"))
    line = payments.Settle(item="I1", settled_minor=300_00, paid_minor=300_00, account="sub")
    request = asked(books.do(pays(RC, line, account="top")))
    books.do(document("14001/2026", clears(RC, -300_00), clears("I1", 300_00, account="sub"), account="top",
                      answers=request.request))  # fmt: skip
    assert standing(books) == {"I1": 0, RC: 0}
    at_rest(books)


def test_foreign_items_close_with_all_of_their_base_amount(books: Books) -> None:
    books.do(document("90002/2026", opens("E1", 333_33, currency="EUR", base_minor=300_00)))
    books.do(document("14001/2026", clears("E1", 111_11, currency="EUR")))
    books.do(document("14002/2026", clears("E1", 222_22, currency="EUR")))
    assert (books.item("E1").open_minor, books.item("E1").open_base_minor) == (0, 0)
    at_rest(books)


def test_an_opened_item_goes_with_its_document_while_nothing_of_it_is_cleared(books: Books) -> None:
    books.do(document("14001/2026", clears("I1", 100_00)))
    (no,) = books.do(document("90009/2026", reverses="90001/2026"))
    assert no.reason == "cleared"
    books.do(document("14002/2026", reverses="14001/2026"))
    books.do(document("90009/2026", reverses="90001/2026"))
    assert standing(books) == {"I1": 0}
    at_rest(books)


def test_an_erp_posting_into_a_closed_month_counts_on_the_first_open_day(books: Books) -> None:  # P14
    closes = payments.ClosePeriod(account="ledger", month=TODAY.replace(day=1) - DAY)
    books.do(replace(closes, month=closes.month.replace(day=1)), home="acme", role="director")
    facts = books.do(document("14001/2026", clears("I1", 1), posted_on=TODAY.replace(day=1) - DAY))
    assert [fact.effective_on for fact in of(payments.EntryPosted, facts)] == [TODAY.replace(day=1)]


def test_no_document_posts_to_another_group_nor_opens_what_is_another_accounts(books: Books) -> None:  # promise 3
    books.do(mirrored("other"))
    (no,) = books.do(document("1", clears("I1", 1), clears("X1", 1, account="other")))
    assert no.reason == "other_group"
    (no,) = books.do(document("1", opens("I1", 500_00), account="other"))
    assert (no.reason, no.account, no.item) == ("other_content", "other", "1000/1/other")


def test_only_the_document_that_answers_a_request_gives_away_what_that_gave(books: Books) -> None:  # P6
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, settles("I1", 100_00, difference=20_00)), role="controller"))
    (first, *_) = books.do(document("14001/2026", clears("I1", 60_00), answers=request.request))
    (second, *_) = books.do(document("14002/2026", clears("I1", 60_00), answers=request.request))
    assert [line.difference_minor for line in first.gave] == [20_00]
    assert (second.gave, second.answers) == ((), None)


def test_of_two_documents_that_reverse_one_at_once_the_second_is_refused(books: Books) -> None:  # P3
    books.do(document("14001/2026", clears("I1", 100_00)))
    for number in ("14002/2026", "14002/2026", "14003/2026"):
        books.say(document(number, reverses="14001/2026"))
    *_, same, no = books.settle()
    assert same == payments.CommandUnneeded(account="acme", item="1000/14002/2026/acme")
    assert (no.reason, no.account, no.item) == ("reversed", "acme", "1000/14003/2026/acme")
    assert standing(books) == {"I1": 500_00}


# --- every fact -------------------------------------------------------------------------------------------------------

BILLS, PAID, UNPAID, UNBILLED = (f"1000/{number}/2026/top" for number in ("90001", "14001", "14002", "90002"))


@pytest.fixture
def abroad() -> Books:
    """A group that trades in euros, whose bills have rates of their own."""
    return books_after(mirrored("top", currency="EUR"), mirrored("sub", "top", currency="EUR"))


def bills() -> payments.TakePosting:
    first = opens("I1", 100_00, currency="EUR", base_minor=85_01, reference="REF-1")
    second = opens("I2", 60_00, currency="EUR", account="sub", due_on=None)
    return document("90001/2026", first, second, account="top", posted_on=TODAY - DAY, text="bills")


def paid() -> payments.TakePosting:
    lines = clears("I1", 30_01, currency="EUR"), clears("I2", 60_00, currency="EUR", account="sub")
    return document("14001/2026", *lines, account="top", text="paid")


def settled(item: str, settled_minor: int, base_minor: int, open_minor: int, by: str) -> payments.ItemSettled:
    account, due_on = {"I1": ("top", TODAY), "I2": ("sub", TODAY - 10 * DAY)}[item]
    return payments.ItemSettled(
        account=account, item=item, kind="invoice", settled_minor=settled_minor, open_minor=open_minor, due_on=due_on, by=by,
        base_minor=base_minor,
    )  # fmt: skip


def entries(posting: str, text: str, amounts: tuple[int, int], bases: tuple[int, int], **more: Any) -> list[Any]:
    """The group's head has its entry under the posting's own name, a member under its own behind it."""
    return [
        payments.EntryPosted(
            account=account,
            entry=name,
            kind="erp_posting",
            lines=tuple(
                payments.Posting(ledger=ledger, amount_minor=sign * amount, currency="EUR", base_minor=sign * base, item=on)
                for ledger, sign, on in (("receivables", 1, item), ("erp", -1, None))
            ),
            text=text,
            **{"effective_on": TODAY} | more,
        )
        for account, name, item, amount, base in zip(
            ("top", "sub"), (f"B/{posting}", f"B/{posting}/sub"), ("I1", "I2"), amounts, bases, strict=True
        )
    ]


def test_every_fact_of_a_document_that_opens_items_is_as_the_erp_has_it(abroad: Books) -> None:  # P1
    taken, first, second, *posted = abroad.do(bills())
    assert taken == PostingTaken(
        account="top", posting=BILLS, company_code="1000", document="90001/2026", posted_on=TODAY - DAY, digest=taken.digest,
        opens=(bills().opens[0], replace(bills().opens[1], base_minor=51_60)), text="bills",
    )  # fmt: skip
    common = {"kind": "invoice", "currency": "EUR", "document_on": TODAY - 10 * DAY, "entry": f"B/{BILLS}", "posting": BILLS}
    assert first == payments.ItemPosted(
        account="top", item="I1", amount_minor=100_00, due_on=TODAY, base_minor=85_01, reference="REF-1", **common
    )
    assert second == payments.ItemPosted(
        account="sub", item="I2", amount_minor=60_00, due_on=TODAY - 10 * DAY, base_minor=51_60, **common
    )
    assert posted == entries(BILLS, "bills", (100_00, 60_00), (85_01, 51_60), effective_on=TODAY - DAY)


def test_every_fact_of_a_document_that_clears_items_has_their_part_of_the_base_amount(abroad: Books) -> None:  # P1
    abroad.do(bills())
    taken, *others = abroad.do(paid())
    first, second = paid().clears
    assert taken == PostingTaken(
        account="top", posting=PAID, company_code="1000", document="14001/2026", posted_on=TODAY, digest=taken.digest,
        clears=(replace(first, base_minor=25_51), replace(second, base_minor=51_60)), text="paid",
    )  # fmt: skip
    assert others == [
        settled("I1", 30_01, 25_51, 69_99, PAID),
        settled("I2", 60_00, 51_60, 0, PAID),
        *entries(PAID, "paid", (-30_01, -60_00), (-25_51, -51_60)),
    ]


def test_every_fact_of_a_document_that_is_reversed_has_the_other_sign(abroad: Books) -> None:  # P1
    opened_by, cleared_by = abroad.do(bills())[0], abroad.do(paid())[0]
    taken, *others = abroad.do(document("14002/2026", reverses="14001/2026", account="top", text="not paid"))
    assert taken == replace(
        cleared_by, posting=UNPAID, document="14002/2026", digest=taken.digest, reverses=PAID, text="not paid"
    )
    assert others == [
        settled("I1", -30_01, -25_51, 100_00, UNPAID),
        settled("I2", -60_00, -51_60, 60_00, UNPAID),
        *entries(UNPAID, "not paid", (30_01, 60_00), (25_51, 51_60)),
    ]
    taken, *others = abroad.do(document("90002/2026", reverses="90001/2026", account="top", text="not billed"))
    assert taken == replace(
        opened_by,
        posting=UNBILLED,
        document="90002/2026",
        posted_on=TODAY,
        digest=taken.digest,
        reverses=BILLS,
        text="not billed",
    )
    assert others == [
        settled("I1", 100_00, 85_01, 0, UNBILLED),
        settled("I2", 60_00, 51_60, 0, UNBILLED),
        *entries(UNBILLED, "not billed", (-100_00, -60_00), (-85_01, -51_60)),
    ]
    at_rest(abroad)


def test_what_is_worth_nothing_in_base_currency_moves_nothing_there(abroad: Books) -> None:  # P1
    said = [
        abroad.do(document(number, *lines, account="top", **more))
        for number, lines, more in (
            ("1", (opens("I1", 10_00, currency="EUR", base_minor=0),), {}),
            ("2", (clears("I1", 5_00, currency="EUR"),), {}),
            ("3", (), {"reverses": "2"}),
        )
    ]
    moved = [fact for facts in said for fact in facts]
    assert [fact.base_minor for fact in of(payments.ItemSettled, moved)] == [0, 0]
    lines = [line for entry in of(payments.EntryPosted, moved) for line in entry.lines]
    assert [(line.amount_minor, line.base_minor) for line in lines] == [
        (10_00, 0), (-10_00, 0), (-5_00, 0), (5_00, 0), (5_00, 0), (-5_00, 0),
    ]  # fmt: skip


# --- what the bank takes back -----------------------------------------------------------------------------------------


def test_cash_that_the_bank_takes_back_is_owed_at_once_and_the_erps_reset_opens_the_bill_instead(books: Books) -> None:  # P3
    books.do(cash(RC, 500_00))
    books.do(document("14001/2026", clears("I1", 500_00), clears(RC, -500_00)))
    request = asked(books.do(payments.WithdrawCash(account="acme", receipt=RC, reason="returned")))
    assert request.kind == "withdrawn"
    assert standing(books) == {"I1": 0, RC: 0, f"RN/{RC}": 500_00}
    books.do(document("14002/2026", reverses="14001/2026", answers=request.request))
    assert standing(books) == {"I1": 500_00, RC: 0, f"RN/{RC}": 0}
    at_rest(books)


def test_a_debit_note_that_stands_in_for_cash_goes_with_its_own_base_amount(abroad: Books) -> None:  # P1 P3
    """Of 0.06, rounded: 2, 2 and 2 went with 0.02, 0.02 and 0.03; of the note 3 go with the same 0.03."""
    abroad.do(document("1", opens("I1", 7, currency="EUR", base_minor=6), account="top"))
    abroad.do(cash(RC, 7, "top", currency="EUR"))
    for number, minor in (("2", 2), ("3", 2), ("4", 3)):
        abroad.do(document(number, clears("I1", minor, currency="EUR"), clears(RC, -minor, currency="EUR"), account="top"))
    abroad.do(payments.WithdrawCash(account="top", receipt=RC, reason="returned"))
    facts = abroad.do(document("5", reverses="4", account="top"))
    assert [(line.item, line.settled_minor, line.base_minor) for line in facts[0].clears] == [
        ("I1", 3, 2),
        (f"RN/{RC}", -3, -3),
    ]
    assert [(fact.item, fact.settled_minor, fact.base_minor) for fact in of(payments.ItemSettled, facts)] == [
        ("I1", -3, -2),
        (f"RN/{RC}", 3, 3),
    ]
    at_rest(abroad)


def test_cash_in_use_is_not_given_back(books: Books) -> None:  # P7
    books.do(cash(RC, 500_00))
    request = asked(books.do(pays(RC, ("I1", 100_00))))
    wish = payments.GiveBackCash(account="acme", receipt=RC, reason="not theirs")
    assert [fact.reason for fact in books.do(wish)] == ["allocated"]
    books.do(document("14001/2026", clears("I1", 100_00), clears(RC, -100_00), answers=request.request))
    assert [fact.reason for fact in books.do(wish)] == ["allocated"]
    books.do(document("14002/2026", reverses="14001/2026"))
    assert asked(books.say(wish)).kind == "given_back"
    assert standing(books)[RC] == 0


def test_new_terms_move_an_account_to_another_entity() -> None:
    books = Books()
    books.do(opened())
    books.do(accounts.TermsChanged(account="acme", terms=TERMS, reason="merged", effective_from=TODAY))
    assert books.account().legal_entity == ERP
    books.do(accounts.TermsChanged(account="acme", terms=accounts.Terms(), reason="parted", effective_from=TODAY))
    assert books.account().legal_entity == "main"


def test_a_credit_note_of_the_erp_is_matched_like_any_other(books: Books) -> None:
    books.do(credit_note("C1", 50_00))
    books.do(cash(RC, 450_00))
    request = asked(books.do(pays(RC, ("I1", 500_00), ("C1", -50_00))))
    assert {line.item: line.settled_minor for line in request.lines} == {"I1": 500_00, "C1": -50_00, RC: -450_00}
