"""Statements of account at a cadence per account: when they are due, what they name, and that none is said twice (P13)."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import accounts
from contracts.payments import (
    CommandUnneeded,
    EntryPosted,
    IssueStatement,
    ItemPosted,
    LedgerNoted,
    StatementIssued,
    UnallocateCash,
)
from services.payments import statements, store
from services.payments.policies import Statements, versions
from services.payments.state import Account, State, rows
from shared.rows import field_of
from shared.service import Moment, Timer
from tests.models.payments_books import DAY, START, TODAY, Books, cash, invoice, of, opened, pays

MONTH_END = dt.date(2026, 3, 31)


class Clocked(Books):
    """The books with the timers of statements, which fire as the kit fires them: those that are due before each message."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: dict[str, dt.datetime] = {}

    def say(self, message: Any, home: str = "", role: str = "controller", actor: str = "anna") -> list[Any]:
        home = home or self._home_of(message)
        before = self._state(message, home)
        facts = super().say(message, home, role, actor)
        after = self._state(message, home)
        same = State(*(was if was == now else now for was, now in zip(_fields(before), _fields(after), strict=True)))
        for timer in store.deadlines(before, same, Moment(self.at, home, 0, "c" * 32, "c" * 32)):
            if timer.kind == statements.STATEMENT:
                self._set(timer)
        return facts

    def _set(self, timer: Timer) -> None:
        self.timers.pop(timer.key, None)
        if timer.due is not None:
            self.timers[timer.key] = timer.due

    def _state(self, message: Any, home: str) -> State:
        tables = [self.tables[store.TABLES[field].name] for field in State.__struct_fields__]
        return State(*(field_of(key, table) for key, table in zip(rows(message, home, 0), tables, strict=True)))

    def until(self, at: dt.datetime) -> list[Any]:
        """What is said while the time passes."""
        facts: list[Any] = []
        while self.timers and min(self.timers.values()) <= at:
            due, name = min((due, name) for name, due in self.timers.items())
            del self.timers[name]
            self.at = max(self.at, due)
            facts += self.do(IssueStatement(account=name))
        self.at = max(self.at, at)
        return facts


def _fields(state: State) -> list[Any]:
    return [getattr(state, field) for field in State.__struct_fields__]


def terms(cadence: str, account: str = "acme", **more: Any) -> accounts.TermsChanged:
    changed = accounts.Terms(statement_cadence=cadence, **more)
    return accounts.TermsChanged(account=account, terms=changed, reason="agreed", effective_from=TODAY)


def on(year: int, month: int, day: int, hour: int = 12) -> dt.datetime:
    return dt.datetime(year, month, day, hour, tzinfo=dt.UTC)


def told(facts: list[Any]) -> list[tuple[int, str, dt.date, dt.date | None]]:
    return [(fact.number, fact.cadence, fact.as_of, fact.since) for fact in of(StatementIssued, facts)]


@pytest.fixture
def books() -> Clocked:
    """Acme owes 500 since the second of March."""
    found = Clocked()
    found.do(opened())
    found.do(invoice("I1", 500_00))
    return found


# --- when ---------------------------------------------------------------------------------------------------------------


def test_a_statement_leaves_on_the_first_working_day_of_the_next_month_by_the_policy(books: Clocked) -> None:  # P13
    assert books.timers == {"acme": on(2026, 4, 1, 6)}
    assert told(books.until(on(2026, 4, 1, 5))) == []
    assert told(books.until(on(2026, 4, 1, 6))) == [(1, "monthly", MONTH_END, None)]
    assert books.timers == {"acme": on(2026, 5, 1, 6)}


@pytest.mark.parametrize(
    ("as_of", "leaves"),
    [
        (dt.date(2026, 2, 28), on(2026, 3, 2, 6)),  # behind a week-end
        (dt.date(2026, 4, 5), on(2026, 4, 7, 6)),  # behind Easter Monday
        (dt.date(2026, 12, 31), on(2027, 1, 4, 6)),  # behind New Year and a week-end
    ],
)
def test_it_waits_for_week_ends_and_holidays_of_its_region(as_of: dt.date, leaves: dt.datetime) -> None:  # P13
    assert Statements(region="GB-ENG").leaves_at(as_of) == leaves


