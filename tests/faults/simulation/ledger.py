"""Rules of the receivables ledger: what must hold of its rows and facts after every commit, and at rest.

They are counted here anew from the single items, entries and receipts, never from a sum that the ledger keeps itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from contracts import payments
from contracts.envelope import Envelope
from services.payments.state import DROPPED, GONE, NEW, RECEIPT, RECOGNISED, SET_ASIDE, UNRECOGNISED, Item, Landed, Receipt
from tests.faults.simulation.house import require

Rows = Mapping[str, Mapping[str, Any]]
ONCE: Mapping[type[Any], tuple[str, ...]] = {
    payments.ItemPosted: ("item",),
    payments.EntryPosted: ("account", "entry"),
    payments.StatementTaken: ("bank_account", "statement", "part"),
    payments.CashRecognised: ("receipt",),
    payments.CashReceived: ("receipt",),
    payments.CashAllocated: ("match",),
    payments.CashUnallocated: ("match",),
    payments.CashGivenBack: ("receipt",),
    payments.CashTakenBack: ("receipt",),
    payments.CashWithdrawn: ("receipt",),
    payments.EntrySetAside: ("bank_account", "entry"),
    payments.EntryDropped: ("bank_account", "entry"),
}
"""Of these facts there is one per value of these fields, whatever happens."""


class Ledger:
    def __init__(self) -> None:
        self._seen = 0
        self._said: set[tuple[str, ...]] = set()
        self._by_item: Counter[tuple[str, str]] = Counter()
        self._by_account: Counter[tuple[str, str]] = Counter()

    def check(self, folded: Any) -> None:
        for fact in folded.facts[self._seen :]:
            self._once(fact)
            if isinstance(fact.data, payments.EntryPosted):
                self._entered(fact.data)
        self._seen = len(folded.facts)
        self._balances(folded.rows)
        for receipt in folded.rows["receipt"].values():
            _allocated_within(receipt, folded.rows)
        self._suspense(folded.rows)

    def _once(self, fact: Envelope) -> None:
        fields = ONCE.get(type(fact.data))
        if fields is None:
            return
        name = (type(fact.data).__name__, *(str(getattr(fact.data, field)) for field in fields))
        require(name not in self._said, "the ledger says it once", " ".join(name))
        self._said.add(name)

    def _entered(self, entry: payments.EntryPosted) -> None:
        require(not sum(line.base_minor for line in entry.lines), "every entry sums to zero", entry.entry)
        for currency in {line.currency for line in entry.lines}:
            left = sum(line.amount_minor for line in entry.lines if line.currency == currency)
            require(not left, "every entry sums to zero", f"{entry.entry}: {left} {currency}")
        for line in entry.lines:
            self._by_account[entry.account, line.ledger] += line.base_minor
            if line.item is not None:
                self._by_item[entry.account, line.item] += line.base_minor

    def _balances(self, rows: Rows) -> None:
        """An account's balance, the sum of its open items, and what the ledger's entries say are one figure (P12)."""
        open_: Counter[str] = Counter()
        left: Counter[str] = Counter()
        for item in rows["item"].values():
            _open_within(item)
            open_[item.account] += item.open_base_minor
            left[item.account] += item.open_minor != 0
            entered = self._by_item[item.account, item.item]
            require(entered == item.open_base_minor, "an item is what its entries say", f"{item.item}: {entered}, {item}")
        for name, account in rows["account"].items():
            figures = (account.balance_minor, open_[name], self._by_account[name, "receivables"])
            require(len(set(figures)) == 1, "a balance is the sum of its open items and of its entries", f"{name}: {figures}")
            require(account.open_items == left[name], "open items are counted", f"{name}: {account.open_items} of {left[name]}")

    def _suspense(self, rows: Rows) -> None:
        """What waits in suspense is what its entries say; the bank has what was not dropped."""
        for bank in {landed.bank_account for landed in rows["landed"].values()}:
            waiting = sum(each.entry.amount_minor for each in _landed(rows, bank, NEW, UNRECOGNISED))
            entered = -self._by_account[bank, "suspense"]
            require(waiting == entered, "suspense is what waits in it", f"{bank}: {waiting} waits, {entered} entered")
            there = sum(each.entry.amount_minor for each in _landed(rows, bank, NEW, UNRECOGNISED, RECOGNISED, SET_ASIDE))
            entered = self._by_account[bank, "bank"]
            require(there == entered, "the bank has what it told", f"{bank}: {there} told, {entered} entered")

    def at_rest(self, rows: Rows) -> None:
        """Nothing is under way, and every entry that the bank told is in suspense, set aside, or the receipt of one account."""
        for ledger in ("transit", "group"):
            left = sum(minor for (_, name), minor in self._by_account.items() if name == ledger)
            require(not left, "nothing is in transit at rest", f"{left} in {ledger}")
        pending = [receipt.receipt for receipt in rows["receipt"].values() if receipt.state == "pending"]
        require(not pending, "no receipt waits to be matched at rest", str(pending))
        new = [landed.key for landed in rows["landed"].values() if landed.state == NEW]
        require(not new, "no entry waits to be recognised at rest", str(new))
        _dropped_what_is_not_confirmed(rows)
        standing = {r.receipt: (r.account, r.amount_minor) for r in rows["receipt"].values() if r.state != GONE}
        carried = {
            landed.receipt: (landed.account, landed.entry.amount_minor)
            for landed in rows["landed"].values()
            if landed.state == RECOGNISED
        }
        require(standing == carried, "what came in is somebody's once", f"{standing} received, {carried} recognised")


def _open_within(item: Item) -> None:
    sign = 1 if item.amount_minor >= 0 else -1
    within = 0 <= sign * item.open_minor <= sign * item.amount_minor
    require(within, "no item is settled below nothing or opened above its amount", str(item))
    require(bool(item.open_minor) or not item.open_base_minor, "a settled item leaves nothing in base currency", str(item))


def _allocated_within(receipt: Receipt, rows: Rows) -> None:
    """What is allocated of a receipt is the sum of its matches, and the item it stands as says the same."""
    matched = sum(rows["match"][name].allocated_minor for name in receipt.standing)
    require(
        not any(rows["match"][name].taken_back for name in receipt.standing), "a match taken back stands no more", str(receipt)
    )
    left = 0 if receipt.state == GONE else receipt.amount_minor - matched
    require(0 <= left == receipt.unallocated_minor, "no receipt is allocated above its amount", f"{receipt}: {matched} matched")
    own = rows["item"][receipt.receipt]
    require((own.kind, -own.open_minor) == (RECEIPT, left), "a receipt stands on its account as an item", f"{receipt}: {own}")


def _landed(rows: Rows, bank: str, *states: str) -> Iterator[Landed]:
    for landed in rows["landed"].values():
        if landed.bank_account == bank and landed.state in states:
            yield landed


def _dropped_what_is_not_confirmed(rows: Rows) -> None:
    """An intraday entry of a day whose statement is in stands in that, or is gone; its money is there once."""
    for known in rows["bank_known"].values():
        for reported in known.reported:
            landed = rows["landed"][f"{known.bank_account}/{reported.entry}"]
            require(reported.dropped == (landed.state == DROPPED), "what is dropped is gone", f"{known}: {landed.state}")
            told = [landed, *([rows["receipt"][landed.receipt]] if landed.state == RECOGNISED else [])]
            final = not any(row.is_provisional for row in told)
            require(reported.confirmed == final, "what its statement has is final, and nothing else of a report", f"{told}")
