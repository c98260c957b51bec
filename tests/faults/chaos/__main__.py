"""`python -m tests.faults.chaos --events N --seed S`: exit code 0 only when nothing was lost, doubled, stuck or out of order."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

import msgspec

from deploy.local.settings import REPOSITORY
from tests.faults.chaos.audit import COUNTS
from tests.faults.chaos.faults import kinds
from tests.faults.chaos.run import Report, Wish, perform

RESULT = REPOSITORY / "build" / "faults" / "chaos.json"


def main() -> int:
    asked = _asked()
    wish = Wish(events=asked.events, seed=asked.seed, only=tuple(asked.only or ()), minutes=asked.minutes)
    keep: list[str] = []
    signal.signal(signal.SIGTERM, _end)
    report = asyncio.run(perform(wish, keep))
    write(report, asked.result)
    show(report)
    if not report.clean:
        print("the run's home, with journals, topics and logs, is kept under QUITTANCE_HOME/chaos", file=sys.stderr)
    return 0 if report.clean else 1


def _end(*_: object) -> None:
    """As Ctrl-C does: everything that was started is ended."""
    raise KeyboardInterrupt


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description="Faults on the real stack.")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="then it is enough, and what was sent is audited")
    parser.add_argument("--only", action="append", choices=sorted({kind.name for kind in kinds()}), help="again for more kinds")
    parser.add_argument("--result", type=Path, default=RESULT)
    return parser.parse_args()


def write(report: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def show(report: Report) -> None:
    print(f"\n{report.events:,} events, {sum(report.faults.values())} faults, seed {report.seed}, {report.seconds:.0f} s")
    print("   ".join(f"{name} {getattr(report, name)}" for name in COUNTS))
    print(f"\n{'fault':<16}{'times':>6}   decided again s (min median max)   caught up s")
    for kind, count in report.faults.items():
        decided, caught_up = report.decided_again_s.get(kind), report.caught_up_s.get(kind)
        if decided and caught_up:
            print(f"{kind:<16}{count:>6}   {decided.min:>8.2f}{decided.median:>8.2f}{decided.max:>8.2f}"
                  f"          {caught_up.min:>8.2f}{caught_up.median:>8.2f}{caught_up.max:>8.2f}")  # fmt: skip
    for what, count in report.absorbed.items():
        print(f"duplicates absorbed {what}: {count:,}")
    for kind, why in report.not_run.items():
        print(f"not run: {kind}: {why}")
    for gone in report.exits_unasked:
        print(f"ended unasked: {gone['service']} ({gone['code']})")
    for finding in report.findings:
        print(finding)


if __name__ == "__main__":
    sys.exit(main())
