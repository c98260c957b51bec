"""Small old balances, found once a month, and what a monthly run gave up (P11). Finds only: each is decided again by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import asyncpg
import msgspec

from contracts.envelope import derived_id
from contracts.message import Message
from contracts.payments import SweepBalance
from services.payments.policies import Policy, in_force
from services.payments.state import Item, Payout, State
from shared.service import Moment, Step, Timer

SWEEP = "sweep"
"""Timer: one a partition and month, set by the items that will be old enough in it."""
RUN_AT = dt.time(5, 0, tzinfo=dt.UTC)
"""Before anybody works, so that the month's proposals are there in the morning."""

_item = msgspec.json.Decoder(Item).decode
_payout = msgspec.json.Decoder(Payout).decode


def timers(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    """The run of the month in which what has become small is old. Setting a timer again that is set already costs nothing."""
    if after.items is before.items:
        return
    policy = in_force(moment.at.date())
    for name, item in after.items.items():
        if item is not None and item is not before.items.get(name) and is_small(item, policy):
            due = run_for(item, policy, moment.at)
            yield Timer(SWEEP, f"{due:%Y-%m}", due)


def is_small(item: Item, policy: Policy) -> bool:
    return 0 < abs(item.open_minor) <= policy.sweep.amounts.get(item.currency, 0)


def run_for(item: Item, policy: Policy, now: dt.datetime) -> dt.datetime:
    """The first run, on the first of a month, on which this item is old enough: always still to come."""
    ripe = max(item.due_on + dt.timedelta(days=policy.sweep.days), now.date() + dt.timedelta(days=1))
    first = ripe if ripe.day == 1 else (ripe.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
    return dt.datetime.combine(first, RUN_AT)


def key_of(item: Item) -> str:
    """The same balance is proposed once; another one of the same item is another question."""
    return derived_id("sweep", item.item, str(item.open_minor))


async def fire(connection: asyncpg.Connection, partition: int, timer: Timer, now: dt.datetime, limit: int) -> Step:
    """Open items of this partition that are small and old, page by page. Index: item_old."""
    policy = in_force(now.date())
    most, old = max(policy.sweep.amounts.values(), default=0), now.date() - dt.timedelta(days=policy.sweep.days)
    rows = await connection.fetch(
        """
        select body from item
        where partition = $1 and open_home is not null and key > $2 and due_on <= $3 and open_minor between -$4::bigint and $4
        order by key limit $5
        """,
        partition,
        timer.cursor,
        old,
        most,
        limit,
    )
    items: list[Item] = [_item(row["body"]) for row in rows]
    found = [each for each in items if is_small(each, policy)]
    commands: list[tuple[str, Message]] = [
        (each.home, SweepBalance(account=each.account, item=each.item, key=key_of(each))) for each in found
    ]
    return Step(commands, items[-1].item if len(items) == limit else None)


async def given_up(connection: asyncpg.Connection, run: str, after: str, limit: int) -> list[Payout]:
    """What this monthly run (2026-03) gave up, reversed ones too, page by page after a request. Index: payout_of_run."""
    rows = await connection.fetch("select body from payout where run = $1 and key > $2 order by key limit $3", run, after, limit)
    return [_payout(row["body"]) for row in rows]
