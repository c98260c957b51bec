"""Answers that say no: application/problem+json (RFC 9457) with every error, its field and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from contracts.forms import Fault

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer with this status. `more` are further members of the problem document."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, tuple(errors)
        self.headers, self.more = dict(headers or {}), more


def answer(problem: Problem) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:quittance:problem:{problem.status.name.lower().replace('_', '-')}",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": problem.detail,
        "errors": [msgspec.to_builtins(fault) for fault in problem.errors],
        **problem.more,
    }
    response = JSONResponse(body, int(problem.status), problem.headers, MEDIA_TYPE)
    if problem.status is HTTPStatus.UNAUTHORIZED:
        # A line of its own: browsers read one challenge a line, and would not ask for a password behind another one.
        response.headers.append("WWW-Authenticate", 'Bearer realm="quittance"')
    return response


async def on_problem(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return answer(problem)


def unauthenticated() -> Problem:
    return Problem(
        HTTPStatus.UNAUTHORIZED,
        "no valid credential: send `Authorization: Bearer <token>`",
        headers={"WWW-Authenticate": 'Basic realm="quittance", charset="UTF-8"'},
    )


def forbidden(what: str, mend: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, what, [Fault("credential", what, mend)])


def only_reads(role: str) -> Problem:
    return forbidden(f"the role {role} only reads (V8)", "ask somebody at the desk to send it")


SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "errors"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "problem", "mend"],
                "properties": {name: {"type": "string"} for name in ("field", "problem", "mend")},
            },
        },
    },
}

_WHEN = {
    400: "The body is no JSON; line and column say where.",
    401: "No valid credential.",
    403: "The credential may not do this.",
    404: "There is no such thing for this team.",
    409: "The same identity came before with other content.",
    413: "The body is larger than the limit, which is named.",
    415: "The media type is not taken here; the allowed ones are named.",
    422: "Well formed, but it cannot go on: every fault with its field and how to mend it.",
    429: "Too much waits to be sent on; try again after `Retry-After` seconds.",
    503: "Not ready, or the account is being opened; try again after `Retry-After` seconds.",
}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These answers for OpenAPI."""
    content = {MEDIA_TYPE: {"schema": SCHEMA}}
    return {status: {"description": _WHEN[status], "content": content} for status in statuses}