def test_a_week_ends_on_sunday_and_its_statement_leaves_on_monday(books: Clocked) -> None:  # P13
    books.do(terms("weekly"))
    assert told(books.until(on(2026, 3, 16))) == [
        (1, "weekly", dt.date(2026, 3, 8), None),
        (2, "weekly", dt.date(2026, 3, 15), dt.date(2026, 3, 8)),
    ]


def test_the_terms_say_none_and_none_leaves(books: Clocked) -> None:  # P13
    books.do(terms("none"))
    assert books.timers == {} and books.until(on(2026, 7, 1)) == []


def test_the_policy_says_how_often_where_the_terms_leave_it_to_it() -> None:  # P13
    assert all(policy.statements.cadence == "monthly" for policy in versions())
    assert Statements().cadence == "none", "a policy that says nothing of statements sends none"


# --- quiet --------------------------------------------------------------------------------------------------------------


def test_an_account_on_which_nothing_ever_moved_has_no_timer_and_no_statement() -> None:  # P13
    books = Clocked()
    books.do(opened())
    assert books.timers == {}
    assert books.do(IssueStatement(account="acme")) == [CommandUnneeded(account="acme")]
    assert books.do(IssueStatement(account="nobody")) == [CommandUnneeded(account="nobody")]


def test_what_is_open_is_told_every_month_until_it_is_paid_and_that_it_was_paid_once_more(books: Clocked) -> None:  # P13
    assert len(told(books.until(on(2026, 5, 5)))) == 2
    books.do(cash("R", 500_00))
    books.do(pays("R", ("I1", 500_00)))
    assert told(books.until(on(2026, 6, 5))) == [(3, "monthly", dt.date(2026, 5, 31), dt.date(2026, 4, 30))]
    assert books.timers == {} and books.until(on(2026, 12, 31)) == []
    books.do(invoice("I2", 300_00, document_on=books.at.date()))
    assert told(books.until(on(2027, 1, 5))) == [(4, "monthly", dt.date(2026, 12, 31), dt.date(2026, 5, 31))]


def test_what_is_paid_before_the_statement_leaves_was_open_on_its_day_and_is_told_again(books: Clocked) -> None:  # P13
    books.until(on(2026, 4, 1, 3))
    books.do(cash("R", 500_00))
    books.do(pays("R", ("I1", 500_00)))
    assert told(books.until(on(2026, 4, 2))) == [(1, "monthly", MONTH_END, None)]
    assert [as_of for _, _, as_of, _ in told(books.until(on(2026, 7, 2)))] == [dt.date(2026, 4, 30)]


def test_what_moves_only_after_the_day_is_no_part_of_that_statement() -> None:  # P13
    books = Clocked()
    books.do(opened())
    books.until(on(2026, 4, 1, 3))
    books.do(invoice("I1", 500_00))  # of a day in March, but nobody knew it then
    assert told(books.until(on(2026, 4, 2))) == []
    assert told(books.until(on(2026, 5, 2))) == [(1, "monthly", dt.date(2026, 4, 30), None)]


# --- once ---------------------------------------------------------------------------------------------------------------


def test_a_second_wish_for_the_same_period_says_nothing(books: Clocked) -> None:  # P13
    books.until(on(2026, 4, 1))
    assert books.do(IssueStatement(account="acme")) == [CommandUnneeded(account="acme")]
    assert books.account().statements == 1


def test_a_statement_is_not_issued_before_its_day_is_over(books: Clocked) -> None:  # P13
    books.until(on(2026, 3, 31, 23))
    assert books.do(IssueStatement(account="acme")) == [CommandUnneeded(account="acme")]


def test_a_service_that_was_away_for_months_tells_each_of_them_once(books: Clocked) -> None:  # P13
    assert [as_of.month for _, _, as_of, _ in told(books.until(on(2026, 6, 2)))] == [3, 4, 5]


# --- what changes it ----------------------------------------------------------------------------------------------------


