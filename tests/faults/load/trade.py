"""A trade that goes round: orders are placed, released, despatched, delivered, invoiced, and paid, so that credit comes back.

It hears the desk's facts and acts on them like warehouse and ledger would; its rate counts all messages it writes. New orders
have a rate of their own within it. Otherwise a desk that stands still for some seconds would get orders in place of all that
its releases lead to, more than credit comes back for, and never get out of it again.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import itertools
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.accounts import OpenAccount
from contracts.message import Message, type_name
from contracts.orders import CancelOrder, OrderHeld, OrderReferred, OrderRejected, OrderReleased, RecordDelivery, RecordDespatch
from contracts.payments import Covers, ItemPosted, ItemSettled
from shared.settings import Settings
from tests.bench.feed_in import TOTAL_MINOR, Writer, account_name, order

ACCOUNTS_PER_MESSAGE_S = 1.6
ORDER_SHARE = 0.2
"""Of the messages: an order that is released leads to four more."""
LIMIT_MINOR = TOTAL_MINOR * 6
"""Two or three times what an account owes on average (orders are paid after 20 s): some in a hundred are held, and the next
payment frees them."""
AFTER_RELEASE_S = {"despatch": 2.0, "delivery": 5.0, "invoice": 6.0, "payment": 20.0}
"""Seconds after the release. A round is short, so that an hour has many and what is done goes away."""
CANCELLED_SHARE = 0.2
"""Of the held orders; the others wait for credit."""
CANCEL_S = 10.0
TICK_S = 0.05
READ_MAX = 5_000
MINE = "feeder"
"""The name under which commands are written: not the gateway's, which may run beside."""

Letter = tuple[str, Message, str]


def accounts_for(rate: float) -> int:
    return max(int(rate * ACCOUNTS_PER_MESSAGE_S), 1)


class About(msgspec.Struct):
    order: str = ""
    account: str = ""


class Told(msgspec.Struct):
    """A fact, as far as the trade looks at it."""

    type: str
    data: About


RELEASED = type_name(OrderReleased)
DECIDED = {type_name(fact) for fact in (OrderReleased, OrderHeld, OrderReferred, OrderRejected)}
_told = msgspec.json.Decoder(Told).decode


