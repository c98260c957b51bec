"""On stop, off stop, ended; and what a credit group may be (A3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.accounts import (
    AccountOpened,
    AccountTerminated,
    CommandUnneeded,
    PlacedOnStop,
    PutOnStop,
    TakenOffStop,
    TakeOffStop,
    TerminateAccount,
)
from services.accounts.standing import STOP_REASONS_MAX
from tests.models.ledger_of_accounts import TODAY, accounts, names, opening, refused


def stop(reason: str = "two invoices overdue", account: str = "acme") -> PutOnStop:
    return PutOnStop(account=account, reason=reason)


def clear(reason: str = "paid", account: str = "acme") -> TakeOffStop:
    return TakeOffStop(account=account, reason=reason)


def end(reason: str = "moved away", account: str = "acme") -> TerminateAccount:
    return TerminateAccount(account=account, reason=reason)


def test_an_open_account_is_put_on_stop_with_its_reason() -> None:
    book = accounts(opening())
    in_a_week = TODAY + dt.timedelta(days=7)
    assert book.say(stop()) == [PlacedOnStop(account="acme", reason="two invoices overdue", progress_due_on=in_a_week)]
    assert (book["acme"].status, book["acme"].stop_reasons) == ("on_stop", ("two invoices overdue",))


def test_the_same_reason_again_is_unneeded_and_another_is_kept() -> None:
    book = accounts(opening(), stop())
    assert book.say(stop()) == [CommandUnneeded(account="acme")]
    assert names(book.say(stop("cheque bounced"))) == ["PlacedOnStop"]
    assert book["acme"].stop_reasons == ("two invoices overdue", "cheque bounced")


def test_an_account_taken_off_stop_trades_again() -> None:
    book = accounts(opening(), stop())
    assert book.say(clear()) == [TakenOffStop(account="acme", reason="paid")]
    assert (book["acme"].status, book["acme"].stop_reasons) == ("open", ())


def test_an_open_account_need_not_be_taken_off_stop() -> None:
    assert accounts(opening()).say(clear()) == [CommandUnneeded(account="acme")]


def test_a_dormant_account_may_be_put_on_stop() -> None:
    assert names(accounts(opening(), opening(status="dormant")).say(stop())) == ["PlacedOnStop"]


@pytest.mark.parametrize(("status", "wish"), [("prospect", stop()), ("prospect", clear()), ("dormant", clear())])
def test_what_the_status_does_not_allow_is_refused(status: str, wish: Any) -> None:
    refused(accounts(opening(status=status)).say(wish), "wrong_status")


@pytest.mark.parametrize("wish", [stop(), clear(), end()])
def test_an_unknown_account_is_refused(wish: Any) -> None:
    refused(accounts().say(wish), "unknown_account")


@pytest.mark.parametrize("wish", [stop(""), end(" ")])
def test_a_stop_or_end_without_reason_is_refused(wish: Any) -> None:
    refused(accounts(opening()).say(wish), "no_reason")


def test_taking_off_stop_needs_a_reason() -> None:
    refused(accounts(opening(), stop()).say(clear("")), "no_reason")


def test_stop_reasons_are_bounded() -> None:
    book = accounts(opening(), *(stop(f"reason {n}") for n in range(STOP_REASONS_MAX)))
    refused(book.say(stop("one more")), "too_many_reasons")


@pytest.mark.parametrize("status", ["prospect", "open", "on_stop", "dormant"])
def test_an_account_ends_from_any_status(status: str) -> None:
    book = accounts(opening(status=status))
    assert book.say(end()) == [AccountTerminated(account="acme", reason="moved away")]
    assert book["acme"].status == "terminated"


def test_an_end_is_for_good() -> None:
    book = accounts(opening(), end())
    assert book.say(end()) == [CommandUnneeded(account="acme")]
    refused(book.say(stop()), "terminated")
    refused(book.say(clear()), "terminated")


# --- groups ---------------------------------------------------------------------------------------------------------


def test_a_member_is_opened_at_the_home_of_its_parent() -> None:
    book = accounts(opening("group"))
    [fact] = book.say(opening("north", parent="group"))
    assert isinstance(fact, AccountOpened)
    assert (fact.parent, fact.home, book["group"].members) == ("group", "group", 1)


def test_a_parent_must_be_opened_before_its_members() -> None:
    assert "open it first" in refused(accounts().say(opening("north", parent="group")), "unknown_parent")


def test_a_member_cannot_be_a_parent() -> None:
    book = accounts(opening("group"), opening("north", parent="group"))
    assert "'group'" in refused(book.say(opening("leeds", parent="north")), "parent_not_root")
    assert "'group'" in refused(book.say(opening("leeds", parent="north"), home="north"), "parent_not_root")


def test_a_member_trades_in_the_currency_of_its_group() -> None:
    book = accounts(opening("group"))
    refused(book.say(opening("lyon", parent="group", currency="EUR")), "other_currency")


@pytest.mark.parametrize("parent", [None, "other"])
def test_an_account_cannot_change_its_group_by_being_sent_again(parent: str | None) -> None:
    book = accounts(opening("group"), opening("other"), opening("north", parent="group"))
    assert "'group'" in refused(book.say(opening("north", parent=parent)), "other_home")
    if parent:
        refused(book.say(opening("north", parent=parent), home="other"), "other_home")


def test_a_root_cannot_become_a_member() -> None:
    book = accounts(opening("group"), opening("other"))
    refused(book.say(opening("other", parent="group")), "other_home")


def test_an_account_keyed_by_another_home_is_refused() -> None:
    refused(accounts().say(opening("acme"), home="elsewhere"), "other_home")


def test_a_root_is_not_ended_before_its_members() -> None:
    book = accounts(opening("group"), opening("north", parent="group"))
    refused(book.say(end(account="group")), "has_members")
    refused(book.say(opening("group", status="terminated")), "has_members")
    book.say(end(account="north"))
    assert names(book.say(end(account="group"))) == ["AccountTerminated"]


def test_a_terminated_root_takes_no_members() -> None:
    book = accounts(opening("group"), end(account="group"))
    refused(book.say(opening("north", parent="group")), "terminated")
