"""The credentials of a local installation: random tokens kept in its home, readable by their owner only."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import NamedTuple

import asyncpg

from quittance.installation import Unusable
from services.gateway.credentials import (
    EVERYTHING,
    TOKEN_BYTES,
    TOKEN_PREFIX,
    Credential,
    console,
    development,
    install,
    system_of_record,
)
from shared.settings import Settings

WAREHOUSE = Credential(
    "warehouse",
    "warehouse",
    "warehouse",
    "warehouse",
    EVERYTHING,
    ("orders.record_despatch", "orders.record_delivery", "orders.answer_recall"),
)
"""What a warehouse may say, and nothing else."""


def path_of(settings: Settings, credential: Credential) -> Path:
    return settings.home / f"{credential.name}.token"


def people_path(settings: Settings) -> Path:
    """Where the token of the person at this machine stands."""
    return path_of(settings, development())


class Tokens(NamedTuple):
    """Of the person at this machine, the warehouse, the system that keeps accounts and limits, and the console."""

    people: str
    warehouse: str
    records: str
    console: str


async def issue(settings: Settings) -> Tokens:
    """Made once, and known to the gateway of this installation."""
    people = (development(), WAREHOUSE, system_of_record(), console())
    tokens = Tokens(*(_kept(settings, credential) for credential in people))
    connection = await asyncpg.connect(settings.database("gateway"))
    try:
        for credential, token in zip(people, tokens, strict=True):
            await install(connection, token, credential)
    finally:
        await connection.close()
    return tokens


def _kept(settings: Settings, credential: Credential) -> str:
    path = path_of(settings, credential)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES))
    return path.read_text().strip()


def developer(settings: Settings) -> str:
    """The token that `quittance run` made. Raises `Unusable` when none was made yet."""
    path = people_path(settings)
    if not path.exists():
        raise Unusable(f"there is no credential in {path}; `quittance run` makes one")
    return path.read_text().strip()
