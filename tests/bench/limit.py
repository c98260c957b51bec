"""The bare pipeline on the same orders: one check, one commit a batch, published. No journal, fence, rules or recovery.

What broker, database and Python allow on this machine in this minute; the product's throughput is reported as a share of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import asyncpg
import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.settings import settings
from tests.bench.feed_in import FEW_LIMIT_MINOR, account_name

BATCH = 1_000


class Placed(msgspec.Struct):
    total_minor: int


class Data(msgspec.Struct):
    order: str
    account: str
    placed: Placed


class Order(msgspec.Struct):
    id: str
    data: Data


async def prepare(db: asyncpg.Connection, exposure: dict[str, int]) -> None:
    await db.execute("""
        drop schema if exists bare cascade; create schema bare; set search_path = bare;
        create table orders (order_id text primary key, account text not null, total_minor bigint not null, status text not null);
        create table outbox (n bigint generated always as identity primary key, key text, body bytea);
        create table exposure (account text primary key, minor bigint not null);
        create table position (partition int primary key, next_offset bigint)""")
    await db.copy_records_to_table("exposure", records=list(exposure.items()), schema_name="bare")


async def write(db: asyncpg.Connection, rows: list, facts: list, touched: dict[str, int], positions: list) -> None:
    async with db.transaction():
        await db.copy_records_to_table("orders", records=rows, schema_name="bare")
        await db.execute(
            "update exposure set minor = now.m from unnest($1::text[], $2::bigint[]) now (a, m) where account = now.a",
            list(touched), list(touched.values()),
        )  # fmt: skip
        await db.copy_records_to_table("outbox", records=facts, columns=("key", "body"), schema_name="bare")
        await db.executemany(
            "insert into position values ($1, $2) on conflict (partition) do update set next_offset = excluded.next_offset",
            positions,
        )


def decide(records: dict, exposure: dict[str, int]) -> tuple[list, list, dict[str, int], list]:
    rows, facts, touched, positions = [], [], {}, []
    for at, batch in records.items():
        for record in batch:
            data = _decode(record.value).data
            ok = exposure[data.account] + data.placed.total_minor <= FEW_LIMIT_MINOR
            exposure[data.account] += data.placed.total_minor if ok else 0
            touched[data.account] = exposure[data.account]
            status = "released" if ok else "held"
            rows.append((data.order, data.account, data.placed.total_minor, status))
            facts.append((data.account, _encode({"type": status, "data": {"order": data.order}})))
        positions.append((at.partition, batch[-1].offset + 1))
    return rows, facts, touched, positions


_decode = msgspec.json.Decoder(Order).decode
_encode = msgspec.json.Encoder().encode


async def main(count: int, accounts: int) -> None:
    config = settings()
    db = await asyncpg.connect(config.postgres)
    exposure = {account_name(n): 0 for n in range(accounts)}
    await prepare(db, exposure)
    producer = AIOKafkaProducer(
        bootstrap_servers=config.kafka, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=262_144
    )
    consumer = AIOKafkaConsumer(bootstrap_servers=config.kafka, auto_offset_reset="earliest")
    await producer.start()
    await consumer.start()
    topic = config.topic("orders.commands")
    consumer.assign([TopicPartition(topic, partition) for partition in range(config.partitions)])
    done, began = 0, time.perf_counter()
    while done < count:
        rows, facts, touched, positions = decide(await consumer.getmany(timeout_ms=200, max_records=BATCH), exposure)
        if not rows:
            continue
        await write(db, rows, facts, touched, positions)
        for key, body in facts:
            # A declared topic that the desk does not hear: on any other it would find, and quarantine, all of this when measured.
            await producer.send(config.topic("gateway"), body, key=key.encode())
        await producer.flush()
        done += len(rows)
    print(json.dumps({"orders_per_s": done / (time.perf_counter() - began)}))
    await db.execute("drop schema bare cascade")
    await asyncio.gather(consumer.stop(), producer.stop(), db.close())


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
