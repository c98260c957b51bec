"""Every command from outside is answered: whichever fact the services answer it with has a word here."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts import payments
from contracts.accounts import (
    AccountNoted,
    AccountRenamed,
    DeputyEnded,
    DeputyRefused,
    LimitChanged,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    StatusChanged,
    StopActionAdded,
    StopActionClosed,
    StopAssigned,
    StopCalledOff,
    StopProgressNoted,
    StopScheduled,
)
from contracts.envelope import ENVELOPES, Envelope, derived_id
from contracts.message import Message
from contracts.orders import (
    DealApproved,
    DealDeclined,
    DealRefused,
    DealRegistered,
    DealWithdrawn,
    RecallAnswered,
)
from services.gateway.bodies import SENDABLE
from services.gateway.outcomes import HEARD, answers, kept_out

DAY = dt.date(2026, 3, 9)
ANSWERS = [
    (RecallAnswered(order="web/1", account="A1", stopped=True), "orders", "recall answered"),
    (
        DealRegistered(
            deal="D1",
            account="A1",
            currency="GBP",
            value_minor=1,
            from_on=DAY,
            until_on=DAY,
            evidence="",
            level="director",
            by="sam",
        ),
        "orders",
        "registered",
    ),
    (DealApproved(deal="D1", account="A1", value_minor=1, until_on=DAY, by="bea", reason="launch"), "orders", "approved"),
    (DealDeclined(deal="D1", account="A1", by="bea", reason="no"), "orders", "declined"),
    (DealWithdrawn(deal="D1", account="A1", freed_minor=1, by="sam", reason="lost"), "orders", "withdrawn"),
    (DealRefused(deal="D1", account="A1", reason="own_request", detail="another"), "orders", "refused"),
    (AccountRenamed(account="A1", name="New", reason="file"), "accounts", "renamed"),
    (StatusChanged(account="A1", status="dormant", was="open", reason="file"), "accounts", "status changed"),
    (StopScheduled(account="A1", on=DAY, reason="overdue"), "accounts", "stop scheduled"),
    (StopCalledOff(account="A1", on=DAY, reason="paid"), "accounts", "stop called off"),
    (StopAssigned(account="A1", owner="bea"), "accounts", "stop assigned"),
    (StopActionAdded(account="A1", action="visit", text="see him", due_on=DAY, owner="bea"), "accounts", "action added"),
    (StopActionClosed(account="A1", action="visit", outcome="seen"), "accounts", "action closed"),
    (StopProgressNoted(account="A1", text="a plan", next_due_on=DAY), "accounts", "progress noted"),
    (DeputyEnded(person="pia", deputy="dan", reason="back", by="pia"), "accounts", "deputy ended"),
    (DeputyRefused(person="pia", reason="no_cover", detail="none"), "accounts", "refused"),
    (AccountNoted(account="A1", channel="call", text="rang", by="bea"), "accounts", "noted"),
    (RequestDeclined(account="A1", request="r", by="bea", reason="no"), "accounts", "declined"),
    (RequestWithdrawn(account="A1", request="r", by="con", reason="no"), "accounts", "withdrawn"),
    (payments.StatementRepeated(bank_account="GB1", statement="S1", part=1), "payments", "repeated"),
    (payments.CashKeptOnAccount(account="A1", receipt="R1", unallocated_minor=1, reason="asked"), "payments", "kept on account"),
    (payments.PayerForgotten(account="A1", alias="x", reason="wrong"), "payments", "forgotten"),
    (payments.PeriodClosed(account="ledger", month=DAY, until_on=DAY), "payments", "closed"),
    (payments.CommandRefused(account="A1", reason="unknown_receipt", detail="none"), "payments", "refused"),
    (payments.CommandUnneeded(account="A1"), "payments", "unchanged"),
]


@pytest.mark.parametrize(("fact", "service", "word"), ANSWERS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_fact_that_may_answer_a_command_first_is_its_outcome(fact: Message, service: str, word: str) -> None:
    cause = "c" * 32
    said = ENVELOPES[type(fact)](
        specversion="1.0", id=derived_id(service, cause, "0"), source=f"/{service}/0", time=dt.datetime.now(dt.UTC),
        subject="A1", partitionkey="A1", sequence="1", correlationid="f" * 32, causationid=cause, data=fact,
    )  # fmt: skip
    assert type(fact) in HEARD
    assert [(answer.command, answer.outcome) for answer in answers([said])] == [(cause, word)]


def said(fact: Message, n: int, service: str = "accounts") -> Envelope:
    """The n-th fact that answers one command."""
    cause = "c" * 32
    return ENVELOPES[type(fact)](
        specversion="1.0", id=derived_id(service, cause, str(n)), source=f"/{service}/0", time=dt.datetime.now(dt.UTC),
        subject="A1", partitionkey="A1", sequence=str(n + 1), correlationid="f" * 32, causationid=cause, data=fact,
    )  # fmt: skip


def test_an_approval_is_answered_by_itself_and_not_by_the_change_that_follows() -> None:
    approved = RequestApproved(account="A1", request="r", by="tia", role="team_leader", reason="seen")
    changed = LimitChanged(account="A1", limit_minor=2, was_minor=1, reason="good payer", effective_from=DAY)
    assert [answer.outcome for answer in answers([said(approved, 0), said(changed, 1)])] == ["approved"]


# --- the ledger -----------------------------------------------------------------------------------------------------

POSTED = payments.ItemPosted(
    account="A1", item="INV-1", kind="invoice", amount_minor=100, currency="GBP", document_on=DAY, due_on=DAY
)


def billing_error(posted: bool) -> payments.BillingErrorFound:
    return payments.BillingErrorFound(account="A1", item="INV-1", cause="po_missing", detail="add it", posted=posted)


def outcomes(*facts: Message) -> list[str]:
    return [answer.outcome for answer in answers([said(fact, n, "payments") for n, fact in enumerate(facts)])]


def test_an_invoice_that_does_not_fit_and_is_entered_all_the_same_is_posted() -> None:  # P2
    assert outcomes(billing_error(posted=True), billing_error(posted=True), POSTED) == ["posted"]


def test_an_invoice_that_is_kept_out_is_refused_once_with_its_first_cause() -> None:  # P2
    found = answers([said(billing_error(posted=False), n, "payments") for n in (0, 1)])
    assert [answer.outcome for answer in found] == ["refused"]
    assert b'"cause":"po_missing"' in found[0].body


def test_a_receipt_that_follows_cash_answers_nobody() -> None:
    receipt = payments.ItemPosted(
        account="A1", item="RC-1", kind="receipt", amount_minor=-100, currency="GBP", document_on=DAY, due_on=DAY
    )
    assert outcomes(receipt) == []


def test_what_the_ledger_kept_out_has_not_used_its_number_up() -> None:  # P2
    closed = payments.CommandRefused(account="A1", reason="period_closed", detail="later", item="INV-2")
    facts = [billing_error(posted=False), billing_error(posted=True), POSTED, closed]
    assert kept_out(said(fact, 0, "payments") for fact in facts) == ["INV-1", "INV-2"]
    assert kept_out([said(billing_error(posted=True), 0, "payments"), said(POSTED, 1, "payments")]) == []


INTERNAL = (
    payments.ReceiveCash,
    payments.ConfirmCash,
    payments.ConfirmEntries,
    payments.ReferCash,
    payments.RetryCash,
    payments.UndoMatch,
    payments.WithdrawCash,
    payments.DropEntry,
    payments.TakeBackCash,
    payments.NoteCardOutcome,
)


def test_what_the_ledger_sends_itself_never_comes_from_outside() -> None:  # G1
    assert not SENDABLE & set(INTERNAL)
