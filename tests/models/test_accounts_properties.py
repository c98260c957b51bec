"""Whatever is wished in whatever order: what the credit master says can always be folded, sent and read (A2, A3)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.accounts import (
    ChangeLimit,
    ChangeTerms,
    DueChangesReached,
    OpenAccount,
    PutOnStop,
    TakeOffStop,
    TerminateAccount,
    Terms,
)
from contracts.catalogue import MESSAGES
from services.accounts import store
from services.accounts.account import STATUSES, State
from services.accounts.app import SERVICE
from services.accounts.opening import WAYS
from tests.models.ledger_of_accounts import NOON, Accounts, name_of, opening

ANSWERS = {"CommandRefused", "CommandUnneeded"}

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
wishes = st.one_of(
    openings,
    st.builds(ChangeLimit, account=accounts, limit_minor=limits, reason=reasons, effective_from=days, limit_expires_on=days),
    st.builds(ChangeTerms, account=accounts, terms=terms, reason=reasons, effective_from=days),
    st.builds(PutOnStop, account=accounts, reason=reasons),
    st.builds(TakeOffStop, account=accounts, reason=reasons),
    st.builds(TerminateAccount, account=accounts, reason=reasons),
    st.builds(DueChangesReached, account=accounts, day=days.filter(bool)),
)
roles = st.sampled_from(["director", "director", "controller", ""])
steps = st.lists(st.tuples(wishes, roles, st.integers(0, 2)), max_size=40)
START = [opening("group"), opening("north", parent="group")]


def played(script: list[tuple[Any, str, int]]) -> tuple[Accounts, list[Any]]:
    """Each step some days after the one before; returns the accounts and every fact, as (home, fact, time)."""
    book, said, at = Accounts(), [], NOON
    for wish, role, later in [(wish, "director", 0) for wish in START] + script:
        at += dt.timedelta(days=later)
        home = book.home_of(wish)
        said += [(home, fact, at) for fact in book.say(wish, at=at, role=role)]
    return book, said


@given(steps)
def test_the_rows_are_the_fold_of_the_facts(script: list[tuple[Any, str, int]]) -> None:
    book, said = played(script)
    folded: dict[str, Any] = {}
    for home, fact, at in said:
        keys = store.rows(fact, home, 0)
        state = SERVICE.evolve(State(*(folded.get(key) if key else None for key in keys)), fact, at)
        folded.update({key: row for key, row in zip(keys, (state.account, state.root), strict=True) if key and row})
    assert folded == book.rows


@given(steps)
def test_a_status_changes_only_along_its_ways(script: list[tuple[Any, str, int]]) -> None:
    book, at = Accounts(), NOON
    for wish, role, later in [(wish, "director", 0) for wish in START] + script:
        before = dict(book.rows)
        at += dt.timedelta(days=later)
        book.say(wish, at=at, role=role)
        for name, row in book.rows.items():
            was = before[name].status if name in before else row.status
            assert row.status == was or row.status in WAYS[was]


@given(steps)
def test_a_terminated_account_never_changes(script: list[tuple[Any, str, int]]) -> None:
    book, at = Accounts(), NOON
    for wish, role, later in script:
        at += dt.timedelta(days=later)
        ended = {name: row for name, row in book.rows.items() if row.status == "terminated"}
        book.say(wish, at=at, role=role)
        assert all(book[name] == row for name, row in ended.items())


@given(steps)
def test_a_root_counts_its_living_members(script: list[tuple[Any, str, int]]) -> None:
    book, _ = played(script)
    for name, row in book.rows.items():
        living = [other for other in book.rows.values() if other.parent == name and other.status != "terminated"]
        assert row.members == len(living)
        assert row.home == (row.parent or name)


@given(steps)
def test_the_timer_stands_at_the_next_change(script: list[tuple[Any, str, int]]) -> None:
    book, _ = played(script)
    assert {name: due.date() for name, due in book.due.items()} == {
        name: row.next_change_on for name, row in book.rows.items() if row.next_change_on
    }


@given(steps)
def test_the_same_wish_again_is_never_done_twice(script: list[tuple[Any, str, int]]) -> None:
    book, at = Accounts(), NOON
    for wish, role, later in [(wish, "director", 0) for wish in START] + script:
        at += dt.timedelta(days=later)
        book.say(wish, at=at, role=role)
        rows = dict(book.rows)
        again = book.say(wish, at=at, role=role)
        assert {name_of(fact) for fact in again} <= ANSWERS
        assert book.rows == rows


@given(steps)
@settings(max_examples=50)
def test_every_wish_has_an_answer_and_every_answer_can_be_read(script: list[tuple[Any, str, int]]) -> None:
    book, said = played(script)
    for _, fact, _ in said:
        assert msgspec.json.decode(msgspec.json.encode(fact), type=type(fact)) == fact
        assert type(fact) in MESSAGES.values()
    for wish, role, _ in script:
        answers = book.say(wish, role=role)
        assert answers or isinstance(wish, DueChangesReached)
        assert not (len(answers) > 1 and ANSWERS & {name_of(fact) for fact in answers})
