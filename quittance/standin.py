"""A stand-in for the payments service while it is not built: it enters items and settles them as it is told.

It is a service of the kit like any other, so its facts are numbered, published once, and the same after any crash; the
simulator mails it what billing and the bank would have told, in the words of the facts that follow. It allocates nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from contracts.message import Message
from contracts.payments import ItemPosted, ItemSettled
from shared.rows import Table
from shared.serve import serve
from shared.service import Moment, Service

RECEIPTS_MAX = 100
"""Receipts remembered per item, so that one that is told twice counts once; more than any item ever has here."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    item: str
    kind: str
    open_minor: int
    due_on: dt.date
    receipts: tuple[str, ...] = ()


class State(msgspec.Struct, frozen=True):
    item: Item | None = None


def rows(message: Message, home: str, partition: int) -> tuple[str | None, ...]:
    return (getattr(message, "item", None),)


def post(state: State, told: ItemPosted, moment: Moment) -> Iterable[Message]:
    """An item is entered once."""
    return (told,) if state.item is None else ()


def settle(state: State, told: ItemSettled, moment: Moment) -> Iterable[Message]:
    """A receipt counts once, and only against an item that was entered."""
    item = state.item
    if item is None or told.by in item.receipts:
        return ()
    return (replace(told, open_minor=item.open_minor - told.settled_minor),)


def evolve(state: State, fact: Message, at: dt.datetime) -> State:
    match fact:
        case ItemPosted():
            return State(Item(item=fact.item, kind=fact.kind, open_minor=fact.amount_minor, due_on=fact.due_on))
        case ItemSettled() if state.item is not None:
            receipts = (*state.item.receipts, fact.by or "")[-RECEIPTS_MAX:]
            return State(replace(state.item, open_minor=fact.open_minor, receipts=receipts))
        case _:
            return state


SERVICE = Service(
    name="payments",
    state=State,
    tables={"item": Table("item", Item, key="item")},
    rows=rows,
    hears={},
    mail={ItemPosted: post, ItemSettled: settle},
    evolve=evolve,
    schema=Path(__file__).with_name("standin.sql"),
)

if __name__ == "__main__":
    serve(SERVICE)
