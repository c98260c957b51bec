"""Statements of account leave by the account's own timer, on the real stack and on event time, over a restart (P13)."""

from __future__ import annotations

import datetime as dt

import pytest

from contracts.accounts import Terms
from contracts.payments import StatementIssued
from services.payments.app import SERVICE
from shared.testing import Servers
from tests.kit.stage import BEGAN, Stage, stage_on
from tests.models.payments_books import invoice, of, opened

pytestmark = pytest.mark.stack
JANUARY, FEBRUARY = dt.date(2026, 1, 31), dt.date(2026, 2, 28)
LEAVES = dt.datetime(2026, 2, 2, 6, tzinfo=dt.UTC)
"""The first working day behind January, at the policy's hour."""


async def told(stage: Stage) -> list[tuple[str, int, dt.date]]:
    facts = of(StatementIssued, [fact.data for fact in await stage.facts()])
    return [(fact.account, fact.number, fact.as_of) for fact in facts]


async def test_a_statement_a_month_for_who_owes_and_none_for_the_others(stack: Servers) -> None:  # P13
    async with stage_on(stack, SERVICE) as stage:
        billed = invoice("I1", 500_00, document_on=BEGAN.date())
        others = (opened("idle", "acme"), opened("none", "acme", terms=Terms(statement_cadence="none")))
        async with stage.running():
            await stage.say("acme", opened(), *others, billed, invoice("N1", 1_00, "none", document_on=BEGAN.date()))
            await stage.equals(1, "select count(*) from timer where kind = 'statement'")
        async with stage.running():  # a deadline is a row: the next instance fires it
            await stage.say("acme", invoice("I2", 100_00, document_on=LEAVES.date()), at=LEAVES + dt.timedelta(minutes=1))
            await stage.equals(2, "select count(*) from item where account = 'acme'")
            assert await told(stage) == [("acme", 1, JANUARY)]
            await stage.say("acme", billed, at=LEAVES + dt.timedelta(days=40))
            await stage.equals(1, "select count(*) from timer where kind = 'statement' and due > '2026-03-31'")
        assert await told(stage) == [("acme", 1, JANUARY), ("acme", 2, FEBRUARY)]
