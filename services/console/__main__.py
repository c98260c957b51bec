"""`python -m services.console` serves the console on QUITTANCE_PORT."""

from __future__ import annotations

import uvloop

from services.console.app import SERVICE
from services.console.serving import application
from shared import logs
from shared.engine import Engine
from shared.serve import calm_collector, run
from shared.settings import settings


def main() -> None:
    config = settings()
    logs.configure(config, SERVICE.name)
    calm_collector()
    engine = Engine(SERVICE, config)
    uvloop.run(run(engine, application(engine, config), config))


if __name__ == "__main__":
    main()
