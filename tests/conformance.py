"""Every importer over a folder of real files: each is read exactly or refused with its reason. `make conformance FIXTURES=DIR`.

Fails only for an exception: a refusal is an answer. Writes `build/conformance.json` for comparing two runs.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.gateway.bank import sniff
from services.gateway.bank.statement import Advice, Refused, Statement

REPORT = Path("build/conformance.json")
PASSED_OVER = {".md", ".gitkeep"}


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m tests.conformance DIR")
        return 2
    rows = list(examined(Path(arguments[0])))
    for row in rows:
        print(told(row))
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    failed = [row for row in rows if row["result"] == "failed"]
    exact, refused = (sum(row["result"] == result for row in rows) for result in ("exact", "refused"))
    print(f"{len(rows)} files: {exact} exact, {refused} refused with a reason, {len(failed)} failed")
    return 1 if failed or not rows else 0


def examined(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in PASSED_OVER:
            yield {"file": str(path.relative_to(folder)), **_examined(path)}


def _examined(path: Path) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        found = sniff.read(path.name, path.read_bytes())
    except Exception:  # noqa: BLE001 - an exception is what this command looks for
        return {"result": "failed", "reason": traceback.format_exc(limit=-3)}
    took = {"ms": round((time.perf_counter() - began) * 1000, 1)}
    if isinstance(found, Refused):
        return {"result": "refused", "where": found.where, "reason": found.reason, "mend": found.mend, **took}
    return {"result": "exact", "values": [_figures(value) for value in found[:200]], "count": len(found), **took}


def _figures(value: Any) -> dict[str, Any]:
    match value:
        case Statement():
            total = sum(entry.amount_minor for entry in value.entries)
            is_stated = value.opening_minor is not None and value.closing_minor is not None
            is_proved = is_stated and (value.opening_minor or 0) + total == value.closing_minor
            return {
                "format": value.format,
                "account": value.bank_account,
                "statement": value.statement,
                "currency": value.currency,
                "entries": len(value.entries),
                "opening_minor": value.opening_minor,
                "entries_minor": total,
                "closing_minor": value.closing_minor,
                "sum": "exact" if is_proved else "differs" if is_stated else "not stated",
                "notes": list(value.notes),
            }
        case Advice():
            return {
                "format": value.format,
                "advice": value.advice,
                "currency": value.currency,
                "entries": len(value.lines),
                "entries_minor": value.amount_minor,
                "sum": "exact",
            }
        case _:
            return {
                "format": "FBL5N",
                "entries": 1,
                "currency": value.currency,
                "entries_minor": value.amount_minor,
                "sum": "not stated",
            }


def told(row: dict[str, Any]) -> str:
    """One line for one file."""
    if row["result"] != "exact":
        return f"{row['file']}: {row['result']}: {row.get('where', '')} {row['reason']}".replace("\n", " ")
    values = row["values"]
    first, last = values[0], values[-1]
    sums = ", ".join(sorted({value["sum"] for value in values}))
    entries = sum(value["entries"] for value in values)
    ends = f"opening {first.get('opening_minor')}, closing {last.get('closing_minor')} {first['currency']}"
    return f"{row['file']}: {first['format']}, {row['count']} read, {entries} entries, {ends}, sum {sums}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
