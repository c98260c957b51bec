"""The table of mutants counts each file once, in whatever folder it lies, and what could not be judged apart."""

from __future__ import annotations

import json
from pathlib import Path

from tests.faults.mutants import Score, scored


def test_a_file_below_a_service_is_counted_as_well(tmp_path: Path) -> None:
    for name, fates in (("services/orders/judge.py", [1, 3, 0, None]), ("services/payments/matching/subset.py", [1, 0, -24])):
        path = tmp_path / f"{name}.meta"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"exit_code_by_key": {f"mutant {n}": fate for n, fate in enumerate(fates)}}))
    (tmp_path / "services/orders/words.py.meta").write_text('{"exit_code_by_key": {}}')
    assert list(scored(tmp_path)) == [
        Score("services/orders/judge.py", killed=2, survived=1, untried=1, other=0),
        Score("services/payments/matching/subset.py", killed=1, survived=1, untried=0, other=1),
    ]
