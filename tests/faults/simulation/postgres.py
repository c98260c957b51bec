"""The real PostgreSQL behind a connection that misbehaves: every statement is executed by the server, none is imitated.

The simulated process awaits virtual time; the statement itself runs to its end while the simulation
stands still, so nothing real can reorder a history. Waiting for a lock becomes waiting in virtual time. `now()` is the
simulation's: a function of that name stands before the server's own in the search path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import uvloop

from shared.database import bring_up_to_date
from tests.faults.simulation.clockwork import EPOCH, OUTSIDE, PROCESS, Clockwork, Process
from tests.faults.simulation.trouble import Troubles

REAL_LOCK_WAIT = "10ms"
"""While one statement runs, no other session moves: a lock that is not free now will not be free later."""
LOCK_WAIT_S_MAX = 10.0
"""As `shared.database.LOCK_TIMEOUT`."""
LOCK_LOOK_S = 0.1
DELAYS_S = (0.0001, 0.002)
"""One way between a process and the database."""
IDLE_MAX = 60
"""Real connections kept between histories: one with many instances opens a hundred, and two workers share the server's 200. A new
one costs more than all that most are asked."""
HANG_UP_S = (0.0, 0.05)
"""Until the server notices that a client closed its end."""
MAY_WAIT = ("for update", "for share", "on conflict", "advisory", "update ", "delete ", "insert ", "alter ", "create ")
"""Statements that may wait for a row: inside a transaction they run behind a savepoint, to be tried again."""
SCHEMA = Path(__file__).with_name("clock.sql")

WITHOUT_VACUUM = """
do $$ declare each regclass; begin
    for each in select oid from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace loop
        execute format('alter table %s set (autovacuum_enabled = false)', each);
    end loop;
end $$"""
"""The server's own housekeeping takes locks when it likes: it would be a hidden throw of the dice."""
RELATIONS = """
select relname::text from pg_class where relkind in ('r', 'p') and relnamespace = current_schema()::regnamespace order by 1"""
WRITTEN = """
select relname::text from pg_class
where relkind = 'r' and relnamespace = current_schema()::regnamespace and pg_relation_size(oid) > 0 order by 1"""
MADE_ONCE = "schema_applied"
"""What stands for the schema itself, not for what happened in it."""

Work = Callable[[asyncpg.Connection], Awaitable[Any]]


class Starved(RuntimeError):
    """The real server has no connection left: a fault of the rig, which no process of the house may take for a trouble."""


class Made(NamedTuple):
    """A schema as it was made: its tables, and the rows that its scripts put into some of them."""

    relations: list[str]
    rows: dict[str, list[asyncpg.Record]]


class Server:
    """Real connections to one database and its schemas, reused from history to history. One a worker process."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = uvloop.new_event_loop()
        self._made: dict[str, Made] = {}
        self._idle: list[asyncpg.Connection] = []
        self._connect = asyncpg.connect
        self.do(self._prepare())

    def do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run to its end while simulated time stands still: the real loop turns inside the simulated one."""
        outer, task = asyncio.events._get_running_loop(), None
        if outer is not None:
            task = asyncio.current_task(outer)
            if task is not None:
                asyncio.tasks._leave_task(outer, task)
            asyncio.events._set_running_loop(None)
        try:
            return self._loop.run_until_complete(coroutine)
        finally:
            if outer is not None:
                asyncio.events._set_running_loop(outer)
                if task is not None:
                    asyncio.tasks._enter_task(outer, task)

    async def _prepare(self) -> None:
        connection = await self._connect(self._url)
        await connection.execute(SCHEMA.read_text())
        await connection.close()

    def furnish(self, schema: str, script: Path) -> None:
        """A schema of this name as a first start makes it: that of the last history, emptied, where it left no table behind."""
        self.do(self._furnish(schema, script))

    async def _furnish(self, schema: str, script: Path) -> None:
        real = await self._take(schema)
        await real.execute("set lock_timeout = 0")  # between histories the server may take its time
        made = self._made.pop(schema, None)
        if made is not None and made.relations == await _names(real, RELATIONS):
            await _empty(real, made)
        else:
            await real.execute(f'drop schema if exists "{schema}" cascade; create schema "{schema}"')
            await bring_up_to_date(real, script)
            await real.execute(WITHOUT_VACUUM)
            rows = {name: await real.fetch(f'select * from "{name}"') for name in await _names(real, WRITTEN)}
            made = Made(await _names(real, RELATIONS), rows)
        self._made[schema] = made
        self._idle.append(real)
        while len(self._idle) > IDLE_MAX:
            await self._idle.pop(0).close()

    async def _dial(self) -> asyncpg.Connection:
        try:
            return await self._connect(self._url)
        except asyncpg.TooManyConnectionsError as error:
            raise Starved(f"the simulation's server has no connection left ({error}); allow more, or play fewer jobs") from error

    def take(self, schema: str) -> asyncpg.Connection:
        return self.do(self._take(schema))

    async def _take(self, schema: str) -> asyncpg.Connection:
        real = self._idle.pop() if self._idle else await self._dial()
        await real.execute(
            f"set search_path to \"{schema}\", sim, pg_catalog; set lock_timeout = '{REAL_LOCK_WAIT}'; set jit = off;"
            "set synchronous_commit = off; set plan_cache_mode = force_generic_plan;"  # planning is a sixth of a seed's cost
            f"set client_min_messages = error; set sim.now = '{EPOCH.isoformat()}'"
        )
        return real

    def give_back(self, real: asyncpg.Connection) -> None:
        self.do(self._give_back(real))

    async def _give_back(self, real: asyncpg.Connection) -> None:
        await real.execute("rollback; set lock_timeout = 0; select pg_advisory_unlock_all()")
        self._idle.append(real)

    def close(self) -> None:
        for real in self._idle:
            self.do(real.close())
        self._loop.close()


