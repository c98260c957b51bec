"""What others answer on the demo day: the ERP that keeps the book of some debtors, and a cardholder who wants the money back.

The ERP's answer is an act like others. A chargeback comes by the acquirer only, so it is asked of the sandbox, as a bank would.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

import httpx

from contracts.message import Message
from contracts.payments import CardChargedBack, CardOutcomeNoted, Clears, Opens, PostingRequested, TakePosting
from quittance import bank, cashiers, debtors, statements
from quittance.debtors import CORRIGAN, Papers
from quittance.trade import Act

POSTED_AFTER = dt.timedelta(minutes=80)
"""How long the ERP's clerks take to post what was asked: the file goes over every hour."""
DISPUTED_AFTER = dt.timedelta(minutes=40)
ASKED_S_MAX = 5.0


def day_of_finance(seed: int) -> list[Act]:
    """All that is known of it before it begins."""
    known = debtors.papers(seed)
    told = statements.told(known, *cashiers.refund_of(known))
    return [*debtors.before(known), *told, *cashiers.worked(known)]


class Answers:
    """What follows from a fact of the ledger."""

    def __init__(self, seed: int) -> None:
        self._papers: Papers = debtors.papers(seed)

    def __call__(self, fact: Message, at: dt.datetime) -> Iterator[Act]:
        yield from cashiers.follows(fact, at, self._papers)
        if isinstance(fact, PostingRequested) and fact.account == CORRIGAN:
            yield Act(at + POSTED_AFTER, f"erp/{fact.request}", fact.account, posted(fact))


def posted(asked: PostingRequested) -> TakePosting:
    """The ERP's document for a request, as it was asked. A receipt it enters bears our id of it, so that it stands once."""
    document = f"{bank.number('14', asked.request)}/{asked.on.year}"
    opens = tuple(
        Opens(item=document, kind="receipt", amount_minor=entry.amount_minor, currency=entry.currency, document_on=asked.on,
              reference=asked.request)
        for asks in asked.entries for entry in asks.lines if entry.ledger == "receivables"
    ) if asked.kind == "receipt" else ()  # fmt: skip
    clears = tuple(
        Clears(item=line.item, settled_minor=line.settled_minor, currency=line.currency)
        for line in asked.lines if asked.kind != "receipt"
    )  # fmt: skip
    return TakePosting(
        account=asked.account,
        company_code=asked.company_code,
        document=document,
        posted_on=asked.on,
        opens=opens,
        clears=clears,
        answers=asked.request,
    )


class Cardholders:
    """Who takes a card payment back: asked of the sandbox at `acquirer`. Nothing waits for what comes of it."""

    def __init__(self, acquirer: str) -> None:
        self._acquirer = acquirer
        self._disputes: dict[str, dt.datetime] = {}

    def take(self, fact: Message, at: dt.datetime) -> None:
        match fact:
            case CardOutcomeNoted(payment=cashiers.VEXLEY_CARD, outcome="captured"):
                self._disputes[fact.key] = at + DISPUTED_AFTER
            case CardChargedBack():
                self._disputes.pop(fact.key, None)

    def due(self, before: dt.datetime) -> list[str]:
        """Payments that are disputed before this moment and were not asked back yet."""
        return [key for key, at in self._disputes.items() if at < before]

    async def dispute(self, before: dt.datetime) -> None:
        """A sandbox that does not answer is asked again in the next stretch of the day."""
        for key in self.due(before):
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient(base_url=self._acquirer, timeout=ASKED_S_MAX) as client:
                    await client.post("/v1/chargebacks", json={"key": key})
                del self._disputes[key]
