"""The console's book of accounts stands where the credit master stands, whatever was wished in whatever order (A3, A6, V2)."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings

from contracts.accounts import Terms
from services.console.booking import BOOKED, View, actions_of, book, reasons_of
from tests.models.ledger_of_accounts import Accounts
from tests.models.test_accounts_properties import Script, played, steps
from tests.models.test_console_following import told


def booked(script: Script, times: int = 1) -> tuple[Accounts, View]:
    """The credit master after this script, and the book after all it said, so many times over."""
    master, said = played(script)
    view = View({}, {})
    for _ in range(times):
        for n, (home, fact, at) in enumerate(said, start=1):
            if isinstance(fact, BOOKED):
                book(view, told(fact, n, at, home))
    return master, view


@given(steps)
@settings(deadline=None)
def test_the_book_stands_where_the_credit_master_stands(script: Script) -> None:
    master, view = booked(script)
    assert view.pages.keys() == master.rows.keys()
    for name, page in view.pages.items():
        row = master[name]
        assert (page.status, page.name, page.home, page.limit_minor) == (row.status, row.name, row.home, row.limit_minor)
        assert (page.limit_expires_on, msgspec.json.decode(page.terms, type=Terms)) == (row.limit_expires_on, row.terms)
        assert (page.stops_on, tuple(reasons_of(page))) == (row.stops_on, row.stop_reasons)
        assert (page.stopped_at is not None) == (row.work is not None)
        work = row.work
        assert (page.owner, page.progress_due_on) == ((work.owner or "", work.progress_due_on) if work else ("", None))
        assert [(each.action, each.outcome) for each in actions_of(page)] == [
            (each.action, each.outcome) for each in (work.actions if work else ())
        ]


@given(steps)
@settings(deadline=None)
def test_the_inbox_holds_what_waits_at_the_credit_master(script: Script) -> None:
    master, view = booked(script)
    open_ones = {name for name, request in view.requests.items() if request.state == "open"}
    assert open_ones == {request.request for row in master.rows.values() for request in row.requests}
    for row in master.rows.values():
        for theirs in row.requests:
            ours = view.requests[theirs.request]
            assert (ours.by, ours.limit_minor, ours.effective_from) == (theirs.by, theirs.limit_minor, theirs.on)
            if theirs.was_minor is not None:
                assert (ours.was_minor, ours.was_expires_on) == (theirs.was_minor, theirs.was_expires_on)


@given(steps)
@settings(max_examples=30, deadline=None)
def test_facts_that_come_again_change_nothing(script: Script) -> None:
    _, once = booked(script)
    _, twice = booked(script, times=2)
    assert (twice.pages, twice.requests) == (once.pages, once.requests)
