"""The console's receipts beside the ledger's, after the same facts: how far each is allocated, and its version."""

from __future__ import annotations

from hypothesis import given, settings

from services.console.receivables.following import OF_RECEIPTS, Receipt, follow_receipt, receipt_in
from tests.console.receivables_stage import envelope
from tests.models.payments_books import Books, entry, opened, recognised, statement
from tests.models.test_payments_conserved import Day, steps

SHOWN = ("version", "state", "unallocated_minor", "is_provisional")


def followed(books: Books) -> dict[str, Receipt]:
    """Receipt -> as the console keeps it after all that the ledger said."""
    found: dict[str, Receipt] = {}
    for n, (at, home, fact) in enumerate(books.journal, start=1):
        if isinstance(fact, OF_RECEIPTS):
            after = follow_receipt(found.get(receipt_in(fact)), envelope(fact, at, home, n))
            if after is not None:
                found[after.receipt] = after
    return found


def test_a_confirmed_receipt_is_shown_as_final_and_a_wish_for_it_still_fits() -> None:  # P3
    books = Books()
    books.do(opened())
    one = entry("1", 500_00, servicer_reference="B1")
    books.do(statement("D1", one, is_provisional=True, closed_on=None))
    books.do(recognised("D1/1"))
    (receipt,) = followed(books).values()
    assert receipt.is_provisional
    books.do(statement("S1", one))
    (receipt,) = followed(books).values()
    assert (receipt.is_provisional, receipt.version) == (False, books.receipt(receipt.receipt).version)


@given(steps)
@settings(deadline=None)
def test_a_receipt_is_shown_as_the_ledger_has_it_whatever_was_done(done: list[tuple[str, int, int]]) -> None:  # must show 6
    """Paid back, written back, set off, charged back too: with another version every wish from a page would be refused."""
    day = Day("GBP")
    for step in done:
        day.play(*step)
    mine, theirs = followed(day.books), day.books.tables["receipt"]
    assert mine.keys() == theirs.keys()
    for name, receipt in theirs.items():
        assert [getattr(mine[name], field) for field in SHOWN] == [getattr(receipt, field) for field in SHOWN], name
