"""Whatever is billed, paid, matched, taken back and closed, in any order: books balance, nothing counts twice (P1, P3, P6)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.message import Message
from contracts.payments import (
    AllocateCash,
    CashAllocated,
    CashUnallocated,
    ClosePeriod,
    Discount,
    EntryPosted,
    GiveBackCash,
    KeepOnAccount,
    PeriodClosed,
    PostItem,
    ReceiveCash,
    RecogniseCash,
    ReferCash,
    RetryCash,
    SetAsideEntry,
    Settle,
    TakeAdvice,
    TakeCash,
    TakeEntry,
    TakeStatement,
    UnallocateCash,
)
from tests.models.payments_books import BANK, DAY, TODAY, Books, cash, drops, entry, invoice, of, opened, pays, settles, statement

HOMES = {"top": "top", "sub": "top", "alone": "alone", "abroad": "abroad"}
CURRENCIES = {"top": "GBP", "sub": "GBP", "alone": "GBP", "abroad": "EUR"}
ANYBODY_EVERY = 12
"""So often items are named that the receipt may not settle."""
LAST_MONTH = TODAY.replace(day=1) - DAY

small = st.integers(0, 9)
picks = st.integers(0, 99)
accounts = st.sampled_from([*HOMES, "top", "sub", "nobody"])
kinds = st.sampled_from(["invoice", "invoice", "invoice", "debit_note", "credit_note"])
currencies = st.sampled_from(["", "", "", "GBP", "EUR", "JPY"])
amounts = st.sampled_from([0, 1, 7, 33_33, 100_00, 333_33])
days = st.sampled_from([TODAY, TODAY, TODAY - 10 * DAY, LAST_MONTH])
entries = st.lists(
    st.tuples(st.sampled_from([-5_00, 1, 33_33, 100_00, 333_33]), st.sampled_from(["", "", "R1", "R2"])), max_size=4
)
lines = st.lists(
    st.tuples(picks, st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 0, 0, 1, 3_00, 90_00])), min_size=1, max_size=3
)
steps = st.one_of(
    st.tuples(st.just("bill"), small, accounts, kinds, amounts, currencies, days, st.none() | st.integers(0, 400_00)),
    st.tuples(st.just("state"), small, entries, st.booleans(), st.sampled_from(["GBP", "GBP", "EUR", "JPY"]), days),
    st.tuples(st.just("recognise"), picks, accounts, st.booleans()),
    st.tuples(st.just("set aside"), picks),
    st.tuples(st.just("take entry"), picks),
    st.tuples(st.just("drop"), picks),
    st.tuples(st.just("allocate"), picks, lines, st.sampled_from(["controller", "director", ""]), st.booleans()),
    st.tuples(st.just("allocate"), picks, lines, st.sampled_from(["controller", "director", ""]), st.booleans()),
    st.tuples(st.just("unallocate"), picks),
    st.tuples(st.sampled_from(["give back", "keep", "take", "retry", "refer"]), picks),
    st.tuples(st.just("advise"), small, accounts, amounts),
    st.tuples(st.just("close"), accounts),
    st.tuples(st.just("carry"), picks),
)


class Played:
    """Steps done to books. Commands of its own wait, and are carried home by home, so that steps come between them."""

    def __init__(self) -> None:
        self.books = Books()
        for account, home in HOMES.items():
            self.books.do(opened(account, home, currency=CURRENCIES[account]))
        self.closed_after: list[tuple[int, dt.date]] = []

    def do(self, step: tuple[Any, ...]) -> None:
        name, *rest = step
        DO[name](self, *rest)
        self.check()

    def say(self, message: Message, **who: str) -> list[Any]:
        facts = self.books.say(message, **who)
        for closed in of(PeriodClosed, facts):
            self.closed_after.append((len(self.books.journal), closed.until_on))
        return facts

    def taken_in(self, message: Message, **who: str) -> None:
        """Whatever is taken in: once more, and nothing is changed (P3)."""
        self.say(message, **who)
        before = {name: dict(rows) for name, rows in self.books.tables.items()}
        self.say(message, **who)
        assert self.books.tables == before

    def carry(self, pick: int) -> None:
        """The first waiting command of one of the homes."""
        homes = list(dict.fromkeys(home for home, *_ in self.books.commands))
        if homes:
            at = next(n for n, each in enumerate(self.books.commands) if each[0] == homes[pick % len(homes)])
            home, command, role, actor = self.books.commands[at]
            del self.books.commands[at]
            again = self.taken_in if isinstance(command, ReceiveCash) else self.say
            again(command, home=home, role=role, actor=actor)

    # --- what must hold

    def check(self) -> None:
        books = self.books
        _entries_balance([fact for _, _, fact in books.journal[-12:] if isinstance(fact, EntryPosted)])
        open_: Counter[str] = Counter()
        for item in books.tables["item"].values():
            sign = 1 if item.amount_minor >= 0 else -1
            assert 0 <= sign * item.open_minor <= sign * item.amount_minor, item
            assert item.open_minor or not item.open_base_minor, item
            open_[item.account] += item.open_base_minor
        receivable: Counter[str] = Counter()
        for line in books.tables["ledger"].values():
            receivable[line.account] += line.base_minor * (line.ledger == "receivables")
        for name, account in books.tables["account"].items():
            assert account.balance_minor == open_[name] == receivable[name], name
        assert sum(books.sums().values()) == 0
        for receipt in books.tables["receipt"].values():
            matched = sum(books.tables["match"][name].allocated_minor for name in receipt.standing)
            left = 0 if receipt.state == "gone" else receipt.amount_minor - matched
            assert receipt.unallocated_minor == left == -books.item(receipt.receipt).open_minor >= 0, receipt

    def check_at_rest(self) -> None:
        while self.books.commands:
            self.carry(0)
        self.check()
        sums = self.books.sums()
        assert (sums.get("transit", 0), sums.get("group", 0)) == (0, 0)
        landed = self.books.tables["landed"].values()
        carried = {each.receipt: each.account for each in landed if each.state == "recognised"}
        assert carried == {r.receipt: r.account for r in self.books.tables["receipt"].values() if r.state != "gone"}
        assert self.books.refolded() == self.books.tables
        for since, until_on in self.closed_after:
            later = [fact for _, _, fact in self.books.journal[since:] if isinstance(fact, EntryPosted)]
            assert all(fact.effective_on > until_on for fact in later)


def _entries_balance(posted: list[EntryPosted]) -> None:
    for fact in posted:
        assert sum(line.base_minor for line in fact.lines) == 0, fact
        by_currency: Counter[str] = Counter()
        for line in fact.lines:
            by_currency[line.currency] += line.amount_minor
        assert not any(by_currency.values()), fact


# --- the steps --------------------------------------------------------------------------------------------------------


def _bill(at: Played, n: int, account: str, kind: str, amount: int, currency: str, on: dt.date, base: int | None) -> None:
    discounts = (Discount(until_on=TODAY, basis_points=300),) if n % 2 else ()
    more = {"kind": kind, "currency": currency or CURRENCIES.get(account, "GBP"), "document_on": on, "base_minor": base}
    wish: PostItem = invoice(f"I{n}", amount, account, discounts=discounts, **more)
    at.taken_in(wish, home=HOMES.get(account, account))


def _state(at: Played, n: int, told: list[tuple[int, str]], is_provisional: bool, currency: str, on: dt.date) -> None:
    found = [
        entry(str(m), amount, currency=currency, servicer_reference=reference, booked_on=on, value_on=on)
        for m, (amount, reference) in enumerate(told)
    ]
    wish: TakeStatement = statement(f"S{n}", *found, currency=currency, is_provisional=is_provisional, digest=f"{told}"[:60])
    at.taken_in(wish)


def _chosen(rows: Any, pick: int) -> Any:
    found = list(rows)
    return found[pick % len(found)] if found else None


def _recognise(at: Played, pick: int, account: str, wrong_home: bool) -> None:
    if landed := _chosen(at.books.tables["landed"].values(), pick):
        home = account if wrong_home else HOMES.get(account, account)
        name = landed.entry.entry
        at.say(RecogniseCash(bank_account=BANK, entry=name, account=account, account_home=home, learn=pick % 2 == 0))


def _set_aside(at: Played, pick: int) -> None:
    if landed := _chosen(at.books.tables["landed"].values(), pick):
        at.taken_in(SetAsideEntry(bank_account=BANK, entry=landed.entry.entry, ledger="bank_charges", reason="fees"))


def _take_entry(at: Played, pick: int) -> None:
    if landed := _chosen(at.books.tables["landed"].values(), pick):
        at.taken_in(TakeEntry(bank_account=BANK, entry=landed.entry.entry, owner="ben"))


def _drop(at: Played, pick: int) -> None:
    if drop := _chosen(drops(at.books), pick):
        at.taken_in(drop)


def _allocate(at: Played, pick: int, wanted: list[tuple[int, int, int]], role: str, and_back: bool) -> None:
    """Items mostly of its group, now and then of anybody, more or less than is open, with differences that may be too much."""
    receipts, items = at.books.tables["receipt"].values(), at.books.tables["item"].values()
    receipt = _chosen([each for each in receipts if each.unallocated_minor] or receipts, pick)
    if receipt is None:
        return
    fits = [each for each in items if each.open_minor and each.home == receipt.home and each.currency == receipt.currency]
    candidates = items if pick % ANYBODY_EVERY == 0 else [each for each in fits if each.kind != "receipt"]
    found, left = [], receipt.unallocated_minor
    for n, part, taken in wanted:
        if (item := _chosen(candidates, n)) is None or item.item in {line.item for line in found}:
            continue
        settled = (min(item.open_minor, left), item.open_minor, item.open_minor // 2, item.open_minor + 1)[part]
        discount, difference = (taken, 0) if n % 2 else (0, taken)
        paid = settled - discount - difference
        left -= paid
        account = item.account if item.account != receipt.account else None
        line = Settle(
            item=item.item, settled_minor=settled, paid_minor=paid, discount_minor=discount, difference_minor=difference,
            account=account,
        )  # fmt: skip
        found.append(line)
    _allocated(at, receipt, tuple(found), role, and_back)


def _allocated(at: Played, receipt: Any, found: tuple[Settle, ...], role: str, and_back: bool) -> None:
    actor = "anna" if role else "payments"
    before, sums = _opens(at.books), at.books.sums()
    wish = AllocateCash(account=receipt.account, receipt=receipt.receipt, lines=found, version=receipt.version)
    done = of(CashAllocated, at.say(wish, role=role, actor=actor))
    if not done or not and_back:
        return
    at.check()
    waiting = len(at.books.commands)
    at.say(UnallocateCash(account=receipt.account, match=done[0].match, reason="wrong"))
    home, command, *_ = at.books.commands.pop()
    assert len(at.books.commands) == waiting
    assert of(CashUnallocated, at.say(command, home=home))
    assert (_opens(at.books), _without_nothing(at.books.sums())) == (before, _without_nothing(sums))  # P7


def _opens(books: Books) -> dict[str, tuple[int, int]]:
    return {name: (item.open_minor, item.open_base_minor) for name, item in books.tables["item"].items()}


def _without_nothing(sums: dict[str, int]) -> dict[str, int]:
    return {ledger: minor for ledger, minor in sums.items() if minor}


def _unallocate(at: Played, pick: int) -> None:
    if match := _chosen(at.books.tables["match"].values(), pick):
        at.say(UnallocateCash(account=match.account, match=match.match, reason="wrong"))


def _on_receipt(wish: Callable[[Any], Message]) -> Callable[[Played, int], None]:
    def done(at: Played, pick: int) -> None:
        if receipt := _chosen(at.books.tables["receipt"].values(), pick):
            at.say(wish(receipt))

    return done


def _advise(at: Played, n: int, account: str, amount: int) -> None:
    at.taken_in(TakeAdvice(account=account, advice=f"A{n}", amount_minor=amount, currency="GBP", lines=()))


def _close(at: Played, account: str) -> None:
    at.taken_in(ClosePeriod(account=account, month=LAST_MONTH), role="director")


DO: dict[str, Callable[..., None]] = {
    "bill": _bill,
    "state": _state,
    "recognise": _recognise,
    "set aside": _set_aside,
    "take entry": _take_entry,
    "drop": _drop,
    "allocate": _allocate,
    "unallocate": _unallocate,
    "give back": _on_receipt(lambda r: GiveBackCash(account=r.account, receipt=r.receipt, reason="not theirs")),
    "keep": _on_receipt(lambda r: KeepOnAccount(account=r.account, receipt=r.receipt, reason="agreed")),
    "take": _on_receipt(lambda r: TakeCash(account=r.account, receipt=r.receipt, owner="ben")),
    "retry": _on_receipt(lambda r: RetryCash(account=r.account, receipt=r.receipt)),
    "refer": _on_receipt(lambda r: ReferCash(account=r.account, receipt=r.receipt, why="?")),
    "advise": _advise,
    "close": _close,
    "carry": Played.carry,
}


@given(st.lists(steps, max_size=40))
@settings(deadline=None)
def test_the_books_balance_whatever_is_done_in_whatever_order(done: list[tuple[Any, ...]]) -> None:
    played = Played()
    for step in done:
        played.do(step)
    played.check_at_rest()


BILLED_AND_PAID = [
    ("bill", 1, "top", "invoice", 100_00, "", TODAY, None),
    ("bill", 2, "sub", "invoice", 333_33, "", TODAY, 333_30),
    ("state", 1, [(333_33, "R1"), (100_00, "")], True, "GBP", TODAY),
    ("recognise", 0, "top", False),
    ("recognise", 1, "top", False),
    ("carry", 0),
    ("carry", 0),
]
"""A group that owes 433.33, and has paid it."""


@given(st.lists(steps, max_size=25))
@example([("allocate", 0, [(1, 0, 0)], "controller", False), ("unallocate", 0), ("drop", 0), ("drop", 1), ("carry", 0)])
@settings(deadline=None)
def test_a_group_that_has_paid_balances_whatever_follows(done: list[tuple[Any, ...]]) -> None:
    played = Played()
    for step in (*BILLED_AND_PAID, *done):
        played.do(step)
    played.check_at_rest()


@given(
    st.lists(st.tuples(st.sampled_from([1, 1, 33_33, 100_00]), st.sampled_from(["", "", "R1", "R2"])), min_size=1, max_size=6),
    st.data(),
)
@settings(deadline=None)
def test_a_days_money_is_there_once_whatever_the_reports_of_the_day_said(
    told: list[tuple[int, str]], data: st.DataObject
) -> None:
    """The statement alone counts, in one part or two. Reports tell some of it before, between or after, and some that never
    comes; what it has not is dropped (P3)."""
    final = [entry(str(n), amount, servicer_reference=f"{r}{n}" if r else "") for n, (amount, r) in enumerate(told)]
    at = data.draw(st.integers(0, len(final)))
    parts = [final[:at], final[at:]]
    reports, books = [data.draw(st.integers(0, 3)) for _ in range(3)], Books()
    for when, count in enumerate(reports):
        for n in range(count):
            reported = [each for each in final if data.draw(st.booleans())]
            never = [entry(f"x{m}", 7_77, text=f"never {m}") for m in range(data.draw(st.integers(0, 2)))]
            numbered = [replace(each, entry=str(m)) for m, each in enumerate([*reported, *never])]
            books.do(statement(f"D{when}{n}", *numbered, is_provisional=True, closed_on=None))
        if when < len(parts):
            books.do(statement("S", *parts[when], part=when + 1, parts=2))
    assert all(drop.entry in _never(books) for drop in drops(books))
    for drop in drops(books):
        books.do(drop)
    assert books.sums().get("bank", 0) == sum(each.amount_minor for each in final)
    assert books.sums().get("suspense", 0) == -books.sums().get("bank", 0)
    assert books.refolded() == books.tables


def _never(books: Books) -> set[str]:
    """Reported entries that the statement does not have."""
    return {landed.entry.entry for landed in books.tables["landed"].values() if landed.entry.text.startswith("never")}


given_away = st.tuples(
    st.integers(0, 60_00), st.integers(-4_00, 4_00), st.integers(-9_00, 9_00), st.sampled_from(["controller", ""]), st.booleans()
)


@given(st.lists(given_away, max_size=12))
@example([(30_00, 2_00, 0, "", False), (30_00, 2_00, 0, "", False)])
@example([(10_00, 0, 9_00, "controller", False)] * 3)
@settings(deadline=None)
def test_an_items_discount_and_tolerance_are_given_once_in_all(tries: list[tuple[int, int, int, str, bool]]) -> None:
    """Whoever pays it how often, and whatever is taken back: never more than 3 % and a unit of rounding, nor 25.00 (P6)."""
    books = Books()
    books.do(opened())
    books.do(invoice("I1", 100_00, discounts=(Discount(until_on=TODAY, basis_points=300),)))
    books.do(cash("R", 900_00))
    for paid, discount, difference, role, back in tries:
        wish = pays("R", settles("I1", paid, discount, difference))
        books.say(wish, role=role, actor="anna" if role else "payments")
        if back and books.receipt("R").standing:
            books.do(UnallocateCash(account="acme", match=books.receipt("R").standing[0], reason="wrong"))
        stands = [line for name in books.receipt("R").standing for line in books.tables["match"][name].lines]
        assert 0 <= sum(line.discount_minor for line in stands) <= 3_01
        assert sum(abs(line.difference_minor) for line in stands) <= 25_00
    assert books.refolded() == books.tables
