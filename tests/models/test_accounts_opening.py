"""Opening accounts, and bringing them to the state a file says (A2, A3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.accounts import AccountOpened, CommandUnneeded, CoverChanged, LimitChanged, Terms
from tests.models.ledger_of_accounts import TODAY, TOMORROW, YESTERDAY, accounts, names, opening, refused

GENEROUS = Terms(payment_days=60)


def test_a_new_account_is_opened_at_its_own_home() -> None:
    [fact] = accounts().say(opening(limit_minor=5_000, reason="signed"))
    assert isinstance(fact, AccountOpened)
    assert (fact.account, fact.home, fact.limit_minor, fact.status, fact.reason) == (
        "acme",
        "acme",
        5_000,
        "open",
        "signed",
    )


def test_the_same_opening_again_changes_nothing() -> None:
    book = accounts(opening(terms=GENEROUS, insured_minor=5, limit_expires_on=TOMORROW))
    before = book["acme"]
    assert book.say(opening(terms=GENEROUS, insured_minor=5, limit_expires_on=TOMORROW)) == [CommandUnneeded(account="acme")]
    assert book["acme"] == before


@pytest.mark.parametrize(
    ("difference", "fact"),
    [
        ({"limit_minor": 2_000_00}, "LimitChanged"),
        ({"limit_expires_on": TOMORROW}, "LimitChanged"),
        ({"terms": GENEROUS}, "TermsChanged"),
        ({"insured_minor": 7}, "CoverChanged"),
        ({"name": "Acme plc"}, "AccountRenamed"),
        ({"status": "on_stop"}, "PlacedOnStop"),
        ({"status": "dormant"}, "StatusChanged"),
        ({"status": "terminated"}, "AccountTerminated"),
    ],
)
def test_only_what_differs_is_said(difference: dict[str, Any], fact: str) -> None:
    book = accounts(opening())
    assert names(book.say(opening(**difference), role="feed")) == [fact]
    assert names(book.say(opening(**difference), role="feed")) == ["CommandUnneeded"]


def test_a_person_does_not_raise_a_limit_by_sending_the_account_again() -> None:
    book = accounts(opening())
    assert "accounts.change_limit" in refused(book.say(opening(limit_minor=2_000_00)), "four_eyes")  # A6
    refused(book.say(opening(limit_minor=9_000_000), role="controller"), "beyond_authority")
    assert book["acme"].limit_minor == 1_000_00


def test_all_that_differs_is_said_at_once() -> None:
    book = accounts(opening())
    facts = book.say(opening(name="B", limit_minor=1, terms=GENEROUS, insured_minor=1, status="on_stop"))
    assert sorted(names(facts)) == ["AccountRenamed", "CoverChanged", "LimitChanged", "PlacedOnStop", "TermsChanged"]
    assert book["acme"].status == "on_stop"


def test_every_change_carries_its_reason_and_who_asked() -> None:
    book = accounts(opening())
    [limit] = book.say(opening(limit_minor=1, reason="quarterly review"))
    assert isinstance(limit, LimitChanged)
    assert (limit.reason, limit.by, limit.was_minor, limit.effective_from) == (
        "quarterly review",
        "ada",
        1_000_00,
        TODAY,
    )
    [cover] = book.say(opening(limit_minor=1, insured_minor=9))
    assert isinstance(cover, CoverChanged)
    assert cover.reason == "as the credit master says"


def test_a_file_without_statuses_takes_nobody_off_stop() -> None:
    book = accounts(opening(), opening(status="on_stop"))
    assert names(book.say(opening())) == ["CommandUnneeded"]
    assert names(book.say(opening(status="open"))) == ["TakenOffStop"]


def test_a_prospect_is_opened_by_its_file() -> None:
    book = accounts(opening(status="prospect"))
    assert book["acme"].status == "prospect"
    assert names(book.say(opening(status="open"))) == ["StatusChanged"]
    assert book["acme"].status == "open"


def test_a_dormant_account_trades_again() -> None:
    book = accounts(opening(), opening(status="dormant"))
    book.say(opening(status="open"))
    assert book["acme"].status == "open"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("open", "prospect"),
        ("on_stop", "dormant"),
        ("on_stop", "prospect"),
        ("prospect", "on_stop"),
        ("dormant", "prospect"),
    ],
)
def test_a_status_that_cannot_follow_is_refused(first: str, then: str) -> None:
    book = accounts(opening(status=first))
    assert "cannot become" in refused(book.say(opening(status=then)), "wrong_status")
    assert book["acme"].status == first


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"currency": "gbp"}, "unknown_currency"),
        ({"currency": "XYZ"}, "unknown_currency"),
        ({"status": "asleep"}, "unknown_status"),
        ({"status": "terminated"}, "wrong_status"),
        ({"effective_from": TOMORROW}, "not_at_once"),
        ({"limit_expires_on": YESTERDAY}, "expires_before_it_starts"),
        ({"parent": "acme"}, "own_parent"),
    ],
)
def test_an_account_that_cannot_be_opened_is_refused(wish: dict[str, Any], reason: str) -> None:
    book = accounts()
    refused(book.say(opening(**wish), home="acme"), reason)
    assert book.rows == {}


def test_an_account_keeps_its_currency() -> None:
    assert "GBP" in refused(accounts(opening()).say(opening(currency="EUR")), "other_currency")


def test_one_refused_part_refuses_the_whole_wish() -> None:
    book = accounts(opening())
    refused(book.say(opening(status="prospect", limit_minor=1)), "wrong_status")
    assert book["acme"].limit_minor == 1_000_00


def test_only_limit_and_terms_wait_for_a_later_day() -> None:
    book = accounts(opening())
    assert names(book.say(opening(limit_minor=1, effective_from=TOMORROW))) == ["ChangeScheduled"]
    assert names(book.say(opening(limit_minor=1, effective_from=TOMORROW))) == ["CommandUnneeded"]
    refused(book.say(opening(name="B", effective_from=TOMORROW)), "not_at_once")


def test_a_terminated_account_refuses_its_file() -> None:
    book = accounts(opening(), opening(status="terminated"))
    refused(book.say(opening(limit_minor=5)), "terminated")
    refused(book.say(opening(status="open")), "terminated")
    assert names(book.say(opening(status="terminated", limit_minor=5))) == ["CommandUnneeded"]


@pytest.mark.parametrize(
    ("role", "limit", "opened"),
    [
        ("controller", 500_000, True),
        ("controller", 500_001, False),
        ("team_leader", 2_500_000, True),
        ("operations_manager", 10_000_001, False),
        ("financial_controller", 10_000_000, True),
        ("director", 10**15, True),
        ("feed", 10**15, True),
        ("", 1, False),
        ("clerk", 1, False),
    ],
)
def test_an_opening_needs_authority_for_its_limit(role: str, limit: int, opened: bool) -> None:
    facts = accounts().say(opening(limit_minor=limit), role=role)  # A6
    assert (names(facts) == ["AccountOpened"]) is opened
    if not opened:
        refused(facts, "beyond_authority")


def test_who_lacks_authority_is_told_whom_to_ask() -> None:
    detail = refused(accounts().say(opening(limit_minor=9_000_000), role="controller"), "beyond_authority")
    assert "ask a operations_manager or financial_controller" in detail


def test_an_opening_of_long_ago_is_kept_with_its_day() -> None:
    [fact] = accounts().say(opening(effective_from=dt.date(2010, 1, 1)))
    assert isinstance(fact, AccountOpened)
    assert fact.effective_from == dt.date(2010, 1, 1)
