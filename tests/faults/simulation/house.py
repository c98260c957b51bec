"""The simulated house: its services as they are, run by the kit as it is, on a world of our own making.

`SERVICES` says what is simulated; `SEAMS` says what of the kit is replaced, which is only where it meets the outside.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from aiokafka import TopicPartition

import services.accounts.app
import services.console.app
import services.gateway.app
import services.orders.app
import services.payments.app
from contracts.message import Message
from contracts.orders import NoteOrder
from contracts.payments import PostItem, SetAsideEntry
from shared.engine import REFUSALS, Engine
from shared.service import Decide, Moment, Service
from shared.settings import Settings
from tests.faults.simulation.broker import Broker
from tests.faults.simulation.clockwork import Clockwork, Process, clock
from tests.faults.simulation.history import History
from tests.faults.simulation.postgres import Database, Server
from tests.faults.simulation.trouble import Trouble, Troubles

LEASE_S = 2.0
IDLE_WAIT_MS = 400
"""Longer than in production: an idle instance costs a query a turn, and news wakes it anyway."""
RESTART_S = (0.1, 3.0)
REPLACED_SHARE = 0.7
"""How often a supervisor takes a process that stands still for dead, and starts another beside it."""
SLOW_HANG_UP_S = LEASE_S * 0.4
"""A machine that dies says nothing: its sessions end by the server's own bounds."""


class Poison:
    """What makes one message raise until it is mended: this text in a place that nobody decides by."""

    TEXT = "poison"
    PLACES: Mapping[type[Message], str] = {NoteOrder: "note", PostItem: "text", SetAsideEntry: "reason"}

    def __init__(self) -> None:
        self.mended = False

    def spoil(self, decide: Decide, place: str) -> Decide:
        def spoilt(state: Any, message: Any, moment: Moment) -> Any:
            if getattr(message, place) == self.TEXT and not self.mended:
                raise ValueError(f"this {place} cannot be decided yet")
            return decide(state, message, moment)

        return spoilt

    def put_into(self, service: Service) -> Service:
        hears: Mapping[type[Message], Decide] = service.hears
        spoilt = {message: self.spoil(hears[message], place) for message, place in self.PLACES.items() if message in hears}
        return replace(service, hears={**hears, **spoilt})


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        services.accounts.app.SERVICE,
        services.orders.app.SERVICE,
        services.gateway.app.SERVICE,
        services.console.app.SERVICE,
        services.payments.app.SERVICE,
    )
}
"""Every service that exists. A new one is a line here, and its deeds in `customers.py`."""


@dataclass(eq=False)
class Instance:
    service: str
    process: Process
    engine: Engine
    task: asyncio.Task[None]

    @property
    def alive(self) -> bool:
        return not self.process.dead and not self.task.done()


