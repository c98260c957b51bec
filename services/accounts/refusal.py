"""The other answers: a no, with a word that a program can test and how to mend it; and "it is so already"."""

from __future__ import annotations

from typing import NamedTuple

from contracts.accounts import CommandRefused, CommandUnneeded
from contracts.message import Fact


class Refusal(NamedTuple):
    reason: str
    detail: str

    def of(self, account: str) -> CommandRefused:
        return CommandRefused(account=account, reason=self.reason, detail=self.detail)


def unneeded(account: str) -> list[Fact]:
    return [CommandUnneeded(account=account)]


def not_reasoned(reason: str) -> Refusal | None:
    return None if reason.strip() else Refusal("no_reason", "what is changed is kept with its reason; say why")
