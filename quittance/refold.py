"""`quittance refold`: is every stored row what the journal says? Folds it all again and compares."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quittance.cast import service_of
from quittance.readers import connected
from shared.refold import Difference, differences
from shared.settings import Settings


class Checked(msgspec.Struct, frozen=True):
    service: str
    rows: int
    different: list[Difference]


async def refold(settings: Settings, name: str, told: Callable[[int], None] = lambda _: None) -> Checked:
    """Compare one service, partition by partition; `told` is given the number of partitions done."""
    connection = await connected(settings, name)
    service = service_of(name)
    rows = 0
    different: list[Difference] = []
    try:
        await connection.execute("set statement_timeout = 0")
        for partition in range(settings.partitions):
            count, found = await differences(connection, service, partition)
            rows, different = rows + count, different + found
            told(partition + 1)
    finally:
        connection.terminate()
    return Checked(name, rows, different)
