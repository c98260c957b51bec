"""Prometheus metrics every service has, under stable names; a service adds its own beside them.

A name, once shipped, stays: dashboards, alerts (`deploy/prometheus/rules.yml`) and the ops page ask for it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from shared.batch import Batch
from shared.slot import Slot

COMMIT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
DECISION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Up to the budget of 50 ms finely; above it only the order of magnitude counts."""


class Durations(Collector):
    """A histogram that takes many equal values at once: what came in one fetch and is committed in one batch."""

    def __init__(self, name: str, documentation: str, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._documentation, self._buckets = name, documentation, tuple(buckets)
        self._counts = [0] * (len(self._buckets) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float, times: int) -> None:
        self._counts[bisect_left(self._buckets, seconds)] += times
        self._sum += seconds * times

    def collect(self) -> Iterable[HistogramMetricFamily]:
        bounds = [*(str(float(bound)) for bound in self._buckets), "+Inf"]
        buckets = [(bound, float(count)) for bound, count in zip(bounds, accumulate(self._counts), strict=True)]
        yield HistogramMetricFamily(self._name, self._documentation, buckets=buckets, sum_value=self._sum)


class Metrics:
    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self._handled = Counter("quittance_inputs_handled", "Inputs decided and committed", registry=own)
        self._facts = Counter("quittance_journal_entries", "Facts and commands journaled", registry=own)
        self._commit_s = Histogram(
            "quittance_commit_seconds", "Time of one batch's transaction", buckets=COMMIT_BUCKETS_S, registry=own
        )
        self._decision_s = Durations(
            "quittance_decision_seconds", "From the arrival of an input to its decision committed", DECISION_BUCKETS_S, own
        )
        self._batch = Histogram(
            "quittance_batch_inputs", "Inputs of one batch", buckets=(1, 3, 10, 30, 100, 300, 1000, 3000), registry=own
        )
        self.restarts = Counter("quittance_restarts", "Times the engine started over after an error", registry=own)
        self.timers_fired = Counter("quittance_timer_steps", "Timer steps fired", registry=own)
        self.gaps = Counter("quittance_gaps", "Stops at a gap in a topic's sequences", ["topic"], registry=own)
        self._quarantined = Counter("quittance_quarantined", "Messages quarantined", registry=own)
        self._partitions = Gauge("quittance_partitions_held", "Partitions this instance writes", registry=own)
        self._clock = Gauge("quittance_clock_seconds", "Clock of a partition", ["partition"], registry=own)
        self._duplicates = Gauge(
            "quittance_duplicates_dropped", "Messages dropped because their sequence was taken", registry=own
        )
        Gauge("quittance_service_info", "Which service this is", ["name"], registry=own).labels(name=service).set(1)
        self._delays(own)
        self._waiting(own)

    def _delays(self, own: CollectorRegistry) -> None:
        self._backlog = Gauge("quittance_backlog_inputs", "Inputs read and not decided yet", registry=own)
        self._oldest = Gauge("quittance_oldest_undecided_seconds", "How long the oldest of them has waited", registry=own)
        self._lag = Gauge("quittance_lag_messages", "Messages of a heard topic not decided yet", ["topic"], registry=own)
        self._timers = Gauge("quittance_timers_late", "Timers that are due and have not fired", registry=own)
        self._timers_s = Gauge("quittance_timers_late_seconds", "By how much the first of them is late", registry=own)
        self._unpublished = Gauge("quittance_unpublished_entries", "Entries committed and not published yet", registry=own)
        self._outbox_s = Gauge("quittance_outbox_age_seconds", "How long the oldest of them has waited", registry=own)

    def _waiting(self, own: CollectorRegistry) -> None:
        self._parked_groups = Gauge("quittance_parked_groups", "Credit groups parked", registry=own)
        self._parked = Gauge("quittance_parked_messages", "Messages that wait in them, at most 10,000 counted", registry=own)
        self._strays = Gauge("quittance_quarantine_waiting", "Messages in quarantine that wait for a person", registry=own)

    def committed(self, batch: Batch, seconds: float, at: float) -> None:
        """`at` is the moment of the commit, by the clock of the batch's waits."""
        self._handled.inc(batch.handled)
        self._facts.inc(len(batch.entries))
        self._quarantined.inc(len(batch.quarantined))
        self._commit_s.observe(seconds)
        self._batch.observe(batch.handled)
        for came_at, times in batch.waits:
            self._decision_s.observe(at - came_at, times)

    def observe(self, slots: Sequence[Slot], duplicates: int) -> None:
        self._partitions.set(len(slots))
        self._backlog.set(sum(len(slot.backlog) for slot in slots))
        self._parked_groups.set(sum(len(slot.parked) for slot in slots))
        self._duplicates.set(duplicates)
        for slot in slots:
            self._clock.labels(partition=str(slot.number)).set(slot.clock.timestamp())

    def observe_delays(
        self, *, lag: Mapping[str, int], oldest_s: float, late: Sequence[tuple[int, float]], unpublished: int, outbox_s: float
    ) -> None:
        """`late` per partition: how many timers have not fired, and the seconds of the first."""
        for topic, messages in lag.items():
            self._lag.labels(topic=topic).set(messages)
        self._oldest.set(oldest_s)
        self._timers.set(sum(count for count, _ in late))
        self._timers_s.set(max((seconds for _, seconds in late), default=0.0))
        self._unpublished.set(unpublished)
        self._outbox_s.set(outbox_s)

    def observe_waiting(self, waiting: tuple[int, int]) -> None:
        """Messages parked, and in quarantine."""
        self._parked.set(waiting[0])
        self._strays.set(waiting[1])
