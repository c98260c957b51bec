"""A card acquirer for development and tests, over real HTTP. It never moves money, and never sees or stores a card number.

It keeps what acquirers promise: a key is one payment for ever, across restarts; it may answer late, twice or not at all; and what
it tells later is signed (Standard Webhooks). The last two digits of an amount say what happens, so that tests are exact.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

DECLINES, HANGS, LATE, BREAKS, TWICE = 1, 2, 3, 4, 5
"""Last two digits of the amount: declined · taken, but the first question gets no answer · answered by callback only · taken, but
the first question gets an error · taken, and told again by callback. All others are taken and answered at once."""
HANG_S = 30.0
"""Longer than anybody waits."""
BODY_BYTES_MAX = 16_384
BEGINS = "tok_"
"""What tokens begin with; anything else is refused unread, it might be a card number."""
TRIES_MAX = 6
"""How often a callback is tried: 1, 2, 4, 8, 16 s apart."""
_ASKED = ("key", "account", "payment", "action", "amount_minor", "currency")


class Sandbox:
    """`book` maps each key to what was answered and the digest of what was asked: never the token itself."""

    def __init__(self, file: Path | None = None, callback: str = "", secret: str = "", hang_s: float = HANG_S) -> None:
        self.file, self.callback, self.secret, self.hang_s = file, callback, secret, hang_s
        self.book: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                self._enter(json.loads(line))

    def _enter(self, entry: dict[str, Any]) -> None:
        self.book[entry["key"]] = entry

    def _keep(self, entry: dict[str, Any]) -> None:
        """On disk before it is answered: an acquirer that forgets would take money twice."""
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(entry) + "\n")
                out.flush()
                os.fsync(out.fileno())
        self._enter(entry)

    # --- asked

    async def payments(self, request: Request) -> Response:
        """POST /v1/payments with an Idempotency-Key: 200 outcome, 202 not known yet, 400 refused, 409 other content."""
        wish = await _read(request)
        if isinstance(wish, Response):
            return wish
        key, digest = request.headers["idempotency-key"], _digest(wish)
        known = self.book.get(key)
        if known is not None and known["digest"] != digest:
            return _refused(409, "this key was used for another payment")
        first = known is None
        entry = known or self._decided(key, digest, wish)
        self.asked[key] = self.asked.get(key, 0) + 1
        return await self._answered(entry, first)

    def _decided(self, key: str, digest: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        taken, declined = ("captured", "declined") if wish["action"] == "capture" else ("refunded", "refund_declined")
        outcome = declined if wish["amount_minor"] % 100 == DECLINES else taken
        detail = "insufficient funds" if outcome == declined else ""
        entry = {name: wish[name] for name in _ASKED} | {"digest": digest, "outcome": outcome, "detail": detail}
        self._keep(entry)
        return entry

    async def _answered(self, entry: dict[str, Any], first: bool) -> Response:
        ending = entry["amount_minor"] % 100
        if ending == HANGS and first:
            await asyncio.sleep(self.hang_s)
        if ending == BREAKS and first:
            return _refused(500, "something broke after the money was taken")
        if ending in (LATE, TWICE) and first:
            self._tell_later(entry)
        if ending == LATE:
            return JSONResponse({"status": "pending"}, 202)
        return JSONResponse({name: entry[name] for name in ("outcome", "amount_minor", "detail")})

    async def charge_back(self, request: Request) -> Response:
        """POST /v1/chargebacks {"key": ...}: the cardholder's bank takes a captured payment back; told by callback."""
        entry = self.book.get(str((await request.json()).get("key")))
        if entry is None or entry["outcome"] != "captured":
            return _refused(404, "no captured payment under this key")
        self._tell_later(entry | {"outcome": "charged_back", "detail": "fraud claimed by the cardholder"})
        return Response(status_code=202)

    # --- tells

    def _tell_later(self, entry: Mapping[str, Any]) -> None:
        if self.callback:
            task = asyncio.create_task(self._tell(entry))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _tell(self, entry: Mapping[str, Any]) -> None:
        """Until it is taken, always with the same id; a time and signature of its own for each try."""
        data = {name: entry[name] for name in ("account", "payment", "key", "outcome", "amount_minor", "detail")}
        body = json.dumps({"type": f"payment.{entry['outcome']}", "data": data}).encode()
        name = f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
        async with httpx.AsyncClient(timeout=5) as client:
            for tries in range(TRIES_MAX):
                try:
                    answer = await client.post(
                        self.callback, content=body, headers=signed(self.secret, name, int(time.time()), body)
                    )
                    if answer.is_success:
                        return
                except httpx.HTTPError:
                    pass  # not there yet: tried again below
                await asyncio.sleep(2.0**tries)

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/payments", self.payments, methods=["POST"]),
                Route("/v1/chargebacks", self.charge_back, methods=["POST"]),
                Route("/livez", _here),
                Route("/readyz", _here),
            ]
        )


def signed(secret: str, name: str, told_at: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{name}.{told_at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(told_at),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "content-type": "application/json",
    }


async def _here(_: Request) -> Response:
    return PlainTextResponse("ready\n")


async def _read(request: Request) -> dict[str, Any] | Response:
    body = await request.body()
    try:
        wish = json.loads(body[:BODY_BYTES_MAX])
    except ValueError:
        return _refused(400, "no JSON")
    if not isinstance(wish, dict) or request.headers.get("idempotency-key", "") != wish.get("key") or not wish.get("key"):
        return _refused(400, "name the payment's key in the body and in Idempotency-Key")
    if not str(wish.get("token", "")).startswith(BEGINS):
        return _refused(400, f"send a token, which begins with {BEGINS}; never a card number")
    if wish.get("action") not in ("capture", "refund") or not all(name in wish for name in _ASKED):
        return _refused(400, f"a question names {', '.join(_ASKED)}; action is capture or refund")
    if not isinstance(wish["amount_minor"], int) or wish["amount_minor"] <= 0:
        return _refused(400, "amount_minor is a positive whole number")
    return wish


def _digest(wish: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(wish, sort_keys=True).encode()).hexdigest()


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)


def main() -> None:
    """QUITTANCE_SANDBOX_FILE, _CALLBACK (URL), _SECRET (whsec_...), _HOST, _PORT."""
    said = {name: os.environ.get(f"QUITTANCE_SANDBOX_{name}", "") for name in ("FILE", "CALLBACK", "SECRET", "HOST", "PORT")}
    sandbox = Sandbox(Path(said["FILE"]) if said["FILE"] else None, said["CALLBACK"], said["SECRET"])
    uvicorn.run(sandbox.application(), host=said["HOST"] or "127.0.0.1", port=int(said["PORT"] or 8090), log_level="warning")


if __name__ == "__main__":
    main()
