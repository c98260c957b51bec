"""Takes out guard by guard and says which were missed. The untouched tree is tried first: where it is red, nothing is proven."""

from __future__ import annotations

import contextlib
import queue
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local import stack as local_stack
from deploy.local.settings import REPOSITORY, from_environment
from shared.testing import MEMORY_MIN_BYTES, own_home
from tests.faults.sabotage.guard import PATIENCE_S, Guard
from tests.faults.sabotage.tree import copied, without
from tests.faults.sabotage.trial import Outcome, tried

BASELINE_S_MAX = 1800.0
Say = Callable[[str], None]


class BaselineRed(RuntimeError):
    """A named test fails although no guard is out: whatever it says of a guard would prove nothing."""


class Broken(RuntimeError):
    """A run that could not be judged: the patch broke the code instead of taking the guard out, or pytest could not run."""


@dataclass(frozen=True)
class Trial:
    guard: Guard
    outcome: Outcome
    seconds: float

    @property
    def caught(self) -> bool:
        return self.outcome.verdict == "failed" or (self.outcome.verdict == "timed out" and self.guard.hangs)


def sabotaged(guards: Sequence[Guard], jobs: int, say: Say) -> list[Trial]:
    """One trial per guard, in the order given. Raises NotFound, BaselineRed or Broken."""
    for guard in guards:
        guard.disarmed(guard.source(REPOSITORY))
    with tempfile.TemporaryDirectory(prefix="sabotage-") as scratch, _servers(guards) as environment:
        trees = [copied(REPOSITORY, Path(scratch) / f"tree-{n}") for n in range(jobs)]
        _prove_green(guards, trees, environment, say)
        free: queue.Queue[Path] = queue.Queue()
        for tree in trees:
            free.put(tree)
        with ThreadPoolExecutor(jobs) as pool:
            trials = list(pool.map(lambda guard: _tried_in_turn(guard, free, environment, say), guards))
    _all_judged(trials)
    return trials


@contextlib.contextmanager
def _servers(guards: Sequence[Guard]) -> Iterator[Mapping[str, str]]:
    """Where Kafka and PostgreSQL are, as the tests are told: elsewhere, or started here once for all runs."""
    given = from_environment()
    if given.kafka or given.postgres or not any(guard.needs_servers for guard in guards):
        yield {}
        return
    own = own_home(given, "sabotage", MEMORY_MIN_BYTES)
    try:
        started = local_stack.up(own)
        assert started.kafka.url and started.postgres.url
        yield {"QUITTANCE_KAFKA": started.kafka.url, "QUITTANCE_POSTGRES": started.postgres.url}
    finally:
        local_stack.erase(own)


def _prove_green(guards: Sequence[Guard], trees: Sequence[Path], environment: Mapping[str, str], say: Say) -> None:
    tests = sorted({test for guard in guards for test in guard.tests})
    shares = [share for n in range(len(trees)) if (share := _share(tests, n, len(trees)))]
    say(f"{len(guards)} guards; their {len(tests)} tests on the untouched tree ...")
    with ThreadPoolExecutor(len(trees)) as pool:
        runs = pool.map(
            lambda tree, share: tried(tree, share, environment, BASELINE_S_MAX, all_of_them=True), trees[: len(shares)], shares
        )
        for outcome in runs:
            if outcome.verdict != "passed":
                raise BaselineRed(f"with every guard in place: {outcome.verdict} {outcome.test} {outcome.said}\n{outcome.output}")


def _share(tests: Sequence[str], part: int, parts: int) -> list[str]:
    """Whole files, so that what a file starts is started once."""
    files = sorted({test.partition("::")[0] for test in tests})
    return [test for test in tests if files.index(test.partition("::")[0]) % parts == part]


def _tried_in_turn(guard: Guard, free: queue.Queue[Path], environment: Mapping[str, str], say: Say) -> Trial:
    tree = free.get()
    began = time.monotonic()
    try:
        with without(guard, tree):
            outcome = tried(tree, guard.tests, environment, PATIENCE_S, all_of_them=False)
    finally:
        free.put(tree)
    trial = Trial(guard, outcome, time.monotonic() - began)
    say(line_of(trial))
    return trial


def line_of(trial: Trial) -> str:
    what = trial.outcome.test.rpartition("::")[2] if trial.outcome.verdict == "failed" else trial.outcome.verdict
    word = "caught  " if trial.caught else "SURVIVED" if trial.outcome.verdict != "broken" else "BROKEN  "
    return f"{word} {trial.seconds:6.1f} s  {trial.guard.name}  ({trial.guard.promise}) - {what}"


def _all_judged(trials: Sequence[Trial]) -> None:
    for trial in trials:
        if trial.outcome.verdict == "broken":
            raise Broken(f"guard {trial.guard.name!r}: no test of {trial.guard.tests} came to fail\n{trial.outcome.output}")
