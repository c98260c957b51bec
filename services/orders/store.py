"""The desk's read tables, and the queries by which its timers become commands; every query has its index in schema.sql.

A cursor is the place of the last row taken, so a step goes on where the one before ended, whatever happened in between.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
import msgspec

from contracts.message import Message
from contracts.orders import EndRecheck, ExpireDeal, LapseReservation, OpenRecheck, RecallOrder, RedecideOrder
from services.orders.deadlines import DEAL, LAPSE, MEND, RECALL, RECHECK, SWEEP
from services.orders.state import Ageing, Forward, Order, Position, Standing
from shared.credit.rulebook import Policies
from shared.rows import Table
from shared.service import Step, Timer

KEPT_ACCOUNTS = 250_000
"""Accounts kept in memory per partition and generation, about 1.3 kB each: a million on four partitions are decided without
reading a row again. An order is rarely asked for again, so its table keeps the usual few."""

STANDINGS = Table("standings", Standing, "account", kept=KEPT_ACCOUNTS)
POSITIONS = Table("positions", Position, "owner", kept=KEPT_ACCOUNTS)
AGEINGS = Table("ageings", Ageing, "account", kept=KEPT_ACCOUNTS)
FORWARDS = Table("forwards", Forward, "owner", kept=KEPT_ACCOUNTS)
ORDERS = Table("orders", Order, "order", ("account", "lapses_on", "queue_home", "queue_rank", "queue_turn"))
POLICIES = Table("policies", Policies, "partition")

TABLES: Mapping[str, Table] = {
    "account": STANDINGS,
    "root": STANDINGS,
    "position": POSITIONS,
    "group": POSITIONS,
    "root_position": POSITIONS,
    "ageing": AGEINGS,
    "forward": FORWARDS,
    "group_forward": FORWARDS,
    "order": ORDERS,
    "policies": POLICIES,
}

STEP_MAX = 100
"""Orders a storm takes per step, between other groups' work (fine print, Storms)."""

_decode_order = msgspec.json.Decoder(Order).decode


async def waiting_after(connection: asyncpg.Connection, home: str, rank: int, turn: int, limit: int) -> list[asyncpg.Record]:
    """Waiting orders of a group in the order in which they are decided again. Index: orders_queue."""
    found: list[asyncpg.Record] = await connection.fetch(
        """
        select key, account, queue_rank, queue_turn from orders
        where queue_home = $1 and (queue_rank, queue_turn) > ($2, $3)
        order by queue_rank, queue_turn limit $4
        """,
        home, rank, turn, limit,
    )  # fmt: skip
    return found


async def lapsing_after(
    connection: asyncpg.Connection, partition: int, day: dt.date, after: tuple[dt.date, str, str], limit: int
) -> list[asyncpg.Record]:
    """Orders that still reserve and whose last day is this one or earlier. Index: orders_reserving."""
    found: list[asyncpg.Record] = await connection.fetch(
        """
        select key, account, lapses_on, body from orders
        where partition = $1 and lapses_on <= $2 and (lapses_on, account, key) > ($3, $4, $5)
        order by lapses_on, account, key limit $6
        """,
        partition, day, *after, limit,
    )  # fmt: skip
    return found


async def reserving_after(
    connection: asyncpg.Connection, partition: int, account: str, after: tuple[dt.date, str], limit: int
) -> list[asyncpg.Record]:
    """Orders of one account that still reserve. Index: orders_reserving, one descent per day on which any lapses."""
    found: list[asyncpg.Record] = await connection.fetch(
        """
        with recursive days (day) as (
            select min(lapses_on) from orders where partition = $1 and lapses_on >= $3
            union all
            select (select min(lapses_on) from orders where partition = $1 and lapses_on > day) from days where day is not null
        )
        select orders.key, orders.lapses_on from days
        join orders on orders.partition = $1 and orders.lapses_on = day and orders.account = $2
        where (orders.lapses_on, orders.key) > ($3, $4)
        order by orders.lapses_on, orders.key limit $5
        """,
        partition, account, *after, limit,
    )  # fmt: skip
    return found


async def groups_waiting_after(connection: asyncpg.Connection, partition: int, home: str, limit: int) -> list[str]:
    """Groups that have waiting orders, by their home. Index: orders_queue."""
    found = await connection.fetch(
        "select distinct queue_home from orders where partition = $1 and queue_home > $2 order by queue_home limit $3",
        partition, home, limit,
    )  # fmt: skip
    return [row["queue_home"] for row in found]


# --- timers ---------------------------------------------------------------------------------------------------------


def _cursor(*place: Any) -> str:
    return msgspec.json.encode(place).decode()


def _place(cursor: str, kind: Any, first: Any) -> Any:
    return msgspec.json.decode(cursor, type=kind) if cursor else first


async def fire_recheck(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    limit = min(limit, STEP_MAX)
    rank, turn = _place(timer.cursor, tuple[int, int], (-1, -1))
    found = await waiting_after(connection, timer.key, rank, turn, limit)
    commands: list[tuple[str, Message]] = [(timer.key, RedecideOrder(order=row["key"], account=row["account"])) for row in found]
    if len(found) == limit:
        return Step(commands, _cursor(found[-1]["queue_rank"], found[-1]["queue_turn"]))
    return Step([*commands, (timer.key, EndRecheck(home=timer.key))])


async def fire_lapse(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    day = dt.date.fromisoformat(timer.key)
    after = _place(timer.cursor, tuple[dt.date, str, str], (dt.date.min, "", ""))
    found = await lapsing_after(connection, partition, day, after, limit)
    commands: list[tuple[str, Message]] = [
        (_decode_order(row["body"]).home, LapseReservation(order=row["key"], account=row["account"])) for row in found
    ]
    if len(found) < limit:
        return Step(commands)
    return Step(commands, _cursor(found[-1]["lapses_on"], found[-1]["account"], found[-1]["key"]))


async def fire_recall(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    after = _place(timer.cursor, tuple[dt.date, str], (dt.date.min, ""))
    found = await reserving_after(connection, partition, timer.key, after, limit)
    commands: list[tuple[str, Message]] = [(timer.home, RecallOrder(order=row["key"], account=timer.key)) for row in found]
    if len(found) < limit:
        return Step(commands)
    return Step(commands, _cursor(found[-1]["lapses_on"], found[-1]["key"]))


async def fire_mend(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    return Step([(timer.home, OpenRecheck(home=timer.home))])


async def fire_deal(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    account, deal = msgspec.json.decode(timer.key, type=tuple[str, str])
    return Step([(timer.home, ExpireDeal(deal=deal, account=account))])


async def fire_sweep(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    homes = await groups_waiting_after(connection, partition, timer.cursor, limit)
    commands: list[tuple[str, Message]] = [(home, OpenRecheck(home=home)) for home in homes]
    return Step(commands, homes[-1] if len(homes) == limit else None)


Fire = Callable[[asyncpg.Connection, int, Timer, dt.datetime, int], Awaitable[Step]]

FIRES: Mapping[str, Fire] = {
    RECHECK: fire_recheck,
    LAPSE: fire_lapse,
    RECALL: fire_recall,
    MEND: fire_mend,
    DEAL: fire_deal,
    SWEEP: fire_sweep,
}
