"""The kit's handle function: from one input to what its facts change. The only place that turns decisions into writes.

An input either counts whole or not at all: state, sequences and rows move only after every fact of it was decided, folded
and encoded. A decision that raises parks its credit group; nothing is skipped.
"""

from __future__ import annotations

import datetime as dt
from operator import attrgetter
from typing import Any

import structlog

from contracts.envelope import ENVELOPES, SEQUENCE_DIGITS, SPECVERSION, Envelope, derived_id, encode, reader_of, traceparent
from contracts.message import Message, topic_of
from shared.batch import Batch, Parked, Quarantined
from shared.journal import OWN, Entry
from shared.rows import Key, moved
from shared.service import Moment, Service, To
from shared.slot import LAST, Input, Slot
from shared.topics import partition_of

log = structlog.get_logger(__name__)

REASON_LENGTH_MAX = 500


class Handler:
    """Decides inputs of one service against the rows in memory of a slot."""

    def __init__(self, service: Service, partitions: int) -> None:
        self._service = service
        self._partitions = partitions
        fields = service.state.__struct_fields__
        self._fields_of = attrgetter(*fields) if len(fields) > 1 else lambda state: (getattr(state, fields[0]),)
        self._table_names = [service.tables[field].name for field in fields]
        self._decide_by = {**service.hears, **service.mail}
        self._out = {message: message.is_command for message in ENVELOPES}
        self.parked = 0

    def handle(self, slot: Slot, item: Input, at: dt.datetime, batch: Batch, caches: list[dict[str, Any]]) -> None:
        """Decide one input at the slot's clock `at`, and note all that follows from it in the batch."""
        envelope = item.envelope
        if envelope is None:
            self._pass_over(slot, item, batch)
            return
        if envelope.id in slot.handled:
            self._pass_handled(slot, item, envelope, batch)
            return
        home = envelope.partitionkey
        if home in slot.parked and not item.parked_n:
            self._park(slot, item, batch, "waits behind a parked message of its credit group")
            return
        if slot.condemned is not None and item.name == slot.condemned:
            self._park(slot, item, batch, "the database refused it for good, or it ended every instance that tried it")
            return
        try:
            self._decide(slot, item, envelope, at, batch, caches)
        except Exception as error:
            log.error("parked", home=home, message=envelope.id, type=type(envelope.data).__name__, exc_info=error)
            self._park(slot, item, batch, f"{type(error).__name__}: {error}"[:REASON_LENGTH_MAX])

    def _decide(
        self, slot: Slot, item: Input, envelope: Envelope, at: dt.datetime, batch: Batch, caches: list[dict[str, Any]]
    ) -> None:
        service, message, keys = self._service, envelope.data, item.keys
        flow = envelope.correlationid or envelope.id
        moment = Moment(
            at, envelope.partitionkey, slot.number, envelope.id, flow, envelope.actorid, envelope.actorrole, envelope.teamid
        )
        before = [
            None if key is None else cache[key] if key.__class__ is str else {each: cache[each] for each in key}
            for cache, key in zip(caches, keys, strict=True)
        ]
        state = first = service.state(*before)
        ordinal = slot.ordinal + 1
        entries: list[Entry] = []
        sequences: dict[str, int] = {}
        sent: list[str] = []
        for n, said in enumerate(self._decide_by[type(message)](state, message, moment)):
            home, out = (said.home, said.message) if isinstance(said, To) else (moment.home, said)
            if slot.handled and (name := derived_id(service.name, envelope.id, str(n))) in slot.handled:
                sent.append(name)  # before the database was restored to an earlier time
                continue
            if not self._out[type(out)]:
                state = service.evolve(state, out, at)
            lane = self._lane(slot, out, home)
            sequence = sequences.get(lane) or slot.sequences.get(lane, 0)
            sequences[lane] = sequence = sequence + 1
            body = self._encode(envelope, out, home, slot.number, sequence, n, flow, at)
            entries.append(Entry(slot.number, lane, sequence, ordinal, at, home, item.name, body))
        # All that may raise comes before anything is noted, so that a parked input leaves no trace.
        changed = self._changed(keys, before, state) if state is not first else ()
        deadlines = tuple(service.deadlines(first, state, moment)) if state is not first else ()
        if entries:
            slot.ordinal = ordinal
            slot.sequences.update(sequences)
            batch.entries.extend(entries)
        for name in sent:
            del slot.handled[name]
            batch.passed.append(name)
        for index, key, was, row in changed:
            caches[index][key] = row
            batch.rows[self._table_names[index]].note(key, slot.number, was, row)
        for timer in deadlines:
            if slot.timers.set(timer):
                batch.timers[slot.number, timer.kind, timer.key] = timer
        if item.topic and service.projects is not None:
            batch.heard.append(envelope)
        self._took(slot, item, batch)

    def _lane(self, slot: Slot, out: Message, home: str) -> str:
        if not self._out[type(out)]:
            return OWN
        return f"{topic_of(type(out))}/{partition_of(home, self._partitions)}"

    def _encode(
        self, cause: Envelope, out: Message, home: str, partition: int, sequence: int, n: int, flow: str, at: dt.datetime
    ) -> bytes:
        """The bytes of what is said. Raises for what its readers could not read: they would all have to put it aside."""
        name = derived_id(self._service.name, cause.id, str(n))
        body = encode(
            ENVELOPES[type(out)](
                specversion=SPECVERSION,
                id=name,
                source=f"/{self._service.name}/{partition}",
                time=at,
                subject=_subject(out, home),
                partitionkey=home,
                sequence=str(sequence).zfill(SEQUENCE_DIGITS),
                correlationid=flow,
                causationid=cause.id,
                traceparent=traceparent(flow, name),
                actorid=cause.actorid,
                actorrole=cause.actorrole,
                teamid=cause.teamid,
                data=out,
            )
        )
        reader_of(type(out))(body)
        return body

    def _changed(self, keys: tuple[Key, ...], before: list[Any], state: Any) -> list[tuple[int, str, Any, Any]]:
        """(index of the state's field, key, row before, row afterwards) of every row that the facts changed."""
        changed = []
        for index, after in enumerate(self._fields_of(state)):
            if after is not before[index]:
                changed += [(index, *each) for each in moved(keys[index], before[index], after)]
        return changed

    def _took(self, slot: Slot, item: Input, batch: Batch) -> None:
        """The input is done: its position, mail or parked row goes with the batch."""
        batch.handled += 1
        batch.last_input = item.name
        if item.mail:
            batch.mail.append(item.mail)
            batch.mail_of[slot.number] = batch.mail_of.get(slot.number, 0) + 1
        elif item.parked_n:
            batch.unparked.append(item.parked_n)
        elif item.topic:
            position = slot.positions[item.topic]
            position.next_offset = item.offset + 1
            position.marks[LAST] = (item.id, None)
            if item.sequence:
                position.took(item.source, item.sequence, item.id)
            batch.read.add((slot.number, item.topic))

    def _pass_over(self, slot: Slot, item: Input, batch: Batch) -> None:
        if item.unknown is not None:
            where = item.unknown
            reason = f"{where.type} is newer than this release: deploy one that knows it, then replay"
            self._queue(slot, batch, Parked(slot.number, where.partitionkey, item.topic, where.id, where.type, reason, item.body))
        elif item.stray:
            name = derived_id("quarantine", self._service.name, item.topic, str(slot.number), str(item.offset))
            batch.quarantined.append(
                Quarantined(name, slot.number, item.topic, item.offset, item.source, item.sequence or None, item.stray, item.body)
            )
            log.warning("quarantined", topic=item.topic, partition=slot.number, offset=item.offset, reason=item.stray)
        self._took(slot, item, batch)

    def _pass_handled(self, slot: Slot, item: Input, envelope: Envelope, batch: Batch) -> None:
        """Its facts were taken in from the topics after a restore; what is projected from it was lost with the rest."""
        del slot.handled[envelope.id]
        batch.passed.append(envelope.id)
        if item.topic and self._service.projects is not None:
            batch.heard.append(envelope)
        self._took(slot, item, batch)

    def _park(self, slot: Slot, item: Input, batch: Batch, reason: str) -> None:
        envelope = item.envelope
        assert envelope is not None
        if item.parked_n:
            raise StillFailing(item.parked_n, reason)
        body = item.body or encode(envelope)
        kind = type(envelope.data).__name__
        self._queue(slot, batch, Parked(slot.number, envelope.partitionkey, item.topic, envelope.id, kind, reason, body))
        self._took(slot, item, batch)

    def _queue(self, slot: Slot, batch: Batch, row: Parked) -> None:
        slot.parked.add(row.home)
        batch.parked.append(row)
        self.parked += 1


class StillFailing(Exception):
    """A replayed message could not be handled this time either; it and its queue stay parked."""

    def __init__(self, n: int, reason: str) -> None:
        super().__init__(reason)
        self.n = n


_SUBJECTS = ("order", "document", "account", "flow")


def _subject(message: Message, home: str) -> str:
    """What the message is about: the order, the document, the account, else its group."""
    for name in _SUBJECTS:
        value = getattr(message, name, None)
        if value is not None:
            return str(value)
    return home
