"""The main job on the real stack: `quittance run` as a user starts it, killed in the middle, run again, and checked.

Issue 3, Must show 1, 2 and 6, on a part of the synthetic day.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from contracts.envelope import read
from contracts.orders import OrderHeld, OrderReferred, OrderRejected, OrderReleased
from deploy.local.settings import REPOSITORY
from quittance.day import DATE, day
from shared.testing import Servers, neighbouring_ports

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROWS = 900
RUN_S_MAX = 300
LEASE_S = "2"
"""Short, so that a new instance may take over soon after a kill."""
SERVICES = 7
"""Five services, the card executor and its sandbox."""


@dataclass
class Installation:
    """One installation on the shared servers: prefix, home and ports of its own."""

    servers: Servers
    home: Path
    namespace: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}_")
    batch_max: int = 2_000

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "KAFKA": self.servers.kafka,
            "POSTGRES": self.servers.postgres,
            "HOME": str(self.home),
            "NAMESPACE": self.namespace,
            "PORT": str(neighbouring_ports(SERVICES)),
            "LEASE_S": LEASE_S,
            "BATCH_MAX": str(self.batch_max),
        }
        return {**os.environ, **{f"QUITTANCE_{name}": value for name, value in own.items()}, "PYTHONPATH": str(REPOSITORY)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "quittance", *arguments]
        return subprocess.Popen(
            command, env=self.environment, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def quittance(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "quittance", *arguments]
        return subprocess.run(command, env=self.environment, cwd=REPOSITORY, text=True, capture_output=True, timeout=RUN_S_MAX)

    def run(self, files: Files, *more: str) -> dict[str, Any]:
        return last_line(self.start("run", *files.arguments, "--once", *more))

    def digest(self) -> str:
        return self.quittance("facts", "--digest").stdout

    def database(self, service: str) -> str:
        return f"{self.servers.postgres.rpartition('/')[0]}/{self.namespace}quittance_{service}"


@dataclass(frozen=True)
class Files:
    orders: Path
    accounts: Path
    rows: int

    @property
    def arguments(self) -> list[str]:
        return ["--orders", str(self.orders), "--accounts", str(self.accounts)]


def last_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    told, _ = process.communicate(timeout=RUN_S_MAX)
    assert process.returncode == 0, told
    result: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
    return result


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The first rows of a synthetic day, spread over a week so that the trade has time to answer.

    The last document is left out, because it may have been cut.
    """
    made = day(3)
    lines = made.orders.splitlines(keepends=True)[: ROWS + 1]
    last = reference_of(lines[-1])
    whole = [lines[0], *(on_its_day(line, last) for line in lines[1:] if reference_of(line) != last)]
    folder = tmp_path_factory.mktemp("day")
    (folder / "orders.csv").write_bytes(b"".join(whole))
    # A limit that has expired before the account opens is refused, and its orders would wait at the gateway for a minute.
    expired = (DATE - dt.timedelta(days=3)).isoformat().encode()
    (folder / "accounts.csv").write_bytes(made.accounts.replace(expired, b""))
    return Files(folder / "orders.csv", folder / "accounts.csv", len(whole) - 1)


def reference_of(line: bytes) -> bytes:
    return line.split(b",")[0]


def on_its_day(line: bytes, last: bytes) -> bytes:
    """A repeated document keeps its day, because that follows from its number."""
    share = (int(reference_of(line)[2:]) - 100_000) / (int(last[2:]) - 100_000)
    return line.replace(DATE.isoformat().encode(), (DATE + dt.timedelta(days=min(int(share * 5), 4))).isoformat().encode())


@pytest.fixture
def installation(stack: Servers, tmp_path: Path) -> Installation:
    return Installation(stack, tmp_path / "home")


@pytest.fixture(scope="module")
def undisturbed(stack: Servers, files: Files, tmp_path_factory: pytest.TempPathFactory) -> tuple[Installation, dict[str, Any]]:
    """A run without the trade, to compare others with."""
    made = Installation(stack, tmp_path_factory.mktemp("undisturbed"))
    return made, made.run(files, "--no-trade")


# --- every row is accounted for -------------------------------------------------------------------------------------


def adds_up(result: dict[str, Any], files: Files) -> bool:
    parts = ("order_lines", "return_lines", "repeated_rows", "quarantined")
    outcomes = ("released", "held", "rejected", "cancelled")
    rows_add_up = bool(result["rows"] == files.rows == sum(result[name] for name in parts))
    return rows_add_up and bool(result["orders"] == sum(result[name] for name in outcomes))


def test_every_row_of_a_file_is_accounted_for(undisturbed: tuple[Installation, dict[str, Any]], files: Files) -> None:
    _, result = undisturbed
    assert adds_up(result, files), result
    assert result["released"] and result["held"] and result["quarantined"] and result["duplicates"]


def test_the_same_file_again_changes_nothing_and_says_so(undisturbed: tuple[Installation, dict[str, Any]], files: Files) -> None:
    made, first = undisturbed
    before = made.digest()
    process = made.start("run", *files.arguments, "--once", "--no-trade")
    told, _ = process.communicate(timeout=RUN_S_MAX)
    again = json.loads(told.strip().splitlines()[-1])
    assert process.returncode == 0
    assert "Nothing changed" in told
    assert again["duplicates"] == again["orders"] == first["orders"]
    assert adds_up(again, files)
    assert made.digest() == before


def test_two_installations_decide_the_same_file_to_the_same_bytes(
    undisturbed: tuple[Installation, dict[str, Any]], files: Files, installation: Installation
) -> None:
    installation.run(files, "--no-trade")
    assert installation.digest() == undisturbed[0].digest()


