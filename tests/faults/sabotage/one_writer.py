"""Guards of a partition's single writer: lease, epoch, fence, hand-over (`shared/lease.py`, `shared/engine.py`)."""

from tests.faults.sabotage.guard import Guard, out

WRITER = "tests/kit/test_single_writer.py::"
FENCE = "tests/kit/test_fence.py::"
KILLS = "tests/faults/test_kills.py::"

GUARDS = (
    Guard(
        name="a batch proves that its epochs still stand",
        promise="3, Fence",
        file="shared/lease.py",
        takes_out=out("if len(standing) != len(epochs):", "if False:"),
        tests=(WRITER + "test_an_owner_that_was_paused_cannot_write_after_a_takeover",),
    ),
    Guard(
        name="a takeover raises the epoch",
        promise="3, Fence",
        file="shared/lease.py",
        takes_out=out("set holder = $1, epoch = epoch + 1,", "set holder = $1,"),
        tests=(WRITER + "test_an_owner_that_was_paused_cannot_write_after_a_takeover",),
    ),
    Guard(
        name="an instance takes new epochs after an error",
        promise="3, Overlap",
        file="shared/lease.py",
        takes_out=out("set epoch = epoch + 1, attempt = ''", "set attempt = ''"),
        tests=(FENCE + "test_a_batch_that_was_given_up_cannot_commit_later",),
    ),
    Guard(
        name="the fence locks its lease rows until the batch has ended",
        promise="3, Fence",
        file="shared/lease.py",
        takes_out=out(" for share of lease", ""),
        tests=(FENCE + "test_a_takeover_waits_for_the_batch_that_is_committing",),
    ),
    Guard(
        name="the fence locks in partition order",
        promise="3, Fence",
        file="shared/lease.py",
        takes_out=out("order by lease.partition for share", "for share"),
        tests=(FENCE + "test_leases_are_locked_in_partition_order",),
    ),
    Guard(
        name="a heartbeat locks in partition order",
        promise="3, Fence",
        file="shared/lease.py",
        takes_out=out("order by partition for update", "for update"),
        tests=(FENCE + "test_leases_are_locked_in_partition_order",),
    ),
    Guard(
        name="a lost lease drops its partition",
        promise="3",
        file="shared/engine.py",
        takes_out=out('raise lease.Fenced(f"leases of {sorted(lost)} were lost")', "return"),
        tests=(WRITER + "test_an_instance_that_lost_its_leases_drops_its_partitions",),
    ),
    Guard(
        name="a lease is renewed inside long work",
        promise="3",
        file="shared/engine.py",
        takes_out=out("if time.monotonic() - self._renewed_at > self.settings.lease_s / 2:", "if False:"),
        tests=(WRITER + "test_work_that_takes_longer_than_a_lease_keeps_it",),
    ),
    Guard(
        name="an instance holds its fair share and leaves the rest",
        promise="3",
        file="shared/lease.py",
        takes_out=out("return -(-partitions // max(alive, 1))", "return partitions"),
        tests=(WRITER + "test_no_partition_ever_has_two_holders",),
    ),
    Guard(
        name="a lease that somebody holds is not taken",
        promise="3",
        file="shared/lease.py",
        takes_out=out("where holder is null or until < now() order by", "order by"),
        tests=(FENCE + "test_a_lease_is_taken_when_it_has_run_out_and_not_before",),
    ),
    Guard(
        name="a partition is handed over when all it decided is published",
        promise="3, One publisher per partition",
        file="shared/engine.py",
        takes_out=out(
            "await self._settle()\n        await self._relay.drained()\n        for number in partitions:",
            "for number in partitions:",
        ),
        tests=("tests/kit/test_hand_over.py::test_a_partition_is_handed_over_only_when_all_it_decided_is_published",),
    ),
    Guard(
        name="a partition that was handed over is decided no more",
        promise="3",
        file="shared/engine.py",
        takes_out=out("            del self.slots[number]\n        self._assign()", "            pass\n        self._assign()"),
        tests=("tests/kit/test_hand_over.py::test_a_partition_is_handed_over_only_when_all_it_decided_is_published",),
    ),
    Guard(
        name="deaths at one place are counted",
        promise="Poison",
        file="shared/lease.py",
        takes_out=out("then deaths + 1 else 1 end", "then deaths else 1 end"),
        tests=(KILLS + "test_killing_an_idle_instance_again_and_again_parks_nothing",),
    ),
    Guard(
        name="after three deaths messages are tried one by one",
        promise="Poison",
        file="shared/takeover.py",
        takes_out=out("CAREFUL_INPUTS if deaths >= DEATHS_BEFORE_CARE else 0", "0"),
        tests=(KILLS + "test_a_message_that_kills_every_owner_is_named_and_parked_and_the_rest_goes_on",),
    ),
    Guard(
        name="the message that an owner named before it died is parked",
        promise="Poison",
        file="shared/engine.py",
        takes_out=out("if item.name == slot.attempt:", "if False:"),
        tests=(KILLS + "test_a_message_that_kills_every_owner_is_named_and_parked_and_the_rest_goes_on",),
    ),
    Guard(
        name="each message is named before it is tried with care",
        promise="Poison",
        file="shared/lease.py",
        takes_out=out(
            "update lease set attempt = $2 where partition = $1", "update lease set attempt = '' where $2 = '' or $1 = -1"
        ),
        tests=(KILLS + "test_a_message_that_kills_every_owner_is_named_and_parked_and_the_rest_goes_on",),
    ),
    Guard(
        name="an instance that lives was not killed by what it named",
        promise="Poison",
        file="shared/lease.py",
        takes_out=out("set epoch = epoch + 1, attempt = ''", "set epoch = epoch + 1"),
        tests=("tests/kit/test_poison.py::test_a_message_tried_with_care_is_not_parked_for_a_passing_error",),
    ),
)
