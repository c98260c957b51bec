"""What became of it all, counted from journals and topics when everything rests. Every finding names what can be looked up.

lost: answered to a sender, or journaled, and not found where it must be. doubled: found twice. stuck: still under way.
disordered: not in the order of its writer. different: a row that is not the fold of the journal. unbalanced: money gone or made,
at the order desk or in the ledger.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.envelope import address, derived_id
from contracts.message import type_name
from contracts.payments import ItemPosted, ItemSettled
from quittance.cast import service_of
from services.orders.state import group_of
from shared.journal import OWN
from tests.faults.chaos.crew import CREW, NAMES, Member, target_of_lane, topic_of_lane
from tests.faults.chaos.feed import Account
from tests.faults.chaos.ledger import ledger_findings
from tests.faults.chaos.said import Body, body_of, data_of
from tests.faults.chaos.site import Site

IN_ORDER = "select lane, sequence, ordinal, input, body from journal where partition = $1 order by ordinal, lane, sequence"
CHUNK_ROWS = 5_000
FETCH_MS = 500
READ_S_MAX = 600.0
COUNTS = ("lost", "doubled", "stuck", "disordered", "different", "unbalanced")
SHOWN_MAX = 50
"""Findings of a kind that are written out; all are counted."""

Line = tuple[str, int, str, int]
"""Speaker, its partition, topic, partition of the topic: one writer's sequence."""


class Findings:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        self.named: defaultdict[str, list[str]] = defaultdict(list)
        self.absorbed = 0
        self.rows = self.records = 0

    def add(self, kind: str, what: str) -> None:
        self.counts[kind] += 1
        if len(self.named[kind]) < SHOWN_MAX:
            self.named[kind].append(what)

    @property
    def clean(self) -> bool:
        return not any(self.counts.values())


class Handled(NamedTuple):
    """Where a cause was handled."""

    partition: int
    ordinal: int


class Journals:
    """All journals, read once, as far as the audit needs them."""

    def __init__(self, found: Findings) -> None:
        self.found = found
        self.lines: defaultdict[Line, list[bytes]] = defaultdict(list)
        self.ids: dict[str, set[str]] = {name: set() for name in NAMES}
        self.causes: dict[str, dict[str, Handled]] = {name: {} for name in NAMES}
        self.forwarded: defaultdict[str, list[tuple[str, str, bytes]]] = defaultdict(list)
        self.owed: Counter[str] = Counter()
        self._once: dict[tuple[str, ...], str] = {}

    async def read(self, site: Site) -> None:
        for member in CREW:
            for partition in range(site.settings.partitions):
                await site.desks[member.name].do(partial(self._read_partition, member, partition))

    async def _read_partition(self, member: Member, partition: int, connection: asyncpg.Connection) -> None:
        once = member.once_by_type()
        heard: dict[str, tuple[int, int]] = {}
        async with connection.transaction():
            async for row in connection.cursor(IN_ORDER, partition, prefetch=CHUNK_ROWS):
                self.found.rows += 1
                body = body_of(row["body"])
                topic, target = topic_of_lane(member.name, row["lane"]), target_of_lane(partition, row["lane"])
                line = (member.name, partition, topic, target)
                self._dense(line, row, body)
                self._caused_once(member.name, partition, row, body)
                self._in_order(member.name, partition, row, heard)
                self._said_once(member.name, body, once.get(body.type))
                self._note(member, row["lane"], line, body)

    def _dense(self, line: Line, row: asyncpg.Record, body: Body) -> None:
        rows = self.lines[line]
        if row["sequence"] != len(rows) + 1:
            self.found.add("disordered", f"{line}: {row['sequence']} follows {len(rows)} in the journal")
        rows.append(data_of(row["body"]))
        if body.id in self.ids[line[0]]:
            self.found.add("doubled", f"{line}: {body.id} is in the journal twice ({body.type})")
        self.ids[line[0]].add(body.id)

    def _caused_once(self, service: str, partition: int, row: asyncpg.Record, body: Body) -> None:
        here = Handled(partition, row["ordinal"])
        before = self.causes[service].setdefault(body.causationid, here)
        if before != here:
            self.found.add("doubled", f"{service}: cause {body.causationid} was handled at {before} and at {here}")

    def _in_order(self, service: str, partition: int, row: asyncpg.Record, heard: dict[str, tuple[int, int]]) -> None:
        source, _, text = row["input"].rpartition(":")
        if not text.isdecimal() or len(text) > 16:
            return  # mail or a timer: named by id
        sequence, ordinal = heard.get(source, (0, 0))
        if row["ordinal"] != ordinal and int(text) <= sequence:
            self.found.add("disordered", f"{service}/{partition}: {row['input']} was handled after {source}:{sequence}")
        heard[source] = (int(text), row["ordinal"])

    def _said_once(self, service: str, body: Body, fields: tuple[str, ...] | None) -> None:
        if fields is None:
            return
        data = msgspec.json.decode(body.data)
        name = (service, body.type, *(str(data.get(field)) for field in fields))
        if (before := self._once.setdefault(name, body.id)) != body.id:
            self.found.add("doubled", f"{' '.join(name)}: said by {before} and by {body.id}")

    def _note(self, member: Member, lane: str, line: Line, body: Body) -> None:
        if member.door and lane != OWN:
            account = msgspec.json.decode(body.data)["account"]
            self.forwarded[line[2]].append((account, body.id, data_of(body.data)))
        if body.type in MONEY:
            data = msgspec.json.decode(body.data)
            self.owed[data["account"]] += data.get("amount_minor", 0) - data.get("settled_minor", 0)


