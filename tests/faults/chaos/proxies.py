"""What stands between the services and their servers: toxiproxy, built from the Go module proxy, driven over HTTP.

One proxy before the broker (which sends its clients to the proxy's port) and one before the database per service.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx

MODULE = "github.com/Shopify/toxiproxy/v2/cmd/server@v2.5.0"
BUILD_S_MAX = 600.0
START_S_MAX = 10.0


class NoProxy(Exception):
    """Network faults cannot be made here: what is missing and how to get it."""


def built(folder: Path) -> Path:
    """The program, built once into this folder. Raises `NoProxy`."""
    program = folder / "toxiproxy" / "server"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise NoProxy(f"Go is missing: it builds toxiproxy ({MODULE}); install it (Debian: apt-get install golang-go)")
    program.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "install", MODULE],
        env=os.environ | {"GOBIN": str(program.parent)},
        capture_output=True,
        text=True,
        timeout=BUILD_S_MAX,
    )
    if done.returncode:
        raise NoProxy(f"toxiproxy could not be built; is the Go module proxy reachable? {done.stderr.strip()[-300:]}")
    return program


class Proxies:
    """A running toxiproxy. Names of proxies are those of what they stand before: `kafka`, `postgres-orders`."""

    def __init__(self, program: Path, port: int, log: Path) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        with log.open("ab") as output:
            self._process = subprocess.Popen([program, "-host", "127.0.0.1", "-port", str(port)], stdout=output, stderr=output)
        self._await_answer()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            try:
                self._client.get("/version")
                return
            except httpx.TransportError:
                time.sleep(0.05)
        raise NoProxy(f"toxiproxy does not answer within {START_S_MAX:.0f} s")

    def stand(self, name: str, port: int, before: int) -> None:
        """Listen on `port`, pass on to `before`."""
        self._post("/proxies", {"name": name, "listen": f"127.0.0.1:{port}", "upstream": f"127.0.0.1:{before}"})

    def poison(self, name: str, kind: str, stream: str, **attributes: int) -> None:
        """Add a toxic (`latency`, `reset_peer`, `timeout`) to what goes `upstream` or `downstream`."""
        toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
        self._post(f"/proxies/{name}/toxics", toxic)

    def cure(self) -> None:
        """No toxic anywhere."""
        self._post("/reset", {})

    def _post(self, path: str, body: dict[str, Any]) -> None:
        answer = self._client.post(path, json=body)
        if not answer.is_success:
            raise NoProxy(f"toxiproxy answers {answer.status_code} to {path}: {answer.text[:200]}")

    def stop(self) -> None:
        self._client.close()
        self._process.kill()
        self._process.wait()
