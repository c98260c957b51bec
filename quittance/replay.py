"""Sends an order file through the gateway as time goes by, and plays the rest of the trade for what is released.

Time is the messages' own. It advances in stretches within which nothing answers a release, so that all of a stretch can be
sent at once; before the next one begins, all of it is decided.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec

from contracts.accounts import AccountOpened, ChangeLimit, Terms, TermsChanged
from contracts.envelope import Envelope
from contracts.message import Message
from contracts.orders import (
    AnswerRecall,
    OrderCancelled,
    OrderRecalled,
    OrderReleased,
    RecordDelivery,
    RecordDespatch,
    ReservationLapsed,
)
from contracts.payments import PostItem, TakeAdvice, TakePosting, TakeStatement
from quittance import trade
from quittance.board import Board
from quittance.cashiers import STAFF
from quittance.cast import READ, TRADING, WRITERS, links_of
from quittance.clerks import TEAM, Clerks
from quittance.counterparts import Cardholders
from quittance.facts import Place, Reader, reading
from quittance.intake import Flow, Gateway
from quittance.keys import Tokens
from quittance.orderfile import EPOCH, Piece
from quittance.readers import Desks, Patience, caught_up, desks
from quittance.stretches import Stretches
from quittance.trade import Act, Diary, Released
from shared.settings import Settings

ANSWERED_AFTER = dt.timedelta(minutes=30)
"""How long the warehouse takes to answer a recall."""


class Customer(msgspec.Struct, frozen=True):
    """What the trade must know of an account: where its messages go, in what it trades, and when it must pay."""

    home: str
    name: str
    currency: str
    terms: Terms


Answers = Callable[[Message, dt.datetime], Iterable[Act]]


def nothing(fact: Message, at: dt.datetime) -> Iterable[Act]:
    """What follows from facts besides on a day of orders alone."""
    return ()


class Trade:
    """Hears what is said and knows what follows from it. `orders`: those of this run, nothing is played for others. `answers`:
    what follows from facts besides, on a day that has more to play than orders."""

    def __init__(self, seed: int, orders: Iterable[str], diary: Diary, answers: Answers) -> None:
        self._seed, self._orders, self.diary, self._answers = seed, frozenset(orders), diary, answers
        self.customers: dict[str, Customer] = {}
        self._early: dict[str, list[tuple[OrderReleased, dt.datetime]]] = {}

    def take(self, said: Envelope) -> None:
        if key := trade.done_by(said.data):
            self.diary.done(key)
        self.diary.add(self._answers(said.data, said.time))
        match said.data:
            case AccountOpened() as fact:
                self.customers[fact.account] = Customer(fact.home, fact.name, fact.currency, fact.terms)
                for release, at in self._early.pop(fact.account, ()):
                    self._release(release, at)
            case TermsChanged() as fact if fact.account in self.customers:
                known = self.customers[fact.account]
                self.customers[fact.account] = msgspec.structs.replace(known, terms=fact.terms)
            case OrderReleased() as fact if fact.order in self._orders:
                self._release(fact, said.time)
            case OrderRecalled() as fact if fact.order in self._orders:
                self._recalled(fact, said.time)
            case ReservationLapsed() | OrderCancelled() as fact if fact.order in self._orders:
                self.diary.take_back_order(fact.order)

    def due(self, before: dt.datetime) -> list[Act]:
        """What is to happen before this moment; nothing about accounts that were never opened."""
        return [act for act in self.diary.due(before) if act.account in self.customers]

    def _release(self, fact: OrderReleased, at: dt.datetime) -> None:
        """What was said on two topics is read in any order: a release may come before the account it is for."""
        customer = self.customers.get(fact.account)
        if customer is None:
            self._early.setdefault(fact.account, []).append((fact, at))
            return
        days = 0 if customer.terms.cash_on_delivery else customer.terms.payment_days
        name, amount = fact.instruction, fact.reserved_minor
        release = Released(fact.order, fact.account, customer.name, name, amount, customer.currency, days, at)
        self.diary.add(trade.answers(self._seed, release))

    def _recalled(self, fact: OrderRecalled, at: dt.datetime) -> None:
        self.diary.take_back(fact.instruction)
        answer = AnswerRecall(order=fact.order, account=fact.account, stopped=True)
        self.diary.add([Act(at + ANSWERED_AFTER, f"recall/{fact.instruction}", fact.account, answer)])


class Senders(NamedTuple):
    """One connection to the gateway for each who sends: the credit desk, the warehouse, the system that keeps limits and bills
    and hears from the bank, and the console, which speaks for the people at the release desk."""

    desk: Gateway
    warehouse: Gateway
    records: Gateway
    console: Gateway

    def of(self, message: Message) -> Gateway:
        match message:
            case RecordDespatch() | RecordDelivery() | AnswerRecall():
                return self.warehouse
            case ChangeLimit() | PostItem() | TakeStatement() | TakeAdvice() | TakePosting():
                return self.records
            case _:
                return self.desk


class Stage:
    """Everything a replay speaks with, and what it shows."""

    def __init__(self, settings: Settings, senders: Senders, desks: Desks, reader: Reader, board: Board) -> None:
        self.settings, self.senders, self.gateway = settings, senders, senders.desk
        self.desks, self.reader, self.board = desks, reader, board
        self.trade: Trade | None = None
        self.clerks: Clerks | None = None
        self.cardholders: Cardholders | None = None
        self.flows: dict[str, Flow] = {}
        self.now: dt.datetime | None = None

    async def listen(self, wait_ms: int = 0) -> int:
        """Take in what was said meanwhile; returns how many messages."""
        said = await self.reader.next(wait_ms)
        for each in said:
            envelope = each.envelope
            self.board.take(envelope)
            if self.trade is not None:
                self.trade.take(envelope)
            if self.clerks is not None:
                self.clerks.take(envelope.data, envelope.time)
            if self.cardholders is not None:
                self.cardholders.take(envelope.data, envelope.time)
        return len(said)

    async def listen_to_the_end(self) -> None:
        """Take in everything that was said until now: all that the journals hold, for a topic may still lack the last of it."""
        said = await self._committed()
        patience = Patience("what the journals hold does not appear on the topics")
        while behind := sum(max(last - self.reader.seen.get(writer, 0), 0) for writer, last in said.items()):
            patience.see(behind)
            await self.listen(wait_ms=20)

    async def _committed(self) -> dict[tuple[Place, str], int]:
        """Each writer of a topic that is read here → the last sequence in its journal."""
        return {
            (Place(topic, partition), f"/{speaker}/{partition}"): last
            for speaker, topic in WRITERS
            for partition, last in (await self.desks.said(speaker, topic)).items()
        }

    async def settle(self) -> None:
        """Return when all that was sent is decided, and heard here."""
        services = TRADING if self.trade is not None else tuple(name for name in TRADING if name != "payments")
        waiting = asyncio.create_task(caught_up(self.desks, _mailboxes(services), links_of(services)))
        try:
            while not waiting.done():
                await self.listen(wait_ms=5)
        finally:
            waiting.cancel()
        await waiting
        await self.listen_to_the_end()


@asynccontextmanager
async def staged(settings: Settings, gateway: str, tokens: Tokens, board: Board) -> AsyncIterator[Stage]:
    """A stage at the gateway of this address, with nobody on it yet; what it opened is closed afterwards."""
    senders = Senders(*(Gateway(gateway, token) for token in (tokens.people, tokens.warehouse, tokens.records, tokens.console)))
    looks = await desks(settings, TRADING)
    try:
        async with reading(settings, READ) as reader:
            yield Stage(settings, senders, looks, reader, board)
    finally:
        for closing in (*senders, looks):
            await closing.close()


def _mailboxes(services: tuple[str, ...]) -> list[str]:
    return [name for name in services if name == "gateway"]


# --- the whole file at once -----------------------------------------------------------------------------------------


async def send_whole(stage: Stage, sending: Awaitable[Flow]) -> None:
    """One flow for the whole file; what is decided is shown meanwhile."""
    task = asyncio.ensure_future(_whole(stage, sending))
    try:
        while not task.done():
            await stage.listen(wait_ms=50)
    finally:
        task.cancel()
    await task
    await stage.settle()


async def _whole(stage: Stage, sending: Awaitable[Flow]) -> None:
    flow = await sending
    stage.flows[flow["flow"]] = flow
    repeated = flow.get("repeated", False)
    done = await stage.gateway.finished(flow["flow"], lambda now: stage.flows.__setitem__(flow["flow"], now))
    stage.flows[flow["flow"]] = done | {"repeated": repeated}


# --- as time goes by ------------------------------------------------------------------------------------------------


class Pace:
    """`speed` seconds of the messages' time pass in one second; 0: as fast as it goes."""

    def __init__(self, speed: float, start: dt.datetime) -> None:
        self._speed, self._start, self._began = speed, start, time.monotonic()

    async def reach(self, at: dt.datetime) -> None:
        if self._speed:
            ahead_s = (at - self._start).total_seconds() / self._speed - (time.monotonic() - self._began)
            await asyncio.sleep(max(ahead_s, 0))


