"""What a person's command checks first: who it comes from, that the order is there, is this account's, stands as it must."""

from __future__ import annotations

from typing import Any

from contracts.orders import CommandRefused
from services.orders.state import Order, State
from shared.service import Moment

NOBODY = "nobody"
"""Actor of a command that came without a credential; it has no authority."""


def actor(moment: Moment) -> str:
    return moment.actor or NOBODY


def refusal(command: Any, reason: str, detail: str) -> CommandRefused:
    return CommandRefused(order=command.order, account=command.account, reason=reason, detail=detail)


def known_order(state: State, command: Any) -> Order | CommandRefused:
    """The order of this command, if it was placed and is of the account that the command names."""
    order = state.order
    if order is None or not order.placed:
        return refusal(command, "unknown_order", f"No order {command.order} was placed. Mend the reference, or place it.")
    return order if order.account == command.account else wrong_account(order, command)


def wrong_account(order: Order, command: Any) -> CommandRefused:
    detail = f"{order.order} is an order of account {order.account}, not {command.account}. Send it again with that account."
    return refusal(command, "wrong_account", detail)


def waiting_order(state: State, command: Any) -> Order | CommandRefused:
    """The same, if it also waits for a decision of the desk."""
    order = known_order(state, command)
    if isinstance(order, CommandRefused) or order.waiting:
        return order
    return refusal(
        command,
        "not_waiting",
        f"{order.order} is {order.outcome}: only an order that is held or referred can be worked on.",
    )
