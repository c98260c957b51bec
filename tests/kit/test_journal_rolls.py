"""The journal rolls by ranges of sequence; old ones are taken out behind a checked snapshot and file, and come back."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import asyncpg
import pytest

from shared import archive, database, journal, ranges
from shared.archive import Damaged, NotArchivable
from shared.journal import COLUMNS
from shared.refold import differences
from tests.kit.stage import Stage, homes, order

SIZE = 40
PLAIN = """
    drop table journal;
    create table journal (
        partition smallint not null, lane text not null, sequence bigint not null, ordinal bigint not null,
        at timestamptz not null, home text not null, input text not null, body bytea not null,
        primary key (partition, lane, sequence))
"""


@pytest.fixture(autouse=True)
async def _small_ranges(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges of forty, so that a test sees a few of them."""
    monkeypatch.setattr(ranges, "RANGE_ROWS", SIZE)
    await stage.connection.execute("alter table journal detach partition journal_first")
    await stage.connection.execute("drop table journal_first")
    await stage.connection.execute(f"create table journal_first partition of journal for values from (minvalue) to ({SIZE + 1})")


async def _trade(stage: Stage, count: int, first: int = 0) -> None:
    """So many orders for each home, one home a partition."""
    for home in homes():
        await stage.send([stage.wrap(home, order(f"{home}-{n}", home)) for n in range(first, first + count)])


async def _equal_to_the_fold(stage: Stage) -> int:
    counts = []
    for partition in range(2):
        count, different = await differences(stage.connection, stage.service, partition)
        assert different == []
        counts.append(count)
    return sum(counts)


async def test_ranges_are_made_before_a_lane_needs_them_and_never_by_default(stage: Stage) -> None:
    await _trade(stage, 3 * SIZE)
    async with stage.running() as engine:
        await stage.decided(6 * SIZE)
        await stage.all_published()
        assert engine.metrics.restarts._value.get() == 0
    found = await ranges.bounds(stage.connection)
    assert [first for _, first, _ in found][:4] == [0, SIZE + 1, 2 * SIZE + 1, 3 * SIZE + 1]
    assert found[-1][2] > 3 * SIZE + SIZE // 2
    assert (
        await stage.value("select count(*) from pg_partitioned_table where partrelid = 'journal'::regclass and partdefid = 0")
        == 1
    )
    assert await _equal_to_the_fold(stage) == 6 * SIZE + 2


async def test_instances_that_roll_at_the_same_time_make_each_range_once(stage: Stage) -> None:
    connections = [await asyncpg.connect(stage.settings.database("orders")) for _ in range(4)]
    ends = await asyncio.gather(*(ranges.reach(each, 10 * SIZE) for each in connections))
    assert len(set(ends)) == 1 and ends[0] > 11 * SIZE
    found = await ranges.bounds(stage.connection)
    assert all(before == after for (*_, before), (_, after, _) in itertools.pairwise(found))
    for each in connections:
        await each.close()


async def test_a_range_is_made_while_somebody_reads_the_journal(stage: Stage) -> None:
    """A refold in a long transaction must not stop those who write."""
    reader = await asyncpg.connect(stage.settings.database("orders"))
    async with reader.transaction(isolation="repeatable_read", readonly=True):
        await reader.fetchval("select count(*) from journal")
        await asyncio.wait_for(ranges.reach(stage.connection, 5 * SIZE), 5)
    await reader.close()


async def test_a_plain_journal_of_an_earlier_release_becomes_the_first_range(stage: Stage) -> None:
    await _trade(stage, 5)
    async with stage.running():
        await stage.decided(10)
        await stage.all_published()
    kept = await stage.rows("select * from journal")
    await stage.connection.execute(PLAIN)
    await stage.connection.copy_records_to_table("journal", records=kept, columns=COLUMNS)
    for _ in range(2):
        await database.prepare(stage.settings, stage.service.name, stage.service.schema)
    ((name, first, before),) = await ranges.bounds(stage.connection)
    assert (name, first) == ("journal_first", 0) and before > 1_000_000
    await _trade(stage, 5, first=5)
    async with stage.running():
        await stage.decided(20)
        await stage.all_published()


