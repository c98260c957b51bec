"""Runs one service: takes leases, reads topics, decides in batches, commits, publishes behind the commit.

While a batch commits, the next one is already decided; it opens its transaction only after the commit is known. Any error
throws all memory away, takes new epochs and loads again: the only state that counts is in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import socket
import time
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from contracts.envelope import ENVELOPES, SPECVERSION, Unreadable, derived_id, read, traceparent
from contracts.message import Message
from shared import lease, mailbox, parking, ranges, timers
from shared.ahead import TopicAhead
from shared.arrivals import Anew, Arrivals, Conflict, Gap
from shared.batch import Batch
from shared.database import InstallationMismatch, LoginRefused, check_login, connect, prepare
from shared.feed import Feed
from shared.handle import Handler, StillFailing
from shared.metrics import Metrics
from shared.rebuild import RowsLost
from shared.relay import Relay
from shared.service import Service, Timer
from shared.settings import Settings
from shared.slot import Input, Slot
from shared.takeover import ArchiveNeeded, load_slot, publish_backlog
from shared.topics import TopicMismatch, create_topics

log = structlog.get_logger(__name__)

STEP_MAX = 100
"""Commands one timer step becomes: a storm of 10,000 re-decisions runs between other groups' work, not before it."""
TIMERS_MAX = 32
"""Timers whose steps share a batch. One a batch made a desk that had stood still for some seconds fall behind for ever: some
fifty groups a second were decided again, and cash came in for hundreds."""
IDLE_WAIT_MS = 40
"""How long a read waits for the next message; also the poll for mail, timers and replays when nothing wakes us."""
YIELD_EVERY = 64
"""Decisions between two turns of the event loop, so that the commit in flight goes on meanwhile."""
REPLAY_POLL_S = 0.5
REPLAYED_MAX = 20
"""Parked groups that replay a step in one turn: with STEP_MAX messages each, about one batch."""
OFFSETS_EVERY_S = 5.0
BACKOFF_S_MAX = 10.0
GAP_WAIT_S = 2.0
CANCEL_WAIT_S = 1.0
FETCH_WAIT_S_MAX = 1.0
"""A read that does not come back in time is looked at again later; leases must be renewed meanwhile."""
REFUSALS = (InstallationMismatch, TopicMismatch, TopicAhead, ArchiveNeeded, RowsLost)
"""No retry mends these, and going on would make it worse."""
PASSING_CLASSES = ("08", "25", "40", "53", "55", "57", "58")
"""SQLSTATE classes that pass by themselves: connection, idle transaction, serialization, resources, locks, operator, system.
After any other error of a commit the batch is bisected, because no retry mends it."""


