"""Deputies by date: who may appoint whom, and that a deputy is not a second pair of eyes for whom they cover (A6)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from contracts.accounts import (
    AppointDeputy,
    ApprovalRequested,
    ApproveRequest,
    ChangeLimit,
    DeputyAppointed,
    DeputyEnded,
    EndDeputy,
    WithdrawRequest,
)
from services.accounts.cover import COVERS_MAX
from tests.models.ledger_of_accounts import NOON, TODAY, TOMORROW, Accounts, accounts, name_of, names, opening
from tests.models.ledger_of_accounts import refused as account_refused

DAY = dt.timedelta(days=1)
NEXT_WEEK = TODAY + 7 * DAY


def appoint(**fields: Any) -> AppointDeputy:
    who = {"person": "pia", "deputy": "dan", "role": "team_leader", "reason": "on leave"}
    return AppointDeputy(**{"from_on": TODAY, "until_on": NEXT_WEEK, **who, **fields})


def end(deputy: str = "dan", reason: str = "back") -> EndDeputy:
    return EndDeputy(person="pia", deputy=deputy, reason=reason)


def refused(facts: list[Any], reason: str) -> None:
    assert [(name_of(fact), fact.reason) for fact in facts] == [("DeputyRefused", reason)]


def covered() -> Accounts:
    book = Accounts()
    assert names(book.say(appoint(), role="team_leader", actor="pia")) == ["DeputyAppointed"]
    return book


def test_people_appoint_their_own_deputy_for_their_own_role() -> None:
    assert Accounts().say(appoint(), role="team_leader", actor="pia") == [
        DeputyAppointed(
            person="pia", deputy="dan", role="team_leader", from_on=TODAY, until_on=NEXT_WEEK, reason="on leave", by="pia"
        )
    ]


@pytest.mark.parametrize(
    ("role", "actor", "done"),
    [
        ("operations_manager", "ola", True),
        ("director", "dir", True),
        ("team_leader", "tia", False),
        ("controller", "pia", False),
        ("controller", "dan", False),
        ("feed", "sap", False),
        ("", "pia", False),
        ("team_leader", "dan for pia", False),
    ],
)
def test_nobody_hands_out_more_than_they_have(role: str, actor: str, done: bool) -> None:
    facts = Accounts().say(appoint(), role=role, actor=actor)
    if done:
        assert names(facts) == ["DeputyAppointed"]
    else:
        refused(facts, "beyond_authority")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"deputy": "pia"}, "own_deputy"),
        ({"deputy": "dan for ola"}, "not_a_person"),
        ({"role": "feed"}, "unknown_role"),
        ({"role": "warehouse"}, "unknown_role"),
        ({"until_on": TODAY - DAY}, "not_ahead"),
        ({"from_on": NEXT_WEEK, "until_on": TOMORROW}, "not_ahead"),
        ({"reason": " "}, "no_reason"),
    ],
)
def test_what_is_no_cover_is_refused(fields: dict[str, Any], reason: str) -> None:
    refused(Accounts().say(appoint(**fields), role="team_leader", actor="pia"), reason)


def test_the_same_deputy_is_not_appointed_twice_for_a_day_and_another_may_be() -> None:
    book = covered()
    refused(book.say(appoint(from_on=NEXT_WEEK, until_on=NEXT_WEEK + DAY), role="team_leader", actor="pia"), "covered_already")
    assert names(book.say(appoint(deputy="eva"), role="team_leader", actor="pia")) == ["DeputyAppointed"]
    later = appoint(from_on=NEXT_WEEK + DAY, until_on=NEXT_WEEK + 2 * DAY)
    assert names(book.say(later, role="team_leader", actor="pia")) == ["DeputyAppointed"]


def test_deputies_of_one_person_are_bounded_and_those_of_the_past_are_forgotten() -> None:
    book = Accounts()
    for n in range(COVERS_MAX):
        book.say(appoint(deputy=f"d{n}"), role="team_leader", actor="pia")
    refused(book.say(appoint(), role="team_leader", actor="pia"), "too_many_deputies")
    later = appoint(from_on=NEXT_WEEK + DAY, until_on=NEXT_WEEK + DAY)
    assert names(book.say(later, at=NOON + 8 * DAY, role="team_leader", actor="pia")) == ["DeputyAppointed"]
    assert len(book.rows["pia"].covers) == 1


@pytest.mark.parametrize(("role", "actor"), [("team_leader", "pia"), ("controller", "dan"), ("director", "dir")])
def test_a_cover_is_ended_by_either_of_the_two_or_from_above(role: str, actor: str) -> None:
    book = covered()
    assert book.say(end(), role=role, actor=actor) == [DeputyEnded(person="pia", deputy="dan", reason="back", by=actor)]
    assert book.rows["pia"].covers == ()
    refused(book.say(end(), role=role, actor=actor), "no_cover")


def test_others_do_not_end_a_cover_nor_is_one_ended_that_is_over() -> None:
    book = covered()
    refused(book.say(end(), role="team_leader", actor="tia"), "beyond_authority")
    refused(book.say(end(), at=NOON + 8 * DAY, role="team_leader", actor="pia"), "no_cover")


# --- four eyes with deputies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asks", "answers", "done"),
    [
        ("pia", "dan for pia", False),
        ("dan for pia", "pia", False),
        ("dan for pia", "dan", False),
        ("dan", "dan for pia", False),
        ("pia", "dan", True),
        ("pia", "dan for ola", True),
    ],
)
def test_a_deputy_is_no_second_pair_of_eyes_for_whom_they_cover(asks: str, answers: str, done: bool) -> None:
    book = accounts(opening())
    [asked] = book.say(ChangeLimit(account="acme", limit_minor=900_000, reason="good"), role="team_leader", actor=asks)
    assert isinstance(asked, ApprovalRequested)
    facts = book.say(ApproveRequest(account="acme", request=asked.request, reason="seen"), role="director", actor=answers)
    if done:
        assert names(facts) == ["RequestApproved", "LimitChanged"]
        assert facts[0].by == answers
    else:
        account_refused(facts, "own_request")


def test_what_a_deputy_asked_for_the_covered_person_withdraws() -> None:
    book = accounts(opening())
    [asked] = book.say(ChangeLimit(account="acme", limit_minor=900_000, reason="good"), role="team_leader", actor="dan for pia")
    wish = WithdrawRequest(account="acme", request=asked.request, reason="no")
    assert names(book.say(wish, role="team_leader", actor="pia")) == ["RequestWithdrawn"]
