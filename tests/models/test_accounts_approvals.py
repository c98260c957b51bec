"""What is beyond its sender, or needs four eyes, is asked for; somebody else with the authority lets it happen (A6)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.accounts import (
    ApprovalRequested,
    ApproveRequest,
    ChangeLimit,
    ChangeTerms,
    CommandUnneeded,
    DeclineRequest,
    LimitChanged,
    RequestApproved,
    RequestDeclined,
    RequestWithdrawn,
    TerminateAccount,
    Terms,
    WithdrawRequest,
)
from services.accounts import policies
from services.accounts.changes import REQUESTS_MAX
from tests.models.ledger_of_accounts import NOON, TODAY, TOMORROW, Accounts, accounts, names, opening, refused

DAY = dt.timedelta(days=1)
NEXT_WEEK = TODAY + 7 * DAY
END = TerminateAccount(account="acme", reason="closed")


def limit(amount: int = 900_000, **fields: Any) -> ChangeLimit:
    return ChangeLimit(**{"account": "acme", "limit_minor": amount, "reason": "good payer", **fields})


def terms(**fields: Any) -> ChangeTerms:
    return ChangeTerms(account="acme", terms=Terms(**fields), reason="agreed at the visit")


def asked(wish: Any = None, role: str = "controller", actor: str = "con", **fields: Any) -> tuple[Accounts, str]:
    """An account with one open request, and the request's name."""
    book = accounts(opening(**fields))
    [fact] = book.say(wish or limit(), role=role, actor=actor)
    assert isinstance(fact, ApprovalRequested)
    return book, fact.request


def approve(request: str, reason: str = "seen the accounts", **fields: Any) -> ApproveRequest:
    return ApproveRequest(account="acme", request=request, reason=reason, **fields)


def decline(request: str, reason: str = "too soon") -> DeclineRequest:
    return DeclineRequest(account="acme", request=request, reason=reason)


def withdraw(request: str, reason: str = "not needed") -> WithdrawRequest:
    return WithdrawRequest(account="acme", request=request, reason=reason)


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_raise_beyond_its_sender_is_asked_for_and_nothing_changes_yet() -> None:
    book = accounts(opening())
    [fact] = book.say(limit(limit_expires_on=NEXT_WEEK), role="controller", actor="con")
    assert fact == ApprovalRequested(
        account="acme",
        request=fact.request,
        kind="limit",
        amount_minor=900_000,
        currency="GBP",
        levels=("team_leader", "operations_manager", "financial_controller", "director"),
        reason="good payer",
        by="con",
        effective_from=TODAY,
        limit_minor=900_000,
        limit_expires_on=NEXT_WEEK,
    )
    assert book["acme"].limit_minor == 1_000_00


@pytest.mark.parametrize(("role", "amount"), [("controller", 400_000), ("director", 90_000_000)])
def test_a_raise_within_authority_needs_a_second_pair_of_eyes(role: str, amount: int) -> None:
    [fact] = accounts(opening()).say(limit(amount), role=role)
    assert isinstance(fact, ApprovalRequested)
    assert fact.four_eyes
    assert role in fact.levels


def test_terms_beyond_their_sender_are_asked_for_and_within_authority_change_at_once() -> None:
    book = accounts(opening(limit_minor=600_000))
    [fact] = book.say(terms(payment_days=60), role="controller")
    assert isinstance(fact, ApprovalRequested)
    assert (fact.kind, fact.amount_minor, fact.terms, fact.limit_minor) == ("terms", 600_000, Terms(payment_days=60), None)
    assert names(book.say(terms(payment_days=60), role="team_leader")) == ["TermsChanged"]


@pytest.mark.parametrize(("role", "actor"), [("", "ada"), ("controller", "")])
def test_who_is_not_known_in_a_role_asks_for_nothing(role: str, actor: str) -> None:
    refused(accounts(opening()).say(limit(), role=role, actor=actor), "beyond_authority")


