"""Who is in the rig, and what may exist only once of each: the one table to extend when a service joins.

What a service hears and says, where it runs and on which tables it rests is taken from `quittance.cast` and its own `SERVICE`.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.accounts import AccountOpened
from contracts.message import Message, topic_of, type_name
from contracts.orders import OrderBilled, OrderDespatched, OrderReleased, OrderSplit
from contracts.payments import (
    CashAllocated,
    CashGivenBack,
    CashReceived,
    CashRecognised,
    CashUnallocated,
    CashWithdrawn,
    EntryDropped,
    EntryPosted,
    ItemPosted,
    StatementTaken,
)
from quittance.cast import service_of
from shared.journal import OWN


class Member(msgspec.Struct, frozen=True):
    """`once`: of these facts there is one per value of these fields, whatever happens: what reaches the world outside.

    `door`: the feed sends to it by HTTP; `by_mail`: the feed puts messages into its mailbox; `looks_only`: it decides nothing.
    """

    name: str
    once: Mapping[type[Message], tuple[str, ...]] = {}
    door: bool = False
    by_mail: bool = False
    looks_only: bool = False

    def once_by_type(self) -> dict[str, tuple[str, ...]]:
        return {type_name(message): fields for message, fields in self.once.items()}

    def hears(self) -> set[str]:
        """Topics."""
        return {topic_of(message) for message in service_of(self.name).hears}


CREW = (
    Member("accounts", {AccountOpened: ("account",)}),
    Member(
        "orders",
        {
            OrderReleased: ("instruction",),
            OrderSplit: ("instruction",),
            OrderDespatched: ("despatch",),
            OrderBilled: ("item", "order"),
        },
    ),
    Member(
        "payments",
        {
            ItemPosted: ("item",),
            EntryPosted: ("account", "entry"),
            StatementTaken: ("bank_account", "statement", "part"),
            EntryDropped: ("bank_account", "entry"),
            CashRecognised: ("receipt",),
            CashReceived: ("receipt",),
            CashAllocated: ("match",),
            CashUnallocated: ("match",),
            CashGivenBack: ("receipt",),
            CashWithdrawn: ("receipt",),
        },
        by_mail=True,
    ),
    Member("gateway", door=True),
    Member("console", looks_only=True),
)
NAMES = tuple(member.name for member in CREW)


def member_of(name: str) -> Member:
    return next(member for member in CREW if member.name == name)


def topic_of_lane(speaker: str, lane: str) -> str:
    return speaker if lane == OWN else lane.rpartition("/")[0]


def target_of_lane(partition: int, lane: str) -> int:
    return partition if lane == OWN else int(lane.rpartition("/")[2])


def listeners_of(topic: str) -> list[str]:
    return [member.name for member in CREW if topic in member.hears()]
