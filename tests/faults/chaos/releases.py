"""A next release for a rolling deploy: a copy of the source with a changed contract that the old release does not know.

Each release adds an optional field to a fact that others read, and a fact of a new type said beside it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

ROOMS = ("contracts", "services", "shared", "quittance")
LIBRARIES = Path("services/console/assets/node_modules")
"""What browsers get besides our own is the same in every release."""
FACT = """class OrderDelivered(Fact, frozen=True, kw_only=True, omit_defaults=True):
    order: Reference
    account: Reference
    despatch: Reference
    pod: Reference | None = None
"""
SAME = "order=command.order, account=command.account, despatch=command.despatch"
FOLD = "    orders.OrderDelivered: _delivered,\n"
SAYS = "    return (OrderDelivered(order=command.order, account=command.account, despatch=command.despatch, pod=command.pod),)"
SAYS_NOW = """    return (
        OrderDelivered(order=command.order, account=command.account, despatch=command.despatch, pod=command.pod{fields}),
{facts}    )"""


def next_release(source: Path, home: Path, number: int) -> Path:
    """Release `number` (from 1), made from the source of this repository. Each holds the changes of those before it."""
    folder = home / f"release-{number}"
    for room in ROOMS:
        shutil.copytree(source / room, folder / room, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    (folder / LIBRARIES).symlink_to(source / LIBRARIES)
    numbers = range(1, number + 1)
    added = "".join(f'    carrier_{n}: Text = ""\n' for n in numbers)
    declared = "".join(f"\n\n{FACT.replace('OrderDelivered', _name(n))}" for n in numbers)
    _replace(folder / "contracts" / "orders.py", FACT, FACT + added + declared)
    fields = "".join(f', carrier_{n}="van {n}"' for n in numbers)
    facts = "".join(f"        {_name(n)}({SAME}),\n" for n in numbers)
    warehouse = folder / "services" / "orders" / "warehouse.py"
    _replace(warehouse, SAYS, SAYS_NOW.format(fields=fields, facts=facts))
    _replace(warehouse, "    OrderDelivered,\n", "    OrderDelivered,\n" + "".join(f"    {_name(n)},\n" for n in numbers))
    folds = "".join(f"    orders.{_name(n)}: _unchanged,\n" for n in numbers)
    _replace(folder / "services" / "orders" / "fold.py", FOLD, FOLD + folds)
    return folder


def _name(number: int) -> str:
    return f"ParcelTracked{'abcdefghij'[number - 1].upper()}"


def _replace(path: Path, what: str, by: str) -> None:
    text = path.read_text()
    if text.count(what) != 1:
        raise LookupError(f"{path}: the place to change is not there once; mend tests/faults/chaos/releases.py: {what[:80]!r}")
    path.write_text(text.replace(what, by))