def test_the_same_wish_is_not_asked_for_twice() -> None:
    book, _ = asked()
    assert book.say(limit(), role="controller", actor="con") == [CommandUnneeded(account="acme")]
    assert book.say(limit(reason="I think so too"), role="team_leader", actor="tia") == [CommandUnneeded(account="acme")]
    assert names(book.say(limit(900_001), role="controller", actor="con")) == ["ApprovalRequested"]


def test_requests_of_one_account_are_bounded() -> None:
    book = accounts(opening())
    for n in range(REQUESTS_MAX):
        assert names(book.say(limit(900_000 + n), role="controller")) == ["ApprovalRequested"]
    refused(book.say(limit(999_999), role="controller"), "too_many_requests")
    assert names(book.say(limit(1), role="controller")) == ["LimitChanged"]


@pytest.mark.parametrize(("wish", "reason"), [(limit(reason=" "), "no_reason"), (limit(account="other"), "unknown_account")])
def test_what_is_wrong_with_a_change_is_said_before_anybody_is_asked(wish: Any, reason: str) -> None:
    refused(accounts(opening()).say(wish, role="controller"), reason)


# --- approving ------------------------------------------------------------------------------------------------------


def test_an_approval_makes_the_change_happen_in_the_same_step() -> None:
    book, request = asked()
    facts = book.say(approve(request, sales_view="KAM agrees", finance_view="covered"), role="team_leader", actor="tia")
    assert facts == [
        RequestApproved(
            account="acme",
            request=request,
            by="tia",
            role="team_leader",
            reason="seen the accounts",
            sales_view="KAM agrees",
            finance_view="covered",
        ),
        LimitChanged(
            account="acme", limit_minor=900_000, was_minor=1_000_00, reason="good payer", effective_from=TODAY, by="con"
        ),
    ]
    assert (book["acme"].limit_minor, book["acme"].requests) == (900_000, ())


@pytest.mark.parametrize("tier", ["key", "top_15"])
@pytest.mark.parametrize(
    "views", [{}, {"sales_view": "KAM agrees"}, {"finance_view": "covered"}, {"sales_view": " ", "finance_view": "x"}]
)
def test_on_a_key_account_an_approval_records_both_views(tier: str, views: dict[str, str]) -> None:  # A6
    book, request = asked(terms=Terms(tier=tier))
    refused(book.say(approve(request, **views), role="director", actor="dir"), "no_views")
    both = approve(request, sales_view="KAM agrees", finance_view="covered")
    assert names(book.say(both, role="director", actor="dir")) == ["RequestApproved", "LimitChanged"]


def test_before_key_accounts_had_views_none_were_asked_for() -> None:
    before = dt.datetime(2010, 7, 31, 12, tzinfo=dt.UTC)
    book = accounts(opening(terms=Terms(tier="key")))
    [fact] = book.say(limit(), at=before, role="controller", actor="con")
    assert names(book.say(approve(fact.request), at=before, role="director", actor="dir")) == ["RequestApproved", "LimitChanged"]


@pytest.mark.parametrize(
    ("amount", "role", "done"),
    [
        (400_000, "controller", True),
        (900_000, "controller", False),
        (9_000_000, "team_leader", False),
        (9_000_000, "operations_manager", True),
        (9_000_000, "financial_controller", True),
        (90_000_000, "financial_controller", False),
        (90_000_000, "director", True),
        (400_000, "sales", False),
        (400_000, "feed", False),
        (400_000, "", False),
    ],
)
def test_it_takes_the_level_of_the_amount(amount: int, role: str, done: bool) -> None:
    book, request = asked(limit(amount))
    facts = book.say(approve(request), role=role, actor="other")
    if done:
        assert names(facts) == ["RequestApproved", "LimitChanged"]
    else:
        refused(facts, "beyond_authority")
        assert book["acme"].limit_minor == 1_000_00


@pytest.mark.parametrize("role", ["controller", "director"])
def test_nobody_approves_or_declines_their_own_request(role: str) -> None:
    book, request = asked(limit(400_000))
    refused(book.say(approve(request), role=role, actor="con"), "own_request")
    refused(book.say(decline(request), role=role, actor="con"), "own_request")
    refused(book.say(approve(request), role=role, actor=""), "no_author")


