"""What a model says and keeps must come back out of its bytes: types and bounds are checked where bytes are read."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from contracts.envelope import encode_value

Value = TypeVar("Value", bound=msgspec.Struct)


def read_back(value: Value) -> Value:
    """A message or row as it is read again. Raises ValidationError for a field that its readers would refuse."""
    read = msgspec.json.decode(encode_value(value), type=type(value))
    assert read == value, f"{value} reads as {read}"
    return read
