"""A message as the audit reads it: only what every release writes the same, so that facts of a newer one can be read as well."""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec


class Body(msgspec.Struct, frozen=True):
    id: str
    source: str
    type: str
    time: dt.datetime
    partitionkey: str
    sequence: str
    data: msgspec.Raw
    causationid: str = ""


body_of = msgspec.json.Decoder(Body).decode


def data_of(content: bytes | msgspec.Raw) -> bytes:
    """A short name for a content: both sides write contracts in their one canonical form."""
    return hashlib.sha256(bytes(content)).digest()[:12]