MONEY = frozenset(type_name(message) for message in (ItemPosted, ItemSettled))


async def audit(site: Site, told: Account) -> Findings:
    found = Findings()
    journals = Journals(found)
    await journals.read(site)
    _sent_and_answered(journals, told)
    await _topics(site, journals)
    await _left_over(site, found)
    await _heard(site, journals)
    await _folds(site, found)
    await _money(site, journals)
    for kind, what in await ledger_findings(site.desks["payments"]):
        found.add(kind, what)
    await _screens(site, found)
    return found


# --- lost, doubled, in order: what the feed was answered ---------------------------------------------------------------


def _sent_and_answered(journals: Journals, told: Account) -> None:
    """Every command that was answered stands in the gateway's journal once, in the order of its account, and has one outcome."""
    found = journals.found
    for topic in sorted(told.sent.keys() | journals.forwarded.keys()):
        passed: defaultdict[str, list[bytes]] = defaultdict(list)
        service = topic.removesuffix(".commands")
        for account, name, content in journals.forwarded[topic]:
            passed[account].append(content)
            if service in journals.ids and derived_id(service, name, "0") not in journals.ids[service]:
                found.add("lost", f"{told.keys.get(content)}: command {name} has no outcome at {service}")
        for account in sorted(told.sent[topic].keys() | passed.keys()):
            _compare(found, told, f"{topic} {account}", told.sent[topic][account], passed[account])
    for name, key in told.mailed.items():
        if name not in journals.causes["payments"]:
            found.add("lost", f"{key}: mail {name} is not in the journal of payments")


def _compare(found: Findings, told: Account, where: str, sent: list[bytes], passed: list[bytes]) -> None:
    if sent == passed:
        return
    wanted, there = Counter(sent), Counter(passed)
    for content in (wanted - there).elements():
        found.add("lost", f"{where}: {told.keys.get(content)} was answered and is not in the gateway's journal")
    for content in (there - wanted).elements():
        found.add("doubled", f"{where}: {told.keys.get(content)} is in the gateway's journal {there[content]} times")
    if wanted == there:
        at = next(n for n, pair in enumerate(zip(sent, passed, strict=True)) if pair[0] != pair[1])
        found.add("disordered", f"{where}: {told.keys.get(sent[at])} was sent before {told.keys.get(passed[at])}")


# --- topics ------------------------------------------------------------------------------------------------------------


