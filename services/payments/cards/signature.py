"""Whether a callback is the acquirer's own: the signature of Standard Webhooks (specification, "Signature scheme"). Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

PREFIX = "whsec_"
AGE_S_MAX = 300
"""A callback that was signed longer ago, or so far ahead, may be one that somebody recorded."""


class NotSigned(ValueError):
    """This callback is not the acquirer's: why. Nothing of it is believed."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, now_s: int) -> str:
    """The callback's own id. `secret`: `whsec_` and base64; several signatures may stand in the header while a secret is changed.

    Raises `NotSigned`.
    """
    name, told_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not name or not told_at.isascii() or not told_at.isdigit() or len(told_at) > 12:
        raise NotSigned("webhook-id and webhook-timestamp are missing or malformed")
    if abs(now_s - int(told_at)) > AGE_S_MAX:
        raise NotSigned(
            f"signed {now_s - int(told_at)} s ago; more than {AGE_S_MAX} s either way is not believed: check both clocks"
        )
    expected = signature(secret, name, told_at, body)
    given = headers.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(each.encode(), expected.encode()) for each in given):
        raise NotSigned("no signature in it is made with our secret")
    return name


def signature(secret: str, name: str, told_at: str, body: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of id, time and body, joined by full stops."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise NotSigned("our own secret is no base64; write it as the acquirer gave it, with its whsec_") from error
    if not key:
        raise NotSigned("there is no secret to check with; set the acquirer's")
    signed = f"{name}.{told_at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()}"