# --- killed in the middle -------------------------------------------------------------------------------------------


async def facts_of(made: Installation) -> int:
    try:
        connection = await asyncpg.connect(made.database("orders"))
    except asyncpg.InvalidCatalogNameError:
        return 0
    try:
        return int(await connection.fetchval("select count(*) from journal where lane = ''"))
    except asyncpg.UndefinedTableError:
        return 0
    finally:
        await connection.close()


def kill_orders(made: Installation, times: int, first_after: int, then_every: int, process: subprocess.Popen[str]) -> int:
    """Kill −9 the order desk whenever its journal has grown by so much; returns how often it was."""
    killed, goal, last = 0, first_after, ""
    pid_file = made.home / "run" / "orders.pid"
    while killed < times and process.poll() is None:
        pid = pid_file.read_text() if pid_file.exists() else ""
        if pid and pid != last and asyncio.run(facts_of(made)) >= goal:
            os.kill(int(pid), signal.SIGKILL)
            killed, goal, last = killed + 1, goal + then_every, pid
        time.sleep(0.02)
    return killed


def test_killed_three_times_the_order_desk_says_the_same_facts(
    undisturbed: tuple[Installation, dict[str, Any]], files: Files, installation: Installation
) -> None:
    installation.batch_max = 2  # small, so that the desk is still at work when the third kill comes; the facts are the same
    process = installation.start("run", *files.arguments, "--once", "--no-trade")
    killed = kill_orders(installation, 3, first_after=190, then_every=40, process=process)
    result = last_line(process)
    assert killed == 3
    assert adds_up(result, files)
    assert installation.digest() == undisturbed[0].digest()


async def first_decisions(made: Installation) -> Counter[str]:
    connection = await asyncpg.connect(made.database("orders"))
    try:
        bodies = await connection.fetch("select body from journal where lane = ''")
    finally:
        await connection.close()
    kinds = (OrderReleased, OrderHeld, OrderReferred, OrderRejected)
    facts = (read(row["body"]).data for row in bodies)
    return Counter(fact.order for fact in facts if isinstance(fact, kinds) and fact.placed is not None)


def test_with_the_trade_on_every_order_is_decided_once_though_the_desk_is_killed(
    files: Files, installation: Installation
) -> None:
    installation.batch_max = 2
    process = installation.start("run", *files.arguments, "--once", "--trade")
    killed = kill_orders(installation, 3, first_after=270, then_every=90, process=process)
    result = last_line(process)
    decided = asyncio.run(first_decisions(installation))
    assert killed == 3
    assert adds_up(result, files)
    assert len(decided) == result["orders"]
    assert set(decided.values()) == {1}

    # What the log says is what the tables hold, and every decision comes out of it to the byte.
    explained = installation.quittance("explain", "--all", "--json")
    assert explained.returncode == 0, explained.stdout + explained.stderr
    assert json.loads(explained.stdout)["checked"] >= result["orders"]
    refolded = installation.quittance("refold", "--json")
    assert refolded.returncode == 0, refolded.stdout + refolded.stderr

    installation.batch_max = 2_000
    again = installation.run(files, "--trade")
    assert again["duplicates"] == again["orders"] == result["orders"]
    assert (again["released"], again["held"]) == (result["released"], result["held"])


# --- answers to questions -------------------------------------------------------------------------------------------


def test_an_order_is_explained_without_its_feed(undisturbed: tuple[Installation, dict[str, Any]]) -> None:
    made, _ = undisturbed
    answer = made.quittance("explain", "SO100001", "--json")
    (decision,) = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert decision["order"] == "home/SO100001"
    assert decision["same"]
    assert len(decision["checks"]) == 16


def test_an_order_is_traced_from_the_wish_to_the_decision(undisturbed: tuple[Installation, dict[str, Any]]) -> None:
    made, _ = undisturbed
    found = json.loads(made.quittance("trace", "SO100001", "--json").stdout)
    (depth_of_wish, wish), (depth_of_answer, answer) = found["steps"]
    assert wish["type"] == "orders.place_order.v1"
    assert answer["cause"] == wish["id"]
    assert depth_of_answer == depth_of_wish + 1


def test_what_there_is_not_is_said_in_one_sentence(undisturbed: tuple[Installation, dict[str, Any]]) -> None:
    made, _ = undisturbed
    answer = made.quittance("explain", "no-such-order")
    assert answer.returncode == 1
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "no-such-order" in answer.stderr


def test_another_clock_is_refused_with_what_to_do(undisturbed: tuple[Installation, dict[str, Any]], files: Files) -> None:
    made, _ = undisturbed
    command = [sys.executable, "-m", "quittance", "run", *files.arguments, "--once"]
    environment = {**made.environment, "QUITTANCE_CLOCK": "wall"}
    answer = subprocess.run(command, env=environment, cwd=REPOSITORY, text=True, capture_output=True, timeout=RUN_S_MAX)
    assert answer.returncode == 1
    assert "clock=event" in answer.stderr
    assert "QUITTANCE_HOME" in answer.stderr


def test_told_to_end_in_the_middle_of_the_day_it_stops_what_it_started(installation: Installation, files: Files) -> None:
    process = installation.start("run", *files.arguments, "--speed", "60")
    assert process.stdout is not None
    while "the console is" not in process.stdout.readline():
        assert process.poll() is None, "it ended before its services were ready"
    started = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    shown, _ = process.communicate(timeout=RUN_S_MAX)
    assert shown.splitlines()[-1] == f"stopped; the data stays in {installation.home}"
    assert len(started) >= 5
    assert psutil.wait_procs(started, timeout=5)[1] == []
