"""`python -m tests.faults.load soak | overload`: exits 0 when nothing grew, broke or was lost."""

from __future__ import annotations

import argparse
import sys

import uvloop

from tests.faults.load.soak import soak


def main() -> int:
    asked = _parser().parse_args()
    match asked.what:
        case "soak":
            return uvloop.run(soak(asked.minutes, asked.rate))
        case _:
            from tests.faults.load.overload import overload

            return uvloop.run(overload(asked.seconds, asked.account_orders, asked.parked, asked.only))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.load")
    verbs = parser.add_subparsers(dest="what", required=True)
    long = verbs.add_parser("soak", help="ordinary work for long")
    long.add_argument("--minutes", type=float, default=60.0)
    long.add_argument("--rate", type=float, default=None, help="messages a second; by default half the floor, measured")
    hard = verbs.add_parser("overload", help="ten times what it can do")
    hard.add_argument("--seconds", type=float, default=600.0, help="how long each burst lasts")
    hard.add_argument("--account-orders", type=int, default=1_000_000, help="orders on the one huge account")
    hard.add_argument("--parked", type=int, default=10_000, help="messages behind the parked one")
    hard.add_argument("--only", nargs="*", default=(), help="names of cases; by default all")
    return parser


if __name__ == "__main__":
    sys.exit(main())
