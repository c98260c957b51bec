"""The accounts that give finance its work on the demo day: who they are, and what they owe as it begins. Seeded, pure.

They order nothing, so nothing of what is done with their money moves an order of the day.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping

import msgspec

from contracts.payments import AdviceLine, Opens, PostItem, TakeAdvice, TakePosting
from quittance import bank
from quittance.day import CURRENCY, DATE, OPENED_BEFORE, POSTED_AT, Account
from quittance.trade import Act

KESTREL, LIGHTS, STREET, MARLOW, BRIGHTWATER = "T2001", "T2002", "T2003", "T2004", "T2005"
ORCHARD, PENROSE, DUNMORE, TALLIS, QUAYSIDE = "T2006", "T2007", "T2008", "T2009", "T2010"
LARCH, VEXLEY, ASHDOWN, CORRIGAN = "T2011", "T2012", "T2013", "T2014"
ELSEWHERE = "erp_example"
"""Of the ledger's policy: the legal entity whose book an ERP keeps, so that what is settled there is asked of it (P1)."""
COMPANY_CODE = "1000"
ADVICE = "PA-7731"
DAY = dt.timedelta(days=1)
FORWARD = dt.datetime.combine(DATE - OPENED_BEFORE, POSTED_AT, tzinfo=dt.UTC)
"""When what they owe is brought forward with them: an hour at which other old invoices are posted too, so that the start waits
for nothing more."""
WEDNESDAY = FORWARD + 2 * DAY
"""Another such hour, before the day."""
NET_DAYS = 30


def _account(account: str, name: str, portfolio: str, limit: int, legal_entity: str = "") -> Account:
    tier = "key" if portfolio == "key" else "standard"
    return Account(account=account, name=name, limit=limit, portfolio=portfolio, tier=tier, legal_entity=legal_entity)


DEBTORS = {
    each.account: each
    for each in (
        _account(KESTREL, "Kestrel Office Supplies Ltd", "north", 8_000),
        _account(LIGHTS, "Harbour Lights Trading Ltd", "south", 8_000),
        _account(STREET, "Harbour Street Trading Ltd", "north", 8_000),
        _account(MARLOW, "Marlow and Finch Ltd", "key", 20_000),
        _account(BRIGHTWATER, "Brightwater Housing Ltd", "south", 12_000),
        _account(ORCHARD, "Orchard Care Homes Ltd", "north", 12_000),
        _account(PENROSE, "Penrose Taxis Ltd", "south", 8_000),
        _account(DUNMORE, "Dunmore Electrical Ltd", "north", 12_000),
        _account(TALLIS, "Tallis Freight Ltd", "key", 20_000),
        _account(QUAYSIDE, "Quayside Marine Ltd", "south", 8_000),
        _account(LARCH, "Larch Lane Schools Ltd", "north", 12_000),
        _account(VEXLEY, "Vexley Bikes Ltd", "south", 8_000),
        _account(ASHDOWN, "Ashdown Rail Services Ltd", "key", 35_000, ELSEWHERE),
        _account(CORRIGAN, "Corrigan Quarries Ltd", "key", 35_000, ELSEWHERE),
    )
}


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice or credit note of before the day; `due` counts days from it, negative where it is late."""

    account: str
    name: str
    amount_minor: int
    due: int
    kind: str = "invoice"

    @property
    def number(self) -> str:
        return bank.number("CN-" if self.kind == "credit_note" else "INV-", f"{self.account}/{self.name}")

    @property
    def due_on(self) -> dt.date:
        return DATE + self.due * DAY

    @property
    def document_on(self) -> dt.date:
        return min(self.due_on - NET_DAYS * DAY, FORWARD.date())


Papers = Mapping[tuple[str, str], Paper]
"""(account, name in this story) → the paper."""
_OWED: tuple[tuple[str, str, tuple[int, int], int], ...] = (
    (KESTREL, "cases", (600, 900), -2), (KESTREL, "chargers", (300, 500), 12),
    (LIGHTS, "phones", (700, 990), -1), (STREET, "phones", (500, 680), -3), (STREET, "tablets", (900, 1_400), -3),
    (MARLOW, "watches", (2_100, 2_900), -1), (MARLOW, "phones", (3_000, 4_200), 14),
    (BRIGHTWATER, "phones", (310, 480), -5), (BRIGHTWATER, "tablets", (800, 1_200), -4),
    (ORCHARD, "phones", (900, 1_300), 4), (ORCHARD, "tablets", (700, 1_100), 11), (ORCHARD, "cables", (250, 400), -1),
    (DUNMORE, "phones", (1_800, 2_600), -2), (DUNMORE, "cases", (400, 600), 9),
    (TALLIS, "scanners", (450, 490), -95), (TALLIS, "phones", (3_200, 3_900), -62), (TALLIS, "cables", (800, 1_200), -2),
    (QUAYSIDE, "phones", (500, 700), 8), (LARCH, "tablets", (640, 880), -1),
    (VEXLEY, "watches", (210, 340), -6), (VEXLEY, "phones", (500, 700), 3),
    (ASHDOWN, "phones", (4_000, 6_000), -3), (ASHDOWN, "tablets", (2_000, 3_000), 10),
    (CORRIGAN, "phones", (5_000, 7_000), -2), (CORRIGAN, "cases", (900, 1_300), 18),
)  # fmt: skip
"""Account, what was sold, in which range of whole pounds, due in so many days."""
_CREDITS: tuple[tuple[str, str, tuple[int, int]], ...] = (
    (ORCHARD, "returned", (180, 260)), (ORCHARD, "bonus", (90, 140)), (LARCH, "returned", (100, 160)),
)  # fmt: skip
PENROSE_PARTS = (4, 3, 2, 1, 1)
"""Invoices of so many times one amount: six times that is paid by several sets of them, and by none for certain (F5)."""


def papers(seed: int) -> Papers:
    dice = random.Random(f"debtors/{seed}")  # noqa: S311 - a game, not a secret
    found = [Paper(account=a, name=n, amount_minor=_pounds(span, dice), due=due) for a, n, span, due in _OWED]
    found += [Paper(account=a, name=n, amount_minor=_pounds(span, dice), due=-10, kind="credit_note") for a, n, span in _CREDITS]
    unit = dice.randint(90, 140) * 100
    found += [
        Paper(account=PENROSE, name=f"trip {n}", amount_minor=times * unit, due=n - 4) for n, times in enumerate(PENROSE_PARTS)
    ]
    return {(each.account, each.name): each for each in found}


def _pounds(span: tuple[int, int], dice: random.Random) -> int:
    """Pence that no acquirer's sandbox reads a wish in (`deploy.sandbox.acquirer`)."""
    return dice.randint(*span) * 100 + dice.choice((20, 50, 80))


