"""What a pressed button tells: outcomes and refusals of the gateway in words, and when two presses are one wish."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from contracts.orders import NoteOrder
from services.console.people import Person
from services.console.wishes import _identity, _read, in_the_name_of

ROSE = Person("rose", "Rose Osei", "controller", "desk", ("north", "a,b"))
NOTE = NoteOrder(order="wholesale/1", account="A1", note="called")


def answer(status: int, body: Any) -> httpx.Response:
    return httpx.Response(status, json=body)


def test_what_was_done_is_told_in_the_word_of_the_fact() -> None:
    outcome = _read(answer(200, {"outcome": "released", "fact": {"data": {"order": "wholesale/1"}}}))
    assert (outcome.how, outcome.said, outcome.is_done) == ("done", "Done: released.", True)
    assert outcome.fact == {"order": "wholesale/1"}


def test_a_refusal_is_told_in_the_words_of_the_desk() -> None:
    told = {"reason": "authority", "detail": "a controller may release up to 5,000.00; refer it to a team leader"}
    outcome = _read(answer(200, {"outcome": "refused", "fact": {"data": told}}))
    assert (outcome.how, outcome.said, outcome.tone) == ("refused", told["detail"], "bad")


def test_what_is_not_answered_in_time_was_sent() -> None:
    outcome = _read(answer(202, {"flow": "x", "state": "accepted"}))
    assert (outcome.how, outcome.tone) == ("waiting", "warn")


def test_every_fault_is_told_with_how_to_mend_it() -> None:
    faults = [{"field": field, "problem": f"{field} is empty", "mend": "write it"} for field in ("note", "name")]
    said = _read(answer(422, {"detail": "2 things must be mended", "errors": faults})).said
    assert said == "Note is empty: write it; name is empty: write it."


def test_a_fault_that_says_itself_how_to_mend_it_ends_without_a_colon() -> None:
    faults = [{"field": "on", "problem": "write the day as text, such as 2026-11-30", "mend": ""}]
    assert _read(answer(422, {"errors": faults})).said == "Write the day as text, such as 2026-11-30."


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_gateway_is_no_no(status: int) -> None:
    outcome = _read(answer(status, {"detail": "too much waits to be sent on"}))
    assert outcome.how == "failed"
    assert "it counts once" in outcome.said


def test_an_answer_that_is_none_of_the_gateways_is_told_as_no_answer() -> None:
    assert _read(httpx.Response(502, text="<html>")).how == "failed"


def test_a_double_click_is_one_wish() -> None:
    assert _identity(ROSE, "form-1", NOTE) == _identity(ROSE, "form-1", NOTE)


def test_another_form_person_or_content_is_another_wish() -> None:
    osei = Person("osei", "O", "controller", "desk")
    other = NoteOrder(order="wholesale/1", account="A1", note="called again")
    identities = {_identity(ROSE, "f", NOTE), _identity(ROSE, "g", NOTE), _identity(osei, "f", NOTE), _identity(ROSE, "f", other)}
    assert len(identities) == 4


def test_names_and_portfolios_travel_in_ascii() -> None:
    headers = in_the_name_of(Person("renée", "Renée", "controller", "desk", ("north", "a,b")))
    assert headers["Quittance-Actor"] == "ren%C3%A9e"
    assert headers["Quittance-Portfolios"] == "north,a%2Cb"
    assert "Quittance-Portfolios" not in in_the_name_of(Person("rose", "Rose", "controller", "desk"))
