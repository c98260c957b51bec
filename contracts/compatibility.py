"""What of a JSON Schema may not change within a major: what is already written must stay readable, and mean the same.

Journals and topics keep every message for ever, so a newer reader meets every older message. A pure comparison.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """One sentence per break, each with the field's path; empty when `after` may replace `before`."""
    return list(_Comparison(before, after).of(before, after, "$"))


class _Comparison:
    """Two documents with their own `$defs`; references are followed in the document they stand in."""

    def __init__(self, before: Schema, after: Schema) -> None:
        self.before = before
        self.after = after

    def of(self, before: Schema, after: Schema, path: str) -> Iterator[str]:
        before, after = _resolved(before, self.before), _resolved(after, self.after)
        yield from _default(before, after, path)
        if "anyOf" in before or "anyOf" in after:
            yield from self._alternatives(before, after, path)
        else:
            yield from _narrowed(before, after, path)
            yield from self._properties(before, after, path)
            yield from self._elements(before, after, path)

    def _alternatives(self, before: Schema, after: Schema, path: str) -> Iterator[str]:
        """Each alternative of before must be readable as one of after; else the breaks of its nearest one are named."""
        candidates = after.get("anyOf", [after])
        for alternative in before.get("anyOf", [before]):
            breaks = [list(self.of(_bare(alternative), _bare(candidate), path)) for candidate in candidates]
            if all(breaks):
                yield from min(breaks, key=len)

    def _properties(self, before: Schema, after: Schema, path: str) -> Iterator[str]:
        was, now = before.get("properties", {}), after.get("properties", {})
        yield from (f"{path}.{name} is gone" for name in was if name not in now)
        yield from _required(before, after, path)
        for name in was:
            if name in now:
                yield from self.of(was[name], now[name], f"{path}.{name}")

    def _elements(self, before: Schema, after: Schema, path: str) -> Iterator[str]:
        for keyword, mark in (("items", "[]"), ("additionalProperties", ".*")):
            was, now = before.get(keyword, True), after.get(keyword, True)
            if now is not True and was is not False:
                yield from self._element(was, now, path + mark)

    def _element(self, was: Schema | bool, now: Schema | bool, path: str) -> Iterator[str]:
        if isinstance(was, dict) and isinstance(now, dict):
            yield from self.of(was, now, path)
        else:
            yield f"{path} was free and is no longer"


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        target = document["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _bare(schema: Schema) -> Schema:
    """Without its default, which belongs to the whole field and is compared there."""
    return {key: value for key, value in schema.items() if key != "default"}


def _default(before: Schema, after: Schema, path: str) -> Iterator[str]:
    """A default is left out when written: with another one, what is stored would mean something else."""
    if "default" in before and "default" in after and before["default"] != after["default"]:
        yield f"{path} means {after['default']!r} when left out, and meant {before['default']!r}"


def _required(before: Schema, after: Schema, path: str) -> Iterator[str]:
    was, now = set(before.get("required", [])), set(after.get("required", []))
    yield from (f"{path}.{name} is newly required" for name in sorted(now - was))
    yield from (f"{path}.{name} is no longer required; readers rely on it" for name in sorted(was - now & set(was)))


def _narrowed(before: Schema, after: Schema, path: str) -> Iterator[str]:
    if _other_type(before, after):
        yield f"{path} is {after['type']} and was {before.get('type', 'anything')}"
        return
    if "enum" in after and not set(before.get("enum", [None])) <= set(after["enum"]):
        yield f"{path} takes {sorted(after['enum'])} and took {sorted(before.get('enum', [])) or 'anything'}"
    yield from (f"{path} has another {key}" for key in ("pattern", "format", "const") if _added(before, after, key))
    for bounds, sign in ((LOWER_BOUNDS, 1), (UPPER_BOUNDS, -1)):
        for bound in bounds:
            if bound in after and (bound not in before or sign * after[bound] > sign * before[bound]):
                yield f"{path} has {bound} {after[bound]} and had {before.get(bound, 'none')}"


def _other_type(before: Schema, after: Schema) -> bool:
    was, now = before.get("type"), after.get("type")
    return now is not None and was != now and (was, now) != ("integer", "number")


def _added(before: Schema, after: Schema, key: str) -> bool:
    return key in after and before.get(key) != after[key]
