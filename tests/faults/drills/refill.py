"""All Kafka data is lost: the broker comes up empty, `quittance refill` writes every topic anew, the services go on."""

from __future__ import annotations

import asyncio
import shutil

from deploy.local import kafka
from quittance.cast import WORKING
from quittance.refill import refill
from tests.faults.drills.audit import audit
from tests.faults.drills.site import Site, site

WAVE = 2_000


async def run() -> None:
    async with site("refill") as found:
        await found.start()
        await found.open_accounts()
        await found.send_orders("one", WAVE)
        await found.decided(WAVE)
        await found.send_orders("two", WAVE)
        await found.until("some of wave two", 1, f"select (count(*) > {WAVE + 100})::int from orders", "orders")
        with found.step("the broker dies with all its data, the services are stopped"):
            await asyncio.gather(found.kill(), asyncio.to_thread(_lose_kafka, found))
            await asyncio.sleep(found.settings.lease_s)
        with found.step("an empty broker is up"):
            await asyncio.to_thread(kafka.start, found.stack)
        with found.step("quittance refill"):
            done = await refill(found.settings, WORKING)
        with found.step("services are ready again"):
            await found.start()
        with found.step("the rest of wave two and a new one are decided"):
            await found.send_orders("three", WAVE)
            await found.decided(3 * WAVE)
            await found.heard()
        await found.stop()
        with found.step("audit"):
            figures = await audit(found, 3 * WAVE)
        found.write("refill", figures | {"refilled": done.topics, "refill_s": done.seconds})


def _lose_kafka(found: Site) -> None:
    kafka.stop(found.stack)
    for folder in (found.stack.home / "kafka").iterdir():
        if folder.is_dir() and folder.name != "libs":
            shutil.rmtree(folder)
