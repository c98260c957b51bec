"""`python -m tests.faults.simulation --seeds 200`: plays histories, two at a time, and shrinks the first that breaks a rule.

Needs only PostgreSQL (QUITTANCE_POSTGRES, else a local one). Writes build/faults/simulation.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from msgspec.structs import replace

from tests.faults.simulation.history import BUSY_S, History, draw
from tests.faults.simulation.house import SERVICES
from tests.faults.simulation.play import Ending, play, quiet_logs, shrunk, struck_in_all
from tests.faults.simulation.postgres import Server
from tests.faults.simulation.servers import OWN, own_database, server_url, tidied

RESULT = Path("build/faults/simulation.json")
FAILED = Path("build/faults/simulation")
HASH_SEED = "0"
"""Sets of texts must have one order, or a seed would not be one history."""
TELL_EVERY = 50


def main(arguments: list[str]) -> int:
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "tests.faults.simulation", *arguments])  # noqa: S606
    options = _options(arguments)
    quiet_logs()
    with server_url() as url:
        try:
            if options.history:
                return _replay(Path(options.history), url)
            return _run(range(options.first, options.first + options.seeds), options, url)
        finally:
            asyncio.run(tidied(url))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--busy", type=float, default=BUSY_S, help="virtual seconds of each in which things are done and break")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plays", type=int, default=300, help="most histories played to shrink a failing one")
    parser.add_argument("--result", type=Path, default=RESULT)
    parser.add_argument("--history", help="a file that a failing run wrote: play it with its trace")
    return parser.parse_args(arguments)


# --- many seeds -----------------------------------------------------------------------------------------------------


def _run(seeds: range, options: argparse.Namespace, url: str) -> int:
    began = time.monotonic()
    endings: list[Ending] = []
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("fork"), _begin, (url, options.busy)) as workers:
        for ending in workers.map(_one, seeds, chunksize=1):
            endings.append(ending)
            if ending.rule:
                print(f"seed {ending.seed}: {ending.detail[:500]}; its trace is {_kept_trace(ending)}", flush=True)
            if len(endings) % TELL_EVERY == 0:
                print(f"{len(endings)} histories in {time.monotonic() - began:.0f} s", flush=True)
    broken = [ending for ending in endings if ending.rule]
    _write(options.result, endings, time.monotonic() - began)
    print(told(endings))
    for ending in broken[:1]:
        _shrink(ending, options, url)
    return 1 if broken else 0


_server: Server | None = None
_busy_s = BUSY_S


def _begin(url: str, busy_s: float = BUSY_S) -> None:
    """A database for each worker, because sessions of two must never meet at a lock."""
    global _server, _busy_s
    _busy_s = busy_s
    quiet_logs()
    _server = Server(own_database(url, f"{OWN}_{os.getpid()}"))


def _one(seed: int) -> Ending:
    assert _server is not None
    ending = play(draw(seed, tuple(SERVICES), _busy_s), _server, traced=True)
    return ending if ending.rule else replace(ending, trace=())


# --- telling --------------------------------------------------------------------------------------------------------


def told(endings: Iterable[Ending]) -> str:
    all_ = list(endings)
    lines = [f"{count:7} {kind}" for kind, count in sorted(struck_in_all(all_).items())]
    hours = sum(ending.simulated_s for ending in all_) / 3600
    broken = [ending for ending in all_ if ending.rule]
    return "\n".join(
        [
            *lines,
            f"{len(all_)} seeds, {hours:.2f} simulated hours, {sum(e.facts for e in all_)} facts, "
            f"{sum(e.steps for e in all_)} steps",
            f"violations: {len(broken)} {[(ending.seed, ending.rule) for ending in broken]}",
        ]
    )


def _write(result: Path, endings: list[Ending], seconds: float) -> None:
    result.parent.mkdir(parents=True, exist_ok=True)
    shown = {
        "seeds": len(endings),
        "first": endings[0].seed if endings else None,
        "simulated_hours": round(sum(ending.simulated_s for ending in endings) / 3600, 2),
        "steps": sum(ending.steps for ending in endings),
        "facts": sum(ending.facts for ending in endings),
        "faults": dict(sorted(struck_in_all(endings).items())),
        "faults_in_all": sum(struck_in_all(endings).values()),
        "violations": [{"seed": e.seed, "rule": e.rule, "detail": e.detail[:2000]} for e in endings if e.rule],
        "seconds": round(seconds, 1),
    }
    result.write_text(json.dumps(shown, indent=1) + "\n")


# --- one that failed ------------------------------------------------------------------------------------------------


def _kept_trace(ending: Ending) -> Path:
    """As it happened: should it not happen again, this is all there is to learn from."""
    FAILED.mkdir(parents=True, exist_ok=True)
    path = FAILED / f"seed{ending.seed}.first.trace"
    path.write_text("\n".join(ending.trace) + "\n")
    return path


def _shrink(ending: Ending, options: argparse.Namespace, url: str) -> None:
    server = Server(own_database(url, f"{OWN}_shrinking"))
    whole = draw(ending.seed, tuple(SERVICES), options.busy)
    again = play(whole, server)
    if again.rule != ending.rule:
        print(f"seed {ending.seed} breaks {again.rule or 'no rule'} when it is played again: something outside it had a part")
        server.close()
        return
    history = shrunk(whole, ending, server, lambda text: print(f"  {text}", flush=True), options.plays)
    last = play(history, server, traced=True)
    server.close()
    FAILED.mkdir(parents=True, exist_ok=True)
    path = FAILED / f"seed{ending.seed}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(history), indent=1))
    path.with_suffix(".trace").write_text("\n".join(last.trace) + "\n")
    print(f"shortest history found ({len(history.troubles)} troubles, {len(history.deeds)} deeds): {last.detail[:1000]}")
    for each in (*history.troubles, *history.deeds):
        print(f"  {each}")
    print(f"play it again: make simulate HISTORY={path}")


def _replay(path: Path, url: str) -> int:
    history = msgspec.json.decode(path.read_bytes(), type=History)
    server = Server(own_database(url, f"{OWN}_replayed"))
    ending = play(history, server, traced=True)
    server.close()
    print("\n".join(ending.trace))
    print(ending.detail or "no rule is broken")
    return 1 if ending.rule else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
