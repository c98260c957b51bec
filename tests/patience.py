"""How long tests wait for what should come."""

from __future__ import annotations

import os


def patient(seconds: float) -> float:
    """Seconds to wait on two cores that other runners keep full; only a failure waits so long.

    `QUITTANCE_TEST_PATIENCE` scales it: where tests are to fail, one guard after the other, and nothing runs beside them, less is
    enough (`make sabotage`).
    """
    return seconds * float(os.environ.get("QUITTANCE_TEST_PATIENCE", "1"))
