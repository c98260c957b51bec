"""`quittance bench`: starts the stack and runs the measurements of tests/bench. They need a checkout, not a package."""

from __future__ import annotations

import os
import subprocess
import sys

from deploy.local import stack
from quittance.map import REPOSITORY


def main(quick: bool = False) -> int:
    """Run every measurement; writes build/bench/orders.json and payments.json. Returns the first exit code that is not 0."""
    servers = stack.up()
    assert servers.kafka.url and servers.postgres.url, "up() returns only when both answer"
    environment = os.environ | {"QUITTANCE_KAFKA": servers.kafka.url, "QUITTANCE_POSTGRES": servers.postgres.url}
    for module in ("tests.bench.orders", "tests.bench.payments"):
        command = [sys.executable, "-m", module, *(["--quick"] if quick else [])]
        if code := subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode:
            return code
    return 0
