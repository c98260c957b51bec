"""The map of services in the README, written from the code: who owns, hears and says what.

python -m quittance.map            rewrites the part of README.md between its marks
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from contracts.catalogue import MESSAGES
from contracts.message import Message
from shared.service import Service

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
BEGIN, END = "by a test -->\n", "<!-- /map -->"

OWNS = {
    "accounts": "credit master, groups, status, limits and terms by date",
    "payments": "receivables ledger, cash from the bank, what it was matched to, suspense",
    "orders": "orders, exposure, reservations, the sixteen checks, release instructions",
    "gateway": "credentials, flows, intake files, quarantine of what came in",
    "console": "read models, pages, people and their sessions",
}


def services() -> Iterator[Service]:
    """Every service in this repository, by its folder."""
    for folder in sorted((REPOSITORY / "services").iterdir()):
        if (folder / "app.py").exists():
            yield importlib.import_module(f"services.{folder.name}.app").SERVICE


def _words(messages: list[type[Message]]) -> str:
    """`order released, order held`: the wire names, spoken."""
    return ", ".join(inspect.cleandoc(name.split(".")[1].replace("_", " ")) for name in sorted(_names(messages)))


def _names(messages: list[type[Message]]) -> list[str]:
    return [name for name, message in MESSAGES.items() if message in messages]


def _hears(service: Service) -> str:
    by_owner: dict[str, list[type[Message]]] = {}
    for message in service.hears:
        by_owner.setdefault(message.__module__.rsplit(".", 1)[-1], []).append(message)
    own = by_owner.pop(service.name, [])
    parts = [f"**{owner}**: {_words(messages)}" for owner, messages in sorted(by_owner.items())]
    return "<br>".join(([f"its commands: {_words(own)}"] if own else []) + parts)


def _says(service: Service) -> str:
    own = [m for m in MESSAGES.values() if m.__module__ == f"contracts.{service.name}" and not m.is_command]
    return _words(own)


def rendered() -> str:
    rows = [f"| {one.name} | {OWNS[one.name]} | {_hears(one)} | {_says(one)} |" for one in services()]
    return "\n".join(["| service | owns | hears | says |", "|---|---|---|---|", *rows]) + "\n"


def with_map(text: str) -> str:
    """The README's text with the map as the code has it. Raises ValueError when the marks are missing."""
    head, _, rest = text.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError(f"{README.name} lacks the marks {BEGIN.strip()!r} … {END!r}; put them back around the map")
    return head + BEGIN + rendered() + mark + tail


if __name__ == "__main__":
    README.write_text(with_map(README.read_text()))
