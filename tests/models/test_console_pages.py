"""How pages name things and where they belong, as pure functions."""

from __future__ import annotations

import pytest

from quittance.people import DEMO, TO_TRY, to_try
from services.console import guarding
from services.console.pages import ELSEWHERE, NAVIGATION, entry_of, po
from services.console.parked import MENDING
from services.console.serving import paths


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/desk", "/desk"),
        ("/deals/7/approve", "/deals"),
        ("/ledger/A1", "/receivables"),
        ("/late-payment/A/1", "/receivables"),
        ("/reconciliations", "/receivables"),
        ("/parts/open_minor/A1", "/accounts"),
        ("/ops/parked", "/ops"),
        ("/", ""),
        ("/sign-in", ""),
        ("/accounts-of-others", ""),
    ],
)
def test_a_page_belongs_to_an_entry_of_the_navigation(path: str, entry: str) -> None:
    assert entry_of(path) == entry


def test_no_page_belongs_to_an_entry_that_there_is_not() -> None:
    entries = {path for _, _, path, _ in NAVIGATION}
    assert set(ELSEWHERE.values()) <= entries
    assert all(any(each.startswith(begin) for each in paths()) for begin in ELSEWHERE)


@pytest.mark.parametrize(("number", "told"), [("77815", "PO 77815"), ("PO-63418", "PO-63418"), ("po 7", "po 7")])
def test_a_number_that_begins_with_po_is_not_told_so_twice(number: str, told: str) -> None:
    assert po(number) == told


def test_a_newcomer_is_told_whom_to_try_and_for_what_that_person_may() -> None:
    by_name = {person.name: person for person in DEMO}
    assert by_name["rose"].role in guarding.DESK
    assert guarding.DESK.index(by_name["finn"].role) > guarding.DESK.index(by_name["rose"].role)
    assert by_name["otto"].role in MENDING
    assert by_name["nell"].role == by_name["rose"].role and len(by_name["nell"].portfolios) == 1
    told = "\n".join(to_try())
    assert set(TO_TRY) <= set(by_name)
    assert all(name in told for name in by_name)
