"""The parser of the AsyncAPI project accepts our document: what tools of others will read (G4)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts.catalogue import MESSAGES, TOPICS
from contracts.export import HERE

CHECK = Path(__file__).parent / "asyncapi"
PACKAGES = HERE.parent / "build" / "asyncapi"
INSTALL_S, CHECK_S = 300, 60

pytestmark = [pytest.mark.node, pytest.mark.slow]


def tool(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not on the path: install Node.js 18 or newer, or leave these out with -m 'not node'"
    return found


@pytest.fixture(scope="module")
def packages() -> Path:
    """The locked parser, installed once into a folder that git ignores; again when the lock changes."""
    lock = (CHECK / "package-lock.json").read_bytes()
    installed = PACKAGES / "installed.lock"
    if not installed.exists() or installed.read_bytes() != lock:
        PACKAGES.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECK / "package.json", PACKAGES)
        shutil.copy(CHECK / "package-lock.json", PACKAGES)
        command = [tool("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=PACKAGES, check=True, timeout=INSTALL_S, capture_output=True)
        installed.write_bytes(lock)
    return PACKAGES


def parsed(document: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASYNCAPI_PACKAGES": str(packages)}
    command = [tool("node"), str(CHECK / "check.mjs"), str(document)]
    return subprocess.run(command, env=environment, check=False, timeout=CHECK_S, capture_output=True, text=True)


def test_the_parser_accepts_the_document(packages: Path) -> None:
    run = parsed(HERE / "asyncapi.yaml", packages)
    assert run.returncode == 0, run.stdout + run.stderr
    seen: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert seen["version"] == "3.0.0"
    assert (seen["channels"], seen["messages"]) == (len(TOPICS), len(MESSAGES))


def test_the_parser_refuses_a_document_that_names_a_missing_message(packages: Path, tmp_path: Path) -> None:
    broken = tmp_path / "asyncapi.yaml"
    text = (HERE / "asyncapi.yaml").read_text(encoding="utf-8")
    broken.write_text(text.replace("#/components/schemas/headers", "#/components/schemas/gone"), encoding="utf-8")
    assert parsed(broken, packages).returncode == 1


def test_the_lock_names_no_registry() -> None:
    assert '"resolved"' not in (CHECK / "package-lock.json").read_text(encoding="utf-8")
