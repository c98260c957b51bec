"""Connections to PostgreSQL that cannot hang, and a service's database with its schema.

Every bound is set on the server, because a client that is stopped cannot enforce its own.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from shared.settings import Settings

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT = "30s"
"""Longest statement: a batch takes milliseconds, a load at takeover seconds."""
LOCK_TIMEOUT = "10s"
POSTGRES_PORT = 5432
"""Where a URL without a port leads."""
KIT_SCHEMA = Path(__file__).with_name("schema.sql")
SCHEMA_LOCK = 7_417_001
"""Advisory lock taken while a schema is applied, so that instances that start together do it one by one."""
SCHEMA_TRIES = 5
"""How often a changed schema meets the locks of instances at work before its error is told; each try waits `LOCK_TIMEOUT`."""
SHAPE = """
    with home as (select oid from pg_namespace where nspname = current_schema()), parts(part) as (
        select concat_ws(':', relname, relkind, attname, atttypid, attnotnull)
        from home join pg_class on relnamespace = home.oid and relkind in ('r', 'p', 'i', 'I', 'v') and not relispartition
        left join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
        union all
        select concat_ws(':', proname, md5(prosrc)) from home join pg_proc on pronamespace = home.oid
        union all
        select concat_ws(':', relname, tgname, tgenabled)
        from home join pg_class on relnamespace = home.oid and not relispartition
        join pg_trigger on tgrelid = pg_class.oid and not tgisinternal
    )
    select coalesce(md5(string_agg(part, ' ' order by part)), '') from parts"""
"""Tables, columns, indexes, views, functions and triggers as they stand now; not the ranges of the journal, which come and go."""

UNAVAILABLE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""For work that is taken up again whatever the database said."""
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
)
"""For requests: signs of a database that is away, too slow or out of disk, not of a mistake."""


class LoginRefused(RuntimeError):
    """The server is there and does not let us in as the settings say: what it refused, where, and how to mend it."""


MENDS: dict[type[asyncpg.PostgresError], str] = {
    asyncpg.InvalidPasswordError: "set the right password in QUITTANCE_POSTGRES",
    asyncpg.InvalidAuthorizationSpecificationError: "name a role in QUITTANCE_POSTGRES that exists and may log in from here",
    asyncpg.InvalidCatalogNameError: "name a database in QUITTANCE_POSTGRES that exists on this server, such as postgres",
}
"""What a server answers to a wrong login, and how it is mended; every other error of a connection may pass by itself."""


async def log_in(settings: Settings) -> asyncpg.Connection:
    """A connection as QUITTANCE_POSTGRES says. Raises `LoginRefused`, which never shows the password."""
    try:
        return await asyncpg.connect(settings.postgres, timeout=CONNECT_TIMEOUT_S)
    except tuple(MENDS) as error:
        mend = next(mend for kind, mend in MENDS.items() if isinstance(error, kind))
        where = urlsplit(settings.postgres)
        place = f"{where.hostname or 'localhost'}:{where.port or POSTGRES_PORT}"
        raise LoginRefused(f"PostgreSQL at {place} refuses the login: {error}; {mend}") from error


async def check_login(settings: Settings) -> None:
    """Raises `LoginRefused`, or the error of a server that is away."""
    (await log_in(settings)).terminate()


async def connect(url: str, lease_s: float, **more: str) -> asyncpg.Connection:
    """A connection whose idle transactions die well before another instance may take over its leases."""
    idle_ms = int(lease_s * 400)
    bounds = {
        "application_name": "quittance",
        "statement_timeout": STATEMENT_TIMEOUT,
        "lock_timeout": LOCK_TIMEOUT,
        "idle_in_transaction_session_timeout": str(idle_ms),
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        "jit": "off",
        **more,
    }
    return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, server_settings=bounds)


async def prepare(settings: Settings, service: str, schema: Path) -> None:
    """Create the service's database if it is missing and bring its schema up to date. Raises `LoginRefused`.

    A schema that was applied and still stands is left alone: applied again it would ask for every table at once, and
    end in a deadlock with a batch of an instance that is at work. Raises the deadlock after `SCHEMA_TRIES`.
    """
    await create_database(settings, service)
    # A table of an earlier release is read through once when it is changed, however long that takes.
    connection = await connect(settings.database(service), settings.lease_s, statement_timeout="0")
    try:
        await connection.execute("select pg_advisory_lock($1)", SCHEMA_LOCK)
        await bring_up_to_date(connection, schema)
        await _check_installation(connection, settings)
    finally:
        await connection.close()


async def bring_up_to_date(connection: asyncpg.Connection, schema: Path) -> None:
    """The kit's tables and this service's, in the connection's schema, as `prepare` says."""
    scripts = (KIT_SCHEMA.read_text(), schema.read_text())
    if not await _stands(connection, scripts):
        await _apply(connection, scripts)


async def _apply(connection: asyncpg.Connection, scripts: tuple[str, ...]) -> None:
    """Each script in a transaction of its own; again when the work of another instance was in its way."""
    for attempt in range(1, SCHEMA_TRIES + 1):
        try:
            for script in scripts:
                await connection.execute(script)
            break
        except (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError):
            if attempt == SCHEMA_TRIES:
                raise
    await connection.execute("delete from schema_applied")
    await connection.execute("insert into schema_applied values ($1, $2)", _digest(scripts), await connection.fetchval(SHAPE))


async def _stands(connection: asyncpg.Connection, scripts: tuple[str, ...]) -> bool:
    """Whether just these scripts were the last applied, and what they made is as they left it."""
    if not await connection.fetchval("select to_regclass('schema_applied') is not null"):
        return False
    applied = await connection.fetchrow("select scripts, shape from schema_applied")
    return applied is not None and tuple(applied) == (_digest(scripts), await connection.fetchval(SHAPE))


def _digest(scripts: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(scripts).encode()).hexdigest()


async def create_database(settings: Settings, service: str) -> None:
    name = settings.database_name(service)
    connection = await log_in(settings)
    try:
        if not await connection.fetchval("select 1 from pg_database where datname = $1", name):
            await connection.execute(f'create database "{name}"')
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return  # another instance starting at the same time was first
    finally:
        await connection.close()


class InstallationMismatch(RuntimeError):
    """The settings contradict what was fixed when this installation was created."""


async def _check_installation(connection: asyncpg.Connection, settings: Settings) -> None:
    fixed = {"partitions": str(settings.partitions), "clock": settings.clock}
    await connection.executemany("insert into installation values ($1, $2) on conflict do nothing", list(fixed.items()))
    for key, value in await connection.fetch("select key, value from installation"):
        if fixed.get(key, value) != value:
            database = urlsplit(settings.postgres).hostname
            raise InstallationMismatch(
                f"this installation (on {database}) was created with {key}={value}, but QUITTANCE_{key.upper()}={fixed[key]}: "
                "it is fixed for good; set it back, or create a new installation"
            )
