"""What must hold after every commit, and what must hold when all has come to rest. Reads only what is committed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from typing import Any

import asyncpg
import msgspec
from aiokafka import TopicPartition

from contracts import orders, payments
from contracts.envelope import Envelope, read
from contracts.message import topic_of
from shared.journal import OWN
from shared.refold import differences
from shared.rows import field_of, moved
from shared.service import Service
from tests.faults.simulation.clockwork import SETTLE_S_MAX
from tests.faults.simulation.customers import Customers
from tests.faults.simulation.house import House, Violation, require
from tests.faults.simulation.ledger import Ledger

LOOK_EVERY_S = 1.0
NUMBERED = re.compile(r"^/(?P<source>.+):(?P<sequence>\d+)$")


class Folded:
    """One service's journal as it was seen, and the rows that follow from it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.lanes: dict[tuple[int, str], int] = {}
        self.ordinals: dict[int, int] = {}
        self.inputs: dict[tuple[int, str], int] = {}
        self.last_of: dict[tuple[str, str], int] = {}
        self.rows: dict[str, dict[str, Any]] = {name: {} for name in service.distinct_tables()}
        self.facts: list[Envelope] = []
        self._tables = [service.tables[field].name for field in service.state.__struct_fields__]

    def take(self, row: asyncpg.Record) -> Iterator[tuple[str, str]]:
        """Check one journal row against those before it; yields (table, key) of every row that it touched."""
        lane, partition = (row["partition"], row["lane"]), row["partition"]
        require(row["sequence"] == self.lanes.get(lane, 0) + 1, "the journal has no gaps", f"{lane}: {row['sequence']}")
        self.lanes[lane] = row["sequence"]
        self._in_order(row)
        if row["lane"] == OWN:
            yield from self._fold(read(bytes(row["body"])), partition)

    def _in_order(self, row: asyncpg.Record) -> None:
        partition, name, ordinal = row["partition"], row["input"], row["ordinal"]
        before = self.ordinals.get(partition, 0)
        require(before <= ordinal <= before + 1, "ordinals are dense", f"{partition}: {before} then {ordinal}")
        self.ordinals[partition] = ordinal
        first = self.inputs.setdefault((partition, name), ordinal)
        require(
            first == ordinal, "every input has its effect once", f"{self.service.name}/{partition} {name}: {first}, {ordinal}"
        )
        numbered = NUMBERED.match(name)
        if numbered is not None and row["lane"] == OWN:  # what is sent to another home bears that home's name
            at, sequence = (row["home"], numbered["source"]), int(numbered["sequence"])
            require(
                self.last_of.get(at, 0) <= sequence,
                "a group's inputs are taken in order",
                f"{at} {sequence} after {self.last_of.get(at)}, in {partition} at {ordinal}",
            )
            self.last_of[at] = sequence

    def _fold(self, fact: Envelope, partition: int) -> Iterator[tuple[str, str]]:
        service = self.service
        self.facts.append(fact)
        keys = service.rows(fact.data, fact.partitionkey, partition)
        tables = [self.rows[name] for name in self._tables]
        before = [field_of(key, table) for table, key in zip(tables, keys, strict=True)]
        after = service.evolve(service.state(*before), fact.data, fact.time)
        for name, key, was, field in zip(self._tables, keys, before, service.state.__struct_fields__, strict=True):
            for each, _, row in moved(key, was, getattr(after, field)):
                if row is None:
                    self.rows[name].pop(each, None)
                else:
                    self.rows[name][each] = row
                yield name, each


