"""What a model says must be readable by whoever hears it: types and bounds of the contracts are checked where bytes are read."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from contracts.envelope import encode_value
from contracts.message import Message

Said = TypeVar("Said", bound=Message)


def heard(said: Said) -> Said:
    """The message as it comes out of its bytes. Raises ValidationError for a field that its readers would refuse."""
    read = msgspec.json.decode(encode_value(said), type=type(said))
    assert read == said, f"{said} reads as {read}"
    return read
