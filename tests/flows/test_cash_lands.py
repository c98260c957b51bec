"""From the bank's statement to a settled invoice on the real stack: recognised, carried to its account, matched (P3, P5, P6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from contracts import payments
from services.payments.app import SERVICE
from services.payments.state import home_of_bank
from shared.refold import differences
from shared.testing import Servers
from tests.kit.stage import BEGAN, Stage, stage_on
from tests.models.payments_books import BANK, credit_note, entry, invoice, opened, statement

pytestmark = pytest.mark.stack

DAY = dt.timedelta(days=1)
ON = BEGAN.date()


@pytest.fixture
async def stage(stack: Servers) -> AsyncIterator[Stage]:
    async with stage_on(stack, SERVICE) as found:
        yield found


def billed(item: str, amount_minor: int, account: str = "acme", **more: Any) -> payments.PostItem:
    return invoice(item, amount_minor, account, document_on=ON - 10 * DAY, **more)


def landed(name: str, amount_minor: int, **more: Any) -> payments.BankEntry:
    return entry(name, amount_minor, booked_on=ON, value_on=ON, **more)


async def at_bank(stage: Stage, *statements: payments.TakeStatement) -> None:
    await stage.say(home_of_bank(BANK), *statements)


async def told(stage: Stage, kind: type) -> list[Any]:
    return [fact.data for fact in await stage.facts() if isinstance(fact.data, kind)]


async def open_of(stage: Stage) -> dict[str, int]:
    return dict(await stage.rows("select key, open_minor from item where kind <> 'receipt' order by key"))


async def at_rest(stage: Stage) -> None:
    """All equal to the fold, every entry balanced, nothing in transit."""
    for partition in range(stage.settings.partitions):
        assert (await differences(stage.connection, SERVICE, partition))[1] == []
    sums = dict(await stage.rows("select ledger, sum(base_minor)::bigint from ledger group by 1"))
    assert sum(sums.values()) == 0
    assert sums.get("transit", 0) == 0
    totals = "select coalesce(sum(open_base_minor), 0) from item"
    balances = await stage.value(
        "select coalesce(sum((convert_from(body, 'utf8')::jsonb->>'balance_minor')::bigint), 0) from account"
    )
    opened_base = (
        "select coalesce(sum(coalesce((convert_from(body, 'utf8')::jsonb->>'open_base_minor')::bigint, 0)), 0) from item"
    )
    assert balances == await stage.value(opened_base) == sums.get("receivables", 0), totals


async def test_cash_finds_its_account_and_its_invoice_by_the_number_it_names(stage: Stage) -> None:
    await stage.say("acme", opened("acme"), billed("INV-2026-004711", 500_00), billed("INV-2026-004712", 300_00))
    async with stage.running():
        await stage.equals(2, "select count(*) from item")
        await at_bank(stage, statement("S1", landed("1", 500_00, text="ACME payment 2026-004711", payer="ACME LTD")))
        await stage.equals(1, "select count(*) from match")
    assert await open_of(stage) == {"INV-2026-004711": 0, "INV-2026-004712": 300_00}
    (match,) = await told(stage, payments.CashAllocated)
    assert match.evidence
    await at_rest(stage)


async def test_cash_that_nobody_can_place_waits_in_suspense_until_a_person_says_whose_it_is(stage: Stage) -> None:
    await stage.say("acme", opened("acme"), billed("INV-2026-004711", 500_00))
    async with stage.running():
        await stage.equals(1, "select count(*) from item")
        await at_bank(stage, statement("S1", landed("1", 123_45, payer="Somebody Else", payer_account="DE02120300000000202051")))
        await stage.equals(1, "select count(*) from landed where new_at is null")
        (waiting,) = await told(stage, payments.CashUnrecognised)
        person = {"account": "acme", "account_home": "acme", "learn": True}
        await stage.say(
            home_of_bank(BANK), payments.RecogniseCash(bank_account=BANK, entry=waiting.entry, **person), role="controller"
        )
        await stage.equals(1, "select count(*) from alias")
        await at_bank(stage, statement("S2", landed("1", 500_00, payer_account="DE02120300000000202051")))
        await stage.equals(1, "select count(*) from match")
    assert (await told(stage, payments.CashRecognised))[-1].by == "bank account"
    await at_rest(stage)


async def test_the_same_statement_again_changes_nothing_and_two_equal_entries_are_two(stage: Stage) -> None:
    await stage.say("acme", opened("acme"))
    told_twice = statement("S1", landed("1", 10_00, payer="acme Ltd"), landed("2", 10_00, payer="acme Ltd"))
    async with stage.running():
        await stage.equals(1, "select count(*) from account")
        await at_bank(stage, told_twice, told_twice, replace(told_twice, digest="another"))
        await stage.equals(2, "select count(*) from receipt where waiting_home is not null")
    assert len(await told(stage, payments.StatementRepeated)) == 1
    assert len(await told(stage, payments.StatementRefused)) == 1
    await at_rest(stage)


async def test_an_intraday_entry_counts_at_once_and_goes_when_its_statement_does_not_have_it(stage: Stage) -> None:
    await stage.say("acme", opened("acme"), billed("INV-2026-004711", 500_00), billed("INV-2026-004712", 300_00))
    kept = landed("1", 500_00, text="2026-004711", servicer_reference="B1")
    gone = landed("2", 300_00, text="2026-004712", servicer_reference="B2")
    async with stage.running():
        await stage.equals(2, "select count(*) from item")
        await at_bank(stage, statement("D1", kept, gone, is_provisional=True, closed_on=None))
        await stage.equals(2, "select count(*) from match")
        await at_bank(stage, statement("S1", replace(kept, entry="77"), closed_on=ON))
        await stage.equals(300_00, "select open_minor from item where key = 'INV-2026-004712'")
        await stage.equals(0, "select count(*) from bank_known where provisional_at is not null")
        await stage.equals(0, "select sum(base_minor)::bigint from ledger where ledger = 'transit'")
    assert await open_of(stage) == {"INV-2026-004711": 0, "INV-2026-004712": 300_00}
    await at_rest(stage)


async def test_what_is_ambiguous_goes_to_a_person_with_its_answers(stage: Stage) -> None:  # F5
    names = {f"X{n}": amount for n, amount in enumerate((400_00, 300_00, 200_00, 100_00, 100_00), start=1)}
    await stage.say("acme", opened("acme"), *(billed(name, amount) for name, amount in names.items()))
    async with stage.running():
        await stage.equals(5, "select count(*) from item")
        await at_bank(stage, statement("S1", landed("1", 600_00, payer="acme Ltd")))
        await stage.equals(1, "select count(*) from receipt where waiting_home is not null")
    (referred,) = await told(stage, payments.CashReferred)
    assert len(referred.proposals) >= 2
    await at_rest(stage)


async def test_a_later_invoice_explains_a_receipt_that_waits(stage: Stage) -> None:
    await stage.say("acme", opened("acme"))
    async with stage.running():
        await stage.equals(1, "select count(*) from account")
        await at_bank(stage, statement("S1", landed("1", 500_00, payer="acme Ltd", text="INV-2026-004711")))
        await stage.equals(1, "select count(*) from receipt where waiting_home is not null")
        await stage.say("acme", billed("INV-2026-004711", 500_00), credit_note("C1", 1_00))
        await stage.equals(1, "select count(*) from match")
    await at_rest(stage)
