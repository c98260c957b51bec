"""What the console hears: all that its projections ask for. It decides nothing and says nothing; facts become rows
of read tables in the batch's own transaction, and pages ask those rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import asyncpg
import msgspec

from contracts.envelope import Envelope
from contracts.message import Message
from services.console import book, counting, cover, deals, policies, queue, said
from services.console.receivables import cards, cash, elsewhere, ledger, offsets, paying, stated
from shared.service import Decide, Moment, Service

PROJECTIONS: tuple[ModuleType, ...] = (
    queue, book, cover, deals, said, policies, counting, cash, ledger, paying, offsets, cards, elsewhere,
    stated,
)  # fmt: skip
"""Each module has `HEARS`, the types it wants, and `async project(connection, facts)`: its rows, set-based, at these facts.

A projection is told every fact once and in the writer's order; it must not mind what came on another topic first.
"""


class Nothing(msgspec.Struct, frozen=True):
    """The console keeps no state to decide by."""


def only_noted(state: Nothing, message: Message, moment: Moment) -> Iterable[Message]:
    """A fact of another service: nothing follows from it here; `project` notes it in the same transaction."""
    return ()


def no_rows(message: Any, home: str, partition: int) -> tuple[str | None, ...]:
    return ()


def unchanged(state: Nothing, fact: Message, at: Any) -> Nothing:
    return state


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Bring every read table up to these facts, one projection after the other."""
    for projection in PROJECTIONS:
        if asked := [fact for fact in facts if type(fact.data) in projection.HEARS]:
            await projection.project(connection, asked)


HEARS: Mapping[type[Message], Decide] = {message: only_noted for one in PROJECTIONS for message in one.HEARS}

SERVICE = Service(
    name="console",
    state=Nothing,
    tables={},
    rows=no_rows,
    hears=HEARS,
    evolve=unchanged,
    schema=Path(__file__).with_name("schema.sql"),
    projects=project,
)
