"""A year of the ledger (P12): the ageing printed at every month's end is found again as it was known then, and as it is known now
it differs only by what came later, movement by movement."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest

from contracts.payments import UnallocateCash, WithdrawCash
from services.payments.ledger import RECEIVABLES
from shared.receivables.ageing import Aged, Item, age
from shared.receivables.movements import Movement, as_known, differences, end_of
from tests.models.payments_books import Books, cash, credit_note, invoice, opened, pays

BEGAN = dt.datetime(2025, 1, 2, 9, tzinfo=dt.UTC)
ENDS = dt.date(2025, 12, 31)
ACCOUNTS = ("north", "south", "west")
UTC = ZoneInfo("UTC")
DAY = dt.timedelta(days=1)
LATE_DAYS = 20
"""How long after its own day a document may be entered: what makes "then" and "now" differ."""


class Year:
    """Seeded: every day some documents come, some late, and cash that is matched, taken back, or withdrawn by the bank."""

    def __init__(self, seed: int) -> None:
        self.dice, self.books, self.number = random.Random(seed), Books(BEGAN), 0
        self.printed: dict[dt.date, Aged] = {}
        for account in ACCOUNTS:
            self.books.do(opened(account, currency="EUR" if account == "west" else "GBP"))

    def played(self) -> Year:
        while self.books.at.date() <= ENDS:
            today = self.books.at.date()
            for _ in range(self.dice.randint(0, 3)):
                self._something(today)
            if (today + DAY).day == 1:
                self.printed[today] = self._print(today)
            self.books.at += DAY
        return self

    def _something(self, today: dt.date) -> None:
        account, minor = self.dice.choice(ACCOUNTS), self.dice.randint(1_00, 900_00)
        currency = "EUR" if account == "west" else "GBP"
        self.number += 1
        day = today - self.dice.randint(0, LATE_DAYS) * DAY
        match self.dice.choice(("bill", "bill", "bill", "credit", "cash", "cash", "match", "match", "undo", "withdraw")):
            case "bill":
                self.books.do(invoice(f"I{self.number}", minor, account, document_on=day, currency=currency))
            case "credit":
                self.books.do(credit_note(f"C{self.number}", minor, account, document_on=day, currency=currency))
            case "cash":
                self.books.do(cash(f"R{self.number}", minor, account, received_on=day, currency=currency))
            case "match":
                self._match(account)
            case "undo" if matches := [each for each in self.books.tables["match"].values() if not each.taken_back]:
                chosen = self.dice.choice(matches)
                self.books.do(UnallocateCash(account=chosen.account, match=chosen.match, reason="not theirs"))
            case "withdraw" if receipts := [each for each in self.books.tables["receipt"].values() if each.state != "gone"]:
                if self.dice.random() < 0.2:
                    gone = self.dice.choice(receipts)
                    self.books.do(WithdrawCash(account=gone.account, receipt=gone.receipt, reason="returned"))

    def _match(self, account: str) -> None:
        receipts = [each for each in self.books.tables["receipt"].values() if each.account == account and each.unallocated_minor]
        debts = [item for item in self.books.tables["item"].values() if item.account == account and item.open_minor > 0]
        if receipts and debts:
            receipt, item = self.dice.choice(receipts), self.dice.choice(debts)
            self.books.do(pays(receipt.receipt, (item.item, min(receipt.unallocated_minor, item.open_minor)), account=account))

    def _print(self, on: dt.date) -> Aged:
        """The report of the day, from the items as they stand."""
        standing = (item for item in self.books.tables["item"].values() if item.open_minor or item.open_base_minor)
        items = (
            Item(each.kind, each.due_on, each.document_on, each.open_minor, each.currency, each.open_base_minor)
            for each in standing
        )
        return age(items, on, base_currency="GBP")

    def movements(self) -> list[Movement]:
        """The lines on receivables: the ledger itself, nothing is kept for the purpose."""
        return [
            Movement(
                account=line.account, item=line.item, kind=line.kind, amount_minor=line.amount_minor, currency=line.currency,
                base_minor=line.base_minor, effective_on=line.effective_on, known_at=line.known_at, ordinal=n,
                document_on=self.books.item(line.item).document_on, due_on=self.books.item(line.item).due_on,
            )
            for n, line in enumerate(self.books.tables["ledger"].values())
            if line.ledger == RECEIVABLES
        ]  # fmt: skip


@pytest.fixture(scope="module", params=[1, 2, 3])
def year(request: pytest.FixtureRequest) -> Year:
    return Year(request.param).played()


def test_every_month_end_is_found_again_as_it_was_printed_on_that_day(year: Year) -> None:  # must show 5
    told = year.movements()
    assert len(year.printed) == 12
    for on, printed in year.printed.items():
        then = as_known(told, on=on, known_by=end_of(on, UTC))
        assert age((item.aged() for item in then.items), on, base_currency="GBP") == printed


def test_as_known_now_it_differs_only_by_what_came_later_and_all_of_that_is_listed(year: Year) -> None:  # must show 5
    told = year.movements()
    later = 0
    for on in year.printed:
        then, now = as_known(told, on=on, known_by=end_of(on, UTC)), as_known(told, on=on)
        found = differences(then, now)
        assert all(each.known_at >= end_of(on, UTC) for difference in found for each in difference.added)
        assert not any(difference.gone for difference in found)
        moved = sum(each.base_minor for difference in found for each in difference.added)
        assert sum(item.base_minor for item in now.items) == sum(item.base_minor for item in then.items) + moved
        later += len(found)
    assert later, "a year in which nothing came late shows nothing"


def test_the_total_is_the_balance_on_every_month_end(year: Year) -> None:  # P12
    told = year.movements()
    for on, printed in year.printed.items():
        balance = sum(each.base_minor for each in told if each.effective_on <= on and each.known_at < end_of(on, UTC))
        assert printed.base.total_minor == balance
