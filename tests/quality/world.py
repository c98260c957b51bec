"""A seeded distributor: some 1,500 accounts, most in groups, and the invoices that are posted to them day by day.

No wall clock and no shared randomness: one seed is one world, byte for byte. It knows nothing of payments.
"""

from __future__ import annotations

import heapq
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from tests.quality import names, numbers
from tests.quality.border import Account, Item
from tests.quality.ledger import Ledger

ACCOUNTS = 1_500
OPENS_ON = date(2026, 1, 5)
HISTORY_DAYS = 45
"""The ledger opens with invoices of the last weeks, not all of one day."""
GROUP_SIZES = (1, 1, 1, 2, 3, 3, 4, 5, 8)
"""Accounts of one root; a third stand alone."""
REPLACED_WITHIN_DAYS = 14
"""A settled invoice is followed by a new one, so that the open stock stays level over any length of run."""
WITH_RF_SHARE = 0.25
WITH_DISCOUNT_SHARE = 0.35
STANDING_SHARE = 0.12
"""Accounts billed the same amount every month (airtime, rental): equal open amounts are what makes amounts ambiguous."""
CREDIT_NOTE_SHARE = 0.035
DISPUTED_SHARE = 0.03
SAME_NAME_SHARE = 0.02
LOOKALIKE_SHARE = 0.05
ENTITIES = (("UK", "GBP", ("GB", "GB", "GB", "IE")), ("DE", "EUR", ("DE", "DE", "AT")), ("NL", "EUR", ("NL", "NL", "DE")))


class Habit(NamedTuple):
    """How an account is billed: how many invoices it has open, their usual amount, its terms."""

    stock: int
    usual_minor: int
    standing_minor: int | None
    days: int
    discount: tuple[int, int] | None
    rf: bool


