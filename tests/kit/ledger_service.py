"""A small ledger run on the kit by its tests: accounts with balances, orders that reserve, lapse, and are looked at again.

It borrows the order desk's messages. What an order says in `po_number` makes the ledger misbehave on purpose: RAISES raises
until the order is repaired, KILLS ends the process, UNREADABLE says what nobody can read; an amount of UNLUCKY_MINOR breaks a
constraint of the table.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from pathlib import Path

import asyncpg
import msgspec

from contracts.accounts import PutOnStop
from contracts.message import Message
from contracts.orders import (
    CancelOrder,
    ChangeOrder,
    Decision,
    EndRecheck,
    Inputs,
    LapseReservation,
    OpenRecheck,
    OrderCancelled,
    OrderChanged,
    OrderNoted,
    OrderReleased,
    OrderRepeated,
    Placed,
    PlaceOrder,
    PositionMoved,
    RecheckClosed,
    RecheckOpened,
    RedecideOrder,
    ReservationLapsed,
)
from contracts.payments import ItemPosted
from shared.rows import Table
from shared.service import Moment, Service, Step, Timer

RAISES = "RAISES"
KILLS = "KILLS"
UNREADABLE = "UNREADABLE"
BREAKS_DEADLINES = "BREAKS-DEADLINES"
UNLUCKY_MINOR = 13
"""The table's check constraint refuses this amount: a database error that no retry mends."""
TOPICS = ("accounts.commands", "orders", "orders.commands", "payments")
"""All that the ledger hears and says: a test creates no other topics."""


class Account(msgspec.Struct, frozen=True):
    account: str
    balance: int = 0
    debt: int = 0
    recheck_at: dt.datetime | None = None


class Order(msgspec.Struct, frozen=True):
    order: str
    home: str
    amount: int
    looks: int = 0
    lapses_at: dt.datetime | None = None
    breaks_deadlines: bool = False


class State(msgspec.Struct, frozen=True):
    account: Account | None
    order: Order | None


def rows(message: Message, home: str, partition: int) -> tuple[str | None, ...]:
    return getattr(message, "account", home), getattr(message, "order", None)


# --- deciding -------------------------------------------------------------------------------------------------------


def place(state: State, wish: PlaceOrder, moment: Moment) -> Iterable[Message]:
    if wish.placed.po_number == KILLS:
        os._exit(9)
    if wish.placed.po_number == RAISES:
        raise ValueError(f"cannot place {wish.order}")
    if state.order is not None:
        return [OrderRepeated(order=wish.order, account=wish.account, outcome="released", first="x")]
    release = _released(wish, moment)
    return [msgspec.structs.replace(release, account=None) if wish.placed.po_number == UNREADABLE else release]


def _released(wish: PlaceOrder, moment: Moment) -> OrderReleased:
    seen = Inputs(on=moment.at.date(), value_minor=1, status="open", currency="GBP", limit_minor=1, exposure_minor=0)
    decision = Decision(policy="ledger:1", decider=1, inputs=seen)
    return OrderReleased(
        order=wish.order, account=wish.account, reserved_minor=wish.placed.total_minor, lapses_on=dt.date(2030, 1, 1),
        instruction=f"{wish.order}#1", decision=decision, placed=wish.placed, first=moment.cause,
    )  # fmt: skip


def change(state: State, wish: ChangeOrder, moment: Moment) -> Iterable[Message]:
    if state.order is not None:
        yield OrderChanged(order=wish.order, account=wish.account, placed=wish.placed)


def cancel(state: State, wish: CancelOrder, moment: Moment) -> Iterable[Message]:
    if state.order is not None:
        yield OrderCancelled(order=wish.order, account=wish.account, reason=wish.reason, freed_minor=state.order.amount)
    if wish.reason == "stop":
        yield PutOnStop(account=wish.account, reason="the ledger asks for it")


def lapse(state: State, wish: LapseReservation, moment: Moment) -> Iterable[Message]:
    if state.order is not None:
        yield ReservationLapsed(order=wish.order, account=wish.account, freed_minor=state.order.amount)


def open_recheck(state: State, wish: OpenRecheck, moment: Moment) -> Iterable[Message]:
    yield RecheckOpened(home=wish.home)


