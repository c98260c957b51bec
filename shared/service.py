"""What a service is, as a value: which messages it hears, how it decides, which rows follow from its facts.

The kit runs such a value (`shared.engine`); a service never writes, publishes or commits anything itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from contracts.envelope import Envelope
from contracts.message import Message
from shared.rows import Key, Table


class Moment(msgspec.Struct, frozen=True):
    """The circumstances of one decision: when, for which credit group, because of which message, by whom.

    `actor`, `role` and `team` come from the sender's credential, never from a message's body.
    """

    at: dt.datetime
    home: str
    partition: int
    cause: str
    flow: str
    actor: str = ""
    role: str = ""
    team: str = ""

    @property
    def people(self) -> frozenset[str]:
        """Whoever acts here: the sender, and whom they act for."""
        return people_in(self.actor)


FOR = " for "
"""`dora for pia`: a deputy, and for whom they act (A6). No name holds a blank."""


def people_in(actor: str) -> frozenset[str]:
    """The people that an actor stands for. Two actors are somebody else only if they share none."""
    return frozenset(actor.split(FOR))


READING = frozenset({"sales"})
"""Roles of people who see and wish nothing (V8): the gateway takes no command of theirs, and what any role may wish for is
refused to them as well."""


class Timer(msgspec.Struct, frozen=True):
    """A deadline as a row. `kind` and `key` name it within its partition; `due` None clears it.

    `cursor` is how far a timer with more work than one step has come. `home`: whose it is; its step then reads rows of that home
    only, so that steps of several homes may share a batch. Empty when it is the partition's.
    """

    kind: str
    key: str
    due: dt.datetime | None
    home: str = ""
    cursor: str = ""


class Step(msgspec.Struct, frozen=True):
    """What a due timer becomes: commands per home, and the cursor to go on from (None: it is done)."""

    commands: list[tuple[str, Message]]
    cursor: str | None = None


class To(msgspec.Struct, frozen=True):
    """A message for another home than the one it was decided for."""

    home: str
    message: Message


State = Any
Decide = Callable[[State, Any, Moment], Iterable[Message | To]]
Project = Callable[[asyncpg.Connection, Sequence[Envelope]], Awaitable[None]]
Fire = Callable[[asyncpg.Connection, int, Timer, dt.datetime, int], Awaitable[Step]]
Become = Callable[[Timer], tuple[str, Message]]


def no_deadlines(before: State, after: State, moment: Moment) -> Iterable[Timer]:
    return ()


@dataclass(frozen=True)
class Service:
    """`state` is a frozen Struct whose every field is a row or None; `tables` says where each field lives.

    `rows(message, home, partition)` gives the key of every state field, in field order, for any message heard and any own fact.
    A tuple of keys makes the field a dict of rows (key -> row or None), which is replaced as a whole when one of them changes.
    `mail` is what may be posted to its mailbox besides what it hears from topics. `projects` writes read tables straight from
    the facts heard, in the batch's own transaction: for views that nothing is decided on. `fires` are timers that ask tables
    what to do; `becomes` those that are one command each, known from the timer alone: they are decided among the messages.
    """

    name: str
    state: type[msgspec.Struct]
    tables: Mapping[str, Table]
    rows: Callable[[Any, str, int], tuple[Key, ...]]
    hears: Mapping[type[Message], Decide]
    evolve: Callable[[State, Any, dt.datetime], State]
    schema: Path
    mail: Mapping[type[Message], Decide] = field(default_factory=dict)
    projects: Project | None = None
    deadlines: Callable[[State, State, Moment], Iterable[Timer]] = no_deadlines
    fires: Mapping[str, Fire] = field(default_factory=dict)
    becomes: Mapping[str, Become] = field(default_factory=dict)

    def distinct_tables(self) -> dict[str, Table]:
        return {table.name: table for table in self.tables.values()}
