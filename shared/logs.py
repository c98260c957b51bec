"""Logs as JSON lines for machines or coloured lines for people, with the service on every one; secrets never."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from shared.settings import Settings

SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie")


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask every field whose name says that it holds a secret."""
    for key in event:
        if any(word in key.lower() for word in SECRET_WORDS):
            event[key] = "***"
    return event


def configure(settings: Settings, service: str) -> None:
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shape = structlog.processors.JSONRenderer() if settings.log_format == "json" else _for_people()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            *([structlog.processors.format_exc_info] if settings.log_format == "json" else []),
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")


def _for_people() -> structlog.dev.ConsoleRenderer:
    # Plain tracebacks: the pretty ones print local variables, connection passwords among them.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
