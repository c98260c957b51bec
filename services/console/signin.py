"""Signing in and out with a password kept here, and the light or dark look. `elsewhere.py` signs in at an identity provider."""

from __future__ import annotations

import math

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from services.console import auditing, guarding, pages, people, sessions, slowing

log = structlog.get_logger(__name__)

WRONG = "Name and password do not match, or this person may no longer sign in."
YEAR_S = 31_536_000


async def show(request: Request) -> Response:
    """The form; who is signed in already goes on at once."""
    back = guarding.safe_path(request.query_params.get("next", "/"))
    found = await sessions.find(request.app.state.pool, request.cookies.get(guarding.session_cookie(request), ""))
    return RedirectResponse(back, 303) if found.session else _form(request, back)


def _form(request: Request, back: str, name: str = "", problem: str = "", status: int = 200, **headers: str) -> Response:
    elsewhere = bool(request.app.state.settings.oidc_issuer)
    told = {key.replace("_", "-"): value for key, value in headers.items()}
    return pages.render(
        request, "signin.html", status=status, headers=told, next=back, name=name, problem=problem, elsewhere=elsewhere
    )


async def sign_in(request: Request) -> Response:
    form = await request.form()
    back = guarding.safe_path(str(form.get("next", "/")))
    name, password = people.plain_name(str(form.get("name", ""))), str(form.get("password", ""))
    name = name.replace("\0", "").encode(errors="replace").decode()
    wait = math.ceil(await slowing.claim(request.app.state.pool, name, guarding.address_of(request)))
    if wait:
        await auditing.note(request, "sign-in slowed", name, f"{wait} s")
        return _form(request, back, name, f"Too many tries. Wait {wait} s, then try again.", 429, Retry_After=str(wait))
    kept = await people.password_of(request.app.state.pool, name)
    if not await people.matches(kept, password):
        await auditing.note(request, "sign-in failed", name)
        return _form(request, back, name, WRONG, 401)
    await slowing.forgive(request.app.state.pool, name, guarding.address_of(request))
    if kept and people.is_weaker(kept):
        await people.keep_password(request.app.state.pool, name, password)
    return await signed_in(request, name, back)


async def signed_in(request: Request, name: str, back: str) -> Response:
    """A new session for this person, and on to where they wanted to go. What the browser had before is ended."""
    await sessions.end(request.app.state.pool, request.cookies.get(guarding.session_cookie(request), ""))
    token = await sessions.begin(request.app.state.pool, name, guarding.address_of(request))
    await auditing.note(request, "signed in", name)
    response = RedirectResponse(back, 303)
    guarding.set_cookie(request, response, guarding.session_cookie(request), token)
    # Its forms were made before it was known who fills them in: the next ones are the session's.
    guarding.drop_cookie(request, response, guarding.form_cookie(request))
    return response


async def sign_out(request: Request) -> Response:
    await sessions.end(request.app.state.pool, request.cookies.get(guarding.session_cookie(request), ""))
    await auditing.note(request, "signed out", guarding.person(request))
    response = RedirectResponse("/sign-in", 303)
    guarding.drop_cookie(request, response, guarding.session_cookie(request))
    return response


async def choose_theme(request: Request) -> Response:
    form = await request.form()
    chosen = str(form.get("theme", "auto"))
    response = RedirectResponse(guarding.safe_path(str(form.get("next", "/"))), 303)
    if chosen in pages.THEMES:
        guarding.set_cookie(request, response, guarding.theme_cookie(request), chosen, YEAR_S)
    return response


OPEN_ROUTES = [Route("/sign-in", show, methods=["GET"]), Route("/sign-in", sign_in, methods=["POST"])]
ROUTES = [Route("/sign-out", sign_out, methods=["POST"]), Route("/theme", choose_theme, methods=["POST"])]
