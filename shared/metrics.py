"""Prometheus metrics every service has, under stable names; a service adds its own beside them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.arrivals import Arrivals
from shared.batch import Batch
from shared.handle import Handler
from shared.relay import Relay
from shared.slot import Slot

COMMIT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self._handled = Counter("quittance_inputs_handled", "Inputs decided and committed", registry=own)
        self._facts = Counter("quittance_journal_entries", "Facts and commands journaled", registry=own)
        self._commit_s = Histogram(
            "quittance_commit_seconds", "Time of one batch's transaction", buckets=COMMIT_BUCKETS_S, registry=own
        )
        self._batch = Histogram(
            "quittance_batch_inputs", "Inputs of one batch", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000), registry=own
        )
        self.restarts = Counter("quittance_restarts", "Times the engine started over after an error", registry=own)
        self.timers_fired = Counter("quittance_timer_steps", "Timer steps fired", registry=own)
        self.gaps = Counter("quittance_gaps", "Stops at a gap in a topic's sequences", ["topic"], registry=own)
        self._quarantined = Counter("quittance_quarantined", "Messages quarantined", registry=own)
        self._parked_groups = Gauge("quittance_parked_groups", "Credit groups parked", registry=own)
        self._partitions = Gauge("quittance_partitions_held", "Partitions this instance writes", registry=own)
        self._backlog = Gauge("quittance_backlog_inputs", "Inputs read and not decided yet", registry=own)
        self._unpublished = Gauge("quittance_unpublished_entries", "Entries committed and not published yet", registry=own)
        self._duplicates = Gauge(
            "quittance_duplicates_dropped", "Messages dropped because their sequence was taken", registry=own
        )
        self._clock = Gauge("quittance_clock_seconds", "Clock of a partition", ["partition"], registry=own)
        Gauge("quittance_service_info", "Which service this is", ["name"], registry=own).labels(name=service).set(1)

    def committed(self, batch: Batch, seconds: float) -> None:
        self._handled.inc(batch.handled)
        self._facts.inc(len(batch.entries))
        self._quarantined.inc(len(batch.quarantined))
        self._commit_s.observe(seconds)
        self._batch.observe(batch.handled)

    def observe(self, slots: Iterable[Slot], relay: Relay, handler: Handler, arrivals: Arrivals) -> None:
        held = list(slots)
        self._partitions.set(len(held))
        self._backlog.set(sum(len(slot.backlog) for slot in held))
        self._parked_groups.set(sum(len(slot.parked) for slot in held))
        self._unpublished.set(relay.waiting)
        self._duplicates.set(arrivals.duplicates)
        for slot in held:
            self._clock.labels(partition=str(slot.number)).set(slot.clock.timestamp())
