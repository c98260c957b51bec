"""The golden corpus: a decider never gives other bytes than it once gave (O10; fine print, Versions)."""

from __future__ import annotations

import pytest

from tests.contracts.golden_situations import FOLDER, SITUATIONS, outcome


@pytest.mark.parametrize("name", SITUATIONS)
def test_this_decider_gives_the_bytes_it_always_gave(name: str) -> None:
    path = FOLDER / f"{name}.json"
    assert path.exists(), f"no {path.name}: python -m tests.contracts.golden_situations writes what is missing"
    assert outcome(SITUATIONS[name]) == path.read_bytes(), "other output needs a new DECIDER (services/orders/judge.py)"


def test_the_corpus_holds_nothing_else() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(SITUATIONS)
