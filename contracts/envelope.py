"""The envelope every message travels in: a CloudEvents 1.0 event in structured JSON, with the official extensions.

`partitionkey` is the home of the credit group, `sequence` the number its writer gave it on that topic and partition
(dense from 1), `causationid` the id of the message that caused it, `correlationid` the flow it belongs to.
One envelope type per message is derived from its declaration, so a batch is decoded in one pass by `type`.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contracts.catalogue import MESSAGES
from contracts.message import Message, type_name
from contracts.words import Instant

SPECVERSION = "1.0"
SEQUENCE_DIGITS = 16
"""CloudEvents compares sequences as text, so they are padded: ten quadrillion messages a partition."""
BYTES_MAX = 900_000
"""Largest encoded message: the broker refuses more than 1 MiB a batch by default, headers and framing included."""
NUL = rb"\u0000"
"""Quick test for an escaped NUL; `checked` tells it from an escaped backslash before `u0000`."""
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


Name = Annotated[str, Meta(max_length=100)]
"""Longest text of the envelope's own: ids are 32 characters, a traceparent 55, references at most 64."""


class Unreadable(ValueError):
    """The bytes are not a message of the contracts: why, and where in them."""


class Oversized(ValueError):
    """The message does not fit into one Kafka record."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`source` is `/<service>/<writer partition>`; `time` is when it happened, by the installation's clock (UTC)."""

    specversion: Name
    id: Name
    source: Name
    time: Instant
    subject: Name
    partitionkey: Name
    sequence: Name
    correlationid: Name = ""
    causationid: Name = ""
    traceparent: Name = ""
    actorid: Name = ""
    actorrole: Name = ""
    teamid: Name = ""
    data: Any


def _envelope_of(name: str, message: type[Message]) -> type[Envelope]:
    fields: list[tuple[str, Any]] = [("data", message)]
    derived = msgspec.defstruct(
        f"{message.__name__}Envelope",
        fields,
        bases=(Envelope,),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
        tag_field="type",
        tag=name,
        module=__name__,
    )
    assert issubclass(derived, Envelope)
    return derived


ENVELOPES: dict[type[Message], type[Envelope]] = {message: _envelope_of(name, message) for name, message in MESSAGES.items()}
TYPE_NAMES: dict[type[Message], str] = {message: type_name(message) for message in MESSAGES.values()}


class Address(msgspec.Struct, frozen=True):
    """As much of an envelope as says where it belongs, for messages of a type that the reader does not know or hear."""

    id: str
    source: str
    type: str
    partitionkey: str
    sequence: str


_decode_address = msgspec.json.Decoder(Address).decode
encode_value = msgspec.json.Encoder(decimal_format="string").encode
"""Canonical JSON of any contract value: fields in declared order, no spaces, defaults left out."""


def decoder_of(messages: Iterable[type[Message]]) -> Callable[[bytes], Envelope]:
    """A one-pass decoder for the envelopes of these messages; it raises msgspec's own errors (see `read`)."""
    return msgspec.json.Decoder(functools.reduce(operator.or_, (ENVELOPES[message] for message in messages))).decode


@functools.cache
def reader_of(message: type[Message]) -> Callable[[bytes], Envelope]:
    """The decoder of this one message, made when it is first asked for."""
    return decoder_of((message,))


@functools.cache
def _any() -> Callable[[bytes], Envelope]:
    """Made when it is first asked for: it takes a fifth of a second, and most processes read only some messages."""
    return decoder_of(MESSAGES.values())


def read(body: bytes) -> Envelope:
    """The envelope in these bytes, of any declared message. Raises `Unreadable` with the reason and the field."""
    try:
        return checked(_any()(body), body)
    except msgspec.MsgspecError as error:
        raise Unreadable(str(error)) from error
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8 at byte {error.start}") from error


def checked(envelope: Envelope, body: bytes) -> Envelope:
    """What the declared types cannot say: no NUL anywhere, a number for a sequence."""
    if NUL in body and _ESCAPED_NUL.search(body):
        raise Unreadable("a text holds the NUL character; remove it")
    if not envelope.sequence.isdecimal():
        raise Unreadable(f"sequence {envelope.sequence!r} is not a number - at `$.sequence`")
    return envelope


def address(body: bytes) -> Address:
    """Where a message belongs that this release cannot read. Raises `Unreadable` when even that is missing."""
    try:
        where: Address = _decode_address(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(str(error)) from error
    if not where.sequence.isdecimal():
        raise Unreadable(f"sequence {where.sequence!r} is not a number - at `$.sequence`")
    if NUL in body and "\0" in "".join((where.id, where.source, where.type, where.partitionkey)):
        raise Unreadable("the address holds the NUL character")
    return where


def encode(envelope: Envelope) -> bytes:
    """The bytes that are journaled and published. Raises `Oversized` or `Unreadable` before anything is written."""
    body = encode_value(envelope)
    if NUL in body and _ESCAPED_NUL.search(body):
        raise Unreadable(f"{envelope.id} holds the NUL character in a text; remove it")
    if len(body) > BYTES_MAX:
        raise Oversized(f"{envelope.id} is {len(body)} bytes; at most {BYTES_MAX} travel in one message")
    return body


NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:quittance").bytes


def derived_id(*parts: str) -> str:
    """The version 5 UUID of these parts, 32 hex digits: the same cause always names its effects the same.

    Built by hand from SHA-1 (RFC 9562, 5.5): the library's takes 6.6 us, and there is one for every fact.
    """
    digest = bytearray(hashlib.sha1(NAMESPACE + "/".join(parts).encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()


def traceparent(flow: str, message_id: str) -> str:
    """W3C trace context: the flow is the trace, the message its span."""
    return f"00-{flow}-{message_id[:16]}-01"
