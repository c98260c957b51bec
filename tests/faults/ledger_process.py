"""One instance of the ledger as a process of its own, for tests that kill it: `python -m tests.faults.ledger_process`."""

from __future__ import annotations

import asyncio

from shared import logs
from shared.engine import Engine
from shared.settings import settings
from tests.kit.ledger_service import SERVICE
from tests.kit.stage import only_own_topics

if __name__ == "__main__":
    only_own_topics()
    logs.configure(settings(), SERVICE.name)
    asyncio.run(Engine(SERVICE, settings()).run())