def before(known: Papers) -> Iterator[Act]:
    """What is on their accounts when the day begins: bills, credit notes, an ERP's documents, and an advice."""
    for paper in known.values():
        posted = _posting(paper) if DEBTORS[paper.account].legal_entity else _item(paper)
        yield Act(FORWARD, f"item/{paper.number}", paper.account, posted)
    yield Act(WEDNESDAY, f"advice/{ADVICE}", STREET, _advice(known))


def _item(paper: Paper) -> PostItem:
    return PostItem(
        account=paper.account,
        item=paper.number,
        kind=paper.kind,
        amount_minor=paper.amount_minor,
        currency=CURRENCY,
        document_on=paper.document_on,
        due_on=paper.due_on,
        text=paper.name,
    )


def _posting(paper: Paper) -> TakePosting:
    """As the ERP enters it, in whose ledger these accounts stand."""
    opened = Opens(
        item=paper.number,
        kind=paper.kind,
        amount_minor=paper.amount_minor,
        currency=CURRENCY,
        document_on=paper.document_on,
        due_on=paper.due_on,
    )
    document = f"{bank.number('90', paper.number)}/{DATE.year}"
    return TakePosting(
        account=paper.account, company_code=COMPANY_CODE, document=document, posted_on=paper.document_on, opens=(opened,)
    )


def _advice(known: Papers) -> TakeAdvice:
    """Harbour Street says what its next payment is for, carriage taken off."""
    first, second = known[STREET, "phones"], known[STREET, "tablets"]
    return TakeAdvice(
        account=STREET,
        advice=ADVICE,
        amount_minor=first.amount_minor + second.amount_minor - CARRIAGE_MINOR,
        currency=CURRENCY,
        lines=(
            AdviceLine(first.number, first.amount_minor),
            AdviceLine(second.number, second.amount_minor - CARRIAGE_MINOR, taken_minor=CARRIAGE_MINOR, reason="carriage"),
        ),
        payment_reference=ADVICE,
        payer=DEBTORS[STREET].name,
    )


CARRIAGE_MINOR = 24_00
