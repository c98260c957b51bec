"""The simulation in CI: sixty histories without a violation, one seed one history, and it does find what is broken."""

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
SEEDS = 60
"""In every run of CI, which is to end well within half an hour on two cores: with the ledger in the house a seed costs 8 to 14
seconds of a core, database included. Issue 4 asks for 200: `make simulate` plays them."""
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


def test_sixty_histories_break_no_rule(outside: dict[str, str]) -> None:
    done = simulated(outside, "--seeds", str(SEEDS))
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads((REPOSITORY / "build/faults/simulation.json").read_text())
    assert (shown["seeds"], shown["violations"]) == (SEEDS, [])
    assert shown["faults_in_all"] > SEEDS


DIGESTS = """
import tests.faults.simulation.__main__ as it
it.quiet_logs()
with it.server_url() as url:
    it._begin(url)
    print([it._one(seed).digest for seed in (3, 7, 9)])
    it._server.close()"""


async def test_one_seed_is_one_history(outside: dict[str, str]) -> None:
    twice = [asyncio.to_thread(scripted, outside, DIGESTS) for _ in range(2)]
    first, second = await asyncio.gather(*twice)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout == second.stdout != ""


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
