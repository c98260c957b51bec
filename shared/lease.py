"""Who writes which partition: a row per partition that is both the assignment and the fence.

An instance holds a lease while it renews it; a takeover raises the epoch. Every batch proves in its own transaction that
its epochs still stand (`fence`), so an instance that was paused and thinks it still owns a partition cannot write a thing.
No Kafka rebalance decides anything.
"""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg

MISSED_BEATS = 3
"""A lease is renewed this many times within its duration, so that one lost beat does not lose it."""
FORGOTTEN_LEASES = 30
"""An instance not seen for so many leases is dead: its row goes, or every crash would leave one for ever. Until then people can
see that it was there; should it wake, its next beat writes the row again."""

MINE_IN_ORDER = "select partition from lease where holder = $1 order by partition for update"
"""Locked in partition order, as the fence does it: in another order a heartbeat and a batch may wait for each other.

A lease that ran out is still its holder's until somebody takes it: else one who loads for longer than a lease loses it to nobody,
loads again, and so for ever."""


class Fenced(RuntimeError):
    """Another instance holds the partition now: everything in memory about it is void."""


async def enrol(connection: asyncpg.Connection, partitions: int, lease_s: float) -> None:
    """Before the first beat: rows for every partition, and none for instances that are long dead."""
    await connection.execute("delete from instance where seen_at < now() - make_interval(secs => $1)", lease_s * FORGOTTEN_LEASES)
    await connection.execute("insert into lease (partition) select generate_series(0, $1 - 1) on conflict do nothing", partitions)
    await connection.execute(
        "insert into progress (partition) select generate_series(0, $1 - 1) on conflict do nothing", partitions
    )


async def beat(connection: asyncpg.Connection, instance: str, lease_s: float) -> set[int]:
    """Say "I am alive" and renew; returns the partitions that nobody else has taken."""
    await connection.execute("insert into instance values ($1, now()) on conflict (id) do update set seen_at = now()", instance)
    rows = await connection.fetch(
        f"""
        with mine as ({MINE_IN_ORDER})
        update lease set until = now() + make_interval(secs => $2) from mine where lease.partition = mine.partition
        returning lease.partition
        """,
        instance,
        lease_s,
    )
    return {row["partition"] for row in rows}


async def fair_share(connection: asyncpg.Connection, partitions: int, lease_s: float) -> int:
    """How many partitions one instance should hold, rounded up."""
    alive: int = await connection.fetchval(
        "select count(*) from instance where seen_at > now() - make_interval(secs => $1)", lease_s
    )
    return -(-partitions // max(alive, 1))


async def take(connection: asyncpg.Connection, instance: str, most: int, lease_s: float) -> dict[int, int]:
    """Take up to `most` partitions that nobody holds; returns partition → new epoch.

    A holder that vanished without releasing is counted as a death at the ordinal it had reached, or, if it was naming what
    it tries, as one more of the deaths that made it name them.
    """
    rows = await connection.fetch(
        """
        with free as (
            select lease.partition, progress.ordinal from lease join progress using (partition)
            where holder is null or until < now() order by lease.partition limit $2 for update of lease skip locked)
        update lease set holder = $1, epoch = epoch + 1, until = now() + make_interval(secs => $3),
            deaths = case when holder is null then 0 when holder = $1 then deaths
                          when died_at = free.ordinal or attempt <> '' then deaths + 1 else 1 end,
            died_at = case when holder is null then -1 else free.ordinal end,
            attempt = case when holder is null or holder = $1 then '' else attempt end
        from free where lease.partition = free.partition returning lease.partition, epoch
        """,
        instance,
        most,
        lease_s,
    )
    return {row["partition"]: row["epoch"] for row in rows}


async def renew_epochs(connection: asyncpg.Connection, instance: str) -> dict[int, int]:
    """New epochs for all that this instance still holds, after an error: its own unknown transactions are fenced off too.

    It is alive, so the message that it named last did not kill it.
    """
    rows = await connection.fetch(
        f"""
        with mine as ({MINE_IN_ORDER})
        update lease set epoch = epoch + 1, attempt = '' from mine where lease.partition = mine.partition
        returning lease.partition, epoch
        """,
        instance,
    )
    return {row["partition"]: row["epoch"] for row in rows}


async def release(connection: asyncpg.Connection, instance: str, partitions: list[int]) -> None:
    await connection.execute(
        "update lease set holder = null, until = '-infinity' where holder = $1 and partition = any($2::smallint[])",
        instance,
        partitions,
    )


async def leave(connection: asyncpg.Connection, instance: str) -> None:
    await connection.execute("update lease set holder = null, until = '-infinity' where holder = $1", instance)
    await connection.execute("delete from instance where id = $1", instance)


async def fence(connection: asyncpg.Connection, epochs: Mapping[int, int]) -> None:
    """First statement of every batch: lock the lease rows, in partition order, and prove that the epochs still stand."""
    standing = await connection.fetch(
        """
        select lease.partition from lease
        join unnest($1::smallint[], $2::bigint[]) as mine (partition, epoch) using (partition, epoch)
        order by lease.partition for share of lease
        """,
        list(epochs),
        list(epochs.values()),
    )
    if len(standing) != len(epochs):
        lost = sorted(set(epochs) - {row["partition"] for row in standing})
        raise Fenced(f"partitions {lost} have a new epoch: another instance took them over")


async def deaths(connection: asyncpg.Connection, partition: int) -> tuple[int, str]:
    """How many owners vanished where the partition stands now, and the message the last one named before it tried it."""
    row = await connection.fetchrow("select deaths, attempt from lease where partition = $1", partition)
    assert row is not None, "enrol() makes a lease row for every partition"
    return row["deaths"], row["attempt"]


async def note_attempt(connection: asyncpg.Connection, partition: int, name: str) -> None:
    await connection.execute("update lease set attempt = $2 where partition = $1", partition, name)
