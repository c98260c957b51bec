"""Accounts in memory for the pure tests: wishes go in as the kit hands them over, facts come out, rows are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from contracts.accounts import PEOPLE, OpenAccount
from contracts.message import Message
from services.accounts import store
from services.accounts.account import Account, State
from services.accounts.app import SERVICE
from shared.service import Moment
from tests.models.readable import read_back

NOON = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
TODAY = NOON.date()
TOMORROW = TODAY + dt.timedelta(days=1)
YESTERDAY = TODAY - dt.timedelta(days=1)


def moment(home: str, at: dt.datetime = NOON, role: str = "director", actor: str = "ada", cause: str = "cause") -> Moment:
    return Moment(at=at, home=home, partition=0, cause=cause, flow="flow", actor=actor, role=role)


@dataclass
class Accounts:
    """`say` decides one message, folds its facts into the rows and returns them; `timers` stand by kind and account."""

    rows: dict[str, Any] = field(default_factory=dict)
    timers: dict[tuple[str, str], dt.datetime] = field(default_factory=dict)
    said: list[Any] = field(default_factory=list)
    heard: int = 0

    @property
    def due(self) -> dict[str, dt.datetime]:
        """Account → when its next scheduled change is due."""
        return self.waking(store.DUE_CHANGES)

    def waking(self, kind: str) -> dict[str, dt.datetime]:
        return {key: due for (of_kind, key), due in self.timers.items() if of_kind == kind}

    def say(
        self, wish: Any, at: dt.datetime = NOON, role: str = "director", home: str | None = None, actor: str = "ada"
    ) -> list[Any]:
        home = home or self.home_of(wish)
        self.heard += 1
        now = moment(home, at, role, actor, f"cause-{self.heard}")
        state, before = self.fold(wish, now)
        for key, row in zip(store.rows(wish, home, 0), (state.account, state.root, state.person), strict=True):
            if key is not None and row is not None:
                self.rows[key] = row
        for timer in store.deadlines(before, state, now):
            if timer.due is None:
                self.timers.pop((timer.kind, timer.key), None)
            else:
                self.timers[timer.kind, timer.key] = timer.due
        return self.said

    def fold(self, wish: Any, now: Moment) -> tuple[State, State]:
        keys = store.rows(wish, now.home, 0)
        state = before = State(*(self.rows.get(key) if key else None for key in keys))
        self.said = [read_back(fact) for fact in SERVICE.hears[type(wish)](before, wish, now)]
        for fact in self.said:
            state = SERVICE.evolve(state, fact, now.at)
        return state, before

    def home_of(self, wish: Any) -> str:
        """As the gateway routes it: where the account is, else its parent's home, else its own."""
        if isinstance(wish, store.ABOUT_PEOPLE):
            return PEOPLE
        if found := self.rows.get(wish.account):
            return found.home
        parent = wish.parent if isinstance(wish, OpenAccount) else None
        return self.rows[parent].home if parent in self.rows else parent or wish.account

    def __getitem__(self, name: str) -> Account:
        found: Account = self.rows[name]
        return found


def opening(account: str = "acme", **fields: Any) -> OpenAccount:
    return OpenAccount(**{"account": account, "name": "Acme Ltd", "currency": "GBP", "limit_minor": 1_000_00, **fields})


def accounts(*wishes: Message) -> Accounts:
    """Accounts after these wishes of a system of record; none of them may be refused."""
    found = Accounts()
    for wish in wishes:
        found.say(wish, role="feed")
        assert all(name_of(fact) != "CommandRefused" for fact in found.said), found.said
    return found


def name_of(fact: Any) -> str:
    return type(fact).__name__


def names(facts: Iterable[Any]) -> list[str]:
    return [name_of(fact) for fact in facts]


def refused(facts: list[Any], reason: str) -> str:
    """The detail of the one refusal that these facts are."""
    assert [(name_of(fact), getattr(fact, "reason", "")) for fact in facts] == [("CommandRefused", reason)], facts
    assert len(facts[0].detail) <= 500
    return str(msgspec.to_builtins(facts[0])["detail"])