def test_another_cadence_begins_on_its_day_and_makes_up_for_nothing(books: Clocked) -> None:  # P13
    books.until(on(2026, 3, 25))
    books.do(terms("weekly"))
    assert books.timers == {"acme": on(2026, 3, 30, 6)}
    assert told(books.until(on(2026, 3, 31))) == [(1, "weekly", dt.date(2026, 3, 29), None)]
    books.do(terms("monthly"))
    assert told(books.until(on(2026, 4, 2))) == [(2, "monthly", MONTH_END, dt.date(2026, 3, 29))]


def test_a_terminated_account_gets_none(books: Clocked) -> None:  # P13
    books.do(accounts.AccountTerminated(account="acme", reason="left"))
    assert books.timers == {}
    books.at = on(2026, 4, 1)
    assert books.do(IssueStatement(account="acme")) == [CommandUnneeded(account="acme")]


def test_an_account_that_nobody_opened_gets_none_until_somebody_does() -> None:  # P13
    books = Clocked()
    books.do(invoice("I1", 500_00))
    assert books.timers == {}
    books.at = on(2026, 6, 3)
    books.do(opened())
    assert books.timers == {"acme": on(2026, 7, 1, 6)}


def test_other_terms_move_no_timer(books: Clocked) -> None:
    before, row = dict(books.timers), books.account()
    books.at += 10 * DAY
    books.do(terms("standard", payment_days=60))
    assert (books.timers, books.account().statement_from) == (before, row.statement_from)


# --- whatever happens ---------------------------------------------------------------------------------------------------

