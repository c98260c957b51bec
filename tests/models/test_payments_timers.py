"""Which timers a change sets: one for each thing that there is to do, and none for a change that leaves nothing to do."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.payments import (
    ConfirmCash,
    KeepOnAccount,
    ReferCash,
    RetryCash,
    TakeCash,
    UnallocateCash,
    WithdrawCash,
)
from services.payments import store
from services.payments.state import State, rows
from shared.rows import field_of
from shared.service import Moment
from tests.models.payments_books import BANK, Books, cash, entry, invoice, opened, pays, recognised, statement


class Watched(Books):
    """The books, and the kinds of timers that each message set."""

    def __init__(self) -> None:
        super().__init__()
        self.set: list[set[str]] = []

    def say(self, message: Any, home: str = "", role: str = "controller", actor: str = "anna") -> list[Any]:
        home = home or self._home_of(message)
        before = self._state(message, home)
        facts = super().say(message, home, role, actor)
        moment = Moment(self.at, home, 0, "c" * 32, "c" * 32, actor, role, "")
        after = self._state(message, home)
        same = State(*(was if was == now else now for was, now in zip(_fields(before), _fields(after), strict=True)))
        self.set.append({timer.kind for timer in store.deadlines(before, same, moment)})
        return facts

    def _state(self, message: Any, home: str) -> State:
        tables = [self.tables[store.TABLES[field].name] for field in State.__struct_fields__]
        return State(*(field_of(key, table) for key, table in zip(rows(message, home, 0), tables, strict=True)))


def _fields(state: State) -> list[Any]:
    return [getattr(state, field) for field in State.__struct_fields__]


@pytest.fixture
def books() -> Watched:
    """Acme owes 500, and has paid 700 that the service did not match."""
    found = Watched()
    for told in (opened(), invoice("I1", 500_00), cash("R", 700_00, is_provisional=True)):
        found.do(told)
    assert store.MATCH in found.set[-1]
    found.do(ReferCash(account="acme", receipt="R", why="?"), actor="payments")
    return found


def test_a_receipt_is_matched_when_it_comes_and_when_it_comes_again_and_at_no_other_change(books: Watched) -> None:
    for wish in (
        TakeCash(account="acme", receipt="R", owner="ben"),
        pays("R", ("I1", 500_00)),
        UnallocateCash(account="acme", match="R/1", reason="wrong"),
        KeepOnAccount(account="acme", receipt="R", reason="later"),
    ):
        books.do(wish)
    assert not [kinds for kinds in books.set[3:] if store.MATCH in kinds]
    books.do(ReferCash(account="acme", receipt="R", why="?"), actor="payments")
    books.do(pays("R", ("I1", 1)))
    books.do(RetryCash(account="acme", receipt="R"))
    assert store.MATCH in books.set[-1]
    books.do(TakeCash(account="acme", receipt="R", owner="cora"))
    books.do(ConfirmCash(account="acme", receipt="R"))
    books.do(WithdrawCash(account="acme", receipt="R", reason="returned"))
    assert not [kinds for kinds in books.set[-3:] if store.MATCH in kinds]


def test_an_entry_that_its_statement_confirms_is_not_recognised_once_more() -> None:
    books = Watched()
    books.do(opened())
    one = entry("1", 500_00, servicer_reference="B1")
    books.do(statement("D1", one, is_provisional=True, closed_on=None))
    assert store.RECOGNISE in books.set[-1]
    books.do(recognised("D1/1"))
    assert store.RECOGNISE in books.set[-2], "others may have waited behind it, where its group was parked"
    books.set.clear()
    books.do(statement("S1", one))
    assert not [kinds for kinds in books.set if kinds & {store.RECOGNISE, store.MATCH}]
    assert not books.tables["landed"][f"{BANK}/D1/1"].is_provisional
