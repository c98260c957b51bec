"""`quittance explain`: why an order was decided as it was, recomputed from the journal and compared to the byte (O10).

The own journal of the order desk is folded in order; before each decision the sixteen checks are judged again from the
state so far. Nothing is asked of anybody, and nothing is written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from contracts.envelope import Envelope, encode_value
from contracts.message import type_name
from contracts.orders import Decision, OrderHeld, OrderReferred, OrderRejected, OrderReleased, OrderSplit
from quittance.installation import Unusable
from quittance.readers import connected
from services.orders.app import SERVICE
from services.orders.judge import recompute
from services.orders.state import State
from shared import archive, refold
from shared.credit.describing import Line, describe
from shared.credit.rulebook import find_book
from shared.journal import OWN
from shared.settings import Settings

DECIDED = (OrderReleased, OrderHeld, OrderReferred, OrderRejected, OrderSplit)
"""Facts that may carry a decision."""
DIFFERENT_MAX = 20
"""Differences shown; more of them say nothing new."""


class Explained(msgspec.Struct, frozen=True):
    """One decision: what was said, its sixteen checks, and whether it comes out of the log to the byte."""

    order: str
    account: str
    fact: str
    id: str
    at: dt.datetime
    policy: str
    decider: int
    currency: str
    checks: list[Line]
    inputs: dict[str, Any]
    same: bool
    bytes: int
    by: str = "policy"
    reason: str = ""


class Different(msgspec.Struct, frozen=True):
    order: str
    id: str
    stored: str
    recomputed: str


class Audit(msgspec.Struct, frozen=True):
    """`checked` decisions were recomputed, of so many `orders`; `different` did not come out the same."""

    orders: int
    checked: int
    different_count: int
    different: list[Different]


async def explain(settings: Settings, asked: str) -> list[Explained]:
    """Every decision of one order, oldest first. Raises `Unusable` when there is no such order."""
    async with _looking(settings) as connection:
        order, partition = await _found(connection, asked)
        decisions: list[Explained] = []

        def look(state: State, fact: Envelope) -> None:
            if isinstance(fact.data, DECIDED) and fact.data.order == order and fact.data.decision is not None:
                decisions.append(_explained(state, fact, fact.data.decision))

        await refold.fold(connection, SERVICE, partition, look)
        if not decisions and (numbers := await archive.missing(connection, partition, OWN)):
            raise Unusable(f"{order} was decided in what is archived ({_named(numbers)}): `quittance journal attach orders`")
    return decisions


def _named(numbers: list[int]) -> str:
    return ", ".join(f"archive {number}" for number in numbers)


async def explain_all(settings: Settings, told: Callable[[int], None] = lambda _: None) -> Audit:
    """Recompute every decision of every order; `told` is given the number of partitions done."""
    audit = _Auditor()
    async with _looking(settings) as connection:
        for partition in range(settings.partitions):
            await refold.fold(connection, SERVICE, partition, audit.look)
            told(partition + 1)
    return Audit(len(audit.orders), audit.checked, audit.count, audit.different)


class _Auditor:
    def __init__(self) -> None:
        self.orders: set[str] = set()
        self.checked = self.count = 0
        self.different: list[Different] = []

    def look(self, state: State, fact: Envelope) -> None:
        if not isinstance(fact.data, DECIDED) or fact.data.decision is None:
            return
        self.orders.add(fact.data.order)
        self.checked += 1
        stored, again = _both(state, fact, fact.data.decision)
        if stored != again:
            self.count += 1
            if len(self.different) < DIFFERENT_MAX:
                self.different.append(Different(fact.data.order, fact.id, stored.decode(), again.decode()))


def _both(state: State, fact: Envelope, decision: Decision) -> tuple[bytes, bytes]:
    """The decision's canonical bytes as they stand in the journal, and as they come out now."""
    return encode_value(decision), encode_value(recompute(state, fact.data, fact.time))


def _explained(state: State, fact: Envelope, decision: Decision) -> Explained:
    stored, again = _both(state, fact, decision)
    said = fact.data
    book = find_book(state.policies, decision.policy)
    return Explained(
        order=said.order,
        account=said.account,
        fact=type_name(type(said)),
        id=fact.id,
        at=fact.time,
        policy=decision.policy,
        decider=decision.decider,
        currency=decision.inputs.currency,
        checks=describe(decision, book, said.order, said.account) if book is not None else [],
        inputs=msgspec.to_builtins(decision.inputs),
        same=stored == again,
        bytes=len(stored),
        by=getattr(said, "by", "policy"),
        reason=getattr(said, "reason", ""),
    )


# --- finding an order -----------------------------------------------------------------------------------------------


async def _found(connection: asyncpg.Connection, asked: str) -> tuple[str, int]:
    """(order, partition). An order may be named without its feed where only one feed has it."""
    table = SERVICE.tables["order"].name
    row = await connection.fetchrow(f"select key, partition from {table} where key = $1", asked)
    if row is not None:
        return row["key"], row["partition"]
    rows = await connection.fetch(f"select key, partition from {table} where key like $1 limit 10", _ending(asked))
    if len(rows) == 1:
        return rows[0]["key"], rows[0]["partition"]
    if rows:
        raise Unusable(f"{asked!r} is in several feeds: name one of {', '.join(row['key'] for row in rows)}")
    raise Unusable(
        f"the order desk knows no order {asked!r}; is it in quarantine (`quittance quarantine list`), or in "
        "another namespace? The synthetic day has its own: QUITTANCE_NAMESPACE=day_"
    )


async def full_name(settings: Settings, asked: str) -> str | None:
    """The order's whole name, or None when this names no order."""
    async with _looking(settings) as connection:
        try:
            return (await _found(connection, asked))[0]
        except Unusable as error:
            if "several feeds" in str(error):
                raise
            return None


def _ending(asked: str) -> str:
    escaped = asked.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%/{escaped}"


@asynccontextmanager
async def _looking(settings: Settings) -> Any:
    connection = await connected(settings, SERVICE.name)
    try:
        await connection.execute("set statement_timeout = 0")
        yield connection
    finally:
        connection.terminate()


# --- in words -------------------------------------------------------------------------------------------------------

PARTS = (
    ("open items", "open_items_minor", 1),
    ("unbilled deliveries", "unbilled_minor", 1),
    ("reservations", "reserved_minor", 1),
    ("deals", "deals_minor", 1),
    ("confirmed credits", "soft_credits_minor", -1),
)


def exposure_parts(inputs: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """What the exposure before this order was made of (F1), signed, without what is nothing."""
    for name, field, sign in PARTS:
        if amount := inputs.get(field, 0):
            yield name, sign * amount
