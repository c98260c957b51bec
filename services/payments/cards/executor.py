"""Asks the acquirer what was journaled, until it has answered; each answer goes into the ledger's own mailbox (P9).

It decides nothing and keeps nothing: what is still to be asked stands in the table, and a question asked twice, by two processes
or after a crash, is one question to the acquirer (its key) and one message to the ledger (its id).
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import msgspec
import structlog
from msgspec.structs import replace

from contracts.envelope import derived_id
from contracts.payments import NoteCardOutcome
from services.payments.cards.port import Acquirer, Outcome, Question
from services.payments.state import Card
from shared.database import UNAVAILABLE
from shared.mailbox import Sender, mail_of, post
from shared.topics import partition_of

log = structlog.get_logger(__name__)

ASKED_MAX = 100
"""Questions of one turn."""
AT_ONCE = 8
"""Questions under way at once: what acquirers allow a small merchant."""
POLL_S = 0.5
WAIT_S_MIN, WAIT_S_MAX = 1.0, 60.0
"""Between two questions under one key: longer each time, never given up, because money may have moved."""
LOOKED_S_MAX = 180.0
"""Longer than the slowest turn: a page of questions, a few at once, each with its time-out."""
TOLD_S = 30.0
"""An answer that was told is not asked for again so soon: the ledger takes it in first."""
ACTOR = "acquirer"

Told = tuple[Card, NoteCardOutcome]
Pending = Callable[[str], Awaitable[Sequence[Card]]]
Tell = Callable[[Sequence[Told]], Awaitable[None]]


class Executor:
    """`pending(after)` gives payments whose answer is not known, by key after that one; `tell` hands answers to the ledger."""

    def __init__(self, pending: Pending, acquirer: Acquirer, tell: Tell, now: Callable[[], dt.datetime]) -> None:
        self._pending, self._acquirer, self._tell, self._now = pending, acquirer, tell, now
        self._waits: dict[str, tuple[int, dt.datetime]] = {}
        self._cursor = ""
        self.looked_at: dt.datetime | None = None

    async def run(self) -> None:
        """For ever; a database that is away is waited for."""
        while True:
            try:
                asked = await self.turn()
            except UNAVAILABLE as error:
                log.warning("waiting for the database", error=f"{type(error).__name__}: {error}")
                asked = 0
            if not asked:
                await asyncio.sleep(POLL_S)

    async def turn(self) -> int:
        """One page of questions, side by side, so that one that hangs holds up no other page for longer than its time-out."""
        cards = await self._pending(self._cursor)
        self.looked_at = self._now()
        self._cursor = cards[-1].asking if len(cards) == ASKED_MAX else ""
        now = self._now()
        due = [card for card in cards if self._is_due(card.asking, now)]
        gate = asyncio.Semaphore(AT_ONCE)
        answers = await asyncio.gather(*(self._ask(card, gate) for card in due))
        told = [(card, noted(card, answer, now)) for card, answer in zip(due, answers, strict=True) if answer is not None]
        if told:
            await self._tell(told)
        self._wait(due, {card.asking for card, _ in told}, now)
        return len(due)

    def is_ready(self) -> bool:
        """Whether it has looked lately at what is to be asked: a turn waits for one answer at most, its database for ever."""
        return self.looked_at is not None and self._now() - self.looked_at < dt.timedelta(seconds=LOOKED_S_MAX)

    def _is_due(self, key: str, now: dt.datetime) -> bool:
        return key not in self._waits or self._waits[key][1] <= now

    async def _ask(self, card: Card, gate: asyncio.Semaphore) -> Outcome | None:
        async with gate:
            return await self._acquirer.ask(question_of(card))

    def _wait(self, due: Sequence[Card], told: set[str], now: dt.datetime) -> None:
        """What is over its time is forgotten, so that this never grows beyond what is being asked."""
        self._waits = {key: wait for key, wait in self._waits.items() if wait[1] + dt.timedelta(seconds=WAIT_S_MAX) > now}
        for card in due:
            tries = self._waits.get(card.asking, (0, now))[0] + 1
            seconds = TOLD_S if card.asking in told else wait_s(tries)
            self._waits[card.asking] = (tries, now + dt.timedelta(seconds=seconds))


def wait_s(tries: int) -> float:
    """Seconds before the next question after so many without an answer."""
    return min(WAIT_S_MAX, WAIT_S_MIN * 2.0 ** min(tries - 1, 10))


def question_of(card: Card) -> Question:
    intent = card.intent(card.asking)
    assert intent is not None, "what is being asked was intended"
    return Question(
        key=intent.key,
        account=card.account,
        payment=card.payment,
        action=intent.action,
        amount_minor=intent.amount_minor,
        currency=card.currency,
        token=intent.token,
    )


def noted(card: Card, answer: Outcome, now: dt.datetime) -> NoteCardOutcome:
    return noted_of(card, card.asking, answer, now)


def noted_of(card: Card, key: str, answer: Outcome, now: dt.datetime) -> NoteCardOutcome:
    return NoteCardOutcome(
        account=card.account,
        payment=card.payment,
        key=key,
        outcome=answer.outcome,
        amount_minor=answer.amount_minor,
        told_at=now,
        detail=answer.detail[:500],
    )


# --- PostgreSQL -----------------------------------------------------------------------------------------------------

_card = msgspec.json.Decoder(Card).decode


async def pending(pool: asyncpg.Pool, after: str) -> list[Card]:
    """A page of payments whose answer is not known. Index: card_asking."""
    rows = await pool.fetch(
        "select body from card where asking_key is not null and asking_key > $1 order by asking_key limit $2", after, ASKED_MAX
    )
    return [_card(row["body"]) for row in rows]


async def tell(pool: asyncpg.Pool, partitions: int, told: Sequence[Told]) -> None:
    """Answers into the mailbox, all in one transaction; told twice, the ledger counts them once."""
    mail = [mail_of(partitions, card.home, message, _sender(message)) for card, message in told]
    async with pool.acquire() as connection, connection.transaction():
        await post(connection, mail)


async def on_event_time(pool: asyncpg.Pool, partitions: int, told: Sequence[Told]) -> list[Told]:
    """The same answers, told at the clock of their own partition: on event time the wall's would carry it off to today."""
    clocks = {row["partition"]: row["clock"] for row in await pool.fetch("select partition, clock from progress")}
    return [(card, replace(message, told_at=clocks[partition_of(card.home, partitions)])) for card, message in told]


def _sender(message: NoteCardOutcome) -> Sender:
    name = derived_id(ACTOR, message.key, message.outcome)
    return Sender(id=name, flow=name, at=message.told_at, actor=ACTOR, role="", team="")
