"""Payments in the order in which they arrive, and the ledger as the truth changes it after each.

So every payment is judged alone: what a matcher got wrong before never stands in its way. Never asks a matcher anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from tests.quality.border import Case, Item, Paid, Payment, Truth
from tests.quality.desk import Desk, Draft, cash
from tests.quality.mess import CLEARED_REASONS, RECIPES, WEIGHTS
from tests.quality.world import ACCOUNTS, World

PER_DAY, PER_ACCOUNTS = 80, 1_500
"""Payments of a banking day: 20,000 are a year. A smaller distributor gets fewer, or nobody would have anything left to pay."""
SWEEP_DAYS = 15
STALE_DAYS = 75
"""Claims are settled, credits refunded and rests written off after so long; else they would pile up for ever."""
SATURDAY = 5


class Course:
    """`ledger` is what a matcher reads; `cases` gives one payment at a time and applies its truth when the next is asked for."""

    def __init__(self, payments: int, seed: int, accounts: int = ACCOUNTS) -> None:
        self.payments = payments
        self.per_day = max(1, PER_DAY * accounts // PER_ACCOUNTS)
        self._world = World(seed, accounts)
        self._desk = Desk(self._world, seed)
        self.ledger = self._world.ledger
        self._swept_on = self._world.today

    def cases(self) -> Iterator[Case]:
        for at in range(self.payments):
            if at and at % self.per_day == 0:
                self._next_day()
            mess, draft = self._draw()
            case = as_the_bank_reports(f"P{at + 1:06d}", mess, draft, self._world.today)
            yield case
            self._apply(case, draft)

    def _draw(self) -> tuple[str, Draft]:
        """By weight; where nobody has what a class needs, another is drawn."""
        while True:
            mess = self._desk.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            draft = RECIPES[mess](self._desk)
            if draft is not None:
                return mess, draft

    # --- what the truth does to the ledger --------------------------------------------------------------------------

    def _apply(self, case: Case, draft: Draft) -> None:
        for line in case.truth.lines:
            self._settle(line)
        if draft.sender.new and draft.sender.iban and case.truth.account:
            self.ledger.learn(case.truth.account, draft.sender.iban)
        if case.mess in ("clean_reference", "structured_reference", "advice_by_mail"):
            self._desk.remembered.append(case)

    def _settle(self, line: Paid) -> None:
        self.ledger.settle(line.item, cleared(line))
        item = self.ledger.item(line.item)
        if line.reason and item.open_minor and line.reason != "rest":
            self.ledger.dispute(line.item)
        if item.original_minor > 0 and (not item.open_minor or line.reason):
            self._world.follow(item.account)

    # --- days -------------------------------------------------------------------------------------------------------

    def _next_day(self) -> None:
        day = self._world.today + timedelta(days=1)
        while day.weekday() >= SATURDAY:
            day += timedelta(days=1)
        self._world.turn_to(day)
        if (day - self._swept_on).days >= SWEEP_DAYS:
            self._swept_on = day
            self._sweep()

    def _sweep(self) -> None:
        before = self._world.today - timedelta(days=STALE_DAYS)
        for account in self.ledger.accounts():
            for item in self.ledger.open_items(account.id):
                if item.issued_on <= before and self._is_stale(item):
                    self._close(item)

    def _is_stale(self, item: Item) -> bool:
        if item.id in self._desk.in_parts:
            return False
        return item.original_minor < 0 or item.disputed or item.open_minor != item.original_minor

    def _close(self, item: Item) -> None:
        whole = item.open_minor == item.original_minor > 0
        self.ledger.settle(item.id, item.open_minor)
        if whole:
            self._world.follow(item.account)


def cleared(line: Paid) -> int:
    """What leaves the item: cash, discount, and differences that are posted away."""
    posted = line.deduction_minor if line.reason in CLEARED_REASONS else 0
    return line.cash_minor + line.discount_minor + posted


def as_the_bank_reports(number: str, mess: str, draft: Draft, on: date) -> Case:
    payment = Payment(
        number,
        draft.amount_minor,
        draft.currency,
        on,
        draft.sender.name,
        draft.sender.iban,
        draft.text,
        draft.reference,
        draft.advice,
    )
    accepts = draft.accepts or ((draft.account,) if draft.account else ())
    decidable = draft.certain and all(line.decidable for line in draft.lines)
    truth = Truth(draft.account, accepts, draft.lines, draft.amount_minor - cash(draft.lines), decidable)
    return Case(mess, draft.kind, payment, truth)


def as_bytes(cases: Iterable[Case]) -> bytes:
    """One line of JSON a payment: what two runs of one seed are compared by."""
    return b"".join(json.dumps(case, default=str).encode() + b"\n" for case in cases)
