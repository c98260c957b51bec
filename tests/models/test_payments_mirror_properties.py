"""Whatever is wished, posted, reversed, declined and sent again, in any order: in a mirrored book no decision of ours changes an
item, sums stay zero, a request is answered at most once, and the same document twice changes nothing (P1).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import payments
from contracts.message import Message
from contracts.payments import ItemPosted, ItemSettled, PostingRequested, PostingTaken, RequestClosed, Settle
from tests.models.payments_books import Books, cash, of, pays
from tests.models.test_payments_mirror import clears, document, mirrored, opens

HOMES = {"top": "top", "sub": "top"}
ERPS = (payments.TakePosting, payments.TakeBackPosting)
BANKS = (payments.ReceiveCash, payments.WithdrawCash, payments.GiveBackCash)
picks, small = st.integers(0, 99), st.integers(0, 6)
amounts = st.sampled_from([1, 7, 33_33, 100_00, 333_33])
accounts = st.sampled_from([*HOMES, "top"])
steps = st.one_of(
    st.tuples(st.just("opens"), small, accounts, amounts, st.sampled_from(["invoice", "invoice", "credit_note"])),
    st.tuples(st.just("clears"), picks, st.lists(st.tuples(picks, st.integers(1, 3)), min_size=1, max_size=3), picks),
    st.tuples(st.just("answers"), picks, st.integers(1, 2)),
    st.tuples(st.just("answers"), picks, st.just(1)),
    st.tuples(st.just("reverses"), picks, picks),
    st.tuples(st.just("again"), picks),
    st.tuples(st.just("cash"), small, accounts, amounts),
    st.tuples(st.just("allocates"), picks, st.lists(st.tuples(picks, st.integers(1, 2)), min_size=1, max_size=2)),
    st.tuples(st.just("allocates"), picks, st.lists(st.tuples(picks, st.just(1)), min_size=1, max_size=2)),
    st.tuples(st.just("offsets"), picks, picks),
    st.tuples(st.just("writes off"), picks),
    st.tuples(st.sampled_from(["unallocates", "declines", "withdraws", "gives back", "carry"]), picks),
)


class Played:
    """Steps done to books of a mirrored entity. The service's own commands wait, so that steps come between them."""

    def __init__(self) -> None:
        self.books = Books()
        for account, home in HOMES.items():
            self.books.do(mirrored(account, home))
        self.sent: list[payments.TakePosting] = []
        self.numbers = 0
        self.counts = Counter[str]()

    def do(self, step: tuple[Any, ...]) -> None:
        name, *rest = step
        getattr(self, name.replace(" ", "_"))(*rest)
        self.check()

    def say(self, message: Message, **who: str) -> list[Any]:
        facts = self.books.say(message, **who)
        moved = [fact for fact in facts if isinstance(fact, ItemPosted | ItemSettled)]
        if isinstance(message, BANKS):
            assert all(fact.kind == "receipt" or fact.item.startswith("RN/") for fact in moved), moved
        elif not isinstance(message, ERPS):
            assert not moved, (message, moved)
        self.counts.update(type(fact).__name__ for fact in facts)
        return facts

    def carry(self, pick: int) -> None:
        if self.books.commands:
            home, command, role, actor = self.books.commands.popleft()
            self.say(command, home=home, role=role, actor=actor)

    # --- the ERP

    def posts(self, *lines: Any, account: str = "top", **more: Any) -> None:
        self.numbers += 1
        wish = document(f"{self.numbers}/2026", *lines, account=account, **more)
        self.sent.append(wish)
        self.say(wish)

    def opens(self, n: int, account: str, amount: int, kind: str) -> None:
        self.posts(opens(f"I{n}", amount if kind == "invoice" else -amount, kind), account=account)

    def clears(self, pick: int, told: list[tuple[int, int]], answer: int) -> None:
        found = [self.item(each) for each, _ in told]
        lines = [
            clears(item.item, item.open_minor // part or item.open_minor, account=item.account)
            for item, (_, part) in zip(found, told, strict=True)
            if item is not None
        ]
        self.posts(*{line.item: line for line in lines}.values(), answers=self.request(answer))

    def answers(self, pick: int, part: int) -> None:
        """As it was asked, or less of it; what is to be reversed is."""
        found = self.books.tables["erp_request"].get(self.request(pick) or "")
        if found is None:
            return
        if found.reverses:
            number = self.books.tables["erp_posting"][found.reverses].document
            self.posts(reverses=number, account=found.account, answers=found.request)
        lines = (clears(e.item, e.settled_minor // part or e.settled_minor, account=e.account) for e in found.lines)
        if found.lines:
            self.posts(*lines, account=found.account, answers=found.request)

    def reverses(self, pick: int, answer: int) -> None:
        if self.sent:
            other = self.sent[pick % len(self.sent)]
            self.posts(reverses=other.document, account=other.account, answers=self.request(answer))

    def again(self, pick: int) -> None:
        """The same document once more."""
        if not self.sent or self.books.commands:
            return
        wish = self.sent[pick % len(self.sent)]
        was_taken = payments.posting_of("1000", wish.document, wish.account) in self.books.tables["erp_posting"]
        before = {name: dict(rows) for name, rows in self.books.tables.items()}
        self.say(wish)
        assert not was_taken or self.books.tables == before

    def declines(self, pick: int) -> None:
        if name := self.request(pick):
            account = self.books.tables["erp_request"][name].account
            self.say(payments.DeclinePosting(account=account, request=name, reason="no"))

    # --- our side

    def cash(self, n: int, account: str, amount: int) -> None:
        self.say(cash(f"RC-{n:016X}", amount, account))

    def allocates(self, pick: int, told: list[tuple[int, int]]) -> None:
        receipt = self.receipt(pick)
        lines = {}
        for each, part in told:
            if (item := self.item(each)) is not None and item.kind != "receipt" and receipt is not None:
                paid = min(item.open_minor, receipt.unallocated_minor) // part
                other = item.account if item.account != receipt.account else None
                lines[item.item] = Settle(item=item.item, settled_minor=paid, paid_minor=paid, account=other)
        if receipt is not None:
            self.say(pays(receipt.receipt, *lines.values(), account=receipt.account))

    def offsets(self, pick: int, other: int) -> None:
        credit, debt = self.item(pick), self.item(other)
        if credit is not None and debt is not None:
            part = min(abs(credit.open_minor), abs(debt.open_minor))
            line = Settle(item=debt.item, settled_minor=part, paid_minor=part)
            more = {"reason": "by agreement", "agreement": "A"}
            self.say(payments.OffsetItems(account=credit.account, credit=credit.item, lines=(line,), **more))

    def writes_off(self, pick: int) -> None:
        if (item := self.item(pick)) is None or not item.open_minor:
            return
        asks = {"item": item.item, "amount_minor": abs(item.open_minor), "reason": "gone", "evidence": "letter"}
        for fact in self.say(payments.ProposeWriteOff(account=item.account, key=f"K{len(self.books.journal)}", **asks)):
            if isinstance(fact, payments.PayoutProposed):
                approves = payments.ApprovePayout(account=fact.account, request=fact.request)
                self.say(approves, actor="zoe", role="director")

    def unallocates(self, pick: int) -> None:
        if found := sorted(self.books.tables["erp_posting"]):
            posted = self.books.tables["erp_posting"][found[pick % len(found)]]
            self.say(payments.UnallocateCash(account=posted.account, match=posted.posting, reason="wrong"))

    def withdraws(self, pick: int) -> None:
        if (receipt := self.receipt(pick)) is not None:
            self.say(payments.WithdrawCash(account=receipt.account, receipt=receipt.receipt, reason="returned"))

    def gives_back(self, pick: int) -> None:
        if (receipt := self.receipt(pick)) is not None:
            self.say(payments.GiveBackCash(account=receipt.account, receipt=receipt.receipt, reason="not theirs"))
            self.books.commands = type(self.books.commands)(c for c in self.books.commands if not c[0].startswith("bank/"))

    # --- what there is

    def item(self, pick: int) -> Any:
        found = sorted(self.books.tables["item"])
        return self.books.item(found[pick % len(found)]) if found else None

    def receipt(self, pick: int) -> Any:
        found = sorted(self.books.tables["receipt"])
        return self.books.receipt(found[pick % len(found)]) if found else None

    def request(self, pick: int) -> str | None:
        found = sorted(self.books.tables["erp_request"])
        return found[pick % len(found)] if found else None

    # --- what must hold

    def check(self) -> None:
        books = self.books
        assert sum(books.sums().values()) == 0
        open_: Counter[str] = Counter()
        for item in books.tables["item"].values():
            sign = 1 if item.amount_minor >= 0 else -1
            assert 0 <= sign * item.open_minor <= sign * item.amount_minor, item
            assert 0 <= sign * item.free_minor <= sign * item.open_minor and sign * item.requested_minor >= 0, item
            open_[item.account] += item.open_base_minor
        for name, account in books.tables["account"].items():
            assert account.balance_minor == open_[name], name
        for receipt in books.tables["receipt"].values():
            own = books.item(receipt.receipt)
            assert (receipt.unallocated_minor, receipt.requested_minor) == (-own.open_minor, -own.requested_minor), receipt
        self.check_answers()

    def check_answers(self) -> None:
        journal = [fact for _, _, fact in self.books.journal]
        answered = Counter(fact.answers for fact in of(PostingTaken, journal) if fact.answers)
        closed = Counter(fact.request for fact in of(RequestClosed, journal))
        assert max((*answered.values(), *closed.values()), default=1) == 1
        assert not {fact.request for fact in of(RequestClosed, journal) if fact.outcome == "declined"} & set(answered)

    def check_at_rest(self) -> None:
        while self.books.commands:
            self.carry(0)
        self.check()
        held: Counter[str] = Counter()
        for asked in self.books.tables["erp_request"].values():
            for line in asked.lines if asked.state == "open" else ():
                held[line.item] += line.settled_minor
        for item in self.books.tables["item"].values():
            assert item.requested_minor == held[item.item], item
        assert self.books.refolded() == self.books.tables


@settings(max_examples=100)
@given(st.lists(steps, max_size=30))
def test_in_a_mirrored_book_only_the_erp_changes_items_and_answers_once(told: list[tuple[Any, ...]]) -> None:
    played = Played()
    for step in told:
        played.do(step)
    played.check_at_rest()


def test_the_steps_do_what_they_are_for() -> None:
    """A run that is known to reach every kind of fact: else the property would hold of nothing."""
    played = Played()
    for step in (
        ("opens", 1, "top", 333_33, "invoice"), ("opens", 2, "top", 7, "credit_note"), ("cash", 1, "top", 333_33),
        ("allocates", 0, [(0, 1)]), ("answers", 0, 1), ("answers", 1, 1), ("carry", 0), ("carry", 0), ("reverses", 2, 99),
        ("carry", 0), ("unallocates", 2), ("declines", 1), ("carry", 0), ("withdraws", 0), ("carry", 0), ("writes off", 1),
    ):  # fmt: skip
        played.do(step)
    played.check_at_rest()
    wanted = (PostingRequested, PostingTaken, RequestClosed, ItemPosted, ItemSettled)
    assert all(played.counts[kind.__name__] for kind in wanted), played.counts