names = st.sampled_from(["acme", "bolt"])
amounts = st.sampled_from([1_00, 333_33, 500_00])
steps = st.one_of(
    st.tuples(st.just("days"), st.sampled_from([1, 3, 8, 27, 70]), st.integers(0, 23)),
    st.tuples(st.just("bill"), names, amounts, st.sampled_from([0, 5, 40])),
    st.tuples(st.just("cash"), names, amounts),
    st.tuples(st.just("pay"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("unpay"), st.integers(0, 9)),
    st.tuples(st.just("terms"), names, st.sampled_from(["standard", "weekly", "monthly", "none"])),
    st.tuples(st.just("status"), names, st.sampled_from(["terminated", "open", "dormant"])),
    st.tuples(st.just("issue"), names),
)


def play(books: Clocked, step: Any, n: int) -> None:
    match step:
        case "days", days, hour:
            books.until(START + (books.at.date() - TODAY + days * DAY) + dt.timedelta(hours=hour - START.hour))
        case "bill", name, minor, ago:
            books.do(invoice(f"I{n}", minor, name, document_on=books.at.date() - ago * DAY))
        case "cash", name, minor:
            books.do(cash(f"R{n}", minor, name, received_on=books.at.date()))
        case "pay", one, other:
            _pay(books, one, other)
        case "unpay", one:
            matches = [match for match in books.tables["match"].values() if not match.taken_back]
            for match in matches[one : one + 1]:
                books.do(UnallocateCash(account=match.account, match=match.match, reason="wrong"))
        case "terms", name, cadence:
            books.do(terms(cadence, name))
        case "status", name, "terminated":
            books.do(accounts.AccountTerminated(account=name, reason="left"))
        case "status", name, status:
            books.do(accounts.StatusChanged(account=name, status=status, was="open", reason="?"))
        case "issue", name:
            books.do(IssueStatement(account=name))


def _pay(books: Clocked, one: int, other: int) -> None:
    """As much of an invoice as there is of a receipt of the same account."""
    receipts = [each for each in books.tables["receipt"].values() if each.unallocated_minor]
    for receipt in receipts[one % 5 : one % 5 + 1]:
        items = [item for item in books.tables["item"].values() if item.account == receipt.account and item.open_minor > 0]
        for item in items[other % 5 : other % 5 + 1]:
            part = min(receipt.unallocated_minor, item.open_minor)
            books.do(pays(receipt.receipt, (item.item, part), account=receipt.account))


def moved_on(books: Books, account: str) -> list[tuple[dt.date, dict[str, int]]]:
    """From which day each entry of the account is seen, and what it moves of which item."""
    return [
        (max(fact.effective_on, at.date()), _by_item(fact))
        for at, _, fact in books.journal
        if isinstance(fact, EntryPosted) and fact.account == account and _by_item(fact)
    ]


def _by_item(fact: EntryPosted) -> dict[str, int]:
    found: Counter[str] = Counter()
    for line in fact.lines:
        if line.ledger == "receivables" and line.item:
            found[line.item] += line.amount_minor
    return dict(found)


def has_something_to_tell(books: Books, fact: StatementIssued) -> bool:
    """By the entries alone: something moved since the last one, or is open on the day."""
    sums: Counter[str] = Counter()
    for day, items in moved_on(books, fact.account):
        if day <= fact.as_of:
            if fact.since is None or day > fact.since:
                return True
            sums.update(items)
    return any(sums.values())


@settings(max_examples=150)
@given(st.lists(steps, max_size=30))
def test_no_period_ever_has_two_whatever_comes_in_whatever_order(played: list[Any]) -> None:  # P13
    books = Clocked()
    for name in ("acme", "bolt"):
        books.do(opened(name))
    for n, step in enumerate(played):
        play(books, step, n)
    books.until(books.at + 40 * DAY)
    for name in ("acme", "bolt"):
        found = [(at, fact) for at, _, fact in books.journal if isinstance(fact, StatementIssued) and fact.account == name]
        days = [fact.as_of for _, fact in found]
        assert days == sorted(set(days)), "each is of a later day than the one before"
        assert [fact.since for _, fact in found] == [None, *days][: len(days)]
        assert [fact.number for _, fact in found] == list(range(1, len(found) + 1))
        assert all(fact.as_of < at.date() for at, fact in found), "no day is told before it is over"
        assert all(has_something_to_tell(books, fact) for _, fact in found)
        assert len({(fact.cadence, fact.as_of.isocalendar()[:2]) for _, fact in found if fact.cadence == "weekly"}) == sum(
            fact.cadence == "weekly" for _, fact in found
        )
        due = statements.due_of(books.account(name))
        assert books.timers.get(name) == (due.at if due else None), "the timer follows from the row"
    assert books.refolded() == books.tables


@settings(max_examples=60)
@given(st.lists(steps, max_size=25))
def test_nothing_that_is_open_at_a_month_end_goes_untold(played: list[Any]) -> None:  # P13
    """With one cadence all the time every month that has something to tell has its statement."""
    books = Clocked()
    for name in ("acme", "bolt"):
        books.do(opened(name))
    for n, step in enumerate(step for step in played if step[0] not in ("terms", "status")):
        play(books, step, n)
    books.until(books.at + 40 * DAY)
    for name in ("acme", "bolt"):
        issued = {fact.as_of for _, _, fact in books.journal if isinstance(fact, StatementIssued) and fact.account == name}
        assert issued >= {end for end in month_ends(books.at.date() - 5 * DAY) if is_open(books, name, end)}


def month_ends(until: dt.date) -> list[dt.date]:
    found, day = [], MONTH_END
    while day < until:
        found.append(day)
        day = statements.last_day(day + DAY)
    return found


def is_open(books: Books, account: str, day: dt.date) -> bool:
    sums: Counter[str] = Counter()
    for seen_on, items in moved_on(books, account):
        if seen_on <= day:
            sums.update(items)
    return any(sums.values())


def test_the_row_of_before_reads_as_one_that_was_never_told() -> None:
    row = Account(account="acme", home="acme", open_items=3)
    assert (row.statements, row.statement_from, statements.due_of(row)) == (0, None, None)


def test_what_the_ledger_notes_of_terms_names_the_cadence_only_when_it_changes(books: Clocked) -> None:
    assert of(LedgerNoted, books.do(terms("standard"))) == []
    assert [fact.statement_cadence for fact in of(LedgerNoted, books.do(terms("weekly")))] == ["weekly"]
    assert of(ItemPosted, books.do(invoice("I1", 500_00))) == []
