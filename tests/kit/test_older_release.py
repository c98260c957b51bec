"""A rolling deploy can be stopped half-way: an older release takes a partition over from a newer one and goes on."""

from __future__ import annotations

import asyncpg

from shared.journal import OWN
from tests.kit.stage import Said, Stage, homes, order, placed_by

NEWER = b"orders.order_weighed.v1"
"""A fact that this release does not know."""


async def test_a_partition_whose_last_fact_only_a_newer_release_knows_is_taken_over(stage: Stage) -> None:
    home, _ = homes()
    await stage.say(home, order(1, home))
    async with stage.running():
        await stage.decided(1)
        await stage.all_published()
    await _said_by_a_newer_release(stage, home)
    await stage.say(home, order(2, home))
    async with stage.running():
        await stage.decided(3)
        await stage.equals(3, "select max(sequence) from journal where lane = ''")
    assert await stage.balance(home) == 200


async def _said_by_a_newer_release(stage: Stage, home: str) -> None:
    """The next own fact of the partition, journaled and published, as an instance of that release leaves it."""
    ((partition, sequence, body),) = await stage.journal()
    assert body.count(b"orders.order_released.v1") == 1 and sequence == 1
    name = "f" * 32
    newer = body.replace(b"orders.order_released.v1", NEWER).replace(b"0000000000000001", b"0000000000000002")
    newer = newer.replace(_id_in(body), name.encode(), 1)
    await _journaled(stage.connection, newer)
    source = f"/orders/{partition}"
    await stage.send([Said("orders", partition, home.encode(), newer, placed_by(source, 2, name))])


def _id_in(body: bytes) -> bytes:
    return body.split(b'"id":"', 1)[1].split(b'"', 1)[0]


async def _journaled(connection: asyncpg.Connection, body: bytes) -> None:
    columns = "partition, lane, sequence, ordinal, at, home, input, body"
    await connection.execute(
        f"insert into journal ({columns}) "
        "select partition, lane, 2, ordinal + 1, at, home, 'newer', $1 from journal where lane = $2",
        body,
        OWN,
    )
    await connection.execute("update progress set ordinal = ordinal + 1 where ordinal > 0")
