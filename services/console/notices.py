"""What the doer is told once, on the page that a form leads to: never in its address, which others open as well.

It travels in a cookie that is signed like forms with the session's own key, says for which page it is, and goes when it is shown.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import unquote, urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.console import guarding

KEPT_S = 60
"""Whoever has not come to the page by then has gone elsewhere."""
TEXT_MAX = 700
"""Browsers keep 4 kB of a cookie."""
MARK_BYTES = 32


class Notice(msgspec.Struct, frozen=True):
    """`at` is the path of the page that shows it; `tone` the class of its colour."""

    at: str
    text: str
    tone: str = "ok"


_decode = msgspec.json.Decoder(Notice).decode


def go(request: Request, address: str, text: str, tone: str = "ok") -> Response:
    """To the page at this address, where the person reads this once."""
    response = RedirectResponse(address, 303)
    notice = Notice(unquote(urlsplit(address).path), text[:TEXT_MAX], tone)
    signed = sign(request.state.form_key, notice)
    guarding.set_cookie(request, response, guarding.notice_cookie(request), signed, KEPT_S)
    return response


def taken(request: Request) -> Notice | None:
    """What there is to tell on this page. It is gone with this answer, and a fragment takes nothing."""
    if "hx-request" in request.headers:
        return None
    found = read(request.state.form_key, request.cookies.get(guarding.notice_cookie(request), ""))
    if found is None or found.at != request.scope["path"]:
        return None
    request.state.notice_taken = True
    return found


def sign(key: bytes, notice: Notice) -> str:
    body = msgspec.json.encode(notice)
    return base64.urlsafe_b64encode(_mark(key, body) + body).decode()


def read(key: bytes, text: str) -> Notice | None:
    """None for what this session did not sign."""
    try:
        raw = base64.urlsafe_b64decode(text.encode())
    except (binascii.Error, ValueError):
        return None
    mark, body = raw[:MARK_BYTES], raw[MARK_BYTES:]
    return _decode(body) if hmac.compare_digest(mark, _mark(key, body)) else None


def _mark(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"notice" + body, hashlib.sha256)
