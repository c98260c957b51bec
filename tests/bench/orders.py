"""Measures the order desk on the running stack and writes build/bench/orders.json. Ratios of one run count, not seconds.

python -m tests.bench.orders [--quick]
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import read
from contracts.orders import OrderHeld, OrderReferred, OrderReleased
from contracts.payments import ItemPosted, ItemSettled
from shared.settings import Settings
from tests.bench.feed_in import FEW_LIMIT_MINOR, TOTAL_MINOR, Writer, account_name, accounts, order, orders
from tests.bench.installation import Ends, Worker, database_bytes, installation

ACCOUNTS = 5_000
ORDERS = 100_000
ROUNDS = 3
WIDE_LIMIT_MINOR = 10**13
PACED_PER_S = 1_000
RESULT = Path("build/bench/orders.json")
NOW = dt.datetime.now(dt.UTC)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def bare_limit(config: Settings, count: int, among: int) -> float:
    """The bare pipeline in a process of its own, over the same topic."""
    environment = os.environ | {"QUITTANCE_NAMESPACE": config.namespace}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.limit", str(count), str(among), env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return float(json.loads(out)["orders_per_s"])


async def open_accounts(config: Settings, ends: Ends, first: int, last: int, limit_minor: int, writer: Writer) -> None:
    held = await ends.count()
    count = await writer.write(accounts(first, last, limit_minor), NOW)
    await ends.reach(held + count, within_s=600)


async def drain(ends: Ends, start: int, count: int) -> float:
    """Orders a second from the first fact to the last of `count`."""
    began = await ends.reach(start + 1, within_s=60)
    first = await ends.count()
    began = time.perf_counter()
    ended = await ends.reach(start + count, within_s=600)
    return (start + count - first) / (ended - began)


async def one_round(count: int, instances: int) -> dict[str, Any]:
    """Limit and product over the same topic, in the same minute."""
    async with installation() as config, Ends(config, "orders") as ends, Writer(config, "accounts") as master:
        async with Worker(config):
            await open_accounts(config, ends, 0, ACCOUNTS, FEW_LIMIT_MINOR, master)
        opened = await ends.count()
        async with Writer(config, "gateway") as gateway:
            await gateway.write(orders("bench", count, ACCOUNTS, NOW), NOW)
        limit = await bare_limit(config, count, ACCOUNTS)
        empty = await database_bytes(config)
        async with contextlib.AsyncExitStack() as stack:
            workers = [await stack.enter_async_context(Worker(config)) for _ in range(instances)]
            rate = await drain(ends, opened, count)
            return {
                "orders_per_s": round(rate),
                "limit_orders_per_s": round(limit),
                "ratio": round(rate / limit, 3),
                "memory_mb": max(worker.memory_mb() for worker in workers),
                "cpu_us_per_order": round(1e6 * sum(worker.cpu_s() for worker in workers) / count, 1),
                "disk_bytes_per_order": round((await database_bytes(config) - empty) / count),
            }


async def throughput(rounds: int, count: int) -> dict[str, Any]:
    measured = []
    for n in range(rounds):
        measured.append(await one_round(count, instances=1))
        say(f"round {n + 1}: {measured[-1]}")
    middle = sorted(measured, key=lambda one: one["ratio"])[len(measured) // 2]
    return middle | {"rounds": measured}


class Listener:
    """Notes when each order's decision can be read."""

    def __init__(self, config: Settings) -> None:
        self._config = config
        self.seen: dict[str, tuple[float, type]] = {}
        self._consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka, fetch_max_wait_ms=100)

    async def __aenter__(self) -> Listener:
        await self._consumer.start()
        places = [TopicPartition(self._config.topic("orders"), p) for p in range(self._config.partitions)]
        self._consumer.assign(places)
        await self._consumer.seek_to_end(*places)
        await asyncio.gather(*(self._consumer.position(place) for place in places))
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await self._consumer.stop()

    async def _listen(self) -> None:
        async for record in self._consumer:
            now = time.perf_counter()
            data = read(record.value).data
            if isinstance(data, OrderReleased | OrderHeld | OrderReferred):
                self.seen[data.order] = (now, type(data))

    async def until(self, count: int, within_s: float) -> None:
        deadline = time.perf_counter() + within_s
        while len(self.seen) < count and time.perf_counter() < deadline:
            await asyncio.sleep(0.05)


def percentiles(seconds: list[float]) -> dict[str, float]:
    cut = statistics.quantiles(seconds, n=1000)
    return {"p50_ms": round(cut[499] * 1e3, 1), "p99_ms": round(cut[989] * 1e3, 1), "max_ms": round(max(seconds) * 1e3, 1)}


