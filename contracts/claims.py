"""Messages of disputes that others decide on: how much of which debt is disputed (C4, C6)."""

from __future__ import annotations

from contracts.message import Fact
from contracts.words import Amount, Day, Reference, Word


class ClaimOpened(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`due_on` is the due date of the disputed item, so that disputed debt can be told apart in ageing."""

    account: Reference
    claim: Reference
    kind: Word
    disputed_minor: Amount
    due_on: Day | None = None
    item: Reference | None = None


class ClaimSettled(Fact, frozen=True, kw_only=True, omit_defaults=True):
    """`released_minor` of the disputed amount is disputed no more, whatever the outcome."""

    account: Reference
    claim: Reference
    outcome: Word
    released_minor: Amount
    due_on: Day | None = None
