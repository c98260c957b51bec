"""The ledger on the real stack: the database refuses what would unbalance it; parked groups lose no cash (P1, promise 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace as with_
from typing import Any

import asyncpg
import pytest

from contracts import payments
from contracts.message import Message
from services.payments import store
from services.payments.app import SERVICE
from services.payments.recognising import NAMES_MAX
from services.payments.state import home_of_bank
from shared import parking
from shared.service import Decide, Fire, Moment, Service, Step, Timer
from shared.testing import Servers
from shared.topics import partition_of
from tests.kit.stage import BEGAN, PARTITIONS, Stage, stage_on
from tests.models.payments_books import BANK, entry, invoice, opened, statement

pytestmark = pytest.mark.stack

ON = BEGAN.date()
POISON = "poison"


@pytest.fixture
async def stage(stack: Servers) -> AsyncIterator[Stage]:
    async with stage_on(stack, SERVICE) as found:
        yield found


# --- the database's own guards ----------------------------------------------------------------------------------------

LINE = """
    insert into ledger (key, partition, entry, account, ledger, effective_on, known_at, amount_minor, currency, base_minor, body)
    select 'X/' || n, 0, 'X', 'acme', 'bank', '2026-01-05', now(), minor, 'GBP', minor, ''
    from unnest($1::bigint[]) with ordinality as line (minor, n)
