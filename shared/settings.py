"""Every setting of the house in one frozen object, read once from the environment (prefix QUITTANCE_)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PARTITIONS_MAX = 1024
"""A partition number is a smallint in every table; a thousand writers is more than any distributor needs."""


class Settings(BaseSettings):
    """`partitions` and `clock` are fixed when an installation is created; the kit refuses to start with others."""

    model_config = SettingsConfigDict(env_prefix="QUITTANCE_", frozen=True, extra="ignore")

    kafka: str = "127.0.0.1:19092"
    postgres: str = Field(default="postgresql://postgres@127.0.0.1:15432/postgres", repr=False)
    namespace: str = Field(default="", pattern=r"^[a-z0-9_]{0,40}$")
    partitions: int = Field(default=4, ge=1, le=PARTITIONS_MAX)
    replication: int = Field(default=1, ge=1, le=9)
    clock: Literal["wall", "event"] = "wall"
    home: Path = Path(".quittance")
    host: str = "127.0.0.1"
    port: int = 0
    log_format: Literal["console", "json"] = "console"
    log_level: str = "info"
    batch_max: int = Field(default=2_000, ge=1, le=20_000)
    lease_s: float = Field(default=10.0, ge=1.0, le=120.0)

    # The console: where people reach it, where their wishes go, and who knows them (empty issuer: only people kept here).
    public_url: str = Field(default="", pattern=r"^(https?://[^/?#]+)?$")
    gateway: str = Field(default="http://127.0.0.1:8080", pattern=r"^https?://[^/?#]+$")
    gateway_token: SecretStr = SecretStr("")
    oidc_issuer: str = ""
    oidc_client: str = ""
    oidc_secret: SecretStr = SecretStr("")
    oidc_groups: str = "groups"
    oidc_roles: dict[str, str] = Field(default_factory=dict)
    oidc_team: str = "home"
    instances: str = ""
    """Whose /readyz and /metrics the ops page shows: `orders=10.0.0.7:9100,accounts=accounts:9100`."""

    # Who takes card payments, and how we and it know each other (P9); empty: nobody is asked.
    acquirer: str = Field(default="", pattern=r"^(https?://[^/?#]+)?$")
    acquirer_token: SecretStr = SecretStr("")
    acquirer_secret: SecretStr = SecretStr("")

    def database(self, service: str) -> str:
        """The URL of one service's own database on the configured server."""
        return str(urlunsplit(urlsplit(self.postgres)._replace(path=f"/{self.database_name(service)}")))

    def database_name(self, service: str) -> str:
        return f"{self.namespace}quittance_{service}"

    def topic(self, name: str) -> str:
        """A declared topic's name on the broker."""
        return f"{self.namespace}{name}"


@functools.cache
def settings() -> Settings:
    return Settings()