async def play(stage: Stage, kind: str, pieces: Iterator[Piece], cuts: Stretches, speed: float, closing: dt.datetime) -> None:
    """Send every piece, and between them whatever falls due, until the pieces and the day (`closing`) are over."""
    piece = next(pieces, None)
    start = _next_start(stage, piece, cuts, EPOCH)
    pace = Pace(speed, piece.start if piece is not None else start or EPOCH)  # what came before the first order is not waited for
    while start is not None and (piece is not None or start < closing):
        end = cuts.end(start)
        await pace.reach(start)
        stage.now = start
        due = piece if piece is not None and piece.start < end else None
        await _send(stage, kind, due, start, end if piece is not None else min(end, closing))
        piece = next(pieces, None) if due is not None else piece
        start = _next_start(stage, piece, cuts, end)


def _next_start(stage: Stage, piece: Piece | None, cuts: Stretches, after: dt.datetime) -> dt.datetime | None:
    """The stretch of the next thing to happen. Whoever has work at the desk goes on with it `after` the stretch before."""
    due = stage.trade.diary.next_due() if stage.trade is not None else None
    work = stage.clerks.next_due(after) if stage.clerks is not None else None
    moments = [moment for moment in (due, work, piece.start if piece is not None else None) if moment is not None]
    return cuts.start(min(moments)) if moments else None


