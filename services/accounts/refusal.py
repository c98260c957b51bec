"""The other answers: a no, with a word that a program can test and how to mend it; and "it is so already"."""

from __future__ import annotations

from typing import NamedTuple

from contracts.accounts import CommandRefused, CommandUnneeded
from contracts.message import Fact
from shared.service import Moment


class Refusal(NamedTuple):
    reason: str
    detail: str

    def of(self, account: str) -> CommandRefused:
        return CommandRefused(account=account, reason=self.reason, detail=self.detail)


def unneeded(account: str) -> list[Fact]:
    return [CommandUnneeded(account=account)]


def not_reasoned(reason: str) -> Refusal | None:
    return None if reason.strip() else Refusal("no_reason", "what is changed is kept with its reason; say why")


def not_worded(text: str) -> Refusal | None:
    return None if text.strip() else Refusal("no_text", "there is nothing to read in it; write what was done or is to be done")


def not_signed(moment: Moment) -> Refusal | None:
    return None if moment.actor else Refusal("no_author", "it is kept with whose word it is; send it with a person's credential")
