"""What is sent: orders and all that follows from them, from a seed and from what the order desk has answered. Pure.

An order that is released is despatched, delivered, billed and paid, step by step, as `quittance.trade` plays it; others are
changed or cancelled; accounts go on stop and off it. Every message says something that no other says, so that it is found again.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import deque
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from contracts.accounts import ChangeLimit, OpenAccount, PutOnStop, TakeOffStop, Terms
from contracts.message import Message
from contracts.orders import (
    AnswerRecall,
    ApproveDeal,
    CancelOrder,
    ChangeOrder,
    Line,
    OrderRecalled,
    OrderReleased,
    Placed,
    PlaceOrder,
    RegisterDeal,
)
from contracts.payments import PostItem, TakeStatement
from quittance import trade
from services.payments.state import home_of_bank
from tests.faults.chaos.cash import as_told

CURRENCY = "GBP"
LIMITS_MINOR = (300_000, 800_000, 2_500_000, 10_000_000)
"""From an account that is held now and then to one that never is."""
MEMBERS_EVERY = 7
"""Every seventh account is a member of the group of the one before it."""
FOLLOW_SHARE = 0.7
"""How often what follows from a release is sent rather than something new, while there is any."""
NEW = {"place": 0.78, "change": 0.07, "cancel": 0.05, "stop": 0.04, "limit": 0.04, "deal": 0.02}
KNOWN_ORDERS = 500
"""Recent orders that may still be changed or cancelled."""
PAYMENT_DAYS = 30
DEAL_DAYS = 3

Mail = PostItem | TakeStatement
"""What billing and the bank tell the ledger."""


def home_of(message: Message, home: str) -> str:
    """The group of whom it is about, or the stream of its bank account."""
    return home_of_bank(message.bank_account) if isinstance(message, TakeStatement) else home


class Event(msgspec.Struct, frozen=True):
    """Something to send once: `key` names it for ever. `then` is what follows of the same order when this was answered."""

    key: str
    account: str
    message: Message
    then: deque[trade.Act] | None = None


class Released(msgspec.Struct, frozen=True):
    """What was heard of the desk, and when."""

    fact: OrderReleased | OrderRecalled
    at: dt.datetime


class Trade:
    """Draws the next event. What follows from one release is sent in order, each when the one before was answered."""

    def __init__(self, seed: int, accounts: int, began: dt.datetime) -> None:
        self._seed, self._began = seed, began
        self._dice = random.Random(f"chaos/{seed}")
        self.homes: dict[str, str] = {}
        self._openings = [self._opening(n) for n in range(accounts)]
        self._orders: deque[tuple[str, str]] = deque(maxlen=KNOWN_ORDERS)
        self._chains: deque[deque[trade.Act]] = deque()
        self._of_order: dict[str, deque[trade.Act]] = {}
        self._stopped: list[str] = []
        self._number = self._recalls = 0

    def openings(self) -> list[Event]:
        return [Event(f"open/{o.account}", o.account, o) for o in self._openings]

    def _opening(self, n: int) -> OpenAccount:
        name = f"C{10_000 + n}"
        parent = f"C{10_000 + n - 1}" if n % MEMBERS_EVERY == MEMBERS_EVERY - 1 else None
        self.homes[name] = parent or name
        return OpenAccount(
            account=name,
            name=f"Customer {n}",
            currency=CURRENCY,
            limit_minor=self._dice.choice(LIMITS_MINOR),
            parent=parent,
            terms=Terms(payment_days=PAYMENT_DAYS),
        )

    # --- what is heard ------------------------------------------------------------------------------------------------

    def hear(self, heard: Released) -> None:
        match heard.fact:
            case OrderReleased() as fact:
                release = trade.Released(
                    fact.order, fact.account, fact.instruction, fact.reserved_minor, CURRENCY, PAYMENT_DAYS, heard.at
                )
                self._chain(fact.order, deque(as_told(trade.answers(self._seed, release), self._began.date())))
            case OrderRecalled() as fact:
                self._recalled(fact, heard.at)

    def _chain(self, order: str, acts: deque[trade.Act]) -> None:
        self._of_order[order] = acts
        self._chains.append(acts)

    def _recalled(self, fact: OrderRecalled, at: dt.datetime) -> None:
        """Stopped in time, unless the first of it has been sent already."""
        acts = self._of_order.pop(fact.order, None)
        stopped = acts is not None and bool(acts) and acts[0].key.startswith("despatch/") and acts[0].of.endswith("/1")
        if stopped and acts is not None:
            acts.clear()
        answer = AnswerRecall(order=fact.order, account=fact.account, stopped=stopped)
        self._recalls += 1  # an account that stops twice recalls one instruction twice; each recall has its own answer
        self._chains.append(deque([trade.Act(at, f"recall/{self._recalls}/{fact.instruction}", fact.account, answer)]))

    # --- what is sent -------------------------------------------------------------------------------------------------

    def next(self) -> Event:
        while self._chains and self._dice.random() < FOLLOW_SHARE:
            acts = self._chains.popleft()
            if acts:
                act = acts.popleft()
                return Event(act.key, act.account, act.message, acts)
        return self._new()

    def answered(self, event: Event) -> None:
        """The next step of the order may follow."""
        if event.then:
            self._chains.append(event.then)

    def _new(self) -> Event:
        self._number += 1
        match self._dice.choices(list(NEW), list(NEW.values()))[0]:
            case "change" if self._orders:
                return self._change(*self._dice.choice(self._orders))
            case "cancel" if self._orders:
                return self._cancel()
            case "stop":
                return self._stop()
            case "limit":
                return self._limit()
            case "deal":
                return self._deal()
            case _:
                return self._place()

    def _place(self) -> Event:
        account = self._dice.choice(self._openings).account
        order = f"chaos/{self._number}"
        self._orders.append((order, account))
        return Event(f"place/{order}", account, PlaceOrder(order=order, account=account, placed=self._placed()))

    def _deal(self) -> Event:
        """Announced, approved, and quoted by an order of its value."""
        account = self._dice.choice(self._openings).account
        deal, order, placed = f"deal-{self._number}", f"chaos/{self._number}", self._placed()
        first, last = self._began.date(), self._began.date() + dt.timedelta(days=DEAL_DAYS)
        announced = RegisterDeal(
            deal=deal, account=account, currency=CURRENCY, value_minor=placed.total_minor,
            from_on=first, until_on=last, evidence="mail",
        )  # fmt: skip
        approved = ApproveDeal(deal=deal, account=account, reason=deal)
        quoted = PlaceOrder(order=order, account=account, placed=replace(placed, deal=deal))
        then = {f"approve/{deal}": approved, f"place/{order}": quoted}
        acts = deque(trade.Act(self._began, key, account, message) for key, message in then.items())
        return Event(f"deal/{deal}", account, announced, acts)

    def _placed(self) -> Placed:
        quantity, price = self._dice.randint(1, 40), self._dice.randint(100, 9_000)
        line = Line(sku="PH-A15", quantity=quantity, unit_price=Decimal(price).scaleb(-2), amount_minor=quantity * price)
        return Placed(currency=CURRENCY, total_minor=quantity * price, received_at=self._began, lines=(line,))

    def _change(self, order: str, account: str) -> Event:
        key = f"change/{self._number}"
        return Event(key, account, ChangeOrder(order=order, account=account, placed=self._placed(), reason=key))

    def _cancel(self) -> Event:
        key = f"cancel/{self._number}"
        order, account = self._orders[self._dice.randrange(len(self._orders))]
        self._orders.remove((order, account))
        if acts := self._of_order.get(order):
            acts.clear()
        return Event(key, account, CancelOrder(order=order, account=account, reason=key))

    def _stop(self) -> Event:
        """On stop, or off it when one of them is: at most a few stand on stop at a time."""
        key = f"stop/{self._number}"
        if self._stopped and self._dice.random() < 0.5:
            account = self._stopped.pop(0)
            return Event(key, account, TakeOffStop(account=account, reason=key))
        account = self._dice.choice(self._openings).account
        self._stopped.append(account)
        return Event(key, account, PutOnStop(account=account, reason=key))

    def _limit(self) -> Event:
        key = f"limit/{self._number}"
        account = self._dice.choice(self._openings).account
        limit = self._dice.choice(LIMITS_MINOR) + self._number
        return Event(key, account, ChangeLimit(account=account, limit_minor=limit, reason=key))
