"""What may and may not change within a major, on small schemas."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.compatibility import Schema, breaking_changes

TEXT = {"type": "string", "maxLength": 40}
MAYBE_DAY = {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None}


def an_order(required: tuple[str, ...] = ("order",), **fields: Schema) -> Schema:
    return {
        "$ref": "#/$defs/Order",
        "$defs": {"Order": {"type": "object", "properties": {"order": TEXT, **fields}, "required": list(required)}},
    }


def changed(before: Any, after: Any) -> list[str]:
    return breaking_changes(an_order(value=before), an_order(value=after))


def test_the_same_schema_breaks_nothing() -> None:
    assert breaking_changes(an_order(), an_order()) == []


def test_a_new_optional_field_breaks_nothing() -> None:
    assert breaking_changes(an_order(), an_order(note={**TEXT, "default": ""})) == []


def test_a_removed_field_breaks() -> None:
    assert breaking_changes(an_order(note=TEXT), an_order()) == ["$.note is gone"]


def test_a_renamed_field_breaks() -> None:
    assert breaking_changes(an_order(note=TEXT), an_order(remark=TEXT)) == ["$.note is gone"]


def test_a_newly_required_field_breaks() -> None:
    assert breaking_changes(an_order(), an_order(("order", "note"), note=TEXT)) == ["$.note is newly required"]


def test_a_field_that_readers_rely_on_must_stay_required() -> None:
    before, after = an_order(("order", "note"), note=TEXT), an_order(note=TEXT)
    assert breaking_changes(before, after) == ["$.note is no longer required; readers rely on it"]


def test_words_for_people_may_change() -> None:
    assert changed({**TEXT, "description": "a", "title": "b"}, {**TEXT, "description": "c"}) == []


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ({"type": "integer"}, {"type": "string"}, "$.value is string and was integer"),
        ({"type": "number"}, {"type": "integer"}, "$.value is integer and was number"),
        ({}, {"type": "string"}, "$.value is string and was anything"),
        ({"type": "integer", "maximum": 9}, {"type": "integer", "maximum": 8}, "$.value has maximum 8 and had 9"),
        ({"type": "integer"}, {"type": "integer", "minimum": 0}, "$.value has minimum 0 and had none"),
        ({"type": "string", "minLength": 1}, {"type": "string", "minLength": 2}, "$.value has minLength 2 and had 1"),
        ({"type": "string"}, {"type": "string", "format": "date"}, "$.value has another format"),
        ({"type": "string"}, {"type": "string", "pattern": "^x$"}, "$.value has another pattern"),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, "$.value takes ['a'] and took ['a', 'b']"),
        ({"type": "integer", "default": 0}, {"default": 1}, "$.value means 1 when left out, and meant 0"),
        (
            {"type": "array", "items": TEXT},
            {"type": "array", "items": {"type": "integer"}},
            "$.value[] is integer and was string",
        ),
        ({"type": "array"}, {"type": "array", "items": TEXT}, "$.value[] was free and is no longer"),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}, "$.value.* was free and is no longer"),
        (MAYBE_DAY, {"type": "string", "format": "date"}, "$.value is string and was null"),
    ],
)
def test_a_narrower_field_breaks(before: Schema, after: Schema, sentence: str) -> None:
    assert changed(before, after) == [sentence]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({"type": "string"}, {}),
        ({"type": "integer", "maximum": 8}, {"type": "integer", "maximum": 9}),
        ({"type": "integer", "minimum": 0}, {"type": "integer"}),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}),
        ({"type": "string", "format": "date"}, {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}),
        ({"type": "array", "items": TEXT}, {"type": "array", "items": {"type": "string"}}),
        ({"type": "array", "items": TEXT}, {"type": "array"}),
        ({"type": "object", "additionalProperties": False}, {"type": "object"}),
    ],
)
def test_a_wider_field_breaks_nothing(before: Schema, after: Schema) -> None:
    assert changed(before, after) == []


def test_a_struct_may_get_another_name_but_not_another_content() -> None:
    before = {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "properties": {"x": TEXT}}}}
    after = {"$ref": "#/$defs/B", "$defs": {"B": {"type": "object", "properties": {"x": TEXT}}}}
    assert breaking_changes(before, after) == []
    after["$defs"] = {"B": {"type": "object", "properties": {}}}
    assert breaking_changes(before, after) == ["$.x is gone"]


def test_breaks_are_found_inside_lists_of_alternatives() -> None:
    before = {"anyOf": [{"type": "object", "properties": {"x": TEXT}}, {"type": "null"}]}
    after = {"anyOf": [{"type": "object", "properties": {}}, {"type": "null"}]}
    assert breaking_changes(before, after) == ["$.x is gone"]