class Watch:
    def __init__(self, house: House, customers: Customers) -> None:
        self._house, self._customers = house, customers
        self.folded = {name: Folded(service) for name, service in house.services.items()}
        self._real = {name: house.database.server.take(house.database.schema(name)) for name in house.services}
        self._desk, self._ledger = Desk(), Ledger()
        house.database.committed = self.look

    def close(self) -> None:
        for real in self._real.values():
            self._house.database.server.give_back(real)

    # --- after every commit -------------------------------------------------------------------------------------------

    def look(self, service: str) -> None:
        try:
            self._look(service)
        except Violation as violation:
            self._house.fail(violation)

    def _look(self, service: str) -> None:
        folded = self.folded[service]
        rows = self._fetch(
            service,
            "select partition, lane, sequence, ordinal, home, input, body from journal where ordinal > "
            "coalesce((select last from unnest($1::int[], $2::bigint[]) as seen (p, last) where p = partition), 0) "
            "order by partition, ordinal, lane, sequence",
            list(folded.ordinals),
            list(folded.ordinals.values()),
        )
        touched: dict[str, set[str]] = {}
        for row in rows:
            for table, key in folded.take(row):
                touched.setdefault(table, set()).add(key)
        for name, keys in touched.items():
            self._equal(service, name, sorted(keys))
        if service == "orders" and rows:
            self._desk.check(folded)
        if service == "payments" and rows:
            self._ledger.check(folded)

    def _equal(self, service: str, name: str, keys: list[str]) -> None:
        table = self.folded[service].service.distinct_tables()[name]
        stored = self._house.database.server.do(table.load(self._real[service], keys))
        wanted = {key: self.folded[service].rows[name][key] for key in keys if key in self.folded[service].rows[name]}
        require(stored == wanted, "state is the fold of the journal", f"{service} {name}: stored {stored}, folded {wanted}")

    def _fetch(self, service: str, query: str, *values: Any) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = self._house.database.server.do(self._real[service].fetch(query, *values))
        return found

    # --- at the end ---------------------------------------------------------------------------------------------------

    async def rest(self) -> None:
        """Wait until nothing is left to do; mend what was poisoned. Raises Violation when it takes for ever."""
        loop = self._house.loop
        until = loop.now_s + SETTLE_S_MAX
        while (missing := self._missing()) and self._house.violation is None:
            require(loop.now_s < until, "nothing is stuck", missing)
            self._mend()
            await asyncio.sleep(LOOK_EVERY_S)

    def _mend(self) -> None:
        """What an engineer does: mend the cause, ask for a replay."""
        self._house.poison.mended = True
        for service in self._house.services:
            if self._fetch(service, "select from parked_home where not replay"):
                self._fetch(service, "update parked_home set replay = true returning home")

    def _missing(self) -> str:
        """What still has to happen, in words; empty at rest."""
        found = [f"{service}: {left}" for service in self._house.services if (left := self._unfinished(service))]
        if self._customers.open:
            found.append(f"{self._customers.open} deeds have no answer")
        return "; ".join(found)

    def _unfinished(self, service: str) -> str:
        for table in ("mailbox", "parked", "parked_home"):
            if count := self._fetch(service, f"select count(*) from {table}")[0][0]:
                return f"{count} rows in {table}"
        if service == "gateway" and (open_ := self._fetch(service, "select type, subject from wish where outcome is null")):
            return f"no outcome of {[tuple(row) for row in open_][:5]}"
        return self._unpublished(service) or self._unread(service) or self._overdue(service)

    def _unpublished(self, service: str) -> str:
        for (partition, lane), last in self.folded[service].lanes.items():
            topic, _, target = lane.rpartition("/")
            at = TopicPartition(topic, int(target)) if lane else TopicPartition(service, partition)
            found = max((s for source, s, _ in self._taken(at) if source == f"/{service}/{partition}"), default=0)
            if found < last:
                return f"lane {lane or 'facts'} of {partition} is published up to {found} of {last}"
        return ""

    def _taken(self, at: TopicPartition) -> list[tuple[str, int, str]]:
        """(source, sequence, id) of all that a reader would take of a partition."""
        return [
            (headers["ce_source"].decode(), int(headers["ce_sequence"]), headers["ce_id"].decode())
            for record in self._house.broker.log(at)
            if (headers := dict(record.headers))
        ]

    def _unread(self, service: str) -> str:
        read = {(row["topic"], row["partition"]): row["next_offset"] for row in self._fetch(service, "select * from reading")}
        for topic in sorted({topic_of(message) for message in self._house.services[service].hears}):
            for partition in range(self._house.settings.partitions):
                position, end = read.get((topic, partition), 0), len(self._house.broker.log(TopicPartition(topic, partition)))
                if position < end:
                    return f"{topic}/{partition} is read up to {position} of {end}"
        return ""

    def _overdue(self, service: str) -> str:
        now = "least(clock, sim.now())" if self._house.settings.clock == "wall" else "clock"
        due = self._fetch(service, f"select kind, key from timer join progress using (partition) where due <= {now}")
        return f"timers are due: {[tuple(row) for row in due]}" if due else ""

    def audit(self) -> None:
        """At rest: everything against everything."""
        for service, folded in self.folded.items():
            self._look(service)
            for partition in range(self._house.settings.partitions):
                _, found = self._house.database.server.do(differences(self._real[service], folded.service, partition))
                require(not found, "state is the fold of the journal", f"{service}: {found[:3]}")
            self._published_as_journaled(service)
        self._inbox_complete()
        self._money_conserved()
        if "payments" in self.folded:
            self._ledger.at_rest(self.folded["payments"].rows)

    def _published_as_journaled(self, service: str) -> None:
        for row in self._fetch(service, "select partition, lane, sequence, body from journal order by partition, lane, sequence"):
            lane, partition = row["lane"], row["partition"]
            topic, _, target = lane.rpartition("/")
            at = TopicPartition(topic, int(target)) if lane else TopicPartition(service, partition)
            name = read(bytes(row["body"])).id
            wanted = (f"/{service}/{partition}", row["sequence"], name)
            require(wanted in self._published(at), "all that is journaled is published", f"{at}: {wanted}")
        self._read_in_order(service)

    def _published(self, at: TopicPartition) -> set[tuple[str, int, str]]:
        return set(self._taken(at))

    def _read_in_order(self, service: str) -> None:
        """A reader that takes the next sequence of each writer, from the start, misses nothing and meets no two meanings."""
        for at in self._house.broker.logs:
            taken: dict[str, list[str]] = {}
            for source, sequence, name in self._taken(at):
                mine = taken.setdefault(source, [])
                require(sequence <= len(mine) + 1, "a topic has no gaps", f"{at}: {source} jumps to {sequence}")
                if sequence == len(mine) + 1:
                    mine.append(name)
                require(mine[sequence - 1] == name, "a sequence has one meaning", f"{at}: {source} {sequence}")

    def _inbox_complete(self) -> None:
        """Every command that the gateway let in is in its journal once, and was answered by a fact."""
        if "gateway" not in self._house.services:
            return
        wished = {row["id"] for row in self._fetch("gateway", "select id from wish")}
        sent = [read(bytes(row["body"])).id for row in self._fetch("gateway", "select body from journal where lane <> ''")]
        require(sorted(sent) == sorted(wished), "every accepted command is sent on once", f"{len(sent)} of {len(wished)}")
        flows = {row["id"] for row in self._fetch("gateway", "select id from flow")}
        require(flows == set(self._customers.admitted), "what was answered is there", f"{len(flows)}")
        placed = {deed.order for deed in self._customers.admitted.values() if deed.what in ("place", "quote")}
        decided = [fact.data.order for fact in self.folded["orders"].facts if is_first(fact.data)]
        require(sorted(decided) == sorted(placed), "every order is decided once", f"{sorted(decided)} of {sorted(placed)}")

    def _money_conserved(self) -> None:
        """What the desk counts as owed is what payments says is open."""
        if not {"orders", "payments"} <= self._house.services.keys():
            return
        owed: dict[str, int] = {}
        for fact in self.folded["payments"].facts:
            match fact.data:
                case payments.ItemPosted(account=account, amount_minor=minor):
                    owed[account] = owed.get(account, 0) + minor
                case payments.ItemSettled(account=account, settled_minor=minor):
                    owed[account] = owed.get(account, 0) - minor
        positions = self.folded["orders"].rows["positions"]
        counted = {account: row.open_minor for account, row in positions.items() if not account.startswith("group/")}
        for account, minor in owed.items():
            require(counted.get(account, 0) == minor, "money is conserved", f"{account}: {counted.get(account)} of {minor}")


