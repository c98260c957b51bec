"""`python -m tests.quality --payments 20000 --seed 1`: plays the payments, asks the matcher at the seam, prints what it is worth.

Exit code 0 only if the targets are reached. Writes build/match-quality.json.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.quality import seam
from tests.quality.judge import FALSE_PER_MILLE_MOST, HIT_PER_MILLE_LEAST, Judge
from tests.quality.payments import Course

RESULT = Path("build/match-quality.json")
TELL_EVERY = 5_000


def main(arguments: list[str]) -> int:
    asked = _asked(arguments)
    began = time.monotonic()
    judge, matching_s = play(Course(asked.payments, asked.seed), seam.answer)
    print(judge.table())
    print(
        f"{asked.payments} payments, seed {asked.seed}: {time.monotonic() - began:.0f} s, the matcher {matching_s:.0f} s of them"
    )
    judge.write(asked.result, payments=asked.payments, seed=asked.seed, matching_s=round(matching_s, 1))
    print(verdict(judge))
    return 0 if judge.total.reaches_targets else 1


def play(course: Course, matcher: seam.Matcher) -> tuple[Judge, float]:
    """The judge after all payments, and the seconds that the matcher took."""
    judge, matching_s = Judge(item_of=course.ledger.item), 0.0
    for at, case in enumerate(course.cases(), 1):
        asked_at = time.perf_counter()
        answer = matcher(course.ledger, case.payment)
        matching_s += time.perf_counter() - asked_at
        judge.count(case, answer)
        if at % TELL_EVERY == 0:
            print(f"{at} payments", file=sys.stderr, flush=True)
    return judge, matching_s


def verdict(judge: Judge) -> str:
    total = judge.total
    rates = total.rates()
    hit, false = rates["hit"] or 0.0, rates["false"] or 0.0
    return (
        f"{'reached' if total.reaches_targets else 'NOT reached'}: hit {hit:.2f} % (at least {HIT_PER_MILLE_LEAST / 10:.0f}), "
        f"false {false:.3f} % (at most {FALSE_PER_MILLE_MOST / 10:.1f})"
    )


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make match-quality", description=__doc__)
    parser.add_argument("--payments", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--result", type=Path, default=RESULT)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
