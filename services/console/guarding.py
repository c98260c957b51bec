"""The door of every page: who is signed in, whether the role may, and whether a form is really ours (A6).

`serving.py` puts every route behind `guarded` or `open_to_all`; a page then asks `person` and `require`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

import structlog
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from services.console import cover, sessions
from services.console.people import Person
from services.console.sessions import Session
from shared.settings import Settings

log = structlog.get_logger(__name__)

DESK = ("controller", "team_leader", "operations_manager", "financial_controller", "director")
"""The ladder of A6: who works orders and accounts."""
LOOKING = (*DESK, "sales", "ops", "audit")
"""Everybody who signs in may look at orders and accounts of their portfolios (V8)."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
FORM_BYTES_MAX = 256 * 1024
"""Largest form: a bulk of five hundred orders is 40 kB."""
UPLOADS = ("/reconciliations", "/receivables/erp")
UPLOAD_BYTES_MAX = 20 * 1024 * 1024
"""Forms that bring a file, and the largest of them: what a customer's list may have (`papers.their_list`)."""
NONCE_BYTES = 16
LIVE = "quittance-live"
"""Header of requests that a page makes by itself: they do not keep a session awake."""

Handler = Callable[[Request], Awaitable[Response]]


class Forbidden(Exception):
    """The person's role may not do this."""

    def __init__(self, who: Person, roles: tuple[str, ...]) -> None:
        super().__init__(f"{who.name} ({who.role}) asked for what only {', '.join(roles)} may")
        self.who, self.roles = who, roles


class Absent(Exception):
    """Nothing of this name in what the person sees; whether there is one elsewhere is not told."""

    def __init__(self, what: str, name: str, who: Person) -> None:
        super().__init__(f"no {what} {name!r} for {who.name}")
        self.what, self.name, self.who = what, name, who


class Forged(Exception):
    """A form that did not come from a page of this session: why."""


class TooLarge(Exception):
    """A form with more than FORM_BYTES_MAX, or without a length."""


class Starting(Exception):
    """The console has no database yet."""


# --- what pages ask -------------------------------------------------------------------------------------------------


def person(request: Request) -> Person:
    """Who is signed in."""
    return session(request).person


def session(request: Request) -> Session:
    found: Session = request.state.session
    return found


def require(request: Request, *roles: str) -> Person:
    """The person, if the role is one of these. Raises `Forbidden`, which is answered 403 and audited."""
    who = person(request)
    if who.role not in roles:
        raise Forbidden(who, roles)
    return who


async def still_signed_in(request: Request) -> bool:
    """Asked every so often by what outlives its request: a stream of events ends with its session."""
    return await sessions.is_open(request.app.state.pool, session(request))


def address_of(request: Request) -> str:
    return request.client.host if request.client else ""


def safe_path(text: str) -> str:
    """Where to go on after sign-in: a path of this console, or the start. Never another site."""
    if not text.startswith("/") or text[1:2] in ("/", "\\") or not text.isprintable() or "\\" in text or " " in text:
        return "/"
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else "/"


# --- routes behind the door -----------------------------------------------------------------------------------------


def guarded(route: Route) -> Route:
    """The same route for signed-in people only; its forms must be theirs."""

    async def handler(request: Request) -> Response:
        _check_started(request)
        found = await sessions.find(request.app.state.pool, request.cookies.get(session_cookie(request), ""))
        if found.session is None:
            return _to_sign_in(request)
        _remember(request, found.clock, found.session.form_key)
        request.state.session = await _covering(request, found.session)
        if request.method not in SAFE_METHODS:
            await _check_form(request)
        if found.session.to_note and LIVE not in request.headers:
            await sessions.touch(request.app.state.pool, found.session)
        response = await _inner(route)(request)
        if getattr(request.state, "notice_taken", False):
            drop_cookie(request, response, notice_cookie(request))
        return response

    return _replaced(route, handler)


async def _covering(request: Request, session: Session) -> Session:
    """The session in the role of whom its person acts for, as long as they cover them today (A6)."""
    if not session.acting_for:
        return session
    name, on = session.person.name, request.state.now.date()
    found = await cover.by(request.app.state.pool, name, session.acting_for, on)
    if found is None:
        return session
    return replace(session, person=replace(session.person, role=found.role, acting_for=found.person))


