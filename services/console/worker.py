"""The worker that counts streams: faust-streaming, in a process of its own (`python -m services.console.worker`), and only here.

It may lose and repeat (it commits past what it still handles, and acknowledges after an exception), so nothing that decides
stands on it: the fold (`windows.py`) believes in numbers, not in delivery, SQL counts the same (`counting.py`), and `drift.py`
compares. At least once, one agent at a time, JSON, tables in memory with a changelog, no web server.

Throwing away is by generation: tables, changelog and consumer group carry its number, so a new one begins with nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import itertools
import signal
import sys
import time
from typing import Any

import asyncpg
import faust
import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.envelope import Envelope, decoder_of
from services.console import publishing
from services.console.app import SERVICE
from services.console.publishing import Outdated
from services.console.tallying import HEARS
from services.console.windows import Lane, Sliding, Windows
from shared import logs
from shared.database import UNAVAILABLE, LoginRefused, check_login, connect, prepare
from shared.serve import REFUSED
from shared.settings import Settings, settings
from shared.topics import ADMIN_TIMEOUT_MS, create_topics

log = structlog.get_logger(__name__)

SPEAKER = "orders"
"""Whose facts are counted; the topic has the same name, and `/orders/<partition>` is its only writer."""
TABLE = "counts"
FLUSH_S = 1.0
"""How old a published window may be; the page may show it another second later."""
SWEEP_EVERY = 600
"""Flushes between two looks for minutes that are too old."""
RETRY_S = 1.0
SESSION_S = 10.0
"""A worker that was killed is missed after this; until then its successor is given no partition (the library's default is a
minute)."""
MINUTES_AT_ONCE = 2_000
"""Rows of one flush: after a recovery all minutes are published again, in several."""
RECOVERY_S_MAX = 120.0
"""A changelog that is not read back in this time never will be (recovery is known to hang): it is thrown away."""
STOP_S_MAX = 10.0
"""The library may wait for ever for a broker that is away (aiokafka #1101): then the process ends without it."""

_decode = decoder_of(HEARS)


def main() -> None:
    config = settings()
    logs.configure(config, "windows")
    try:
        sys.exit(asyncio.run(work(config)))
    except LoginRefused as refusal:
        log.error("refuses to run until somebody mends it", error=str(refusal))
        sys.exit(REFUSED)


async def work(config: Settings) -> int:
    """Count until asked to stop; the exit code says whether a supervisor must look why it ended."""
    number = await _prepare(config)
    counting = Counting(config, number)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, counting.stop)
    return await counting.serve()


def app_id(config: Settings, number: int) -> str:
    return config.topic(f"console-windows-{number}")


def changelog(config: Settings, number: int) -> str:
    return f"{app_id(config, number)}-{TABLE}-changelog"


async def _prepare(config: Settings) -> int:
    """Database and topics are there; returns the generation that is wanted, with what is left of others gone."""
    while True:
        try:
            await check_login(config)
            await create_topics(config)
            await prepare(config, SERVICE.name, SERVICE.schema)
            connection = await connect(config.database(SERVICE.name), config.lease_s)
            try:
                number = await publishing.generation(connection)
                await publishing.begin(connection, number)
            finally:
                await connection.close()
            await drop_changelogs(config, keep=number)
            return number
        except (*UNAVAILABLE, KafkaError, Outdated) as error:
            log.warning("waiting for broker and database", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(RETRY_S)


async def drop_changelogs(config: Settings, keep: int | None = None) -> list[str]:
    """Delete the changelogs of all generations but one; returns their names."""
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka, request_timeout_ms=ADMIN_TIMEOUT_MS)
    try:
        await admin.start()
        kept = None if keep is None else changelog(config, keep)
        ours = config.topic("console-windows-")
        gone = [name for name in await admin.list_topics() if name.startswith(ours) and name != kept]
        if gone:
            await admin.delete_topics(gone)
        return gone
    finally:
        await admin.close()