def look_again(state: State, wish: RedecideOrder, moment: Moment) -> Iterable[Message]:
    yield OrderNoted(order=wish.order, account=wish.account, note="looked at", by="ledger")


def end_recheck(state: State, wish: EndRecheck, moment: Moment) -> Iterable[Message]:
    yield RecheckClosed(home=wish.home)


def count_debt(state: State, fact: ItemPosted, moment: Moment) -> Iterable[Message]:
    yield PositionMoved(account=fact.account, open_minor=fact.amount_minor, item=fact.item)


# --- folding --------------------------------------------------------------------------------------------------------


def evolve(state: State, fact: Message, at: dt.datetime) -> State:
    account = state.account or Account(rows(fact, getattr(fact, "home", ""), 0)[0] or "")
    match fact:
        case OrderReleased(order=order, account=home, reserved_minor=amount, placed=Placed() as placed):
            breaks = placed.po_number == BREAKS_DEADLINES
            return State(_moved(account, amount), Order(order, home, amount, 0, _lapses(placed, at), breaks))
        case OrderChanged(placed=placed) if state.order is not None:
            return State(state.account, msgspec.structs.replace(state.order, lapses_at=_lapses(placed, at)))
        case OrderCancelled(freed_minor=freed) | ReservationLapsed(freed_minor=freed):
            return State(_moved(account, -freed), None)
        case OrderNoted() if state.order is not None:
            return State(state.account, msgspec.structs.replace(state.order, looks=state.order.looks + 1))
        case PositionMoved(open_minor=amount):
            return State(msgspec.structs.replace(account, debt=account.debt + amount), state.order)
        case RecheckOpened():
            return State(msgspec.structs.replace(account, recheck_at=at), state.order)
        case RecheckClosed():
            return State(msgspec.structs.replace(account, recheck_at=None), state.order)
    return state


def _moved(account: Account, amount: int) -> Account:
    return msgspec.structs.replace(account, balance=account.balance + amount)


def _lapses(placed: Placed, at: dt.datetime) -> dt.datetime | None:
    return None if placed.payment_days is None else at + dt.timedelta(days=placed.payment_days)


# --- timers ---------------------------------------------------------------------------------------------------------


def deadlines(before: State, after: State, moment: Moment) -> Iterable[Timer]:
    order, was = after.order, before.order
    if order is not None and order.breaks_deadlines:
        raise ValueError(f"no deadline for {order.order}")
    if order is not None and order.lapses_at != (was.lapses_at if was else None):
        yield Timer("lapse", order.order, order.lapses_at, order.home)
    if order is None and was is not None and was.lapses_at is not None:
        yield Timer("lapse", was.order, None, was.home)
    opened, known = after.account, before.account
    if opened is not None and opened.recheck_at is not None and (known is None or known.recheck_at is None):
        yield Timer("recheck", opened.account, opened.recheck_at, opened.account)


def lapsed(timer: Timer) -> tuple[str, Message]:
    """One command, known from the timer alone."""
    return timer.home, LapseReservation(order=timer.key, account=timer.home)


async def fire_lapse(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    return Step([lapsed(timer)])


async def fire_recheck(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    query = "select key from orders where home = $1 and key > $2 order by key limit $3"
    keys = [row["key"] for row in await connection.fetch(query, timer.home, timer.cursor, limit)]
    looks: list[tuple[str, Message]] = [(timer.home, RedecideOrder(order=key, account=timer.home)) for key in keys]
    if len(keys) < limit:
        return Step([*looks, (timer.home, EndRecheck(home=timer.home))])
    return Step(looks, keys[-1])


SERVICE = Service(
    name="orders",
    state=State,
    tables={
        "account": Table("account", Account, "account", ("balance",)),
        "order": Table("orders", Order, "order", ("home", "amount")),
    },
    rows=rows,
    hears={
        PlaceOrder: place,
        ChangeOrder: change,
        CancelOrder: cancel,
        LapseReservation: lapse,
        OpenRecheck: open_recheck,
        RedecideOrder: look_again,
        EndRecheck: end_recheck,
        ItemPosted: count_debt,
    },
    evolve=evolve,
    schema=Path(__file__).with_name("ledger.sql"),
    deadlines=deadlines,
    fires={"lapse": fire_lapse, "recheck": fire_recheck},
)