async def _topics(site: Site, journals: Journals) -> None:
    """As a reader takes them, topics hold every journal row, byte for byte, in order; what it drops was absorbed."""
    taken: Counter[Line] = Counter()
    topics = sorted({topic for _, _, topic, _ in journals.lines})
    consumer = AIOKafkaConsumer(bootstrap_servers=site.settings.kafka, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    try:
        for topic in topics:
            for partition in range(site.settings.partitions):
                async for body in _records(consumer, TopicPartition(site.settings.topic(topic), partition)):
                    _take(journals, taken, topic, partition, body)
    finally:
        await consumer.stop()
    for line, rows in journals.lines.items():
        if taken[line] != len(rows):
            journals.found.add("lost", f"{line}: the topic ends at {taken[line]}, the journal at {len(rows)}")


async def _records(consumer: AIOKafkaConsumer, at: TopicPartition) -> Any:
    consumer.assign([at])
    end = (await consumer.end_offsets([at]))[at]
    consumer.seek(at, 0)
    while await consumer.position(at) < end:
        async with asyncio.timeout(READ_S_MAX):
            for record in (await consumer.getmany(at, timeout_ms=FETCH_MS)).get(at, ()):
                yield record.value


def _take(journals: Journals, taken: Counter[Line], topic: str, partition: int, body: bytes) -> None:
    found = journals.found
    found.records += 1
    where = address(body)
    _, speaker, source = where.source.split("/")
    line = (speaker, int(source), topic, partition)
    sequence, rows = int(where.sequence), journals.lines.get(line, [])
    if sequence > taken[line] + 1:
        found.add("lost", f"{line}: the topic jumps from {taken[line]} to {sequence}")
    if sequence > len(rows):
        found.add("lost", f"{line}: the topic has {sequence} ({where.id}), the journal only {len(rows)}")
    elif rows[sequence - 1] != data_of(body):
        found.add("doubled", f"{line}: {sequence} is {where.id} on the topic and something else in the journal")
    if sequence <= taken[line]:
        found.absorbed += 1
    taken[line] = max(taken[line], sequence)


# --- stuck -------------------------------------------------------------------------------------------------------------

LEFT_OVER = {
    "mail": "select count(*) from mailbox",
    "parked messages": "select count(*) from parked",
    "parked groups": "select count(*) from parked_home",
    "quarantined messages": "select count(*) from quarantine",
    "due timers": "select count(*) from timer where due <= now()",
}
LEFT_AT_THE_DOOR = {
    "withheld bodies": "select count(*) from withheld",
    "commands without an outcome": "select count(*) from wish where outcome is null",
}


async def _left_over(site: Site, found: Findings) -> None:
    for member in CREW:
        for what, query in (LEFT_OVER | (LEFT_AT_THE_DOOR if member.door else {})).items():
            if count := await site.desks[member.name].fetchval(query):
                found.add("stuck", f"{member.name}: {count} {what}")


async def _heard(site: Site, journals: Journals) -> None:
    """Every listener has handled the last message of every writer that it hears."""
    for member in CREW:
        for topic in sorted(member.hears()):
            rows = await site.desks[member.name].fetch("select partition, seen from reading where topic = $1", topic)
            seen = {row["partition"]: json.loads(row["seen"]) for row in rows}
            for (speaker, source, said_on, partition), said in journals.lines.items():
                if said_on == topic:
                    last = seen.get(partition, {}).get(f"/{speaker}/{source}", 0)
                    _compare_heard(journals.found, member.name, f"/{speaker}/{source}", f"{topic}/{partition}", last, len(said))


def _compare_heard(found: Findings, service: str, speaker: str, topic: str, last: int, said: int) -> None:
    if last < said:
        found.add("stuck", f"{service} has heard {last} of {said} messages of {speaker} on {topic}")
    if last > said:
        found.add("lost", f"{service} has heard {last} of {speaker} on {topic}, whose journal has {said}")


# --- rows and money ------------------------------------------------------------------------------------------------------


async def _folds(site: Site, found: Findings) -> None:
    """Each row is the fold of the journal: asked of the newest release, which alone knows all that was said."""
    release = site.fleet.release
    settings = {"KAFKA": site.settings.kafka, "POSTGRES": site.settings.postgres, "HOME": str(site.home)}
    ours = {f"QUITTANCE_{name}": value for name, value in settings.items()}
    folded = [name for name in NAMES if service_of(name).tables]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "quittance", "refold", *folded, "--json", cwd=release,
        env={**os.environ, **ours, "PYTHONPATH": str(release)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    try:
        checked = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        found.add("different", f"`quittance refold` failed: {err.decode()[-500:]}")
        return
    for each in checked:
        for different in each["different"]:
            found.add("different", f"{each['service']}: {different}")


async def _money(site: Site, journals: Journals) -> None:
    """What the desk counts as exposure is the sum of its orders, deals and the items of payments; groups are sums of accounts."""
    found, tables = journals.found, service_of("orders").tables
    positions, orders, standings = [await _rows(site, tables[field]) for field in ("position", "order", "account")]
    sums: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for order in orders.values():
        sums[order.account].update(reserved_minor=order.reserved_minor, unbilled_minor=order.unbilled_minor)
    for account, owed in journals.owed.items():
        sums[account].update(open_minor=owed)
    for account, standing in standings.items():
        sums[account].update(deals_minor=sum(deal.reserved_minor for deal in standing.deals))
    for account, standing in standings.items():
        if group_of(standing.home) in positions:
            for part in PARTS:
                sums[group_of(standing.home)][part] += sums[account][part]
    for owner in sorted(positions.keys() | sums.keys()):
        for part in PARTS:
            is_now, should = getattr(positions.get(owner), part, 0), sums[owner][part]
            if is_now != should:
                found.add("unbalanced", f"{owner}: {part} is {is_now} and the sum of its parts {should}")


PARTS = ("open_minor", "unbilled_minor", "reserved_minor", "deals_minor")


async def _screens(site: Site, found: Findings) -> None:
    """What the console shows is what the order desk has: each order's state, each account's parts, and nothing counted twice."""
    tables, console = service_of("orders").tables, site.desks["console"]
    orders, positions = [await _rows(site, tables[field]) for field in ("order", "position")]
    shown = {row["order"]: (row["status"], row["reserved_minor"]) for row in await console.fetch(SHOWN_ORDERS)}
    for name, order in orders.items():
        if shown.get(name) != (order.status, order.reserved_minor):
            found.add("different", f"console: {name} is {shown.get(name)} and at the desk {order.status, order.reserved_minor}")
    for row in await console.fetch(SHOWN_ACCOUNTS):
        for part in PARTS:
            if row[part] != (should := getattr(positions.get(row["account"]), part, 0)):
                found.add("different", f"console: {part} of {row['account']} is {row[part]} and at the desk {should}")
    for row in await console.fetch(COUNTED_TWICE):
        found.add("different", f"console: {row['what']} {row['counted']} in its sums and {row['rows']} in its rows")


SHOWN_ORDERS = 'select "order", status, reserved_minor from orders'
SHOWN_ACCOUNTS = "select * from accounts where currency <> ''"
COUNTED_TWICE = """
    select * from (
        select 'orders received' as what, (select coalesce(sum(received), 0) from desk_days) as counted,
            (select count(*) from orders where received_at is not null) as rows
        union all
        select 'owed by ' || account, coalesce((select sum(open_minor) from debts where debts.account = accounts.account), 0),
            coalesce((select sum(open_minor) from items where items.account = accounts.account and due_on is not null), 0)
            from accounts
    ) as sums where counted <> rows
"""
"""What is kept as a sum would show a fact that was taken twice."""


async def _rows(site: Site, table: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for partition in range(site.settings.partitions):
        found |= await site.desks["orders"].do(partial(table.all_of, partition=partition))
    return found


def lines_of(findings: Findings) -> Iterator[str]:
    for kind in COUNTS:
        for what in findings.named[kind]:
            yield f"{kind}: {what}"
