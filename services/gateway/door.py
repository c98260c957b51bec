"""The door: how many requests are inside at once, and how long each took. What is one too many hears 429 at once.

A request costs a connection, a task and a body in memory, so their number is bounded before anything of it is read or
looked up. Probes pass: a gateway that sheds is alive, and its metrics are wanted most then.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.backlog import RETRY_AFTER_S
from services.gateway.problems import Problem, answer

INSIDE_MAX = 64
"""Requests at once, four for each connection to the database: more would not be answered sooner, only wait longer inside."""
UPLOADS_MAX = 32
"""Files at once, counted apart: a slow sender stays for minutes, and must not keep orders out."""
PROBES = frozenset(("/livez", "/readyz", "/metrics"))
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
NO_ROUTE = "none"
"""Paths that no route knows share one label: labels from outside would grow for ever."""


class Traffic:
    """The gateway's own metrics, beside the kit's, under names that stay."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("quittance_http_requests", "Requests answered", ["route", "status"], registry=registry)
        self._seconds = Histogram(
            "quittance_http_seconds", "Time until a request was answered", ["route"], buckets=SECONDS_BUCKETS, registry=registry
        )
        self.shed = Counter("quittance_http_shed", "Requests answered 429, by what was full", ["full"], registry=registry)
        self.withheld = Gauge("quittance_withheld_waiting", "Rows in quarantine that wait for their sender", registry=registry)
        self._inside = Gauge("quittance_http_inside", "Requests inside now, files too", registry=registry)
        self.requests = self.uploads = 0

    def answered(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route=route, status=str(status)).inc()
        self._seconds.labels(route=route).observe(seconds)

    def full(self, *, is_file: bool) -> str:
        """What there are too many of for one more; empty when there is room."""
        if is_file:
            return "files" if self.uploads >= UPLOADS_MAX else ""
        return "requests" if self.requests >= INSIDE_MAX else ""

    @contextlib.contextmanager
    def inside(self, *, is_file: bool) -> Iterator[None]:
        self._moved(1, is_file)
        try:
            yield
        finally:
            self._moved(-1, is_file)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """While a request only waits for its outcome it leaves its place to others (waiting.WAITERS_MAX bounds those)."""
        self._moved(-1, is_file=False)
        try:
            yield
        finally:
            self._moved(1, is_file=False)

    def _moved(self, by: int, is_file: bool) -> None:
        if is_file:
            self.uploads += by
        else:
            self.requests += by
        self._inside.set(self.requests + self.uploads)


class Door:
    """ASGI middleware around all routes."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app, self._traffic = app, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        is_file = scope["path"].startswith("/v1/files/")
        if full := self._traffic.full(is_file=is_file):
            self._traffic.shed.labels(full=full).inc()
            await self._pass(answer(busy(f"too many {full} at once")), scope, receive, send)
            return
        with self._traffic.inside(is_file=is_file):
            await self._pass(self._app, scope, receive, send)

    async def _pass(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            self._traffic.answered(_route_of(scope), status, time.perf_counter() - began)


def _route_of(scope: Scope) -> str:
    """The path as it is declared, never as it was sent."""
    return getattr(scope.get("route"), "path", NO_ROUTE)


def busy(why: str) -> Problem:
    """429: nothing was taken; the same request may be sent again."""
    detail = f"{why}; try again in {RETRY_AFTER_S} s"
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"Retry-After": str(RETRY_AFTER_S)})
