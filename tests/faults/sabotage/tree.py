"""A throw-away copy of the tree, in which one file at a time is changed and put back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.sabotage.guard import Guard

LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", ".quittance", "build", "dist", "mutants", "node_modules", "__pycache__", ".*_cache", ".hypothesis"
)
BROWSER_PACKAGES = Path("services/console/assets/node_modules")
"""The console does not start without them; nobody changes them, so the copy points at ours."""


def copied(source: Path, target: Path) -> Path:
    """The tree without what is built or fetched. Its byte code is checked by content: a patched file may have the same
    size and second as the one that it replaces, and stale byte code would run the guard that was taken out."""
    shutil.copytree(source, target, ignore=LEFT_BEHIND)
    if (source / BROWSER_PACKAGES).exists():
        (target / BROWSER_PACKAGES).symlink_to(source / BROWSER_PACKAGES)
    compiling = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", str(target)]
    subprocess.run(compiling, check=True, stdout=subprocess.DEVNULL)
    return target


@contextmanager
def without(guard: Guard, tree: Path) -> Iterator[None]:
    """The tree with this guard taken out. Raises NotFound, and SyntaxError when what stands instead is no Python."""
    path = tree / guard.file
    source = path.read_text()
    disarmed = guard.disarmed(source)
    if path.suffix == ".py":
        compile(disarmed, guard.file, "exec")
    path.write_text(disarmed)
    try:
        yield
    finally:
        path.write_text(source)
