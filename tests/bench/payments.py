"""Measures the ledger on the running stack and writes build/bench/payments.json, beside the floors and aims of the house.

python -m tests.bench.payments [--quick]
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from contracts.accounts import AccountOpened
from contracts.message import Message
from contracts.orders import OrderReleased
from contracts.payments import ENTRIES_MAX, AdviceLine, BankEntry, PostItem, TakeStatement, home_of_bank
from shared.settings import Settings
from tests.bench.feed_in import TOTAL_MINOR, Writer, order
from tests.bench.installation import Worker, installation
from tests.bench.orders import Listener, percentiles, say

RESULT = Path("build/bench/payments.json")
NOW = dt.datetime.now(dt.UTC)
TODAY = NOW.date()
BANK = "GB82WEST12345698765432"
CURRENCY = "GBP"
FLOOR = {"remittance_s": 2.0, "million_s": 60.0, "cash_to_release_p99_ms": 1_000.0}
AIM = {"remittance_s": 0.2, "million_s": 10.0, "cash_to_release_p99_ms": 200.0}
"""Of the house's table: 800 lines on 10,000 items; 10,000 lines on a million items; from cash to an order that goes."""
POLL_S = 0.02
Told = tuple[str, Message, str]


# --- what is written ----------------------------------------------------------------------------------------------------


def account_of(n: int) -> str:
    return f"A{n:06d}"


def opened(count: int) -> Iterator[Told]:
    for n in range(count):
        name = account_of(n)
        yield name, AccountOpened(account=name, home=name, name=f"Dealer {n:06d} Ltd", currency=CURRENCY, limit_minor=10**9), name


def number(account: int, n: int) -> str:
    """Nine digits, as long as real ones, so that no two look alike."""
    return f"INV-{account * 10_000 + n + 100_000_000}"


def amount(account: int, n: int) -> int:
    return 10_000 + (account * 7_919 + n * 104_729) % 900_000


def items(accounts: Iterable[int], each: int) -> Iterator[Told]:
    for account in accounts:
        for n in range(each):
            name = number(account, n)
            bill = PostItem(
                account=account_of(account), item=name, kind="invoice", amount_minor=amount(account, n), currency=CURRENCY,
                document_on=TODAY - dt.timedelta(days=30),
            )  # fmt: skip
            yield account_of(account), bill, name


def entry(name: str, minor: int, text: str, payer: str = "", lines: tuple[AdviceLine, ...] = ()) -> BankEntry:
    return BankEntry(
        entry=name, amount_minor=minor, currency=CURRENCY, booked_on=TODAY, value_on=TODAY, text=text, payer=payer, lines=lines
    )


def statements(name: str, entries: Sequence[BankEntry]) -> list[Told]:
    cuts = [entries[at : at + ENTRIES_MAX] for at in range(0, len(entries), ENTRIES_MAX)]
    return [
        (
            home_of_bank(BANK),
            TakeStatement(
                bank_account=BANK, statement=name, part=n, parts=len(cuts), currency=CURRENCY, digest=f"digest of {name}",
                entries=tuple(cut), closed_on=TODAY,
            ),
            f"{name}/{n}",
        )
        for n, cut in enumerate(cuts, start=1)
    ]  # fmt: skip


def lines(count: int, accounts: int, each: int) -> list[BankEntry]:
    """As a bank brings them: most name their invoice, some are of its amount only, a few are nobody's."""
    dice = random.Random(1)
    chosen = dice.sample(range(accounts * each), count)
    found = []
    for n, at in enumerate(chosen, start=1):
        account, item = divmod(at, each)
        payer, minor = f"DEALER {account:06d} LTD", amount(account, item)
        kind = dice.random()
        text = f"payment {number(account, item)}" if kind < 0.85 else "with thanks"
        found.append(entry(str(n), minor, text, payer if kind < 0.97 else f"stranger {n}"))
    return found


# --- how long it takes --------------------------------------------------------------------------------------------------


class Books:
    """The ledger's database, asked how far it is."""

    def __init__(self, config: Settings) -> None:
        self._config = config

    async def __aenter__(self) -> Books:
        deadline = time.perf_counter() + 60
        while True:
            try:
                self._connection = await asyncpg.connect(self._config.database("payments"))
                await self._connection.fetchval("select count(*) from landed")
                return self
            except (asyncpg.InvalidCatalogNameError, asyncpg.UndefinedTableError, OSError):
                if time.perf_counter() > deadline:
                    raise
                await asyncio.sleep(0.2)

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def count(self, query: str) -> int:
        return int(await self._connection.fetchval(query))

    async def until(self, query: str, wanted: int, within_s: float) -> float:
        """When (perf_counter) the query gives this."""
        deadline = time.perf_counter() + within_s
        while (found := await self.count(query)) != wanted:
            if time.perf_counter() > deadline:
                raise TimeoutError(f"{query}: {found}, not {wanted}, after {within_s:.0f} s")
            await asyncio.sleep(POLL_S)
        return time.perf_counter()

    async def worked_off(self, landed: int, within_s: float) -> float:
        """All landed, recognised or not, and every receipt matched or with a person."""
        await self.until("select count(*) from landed", landed, within_s)
        await self.until("select count(*) from landed where new_at is not null", 0, within_s)
        known = "select count(*) from landed where convert_from(body, 'utf8')::jsonb->>'state' = 'recognised'"
        recognised = await self.count(known)
        await self.until("select count(*) from receipt", recognised, within_s)
        return await self.until("select count(*) from receipt where pending_home is not null", 0, within_s)


