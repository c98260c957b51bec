"""The maps of services, written from the code: who owns, hears and says what. The README's is short; `MAP` names every message.

python -m quittance.map            rewrites the part of README.md between its marks, and MAP
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from contracts.catalogue import MESSAGES
from contracts.message import Message
from shared.service import Service

REPOSITORY = Path(__file__).resolve().parents[1]
README = REPOSITORY / "README.md"
MAP = REPOSITORY / "contracts" / "MAP.md"
WRITTEN = "Written by `python -m quittance.map`, kept equal to the code by a test."
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
    return ", ".join(name.split(".")[1].replace("_", " ") for name in sorted(_names(messages)))


def _names(messages: list[type[Message]]) -> list[str]:
    return [name for name, message in MESSAGES.items() if message in messages]


def _hears(service: Service) -> dict[str, list[type[Message]]]:
    """By the service that says them, in the order of their names; its own commands first."""
    by_owner: dict[str, list[type[Message]]] = {}
    for message in service.hears:
        by_owner.setdefault(message.__module__.rsplit(".", 1)[-1], []).append(message)
    return {owner: by_owner[owner] for owner in sorted(by_owner, key=lambda each: (each != service.name, each))}


def _says(service: Service) -> list[type[Message]]:
    return [m for m in MESSAGES.values() if m.__module__ == f"contracts.{service.name}" and not m.is_command]


def rendered() -> str:
    """The README's: how many messages, of whom."""
    rows = [f"| {one.name} | {OWNS[one.name]} | {_counted(one)} | {len(_says(one)) or 'nothing'} |" for one in services()]
    return "\n".join(["| service | owns | hears | says |", "|---|---|---|---|", *rows]) + "\n"


def _counted(service: Service) -> str:
    heard = _hears(service).items()
    return ", ".join(f"its {len(each)} commands" if owner == service.name else f"{owner} {len(each)}" for owner, each in heard)


def whole() -> str:
    """Every message that is said or heard, by service."""
    lines = ["# Who says what, and who hears it", "", WRITTEN, ""]
    for one in services():
        lines += [f"## {one.name}", f"Owns {OWNS[one.name]}.", ""]
        for owner, messages in _hears(one).items():
            lines.append(f"- {'takes the commands' if owner == one.name else f'hears of **{owner}**:'} {_words(messages)}")
        lines += [f"- says {_words(_says(one)) or 'nothing'}", ""]
    return "\n".join(lines)


def with_map(text: str) -> str:
    """The README's text with the map as the code has it. Raises ValueError when the marks are missing."""
    head, _, rest = text.partition(BEGIN)
    _, mark, tail = rest.partition(END)
    if not mark:
        raise ValueError(f"{README.name} lacks the marks {BEGIN.strip()!r} … {END!r}; put them back around the map")
    return head + BEGIN + rendered() + mark + tail


if __name__ == "__main__":
    README.write_text(with_map(README.read_text()))
    MAP.write_text(whole())
