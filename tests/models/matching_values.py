"""Payments and open items for the matching tests, in euro cents, with as little said as a test needs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from services.payments.matching.values import Match, Open, Outcome, Payment

DAY = dt.date(2026, 3, 1)


def invoice(item: str, open_minor: int, **more: Any) -> Open:
    known = {
        "account": "acme",
        "kind": "invoice",
        "amount_minor": open_minor,
        "currency": "EUR",
        "document_on": DAY,
        "due_on": DAY,
    }
    return Open(item=item, open_minor=open_minor, **{**known, **more})


def credit(item: str, open_minor: int, **more: Any) -> Open:
    return invoice(item, open_minor, kind="credit_note", **more)


def payment(amount_minor: int, text: str = "", **more: Any) -> Payment:
    return Payment(**{"receipt": "r1", "amount_minor": amount_minor, "currency": "EUR", "received_on": DAY, "text": text, **more})


def paid(outcome: Outcome) -> dict[str, int]:
    """Cash by item; a test that expects a match fails here with the reason why there is none."""
    assert isinstance(outcome, Match), outcome.why
    return {line.item: line.paid_minor for line in outcome.lines}