class Engine:
    """One instance of one service. `run()` returns when `stop()` was called; it survives broker, database and lease loss."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service, self.settings = service, settings
        self.instance = f"{service.name}-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.metrics = Metrics(service.name)
        self.slots: dict[int, Slot] = {}
        self.ready = self._has_served = False
        self.turned_at = time.monotonic()
        self._tables = service.distinct_tables()
        self._handler = Handler(service, settings.partitions)
        self._arrivals = Arrivals(service, settings.partitions)
        self._stopping = False
        self._wake = asyncio.Event()
        self._batch_max = settings.batch_max
        self._condemned: dict[int, str] = {}
        self._gaps: dict[tuple[str, int], float] = {}
        self._renewed_at = 0.0
        self._bisecting = False
        self._replaying = False

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until stopped; after an error wait, with back-off, and start over from PostgreSQL."""
        backoff_s = 0.1
        while not self._stopping:
            began = time.monotonic()
            try:
                await self._serve()
            except (Exception, asyncio.CancelledError) as error:
                if _asked_to_end():
                    raise  # else aiokafka let a cancellation of its own out
                self.ready = False
                if self._is_final(error):
                    log.error("refuses to run until somebody mends it", error=str(error))
                    raise
                self.metrics.restarts.inc()
                log.error(
                    "starting over",
                    service=self.service.name,
                    error=f"{type(error).__name__}: {error}",
                    exc_info=_unexpected(error),
                )
                backoff_s = 0.1 if time.monotonic() - began > BACKOFF_S_MAX else min(backoff_s * 2, BACKOFF_S_MAX)
                await self._pause(0 if self._bisecting else backoff_s)

    def _is_final(self, error: BaseException) -> bool:
        """A login refused at the start is a mistake in the settings; one refused later is the server's, and may pass."""
        return isinstance(error, REFUSALS) or (isinstance(error, LoginRefused) and not self._has_served)

    @property
    def stopping(self) -> bool:
        """Asked by what would keep the process from ending: a page's stream of events."""
        return self._stopping

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._until_stopping(), seconds)

    async def _until_stopping(self) -> None:
        while not self._stopping:
            self._wake.clear()
            await self._wake.wait()

    async def _serve(self) -> None:
        await check_login(self.settings)  # before anything waits for the broker: a wrong login is said at once
        await create_topics(self.settings)
        await prepare(self.settings, self.service.name, self.service.schema)
        self._feed = Feed(self.settings, self.service.name)
        self._relay = Relay(self.settings, self.service.name)
        url = self.settings.database(self.service.name)
        connections: list[asyncpg.Connection] = []
        self._journal_end = 0
        self._committing: asyncio.Task[None] | None = None
        self._fetching: asyncio.Task[dict[tuple[str, int], list[Any]]] | None = None
        self._bisecting = False
        try:
            # A connection each, so that no two tasks ever share one: batches, reads of rows, leases, notifications.
            for _ in range(4):
                connections.append(await connect(url, self.settings.lease_s))
            self._writer, self._reader, self._leases, ears = connections
            await ears.add_listener(mailbox.CHANNEL, lambda *_: self._wake.set())
            await lease.enrol(self._leases, self.settings.partitions, self.settings.lease_s)
            await self._feed.start()
            await self._relay.start()
            await self._own(await lease.renew_epochs(self._leases, self.instance))
            await self._turn_until_stopped()
            await self._finish()
        finally:
            await self._close(connections)

    async def _finish(self) -> None:
        """A clean stop: commit and publish what was decided, then hand the leases back."""
        await self._settle()
        await self._relay.drained()
        await lease.leave(self._leases, self.instance)

    async def _close(self, connections: list[asyncpg.Connection]) -> None:
        self.ready = False
        self.slots = {}
        for task in (self._committing, self._fetching):
            if task is not None:
                task.cancel()
                await asyncio.wait({task}, timeout=CANCEL_WAIT_S)
        await self._feed.stop()
        await self._relay.stop()
        for connection in connections:
            connection.terminate()

    # --- leases -------------------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        held = await lease.beat(self._leases, self.instance, self.settings.lease_s)
        self._renewed_at = time.monotonic()
        if lost := set(self.slots) - held:
            raise lease.Fenced(f"leases of {sorted(lost)} were lost")

    async def _renew_in_time(self) -> None:
        """Inside work that may take longer than a lease: a backlog to publish, a long replay, a storm of timers."""
        if time.monotonic() - self._renewed_at > self.settings.lease_s / 2:
            await self._renew()

    async def _keep_leases(self) -> None:
        await self._renew()
        share = await lease.fair_share(self._leases, self.settings.partitions, self.settings.lease_s)
        if len(self.slots) > share:
            await self._hand_over(sorted(self.slots)[share:])
        elif len(self.slots) < share:
            await self._own(await lease.take(self._leases, self.instance, share - len(self.slots), self.settings.lease_s))

    async def _hand_over(self, partitions: list[int]) -> None:
        """Give surplus partitions to a new instance: what was decided is committed and published first."""
        await self._settle()
        await self._relay.drained()
        for number in partitions:
            del self.slots[number]
        self._assign()
        await lease.release(self._leases, self.instance, partitions)
        log.info("handed over", service=self.service.name, partitions=partitions)

    async def _own(self, epochs: dict[int, int]) -> None:
        if not epochs:
            return
        await self._settle()
        slots = [await load_slot(self._reader, self.service, number, epoch) for number, epoch in epochs.items()]
        republished = await publish_backlog(self._reader, self.settings, self._relay, slots, self._renew_in_time)
        self.slots |= {slot.number: slot for slot in slots}
        for slot in slots:
            slot.condemned = self._condemned.pop(slot.number, None)
        self._assign()
        self.ready = self._has_served = True
        log.info("owns", service=self.service.name, partitions=sorted(epochs), republished=republished)

    def _assign(self) -> None:
        """Read every heard topic at the partitions held, from one before the next offset: the repeated message is the probe
        that the topic is still the one we know."""
        places = [(topic, number) for number in self.slots for topic in self._arrivals.topics()]
        if self._fetching is not None:
            self._fetching.cancel()  # what it brings would be behind a jump
            self._fetching = None
        for slot in self.slots.values():
            slot.forget_arrivals()
        offsets = {(topic, number): max(self.slots[number].position(topic).next_offset - 1, 0) for topic, number in places}
        self._feed.assign(offsets)

    # --- one turn -----------------------------------------------------------------------------------------------------

    async def _turn_until_stopped(self) -> None:
        beat_at = replay_at = offsets_at = 0.0
        while not self._stopping:
            now = time.monotonic()
            self.turned_at = now
            if now >= beat_at:
                await self._keep_leases()
                beat_at = now + self.settings.lease_s / (lease.MISSED_BEATS + 1)
            if now >= replay_at or self._replaying:
                await self._replay_parked()
                replay_at = now + REPLAY_POLL_S
            if now >= offsets_at:
                await self._note_offsets()
                offsets_at = now + OFFSETS_EVERY_S
            await self._turn()

    async def _turn(self) -> None:
        await self._collect()
        await (self._fire_on_wall_time() if self.settings.clock == "wall" else self._fire_on_event_time())
        batch, touched = await self._decide_backlogs()
        if touched:
            await self._hand_in(batch, touched)
        elif self._committing is not None and self._committing.done():
            await self._settle()  # a failure shows at once, not at the next message

    async def _hand_in(self, batch: Batch, touched: set[int]) -> None:
        """Commit this batch as soon as the one before is known to be committed."""
        batch.seal(self.slots, touched)
        await self._settle()
        await self._renew_in_time()
        await self._roll(touched)
        self._committing = asyncio.create_task(self._commit(batch), name="commit")

    async def _roll(self, touched: set[int]) -> None:
        """The journal has room for what is about to be written, and a good way beyond."""
        highest = max(max(self.slots[number].sequences.values(), default=0) for number in touched)
        if ranges.near(self._journal_end, highest):
            self._journal_end = await ranges.reach(self._writer, highest)

    async def _commit(self, batch: Batch) -> None:
        began = time.perf_counter()
        try:
            await batch.commit(self._writer, self.service.projects)
        except Exception as error:
            self._blame(batch, error)
            raise
        self.metrics.committed(batch, time.perf_counter() - began, time.monotonic())
        for number, count in batch.mail_of.items():
            self.slots[number].mail_taken -= count
        for number in batch.epochs:
            if self.slots[number].condemned == batch.last_input:
                self.slots[number].condemned = None  # it is parked now; when somebody asks for its replay it is tried again
        if batch.entries:
            await self._relay.put(batch.entries)
        if self._batch_max < self.settings.batch_max:
            self._batch_max = min(self._batch_max * 2, self.settings.batch_max)

    def _in_flight(self) -> set[asyncio.Task[None]]:
        return set() if self._committing is None or self._committing.done() else {self._committing}

    async def _settle(self) -> None:
        """Wait until the batch in flight is committed; raise why not."""
        if self._committing is not None:
            task, self._committing = self._committing, None
            await task

    # --- what there is to decide --------------------------------------------------------------------------------------

    async def _collect(self) -> None:
        backlog = sum(len(slot.backlog) for slot in self.slots.values())
        if backlog < self.settings.batch_max:
            await self._arrive(await self._fetch(0 if backlog or self._replaying or self._timer_due() else IDLE_WAIT_MS))
            await self._collect_mail()
        if error := self._relay.failure():
            raise error

    async def _fetch(self, wait_ms: int) -> dict[tuple[str, int], list[Any]]:
        """Records that are here, or the first to come; a notification ends the wait, the read itself goes on."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._feed.fetch(self.settings.batch_max, wait_ms), name="fetch")
            await asyncio.sleep(0)
        if wait_ms and not self._fetching.done():
            woken = asyncio.create_task(self._wake.wait())
            first = {self._fetching, woken, *self._in_flight()}
            await asyncio.wait(first, timeout=FETCH_WAIT_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
        self._wake.clear()
        if not self._fetching.done():
            return {}
        task, self._fetching = self._fetching, None
        return task.result()

    async def _arrive(self, records: dict[tuple[str, int], list[Any]]) -> None:
        for (topic, number), batch in records.items():
            slot = self.slots.get(number)
            if slot is None:
                continue  # handed over since the fetch; its owner reads it
            waiting = len(slot.backlog)
            try:
                self._arrivals.accept(slot, topic, batch)
            except (Gap, Anew) as gap:
                await self._stop_at(gap, slot)
            except Conflict as conflict:
                await self._hold(conflict, slot, conflict.offset)
            slot.note_arrived(len(slot.backlog) - waiting, time.monotonic())
        self._resume_gaps()

    async def _stop_at(self, gap: Gap | Anew, slot: Slot) -> None:
        """Never jump a gap: read the topic again from its start once, then stop it and say so until it is refilled."""
        position = slot.position(gap.topic)
        if position.reread and isinstance(gap, Gap):
            await self._hold(gap, slot, None)
            return
        log.warning("reading a topic again from its start", reason=str(gap))
        position.arrived = dict(position.seen) | _queued(slot, gap.topic)
        position.reread = True
        self._feed.seek(gap.topic, gap.partition, await self._feed.start_of(gap.topic, gap.partition))

    async def _hold(self, cause: Gap | Conflict, slot: Slot, offset: int | None) -> None:
        """Stop a topic's partition and say so; it is tried again, from this offset or its start, until somebody mends it."""
        position = slot.position(cause.topic)
        position.arrived = dict(position.seen) | _queued(slot, cause.topic)
        self.metrics.gaps.labels(topic=cause.topic).inc()
        log.error("stopped at a topic", topic=cause.topic, partition=cause.partition, error=str(cause))
        self._feed.hold(cause.topic, cause.partition, on=True)
        start = await self._feed.start_of(cause.topic, cause.partition) if offset is None else offset
        self._feed.seek(cause.topic, cause.partition, start)
        self._gaps[cause.topic, cause.partition] = time.monotonic() + GAP_WAIT_S

    def _resume_gaps(self) -> None:
        for (topic, number), at in list(self._gaps.items()):
            if time.monotonic() >= at and number in self.slots:
                del self._gaps[topic, number]
                self._feed.hold(topic, number, on=False)

    async def _collect_mail(self) -> None:
        """Mail of partitions whose earlier mail is all committed, so that nothing is taken twice."""
        ready = [slot.number for slot in self.slots.values() if not slot.mail_taken]
        if not ready:
            return
        for row in await mailbox.waiting(self._reader, ready, self.settings.batch_max):
            slot = self.slots[row["partition"]]
            try:
                item = self._input_of(slot, row["body"])
            except Unreadable as error:
                item = Input("mailbox", row["n"], "/mailbox", 0, None, row["body"])
                item.stray = str(error)
            item.mail = row["n"]
            slot.mail_taken += 1
            slot.backlog.append(item)
            slot.note_arrived(1, time.monotonic())

    def _input_of(self, slot: Slot, body: bytes, topic: str = "") -> Input:
        """An input that does not come from a topic: mail, or a parked message that is replayed."""
        envelope = read(body)
        item = Input(topic, 0, envelope.source, int(envelope.sequence), envelope, body)
        item.keys = self.service.rows(envelope.data, envelope.partitionkey, slot.number)
        return item

    # --- deciding -----------------------------------------------------------------------------------------------------

    def _clock(self, slot: Slot, stamped: dt.datetime) -> dt.datetime:
        """The slot's clock for a message: wall time, or in event time the message's own; it never goes back."""
        now = dt.datetime.now(dt.UTC) if self.settings.clock == "wall" else stamped
        return max(slot.clock, now)

    async def _decide_backlogs(self) -> tuple[Batch, set[int]]:
        batch, touched = Batch(self._tables), set()
        budget = self._batch_max
        waiting = [slot for slot in self.slots.values() if slot.backlog]
        if careful := [slot for slot in waiting if slot.careful]:
            await self._settle()  # one message alone with all before it committed: the next death has one suspect
            waiting, budget = [max(careful, key=lambda slot: slot.careful)], 1
        for n, slot in enumerate(waiting):
            share = max(budget // (len(waiting) - n), 1)
            if taken := await self._decide_slot(slot, batch, min(share, budget)):
                touched.add(slot.number)
                batch.waits += slot.take_waits(taken)
                budget -= taken
            if budget <= 0:
                break
        return batch, touched

    async def _decide_slot(self, slot: Slot, batch: Batch, most: int) -> int:
        """Decide up to `most` inputs of one partition, in order, until a timer is due before the next of them."""
        items = [slot.backlog[n] for n in range(min(most if not slot.careful else 1, len(slot.backlog)))]
        if slot.careful:
            await self._tread_carefully(slot, items[0])
        caches = await self._load_rows(slot, items)
        fired = 0
        for n, item in enumerate(items):
            at = self._clock(slot, item.envelope.time) if item.envelope is not None else slot.clock
            if not slot.careful and self._becomes(slot, at):
                fired += await self._become(slot, at, batch, most - fired - n)
            if (slot.timers.due(at) or slot.timers.exhausted) and not slot.fired:
                return fired + n
            if fired + n >= most:
                return fired + n
            slot.clock = at
            slot.backlog.popleft()
            self._handler.handle(slot, item, at, batch, caches)
            if n % YIELD_EVERY == YIELD_EVERY - 1:
                await asyncio.sleep(0)
        return fired + len(items)

    async def _tread_carefully(self, slot: Slot, item: Input) -> None:
        """Former owners died here: name each message before it is tried, so that the one that kills is known and parked."""
        slot.careful -= 1
        if item.name == slot.attempt:
            slot.condemned = item.name
        else:
            await lease.note_attempt(self._leases, slot.number, item.name if slot.careful else "")

    async def _load_rows(self, slot: Slot, items: Iterable[Input]) -> list[dict[str, Any]]:
        """The rows in memory, with those that these inputs need; others may leave."""
        for rows in slot.rows.values():
            rows.rotate()
        return await self._bring(slot, items)

    async def _bring(self, slot: Slot, items: Iterable[Input]) -> list[dict[str, Any]]:
        """Bring the rows that these inputs need into memory: one query per table, whatever the number of inputs."""
        fields = self.service.state.__struct_fields__
        wanted: dict[str, set[str]] = {}
        for item in items:
            for field, key in zip(fields, item.keys, strict=False):
                if key is not None:
                    names = wanted.setdefault(self.service.tables[field].name, set())
                    names.add(key) if isinstance(key, str) else names.update(key)
        for name, keys in wanted.items():
            rows = slot.rows[name]
            if absent := rows.missing(keys):
                found = await self._tables[name].load(self._reader, absent)
                for key in absent:
                    rows.hot[key] = found.get(key)
        return slot.caches()

    # --- timers -------------------------------------------------------------------------------------------------------

    def _timer_due(self) -> bool:
        return any(slot.timers.due(self._clock(slot, slot.clock)) for slot in self.slots.values())

    async def _fire_on_wall_time(self) -> None:
        """What is due fires before the next message: a step a slot and turn, all in one batch, so that a storm starves nobody."""
        due: list[tuple[Slot, dt.datetime]] = []
        for slot in self.slots.values():
            until = await self._due_until(slot)
            slot.fired = until is not None
            if until is not None and self._becomes(slot, until):
                await self._become_alone(slot, until)
            elif until is not None:
                due.append((slot, until))
        for together in [due] if self._is_whole() else [[each] for each in due]:
            await self._fire_steps(together)

    async def _fire_on_event_time(self) -> None:
        """All that is due, so that a replay does not depend on how messages arrived."""
        for slot in self.slots.values():
            slot.fired = False
            while (until := await self._due_until(slot)) is not None:
                await (self._become_alone(slot, until) if self._becomes(slot, until) else self._fire_steps([(slot, until)]))

    async def _due_until(self, slot: Slot) -> dt.datetime | None:
        """The clock before the next message, when a timer is due by then that is not decided among the messages."""
        if slot.timers.exhausted:
            await self._settle()
            slot.timers.fill(await timers.load(self._reader, slot.number))
        following = next((item.envelope.time for item in slot.backlog if item.envelope is not None), slot.clock)
        until = self._clock(slot, following)
        among = slot.backlog and not slot.careful and self._becomes(slot, until)
        return until if slot.timers.due(until) and not among else None

    async def _fire_steps(self, due: Sequence[tuple[Slot, dt.datetime]]) -> None:
        """Steps of due timers in one batch: of each slot in their order, while each is of other homes."""
        if not due:
            return
        await self._settle()  # a step reads the tables, so all that was decided must stand there
        batch = Batch(self._tables)
        for slot, until in due:
            await self._fire_steps_of(slot, until, batch)
        await self._hand_in(batch, {slot.number for slot, _ in due})
        await self._settle()

    async def _fire_steps_of(self, slot: Slot, until: dt.datetime, batch: Batch) -> None:
        homes, left = set[str](), self._step_max()
        for _ in range(TIMERS_MAX):
            timer = self._beside(slot, until, homes)
            if timer is None or left <= 0:
                return
            left -= await self._fire_step(slot, timer, batch, homes)
            await self._renew_in_time()

    def _beside(self, slot: Slot, until: dt.datetime, homes: set[str]) -> Timer | None:
        """The next due timer, unless its step may read rows that the steps of these homes have changed."""
        timer = slot.timers.first()
        if timer is None or timer.due is None or timer.due > until:
            return None
        apart = timer.kind not in self.service.becomes and timer.home and timer.home not in homes and "" not in homes
        return timer if apart or not homes else None

    async def _fire_step(self, slot: Slot, timer: Timer, batch: Batch, homes: set[str]) -> int:
        """Decide what a timer becomes; notes whose home that was and returns how many commands."""
        assert timer.due is not None
        at = max(slot.clock, timer.due)
        slot.clock = at
        step = await self.service.fires[timer.kind](self._reader, slot.number, timer, at, self._step_max())
        after = Timer(timer.kind, timer.key, None if step.cursor is None else timer.due, timer.home, step.cursor or "")
        slot.timers.set(after)
        batch.timers[slot.number, timer.kind, timer.key] = after
        items = [self._timer_input(slot, timer, n, home, command, at) for n, (home, command) in enumerate(step.commands)]
        caches = await (self._bring if homes else self._load_rows)(slot, items)
        for item in items:
            self._handler.handle(slot, item, at, batch, caches)
        homes |= {timer.home, *(home for home, _ in step.commands)}
        self.metrics.timers_fired.inc()
        return len(items)

    def _becomes(self, slot: Slot, until: dt.datetime) -> bool:
        """Is the first timer one that is due, and known to be one command?"""
        timer = slot.timers.first()
        return timer is not None and timer.due is not None and timer.due <= until and timer.kind in self.service.becomes

    async def _become(self, slot: Slot, until: dt.datetime, batch: Batch, most: int) -> int:
        """Decide due timers that are one command each, in their order, as inputs of this batch; returns how many."""
        fired = 0
        while fired < most and self._becomes(slot, until):
            timer = slot.timers.first()
            assert timer is not None and timer.due is not None
            at = slot.clock = max(slot.clock, timer.due)
            item = self._timer_input(slot, timer, 0, *self.service.becomes[timer.kind](timer), at)
            done = Timer(timer.kind, timer.key, None, timer.home)
            slot.timers.set(done)
            batch.timers[slot.number, timer.kind, timer.key] = done
            caches = await self._bring(slot, [item])
            self._handler.handle(slot, item, at, batch, caches)
            self.metrics.timers_fired.inc()
            fired += 1
        return fired

    async def _become_alone(self, slot: Slot, until: dt.datetime) -> None:
        """A step of them while no message waits."""
        batch = Batch(self._tables)
        await self._become(slot, until, batch, self._step_max())
        await self._hand_in(batch, {slot.number})
        await self._settle()

    def _step_max(self) -> int:
        """The same whatever the batches, so that a replay gives the same steps; smaller while a bad command is looked for."""
        return STEP_MAX if self._is_whole() else min(STEP_MAX, self._batch_max)

    def _is_whole(self) -> bool:
        """Batches are not cut: no bad command is looked for, which must not share its batch with another partition's timers."""
        return self._batch_max == self.settings.batch_max

    def _timer_input(self, slot: Slot, timer: Timer, n: int, home: str, command: Message, at: dt.datetime) -> Input:
        assert timer.due is not None
        # The ordinal tells two timers of one name and moment apart: a recheck that asks for another on a clock that stands.
        at_ordinal = f"{slot.number}/{slot.ordinal}"
        parts = ("timer", at_ordinal, timer.kind, timer.key, timer.due.isoformat(), timer.cursor, str(n))
        name = derived_id(self.service.name, *parts)
        envelope = ENVELOPES[type(command)](
            specversion=SPECVERSION, id=name, source="/timer", time=at, subject=home, partitionkey=home, sequence="0",
            correlationid=name, traceparent=traceparent(name, name), actorid=self.service.name, data=command,
        )  # fmt: skip
        item = Input("", 0, "/timer", 0, envelope)
        item.keys = self.service.rows(command, home, slot.number)
        return item

    # --- parked groups ------------------------------------------------------------------------------------------------

    async def _replay_parked(self) -> None:
        """Replay what somebody asked for: one step of each group's queue a turn, so that a long one stops nobody else."""
        asked = await parking.asked_for_replay(self._reader, list(self.slots))
        self._replaying = len(asked) > REPLAYED_MAX
        for home, number in asked[:REPLAYED_MAX]:
            await self._settle()
            self._replaying |= await self._replay_step(self.slots[number], home)

    async def _replay_step(self, slot: Slot, home: str) -> bool:
        """The next messages of a queue, in order, through the normal path, in one batch; whether more are to come.

        Arrivals append to the queue until it is empty, so the group's order stays whatever is decided between two steps.
        """
        items, failed = self._parked_inputs(slot, await parking.queue_of(self._reader, home, self._step_max()))
        batch = Batch(self._tables)
        batch.cleared_homes = [home]
        caches = await self._load_rows(slot, items)
        for item in items:
            assert item.envelope is not None
            at = slot.clock = self._clock(slot, item.envelope.time)
            try:
                self._handler.handle(slot, item, at, batch, caches)
            except StillFailing as failure:
                failed = failure
                break
        if batch.unparked:
            await self._hand_in(batch, {slot.number})
            await self._settle()
        if failed is not None:
            await parking.still_failing(self._reader, home, failed.n, str(failed))
            return False
        if await parking.queue_of(self._reader, home, 1):
            return True
        slot.parked.discard(home)
        await parking.forget(self._reader, home)
        return False

    def _parked_inputs(self, slot: Slot, rows: list[asyncpg.Record]) -> tuple[list[Input], StillFailing | None]:
        """The inputs up to the first that cannot be read, and that one."""
        items: list[Input] = []
        for row in rows:
            try:
                item = self._input_of(slot, row["body"], row["topic"])
            except Unreadable as error:
                return items, StillFailing(row["n"], str(error))
            item.parked_n = row["n"]
            items.append(item)
        return items, None

    # --- the rest -----------------------------------------------------------------------------------------------------

    async def _note_offsets(self) -> None:
        offsets = {(topic, slot.number): at.next_offset for slot in self.slots.values() for topic, at in slot.positions.items()}
        if offsets:
            await self._feed.note_offsets(offsets)
        await self._observe()

    async def _observe(self) -> None:
        """What the metrics show of this moment."""
        now, slots = time.monotonic(), list(self.slots.values())
        lag: dict[str, int] = dict.fromkeys(self._arrivals.topics(), 0)
        for slot in slots:
            for topic in lag:
                lag[topic] += max(self._feed.end_of(topic, slot.number) - slot.position(topic).next_offset, 0)
        self.metrics.observe(slots, self._arrivals.duplicates)
        self.metrics.observe_delays(
            lag=lag,
            oldest_s=max((now - slot.came[0][0] for slot in slots if slot.came), default=0.0),
            late=[slot.timers.late(self._clock(slot, slot.clock)) for slot in slots],
            unpublished=self._relay.waiting,
            outbox_s=self._relay.age(),
        )
        self.metrics.observe_waiting(await parking.waiting(self._reader, [slot.number for slot in slots]))

    def _blame(self, batch: Batch, error: Exception) -> None:
        """A permanent database error: halve the batch until the one message that causes it stands alone, then park it."""
        if _passing(error):
            return
        self._bisecting = batch.handled > 1
        if batch.handled == 1:
            (number,) = batch.epochs
            self._bisecting = self.slots[number].condemned != batch.last_input  # else parking it failed as well
            self._condemned[number] = batch.last_input
        self._batch_max = max(batch.handled // 2, 1)


def _asked_to_end() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _queued(slot: Slot, topic: str) -> dict[str, int]:
    """The last sequence per writer that waits in the backlog."""
    return {item.source: item.sequence for item in slot.backlog if item.topic == topic and item.sequence}


def _passing(error: BaseException) -> bool:
    """The ordinary absence of a broker, a database or a lease: wait and try again."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "08")[:2] in PASSING_CLASSES
    # InternalClientError: asyncpg's answer on a connection that the server ended while it was idle.
    gone = asyncpg.InterfaceError | asyncpg.InternalClientError | asyncio.CancelledError
    return isinstance(error, OSError | TimeoutError | KafkaError | lease.Fenced | gone)


def _unexpected(error: BaseException) -> BaseException | None:
    """A stack trace only for what does not pass by itself."""
    return None if _passing(error) or isinstance(error, LoginRefused) else error
