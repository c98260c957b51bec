"""How the console learns how others do: by asking them, with the age of what it knows (V5)."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import asyncpg
import httpx
import msgspec
import pytest
from prometheus_client import generate_latest

from services.console import probing
from services.console.probing import Place, Probe, ask_all, figures, places, samples_of
from services.gateway.door import Traffic
from shared.batch import Batch
from shared.metrics import Metrics


def text_of(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def committed(metrics: Metrics, waited_s: float, times: int) -> None:
    batch = Batch({})
    batch.handled, batch.waits = times, [(0.0, times)]
    metrics.committed(batch, 0.004, waited_s)


# --- pure -----------------------------------------------------------------------------------------------------------


def test_places_are_named_by_service_and_address() -> None:
    assert places("orders=10.0.0.7:9100, accounts=accounts:9100") == [
        Place("orders", "10.0.0.7", 9100), Place("accounts", "accounts", 9100),
    ]  # fmt: skip
    assert places("") == []


@pytest.mark.parametrize("wrong", ["orders", "orders=host", "=host:1", "orders=host:web"])
def test_an_entry_that_is_no_place_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="QUITTANCE_INSTANCES"):
        places(f"accounts=accounts:9100,{wrong}")


def test_every_figure_is_read_from_a_metric_that_there_is() -> None:
    registry = Metrics("any").registry
    Traffic(registry)
    there = {family.name for family in registry.collect()}
    wanted = [*probing.SUMS.values(), *probing.HIGHEST.values(), *probing.RATES.values(), *probing.DURATIONS.values()]
    assert {name.removesuffix("_total") for name in wanted} <= there


def test_rates_and_percentiles_are_of_what_came_since_the_look_before() -> None:
    metrics = Metrics("orders")
    committed(metrics, 0.9, 1_000)  # long ago
    before = samples_of(text_of(metrics))
    committed(metrics, 0.004, 98)
    committed(metrics, 0.2, 2)
    found = figures(samples_of(text_of(metrics)), before, 5.0)
    assert found["handled_s"] == 20.0
    assert found["decided_p50_ms"] < 5
    assert 100 < found["decided_p99_ms"] <= 250


def test_after_a_restart_there_are_no_rates_until_the_next_look() -> None:
    old, new = Metrics("orders"), Metrics("orders")
    committed(old, 0.01, 50)
    assert "handled_s" not in figures(samples_of(text_of(new)), samples_of(text_of(old)), 5.0)
    assert "handled_s" not in figures(samples_of(text_of(new)), {}, 5.0)


def test_lag_is_the_sum_of_all_topics_and_ages_are_the_worst() -> None:
    metrics = Metrics("orders")
    metrics.observe_delays(
        lag={"accounts": 3, "orders.commands": 4}, oldest_s=1.5, late=[(2, 30.0), (1, 5.0)], unpublished=7, outbox_s=0.5
    )
    found = figures(samples_of(text_of(metrics)), {}, 0.0)
    assert (found["lag"], found["oldest_s"], found["timers_late"], found["timers_late_s"]) == (7, 1.5, 3, 30.0)
    assert (found["outbox"], found["outbox_s"]) == (7, 0.5)


# --- over HTTP ------------------------------------------------------------------------------------------------------

Page = Callable[[str], tuple[int, str]]


@asynccontextmanager
async def answering(page: Page) -> AsyncIterator[Place]:
    """A small server that answers /readyz and /metrics as a service would."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        status, body = page(request.split()[1].decode())
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield Place("orders", "127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as made:
        yield made


def healthy(metrics: Metrics) -> Page:
    return lambda path: (200, text_of(metrics) if path == "/metrics" else "ready\n")


async def test_a_service_that_is_not_ready_says_so_and_shows_its_figures(client: httpx.AsyncClient) -> None:
    metrics = Metrics("orders")
    async with answering(lambda path: (200, text_of(metrics)) if path == "/metrics" else (503, "not ready\n")) as place:
        [answer] = await ask_all(client, [place])
    assert (answer.ready, answer.problem, bool(answer.samples)) == (False, "is not ready", True)


@pytest.mark.parametrize("body", ["}{", "quittance_inputs_handled_total one\n"])
async def test_figures_that_cannot_be_read_are_a_problem_and_no_crash(client: httpx.AsyncClient, body: str) -> None:
    async with answering(lambda _: (200, body)) as place:
        [answer] = await ask_all(client, [place])
    assert answer.problem.startswith("/metrics cannot be read")


async def test_one_that_hangs_costs_the_others_nothing(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "ANSWER_S_MAX", 0.3)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            await reader.read(1_000)
        writer.close()

    silent = await asyncio.start_server(hang, "127.0.0.1", 0)
    hanging = Place("accounts", "127.0.0.1", silent.sockets[0].getsockname()[1])
    async with answering(healthy(Metrics("orders"))) as place:
        answers = {answer.service: answer for answer in await ask_all(client, [hanging, place])}
    silent.close()
    assert answers["orders"].ready
    assert "does not answer" in answers["accounts"].problem


# --- kept -----------------------------------------------------------------------------------------------------------


def ticks(metrics: Metrics) -> Iterator[float]:
    """A look every five seconds; ten inputs a second meanwhile."""
    for at_s in range(0, 1_000, 5):
        yield float(at_s)
        committed(metrics, 0.004, 50)


@pytest.mark.stack
async def test_one_that_stops_answering_keeps_its_last_figures_with_their_age(
    console: asyncpg.Connection, client: httpx.AsyncClient
) -> None:  # V5
    metrics = Metrics("orders")
    clock = ticks(metrics)
    async with answering(healthy(metrics)) as place:
        probe = Probe([place])
        for _ in range(3):
            await probe.look(client, console, next(clock))
    await console.execute("update health_instance set seen_at = seen_at - interval '1 minute'")
    await probe.look(client, console, next(clock))
    [shown] = await probing.instances(console)
    assert (shown["ready"], shown["silent"]) == (False, True)
    assert shown["seen_at"] < shown["asked_at"]
    assert msgspec.json.decode(shown["figures"])["handled_s"] == 10.0


@pytest.mark.stack
async def test_rates_of_instances_add_up_and_the_worst_latency_counts(console: asyncpg.Connection) -> None:
    for instance, p99 in (("a:1", 20.0), ("b:1", 70.0)):
        await console.execute(
            "insert into health values ('orders', $1, now(), jsonb_build_object('handled_s', 30, 'decided_p99_ms', $2::float8))",
            instance,
            p99,
        )
    span, step = dt.timedelta(minutes=30), dt.timedelta(minutes=1)
    [(_, point)] = await probing.series(console, "orders", ["handled_s", "decided_p99_ms", "lag"], span, step)
    assert point == {"handled_s": 60.0, "decided_p99_ms": 70.0}


@pytest.mark.stack
async def test_what_is_old_goes(console: asyncpg.Connection) -> None:
    await console.execute("insert into health values ('orders', 'a:1', now() - interval '7 hours', '{}')")
    await console.execute(
        "insert into health_instance (service, instance, asked_at, ready) values ('o', 'a', '2020-01-01', true)"
    )
    await probing.sweep(console)
    assert await console.fetchval("select (select count(*) from health) + (select count(*) from health_instance)") == 0
