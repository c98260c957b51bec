"""`python -m tests.faults.drills restore|refill|readmodels|projections`, or none for all of them."""

from __future__ import annotations

import asyncio
import sys

from tests.faults.drills import projections, readmodels, refill, restore

DRILLS = {"restore": restore.run, "refill": refill.run, "readmodels": readmodels.run, "projections": projections.run}

if __name__ == "__main__":
    for name in sys.argv[1:] or DRILLS:
        print(f"--- {name}", flush=True)
        asyncio.run(DRILLS[name]())
