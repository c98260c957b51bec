"""Guards of what brings things back: restored databases, rolled journals, rewritten topics, older releases."""

from tests.faults.sabotage.guard import Guard, out

RESTORED = "tests/kit/test_restored.py::"
ROLLS = "tests/kit/test_journal_rolls.py::"
SAME = "tests/kit/test_same_history.py::"

GUARDS = (
    Guard(
        name="a lower sequence is dropped only after its id was compared",
        promise="Readers",
        file="shared/arrivals.py",
        takes_out=out("raise Conflict(topic,", "return False; raise Conflict(topic,"),
        tests=(SAME + "test_another_message_under_a_sequence_that_was_taken_stops_its_topic_and_is_never_dropped",),
    ),
    Guard(
        name="a topic that was written anew is read from its start",
        promise="Positions",
        file="shared/arrivals.py",
        takes_out=out("raise Anew(topic,", "return; raise Anew(topic,"),
        tests=(SAME + "test_what_lies_before_our_position_in_a_topic_that_was_written_anew_is_not_missed",),
    ),
    Guard(
        name="a cause whose facts were taken in is passed over",
        promise="One publisher per partition",
        file="shared/handle.py",
        takes_out=out("if envelope.id in slot.handled:", "if False:"),
        tests=(RESTORED + "test_what_was_said_after_the_backup_is_taken_in_and_nothing_is_decided_twice",),
    ),
    Guard(
        name="a journal that is behind its topic takes in what it lacks",
        promise="One publisher per partition",
        file="shared/takeover.py",
        takes_out=out("if sequence > slot.sequences.get(lane, 0)", "if False and sequence"),
        tests=(RESTORED + "test_what_was_said_after_the_backup_is_taken_in_and_nothing_is_decided_twice",),
    ),
    Guard(
        name="the journal has room before a batch is written",
        promise="Forever is narrow",
        file="shared/engine.py",
        takes_out=out("await self._roll(touched)", "pass"),
        tests=(ROLLS + "test_ranges_are_made_before_a_lane_needs_them_and_never_by_default",),
    ),
    Guard(
        name="nothing is archived that is not published",
        promise="Forever is narrow",
        file="shared/archive.py",
        takes_out=out("    await _require_published(connection, service, settings, taken, before)\n", ""),
        tests=(ROLLS + "test_nothing_is_taken_out_that_is_not_published",),
    ),
    Guard(
        name="a service whose rows were dropped decides nothing",
        promise="state is the fold",
        file="shared/takeover.py",
        takes_out=out("    await rebuild.require_rows(connection, service)\n", ""),
        tests=("tests/kit/test_rebuilt.py::test_a_table_that_was_dropped_is_not_decided_on_until_it_is_rebuilt",),
    ),
    Guard(
        name="an older release takes over from a newer one",
        promise="Versions",
        file="shared/journal.py",
        takes_out=out("address(body).id\n", "__import__('contracts.envelope').envelope.read(body).id\n"),
        tests=("tests/kit/test_older_release.py",),
    ),
    Guard(
        name="a lease that ran out is its holder's until somebody takes it",
        promise="3",
        file="shared/lease.py",
        takes_out=out("where holder = $1 order by partition", "where holder = $1 and until > now() order by partition"),
        tests=("tests/kit/test_lease_runs_out.py",),
    ),
    Guard(
        name="no record is stamped ahead of the broker's clock",
        promise="Clock",
        file="shared/relay.py",
        takes_out=out("int(min(at.timestamp(), time.time()) * 1000)", "int(at.timestamp() * 1000)"),
        tests=("tests/kit/test_event_time.py",),
    ),
    Guard(
        name="two timers of one name and moment have other ids",
        promise="5, 6",
        file="shared/engine.py",
        takes_out=out('at_ordinal = f"{slot.number}/{slot.ordinal}"', "at_ordinal = str(slot.number)"),
        tests=("tests/kit/test_timers.py::test_a_timer_that_is_set_again_to_the_moment_it_fired_at_says_other_messages",),
    ),
)
