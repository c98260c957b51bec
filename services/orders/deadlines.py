"""The timers that follow from changed state. Setting one again to the same moment costs nothing, so nothing is remembered."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

import msgspec

from contracts.message import Message
from contracts.orders import ReachMark
from services.orders.fold import BROKEN_DAYS
from services.orders.state import Deal, Order, Standing, State, queue_owner
from shared.credit.clocks import MARKS, mark_at
from shared.credit.rulebook import book_at
from shared.service import Become, Moment, Timer

LAPSE = "lapse"
"""One per partition and day: reservations whose last day it is. Key: the day."""
RECHECK = "recheck"
"""A group's held orders are to be decided again. Key: its home."""
RECALL = "recall"
"""An account went on stop: what was released and has not left is recalled. Key: the account."""
MEND = "mend"
"""A broken promise will be forgotten, or a deal's window begins, which may release orders. Key: account and day."""
DEAL = "deal"
"""The last day of an announced deal's window is over. Key: account and deal, as JSON."""
WARN, ESCALATE, BREACH = MARKS
"""A waiting order's clock comes to a mark; only the next one is set. Key: `key_of` the order."""
SWEEP = "sweep"
"""Another policy takes effect: every waiting order of the partition is to be decided again. Key: its version."""


def deadlines(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    order, known = after.order, before.order
    if order is not None and order is not known:
        if order.lapses_on is not None:
            yield _lapse_timer(order.lapses_on, book_at(after.policies, moment.at).zone)
        if order.clock is not None or (known is not None and known.clock is not None):
            yield from _of_clock(known, order, moment.home)
    was, owner = queue_owner(before), queue_owner(after)
    if owner is not None and owner.recheck == 1 and (was is None or was.recheck != 1):
        yield Timer(RECHECK, moment.home, moment.at, moment.home)
    if after.account is not before.account:
        yield from _of_account(before, after, moment)
    if after.policies is not before.policies:
        yield from _of_policies(before, after, moment)


def _of_clock(before: Order | None, after: Order, home: str) -> Iterator[Timer]:
    """The next mark, and no other. An order that is released at once never comes here."""
    was, now = (_mark_timer(before, home) if before is not None else None), _mark_timer(after, home)
    if was == now:
        return
    if was is not None and (now is None or now.kind != was.kind):
        yield Timer(was.kind, was.key, None)
    if now is not None:
        yield now


def _mark_timer(order: Order, home: str) -> Timer | None:
    mark, clock = order.next_mark, order.clock
    return Timer(mark, key_of(order), mark_at(clock, mark), home) if clock is not None and mark is not None else None


def key_of(order: Order) -> str:
    """Both names, so that a timer becomes its command without asking a table."""
    return msgspec.json.encode((order.account, order.order)).decode()


def reached(timer: Timer) -> tuple[str, Message]:
    account, order = msgspec.json.decode(timer.key, type=tuple[str, str])
    return timer.home, ReachMark(order=order, account=account, mark=timer.kind)


BECOMES: Mapping[str, Become] = dict.fromkeys(MARKS, reached)
"""Timers that ask no table; the others are in `store.FIRES`."""


@functools.lru_cache(maxsize=1024)
def _lapse_timer(lapses_on: dt.date, zone: ZoneInfo) -> Timer:
    return Timer(LAPSE, lapses_on.isoformat(), start_of(lapses_on + dt.timedelta(days=1), zone))


def start_of(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(dt.UTC)


def _of_account(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    was, now = before.account, after.account
    if now is None:
        return
    if now.status == "on_stop" and (was is None or was.status != "on_stop"):
        yield Timer(RECALL, now.account, moment.at, moment.home)
    if was is None or now.deals is not was.deals:
        yield from _of_deals(was.deals if was is not None else (), now, after, moment)
    for day in set(now.broken) - set(was.broken if was is not None else ()):
        # A policy may look back less far; the recheck then comes later than it could, and at the latest with the next cause.
        forgotten = start_of(day + dt.timedelta(days=BROKEN_DAYS + 1), book_at(after.policies, moment.at).zone)
        yield Timer(MEND, f"{now.account}/{day.isoformat()}", forgotten, moment.home)


def _of_deals(was: tuple[Deal, ...], now: Standing, after: State, moment: Moment) -> Iterator[Timer]:
    zone = book_at(after.policies, moment.at).zone
    open_now = {deal.deal for deal in now.deals}
    for gone in (deal.deal for deal in was if deal.deal not in open_now):
        yield Timer(DEAL, deal_key(now.account, gone), None)
    for deal in now.deals:
        if deal in was:
            continue
        yield Timer(DEAL, deal_key(now.account, deal.deal), start_of(deal.until_on + dt.timedelta(days=1), zone), moment.home)
        begins = start_of(deal.from_on, zone)
        if deal.reserved_minor and begins > moment.at:  # an order that came too early is covered from this day on
            yield Timer(MEND, f"{now.account}/{deal.from_on.isoformat()}", begins, moment.home)


def deal_key(account: str, deal: str) -> str:
    """A timer's key from which both come out again, whatever is in their names."""
    return msgspec.json.encode((account, deal)).decode()


def _of_policies(before: State, after: State, moment: Moment) -> Iterator[Timer]:
    known = before.policies.adopted if before.policies is not None else ()
    for each in after.policies.adopted if after.policies is not None else ():
        if each not in known:
            yield Timer(SWEEP, each.version, max(start_of(each.effective_from, ZoneInfo("UTC")), moment.at))