class Trade:
    """`run()` writes `rate` messages a second until `stop` is set; `drained()` then waits for what is undecided."""

    def __init__(self, settings: Settings, rate: float, seed: int = 1) -> None:
        self.settings, self.rate, self._accounts = settings, rate, accounts_for(rate)
        self._commands, self._ledger = Writer(settings, MINE), Writer(settings, "payments")
        self._facts = AIOKafkaConsumer(bootstrap_servers=settings.kafka, fetch_max_wait_ms=100)
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, str, str, str]] = []
        self._numbers = itertools.count()
        self.undecided: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self._latencies: list[float] = []
        self.stop = asyncio.Event()

    async def __aenter__(self) -> Trade:
        await asyncio.gather(self._commands.__aenter__(), self._ledger.__aenter__(), self._facts.start())
        places = [TopicPartition(self.settings.topic("orders"), number) for number in range(self.settings.partitions)]
        self._facts.assign(places)
        await self._facts.seek_to_end(*places)
        await asyncio.gather(*(self._facts.position(place) for place in places))
        self._ears = asyncio.create_task(self._listen(), name="trade hears")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ears.cancel()
        await asyncio.gather(self._commands.__aexit__(), self._ledger.__aexit__(), self._facts.stop())

    async def run(self) -> None:
        began = time.monotonic()
        while not self.stop.is_set():
            self._raise_what_ended()
            passed_s = time.monotonic() - began
            allowance = int(passed_s * self.rate) - self.counts["written"]
            orders = int(passed_s * self.rate * ORDER_SHARE) - self.counts["placed"]
            if allowance > 0:
                await self._write(allowance, orders)
            await asyncio.sleep(TICK_S)

    async def _write(self, most: int, orders: int) -> None:
        """What is due first, then the new orders whose turn it is."""
        now, at = time.monotonic(), dt.datetime.now(dt.UTC)
        commands: list[Letter] = []
        ledger: list[Letter] = []
        while self._due and self._due[0][0] <= now and len(commands) + len(ledger) < most:
            _, _, step, name, account = heapq.heappop(self._due)
            (ledger if step in ("invoice", "payment") else commands).append(self._letter(step, name, account, at))
        commands += self._placed(min(orders, most - len(commands) - len(ledger)), at)
        await asyncio.gather(self._commands.write(commands, at), self._ledger.write(ledger, at))
        self.counts["written"] += len(commands) + len(ledger)

    def _placed(self, count: int, at: dt.datetime) -> Iterable[Letter]:
        for _ in range(count):
            name = f"soak/{next(self._numbers):09d}"
            account = account_name(self._random.randrange(self._accounts))
            self.undecided[name] = time.monotonic()
            self.counts["placed"] += 1
            yield account, order(name, account, at), name

    def _letter(self, step: str, name: str, account: str, at: dt.datetime) -> Letter:
        self.counts[step] += 1
        today, due, item = at.date(), at.date() + dt.timedelta(days=30), f"I-{name[5:]}"
        message: Message
        match step:
            case "despatch":
                message = RecordDespatch(order=name, account=account, despatch=f"D-{name[5:]}", amount_minor=TOTAL_MINOR)
            case "delivery":
                message = RecordDelivery(order=name, account=account, despatch=f"D-{name[5:]}")
            case "invoice":
                covers = (Covers(order=name, amount_minor=TOTAL_MINOR),)
                message = ItemPosted(account=account, item=item, kind="invoice", amount_minor=TOTAL_MINOR, currency="GBP",
                                     document_on=today, due_on=due, covers=covers)  # fmt: skip
            case "payment":
                message = ItemSettled(
                    account=account, item=item, kind="invoice", settled_minor=TOTAL_MINOR, open_minor=0, due_on=due
                )
            case _:
                message = CancelOrder(order=name, account=account, reason="the customer does not wait")
        return account, message, f"{name}/{step}"

    # --- what the desk says -------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            for records in (await self._facts.getmany(timeout_ms=200, max_records=READ_MAX)).values():
                for record in records:
                    self._hear(_told(record.value))

    def _hear(self, told: Told) -> None:
        if told.type not in DECIDED:
            return
        now, name = time.monotonic(), told.data.order
        if (placed_at := self.undecided.pop(name, None)) is not None:
            self._latencies.append(now - placed_at)
            self.counts["decided"] += 1
        if told.type == RELEASED:
            self.counts["released"] += 1
            for step, after_s in AFTER_RELEASE_S.items():
                self._plan(now + after_s, step, told.data)
        else:
            self.counts["held"] += 1
            if self._random.random() < CANCELLED_SHARE:
                self._plan(now + CANCEL_S, "cancel", told.data)

    def _plan(self, at: float, step: str, about: About) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), step, about.order, about.account))

    def _raise_what_ended(self) -> None:
        if self._ears.done() and (error := self._ears.exception()):
            raise error

    def latency_ms(self) -> dict[str, float]:
        """Order written → decision heard, since the last call."""
        seen, self._latencies = self._latencies, []
        if len(seen) < 2:
            return {}
        cut = statistics.quantiles(seen, n=100)
        return {"p50_ms": round(cut[49] * 1e3, 1), "p99_ms": round(cut[98] * 1e3, 1)}

    async def drained(self, within_s: float) -> int:
        """Wait for the decisions still missing; returns how many never came."""
        deadline = time.monotonic() + within_s
        while self.undecided and time.monotonic() < deadline:
            self._raise_what_ended()
            await asyncio.sleep(TICK_S)
        return len(self.undecided)


async def open_accounts(settings: Settings, count: int, limit_minor: int = LIMIT_MINOR) -> None:
    """By command, through the credit master; returns when they are written."""
    async with Writer(settings, MINE, role="director") as writer:
        await writer.write(
            (
                (name, OpenAccount(account=name, name=name, currency="GBP", limit_minor=limit_minor), name)
                for name in map(account_name, range(count))
            ),
            dt.datetime.now(dt.UTC),
        )