class World:
    def __init__(self, seed: int, accounts: int = ACCOUNTS) -> None:
        self.rng = Random(f"world {seed}")
        self.today = OPENS_ON
        self._named: dict[str, str] = {}
        self._serials = {"UK": 4_000, "DE": 12_000, "NL": 44_000}
        self._items = 0
        self._coming: list[tuple[date, int, str]] = []
        known = self._found(accounts)
        self.ledger = Ledger(known)
        self.habits = {account.id: self._habit() for account in known}
        self.children = {one.id: [two.id for two in known if two.parent == one.id] for one in known if one.parent is None}
        self._open_the_books(known)

    # --- accounts ---------------------------------------------------------------------------------------------------

    def _found(self, count: int) -> list[Account]:
        found: list[Account] = []
        while len(found) < count:
            entity, currency, countries = self.rng.choice(ENTITIES)
            country = self.rng.choice(countries)
            size = min(self.rng.choice(GROUP_SIZES), count - len(found))
            root = self._account(len(found), self._name(country), country, entity, currency, None)
            found.append(root)
            for _ in range(size - 1):
                found.append(self._child(len(found), root))
        return found

    def _account(self, at: int, name: str, country: str, entity: str, currency: str, parent: str | None) -> Account:
        return Account(f"A{10_000 + at}", name, self.rng.choice(names.TOWNS[country]), country, entity, currency, parent)

    def _child(self, at: int, root: Account) -> Account:
        """A branch with the group's name, or a company that was bought and kept its own."""
        town = self.rng.choice(names.TOWNS[root.country])
        name = f"{names.without_legal(root.name)} ({town}) {names.legal(self.rng, root.country)}"
        if self.rng.random() < 0.4 or name in self._named:
            name = self._name(root.country)
        self._named[name] = root.country
        return self._account(at, name, root.country, root.entity, root.currency, root.id)

    def _name(self, country: str) -> str:
        drawn, known = self.rng.random(), [name for name, at in self._named.items() if at == country]
        if known and drawn < SAME_NAME_SHARE:
            return self.rng.choice(known)
        while True:
            if known and drawn < SAME_NAME_SHARE + LOOKALIKE_SHARE:
                name = names.lookalike(self.rng, self.rng.choice(known))
            else:
                name = f"{names.core(self.rng, country)} {names.legal(self.rng, country)}"
            if name not in self._named:
                self._named[name] = country
                return name

    def _habit(self) -> Habit:
        rng = self.rng
        usual = round(rng.lognormvariate(10.6, 0.9))
        return Habit(
            stock=min(60, max(1, round(rng.lognormvariate(1.6, 0.9)))),
            usual_minor=usual,
            standing_minor=max(1_000, round(usual, -2)) if rng.random() < STANDING_SHARE else None,
            days=rng.choice((14, 30, 30, 30, 60)),
            discount=rng.choice(((14, 200), (8, 300), (10, 200))) if rng.random() < WITH_DISCOUNT_SHARE else None,
            rf=rng.random() < WITH_RF_SHARE,
        )

    # --- items ------------------------------------------------------------------------------------------------------

    def _open_the_books(self, accounts: list[Account]) -> None:
        for known in accounts:
            for _ in range(self.rng.choice((1, 1, 2))):
                self.ledger.learn(known.id, numbers.iban(self.rng, known.country))
        billed = [one.id for one in accounts for _ in range(self.habits[one.id].stock)]
        for ago, account in sorted(((self.rng.randint(0, HISTORY_DAYS), one) for one in billed), reverse=True):
            self.post(account, self.today - timedelta(days=ago))

    def post(self, account: str, on: date) -> None:
        """One more document: mostly an invoice, now and then a credit note."""
        self._items += 1
        credit = self.rng.random() < CREDIT_NOTE_SHARE
        self.ledger.post(self._credit_note(account, on) if credit else self._invoice(account, on))

    def _invoice(self, account: str, on: date) -> Item:
        rng, habit, entity = self.rng, self.habits[account], self.ledger.account(account).entity
        number = numbers.invoice_number(entity, on.year, self._serial(entity))
        amount = self._amount(habit)
        return Item(
            id=f"I{self._items}",
            number=number,
            account=account,
            kind="invoice",
            currency=self.ledger.account(account).currency,
            original_minor=amount,
            open_minor=amount,
            issued_on=on,
            due_on=on + timedelta(days=habit.days),
            po=self._po(),
            order=f"SO{rng.randint(100_000, 999_999)}",
            reference=numbers.rf_reference(number) if habit.rf else None,
            discount_until=on + timedelta(days=habit.discount[0]) if habit.discount else None,
            discount_bp=habit.discount[1] if habit.discount else 0,
            disputed=rng.random() < DISPUTED_SHARE,
        )

    def _credit_note(self, account: str, on: date) -> Item:
        entity = self.ledger.account(account).entity
        number = numbers.credit_number(entity, on.year, self._serial(entity))
        amount = -max(500, self._amount(self.habits[account]) * self.rng.randint(5, 40) // 100)
        currency = self.ledger.account(account).currency
        return Item(
            f"I{self._items}",
            number,
            account,
            "credit_note",
            currency,
            amount,
            amount,
            on,
            on,
            self._po(),
            "",
            None,
            None,
            0,
            False,
        )

    def _serial(self, entity: str) -> int:
        """Numbers of one entity follow each other, so the neighbour of a number is somebody else's invoice."""
        self._serials[entity] += 1
        return self._serials[entity]

    def _amount(self, habit: Habit) -> int:
        if habit.standing_minor and self.rng.random() < 0.7:
            return habit.standing_minor
        amount = max(1_500, round(habit.usual_minor * self.rng.lognormvariate(0, 0.6)))
        return max(1_500, round(amount, -3)) if self.rng.random() < 0.06 else amount

    def _po(self) -> str:
        """Customers number their orders themselves, from small numbers, so two customers share one."""
        return self.rng.choice((f"PO{self.rng.randint(1_000, 60_000)}", f"45{self.rng.randint(10_000_000, 99_999_999)}", ""))

    # --- days -------------------------------------------------------------------------------------------------------

    def follow(self, account: str) -> None:
        """A settled invoice makes room: the next is billed within days."""
        on = self.today + timedelta(days=self.rng.randint(1, REPLACED_WITHIN_DAYS))
        self._items += 1
        heapq.heappush(self._coming, (on, self._items, account))

    def turn_to(self, day: date) -> None:
        """Post what was to be billed up to this day."""
        self.today = day
        while self._coming and self._coming[0][0] <= day:
            on, _, account = heapq.heappop(self._coming)
            self.post(account, on)
