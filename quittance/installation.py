"""Which installation a command is about: where its servers are, and what was fixed when it was created.

The environment counts first, then what the last `quittance run` of this home noted, then the defaults.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from deploy.local import kafka, postgres
from deploy.local.settings import REPOSITORY, from_environment
from shared.settings import Settings

NOTED = ("clock", "partitions", "namespace", "port")
NOTES = "installation.json"
GATEWAY_PORT = 8080
CONSOLE_STEP = 4
"""The console's port behind the gateway's."""


class Unusable(Exception):
    """Something that the user can mend; the text says what, where and how."""


def home() -> Path:
    return from_environment().home


def chosen(**wishes: Any) -> Settings:
    """The settings of this installation; `wishes` stand between the environment and what was noted."""
    stack = from_environment()
    wished = {name: wish for name, wish in wishes.items() if wish is not None}
    values: dict[str, Any] = {"port": GATEWAY_PORT, **_noted(stack.home), **wished}
    free = {name: value for name, value in values.items() if f"QUITTANCE_{name.upper()}" not in os.environ}
    return Settings(**{"home": stack.home, **_servers(), **free})


def _noted(folder: Path) -> dict[str, Any]:
    path = folder / NOTES
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Any]) if path.exists() else {}


def note(settings: Settings) -> None:
    """Remember what this installation is, for the commands that follow."""
    values = {name: getattr(settings, name) for name in NOTED}
    (settings.home / NOTES).write_bytes(msgspec.json.encode(values))


def _servers() -> dict[str, str]:
    """Servers elsewhere by URL; else those that run here, on the ports they really have."""
    stack = from_environment()
    found = {}
    if not stack.kafka:
        found["kafka"] = f"127.0.0.1:{kafka.running_port(stack) or stack.kafka_port}"
    if not stack.postgres and (port := postgres.running_port(stack)):
        found["postgres"] = postgres.url(stack, port)
    return found


def environment(settings: Settings, port: int) -> dict[str, str]:
    """The environment of a service of this installation."""
    fixed = {
        "HOME": str(settings.home),
        "KAFKA": settings.kafka,
        "POSTGRES": settings.postgres,
        "NAMESPACE": settings.namespace,
        "PARTITIONS": str(settings.partitions),
        "CLOCK": settings.clock,
        "PORT": str(port),
    }
    # Where the gateway is may be said from outside: in containers it is another machine.
    fixed |= {"GATEWAY": os.environ.get("QUITTANCE_GATEWAY") or gateway_url(settings)}
    fixed |= {"INSTANCES": settings.instances}
    ours = {f"QUITTANCE_{name}": value for name, value in fixed.items()}
    return {**os.environ, **ours, "PYTHONPATH": os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])}


def gateway_url(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"


def console_url(settings: Settings) -> str:
    """Where people reach the console: as set, else its port behind the gateway's."""
    return settings.public_url or f"http://{settings.host}:{settings.port + CONSOLE_STEP}"
