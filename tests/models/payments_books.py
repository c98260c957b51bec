"""The ledger in memory: the same rows, facts and own commands as under the kit, without any of its servers.

`Books.say` handles one message; `Books.settle` plays its own commands to their end. Timers ask tables, so they are not here: what
they find is told as their commands.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict, deque
from typing import Any

from contracts import accounts, payments
from contracts.message import Fact, Message
from services.payments.app import SERVICE
from services.payments.state import State, home_of_bank, rows
from services.payments.twins import absent
from shared.rows import field_of, moved
from shared.service import Moment, To
from tests.models.readable import read_back

START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)
TODAY = START.date()
DAY = dt.timedelta(days=1)
BANK = "GB29NWBK60161331926819"


class Books:
    def __init__(self, at: dt.datetime = START) -> None:
        self.at = at
        self.tables: dict[str, dict[str, Any]] = {table.name: {} for table in SERVICE.tables.values()}
        self.journal: list[tuple[dt.datetime, str, Any]] = []
        self.commands: deque[tuple[str, Message, str, str]] = deque()
        self._names = itertools.count(1)

    # --- as the kit does it

    def say(self, message: Message, home: str = "", role: str = "controller", actor: str = "anna") -> list[Any]:
        """Facts said in answer; commands of its own wait in `commands`."""
        home = home or self._home_of(message)
        cause = f"{next(self._names):032x}"
        moment = Moment(self.at, home, 0, cause, cause, actor, role, "")
        keys = rows(message, home, 0)
        tables = [self.tables[SERVICE.tables[field].name] for field in State.__struct_fields__]
        before = [field_of(key, table) for key, table in zip(keys, tables, strict=True)]
        state = State(*before)
        facts: list[Any] = []
        for said in {**SERVICE.hears, **SERVICE.mail}[type(message)](state, message, moment):
            target, out = (said.home, said.message) if isinstance(said, To) else (home, said)
            out = read_back(out)
            if isinstance(out, Fact):
                state = SERVICE.evolve(state, out, self.at)
                self.journal.append((self.at, home, out))
                facts.append(out)
            else:
                self.commands.append((target, out, role, actor))
        for field, key, was, table in zip(State.__struct_fields__, keys, before, tables, strict=True):
            for each, _, row in moved(key, was, getattr(state, field)):
                if row is None:
                    del table[each]
                else:
                    table[each] = read_back(row)  # what is stored is what comes back
        return facts

    def settle(self) -> list[Any]:
        """Own commands to their end."""
        facts = []
        while self.commands:
            home, command, role, actor = self.commands.popleft()
            facts += self.say(command, home, role, actor)
        return facts

    def do(self, message: Message, **who: str) -> list[Any]:
        return [*self.say(message, **who), *self.settle()]

    def _home_of(self, message: Any) -> str:
        if hasattr(message, "bank_account") and not hasattr(message, "account"):
            return home_of_bank(message.bank_account)
        known = self.tables["account"].get(message.account)
        return known.home if known is not None and known.home else message.account

    # --- what stands where

    def item(self, name: str) -> Any:
        return self.tables["item"].get(name)

    def receipt(self, name: str) -> Any:
        return self.tables["receipt"].get(name)

    def account(self, name: str = "acme") -> Any:
        return self.tables["account"].get(name)

    def sums(self) -> dict[str, int]:
        """Ledger account -> balance in base currency."""
        found: dict[str, int] = defaultdict(int)
        for line in self.tables["ledger"].values():
            found[line.ledger] += line.base_minor
        return dict(found)

    def refolded(self) -> dict[str, dict[str, Any]]:
        """All rows anew from the journal."""
        fresh = {name: {} for name in self.tables}  # type: dict[str, dict[str, Any]]
        for at, home, fact in self.journal:
            keys = rows(fact, home, 0)
            tables = [fresh[SERVICE.tables[field].name] for field in State.__struct_fields__]
            before = [field_of(key, table) for key, table in zip(keys, tables, strict=True)]
            after = SERVICE.evolve(State(*before), fact, at)
            for field, key, was, table in zip(State.__struct_fields__, keys, before, tables, strict=True):
                for each, _, row in moved(key, was, getattr(after, field)):
                    if row is None:
                        table.pop(each, None)
                    else:
                        table[each] = row
        return fresh


def books_after(*told: Message) -> Books:
    """The books once all of this was told."""
    found = Books()
    for each in told:
        found.do(each)
    return found


def opened(account: str = "acme", home: str = "", **more: Any) -> accounts.AccountOpened:
    fields = {"name": f"{account} Ltd", "currency": "GBP", "limit_minor": 1_000_000} | more
    return accounts.AccountOpened(account=account, home=home or account, **fields)


def invoice(item: str, amount_minor: int, account: str = "acme", **more: Any) -> payments.PostItem:
    fields = {"kind": "invoice", "currency": "GBP", "document_on": TODAY - 10 * DAY} | more
    return payments.PostItem(account=account, item=item, amount_minor=amount_minor, **fields)


def credit_note(item: str, amount_minor: int, account: str = "acme", **more: Any) -> payments.PostItem:
    return invoice(item, amount_minor, account, kind="credit_note", **more)


def cash(receipt: str, amount_minor: int, account: str = "acme", **more: Any) -> payments.ReceiveCash:
    fields = {"currency": "GBP", "received_on": TODAY, "bank_account": BANK, "bank_entry": f"S1/{receipt}"} | more
    return payments.ReceiveCash(account=account, receipt=receipt, amount_minor=amount_minor, **fields)


def pays(receipt: str, *lines: payments.Settle | tuple[str, int], account: str = "acme", **more: Any) -> payments.AllocateCash:
    found = tuple(line if isinstance(line, payments.Settle) else settles(*line) for line in lines)
    return payments.AllocateCash(account=account, receipt=receipt, lines=found, **more)


def settles(item: str, paid_minor: int, discount: int = 0, difference: int = 0, **more: Any) -> payments.Settle:
    settled = paid_minor + discount + difference
    return payments.Settle(
        item=item, settled_minor=settled, paid_minor=paid_minor, discount_minor=discount, difference_minor=difference, **more
    )


def entry(name: str, amount_minor: int, **more: Any) -> payments.BankEntry:
    fields = {"currency": "GBP", "booked_on": TODAY, "value_on": TODAY} | more
    return payments.BankEntry(entry=name, amount_minor=amount_minor, **fields)


def statement(name: str, *entries: payments.BankEntry, **more: Any) -> payments.TakeStatement:
    fields = {"part": 1, "parts": 1, "currency": "GBP", "digest": f"digest of {name}", "closed_on": TODAY} | more
    return payments.TakeStatement(bank_account=BANK, statement=name, entries=entries, **fields)


def recognised(name: str, account: str = "acme", **more: Any) -> payments.RecogniseCash:
    home = more.pop("home", account)
    return payments.RecogniseCash(bank_account=BANK, entry=name, account=account, account_home=home, **more)


def drops(books: Books) -> list[payments.DropEntry]:
    """What the timer would say of every intraday entry that no statement has had yet."""
    return [
        payments.DropEntry(bank_account=BANK, entry=each.entry, content=f"{row.key}/{n}", reason="the statement does not have it")
        for row in books.tables["bank_known"].values()
        for n, each in absent(row, dt.date.max)
    ]


def of(kind: type, facts: list[Any]) -> list[Any]:
    return [fact for fact in facts if isinstance(fact, kind)]
