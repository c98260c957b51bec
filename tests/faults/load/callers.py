"""Many callers at once over HTTP: bare connections that send prepared requests, so that the callers cost little themselves."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from services.gateway import credentials
from shared.settings import Settings

ANSWER_S_MAX = 60.0
"""A request without an answer in this time counts as broken."""
BROKEN = 0
"""The status of a request whose connection ended or that was never answered."""


async def token_for(settings: Settings) -> str:
    connection = await asyncpg.connect(settings.database("gateway"))
    try:
        token = credentials.TOKEN_PREFIX + secrets.token_urlsafe(credentials.TOKEN_BYTES)
        await credentials.install(connection, token, credentials.development())
        return token
    finally:
        await connection.close()


@dataclass
class Answers:
    """What the callers heard. `taken` are references of orders answered 202 or 200."""

    statuses: Counter[int] = field(default_factory=Counter)
    taken: list[str] = field(default_factory=list)
    without_retry_after: int = 0
    seconds: dict[int, list[float]] = field(default_factory=dict)
    offered: int = 0
    took_s: float = 0.0

    def shown(self) -> dict[str, Any]:
        server_errors = sum(n for status, n in self.statuses.items() if status >= 500)
        return {
            "offered_per_s": round(self.offered / self.took_s), "accepted": len(self.taken), "shed": self.statuses[429],
            "server_errors": server_errors, "broken": self.statuses[BROKEN],
            "accepted_per_s": round(len(self.taken) / self.took_s), "shed_without_retry_after": self.without_retry_after,
            "accepted_ms": _percentiles(self.seconds.get(202, [])), "shed_ms": _percentiles(self.seconds.get(429, [])),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
        }  # fmt: skip


def _percentiles(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cut = statistics.quantiles(seconds, n=100)
    return {"p50": round(cut[49] * 1e3, 1), "p99": round(cut[98] * 1e3, 1)}


class Callers:
    """`connections` callers that place orders with one another's numbers, at `per_s` all together (0: as fast as answered)."""

    def __init__(self, port: int, token: str, accounts: list[str], feed: str) -> None:
        self._port, self._token, self._accounts, self._feed = port, token, accounts, feed
        self._numbers = itertools.count()

    async def call(self, connections: int, seconds: float, per_s: float = 0.0) -> Answers:
        answers = Answers()
        began = time.perf_counter()
        callers = [self._caller(answers, began, began + seconds, per_s, connections, n) for n in range(connections)]
        await asyncio.gather(*callers)
        answers.took_s = time.perf_counter() - began
        return answers

    async def _caller(self, answers: Answers, began: float, until: float, per_s: float, connections: int, n: int) -> None:
        """One connection; a broken one is opened again. Each keeps its own share of the pace."""
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        at = began + n / per_s if per_s else began
        while (now := time.perf_counter()) < until:
            if per_s:
                if at > now:
                    await asyncio.sleep(min(at, until) - now)
                    if at >= until:
                        break
                at += connections / per_s
            reference = f"{self._feed}-{next(self._numbers)}"
            sent_at = time.perf_counter()
            answers.offered += 1
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    streams = streams or await asyncio.open_connection("127.0.0.1", self._port)
                    status, retry_after, closes = await _ask(*streams, self._request(reference))
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                status, retry_after, closes = BROKEN, True, True
            if closes and streams is not None:
                streams[1].close()
                streams = None
            _note(answers, status, retry_after, reference, time.perf_counter() - sent_at)
        if streams is not None:
            streams[1].close()

    def _request(self, reference: str) -> bytes:
        account = self._accounts[hash(reference) % len(self._accounts)]
        body = json.dumps({"reference": reference, "account": account, "currency": "GBP", "total": "9.99"}).encode()
        head = f"POST /v1/orders HTTP/1.1\r\nHost: gateway\r\nAuthorization: Bearer {self._token}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _note(answers: Answers, status: int, retry_after: bool, reference: str, seconds: float) -> None:
    answers.statuses[status] += 1
    answers.seconds.setdefault(status, []).append(seconds)
    if status in (200, 202):
        answers.taken.append(reference)
    if status in (429, 503) and not retry_after:
        answers.without_retry_after += 1


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bool, bool]:
    """(status, whether Retry-After came, whether the connection ends)."""
    writer.write(request)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12]), b"\r\nretry-after:" in head, b"\r\nconnection: close" in head
