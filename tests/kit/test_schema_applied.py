"""A start brings the schema up to date without getting in the way of an instance that is at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from shared.database import connect, prepare
from shared.testing import Servers
from tests.kit.stage import Stage, stage_on

AT_WORK = "lock table lease, progress, reading, journal, account in row exclusive mode"
"""What a batch holds until it commits."""
WAITING = "select count(*) > 0 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
GUARD = """
    create or replace function stands() returns trigger language plpgsql as $$ begin raise 'it stands'; end $$;
    create or replace trigger stands before update on account for each row execute function stands();"""
AT_ONCE_S = 5.0
"""Well below `LOCK_TIMEOUT`, for which a start would wait that asks for the tables."""


@pytest.fixture
async def stage(stack: Servers) -> AsyncIterator[Stage]:
    async with stage_on(stack) as stage:
        yield stage


async def _start(stage: Stage, schema: Path | None = None) -> None:
    await prepare(stage.settings, stage.service.name, schema or stage.service.schema)


async def _other(stage: Stage) -> asyncpg.Connection:
    return await connect(stage.settings.database(stage.service.name), 60.0)


def _newer(stage: Stage, folder: Path) -> Path:
    path = folder / "schema.sql"
    path.write_text(stage.service.schema.read_text() + "\nalter table account add column if not exists colour text;")
    return path


async def test_a_schema_that_stands_is_left_alone_while_a_batch_is_under_way(stage: Stage) -> None:
    other = await _other(stage)
    async with other.transaction():
        await other.execute(AT_WORK)
        await asyncio.wait_for(_start(stage), AT_ONCE_S)
    await other.close()


@pytest.mark.parametrize(
    ("damage", "mended"),
    [
        ("drop table parked", "select to_regclass('parked') is not null"),
        ("drop index timer_due", "select to_regclass('timer_due') is not null"),
        (
            "alter table reading drop column marks",
            "select count(*) = 1 from pg_attribute where attrelid = 'reading'::regclass and attname = 'marks'",
        ),
    ],
)
async def test_what_is_missing_comes_back_at_the_next_start(stage: Stage, damage: str, mended: str) -> None:
    await stage.connection.execute(damage)
    await _start(stage)
    assert await stage.value(mended)


@pytest.mark.parametrize("damage", ["drop trigger stands on account", "alter table account disable trigger stands"])
async def test_a_guard_of_a_table_that_was_taken_out_comes_back_at_the_next_start(
    stage: Stage, tmp_path: Path, damage: str
) -> None:
    guarded = tmp_path / "schema.sql"
    guarded.write_text(f"{stage.service.schema.read_text()}\n{GUARD}")
    await _start(stage, guarded)
    await stage.connection.execute("insert into account (key, partition, balance, body) values ('A', 0, 0, '')")
    await stage.connection.execute(damage)
    await _start(stage, guarded)
    with pytest.raises(asyncpg.RaiseError, match="it stands"):
        await stage.connection.execute("update account set balance = 1")


async def test_a_changed_schema_is_applied_and_then_left_alone(stage: Stage, tmp_path: Path) -> None:
    newer = _newer(stage, tmp_path)
    await _start(stage, newer)
    await stage.connection.execute("insert into account (key, partition, balance, body, colour) values ('A', 0, 0, '', 'red')")
    applied = await stage.rows("select ctid, * from schema_applied")
    await _start(stage, newer)
    assert await stage.rows("select ctid, * from schema_applied") == applied and len(applied) == 1


async def test_new_ranges_of_the_journal_are_no_change(stage: Stage) -> None:
    await stage.connection.execute("create table journal_more partition of journal for values from (90000000) to (90000001)")
    other = await _other(stage)
    async with other.transaction():
        await other.execute(AT_WORK)
        await asyncio.wait_for(_start(stage), AT_ONCE_S)
    await other.close()


async def test_a_changed_schema_that_meets_a_batch_in_a_deadlock_is_applied_after_it(stage: Stage, tmp_path: Path) -> None:
    """The start holds one table and waits for the other; the batch holds that and asks for the first: the start yields."""
    newer = _newer(stage, tmp_path)
    other = await _other(stage)
    async with other.transaction():
        await other.execute("lock table reading in row exclusive mode")
        starting = asyncio.create_task(_start(stage, newer))
        await stage.equals(True, WAITING)
        await asyncio.wait_for(other.execute("lock table progress in row exclusive mode"), AT_ONCE_S)
    await asyncio.wait_for(starting, AT_ONCE_S)
    assert await stage.value("select count(*) from pg_attribute where attrelid = 'account'::regclass and attname = 'colour'") == 1
    await other.close()
