"""What any acquirer must be able to do: answer one question under one key, the same way however often it is asked (P9)."""

from __future__ import annotations

from typing import Protocol

import msgspec

CAPTURED, DECLINED, CHARGED_BACK = "captured", "declined", "charged_back"
REFUNDED, REFUND_DECLINED = "refunded", "refund_declined"
OUTCOMES = frozenset({CAPTURED, DECLINED, REFUNDED, REFUND_DECLINED, CHARGED_BACK})
CAPTURE, REFUND = "capture", "refund"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A journaled intent: `key` is deduplicated by the acquirer for ever; `token` stands for a card that only it knows."""

    key: str
    account: str
    payment: str
    action: str
    amount_minor: int
    currency: str
    token: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The acquirer's last word on one key."""

    outcome: str
    amount_minor: int
    detail: str = ""


class Acquirer(Protocol):
    async def ask(self, question: Question) -> Outcome | None:
        """None: unknown (no answer, or none that can be read). The money may have moved: ask again under the same key."""
        ...