def open_to_all(route: Route) -> Route:
    """The same route for everybody. Its forms are bound to the browser by a cookie of their own."""

    async def handler(request: Request) -> Response:
        _check_started(request)
        given = request.cookies.get(form_cookie(request), "")
        key = given or secrets.token_urlsafe(sessions.TOKEN_BYTES)
        request.state.browser = key
        _remember(request, None, key.encode())
        if request.method not in SAFE_METHODS:
            await _check_form(request)
        response = await _inner(route)(request)
        if not given:
            set_cookie(request, response, form_cookie(request), key)
        return response

    return _replaced(route, handler)


def _inner(route: Route) -> Handler:
    inner: Handler = route.endpoint
    return inner


def _replaced(route: Route, handler: Handler) -> Route:
    methods = sorted(route.methods or ())
    return Route(route.path, handler, methods=methods, name=route.name, include_in_schema=False)


def _check_started(request: Request) -> None:
    if getattr(request.app.state, "pool", None) is None:
        raise Starting


def _remember(request: Request, clock: dt.datetime | None, form_key: bytes) -> None:
    """What templates need: the installation's clock (the messages' own on event time), and the key of forms."""
    is_wall = request.app.state.settings.clock == "wall" or clock is None
    request.state.now = dt.datetime.now(dt.UTC) if is_wall else clock
    request.state.heard = request.app.state.hub.id  # before the page reads anything: what is told from here on is news to it
    request.state.form_key = form_key


def _to_sign_in(request: Request) -> Response:
    """A page goes to sign-in and comes back; a fragment makes its page go there; anything else is told 401."""
    if "hx-request" in request.headers:
        shown = urlsplit(request.headers.get("hx-current-url", ""))
        back = safe_path(shown.path + (f"?{shown.query}" if shown.query else ""))
        return PlainTextResponse("signed out\n", 401, {"HX-Redirect": _sign_in_path(back)})
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("sign in first\n", 401)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(_sign_in_path(safe_path(asked) if request.method in SAFE_METHODS else "/"), 303)


def _sign_in_path(back: str) -> str:
    return "/sign-in" if back == "/" else f"/sign-in?next={quote(back, safe='')}"


# --- cookies --------------------------------------------------------------------------------------------------------


def is_secure(settings: Settings) -> bool:
    return settings.public_url.startswith("https://")


def session_cookie(request: Request) -> str:
    return _cookie_name(request.app.state.settings, "session")


def form_cookie(request: Request) -> str:
    return _cookie_name(request.app.state.settings, "form")


def notice_cookie(request: Request) -> str:
    return _cookie_name(request.app.state.settings, "notice")


def theme_cookie(request: Request) -> str:
    return _cookie_name(request.app.state.settings, "theme")


def _cookie_name(settings: Settings, what: str) -> str:
    """`__Host-` needs TLS. On plain loopback cookies are shared by all ports, so the name carries the port."""
    return f"__Host-quittance-{what}" if is_secure(settings) else f"quittance-{what}-{settings.port}"


def set_cookie(request: Request, response: Response, name: str, value: str, max_age_s: int | None = None) -> None:
    secure = is_secure(request.app.state.settings)
    response.set_cookie(name, value, max_age=max_age_s, path="/", secure=secure, httponly=True, samesite="lax")


def drop_cookie(request: Request, response: Response, name: str) -> None:
    secure = is_secure(request.app.state.settings)
    response.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")


# --- forms ----------------------------------------------------------------------------------------------------------


def form_token(key: bytes) -> str:
    """A token for one form, different every time, that only this session's key makes and checks."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + _mark(key, nonce)).decode()


def is_form_token(key: bytes, token: str) -> bool:
    try:
        raw = base64.urlsafe_b64decode(token.encode())
    except (binascii.Error, ValueError):
        return False
    nonce, mark = raw[:NONCE_BYTES], raw[NONCE_BYTES:]
    return hmac.compare_digest(mark, _mark(key, nonce))


def _mark(key: bytes, nonce: bytes) -> bytes:
    return hmac.digest(key, b"form" + nonce, hashlib.sha256)


async def _check_form(request: Request) -> None:
    """Raises `Forged` unless a page of ours sent this, `TooLarge` before anything is read."""
    check_same_origin(request)
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > (UPLOAD_BYTES_MAX if request.url.path in UPLOADS else FORM_BYTES_MAX):
        raise TooLarge
    token = (await request.form()).get("csrf", "")
    if not isinstance(token, str) or not is_form_token(request.state.form_key, token):
        raise Forged("its token is not this session's")


def check_same_origin(request: Request) -> None:
    """Browsers say where a request comes from; one that says nothing is none of ours. Raises `Forged`."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None and site != "same-origin":
        raise Forged(f"it came from another place ({site})")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise Forged("it came from another origin")
    if site is None and origin is None:
        raise Forged("it does not say where it came from")
