"""The index of accounts by which commands are routed and checked: home, currency, portfolio. Built from facts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

import asyncpg
import msgspec

from contracts.accounts import OpenAccount
from contracts.forms import Fault
from services.gateway.credentials import Credential

PENDING_S_MAX = 60
"""How long an account may be on its way to the order desk before it counts as unknown."""


class Known(msgspec.Struct, frozen=True):
    """`at_desk`: the order desk knows the account, so its orders can be decided. `asked_at`: when it was asked for."""

    account: str
    home: str
    currency: str
    portfolio: str
    at_desk: bool
    asked_at: dt.datetime | None

    @property
    def half_known(self) -> bool:
        """The desk's note overtook the fact it notes: its home is not told yet."""
        return not self.currency

    def pending(self, now: dt.datetime) -> bool:
        """It was sent on to be opened and is on its way to the order desk."""
        fresh = self.asked_at is not None and now - self.asked_at < dt.timedelta(seconds=PENDING_S_MAX)
        return self.half_known or (fresh and not self.at_desk)


async def known(connection: asyncpg.Connection, accounts: Iterable[str]) -> dict[str, Known]:
    rows = await connection.fetch(
        "select account, home, currency, portfolio, at_desk, asked_at from account where account = any($1::text[])",
        list(accounts),
    )
    return {row["account"]: Known(*row) for row in rows}


async def ask_for(connection: asyncpg.Connection, openings: Iterable[tuple[OpenAccount, str]]) -> None:
    """Note accounts that are sent on to be opened, each with its home, so that their children and orders find them."""
    rows = [(o.account, home, o.currency, o.name, o.terms.portfolio) for o, home in openings]
    await connection.execute(
        """
        insert into account (account, home, currency, name, portfolio, asked_at)
        select *, now() from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        on conflict (account) do nothing
        """,
        *map(list, zip(*rows, strict=True)),
    )


def unknown(account: str) -> Fault:
    return Fault("account", f"account {account!r} is not known", "import the account, then replay or send again")


def account_fault(entry: Known | None, account: str, currency: str | None, credential: Credential) -> Fault | None:
    """Why a command about this account cannot go on; None when it can."""
    if entry is None:
        return unknown(account)
    if not credential.sees(entry.portfolio):
        return Fault("account", f"account {account!r} is not in your portfolios", "ask for the portfolio, or correct the account")
    if currency is not None and currency != entry.currency:
        problem = f"account {account!r} trades in {entry.currency}, not in {currency}"
        return Fault("currency", problem, f"send it in {entry.currency}, or on an account in {currency}")
    return None


def home_of(opening: OpenAccount, entries: Mapping[str, Known]) -> str | Fault:
    """The home of an account to be opened: its own if it has one already, else its parent's, else itself."""
    if entry := entries.get(opening.account):
        return entry.home
    if opening.parent is None:
        return opening.account
    if parent := entries.get(opening.parent):
        return parent.home
    return Fault("parent", f"parent {opening.parent!r} is not known", "put the parent's row above its children's")
