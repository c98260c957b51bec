"""What a person reads when a page cannot be shown: what happened, why, and what to do. A fragment gets a notice in its place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.console import auditing, pages
from services.console.guarding import Absent, Forbidden, Forged, Starting, TooLarge
from shared.database import AWAY
from shared.pool import Crowded

log = structlog.get_logger(__name__)

RETRY_S = 3


def told(request: Request, status: int, what: str, why: str, mend: str, retry_s: int = 0) -> Response:
    """An answer in words: a whole page, or a notice for the fragment that was asked for."""
    is_known = getattr(request.state, "session", None) is not None
    template = "notice.html" if "hx-request" in request.headers else "mishap.html" if is_known else "mishap_alone.html"
    headers = {"Retry-After": str(retry_s)} if retry_s else {}
    return pages.render(request, template, status=status, headers=headers, what=what, why=why, mend=mend, retry_s=retry_s)


async def _forbidden(request: Request, error: Exception) -> Response:
    refused = cast(Forbidden, error)
    await auditing.note(request, "role refused", refused.who, f"only {', '.join(refused.roles)}")
    may = ", ".join(pages.role_name(role) for role in refused.roles)
    why = f"You are signed in as {pages.role_name(refused.who.role)}. This is for: {may}."
    return told(request, 403, "This is not for your role", why, "The attempt was noted. A director can change your role.")


async def _absent(request: Request, error: Exception) -> Response:
    missed = cast(Absent, error)
    return told(request, 404, absent(missed), "It may be written otherwise.", "Look for it from the navigation.")


def absent(missed: Absent) -> str:
    """`No account T1010 in the portfolios you see (north)`: the same for what is unknown and for what is not theirs."""
    named = f"No {missed.what} {missed.name}" if missed.name else f"No such {missed.what}"
    seen = ", ".join(missed.who.portfolios)
    return f"{named} in the portfolios you see ({seen})" if seen else f"{named} is known here"


async def _forged(request: Request, error: Exception) -> Response:
    found = getattr(request.state, "session", None)
    await auditing.note(request, "form refused", found.person if found else "", str(error))
    return told(
        request, 403, "This form is out of date", f"It was not sent from a page of this session: {error}.",
        "Go back, load the page again, and send it once more. Nothing was changed.",
    )  # fmt: skip


async def _too_large(request: Request, _: Exception) -> Response:
    return told(request, 413, "That is too much at once", "The form is larger than this page ever sends.", "Choose fewer rows.")


async def _starting(request: Request, _: Exception) -> Response:
    return told(request, 503, "The console is starting", "It waits for its database.", "This page asks again by itself.", RETRY_S)


async def _away(request: Request, error: Exception) -> Response:
    log.warning("a page met an absent database", error=f"{type(error).__name__}: {error}")
    why = "The console's database does not answer. Nothing was changed."
    return told(request, 503, "Not now", why, "This page asks again by itself.", RETRY_S)


async def _crowded(request: Request, _: Exception) -> Response:
    return told(request, 503, "Too many pages at once", "All connections are in use.", "This page asks again by itself.", RETRY_S)


async def _http(request: Request, error: Exception) -> Response:
    known = cast(HTTPException, error)
    phrase = HTTPStatus(known.status_code).phrase
    if known.status_code == HTTPStatus.NOT_FOUND:
        return told(request, 404, "There is no such page", f"Nothing is at {request.url.path}.", "Start from the navigation.")
    why = known.detail if known.detail != phrase else "The request cannot be answered."
    return told(request, known.status_code, phrase, why, "Start from the navigation.")


async def _unexpected(request: Request, _: Exception) -> Response:
    # Starlette raises it again after this answer, so that the traceback stands in the log; people see no inside.
    return told(request, 500, "Something went wrong here", "It is in the log.", "Try again; if it stays, tell who runs this.")


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    Forbidden: _forbidden,
    Absent: _absent,
    Forged: _forged,
    TooLarge: _too_large,
    Starting: _starting,
    Crowded: _crowded,
    HTTPException: _http,
    Exception: _unexpected,
    **dict.fromkeys(AWAY, _away),
}