def test_the_authority_for_terms_is_measured_on_the_day_of_the_approval() -> None:
    book, request = asked(terms(payment_days=60), limit_minor=600_000)
    book.say(limit(6_000_000), role="feed")
    refused(book.say(approve(request), role="team_leader", actor="tia"), "beyond_authority")
    assert names(book.say(approve(request), role="financial_controller", actor="fin")) == ["RequestApproved", "TermsChanged"]


def test_a_request_of_an_older_policy_is_approved_under_the_one_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    stricter = policies.versions()[0]
    grades = {"limit": (policies.Grade(role="director", level=4),)}
    later = policies.Policy(version="later", effective_from=TOMORROW, authority={**stricter.authority, **grades}, requests=True)
    monkeypatch.setattr(policies, "versions", lambda: (later, stricter))
    book, request = asked()
    refused(book.say(approve(request), at=NOON + DAY, role="team_leader", actor="tia"), "beyond_authority")
    assert names(book.say(approve(request), at=NOON + DAY, role="director", actor="dir")) == ["RequestApproved", "LimitChanged"]


def test_a_day_still_ahead_is_waited_for_and_one_that_passed_becomes_today() -> None:
    book, request = asked(limit(effective_from=NEXT_WEEK))
    assert names(book.say(approve(request), role="director", actor="dir")) == ["RequestApproved", "ChangeScheduled"]
    book, request = asked(limit(effective_from=TOMORROW))
    [_, changed] = book.say(approve(request), at=NOON + 3 * DAY, role="director", actor="dir")
    assert isinstance(changed, LimitChanged)
    assert changed.effective_from == TODAY + 3 * DAY


def test_a_request_that_no_longer_fits_is_refused_in_words() -> None:
    book, request = asked()
    book.say(limit(50_000), role="feed")
    assert "asked anew" in refused(book.say(approve(request), role="director", actor="dir"), "changed_meanwhile")
    book, request = asked(terms(payment_days=60), limit_minor=600_000)
    book.say(terms(payment_days=90), role="feed")
    refused(book.say(approve(request), role="director", actor="dir"), "changed_meanwhile")
    book, request = asked(limit(limit_expires_on=TOMORROW))
    refused(book.say(approve(request), at=NOON + 2 * DAY, role="director", actor="dir"), "expires_before_it_starts")
    book, request = asked(limit(effective_from=NEXT_WEEK))
    book.say(limit(effective_from=TOMORROW), role="feed")
    refused(book.say(approve(request), role="director", actor="dir"), "changed_meanwhile")


def test_a_terminated_account_has_no_requests() -> None:
    book, request = asked()
    book.say(END)
    assert book["acme"].requests == ()
    for wish in (approve(request), decline(request), withdraw(request)):
        refused(book.say(wish, actor="dir"), "terminated")


@pytest.mark.parametrize("again", [approve, decline, withdraw])
def test_a_request_is_answered_once(again: Any) -> None:
    book, request = asked()
    book.say(approve(request), role="director", actor="dir")
    refused(book.say(again(request), role="director", actor="con"), "unknown_request")


@pytest.mark.parametrize("answer", [approve, decline, withdraw])
def test_an_answer_has_its_reason(answer: Any) -> None:
    book, request = asked()
    refused(book.say(answer(request, reason=" "), role="director", actor="dir"), "no_reason")


# --- declining, withdrawing -----------------------------------------------------------------------------------------


def test_who_may_approve_may_decline() -> None:
    book, request = asked()
    refused(book.say(decline(request), role="controller", actor="other"), "beyond_authority")
    assert book.say(decline(request), role="team_leader", actor="tia") == [
        RequestDeclined(account="acme", request=request, by="tia", reason="too soon")
    ]
    assert (book["acme"].requests, book["acme"].limit_minor) == ((), 1_000_00)


def test_only_who_asked_may_withdraw() -> None:
    book, request = asked()
    assert "con asked" in refused(book.say(withdraw(request), role="director", actor="dir"), "not_yours")
    assert book.say(withdraw(request), role="", actor="con") == [
        RequestWithdrawn(account="acme", request=request, by="con", reason="not needed")
    ]
    assert book["acme"].requests == ()
