"""Whatever is wished in whatever order: what the credit master says can always be folded, sent and read (A2, A3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accounts import (
    AddStopAction,
    ApproveRequest,
    AssignStop,
    CallOffStop,
    ChangeLimit,
    ChangeTerms,
    CloseStopAction,
    DeclineRequest,
    DueChangesReached,
    NoteAccount,
    NoteStopProgress,
    OpenAccount,
    PutOnStop,
    ReachStop,
    ReachStopProgress,
    ScheduleStop,
    TakeOffStop,
    TerminateAccount,
    Terms,
    WithdrawRequest,
)
from contracts.catalogue import MESSAGES
from contracts.envelope import derived_id
from services.accounts import store
from services.accounts.account import STATUSES, State
from services.accounts.app import SERVICE
from services.accounts.opening import WAYS
from tests.models.ledger_of_accounts import NOON, Accounts, name_of, opening

ANSWERS = {"CommandRefused", "CommandUnneeded"}
TIMERS = (DueChangesReached, ReachStop, ReachStopProgress)
WORDS = (NoteAccount, NoteStopProgress)
"""What is said again is said twice: each time it is an entry."""

accounts = st.sampled_from(["group", "north", "south", "alone"])
days = st.none() | st.integers(-3, 9).map(lambda n: NOON.date() + dt.timedelta(days=n))
reasons = st.sampled_from(["", "why not", "because"])
limits = st.integers(0, 3).map(lambda n: n * 4_000_00)
terms = st.builds(Terms, payment_days=st.sampled_from([0, 30, 60]))
openings = st.builds(
    OpenAccount,
    account=accounts,
    name=st.sampled_from(["A", "B"]),
    currency=st.sampled_from(["GBP", "GBP", "GBP", "EUR", "???"]),
    limit_minor=limits,
    parent=st.none() | accounts,
    status=st.none() | st.sampled_from([*STATUSES, "asleep"]),
    terms=terms,
    insured_minor=st.integers(0, 1),
    reason=reasons,
    effective_from=days,
    limit_expires_on=days,
)
requests = st.integers(0, 45).map(lambda n: f"cause-{n}").map(lambda cause: derived_id("request", cause))
actions = st.sampled_from(["call", "visit"])
wishes = st.one_of(
    openings,
    st.builds(ChangeLimit, account=accounts, limit_minor=limits, reason=reasons, effective_from=days, limit_expires_on=days),
    st.builds(ChangeTerms, account=accounts, terms=terms, reason=reasons, effective_from=days),
    st.builds(PutOnStop, account=accounts, reason=reasons),
    st.builds(TakeOffStop, account=accounts, reason=reasons),
    st.builds(TerminateAccount, account=accounts, reason=reasons),
    st.builds(DueChangesReached, account=accounts, day=days.filter(bool)),
    st.builds(ScheduleStop, account=accounts, on=days.filter(bool), reason=reasons),
    st.builds(CallOffStop, account=accounts, reason=reasons),
    st.builds(ReachStop, account=accounts, day=days.filter(bool)),
    st.builds(AssignStop, account=accounts, owner=actions),
    st.builds(AddStopAction, account=accounts, action=actions, text=reasons, due_on=days.filter(bool), owner=actions),
    st.builds(CloseStopAction, account=accounts, action=actions, outcome=reasons),
    st.builds(NoteStopProgress, account=accounts, text=reasons),
    st.builds(ReachStopProgress, account=accounts, due_on=days.filter(bool)),
    st.builds(NoteAccount, account=accounts, channel=st.sampled_from(["call", "smoke"]), text=reasons),
    st.builds(ApproveRequest, account=accounts, request=requests, reason=reasons),
    st.builds(DeclineRequest, account=accounts, request=requests, reason=reasons),
    st.builds(WithdrawRequest, account=accounts, request=requests, reason=reasons),
)
people = st.sampled_from([("feed", "sap"), ("director", "dir"), ("director", "ada"), ("controller", "con"), ("", "ada")])
steps = st.lists(st.tuples(wishes, people, st.integers(0, 2)), max_size=40)
Script = list[tuple[Any, tuple[str, str], int]]
BOSS = ("feed", "sap")
START = [opening("group"), opening("north", parent="group")]


def played(script: Script) -> tuple[Accounts, list[Any]]:
    """Each step some days after the one before; returns the accounts and every fact, as (home, fact, time)."""
    book, said, at = Accounts(), [], NOON
    for wish, (role, actor), later in [(wish, BOSS, 0) for wish in START] + script:
        at += dt.timedelta(days=later)
        home = book.home_of(wish)
        said += [(home, fact, at) for fact in book.say(wish, at=at, role=role, actor=actor)]
    return book, said


@given(steps)
def test_the_rows_are_the_fold_of_the_facts(script: Script) -> None:
    book, said = played(script)
    folded: dict[str, Any] = {}
    for home, fact, at in said:
        keys = store.rows(fact, home, 0)
        state = SERVICE.evolve(State(*(folded.get(key) if key else None for key in keys)), fact, at)
        folded.update({key: row for key, row in zip(keys, (state.account, state.root, state.person), strict=True) if key and row})
    assert folded == book.rows


@given(steps)
def test_a_status_changes_only_along_its_ways(script: Script) -> None:
    book, at = Accounts(), NOON
    for wish, (role, actor), later in [(wish, BOSS, 0) for wish in START] + script:
        before = dict(book.rows)
        at += dt.timedelta(days=later)
        book.say(wish, at=at, role=role, actor=actor)
        for name, row in book.rows.items():
            was = before[name].status if name in before else row.status
            assert row.status == was or row.status in WAYS[was]


@given(steps)
def test_a_terminated_account_never_changes(script: Script) -> None:
    book, at = Accounts(), NOON
    for wish, (role, actor), later in script:
        at += dt.timedelta(days=later)
        ended = {name: row for name, row in book.rows.items() if row.status == "terminated"}
        book.say(wish, at=at, role=role, actor=actor)
        assert all(book[name] == row for name, row in ended.items())


@given(steps)
def test_a_root_counts_its_living_members(script: Script) -> None:
    book, _ = played(script)
    for name, row in book.rows.items():
        living = [other for other in book.rows.values() if other.parent == name and other.status != "terminated"]
        assert row.members == len(living)
        assert row.home == (row.parent or name)


@given(steps)
def test_the_timers_stand_where_the_rows_say(script: Script) -> None:
    book, _ = played(script)
    for kind, wakes_on in store.WAKES.items():
        assert {name: due.date() for name, due in book.waking(kind).items()} == {
            name: day for name, row in book.rows.items() if (day := wakes_on(row))
        }


@given(steps)
def test_there_is_work_as_long_as_a_stop_and_a_stop_to_come_only_before_one(script: Script) -> None:  # A3
    book, _ = played(script)
    for row in book.rows.values():
        assert (row.work is not None) == (row.status == "on_stop") == bool(row.stop_reasons)
        assert row.coming_stop is None or row.status in ("open", "dormant")


@given(steps)
def test_no_person_raises_a_limit_alone(script: Script) -> None:  # A6
    book, at = Accounts(), NOON
    asked: dict[str, str] = {}
    for wish, (role, actor), later in [(wish, BOSS, 0) for wish in START] + script:
        at += dt.timedelta(days=later)
        before = dict(book.rows)
        facts = book.say(wish, at=at, role=role, actor=actor)
        asked |= {fact.request: fact.by for fact in facts if name_of(fact) == "ApprovalRequested"}
        raised = [name for name, row in book.rows.items() if name in before and row.limit_minor > before[name].limit_minor]
        if raised and role != "feed" and not isinstance(wish, TIMERS):
            assert isinstance(wish, ApproveRequest)
            assert asked[wish.request] != actor
            assert facts[0].by == actor


@given(steps)
def test_the_same_wish_again_is_never_done_twice(script: Script) -> None:
    book, at = Accounts(), NOON
    for wish, (role, actor), later in [(wish, BOSS, 0) for wish in START] + script:
        at += dt.timedelta(days=later)
        book.say(wish, at=at, role=role, actor=actor)
        rows = dict(book.rows)
        again = book.say(wish, at=at, role=role, actor=actor)
        assert {name_of(fact) for fact in again} <= ANSWERS or isinstance(wish, WORDS)
        assert book.rows == rows


@given(steps)
@settings(max_examples=50)
def test_every_wish_has_an_answer_and_every_answer_can_be_read(script: Script) -> None:
    book, said = played(script)
    for _, fact, _ in said:
        assert msgspec.json.decode(msgspec.json.encode(fact), type=type(fact)) == fact
        assert type(fact) in MESSAGES.values()
    for wish, (role, actor), _ in script:
        answers = book.say(wish, role=role, actor=actor)
        assert answers or isinstance(wish, TIMERS)
        assert not (len(answers) > 1 and ANSWERS & {name_of(fact) for fact in answers})
