"""Guards of the effect that happens once: sequence filter, transaction, positions, mailbox, what memory may be trusted with."""

from tests.faults.sabotage.guard import Guard, out

ONCE = "tests/kit/test_effect_once.py::"
SKIPPED = "tests/kit/test_nothing_skipped.py::"
WHOLE = "tests/kit/test_all_or_nothing.py"
MAIL = "tests/kit/test_mailbox.py::"
KEEP_ROWS = """for slot in slots:
            if slot.number in self.slots:
                slot.rows = self.slots[slot.number].rows
        self.slots |= {slot.number: slot for slot in slots}"""

GUARDS = (
    Guard(
        name="a lower sequence is dropped",
        promise="1, Readers",
        file="shared/arrivals.py",
        takes_out=out("if sequence < expected:", "if False:"),
        tests=(ONCE + "test_a_record_that_comes_again_changes_nothing",),
    ),
    Guard(
        name="a higher sequence stops its source",
        promise="4, Readers",
        file="shared/arrivals.py",
        takes_out=out("if sequence > expected:", "if False:"),
        tests=(SKIPPED + "test_a_gap_stops_its_topic_partition_and_alarms_until_the_topic_is_refilled",),
    ),
    Guard(
        name="after a gap the topic is read again from its start",
        promise="4, Positions",
        file="shared/engine.py",
        takes_out=out("position.reread = True\n", "position.reread = True\n        return\n"),
        tests=(SKIPPED + "test_a_topic_that_was_written_anew_to_the_very_same_length_is_noticed",),
    ),
    Guard(
        name="a topic shorter than the position is read from its start",
        promise="4, Positions",
        file="shared/feed.py",
        takes_out=out("self._open.seek(at, (await self._open.beginning_offsets([at]))[at])", "pass"),
        tests=(SKIPPED + "test_a_topic_that_was_written_anew_is_read_from_its_start",),
    ),
    Guard(
        name="a reader begins at a message it knows",
        promise="4, Positions",
        file="shared/engine.py",
        takes_out=out(".next_offset - 1, 0)", ".next_offset, 0)"),
        tests=(SKIPPED + "test_a_topic_that_was_written_anew_to_the_very_same_length_is_noticed",),
    ),
    Guard(
        name="what a former owner took is known after a takeover",
        promise="1, Readers",
        file="shared/takeover.py",
        takes_out=out("Position(stored.next_offset, stored.seen)", "Position(stored.next_offset, {})"),
        tests=(ONCE + "test_a_record_that_came_before_a_restart_changes_nothing",),
    ),
    Guard(
        name="a batch is one transaction",
        promise="1",
        file="shared/batch.py",
        takes_out=out("async with connection.transaction():", "if True:"),
        tests=(WHOLE,),
    ),
    Guard(
        name="rows are written inside the transaction",
        promise="1",
        file="shared/batch.py",
        takes_out=(
            (
                "async with connection.transaction():",
                "await self._before(connection)\n        async with connection.transaction():",
            ),
            (
                "            for name, changes in self.rows.items():\n"
                "                await self._write_rows(connection, self.tables[name], changes)\n",
                "",
            ),
            (
                "    async def _write_progress(",
                "    async def _before(self, connection: asyncpg.Connection) -> None:\n"
                "        for name, changes in self.rows.items():\n"
                "            await self._write_rows(connection, self.tables[name], changes)\n\n"
                "    async def _write_progress(",
            ),
        ),
        tests=(WHOLE,),
    ),
    Guard(
        name="positions are written inside the transaction",
        promise="1",
        file="shared/batch.py",
        takes_out=(
            ("            await self._write_progress(connection)\n", ""),
            (
                "self.mail)\n\n    async def _write_rows(",
                "self.mail)\n        await self._write_progress(connection)\n\n    async def _write_rows(",
            ),
        ),
        tests=(WHOLE,),
    ),
    Guard(
        name="positions go with the batch",
        promise="1",
        file="shared/batch.py",
        takes_out=out("if self.positions:", "if False:"),
        tests=(ONCE + "test_a_record_that_came_before_a_restart_changes_nothing",),
    ),
    Guard(
        name="the next batch opens its transaction after the commit before it is known",
        promise="Overlap",
        file="shared/engine.py",
        takes_out=out("batch.seal(self.slots, touched)\n        await self._settle()", "batch.seal(self.slots, touched)"),
        tests=("tests/kit/test_overlap.py::test_no_batch_opens_its_transaction_before_the_one_before_is_known",),
    ),
    Guard(
        name="a batch commits the counters of its own end, not of the next one",
        promise="Overlap",
        file="shared/batch.py",
        takes_out=out("dict(position.seen)", "position.seen"),
        tests=("tests/kit/test_overlap.py::test_a_batch_commits_its_own_end_though_the_next_one_is_decided",),
    ),
    Guard(
        name="memory is thrown away after an error",
        promise="Overlap",
        file="shared/engine.py",
        takes_out=(
            ("self.ready = False\n        self.slots = {}", "self.ready = False"),
            ("self.slots |= {slot.number: slot for slot in slots}", KEEP_ROWS),
        ),
        tests=(ONCE + "test_an_unknown_commit_is_neither_lost_nor_doubled",),
    ),
    Guard(
        name="a changed row must be in its table",
        promise="1",
        file="shared/rows.py",
        takes_out=out('if tag != f"UPDATE {len(records)}":', "if False:"),
        tests=("tests/kit/test_fold.py::test_a_row_that_vanished_from_its_table_is_noticed_by_the_next_change",),
    ),
    Guard(
        name="mail leaves the box in the batch that handled it",
        promise="1, Gateway",
        file="shared/batch.py",
        takes_out=out('await connection.execute("delete from mailbox where n = any($1::bigint[])", self.mail)', "pass"),
        tests=(MAIL + "test_mail_is_handled_in_the_order_of_posting_and_leaves_the_box",),
    ),
    Guard(
        name="mail is taken once",
        promise="1, Gateway",
        file="shared/engine.py",
        takes_out=out("for slot in self.slots.values() if not slot.mail_taken]", "for slot in self.slots.values()]"),
        tests=(MAIL + "test_mail_whose_commit_is_on_its_way_is_not_taken_again",),
    ),
    Guard(
        name="mail keeps the order of posting",
        promise="1, Gateway",
        file="shared/mailbox.py",
        takes_out=out("order by n limit $2", "order by n desc limit $2"),
        tests=(MAIL + "test_mail_is_handled_in_the_order_of_posting_and_leaves_the_box",),
    ),
    Guard(
        name="who wished it goes with every fact",
        promise="Who",
        file="shared/handle.py",
        takes_out=out("actorid=cause.actorid", 'actorid=""'),
        tests=(MAIL + "test_mail_is_handled_in_the_order_of_posting_and_leaves_the_box",),
    ),
    Guard(
        name="ids are derived from their cause",
        promise="5",
        file="shared/handle.py",
        takes_out=out(
            "derived_id(self._service.name, cause.id, str(n))", "derived_id(self._service.name, str(id(self)), cause.id, str(n))"
        ),
        tests=("tests/kit/test_same_in_same_out.py::test_the_same_input_gives_the_same_bytes",),
    ),
    Guard(
        name="every fact of one message has an id of its own",
        promise="5",
        file="shared/handle.py",
        takes_out=out("derived_id(self._service.name, cause.id, str(n))", "derived_id(self._service.name, cause.id)"),
        tests=("tests/kit/test_outbox.py::test_no_two_messages_have_one_id",),
    ),
)