class House:
    def __init__(self, history: History, loop: Clockwork, server: Server, prefix: str) -> None:
        self.history, self.loop = history, loop
        self.troubles = Troubles()
        self.troubles.doom = self
        self.database = Database(server, loop, self.troubles, prefix)
        self.database.surprised = lambda what: self.fail(Violation("the simulation knows what it simulates", what))
        self.broker = Broker(loop, self.troubles)
        self.poison = Poison()
        self.services = {name: self.poison.put_into(SERVICES[name]) for name in history.services}
        self.settings = Settings(
            kafka="simulated", postgres="postgresql://simulated/postgres", namespace="", partitions=history.partitions,
            clock=history.clock, batch_max=history.batch_max, lease_s=LEASE_S,
        )  # fmt: skip
        self.instances: list[Instance] = []
        self.violation: Violation | None = None
        self.broken = asyncio.Event()
        self._numbered = 0
        self._healed = False

    def fail(self, violation: Violation) -> None:
        """The first violation counts; what follows from it does not."""
        if self.violation is None:
            self.violation = violation
            self.broken.set()

    # --- instances ----------------------------------------------------------------------------------------------------

    def start(self, service: str) -> None:
        self._numbered += 1
        process = Process(f"{service}#{self._numbered}", mortal=True)
        self.loop.note(f"{process.name} starts")
        engine = Engine(self.services[service], self.settings)
        instance = Instance(service, process, engine, self.loop.launch(process, self._live(engine, process)))
        self.instances = [each for each in self.instances if each.alive]
        self.instances.append(instance)

    async def _live(self, engine: Engine, process: Process) -> None:
        try:
            await engine.run()
        except REFUSALS as refusal:
            self.fail(Violation("an instance refuses to run", str(refusal)))
        self._start_later(process)

    def kill(self, process: Process) -> None:
        """At once, and nothing of it ever runs again; its supervisor starts another."""
        self.loop.note(f"{process.name} is killed")
        process.dead = True
        slow = SLOW_HANG_UP_S if self.loop.dice.random() < 0.2 else 0.0
        self.database.hang_up(process, slow)
        self._start_later(process)

    def freeze(self, process: Process, seconds: float) -> None:
        self.loop.note(f"{process.name} is stopped for {seconds} s")
        process.paused = True
        self.loop.outside(seconds, process.thaw, self.loop)
        if self.loop.dice.random() < REPLACED_SHARE:
            self.loop.outside(self.loop.dice.uniform(*RESTART_S), self.start, process.name.partition("#")[0])

    def _start_later(self, process: Process) -> None:
        service = process.name.partition("#")[0]
        self.loop.outside(self.loop.dice.uniform(*RESTART_S), self._start_missing, service)

    def _start_missing(self, service: str) -> None:
        if not any(each.alive for each in self.instances if each.service == service):
            self.start(service)

    def leave(self, service: str) -> None:
        """A clean stop, as for a deployment; the supervisor starts the next."""
        for instance in self.instances:
            if instance.service == service and instance.alive:
                instance.engine.stop()
                return

    # --- trouble ------------------------------------------------------------------------------------------------------

    def strike(self, trouble: Trouble) -> None:
        """Its time has come: some kinds hit now, the others lie in wait for their step."""
        if self._healed:
            return
        match trouble.kind:
            case "database restarts":
                self.database.go_down()
                self.loop.outside(trouble.seconds, setattr, self.database, "up", True)
            case "database clock jumps":
                self.database.clock_off_s += trouble.seconds
            case "broker away":
                self.broker.go_away()
                self.loop.outside(trouble.seconds, self.broker.come_back)
            case "clock jumps":
                for instance in self._mine(trouble):
                    instance.process.clock_off += dt.timedelta(seconds=trouble.seconds)
            case "leaves":
                self.leave(trouble.service)
            case "joins":
                self.start(trouble.service)
            case "killed":
                for instance in self._mine(trouble)[:1]:
                    self.kill(instance.process)
            case "unreadable bytes":
                self._garble(trouble.service)
            case _:
                self.troubles.arm(trouble)
                return
        self.troubles.struck[trouble.kind] += 1
        self.loop.note(f"{trouble.kind} {trouble.service} {trouble.seconds}")

    def _mine(self, trouble: Trouble) -> list[Instance]:
        return [each for each in self.instances if each.service == trouble.service and each.alive]

    def _garble(self, service: str) -> None:
        at = TopicPartition(service, self.loop.dice.randrange(self.history.partitions))
        self.broker.append(at, [(None, b"\xff not an event", (), 0)])

    def heal(self) -> None:
        """Nothing breaks any more; whoever is down comes back."""
        self._healed = True
        self.troubles.disarm()
        self.database.up = True
        self.broker.come_back()
        for instance in self.instances:
            if instance.process.paused:
                instance.process.thaw(self.loop)
        for service in self.services:
            self._start_missing(service)

    def pass_days(self, days: int) -> None:
        """For everybody alike: what only time brings must come."""
        self.loop.days_off += dt.timedelta(days=days)


class Violation(AssertionError):
    """What must never happen, happened. `name` is the rule, the same while a history is shrunk."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name


def require(holds: bool, rule: str, detail: str) -> None:
    if not holds:
        raise Violation(rule, detail)


# --- the seams ------------------------------------------------------------------------------------------------------


def seams(house: House) -> dict[str, Any]:
    """Where the kit meets the outside, and what stands there instead."""
    times = types.SimpleNamespace(monotonic=lambda: clock().time(), perf_counter=lambda: clock().time())
    return {
        "asyncpg.connect": house.database.connect,
        "shared.database.create_database": _nothing,  # a schema a service instead
        "shared.engine.check_login": _nothing,
        "shared.engine.create_topics": _nothing,
        "shared.engine.time": times,
        "shared.engine.dt": _Dates,
        "shared.engine.IDLE_WAIT_MS": IDLE_WAIT_MS,
        "shared.feed.AIOKafkaConsumer": house.broker.consumer,
        "shared.relay.AIOKafkaProducer": house.broker.producer,
    }


async def _nothing(*_: Any, **__: Any) -> None:
    return None


class _Dates:
    """The datetime module with the simulation's clock on the wall."""

    UTC = dt.UTC
    timedelta = dt.timedelta

    class datetime(dt.datetime):  # noqa: N801 - it stands for dt.datetime
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return clock().wall()


@contextmanager
def replaced(house: House) -> Iterator[None]:
    patches = [patch(name, instead) for name, instead in seams(house).items()]
    for each in patches:
        each.start()
    try:
        yield
    finally:
        for each in reversed(patches):
            each.stop()
