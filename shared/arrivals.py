"""From Kafka records to inputs: only the next sequence of each writer is taken, nothing is jumped, nothing is guessed.

Lower than expected: a duplicate, dropped after its id is compared; another id stops the topic's partition and alarms. Higher:
a gap; the topic's partition is read again from its start once, then it stops and alarms. Unreadable: quarantined, and placed by
its headers. An unknown major of a heard type: parked with its group.

Compared are the last ids that this owner saw of each writer, the last one that its predecessor took, and, where a topic is read
again from a writer's first message, all of them, by checksum.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from contracts.catalogue import MESSAGES, messages_of
from contracts.envelope import NUL, Address, Envelope, Unreadable, address, checked, decoder_of, read
from contracts.message import topic_of, type_name
from shared.service import Service
from shared.slot import LAST, SOME_ID, Input, Position, Slot
from shared.topics import partition_of


class Gap(Exception):
    """A writer's sequence jumped: what stands between was lost or is still to come. Never skipped."""

    def __init__(self, topic: str, partition: int, source: str, expected: int, found: int) -> None:
        super().__init__(
            f"{topic}/{partition}: {source} jumps from {expected - 1} to {found}; refill the topic from {source}'s journal"
        )
        self.topic, self.partition = topic, partition


class Conflict(Exception):
    """Two messages of one writer carry the same sequence: one of them is not what we decided on. Never chosen between."""

    def __init__(self, topic: str, partition: int, source: str, sequence: int, known: str, found: str, offset: int) -> None:
        which = f"sequence {sequence} is {found} (offset {offset}) and was {known}" if known != SOME_ID else (
            f"the ids up to sequence {sequence} are not those that were taken"
        )  # fmt: skip
        super().__init__(
            f"{topic}/{partition}: {source} told its history differently: {which}; end the second writer if there is one, "
            f"see what {source}'s journal says, and refill the topic from it (`quittance refill`)"
        )
        self.topic, self.partition = topic, partition
        self.offset = offset if known != SOME_ID else None


class Anew(Exception):
    """The record before our position is not the one we took last: the topic was written anew."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(f"{topic}/{partition} was written anew")
        self.topic, self.partition = topic, partition


class Arrivals:
    """Reads records for one service into the backlog of their slot."""

    def __init__(self, service: Service, partitions: int) -> None:
        self._service = service
        self._partitions = partitions
        self._majors = {type_name(message).rsplit(".v", 1)[0] for message in service.hears}
        self._decoders: dict[str, Callable[[bytes], Envelope]] = {}
        for topic in self.topics():
            heard = [message for message in messages_of(topic).values() if message in service.hears]
            self._decoders[topic] = decoder_of(heard)
        self.duplicates = 0
        self.unheard = 0

    def topics(self) -> list[str]:
        return sorted({topic_of(message) for message in self._service.hears})

    def accept(self, slot: Slot, topic: str, records: Iterable[Any]) -> None:
        """Queue the records' inputs at the slot. Raises Gap, Conflict or Anew, with everything before it queued."""
        position = slot.position(topic)
        decode = self._decoders[topic]
        for record in records:
            body = record.value or b""
            if position.probe >= 0:
                self._prove(position, slot, topic, record)
            try:
                envelope = decode(body)
                if NUL in body or not envelope.sequence.isdecimal():
                    checked(envelope, body)
            except (msgspec.MsgspecError, UnicodeDecodeError, Unreadable):
                slot.backlog.append(self._strange(slot, position, topic, record, body))
                continue
            sequence = int(envelope.sequence)
            if self._is_next(position, slot, topic, envelope.source, sequence, envelope.id, record.offset):
                slot.backlog.append(self._input(slot, topic, record, envelope, sequence))
            else:
                slot.backlog.append(_repeated(topic, record.offset, envelope.id))

    def _input(self, slot: Slot, topic: str, record: Any, envelope: Envelope, sequence: int) -> Input:
        item = Input(topic, record.offset, envelope.source, sequence, envelope, record.value)
        belongs = partition_of(envelope.partitionkey, self._partitions)
        if belongs != slot.number:
            item.envelope = None
            item.stray = f"{envelope.partitionkey!r} belongs to partition {belongs}; only the kit computes partitions"
        else:
            item.keys = self._service.rows(envelope.data, envelope.partitionkey, slot.number)
        return item

    def _is_next(self, position: Position, slot: Slot, topic: str, source: str, sequence: int, name: str, offset: int) -> bool:
        expected = position.arrived.get(source, 0) + 1
        if sequence > expected:
            raise Gap(topic, slot.number, source, expected, sequence)
        if sequence < expected:
            self.duplicates += 1
            if (known := position.other_id(source, sequence, name)) is not None:
                raise Conflict(topic, slot.number, source, sequence, known, name, offset)
            return False
        position.note(source, sequence, name)
        return True

    def _prove(self, position: Position, slot: Slot, topic: str, record: Any) -> None:
        """The first record that is read is the last one taken, or the topic is another than the one we know."""
        probe, position.probe = position.probe, -1
        *_, name = _placed_by_headers(record)
        known, _ = position.marks.get(LAST, ("", None))
        if record.offset == probe and name and known and name != known:
            raise Anew(topic, slot.number)

    def _strange(self, slot: Slot, position: Position, topic: str, record: Any, body: bytes) -> Input:
        """A record the fast decoder refused: not heard here, of an unknown major, or unreadable."""
        unknown = None
        try:
            where = address(body)
        except Unreadable as error:
            source, sequence, name = _placed_by_headers(record)
            reason = str(error)
        else:
            source, sequence, name = where.source, int(where.sequence), where.id
            reason = self._judge(topic, where, body)
            unknown = where if self._unknown_major(where.type) else None
        if sequence and not self._is_next(position, slot, topic, source, sequence, name, record.offset):
            return _repeated(topic, record.offset, name)
        item = Input(topic, record.offset, source if sequence else "", sequence, None, body)
        item.id = name
        item.stray, item.unknown = reason.replace("\0", "\\0"), unknown
        self.unheard += 1
        return item

    def _judge(self, topic: str, where: Address, body: bytes) -> str:
        """Why a placed message must be quarantined; empty when it merely is not heard here."""
        message = MESSAGES.get(where.type)
        if message is None:
            return ""
        if topic_of(message) != topic:
            return f"{where.type} travels on {topic_of(message)}, not on {topic}"
        if message in self._service.hears:
            try:
                read(body)
            except Unreadable as error:
                return str(error)
        return ""

    def _unknown_major(self, name: str) -> bool:
        return name not in MESSAGES and re.sub(r"\.v\d+$", "", name) in self._majors


def _repeated(topic: str, offset: int, name: str) -> Input:
    """Only the position moves."""
    item = Input(topic, offset, "", 0, None)
    item.id = name
    return item


def _placed_by_headers(record: Any) -> tuple[str, int, str]:
    """Source, sequence and id from the Kafka headers; sequence 0 when they are missing."""
    headers = dict(record.headers)
    digits = headers.get("ce_sequence", b"")
    source, name = (headers.get(key, b"").decode(errors="replace").replace("\0", "\\0") for key in ("ce_source", "ce_id"))
    return source, int(digits) if digits.isdigit() else 0, name  # PostgreSQL stores no NUL