async def filled(stack: AsyncExitStack, config: Settings, accounts: int, each: int) -> tuple[Books, Writer, Worker, float]:
    """A ledger with so many open items an account; and how many items a second it entered."""
    master = await stack.enter_async_context(Writer(config, "accounts"))
    gateway = await stack.enter_async_context(Writer(config, "gateway"))
    worker = await stack.enter_async_context(Worker(config, "payments"))
    books = await stack.enter_async_context(Books(config))
    await master.write(opened(accounts), NOW)
    await books.until("select count(*) from account", accounts, 120)
    began = time.perf_counter()
    await gateway.write(items(range(accounts), each), NOW)
    ended = await books.until("select count(*) from item", accounts * each, 1_800)
    return books, gateway, worker, accounts * each / (ended - began)


async def through_matching(accounts: int, each: int, count: int) -> dict[str, Any]:
    """`count` statement lines against so many open items."""
    async with AsyncExitStack() as stack:
        config = await stack.enter_async_context(installation())
        books, gateway, worker, entered = await filled(stack, config, accounts, each)
        told = lines(count, accounts, each)
        began = time.perf_counter()
        await gateway.write(statements("S", told), NOW)
        took = await books.worked_off(count, 1_200) - began
        matched = await books.count("select count(*) from match")
        return {
            "open_items": accounts * each,
            "lines": count,
            "items_entered_per_s": round(entered),
            "took_s": round(took, 2),
            "lines_per_s": round(count / took),
            "matched": matched,
            "at_a_desk": count - matched,
            "memory_mb": worker.memory_mb(),
        }


async def one_remittance(open_items: int, advised: int) -> dict[str, Any]:
    """One account with many open items pays some of them with one advice."""
    async with AsyncExitStack() as stack:
        config = await stack.enter_async_context(installation())
        books, gateway, _, _ = await filled(stack, config, 1, open_items)
        took = []
        for round_ in range(3):
            first = round_ * advised
            advice = tuple(AdviceLine(reference=number(0, n), amount_minor=amount(0, n)) for n in range(first, first + advised))
            whole = entry("1", sum(line.amount_minor for line in advice), "see advice", "DEALER 000000 LTD", advice)
            began = time.perf_counter()
            await gateway.write(statements(f"R{round_}", [whole]), NOW)
            took.append(await books.until("select count(*) from match", round_ + 1, 120) - began)
        return {"open_items": open_items, "lines": advised, "took_s": round(sorted(took)[1], 3), "all_s": took}


async def cash_to_release(count: int) -> dict[str, float]:
    """One held order an account, then its bank tells of the cash: until its release can be read."""
    async with AsyncExitStack() as stack:
        config = await stack.enter_async_context(installation())
        master = await stack.enter_async_context(Writer(config, "accounts"))
        gateway = await stack.enter_async_context(Writer(config, "gateway"))
        for service in ("orders", "payments"):
            await stack.enter_async_context(Worker(config, service))
        books = await stack.enter_async_context(Books(config))
        listener = await stack.enter_async_context(Listener(config))
        await master.write(_tight(count), NOW)
        await books.until("select count(*) from account", count, 60)
        await gateway.write(items(range(count), 1), NOW)
        await books.until("select count(*) from item", count, 60)
        await asyncio.sleep(2)  # until the desk has heard of the items
        for n in range(count):
            await gateway.send_now(account_of(n), order(f"cash/{n}", account_of(n), NOW), f"cash/{n}", NOW)
        await listener.until(count, within_s=60)
        held = [name for name, (_, kind) in listener.seen.items() if kind is not OrderReleased]
        assert len(held) == count, f"{len(held)} of {count} orders held before the cash, {len(listener.seen)} decided"
        listener.seen.clear()
        sent = {}
        for n in range(count):
            told = statements(f"C{n}", [entry("1", amount(n, 0), f"payment {number(n, 0)}", f"DEALER {n:06d} LTD")])
            sent[f"cash/{n}"] = time.perf_counter()
            for home, message, name in told:
                await gateway.send_now(home, message, name, NOW)
            await asyncio.sleep(0.05)
        await listener.until(count, within_s=60)
        missing = count - len(listener.seen)
        assert not missing, f"{missing} orders were not released"
        return percentiles([listener.seen[name][0] - at for name, at in sent.items()])


def _tight(count: int) -> Iterator[Told]:
    """Accounts whose limit the one open invoice leaves no room under."""
    for n in range(count):
        name = account_of(n)
        fact = AccountOpened(
            account=name, home=name, name=f"Dealer {n:06d} Ltd", currency=CURRENCY, limit_minor=amount(n, 0) + TOTAL_MINOR - 1
        )
        yield name, fact, name


def beside(result: dict[str, Any]) -> dict[str, Any]:
    """Each figure of the house's table with its floor and aim: a ratio of at most 1 reaches it."""
    seen = {
        "remittance_s": result["remittance"]["took_s"],
        "million_s": result["million"]["took_s"] * 1_000_000 / result["million"]["open_items"],
        "cash_to_release_p99_ms": result["cash_to_release"]["p99_ms"],
    }
    return {
        name: {"seen": value, "of_floor": round(value / FLOOR[name], 3), "of_aim": round(value / AIM[name], 3)}
        for name, value in seen.items()
    }


async def main(quick: bool) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    result: dict[str, Any] = {"remittance": await one_remittance(10_000, 800)}
    say(f"remittance: {result['remittance']}")
    result["cash_to_release"] = await cash_to_release(50 if quick else 300)
    say(f"cash to release: {result['cash_to_release']}")
    result["lines"] = await through_matching(2_000, 10, 2_000 if quick else 10_000)
    say(f"lines: {result['lines']}")
    accounts = 1_000 if quick else 10_000
    result["million"] = await through_matching(accounts, 100, 10_000)
    say(f"{result['million']['open_items']} open items: {result['million']}")
    result["beside"] = beside(result)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main("--quick" in sys.argv))
