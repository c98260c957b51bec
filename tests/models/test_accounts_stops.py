"""A stop is announced before its day and worked on until it ends: owner, actions, a note every week (A3). Notes stay (A7)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.accounts import (
    AccountNoted,
    AddStopAction,
    AssignStop,
    CallOffStop,
    CloseStopAction,
    CommandUnneeded,
    NoteAccount,
    NoteStopProgress,
    PlacedOnStop,
    PutOnStop,
    ReachStop,
    ReachStopProgress,
    ScheduleStop,
    StopActionAdded,
    StopActionClosed,
    StopAssigned,
    StopCalledOff,
    StopProgressMissed,
    StopProgressNoted,
    StopScheduled,
    TakeOffStop,
    TerminateAccount,
)
from services.accounts import store
from services.accounts.account import StopWork
from services.accounts.standing import STOP_REASONS_MAX
from services.accounts.stopwork import ACTIONS_MAX
from services.accounts.timeline import CHANNELS
from tests.models.ledger_of_accounts import NOON, TODAY, TOMORROW, YESTERDAY, Accounts, accounts, names, opening, refused

DAY = dt.timedelta(days=1)
FRIDAY = TODAY + 2 * DAY
IN_A_WEEK = TODAY + 7 * DAY
STOP = PutOnStop(account="acme", reason="cheque returned")
CLEAR = TakeOffStop(account="acme", reason="paid")
END = TerminateAccount(account="acme", reason="closed")
ASSIGN = AssignStop(account="acme", owner="bea")
NOTE = NoteStopProgress(account="acme", text="director promises a plan")


def announce(on: dt.date = FRIDAY, reason: str = "60 days overdue") -> ScheduleStop:
    return ScheduleStop(account="acme", on=on, reason=reason)


def call_off(reason: str = "paid") -> CallOffStop:
    return CallOffStop(account="acme", reason=reason)


def action(name: str = "visit", text: str = "see the director", due_on: dt.date = FRIDAY, owner: str = "bea") -> AddStopAction:
    return AddStopAction(account="acme", action=name, text=text, due_on=due_on, owner=owner)


def done(name: str = "visit", outcome: str = "he pays on Monday") -> CloseStopAction:
    return CloseStopAction(account="acme", action=name, outcome=outcome)


def start_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def arrive(book: Accounts, day: dt.date) -> list[Any]:
    """What the timer of an announced stop does on that day."""
    return book.say(ReachStop(account="acme", day=day), at=start_of(day))


def miss(book: Accounts, due_on: dt.date, at: dt.date | None = None) -> list[Any]:
    """What the timer of the weekly note does, on the day after it was due or later."""
    return book.say(ReachStopProgress(account="acme", due_on=due_on), at=start_of(at or due_on + DAY))


# --- announced ahead ------------------------------------------------------------------------------------------------


def test_a_stop_is_announced_before_it_happens() -> None:
    book = accounts(opening())
    assert book.say(announce()) == [StopScheduled(account="acme", on=FRIDAY, reason="60 days overdue", by="ada")]
    assert book["acme"].status == "open"
    assert book.waking(store.STOP) == {"acme": start_of(FRIDAY)}


def test_on_its_day_the_account_goes_on_stop_once() -> None:
    book = accounts(opening(), announce())
    assert arrive(book, FRIDAY) == [PlacedOnStop(account="acme", reason="60 days overdue", progress_due_on=FRIDAY + 7 * DAY)]
    assert (book["acme"].status, book["acme"].coming_stop, book.waking(store.STOP)) == ("on_stop", None, {})
    assert arrive(book, FRIDAY) == []


def test_nobody_brings_an_announced_stop_forward_by_naming_its_day() -> None:
    book = accounts(opening(), announce())
    assert book.say(ReachStop(account="acme", day=FRIDAY), at=NOON) == []


def test_an_announced_stop_is_called_off() -> None:
    book = accounts(opening(), announce())
    assert book.say(call_off()) == [StopCalledOff(account="acme", on=FRIDAY, reason="paid", by="ada")]
    assert book.waking(store.STOP) == {}
    assert arrive(book, FRIDAY) == []
    assert book.say(call_off()) == [CommandUnneeded(account="acme")]


def test_a_later_word_moves_an_announced_stop() -> None:
    book = accounts(opening(), announce(), announce(IN_A_WEEK))
    assert arrive(book, FRIDAY) == []
    assert names(arrive(book, IN_A_WEEK)) == ["PlacedOnStop"]


def test_the_same_announcement_again_is_unneeded() -> None:
    assert accounts(opening(), announce()).say(announce()) == [CommandUnneeded(account="acme")]


def test_a_stop_that_comes_sooner_replaces_the_announced_one() -> None:
    book = accounts(opening(), announce(), STOP, CLEAR)
    assert (book["acme"].coming_stop, book.waking(store.STOP)) == (None, {})
    assert arrive(book, FRIDAY) == []


def test_a_terminated_account_has_no_stop_to_come() -> None:
    book = accounts(opening(), announce(), END)
    assert book.waking(store.STOP) == {}
    assert arrive(book, FRIDAY) == []


@pytest.mark.parametrize("day", [YESTERDAY, TODAY])
def test_a_stop_is_not_announced_for_a_day_that_has_come(day: dt.date) -> None:
    assert "put_on_stop" in refused(accounts(opening()).say(announce(day)), "not_ahead")


def test_only_an_account_that_trades_has_a_stop_announced() -> None:
    refused(accounts(opening(status="prospect")).say(announce()), "wrong_status")
    refused(accounts(opening(), STOP).say(announce()), "wrong_status")
    assert names(accounts(opening(status="dormant")).say(announce())) == ["StopScheduled"]


@pytest.mark.parametrize("wish", [announce(reason=" "), call_off("")])
def test_an_announced_stop_has_its_reason(wish: Any) -> None:
    refused(accounts(opening(), announce(TOMORROW)).say(wish), "no_reason")


# --- the work -------------------------------------------------------------------------------------------------------


def test_somebody_owns_the_work_of_a_stop() -> None:
    book = accounts(opening(), STOP)
    assert book.say(ASSIGN) == [StopAssigned(account="acme", owner="bea", by="ada")]
    assert book.say(ASSIGN) == [CommandUnneeded(account="acme")]
    assert names(book.say(AssignStop(account="acme", owner="cyd"))) == ["StopAssigned"]


def test_actions_have_an_owner_and_a_day_and_end_with_an_outcome() -> None:
    book = accounts(opening(), STOP)
    assert book.say(action()) == [
        StopActionAdded(account="acme", action="visit", text="see the director", due_on=FRIDAY, owner="bea", by="ada")
    ]
    assert book.say(done()) == [StopActionClosed(account="acme", action="visit", outcome="he pays on Monday", by="ada")]
    work = book["acme"].work
    assert work is not None
    assert [each.outcome for each in work.actions] == ["he pays on Monday"]


def test_the_same_action_and_outcome_again_are_unneeded() -> None:
    book = accounts(opening(), STOP, action())
    assert book.say(action()) == [CommandUnneeded(account="acme")]
    book.say(done())
    assert book.say(done(outcome="once more")) == [CommandUnneeded(account="acme")]


def test_an_action_is_named_once() -> None:
    refused(accounts(opening(), STOP, action()).say(action(text="something else")), "name_taken")
    refused(accounts(opening(), STOP, action()).say(done("call")), "unknown_action")


def test_what_an_action_says_must_be_readable_and_ahead() -> None:
    book = accounts(opening(), STOP, action())
    refused(book.say(action("b", text=" ")), "no_text")
    refused(book.say(done(outcome="")), "no_text")
    refused(book.say(action("b", due_on=YESTERDAY)), "not_ahead")
    assert names(book.say(action("b", due_on=TODAY))) == ["StopActionAdded"]


def test_actions_are_bounded() -> None:
    book = accounts(opening(), STOP, *(action(f"a{n}") for n in range(ACTIONS_MAX)))
    refused(book.say(action("one more")), "too_many_actions")


@pytest.mark.parametrize("wish", [ASSIGN, action(), done(), NOTE])
@pytest.mark.parametrize(
    ("before", "reason"),
    [((), "unknown_account"), ((opening(),), "wrong_status"), ((opening(), STOP, END), "terminated")],
)
def test_only_an_account_on_stop_is_worked_on(before: tuple[Any, ...], reason: str, wish: Any) -> None:
    refused(accounts(*before).say(wish), reason)


@pytest.mark.parametrize("end", [CLEAR, opening(status="open"), END])
def test_the_work_ends_with_the_stop(end: Any) -> None:
    book = accounts(opening(), STOP, ASSIGN, action(), end)
    assert (book["acme"].work, book.waking(store.STOP_PROGRESS)) == (None, {})
    assert miss(book, IN_A_WEEK) == []


def test_the_next_stop_begins_afresh() -> None:
    book = accounts(opening(), STOP, ASSIGN, action(), CLEAR, STOP)
    assert book["acme"].work == StopWork(progress_due_on=IN_A_WEEK)


# --- a note every week ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [(opening(), STOP), (opening(), opening(status="on_stop")), (opening(status="on_stop"),)])
def test_a_stop_has_its_first_note_within_a_week(before: tuple[Any, ...]) -> None:
    book = accounts(*before)
    assert book.waking(store.STOP_PROGRESS) == {"acme": start_of(IN_A_WEEK + DAY)}


def test_a_further_reason_moves_no_week() -> None:
    book = accounts(opening(), STOP)
    [fact] = book.say(PutOnStop(account="acme", reason="letter returned"), at=NOON + 3 * DAY)
    assert fact.progress_due_on is None
    assert book.waking(store.STOP_PROGRESS) == {"acme": start_of(IN_A_WEEK + DAY)}


def test_a_note_puts_the_next_one_a_week_away() -> None:
    book = accounts(opening(), STOP)
    assert book.say(NOTE, at=NOON + 3 * DAY) == [
        StopProgressNoted(account="acme", text="director promises a plan", next_due_on=TODAY + 10 * DAY, by="ada")
    ]
    assert book.waking(store.STOP_PROGRESS) == {"acme": start_of(TODAY + 11 * DAY)}
    assert miss(book, IN_A_WEEK) == []


def test_a_note_that_says_nothing_is_none() -> None:
    refused(accounts(opening(), STOP).say(NoteStopProgress(account="acme", text=" ")), "no_text")


def test_a_missed_note_is_said_with_its_owner_and_the_next_is_due_a_week_later() -> None:
    book = accounts(opening(), STOP, ASSIGN)
    assert miss(book, IN_A_WEEK) == [
        StopProgressMissed(account="acme", due_on=IN_A_WEEK, next_due_on=IN_A_WEEK + 7 * DAY, owner="bea")
    ]
    assert miss(book, IN_A_WEEK) == []
    assert book.waking(store.STOP_PROGRESS) == {"acme": start_of(IN_A_WEEK + 8 * DAY)}


def test_a_note_on_its_last_day_is_in_time() -> None:
    book = accounts(opening(), STOP)
    assert book.say(ReachStopProgress(account="acme", due_on=IN_A_WEEK), at=start_of(IN_A_WEEK)) == []


@pytest.mark.parametrize(("late", "next_due"), [(7, 14), (8, 21), (30, 42)])
def test_weeks_in_which_nothing_ran_are_missed_once(late: int, next_due: int) -> None:
    book = accounts(opening(), STOP)
    [fact] = miss(book, IN_A_WEEK, IN_A_WEEK + late * DAY)
    assert fact.next_due_on == TODAY + next_due * DAY
    assert fact.next_due_on >= IN_A_WEEK + late * DAY


def test_a_stop_of_before_the_weekly_note_was_policy_has_none_until_the_first_is_written() -> None:
    book = Accounts()
    book.say(opening(), at=dt.datetime(2010, 3, 1, tzinfo=dt.UTC))
    book.say(STOP, at=dt.datetime(2010, 3, 1, tzinfo=dt.UTC))
    assert book.waking(store.STOP_PROGRESS) == {}
    book.say(NOTE)
    assert book.waking(store.STOP_PROGRESS) == {"acme": start_of(IN_A_WEEK + DAY)}


# --- the timeline ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_note_is_kept_with_its_channel_and_whose_it_is(channel: str) -> None:
    book = accounts(opening())
    before = book["acme"]
    wish = NoteAccount(account="acme", channel=channel, text="asked for a copy invoice")
    assert book.say(wish) == [AccountNoted(account="acme", channel=channel, text="asked for a copy invoice", by="ada")]
    assert book["acme"] is before


def test_an_ended_account_is_still_written_to() -> None:
    book = accounts(opening(), END)
    assert names(book.say(NoteAccount(account="acme", channel="letter", text="final statement"))) == ["AccountNoted"]


@pytest.mark.parametrize(
    ("fields", "actor", "reason"),
    [
        ({"account": "nobody"}, "ada", "unknown_account"),
        ({"channel": "smoke"}, "ada", "unknown_channel"),
        ({"text": "  "}, "ada", "no_text"),
        ({}, "", "no_author"),
    ],
)
def test_a_note_that_cannot_be_kept_is_refused(fields: dict[str, Any], actor: str, reason: str) -> None:
    wish = NoteAccount(**{"account": "acme", "channel": "call", "text": "rang twice", **fields})
    refused(accounts(opening()).say(wish, actor=actor), reason)


def test_reasons_of_an_announced_stop_count_to_the_bound() -> None:
    book = accounts(opening(), announce())
    arrive(book, FRIDAY)
    for n in range(STOP_REASONS_MAX - 1):
        assert names(book.say(PutOnStop(account="acme", reason=f"reason {n}"))) == ["PlacedOnStop"]
    refused(book.say(STOP), "too_many_reasons")
