"""What a person reads of a refusal (A6): the services' own refusals, put into words without a code in them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from contracts import accounts, orders
from contracts.accounts import OpenAccount
from contracts.message import Message
from services.console import refusing
from services.console.wishes import Outcome
from shared.credit.checks import TESTS
from tests.models.ledger_of_accounts import Accounts
from tests.models.orders_desk import Desk, deal, opened, order

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


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("it is on stop already; a further reason is sent as accounts.put_on_stop",
         "It is on stop already; a further reason is sent as put on stop."),
        ("a top_15 account (2010-standard): say what sales thinks", "A top 15 account: say what sales thinks."),
        ("web/so_1 needs team_leader for 6975 minor units", "Web/so_1 needs team leader for 69.75 GBP."),
    ],
)  # fmt: skip
def test_a_refusal_of_no_known_shape_loses_its_codes_and_keeps_references(detail: str, words: str) -> None:
    assert refusing.in_words(detail, "GBP") == words


def test_what_was_not_refused_is_told_as_it_was() -> None:
    assert refusing.told(Outcome("failed", "The gateway does not answer."), "GBP") == "The gateway does not answer."


def test_every_check_says_how_things_stand_while_it_fails() -> None:  # O2
    assert set(refusing.STANDS) == {name for name, _ in TESTS}
