"""Where the local stack lives and on which ports. The only place of this package that reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class StackError(Exception):
    """The stack cannot do what was asked; the text says what is wrong and how to mend it."""


@dataclass(frozen=True)
class Settings:
    home: Path
    jars: Path  # apart from home, so that many homes share one download
    kafka_port: int
    controller_port: int
    postgres_port: int
    kafka: str | None = None  # bootstrap servers elsewhere: no local broker is started
    postgres: str | None = None  # URL elsewhere: no local database is started
    advertised_port: int | None = None  # where the broker sends its clients, when something stands before its own port
    postgres_lines: str = ""  # of postgresql.conf, behind ours: for servers that hold nothing of worth


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    home = Path(environment.get("QUITTANCE_HOME") or REPOSITORY / ".quittance").absolute()
    kafka_port = _port(environment, "QUITTANCE_KAFKA_PORT", 19092)
    return Settings(
        home=home,
        jars=home / "kafka" / "libs",
        kafka_port=kafka_port,
        controller_port=_port(environment, "QUITTANCE_KAFKA_CONTROLLER_PORT", kafka_port + 1),
        postgres_port=_port(environment, "QUITTANCE_POSTGRES_PORT", 15432),
        kafka=environment.get("QUITTANCE_KAFKA") or None,
        postgres=environment.get("QUITTANCE_POSTGRES") or None,
    )


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    raise StackError(f"{name} is {text!r}; set it to a port from 1 to 65535.")
