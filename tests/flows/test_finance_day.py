"""What the demo day gives finance, played alone on the real stack: no wish of it is refused, and no page of finance is empty.

The orders of the day are left out, so that it takes seconds: they share no account with it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from contracts import accounts, payments
from contracts.envelope import read
from quittance import debtors, keys
from quittance.board import Board
from quittance.cashiers import DECLINED_CARD, LARCH_CARD, QUAYSIDE_IBAN, VEXLEY_CARD, refund_of
from quittance.cast import BACK_LINKS, RUNNING, WORKING, links_of
from quittance.clerks import STEP, Clerks
from quittance.counterparts import Answers, Cardholders, day_of_finance
from quittance.day import DATE, OPENED_BEFORE, account_rows, day
from quittance.debtors import DEBTORS
from quittance.people import DEMO
from quittance.processes import Processes
from quittance.readers import caught_up
from quittance.replay import Stage, Trade, play, staged
from quittance.stretches import stretches_of
from quittance.tills import STEPS, acquirer_url, tills
from quittance.trade import Diary
from services.console import people, sessions
from shared.settings import Settings
from shared.testing import Servers, neighbouring_ports
from tests.patience import patient
from tests.running import House, house

pytestmark = pytest.mark.stack

SEED = 1
PAPERS = debtors.papers(SEED)
FINN = next(person for person in DEMO if person.name == "finn")
ENDS = dt.datetime.combine(DATE, dt.time(18), tzinfo=dt.UTC)
SEEN_S_MAX = patient(40.0)
SHOWS = {
    "/cash": ("J R WHITCOMBE", "HARBOUR ST TRADING", "Penrose Taxis", "Marlow and Finch"),
    "/cards": (LARCH_CARD, VEXLEY_CARD, DECLINED_CARD, "declined"),
    "/payouts": ("Marlow and Finch", "Tallis Freight", "PF-20260302-MORNING", QUAYSIDE_IBAN),
    "/approvals": ("Marlow and Finch", "Dunmore Electrical"),
    "/stops": ("Tallis Freight",),
    "/receivables": ("Kestrel Office Supplies",),
    "/receivables/unallocated": ("Quayside Marine", "Penrose Taxis", PAPERS[debtors.ORCHARD, "bonus"].number),
    "/receivables/offsets": ("CONTRA-26", PAPERS[debtors.ORCHARD, "bonus"].number),
    "/receivables/written-off": ("Tallis Freight", "Dunmore Electrical"),
    "/receivables/erp": (debtors.ASHDOWN,),
    f"/late-payment/{debtors.TALLIS}": (PAPERS[debtors.TALLIS, "scanners"].number,),
}
"""Page → what a person finds there when the work of the day was sent."""


@pytest.fixture(scope="module")
def running(stack: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(stack, tmp_path_factory.mktemp("house"), clock="event", services=RUNNING) as found:
        asyncio.run(_played(found))
        yield found


@pytest.fixture(scope="module")
def looking(running: House) -> Iterator[httpx.Client]:
    """The console as the financial controller of the demo sees it."""
    url = running.urls["console"]
    cookie = {f"quittance-session-{url.rpartition(':')[2]}": asyncio.run(_signed_in(running.settings))}
    with httpx.Client(base_url=url, cookies=cookie, headers={"Accept": "text/html"}, timeout=30) as client:
        yield client


async def _played(running: House) -> None:
    settings = running.settings.model_copy(
        update={"port": neighbouring_ports(len(STEPS)) - min(STEPS.values()), "host": "127.0.0.1"}
    )
    processes = Processes(settings)
    try:
        for program in tills(settings):
            processes.start(program)
        await processes.ready()
        async with _stage(running, settings) as stage:
            await _open_debtors(stage)
            assert stage.trade is not None
            stage.trade.diary.add(day_of_finance(SEED))
            await play(stage, "orders", iter(()), stretches_of(0, STEP), 0, ENDS)
            await caught_up(stage.desks, (), BACK_LINKS)
    finally:
        await processes.stop()


@asynccontextmanager
async def _stage(running: House, settings: Settings) -> Any:
    async with staged(settings, running.url, await keys.issue(settings), Board((), ())) as stage:
        stage.trade, stage.clerks = Trade(SEED, (), Diary(), Answers(SEED)), Clerks(SEED, ())
        stage.cardholders = Cardholders(acquirer_url(settings))
        yield stage


async def _open_debtors(stage: Stage) -> None:
    content = day(SEED).accounts.partition(b"\n")[0] + b"\n" + account_rows(DEBTORS.values())
    opened_at = dt.datetime.combine(DATE - OPENED_BEFORE, dt.time(6), tzinfo=dt.UTC)
    flow = await stage.senders.records.send_file("accounts", "debtors.csv", content, opened_at)
    done = await stage.senders.records.finished(flow["flow"])
    assert (done["accepted_rows"], done["quarantined_rows"]) == (len(DEBTORS), 0)
    await caught_up(stage.desks, ("gateway",), links_of(WORKING))
    await caught_up(stage.desks, (), BACK_LINKS)
    await stage.listen_to_the_end()


async def _signed_in(settings: Settings) -> str:
    connection = await asyncpg.connect(settings.database("console"))
    try:
        await people.add(connection, FINN, "a password of tests only")
        return await sessions.begin(connection, FINN.name, "127.0.0.1")
    finally:
        await connection.close()


def shown(looking: httpx.Client, path: str, *words: str) -> str:
    """The page, once it shows all of this."""
    deadline = time.monotonic() + SEEN_S_MAX
    while True:
        answer = looking.get(path)
        missing = [word for word in words if word not in answer.text]
        if answer.status_code == httpx.codes.OK and not missing:
            return answer.text
        assert time.monotonic() < deadline, f"{path} ({answer.status_code}) shows no {missing}"
        time.sleep(0.3)


@pytest.mark.parametrize("path", SHOWS)
def test_no_page_of_finance_is_empty_when_the_work_of_the_day_was_sent(looking: httpx.Client, path: str) -> None:
    shown(looking, path, *SHOWS[path])


async def _facts(settings: Settings, service: str) -> list[Any]:
    connection = await asyncpg.connect(settings.database(service))
    try:
        rows = await connection.fetch("select body from journal where lane = '' order by partition, sequence")
    finally:
        await connection.close()
    return [read(row["body"]).data for row in rows]


def said(running: House, kind: type, service: str = "payments") -> list[Any]:
    return [fact for fact in asyncio.run(_facts(running.settings, service)) if isinstance(fact, kind)]


def test_nothing_that_the_people_of_finance_wish_is_refused(running: House) -> None:
    assert said(running, payments.CommandRefused) == []
    assert said(running, accounts.CommandRefused, "accounts") == []


def test_the_statement_confirms_the_report_of_the_morning_and_our_refund(running: House) -> None:  # P3, P10
    (confirmed,), (paid,) = (said(running, kind) for kind in (payments.EntriesConfirmed, payments.RefundPaid))
    assert len(confirmed.entries) == 2
    assert paid.request == refund_of(PAPERS)[0]


def test_a_damaged_number_a_short_payment_and_an_advice_are_matched_by_the_ledger(running: House) -> None:  # P6
    by_itself = {fact.account for fact in said(running, payments.CashAllocated) if fact.by == "payments"}
    assert {debtors.KESTREL, debtors.DUNMORE, debtors.STREET} <= by_itself
    assert {fact.account for fact in said(running, payments.ShortPaid)} >= {debtors.DUNMORE, debtors.STREET}


def test_the_erp_has_posted_what_one_debtor_asked_for(running: House) -> None:  # P1
    assert {fact.account for fact in said(running, payments.PostingTaken) if fact.answers} == {debtors.CORRIGAN}
