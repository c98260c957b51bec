"""Terms and limits change from a day on, with a reason, within authority (A2, A6)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.accounts import (
    ChangeLimit,
    ChangeScheduled,
    ChangeTerms,
    CommandUnneeded,
    DueChangesReached,
    LimitChanged,
    TerminateAccount,
    Terms,
    TermsChanged,
)
from services.accounts.changes import SCHEDULED_MAX
from tests.models.ledger_of_accounts import (
    NOON,
    TODAY,
    TOMORROW,
    YESTERDAY,
    Accounts,
    accounts,
    names,
    opening,
    refused,
)

NEXT_WEEK = TODAY + dt.timedelta(days=7)


def limit(amount: int, **fields: Any) -> ChangeLimit:
    return ChangeLimit(**{"account": "acme", "limit_minor": amount, "reason": "review", **fields})


def terms(reason: str = "agreed", effective_from: dt.date | None = None, **fields: Any) -> ChangeTerms:
    return ChangeTerms(account="acme", terms=Terms(**fields), reason=reason, effective_from=effective_from)


def reach(book: Accounts, day: dt.date) -> list[Any]:
    """What the timer's command does on that day."""
    return book.say(DueChangesReached(account="acme", day=day), at=dt.datetime.combine(day, dt.time(), dt.UTC))


def test_a_limit_of_today_changes_at_once() -> None:
    book = accounts(opening())
    assert book.say(limit(2_000_00), role="feed") == [
        LimitChanged(account="acme", limit_minor=2_000_00, was_minor=1_000_00, reason="review", effective_from=TODAY, by="ada")
    ]
    assert book["acme"].limit_minor == 2_000_00


@pytest.mark.parametrize("day", [None, TODAY, YESTERDAY, dt.date(1999, 1, 1)])
def test_a_day_of_today_or_before_counts_at_once(day: dt.date | None) -> None:
    [fact] = accounts(opening()).say(limit(5, effective_from=day))
    assert isinstance(fact, LimitChanged)
    assert fact.effective_from == (day or TODAY)


def test_a_later_day_is_scheduled_and_nothing_changes_yet() -> None:
    book = accounts(opening())
    assert names(book.say(limit(5, effective_from=NEXT_WEEK))) == ["ChangeScheduled"]
    assert book["acme"].limit_minor == 1_000_00
    assert book.due == {"acme": dt.datetime.combine(NEXT_WEEK, dt.time(), dt.UTC)}


def test_a_scheduled_change_becomes_a_fact_on_its_day_with_its_author() -> None:
    book = accounts(opening(), limit(5, effective_from=NEXT_WEEK, limit_expires_on=NEXT_WEEK))
    assert reach(book, NEXT_WEEK) == [
        LimitChanged(
            account="acme",
            limit_minor=5,
            was_minor=1_000_00,
            reason="review",
            effective_from=NEXT_WEEK,
            limit_expires_on=NEXT_WEEK,
            by="ada",
        )
    ]
    assert (book["acme"].limit_minor, book["acme"].scheduled, book.due) == (5, (), {})


def test_what_is_due_on_several_days_is_said_oldest_first() -> None:
    book = accounts(opening(), limit(5, effective_from=NEXT_WEEK), limit(7, effective_from=TOMORROW))
    facts = reach(book, NEXT_WEEK)
    assert [(fact.limit_minor, fact.was_minor) for fact in facts] == [(7, 1_000_00), (5, 7)]
    assert book["acme"].limit_minor == 5


def test_the_timer_moves_on_to_the_next_day() -> None:
    book = accounts(opening(), limit(5, effective_from=NEXT_WEEK), limit(7, effective_from=TOMORROW))
    assert book.due == {"acme": dt.datetime.combine(TOMORROW, dt.time(), dt.UTC)}
    reach(book, TOMORROW)
    assert book["acme"].limit_minor == 7
    assert book.due == {"acme": dt.datetime.combine(NEXT_WEEK, dt.time(), dt.UTC)}


def test_nobody_brings_a_day_forward_by_naming_it() -> None:
    book = accounts(opening(), limit(5, effective_from=NEXT_WEEK))
    assert book.say(DueChangesReached(account="acme", day=NEXT_WEEK), at=NOON) == []


