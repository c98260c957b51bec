"""What the demo day gives finance: the same for a seed, in steps that others can answer, and never approved by who asked."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections import Counter
from typing import Any

from contracts.message import Message
from contracts.payments import (
    ApprovePayout,
    AskedEntry,
    AskedLine,
    CardChargedBack,
    CardOutcomeNoted,
    ConfirmBankDetails,
    NoteBankDetails,
    Posting,
    PostingRequested,
    PostItem,
    ProposeRefund,
    ProposeWriteOff,
    RefundCardPayment,
    TakeCardPayment,
    TakePosting,
    TakeStatement,
)
from deploy.sandbox.acquirer import BREAKS, DECLINES
from quittance.cashiers import LARCH_CARD, STAFF, VEXLEY_CARD
from quittance.clerks import STEP, staff
from quittance.counterparts import Answers, Cardholders, day_of_finance, posted
from quittance.day import DATE, account_rows, day
from quittance.debtors import ASHDOWN, CORRIGAN, DEBTORS, FORWARD, LARCH, VEXLEY, WEDNESDAY
from quittance.people import DEMO
from quittance.statements import ENTRIES, NIGHT, PAYING_ACCOUNT
from services.payments.policies import MIRROR, in_force
from services.payments.state import REFUND, WRITE_OFF, payout_of
from shared.testing import free_ports

AT = dt.datetime(2026, 3, 2, 8, 0, tzinfo=dt.UTC)
OPENS = dt.datetime.combine(DATE, dt.time(7), tzinfo=dt.UTC)


def said(kind: type[Message], seed: int = 1) -> list[Any]:
    return [act.message for act in day_of_finance(seed) if isinstance(act.message, kind)]


def test_the_same_seed_gives_finance_the_same_day_and_another_one_other_amounts() -> None:
    assert day_of_finance(3) == day_of_finance(3)
    assert [bill.amount_minor for bill in said(PostItem, 3)] != [bill.amount_minor for bill in said(PostItem, 4)]


def test_nothing_of_it_touches_an_account_that_orders() -> None:
    accounts = csv.DictReader(io.StringIO(day(1).accounts.decode() + account_rows(DEBTORS.values()).decode()))
    names = Counter(row["account"] for row in accounts)
    assert set(names.values()) == {1}
    assert {act.account for act in day_of_finance(1)} <= set(DEBTORS)


def test_no_two_things_have_one_name() -> None:
    keys = [act.key for act in (*day_of_finance(1), *day(1).acts)]
    assert len(keys) == len(set(keys))


def test_before_the_day_it_happens_only_at_hours_at_which_the_start_stops_anyway() -> None:
    """Each hour of its own would be one more round through all services before the first order."""
    stops = {act.due for act in day(1).acts}
    early = {act.due for act in day_of_finance(1) if act.due < OPENS}
    assert early == {FORWARD, WEDNESDAY}
    assert early <= stops


def test_most_of_it_is_there_in_the_first_minute_of_the_demo() -> None:
    late = [act for act in day_of_finance(1) if act.due > OPENS + dt.timedelta(minutes=160)]
    assert [act.message.statement for act in late] == ["NW-20260302"]  # type: ignore[attr-defined]


def test_who_answers_a_proposal_is_another_one_and_comes_when_it_is_known() -> None:  # A6
    asked = {}
    for act in day_of_finance(1):
        match act.message:
            case ProposeRefund() as wish:
                asked[payout_of(wish.account, REFUND, wish.key)] = act
            case ProposeWriteOff() as wish:
                asked[payout_of(wish.account, WRITE_OFF, wish.key)] = act
    answers = {act.message.request: act for act in day_of_finance(1) if isinstance(act.message, ApprovePayout)}
    assert 0 < len(answers) < len(asked)
    for request, answer in answers.items():
        assert answer.by != asked[request].by
        assert answer.due - asked[request].due > STEP
    assert {act.by for act in day_of_finance(1)} - {""} == {clerk.name for clerk in STAFF}


def test_what_waits_may_be_approved_by_whoever_signs_in() -> None:  # A6
    people = {person.name for person in DEMO} | {clerk.name for clerk in staff()}
    assert not people & {clerk.name for clerk in STAFF}


def test_one_account_s_new_bank_details_wait_for_their_call_back() -> None:  # P10
    noted, confirmed = ({wish.account for wish in said(kind)} for kind in (NoteBankDetails, ConfirmBankDetails))
    assert len(noted - confirmed) == 1
    assert confirmed < noted


def test_the_night_s_statement_has_each_kind_of_trouble_once() -> None:
    (night,) = (told for told in said(TakeStatement) if told.statement == NIGHT)
    assert [entry.entry for entry in night.entries] == [str(n) for n in range(1, len(ENTRIES) + 1)]


def test_the_report_of_the_morning_stands_in_its_statement_with_our_refund_behind_it() -> None:  # P3, P10
    report, statement = (told for told in said(TakeStatement) if told.bank_account == PAYING_ACCOUNT)
    assert report.is_provisional
    assert not statement.is_provisional
    told = [(entry.amount_minor, entry.text) for entry in statement.entries]
    assert told[:-1] == [(entry.amount_minor, entry.text) for entry in report.entries]
    assert told[-1][0] < 0
    assert in_force(DATE).pays_from["GBP"].bank_account == PAYING_ACCOUNT


def test_the_sandbox_declines_one_card_and_takes_the_others() -> None:  # P9
    for seed in range(20):
        endings = [wish.amount_minor % 100 for wish in said(TakeCardPayment, seed)]
        assert endings.count(DECLINES) == 1
        assert all(ending > BREAKS or ending in (0, DECLINES) for ending in endings)


def captured(account: str, payment: str, key: str = "CK-1") -> CardOutcomeNoted:
    return CardOutcomeNoted(account=account, payment=payment, key=key, outcome="captured", amount_minor=1_00, currency="GBP")


def test_goods_come_back_for_one_card_and_a_cardholder_disputes_the_other_once() -> None:  # P9
    (back,) = Answers(1)(captured(LARCH, LARCH_CARD), AT)
    assert isinstance(back.message, RefundCardPayment)
    assert back.by
    holders = Cardholders("http://nowhere")
    holders.take(captured(LARCH, LARCH_CARD), AT)
    holders.take(captured(VEXLEY, VEXLEY_CARD, "CK-2"), AT)
    assert holders.due(AT + dt.timedelta(minutes=30)) == []
    assert holders.due(AT + dt.timedelta(hours=1)) == ["CK-2"]
    back_there = CardChargedBack(
        account=VEXLEY, payment=VEXLEY_CARD, receipt="RC-1", key="CK-2", amount_minor=1_00, taken_minor=1_00, currency="GBP",
        reason="fraud claimed by the cardholder",
    )  # fmt: skip
    holders.take(back_there, AT)
    assert holders.due(AT + dt.timedelta(hours=2)) == []


async def test_a_sandbox_that_does_not_answer_is_asked_again() -> None:
    (port,) = free_ports(1)
    holders = Cardholders(f"http://127.0.0.1:{port}")
    holders.take(captured(VEXLEY, VEXLEY_CARD, "CK-2"), AT)
    later = AT + dt.timedelta(hours=1)
    await holders.dispute(later)
    assert holders.due(later) == ["CK-2"]


def requested(account: str, kind: str) -> PostingRequested:
    book = (Posting(ledger="transit", amount_minor=500, currency="GBP", base_minor=500),
            Posting(ledger="receivables", amount_minor=-500, currency="GBP", base_minor=-500, item="RC-1"))  # fmt: skip
    return PostingRequested(
        account=account, request="A1B2", kind=kind, legal_entity="erp_example", company_code="1000", on=DATE, answer_by=DATE,
        lines=(AskedLine(account=account, item="INV-1", settled_minor=500, currency="GBP"),),
        entries=(AskedEntry(account=account, kind=kind, effective_on=DATE, lines=book),),
    )  # fmt: skip


def test_the_erp_posts_what_one_debtor_asks_and_is_behind_with_the_other() -> None:  # P1
    (answer,) = Answers(1)(requested(CORRIGAN, "allocation"), AT)
    assert isinstance(answer.message, TakePosting)
    assert answer.message.answers == "A1B2"
    assert [(line.item, line.settled_minor) for line in answer.message.clears] == [("INV-1", 500)]
    assert list(Answers(1)(requested(ASHDOWN, "allocation"), AT)) == []
    entered = posted(requested(CORRIGAN, "receipt"))
    assert [(line.kind, line.amount_minor, line.reference) for line in entered.opens] == [("receipt", -500, "A1B2")]
    for account in (ASHDOWN, CORRIGAN):
        assert in_force(DATE).entity(DEBTORS[account].legal_entity).book == MIRROR
