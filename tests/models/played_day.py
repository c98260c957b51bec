"""The seeded day in memory, on simulated time: the order desk's own code, its timers, and the clerks who work what waits.

No gateway and no servers: rows that a gateway would refuse are left out, and every message is decided at the time it says.
"""

from __future__ import annotations

import csv
import datetime as dt
import heapq
import io
import itertools
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from contracts import accounts, orders, payments
from contracts.accounts import AccountOpened, Terms
from contracts.message import Message
from quittance.clerks import STEP, Clerks
from quittance.day import CURRENCY, Day
from quittance.trade import Act
from services.orders import deadlines
from services.orders.state import Order
from shared.service import Timer
from tests.models.orders_desk import Desk

FEED = "day"


class FastDesk(Desk):
    """The same desk with its timers in a heap and what waits at hand, because a day has tens of thousands of orders."""

    def __init__(self, at: dt.datetime) -> None:
        super().__init__(at)
        self.timers: Heap = Heap()  # type: ignore[assignment]
        self.waiting: dict[str, Order] = {}

    def _keep(self, message: Message, home: str, before: Any, after: Any) -> None:
        super()._keep(message, home, before, after)
        if after.order is not None and after.order is not before.order:
            if after.order.waiting:
                self.waiting[after.order.order] = after.order
            else:
                self.waiting.pop(after.order.order, None)

    def orders(self) -> list[Order]:
        """All that a recheck asks for; what lapses or is recalled is not played here."""
        return list(self.waiting.values())

    def step(self, limit: int = 100) -> bool:
        timer = self.timers.due(self.at)
        if timer is None:
            return False
        if timer.kind in (deadlines.LAPSE, deadlines.RECALL):
            return True
        cursor = self._fire(timer, limit)
        if cursor:
            self.timers[timer.kind, timer.key] = Timer(timer.kind, timer.key, timer.due, timer.home, cursor)
        return True

    def pass_to(self, at: dt.datetime) -> list[Any]:
        """What falls due until then happens at its own time."""
        facts = []
        while (due := self.timers.first()) is not None and due <= at:
            self.at = max(self.at, due)
            facts += self.settle()
        self.at = max(self.at, at)
        return facts


