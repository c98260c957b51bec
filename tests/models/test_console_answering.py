"""What the doer of something is told once: in words with its effect, and to nobody else (A3, A6)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.answering import case_of, told
from services.console.booking import Page
from services.console.notices import Notice, read, sign
from services.console.wishes import Outcome

PAGE = Page(account="T1007", currency="GBP")
WAITS = {"status": "held", "waiting_minor": 5, "reserved_minor": 0, "recalled": False}
GOES = {"status": "released", "waiting_minor": 0, "reserved_minor": 5, "recalled": False}


def words(word: str, orders: Any = (), typed: Any = None, how: str = "done", **fact: Any) -> str:
    return told(case_of(PAGE, typed or {}, Outcome(how, "", word, fact), orders))


@pytest.mark.parametrize(
    ("orders", "follows"),
    [
        ([WAITS, WAITS, WAITS, GOES], "3 waiting orders stay held, 1 released order is being recalled."),
        ([WAITS], "1 waiting order stays held."),
        ([GOES, GOES], "2 released orders are being recalled."),
        ([{**GOES, "recalled": True}, {**GOES, "status": "despatched"}], "No order of it waits or is on its way."),
    ],
)
def test_a_stop_tells_what_it_does_to_the_orders(orders: Any, follows: str) -> None:  # A3, O4
    assert words("on stop", orders) == f"T1007 is on stop. {follows}"


def test_a_changed_limit_tells_the_limit_and_what_is_looked_at_again() -> None:  # O7
    assert words("limit changed", [WAITS], limit_minor=900_000) == (
        "The limit of T1007 is 9,000.00 GBP. 1 order that waits is looked at again."
    )
    asked = words("approval requested", levels=["team_leader", "director"])
    assert asked == "It needs a team leader or above: it waits in the approvals inbox, and nothing has changed yet."
    assert words("scheduled", effective_from=dt.date(2026, 3, 4)).startswith("It changes on 4 Mar 2026")


@pytest.mark.parametrize("word", ["off stop", "approved", "declined", "withdrawn", "noted", "stop called off"])
def test_every_answer_names_the_account_and_is_a_sentence(word: str) -> None:
    said = words(word)
    assert "T1007" in said and said.endswith(".")


def test_what_is_not_answered_or_changed_nothing_claims_nothing() -> None:
    assert words("", how="waiting").startswith("Sent. The answer is not there yet")
    assert words("unchanged") == "It was so already; nothing changed."
    assert words("a word of later") == "It is done. This page shows it as soon as it knows."


def test_a_notice_is_read_by_the_session_that_it_was_signed_for_only() -> None:
    notice = Notice("/accounts/T1007", "T1007 is on stop.")
    assert read(b"mine", sign(b"mine", notice)) == notice
    assert read(b"theirs", sign(b"mine", notice)) is None


@given(st.text())
def test_no_text_is_a_notice_by_chance(text: str) -> None:
    assert read(b"key", text) is None
