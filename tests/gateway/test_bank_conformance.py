"""`make conformance`: one line for each file, a report to compare, and failure only for an exception (P3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.gateway.bank import sniff
from tests import conformance
from tests.gateway.banking import SAMPLES


def test_every_sample_is_exact_or_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert conformance.main([str(SAMPLES)]) == 0
    told = capsys.readouterr().out
    assert "camt053-good.xml: camt.053.001.08, 1 read, 5 entries, opening 100000, closing 208800 EUR, sum exact" in told
    assert "bai2-broken-total.bai: refused: line 10, record 99" in told
    rows = json.loads((tmp_path / "build/conformance.json").read_text())
    assert {row["result"] for row in rows} == {"exact", "refused"}
    assert len(rows) == len(list(SAMPLES.iterdir()))


def test_an_exception_fails_the_run_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(name: str, data: bytes) -> None:
        raise RuntimeError("an accident")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sniff, "read", failing)
    assert conformance.main([str(SAMPLES)]) == 1
    assert "an accident" in (tmp_path / "build/conformance.json").read_text()


def test_a_folder_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert conformance.main(["/nowhere/at/all"]) == 2
    assert "usage" in capsys.readouterr().out
