"""The simulation in CI: two hundred histories without a violation, one seed one history, and it does find what is broken."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import postgres
from deploy.local.settings import REPOSITORY

pytestmark = pytest.mark.slow
SEEDS = 200
WHOLE = 10
BUSY_S = 4.0
"""In every run of CI, which is to end well within half an hour on two cores: a whole history costs 7 seconds of a core, database
included, one that heals after a third of its busy time 3, half of it before anything happens. `make simulate` plays whole."""
PATIENCE_S = 1_800
"""It runs behind the tests that look at a clock, and is nice to them."""


@pytest.fixture(scope="module")
def outside(request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment of a simulation: it brings a PostgreSQL of its own where it can, in memory, and needs no broker at all."""
    found = {name: value for name, value in os.environ.items() if name != "QUITTANCE_POSTGRES"} | {"PYTHONHASHSEED": "0"}
    return found if postgres.version() else found | {"QUITTANCE_POSTGRES": request.getfixturevalue("stack").postgres}


def simulated(outside: dict[str, str], *arguments: str, sabotage: str = "") -> subprocess.CompletedProcess[str]:
    """In a process of its own: a history needs a fixed order of sets, and replaces the outside of the kit."""
    played = "import sys; from tests.faults.simulation.__main__ import main; sys.exit(main(sys.argv[1:]))"
    return scripted(outside, f"{sabotage}\n{played}", *arguments)


def scripted(outside: dict[str, str], script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=outside, capture_output=True, text=True, timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("first", "seeds", "how"), [(0, WHOLE, ()), (WHOLE, SEEDS - WHOLE, ("--busy", str(BUSY_S)))], ids=["whole", "brief"]
)
def test_two_hundred_histories_break_no_rule(
    outside: dict[str, str], tmp_path: Path, first: int, seeds: int, how: tuple[str, ...]
) -> None:
    result = tmp_path / "simulation.json"
    done = simulated(outside, "--first", str(first), "--seeds", str(seeds), *how, "--result", str(result))
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(result.read_text())
    assert (shown["first"], shown["seeds"], shown["violations"]) == (first, seeds, [])
    assert shown["faults_in_all"] > seeds


DIGESTS = """
import sys
import tests.faults.simulation.__main__ as it
it.quiet_logs()
with it.server_url() as url:
    it._begin(url)
    for seed in sys.argv[1:]:
        print(seed, it._one(int(seed)).digest)
    it._server.close()"""


async def test_one_seed_is_one_history_whatever_was_played_before_it(outside: dict[str, str]) -> None:
    orders = (("3", "9", "7"), ("9", "7", "3"))
    first, second = await asyncio.gather(*(asyncio.to_thread(scripted, outside, DIGESTS, *seeds) for seeds in orders))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    told = [sorted(done.stdout.splitlines()) for done in (first, second)]
    assert told[0] == told[1]
    assert len(told[0]) == len(orders[0])


SABOTAGE = "from shared.arrivals import Arrivals\nArrivals._is_next = lambda self, *more: True"
"""A sequence that was taken is taken again."""
FOUND_BY = 1
"""A seed whose history meets it early, as most do: each shorter history that is tried costs the less."""


def test_it_finds_a_kit_that_is_broken_and_shortens_the_history(outside: dict[str, str], tmp_path: Path) -> None:
    few = ("--first", str(FOUND_BY), "--seeds", "1", "--plays", "8", "--result", str(tmp_path / "sabotaged.json"))
    done = simulated(outside, *few, sabotage=SABOTAGE)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "'every input has its effect once')" in done.stdout, done.stdout
    assert "shortest history found" in done.stdout


STARVING = """
import asyncpg
from tests.faults.simulation import postgres
taken, take = [], postgres.Server._dial
async def few(self):
    taken.append(1)
    if len(taken) > 12:
        raise postgres.Starved("no connection left")
    return await take(self)
postgres.Server._dial = few"""
"""The rig's own server is full in the middle of a history."""


def test_a_rig_without_connections_says_so_and_blames_nobody(outside: dict[str, str], tmp_path: Path) -> None:
    one = ("--seeds", "1", "--jobs", "1", "--plays", "1", "--result", str(tmp_path / "starved.json"))
    done = simulated(outside, *one, sabotage=STARVING)
    assert "no connection left" in done.stdout, done.stdout + done.stderr
    assert "'the simulation knows what it simulates'" in done.stdout
