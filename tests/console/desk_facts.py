"""Facts of the order desk as its writers number them, for tests of what counts them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from contracts.envelope import ENVELOPES, SPECVERSION, Envelope, derived_id
from contracts.message import Message
from contracts.orders import (
    Decision,
    Finding,
    Inputs,
    OrderAsked,
    OrderBreached,
    OrderCancelled,
    OrderEscalated,
    OrderHeld,
    OrderNoted,
    OrderReferred,
    OrderRejected,
    OrderReleased,
    OrderSplit,
    OrderWarned,
    Placed,
)

NINE = dt.datetime(2026, 3, 10, 9, 0, tzinfo=dt.UTC)


def minutes(n: float) -> dt.timedelta:
    return dt.timedelta(minutes=n)


class Writer:
    """One partition of the order desk: each fact gets the next number."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.said: list[Envelope] = []

    def say(self, message: Message, at: dt.datetime = NINE) -> Envelope:
        sequence = len(self.said) + 1
        name = derived_id("test", str(self.partition), str(sequence))
        envelope = ENVELOPES[type(message)](
            specversion=SPECVERSION, id=name, source=f"/orders/{self.partition}", time=at, subject="s", partitionkey="home",
            sequence=f"{sequence:016}", correlationid=name, data=message,
        )  # fmt: skip
        self.said.append(envelope)
        return envelope


def decision(portfolio: str = "north", *reasons: str) -> Decision:
    inputs = Inputs(
        on=NINE.date(), value_minor=100, status="open", currency="GBP", portfolio=portfolio, limit_minor=1000, exposure_minor=0
    )
    return Decision(policy="p:1", decider=1, inputs=inputs, held_by=tuple(Finding(check=name) for name in reasons))


def placed(received_at: dt.datetime = NINE) -> Placed:
    return Placed(currency="GBP", total_minor=100, received_at=received_at)


def released(
    order: str, by: str = "policy", first: bool = False, portfolio: str = "north", received_at: dt.datetime = NINE
) -> OrderReleased:
    return OrderReleased(
        order=order, account="acme", reserved_minor=100, lapses_on=NINE.date(), instruction=f"{order}/1", by=by,
        decision=decision(portfolio), placed=placed(received_at) if first else None,
    )  # fmt: skip


def held(order: str, *reasons: str, first: bool = True, portfolio: str = "north", received_at: dt.datetime = NINE) -> OrderHeld:
    return OrderHeld(
        order=order, account="acme", decision=decision(portfolio, *(reasons or ("static_limit",))),
        placed=placed(received_at) if first else None,
    )  # fmt: skip


def referred(order: str, by: str = "policy", first: bool = False, portfolio: str = "north") -> OrderReferred:
    return OrderReferred(
        order=order, account="acme", level="director", by=by,
        decision=decision(portfolio, "order_value") if by == "policy" else None, placed=placed() if first else None,
    )  # fmt: skip


def rejected(order: str, by: str = "anna", first: bool = False) -> OrderRejected:
    return OrderRejected(
        order=order,
        account="acme",
        by=by,
        reason="no",
        decision=decision() if first else None,
        placed=placed() if first else None,
    )


def split(order: str) -> OrderSplit:
    return OrderSplit(
        order=order, account="acme", released_minor=50, held_minor=50, lapses_on=NINE.date(), instruction=f"{order}/2", by="anna",
        reason="half", decision=decision(),
    )  # fmt: skip


def cancelled(order: str) -> OrderCancelled:
    return OrderCancelled(order=order, account="acme", reason="gone")


def asked(order: str) -> OrderAsked:
    return OrderAsked(order=order, account="acme", question="when?", by="anna")


def warned(order: str) -> OrderWarned:
    return OrderWarned(order=order, account="acme", due_at=NINE)


def escalated(order: str, mark: str = "escalate") -> OrderEscalated:
    return OrderEscalated(order=order, account="acme", level="team_leader", mark=mark, due_at=NINE)


def breached(order: str) -> OrderBreached:
    return OrderBreached(order=order, account="acme", due_at=NINE)


def noted(order: str) -> OrderNoted:
    return OrderNoted(order=order, account="acme", note="called", by="anna")


AFTERWARDS: tuple[Callable[[str], Message], ...] = (
    lambda order: released(order),
    lambda order: released(order, by="anna"),
    lambda order: held(order, "on_stop", first=False),
    lambda order: referred(order, by="anna"),
    rejected, cancelled, split, asked, warned, escalated, breached, noted,
    lambda order: escalated(order, mark="breach"),
)  # fmt: skip
"""What may be said of an order after it came, in any order: a count must not stumble over any of it."""
