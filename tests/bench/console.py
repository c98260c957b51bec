"""The release desk with 100,000 orders of which 5,000 wait, in Chromium on the real stack: first paint, and fact to screen (V1).

python -m tests.bench.console [--quick]      needs QUITTANCE_KAFKA and QUITTANCE_POSTGRES; writes build/bench/console.json
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
from playwright.sync_api import Page

from services.console import app, queue
from shared.settings import Settings, settings
from shared.testing import Servers
from tests.browser.office import Office, apart, office
from tests.console.facts import held, in_order, noted, released

RESULT = Path("build/bench/console.json")
ORDERS, WAITING, ACCOUNTS = 100_000, 5_000, 2_000
PAINTS, FACTS = 30, 200
FIRST_SEQUENCE = 1_000_000
"""Of the crowd's facts: far from those that the running desk will say about other accounts."""
SEEN_S_MAX = 20.0
PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
WATCH = """
window.seen = {};
new MutationObserver(() => {
  for (const row of document.querySelectorAll('#queue tr[data-order]')) window.seen[row.dataset.order] ??= Date.now();
}).observe(document.getElementById('desk'), {childList: true, subtree: true});
"""
"""When each row came into the page, by this machine's clock, which is the services' clock as well."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def percentiles(values: list[float]) -> dict[str, float]:
    ranked = sorted(values)
    return {f"p{p}": round(ranked[min(len(ranked) - 1, len(ranked) * p // 100)], 1) for p in (50, 95, 99)}


async def crowd(config: Settings, count: int, waiting: int) -> None:
    """Orders and accounts as if they had been heard: two are projected, the rest are copies under other names."""
    connection = await asyncpg.connect(config.database("console"))
    try:
        await app.project(connection, in_order([noted(f"crowd{n}", f"p{n % 4}") for n in range(ACCOUNTS)], first=FIRST_SEQUENCE))
        both = [held("crowd/w0", "crowd0"), released("crowd/r0", "crowd0")]
        await queue.project(connection, in_order(both, first=FIRST_SEQUENCE + ACCOUNTS))
        same = [name for name in queue.ORDERS.kinds if name not in ("order", "account", "reference", "due_at", "portfolio")]
        for kind, some in (("w", waiting), ("r", count - waiting)):
            await connection.execute(
                f"""
                insert into orders ("order", account, reference, portfolio, due_at, {", ".join(same)})
                select 'crowd/{kind}' || n, 'crowd' || n % {ACCOUNTS}, '{kind}' || n, 'p' || n % 4,
                    now() + n * interval '5 seconds', {", ".join(same)}
                from orders, generate_series(1, {some}) n where "order" = 'crowd/{kind}0'
                """
            )
        await connection.execute("analyze orders")
    finally:
        await connection.close()


def first_paints(page: Page, rounds: int) -> dict[str, Any]:
    """Milliseconds from the click to the first contentful paint, and to the whole page."""
    painted, loaded, served = [], [], []
    for _ in range(rounds):
        page.goto("/desk", wait_until="load")
        while (at := page.evaluate(PAINTED)) is None:  # no wait_for_function: the page's own policy forbids eval
            page.wait_for_timeout(10)
        painted.append(at)
        loaded.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
        served.append(page.evaluate("performance.getEntriesByType('navigation')[0].responseStart"))
    return {"first_paint_ms": percentiles(painted), "loaded_ms": percentiles(loaded), "first_byte_ms": percentiles(served)}


def refreshes(page: Page, rounds: int) -> dict[str, Any]:
    """Milliseconds that the queue takes to be asked for again, as it is after every change."""
    ask = "async () => { const t = performance.now(); await (await fetch('/desk/rows')).text(); return performance.now() - t; }"
    return {"refresh_ms": percentiles([page.evaluate(ask) for _ in range(rounds)])}


def fact_to_screen(room: Office, page: Page, count: int) -> dict[str, Any]:
    """Milliseconds from the moment that the order desk decided to the row in the page."""
    page.goto("/desk?q=BENCH")
    page.evaluate(WATCH)
    names = [f"home/bench-{n}" for n in range(count)]
    for n in range(count):
        room.order(f"bench-{n}", "BENCH", "2000.00")
        page.wait_for_timeout(20)
        if n >= queue.WINDOW - 1:  # only the first window is on the screen: make room
            room.wish("orders.reject_order.v1", {"order": names[n - queue.WINDOW + 1], "account": "BENCH", "reason": "bench"})
    deadline = time.monotonic() + SEEN_S_MAX
    while len(seen := page.evaluate("window.seen")) < count and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    decided = {
        row["order"]: row["at"].timestamp() * 1000
        for row in room.ask('select "order", at from said where "order" = any($1) and type like $2', names, "orders.order_held%")
    }
    found = [seen[name] - at for name, at in decided.items() if name in seen]
    return {"fact_to_screen_ms": percentiles(found), "facts": len(found), "unseen": count - len(found)}


def main(quick: bool) -> None:
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    config = settings()
    with tempfile.TemporaryDirectory() as home, office(Servers(config.kafka, config.postgres), Path(home)) as room:
        room.open_accounts("account,name,currency,limit,portfolio\nBENCH,Bench Phones,GBP,1000,p0\n")
        apart(lambda: asyncio.run(crowd(room.house.settings, ORDERS, WAITING)))
        page = room.visit("dora", "/desk")
        rounds = 10 if quick else PAINTS
        result: dict[str, Any] = {"orders": ORDERS, "waiting": WAITING} | first_paints(page, rounds) | refreshes(page, rounds)
        say(f"first paint {result['first_paint_ms']}, refresh {result['refresh_ms']}")
        result |= fact_to_screen(room, page, 40 if quick else FACTS)
        say(f"fact to screen {result['fact_to_screen_ms']}")
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main("--quick" in sys.argv)
