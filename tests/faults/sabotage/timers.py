"""Guards of deadlines that are state, and of a clock that never goes back."""

from tests.faults.sabotage.guard import Guard, out

TIMERS = "tests/kit/test_timers.py::"
WINDOW = "tests/kit/test_timer_window.py::"

GUARDS = (
    Guard(
        name="a moved timer fires at its new moment alone",
        promise="6",
        file="shared/timers.py",
        takes_out=out("if timer is not None and timer.due == due:", "if timer is not None:"),
        tests=(
            WINDOW + "test_a_moved_timer_fires_at_its_new_moment_alone",
            TIMERS + "test_a_timer_moves_with_its_state_and_goes_with_it",
        ),
    ),
    Guard(
        name="a cleared timer does not fire",
        promise="6",
        file="shared/timers.py",
        takes_out=out("        self._timers.pop(name, None)\n        self._beyond", "        self._beyond"),
        tests=(TIMERS + "test_a_timer_moves_with_its_state_and_goes_with_it",),
    ),
    Guard(
        name="a timer that is done leaves its table",
        promise="6",
        file="shared/timers.py",
        takes_out=out("    if cleared:", "    if False:"),
        tests=(TIMERS + "test_due_timers_fire_in_order_before_the_next_message_and_at_their_own_time",),
    ),
    Guard(
        name="a deadline is a row of its batch",
        promise="6",
        file="shared/batch.py",
        takes_out=out("if self.timers:", "if False:"),
        tests=(TIMERS + "test_a_timer_outlives_its_owner_and_fires_once",),
    ),
    Guard(
        name="a new owner knows the deadlines",
        promise="6",
        file="shared/takeover.py",
        takes_out=out("slot.timers.fill(await timers.load(connection, partition))", "pass"),
        tests=(TIMERS + "test_a_timer_outlives_its_owner_and_fires_once",),
    ),
    Guard(
        name="due timers fire before later messages",
        promise="6, Clock",
        file="shared/engine.py",
        takes_out=out("if (slot.timers.due(at) or slot.timers.exhausted) and not slot.fired:", "if False:"),
        tests=(TIMERS + "test_due_timers_fire_in_order_before_the_next_message_and_at_their_own_time",),
    ),
    Guard(
        name="timers that are one command fire before later messages",
        promise="6, Clock",
        file="shared/engine.py",
        takes_out=out("if not slot.careful and self._becomes(slot, at):", "if False:"),
        tests=(TIMERS + "test_timers_that_are_one_command_are_decided_among_the_messages",),
        hangs=True,
    ),
    Guard(
        name="a timer that was decided among messages is gone",
        promise="6",
        file="shared/engine.py",
        takes_out=out("            batch.timers[slot.number, timer.kind, timer.key] = done\n", ""),
        tests=(TIMERS + "test_a_timer_whose_command_changes_nothing_is_gone_as_well",),
    ),
    Guard(
        name="timers fire by due, kind and key",
        promise="6, Clock",
        file="shared/timers.py",
        takes_out=out("heapq.heappush(self._heap, place)", "self._heap.append(place)"),
        tests=(WINDOW + "test_timers_come_by_due_then_kind_then_key",),
    ),
    Guard(
        name="timers beyond memory come in their order",
        promise="6",
        file="shared/timers.py",
        takes_out=out("order by due, kind, key limit $2", "order by key limit $2"),
        tests=(TIMERS + "test_more_timers_than_memory_holds_fire_in_order_all_the_same",),
    ),
    Guard(
        name="an empty window is filled from the table",
        promise="6",
        file="shared/engine.py",
        takes_out=out("slot.timers.fill(await timers.load(self._reader, slot.number))", "slot.timers.fill([])"),
        tests=(TIMERS + "test_cancelling_all_timers_in_memory_brings_up_those_behind_them",),
    ),
    Guard(
        name="a timer fires at its own time",
        promise="6, Clock",
        file="shared/engine.py",
        takes_out=out("at = max(slot.clock, timer.due)", "at = max(slot.clock, timer.due) + dt.timedelta(seconds=1)"),
        tests=(TIMERS + "test_due_timers_fire_in_order_before_the_next_message_and_at_their_own_time",),
    ),
    Guard(
        name="the clock of a partition never goes back",
        promise="Clock",
        file="shared/engine.py",
        takes_out=out("return max(slot.clock, now)", "return now"),
        tests=(TIMERS + "test_a_late_message_gets_the_clock_of_its_partition_over_a_restart_too",),
    ),
    Guard(
        name="the clock of a partition is stored",
        promise="Clock",
        file="shared/takeover.py",
        takes_out=out('slot.clock = progress["clock"]', "pass"),
        tests=(TIMERS + "test_a_late_message_gets_the_clock_of_its_partition_over_a_restart_too",),
    ),
    Guard(
        name="a storm goes on at its cursor",
        promise="Storms",
        file="shared/engine.py",
        takes_out=out('timer.home, step.cursor or "")', 'timer.home, "")'),
        tests=(TIMERS + "test_a_timer_with_many_steps_goes_on_at_its_cursor_after_a_crash",),
        hangs=True,
    ),
    Guard(
        name="a step that shares a batch sees what its group has done",
        promise="6, Storms",
        file="shared/engine.py",
        takes_out=out(" and timer.home not in homes", ""),
        tests=(TIMERS + "test_a_step_sees_what_the_one_before_it_did_to_the_same_group",),
    ),
    Guard(
        name="a storm is taken in steps",
        promise="Storms",
        file="shared/engine.py",
        takes_out=out("return STEP_MAX if self._is_whole()", "return 10**6 if self._is_whole()"),
        tests=(TIMERS + "test_a_timer_with_many_steps_goes_on_at_its_cursor_after_a_crash",),
    ),
    Guard(
        name="on wall time the clock is the wall's, not the sender's",
        promise="Clock",
        file="shared/engine.py",
        takes_out=out('if self.settings.clock == "wall" else stamped', "if False else stamped"),
        tests=(TIMERS + "test_on_wall_time_a_timer_fires_without_any_message",),
    ),
)
