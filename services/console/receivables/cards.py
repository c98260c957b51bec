"""Card payments as the ledger's facts leave them: a row each, with what the acquirer said last (P9).

No token is kept here, and no card number anywhere.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import asyncpg
import msgspec
from msgspec.structs import replace

from contracts import payments as said
from contracts.envelope import Envelope
from contracts.message import Message
from services.console.keeping import Kept
from services.console.telling import tell

Database: TypeAlias = asyncpg.Connection | asyncpg.Pool
HEARS: tuple[type[Message], ...] = (said.CardIntended, said.CardOutcomeNoted, said.CardChargedBack)
WORD = "cards"
SHOWN = 100
ASKED, CAPTURED, DECLINED, REFUNDED, CHARGED_BACK = "asked", "captured", "declined", "refunded", "charged_back"
CAPTURE, REFUND_ASKED, REFUND_DECLINED = "capture", "refund_asked", "refund_declined"


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """`key`: `<account>/<payment>`; the payment is the taker's own key. `receipt`: the money's item on the account."""

    key: str
    account: str
    payment: str
    amount_minor: int
    currency: str
    items: tuple[str, ...]
    state: str = ASKED
    captured_minor: int = 0
    refunded_minor: int = 0
    charged_back_minor: int = 0
    detail: str = ""
    receipt: str = ""
    debit_note: str = ""
    by: str
    at: dt.datetime
    changed_at: dt.datetime
    sequence: int = 0

    @property
    def left_minor(self) -> int:
        """What of it is with us and could be paid back."""
        return self.captured_minor - self.refunded_minor - self.charged_back_minor


CARDS = Kept("card_payments", Card, "key")


def key_of(account: str, payment: str) -> str:
    return f"{account}/{payment}"


async def project(connection: asyncpg.Connection, facts: Sequence[Envelope]) -> None:
    known = await CARDS.load(connection, {key_of(fact.data.account, fact.data.payment) for fact in facts})
    changed: dict[str, Card] = {}
    for fact in facts:
        if (after := follow(known.get(key_of(fact.data.account, fact.data.payment)), fact)) is not None:
            known[after.key] = changed[after.key] = after
    await CARDS.save(connection, list(changed.values()))
    await tell(connection, [WORD])


def follow(row: Card | None, fact: Envelope) -> Card | None:
    """The payment after this fact; None when nothing of it changed. Pure."""
    sequence = int(fact.sequence)
    if row is not None and sequence <= row.sequence:
        return None
    after = _asked(fact) if row is None else _turned(row, fact.data)
    return replace(after, changed_at=fact.time, sequence=sequence) if after is not None else None


def _asked(fact: Envelope) -> Card | None:
    data = fact.data
    if not isinstance(data, said.CardIntended):
        return None
    return Card(
        key=key_of(data.account, data.payment),
        account=data.account,
        payment=data.payment,
        amount_minor=data.amount_minor,
        currency=data.currency,
        items=data.items,
        by=data.by,
        at=fact.time,
        changed_at=fact.time,
    )


def _turned(row: Card, data: said.CardIntended | said.CardOutcomeNoted | said.CardChargedBack) -> Card:
    match data:
        case said.CardIntended():
            return replace(row, state=REFUND_ASKED)
        case said.CardOutcomeNoted(outcome="captured"):
            return replace(row, state=CAPTURED, captured_minor=data.amount_minor, receipt=data.receipt or "", detail=data.detail)
        case said.CardOutcomeNoted(outcome="refunded"):
            return replace(row, state=REFUNDED, refunded_minor=row.refunded_minor + data.amount_minor, detail=data.detail)
        case said.CardOutcomeNoted(outcome="charged_back"):
            return replace(
                row, state=CHARGED_BACK, charged_back_minor=row.charged_back_minor + data.amount_minor, detail=data.detail
            )
        case said.CardOutcomeNoted():
            return replace(row, state=data.outcome, detail=data.detail)
        case said.CardChargedBack():
            return replace(row, debit_note=data.debit_note or "")


class Shown(NamedTuple):
    card: Card
    name: str


_FROM = f"""
    select {", ".join(f"c.{name}" for name in CARDS.kinds)}, coalesce(b.name, '') as shown
    from card_payments c left join book b using (account) where ($1::text[] = '{{}}' or b.portfolio = any($1))
"""


async def payments(database: Database, seen: Iterable[str], account: str) -> list[Shown]:
    """The newest, of one account or of all. Indexes: card_payments_at, card_payments_of."""
    rows = await database.fetch(
        f"{_FROM} and ($2 = '' or c.account = $2) order by c.at desc, c.key limit $3", list(seen), account, SHOWN
    )
    return [Shown(CARDS.of(row), row["shown"]) for row in rows]


async def one(database: Database, seen: Iterable[str], key: str) -> Card | None:
    row = await database.fetchrow(f"{_FROM} and c.key = $2", list(seen), key)
    return CARDS.of(row) if row else None