async def latency(config: Settings, seconds: int) -> dict[str, float]:
    """From sending the command to reading the decision, at a steady 1,000 orders a second."""
    sent: dict[str, float] = {}
    async with Writer(config, "gateway") as gateway, Listener(config) as listener:
        began = time.perf_counter()
        for n, (home, message, name) in enumerate(orders("paced", PACED_PER_S * seconds, ACCOUNTS, NOW, seed=2)):
            ahead = began + n / PACED_PER_S - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            sent[name] = time.perf_counter()
            await gateway.send_now(home, message, name, dt.datetime.now(dt.UTC))
        await listener.until(len(sent), within_s=30)
        missing = len(sent) - len(listener.seen)
        assert not missing, f"{missing} of {len(sent)} orders were not decided"
        # The first two seconds warm caches and connections.
        warm = [listener.seen[name][0] - at for name, at in sent.items() if at > began + 2]
    return percentiles(warm)


async def paced() -> dict[str, float]:
    async with installation() as config, Ends(config, "orders") as ends, Writer(config, "accounts") as master, Worker(config):
        await open_accounts(config, ends, 0, ACCOUNTS, WIDE_LIMIT_MINOR, master)
        return await latency(config, seconds=15)


async def cash_to_release(count: int = 300) -> dict[str, float]:
    """One held order per account, then the invoice that blocks it is settled: until its release can be read."""
    async with installation() as config, Ends(config, "orders") as ends, Writer(config, "accounts") as master, Worker(config):
        await open_accounts(config, ends, 0, count, TOTAL_MINOR, master)
        async with Writer(config, "payments") as payments, Writer(config, "gateway") as gateway, Listener(config) as listener:
            due = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=30)
            for n in range(count):
                name = account_name(n)
                item = ItemPosted(account=name, item=f"I{n}", kind="invoice", amount_minor=TOTAL_MINOR, currency="GBP",
                                  document_on=due, due_on=due)  # fmt: skip
                await payments.send_now(name, item, f"I{n}", NOW)
            await ends.reach(2 * count, within_s=60)
            for n in range(count):
                name = account_name(n)
                await gateway.send_now(name, order(f"cash/{n}", name, NOW), f"cash/{n}", NOW)
            await listener.until(count, within_s=30)
            held = [name for name, (_, kind) in listener.seen.items() if kind is not OrderReleased]
            assert len(held) == count, f"{len(held)} of {count} orders held before the cash"
            listener.seen.clear()
            sent = {}
            for n in range(count):
                name = account_name(n)
                settled = ItemSettled(
                    account=name, item=f"I{n}", kind="invoice", settled_minor=TOTAL_MINOR, open_minor=0, due_on=due
                )
                sent[f"cash/{n}"] = time.perf_counter()
                await payments.send_now(name, settled, f"S{n}", NOW)
                await asyncio.sleep(0.01)
            await listener.until(count, within_s=30)
            assert len(listener.seen) == count, f"{count - len(listener.seen)} orders were not released"
            return percentiles([listener.seen[name][0] - at for name, at in sent.items()])


async def many_accounts(sizes: tuple[int, ...], count: int) -> dict[str, Any]:
    """The same stream over ever more accounts; cost per order must stay."""
    figures: dict[str, Any] = {}
    async with installation() as config, Ends(config, "orders") as ends, Writer(config, "accounts") as master, Worker(config):
        opened = 0
        async with Writer(config, "gateway") as gateway:
            for size in sizes:
                await open_accounts(config, ends, opened, size, WIDE_LIMIT_MINOR, master)
                opened = size
                figures[str(size)] = round(await burst(ends, gateway, f"among{size}", count, size))
                say(f"{size} accounts: {figures[str(size)]} orders/s")
    figures["growth"] = round(figures[str(sizes[0])] / figures[str(sizes[-1])], 2)
    return figures


async def burst(ends: Ends, gateway: Writer, feed: str, count: int, among: int) -> float:
    start = await ends.count()
    began = time.perf_counter()
    await gateway.write(orders(feed, count, among, NOW), NOW)
    return count / (await ends.reach(start + count, within_s=300) - began)


async def many_open_orders(count: int) -> dict[str, Any]:
    """10,000 orders on one account: the first tenth against the last tenth."""
    async with installation() as config, Ends(config, "orders") as ends, Writer(config, "accounts") as master, Worker(config):
        await open_accounts(config, ends, 0, 1, WIDE_LIMIT_MINOR, master)
        async with Writer(config, "gateway") as gateway:
            await burst(ends, gateway, "warm", 2_000, 1)
            empty = await burst(ends, gateway, "first", 5_000, 1)
            await burst(ends, gateway, "fill", count, 1)
            full = await burst(ends, gateway, "last", 5_000, 1)
    return {"few_open": round(empty), f"{count}_open": round(full), "growth": round(empty / full, 2)}


async def main(quick: bool) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = await throughput(1 if quick else ROUNDS, 30_000 if quick else ORDERS)
    result |= await paced()
    say(f"latency: {result['p50_ms']} / {result['p99_ms']} ms")
    result["cash_to_release"] = await cash_to_release()
    say(f"cash to release: {result['cash_to_release']}")
    result["open_orders"] = await many_open_orders(10_000)
    say(f"open orders: {result['open_orders']}")
    sizes = (1_000, 10_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    result["per_account"] = await many_accounts(sizes, 20_000 if quick else 50_000)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main("--quick" in sys.argv))
