"""A no, with a word that a program can test and how to mend it; and "it is so already"."""

from __future__ import annotations

from typing import NamedTuple

from contracts.message import Fact
from contracts.payments import CommandRefused, CommandUnneeded


class Refusal(NamedTuple):
    reason: str
    detail: str

    def of(self, account: str, item: str | None = None) -> list[Fact]:
        return [CommandRefused(account=account, reason=self.reason, detail=self.detail[:500], item=item)]


def unneeded(account: str, item: str | None = None) -> list[Fact]:
    return [CommandUnneeded(account=account, item=item)]


def not_reasoned(reason: str) -> Refusal | None:
    return None if reason.strip() else Refusal("no_reason", "what is changed is kept with its reason; say why")
