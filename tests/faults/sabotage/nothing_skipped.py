"""Guards against skipping: quarantine, parking in order, poison found by bisection, time-outs that end a hang, refusals."""

from tests.faults.sabotage.guard import Guard, out

SKIPPED = "tests/kit/test_nothing_skipped.py::"
QUARANTINED = SKIPPED + "test_an_unreadable_message_is_quarantined_in_its_place_and_the_next_one_is_taken"
QUEUES = SKIPPED + "test_a_group_whose_message_raises_queues_in_order_while_others_go_on"
POISON = "tests/kit/test_poison.py::"
PLACING = "tests/kit/test_placing.py::"
REFUSALS = "tests/kit/test_refusals.py::"
APPLIED = "tests/kit/test_schema_applied.py::"
BOUNDS = "tests/kit/test_connection_bounds.py::"

GUARDS = (
    # quarantine
    Guard(
        name="unreadable bytes are kept",
        promise="4",
        file="shared/arrivals.py",
        takes_out=out("item.stray, item.unknown = reason.replace", "item.stray, item.unknown = reason[:0].replace"),
        tests=(QUARANTINED,),
    ),
    Guard(
        name="headers place what cannot be read",
        promise="4",
        file="shared/arrivals.py",
        takes_out=out("return source, int(digits) if digits.isdigit() else 0", "return source, 0"),
        tests=(QUARANTINED,),
    ),
    Guard(
        name="an address places what headers do not",
        promise="4",
        file="shared/arrivals.py",
        takes_out=out("int(where.sequence)", "0"),
        tests=(SKIPPED + "test_an_envelope_without_headers_places_itself",),
    ),
    Guard(
        name="a message on the wrong partition is not decided",
        promise="3, Gateway",
        file="shared/arrivals.py",
        takes_out=out("if belongs != slot.number:", "if False:"),
        tests=(SKIPPED + "test_a_message_on_the_wrong_partition_is_quarantined",),
    ),
    Guard(
        name="a message on the wrong topic is kept",
        promise="4",
        file="shared/arrivals.py",
        takes_out=out("if topic_of(message) != topic:", "if False:"),
        tests=(QUARANTINED + "[wrong-topic]",),
    ),
    Guard(
        name="a text with NUL is not taken",
        promise="Poison",
        file="shared/arrivals.py",
        takes_out=out("if NUL in body or not envelope", "if not envelope"),
        tests=(QUARANTINED + "[nul]",),
    ),
    Guard(
        name="a text with NUL is not said",
        promise="Poison",
        file="contracts/envelope.py",
        takes_out=out('raise Unreadable(f"{envelope.id} holds the NUL character in a text; remove it")', "pass"),
        tests=(PLACING + "test_a_text_with_nul_is_neither_written_nor_read",),
    ),
    Guard(
        name="what no reader could read is not said",
        promise="Poison",
        file="shared/handle.py",
        takes_out=out("        reader_of(type(out))(body)\n", ""),
        tests=(SKIPPED + "test_what_no_reader_could_read_is_not_said_and_its_cause_parks",),
    ),
    Guard(
        name="the encoded size is bounded before the commit",
        promise="Poison",
        file="contracts/envelope.py",
        takes_out=out("if len(body) > BYTES_MAX:", "if False:"),
        tests=(PLACING + "test_a_message_too_large_for_the_topic_is_refused_before_it_is_written",),
    ),
    Guard(
        name="headers that the database cannot store stop nothing",
        promise="Poison",
        file="shared/arrivals.py",
        takes_out=out('.decode(errors="replace").replace("\\0", "\\\\0")', '.decode(errors="replace")'),
        tests=(SKIPPED + "test_headers_that_the_database_could_not_store_stop_nothing",),
    ),
    Guard(
        name="mail that cannot be read is kept",
        promise="4",
        file="shared/engine.py",
        takes_out=out("item.stray = str(error)", "pass"),
        tests=("tests/kit/test_mailbox.py::test_mail_that_cannot_be_read_is_quarantined_and_the_rest_is_handled",),
    ),
    # parking
    Guard(
        name="a message whose handler raises is parked",
        promise="4, Parking",
        file="shared/handle.py",
        takes_out=out(
            'self._park(slot, item, batch, f"{type(error)', 'self._took(slot, item, batch) if error else (f"{type(error)'
        ),
        tests=(QUEUES,),
    ),
    Guard(
        name="later messages of a parked group queue behind it",
        promise="4, Parking",
        file="shared/handle.py",
        takes_out=out("if home in slot.parked and not item.parked_n:", "if False:"),
        tests=(QUEUES,),
    ),
    Guard(
        name="timers of a parked group queue behind it",
        promise="4, Parking",
        file="shared/handle.py",
        takes_out=out(
            "if home in slot.parked and not item.parked_n:", "if home in slot.parked and item.topic and not item.parked_n:"
        ),
        tests=(QUEUES,),
    ),
    Guard(
        name="a parked group comes back in its order",
        promise="4, Parking",
        file="shared/parking.py",
        takes_out=out("order by n limit $2", "order by n desc limit $2"),
        tests=(QUEUES,),
    ),
    Guard(
        name="a parked group is known after a takeover",
        promise="4, Parking",
        file="shared/takeover.py",
        takes_out=out('slot.parked = {row["home"] for row in', 'slot.parked = {row["home"] for row in () and'),
        tests=(SKIPPED + "test_a_parked_group_stays_parked_over_a_restart",),
    ),
    Guard(
        name="a message that parks leaves no row behind",
        promise="4",
        file="shared/handle.py",
        takes_out=(
            ("        deadlines = tuple(service.deadlines(first, state, moment)) if state is not first else ()\n", ""),
            (
                "        for timer in deadlines:",
                "        deadlines = tuple(service.deadlines(first, state, moment)) if state is not first else ()\n"
                "        for timer in deadlines:",
            ),
        ),
        tests=(SKIPPED + "test_a_message_whose_deadlines_raise_parks_whole_and_leaves_no_trace",),
    ),
    Guard(
        name="a replay that fails again leaves the queue as it was",
        promise="Parking",
        file="shared/handle.py",
        takes_out=out("raise StillFailing(item.parked_n, reason)", "pass"),
        tests=(SKIPPED + "test_a_replay_that_fails_again_leaves_the_queue_as_it_was",),
    ),
    Guard(
        name="the flag clears with the last message, not with the first",
        promise="Parking",
        file="shared/batch.py",
        takes_out=out('"and not exists (select from parked where parked.home = parked_home.home)",', '"",'),
        tests=(SKIPPED + "test_a_replay_that_fails_half_way_keeps_the_rest_parked",),
    ),
    Guard(
        name="the flag clears in the transaction of the last message",
        promise="Parking",
        file="shared/engine.py",
        takes_out=out("batch.cleared_homes = [home]", "batch.cleared_homes = []"),
        tests=(SKIPPED + "test_the_flag_clears_in_the_transaction_of_the_last_message",),
    ),
    Guard(
        name="a replayed message leaves the queue in its batch",
        promise="Parking",
        file="shared/batch.py",
        takes_out=out('await connection.execute("delete from parked where n = any($1::bigint[])", self.unparked)', "pass"),
        tests=(QUEUES,),
        hangs=True,
    ),
    Guard(
        name="a fact of another service is not mended by hand",
        promise="Parking",
        file="shared/parking.py",
        takes_out=out('if not row["topic"].endswith(".commands"):', "if False:"),
        tests=(SKIPPED + "test_a_parked_fact_is_not_mended_by_hand_nor_moved_to_another_group",),
    ),
    Guard(
        name="a mended message stays with its group",
        promise="Parking",
        file="shared/parking.py",
        takes_out=out('if read(body).partitionkey != row["home"]:', "if False:"),
        tests=(SKIPPED + "test_a_parked_fact_is_not_mended_by_hand_nor_moved_to_another_group",),
    ),
    Guard(
        name="a message of an unknown major parks its group",
        promise="Versions",
        file="shared/arrivals.py",
        takes_out=out("unknown = where if self._unknown_major(where.type) else None", "unknown = None"),
        tests=(SKIPPED + "test_a_message_of_an_unknown_major_waits_with_its_group_for_a_newer_release",),
    ),
    # poison
    Guard(
        name="while a bad command is looked for, timers of two partitions share no batch",
        promise="4, Poison",
        file="shared/engine.py",
        takes_out=out("in [due] if self._is_whole() else [[each] for each in due]:", "in [due]:"),
        tests=(POISON + "test_what_timers_became_in_one_batch_is_parted_until_the_one_command_that_is_refused",),
    ),
    Guard(
        name="a permanent database error halves the batch",
        promise="Poison",
        file="shared/engine.py",
        takes_out=out("self._batch_max = max(batch.handled // 2, 1)", "pass"),
        tests=(POISON + "test_the_one_message_that_the_database_refuses_is_parked_and_all_others_are_handled",),
    ),
    Guard(
        name="the one message that the database refuses is parked",
        promise="Poison",
        file="shared/handle.py",
        takes_out=out("if slot.condemned is not None and item.name == slot.condemned:", "if False:"),
        tests=(POISON + "test_the_one_message_that_the_database_refuses_is_parked_and_all_others_are_handled",),
    ),
    Guard(
        name="a passing error condemns nothing",
        promise="Poison",
        file="shared/engine.py",
        takes_out=out("if _passing(error):\n            return", "if False:\n            return"),
        tests=("tests/kit/test_effect_once.py::test_an_unknown_commit_is_neither_lost_nor_doubled[before]",),
    ),
    # connections
    Guard(
        name="an idle transaction dies well before a takeover",
        promise="Fence",
        file="shared/database.py",
        takes_out=out('"idle_in_transaction_session_timeout": str(idle_ms),', ""),
        tests=(BOUNDS + "test_an_idle_transaction_dies_before_its_lease",),
    ),
    Guard(
        name="a silent peer is noticed by the server",
        promise="Fence",
        file="shared/database.py",
        takes_out=out('"tcp_keepalives_idle": "5",', ""),
        tests=(BOUNDS + "test_every_bound_is_set_on_the_server",),
    ),
    Guard(
        name="a statement is bounded on the server",
        promise="4",
        file="shared/database.py",
        takes_out=out('"statement_timeout": STATEMENT_TIMEOUT,', ""),
        tests=(BOUNDS + "test_every_bound_is_set_on_the_server",),
    ),
    Guard(
        name="a wait for a lock is bounded on the server",
        promise="4",
        file="shared/database.py",
        takes_out=out('"lock_timeout": LOCK_TIMEOUT,', ""),
        tests=(BOUNDS + "test_every_bound_is_set_on_the_server",),
    ),
    Guard(
        name="a schema that stands is left alone while others work",
        promise="4",
        file="shared/database.py",
        takes_out=out("if not await _stands(connection, scripts):", "if True:"),
        tests=(APPLIED + "test_a_schema_that_stands_is_left_alone_while_a_batch_is_under_way",),
    ),
    Guard(
        name="a schema is applied again when what it made is not as it was left",
        promise="4",
        file="shared/database.py",
        takes_out=out("== (_digest(scripts), await connection.fetchval(SHAPE))", "and applied[0] == _digest(scripts)"),
        tests=(APPLIED + "test_what_is_missing_comes_back_at_the_next_start",),
    ),
    Guard(
        name="a start that meets a batch in a deadlock tries again",
        promise="4",
        file="shared/database.py",
        takes_out=out("if attempt == SCHEMA_TRIES:", "if True:"),
        tests=(APPLIED + "test_a_changed_schema_that_meets_a_batch_in_a_deadlock_is_applied_after_it",),
    ),
    # refusals
    Guard(
        name="settings that contradict the installation are refused",
        promise="Clock",
        file="shared/database.py",
        takes_out=out("if fixed.get(key, value) != value:", "if False:"),
        tests=(REFUSALS + "test_another_clock_is_refused",),
    ),
    Guard(
        name="a login that the server refuses stops the start",
        promise="Who",
        file="shared/engine.py",
        takes_out=out("(isinstance(error, LoginRefused) and not self._has_served)", "False"),
        tests=(REFUSALS + "test_a_login_that_the_server_refuses_stops_the_start_and_says_where_and_how_to_mend_it",),
    ),
    Guard(
        name="a login that is refused later is waited for",
        promise="4",
        file="shared/engine.py",
        takes_out=out("isinstance(error, LoginRefused) and not self._has_served", "isinstance(error, LoginRefused)"),
        tests=(REFUSALS + "test_a_login_that_is_refused_later_is_waited_for_like_a_database_that_is_away",),
    ),
    Guard(
        name="another partition count is refused",
        promise="Who",
        file="shared/topics.py",
        takes_out=out('if topic.get("error_code") == 0 and count != settings.partitions:', "if False:"),
        tests=(REFUSALS + "test_another_number_of_partitions_is_refused",),
    ),
    Guard(
        name="a home stays where it was placed",
        promise="3",
        file="shared/topics.py",
        takes_out=out("return zlib.crc32(home.encode()) % partitions", "return zlib.adler32(home.encode()) % partitions"),
        tests=(PLACING + "test_a_home_stays_where_it_was_placed",),
    ),
    Guard(
        name="what was condemned is tried again when its replay is asked for",
        promise="4, Parking",
        file="shared/engine.py",
        takes_out=out("self.slots[number].condemned = None", "pass"),
        tests=("tests/kit/test_poison.py::test_what_the_database_refused_once_is_tried_again_when_its_replay_is_asked_for",),
    ),
)
