"""The console's own metrics, beside the kit's: do the windows agree with SQL, how did the clocks of waiting orders end, what cash
waits for a person, whose own lists differ from ours, and do the ledger's items and lines agree."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from services.console.tallying import BREACHED, ESCALATED, MET, MET_LATE, MISSED

SHOWN = (MET, MET_LATE, MISSED, ESCALATED, BREACHED)


class Gauges:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._drift = Gauge("quittance_window_drift", "Sum of differences between windows and SQL", registry=registry)
        self._age = Gauge("quittance_window_age_seconds", "Since the worker that counts streams published", registry=registry)
        self._behind = Gauge("quittance_window_behind_facts", "Facts that it has not folded yet", registry=registry)
        self._gaps = Gauge("quittance_window_gaps", "Its lanes that miss a number", registry=registry)
        self._clocks = Gauge(
            "quittance_clocks_last_hour", "Clocks of waiting orders in the last hour, by what became of them", ["became"],
            registry=registry,
        )  # fmt: skip
        self._cash = Gauge(
            "quittance_cash_waiting", "Receipts and bank entries that wait for a person", ["kind"], registry=registry
        )
        self._cash_age = Gauge("quittance_cash_oldest_days", "Age of the oldest of them", ["kind"], registry=registry)
        self._differing = Gauge(
            "quittance_reconciliations_differing", "Accounts whose own last list differs from ours", registry=registry
        )
        self._differing_age = Gauge(
            "quittance_reconciliations_oldest_days", "Since when the oldest of them does", registry=registry
        )
        self._ledger = Gauge(
            "quittance_receivables_difference_minor",
            "Items and the sum of their lines, in base: always nothing",
            registry=registry,
        )

    def cash(self, kind: str, waiting: int, oldest_days: int) -> None:
        self._cash.labels(kind=kind).set(waiting)
        self._cash_age.labels(kind=kind).set(oldest_days)

    def differing(self, accounts: int, oldest_days: int) -> None:
        self._differing.set(accounts)
        self._differing_age.set(oldest_days)

    def ledger(self, difference_minor: int) -> None:
        self._ledger.set(difference_minor)

    def compared(self, difference: int, age_s: float, behind: int, gaps: int) -> None:
        self._drift.set(difference)
        self._age.set(age_s)
        self._behind.set(behind)
        self._gaps.set(gaps)

    def clocks(self, counts: Mapping[str, int]) -> None:
        for word in SHOWN:
            self._clocks.labels(became=word).set(counts.get(word, 0))