def test_a_timer_with_nothing_to_do_stays_quiet() -> None:
    assert reach(accounts(opening()), TODAY) == []
    assert reach(accounts(), TODAY) == []


def test_a_later_word_about_a_day_replaces_the_earlier_one() -> None:
    book = accounts(opening(), limit(5, effective_from=TOMORROW), limit(6, effective_from=TOMORROW))
    assert [fact.limit_minor for fact in reach(book, TOMORROW)] == [6]


def test_the_same_scheduled_change_again_is_unneeded() -> None:
    book = accounts(opening(), limit(5, effective_from=TOMORROW))
    assert book.say(limit(5, effective_from=TOMORROW)) == [CommandUnneeded(account="acme")]
    assert book.say(limit(5, effective_from=NEXT_WEEK)) == [CommandUnneeded(account="acme")]


def test_a_scheduled_change_is_called_off_by_scheduling_what_is() -> None:
    book = accounts(opening(), limit(5, effective_from=TOMORROW))
    assert names(book.say(limit(1_000_00, effective_from=TOMORROW))) == ["ChangeScheduled"]
    reach(book, TOMORROW)
    assert book["acme"].limit_minor == 1_000_00


def test_limit_and_terms_of_one_day_wait_apart() -> None:
    book = accounts(opening(), limit(5, effective_from=TOMORROW), terms(effective_from=TOMORROW, payment_days=14))
    assert sorted(names(reach(book, TOMORROW))) == ["LimitChanged", "TermsChanged"]


def test_a_change_of_today_leaves_what_waits() -> None:
    book = accounts(opening(), limit(5, effective_from=TOMORROW), limit(9))
    assert [fact.limit_minor for fact in reach(book, TOMORROW)] == [5]


def test_terms_change_whole() -> None:
    book = accounts(opening(terms=Terms(payment_days=60, po_required=True)))
    [fact] = book.say(terms(payment_days=14, po_required=True))
    assert isinstance(fact, TermsChanged)
    assert (fact.terms.payment_days, fact.by) == (14, "ada")
    assert book.say(terms(payment_days=14, po_required=True)) == [CommandUnneeded(account="acme")]


def test_scheduled_terms_are_kept_whole() -> None:
    [fact] = accounts(opening()).say(terms(effective_from=TOMORROW, payment_days=90, risk_class="high"))
    assert fact == ChangeScheduled(
        account="acme",
        effective_from=TOMORROW,
        reason="agreed",
        terms=Terms(payment_days=90, risk_class="high"),
        by="ada",
    )


def test_scheduled_terms_become_a_fact_on_their_day_with_reason_and_author() -> None:
    book = accounts(opening(), terms(effective_from=NEXT_WEEK, payment_days=10))
    [fact] = reach(book, NEXT_WEEK)
    assert (fact.terms.payment_days, fact.reason, fact.by, fact.effective_from) == (10, "agreed", "ada", NEXT_WEEK)


@pytest.mark.parametrize("wish", [limit(5, reason=""), limit(5, reason="  "), terms("", payment_days=1)])
def test_a_change_without_reason_is_refused(wish: Any) -> None:
    refused(accounts(opening()).say(wish), "no_reason")


@pytest.mark.parametrize("wish", [limit(5), terms(payment_days=1)])
def test_an_unknown_account_is_refused(wish: Any) -> None:
    assert "open it first" in refused(accounts().say(wish), "unknown_account")


@pytest.mark.parametrize("wish", [limit(5), terms(payment_days=1), limit(5, effective_from=TOMORROW)])
def test_a_terminated_account_refuses_changes(wish: Any) -> None:
    book = accounts(opening(), TerminateAccount(account="acme", reason="closed"))
    refused(book.say(wish), "terminated")


def test_a_termination_drops_what_waits() -> None:
    book = accounts(opening(), limit(5, effective_from=TOMORROW), TerminateAccount(account="acme", reason="closed"))
    assert book.due == {}
    assert reach(book, TOMORROW) == []


def test_an_account_on_stop_takes_changes() -> None:
    book = accounts(opening(), opening(status="on_stop"))
    assert names(book.say(limit(5))) == ["LimitChanged"]


