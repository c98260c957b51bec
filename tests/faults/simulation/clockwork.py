"""Virtual time and simulated processes: an event loop that never waits, and can stop, freeze and thaw what runs on it.

A process is a mark in the context of its tasks. A killed one never runs again, not even its `finally`; a paused one runs on
where it was. Time moves only when nobody has anything left to do now.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import datetime as dt
import hashlib
import random
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

EPOCH = dt.datetime(2026, 1, 5, 9, tzinfo=dt.UTC)
"""A Monday morning: where simulated wall clocks start."""
SETTLE_S_MAX = 200.0
"""Virtual seconds after which whatever is not done counts as stuck."""


class Process:
    """Something that runs: its tasks, and how far its wall clock is off. A mortal one can be killed and stopped."""

    def __init__(self, name: str, mortal: bool = False) -> None:
        self.name, self.mortal = name, mortal
        self.dead = False
        self.paused = False
        self.clock_off = dt.timedelta()
        self.kept: list[asyncio.Task[Any]] = []
        self._frozen: list[_Gate] = []

    def keep(self, gate: _Gate) -> None:
        self._frozen.append(gate)

    def thaw(self, loop: Clockwork) -> None:
        self.paused = False
        frozen, self._frozen = self._frozen, []
        for gate in frozen:
            loop.again(gate)


OUTSIDE = Process("outside")
"""Broker, database, network, and whoever watches: never killed."""
PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("process", default=OUTSIDE)


class _Gate:
    """A callback that runs only while its process does."""

    __slots__ = ("arguments", "callback", "context", "handle", "process")

    def __init__(self, callback: Callable[..., Any], arguments: tuple[Any, ...], context: contextvars.Context | None) -> None:
        self.callback, self.arguments = callback, arguments
        self.context = context
        self.process = context[PROCESS] if context is not None and PROCESS in context else PROCESS.get()
        self.handle: asyncio.Handle | None = None

    def __call__(self) -> None:
        process = self.process
        if process.dead or (self.handle is not None and self.handle.cancelled()):
            return
        if process.paused:
            process.keep(self)
            return
        self.callback(*self.arguments)


class _NoWaiting:
    """The selector of a loop without sockets: waiting for the next timer is moving the clock there."""

    def __init__(self, loop: Clockwork) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing will ever happen again")
        self._loop.now_s += timeout
        return []


class Stuck(AssertionError):
    """The simulated house does not come to rest."""


class Clockwork(asyncio.BaseEventLoop):
    """The event loop of one simulated history."""

    def __init__(self, seed: int | str) -> None:
        super().__init__()
        self.now_s = 0.0
        self.days_off = dt.timedelta()
        self.dice = random.Random(str(seed))
        self.steps = 0
        self.trace: list[str] | None = None
        self._digest = hashlib.blake2b(digest_size=16)
        self._selector = _NoWaiting(self)
        self._clock_resolution = 1e-9
        self.set_task_factory(self._new_task)
        self.set_exception_handler(lambda loop, context: None)

    def time(self) -> float:
        return self.now_s

    def wall(self) -> dt.datetime:
        """What the clock on the wall of the running process says."""
        return EPOCH + dt.timedelta(seconds=self.now_s) + self.days_off + PROCESS.get().clock_off

    def call_soon(self, callback: Any, *arguments: Any, context: contextvars.Context | None = None) -> asyncio.Handle:
        gate = _Gate(callback, arguments, context)
        gate.handle = super().call_soon(gate, context=context)
        return gate.handle

    def call_at(self, when: float, callback: Any, *arguments: Any, context: contextvars.Context | None = None) -> Any:
        gate = _Gate(callback, arguments, context)
        handle = super().call_at(when, gate, context=context)
        gate.handle = handle
        return handle

    def again(self, gate: _Gate) -> None:
        super().call_soon(gate, context=gate.context)

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        raise AssertionError("no other thread talks to a simulated loop")

    def _new_task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **more)
        context = more.get("context")
        process = context[PROCESS] if context is not None and PROCESS in context else PROCESS.get()
        process.kept.append(task)  # a killed process must not be tidied up by the collector in the middle of a history
        if len(process.kept) > 2_000:
            process.kept = [each for each in process.kept if not each.done()]
        return task

    # --- what happens -------------------------------------------------------------------------------------------------

    def launch(self, process: Process, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something as this process."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, process)
        return self.create_task(coroutine, context=context)

    def outside(self, delay_s: float, callback: Callable[..., Any], *arguments: Any) -> asyncio.TimerHandle:
        """Something that comes to pass whatever becomes of the process that caused it."""
        context = contextvars.copy_context()
        context.run(PROCESS.set, OUTSIDE)
        return self.call_at(self.now_s + delay_s, callback, *arguments, context=context)  # type: ignore[no-any-return]

    def note(self, what: str) -> None:
        """One step of the history: two runs of one seed note the same."""
        self.steps += 1
        line = f"{self.now_s:.6f} {PROCESS.get().name} {what}"
        self._digest.update(line.encode() + b"\n")
        if self.trace is not None:
            self.trace.append(line)

    def digest(self) -> str:
        return self._digest.hexdigest()

    def play(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end of the history, and let go of all that it left hanging."""
        try:
            return self.run_until_complete(coroutine)
        finally:
            self._drop(asyncio.all_tasks(self))

    def _drop(self, tasks: set[asyncio.Task[Any]]) -> None:
        asyncio.set_event_loop(None)
        with _quiet():
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                _closed(task.get_coro())
            tasks.clear()
            OUTSIDE.kept.clear()
            self._ready.clear()  # type: ignore[attr-defined]
            self._scheduled.clear()  # type: ignore[attr-defined]
            self.close()


def _closed(coroutine: Any) -> None:
    """Unwind what was killed; whatever it still tries to do on its way out happens to nobody."""
    with contextlib.suppress(Exception):
        coroutine.close()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    hook, sys.unraisablehook = sys.unraisablehook, lambda *_: None
    try:
        yield
    finally:
        sys.unraisablehook = hook


def clock() -> Clockwork:
    """The loop that runs now."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Clockwork)
    return loop
