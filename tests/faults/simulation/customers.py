"""Those outside: each deed is sent through the gateway's own intake, or into the ledger's mailbox, until it has an answer.

As a real sender they know only what they were told: after a lost connection they send the same again under the same key.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from http import HTTPStatus

import asyncpg

from contracts import accounts, orders
from contracts.envelope import derived_id
from contracts.forms import Faulty
from services.gateway import credentials
from services.gateway.bodies import Wish
from services.gateway.intake import Admitted, admit_one
from services.gateway.problems import Problem
from shared import mailbox
from shared.database import connect
from shared.mailbox import Sender
from tests.faults.simulation import cashdesk
from tests.faults.simulation.clockwork import EPOCH, Process, clock
from tests.faults.simulation.history import Deed
from tests.faults.simulation.house import House, Poison, Violation
from tests.faults.simulation.postgres import Pool

AGAIN_S = 0.5
CURRENCY = "GBP"
DESK, RECORDS = credentials.development(), credentials.system_of_record()


class Customers:
    """Plays the deeds of a history; `sent` is what was let in: the command's id → its deed."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._pool = Pool(house.settings.database("gateway"))
        self.admitted: dict[str, Deed] = {}
        self.open = len(house.history.deeds)
        self._letters = 0

    def begin(self) -> None:
        for deed in self._house.history.deeds:
            self._house.loop.outside(deed.at, self._start, deed)

    def _start(self, deed: Deed) -> None:
        process = Process(f"customer of {deed.what} {deed.order or deed.account}")
        self._house.loop.launch(process, self._do(deed)).add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A sender that meets an error instead of an answer is a fault of ours."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._house.fail(Violation("every sender has an answer", f"{task.get_name()}: {type(error).__name__}: {error}"))

    async def _do(self, deed: Deed) -> None:
        match deed.what:
            case "days":
                self._house.pass_days(deed.minor // 2_000)
            case what if what in cashdesk.DEEDS:
                await self._until_answered(deed, self._post)
            case _:
                await self._until_answered(deed, self._send)
        self.open -= 1

    async def _until_answered(self, deed: Deed, attempt: object) -> None:
        assert callable(attempt)
        at = clock().wall()
        while not await self._tried(deed, attempt(deed, at)):
            await asyncio.sleep(AGAIN_S)

    async def _tried(self, deed: Deed, attempt: object) -> bool:
        """Whether an answer came; an unknown outcome is none."""
        try:
            return bool(await attempt)  # type: ignore[misc]
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            clock().note(f"no answer to {deed.what}: {type(error).__name__}")
            return False

    async def _send(self, deed: Deed, at: dt.datetime) -> bool:
        command = command_of(deed)
        who = RECORDS if deed.what in ("limit", "announce") else DESK
        try:
            admitted: Admitted = await admit_one(
                self._pool, Wish(command, deed.key or deed.account, at), "event", None, who, self._house.settings.partitions, at
            )
        except (Problem, Faulty) as refused:
            if isinstance(refused, Problem) and refused.status == HTTPStatus.SERVICE_UNAVAILABLE:
                return False  # the account is on its way to the desk
            if isinstance(refused, Faulty):
                return False  # the account is not there yet
            raise
        clock().note(f"{deed.what} {deed.order or deed.account} admitted in {admitted.flow}")
        self.admitted[admitted.flow] = deed
        return True

    async def _post(self, deed: Deed, at: dt.datetime) -> bool:
        """Whoever is not sure whether it was posted posts it once more, as a letter of its own: what it says is known again."""
        connection = await connect(self._house.settings.database("payments"), self._house.settings.lease_s)
        try:
            if (wish := await cashdesk.wish_of(deed, connection)) is None:
                return True
            self._letters += 1
            name = derived_id("bank", deed.what, deed.key, str(self._letters))
            sender = Sender(id=name, flow=name, at=at, actor="carl", role="director", team="home")
            mail = mailbox.mail_of(self._house.settings.partitions, wish.home, wish.message, sender)
            async with connection.transaction():
                await mailbox.post(connection, [mail])
        finally:
            connection.terminate()
        return True


def command_of(deed: Deed) -> accounts.Command:
    order, account = deed.order, deed.account
    match deed.what:
        case "open":
            parent = f"{account[0]}0" if account[1:] != "0" else None
            terms = accounts.Terms(payment_days=30)
            return accounts.OpenAccount(
                account=account,
                name=cashdesk.name_of(account),
                currency=CURRENCY,
                limit_minor=deed.minor,
                parent=parent,
                terms=terms,
            )
        case "stop":
            return accounts.PutOnStop(account=account, reason="late")
        case "go":
            return accounts.TakeOffStop(account=account, reason="paid")
        case "limit":
            return accounts.ChangeLimit(account=account, limit_minor=deed.minor, reason="reviewed")
        case "place":
            return orders.PlaceOrder(order=order, account=account, placed=_placed(deed.minor))
        case "change":
            return orders.ChangeOrder(order=order, account=account, placed=_placed(deed.minor * 2), reason="more")
        case "quote":
            deal = order.removeprefix("web/").split("-")[0]
            return orders.PlaceOrder(order=order, account=account, placed=_placed(deed.minor, deal))
        case "announce":
            return orders.RegisterDeal(
                deal=order, account=account, currency=CURRENCY, value_minor=deed.minor, evidence="mail",
                from_on=EPOCH.date(), until_on=(EPOCH + dt.timedelta(days=3)).date(),
            )  # fmt: skip
        case "approve deal":
            return orders.ApproveDeal(deal=order, account=account, reason="launch")
        case "decline deal":
            return orders.DeclineDeal(deal=order, account=account, reason="too much")
        case "withdraw deal":
            return orders.WithdrawDeal(deal=order, account=account, reason="lost")
        case "cancel":
            return orders.CancelOrder(order=order, account=account, reason="not wanted")
        case "release":
            return orders.ReleaseOrder(order=order, account=account, reason="good payer")
        case "refer":
            return orders.ReferOrder(order=order, account=account, reason="too much for me")
        case "reject":
            return orders.RejectOrder(order=order, account=account, reason="no")
        case "rank":
            return orders.RankOrder(order=order, account=account, rank=1)
        case "despatch":
            return orders.RecordDespatch(order=order, account=account, despatch=f"D-{order}", amount_minor=deed.minor)
        case "deliver":
            return orders.RecordDelivery(order=order, account=account, despatch=f"D-{order}")
        case "poison":
            return orders.NoteOrder(order=order, account=account, note=Poison.TEXT)
    raise LookupError(f"nobody knows how to {deed.what}")


def _placed(minor: int, deal: str | None = None) -> orders.Placed:
    return orders.Placed(currency=CURRENCY, total_minor=minor, received_at=EPOCH, deal=deal)