class Counting:
    """One run of the worker: the Faust app with its one table and one agent, and the loop that publishes."""

    def __init__(self, config: Settings, number: int) -> None:
        self._config, self._number = config, number
        self._stopping = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._flushes = 0
        self._began = time.monotonic()
        self._app = application(config, number)
        table = self._app.Table(TABLE, partitions=config.partitions, key_type=str, on_recover=self._recovered)
        self._windows = Windows(table)
        facts = self._app.topic(config.topic(SPEAKER), key_serializer="raw", value_serializer="raw")
        self._app.agent(facts, concurrency=1, name="count")(self._count)

    def stop(self) -> None:
        self._stopping.set()

    async def serve(self) -> int:
        await self._app.start()
        try:
            return await self._publish_until_stopped()
        finally:
            await self._end()

    # --- folding ------------------------------------------------------------------------------------------------------

    async def _count(self, stream: Any) -> None:
        async for event in stream.events():
            self._take(event.message)

    def _take(self, message: Any) -> None:
        """No await in here: what is published is always the state between two facts."""
        headers = dict(message.headers or ())
        number = headers.get("ce_sequence", b"")
        if headers.get("ce_source") == b"/%s/%d" % (SPEAKER.encode(), message.partition) and number.isdigit():
            self._windows.take(message.partition, int(number), counted(message.value))

    async def _recovered(self) -> None:
        """What the changelog brought back is published again, all of it: nobody knows how much of it had been."""
        self._windows.begin_again()

    # --- publishing ---------------------------------------------------------------------------------------------------

    async def _publish_until_stopped(self) -> int:
        while not self._stopping.is_set():
            if self._app.crashed or self._app.should_stop:
                log.error("the stream ended", reason=repr(self._app.crash_reason))
                return 1
            try:
                await self._flush()
                await self._give_up_recovering()
            except Outdated as outdated:
                log.info("begins anew", reason=str(outdated))
                return 0
            except UNAVAILABLE as error:
                log.warning("windows not published yet", error=f"{type(error).__name__}: {error}")
                self._hang_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), FLUSH_S)
        return 0

    async def _flush(self) -> None:
        """Everything that changed since the last one, or a part of it, and that we live."""
        if self._app.rebalancing or self._is_recovering():
            return
        taken, lanes, slid = self._changed()
        minutes = [minute for key in taken if (minute := self._windows.minute(key)) is not None]
        try:
            await publishing.publish(await self._database(), self._number, lanes, minutes, slid)
        except BaseException:
            self._windows.touched |= taken
            raise
        self._flushes += 1
        if self._flushes % SWEEP_EVERY == 0:
            await publishing.sweep(await self._database())

    def _changed(self) -> tuple[set[str], dict[int, Lane], list[Sliding]]:
        """Taken together, without an await between: minutes, lanes and windows of one state."""
        windows = self._windows
        taken = set(itertools.islice(windows.touched, MINUTES_AT_ONCE))
        windows.touched -= taken
        if windows.touched:  # more to come: lanes must not say that they are at a number whose minutes are not there
            return taken, {}, []
        lanes = {number: windows.lane(number) for number in windows.partitions()}
        clocks = [lane.clock for lane in lanes.values() if lane.clock is not None]
        if not clocks:
            return taken, lanes, []
        until = max(clocks) if self._config.clock == "event" else dt.datetime.now(dt.UTC)
        return taken, lanes, windows.slide(until)

    def _is_recovering(self) -> bool:
        return not self._app.tables.recovery.completed.is_set()

    async def _give_up_recovering(self) -> None:
        if self._is_recovering() and time.monotonic() - self._began > RECOVERY_S_MAX:
            number = await publishing.throw_away(await self._database())
            raise Outdated(f"the changelog could not be read back: generation {number} begins with nothing")

    async def _database(self) -> asyncpg.Connection:
        if self._connection is None:
            self._connection = await connect(self._config.database(SERVICE.name), self._config.lease_s)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _end(self) -> None:
        self._hang_up()
        ending = asyncio.create_task(self._app.stop())
        await asyncio.wait({ending}, timeout=STOP_S_MAX)


def application(config: Settings, number: int) -> Any:
    return faust.App(
        app_id(config, number),
        broker=f"kafka://{config.kafka}",
        store="memory://",
        datadir=str(config.home / "windows"),
        autodiscover=False,
        web_enabled=False,
        processing_guarantee="at_least_once",
        topic_partitions=config.partitions,
        topic_replication_factor=config.replication,
        topic_disable_leader=True,
        table_standby_replicas=0,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        broker_commit_interval=1.0,
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=SESSION_S / 4,
        stream_recovery_delay=0.0,
    )


def counted(body: bytes | None) -> Envelope | None:
    """The fact in these bytes, if it is one that counts. The kit, which reads the same, quarantines what it cannot read."""
    try:
        return _decode(body or b"")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


if __name__ == "__main__":
    main()
