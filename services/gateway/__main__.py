"""`python -m services.gateway` serves the gateway on QUITTANCE_PORT."""

from __future__ import annotations

import uvloop

from services.gateway.app import SERVICE
from services.gateway.serving import application
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