async def _names(real: asyncpg.Connection, query: str) -> list[str]:
    return [name for (name,) in await real.fetch(query)]


async def _empty(real: asyncpg.Connection, made: Made) -> None:
    """Truncated, not deleted from: rows of the next history lie where they would lie in new tables."""
    if written := [name for name in await _names(real, WRITTEN) if name != MADE_ONCE]:
        listed = ", ".join(f'"{name}"' for name in written)
        # Some tables refuse to be emptied, for good reason.
        await real.execute(f"set session_replication_role = replica; truncate {listed} restart identity")
        await real.execute("set session_replication_role = origin")
    for name, rows in made.rows.items():
        if name in written and rows:
            await real.copy_records_to_table(name, records=rows)


class Database:
    """The server as one history sees it: a schema per service, sessions, notifications, and whether it is up."""

    def __init__(self, server: Server, loop: Clockwork, troubles: Troubles, name: str) -> None:
        self.server, self.loop, self.troubles = server, loop, troubles
        self._name = name
        self.up = True
        self.clock_off_s = 0.0
        self.sessions: list[Connection] = []
        self._ears: dict[str, list[tuple[Connection, Any]]] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self.committed: Callable[[str], None] = lambda service: None
        self.surprised: Callable[[str], None] = lambda what: None

    def schema(self, service: str) -> str:
        return f"{self._name}_{service}"

    async def connect(self, url: str, **options: Any) -> Connection:
        """In the place of asyncpg.connect."""
        service = urlsplit(url).path.rpartition("_")[2]
        await asyncio.sleep(self.delay())
        if not self.up:
            raise ConnectionRefusedError(f"the database of {service} does not answer")
        settings = options.get("server_settings") or {}
        idle_ms = settings.get("idle_in_transaction_session_timeout")
        connection = Connection(self, service, PROCESS.get(), float(idle_ms) / 1000 if idle_ms else None)
        self.sessions.append(connection)
        return connection

    def delay(self) -> float:
        return self.loop.dice.uniform(*DELAYS_S)

    def hang_up(self, process: Process, slow_s: float = 0.0) -> None:
        """The process is gone; the server notices when it notices."""
        for session in self.sessions:
            if session.process is process and not session.ended:
                session.closed = True
                self.loop.outside(self.loop.dice.uniform(*HANG_UP_S) + slow_s, session.end)

    def go_down(self) -> None:
        self.up = False
        for session in self.sessions:
            session.end()

    def others_hold(self, mine: Connection) -> bool:
        """Whether another session of the same service is in a transaction."""
        return any(each.in_transaction and each.service == mine.service for each in self.sessions if each is not mine)

    def prune(self) -> None:
        self.sessions = [session for session in self.sessions if not session.ended]

    # --- notifications and locks --------------------------------------------------------------------------------------

    def listen(self, connection: Connection, callback: Any) -> None:
        self._ears.setdefault(connection.service, []).append((connection, callback))

    def notify(self, service: str) -> None:
        """A hint, as NOTIFY is for the house: it may come late, or not at all while the troubles say so."""
        if self.troubles.take(OUTSIDE, "notify", service):
            return
        for connection, callback in self._ears.get(service, ()):
            if not connection.ended and not connection.process.dead:
                self.loop.outside(self.delay(), callback, connection, 0, "", "")

    async def lock_moved(self, service: str) -> None:
        event = self._waiting.setdefault(service, asyncio.Event())
        try:
            await asyncio.wait_for(event.wait(), LOCK_LOOK_S)
        except TimeoutError:
            return

    def moved(self, service: str) -> None:
        event = self._waiting.pop(service, None)
        if event is not None:
            event.set()

    def close(self) -> None:
        for session in self.sessions:
            session.end()