"""


async def test_the_database_refuses_an_entry_that_does_not_sum_to_zero(stage: Stage) -> None:  # P1
    with pytest.raises(asyncpg.CheckViolationError, match="entry X does not sum to zero"):
        await stage.connection.execute(LINE, [100, -99])
    await stage.connection.execute(LINE, [100, -100])


async def test_the_database_refuses_to_change_a_line_of_the_ledger(stage: Stage) -> None:  # P1
    await stage.connection.execute(LINE, [100, -100])
    with pytest.raises(asyncpg.CheckViolationError, match="never changed"):
        await stage.connection.execute("update ledger set base_minor = 0, amount_minor = 0")


# --- whose it is ------------------------------------------------------------------------------------------------------


async def test_a_payer_is_found_among_more_accounts_of_a_common_word_than_are_compared(stage: Stage) -> None:  # P5
    """Every dealer is called Mobile; one by its number, one by words that each are common."""
    shops = [f"{number:03d}" for number in range(NAMES_MAX + 20)]
    for shop in shops:
        await stage.say(shop, opened(shop, name=f"Mobile {shop} Ltd"))
        await stage.say(f"p{shop}", opened(f"p{shop}", name=f"Phone {shop} Ltd"))
    await stage.say("both", opened("both", name="Mobile Phone Ltd"))
    async with stage.running():
        await stage.equals(2 * len(shops) + 1, "select count(*) from account")
        paid = (landed("1", 5_00, f"Mobile {shops[-1]} Ltd"), landed("2", 7_00, "MOBILE PHONE LTD"))
        await told_at(stage, BANK, statement("S1", *paid))
        await stage.equals(2, "select count(*) from receipt")
    assert {row[0] for row in await stage.rows("select account from receipt")} == {shops[-1], "both"}


async def test_an_account_whose_own_number_is_written_is_offered_and_not_recognised(stage: Stage) -> None:  # P5
    await stage.say("G1", opened("T1191", home="G1", name="Quayside Mobile"))
    async with stage.running():
        await stage.equals(1, "select count(*) from account")
        stranger = entry("1", 5_00, booked_on=ON, value_on=ON, payer="Somebody Unknown", text="T1191 on account thanks")
        await told_at(stage, BANK, statement("S1", stranger))
        await stage.equals(1, "select count(*) from landed where new_at is null")
    (told,) = [fact.data for fact in await stage.facts() if isinstance(fact.data, payments.CashUnrecognised)]
    (candidate,) = told.candidates
    assert (candidate.account, candidate.home, candidate.why) == ("T1191", "G1", "its number is in the text")


# --- parked groups ----------------------------------------------------------------------------------------------------


class Spoilt:
    """The service with timers that do nothing, so that something waits when its group is parked, and a message that raises."""

    def __init__(self) -> None:
        self.mended = False

    def service(self, fires: Mapping[str, Fire]) -> Service:
        spoilt = {message: self._spoilt(SERVICE.hears[message]) for message in (payments.PostItem, payments.SetAsideEntry)}
        return with_(SERVICE, hears={**SERVICE.hears, **spoilt}, fires=fires)

    def _spoilt(self, decide: Decide) -> Decide:
        def spoilt(state: Any, message: Any, moment: Moment) -> Any:
            if POISON in (getattr(message, "text", ""), getattr(message, "reason", "")) and not self.mended:
                raise ValueError("not yet")
            return decide(state, message, moment)

        return spoilt


async def nothing(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    return Step([])


def beside(home: str, prefix: str, make: Any = str) -> str:
    """Another name whose home lies in the same partition."""
    names = (f"{prefix}{n}" for n in range(100))
    return next(name for name in names if partition_of(make(name), PARTITIONS) == partition_of(home, PARTITIONS))


def landed(name: str, minor: int, account: str) -> payments.BankEntry:
    return entry(name, minor, booked_on=ON, value_on=ON, payer=f"{account} Ltd")


async def told_at(stage: Stage, bank: str, message: Message) -> None:
    await stage.say(home_of_bank(bank), message)


async def queued(stage: Stage, home: str) -> list[str]:
    return [row[0] for row in await stage.rows("select type from parked where home = $1 order by n", home)]


async def test_cash_of_a_parked_group_is_matched_when_the_group_is_replayed(stage: Stage) -> None:
    spoilt, other = Spoilt(), beside("acme", "beside")
    for account in ("acme", other):
        await stage.say(account, opened(account), invoice(f"INV-{account}", 500_00, account, document_on=ON))
    stage.service = spoilt.service({**SERVICE.fires, store.MATCH: nothing})
    async with stage.running():
        await stage.equals(2, "select count(*) from item")
        await told_at(stage, BANK, statement("S1", landed("1", 500_00, "acme"), landed("2", 300_00, "acme")))
        await stage.equals(2, "select count(*) from receipt where pending_home is not null")
        await stage.say("acme", invoice("INV-2", 300_00, document_on=ON, text=POISON))
        await stage.equals(1, "select count(*) from parked")
    stage.service = spoilt.service(SERVICE.fires)
    async with stage.running():
        for n in (2, 3):
            await told_at(stage, BANK, statement(f"S{n}", landed("1", 250_00, other)))
            await stage.equals(n - 1, "select count(*) from receipt where account = $1 and pending_home is null", other)
        assert await queued(stage, "acme") == ["PostItem", "RetryCash"]
        spoilt.mended = True
        await parking.replay(stage.connection, "acme")
        await stage.equals(0, "select count(*) from receipt where pending_home is not null")
    assert dict(await stage.rows("select key, open_minor from item where account = 'acme' and kind = 'invoice'")) == {
        "INV-acme": 0,
        "INV-2": 0,
    }


async def test_entries_of_a_parked_bank_account_are_recognised_when_it_is_replayed(stage: Stage) -> None:
    spoilt, other = Spoilt(), beside(home_of_bank(BANK), "BANK", home_of_bank)
    await stage.say("acme", opened("acme"))
    stage.service = spoilt.service({**SERVICE.fires, store.RECOGNISE: nothing})
    async with stage.running():
        await stage.equals(1, "select count(*) from account")
        await told_at(stage, BANK, statement("S1", landed("1", 1_00, "acme"), landed("2", 2_00, "acme")))
        await stage.equals(2, "select count(*) from landed where new_at is not null")
        aside = payments.SetAsideEntry(bank_account=BANK, entry="none", ledger="bank_charges", reason=POISON)
        await told_at(stage, BANK, aside)
        await stage.equals(1, "select count(*) from parked")
    stage.service = spoilt.service(SERVICE.fires)
    async with stage.running():
        for n in (1, 2):
            there = payments.TakeStatement(
                bank_account=other, statement=f"S{n}", part=1, parts=1, currency="GBP", digest=f"{n}",
                entries=(landed("1", n, "acme"),),
            )  # fmt: skip
            await told_at(stage, other, there)
            await stage.equals(n, "select count(*) from receipt")
        assert await queued(stage, home_of_bank(BANK)) == ["SetAsideEntry", "RecogniseCash"]
        spoilt.mended = True
        await parking.replay(stage.connection, home_of_bank(BANK))
        await stage.equals(4, "select count(*) from receipt")
