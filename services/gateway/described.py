"""What OpenAPI says of the routes: bodies from the contracts' forms, answers, examples. Data only."""

from __future__ import annotations

from typing import Any

from services.gateway.bodies import Event, OrderForm
from services.gateway.problems import described

ABOUT = (
    "Orders, events and files come in here. Everything is durable before it is answered: 202 with a flow, or, with "
    "`Prefer: wait=N` (at most 30 s), 200 with the outcome. The same identity and content again is answered as the "
    "first time; with other content it is a 409. Amounts are decimal text in major units, never floats."
)

_FLOW = {
    "type": "object",
    "required": ["flow", "links"],
    "properties": {
        "flow": {"type": "string"},
        "state": {"type": "string"},
        "repeated": {"type": "boolean"},
        "outcomes": {"type": "object", "additionalProperties": {"type": "integer"}},
        "outcome": {"type": ["string", "null"]},
        "fact": {"type": ["object", "null"]},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_OBJECT = {"type": "object"}
_REF = "#/components/schemas/{model}"

ORDER_EXAMPLE = {
    "reference": "PO-1001",
    "account": "17850",
    "currency": "GBP",
    "total": "25.50",
    "lines": [{"sku": "85123A", "quantity": 10, "unit_price": "2.55"}],
}
EVENT_EXAMPLE = {
    "specversion": "1.0",
    "id": "7f0c",
    "source": "/warehouse/north",
    "type": "orders.record_despatch.v1",
    "data": {"order": "home/PO-1001", "account": "17850", "despatch": "D-1", "amount_minor": 2550},
}
CSV_EXAMPLE = "account,name,currency,limit\n17850,Castle Mobile,GBP,5000.00\n"


def _schema(model: Any) -> dict[str, Any]:
    return dict(model.model_json_schema(ref_template=_REF))


def components() -> dict[str, Any]:
    """Schemas that the bodies refer to."""
    found: dict[str, Any] = {}
    for model in (OrderForm, Event):
        schema = _schema(model)
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return found


def _answers(schema: dict[str, Any], *statuses: int, good: dict[int, str]) -> dict[int | str, dict[str, Any]]:
    fine: dict[int | str, dict[str, Any]] = {
        status: {"description": told, "content": {"application/json": {"schema": schema}}} for status, told in good.items()
    }
    return {**fine, **described(401, 503, *statuses)}


_GOOD = {200: "The outcome, or the first answer again.", 202: "Durable and on its way."}
_WAIT = {
    "name": "Prefer", "in": "header", "required": False, "schema": {"type": "string"}, "example": "wait=2",
    "description": "`wait=N`: answer with the outcome if it comes within N seconds, at most 30.",
}  # fmt: skip
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "The sender's own name for this request; without it the order's reference is its identity.",
}  # fmt: skip
_AFTER = {"name": "after", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0}}
_AFTER_ORDER = {"name": "after", "in": "query", "required": False, "schema": {"type": "string"}}

PLACE_ORDER: dict[str, Any] = {
    "responses": _answers(_FLOW, 400, 403, 409, 413, 415, 422, 429, good=_GOOD),
    "openapi_extra": {
        "parameters": [_WAIT, _KEY],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": _REF.format(model="Order")}, "example": ORDER_EXAMPLE}},
        },
    },
}
SEND_EVENTS: dict[str, Any] = {
    "responses": _answers(_FLOW, 400, 403, 409, 413, 415, 422, 429, good=_GOOD),
    "openapi_extra": {
        "parameters": [_WAIT],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {
                    "schema": {"$ref": _REF.format(model="Event")},
                    "example": EVENT_EXAMPLE,
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
            },
        },
    },
}
SEND_FILE: dict[str, Any] = {
    "responses": _answers(_FLOW, 400, 403, 404, 413, 415, 429, good=_GOOD),
    "openapi_extra": {
        "parameters": [
            {
                "name": "as_of", "in": "query", "required": False, "schema": {"type": "string", "format": "date-time"},
                "description": "On event time: when the rows that carry no time of their own count as said.",
            },
            {"name": "name", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 200}},
            {
                "name": "account", "in": "query", "required": False, "schema": {"type": "string", "maxLength": 64},
                "description": "Of kind `bank`, for a payer's advice: which of our accounts paid.",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": CSV_EXAMPLE},
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {"file": {"type": "string", "format": "binary"}},
                        "required": ["file"],
                    }
                },
            },
        },
    },
}  # fmt: skip
SHOW_FLOW: dict[str, Any] = {"responses": _answers(_FLOW, 404, good={200: "The flow."})}
SHOW_QUARANTINE: dict[str, Any] = {
    "responses": _answers(_OBJECT, 400, good={200: "The rows, at most 200."}),
    "openapi_extra": {"parameters": [_AFTER]},
}
LIST_HELD: dict[str, Any] = {
    "responses": _answers(_OBJECT, good={200: "The orders, at most 200."}),
    "openapi_extra": {"parameters": [_AFTER_ORDER]},
}
HELD_PAGE: dict[str, Any] = {
    "responses": {
        200: {"description": "A page.", "content": {"text/html": {"schema": {"type": "string"}}}},
        **described(401, 503),
    },
    "openapi_extra": {"parameters": [_AFTER_ORDER]},
}
