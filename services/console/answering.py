"""What a person reads when their wish for an account was done: what is so now, and what follows from it. Pure.

As far as it is known at once: what other services do about it comes as facts, and the page shows those when they come.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from services.console.booking import Page
from services.console.pages import money_text, role_name
from services.console.wishes import Outcome
from services.console.wording import day

NOT_YET = "Sent. The answer is not there yet; this page shows it as soon as it is."
UNCHANGED = "It was so already; nothing changed."
UNSEEN = "It is done. This page shows it as soon as it knows."


class Case(NamedTuple):
    """A wish that was done. `waiting` and `released`: its orders that waited, or were released and had not left."""

    page: Page
    typed: Mapping[str, str]
    outcome: Outcome
    waiting: int = 0
    released: int = 0

    @property
    def fact(self) -> Mapping[str, Any]:
        return self.outcome.fact


def case_of(page: Page, typed: Mapping[str, str], outcome: Outcome, orders: Sequence[Mapping[str, Any]]) -> Case:
    """`orders` are those that wait, or are on their way (`book.open_orders`)."""
    waiting = sum(1 for order in orders if order["waiting_minor"] or order["status"] in ("held", "referred"))
    released = sum(1 for order in orders if order["status"] == "released" and not order["recalled"])
    return Case(page, typed, outcome, waiting, released)


def told(case: Case) -> str:
    if case.outcome.how == "waiting":
        return NOT_YET
    if case.outcome.word == "unchanged":
        return UNCHANGED
    say = _BY_WORD.get(case.outcome.word)
    return say(case) if say else UNSEEN


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _on_stop(case: Case) -> str:
    held = _counted(case.waiting, "waiting order stays held", "waiting orders stay held") if case.waiting else ""
    recalled = _counted(case.released, "released order is being recalled", "released orders are being recalled")
    effects = [effect for effect in (held, recalled if case.released else "") if effect]
    follows = ", ".join(effects) or "No order of it waits or is on its way"
    return f"{case.page.account} is on stop. {follows}."


def _off_stop(case: Case) -> str:
    again = _counted(case.waiting, "order that waits is", "orders that wait are")
    follows = f" {again} decided again now, without anybody's doing." if case.waiting else ""
    return f"{case.page.account} is off stop.{follows}"


def _announced(case: Case) -> str:
    return f"{case.page.account} goes on stop on {_day(case.typed.get('day', ''))}. Finance and sales are told now."


def _limit(case: Case) -> str:
    minor = case.fact.get("limit_minor")
    now = f" is {money_text(minor, case.page.currency)} {case.page.currency}" if isinstance(minor, int) else " is changed"
    again = _counted(case.waiting, "order that waits is", "orders that wait are")
    return f"The limit of {case.page.account}{now}.{f' {again} looked at again.' if case.waiting else ''}"


def _requested(case: Case) -> str:
    levels = case.fact.get("levels") or ()
    whose = f"a {role_name(levels[0]).lower()} or above" if levels else "somebody else"
    return f"It needs {whose}: it waits in the approvals inbox, and nothing has changed yet."


def _answered(word: str) -> Callable[[Case], str]:
    def say(case: Case) -> str:
        return f"The request for {case.page.account} is {word}"

    return say


def _approved(case: Case) -> str:
    return f"{_answered('approved')(case)}. It counts from the day that it was asked for; whoever asked sees your reason."


def _declined(case: Case) -> str:
    return f"{_answered('declined')(case)}. Nothing changes there; whoever asked sees your reason."


def _withdrawn(case: Case) -> str:
    return f"{_answered('withdrawn')(case)}. Nobody needs to answer it."


def _noted(case: Case) -> str:
    return f"The note is kept in the timeline of {case.page.account}."


def _day(text: str) -> str:
    try:
        return day(dt.date.fromisoformat(text.strip()))
    except ValueError:
        return text


_BY_WORD: Mapping[str, Callable[[Case], str]] = {
    "on stop": _on_stop,
    "off stop": _off_stop,
    "stop scheduled": _announced,
    "stop called off": lambda case: f"The announced stop of {case.page.account} is called off.",
    "stop assigned": lambda case: f"{case.typed.get('owner', '')} works on the stop of {case.page.account}.",
    "action added": lambda case: f"To do by {_day(case.typed.get('due_on', ''))}: {case.typed.get('text', '')}.",
    "action closed": lambda case: "The action is closed with what came of it.",
    "progress noted": lambda case: "This week's progress is noted.",
    "noted": _noted,
    "limit changed": _limit,
    "terms changed": lambda case: f"The terms of {case.page.account} are changed.",
    "scheduled": lambda case: f"It changes on {_day(str(case.fact.get('effective_from', '')))}; until then all stays as it is.",
    "approval requested": _requested,
    "approved": _approved,
    "declined": _declined,
    "withdrawn": _withdrawn,
}
"""The gateway's word for what answered → what it means here."""
