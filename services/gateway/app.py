"""What the gateway hears and says. It decides nothing: mail becomes the command or fact that it holds; facts of others
are projected into read tables (`outcomes.project`), where senders and the held page find them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from contracts.gateway import FileAccepted, FileFinished
from contracts.message import Message
from services.gateway.bodies import SENDABLE
from services.gateway.outcomes import HEARD, project
from shared.service import Decide, Moment, Service


class Nothing(msgspec.Struct, frozen=True):
    """The gateway keeps no state of its own to decide by."""


def forward(state: Nothing, message: Message, moment: Moment) -> Iterable[Message]:
    """Mail that was checked and let in goes out as what it is, under an id derived from the mail's."""
    return (message,)


def only_noted(state: Nothing, message: Message, moment: Moment) -> Iterable[Message]:
    """A fact of another service: nothing follows from it here; `project` notes it in the same transaction."""
    return ()


def no_rows(message: Any, home: str, partition: int) -> tuple[str | None, ...]:
    return ()


def unchanged(state: Nothing, fact: Message, at: Any) -> Nothing:
    return state


SAID: tuple[type[Message], ...] = (FileAccepted, FileFinished)
MAIL: Mapping[type[Message], Decide] = dict.fromkeys([*SENDABLE, *SAID], forward)
HEARS: Mapping[type[Message], Decide] = dict.fromkeys(HEARD, only_noted)

SERVICE = Service(
    name="gateway",
    state=Nothing,
    tables={},
    rows=no_rows,
    hears=HEARS,
    mail=MAIL,
    evolve=unchanged,
    schema=Path(__file__).with_name("schema.sql"),
    projects=project,
)
