"""Whatever is paid back, given up, set off, charged to cards and reversed, in any order: no penny is made or lost (P1)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.payments import (
    ApprovePayout,
    ConfirmBankDetails,
    DeclinePayout,
    GiveBackCash,
    MakePaymentFile,
    NoteBankDetails,
    NoteCardOutcome,
    OffsetItems,
    ProposeRefund,
    ProposeWriteOff,
    RefundCardPayment,
    ReverseWriteOff,
    StopRefund,
    SweepBalance,
    TakeCardPayment,
    UnallocateCash,
    UndoOffset,
    WithdrawCash,
)
from services.payments.sweeping import key_of as sweep_key
from tests.models.payments_books import BANK, DAY, START, TODAY, Books, cash, credit_note, invoice, opened, pays, settles

ACCOUNTS = ("acme", "beta")
STEPS = (
    "invoice", "credit_note", "cash", "allocate", "unallocate", "offset", "undo_offset", "refund", "write_off", "approve",
    "decline", "reverse", "file", "stop", "card", "outcome", "card_refund", "sweep", "withdraw", "give_back", "details",
)  # fmt: skip
amounts = st.sampled_from([1, 33, 50, 100, 199, 500, 12_345])
steps = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 10_000), amounts), min_size=5, max_size=40)


class Day:
    """Plays steps against the books: `n` chooses among what is there, so that most steps find something to do."""

    def __init__(self, currency: str) -> None:
        self.books, self.currency, self.n = Books(), currency, 0
        for account in ACCOUNTS:
            self.books.do(opened(account, "acme", currency=currency))
            self.books.do(NoteBankDetails(account=account, iban=BANK, holder="x", reason="x"), actor="anna")
            wish = ConfirmBankDetails(account=account, iban=BANK, called="x", reason="x")
            self.books.do(wish, actor="ben", role="director")

    def play(self, step: str, n: int, amount: int) -> None:
        self.n += 1
        wish = getattr(self, f"_{step}")(n, amount)
        if wish is not None:
            self.books.do(
                wish, actor="ben" if step in ("approve", "reverse", "file", "stop", "details") else "anna", role="director"
            )

    def _pick(self, table: str, n: int, fits: Any = lambda row: True) -> Any:
        rows = [row for _, row in sorted(self.books.tables[table].items()) if fits(row)]
        return rows[n % len(rows)] if rows else None

    def _name(self) -> str:
        return f"N{self.n}"

    def _invoice(self, n: int, amount: int) -> Any:
        due = {"document_on": TODAY - 200 * DAY, "due_on": TODAY - n % 200 * DAY, "currency": self.currency}
        return invoice(self._name(), amount, ACCOUNTS[n % 2], **due)

    def _credit_note(self, n: int, amount: int) -> Any:
        return credit_note(self._name(), amount, ACCOUNTS[n % 2], currency=self.currency)

    def _cash(self, n: int, amount: int) -> Any:
        return cash(self._name(), amount, ACCOUNTS[n % 2], currency=self.currency)

    def _allocate(self, n: int, amount: int) -> Any:
        receipt, debt = self._pick("receipt", n), self._pick("item", amount + n, lambda row: row.open_minor > 0)
        if receipt is None or debt is None or receipt.unallocated_minor <= 0:
            return None
        part = min(amount, receipt.unallocated_minor, debt.open_minor)
        return pays(receipt.receipt, settles(debt.item, part, account=debt.account), account=receipt.account)

    def _unallocate(self, n: int, amount: int) -> Any:
        match = self._pick("match", n)
        return match and UnallocateCash(account=match.account, match=match.match, reason="x")

    def _offset(self, n: int, amount: int) -> Any:
        credit = self._pick("item", n, lambda row: row.open_minor < 0)
        debt = credit and self._pick("item", amount + n, lambda row: row.open_minor > 0 and row.account == credit.account)
        if not debt:
            return None
        line = settles(debt.item, min(amount, debt.open_minor, -credit.open_minor))
        return OffsetItems(account=credit.account, credit=credit.item, lines=(line,), reason="x", agreement="x")

    def _undo_offset(self, n: int, amount: int) -> Any:
        match = self._pick("match", n, lambda row: row.match.startswith("OF-"))
        return match and UndoOffset(account=match.account, offset=match.match, reason="x")

    def _refund(self, n: int, amount: int) -> Any:
        item = self._pick("item", n, lambda row: row.open_minor < 0)
        return item and ProposeRefund(
            account=item.account, key=self._name(), item=item.item, amount_minor=min(amount, -item.open_minor), reason="x"
        )

    def _write_off(self, n: int, amount: int) -> Any:
        item = self._pick("item", n, lambda row: row.open_minor)
        part = item and min(amount, abs(item.open_minor))
        return item and ProposeWriteOff(
            account=item.account, key=self._name(), item=item.item, amount_minor=part, reason="x", evidence="x"
        )

    def _approve(self, n: int, amount: int) -> Any:
        payout = self._pick("payout", n, lambda row: row.state == "asked")
        return payout and ApprovePayout(account=payout.account, request=payout.request)

    def _decline(self, n: int, amount: int) -> Any:
        payout = self._pick("payout", n)
        return payout and DeclinePayout(account=payout.account, request=payout.request, reason="x")

    def _reverse(self, n: int, amount: int) -> Any:
        payout = self._pick("payout", n, lambda row: row.state != "asked")
        return payout and ReverseWriteOff(account=payout.account, request=payout.request, reason="x")

    def _file(self, n: int, amount: int) -> Any:
        row = self._pick("outgoing", n)
        return row and MakePaymentFile(bank_account=row.bank_account, file=self._name(), on=TODAY, refunds=(row.request,))

    def _stop(self, n: int, amount: int) -> Any:
        row = self._pick("outgoing", n)
        return row and StopRefund(bank_account=row.bank_account, request=row.request, reason="x", by_bank=bool(n % 2))

    def _card(self, n: int, amount: int) -> Any:
        debt = self._pick("item", n, lambda row: row.open_minor > 0)
        account, items = (debt.account, (debt.item,)) if debt else (ACCOUNTS[0], ())
        return TakeCardPayment(
            account=account, payment=self._name(), amount_minor=amount, currency=self.currency, token="tok", items=items
        )

    def _outcome(self, n: int, amount: int) -> Any:
        card = self._pick("card", n)
        if card is None:
            return None
        intent = card.intents[n % len(card.intents)]
        outcomes = (
            ("refunded", "refund_declined") if intent.action == "refund" else ("captured", "captured", "declined", "charged_back")
        )
        part = intent.amount_minor if n % 3 or intent.action == "refund" else min(amount, intent.amount_minor)
        return NoteCardOutcome(
            account=card.account,
            payment=card.payment,
            key=intent.key,
            outcome=outcomes[n % len(outcomes)],
            amount_minor=part,
            told_at=START,
        )

    def _card_refund(self, n: int, amount: int) -> Any:
        card = self._pick("card", n, lambda row: row.captured_minor)
        return card and RefundCardPayment(
            account=card.account,
            payment=card.payment,
            key=self._name(),
            amount_minor=min(amount, card.captured_minor),
            reason="x",
        )

    def _sweep(self, n: int, amount: int) -> Any:
        item = self._pick("item", n)
        return item and SweepBalance(account=item.account, item=item.item, key=sweep_key(item))

    def _withdraw(self, n: int, amount: int) -> Any:
        receipt = self._pick("receipt", n)
        return receipt and WithdrawCash(account=receipt.account, receipt=receipt.receipt, reason="x")

    def _give_back(self, n: int, amount: int) -> Any:
        receipt = self._pick("receipt", n)
        return receipt and GiveBackCash(account=receipt.account, receipt=receipt.receipt, reason="x")

    def _details(self, n: int, amount: int) -> Any:
        """Changed, and confirmed again half of the time."""
        account, iban = ACCOUNTS[n % 2], BANK if n % 3 else "GB33BUKB20201555555555"
        self.books.do(NoteBankDetails(account=account, iban=iban, holder="y", reason="x"), actor="anna")
        if amount % 2:
            return None
        return ConfirmBankDetails(account=account, iban=iban, called="x", reason="x")


def conserved(books: Books) -> None:
    """Every promise of the ledger that holds at every moment."""
    tables = books.tables
    by_entry: dict[str, int] = defaultdict(int)
    by_item: dict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for line in tables["ledger"].values():
        by_entry[line.entry] += line.base_minor
        if line.item:
            amount, base = by_item[line.item]
            by_item[line.item] = amount + line.amount_minor, base + line.base_minor
    assert not any(by_entry.values()), "every entry sums to zero"
    for name, item in tables["item"].items():
        assert by_item[name] == (item.open_minor, item.open_base_minor), "an item is the sum of its postings"
        assert item.open_minor * item.amount_minor >= 0 and abs(item.open_minor) <= abs(item.amount_minor)
        assert item.open_minor or not item.open_base_minor, "nothing of it is left in base currency"
    for name, receipt in tables["receipt"].items():
        assert receipt.unallocated_minor == -tables["item"][name].open_minor, "a receipt is its item"
    for name, account in tables["account"].items():
        items = [item for item in tables["item"].values() if item.account == name]
        assert account.balance_minor == sum(item.open_base_minor for item in items)
        assert account.open_items == sum(item.open_minor != 0 for item in items)


def paid_once(books: Books) -> None:
    """Money out is what was carried out and not taken back; no card pays back more than it paid."""
    gone: dict[str, int] = defaultdict(int)
    for payout in books.tables["payout"].values():
        if payout.state in ("carried_out", "paid"):
            gone[payout.kind] += -payout.base_minor
    sums = books.sums()
    assert (sums.get("refunds", 0), sums.get("bad_debt", 0), sums.get("write_backs", 0)) == (
        -gone["refund"],
        -gone["write_off"],
        -gone["write_back"],
    )
    stands = [row for row in books.tables["receipt"].values() if row.state != "gone" and row.bank_account == BANK]
    assert sums.get("transit", 0) == -sum(books.item(row.receipt).base_minor for row in stands), "what came is what the bank has"
    for card in books.tables["card"].values():
        assert card.refunded_minor <= card.captured_minor <= card.amount_minor


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["GBP", "EUR"]), steps)
def test_no_penny_is_made_or_lost_whatever_happens_in_whatever_order(currency: str, told: list[tuple[str, int, int]]) -> None:
    day = Day(currency)
    for step, n, amount in told:
        day.play(step, n, amount)
        conserved(day.books)
    paid_once(day.books)
    assert day.books.refolded() == day.books.tables
