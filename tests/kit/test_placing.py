"""Ids, places and bytes of messages: the same for ever, on every machine."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from contracts import envelope as envelopes
from contracts.envelope import BYTES_MAX, ENVELOPES, Envelope, Oversized, Unreadable, address, derived_id, encode, read
from contracts.orders import Line, NoteOrder, Placed, PlaceOrder
from shared.topics import partition_of
from tests.kit.stage import BEGAN


def _note(text: str) -> Envelope:
    return ENVELOPES[NoteOrder](
        specversion="1.0", id="1" * 32, source="/gateway/0", time=BEGAN, subject="web/1", partitionkey="A1", sequence="1",
        data=NoteOrder(order="web/1", account="A1", note=text),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("home", "of_4", "of_16"), [("A1", 1, 1), ("A0000017", 3, 15), ("Müller & Söhne", 1, 13), ("", 0, 0), ("😀", 0, 4)]
)
def test_a_home_stays_where_it_was_placed(home: str, of_4: int, of_16: int) -> None:
    """Written down, not computed: another answer would split every stored group."""
    assert (partition_of(home, 4), partition_of(home, 16)) == (of_4, of_16)


@pytest.mark.parametrize("parts", [("a",), ("orders", "x/y", "1"), ("ä", "")])
def test_a_derived_id_is_the_version_5_uuid_of_its_parts(parts: tuple[str, ...]) -> None:
    assert derived_id(*parts) == uuid.uuid5(uuid.UUID(bytes=envelopes.NAMESPACE), "/".join(parts)).hex


def test_the_namespace_of_ids_never_changes() -> None:
    assert derived_id("orders", "1") == "edd0af35640557eb8873364e46941681"


@pytest.mark.parametrize("text", ["\0", "a\0b", "\\\0", "\\\\\0"])
def test_a_text_with_nul_is_neither_written_nor_read(text: str) -> None:
    with pytest.raises(Unreadable, match="NUL"):
        encode(_note(text))
    with pytest.raises(Unreadable, match="NUL"):
        read(envelopes.encode_value(_note(text)))


@pytest.mark.parametrize("text", ["\\u0000", "\\\\u0000", "u0000", "\\"])
def test_a_backslash_before_u0000_is_no_nul(text: str) -> None:
    assert read(encode(_note(text))).data.note == text


def test_a_nul_in_the_address_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="NUL"):
        address(encode(_note("")).replace(b'"/gateway/0"', rb'"/gate\u0000way/0"'))


def test_a_message_too_large_for_the_topic_is_refused_before_it_is_written() -> None:
    line = Line(sku="x" * 60, quantity=1, unit_price=Decimal(1), amount_minor=1, description="y" * 500)
    placed = Placed(currency="GBP", total_minor=1, received_at=BEGAN, lines=(line,) * 2000)
    whole = ENVELOPES[PlaceOrder](
        specversion="1.0", id="1" * 32, source="/gateway/0", time=BEGAN, subject="", partitionkey="A1", sequence="1",
        data=PlaceOrder(order="web/1", account="A1", placed=placed),
    )  # fmt: skip
    with pytest.raises(Oversized, match=f"at most {BYTES_MAX}"):
        encode(whole)
