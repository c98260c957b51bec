"""Every command from outside is answered: whichever fact the services answer it with has a word here."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts.accounts import AccountRenamed, StatusChanged
from contracts.envelope import ENVELOPES, derived_id
from contracts.message import Message
from contracts.orders import RecallAnswered
from services.gateway.outcomes import HEARD, answers

ANSWERS = [
    (RecallAnswered(order="web/1", account="A1", stopped=True), "orders", "recall answered"),
    (AccountRenamed(account="A1", name="New", reason="file"), "accounts", "renamed"),
    (StatusChanged(account="A1", status="dormant", was="open", reason="file"), "accounts", "status changed"),
]


@pytest.mark.parametrize(("fact", "service", "word"), ANSWERS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_fact_that_may_answer_a_command_first_is_its_outcome(fact: Message, service: str, word: str) -> None:
    cause = "c" * 32
    said = ENVELOPES[type(fact)](
        specversion="1.0", id=derived_id(service, cause, "0"), source=f"/{service}/0", time=dt.datetime.now(dt.UTC),
        subject="A1", partitionkey="A1", sequence="1", correlationid="f" * 32, causationid=cause, data=fact,
    )  # fmt: skip
    assert type(fact) in HEARD
    assert [(answer.command, answer.outcome) for answer in answers([said])] == [(cause, word)]
