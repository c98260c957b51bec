"""Where a message lives: the partition of a credit group, and the topics themselves.

The kit alone computes partitions, so that a group's messages meet at one writer, on every topic, for ever.
"""

from __future__ import annotations

import functools
import itertools
import zlib

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from contracts.catalogue import TOPICS
from shared.settings import Settings

ADMIN_TIMEOUT_MS = 20_000
KEEP_FOR_EVER = "-1"


def partition_of(home: str, partitions: int) -> int:
    """CRC-32 of the home's UTF-8 bytes, modulo the partition count fixed at installation."""
    return zlib.crc32(home.encode()) % partitions


@functools.cache
def homes_of_all(prefix: str, partitions: int) -> tuple[str, ...]:
    """One home on every partition, in their order: for a wish that each of them must hear."""
    found: dict[int, str] = {}
    numbers = itertools.count()
    while len(found) < partitions:
        home = f"{prefix}/{next(numbers)}"
        found.setdefault(partition_of(home, partitions), home)
    return tuple(found[partition] for partition in range(partitions))


class TopicMismatch(RuntimeError):
    """A topic on the broker has another partition count than this installation."""


def declared() -> tuple[str, ...]:
    """Every topic of the contracts, without the installation's namespace."""
    return tuple(TOPICS)


async def create_topics(settings: Settings) -> list[str]:
    """Create every declared topic that is missing; returns the names created. Facts are kept for ever (refills read them)."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka, request_timeout_ms=ADMIN_TIMEOUT_MS)
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [settings.topic(name) for name in TOPICS if settings.topic(name) not in existing]
        if missing:
            await _create(admin, missing, settings)
        await _check_partitions(admin, settings)
    finally:
        await admin.close()
    return missing


async def _create(admin: AIOKafkaAdminClient, names: list[str], settings: Settings) -> None:
    config = {"retention.ms": KEEP_FOR_EVER, "retention.bytes": KEEP_FOR_EVER, "cleanup.policy": "delete"}
    topics = [NewTopic(name, settings.partitions, settings.replication, topic_configs=config) for name in names]
    response = await admin.create_topics(topics)
    for topic, code, *_ in response.topic_errors:
        # Another instance starting at the same time may have been first; that is success.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise for_code(code)(f"topic {topic} could not be created")


async def _check_partitions(admin: AIOKafkaAdminClient, settings: Settings) -> None:
    for topic in await admin.describe_topics([settings.topic(name) for name in TOPICS]):
        count = len(topic["partitions"])
        if topic.get("error_code") == 0 and count != settings.partitions:
            raise TopicMismatch(
                f"topic {topic['topic']} has {count} partitions, this installation {settings.partitions}: "
                "the count is fixed when an installation is created; set QUITTANCE_PARTITIONS to it"
            )
