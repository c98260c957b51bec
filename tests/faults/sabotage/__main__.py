"""`python -m tests.faults.sabotage [--only WORDS] [--jobs 2]`: exit 1 when a guard survives, 2 when nothing could be proven."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local.settings import REPOSITORY
from tests.faults.sabotage.guard import Guard, NotFound
from tests.faults.sabotage.listed import LISTED
from tests.faults.sabotage.run import BaselineRed, Broken, Trial, line_of, sabotaged

REPORT = REPOSITORY / "build" / "faults" / "sabotage.json"


def main() -> int:
    asked = _asked()
    guards = [guard for guard in LISTED if not asked.only or any(words in f"{guard.name} {guard.file}" for words in asked.only)]
    if not guards:
        print(f"no guard is named so; there are {len(LISTED)}, see tests/faults/sabotage")
        return 2
    began = time.monotonic()
    try:
        trials = sabotaged(guards, asked.jobs, lambda said: print(said, flush=True))
    except (NotFound, BaselineRed, Broken) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    report = _report(trials, time.monotonic() - began)
    if not asked.only:
        _write(REPORT, report)
    print(f"\n{report['guards']} guards, {report['caught']} caught, {report['survived']} survived, {report['seconds']} s")
    for trial in trials:
        if not trial.caught:
            print(line_of(trial))
    return 1 if report["survived"] else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.sabotage", description="Take out each guard; a test must go red."
    )
    parser.add_argument("--only", action="append", default=[], help="guards whose name or file holds these words; no report")
    parser.add_argument("--jobs", type=int, default=2, help="copies of the tree tried side by side")
    return parser.parse_args()


def _report(trials: Sequence[Trial], seconds: float) -> dict[str, Any]:
    caught = sum(trial.caught for trial in trials)
    return {
        "guards": len(trials),
        "caught": caught,
        "survived": len(trials) - caught,
        "seconds": round(seconds),
        "each": [_told(trial) for trial in trials],
    }


def _told(trial: Trial) -> dict[str, Any]:
    guard: Guard = trial.guard
    return {
        "guard": guard.name,
        "promise": guard.promise,
        "file": guard.file,
        "caught": trial.caught,
        "by": trial.outcome.test or trial.outcome.verdict,
        "said": trial.outcome.said,
        "seconds": round(trial.seconds, 1),
    }


def _write(path: Path, report: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