async def test_old_ranges_are_taken_out_into_a_file_and_everything_goes_on(stage: Stage, tmp_path: Path) -> None:
    await _trade(stage, 3 * SIZE)
    async with stage.running():
        await stage.decided(6 * SIZE)
        await stage.all_published()
        whole = await stage.rows("select * from journal order by 1, 2, 3")
        made = await archive.archive(stage.connection, stage.service, stage.settings, tmp_path)
        assert made is not None and (made.before, made.rows) == (SIZE + 1, 2 * SIZE)
        assert await stage.value("select min(sequence) from journal where lane = ''") == SIZE + 1
        await _trade(stage, SIZE, first=3 * SIZE)
        await stage.equals(8 * SIZE, "select sum(balance) / 100 from account")
    assert await _equal_to_the_fold(stage) == 8 * SIZE + 2
    async with stage.running():  # a start from the journal that is left
        await _trade(stage, 1, first=4 * SIZE)
        await stage.equals(8 * SIZE + 2, "select sum(balance) / 100 from account")
    again = await archive.archive(stage.connection, stage.service, stage.settings, tmp_path)
    assert again is not None and (again.number, again.before, again.rows) == (2, 3 * SIZE + 1, 4 * SIZE)
    for each in await archive.archives(stage.connection):
        await archive.attach(stage.connection, each)
    assert (await stage.rows("select * from journal where sequence <= 120 order by 1, 2, 3")) == whole
    assert await _equal_to_the_fold(stage) == 8 * SIZE + 4


async def test_a_lane_that_is_behind_keeps_its_rows(stage: Stage, tmp_path: Path) -> None:
    home, other = homes()
    await stage.send([stage.wrap(home, order(n, home)) for n in range(3 * SIZE)])
    await stage.say(other, order("slow", other))
    async with stage.running():
        await stage.decided(3 * SIZE + 1)
        await stage.all_published()
        made = await archive.archive(stage.connection, stage.service, stage.settings, tmp_path, keep=0)
        assert made is not None and (made.before, made.rows) == (2 * SIZE + 1, 2 * SIZE)
        assert await stage.value("select count(*) from journal where partition = 1") == 1
        assert await journal.last_sequences(stage.connection, 1) == {"": 1}
        await stage.say(other, *[order(f"slow-{n}", other) for n in range(SIZE)])
        await stage.equals(3 * SIZE + 1 + SIZE, "select sum(balance) / 100 from account")
    assert await _equal_to_the_fold(stage) == 4 * SIZE + 3


async def test_nothing_is_taken_out_that_is_not_published(stage: Stage, tmp_path: Path) -> None:
    await _trade(stage, 3 * SIZE)
    async with stage.running():
        await stage.decided(6 * SIZE)
        await stage.all_published()
    await stage.lose_topic("orders")
    with pytest.raises(NotArchivable, match=r"published up to 0 only, and 40 is to be taken out"):
        await archive.archive(stage.connection, stage.service, stage.settings, tmp_path)
    assert await stage.value("select min(sequence) from journal") == 1 and list(tmp_path.iterdir()) == []


async def test_nothing_is_taken_out_while_a_row_differs_from_the_fold(stage: Stage, tmp_path: Path) -> None:
    await _trade(stage, 3 * SIZE)
    async with stage.running():
        await stage.decided(6 * SIZE)
        await stage.all_published()
    await stage.connection.execute("""update account set body = '{"account": "x"}' where partition = 1""")
    with pytest.raises(NotArchivable, match=r"1 rows of partition 1 are not what the journal says .* `quittance rebuild orders`"):
        await archive.archive(stage.connection, stage.service, stage.settings, tmp_path)
    assert await stage.value("select min(sequence) from journal") == 1 and await archive.archives(stage.connection) == []


async def test_a_file_that_was_changed_is_not_brought_back(stage: Stage, tmp_path: Path) -> None:
    await _trade(stage, 3 * SIZE)
    async with stage.running():
        await stage.decided(6 * SIZE)
        await stage.all_published()
    made = await archive.archive(stage.connection, stage.service, stage.settings, tmp_path)
    assert made is not None
    Path(made.file).write_bytes(Path(made.file).read_bytes()[:-9])
    with pytest.raises(Damaged, match="was changed since it was written"):
        await archive.attach(stage.connection, made)
    Path(made.file).unlink()
    with pytest.raises(Damaged, match="is not there"):
        await archive.attach(stage.connection, made)
