"""One reading of everything that might leak: memory, handles, connections, lag, tables. A flat map of name → number."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.load.premises import Instance, Premises

SCRAPE_S_MAX = 5.0
METRICS = {
    "quittance_unpublished_entries": "unpublished",
    "quittance_backlog_inputs": "backlog",
    "quittance_parked_groups": "parked",
    "quittance_restarts_total": "restarts",
    "quittance_quarantined_total": "quarantined",
    "quittance_inputs_handled_total": "handled",
}


class TableState(NamedTuple):
    """One table of one service, from PostgreSQL's own statistics."""

    live: int
    dead: int
    changed: int
    table_mb: float
    index_mb: float
    vacuums: int
    last_vacuum_s_ago: float | None


class Readings:
    """Reads premises again and again over connections of its own, which it keeps."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises
        self._http = httpx.AsyncClient(timeout=SCRAPE_S_MAX)
        self._ends = AIOKafkaConsumer(bootstrap_servers=premises.settings.kafka)
        self._databases: dict[str, asyncpg.Connection] = {}

    async def __aenter__(self) -> Readings:
        await self._ends.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()
        await self._ends.stop()
        for connection in self._databases.values():
            connection.terminate()

    async def take(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, instance in list(self._premises.instances.items()):
            found |= {f"{name}.{key}": value for key, value in process_state(instance.process.pid).items()}
            found |= {f"{name}.{key}": value for key, value in (await self._scraped(instance)).items()}
        for name, pid in self._premises.servers.items():
            found |= {f"{name}.{key}": value for key, value in process_state(pid, children=name == "postgres").items()}
        for service in self.services():
            found[f"{service}.lag"] = await self.lag(service)
            found |= {f"{service}.{key}": value for key, value in (await self._database_state(service)).items()}
        return found

    def services(self) -> list[str]:
        return sorted({instance.service for instance in self._premises.instances.values()})

    async def _scraped(self, instance: Instance) -> dict[str, float]:
        """The instance's own figures; `series` is how many there are, because labels may grow for ever."""
        with contextlib.suppress(httpx.HTTPError):
            text = (await self._http.get(f"http://127.0.0.1:{instance.port}/metrics")).text
            samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
            named = {METRICS[each.name]: each.value for each in samples if each.name in METRICS}
            return named | {"series": float(len(samples))}
        return {}

    async def database(self, service: str) -> asyncpg.Connection:
        connection = self._databases.get(service)
        if connection is None or connection.is_closed():
            url = self._premises.settings.database(service)
            connection = self._databases[service] = await asyncpg.connect(
                url, server_settings={"application_name": "load readings"}
            )
        return connection

    async def lag(self, service: str) -> float:
        """Messages on the topics it hears that are not decided and committed yet."""
        rows = await (await self.database(service)).fetch("select partition, topic, next_offset from reading")
        places = {self._place(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        if not places:
            return 0.0
        ends = await self._ends.end_offsets(list(places))
        return float(sum(max(ends[place] - at, 0) for place, at in places.items()))

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._premises.settings.topic(topic), partition)

    async def _database_state(self, service: str) -> dict[str, float]:
        row = await (await self.database(service)).fetchrow(
            """
            select (select count(*) from pg_stat_activity where datname = current_database()
                    and backend_type = 'client backend' and application_name <> 'load readings') as connections,
                (select count(*) from instance) as instances,
                (select count(*) from parked) as parked_messages,
                (select count(*) from mailbox) as mail,
                pg_database_size(current_database()) / 1048576.0 as database_mb,
                (select coalesce(max(extract(epoch from now() - xact_start)), 0) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend')
                    as oldest_transaction_s,
                (select count(*) from pg_inherits where inhparent = 'journal'::regclass) as journal_ranges
            """
        )
        assert row is not None
        return {key: float(value) for key, value in row.items()}

    async def tables(self, service: str) -> dict[str, TableState]:
        rows = await (await self.database(service)).fetch(
            """
            select relname, n_live_tup, n_dead_tup, n_tup_upd + n_tup_del as changed,
                pg_table_size(relid) / 1048576.0 as table_mb, pg_indexes_size(relid) / 1048576.0 as index_mb,
                vacuum_count + autovacuum_count as vacuums,
                extract(epoch from now() - greatest(last_autovacuum, last_vacuum)) as ago
            from pg_stat_user_tables
            """
        )
        return {row["relname"]: _table_state(row) for row in rows}


def _table_state(row: Any) -> TableState:
    ago = None if row["ago"] is None else round(float(row["ago"]), 1)
    table_mb, index_mb = round(float(row["table_mb"]), 2), round(float(row["index_mb"]), 2)
    return TableState(row["n_live_tup"], row["n_dead_tup"], row["changed"], table_mb, index_mb, row["vacuums"], ago)


def process_state(pid: int, children: bool = False) -> dict[str, float]:
    """Memory and handles; with `children` their private memory as well (PostgreSQL shares the rest among them)."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            found = {
                "rss_mb": process.memory_info().rss / 2**20,
                "handles": float(process.num_fds()),
                "sockets": float(len(process.net_connections())),
                "threads": float(process.num_threads()),
            }
        if children:
            offspring = process.children(recursive=True)
            found |= {"processes": float(len(offspring)), "rss_mb": sum(map(_private_mb, [process, *offspring]))}
    except psutil.NoSuchProcess:
        return {}
    return found


def _private_mb(process: psutil.Process) -> float:
    """Memory of its own. Not what psutil calls unique: shared buffers that only one backend touched would count in it."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0.0  # it ended meanwhile, or this is no Linux
    return next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("RssAnon:")), 0.0)
