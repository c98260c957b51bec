"""Guards of the worker that counts streams: its library may lose and repeat, the fold may not."""

from tests.faults.sabotage.guard import Guard, out

FOLD = "tests/console/test_tallying.py::"
WORKER = "tests/console/test_worker.py::"
WINDOWS = "services/console/windows.py"

GUARDS = (
    Guard(
        name="windows: a lane takes the next number only",
        promise="Streams",
        file=WINDOWS,
        takes_out=out("if sequence == lane.seen + 1:", "if sequence > lane.seen:"),
        tests=(FOLD + "test_a_lost_message_stops_the_lane_and_is_shown",),
    ),
    Guard(
        name="windows: a fact counts in its minute once",
        promise="Streams",
        file=WINDOWS,
        takes_out=out('if row["upto"] >= sequence:', "if False:"),
        tests=(FOLD + "test_a_crash_after_any_write_of_a_morning_is_mended_by_reading_on",),
    ),
    Guard(
        name="windows: what a crash cut off behind the lane is written again",
        promise="Streams",
        file=WINDOWS,
        takes_out=out(
            "            self._ahead[partition] = {}\n            self._write_order(partition, lane)\n",
            "            self._ahead[partition] = {}\n",
        ),
        tests=(FOLD + "test_a_crash_after_any_write_of_a_morning_is_mended_by_reading_on",),
    ),
    Guard(
        name="windows: a generation that was thrown away writes nothing",
        promise="Streams",
        file="services/console/publishing.py",
        takes_out=out("    if wanted != number:", "    if False:"),
        tests=(WORKER + "test_a_worker_of_thrown_away_tables_writes_nothing",),
    ),
)
