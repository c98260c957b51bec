"""What a service says about itself in figures: stable names, true values (V5)."""

from __future__ import annotations

import datetime as dt

import pytest
from prometheus_client import CollectorRegistry

from contracts.orders import NoteOrder
from shared.batch import Batch
from shared.metrics import Durations, Metrics
from shared.relay import Relay
from shared.service import Timer
from shared.settings import Settings
from shared.slot import Slot
from shared.timers import Timers
from tests.kit.ledger_service import SERVICE
from tests.kit.stage import Stage

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)

NAMES = {
    "quittance_inputs_handled", "quittance_journal_entries", "quittance_commit_seconds", "quittance_decision_seconds",
    "quittance_batch_inputs", "quittance_restarts", "quittance_timer_steps", "quittance_gaps", "quittance_quarantined",
    "quittance_partitions_held", "quittance_clock_seconds", "quittance_duplicates_dropped", "quittance_service_info",
    "quittance_backlog_inputs", "quittance_oldest_undecided_seconds", "quittance_lag_messages", "quittance_timers_late",
    "quittance_timers_late_seconds", "quittance_unpublished_entries", "quittance_outbox_age_seconds", "quittance_parked_groups",
    "quittance_parked_messages", "quittance_quarantine_waiting",
}  # fmt: skip
"""Written out, because somebody's dashboards ask for them: a name may be added, none may go."""


def test_every_name_that_was_shipped_is_there() -> None:
    assert {family.name for family in Metrics("any").registry.collect()} == NAMES


def test_a_histogram_takes_many_equal_values_at_once() -> None:
    registry = CollectorRegistry()
    durations = Durations("took_seconds", "How long", (0.1, 1.0), registry)
    durations.observe(0.1, 3)
    durations.observe(5.0, 2)
    assert registry.get_sample_value("took_seconds_bucket", {"le": "0.1"}) == 3
    assert registry.get_sample_value("took_seconds_bucket", {"le": "1.0"}) == 3
    assert registry.get_sample_value("took_seconds_bucket", {"le": "+Inf"}) == 5
    assert registry.get_sample_value("took_seconds_count") == 5
    assert registry.get_sample_value("took_seconds_sum") == pytest.approx(10.3)


def test_each_input_waits_from_its_own_arrival_until_the_commit() -> None:
    slot, batch, metrics = Slot(SERVICE, 0, 1), Batch({}), Metrics("ledger")
    slot.note_arrived(3, 10.0)
    slot.note_arrived(0, 11.0)
    slot.note_arrived(2, 12.0)
    batch.waits = slot.take_waits(4)
    assert batch.waits == [(10.0, 3), (12.0, 1)]
    assert list(slot.came) == [(12.0, 1)]
    metrics.committed(batch, 0.01, 12.02)
    assert metrics.registry.get_sample_value("quittance_decision_seconds_bucket", {"le": "0.025"}) == 1
    assert metrics.registry.get_sample_value("quittance_decision_seconds_count") == 4


def test_what_is_read_again_is_not_counted_as_waiting() -> None:
    slot = Slot(SERVICE, 0, 1)
    slot.note_arrived(3, 10.0)
    slot.forget_arrivals()
    assert slot.take_waits(3) == []


def test_timers_that_have_not_fired_are_late_by_the_first_of_them() -> None:
    timers = Timers()
    timers.fill([Timer("lapse", "a", NOON), Timer("lapse", "b", NOON + dt.timedelta(minutes=1)), Timer("lapse", "c", None)])
    assert timers.late(NOON - dt.timedelta(seconds=1)) == (0, 0.0)
    assert timers.late(NOON + dt.timedelta(seconds=90)) == (2, 90.0)


async def test_an_outbox_with_nothing_in_it_has_no_age() -> None:
    relay = Relay(Settings(), "ledger")
    assert relay.age() == 0.0
    await relay.put([])
    assert relay.age() > 0.0


@pytest.mark.stack
async def test_a_running_service_shows_no_lag_when_it_has_decided_all(stage: Stage) -> None:
    async with stage.running() as engine:
        await stage.say("acme", *(NoteOrder(order="w/1", account="acme", note=f"{n}") for n in range(20)))
        sample = engine.metrics.registry.get_sample_value
        await stage.until("all is decided", lambda: sample("quittance_decision_seconds_count") == 20)
        engine.metrics._lag.labels(topic="orders.commands").set(99)
        await stage.until("it was observed", lambda: sample("quittance_lag_messages", {"topic": "orders.commands"}) == 0)
        assert sample("quittance_oldest_undecided_seconds") == 0
        assert (sample("quittance_parked_messages"), sample("quittance_quarantine_waiting")) == (0, 0)
