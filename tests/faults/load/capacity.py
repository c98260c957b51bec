"""What this machine can do in this minute: the bare limit, and what the services sustain."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from contracts.catalogue import TOPICS
from shared.settings import Settings
from shared.topics import create_topics
from tests.bench.feed_in import Writer, orders
from tests.bench.orders import bare_limit

FLOOR = 0.35
"""The least share of the bare limit that the desk must reach (design, the numbers to reach)."""
LIMIT_ORDERS = 50_000
LIMIT_ACCOUNTS = 5_000


async def measured_limit(settings: Settings, count: int = LIMIT_ORDERS) -> float:
    """Orders a second of the bare pipeline (tests.bench.limit), on topics of its own."""
    config = settings.model_copy(update={"namespace": f"limit{uuid4().hex[:8]}_"})
    await create_topics(config)
    now = dt.datetime.now(dt.UTC)
    async with Writer(config, "gateway") as writer:
        await writer.write(orders("limit", count, LIMIT_ACCOUNTS, now), now)
    try:
        return await bare_limit(config, count, LIMIT_ACCOUNTS)
    finally:
        admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka)
        await admin.start()
        await admin.delete_topics([config.topic(name) for name in TOPICS])
        await admin.close()