def test_a_limit_that_ends_before_it_starts_is_refused() -> None:
    refused(accounts(opening()).say(limit(5, limit_expires_on=YESTERDAY)), "expires_before_it_starts")
    refused(
        accounts(opening()).say(limit(5, effective_from=NEXT_WEEK, limit_expires_on=TOMORROW)),
        "expires_before_it_starts",
    )


def test_changes_that_wait_are_bounded() -> None:
    waiting = [limit(n, effective_from=TODAY + dt.timedelta(n)) for n in range(1, SCHEDULED_MAX + 1)]
    book = accounts(opening(), *waiting)
    refused(book.say(limit(99, effective_from=TODAY + dt.timedelta(99))), "too_many_scheduled")
    assert names(book.say(limit(99, effective_from=TOMORROW))) == ["ChangeScheduled"]
    assert names(book.say(limit(99))) == ["LimitChanged"]


@pytest.mark.parametrize(
    ("before", "wish", "role", "fact"),
    [
        (400_000, {"amount": 500_000}, "controller", "ApprovalRequested"),
        (400_000, {"amount": 500_001}, "controller", "ApprovalRequested"),
        (400_000, {"amount": 500_000}, "sales", "ApprovalRequested"),
        (400_000, {"amount": 500_000}, "", "CommandRefused"),
        (9_000_000, {"amount": 8_000_000}, "controller", "LimitChanged"),
        (9_000_000, {"amount": 1}, "", "LimitChanged"),
        (9_000_000, {"amount": 90_000_000}, "director", "ApprovalRequested"),
        (9_000_000, {"amount": 90_000_000}, "feed", "LimitChanged"),
        (400_000, {"amount": 600_000, "effective_from": TOMORROW}, "controller", "ApprovalRequested"),
        (400_000, {"amount": 600_000, "effective_from": TOMORROW}, "feed", "ChangeScheduled"),
    ],
)
def test_raising_a_limit_needs_authority(before: int, wish: dict[str, Any], role: str, fact: str) -> None:
    facts = accounts(opening(limit_minor=before)).say(limit(**wish), role=role)  # A6
    assert names(facts) == [fact]


@pytest.mark.parametrize(
    ("expires", "fact"), [(None, "ApprovalRequested"), (NEXT_WEEK, "ApprovalRequested"), (TODAY, "LimitChanged")]
)
def test_a_limit_that_holds_longer_needs_authority_too(expires: dt.date | None, fact: str) -> None:
    book = accounts(opening(limit_minor=9_000_000, limit_expires_on=TOMORROW))
    assert names(book.say(limit(9_000_000, limit_expires_on=expires), role="controller")) == [fact]


@pytest.mark.parametrize(
    ("now", "wished", "needs"),
    [
        ({}, {"payment_days": 45}, True),
        ({}, {"payment_days": 14}, False),
        ({"cash_on_delivery": True}, {}, True),
        ({}, {"cash_on_delivery": True}, False),
        ({"po_required": True}, {}, True),
        ({}, {"risk_class": "low"}, True),
        ({"tier": "key"}, {}, True),
        ({"standard_order_minor": 5}, {"standard_order_minor": 6}, True),
        ({"standard_order_minor": 5}, {}, True),
        ({}, {"standard_order_minor": 5}, False),
        ({}, {"portfolio": "north", "controller": "bob"}, False),
    ],
)
def test_easier_terms_need_authority(now: dict[str, Any], wished: dict[str, Any], needs: bool) -> None:
    book = accounts(opening(limit_minor=1_000_000, terms=Terms(**now)))
    facts = book.say(terms(**wished), role="controller")
    assert names(facts) == (["ApprovalRequested"] if needs else ["TermsChanged"])
    facts = book.say(terms(**wished), role="team_leader")
    assert names(facts) == (["TermsChanged"] if needs else ["CommandUnneeded"])


LONG_AGO = dt.datetime(2010, 3, 1, 9, tzinfo=dt.UTC)


def test_under_the_policy_of_its_day_what_was_beyond_a_person_was_refused_and_a_raise_needed_one() -> None:
    book = Accounts()
    book.say(opening(), at=LONG_AGO)
    assert "ask a team_leader" in refused(book.say(limit(600_000), at=LONG_AGO, role="controller"), "beyond_authority")
    assert names(book.say(limit(400_000), at=LONG_AGO, role="controller")) == ["LimitChanged"]
