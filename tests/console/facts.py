"""Facts as the console hears them: envelopes with a place in their writer's sequence."""

from __future__ import annotations

import datetime as dt
from typing import Any

from contracts import orders
from contracts.accounts import Terms
from contracts.envelope import Envelope, derived_id
from contracts.message import Message
from contracts.orders import Clock, Decision, Finding, Inputs, Placed
from shared.credit.rulebook import SHIPPED

START = dt.datetime(2010, 12, 1, 9, 0, tzinfo=dt.UTC)
POLICY = f"{SHIPPED[0].version}:{SHIPPED[0].digest}"


def told(message: Message, sequence: int, at: dt.datetime = START, home: str = "acme", **more: Any) -> Envelope:
    service = type(message).__module__.rsplit(".", 1)[-1]
    return Envelope(
        specversion="1.0",
        id=derived_id(service, str(sequence)),
        source=f"/{service}/0",
        time=at,
        subject="",
        partitionkey=home,
        sequence=f"{sequence:016d}",
        data=message,
        **more,
    )


def in_order(messages: list[Message], at: dt.datetime = START, first: int = 1) -> list[Envelope]:
    return [told(message, n, at, getattr(message, "account", "acme")) for n, message in enumerate(messages, start=first)]


def noted(account: str = "acme", portfolio: str = "main", **more: Any) -> orders.StandingNoted:
    fields: dict[str, Any] = {
        "home": account, "opened": True, "name": account.title(), "currency": "GBP", "status": "open",
        "limit_minor": 100_000, "terms": Terms(portfolio=portfolio), **more,
    }  # fmt: skip
    return orders.StandingNoted(account=account, **fields)


def clock(due_at: dt.datetime, allowance: dt.timedelta = dt.timedelta(hours=2)) -> Clock:
    begins = due_at - allowance
    return Clock(from_at=begins, warn_at=begins + allowance / 2, escalate_at=begins + allowance * 3 / 4, due_at=due_at)


def decision(value_minor: int = 150_000, checks: tuple[str, ...] = ("static_limit",), **inputs: Any) -> Decision:
    fields: dict[str, Any] = {
        "on": START.date(), "value_minor": value_minor, "status": "open", "currency": "GBP", "limit_minor": 100_000,
        "exposure_minor": 0, **inputs,
    }  # fmt: skip
    held = tuple(Finding(check=name, measured=value_minor, threshold=100_000) for name in checks)
    return Decision(policy=POLICY, decider=1, inputs=Inputs(**fields), held_by=held)


def held(
    name: str, account: str = "acme", value_minor: int = 150_000, due_at: dt.datetime | None = None, **more: Any
) -> orders.OrderHeld:
    return orders.OrderHeld(
        order=name,
        account=account,
        decision=more.pop("decision", None) or decision(value_minor, **more),
        placed=Placed(currency="GBP", total_minor=value_minor, received_at=START),
        first="c",
        clock=clock(due_at or START + dt.timedelta(hours=2)),
    )


def referred(name: str, level: str, account: str = "acme") -> orders.OrderReferred:
    return orders.OrderReferred(order=name, account=account, level=level, by="rita", reason="too much for me")


def released(name: str, account: str = "acme", value_minor: int = 1_000, at_once: bool = True, by: str = "policy") -> Any:
    placed = Placed(currency="GBP", total_minor=value_minor, received_at=START) if at_once else None
    return orders.OrderReleased(
        order=name,
        account=account,
        reserved_minor=value_minor,
        lapses_on=START.date() + dt.timedelta(days=30),
        instruction=f"{name}/1",
        decision=decision(value_minor, ()),
        placed=placed,
        first="c" if at_once else None,
        by=by,
    )
