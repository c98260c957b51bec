"""Faults of what people and machines send, as they read them: which field, what is wrong with it, how to mend it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from contracts import accounts, orders, payments
from contracts.accounts import ChangeTerms
from contracts.catalogue import MESSAGES
from contracts.forms import PROBLEMS, Fault, Faulty, Form, filled, form_of, in_words, message_of
from contracts.orders import PlaceOrder
from services.gateway.bodies import Event, OrderForm

LIMIT = {"account": "A1", "limit_minor": 1, "reason": "good payer"}
DAY = {"account": "A1", "reason": "x"}
ADVICE = {"account": "A1", "advice": "x", "amount_minor": 1, "currency": "GBP"}
OF_A_LIBRARY = re.compile(
    r"[Ii]nput should|Value error|[Ss]tring|permitted|Field required|pydantic|[Tt]uple|isoformat|[Ii]nteger|dictionary"
)
TEXTS = ("", "b", "bb", "x" * 100_000, "\0", "\ud800", "nonsense", "2026-13-45", "2026-02-30T09:00:00Z", "1.2.3")
LISTS: tuple[Any, ...] = ([], [1], [1, 1, 1, 1], [{}], [""] * 20_000)
WRONG: tuple[Any, ...] = (*TEXTS, *LISTS, None, -1, 0, 100, 10**30, 1.5, True, {}, {"nonsense": 1}, {1: 1}, object())


def faults(kind: type[msgspec.Struct], body: object) -> tuple[Fault, ...]:
    with pytest.raises(Faulty) as caught:
        message_of(kind, body)
    return caught.value.faults


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (accounts.ChangeLimit, LIMIT | {"limit_minor": -100}, "The limit is too small: write 0 or more."),
        (accounts.ChangeLimit, LIMIT | {"limit_minor": True}, f"The limit is no whole number: {PROBLEMS['int_type'][1]}."),
        (accounts.ChangeLimit, LIMIT | {"account": ""}, "The account is empty: write it."),
        (accounts.ChangeLimit, LIMIT | {"reason": "x" * 501}, "The reason is too long: write at most 500 characters."),
        (accounts.ChangeLimit, {"account": "A1", "limit_minor": 1}, "The reason is missing: add it."),
        (accounts.ScheduleStop, DAY, "The day is missing: add it."),
        (accounts.ScheduleStop, DAY | {"on": ""}, "Write the day as text, such as 2026-11-30."),
        (accounts.ScheduleStop, DAY | {"on": "2026-02-30"}, "'2026-02-30' is not in the calendar."),
        (payments.TakeAdvice, ADVICE | {"lines": 1}, "The lines is no list: write it as a list, in square brackets."),
        (payments.TakeAdvice, ADVICE | {"lines": [1]}, "Entry 1 of the lines is no object: write it as an object, in braces."),
        (accounts.ChangeLimit, [], "The body is no object: write it as an object, in braces."),
        (orders.CancelOrder, {"order": "home/1", "account": "1"}, "The reason is missing: add it."),
        (accounts.CallOffStop, {}, "The account is missing: add it; the reason is missing: add it."),
    ],
)
def test_a_fault_says_which_field_what_is_wrong_and_how_to_mend_it(kind: type[msgspec.Struct], body: object, said: str) -> None:
    assert in_words(faults(kind, body)) == said


def test_a_field_that_is_not_known_is_named_as_it_was_sent() -> None:
    (fault,) = faults(orders.CancelOrder, {"order": "home/1", "account": "1", "reason": "x", "colour": "red"})
    assert (fault.field, fault.problem) == ("colour", "'colour' is no field here")
    assert fault.mend.startswith("remove it, or did you mean one of: order, ")


class Bounded(msgspec.Struct):
    """Every bound that a contract may set."""

    more: Annotated[int, Meta(gt=0, lt=10)] = 1
    text: Annotated[str, Meta(min_length=2, max_length=3, pattern="^a")] = "ab"
    entries: Annotated[tuple[int, ...], Meta(min_length=2, max_length=3)] = (1, 2)
    word: Literal["a", "b"] = "a"
    at: Annotated[int, Meta(ge=1, le=10)] = 1
    known: bool = True


def test_nobody_reads_the_words_of_a_library() -> None:
    forms: list[Any] = [form_of(message) for message in MESSAGES.values()]
    told = {fault.problem for form in (*forms, form_of(Bounded), OrderForm, Event) for fault in _told(form)}
    assert [problem for problem in told if OF_A_LIBRARY.search(problem)] == []


def test_the_table_has_no_word_that_a_form_cannot_say() -> None:
    told = {fault.problem for form in (form_of(Bounded), form_of(PlaceOrder), form_of(ChangeTerms)) for fault in _told(form)}
    assert [problem for problem, _ in PROBLEMS.values() if not any(each.endswith(problem) for each in told)] == []


@given(st.lists(st.builds(Fault, st.text(), st.text(min_size=1), st.text()), min_size=1))
def test_no_sentence_ends_in_a_colon_without_a_mend(found: list[Fault]) -> None:
    told = in_words([msgspec.structs.replace(fault, problem=f"{fault.problem}x") for fault in found])
    assert told.endswith(".") and not told.endswith(": .")


def _told(form: type[Form]) -> Iterator[Fault]:
    """What is said when everything wrong that a sender may put somewhere stands in each field."""
    for name in form.model_fields:
        for wrong in WRONG:
            try:
                filled(form, {name: wrong})
            except Faulty as faulty:
                yield from faulty.faults
