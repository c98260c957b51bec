"""Who plays: the services there are, where each is declared, and which of them hears which."""

from __future__ import annotations

import importlib

from quittance.installation import CONSOLE_STEP, Unusable
from quittance.processes import Program
from quittance.readers import Link
from shared.service import Service
from shared.settings import Settings

DECLARED = {
    "accounts": "services.accounts.app",
    "orders": "services.orders.app",
    "gateway": "services.gateway.app",
    "payments": "services.payments.app",
    "console": "services.console.app",
}
"""Service → the module that declares it as `SERVICE`."""
PROGRAMS = {
    "accounts": "services.accounts",
    "orders": "services.orders",
    "gateway": "services.gateway",
    "payments": "services.payments",
    "console": "services.console",
    "windows": "services.console.worker",
}
"""Service → what runs it (`python -m`)."""
PORT_STEP = {"gateway": 0, "accounts": 1, "orders": 2, "payments": 3, "console": CONSOLE_STEP}
"""Ports behind the gateway's own."""

WORKING = ("gateway", "accounts", "orders")
TRADING = (*WORKING, "payments")
RUNNING = (*TRADING, "console")
"""What `quittance run` starts: those who decide, and the console, which only looks."""

LINKS = (
    Link("gateway", "accounts.commands", "accounts"),
    Link("accounts", "accounts", "orders"),
    Link("gateway", "orders.commands", "orders"),
    Link("accounts", "accounts", "payments"),
    Link("gateway", "payments.commands", "payments"),
    Link("payments", "payments.commands", "payments"),
    Link("payments", "payments", "orders"),
    Link("orders", "orders.commands", "orders"),
)
"""The way of a message from outside, in the order in which it passes; at its end the order desk has decided."""
BACK_LINKS = tuple(Link(name, name, "gateway") for name in ("accounts", "orders", "payments"))
"""What the gateway hears of it."""
READ = ("accounts", "orders", "orders.commands", "payments")
"""Topics that a replay reads to see what becomes of its orders."""
WRITERS = tuple(dict.fromkeys((link.speaker, link.topic) for link in (*LINKS, *BACK_LINKS) if link.topic in READ))
"""Who writes them: (service, topic)."""
WINDOWS = "windows"
"""The console's worker that counts streams: a process of its own, without pages, which nothing waits for and nothing needs."""


def watched(settings: Settings) -> Settings:
    """With the addresses of the services of this machine, for the console's ops page, unless others are set."""
    here = ",".join(f"{name}={settings.host}:{settings.port + PORT_STEP[name]}" for name in RUNNING)
    return settings.model_copy(update={"instances": settings.instances or here})


def links_of(services: tuple[str, ...], links: tuple[Link, ...] = LINKS) -> list[Link]:
    return [link for link in links if link.speaker in services and link.listener in services]


def service_of(name: str) -> Service:
    """A service as a value. Raises `Unusable` for a name that there is not."""
    if name not in DECLARED:
        raise Unusable(f"there is no service {name!r}; the services are {', '.join(DECLARED)}")
    declared: Service = importlib.import_module(DECLARED[name]).SERVICE
    return declared


def program_of(settings: Settings, name: str) -> Program:
    if name not in PROGRAMS:
        raise Unusable(f"there is no service {name!r}; the services are {', '.join(PROGRAMS)}")
    return Program(name, PROGRAMS[name], settings.port + PORT_STEP[name] if name in PORT_STEP else 0)
