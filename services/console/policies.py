"""The credit policies that were adopted, so that a decision is told by the rules it names (O10)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import asyncpg
import msgspec

from contracts.envelope import Envelope
from contracts.message import Message
from contracts.orders import Decision, PolicyAdopted
from services.console.following import Account, terms_of
from shared.credit.rulebook import Adopted, Policies, Rulebook, Rules, book_at, find_book

HEARS: tuple[type[Message], ...] = (PolicyAdopted,)


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    """Adopted in every partition, kept once."""
    rows = sorted({(fact.data.version, fact.data.digest, fact.data.effective_from): fact for fact in facts}.items())
    await connection.executemany(
        "insert into policies (version, digest, effective_from, adopted_at, policy) values ($1, $2, $3, $4, $5) "
        "on conflict (version, digest, effective_from) do nothing",
        [(*key, fact.time, msgspec.json.encode(fact.data.policy)) for key, fact in rows],
    )


async def adopted(connection: asyncpg.Connection | asyncpg.Pool) -> Policies:
    """In the order in which they take effect; of the same day the last one adopted counts."""
    rows = await connection.fetch(
        "select version, effective_from, digest, policy from policies order by effective_from, adopted_at"
    )
    found = (
        Adopted(version=version, effective_from=day, digest=digest, policy=msgspec.json.decode(policy))
        for version, day, digest, policy in rows
    )
    return Policies("", tuple(found))


def book_of_decision(policies: Policies, decision: Decision) -> Rulebook | None:
    """The policy that a decision names; None when this release does not know it."""
    return find_book(policies, decision.policy)


def rules_then(policies: Policies, decision: Decision, order: str, account: str) -> Rules | None:
    book = book_of_decision(policies, decision)
    return book.rules(order, account, decision.inputs.portfolio, decision.inputs.risk_class) if book is not None else None


def rules_now(policies: Policies, at: dt.datetime, account: Account, order: str = "") -> Rules:
    return book_at(policies, at).rules(order, account.account, account.portfolio, terms_of(account).risk_class)
