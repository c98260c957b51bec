"""What a run found, written whole after every step, so that an interrupted run leaves what it has seen."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("build/faults")


def say(text: str) -> None:
    print(f"{dt.datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)  # noqa: DTZ005 - for the person who watches


class Report:
    """`build/faults/<name>.json`. `finished` stays false until the run came to its end."""

    def __init__(self, name: str, **asked: Any) -> None:
        self._path = FOLDER / f"{name}.json"
        self._began = time.monotonic()
        machine = {"cores": os.cpu_count(), "python": platform.python_version()}
        self.found: dict[str, Any] = {
            "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "asked": asked, "machine": machine,
            "finished": False, "verdict": "unfinished",
        }  # fmt: skip

    def note(self, **found: Any) -> None:
        self.found |= found
        self.found["seconds"] = round(time.monotonic() - self._began, 1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(self.found, indent=2) + "\n")
        draft.replace(self._path)

    def end(self, verdict: str) -> None:
        self.note(finished=True, verdict=verdict)
        say(f"{self._path}: {verdict}")
