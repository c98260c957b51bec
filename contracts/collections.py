"""Messages of collections that bear on credit: dunning level and promises (O2.8, O2.14, K3, K4)."""

from __future__ import annotations

from contracts.message import Fact
from contracts.words import Amount, Count, Day, Reference


class DunningLevelSet(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    level: Count


class PromiseMade(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    promise: Reference
    amount_minor: Amount
    due_on: Day


class PromiseKept(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    promise: Reference


class PromiseBroken(Fact, frozen=True, kw_only=True, omit_defaults=True):
    account: Reference
    promise: Reference
    broken_on: Day
