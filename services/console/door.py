"""Around every answer: the names under which the console may be asked, and strict headers. Knows nothing of pages."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing from elsewhere, no script but our files. Style attributes are let through: bars carry their width in one."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ONE_YEAR_S = 31_536_000
PROBES = ("/livez", "/readyz", "/metrics")
"""Asked by machines, under whatever name."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class InTheClear(RuntimeError):
    """People would send passwords readable by everybody on the way: what to set."""


def check_public(settings: Settings) -> None:
    """Sign-in without TLS is for this machine only. Raises `InTheClear`."""
    asked = urlsplit(settings.public_url or f"http://{settings.host}")
    if asked.scheme != "https" and asked.hostname not in LOOPBACK:
        raise InTheClear(
            f"the console would be reached at http://{asked.hostname}, where passwords travel in the clear: serve it by TLS and "
            "set QUITTANCE_PUBLIC_URL=https://…, or to http://localhost:<port> where only this machine can reach it"
        )


def names(settings: Settings) -> frozenset[str]:
    """Hosts it answers to: its public one; on loopback all of that, so that no page elsewhere may point its own name at us."""
    public = urlsplit(settings.public_url).hostname
    return frozenset({public}) if public and public not in LOOPBACK else LOOPBACK


class Door:
    """ASGI. Streams pass through untouched."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._names = app, names(settings)
        strict = {"Strict-Transport-Security": f"max-age={ONE_YEAR_S}"} if settings.public_url.startswith("https://") else {}
        self._headers = HEADERS | strict

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._behind(scope)(scope, receive, headed)

    def _behind(self, scope: Scope) -> ASGIApp:
        if not self._is_ours(scope):
            return PlainTextResponse("this console has another name\n", 421)
        if "\0" in scope["path"]:  # no name of anything has one, and PostgreSQL takes none
            return PlainTextResponse("no page has such a name\n", 404)
        return self._app

    def _is_ours(self, scope: Scope) -> bool:
        host = urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname
        return scope["path"] in PROBES or host in self._names
