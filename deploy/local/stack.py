"""Both servers as one thing: up, down, status. Data stays between runs."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local import kafka, postgres, probe
from deploy.local.settings import Settings, StackError, from_environment


@dataclass(frozen=True)
class Server:
    url: str | None  # None: it does not run
    up: bool  # it answers in its own protocol
    pid: int | None  # None: not ours, or it does not run
    version: str | None  # None: not ours, or not fetched yet


@dataclass(frozen=True)
class Stack:
    home: Path
    kafka: Server
    postgres: Server

    @property
    def up(self) -> bool:
        return self.kafka.up and self.postgres.up


def up(settings: Settings | None = None) -> Stack:
    """Starts what does not run yet; returns when all answers. Raises StackError."""
    settings = settings or from_environment()
    with _alone(settings):
        _together(_starts(settings), settings)
    stack = status(settings)
    _require_answers(stack)
    return stack


def down(settings: Settings | None = None) -> Stack:
    """Stops what we started, cleanly. Servers elsewhere are left alone."""
    settings = settings or from_environment()
    with _alone(settings):
        _together([kafka.stop, postgres.stop], settings)
    return status(settings)


def erase(settings: Settings) -> None:
    """Stops, and deletes the data for good. Takes no default: nobody's data goes by accident."""
    down(settings)
    postgres.erase(settings)
    shutil.rmtree(settings.home)


def status(settings: Settings | None = None) -> Stack:
    settings = settings or from_environment()
    return Stack(settings.home, _kafka(settings), _postgres(settings))


def _starts(settings: Settings) -> list[Callable[[Settings], None]]:
    local = [(settings.kafka, kafka.start), (settings.postgres, postgres.start)]
    return [start for elsewhere, start in local if elsewhere is None]


def _together(steps: list[Callable[[Settings], None]], settings: Settings) -> None:
    with ThreadPoolExecutor(2) as threads:
        errors = [done.exception() for done in [threads.submit(step, settings) for step in steps]]
    for error in filter(None, errors):
        raise error


def _kafka(settings: Settings) -> Server:
    if settings.kafka:
        return Server(settings.kafka, probe.kafka_answers(settings.kafka), None, None)
    port = kafka.running_port(settings)
    url = f"127.0.0.1:{port}" if port else None
    return Server(url, bool(url) and probe.kafka_answers(url or ""), kafka.running_pid(settings), kafka.version(settings))


def _postgres(settings: Settings) -> Server:
    if settings.postgres:
        return Server(settings.postgres, probe.postgres_answers(settings.postgres), None, None)
    port = postgres.running_port(settings)
    url = postgres.url(settings, port) if port else None
    return Server(url, bool(url) and probe.postgres_answers(url or ""), postgres.running_pid(settings), postgres.version())


def _require_answers(stack: Stack) -> None:
    if not stack.kafka.up:
        raise StackError(f"Kafka at {stack.kafka.url} does not answer; check QUITTANCE_KAFKA or see {stack.home}/kafka.")
    if not stack.postgres.up:
        raise StackError("PostgreSQL does not answer; check QUITTANCE_POSTGRES and that the server runs.")


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One up or down at a time for one home, so that two never start by accident."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        lock = (settings.home / "lock").open("a")
    except OSError as error:
        raise StackError(f"{settings.home} cannot be written ({error.strerror}); set QUITTANCE_HOME elsewhere.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
