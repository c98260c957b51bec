"""A small installation of its own for a drill: servers that may be broken, the real services, a sender, a clock for each step."""

from __future__ import annotations

import asyncio
import json
import platform
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg

from deploy.local import stack as local_stack
from deploy.local.settings import REPOSITORY, Settings, from_environment
from quittance import keys
from quittance.cast import WORKING, program_of
from quittance.installation import gateway_url
from quittance.intake import Gateway
from quittance.processes import Processes
from shared.settings import Settings as HouseSettings
from shared.testing import free_ports, own_settings

ACCOUNTS = 40
PARTITIONS = 4
POLL_S = 0.1
PATIENCE_S = 240.0
FIGURES = REPOSITORY / "build" / "faults"
ACCOUNTS_HEADER = "account,name,currency,limit\n"
ORDERS_HEADER = "order_ref,received_at,account,country,sku,description,quantity,unit_price\n"


@dataclass(eq=False)
class Site:
    stack: Settings
    settings: HouseSettings
    steps: dict[str, float] = field(default_factory=dict)
    processes: Processes | None = None

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One thing that is done, and how long it took."""
        began = time.monotonic()
        yield
        self.steps[name] = round(time.monotonic() - began, 2)
        print(f"{self.steps[name]:>8.2f} s  {name}", flush=True)

    # --- services ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self.processes = Processes(self.settings)
        for name in WORKING:
            self.processes.start(program_of(self.settings, name))
        await self.processes.ready()

    async def stop(self) -> None:
        assert self.processes is not None
        await self.processes.stop()

    async def kill(self) -> None:
        """Without a word, all at once; by their own pids."""
        assert self.processes is not None
        self.processes._stopping = True
        for child in self.processes.children.values():
            if child.process is not None:
                child.process.kill()
                await child.process.wait()
        await self.processes.stop()

    # --- sending ----------------------------------------------------------------------------------------------------

    async def send(self, kind: str, name: str, content: str) -> None:
        """Hand a file over, as any customer does; it is read behind our back."""
        token = (await keys.issue(self.settings)).people
        gateway = Gateway(gateway_url(self.settings), token)
        try:
            await gateway.send_file(kind, name, content.encode())
        finally:
            await gateway.close()

    async def open_accounts(self) -> None:
        rows = "".join(f"D{n},Drill {n},GBP,100000000.00\n" for n in range(ACCOUNTS))
        await self.send("accounts", "accounts.csv", ACCOUNTS_HEADER + rows)
        await self.until("accounts", ACCOUNTS, "select count(*) from account where at_desk", "gateway")

    async def send_orders(self, wave: str, count: int) -> None:
        await self.send("wholesale", f"{wave}.csv", orders_file(wave, count))

    # --- looking ----------------------------------------------------------------------------------------------------

    async def value(self, service: str, query: str) -> int:
        connection = await asyncpg.connect(self.settings.database(service))
        try:
            return int(await connection.fetchval(query))
        finally:
            await connection.close()

    async def until(self, what: str, wanted: int, query: str, service: str) -> None:
        """Wait until a query gives this number."""
        deadline, found = time.monotonic() + PATIENCE_S, -1
        while (found := await self.value(service, query)) != wanted:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"waited {PATIENCE_S:.0f} s in vain for {wanted} {what}; there are {found}: see {self.settings.home}"
                )
            await asyncio.sleep(POLL_S)

    async def decided(self, count: int) -> None:
        await self.until("orders decided", count, "select count(*) from orders", "orders")

    async def heard(self) -> None:
        """The gateway knows all that the desk said: what it projects is complete."""
        for topic in ("accounts", "orders"):
            said = await self.value(topic, "select coalesce(sum(last), 0) from (select max(sequence) as last from journal "
                                           "where lane = '' group by partition) as each")  # fmt: skip
            query = f"select coalesce(sum(value::bigint), 0) from reading, jsonb_each_text(seen) where topic = '{topic}'"
            await self.until(f"facts of {topic} heard", said, query, "gateway")

    def write(self, name: str, figures: dict[str, object]) -> None:
        FIGURES.mkdir(parents=True, exist_ok=True)
        where = {"machine": f"{platform.machine()}, Python {platform.python_version()}", "steps_s": self.steps}
        (FIGURES / f"{name}.json").write_text(json.dumps({**figures, **where}, indent=2) + "\n")
        print(json.dumps(figures), flush=True)


def orders_file(wave: str, count: int) -> str:
    rows = "".join(
        f"{wave}-{n},2026-01-05T09:00:00,D{n % ACCOUNTS},GB,S1,Phone,{1 + n % 3},{10 + n % 7}.00\n" for n in range(count)
    )  # fmt: skip
    return ORDERS_HEADER + rows


@asynccontextmanager
async def site(name: str) -> AsyncIterator[Site]:
    """Servers and services that are gone afterwards, with all that they held."""
    local = replace(from_environment(), kafka=None, postgres=None)
    stack = own_settings(local, local.home / "drills" / name)
    if stack.home.exists():
        local_stack.erase(stack)
    running = local_stack.up(stack)
    assert running.kafka.url and running.postgres.url
    (port,) = free_ports(1)
    house = HouseSettings(
        kafka=running.kafka.url, postgres=running.postgres.url, home=stack.home, partitions=PARTITIONS, clock="wall", port=port,
        lease_s=3.0,
    )  # fmt: skip
    found = Site(stack, house)
    try:
        yield found
    finally:
        if found.processes is not None:
            await found.processes.stop()
        local_stack.erase(stack)


def move(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    source.rename(target)
