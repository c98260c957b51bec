"""What changed, told to browsers as it is committed: NOTIFY from projections, one listening connection, a stream per page.

What travels is words (`desk`, `day`, `account/4711`), never data: a page that hears one asks again for what it shows, with the
rights of its person. Words of one batch or of one slow browser melt into one: nobody is waited for, nothing piles up.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import asyncpg
import msgspec
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.console import guarding
from services.console.app import SERVICE
from services.console.telling import ALL, CHANNEL, concerns
from shared.database import UNAVAILABLE, connect

log = structlog.get_logger(__name__)

WANTED_MAX = 20
"""Words that one page listens to."""
MELT_S = 0.05
"""How long changes are gathered before a browser is told: a tenth of what a screen may be late."""
BEAT_S = 15.0
TICK_S = 1.0
"""How soon a stream that has nothing to say sees that the process stops, or that the tables stand still."""
LOOK_S = 2.0
"""How often the listening connection is asked whether it still lives."""
BEHIND_S = 5.0
"""A lease of ours that ran out so long ago: nobody brings the read tables up to date."""
SEND_S_MAX = 10.0
"""A browser that takes nothing for so long is let go; it comes back with the last id it saw."""
REMEMBERED = 512
"""Tellings kept for browsers that come back."""
STREAMS_MAX = 500

_encode = msgspec.json.Encoder().encode


# --- hearing --------------------------------------------------------------------------------------------------------


class Ear:
    """One page's place at the hub: what it wants, and which of it changed since it was told last. It never grows."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self.wanted = frozenset(wanted)
        self.changed: set[str] = set()
        self.number = 0
        self._woken = asyncio.Event()

    def hear(self, number: int, words: Iterable[str]) -> None:
        found = {mine for mine in self.wanted for told in words if concerns(told, mine)}
        self.number = number
        if found:
            self.changed |= found
            self._woken.set()

    async def next(self, seconds: float) -> list[str]:
        """What changed, gathered for a moment; nothing when it stayed quiet for so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), seconds)
        if self.changed:
            await asyncio.sleep(MELT_S)
        words, self.changed = sorted(self.changed), set()
        self._woken.clear()
        return words


class Hub:
    """All pages of this process, and the last tellings. Ids are `<this hub>-<number>`: another process' id means nothing here."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = secrets.token_hex(4)
        self.ears: set[Ear] = set()
        self.number = 0
        self._told: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=REMEMBERED)
        self._clock = clock
        self._fresh_at = float("-inf")

    def publish(self, words: Iterable[str]) -> None:
        self.number += 1
        told = tuple(words)
        self._told.append((self.number, told))
        for ear in self.ears:
            ear.hear(self.number, told)

    @property
    def fresh(self) -> bool:
        """Whether what pages ask is being kept up to date, as far as was heard lately."""
        return self._clock() - self._fresh_at < 2 * LOOK_S

    def seen_fresh(self) -> None:
        self._fresh_at = self._clock()

    def join(self, wanted: Iterable[str], last_id: str) -> Ear:
        """A page begins to listen, or comes back: what it missed is waiting for it."""
        ear = Ear(wanted)
        ear.number = self.number
        for number, words in self._missed(last_id):
            ear.hear(number, words)
        self.ears.add(ear)
        return ear

    def _missed(self, last_id: str) -> list[tuple[int, tuple[str, ...]]]:
        """Tellings after this id; all of them, as one, where that cannot be known. A page that is new missed nothing."""
        if not last_id:
            return []
        hub, _, number = last_id.partition("-")
        if hub != self.name or not number.isdecimal() or int(number) > self.number:
            return [(self.number, (ALL,))]
        since = int(number)
        if self._told and self._told[0][0] > since + 1:
            return [(self.number, (ALL,))]
        return [told for told in self._told if told[0] > since]

    def leave(self, ear: Ear) -> None:
        self.ears.discard(ear)

    @property
    def id(self) -> str:
        """Up to where was told by now: a page made from here on joins with it, and hears what was told since."""
        return f"{self.name}-{self.number}"

    def id_of(self, ear: Ear) -> str:
        return f"{self.name}-{ear.number}"


async def listen(hub: Hub, dial: Callable[[], Any]) -> None:
    """Hear notifications until cancelled. While nobody listened everything may have changed, and is said to have."""
    while True:
        connection = None
        try:
            connection = await dial()
            await connection.add_listener(CHANNEL, lambda *told: hub.publish(msgspec.json.decode(told[-1], type=list[str])))
            hub.publish((ALL,))
            while True:
                await _look(hub, connection)
                await asyncio.sleep(LOOK_S)
        except UNAVAILABLE as error:
            log.warning("listening anew", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(LOOK_S)
        finally:
            if connection is not None:
                connection.terminate()


async def _look(hub: Hub, connection: asyncpg.Connection) -> None:
    """Raises when the connection is dead. Somebody holds every partition, or the tables stand still."""
    fed = await connection.fetchval(
        "select coalesce(min(until), '-infinity') > now() - make_interval(secs => $1) from lease", BEHIND_S, timeout=LOOK_S
    )
    if fed:
        hub.seen_fresh()


async def beside(app: Starlette) -> None:
    """Runs as long as the process: its hub hears what is told."""
    settings = app.state.settings
    await listen(app.state.hub, lambda: connect(settings.database(SERVICE.name), settings.lease_s))


# --- streams --------------------------------------------------------------------------------------------------------


async def stream(request: Request) -> Response:
    """`/live?on=desk&on=account/4711&since=<id>`: an event `changed` with the words that did, `beat` when all is quiet, `behind`
    when the tables stand still, `ended` when the session is over. `since` is the id under which the page was made."""
    guarding.require(request, *guarding.LOOKING)
    hub: Hub = request.app.state.hub
    wanted = request.query_params.getlist("on")[:WANTED_MAX]
    last = request.headers.get("last-event-id") or request.query_params.get("since", "")
    if len(hub.ears) >= STREAMS_MAX:
        return PlainTextResponse("not now; ask again\n", 503, {"Retry-After": "5"})
    return EventSourceResponse(
        _events(request, hub, hub.join(wanted, last)),
        ping=3600,  # our own beats say more
        send_timeout=SEND_S_MAX,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(request: Request, hub: Hub, ear: Ear) -> AsyncIterator[ServerSentEvent]:
    engine = request.app.state.engine
    try:
        yield _event(hub, ear, "beat" if hub.fresh else "behind")
        beat_at = time.monotonic() + BEAT_S
        while not engine.stopping:
            if words := await ear.next(TICK_S):
                yield _event(hub, ear, "changed", _encode(words).decode())
            if not hub.fresh:
                yield _event(hub, ear, "behind")
            if time.monotonic() < beat_at:
                continue
            beat_at = time.monotonic() + BEAT_S
            if not await _signed_in(request):
                yield _event(hub, ear, "ended")
                return
            if hub.fresh:
                yield _event(hub, ear, "beat")
    finally:
        hub.leave(ear)


async def _signed_in(request: Request) -> bool:
    """While the database is away nobody is sent to sign in again."""
    try:
        return await guarding.still_signed_in(request)
    except UNAVAILABLE:
        return True


def _event(hub: Hub, ear: Ear, name: str, data: str = "") -> ServerSentEvent:
    return ServerSentEvent(data=data or name, event=name, id=hub.id_of(ear))


ROUTES = [Route("/live", stream)]
