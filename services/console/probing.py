"""How every instance of every service does, by its own word: /readyz and /metrics asked every few seconds, kept some hours.

Nobody's database is looked into. Where instances are is a setting (`QUITTANCE_INSTANCES`); a name that stands for several
addresses (a headless service on Kubernetes) is several instances. Who does not answer keeps the last figures, with their age.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import asyncpg
import httpx
import msgspec
import structlog
from prometheus_client.parser import text_string_to_metric_families

from services.console.tallying import percentile
from services.console.telling import tell
from shared.database import UNAVAILABLE

log = structlog.get_logger(__name__)

PROBE_EVERY_S = 5.0
"""The kit observes itself as often (shared/engine.py): more would show the same twice."""
ANSWER_S_MAX = 2.0
SILENT_S = 15.0
"""An instance that has not answered for so long is shown as silent, with the moment since when."""
KEPT = dt.timedelta(hours=6)
FORGOTTEN = dt.timedelta(minutes=10)
"""An instance that is no longer named, or whose name stands for others now."""
SWEEP_EVERY = 60
METRICS_BYTES_MAX = 1_000_000
WORD = "ops"
"""What the live page is told after every look."""

SUMS = {
    "backlog": "quittance_backlog_inputs",
    "lag": "quittance_lag_messages",
    "outbox": "quittance_unpublished_entries",
    "parked_groups": "quittance_parked_groups",
    "parked": "quittance_parked_messages",
    "quarantine": "quittance_quarantine_waiting",
    "withheld": "quittance_withheld_waiting",
    "partitions": "quittance_partitions_held",
    "timers_late": "quittance_timers_late",
    "restarts": "quittance_restarts_total",
    "gaps": "quittance_gaps_total",
}
"""Our word → the metric whose samples (of all topics) add up to it."""
HIGHEST = {
    "oldest_s": "quittance_oldest_undecided_seconds",
    "outbox_s": "quittance_outbox_age_seconds",
    "timers_late_s": "quittance_timers_late_seconds",
}
RATES = {"handled_s": "quittance_inputs_handled_total", "facts_s": "quittance_journal_entries_total"}
"""Our word → the counter whose growth per second it is."""
DURATIONS = {"decided": "quittance_decision_seconds", "commit": "quittance_commit_seconds"}
"""Our word → the histogram; `<word>_p50_ms` and `<word>_p99_ms` are of what came since the look before."""

Figures = dict[str, float]
Samples = dict[str, list[tuple[Mapping[str, str], float]]]


class Place(NamedTuple):
    service: str
    host: str
    port: int


class Answer(NamedTuple):
    """What one look found. `problem` says why there are no figures."""

    service: str
    instance: str
    ready: bool
    problem: str
    samples: Samples


def places(instances: str) -> list[Place]:
    """`orders=10.0.0.7:9100,orders=orders-2:9100`. Raises ValueError that says which entry is wrong."""
    return [_place(entry.strip()) for entry in instances.split(",") if entry.strip()]


def _place(entry: str) -> Place:
    service, _, address = entry.partition("=")
    host, _, port = address.rpartition(":")
    if not service or not host or not port.isdecimal():
        raise ValueError(f"QUITTANCE_INSTANCES: {entry!r} is not <service>=<host>:<port>")
    return Place(service, host, int(port))


def client() -> httpx.AsyncClient:
    """For instances, which are asked directly and never by way of a proxy."""
    return httpx.AsyncClient(timeout=ANSWER_S_MAX, trust_env=False)


# --- asking ---------------------------------------------------------------------------------------------------------


async def ask_all(client: httpx.AsyncClient, wanted: Iterable[Place]) -> list[Answer]:
    """Every instance at once; one that hangs costs ANSWER_S_MAX, not the others."""
    found = await asyncio.gather(*(addresses(place) for place in wanted))
    instances = sorted({each for several in found for each in several})
    return list(await asyncio.gather(*(_ask(client, *each) for each in instances)))


async def addresses(place: Place) -> list[tuple[str, str]]:
    """(service, host:port) of every address that the name stands for; the name itself when nobody knows it."""
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            infos = await asyncio.get_running_loop().getaddrinfo(place.host, place.port, type=1)
    except (OSError, TimeoutError):
        return [(place.service, f"{place.host}:{place.port}")]
    hosts = {info[4][0] for info in infos}
    return [(place.service, f"[{host}]:{place.port}" if ":" in str(host) else f"{host}:{place.port}") for host in hosts]


async def _ask(client: httpx.AsyncClient, service: str, instance: str) -> Answer:
    try:
        async with asyncio.timeout(ANSWER_S_MAX):
            ready = await client.get(f"http://{instance}/readyz")
            told = await client.get(f"http://{instance}/metrics")
    except (httpx.HTTPError, TimeoutError, OSError) as error:
        return Answer(service, instance, False, f"does not answer ({type(error).__name__})", {})
    if told.status_code != 200 or len(told.content) > METRICS_BYTES_MAX:
        return Answer(service, instance, False, f"/metrics answered {told.status_code}, {len(told.content)} bytes", {})
    try:
        samples = samples_of(told.text)
    except ValueError as error:
        return Answer(service, instance, False, f"/metrics cannot be read: {error}"[:200], {})
    return Answer(service, instance, ready.status_code == 200, "" if ready.status_code == 200 else "is not ready", samples)


def samples_of(text: str) -> Samples:
    """Prometheus text as name → (labels, value)."""
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


# --- figures --------------------------------------------------------------------------------------------------------


def figures(now: Samples, before: Samples, seconds: float) -> Figures:
    """What the page shows of one instance. Without a look before (or after its restart) there are no rates yet."""
    found: Figures = {word: _sum(now, name) for word, name in SUMS.items()}
    found |= {word: max((value for _, value in now.get(name, ())), default=0.0) for word, name in HIGHEST.items()}
    if not before or seconds <= 0 or any(_sum(now, name) < _sum(before, name) for name in RATES.values()):
        return found
    found |= {word: round((_sum(now, name) - _sum(before, name)) / seconds, 2) for word, name in RATES.items()}
    for word, name in DURATIONS.items():
        buckets = grown(_buckets(now, name), _buckets(before, name))
        for share, ending in ((0.5, "p50_ms"), (0.99, "p99_ms")):
            value = percentile(buckets, share)
            if value is not None:
                found[f"{word}_{ending}"] = round(value * 1000, 2)
    return found


def _sum(samples: Samples, name: str) -> float:
    return sum(value for _, value in samples.get(name, ()))


def _buckets(samples: Samples, name: str) -> dict[float, float]:
    """Upper bound → how many up to it."""
    return {float(labels["le"]): value for labels, value in samples.get(f"{name}_bucket", ())}


def grown(now: Mapping[float, float], before: Mapping[float, float]) -> list[tuple[float, int]]:
    """(upper bound, how many came since, above the bound before it)."""
    cumulated = [(bound, int(now[bound] - before.get(bound, 0))) for bound in sorted(now)]
    lower = [0, *(count for _, count in cumulated[:-1])]
    return [(bound, count - less) for (bound, count), less in zip(cumulated, lower, strict=True)]


# --- keeping --------------------------------------------------------------------------------------------------------


class Probe:
    """Looks again and again; remembers the look before of every instance, for rates."""

    def __init__(self, wanted: Iterable[Place]) -> None:
        self._wanted = list(wanted)
        self._before: dict[tuple[str, str], tuple[Samples, float]] = {}

    async def look(self, client: httpx.AsyncClient, connection: asyncpg.Connection, at_s: float) -> list[Answer]:
        """`at_s`: a monotonic clock."""
        answers = await ask_all(client, self._wanted)
        rows = [(answer, self._figures(answer, at_s)) for answer in answers]
        async with connection.transaction():
            await _note(connection, rows)
            await tell(connection, [WORD])
        return answers

    def _figures(self, answer: Answer, at_s: float) -> Figures | None:
        if not answer.samples:
            return None
        before, then_s = self._before.get((answer.service, answer.instance), ({}, at_s))
        self._before[answer.service, answer.instance] = (answer.samples, at_s)
        return figures(answer.samples, before, at_s - then_s)


async def _note(connection: asyncpg.Connection, rows: list[tuple[Answer, Figures | None]]) -> None:
    """The newest look of every instance, and a row of its history where it answered."""
    told = [
        (answer.service, answer.instance, answer.ready, answer.problem, None if found is None else _json(found))
        for answer, found in rows
    ]
    await connection.execute(
        """
        insert into health_instance (service, instance, asked_at, seen_at, ready, problem, figures)
        select service, instance, now(), case when figures is not null then now() end, ready, problem, coalesce(figures, '{}')
        from unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::jsonb[])
            as told (service, instance, ready, problem, figures)
        on conflict (service, instance) do update set asked_at = now(), ready = excluded.ready, problem = excluded.problem,
            seen_at = coalesce(excluded.seen_at, health_instance.seen_at),
            figures = case when excluded.seen_at is null then health_instance.figures else excluded.figures end
        """,
        *map(list, zip(*told, strict=True)),
    )
    await connection.execute(
        """
        insert into health (service, instance, at, figures)
        select service, instance, now(), figures
        from unnest($1::text[], $2::text[], $3::jsonb[]) as told (service, instance, figures) where figures is not null
        """,
        [row[0] for row in told],
        [row[1] for row in told],
        [row[4] for row in told],
    )


async def sweep(connection: asyncpg.Connection) -> None:
    await connection.execute("delete from health where at < now() - $1::interval", KEPT)
    await connection.execute("delete from health_instance where asked_at < now() - $1::interval", FORGOTTEN)


def _json(found: Figures) -> str:
    return msgspec.json.encode(found).decode()


async def beside(app: Any) -> None:
    """As long as the console runs. Of several consoles one looks: the one that holds the lock while it does."""
    wanted = places(app.state.settings.instances)
    if not wanted:
        log.warning("QUITTANCE_INSTANCES is empty: the ops page shows no instances")
        return
    probe, loop, looks = Probe(wanted), asyncio.get_running_loop(), 0
    async with client() as asking:
        while True:
            began = loop.time()
            try:
                async with app.state.pool.acquire() as connection:
                    await _one_look(probe, asking, connection, began, looks)
                looks += 1
            except UNAVAILABLE as error:
                log.warning("instances not probed", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(max(began + PROBE_EVERY_S - loop.time(), 1.0))


ONE_PROBES = 7_417_003
"""Advisory lock."""


async def _one_look(probe: Probe, client: httpx.AsyncClient, connection: asyncpg.Connection, at_s: float, looks: int) -> None:
    if not await connection.fetchval("select pg_try_advisory_lock($1)", ONE_PROBES):
        return
    try:
        await probe.look(client, connection, at_s)
        if looks % SWEEP_EVERY == 0:
            await sweep(connection)
    finally:
        await connection.execute("select pg_advisory_unlock($1)", ONE_PROBES)


# --- asking what was kept -------------------------------------------------------------------------------------------


async def instances(pool: asyncpg.Pool | asyncpg.Connection) -> list[asyncpg.Record]:
    """Every instance's newest word, by service; `silent`: it has not answered for a while."""
    rows: list[asyncpg.Record] = await pool.fetch(
        """
        select service, instance, seen_at, asked_at, ready, problem, figures,
            coalesce(seen_at < asked_at - make_interval(secs => $1), true) as silent
        from health_instance order by service, instance
        """,
        SILENT_S,
    )
    return rows


async def series(
    pool: asyncpg.Pool | asyncpg.Connection, service: str, words: Iterable[str], span: dt.timedelta, step: dt.timedelta
) -> list[tuple[dt.datetime, dict[str, float]]]:
    """The last `span` of a service in steps: rates (`_s` of RATES) added up over instances, everything else the worst of them."""
    rows = await pool.fetch(
        """
        with each as (
            select date_bin($4, at, 'epoch') as step, instance, word, avg((figures ->> word)::float8) as mean,
                max((figures ->> word)::float8) as worst
            from health, unnest($2::text[]) as word where service = $1 and at > now() - $3::interval and figures ? word
            group by step, instance, word)
        select step, word, case when word = any($5::text[]) then sum(mean) else max(worst) end as value
        from each group by step, word order by step
        """,
        service,
        list(words),
        span,
        step,
        list(RATES),
    )
    steps: dict[dt.datetime, dict[str, float]] = {}
    for row in rows:
        steps.setdefault(row["step"], {})[row["word"]] = row["value"]
    return list(steps.items())
