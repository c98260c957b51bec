"""What a person reads of a refusal (A6): the services' own refusals, put into words without a code in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts import accounts, orders, payments
from contracts.accounts import OpenAccount
from contracts.message import Message
from services.console import refusing, wording
from services.console.wishes import Outcome
from shared.credit.checks import TESTS
from tests.models.ledger_of_accounts import Accounts
from tests.models.orders_desk import Desk, deal, opened, order
from tests.models.payments_books import Books, credit_note, invoice, of, pays
from tests.models.payments_books import cash as receipt
from tests.models.payments_books import opened as account_opened

NAMED = {"order": "web/1", "account": "acme"}
CODE = re.compile(r"[a-z]_[a-z]|minor units|@|\b[0-9]{5,}\b|accounts\.|orders\.")
"""What never stands on a page: words with underscores, minor units, versions of policies, names of messages."""
RELEASE = orders.ReleaseOrder(**NAMED, reason="ok")


def refused(messages: list[Message], wish: Message, role: str) -> Any:
    desk = Desk()
    for message in messages:
        desk.do(message, role="controller", actor="dee")
    (fact,) = desk.say(wish, role=role)
    assert isinstance(fact, orders.CommandRefused | orders.DealRefused)
    return fact


def said(fact: Any, currency: str = "GBP") -> str:
    return refusing.told(Outcome("refused", "", "refused", {"reason": fact.reason, "detail": fact.detail}), currency)


HELD = [opened(limit_minor=0), order(value_minor=6_975)]
REFERRED = [*HELD, orders.ReferOrder(**NAMED, reason="big", level="team_leader")]
ON_STOP = [opened(), order(value_minor=6_975), accounts.PlacedOnStop(account="acme", reason="legal"), order("web/2")]


@pytest.mark.parametrize(
    ("before", "wish", "role", "words"),
    [
        (REFERRED, RELEASE, "controller", "69.75 GBP is beyond a credit controller; it takes a team leader or above."),
        (
            ON_STOP,
            orders.ReleaseOrder(order="web/2", account="acme", reason="ok"),
            "controller",
            "Nobody releases while the account is on stop.",
        ),
        (HELD, RELEASE, "sales", "It takes a credit controller or above to decide orders; sales does not."),
        (
            HELD,
            orders.RejectOrder(**NAMED, reason="no"),
            "ops",
            "It takes a credit controller or above to decide orders; operations does not.",
        ),
        (
            HELD,
            orders.SplitOrder(**NAMED, release_minor=6_975, reason="some"),
            "controller",
            "A part is more than nothing and less than the 69.75 GBP that wait; release it to release all.",
        ),
        (
            REFERRED,
            orders.ReferOrder(**NAMED, reason="up", level="team_leader"),
            "controller",
            "A team leader is not above where the order is. The levels, lowest first: credit controller, team leader, "
            "operations manager, financial controller, director.",
        ),
        ([opened(), order()], RELEASE, "controller", "It is released: only an order that waits can be worked on."),
        (
            [opened(), deal(value_minor=90_000_000)],
            orders.ApproveDeal(deal="D1", account="acme", reason="ok"),
            "controller",
            "900,000.00 GBP is beyond a credit controller; it takes a director or above.",
        ),
    ],
)
def test_the_order_desks_refusals_are_told_in_the_trades_words(  # A6
    before: list[Message], wish: Message, role: str, words: str
) -> None:
    fact = refused(before, wish, role)
    assert said(fact) == words
    assert not CODE.search(words)


def test_the_credit_masters_refusals_tell_money_and_roles() -> None:  # A6
    house = Accounts()
    house.say(OpenAccount(account="acme", name="Acme", currency="GBP", limit_minor=100_000, reason="new"))
    [asked] = house.say(accounts.ChangeLimit(account="acme", limit_minor=900_000, reason="grows"), role="controller", actor="con")
    answer = accounts.ApproveRequest(account="acme", request=asked.request, reason="ok")
    [fact] = house.say(answer, role="controller", actor="cora")
    assert fact.reason == "beyond_authority"
    assert said(fact).startswith("A limit of 9,000.00 GBP is beyond a credit controller; it takes a team leader")
    assert not CODE.search(said(fact))


def books() -> Books:
    """acme owes INV-1 of 198.00 and has 50.00 of C-1 and 80.00 of RC-1."""
    found = Books()
    for message in (account_opened(), invoice("INV-1", 198_00), credit_note("C-1", 50_00), receipt("RC-1", 80_00)):
        found.do(message)
    return found


def write_off(item: str, minor: int, key: str = "k") -> payments.ProposeWriteOff:
    return payments.ProposeWriteOff(account="acme", key=key, item=item, amount_minor=minor, reason="old", evidence="letter")


def refund(item: str, minor: int) -> payments.ProposeRefund:
    return payments.ProposeRefund(account="acme", key="r", item=item, amount_minor=minor, reason="twice")


def set_off(credit: str, item: str, *minor: int) -> payments.OffsetItems:
    lines = tuple(payments.Settle(item=item, settled_minor=each, paid_minor=each) for each in minor)
    return payments.OffsetItems(account="acme", credit=credit, lines=lines, agreement="A1", reason="agreed")


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (write_off("INV-1", 5_000_00), "INV-1: 5,000.00 GBP is asked for, and 198.00 GBP of it is open."),
        (refund("INV-1", 5_00), "INV-1 is an invoice; a refund takes a credit note or a receipt."),
        (set_off("INV-1", "INV-1", 5_00), "INV-1 is an invoice; only a credit note or a receipt is set off."),
        (set_off("C-1", "RC-1", 5_00), "RC-1 is a receipt; a credit is set against an invoice or a debit note."),
        (set_off("C-1", "INV-1", 199_00), "INV-1: 199.00 GBP would be set off, and 198.00 GBP of it is open."),
        (set_off("C-1", "INV-1", 60_00), "The lines take 60.00 GBP, and 50.00 GBP of C-1 is open."),
        (pays("RC-1", ("INV-1", 199_00)), "INV-1: 199.00 GBP would be settled, and 198.00 GBP of it is open."),
        (
            invoice("INV-1", 7_00),
            "INV-1 is known as an invoice of acme over 198.00 GBP; an item is never changed: send a document of its own, or a "
            "credit note.",
        ),
    ],
)
def test_the_ledgers_refusals_are_told_in_the_trades_words(wish: Message, words: str) -> None:  # P8, P10, P11
    (fact,) = of(payments.CommandRefused, books().do(wish))
    assert said(fact) == words
    assert not CODE.search(words)


def test_a_key_with_another_wish_under_it_is_told_in_money() -> None:
    found = books()
    found.do(write_off("INV-1", 5_00))
    (fact,) = found.do(write_off("INV-1", 6_00))
    assert said(fact) == "The same wish asked for 5.00 GBP of INV-1 before; give another wish a key of its own."


def test_authority_over_payouts_is_told_in_base_currency() -> None:  # A6
    found = books()
    found.do(account_opened("north", currency="EUR"))
    found.do(invoice("INV-2", 90_000_00, "north", currency="EUR", base_minor=80_000_00))
    asked = payments.ProposeWriteOff(
        account="north", key="k", item="INV-2", amount_minor=90_000_00, reason="gone", evidence="letter"
    )
    (proposal,) = found.do(asked)
    (fact,) = found.do(payments.ApprovePayout(account="north", request=proposal.request), role="controller", actor="cora")
    assert fact.reason == "beyond_authority"
    assert re.match(r"A write-off of [0-9,.]+ GBP is beyond a credit controller; it takes an? ", said(fact, "EUR"))


def test_a_payout_that_fits_no_more_says_so_in_money_on_its_line() -> None:  # P11
    found = books()
    (asked,) = found.do(write_off("INV-1", 150_00))
    found.do(pays("RC-1", ("INV-1", 80_00)))
    facts = found.do(payments.ApprovePayout(account="acme", request=asked.request), role="director", actor="dora")
    (declined,) = of(payments.PayoutDeclined, facts)
    assert declined.reason == "approved, but: INV-1: 15000 asked for, 11800 GBP open (minor units)", "the fact stays as it is"
    words = "approved, but: INV-1: 150.00 GBP is asked for, and 118.00 GBP of it is open"
    assert refusing.why_declined(declined.reason, "GBP") == words
    assert wording.told(declined, "GBP") == f"Write off of INV-1 declined: {words}"


def test_a_persons_own_reason_is_never_reworded() -> None:
    reason = "see policy_7 (v2): 500 minor units are not worth it"
    assert refusing.why_declined(reason, "GBP") == reason


# --- every detail with an amount in it ------------------------------------------------------------------------------

MINOR = "98765"
AMOUNT = re.compile(r"_minor\b|^(paid|total|discount|offered|difference|may_take|left|base)$")
SAMPLES = (
    (r"^kind$", "write_off"), (r"^kind\.replace", "write off"), (r"\.kind$", "credit_note"), (r"currency$", "GBP"),
    (r"levels|^able$", "team_leader or operations_manager"), (r"role", "controller"), (r"version", "2010-standard"),
    (r"join\((kinds|DEBTS|CREDITS)\)", "invoice or debit_note"),
)  # fmt: skip
"""What stands in a detail, by how its place is written."""
SERVICES = Path(__file__).parents[2] / "services"
SPEAKING = (*(SERVICES / "payments").glob("*.py"), SERVICES / "payments/cards/payment.py", *(SERVICES / "orders").glob("*.py"))


def details() -> Iterator[tuple[str, str]]:
    """(where, as it would be said) of every sentence in these modules that has an amount in minor units; what is raised or
    asserted is for who mends the code."""
    for path in SPEAKING:
        nodes = [*ast.walk(ast.parse(path.read_text()))]
        inward = {each for node in nodes if isinstance(node, ast.Raise | ast.Assert) for each in ast.walk(node)}
        for node in nodes:
            if node in inward or not isinstance(node, ast.JoinedStr):
                continue
            if _is_sentence(node) and any(map(AMOUNT.search, _places(node))):
                yield f"{path.parent.name}/{path.name}:{node.lineno}", "".join(map(_sample, node.values))


def _is_sentence(node: ast.JoinedStr) -> bool:
    return sum(str(each.value).count(" ") for each in node.values if isinstance(each, ast.Constant)) > 1


def _places(node: ast.JoinedStr) -> list[str]:
    return [ast.unparse(each.value) for each in node.values if isinstance(each, ast.FormattedValue)]


def _sample(part: ast.expr) -> str:
    if not isinstance(part, ast.FormattedValue):
        return str(ast.literal_eval(part))
    place = ast.unparse(part.value)
    value = MINOR if AMOUNT.search(place) else next((value for shape, value in SAMPLES if re.search(shape, place)), "web/1")
    return repr(value) if part.conversion == ord("r") else value


def test_no_amount_of_any_refusal_reaches_people_in_minor_units() -> None:  # A6
    found = dict(details())
    assert len(found) > 15, "the modules are where they were"
    for where, detail in found.items():
        words = refusing.in_words(detail, "GBP")
        assert "987.65" in words and not CODE.search(words), f"{where}: {words}"


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("it is on stop already; a further reason is sent as accounts.put_on_stop",
         "It is on stop already; a further reason is sent as put on stop."),
        ("a top_15 account (2010-standard): say what sales thinks", "A top 15 account: say what sales thinks."),
        ("a payment file takes a operations_manager or director (2010-standard)",
         "A payment file takes an operations manager or a director."),
        ("web/so_1 needs team_leader for 6975 minor units", "Web/so_1 needs team leader for 69.75 GBP."),
    ],
)  # fmt: skip
def test_a_refusal_of_no_known_shape_loses_its_codes_and_keeps_references(detail: str, words: str) -> None:
    assert refusing.in_words(detail, "GBP") == words


def test_what_was_not_refused_is_told_as_it_was() -> None:
    assert refusing.told(Outcome("failed", "The gateway does not answer."), "GBP") == "The gateway does not answer."


def test_every_check_says_how_things_stand_while_it_fails() -> None:  # O2
    assert set(refusing.STANDS) == {name for name, _ in TESTS}
