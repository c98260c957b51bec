"""Money by card and money out, on the real stack: asked of the sandbox over HTTP, put into a file at the cut-off (P9, P10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from contracts import payments
from quittance.processes import Processes
from quittance.tills import ACQUIRER, STEPS, tills
from services.payments.app import SERVICE
from services.payments.cards.payment import key_of
from services.payments.state import home_of_bank
from shared.receivables.payment_file import bytes_of, digest
from shared.settings import Settings
from shared.testing import Servers, neighbouring_ports
from tests.kit.stage import BEGAN, Stage, stage_on
from tests.models.payments_books import BANK, invoice, of, opened

pytestmark = pytest.mark.stack
BEHIND_CUT_OFF = BEGAN + dt.timedelta(hours=5)


async def told(stage: Stage, kind: type) -> list[object]:
    return of(kind, [fact.data for fact in await stage.facts()])


def with_ports(settings: Settings, home: Path) -> Settings:
    """A home of its own, and ports of which those that the tills take are free."""
    return settings.model_copy(
        update={"port": neighbouring_ports(len(STEPS)) - min(STEPS.values()), "home": home, "host": "127.0.0.1"}
    )


@pytest.fixture(params=["wall", "event"])
async def stage(stack: Servers, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with stage_on(stack, SERVICE, clock=request.param) as found:
        yield found


async def test_a_card_pays_an_invoice_and_its_chargeback_opens_it_again(stage: Stage, tmp_path: Path) -> None:  # P9
    now = dt.datetime.now(dt.UTC) if stage.settings.clock == "wall" else BEGAN
    settings = with_ports(stage.settings, tmp_path)
    processes = Processes(settings)
    try:
        for program in tills(settings):
            processes.start(program)
        await processes.ready()
        async with stage.running():
            await stage.say("acme", opened("acme"), invoice("I1", 500_00, document_on=now.date()), at=now)
            takes = payments.TakeCardPayment(
                account="acme", payment="P1", amount_minor=500_00, currency="GBP", token="tok_1", items=("I1",)
            )
            await stage.say("acme", takes, takes, at=now, role="controller")
            await stage.equals(0, "select open_minor from item where key = 'I1'")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port + STEPS[ACQUIRER]}") as acquirer:
                answer = await acquirer.post("/v1/chargebacks", json={"key": key_of("acme", "P1", 1)})
            assert answer.status_code == 202
            await stage.equals(500_00, "select open_minor from item where key = 'I1'")
    finally:
        await processes.stop()
    assert len(await told(stage, payments.CardIntended)) == 1
    assert len(await told(stage, payments.CardChargedBack)) == 1
    (receipt,) = await told(stage, payments.CashReceived)
    assert isinstance(receipt, payments.CashReceived)
    assert receipt.received_on - now.date() <= dt.timedelta(days=1)  # by the installation's clock, not the machine's
    assert (settings.home / "acquirer.secret").stat().st_mode & 0o077 == 0


async def test_at_the_cut_off_what_waits_is_in_a_file_that_its_digest_proves(stack: Servers) -> None:  # P10
    async with stage_on(stack, SERVICE) as stage:
        transfers = [
            payments.Transfer(request=f"PO-{n}", amount_minor=n * 100, currency="GBP", iban="GB33BUKB20201555555555", holder="A")
            for n in (1, 2, 3)
        ]
        queued = [
            payments.QueueRefund(bank_account=BANK, transfer=each, of_account="acme", of_home="acme", of_item="C1")
            for each in transfers
        ]
        async with stage.running():
            await stage.say(home_of_bank(BANK), *queued[:2])
            await stage.equals(2, "select count(*) from outgoing where queued_at is not null")
            await stage.say(home_of_bank(BANK), queued[2], at=BEHIND_CUT_OFF)
            await stage.equals(1, "select count(*) from payment_file")
            await stage.equals(1, "select count(*) from outgoing where queued_at is not null")
        (made,) = await told(stage, payments.PaymentFileMade)
    assert isinstance(made, payments.PaymentFileMade)
    assert [each.request for each in made.refunds] == ["PO-1", "PO-2"]
    assert (made.on, digest(bytes_of(made))) == (BEGAN.date(), made.digest)