class Desk:
    """Rules of the order desk that hold after every commit."""

    def __init__(self) -> None:
        self._seen = 0
        self._instructions: set[str] = set()
        self._first: set[str] = set()
        self._marks: dict[str, list[str]] = {}

    def check(self, folded: Folded) -> None:
        for fact in folded.facts[self._seen :]:
            self._released_once(fact.data)
            self._marked_once(fact)
        self._seen = len(folded.facts)
        _totals_are_sums(folded.rows)

    def _released_once(self, said: Any) -> None:
        if is_first(said):
            require(said.order not in self._first, "every order is decided once", said.order)
            self._first.add(said.order)
        if isinstance(said, orders.OrderReleased):
            require(said.instruction not in self._instructions, "one release instruction a release", said.instruction)
            self._instructions.add(said.instruction)
            seen = said.decision.inputs
            require(_within(said), "no automatic release exceeds a limit", f"{said.order}: {msgspec.json.encode(seen).decode()}")

    def _marked_once(self, fact: Envelope) -> None:
        """A clock comes to each of its marks once, in order, and never before its time (O6); a changed order has another."""
        if isinstance(fact.data, orders.OrderChanged | orders.RecallAnswered | orders.OrderReleased):
            self._marks.pop(fact.data.order, None)
        mark = MARKED.get(type(fact.data))
        if mark is None:
            return
        told = self._marks.setdefault(fact.data.order, [])
        mark = f"{fact.data.mark} told" if isinstance(fact.data, orders.OrderEscalated) else mark
        later = MARKED_IN_ORDER.index(mark) > (MARKED_IN_ORDER.index(told[-1]) if told else -1)
        require(later, "a clock's marks come once and in order", f"{fact.data.order}: {mark} after {told}")
        early = mark.startswith("breach") and fact.time < fact.data.due_at
        require(not early, "no clock is breached before its time", f"{fact.data.order} at {fact.time}, due {fact.data.due_at}")
        told.append(mark)


