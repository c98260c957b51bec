"""Guards of the journal that is the outbox: dense, behind the commit, in order, whole after a crash."""

from tests.faults.sabotage.guard import Guard, out

OUTBOX = "tests/kit/test_outbox.py::"
LATE_BACKLOG = """republished = 0

        async def afterwards() -> None:
            await asyncio.sleep(1)
            await publish_backlog(self._leases, self.settings, self._relay, slots, self._renew_in_time)

        self._afterwards = asyncio.create_task(afterwards())
"""

GUARDS = (
    Guard(
        name="sequences are dense",
        promise="2",
        file="shared/handle.py",
        takes_out=out("sequence = sequence + 1", "sequence = sequence + 2"),
        tests=(OUTBOX + "test_sequences_are_dense_in_every_lane_and_published_in_their_order",),
    ),
    Guard(
        name="a message that is parked uses up no number",
        promise="2, 4",
        file="shared/handle.py",
        takes_out=out("sequences: dict[str, int] = {}", "sequences: dict[str, int] = slot.sequences"),
        tests=("tests/kit/test_nothing_skipped.py::test_a_message_whose_deadlines_raise_parks_whole_and_leaves_no_trace",),
    ),
    Guard(
        name="nothing leaves before its own commit",
        promise="2, Overlap",
        file="shared/engine.py",
        takes_out=(
            (
                "try:\n            await batch.commit(",
                "try:\n            await self._relay.put(batch.entries)\n            await batch.commit(",
            ),
            ("if batch.entries:\n            await self._relay.put(batch.entries)", "pass"),
        ),
        tests=(OUTBOX + "test_nothing_is_published_while_its_commit_is_open",),
    ),
    Guard(
        name="what is committed is published",
        promise="2",
        file="shared/engine.py",
        takes_out=out("if batch.entries:\n            await self._relay.put(batch.entries)", "pass"),
        tests=(OUTBOX + "test_sequences_are_dense_in_every_lane_and_published_in_their_order",),
    ),
    Guard(
        name="the relay stops at the first failed send",
        promise="2, One publisher per partition",
        file="shared/relay.py",
        takes_out=out("await asyncio.gather(*", "await asyncio.gather(return_exceptions=True, *"),
        tests=(OUTBOX + "test_after_a_failed_send_the_producer_is_dropped_and_the_journal_decides",),
    ),
    Guard(
        name="a send counts when the broker has answered",
        promise="2, One publisher per partition",
        file="shared/relay.py",
        takes_out=out(
            "await (await self._producer.send_batch(batch, topic, partition=partition))",
            "await self._producer.send_batch(batch, topic, partition=partition)",
        ),
        tests=(OUTBOX + "test_after_a_failed_send_the_producer_is_dropped_and_the_journal_decides",),
    ),
    Guard(
        name="a new owner publishes what the topic lacks",
        promise="2",
        file="shared/takeover.py",
        takes_out=out("count += await _republish(connection, relay, slot, lane, sequence, renew)", "count += 0"),
        tests=(OUTBOX + "test_what_was_committed_and_never_sent_is_published_first_by_the_next_owner",),
    ),
    Guard(
        name="the backlog leaves before anything new",
        promise="2, One publisher per partition",
        file="shared/engine.py",
        takes_out=out(
            "republished = await publish_backlog(self._reader, self.settings, self._relay, slots, self._renew_in_time)\n",
            LATE_BACKLOG,
        ),
        tests=(OUTBOX + "test_what_was_committed_and_never_sent_is_published_first_by_the_next_owner",),
    ),
    Guard(
        name="the backlog leaves in its order",
        promise="2",
        file="shared/journal.py",
        takes_out=out('f"order by sequence limit', 'f"order by sequence desc limit'),
        tests=(OUTBOX + "test_what_was_committed_and_never_sent_is_published_first_by_the_next_owner",),
    ),
    Guard(
        name="the journal stands in the database before anything of it is known",
        promise="2",
        file="shared/batch.py",
        takes_out=out("await journal.append(connection, self.entries)", "pass"),
        tests=(OUTBOX + "test_sequences_are_dense_in_every_lane_and_published_in_their_order",),
    ),
    Guard(
        name="every row is the fold of the journal",
        promise="1",
        file="shared/handle.py",
        takes_out=out(
            "state = service.evolve(state, out, at)\n", "state = service.evolve(state, out, moment.at + dt.timedelta(days=1))\n"
        ),
        tests=("tests/kit/test_fold.py::test_every_row_equals_the_fold_of_the_journal",),
    ),
)