class Connection:
    """What a simulated process holds instead of an asyncpg connection: the same calls, the same errors."""

    def __init__(self, database: Database, service: str, process: Process, idle_s: float | None) -> None:
        self._database, self.service, self.process, self._idle_s = database, service, process, idle_s
        try:
            self._real = database.server.take(database.schema(service))
        except Starved as error:
            database.surprised(str(error))
            raise
        self.ended = False
        self.closed = False
        self._busy = False
        self.in_transaction = False
        self._failed = False
        self._asked = 0
        self._notifies = False
        self._why: asyncpg.PostgresError | None = None

    # --- the calls ----------------------------------------------------------------------------------------------------

    async def execute(self, query: str, *values: Any, **_: Any) -> str:
        return str(await self._ask(query, lambda real: real.execute(query, *values)))

    async def executemany(self, query: str, values: Iterable[Any]) -> None:
        rows = list(values)
        await self._ask(query, lambda real: real.executemany(query, rows))

    async def fetch(self, query: str, *values: Any) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self._ask(query, lambda real: real.fetch(query, *values))
        return found

    async def fetchrow(self, query: str, *values: Any) -> asyncpg.Record | None:
        return await self._ask(query, lambda real: real.fetchrow(query, *values))

    async def fetchval(self, query: str, *values: Any) -> Any:
        return await self._ask(query, lambda real: real.fetchval(query, *values))

    async def copy_records_to_table(self, table: str, *, records: Iterable[Any], columns: Iterable[str]) -> str:
        rows, names = list(records), list(columns)
        work: Work = lambda real: real.copy_records_to_table(table, records=rows, columns=names)  # noqa: E731
        return str(await self._ask(f"copy {table}", work))

    def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> Transaction:
        return Transaction(self, isolation, readonly)

    async def add_listener(self, channel: str, callback: Any) -> None:
        self._database.listen(self, callback)

    def is_closed(self) -> bool:
        return self.closed

    def terminate(self) -> None:
        if not self.closed:
            self.closed = True
            loop = self._database.loop
            loop.outside(loop.dice.uniform(*HANG_UP_S), self.end)

    async def close(self, **_: Any) -> None:
        self.closed = True
        self.end()

    # --- transactions -------------------------------------------------------------------------------------------------

    async def begin(self, isolation: str | None, readonly: bool) -> None:
        assert not self.in_transaction, "nested transactions are not simulated; nobody uses them"
        level = f" isolation level {isolation.replace('_', ' ')}" if isolation else ""
        mode = f"begin{level}{' read only' if readonly else ''}"
        await self._ask("begin", lambda real: real.execute(f"{mode}; {self._clock_set()}"))
        self.in_transaction, self._notifies = True, False

    async def commit(self) -> None:
        if self._failed:
            await self.rollback()
            raise asyncpg.InFailedSQLTransactionError("the transaction was aborted")
        await self._ask("commit", lambda real: real.execute("commit"))

    async def rollback(self) -> None:
        if self.closed:
            raise asyncpg.InterfaceError("connection is closed")
        await self._ask("rollback", lambda real: real.execute("rollback"))

    # --- one statement ------------------------------------------------------------------------------------------------

    async def _ask(self, query: str, work: Work) -> Any:
        self._check_open()
        if self._busy:
            raise asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
        self._busy = True
        self._asked += 1
        try:
            return await self._perform(query, work)
        finally:
            self._busy = False
            self._asked += 1
            self._mind_idleness()

    async def _perform(self, query: str, work: Work) -> Any:
        database, step = self._database, _step_of(query)
        trouble = database.troubles.take(self.process, step, self.service)
        kind = trouble.kind if trouble else ""
        await asyncio.sleep(database.delay() + (trouble.seconds if trouble and kind == "statement slow" else 0))
        self._check_open()
        database.loop.note(f"{self.service} {step} {query[:60]!r} {kind}".replace("\n", " "))
        match kind:
            case "connection lost before" | "commit lost":
                raise self._sever()
            case "serialization failure":
                self._failed = True
                raise asyncpg.SerializationError("could not serialize access due to concurrent update")
        result = await self._execute(query, step, work)
        if kind in ("connection lost after", "commit applied but lost"):
            raise self._sever()
        await asyncio.sleep(database.delay())
        self._check_open()  # the answer is lost with the connection
        return result

    async def _execute(self, query: str, step: str, work: Work) -> Any:
        """By the real server; where it would wait for a lock, wait in virtual time and try again."""
        database, waited_until = self._database, self._database.loop.now_s + LOCK_WAIT_S_MAX
        lowered = query.lower()
        timed = not self.in_transaction and ("now()" in lowered or "insert" in lowered)
        while True:
            guarded = self._may_wait(lowered, step)
            try:
                result = database.server.do(self._really(guarded, timed, work))
            except asyncpg.LockNotAvailableError:
                if self.in_transaction and not guarded:
                    database.surprised(f"waits for a lock, and `_may_wait` does not say so: {query}")
                if database.loop.now_s >= waited_until:
                    raise
                await database.lock_moved(self.service)
                self._check_open()
                continue
            except asyncpg.PostgresError:
                self._failed = self.in_transaction
                raise
            self._after(lowered, step)
            return result

    def _may_wait(self, lowered: str, step: str) -> bool:
        """In a transaction, for another session that is in one too, which may hold a row; for an advisory lock always."""
        if not self.in_transaction or step != "statement" or not any(word in lowered for word in MAY_WAIT):
            return False
        return "advisory" in lowered or self._database.others_hold(self)

    def _clock_set(self) -> str:
        """As for PostgreSQL, a transaction's `now()` is when it began."""
        return f"set sim.elapsed = '{self._database.loop.now_s + self._database.clock_off_s:.6f} s'"

    async def _really(self, guarded: bool, timed: bool, work: Work) -> Any:
        real = self._real
        before: list[str] = []
        if timed:
            before.append(self._clock_set())
        if guarded:
            before.append("savepoint waits")
        if before:
            await real.execute("; ".join(before))
        try:
            return await work(real)
        except asyncpg.LockNotAvailableError:
            if guarded:
                await real.execute("rollback to savepoint waits")
            raise

    def _after(self, lowered: str, step: str) -> None:
        database = self._database
        self._notifies = self._notifies or "pg_notify" in lowered
        if step in ("commit", "rollback"):
            self.in_transaction = self._failed = False
            database.moved(self.service)
        if step in ("commit", "statement") and not self.in_transaction and self._notifies:
            self._notifies = False
            database.notify(self.service)
        if step == "commit":
            database.committed(self.service)

    def _check_open(self) -> None:
        if self._why is not None and not self.closed:
            self.closed = True
            raise self._why
        if self.closed:
            raise asyncpg.InterfaceError("connection is closed")

    def _sever(self) -> asyncpg.PostgresError:
        self.closed = True
        self.end()
        return asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    # --- the server's side --------------------------------------------------------------------------------------------

    def end(self) -> None:
        """The server ends the session: what was not committed is undone, locks are free."""
        if self.ended:
            return
        self.ended = True
        if not self.closed:
            self._why = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        self.in_transaction = False
        self._database.server.give_back(self._real)
        self._database.moved(self.service)

    def _mind_idleness(self) -> None:
        if self.in_transaction and self._idle_s is not None and not self.ended:
            self._database.loop.outside(self._idle_s, self._end_if_idle, self._asked)

    def _end_if_idle(self, asked: int) -> None:
        if asked == self._asked and self.in_transaction and not self.ended:
            self._why = asyncpg.IdleInTransactionSessionTimeoutError("terminating connection due to idle-in-transaction timeout")
            self.end()


class Transaction:
    def __init__(self, connection: Connection, isolation: str | None, readonly: bool) -> None:
        self._connection, self._isolation, self._readonly = connection, isolation, readonly

    async def __aenter__(self) -> None:
        await self._connection.begin(self._isolation, self._readonly)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        await (self._connection.commit() if kind is None else self._connection.rollback())


class Pool:
    """As much of asyncpg's pool as the gateway's intake needs."""

    def __init__(self, url: str) -> None:
        self._url = url

    def acquire(self) -> Acquired:
        return Acquired(self._url)


class Acquired:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        self._connection = await asyncpg.connect(self._url)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        assert self._connection is not None
        self._connection.terminate()


def _step_of(query: str) -> str:
    return query if query in ("begin", "commit", "rollback") else "statement"
