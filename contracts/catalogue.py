"""Every message of the house in one literal list, and what follows from it: names, topics, schemas.

A message that is not listed here does not exist: `contracts.export` and the kit read this list and nothing else.
"""

from __future__ import annotations

import inspect
from types import ModuleType

from contracts import accounts, claims, collections, commissions, gateway, orders, payments
from contracts.message import Command, Fact, Message, topic_of, type_name

MODULES: tuple[ModuleType, ...] = (accounts, orders, payments, claims, commissions, collections, gateway)


def _declared(module: ModuleType) -> list[type[Message]]:
    classes = (value for _, value in inspect.getmembers(module, inspect.isclass) if value.__module__ == module.__name__)
    return [value for value in classes if issubclass(value, (Fact, Command))]


MESSAGES: dict[str, type[Message]] = {type_name(message): message for module in MODULES for message in _declared(module)}

SERVICES: tuple[str, ...] = tuple(module.__name__.rsplit(".", 1)[-1] for module in MODULES)

TOPICS: tuple[str, ...] = tuple(sorted({topic_of(message) for message in MESSAGES.values()}))


def messages_of(topic: str) -> dict[str, type[Message]]:
    return {name: message for name, message in MESSAGES.items() if topic_of(message) == topic}