class Heap(dict[tuple[str, str], Timer]):
    """Timers by name, the earliest first at hand."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[tuple[dt.datetime, str, str]] = []

    def __setitem__(self, name: tuple[str, str], timer: Timer) -> None:
        if self.get(name) == timer:
            return
        super().__setitem__(name, timer)
        if timer.due is not None:
            heapq.heappush(self._due, (timer.due, *name))

    def first(self) -> dt.datetime | None:
        while self._due:
            due, *name = self._due[0]
            timer = self.get((name[0], name[1]))
            if timer is not None and timer.due == due:
                return due
            heapq.heappop(self._due)
        return None

    def due(self, at: dt.datetime) -> Timer | None:
        first = self.first()
        if first is None or first > at:
            return None
        _, *name = heapq.heappop(self._due)
        return self.pop((name[0], name[1]))


def play(day: Day, clerks: Clerks, ends: dt.datetime) -> FastDesk:
    """The whole day, in steps within which nobody sees what the others do."""
    desk = FastDesk(day.opened_at)
    for opened in _accounts(day):
        desk.do(opened)
    things = sorted(itertools.chain(_orders(day), _acts(day)), key=lambda thing: thing[0])
    n, now = 0, min(things[0][0], day.ends)
    while now < ends:
        end, told = now + STEP, len(desk.journal)
        work = [(act.due, act.message, act.by) for act in clerks.due(now, end)]
        last = n
        while last < len(things) and things[last][0] < end:
            last += 1
        roles = {clerk.name: clerk.role for clerk in clerks.people}
        for at, message, by in sorted([*things[n:last], *work], key=lambda thing: thing[0]):
            desk.pass_to(at)
            desk.do(message, role=roles.get(by, ""), actor=by)
        desk.pass_to(end)
        for at, _, fact in desk.journal[told:]:
            clerks.take(fact, at)
        n, now = last, end
    return desk


def _accounts(day: Day) -> Iterator[AccountOpened]:
    for row in csv.DictReader(io.StringIO(day.accounts.decode())):
        terms = Terms(
            payment_days=int(row["payment_days"]), risk_class=row["risk_class"], portfolio=row["portfolio"],
            po_required=row["po_required"] == "yes", cash_on_delivery=row["cash_on_delivery"] == "yes",
            standard_order_minor=int(row["standard_order"]) * 100 if row["standard_order"] else None,
        )  # fmt: skip
        yield AccountOpened(
            account=row["account"], home=row["parent"] or row["account"], parent=row["parent"] or None, name=row["name"],
            currency=CURRENCY, limit_minor=int(row["limit"]) * 100, terms=terms, status=row["status"],
            limit_expires_on=dt.date.fromisoformat(row["limit_expires_on"]) if row["limit_expires_on"] else None,
        )  # fmt: skip


def _orders(day: Day) -> Iterator[tuple[dt.datetime, Message, str]]:
    rows = csv.DictReader(io.StringIO(day.orders.decode()))
    for reference, group in itertools.groupby(rows, key=lambda row: row["reference"]):
        if (placed := _placed(list(group))) is not None:
            account, order = placed
            yield order.received_at, orders.PlaceOrder(order=f"{FEED}/{reference}", account=account, placed=order), ""


def _placed(rows: list[dict[str, str]]) -> tuple[str, orders.Placed] | None:
    """None for what a gateway refuses."""
    try:
        lines = tuple(
            orders.Line(
                sku=row["sku"], quantity=int(row["quantity"]), unit_price=Decimal(row["unit_price"]),
                amount_minor=round(int(row["quantity"]) * Decimal(row["unit_price"]) * 100), description=row["description"],
            )
            for row in rows
        )  # fmt: skip
        received = dt.datetime.fromisoformat(rows[0]["received_at"])
    except (ValueError, InvalidOperation):
        return None
    account, currency, number = rows[0]["account"], rows[0]["currency"], rows[0]["po_number"]
    if not account or currency != CURRENCY:
        return None
    total = sum(line.amount_minor for line in lines)
    return account, orders.Placed(
        currency=currency, total_minor=total, received_at=received, lines=lines, po_number=number or None
    )


def _acts(day: Day) -> Iterator[tuple[dt.datetime, Message, str]]:
    """Bank and billing as they are; what the credit desk asks of accounts, as accounts would say it."""
    for act in day.acts:
        match act.message:
            case accounts.PutOnStop(account=account, reason=reason):
                yield act.due, accounts.PlacedOnStop(account=account, reason=reason), ""
            case accounts.TakeOffStop(account=account, reason=reason):
                yield act.due, accounts.TakenOffStop(account=account, reason=reason), ""
            case accounts.ChangeLimit() as change:
                said = accounts.LimitChanged(
                    account=change.account, limit_minor=change.limit_minor, was_minor=0, reason=change.reason,
                    effective_from=act.due.date(),
                )  # fmt: skip
                yield act.due, said, ""
            case payments.PostItem() | payments.TakeStatement():
                yield act.due, _as_the_ledger_says_it(act), ""
            case _:
                yield act.due, act.message, ""


def _as_the_ledger_says_it(act: Act) -> Message:
    """An item is entered, and paid by the statement's only entry: what the ledger makes of both is its own tests' matter."""
    match act.message:
        case payments.PostItem() as bill:
            return payments.ItemPosted(
                account=bill.account, item=bill.item, kind=bill.kind, amount_minor=bill.amount_minor, currency=bill.currency,
                document_on=bill.document_on, due_on=bill.due_on or bill.document_on, covers=bill.covers,
            )  # fmt: skip
        case payments.TakeStatement() as told:
            receipt = told.statement
            return payments.ItemSettled(
                account=act.account, item=receipt.removeprefix("REC-"), kind="invoice", open_minor=0,
                settled_minor=told.entries[0].amount_minor, due_on=act.due.date(), by=receipt,
            )  # fmt: skip
    raise LookupError(f"{act.key} is neither a bill nor a payment")
