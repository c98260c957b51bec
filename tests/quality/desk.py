"""What the customers' clerks work with when they pay: who has what to pay, from which account, in which words.

`Draft` is a payment as it was meant, with its truth; `mess.py` holds the recipes that make them. Reads the ledger,
never changes it.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from tests.quality import bank, names, numbers, oracle
from tests.quality.border import AdviceLine, Case, Item, Paid
from tests.quality.ledger import Ledger
from tests.quality.world import World

TRIES_MAX = 400
"""Customers asked for a mess that needs something special before another mess is drawn."""
KNOWN_IBAN_SHARE, NO_IBAN_SHARE = 0.90, 0.06
"""The rest pays from an account that was never seen."""
NAME_AS_KNOWN_SHARE = 0.70
REMEMBERED_MAX = 500


class Sender(NamedTuple):
    """`known`: bank account or name point to one account of the ledger and no other. `new`: an account to be remembered."""

    name: str
    iban: str | None
    known: bool
    new: bool = False


class Draft(NamedTuple):
    """`certain` is False when the evidence is doubtful apart from its lines, as when nothing should be allocated but could be."""

    kind: str
    account: str | None
    sender: Sender
    currency: str
    amount_minor: int
    lines: tuple[Paid, ...] = ()
    text: tuple[str, ...] = ()
    advice: tuple[AdviceLine, ...] = ()
    reference: str | None = None
    accepts: tuple[str, ...] = ()
    certain: bool = True


class Plan(NamedTuple):
    """What is still to come of an invoice that is paid in parts."""

    item: str
    part: int
    of: int
    due: date


class Desk:
    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = Random(f"payments {seed}")
        self.plans: list[Plan] = []
        self.in_parts: set[str] = set()
        self.remembered: deque[Case] = deque(maxlen=REMEMBERED_MAX)
        accounts = world.ledger.accounts()
        self._crowd = [account.id for account in accounts for _ in range(world.habits[account.id].stock)]
        self._cores = Counter(bank_core(account.name) for account in accounts)

    @property
    def ledger(self) -> Ledger:
        return self.world.ledger

    @property
    def today(self) -> date:
        return self.world.today

    # --- who pays what ----------------------------------------------------------------------------------------------

    def anybody(self) -> str:
        """By the number of invoices an account usually has: large customers pay more often."""
        return self.rng.choice(self._crowd)

    def payable(self, account: str) -> list[Item]:
        """Whole, undisputed invoices in the order they fall due."""
        items = [item for item in self.ledger.open_items(account) if self._is_payable(item)]
        return sorted(items, key=lambda item: item.due_on)

    def _is_payable(self, item: Item) -> bool:
        whole = item.open_minor == item.original_minor > 0
        return whole and not item.disputed and item.id not in self.in_parts

    def somebody_with(self, fits: Callable[[list[Item]], bool]) -> tuple[str, list[Item]] | None:
        for _ in range(TRIES_MAX):
            account = self.anybody()
            items = self.payable(account)
            if items and fits(items):
                return account, items
        return None

    def choose(self, items: Sequence[Item], count: int) -> list[Item]:
        """What falls due first, or nearly: people pay runs, and leave out what they have not got approved."""
        if self.rng.random() < 0.6:
            return list(items[:count])
        near = self.rng.sample(range(min(len(items), 2 * count + 2)), min(count, len(items)))
        return [items[at] for at in sorted(near)]

    # --- from where -------------------------------------------------------------------------------------------------

    def sender(self, account: str) -> Sender:
        """The account itself, mostly from its usual bank account and under its usual name."""
        known, drawn = self.ledger.account(account), self.rng.random()
        name = known.name if self.rng.random() < NAME_AS_KNOWN_SHARE else names.varied(self.rng, known.name)
        shown = names.at_the_bank(name, bare=self.rng.random() < 0.3)
        by_name = self.is_one_name(account) and bank_core(name) == bank_core(known.name)
        if drawn < KNOWN_IBAN_SHARE:
            return Sender(shown, self.rng.choice(self.ledger.ibans(account)), known=True)
        if drawn < KNOWN_IBAN_SHARE + NO_IBAN_SHARE:
            return Sender(shown, None, by_name)
        return Sender(shown, numbers.iban(self.rng, known.country), by_name, new=True)

    def is_one_name(self, account: str) -> bool:
        """As much of the name as a bank shows belongs to no other account, legal forms apart."""
        return self._cores[bank_core(self.ledger.account(account).name)] == 1

    def stranger(self, country: str) -> Sender:
        name = names.at_the_bank(self.rng.choice(names.STRANGERS))
        return Sender(name, self.rng.choice((numbers.iban(self.rng, country), None)), known=False)

    # --- in which words ---------------------------------------------------------------------------------------------

    def text(self, words: str) -> tuple[str, ...]:
        """All of the words arrive, and some noise where there is room."""
        noisy = bank.with_noise(self.rng, words, self.today)
        return bank.delivered(noisy, bank.roomy_channel(self.rng, noisy))

    def naming(self, items: Sequence[Item]) -> tuple[str, ...]:
        return self.text(bank.listed(self.rng, [bank.written(self.rng, item.number) for item in items]))

    def idle_text(self) -> tuple[str, ...]:
        """Nothing that names an invoice."""
        words = self.rng.choice(("", "", "PAYMENT", "INVOICES", "ZAHLUNG RECHNUNGEN", "SUPPLIER PAYMENT", "STATEMENT"))
        return self.text(words)

    def advice_text(self) -> tuple[str, ...]:
        words = self.rng.choice(("SEE ADVICE", "AVIS FOLGT", "PER REMITTANCE ADVICE", "LAUT AVIS", "ADVICE BY MAIL", ""))
        return self.text(words)

    def advised(self, item: Item, paid: Paid, reason: str | None = None) -> AdviceLine:
        number = self.rng.choice((item.number, item.number, item.number, numbers.plain(item.number), item.number.lower()))
        return AdviceLine(number, item.open_minor, paid.discount_minor, paid.deduction_minor, paid.cash_minor, reason)

    # --- what a second answer would be ------------------------------------------------------------------------------

    def rivals(self, account: str, sender: Sender) -> list[Item]:
        """The open items among which a damaged number has to be found: the payer's, or everybody's."""
        if sender.known:
            return list(self.ledger.open_items(account))
        return [item for known in self.ledger.accounts() for item in self.ledger.open_items(known.id)]

    def reads_as_one(self, account: str, sender: Sender, text: str, item: Item) -> bool:
        """The damaged number still means this item: it is nobody else's number, and none like it has the same amount."""
        clash = [other for other in self.ledger.items_by_number(text) if other.id != item.id]
        if clash and (not sender.known or any(o.account == account or o.open_minor == item.open_minor for o in clash)):
            return False
        return oracle.only_like(self.rivals(account, sender), text, item.open_minor, item)


def bank_core(name: str) -> str:
    return names.at_the_bank(names.without_legal(name))


def in_full(item: Item, decidable: bool = True) -> Paid:
    return Paid(item.id, item.open_minor, decidable=decidable)


def cash(lines: Sequence[Paid]) -> int:
    return sum(line.cash_minor for line in lines)
