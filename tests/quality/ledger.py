"""The distributor's open items as a matcher may read them, and the few ways in which they change.

Cheap on purpose: answers are tuples kept until their account changes. Never guesses, never matches; it knows numbers,
not meanings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from tests.quality.border import Account, Item, Payer
from tests.quality.numbers import plain


class Ledger:
    """Read by matchers: `open_items`, `items_by_number`, `item`, `account`, `accounts`, `payers`, `changes`, `changed_since`."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._accounts = {account.id: account for account in accounts}
        self._items: dict[str, Item] = {}
        self._open: dict[str, dict[str, Item]] = {account: {} for account in self._accounts}
        self._shown: dict[str, tuple[Item, ...]] = {}
        self._numbered: dict[str, list[str]] = {}
        self._ibans: dict[str, tuple[str, ...]] = dict.fromkeys(self._accounts, ())
        self._payers: tuple[Payer, ...] | None = None
        self._journal: list[str] = []

    # --- what a matcher reads ---------------------------------------------------------------------------------------

    def account(self, account: str) -> Account:
        return self._accounts[account]

    def accounts(self) -> tuple[Account, ...]:
        return tuple(self._accounts.values())

    def payers(self) -> tuple[Payer, ...]:
        """Who pays from where; grows when an account was seen to pay from a new bank account."""
        if self._payers is None:
            self._payers = tuple(Payer(one.id, one.name, self._ibans[one.id]) for one in self._accounts.values())
        return self._payers

    def ibans(self, account: str) -> tuple[str, ...]:
        return self._ibans[account]

    def open_items(self, account: str) -> tuple[Item, ...]:
        """In the order they were posted; the same tuple as long as nothing changed."""
        if account not in self._shown:
            self._shown[account] = tuple(self._open[account].values())
        return self._shown[account]

    def items_by_number(self, key: str) -> tuple[Item, ...]:
        """Every item, open or settled, whose number, RF reference, PO or order is this, compared by capitals and digits only."""
        return tuple(self._items[item] for item in self._numbered.get(plain(key), ()))

    def item(self, item: str) -> Item:
        return self._items[item]

    @property
    def changes(self) -> int:
        """Counts every change; with `changed_since` a matcher keeps indexes of its own."""
        return len(self._journal)

    def changed_since(self, changes: int) -> tuple[str, ...]:
        """The accounts that changed after this count, each once, in the order of their first change."""
        return tuple(dict.fromkeys(self._journal[changes:]))

    # --- how it changes ---------------------------------------------------------------------------------------------

    def post(self, item: Item) -> None:
        self._items[item.id] = item
        keys = dict.fromkeys(plain(text) for text in (item.number, item.reference, item.po, item.order) if text)
        for key in keys:
            self._numbered.setdefault(key, []).append(item.id)
        self._replace(item)

    def settle(self, item: str, cleared_minor: int) -> None:
        """Take so much off; what is left of an invoice or a credit note may not change its sign."""
        before = self._items[item]
        left = before.open_minor - cleared_minor
        assert left * before.original_minor >= 0, f"{item} would turn from {before.open_minor} to {left}: more cleared than open"
        self._replace(before._replace(open_minor=left))

    def dispute(self, item: str) -> None:
        self._replace(self._items[item]._replace(disputed=True))

    def learn(self, account: str, iban: str) -> None:
        """This bank account belongs to this customer, as a clerk would note after the first payment from it."""
        if iban not in self._ibans[account]:
            self._ibans[account] = (*self._ibans[account], iban)
            self._payers = None
            self._journal.append(account)

    def _replace(self, item: Item) -> None:
        self._items[item.id] = item
        if item.open_minor:
            self._open[item.account][item.id] = item
        else:
            self._open[item.account].pop(item.id, None)
        self._shown.pop(item.account, None)
        self._journal.append(item.account)


def discount_of(item: Item) -> int:
    """The early-payment discount in minor units, half up, as most customers' systems round it."""
    return (item.original_minor * item.discount_bp + 5_000) // 10_000


def in_discount(item: Item, on: date) -> bool:
    return item.discount_until is not None and on <= item.discount_until
