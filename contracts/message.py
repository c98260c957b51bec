"""What a message is: a frozen value with a type name, a direction and a declared place.

A message is declared once, as a class of one module of this package, and carries its own name on the wire:
`<service>.<snake_case>.v<major>`. Facts go to the service's own topic, commands to its commands topic.
Nothing here knows Kafka, PostgreSQL or any service.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=False):
    """Common ground of facts and commands. Unknown fields are ignored, so that a newer writer does not stop an older reader."""

    major: ClassVar[int] = 1
    is_command: ClassVar[bool] = False


class Fact(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened; said by one service, heard by many."""


class Command(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Something wished of one service; the answer is a fact."""

    is_command: ClassVar[bool] = True


def type_name(message: type[Message]) -> str:
    """`orders.order_released.v1` for `contracts.orders.OrderReleased`."""
    service = message.__module__.rsplit(".", 1)[-1]
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", message.__name__).lower()
    return f"{service}.{snake}.v{message.major}"


def topic_of(message: type[Message]) -> str:
    """The topic a message travels on: `orders` for its facts, `orders.commands` for its commands."""
    service = message.__module__.rsplit(".", 1)[-1]
    return f"{service}.commands" if message.is_command else service
