"""Values of any declared message, made from its types alone, so that a new message is tested the day it is declared."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect as mi

from contracts.envelope import ENVELOPES, Envelope
from contracts.message import Message

LIST_MAX = 3
"""Long lists prove nothing that short ones do not."""

texts = st.characters(exclude_characters="\0", categories=["L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Co", "Cn"])
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
instants = st.integers(-60_000 * 10**12, 250_000 * 10**12).flatmap(
    lambda tick: zones.map(lambda zone: dt.datetime.fromtimestamp(0, zone) + dt.timedelta(microseconds=tick))
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(texts, max_size=10),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(texts, max_size=5), inner, max_size=2),
    max_leaves=4,
)


def values(kind: mi.Type) -> st.SearchStrategy[Any]:
    """Every value the declared type allows, up to the length of lists."""
    match kind:
        case mi.IntType():
            return st.integers(kind.ge, kind.le)
        case mi.StrType():
            return st.text(texts, min_size=kind.min_length or 0, max_size=min(kind.max_length or 40, 64))
        case mi.BoolType():
            return st.booleans()
        case mi.DateType():
            return st.dates()
        case mi.DateTimeType():
            return instants
        case mi.DecimalType():
            return st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False)
        case mi.NoneType():
            return st.none()
        case mi.UnionType():
            return st.one_of([values(part) for part in kind.types])
        case mi.VarTupleType():
            return st.lists(values(kind.item_type), min_size=kind.min_length or 0, max_size=LIST_MAX).map(tuple)
        case mi.DictType():
            return st.dictionaries(values(kind.key_type), values(kind.value_type), max_size=LIST_MAX)
        case mi.AnyType():
            return plain
        case mi.StructType():
            return st.builds(kind.cls, **{field.name: values(field.type) for field in kind.fields})
    raise TypeError(f"contracts use {kind} for the first time: say here how to make one")


def messages(declared: type[Message]) -> st.SearchStrategy[Message]:
    strategy: st.SearchStrategy[Message] = values(mi.type_info(declared))
    return strategy


@st.composite
def envelopes(draw: st.DrawFn, declared: type[Message]) -> Envelope:
    """The message in an envelope as the kit makes them."""
    words = st.text(texts, min_size=1, max_size=64)
    return ENVELOPES[declared](
        specversion="1.0",
        id=draw(st.uuids()).hex,
        source=f"/{draw(st.sampled_from(['accounts', 'orders']))}/{draw(st.integers(0, 1023))}",
        time=draw(instants),
        subject=draw(words),
        partitionkey=draw(words),
        sequence=f"{draw(st.integers(1, 10**16 - 1)):016d}",
        correlationid=draw(st.uuids()).hex,
        causationid=draw(st.uuids()).hex,
        actorid=draw(st.just("") | words),
        data=draw(messages(declared)),
    )
