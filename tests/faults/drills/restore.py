"""The database is lost and comes back from a base backup and the write-ahead log, at a time at which less had happened than
Kafka knows. Senders who are not sure send again.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import postgres
from tests.faults.drills.audit import audit
from tests.faults.drills.site import Site, move, site

WAVE = 1_000
"""Orders per wave: one before the backup, one behind it, two after the moment that is restored, one at the end."""


async def run() -> None:
    async with site("restore") as found:
        await _archive_the_log(found)
        await found.start()
        await found.open_accounts()
        await found.send_orders("one", WAVE)
        await found.decided(WAVE)
        with found.step("base backup"):
            await asyncio.to_thread(_base_backup, found)
        await found.send_orders("two", WAVE)
        await found.decided(2 * WAVE)
        moment = await _now(found)
        await found.send_orders("three", WAVE)
        await found.decided(3 * WAVE)
        await found.send_orders("four", WAVE)
        await found.until("some of wave four", 1, "select (count(*) > 3100)::int from orders", "orders")
        before = await found.value("orders", "select count(*) from journal")
        with found.step("database and services die in the middle of wave four"):
            await asyncio.gather(found.kill(), asyncio.to_thread(_end_database, found))
        with found.step(f"restored to {moment}"):
            await asyncio.to_thread(_restore, found, moment)
        restored = await found.value("orders", "select count(*) from journal")
        assert restored < before, "the restored database knows as much as before: the drill shows nothing"
        with found.step("services are ready again, what the topics know is taken in"):
            await found.start()
        with found.step("waves three and four are sent again, and a new one; all are decided"):
            for wave in ("three", "four", "five"):
                await found.send_orders(wave, WAVE)
            await found.decided(5 * WAVE)
            await found.heard()
        await found.stop()
        with found.step("audit"):
            figures = await audit(found, 5 * WAVE)
        figures |= {"journal_rows_of_orders_before": before, "journal_rows_of_orders_restored": restored}
        found.write("restore", figures)


async def _now(found: Site) -> str:
    connection = await asyncpg.connect(found.settings.postgres)
    try:
        await asyncio.sleep(1)  # what was committed before is before, what comes is behind
        moment: Any = await connection.fetchval("select clock_timestamp()::text")
        await asyncio.sleep(1)
        return str(moment)
    finally:
        await connection.close()


# --- what an operator types ------------------------------------------------------------------------------------------


def _log(found: Site) -> Path:
    return postgres.place(found.stack) / "wal"


async def _archive_the_log(found: Site) -> None:
    folder = _log(found)
    folder.mkdir()
    account = postgres._account(found.stack)
    if account:
        os.chown(folder, account.uid, account.gid)
    connection = await asyncpg.connect(found.settings.postgres)
    await connection.execute("alter system set archive_mode = on")
    await connection.execute(f"alter system set archive_command = 'test ! -f {folder}/%f && cp %p {folder}/%f'")
    await connection.close()
    await asyncio.to_thread(postgres.stop, found.stack)
    await asyncio.to_thread(postgres.start, found.stack)


def _base_backup(found: Site) -> None:
    command = [
        postgres._binaries(found.stack) / "pg_basebackup",
        "-d",
        found.settings.postgres,
        "-c",
        "fast",
        "-X",
        "none",
        "-D",
        _base(found),
    ]
    postgres._run(command, postgres._account(found.stack), "no base backup")


def _base(found: Site) -> Path:
    return postgres.place(found.stack) / "base"


def _end_database(found: Site) -> None:
    """The log is archived to its end, then the server is ended at once and its data is gone."""
    asyncio.run(_switch_log(found))
    command = [postgres._binaries(found.stack) / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", postgres._data(found.stack)]
    postgres._run(command, postgres._account(found.stack), "the database does not end")
    move(postgres._data(found.stack), postgres.place(found.stack) / "lost")


async def _switch_log(found: Site) -> None:
    connection = await asyncpg.connect(found.settings.postgres)
    name = await connection.fetchval("select pg_walfile_name(pg_switch_wal())")
    while not (_log(found) / name).exists():
        await asyncio.sleep(0.1)
    await connection.close()


def _restore(found: Site, moment: str) -> None:
    data, account = postgres._data(found.stack), postgres._account(found.stack)
    move(_base(found), data)
    with (data / "postgresql.auto.conf").open("a") as conf:
        conf.write(
            f"restore_command = 'cp {_log(found)}/%f %p'\nrecovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n"
            "archive_mode = off\n"
        )
    (data / "recovery.signal").touch()
    if account:
        os.chown(data / "recovery.signal", account.uid, account.gid)
    postgres.start(found.stack)
    asyncio.run(_promoted(found))


async def _promoted(found: Site) -> None:
    connection = await asyncpg.connect(found.settings.postgres)
    while await connection.fetchval("select pg_is_in_recovery()"):
        await asyncio.sleep(0.1)
    await connection.close()
