"""Every declared message goes out and comes back the same, is a valid CloudEvent, and fits its exported schema (G2)."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import jsonschema
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.catalogue import MESSAGES, TOPICS
from contracts.envelope import Unreadable, address, encode, read
from contracts.export import schema_of
from contracts.message import Message, topic_of, type_name
from tests.contracts.generated import envelopes

every_message = pytest.mark.parametrize("declared", MESSAGES.values(), ids=MESSAGES)
patient = [HealthCheck.too_slow, HealthCheck.data_too_large]
some = settings(max_examples=8, suppress_health_check=patient, deadline=None)
ATTRIBUTE_NAME = re.compile(r"[a-z0-9]{1,20}")


@functools.cache
def validator_of(declared: type[Message]) -> Any:
    return jsonschema.Draft202012Validator(schema_of(declared))


@every_message
@some
@given(st.data())
def test_what_is_sent_is_read_back_and_is_what_the_schema_says(declared: type[Message], data: st.DataObject) -> None:
    sent = data.draw(envelopes(declared))
    body = encode(sent)
    assert read(body) == sent
    assert encode(read(body)) == body
    validator_of(declared).validate(json.loads(body))
    assert_is_cloud_event(body, declared)


def assert_is_cloud_event(body: bytes, declared: type[Message]) -> None:
    event = JSONFormat().read(CloudEvent, body)
    assert event.get_type() == type_name(declared)
    names = [name for name in json.loads(body) if name != "data"]
    assert all(ATTRIBUTE_NAME.fullmatch(name) for name in names)


@every_message
@settings(some, max_examples=2)
@given(st.data())
def test_an_older_reader_takes_what_it_knows_of_a_newer_message(declared: type[Message], data: st.DataObject) -> None:
    sent = data.draw(envelopes(declared))
    newer = json.loads(encode(sent))
    newer["data"]["invented_later"] = 1
    newer["inventedlater"] = "x"
    assert read(json.dumps(newer).encode()) == sent
    placed = address(encode(sent).replace(type_name(declared).encode(), b"orders.invented_later.v9"))
    assert (placed.id, placed.partitionkey, placed.sequence) == (sent.id, sent.partitionkey, sent.sequence)


@every_message
def test_a_message_lives_on_a_declared_topic(declared: type[Message]) -> None:
    assert topic_of(declared) in TOPICS
    assert topic_of(declared).endswith(".commands") is declared.is_command


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "truncated"),
        (b"{", "truncated"),
        (b"[]", "object"),
        (b"\xff\xfe", "malformed"),
        (b'{"type": "orders.unheard_of.v1"}', "unheard_of"),
        (b'{"type": "accounts.command_unneeded.v1"}', "required field"),
    ],
)
def test_bytes_that_are_no_message_are_unreadable_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(body)


def test_no_text_holds_nul() -> None:
    body = (
        b'{"type":"accounts.command_unneeded.v1","specversion":"1.0","id":"1","source":"/a/0","time":"2024-01-01T00:00:00Z",'
        b'"subject":"a","partitionkey":"a","sequence":"1","data":{"account":"a\\u0000"}}'
    )
    with pytest.raises(Unreadable, match="NUL"):
        read(body)