MARKED = {orders.OrderWarned: "warn", orders.OrderEscalated: "told", orders.OrderBreached: "breach"}
MARKED_IN_ORDER = ("warn", "escalate told", "breach", "breach told")


def is_first(said: Any) -> bool:
    """The first decision about an order carries the order as it was placed (`contracts.orders`)."""
    kinds = orders.OrderReleased | orders.OrderHeld | orders.OrderReferred | orders.OrderRejected
    return isinstance(said, kinds) and said.placed is not None


def _within(said: orders.OrderReleased) -> bool:
    """An order fits the limit with what it adds to its deal, or is covered by it, a tenth above it at most (O3, O4, O8)."""
    seen = said.decision.inputs
    added = seen.value_minor - seen.deal_minor
    return said.by != "policy" or seen.exposure_minor + added <= seen.limit_minor or added * 10 <= seen.deal_minor


PARTS = ("open_minor", "unbilled_minor", "reserved_minor", "deals_minor", "waiting", "waiting_minor")


def _totals_are_sums(rows: dict[str, dict[str, Any]]) -> None:
    """Exposure is conserved: an account's totals are the sums of its orders, a group's the sums of its accounts."""
    by_account: dict[str, list[Any]] = {}
    for order in rows["orders"].values():
        by_account.setdefault(order.account, []).append(order)
    for owner, total in rows["positions"].items():
        if owner.startswith("group/"):
            home = owner.removeprefix("group/")
            members = [s.account for s in rows["standings"].values() if s.home == home and s.known]
            for part in PARTS:
                summed = sum(getattr(rows["positions"][each], part) for each in members if each in rows["positions"])
                require(getattr(total, part) == summed, "a group's exposure is the sum of its accounts'", f"{owner} {part}")
        else:
            standing = rows["standings"].get(owner)
            _account_is_its_parts(owner, total, by_account.get(owner, ()), standing.deals if standing is not None else ())


def _account_is_its_parts(owner: str, total: Any, own: Iterable[Any], deals: Iterable[Any]) -> None:
    own = list(own)
    sums = {
        "reserved_minor": sum(order.reserved_minor for order in own),
        "unbilled_minor": sum(order.unbilled_minor for order in own),
        "deals_minor": sum(deal.reserved_minor for deal in deals),
        "waiting": sum(1 for order in own if order.waiting),
        "waiting_minor": sum(order.waiting_minor for order in own),
    }
    for part, summed in sums.items():
        require(getattr(total, part) == summed, "an account's exposure is the sum of its orders and deals", f"{owner} {part}")