async def _send(stage: Stage, kind: str, piece: Piece | None, start: dt.datetime, end: dt.datetime) -> None:
    acts = stage.trade.due(end) if stage.trade is not None else []
    acts += stage.clerks.due(start, end) if stage.clerks is not None else []
    work: list[Awaitable[None]] = []
    for gateway, some in _senders(stage, [act for act in acts if not act.by]):
        work.append(gateway.send_events(some))
    for person, some in _people(stage, acts):
        work.append(stage.senders.console.send_events(some, person))
    if piece is not None:
        work.append(_send_piece(stage, kind, piece))
    if stage.cardholders is not None:
        work.append(stage.cardholders.dispute(end))
    await asyncio.gather(*work)
    await stage.settle()


def _senders(stage: Stage, acts: list[Act]) -> Iterator[tuple[Gateway, list[Act]]]:
    """Each act goes in with the credential of whoever does it."""
    for gateway in stage.senders:
        if some := [act for act in acts if stage.senders.of(act.message) is gateway]:
            yield gateway, some


def _people(stage: Stage, acts: list[Act]) -> Iterator[tuple[dict[str, str], list[Act]]]:
    """What each person at the desks wishes, in their own name (`services/gateway/delegation.py`)."""
    for clerk in (*stage.clerks.people, *STAFF) if stage.clerks is not None else ():
        if some := [act for act in acts if act.by == clerk.name]:
            yield {"Quittance-Actor": clerk.name, "Quittance-Role": clerk.role, "Quittance-Team": TEAM}, some


async def _send_piece(stage: Stage, kind: str, piece: Piece) -> None:
    flow = await stage.gateway.send_file(kind, piece.name, piece.content)
    done = await stage.gateway.finished(flow["flow"])
    stage.flows[flow["flow"]] = done | {"repeated": flow.get("repeated", False)}
