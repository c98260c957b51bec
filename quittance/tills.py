"""Card payments beside the ledger: the executor that asks the acquirer, and, where no real one is set, the sandbox that answers.

Both know each other by a secret of this home. The sandbox moves no money and takes tokens only.
"""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Mapping

from quittance.processes import Program
from shared.settings import Settings

CARDS, ACQUIRER = "cards", "acquirer"
STEPS = {CARDS: 5, ACQUIRER: 6}
"""Ports behind the gateway's own."""
MODULES = {CARDS: "services.payments.cards", ACQUIRER: "deploy.sandbox.acquirer"}
SECRET_BYTES = 32
SECRET_FILE, BOOK_FILE = "acquirer.secret", "acquirer.book"


def tills(settings: Settings) -> tuple[Program, ...]:
    """What runs for cards: the executor by itself where a real acquirer is set, else with the sandbox."""
    if settings.acquirer:
        return (_program(settings, CARDS, {}),)
    secret, cards, acquirer = _secret(settings), _url(settings, CARDS), _url(settings, ACQUIRER)
    theirs = {
        "QUITTANCE_SANDBOX_HOST": settings.host,
        "QUITTANCE_SANDBOX_PORT": str(settings.port + STEPS[ACQUIRER]),
        "QUITTANCE_SANDBOX_FILE": str(settings.home / f"{settings.namespace}{BOOK_FILE}"),
        "QUITTANCE_SANDBOX_CALLBACK": f"{cards}/cards/callback",
        "QUITTANCE_SANDBOX_SECRET": secret,
    }
    ours = {"QUITTANCE_ACQUIRER": acquirer, "QUITTANCE_ACQUIRER_SECRET": secret}
    return _program(settings, ACQUIRER, theirs), _program(settings, CARDS, ours)


def acquirer_url(settings: Settings) -> str:
    """Where the sandbox answers."""
    return _url(settings, ACQUIRER)


def _program(settings: Settings, name: str, around: Mapping[str, str]) -> Program:
    return Program(name, MODULES[name], settings.port + STEPS[name], tuple(around.items()))


def _url(settings: Settings, name: str) -> str:
    return f"http://{settings.host}:{settings.port + STEPS[name]}"


def _secret(settings: Settings) -> str:
    """Made once and kept in this home, readable for its owner only."""
    path = settings.home / SECRET_FILE
    if not path.exists():
        made = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
        settings.home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(made)
    return path.read_text().strip()
