"""Whoever fails to sign in waits longer each time: by account, so that its password is not guessed from many places, and by
address, so that many accounts are not tried from one.

An account's wait is short enough that nobody is locked out by somebody else for long.
"""

from __future__ import annotations

import datetime as dt

import asyncpg
import msgspec

FORGOTTEN = dt.timedelta(hours=12)


class Patience(msgspec.Struct, frozen=True):
    """So many failures cost nothing; each further one doubles the wait, up to `longest_s`."""

    free: int
    longest_s: float


ACCOUNT = Patience(free=4, longest_s=60.0)
ADDRESS = Patience(free=30, longest_s=900.0)


def wait_s(times: int, since: dt.timedelta, patience: Patience) -> float:
    """Seconds until the next try may be made, after so many failures the last of which is so long ago."""
    if times < patience.free or since > FORGOTTEN:
        return 0.0
    pause_s = min(2.0 ** min(times - patience.free, 20), patience.longest_s)
    return max(0.0, pause_s - since.total_seconds())


async def claim(pool: asyncpg.Pool, account: str, address: str) -> float:
    """Count a try before it is made, so that many at once do not slip through; returns how long to wait instead, or 0."""
    keys = {f"account {account}": ACCOUNT, f"address {address}": ADDRESS}
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "insert into failure (key, times, last_at) select unnest($1::text[]), 0, now() on conflict do nothing", sorted(keys)
        )
        rows = await connection.fetch(
            "select key, times, now() - last_at as since from failure where key = any($1) order by key for update", sorted(keys)
        )
        longest = max(wait_s(row["times"], row["since"], keys[row["key"]]) for row in rows)
        if longest == 0:
            await connection.execute(
                """
                update failure set times = case when now() - last_at > $2::interval then 1 else times + 1 end, last_at = now()
                where key = any($1)
                """,
                sorted(keys),
                FORGOTTEN,
            )
        return longest


async def forgive(pool: asyncpg.Pool, account: str, address: str) -> None:
    """It was the right password: nothing counts against the account, and this try not against the address."""
    await pool.execute("delete from failure where key = $1", f"account {account}")
    await pool.execute("update failure set times = greatest(times - 1, 0) where key = $1", f"address {address}")
